//! Values that are not taken over as they are. All take and give one JSON value as text; what cannot be made is left out.

use tamis_plugin::Json;

use crate::Value;

/// Digits of a trace's identifier (W3C Trace Context: 16 bytes).
const TRACE_ID_DIGITS: usize = 32;
/// Longest host name (RFC 1035), in bytes.
const HOST_BYTES_MAX: usize = 253;
/// Nanoseconds in a millisecond.
const NANOSECONDS: i64 = 1_000_000;

/// Appends what `value` makes of `found`. Says whether there is something; if not, `out` is as it was.
#[inline]
pub fn append(value: Value, found: &[u8], out: &mut Vec<u8>) -> bool {
    match value {
        Value::Same => out.extend_from_slice(found),
        Value::Nanoseconds => return nanoseconds(found, out),
        Value::TraceId => return trace_id(found, out),
        Value::Host => return host(found, out),
        Value::EventOutcome => out.extend_from_slice(match is_success(found) {
            true => b"\"success\"",
            false => b"\"failure\"",
        }),
        Value::Failure if is_success(found) => return false,
        Value::Failure => out.extend_from_slice(found),
        Value::List if found.first() == Some(&b'[') => out.extend_from_slice(found),
        Value::List => {
            out.push(b'[');
            out.extend_from_slice(found);
            out.push(b']');
        }
        Value::SeverityNumber => match severity(found) {
            Some(number) => out.extend_from_slice(number),
            None => return false,
        },
    }
    true
}

/// The text of a JSON string without escapes; nothing for anything else.
fn text(found: &[u8]) -> Option<&[u8]> {
    match found {
        [b'"', inner @ .., b'"'] => Some(inner),
        _ => None,
    }
}

/// A word of success, or a status below 400.
fn is_success(found: &[u8]) -> bool {
    if let Some(status) = Json::from(found).integer() {
        return (100..400).contains(&status);
    }
    let word = text(found).unwrap_or_default().trim_ascii();
    [&b"ok"[..], b"success", b"succeeded", b"none"].iter().any(|known| word.eq_ignore_ascii_case(known)) || found == b"true"
}

fn nanoseconds(found: &[u8], out: &mut Vec<u8>) -> bool {
    use std::io::Write as _;
    let whole = Json::from(found).integer().and_then(|milliseconds| milliseconds.checked_mul(NANOSECONDS));
    let nanoseconds = whole.or_else(|| {
        let milliseconds: f64 = Json::from(found).parse().ok()?;
        let nanoseconds = (milliseconds * NANOSECONDS as f64).round();
        // Beyond this a double skips whole numbers.
        (nanoseconds.abs() < 9.0e15).then_some(nanoseconds as i64)
    });
    match nanoseconds {
        Some(nanoseconds) if nanoseconds >= 0 => write!(out, "{nanoseconds}").is_ok(),
        _ => false,
    }
}

fn trace_id(found: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(text) = text(found) else {
        return false;
    };
    let id = match text.get(..9) {
        Some(prefix) if prefix.eq_ignore_ascii_case(b"urn:uuid:") => text.get(9..).unwrap_or_default(),
        _ => text,
    };
    let digits = || id.iter().filter(|byte| **byte != b'-');
    // All zeros is the identifier that stands for none.
    let valid = digits().count() == TRACE_ID_DIGITS && digits().all(u8::is_ascii_hexdigit) && digits().any(|digit| *digit != b'0');
    if valid {
        out.push(b'"');
        out.extend(digits().map(u8::to_ascii_lowercase));
        out.push(b'"');
    }
    valid
}

fn host(found: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(host) = text(found).and_then(url_host) else {
        return false;
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':');
    let valid = !host.is_empty() && host.len() <= HOST_BYTES_MAX && host.iter().all(plain);
    if valid {
        out.push(b'"');
        out.extend_from_slice(host);
        out.push(b'"');
    }
    valid
}

/// The host of a URL (RFC 3986) within a JSON string, whose slashes may be escaped.
fn url_host(url: &[u8]) -> Option<&[u8]> {
    let colon = url.iter().position(|byte| *byte == b':')?;
    let rest = url.get(colon + 1..)?;
    let slashes = rest.iter().take_while(|byte| matches!(byte, b'/' | b'\\')).count();
    let authority = rest.get(slashes..).filter(|_| slashes >= 2)?;
    let authority = authority.split(|byte| matches!(byte, b'/' | b'\\' | b'?' | b'#')).next()?;
    let host = authority.rsplit(|byte| *byte == b'@').next()?;
    match host.strip_prefix(b"[") {
        Some(v6) => v6.split(|byte| *byte == b']').next(),
        None => host.split(|byte| *byte == b':').next(),
    }
}

/// The least number of the level's range in the log data model.
fn severity(found: &[u8]) -> Option<&'static [u8]> {
    const LEVELS: [(&[u8], &[u8]); 9] = [
        (b"trace", b"1"),
        (b"debug", b"5"),
        (b"info", b"9"),
        (b"warn", b"13"),
        (b"warning", b"13"),
        (b"error", b"17"),
        (b"severe", b"17"),
        (b"fatal", b"21"),
        (b"critical", b"21"),
    ];
    let level = text(found)?.trim_ascii();
    LEVELS.iter().find(|(name, _)| level.eq_ignore_ascii_case(name)).map(|(_, number)| *number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(value: Value, found: &str) -> Option<String> {
        let mut out = b"before".to_vec();
        let is_made = append(value, found.as_bytes(), &mut out);
        let made = String::from_utf8_lossy(&out[6..]).into_owned();
        assert!(is_made || made.is_empty());
        is_made.then_some(made)
    }

    #[test]
    fn values_are_made() {
        let zeros = format!("\"{}\"", "0".repeat(32));
        for (value, found, wanted) in [
            (Value::Same, "{\"a\":1}", Some("{\"a\":1}")),
            (Value::Nanoseconds, "102", Some("102000000")),
            (Value::Nanoseconds, "\"102\"", Some("102000000")),
            (Value::Nanoseconds, "1.5", Some("1500000")),
            (Value::Nanoseconds, "-1", None),
            (Value::Nanoseconds, "9999999999999999", None),
            (Value::Nanoseconds, "\"x\"", None),
            (Value::TraceId, "\"urn:uuid:E93288b1-99ba-477c-b7f2-1dadde01ec79\"", Some("\"e93288b199ba477cb7f21dadde01ec79\"")),
            (Value::TraceId, "\"e93288b199ba477cb7f21dadde01ec79\"", Some("\"e93288b199ba477cb7f21dadde01ec79\"")),
            (Value::TraceId, "\"e93288b1\"", None),
            (Value::TraceId, &zeros, None),
            (Value::TraceId, "7", None),
            (Value::Host, "\"https://user:pw@backend.example:8243/v1?x\"", Some("\"backend.example\"")),
            (Value::Host, "\"https:\\/\\/backend.example\\/v1\"", Some("\"backend.example\"")),
            (Value::Host, "\"http://[2001:db8::1]:80/\"", Some("\"2001:db8::1\"")),
            (Value::Host, "\"backend.example\"", None),
            (Value::Host, "\"dummy:x\"", None),
            (Value::Host, "\"http://\\\"x\"", None),
            (Value::EventOutcome, "\"OK\"", Some("\"success\"")),
            (Value::EventOutcome, "\"THROTTLED\"", Some("\"failure\"")),
            (Value::EventOutcome, "200", Some("\"success\"")),
            (Value::EventOutcome, "\"503\"", Some("\"failure\"")),
            (Value::Failure, "\"OK\"", None),
            (Value::Failure, "\"THROTTLED\"", Some("\"THROTTLED\"")),
            (Value::List, "\"a\"", Some("[\"a\"]")),
            (Value::List, "[1]", Some("[1]")),
            (Value::SeverityNumber, "\"WARN\"", Some("13")),
            (Value::SeverityNumber, "\" info\"", Some("9")),
            (Value::SeverityNumber, "\"x\"", None),
        ] {
            assert_eq!(made(value, found).as_deref(), wanted, "{value:?} of {found}");
        }
    }
}
