//! The members of lists, maps and tagged maps.

use serde::Deserializer;
use serde::de::value::StrDeserializer;
use serde::de::{DeserializeSeed, EnumAccess, MapAccess, SeqAccess, VariantAccess, Visitor};

use super::Notes;
use super::deserializer::Reader;
use super::problem::{Problem, What};
use crate::document::{Key, Node, Value};

type Result<T> = std::result::Result<T, Problem>;

/// The elements of a list, without those set aside.
pub(super) struct Elements<'a> {
    nodes: std::slice::Iter<'a, Node>,
    notes: &'a Notes,
}

impl<'a> Elements<'a> {
    pub(super) fn new(nodes: &'a [Node], notes: &'a Notes) -> Self {
        Self { nodes: nodes.iter(), notes }
    }
}

impl<'a> SeqAccess<'a> for Elements<'a> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'a>>(&mut self, seed: T) -> Result<Option<T::Value>> {
        let notes = self.notes;
        let Some(node) = self.nodes.find(|node| !notes.is_aside(node)) else {
            return Ok(None);
        };
        seed.deserialize(Reader::new(node, None, notes)).map(Some).map_err(|problem| problem.at(node, None))
    }
}

/// The members of a map, without those set aside.
pub(super) struct Members<'a> {
    reader: Reader<'a>,
    entries: std::slice::Iter<'a, (Key, Node)>,
    value: Option<(&'a Key, &'a Node)>,
}

impl<'a> Members<'a> {
    pub(super) fn new(reader: Reader<'a>) -> Self {
        Self { reader, entries: reader.node.entries().iter(), value: None }
    }
}

impl<'a> MapAccess<'a> for Members<'a> {
    type Error = Problem;

    fn next_key_seed<K: DeserializeSeed<'a>>(&mut self, seed: K) -> Result<Option<K::Value>> {
        let Reader { notes, untyped, .. } = self.reader;
        let is_left_out = |key: &Key, node: &Node| notes.is_aside(node) || (untyped && &*key.text == "type");
        let Some((key, node)) = self.entries.find(|(key, node)| !is_left_out(key, node)) else {
            return Ok(None);
        };
        self.value = Some((key, node));
        // The key as a value of its own: a map's reader may ask for its place.
        let text =
            Node { value: Value::Text(key.text.clone()), place: key.place.clone(), raw: key.text.clone(), plain: false, written: None };
        let result = seed.deserialize(KeyReader { node: &text });
        // The key's own problems set its value aside.
        result.map(Some).map_err(|problem| match problem.placed {
            None => problem.at(node, Some(&key.text)),
            Some((_, diagnostic)) => Problem { placed: Some((super::problem::id(node), diagnostic)), ..problem },
        })
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value> {
        let Some((key, node)) = self.value.take() else {
            return Err(serde::de::Error::custom("a value was asked for before its key"));
        };
        let reader = Reader::new(node, Some(&key.text), self.reader.notes);
        seed.deserialize(reader).map_err(|problem| problem.at(node, Some(&key.text)))
    }
}

/// Reads a key: a text that lives no longer than the reading.
struct KeyReader<'k> {
    node: &'k Node,
}

impl<'de> Deserializer<'de> for KeyReader<'_> {
    type Error = Problem;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        visitor.visit_str(&self.node.raw).map_err(|problem: Problem| problem.at(self.node, None))
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, name: &'static str, visitor: V) -> Result<V::Value> {
        match name {
            super::located::LOCATED => visitor.visit_seq(super::located::KeyParts::new(self.node)),
            _ => visitor.visit_newtype_struct(self),
        }
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct seq tuple
        tuple_struct map struct enum identifier ignored_any
    }
}

/// A word, or a map whose `type` says which variant the rest of it is.
pub(super) struct Tagged<'a> {
    reader: Reader<'a>,
    tag: &'a Node,
}

impl<'a> Tagged<'a> {
    pub(super) fn new(reader: Reader<'a>, tag: &'a Node) -> Self {
        Self { reader, tag }
    }

    fn rest(self) -> Reader<'a> {
        Reader { untyped: true, ..self.reader }
    }
}

impl<'a> EnumAccess<'a> for Tagged<'a> {
    type Error = Problem;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(self, seed: V) -> Result<(V::Value, Self)> {
        let word = match &self.tag.value {
            Value::Text(text) => text,
            _ => &self.tag.raw,
        };
        let key = if std::ptr::eq(self.tag, self.reader.node) { self.reader.key } else { Some("type") };
        if self.tag.value == Value::Invalid {
            return Err(Problem::new(What::Reported).at(self.tag, key));
        }
        let variant = seed.deserialize(StrDeserializer::new(word)).map_err(|problem: Problem| problem.at(self.tag, key))?;
        Ok((variant, self))
    }
}

impl<'a> VariantAccess<'a> for Tagged<'a> {
    type Error = Problem;

    fn unit_variant(self) -> Result<()> {
        if let Value::Map(_) = self.reader.node.value {
            self.rest().deserialize_struct("", &[], serde::de::IgnoredAny)?;
        }
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.rest())
    }

    fn tuple_variant<V: Visitor<'a>>(self, _len: usize, visitor: V) -> Result<V::Value> {
        self.rest().deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'a>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value> {
        self.rest().deserialize_struct("", fields, visitor)
    }
}
