//! Texts that are filled in from a record: names of indices, identifiers, labels.

use super::path_template::{PATH_FIELDS_MAX, PathPiece, PathTemplateError, pieces};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use crate::Text;
use crate::reader::parts;

/// A text with places for fields (`%{tenant}`) and for a time (`%Y %m %d %H %M %S`, UTC); `%%` is a percent sign.
#[derive(Debug, Clone, PartialEq, JsonSchema)]
#[schemars(transparent)]
pub struct Template {
    /// What it is made of.
    #[schemars(with = "String")]
    pub pieces: Vec<PathPiece>,
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// A place that is not one, or more than eight fields.
    pub fn parse(text: &str) -> Result<Self, PathTemplateError> {
        let template = Self { pieces: pieces(text)? };
        match template.fields().count() {
            0..=PATH_FIELDS_MAX => Ok(template),
            fields => Err(PathTemplateError { what: format!("the text names {fields} fields"), help: "name 8 at most" }),
        }
    }

    /// The fields that it names.
    pub fn fields(&self) -> impl Iterator<Item = &Path> {
        self.pieces.iter().filter_map(|piece| match piece {
            PathPiece::Field(path) => Some(path),
            PathPiece::Text(_) | PathPiece::Time(_) => None,
        })
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        if text.is_empty() {
            return Err(parts::bad_value("the text is empty", "write a text, such as `logs-%{tenant}`"));
        }
        Self::parse(&text).map_err(|error| parts::bad_value(&error.what, error.help))
    }
}
