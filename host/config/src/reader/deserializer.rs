//! A serde `Deserializer` over the tree.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer, U32Deserializer};
use serde::de::{DeserializeSeed, Deserializer, IntoDeserializer, SeqAccess, Visitor};
use serde::forward_to_deserialize_any;

use super::Notes;
use super::access::{Elements, Members, Tagged};
use super::located::{LOCATED, TEXT};
use super::problem::{Problem, What, listed};
use crate::diagnostic::codes::{UNKNOWN_KEY, WRONG_TYPE};
use crate::diagnostic::{DIAGNOSTICS_MAX, Diagnostic, nearest};
use crate::document::{Node, Value, resolve};

/// Enums that are written as a map with `type`; all others are a single word.
const TAGGED: [&str; 3] = ["Source", "Sink", "Codec"];
/// The tagged enum that may be a single word as well.
const TAG_OR_WORD: &str = "Codec";

/// Reads one value.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    pub(super) node: &'a Node,
    /// The key that the value stands under, for messages.
    pub(super) key: Option<&'a str>,
    pub(super) notes: &'a Notes,
    /// Whether the key `type` has been read already.
    pub(super) untyped: bool,
}

type Result<T> = std::result::Result<T, Problem>;

impl<'a> Reader<'a> {
    pub(super) fn new(node: &'a Node, key: Option<&'a str>, notes: &'a Notes) -> Self {
        Self { node, key, notes, untyped: false }
    }

    fn placed<T>(self, result: Result<T>) -> Result<T> {
        result.map_err(|problem| problem.at(self.node, self.key))
    }

    fn members(self) -> Members<'a> {
        Members::new(self)
    }

    /// Reports the keys that `known` does not hold.
    fn check_keys(self, known: &'static [&'static str]) {
        for (key, _) in self.node.entries() {
            if self.notes.found.borrow().len() >= DIAGNOSTICS_MAX {
                return;
            }
            let read = known.contains(&&*key.text) || (self.untyped && &*key.text == "type");
            if read {
                continue;
            }
            let help = match nearest(&key.text, known.iter().copied()) {
                Some(name) => format!("did you mean `{name}`?"),
                None if known.is_empty() => "remove it: nothing may stand here".to_owned(),
                None => format!("the keys that may stand here: {}", known.join(", ")),
            };
            let finding = Diagnostic::error(UNKNOWN_KEY, format!("unknown key `{}`", key.text)).at(&key.place).help(help);
            let mut found = self.notes.found.borrow_mut();
            if !found.contains(&finding) {
                found.push(finding);
            }
        }
    }

    /// A text, also where it was read from the environment and looks like a number.
    fn text(self) -> Option<&'a str> {
        match &self.node.value {
            Value::Text(text) => Some(text),
            Value::List(_) | Value::Map(_) | Value::Invalid => None,
            _ if self.node.written.is_some() => Some(&self.node.raw),
            _ => None,
        }
    }

    /// A number or truth value, also where it was read from the environment into quotes: within `{ }` and `[ ]` YAML allows
    /// `${…}` in quotes only.
    fn resolved<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
        match (&self.node.value, &self.node.written) {
            (Value::Text(text), Some(_)) => match resolve(text) {
                Ok(value @ (Value::Bool(_) | Value::Integer(_) | Value::Float(_))) => scalar(&value, visitor),
                _ => self.any(visitor),
            },
            _ => self.any(visitor),
        }
    }

    fn any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value> {
        match &self.node.value {
            Value::List(nodes) => visitor.visit_seq(Elements::new(nodes, self.notes)),
            Value::Map(_) => visitor.visit_map(self.members()),
            Value::Invalid => Err(Problem::new(What::Reported)),
            value => scalar(value, visitor),
        }
    }
}

fn scalar<'de, V: Visitor<'de>>(value: &Value, visitor: V) -> Result<V::Value> {
    match value {
        Value::Bool(value) => visitor.visit_bool(*value),
        Value::Integer(value) => match (u64::try_from(*value), i64::try_from(*value)) {
            (Ok(value), _) => visitor.visit_u64(value),
            (_, Ok(value)) => visitor.visit_i64(value),
            _ => visitor.visit_i128(*value),
        },
        Value::Float(value) => visitor.visit_f64(*value),
        Value::Text(text) => visitor.visit_str(text),
        Value::Null | Value::List(_) | Value::Map(_) | Value::Invalid => visitor.visit_unit(),
    }
}

/// Methods that read a number or a truth value.
macro_rules! resolve_first {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
            self.placed(self.resolved(visitor))
        })*
    };
}

impl<'de> Deserializer<'de> for Reader<'de> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.placed(self.any(visitor))
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let result = match self.text() {
            Some(text) => visitor.visit_str(text),
            None => self.any(visitor),
        };
        self.placed(result)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        self.deserialize_str(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        let result = match self.node.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        };
        self.placed(result)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        let result = match name {
            LOCATED => visitor.visit_seq(Placed { reader: self, part: 0 }),
            TEXT => match self.text() {
                Some(text) => visitor.visit_seq(Written { text: Some(text), written: self.node.written.as_deref() }),
                None if self.node.value == Value::Invalid => Err(Problem::new(What::Reported)),
                None => Err(Problem::expected(WRONG_TYPE, "text")),
            },
            _ => visitor.visit_newtype_struct(self),
        };
        self.placed(result)
    }

    fn deserialize_struct<V: Visitor<'de>>(self, _name: &'static str, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.check_keys(fields);
        let result = match self.node.value {
            // A map whose members are all commented out.
            Value::Map(_) | Value::Null => visitor.visit_map(self.members()),
            // A word that says the type: the rest is empty.
            _ if self.untyped => visitor.visit_map(self.members()),
            _ => self.any(visitor),
        };
        self.placed(result)
    }

    fn deserialize_enum<V: Visitor<'de>>(self, name: &'static str, variants: &'static [&'static str], visitor: V) -> Result<V::Value> {
        let tagged = TAGGED.contains(&name);
        let tag = match &self.node.value {
            Value::Map(_) if tagged => match self.node.get("type") {
                Some(tag) if self.notes.is_aside(tag) => None,
                tag => tag,
            },
            _ if tagged && name != TAG_OR_WORD => None,
            _ => self.text().map(|_| self.node),
        };
        let result = match tag {
            Some(tag) => visitor.visit_enum(Tagged::new(self, tag)),
            None if tagged && matches!(self.node.value, Value::Map(_)) => Err(Problem::new(What::Missing("type"))),
            None if self.node.value == Value::Invalid => Err(Problem::new(What::Reported)),
            None if tagged && name != TAG_OR_WORD => {
                Err(Problem::expected(WRONG_TYPE, &format!("a map with `type`: {}", listed(variants))))
            }
            None => Err(Problem::expected(WRONG_TYPE, &listed(variants))),
        };
        self.placed(result)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_unit()
    }

    resolve_first! {
        deserialize_bool deserialize_u32 deserialize_u64 deserialize_i64 deserialize_f64
    }

    forward_to_deserialize_any! {
        i8 i16 i32 i128 u8 u16 u128 f32 char bytes byte_buf unit unit_struct seq tuple tuple_struct map
        identifier
    }
}

/// Hands over a place and the value that stands there, for [`LOCATED`].
struct Placed<'a> {
    reader: Reader<'a>,
    part: u8,
}

impl<'a> SeqAccess<'a> for Placed<'a> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let place = &self.reader.node.place;
        let number = |value: u32| -> U32Deserializer<Problem> { value.into_deserializer() };
        let part = self.part;
        self.part += 1;
        let value = match part {
            0 => seed.deserialize(StrDeserializer::new(&place.file)),
            1 => seed.deserialize(number(place.line)),
            2 => seed.deserialize(number(place.column)),
            3 => seed.deserialize(number(place.length)),
            4 => self.reader.placed(seed.deserialize(self.reader)),
            _ => return Ok(None),
        };
        value.map(Some)
    }
}

/// Hands over a text and, where it was interpolated, what the file says, for [`TEXT`].
struct Written<'a> {
    text: Option<&'a str>,
    written: Option<&'a str>,
}

impl<'a> SeqAccess<'a> for Written<'a> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        match self.text.take().or_else(|| self.written.take()) {
            Some(part) => seed.deserialize(BorrowedStrDeserializer::new(part)).map(Some),
            None => Ok(None),
        }
    }
}
