//! What a description says of its option's default and limits.

use std::time::Duration;

use serde_json::Value;

use crate::model::Bytes;

/// A description, taken apart: it may end with `Default: …; … to ….`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stated<'a> {
    /// What the option does.
    pub does: &'a str,
    /// What holds where nothing is written, in the description's words.
    pub default: Option<&'a str>,
    /// What values there may be, in the description's words: `1 to 100`, `64 at most`.
    pub limits: Option<&'a str>,
}

impl<'a> Stated<'a> {
    /// Takes a description apart.
    pub fn of(description: &'a str) -> Self {
        let Some((does, stated)) = description.rsplit_once("Default: ") else {
            return Self { does: description, default: None, limits: None };
        };
        let stated = stated.strip_suffix('.').unwrap_or(stated);
        let (default, limits) = stated.split_once("; ").map_or((stated, None), |(default, limits)| (default, Some(limits)));
        Self { does: does.trim_end(), default: Some(default), limits }
    }

    /// The default as a configuration writes it, where it is a value and not an explanation such as `none`.
    pub fn value(&self) -> Option<Value> {
        let default = self.default?;
        if let Some((code, behind)) = default.strip_prefix('`').and_then(|code| code.split_once('`')) {
            // What follows explains the value: `.`, the whole record as JSON.
            return (behind.is_empty() || behind.starts_with(", ") || behind.starts_with(" (")).then(|| written(code));
        }
        match default {
            "true" => return Some(true.into()),
            "false" => return Some(false.into()),
            _ => {}
        }
        match number(default.strip_suffix(" bytes").unwrap_or(default)) {
            Some(number) => Some(number.into()),
            None => (size(default).is_some() || duration(default).is_some()).then(|| default.into()),
        }
    }

    /// The least and the greatest value, in the description's words.
    pub fn bounds(&self) -> Option<(&'a str, &'a str)> {
        self.limits?.split_once(" to ")
    }
}

/// What stands between backticks: a word, or a list or map in YAML's short form.
fn written(code: &str) -> Value {
    match code.strip_prefix('[').and_then(|list| list.strip_suffix(']')) {
        Some(list) => list.split(", ").filter(|word| !word.is_empty()).map(Value::from).collect(),
        None if code == "{}" => Value::Object(serde_json::Map::new()),
        None => code.into(),
    }
}

/// A whole number such as `65,536`.
pub fn number(text: &str) -> Option<u64> {
    text.replace(',', "").parse().ok()
}

/// A size with its unit, in bytes.
pub fn size(text: &str) -> Option<u64> {
    // A plain number is a number and no size; `B` is also what `1 B` ends with.
    text.ends_with('B').then(|| Bytes::parse(text)).flatten().map(|size| size.0)
}

/// A duration with its unit.
pub fn duration(text: &str) -> Option<Duration> {
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| humantime::parse_duration(text).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn descriptions_are_taken_apart() {
        let stated = Stated::of("Longest pause. Default: 10 s; 1 ms to 1 h.");
        assert_eq!((stated.does, stated.default, stated.limits), ("Longest pause.", Some("10 s"), Some("1 ms to 1 h")));
        assert_eq!(stated.bounds(), Some(("1 ms", "1 h")));
        assert_eq!(Stated::of("Limits."), Stated { does: "Limits.", default: None, limits: None });
        assert_eq!(Stated::of("Tokens. Default: none; 64 at most.").bounds(), None);
    }

    #[test]
    fn defaults_are_values_where_they_can_be_written() {
        for (default, value) in [
            ("`json`", Some(json!("json"))),
            ("`protobuf`, packed with snappy", Some(json!("protobuf"))),
            ("`, ` (comma and blank)", Some(json!(", "))),
            ("`[_index, _id]`", Some(json!(["_index", "_id"]))),
            ("`{}`", Some(json!({}))),
            ("true", Some(json!(true))),
            ("65,536", Some(json!(65_536))),
            ("1,000,000 bytes", Some(json!(1_000_000))),
            ("64 KiB", Some(json!("64 KiB"))),
            ("250 ms", Some(json!("250 ms"))),
            ("none", None),
            ("those whose name ends with `version`", None),
            ("not at all, or `127.0.0.1:4317` where `http` is not given either", None),
        ] {
            assert_eq!(Stated::of(&format!("Text. Default: {default}.")).value(), value, "{default}");
        }
    }
}
