//! What a plugin was given, fit to be handed on: its configuration without the values that `${…}` filled in, its grant, its limits.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::diagnostic::Diagnostics;
use crate::document::{Document, Node, Value, resolve};
use crate::filled::member;
use crate::interpolate::{Environment, interpolate};
use crate::load::FileText;
use crate::model::Plugin;
use crate::reader;

/// Bytes of the hash that a fingerprint keeps.
const FINGERPRINT_BYTES: usize = 16;

/// See the module.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Setup {
    /// The configuration; `null` stands where `${…}` filled something in.
    pub config: serde_json::Value,
    /// What was filled in, in the order of the file.
    pub filled: Vec<FilledIn>,
    /// What the plugin may do.
    pub grant: SetupGrant,
    /// What it may use.
    pub limits: SetupLimits,
}

/// A value of a configuration that comes from the environment or a file. The value itself is never kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilledIn {
    /// Where in the configuration: a JSON pointer.
    pub at: String,
    /// What the file says, without defaults: `${NAME}`, `Bearer ${file:token}`.
    pub written: String,
    /// Whether it stands there without quotes, so that `5` becomes a number.
    pub plain: bool,
}

/// What a plugin may do, with fields as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupGrant {
    /// Fields it may see.
    pub read: Vec<String>,
    /// Fields it may set, change or remove.
    pub write: Vec<String>,
    /// Whether it may drop records.
    pub drop: bool,
    /// Outputs it may send records to; none: any.
    pub outputs: Option<Vec<String>>,
}

/// What an instance may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetupLimits {
    /// Linear memory, in bytes.
    pub memory_bytes: u64,
    /// Time for a batch, in milliseconds.
    pub deadline_ms: u64,
    /// Time for starting, in milliseconds.
    pub init_deadline_ms: u64,
    /// Elements of tables.
    pub table_elements: u32,
    /// What the host allocates for values that a call hands over, in bytes.
    pub host_call_bytes: u64,
    /// Size of the component's file, in bytes.
    pub component_bytes: u64,
}

/// Why a value cannot be filled in again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FillError {
    /// What it needs is not given.
    #[error("`{0}` is not given")]
    Missing(String),
    /// There is no such place in the configuration, or what is written is no text with `${…}`.
    #[error("`{0}` is no place in the configuration that `${{…}}` can fill")]
    NoPlace(String),
}

impl Setup {
    /// That of a plugin of these files; `None` when they do not have it, or what they say of it cannot be read. Variables and files
    /// need not be there: but for limits, nothing of them is kept.
    pub fn of(files: &[FileText], name: &str, environment: &dyn Environment) -> Option<Self> {
        let mut told = Diagnostics::new();
        let parse = |file: &FileText| Document::parse(&file.name, &file.text, &file.folder, &mut Diagnostics::new());
        let mut documents: Vec<Document> = files.iter().filter_map(parse).collect();
        for document in &mut documents {
            interpolate(document, &Lenient(environment), &mut told);
        }
        let node = documents.iter().find_map(|document| member(member(&document.root, "plugins")?, name))?;
        let plugin: Plugin = reader::read(node, Some(name), &mut told)?;
        Some(Self::new(&documents, name, &plugin))
    }

    pub(crate) fn new(documents: &[Document], name: &str, plugin: &Plugin) -> Self {
        let mut filled = Vec::new();
        let node = documents.iter().find_map(|document| member(member(member(&document.root, "plugins")?, name)?, "config"));
        if let Some(node) = node {
            collect(node, &mut String::new(), &mut filled);
        }
        let mut config = plugin.config.clone();
        for filled in &filled {
            if let Some(value) = config.pointer_mut(&filled.at) {
                *value = serde_json::Value::Null;
            }
        }
        let paths = |paths: &[crate::Located<tamis_record::Path>]| paths.iter().map(|path| path.value.to_string()).collect();
        let outputs = |outputs: &Vec<crate::Located<String>>| outputs.iter().map(|output| output.value.clone()).collect();
        let ms = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let (grant, limits) = (&plugin.grant, &plugin.limits);
        Self {
            config,
            filled,
            grant: SetupGrant {
                read: paths(&grant.read),
                write: paths(&grant.write),
                drop: grant.drop,
                outputs: grant.outputs.as_ref().map(outputs),
            },
            limits: SetupLimits {
                memory_bytes: limits.memory.0,
                deadline_ms: ms(limits.deadline),
                init_deadline_ms: ms(limits.init_deadline),
                table_elements: limits.table_elements,
                host_call_bytes: limits.host_call_bytes.0,
                component_bytes: limits.component.0,
            },
        }
    }

    /// Which setup this is, in 32 hexadecimal digits. It says nothing of what was filled in.
    pub fn fingerprint(&self) -> String {
        let hash = Sha256::digest(serde_json::to_vec(self).unwrap_or_default());
        hash.iter().take(FINGERPRINT_BYTES).fold(String::new(), |mut text, byte| {
            use std::fmt::Write as _;
            // Writing to a text does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl FilledIn {
    /// The names of variables that it needs, and files as `file:…`.
    pub fn needs(&self) -> Vec<&str> {
        pieces(&self.written).into_iter().filter_map(|piece| if let Piece::From(name) = piece { Some(name) } else { None }).collect()
    }

    /// Puts the value into a configuration; `given` holds values by what [`FilledIn::needs`] tells.
    ///
    /// # Errors
    /// See [`FillError`].
    pub fn fill(&self, config: &mut serde_json::Value, given: &BTreeMap<String, String>) -> Result<(), FillError> {
        let pieces = pieces(&self.written);
        let place = config.pointer_mut(&self.at).ok_or_else(|| FillError::NoPlace(self.at.clone()))?;
        let mut text = String::new();
        for piece in &pieces {
            match piece {
                Piece::Text(piece) => text.push_str(piece),
                Piece::From(name) => text.push_str(given.get(*name).ok_or_else(|| FillError::Missing((*name).to_owned()))?),
            }
        }
        let whole = matches!(pieces.as_slice(), [Piece::From(_)]);
        let text: Arc<str> = text.into();
        *place = match resolve(&text) {
            Ok(Value::Null) if self.plain && whole => serde_json::Value::Null,
            Ok(Value::Bool(value)) if self.plain && whole => value.into(),
            Ok(Value::Float(value)) if self.plain && whole => value.into(),
            Ok(Value::Integer(value)) if self.plain && whole => match (i64::try_from(value), u64::try_from(value)) {
                (Ok(value), _) => value.into(),
                (_, Ok(value)) => value.into(),
                _ => serde_json::Value::String(text.to_string()),
            },
            _ => serde_json::Value::String(text.to_string()),
        };
        Ok(())
    }
}

enum Piece<'a> {
    Text(&'a str),
    /// The name in `${…}`.
    From(&'a str),
}

/// The parts of a text with `${…}` in it.
fn pieces(written: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = written;
    while let Some(at) = rest.find('$') {
        let (before, from) = rest.split_at(at);
        if !before.is_empty() {
            pieces.push(Piece::Text(before));
        }
        let filled = from.strip_prefix("${").and_then(|inner| inner.split_once('}'));
        rest = if let Some((expression, after)) = filled {
            let name = if expression.starts_with("file:") { expression } else { expression.split(":-").next().unwrap_or(expression) };
            pieces.push(Piece::From(name));
            after
        } else {
            pieces.push(Piece::Text("$"));
            from.strip_prefix("$$").or_else(|| from.get(1..)).unwrap_or_default()
        };
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest));
    }
    pieces
}

/// The text as it was written, without defaults: they may be as secret as what they stand in for.
fn without_defaults(written: &str) -> String {
    let piece = |piece: Piece<'_>| match piece {
        Piece::Text("$") => "$$".to_owned(),
        Piece::Text(text) => text.to_owned(),
        Piece::From(name) => format!("${{{name}}}"),
    };
    pieces(written).into_iter().map(piece).collect()
}

// Depth is limited by the document's.
fn collect(node: &Node, at: &mut String, filled: &mut Vec<FilledIn>) {
    if let Some(written) = &node.written {
        filled.push(FilledIn { at: at.clone(), written: without_defaults(written), plain: node.plain });
    }
    let mut below = |name: &str, node: &Node, filled: &mut Vec<FilledIn>| {
        let length = at.len();
        at.push('/');
        at.push_str(&name.replace('~', "~0").replace('/', "~1"));
        collect(node, at, filled);
        at.truncate(length);
    };
    match &node.value {
        Value::List(nodes) => nodes.iter().enumerate().for_each(|(place, node)| below(&place.to_string(), node, filled)),
        Value::Map(entries) => entries.iter().for_each(|(key, node)| below(&key.text, node, filled)),
        _ => {}
    }
}

/// Where what is missing is empty.
struct Lenient<'a>(&'a dyn Environment);

impl Environment for Lenient<'_> {
    fn var(&self, name: &str) -> Option<String> {
        Some(self.0.var(name).unwrap_or_default())
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        Ok(self.0.file(path).unwrap_or_default())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    struct Table;

    impl Environment for Table {
        fn var(&self, name: &str) -> Option<String> {
            (name == "KEY").then(|| "s3cret-value".to_owned())
        }

        fn file(&self, _: &Path) -> io::Result<String> {
            Err(io::ErrorKind::NotFound.into())
        }
    }

    const TEXT: &str = "
version: 1
plugins:
  p:
    component: p.wasm
    grant: { read: [a, b.c], write: [t] }
    limits: { memory: 8MiB, deadline: 50ms }
    config:
      key: ${KEY}
      n: ${COUNT:-topsecret}
      list: [ plain, 'Bearer ${file:tok/en} $$5' ]
      'a/b~': { deep: '${KEY}' }
";

    fn setup(text: &str) -> Setup {
        let file = FileText { name: "f.yaml".into(), folder: "".into(), text: text.into() };
        Setup::of(&[file], "p", &Table).unwrap()
    }

    #[test]
    fn nothing_that_was_filled_in_is_kept() {
        let setup = setup(TEXT);
        assert_eq!(setup.config, json!({ "key": null, "n": null, "list": ["plain", null], "a/b~": { "deep": null } }));
        let told = serde_json::to_string(&setup).unwrap();
        assert!(!told.contains("s3cret") && !told.contains("topsecret"), "{told}");
        let written: Vec<_> = setup.filled.iter().map(|f| (f.at.as_str(), f.written.as_str())).collect();
        assert_eq!(written, [("/key", "${KEY}"), ("/n", "${COUNT}"), ("/list/1", "Bearer ${file:tok/en} $$5"), ("/a~1b~0/deep", "${KEY}")]);
        assert_eq!((setup.limits.memory_bytes, setup.limits.deadline_ms, setup.grant.read.len()), (8 << 20, 50, 2));
        assert_eq!(setup.filled[2].needs(), ["file:tok/en"]);
    }

    #[test]
    fn it_is_filled_in_again_as_the_file_would_be() {
        let Setup { mut config, filled, .. } = setup(TEXT);
        let given = [("KEY", "k"), ("COUNT", "7"), ("file:tok/en", "t")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let mut given = BTreeMap::from(given);
        for filled in &filled {
            filled.fill(&mut config, &given).unwrap();
        }
        assert_eq!(config, json!({ "key": "k", "n": 7, "list": ["plain", "Bearer t $5"], "a/b~": { "deep": "k" } }));
        given.remove("KEY");
        assert_eq!(filled[0].fill(&mut config, &given), Err(FillError::Missing("KEY".into())));
        let nowhere = FilledIn { at: "/no/where".into(), written: "${KEY}".into(), plain: true };
        assert!(matches!(nowhere.fill(&mut config, &given), Err(FillError::NoPlace(_))));
    }

    #[test]
    fn a_fingerprint_is_of_what_is_written() {
        let first = setup(TEXT).fingerprint();
        assert_eq!((first.len(), &first), (32, &setup(TEXT).fingerprint()));
        assert_ne!(first, setup(&TEXT.replace("50ms", "60ms")).fingerprint());
        assert_ne!(first, setup(&TEXT.replace("${KEY}", "${OTHER}")).fingerprint());
        assert_eq!(first, setup(&TEXT.replace("topsecret", "another")).fingerprint(), "defaults are filled in too");
    }
}
