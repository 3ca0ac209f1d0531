//! Where a value stands in a line, and how the line encodes it.

use fastrand::Rng;

/// How many contexts there are.
const CONTEXTS: u8 = 14;

/// `text` as a part of a line. What stands around it is clean.
pub(crate) fn context(rng: &mut Rng, text: &str) -> String {
    match rng.u8(..CONTEXTS) {
        0 => text.to_owned(),
        1 => format!("lookup of {text} failed"),
        2 => format!("value=\"{text}\", next=1"),
        3 => format!("'{text}'"),
        4 => format!("ERROR_DESCRIPTION = not found: {text}, NEXT = 2"),
        5 => format!("a|{text}|b"),
        6 => format!("({text})"),
        7 => format!("<to>{text}</to>"),
        8 => format!("[{text}]"),
        9 => format!("it was {text}."),
        10 => format!("see {text}; then {{x}}"),
        11 => format!("first line\n{text}\nlast"),
        12 => format!("\t{text}\t200"),
        _ => format!("« {text} », {text}"),
    }
}

/// The encodings of a line, by name.
pub(crate) const ENCODINGS: [&str; 10] = [
    "plain",
    "percent",
    "percent twice",
    "percent, small letters",
    "query of a URL",
    "JSON in text",
    "JSON in JSON in text",
    "unicode escapes",
    "entities",
    "full width",
];

/// A line with `text` in it, encoded.
pub(crate) fn encoded(rng: &mut Rng, encoding: &str, text: &str) -> String {
    match encoding {
        "plain" => context(rng, text),
        "percent" => format!("/v1/x/{}", percent_encoded(text)),
        "percent twice" => format!("/v1?q={}&x=1", percent_encoded(&percent_encoded(text))),
        "percent, small letters" => format!("/v1?q={}&x=1", percent_encoded(text).replace("%2F", "%2f").replace("%3A", "%3a")),
        "query of a URL" => format!("GET /v1/customers?q={}&page=2 HTTP/1.1", percent_encoded(text).replace("%20", "+")),
        "JSON in text" => format!("payload: {}", object(&context(rng, text))),
        "JSON in JSON in text" => format!("payload: {}", object(&object(&context(rng, text)))),
        "unicode escapes" => format!("{{\"value\":\"{}\"}}", unicode_escaped(&context(rng, text))),
        "entities" => format!("<value>{}</value>", entities(&context(rng, text))),
        _ => full_width(&context(rng, text)),
    }
}

fn object(text: &str) -> String {
    serde_json::json!({ "value": text, "n": 1 }).to_string()
}

/// As a form's sender encodes it.
fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// As a careful JSON writer puts it: nothing but letters, digits and blanks stands as it is.
fn unicode_escaped(text: &str) -> String {
    text.encode_utf16()
        .map(|unit| match u8::try_from(unit) {
            Ok(byte) if byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'.' | b'-') => char::from(byte).to_string(),
            _ => format!("\\u{unit:04x}"),
        })
        .collect()
}

fn entities(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '@' => "&#64;".to_owned(),
            '\'' | '=' | '/' | '+' => format!("&#x{:x};", u32::from(c)),
            c => c.to_string(),
        })
        .collect()
}

fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '!'..='~' => char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c),
            c => c,
        })
        .collect()
}

/// Everything that `text` says once all encodings are off, in small letters and digits only: where a value would show. It
/// decodes by itself, so that a mistake of the plugin's own decoder is not made twice.
pub(crate) fn laid_bare(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..5 {
        text = one_layer(&text);
    }
    text.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn one_layer(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let code = |from: usize, to: usize| rest.get(from..to).and_then(|digits| u32::from_str_radix(digits, 16).ok());
        let mut push = |c: char| bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
        let width = match c {
            '%' if code(1, 3).is_some() => {
                bytes.push(code(1, 3).unwrap_or(0) as u8);
                3
            }
            '\\' if rest.get(1..2) == Some("u") && code(2, 6).is_some() => {
                push(code(2, 6).and_then(char::from_u32).unwrap_or(' '));
                6
            }
            '\\' if rest.len() > 1 && rest.is_char_boundary(2) => {
                push(if rest.get(1..2).is_some_and(|next| "nrtbf".contains(next)) { ' ' } else { rest[1..].chars().next().unwrap_or(' ') });
                2
            }
            '&' if rest.get(..12).unwrap_or(rest).contains(';') => {
                let end = rest.find(';').unwrap_or(0);
                let name = &rest[1..end];
                let number = match name.strip_prefix("#x") {
                    Some(digits) => u32::from_str_radix(digits, 16).ok(),
                    None => name.strip_prefix('#').and_then(|digits| digits.parse().ok()),
                };
                push(number.and_then(char::from_u32).unwrap_or(if name == "amp" { '&' } else { ' ' }));
                end + 1
            }
            '\u{ff01}'..='\u{ff5e}' => {
                push(char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c));
                3
            }
            c => {
                push(c);
                c.len_utf8()
            }
        };
        rest = &rest[width..];
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
