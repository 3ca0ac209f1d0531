//! How a schema's types, limits and names are put into words.

use serde_json::Value;

use super::{Definitions, Stated, choices, duration, target};

/// Words of the types' names that are not written as others.
const ACRONYMS: [(&str, &str); 8] = [
    ("Tls", "TLS"),
    ("Http", "HTTP"),
    ("Otlp", "OTLP"),
    ("Sasl", "SASL"),
    ("Hmac", "HMAC"),
    ("Nats", "NATS"),
    ("Csv", "CSV"),
    ("Id", "identifier"),
];
/// Words that a choice is told by where it is short.
const CHOICES_SHOWN: usize = 3;

/// The name of a definition as a heading: `Server TLS`.
pub(super) fn title(name: &str) -> String {
    if name == "Bytes" {
        // What it is, not what it is made of.
        return "Size".to_owned();
    }
    let mut words: Vec<String> = Vec::new();
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_uppercase() => word.push(c),
            _ => words.push(c.to_string()),
        }
    }
    let spelt = |(at, word): (usize, &String)| match ACRONYMS.iter().find(|(written, _)| written == word) {
        Some((_, acronym)) => (*acronym).to_owned(),
        None if at == 0 => word.clone(),
        None => word.to_lowercase(),
    };
    words.iter().enumerate().map(spelt).collect::<Vec<_>>().join(" ")
}

/// A key as a heading: `Plugins policy`.
pub(super) fn capital(key: &str) -> String {
    let text = key.replace('_', " ");
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// The anchor of a heading, as GitHub makes it.
pub(super) fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | ' '));
    kept.map(|c| if c == ' ' { '-' } else { c.to_ascii_lowercase() }).collect()
}

/// What may stand as an option's value, with links to what is told elsewhere. `link` gives a definition's anchor.
pub(super) fn kind(schema: &Value, definitions: &Definitions<'_>, link: &dyn Fn(&str) -> String) -> String {
    let one = |schema: &Value| kind(schema, definitions, link);
    if let Some(name) = target(schema) {
        let words: Vec<String> = definitions.get(name).map(choices).unwrap_or_default().iter().map(|(word, _)| code(word)).collect();
        return match definitions.get(name) {
            Some(definition) if definitions.is_plain(name) && definitions.is_exclusive(name) => one(definition),
            _ if (1..=CHOICES_SHOWN).contains(&words.len()) => format!("[{}](#{})", words.join(" or "), link(name)),
            _ => format!("[{}](#{})", title(name), link(name)),
        };
    }
    if let Some(word) = schema.get("const") {
        return word.as_str().map_or_else(|| word.to_string(), code);
    }
    if let Some(choices) = schema.get("anyOf").and_then(Value::as_array) {
        let refers = choices.iter().any(|choice| target(choice).is_some());
        // The words of a definition's short form are told with the definition.
        let told = choices.iter().filter(|choice| !(refers && choice.get("enum").is_some()));
        let mut words: Vec<String> = told.map(one).filter(|word| !word.is_empty()).collect();
        words.dedup();
        return words.join(" or ");
    }
    let Some(word) = type_word(schema) else { return "anything".to_owned() };
    let of = |key: &str| schema.get(key).filter(|inner| inner.is_object()).map(one).filter(|word| word != "anything");
    match word {
        "string" if is_duration(schema) => "duration".to_owned(),
        "string" => "text".to_owned(),
        "integer" => "whole number".to_owned(),
        "boolean" => "true or false".to_owned(),
        "array" => of("items").map_or_else(|| "list".to_owned(), |inner| format!("list of {inner}")),
        "object" => of("additionalProperties").map_or_else(|| "map".to_owned(), |inner| format!("map of {inner}")),
        "null" => String::new(),
        other => other.to_owned(),
    }
}

/// The type beside `null`, and beside the text that `${…}` may stand in.
fn type_word(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(word) => Some(word),
        Value::Array(words) => {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            words.iter().find(|word| matches!(**word, "integer" | "boolean" | "number")).or(words.first()).copied()
        }
        _ => None,
    }
}

/// Durations are texts: what is said of them tells.
fn is_duration(schema: &Value) -> bool {
    let stated = schema.get("description").and_then(Value::as_str).map(Stated::of);
    stated.is_some_and(|stated| stated.bounds().is_some_and(|(min, _)| duration(min).is_some()))
}

/// The limits that the schema itself has, where the description states none.
pub(super) fn limits(schema: &Value) -> Option<String> {
    let get = |key: &str| schema.get(key).and_then(Value::as_u64);
    let what = |min: Option<u64>, max: Option<u64>, noun: &str| match (min, max) {
        (Some(min), Some(max)) if min == max => Some(format!("{}{noun}", grouped(min))),
        (Some(min), Some(max)) => Some(format!("{} to {}{noun}", grouped(min), grouped(max))),
        (Some(0) | None, None) => None,
        (Some(min), None) => Some(format!("{}{noun} at least", grouped(min))),
        (None, Some(max)) => Some(format!("{}{noun} at most", grouped(max))),
    };
    what(get("minimum"), get("maximum"), "")
        .or_else(|| what(get("minItems"), get("maxItems"), " entries"))
        .or_else(|| what(get("minProperties"), get("maxProperties"), " entries"))
        .map(|words| words.replace("1 entries", "1 entry"))
}

/// `65,536`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As code.
pub(super) fn code(text: &str) -> String {
    format!("`{text}`")
}

/// A text within a cell of a table.
pub(super) fn cell(text: &str) -> String {
    prose(text).replace('|', "\\|")
}

/// A text outside of code in which nothing is taken for HTML.
pub(super) fn prose(text: &str) -> String {
    text.split('`')
        .enumerate()
        .map(|(at, part)| if at % 2 == 0 { part.replace('<', "&lt;") } else { part.to_owned() })
        .collect::<Vec<_>>()
        .join("`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_headings_and_anchors() {
        for (name, heading) in [("ServerTls", "Server TLS"), ("HmacAuth", "HMAC auth"), ("Buffer", "Buffer"), ("KafkaSasl", "Kafka SASL")] {
            assert_eq!(title(name), heading);
        }
        assert_eq!((capital("plugins_policy").as_str(), anchor("Source `http`").as_str()), ("Plugins policy", "source-http"));
    }

    #[test]
    fn limits_and_cells() {
        assert_eq!(limits(&serde_json::json!({ "minItems": 1, "maxItems": 65_536 })).as_deref(), Some("1 to 65,536 entries"));
        assert_eq!(limits(&serde_json::json!({ "minItems": 1 })).as_deref(), Some("1 entry at least"));
        assert_eq!(cell("a | b `<x>` <y>"), "a \\| b `<x>` &lt;y>");
    }
}
