//! A record's members as they stand in its text, for sinks that look at some of them and send the others on unchanged.

use crate::timestamp::Timestamp;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use tamis_config::{PathPiece, Template};
use tamis_record::{Path, Segment};

/// The members of an object, in their order.
#[derive(Debug)]
pub(crate) struct Document<'a> {
    pub(crate) members: Vec<(Cow<'a, str>, &'a RawValue)>,
}

#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Document<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Key(key), value)) = map.next_entry()? {
                    members.push((key, value));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Members).map(|members| Self { members })
    }
}

impl<'a> Document<'a> {
    /// Reads an object. `None`: it is none.
    pub(crate) fn parse(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok()
    }

    /// The value at a path below the top.
    pub(crate) fn find(&self, path: &Path) -> Option<&'a RawValue> {
        let (Segment::Key(first), rest) = path.segments().split_first()? else { return None };
        let member =
            |members: &[(Cow<'a, str>, &'a RawValue)], key: &str| members.iter().rfind(|(name, _)| name == key).map(|(_, value)| *value);
        rest.iter().try_fold(member(&self.members, first)?, |value, segment| match segment {
            Segment::Key(key) => member(&Self::parse(value.get().as_bytes())?.members, key),
            Segment::Index(index) => serde_json::from_str::<Vec<&'a RawValue>>(value.get()).ok()?.get(*index as usize).copied(),
        })
    }

    /// What a field says: a text, a number or a truth value. `None`: it is missing, empty, or holds other fields.
    pub(crate) fn text(&self, path: &Path) -> Option<Cow<'a, str>> {
        text(self.find(path)?).filter(|text| !text.is_empty())
    }

    /// The time that a field tells; without it, `now`.
    pub(crate) fn time(&self, path: &Path, now: Timestamp) -> Timestamp {
        self.text(path).and_then(|text| Timestamp::parse(&text)).unwrap_or(now)
    }

    /// A text filled in from the record. `None`: one of its fields says nothing.
    pub(crate) fn fill(&self, template: &Template, time: Timestamp) -> Option<String> {
        let mut out = String::new();
        for piece in &template.pieces {
            match piece {
                PathPiece::Text(text) => out.push_str(text),
                PathPiece::Time(part) => time.push(*part, &mut out),
                PathPiece::Field(path) => out.push_str(&self.text(path)?),
            }
        }
        Some(out)
    }
}

/// What a value says, if it is no list, object or null.
fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    match value.get().as_bytes().first()? {
        b'"' => serde_json::from_str::<Key<'_>>(value.get()).ok().map(|Key(text)| text),
        b'{' | b'[' | b'n' => None,
        _ => Some(Cow::Borrowed(value.get())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn fields_and_what_they_say() {
        let line = br#"{"a":{"b":[1,{"c":"x\"y"}]},"n":1.50,"t":true,"z":null,"e":"","s":"S"}"#;
        let document = Document::parse(line).unwrap();
        for (path, expected) in [
            ("a.b[1].c", Some("x\"y")),
            ("a.b[0]", Some("1")),
            ("n", Some("1.50")),
            ("t", Some("true")),
            ("a.b", None),
            ("a.b[2]", None),
            ("n.x", None),
            ("z", None),
            ("e", None),
            ("[0]", None),
            (".", None),
        ] {
            assert_eq!(document.text(&path.parse().unwrap()).as_deref(), expected, "{path}");
        }
        let fill = |text: &str| document.fill(&Template::parse(text).unwrap(), Timestamp(1_709_251_505_000_000_000));
        assert_eq!(fill("logs/%{s}%{n}-%Y.%m.%d%%").unwrap(), "logs/S1.50-2024.03.01%");
        assert_eq!((fill("%{missing}"), fill("x%{e}")), (None, None));
        assert!(
            Document::parse(b"[1]").is_none() && Document::parse(b"{\"a\":1").is_none() && Document::parse(b"{\"a\":\"\xff\"}").is_none()
        );
    }
}
