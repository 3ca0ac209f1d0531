//! `wso2_correlation`: `correlation.log` of WSO2 API Manager, `%d{yyyy-MM-dd HH:mm:ss,SSS}|%X{Correlation-ID}|%t|%m`.
//!
//! The message begins with a duration in milliseconds and a kind, which decides on the rest (API Manager's documentation,
//! "Observability"). Values are not escaped. Where one may hold `|` (arguments, URLs, SQL), what is before it is counted from
//! the left and what is behind it from the right. The secrets of an API call have fields of their own: whatever holds a `|`
//! too many goes into `authorization`, so that no part of it can be taken for anything else.

use super::ReadLine;
use super::cursor::{Bad, Cursor, Result};
use super::object::{Object, string};
use super::time::{LocalTime, Stamp};
use super::value::whole;
use tamis_config::Zone;

/// Fields of an API call, all of them.
const CALL_FIELDS: usize = 20;
/// Behind the Authorization header of an API call.
const CALL_END: [&[u8]; 10] = [
    b"organizationId",
    b"sourceId",
    b"applicationId",
    b"uuid",
    b"requestBytes",
    b"responseBytes",
    b"status",
    b"applicationName",
    b"consumerKey",
    b"responseTimeMs",
];

pub(crate) struct Correlation {
    clock: LocalTime,
}

impl Correlation {
    pub(crate) fn new(zone: Zone) -> Self {
        Self { clock: LocalTime::new(zone) }
    }
}

impl ReadLine for Correlation {
    fn read(&mut self, line: &[u8], object: &mut Object<'_>) -> Result<()> {
        let mut c = Cursor::new(line);
        let time = c.until(b'|', "`|` behind the time")?;
        match Stamp::iso(time) {
            Some((stamp, length)) if length == time.len() => self.clock.write(&stamp, object.member(b"time")),
            _ => return Err(Bad::new(0, "a time such as `2025-03-03 11:42:07,381`")),
        }
        object.text_if_any(b"correlationId", c.until(b'|', "`|` behind the correlation id")?.trim_ascii());
        object.text_if_any(b"thread", c.until(b'|', "`|` behind the thread")?);
        let at = c.at;
        let duration = c.until(b'|', "`|` behind the duration")?;
        let Some(duration) = whole(duration.trim_ascii()) else { return Err(Bad::new(at, "a duration in whole milliseconds")) };
        object.integer(b"durationMs", duration);
        let at = c.at;
        let rest = c.take_rest();
        let (kind, rest) = match memchr::memchr(b'|', rest) {
            Some(end) => (rest.get(..end).unwrap_or_default(), rest.get(end + 1..)),
            None => (rest, None),
        };
        let kind = kind.trim_ascii();
        if kind.is_empty() {
            return Err(Bad::new(at, "what was measured: METHOD, HTTP, jdbc and so on"));
        }
        object.text(b"kind", kind);
        let at = at + kind.len() + 1;
        match (kind, rest) {
            (b"METHOD", Some(rest)) => between(rest, at, &[b"class", b"method"], b"arguments", &[], object),
            (b"HTTP State Transition", Some(rest)) => between(rest, at, &[b"connection", b"method"], b"url", &[b"state"], object),
            (b"HTTP", Some(rest)) => http(rest, at, object),
            (b"jdbc", Some(rest)) => between(rest, at, &[b"startedMs", b"method"], b"sql", &[b"url"], object),
            (b"ldap", Some(rest)) => {
                between(rest, at, &[b"startedMs", b"method", b"providerUrl", b"principal", b"argumentLengths"], b"arguments", &[], object)
            }
            (_, None) => Ok(()),
            (_, Some(rest)) => {
                details(rest, object);
                Ok(())
            }
        }
    }
}

/// `api|verb|template|path|Authorization|…` or `url|BACKEND LATENCY`.
fn http(rest: &[u8], at: usize, object: &mut Object<'_>) -> Result<()> {
    let bars = memchr::memchr_iter(b'|', rest).count();
    if rest.trim_ascii_end().ends_with(b"LATENCY") {
        return between(rest, at, &[], b"url", &[b"measure"], object);
    }
    // The first five are counted already.
    if bars + 6 < CALL_FIELDS {
        return Err(Bad::new(at + rest.len(), "20 fields of an API call, or a URL and `BACKEND LATENCY` or `ROUND-TRIP LATENCY`,"));
    }
    between(rest, at, &[b"api", b"method", b"resource", b"path"], b"authorization", &CALL_END, object)
}

/// Writes fields counted from the left and from the right, and what is left between them.
fn between(rest: &[u8], at: usize, left: &[&[u8]], middle: &[u8], right: &[&[u8]], object: &mut Object<'_>) -> Result<()> {
    let mut c = Cursor::new(rest);
    for name in left {
        let value = c.until(b'|', "`|` and further fields of this kind").map_err(|bad| bad.shifted(at))?;
        write(object, name, value);
    }
    let mut end = rest.len();
    for _ in right {
        match memchr::memrchr(b'|', rest.get(c.at..end).unwrap_or_default()) {
            Some(bar) => end = c.at + bar,
            None => return Err(Bad::new(at + rest.len(), "`|` and further fields of this kind")),
        }
    }
    write(object, middle, rest.get(c.at..end).unwrap_or_default());
    for (name, value) in right.iter().zip(rest.get(end + 1..).unwrap_or_default().split(|byte| *byte == b'|')) {
        write(object, name, value);
    }
    Ok(())
}

/// Numbers are those whose names say so: an application may be called `42`.
fn write(object: &mut Object<'_>, name: &[u8], value: &[u8]) {
    let value = value.trim_ascii();
    let is_number = name.ends_with(b"Ms") || name.ends_with(b"Bytes") || name == b"status";
    match if is_number { whole(value) } else { None } {
        Some(number) => object.integer(name, number),
        None if value == b"null" || (is_number && value.is_empty()) => object.member(name).extend_from_slice(b"null"),
        None => object.text(name, value),
    }
}

/// The fields of a kind that is not known, as a list.
fn details(rest: &[u8], object: &mut Object<'_>) {
    let out = object.member(b"details");
    for (i, value) in rest.split(|byte| *byte == b'|').enumerate() {
        out.push(if i == 0 { b'[' } else { b',' });
        string(out, value.trim_ascii());
    }
    out.push(b']');
}
