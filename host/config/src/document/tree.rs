//! The tree itself.

use std::fmt;
use std::sync::Arc;

use crate::Place;

/// A value and where it stands.
#[derive(Clone)]
pub struct Node {
    /// The value.
    pub value: Value,
    /// Where: for a list or map in block style the key above it, else the value itself.
    pub place: Place,
    /// The text of a scalar before it was taken for a number or the like; empty for lists and maps.
    pub raw: Arc<str>,
    /// Whether the scalar stands without quotes, so that `5` is a number.
    pub plain: bool,
    /// What the file says where the value was read from the environment: such a value is secret and never shown.
    pub written: Option<Arc<str>>,
}

/// A value of YAML's core schema.
#[derive(Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number from `i64::MIN` to `u64::MAX`.
    Integer(i128),
    /// Any other number.
    Float(f64),
    /// Text.
    Text(Arc<str>),
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file, without duplicate keys.
    Map(Vec<(Key, Node)>),
    /// A value that could not be made out, which was reported: nothing more is said about it.
    Invalid,
}

/// A map's key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its text, as written (numbers too).
    pub text: Arc<str>,
    /// Where it stands.
    pub place: Place,
}

impl Node {
    /// The member of a map.
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(known, _)| &*known.text == key).map(|(_, node)| node)
    }

    /// The members of a map; none when it is not a map.
    pub fn entries(&self) -> &[(Key, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// The value in words, for messages: `text \`abc\``, `a list`. Never shows a value read from the environment.
    pub fn shown(&self) -> String {
        const SHOWN_CHARS: usize = 40;
        let quote = |text: &str| match text.char_indices().nth(SHOWN_CHARS) {
            Some((end, _)) => format!("`{}…`", text.get(..end).unwrap_or_default()),
            None => format!("`{text}`"),
        };
        if let Some(written) = &self.written {
            let kind = match &self.value {
                Value::Null => "nothing",
                Value::Bool(_) => "true or false",
                Value::Integer(_) | Value::Float(_) => "a number",
                Value::Text(_) => "text",
                Value::List(_) => "a list",
                Value::Map(_) => "a map",
                Value::Invalid => "a value",
            };
            return format!("{kind} (the value of {}, not shown)", quote(written));
        }
        match &self.value {
            Value::Null => "nothing".to_owned(),
            Value::Bool(_) => quote(&self.raw),
            Value::Integer(_) | Value::Float(_) => format!("the number {}", quote(&self.raw)),
            Value::Text(text) => format!("the text {}", quote(text)),
            Value::List(_) => "a list".to_owned(),
            Value::Map(_) => "a map".to_owned(),
            Value::Invalid => "a value that could not be read".to_owned(),
        }
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.written, &self.value) {
            (Some(written), _) => write!(f, "Interpolated({written:?})"),
            (None, Value::List(nodes)) => f.debug_list().entries(nodes).finish(),
            (None, Value::Map(entries)) => f.debug_map().entries(entries.iter().map(|(key, node)| (&key.text, node))).finish(),
            (None, value) => value.fmt(f),
        }
    }
}

impl PartialEq for Node {
    /// Equal values; places do not count.
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Null => f.write_str("Null"),
            Value::Invalid => f.write_str("Invalid"),
            Value::Bool(value) => value.fmt(f),
            Value::Integer(value) => value.fmt(f),
            Value::Float(value) => value.fmt(f),
            Value::Text(value) => value.fmt(f),
            Value::List(nodes) => nodes.fmt(f),
            Value::Map(entries) => entries.fmt(f),
        }
    }
}
