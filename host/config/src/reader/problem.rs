//! What is wrong with one value, on its way through serde to the place it belongs to.

use std::fmt;

use serde::de::{Error, Expected, Unexpected};

use crate::diagnostic::codes::{BAD_VALUE, MISSING_KEY, UNKNOWN_VARIANT, WRONG_TYPE};
use crate::diagnostic::{Diagnostic, nearest};
use crate::document::{Node, Value};

/// Identifies a value of the tree while it is read.
pub(super) type NodeId = usize;

/// What is wrong. serde's `Unexpected` is dropped everywhere: it may hold an interpolated value. What was found is read from
/// the tree instead, when the problem is placed.
#[derive(Debug)]
pub(super) enum What {
    /// `expected …, found …`.
    Expected { code: &'static str, expected: String, help: Option<String> },
    /// Already a sentence.
    Said { code: &'static str, message: String, help: Option<String> },
    /// A required key of a map is missing.
    Missing(&'static str),
    /// With a value that was reported already.
    Reported,
    /// A word that is none of the known ones.
    Variant(&'static [&'static str]),
    /// With an option of a map: `of` names it, from key to key, and `beside` another one that it does not go with, or nothing.
    Option { of: String, beside: String, message: String, help: String },
}

/// An error of the reader: without a place until the value that it is about is known.
#[derive(Debug)]
pub(crate) struct Problem {
    pub(super) what: What,
    pub(super) placed: Option<(NodeId, Box<Diagnostic>)>,
}

/// An error made by the model's own readers, which know serde's interface only: it travels as text and is taken apart in
/// [`Problem::custom`].
pub(super) struct Carried<'a> {
    /// One of the codes.
    pub(super) code: &'static str,
    /// `expected …` unless `said`.
    pub(super) text: &'a str,
    /// Whether the text is a sentence of its own.
    pub(super) said: bool,
    /// What to do, or nothing.
    pub(super) help: &'a str,
}

/// An error with an option of the map that is read, see [`What::Option`]; it travels as [`Carried`] does.
pub(super) struct CarriedOption<'a> {
    pub(super) of: &'a [&'a str],
    pub(super) beside: &'a [&'a str],
    pub(super) text: &'a str,
    pub(super) help: &'a str,
}

/// Separates keys; none that the model knows, and no header's name, holds it.
const KEYS_SEPARATOR: &str = "/";

/// Separates the parts of a carried error; no message holds it.
const SEPARATOR: char = '\u{1f}';

impl fmt::Display for Carried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.said { "said" } else { "expected" };
        write!(f, "{SEPARATOR}{}{SEPARATOR}{kind}{SEPARATOR}{}{SEPARATOR}{}", self.code, self.text, self.help)
    }
}

impl fmt::Display for CarriedOption<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (of, beside) = (self.of.join(KEYS_SEPARATOR), self.beside.join(KEYS_SEPARATOR));
        write!(f, "{SEPARATOR}{BAD_VALUE}{SEPARATOR}option{SEPARATOR}{}{SEPARATOR}{}", self.text, self.help)?;
        write!(f, "{SEPARATOR}{of}{SEPARATOR}{beside}")
    }
}

impl Problem {
    pub(super) fn new(what: What) -> Self {
        Self { what, placed: None }
    }

    /// `expected …, found` what is found.
    pub(super) fn expected(code: &'static str, expected: &str) -> Self {
        Self::new(What::Expected { code, expected: expected.to_owned(), help: None })
    }

    /// Ties the problem to a value, unless it is tied to one further in.
    pub(super) fn at(mut self, node: &Node, key: Option<&str>) -> Self {
        if self.placed.is_none() {
            self.placed = Some((id(node), Box::new(self.diagnose(node, key))));
        }
        self
    }

    fn diagnose(&self, node: &Node, key: Option<&str>) -> Diagnostic {
        let subject = key.map(|key| format!("`{key}`: ")).unwrap_or_default();
        let diagnostic = match &self.what {
            What::Expected { code, expected, help } => {
                let message = format!("{subject}expected {expected}, found {}", node.shown());
                Diagnostic::error(code, message).help_maybe(help.clone().or_else(|| quote_it(expected, node)))
            }
            What::Said { code, message, help } => Diagnostic::error(code, format!("{subject}{message}")).help_maybe(help.clone()),
            What::Missing(missing) => {
                Diagnostic::error(MISSING_KEY, format!("{subject}the key `{missing}` is missing")).help(format!("add `{missing}: …`"))
            }
            What::Reported => Diagnostic::error(BAD_VALUE, "a value could not be read"),
            What::Variant(known) => {
                let help = match (&node.value, &node.written) {
                    (Value::Text(found), None) => nearest(found, known.iter().copied()),
                    _ => None,
                };
                let message = format!("{subject}expected {}, found {}", listed(known), node.shown());
                Diagnostic::error(UNKNOWN_VARIANT, message).help_maybe(help.map(|name| format!("did you mean `{name}`?")))
            }
            What::Option { of, beside, message, help } => return option(node, of, beside, message, help),
        };
        diagnostic.at(&node.place)
    }
}

/// What is told of an option, at its own place; at that of the map where it is not written there.
fn option(node: &Node, of: &str, beside: &str, message: &str, help: &str) -> Diagnostic {
    let find = |keys: &str| keys.split(KEYS_SEPARATOR).try_fold(node, |node, key| node.get(key)).map(|node| &node.place);
    let name = |keys: &str| keys.rsplit(KEYS_SEPARATOR).next().unwrap_or_default().to_owned();
    let diagnostic = Diagnostic::error(BAD_VALUE, format!("`{}`: {message}", name(of))).at(find(of).unwrap_or(&node.place)).help(help);
    match find(beside) {
        Some(place) if !beside.is_empty() => diagnostic.related(place, format!("`{}` is here", name(beside))),
        _ => diagnostic,
    }
}

/// The usual cure when YAML takes a word or a number for something else than text.
fn quote_it(expected: &str, node: &Node) -> Option<String> {
    let scalar = matches!(node.value, Value::Bool(_) | Value::Integer(_) | Value::Float(_));
    if scalar && expected.ends_with("text") {
        return Some("put it in quotes to make it text".to_owned());
    }
    let lone = matches!(node.value, Value::Text(_)) && expected == "a list";
    lone.then(|| "put it in brackets to make it a list of one: `[…]`".to_owned())
}

/// `` `a`, `b` or `c` ``.
pub(super) fn listed(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => "nothing".to_owned(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} or {last}", rest.join(", ")),
    }
}

/// Says it as a user would: serde's names of Rust's types mean nothing to him.
fn in_words(expected: &str) -> String {
    match expected {
        "u64" | "u32" | "u16" | "u8" | "usize" => "a whole number, 0 or more".to_owned(),
        "i64" | "i32" => "a whole number".to_owned(),
        "f64" => "a number".to_owned(),
        "a boolean" => "`true` or `false`".to_owned(),
        "a string" | "string" => "text".to_owned(),
        "a sequence" => "a list".to_owned(),
        _ if expected.starts_with("struct ") => "a map".to_owned(),
        _ if expected.starts_with("enum ") => "a word".to_owned(),
        _ => expected.to_owned(),
    }
}

/// Tells values apart while the tree is not changed.
pub(super) fn id(node: &Node) -> NodeId {
    std::ptr::from_ref(node).addr()
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.placed {
            Some((_, diagnostic)) => f.write_str(&diagnostic.message),
            None => f.write_str("a value could not be read"),
        }
    }
}

impl std::error::Error for Problem {}

impl Error for Problem {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let text = message.to_string();
        let mut parts = text.split(SEPARATOR).skip(1);
        let (Some(code), Some(kind), Some(body), Some(help)) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
            return Self::new(What::Said { code: BAD_VALUE, message: text, help: None });
        };
        if let ("option", Some(of), Some(beside)) = (kind, parts.next(), parts.next()) {
            let (of, beside, message, help) = (of.to_owned(), beside.to_owned(), body.to_owned(), help.to_owned());
            return Self::new(What::Option { of, beside, message, help });
        }
        let known = crate::diagnostic::codes::CODES.iter().find(|(known, _)| *known == code);
        let code = known.map_or(BAD_VALUE, |(known, _)| known);
        let help = (!help.is_empty()).then(|| help.to_owned());
        Self::new(match kind {
            "said" => What::Said { code, message: body.to_owned(), help },
            _ => What::Expected { code, expected: body.to_owned(), help },
        })
    }

    fn invalid_type(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::Expected { code: WRONG_TYPE, expected: in_words(&expected.to_string()), help: None })
    }

    fn invalid_value(_: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(What::Expected { code: BAD_VALUE, expected: in_words(&expected.to_string()), help: None })
    }

    fn invalid_length(_: usize, expected: &dyn Expected) -> Self {
        Self::new(What::Expected { code: BAD_VALUE, expected: in_words(&expected.to_string()), help: None })
    }

    fn unknown_variant(_: &str, known: &'static [&'static str]) -> Self {
        Self::new(What::Variant(known))
    }

    fn missing_field(field: &'static str) -> Self {
        Self::new(What::Missing(field))
    }
}
