//! Regular expressions, and the joining of lines that they steer.

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::problem::Carried;
use crate::Text;
use crate::diagnostic::codes::BAD_VALUE;
use crate::model::Multiline;

/// The longest regular expression, in bytes.
const PATTERN_BYTES_MAX: usize = 4_096;

/// A regular expression, if one is given.
pub(crate) fn pattern_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    let Some(text) = Option::<Text>::deserialize(deserializer)? else { return Ok(None) };
    if text.len() > PATTERN_BYTES_MAX {
        let words = format!("a regular expression of at most {PATTERN_BYTES_MAX} bytes");
        return Err(D::Error::custom(Carried { code: BAD_VALUE, text: &words, said: false, help: "" }));
    }
    match regex::bytes::Regex::new(&text) {
        Ok(_) => Ok(Some(text)),
        Err(error) => {
            // Only the last line says what is wrong; those before it show the expression, which may come from the environment.
            let said = error.to_string();
            let why = said.lines().last().unwrap_or_default().trim_start_matches("error: ");
            Err(D::Error::custom(Carried { code: BAD_VALUE, text: "a regular expression", said: false, help: why }))
        }
    }
}

/// How lines are joined, if they are: by exactly one of `start` and `continues`.
pub(crate) fn multiline<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Multiline>, D::Error> {
    let multiline = Option::<Multiline>::deserialize(deserializer)?;
    let help = "write `start: '^TID: '` when a record's first line is easy to tell, or `continues: '^\\s'` when the others are";
    match &multiline {
        Some(Multiline { start: Some(_), continues: Some(_), .. }) => {
            let text = "`start` and `continues` exclude each other";
            Err(D::Error::custom(Carried { code: BAD_VALUE, text, said: true, help }))
        }
        Some(Multiline { start: None, continues: None, .. }) => {
            let text = "either `start` or `continues` must say where a record begins";
            Err(D::Error::custom(Carried { code: BAD_VALUE, text, said: true, help }))
        }
        _ => Ok(multiline),
    }
}
