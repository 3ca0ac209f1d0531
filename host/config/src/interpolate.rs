//! `${NAME}`, `${NAME:-default}` and `${file:/path}` in values, from the environment and from files.
//!
//! Keys are left alone, and so is all that says who sees what and what is done: pipelines and their tests (VRL is full of `$`), grants, the
//! fields of sources and what is hidden from viewers read the same wherever they run.

use std::io;
use std::path::Path;
use std::sync::Arc;

use crate::Place;
use crate::diagnostic::codes::{BAD_INTERPOLATION, NOT_SET, NUMBER_OUT_OF_RANGE, TOO_MUCH, UNREADABLE_SECRET};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::document::{Document, Node, TEXT_BYTES_MAX, Value, resolve};

/// Bytes of a file that `${file:…}` may read.
pub const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Where variables and secret files are looked up.
pub trait Environment {
    /// The value of a variable; `None` when it is not set.
    fn var(&self, name: &str) -> Option<String>;

    /// The text of a file. Implementations need not read more than [`SECRET_BYTES_MAX`] and one byte.
    fn file(&self, path: &Path) -> io::Result<String>;
}

/// Fills in the values of a document. What cannot be filled in goes to `diagnostics` and becomes [`Value::Invalid`].
pub fn interpolate(document: &mut Document, environment: &dyn Environment, diagnostics: &mut Diagnostics) {
    let mut filler = Filler { environment, folder: &document.folder, diagnostics, bytes: 0 };
    filler.node(&mut document.root, &mut Vec::new());
}

/// Whether values below these keys (list elements do not count) stay as they are.
fn is_literal(keys: &[Arc<str>]) -> bool {
    let mut keys = keys.iter().map(|key| &**key);
    matches!(
        (keys.next(), keys.next(), keys.next()),
        (Some("pipelines" | "tests"), _, _)
            | (Some("plugins"), Some(_), Some("grant"))
            | (Some("sources"), Some(_), Some("fields"))
            | (Some("settings"), Some("tap"), Some("hide"))
    )
}

struct Filler<'a> {
    environment: &'a dyn Environment,
    folder: &'a Path,
    diagnostics: &'a mut Diagnostics,
    bytes: usize,
}

impl Filler<'_> {
    // Depth is limited by the document's.
    fn node(&mut self, node: &mut Node, keys: &mut Vec<Arc<str>>) {
        if is_literal(keys) {
            return;
        }
        match &mut node.value {
            Value::List(nodes) => nodes.iter_mut().for_each(|node| self.node(node, keys)),
            Value::Map(entries) => {
                for (key, node) in entries {
                    keys.push(Arc::clone(&key.text));
                    self.node(node, keys);
                    keys.pop();
                }
            }
            Value::Text(text) if text.contains('$') => {
                let text = Arc::clone(text);
                match self.fill(&text) {
                    Ok(filled) => self.replace(node, &text, filled),
                    Err(diagnostic) => {
                        self.diagnostics.push(diagnostic.at(&node.place));
                        node.value = Value::Invalid;
                    }
                }
            }
            _ => {}
        }
    }

    fn replace(&mut self, node: &mut Node, text: &Arc<str>, filled: Filled) {
        let value: Arc<str> = Arc::from(filled.text);
        if filled.looked_up {
            node.written = Some(Arc::clone(text));
        }
        node.raw = Arc::clone(&value);
        // `lanes: ${LANES}` is a number, `"${LANES}"` is text.
        node.value = if node.plain && filled.whole {
            resolve(&value).unwrap_or_else(|_| {
                self.diagnostics.push(out_of_range(&node.place));
                Value::Invalid
            })
        } else {
            Value::Text(value)
        };
    }

    fn fill(&mut self, text: &str) -> Result<Filled, Diagnostic> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        let (mut looked_up, mut whole) = (false, false);
        while let Some(at) = rest.find('$') {
            let (before, from) = rest.split_at(at);
            out.push_str(before);
            if let Some(after) = from.strip_prefix("$$") {
                out.push('$');
                rest = after;
            } else if let Some(inner) = from.strip_prefix("${") {
                let (expression, after) = inner.split_once('}').ok_or_else(|| {
                    Diagnostic::error(BAD_INTERPOLATION, "expected `}` after `${`, found none")
                        .help("write `${NAME}`, or `$$` for a dollar sign")
                })?;
                let value = self.look_up(expression)?;
                self.bytes = self.bytes.saturating_add(value.len());
                if self.bytes > TEXT_BYTES_MAX {
                    let limit = TEXT_BYTES_MAX >> 20;
                    return Err(Diagnostic::error(TOO_MUCH, format!("variables and files fill in more than {limit} MiB of text")));
                }
                whole = before.is_empty() && out.is_empty() && !looked_up && after.is_empty();
                looked_up = true;
                out.push_str(&value);
                rest = after;
            } else {
                out.push('$');
                rest = from.get(1..).unwrap_or_default();
            }
        }
        out.push_str(rest);
        Ok(Filled { text: out, looked_up, whole })
    }

    fn look_up(&self, expression: &str) -> Result<String, Diagnostic> {
        if let Some(path) = expression.strip_prefix("file:") {
            return self.file(path);
        }
        let (name, default) = match expression.split_once(":-") {
            Some((name, default)) => (name, Some(default)),
            None => (expression, None),
        };
        if !is_variable(name) || default.is_some_and(|default| default.contains("${")) {
            return Err(Diagnostic::error(
                BAD_INTERPOLATION,
                format!("expected a variable's name or `file:` and a path, found `${{{expression}}}`"),
            )
            .help("write `${NAME}`, `${NAME:-default}` (not nested), `${file:/path}`, or `$$` for a dollar sign"));
        }
        match (self.environment.var(name), default) {
            // As in a shell: `:-` also stands in for an empty variable.
            (Some(value), None) => Ok(value),
            (Some(value), Some(_)) if !value.is_empty() => Ok(value),
            (_, Some(default)) => Ok(default.to_owned()),
            (None, None) => Err(Diagnostic::error(NOT_SET, format!("the environment variable `{name}` is not set"))
                .help(format!("set it, or give a default: `${{{name}:-default}}`"))),
        }
    }

    fn file(&self, path: &str) -> Result<String, Diagnostic> {
        let unreadable = |why: String| {
            Err(Diagnostic::error(UNREADABLE_SECRET, format!("the file `{path}` cannot be filled in: {why}"))
                .help("name a small text file that this process may read"))
        };
        if path.is_empty() {
            return unreadable("no path is given".to_owned());
        }
        let mut text = match self.environment.file(&self.folder.join(path)) {
            Ok(text) => text,
            Err(error) => return unreadable(error.to_string()),
        };
        if u64::try_from(text.len()).unwrap_or(u64::MAX) > SECRET_BYTES_MAX {
            return unreadable(format!("it is larger than {} KiB", SECRET_BYTES_MAX >> 10));
        }
        if text.ends_with('\n') {
            text.pop();
            if text.ends_with('\r') {
                text.pop();
            }
        }
        Ok(text)
    }
}

/// A filled-in text.
struct Filled {
    text: String,
    /// Whether something in it was looked up: it is secret then.
    looked_up: bool,
    /// Whether it is one `${…}` and nothing else.
    whole: bool,
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_') && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn out_of_range(place: &Place) -> Diagnostic {
    Diagnostic::error(NUMBER_OUT_OF_RANGE, "the number filled in here does not fit 64 bits")
        .at(place)
        .help("put the value in quotes to make it text")
}
