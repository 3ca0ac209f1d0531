//! Texts that name fields of a record: topics, subjects and the like.

use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use crate::Text;
use crate::reader::parts;

/// Fields that a text may name.
pub const TEMPLATE_FIELDS_MAX: usize = 8;

/// A text in which `%{field}` stands for a field's value; a percent sign is written `%%`.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldTemplate {
    /// Its pieces, in order.
    pub pieces: Vec<FieldPiece>,
}

/// A piece of a [`FieldTemplate`].
#[derive(Debug, Clone, PartialEq)]
pub enum FieldPiece {
    /// As it is.
    Text(String),
    /// A field's value.
    Field(Path),
}

impl FieldTemplate {
    /// Reads a text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
        while let Some((before, after)) = rest.split_once('%') {
            plain.push_str(before);
            if let Some(after) = after.strip_prefix('%') {
                plain.push('%');
                rest = after;
                continue;
            }
            let Some((field, after)) = after.strip_prefix('{').and_then(|after| after.split_once('}')) else {
                return Err("a `%` that begins no place".to_owned());
            };
            let path: Path = field.parse().map_err(|error| format!("`{}` is no field: {error}", field.escape_debug()))?;
            if !plain.is_empty() {
                pieces.push(FieldPiece::Text(std::mem::take(&mut plain)));
            }
            pieces.push(FieldPiece::Field(path));
            rest = after;
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            pieces.push(FieldPiece::Text(plain));
        }
        let template = Self { pieces };
        match template.fields().count() {
            0..=TEMPLATE_FIELDS_MAX => Ok(template),
            count => Err(format!("it names {count} fields, {TEMPLATE_FIELDS_MAX} at most are possible")),
        }
    }

    /// The fields that it names.
    pub fn fields(&self) -> impl Iterator<Item = &Path> {
        self.pieces.iter().filter_map(|piece| match piece {
            FieldPiece::Field(path) => Some(path),
            FieldPiece::Text(_) => None,
        })
    }

    /// The text, where it names no field.
    pub fn constant(&self) -> Option<&str> {
        match self.pieces.as_slice() {
            [] => Some(""),
            [FieldPiece::Text(text)] => Some(text),
            _ => None,
        }
    }
}

/// A text with places for fields.
pub(crate) fn field_template<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let text = Text::deserialize(deserializer)?;
    match FieldTemplate::parse(text.as_str()) {
        Ok(template) if template.pieces.is_empty() => {
            Err(parts::bad_value("it is empty", "give a name, such as `logs` or `logs.%{tenant}`"))
        }
        Ok(_) => Ok(text),
        Err(what) => Err(parts::bad_value(&what, "a field is written `%{field}`, a percent sign `%%`")),
    }
}

pub(crate) fn field_template_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    parts::optional::<D, Template>(deserializer)
}

parts::reads!(Template(Text), field_template);

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn places_and_percent_signs() {
        let text = |text: &str| FieldPiece::Text(text.into());
        let field = |path: &str| FieldPiece::Field(path.parse().unwrap());
        assert_eq!(FieldTemplate::parse("logs-%{a.b}%%x").unwrap().pieces, [text("logs-"), field("a.b"), text("%x")]);
        assert_eq!(FieldTemplate::parse("logs").unwrap().constant(), Some("logs"));
        for bad in ["%", "%d", "%{a", "a%{}"] {
            assert!(FieldTemplate::parse(bad).is_err(), "{bad}");
        }
        assert!(FieldTemplate::parse(&"%{a}".repeat(9)).unwrap_err().contains("9 fields"));
    }
}
