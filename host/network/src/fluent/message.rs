//! A message: one event, several, or several packed.

use super::scan::{Bad, Shape, first, head};
use rmpv::ValueRef;
use rmpv::decode::read_value_ref_with_max_depth;

/// How deep an option's values may lie in each other.
const DEPTH_MAX: usize = 32;
/// Bytes of a message's options.
const OPTION_BYTES_MAX: usize = 64 * 1024;

/// What a message holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Events<'a> {
    /// One: its time and its record.
    One(&'a [u8], &'a [u8]),
    /// Entries behind each other, within an array or as bytes.
    Several(&'a [u8]),
    /// The same, packed with gzip.
    Gzip(&'a [u8]),
}

/// A message as far as it is the same for all its events.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    pub(super) tag: &'a str,
    pub(super) events: Events<'a>,
    /// What is to be told to acknowledge it.
    pub(super) chunk: Option<Vec<u8>>,
}

/// Why a message is not taken, and what acknowledges it all the same, for it would not be another one when it comes again.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct BadMessage {
    pub(super) reason: String,
    pub(super) chunk: Option<Vec<u8>>,
}

/// Reads a message, which is all there. `None`: a sign of life.
pub(super) fn read(bytes: &[u8]) -> Result<Option<Message<'_>>, BadMessage> {
    let bad = |reason: &str| BadMessage { reason: reason.to_owned(), chunk: None };
    let broken = |error: Bad| BadMessage { reason: error.to_string(), chunk: None };
    let start = head(bytes).map_err(broken)?.ok_or_else(|| bad("not MessagePack"))?;
    let count = match start.shape {
        Shape::Nil => return Ok(None),
        Shape::Array(count @ 2..=4) => count,
        _ => return Err(bad("expected an array of tag, events and options")),
    };
    let (mut rest, mut parts) = (bytes.get(start.bytes..).unwrap_or_default(), Vec::with_capacity(4));
    for _ in 0..count {
        let (part, behind) = first(rest).map_err(broken)?;
        parts.push(part);
        rest = behind;
    }
    let mut parts = parts.into_iter();
    let (tag, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let kind = head(second).map_err(broken)?.ok_or_else(|| bad("not MessagePack"))?;
    let is_one = matches!(kind.shape, Shape::Other);
    let record = is_one.then(|| parts.next());
    let options = parts.next().map(options).transpose().map_err(|reason| bad(&reason))?.unwrap_or_default();
    let chunk = options.chunk;
    let bad = |reason: &str| BadMessage { reason: reason.to_owned(), chunk: chunk.clone() };
    let tag = text(tag).ok_or_else(|| bad("expected a text as the message's tag"))?;
    let tag = std::str::from_utf8(tag).map_err(|_| bad("the message's tag is not UTF-8"))?;
    let behind = second.get(kind.bytes..).unwrap_or_default();
    let events = match (record, kind.shape) {
        (Some(Some(record)), _) => Events::One(second, record),
        (Some(None), _) => return Err(bad("expected a record behind the event's time")),
        (None, Shape::Bytes(_)) if options.is_gzip => Events::Gzip(behind),
        (None, Shape::Bytes(_) | Shape::Array(_)) => Events::Several(behind),
        (None, _) => return Err(bad("expected an event's time, or events")),
    };
    match options.is_known {
        false => Err(bad("events that are packed in another way than with gzip")),
        true => Ok(Some(Message { tag, events, chunk })),
    }
}

/// Time and record of an entry.
pub(super) fn entry(bytes: &[u8]) -> Result<(&[u8], &[u8]), String> {
    let expected = || "expected an array of time and record".to_owned();
    match head(bytes) {
        Ok(Some(start)) if start.shape == Shape::Array(2) => {
            let (time, rest) = first(bytes.get(start.bytes..).unwrap_or_default()).map_err(|_| expected())?;
            Ok((time, rest))
        }
        _ => Err(expected()),
    }
}

struct Options {
    chunk: Option<Vec<u8>>,
    is_gzip: bool,
    is_known: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { chunk: None, is_gzip: false, is_known: true }
    }
}

/// What follows the events: nil or a map.
fn options(mut bytes: &[u8]) -> Result<Options, String> {
    if bytes.len() > OPTION_BYTES_MAX {
        return Err(format!("the message's options have more than {OPTION_BYTES_MAX} bytes"));
    }
    let mut found = Options::default();
    match read_value_ref_with_max_depth(&mut bytes, DEPTH_MAX) {
        Ok(ValueRef::Nil) => {}
        Ok(ValueRef::Map(members)) => {
            for (name, value) in members {
                let value = match value {
                    ValueRef::String(text) => text.as_bytes().to_vec(),
                    ValueRef::Binary(bytes) => bytes.to_vec(),
                    _ => continue,
                };
                let ValueRef::String(name) = name else { continue };
                match name.as_bytes() {
                    b"chunk" => found.chunk = Some(value),
                    b"compressed" => (found.is_gzip, found.is_known) = (value == b"gzip", matches!(&*value, b"gzip" | b"text")),
                    _ => {}
                }
            }
        }
        _ => return Err("expected a map as the message's options".to_owned()),
    }
    Ok(found)
}

fn text(bytes: &[u8]) -> Option<&[u8]> {
    match head(bytes) {
        Ok(Some(start)) if matches!(start.shape, Shape::Bytes(_)) => bytes.get(start.bytes..),
        _ => None,
    }
}

/// The acknowledgement of a message.
pub(super) fn ack(chunk: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(chunk.len() + 16);
    // A map of one member, `ack`, and the text.
    bytes.extend_from_slice(b"\x81\xa3ack");
    put_text(&mut bytes, chunk);
    bytes
}

/// Appends a text.
pub(super) fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    match u8::try_from(text.len()) {
        Ok(length @ 0..=31) => out.push(0xa0 | length),
        Ok(length) => out.extend_from_slice(&[0xd9, length]),
        Err(_) => {
            out.push(0xdb);
            out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
        }
    }
    out.extend_from_slice(text);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rmpv::Value;

    fn packed(value: Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &value).unwrap();
        bytes
    }

    fn option(name: &str, value: &str) -> Value {
        Value::Map(vec![(Value::from("size"), Value::from(1)), (Value::from(name), Value::from(value))])
    }

    #[test]
    fn all_forms() {
        let (tag, map) = (Value::from("a.b"), || Value::Map(vec![]));
        let entry_value = Value::Array(vec![Value::from(1), map()]);
        let of = |parts: Vec<Value>| packed(Value::Array(parts));
        let one = of(vec![tag.clone(), Value::from(1), map(), option("chunk", "c1")]);
        let message = read(&one).unwrap().unwrap();
        assert_eq!((message.tag, &message.events, message.chunk), ("a.b", &Events::One(b"\x01", b"\x80"), Some(b"c1".to_vec())));
        let several = of(vec![tag.clone(), Value::Array(vec![entry_value.clone(), entry_value])]);
        assert_eq!(read(&several).unwrap().unwrap().events, Events::Several(b"\x92\x01\x80\x92\x01\x80"));
        assert_eq!(entry(b"\x92\x01\x80"), Ok((b"\x01".as_slice(), b"\x80".as_slice())));
        let bytes = of(vec![tag.clone(), Value::Binary(b"xyz".to_vec()), Value::Nil]);
        assert_eq!(read(&bytes).unwrap().unwrap().events, Events::Several(b"xyz"));
        let gzip = of(vec![tag, Value::Binary(b"xyz".to_vec()), option("compressed", "gzip")]);
        assert_eq!(read(&gzip).unwrap().unwrap().events, Events::Gzip(b"xyz"));
        assert_eq!(read(b"\xc0"), Ok(None));
        assert_eq!(ack(&[b'x'; 40])[..7], *b"\x81\xa3ack\xd9\x28");
    }

    #[test]
    fn what_is_no_message() {
        let (tag, chunk) = (Value::from("a"), || option("chunk", "c1"));
        for (parts, reason, is_acknowledged) in [
            (vec![tag.clone()], "expected an array of tag", false),
            (vec![Value::from(1), Value::from(1), Value::from(1), chunk()], "a text as the message's tag", true),
            (vec![tag.clone(), Value::from(1)], "a record behind", false),
            (vec![tag.clone(), Value::Map(vec![]), chunk()], "an event's time, or events", true),
            (vec![tag.clone(), Value::from(1), Value::from(1), Value::from(1)], "a map as the message's options", false),
            (vec![tag, Value::from("x"), option("compressed", "zstd")], "another way than with gzip", false),
        ] {
            let bytes = packed(Value::Array(parts));
            let bad = read(&bytes).unwrap_err();
            assert!(bad.reason.contains(reason) && bad.chunk.is_some() == is_acknowledged, "{bad:?}");
        }
        for bytes in [b"\x01".as_slice(), b"\xa1a", b"\x80", b"\x95\x01\x01\x01\x01\x01"] {
            assert!(read(bytes).is_err());
        }
    }
}
