//! `access`: access logs of Apache, nginx, Tomcat and WSO2's pass-through transport, by a format string
//! (Apache's `mod_log_config`, Tomcat's `AccessLogValve`, nginx's `log_format`), and the form `key=value key=value` that WSO2's
//! documentation gives for Tomcat.
//!
//! A format is matched from left to right; where a value may hold what follows it (a request, a browser's name), the shortest
//! reading that lets the rest of the line match is taken. `-` stands for nothing: the field is left out.

mod fit;

use super::ReadLine;
use super::cursor::{Bad, Cursor, Result, trimmed};
use super::json;
use super::object::Object;
use super::time::{LocalTime, Stamp};
use super::value::{Shape, whole};
use fit::Matcher;
use tamis_config::{AccessCodec, AccessFormat, Form, LogFormat};

pub(crate) struct Access {
    formats: Vec<(&'static str, Matcher)>,
    /// Whether the field `format` tells which of them it was.
    names_format: bool,
    key_value: bool,
    shape: Shape,
    /// A value without its escapes.
    text: Vec<u8>,
}

impl Access {
    pub(crate) fn new(options: &AccessCodec) -> Self {
        let named = || {
            let format = |(name, text): (&'static str, &str)| LogFormat::new(text).ok().map(|format| (name, Matcher::new(&format)));
            AccessFormat::NAMED.into_iter().filter_map(format).collect()
        };
        let (formats, names_format, key_value) = match &options.format {
            AccessFormat::Detect => (named(), true, true),
            AccessFormat::KeyValue => (Vec::new(), false, true),
            AccessFormat::Pattern(format) => (vec![("", Matcher::new(format))], false, false),
        };
        Self { formats, names_format, key_value, shape: Shape::new(&[], &[], options.zone), text: Vec::new() }
    }
}

impl ReadLine for Access {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let mut furthest = Bad::new(0, "`key=value`");
        for (name, matcher) in &mut self.formats {
            match matcher.find(line) {
                Ok(()) => {
                    for (field, form, value) in matcher.values(line) {
                        if form == Form::Request && value != b"-" {
                            request(unescaped(value, &mut self.text), object, |part| matcher.has(part));
                            continue;
                        }
                        write(field, form, value, object, &mut self.shape.clock, &mut self.text);
                    }
                    if self.names_format {
                        object.text(b"format", name.as_bytes());
                    }
                    return Ok(());
                }
                Err(bad) if bad.at >= furthest.at => furthest = bad,
                Err(_) => {}
            }
        }
        if !self.key_value || (self.names_format && !begins_with_pair(line)) {
            return Err(furthest);
        }
        pairs(line, object, &mut self.shape)?;
        if self.names_format {
            object.text(b"format", b"key_value");
        }
        Ok(())
    }
}

fn write(field: &[u8], form: Form, value: &[u8], object: &mut Object<'_>, clock: &mut LocalTime, text: &mut Vec<u8>) {
    if value == b"-" {
        return;
    }
    match form {
        Form::Time => match Stamp::any(value) {
            Some(stamp) => clock.write(&stamp, object.member(field)),
            None => object.text(field, value),
        },
        Form::Integer => match whole(value) {
            Some(number) => object.integer(field, number),
            None => object.text(field, value),
        },
        Form::Number if json::number(value) == value.len() => object.member(field).extend_from_slice(value),
        Form::Free => {
            let value = unescaped(value, text);
            if field == b"query" {
                object.text_if_any(field, value.strip_prefix(b"?").unwrap_or(value));
            } else {
                object.text(field, value);
            }
        }
        _ => object.text(field, value),
    }
}

/// `METHOD path?query PROTOCOL` as fields, except those that the format `has` elsewhere; what is none of the kind is kept as
/// `request`.
fn request(request: &[u8], object: &mut Object<'_>, has: impl Fn(&[u8]) -> bool) {
    let first = memchr::memchr(b' ', request);
    let last = memchr::memrchr(b' ', request);
    if let (Some(first), Some(last)) = (first, last)
        && first < last
        && let (Some(method), Some(target), Some(protocol)) = (request.get(..first), request.get(first + 1..last), request.get(last + 1..))
        && method.iter().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'))
        && protocol.starts_with(b"HTTP/")
    {
        let cut = memchr::memchr(b'?', target).and_then(|mark| Some((target.get(..mark)?, Some(target.get(mark + 1..)?))));
        let (path, query) = cut.unwrap_or((target, None));
        for (name, value) in [(b"method".as_slice(), Some(method)), (b"path", Some(path)), (b"query", query), (b"protocol", Some(protocol))]
        {
            if let Some(value) = value.filter(|_| !has(name)) {
                object.text(name, value);
            }
        }
    } else if !request.iter().all(|byte| matches!(byte, b'-' | b' ')) {
        object.text(b"request", request);
    }
}

/// A value without the escapes of Apache (`\"`, `\\`, `\n`, `\t`, `\xhh`) and nginx (`\xHH`). Where they say no UTF-8, the value as it is.
fn unescaped<'a>(value: &'a [u8], out: &'a mut Vec<u8>) -> &'a [u8] {
    if memchr::memchr(b'\\', value).is_none() {
        return value;
    }
    out.clear();
    let mut rest = value;
    while let Some(at) = memchr::memchr(b'\\', rest) {
        out.extend_from_slice(rest.get(..at).unwrap_or_default());
        let digit = |at: usize| rest.get(at).and_then(|byte| (*byte as char).to_digit(16));
        let (byte, length) = match rest.get(at + 1) {
            Some(byte @ (b'"' | b'\\')) => (*byte, 2),
            Some(b'n') => (b'\n', 2),
            Some(b't') => (b'\t', 2),
            Some(b'r') => (b'\r', 2),
            Some(b'x') => match (digit(at + 2), digit(at + 3)) {
                (Some(high), Some(low)) => ((high * 16 + low) as u8, 4),
                _ => (b'\\', 1),
            },
            _ => (b'\\', 1),
        };
        out.push(byte);
        rest = rest.get(at + length..).unwrap_or_default();
    }
    out.extend_from_slice(rest);
    if simdutf8::basic::from_utf8(out).is_ok() { out } else { value }
}

/// The length of the key at the beginning, if `=` follows.
fn key(text: &[u8]) -> Option<usize> {
    let length = text.iter().take(128).take_while(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-')).count();
    (length > 0 && text.first().is_some_and(u8::is_ascii_alphabetic) && text.get(length) == Some(&b'=')).then_some(length)
}

fn begins_with_pair(line: &[u8]) -> bool {
    key(trimmed(line)).is_some()
}

/// `key=value key=value`: a value ends where a blank and another `key=` follow, so that it may hold blanks.
fn pairs(line: &[u8], object: &mut Object<'_>, shape: &mut Shape) -> Result<()> {
    let mut c = Cursor::new(line);
    c.blanks();
    let Some(mut length) = key(c.rest()) else { return c.bad("`key=value`") };
    loop {
        object.room(c.at)?;
        let name = c.rest().get(..length).unwrap_or_default();
        let from = c.at + length + 1;
        let mut search = from;
        let next = loop {
            let Some(blank) = memchr::memchr(b' ', line.get(search..).unwrap_or_default()) else { break None };
            let behind = search + blank + 1;
            if let Some(length) = key(line.get(behind..).unwrap_or_default()) {
                break Some((behind, length));
            }
            search = behind;
        };
        let end = next.map_or(line.len(), |(at, _)| at - 1);
        let value = trimmed(line.get(from..end).unwrap_or_default());
        match value {
            b"-" => {}
            _ if name == b"time" => shape.time(object, name, value, from)?,
            _ => shape.write(object, name, value, from)?,
        }
        let Some((at, following)) = next else { return Ok(()) };
        (c.at, length) = (at, following);
    }
}
