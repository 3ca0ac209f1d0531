//! Readers of the codecs' options, for `deserialize_with` in the model. Their errors never repeat the value.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error};

use super::parts::said;
use super::problem::Carried;
use crate::diagnostic::codes::BAD_VALUE;
use crate::model::{AccessFormat, Codec, LogFormat, Pattern, Zone};

/// Longest name of a field, in bytes.
const FIELD_BYTES_MAX: usize = 256;
/// Most fields of a list.
const FIELDS_MAX: usize = 1000;
/// Most codecs that `auto` tries.
const CODECS_MAX: usize = 16;

/// A pattern that does not compile, and why.
pub(crate) struct BadPattern(pub(crate) String);

impl fmt::Display for BadPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("the pattern cannot be used: {}", self.0);
        Carried { code: BAD_VALUE, text: &text, said: true, help: "" }.fmt(f)
    }
}

fn checked<E: Error>(name: String) -> Result<String, E> {
    match name.is_empty() || name.len() > FIELD_BYTES_MAX {
        false => Ok(name),
        true => Err(said(BAD_VALUE, &format!("a field's name is empty or longer than {FIELD_BYTES_MAX} bytes"), "")),
    }
}

/// The name of a field at the top of a record.
pub(crate) fn field<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(String::deserialize(deserializer)?)
}

/// The name of a field at the top of a record, if one is given.
pub(crate) fn field_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Option::<String>::deserialize(deserializer)?.map(checked).transpose()
}

/// Names of fields.
pub(crate) fn fields<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = Option::<Vec<String>>::deserialize(deserializer)?.unwrap_or_default();
    if names.len() > FIELDS_MAX {
        return Err(said(BAD_VALUE, &format!("the list has more than {FIELDS_MAX} fields"), ""));
    }
    names.into_iter().map(checked).collect()
}

/// Names of fields, at least one, none twice.
pub(crate) fn fields_required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let names = fields(deserializer)?;
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    match (names.is_empty(), distinct.len() == names.len()) {
        (true, _) => Err(said(BAD_VALUE, "the list is empty", "name a field for each column")),
        (_, false) => Err(said(BAD_VALUE, "the list names a field twice", "give each column a name of its own")),
        _ => Ok(names),
    }
}

/// What separates pairs.
pub(crate) fn separator<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.is_empty() || text.len() > 16 {
        false => Ok(text),
        true => Err(said(BAD_VALUE, "a separator has 1 to 16 bytes", "")),
    }
}

/// A time zone.
pub(crate) fn zone<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Zone, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| {
        D::Error::custom(Carried {
            code: BAD_VALUE,
            text: "a time zone",
            said: false,
            help: "for example `UTC`, `+01:00` or a name of the IANA database such as `Europe/Paris`",
        })
    })
}

/// A year, if one is given.
pub(crate) fn year_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    match Option::<u32>::deserialize(deserializer)? {
        None => Ok(None),
        Some(year) => match u16::try_from(year) {
            Ok(year @ 1970..=9999) => Ok(Some(year)),
            _ => Err(said(BAD_VALUE, "a year is a number from 1970 to 9999", "")),
        },
    }
}

/// One ASCII character that is not the quote and no line end.
pub(crate) fn delimiter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_bytes() {
        [byte] if byte.is_ascii() && !matches!(byte, b'"' | b'\n' | b'\r') => Ok(*byte),
        _ => Err(said(BAD_VALUE, "a delimiter is one ASCII character, neither `\"` nor a line end", "for example `,`, `;` or `\"\\t\"`")),
    }
}

/// An access log's format.
pub(crate) fn access_format<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AccessFormat, D::Error> {
    let text = String::deserialize(deserializer)?;
    if let Some(format) = AccessFormat::named(&text) {
        return Ok(format);
    }
    if !text.contains(['%', '$']) {
        return Err(D::Error::custom(Carried {
            code: BAD_VALUE,
            text: "`detect`, `combined`, `common`, `wso2_passthrough`, `tomcat`, `key_value` or a format string",
            said: false,
            help: "a format string holds directives, for example `%h %l %u %t \"%r\" %s %b`",
        }));
    }
    let format = LogFormat::new(&text).map_err(|error| said(BAD_VALUE, &format!("the format string cannot be used: {error}"), ""))?;
    Ok(AccessFormat::Pattern(format))
}

/// A regular expression with named groups.
pub(crate) fn pattern<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Pattern, D::Error> {
    let text = String::deserialize(deserializer)?;
    Pattern::new(&text).map_err(|error| D::Error::custom(BadPattern(error)))
}

/// The codecs of `auto`.
pub(crate) fn several<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Codec>, D::Error> {
    let codecs: Vec<Codec> = Vec::deserialize(deserializer)?;
    if codecs.is_empty() || codecs.len() > CODECS_MAX {
        return Err(said(BAD_VALUE, &format!("`auto` tries 1 to {CODECS_MAX} codecs"), "list them under `codecs`, the strictest first"));
    }
    if codecs.iter().any(|codec| matches!(codec, Codec::Auto(_))) {
        return Err(said(BAD_VALUE, "`auto` cannot be among its own codecs", "list the codecs themselves"));
    }
    if codecs.iter().rev().skip(1).any(|codec| *codec == Codec::Text) {
        return Err(said(BAD_VALUE, "`text` reads every line: what follows it is never tried", "put it last"));
    }
    Ok(codecs)
}
