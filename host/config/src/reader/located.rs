//! [`Located`] and [`Text`] through serde: the reader hands them more than a value, under names that only it knows.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::value::{StrDeserializer, U32Deserializer};
use serde::de::{DeserializeSeed, Deserializer, Error, IntoDeserializer, SeqAccess, Visitor};

use super::problem::Problem;
use crate::document::Node;
use crate::{Located, Place, Text};

/// Asks the reader for (file, line, column, length, value).
pub(super) const LOCATED: &str = "tamis_config::Located";
/// Asks the reader for (value, what the file says if it was interpolated).
pub(super) const TEXT: &str = "tamis_config::Text";

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Located<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(LOCATED, LocatedVisitor(PhantomData))
    }
}

struct LocatedVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> Visitor<'de> for LocatedVisitor<T> {
    type Value = Located<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value and its place")
    }

    // Another format's deserialiser knows no places.
    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        T::deserialize(deserializer).map(Located::nowhere)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Self::Value, A::Error> {
        let lacking = || A::Error::custom("a part of the place is missing");
        let file: String = parts.next_element()?.ok_or_else(lacking)?;
        let line = parts.next_element()?.ok_or_else(lacking)?;
        let column = parts.next_element()?.ok_or_else(lacking)?;
        let length = parts.next_element()?.ok_or_else(lacking)?;
        let value = parts.next_element()?.ok_or_else(lacking)?;
        Ok(Located { value, place: Place { file: Arc::from(file), line, column, length } })
    }
}

/// The parts of a key, for [`LOCATED`].
pub(super) struct KeyParts<'k> {
    node: &'k Node,
    part: u8,
}

impl<'k> KeyParts<'k> {
    pub(super) fn new(node: &'k Node) -> Self {
        Self { node, part: 0 }
    }
}

impl<'de> SeqAccess<'de> for KeyParts<'_> {
    type Error = Problem;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Problem> {
        let place = &self.node.place;
        let number = |value: u32| -> U32Deserializer<Problem> { value.into_deserializer() };
        let part = self.part;
        self.part += 1;
        let value = match part {
            0 => seed.deserialize(StrDeserializer::new(&place.file)),
            1 => seed.deserialize(number(place.line)),
            2 => seed.deserialize(number(place.column)),
            3 => seed.deserialize(number(place.length)),
            4 => seed.deserialize(StrDeserializer::new(&self.node.raw)).map_err(|problem: Problem| problem.at(self.node, None)),
            _ => return Ok(None),
        };
        value.map(Some)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_newtype_struct(TEXT, TextVisitor)
    }
}

struct TextVisitor;

impl<'de> Visitor<'de> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text")
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, deserializer: D) -> Result<Text, D::Error> {
        String::deserialize(deserializer).map(Text::from)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut parts: A) -> Result<Text, A::Error> {
        // A list in the file comes here as well: its elements are no parts of a text.
        let value: String = parts.next_element()?.ok_or_else(|| A::Error::invalid_type(serde::de::Unexpected::Seq, &self))?;
        let written: Option<String> = parts.next_element()?;
        Ok(match written {
            Some(written) => Text::interpolated(value, written),
            None => Text::from(value),
        })
    }
}
