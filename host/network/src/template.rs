//! Topics, subjects and keys that are made of a record's fields.

use serde_json::Value;
use tamis_config::{FieldPiece, FieldTemplate};
use tamis_record::{Path, Segment};

/// A text with places for a record's fields.
#[derive(Debug, Clone)]
pub(crate) struct Template(FieldTemplate);

impl Template {
    /// Reads it.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        FieldTemplate::parse(text).map(Self)
    }

    /// The text, where it is the same for all records.
    pub(crate) fn constant(&self) -> Option<&str> {
        self.0.constant()
    }

    /// The text for a record. `None`: a field that it names is missing, null, an object or a list.
    pub(crate) fn render(&self, record: &Value) -> Option<String> {
        let mut out = String::new();
        for piece in &self.0.pieces {
            match piece {
                FieldPiece::Text(text) => out.push_str(text),
                FieldPiece::Field(path) => match value(record, path)? {
                    Value::String(text) => out.push_str(text),
                    Value::Null | Value::Object(_) | Value::Array(_) => return None,
                    other => out.push_str(&other.to_string()),
                },
            }
        }
        Some(out)
    }
}

fn value<'v>(record: &'v Value, path: &Path) -> Option<&'v Value> {
    path.segments().iter().try_fold(record, |value, segment| match segment {
        Segment::Key(name) => value.get(&**name),
        Segment::Index(at) => value.get(*at as usize),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_of_fields() {
        let record = json!({ "a": { "b": "x" }, "n": 7, "l": ["p", null], "o": {} });
        for (template, expected) in [
            ("t", Some("t")),
            ("t-%{a.b}.%{n}%%", Some("t-x.7%")),
            ("%{l[0]}", Some("p")),
            ("%{l[1]}", None),
            ("%{o}", None),
            ("%{missing}", None),
        ] {
            assert_eq!(Template::new(template).unwrap().render(&record).as_deref(), expected, "{template}");
        }
    }
}
