//! Where objects go, and what they are called.

use super::Row;
use crate::document::Document;
use crate::timestamp::microseconds;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tamis_config::PathTemplate;
use tamis_nodes::sinks::fill_path;
use tamis_record::Path;

/// Bytes of a key with the object's name, as S3 bounds it.
const KEY_BYTES_MAX: usize = 1_024;
/// Bytes that the name takes, with its extension and the slash before it.
const NAME_BYTES: usize = 1 + 32 + 17 + 11;

/// Finds the keys of records.
#[derive(Debug)]
pub(super) struct Keys {
    /// What all of them begin with, without a slash at the end.
    base: String,
    /// What follows; `None`: nothing.
    template: Option<PathTemplate>,
    time_field: Option<Path>,
    /// Whether what a record holds matters.
    by_record: bool,
}

impl Keys {
    /// Keys that begin with `base`, and go on as the template says, if there is one.
    pub(super) fn new(base: &str, template: Option<PathTemplate>, time_field: Option<&Path>) -> Self {
        let by_record = template.as_ref().is_some_and(|template| {
            let has_time =
                template.parts.iter().flat_map(|part| &part.pieces).any(|piece| matches!(piece, tamis_config::PathPiece::Time(_)));
            template.fields().next().is_some() || (time_field.is_some() && has_time)
        });
        Self { base: base.to_owned(), template, time_field: time_field.cloned(), by_record }
    }

    /// The key of a record, without its object's name.
    ///
    /// # Errors
    /// It is no object, or its values make a key that no store takes.
    pub(super) fn of(&self, record: &[u8], now: SystemTime) -> Result<String, &'static str> {
        let mut key = self.base.clone();
        if let Some(template) = &self.template {
            if !key.is_empty() {
                key.push('/');
            }
            if self.by_record {
                let document = Document::parse(record).ok_or("the record is not an object")?;
                let told = self.time_field.as_ref().and_then(|field| microseconds(&document.text(field)?));
                let time = told.and_then(at).unwrap_or(now);
                let values: Vec<Option<Cow<'_, str>>> = template.fields().map(|field| document.text(field)).collect();
                fill_path(template, time, |at| values.get(at)?.as_ref().map(|value| value.as_bytes()), &mut key);
            } else {
                fill_path(template, now, |_| None, &mut key);
            }
        }
        match key.len() + NAME_BYTES <= KEY_BYTES_MAX {
            true => Ok(key),
            false => Err("the key would have more than 1,024 bytes"),
        }
    }
}

/// A time in microseconds since 1970, which may lie before.
fn at(micros: i64) -> Option<SystemTime> {
    let distance = Duration::from_micros(micros.unsigned_abs());
    if micros < 0 { UNIX_EPOCH.checked_sub(distance) } else { UNIX_EPOCH.checked_add(distance) }
}

/// What the records of an object are called: the same whenever they come again together. Equal lines at the same place of another file of
/// that name, or of another host, are called the same too, so it is no name for an object alone.
pub(super) fn identity<'r>(rows: impl Iterator<Item = &'r Row<'r>>) -> String {
    let mut hash = Sha256::new();
    let mut rows = rows.peekable();
    if let Some((_, _, origin)) = rows.peek() {
        for part in [origin.pipeline, origin.source, origin.stream] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(origin.offset.unwrap_or(u64::MAX).to_be_bytes());
    }
    for (_, line, _) in rows {
        hash.update((line.len() as u64).to_be_bytes());
        hash.update(line);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_nodes::sinks::Origin;

    /// 2024-03-01T00:05:05Z
    const NOW: u64 = 1_709_251_505;

    fn key(template: &str, time_field: Option<&str>, record: &str) -> Result<String, &'static str> {
        let template = PathTemplate::parse(template).unwrap();
        let base = template.base.clone();
        let field = time_field.map(|field| field.parse().unwrap());
        Keys::new(&base, Some(template), field.as_ref()).of(record.as_bytes(), UNIX_EPOCH + Duration::from_secs(NOW))
    }

    #[test]
    fn keys_from_fields_and_times() {
        let record = r#"{"t":"acme","n":7,"o":{"x":"y"},"at":"1999-12-31T23:59:59Z","then":946684799}"#;
        for (template, time_field, expected) in [
            ("logs/%{t}/%Y/%m/%d/%H", None, "logs/acme/2024/03/01/00"),
            ("%{o.x}-%{n}", None, "y-7"),
            ("a/dt=%Y-%m-%d", Some("at"), "a/dt=1999-12-31"),
            ("%Y/%{t}", Some("then"), "1999/acme"),
            ("%Y/%{t}", Some("missing"), "2024/acme"),
            ("%{o}/%{missing}", None, "_/_"),
            ("plain/name", None, "plain/name"),
        ] {
            assert_eq!(key(template, time_field, record).as_deref(), Ok(expected), "{template}");
        }
        assert_eq!(key("%Y", None, "not parsed where nothing asks for it").as_deref(), Ok("2024"));
        assert!(key("%{t}", None, "[]").unwrap_err().contains("object"));
        assert!(key(&["%{t}"; 8].join("/"), None, &format!("{{\"t\":\"{}\"}}", "a".repeat(500))).unwrap_err().contains("1,024"));
        for (value, expected) in [
            ("-5e9", "1811-07-23T15:06:40"),
            ("\"1969-12-31T23:59:59.5Z\"", "1969-12-31T23:59:59"),
            ("\"1600-02-29\"", "1600-02-29T00:00:00"),
            ("\"9999-12-31T23:59:59Z\"", "9999-12-31T23:59:59"),
        ] {
            let key = key("%Y-%m-%dT%H:%M:%S", Some("at"), &format!("{{\"at\":{value}}}"));
            assert_eq!(key.as_deref(), Ok(expected), "{value}");
        }
    }

    #[test]
    fn values_lead_nowhere_else() {
        for value in ["..", ".", "../../x", "/etc", "a/b", "a\\\\b", "\\u0000", "\\n", "a#1", "%2e%2e", "\\u202e", "é"] {
            let key = key("out/%{t}/x", None, &format!("{{\"t\":\"{value}\"}}")).unwrap();
            assert!(key.starts_with("out/") && key.ends_with("/x") && key.matches('/').count() == 2, "{key}");
            let path = object_store::path::Path::parse(format!("{key}/name")).unwrap();
            assert_eq!(path.as_ref(), format!("{key}/name"));
        }
    }

    #[test]
    fn names_are_those_of_records_and_their_origin() {
        let origin = Origin { pipeline: "p", source: "s", stream: "f", offset: Some(7) };
        let of = |lines: &[&str], origin: Origin<'static>| {
            let rows: Vec<Row<'_>> = lines.iter().enumerate().map(|(place, line)| (place, line.as_bytes(), origin)).collect();
            identity(rows.iter())
        };
        let name = of(&["a", "b"], origin);
        assert_eq!((name.len(), &of(&["a", "b"], origin)), (32, &name));
        for other in [
            of(&["a"], origin),
            of(&["ab"], origin),
            of(&["a", "b"], Origin { offset: Some(8), ..origin }),
            of(&["a", "b"], Origin { source: "sf", stream: "", ..origin }),
            of(&["a", "b"], Origin { offset: None, ..origin }),
        ] {
            assert_ne!(other, name);
        }
    }
}
