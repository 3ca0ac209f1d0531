//! Events as JSON.

use crate::fields::string;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rmpv::ValueRef;
use rmpv::decode::read_value_ref;
use std::collections::BTreeMap;

/// How deep values may lie in each other.
const DEPTH_MAX: usize = 64;
/// The type of an extension that is a time with nanoseconds.
const EVENT_TIME: i8 = 0;
/// The first second of the year 10000, which RFC 3339 cannot write.
const SECONDS_END: u64 = 253_402_300_800;

/// What is the same for the events of a message.
#[derive(Debug, Default)]
pub(super) struct Added<'a> {
    pub(super) tag: Option<(&'a str, &'a str)>,
    pub(super) time: Option<&'a str>,
    pub(super) peer: Option<(&'a str, &'a str)>,
}

/// Appends an event as a JSON object. The fields that stand for the event itself take the place of those that the record has under
/// these names.
pub(super) fn event(out: &mut Vec<u8>, time: &[u8], record: &[u8], added: &Added<'_>) -> Result<(), String> {
    let time = instant(&read(time)?)?;
    let ValueRef::Map(members) = read(record)? else { return Err("expected a map as the event's record".to_owned()) };
    let own: Vec<(&str, &str)> = added.tag.into_iter().chain(added.time.map(|name| (name, time.as_str()))).chain(added.peer).collect();
    out.push(b'{');
    let begin = out.len();
    for (name, value) in &own {
        separate(out, begin);
        string(out, name);
        out.push(b':');
        string(out, value);
    }
    map(out, begin, &members, 1, |name| own.iter().any(|(own, _)| *own == name))?;
    out.push(b'}');
    Ok(())
}

/// Reads a value; how deep it may be was looked at when its end was.
fn read(mut bytes: &[u8]) -> Result<ValueRef<'_>, String> {
    read_value_ref(&mut bytes).map_err(|_| "not MessagePack".to_owned())
}

fn separate(out: &mut Vec<u8>, begin: usize) {
    if out.len() > begin {
        out.push(b',');
    }
}

/// Members of an object. Of several with one name the last stays, as in the protocol's own implementations.
fn map(
    out: &mut Vec<u8>,
    begin: usize,
    members: &[(ValueRef<'_>, ValueRef<'_>)],
    depth: usize,
    left_out: impl Fn(&str) -> bool,
) -> Result<(), String> {
    let names = members.iter().map(|(name, _)| key(name, depth)).collect::<Result<Vec<_>, _>>()?;
    let last: BTreeMap<&str, usize> = names.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
    for (at, (name, (_, value))) in names.iter().zip(members).enumerate() {
        if last.get(name.as_str()) != Some(&at) || left_out(name) {
            continue;
        }
        separate(out, begin);
        string(out, name);
        out.push(b':');
        write(out, value, depth)?;
    }
    Ok(())
}

/// A member's name: a text as it is, whatever else as the JSON that it would be.
fn key(value: &ValueRef<'_>, depth: usize) -> Result<String, String> {
    if let Some(text) = text_of(value)? {
        return Ok(text);
    }
    let mut json = Vec::new();
    write(&mut json, value, depth)?;
    String::from_utf8(json).map_err(|_| "a name that is not UTF-8".to_owned())
}

/// The text of a value that is one: UTF-8, or bytes, which are Base64 where they are not UTF-8.
fn text_of(value: &ValueRef<'_>) -> Result<Option<String>, String> {
    match value {
        ValueRef::String(text) => match text.as_str() {
            Some(text) => Ok(Some(text.to_owned())),
            None => Err("a text that is not UTF-8".to_owned()),
        },
        ValueRef::Binary(bytes) => Ok(Some(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(_) => BASE64_STANDARD.encode(bytes),
        })),
        _ => Ok(None),
    }
}

fn write(out: &mut Vec<u8>, value: &ValueRef<'_>, depth: usize) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("values lie more than {DEPTH_MAX} deep in each other"));
    }
    match value {
        ValueRef::Nil => out.extend_from_slice(b"null"),
        ValueRef::Boolean(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
        ValueRef::Integer(number) => out.extend_from_slice(number.to_string().as_bytes()),
        ValueRef::F32(number) => float(out, f64::from(*number)),
        ValueRef::F64(number) => float(out, *number),
        ValueRef::String(_) | ValueRef::Binary(_) => string(out, &text_of(value)?.unwrap_or_default()),
        ValueRef::Array(values) => {
            out.push(b'[');
            let begin = out.len();
            for value in values {
                separate(out, begin);
                write(out, value, depth + 1)?;
            }
            out.push(b']');
        }
        ValueRef::Map(members) => {
            out.push(b'{');
            let begin = out.len();
            map(out, begin, members, depth + 1, |_| false)?;
            out.push(b'}');
        }
        ValueRef::Ext(EVENT_TIME, _) => string(out, &instant(value)?),
        ValueRef::Ext(kind, bytes) => {
            out.extend_from_slice(format!("{{\"type\":{kind},\"data\":\"{}\"}}", BASE64_STANDARD.encode(bytes)).as_bytes());
        }
    }
    Ok(())
}

/// A number; JSON has none for infinity and for what is no number.
fn float(out: &mut Vec<u8>, number: f64) {
    let _ = serde_json::to_writer(out, &number);
}

/// An event's time as RFC 3339.
fn instant(value: &ValueRef<'_>) -> Result<String, String> {
    let (seconds, nanos) = match value {
        ValueRef::Integer(seconds) => (seconds.as_u64(), 0),
        ValueRef::F64(seconds) if (0.0..SECONDS_END as f64).contains(seconds) => {
            (Some(seconds.trunc() as u64), ((seconds.fract() * 1e9) as u32).min(999_999_999))
        }
        ValueRef::Ext(EVENT_TIME, bytes) => match <[u8; 8]>::try_from(*bytes) {
            Ok([a, b, c, d, e, f, g, h]) => (Some(u64::from(u32::from_be_bytes([a, b, c, d]))), u32::from_be_bytes([e, f, g, h])),
            Err(_) => (None, 0),
        },
        _ => (None, 0),
    };
    match seconds {
        Some(seconds) if seconds < SECONDS_END && nanos < 1_000_000_000 => Ok(rfc3339(seconds, nanos)),
        _ => Err("expected seconds since 1970 or an EventTime as the event's time".to_owned()),
    }
}

fn rfc3339(seconds: u64, nanos: u32) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Years are counted from March, so that the day that some of them have more comes last; 400 of them have 146,097 days.
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    let time = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}");
    if nanos == 0 { format!("{time}Z") } else { format!("{time}.{nanos:09}Z") }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rmpv::Value;

    fn packed(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, value).unwrap();
        bytes
    }

    fn json(time: Value, record: Value) -> Result<String, String> {
        let added = Added { tag: Some(("tag", "app.web")), time: Some("time"), peer: Some(("peer", "::1")) };
        let mut out = Vec::new();
        event(&mut out, &packed(&time), &packed(&record), &added).map(|()| String::from_utf8(out).unwrap())
    }

    #[test]
    fn all_kinds_of_values() {
        let record = Value::Map(vec![
            (Value::from("s"), Value::from("a\"b\n")),
            (Value::from("n"), Value::Nil),
            (Value::from("i"), Value::from(-5)),
            (Value::from("u"), Value::from(u64::MAX)),
            (Value::from("f"), Value::from(0.25)),
            (Value::from("nan"), Value::from(f64::NAN)),
            (Value::from("b"), Value::Binary(b"text".to_vec())),
            (Value::from("r"), Value::Binary(vec![0xff, 0])),
            (Value::from("x"), Value::Ext(7, vec![1, 2])),
            (Value::from("t"), Value::Ext(0, [1_700_000_000_u32.to_be_bytes(), 5_u32.to_be_bytes()].concat())),
            (Value::from(3), Value::Array(vec![Value::from(true), Value::Map(vec![])])),
            (Value::Nil, Value::from(1)),
            (Value::from("i"), Value::from(6)),
            (Value::from("tag"), Value::from("made up")),
        ]);
        let expected = concat!(
            r#"{"tag":"app.web","time":"2023-11-14T22:13:20Z","peer":"::1","s":"a\"b\n","n":null,"u":18446744073709551615,"f":0.25,"#,
            r#""nan":null,"b":"text","r":"/wA=","x":{"type":7,"data":"AQI="},"t":"2023-11-14T22:13:20.000000005Z","3":[true,{}],"null":1,"i":6}"#
        );
        assert_eq!(json(Value::from(1_700_000_000), record).unwrap(), expected);
    }

    #[test]
    fn what_is_no_event() {
        let map = || Value::Map(vec![]);
        for (time, record, reason) in [
            (Value::from("now"), map(), "seconds since 1970"),
            (Value::from(-1), map(), "seconds since 1970"),
            (Value::from(SECONDS_END), map(), "seconds since 1970"),
            (Value::Ext(0, vec![0; 7]), map(), "seconds since 1970"),
            (Value::from(1), Value::from("text"), "expected a map"),
            (Value::from(1), (0..100).fold(map(), |inner, _| Value::Map(vec![(Value::from("a"), inner)])), "64 deep"),
        ] {
            let found = json(time, record).unwrap_err();
            assert!(found.contains(reason), "{found}");
        }
    }

    #[test]
    fn times() {
        for (seconds, nanos, text) in [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 1, "2000-02-29T00:00:00.000000001Z"),
            (4_107_542_399, 0, "2100-02-28T23:59:59Z"),
            (4_107_542_400, 0, "2100-03-01T00:00:00Z"),
            (SECONDS_END - 1, 999_999_999, "9999-12-31T23:59:59.999999999Z"),
        ] {
            assert_eq!(rfc3339(seconds, nanos), text);
        }
    }
}
