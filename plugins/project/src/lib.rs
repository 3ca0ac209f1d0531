//! Keeps, removes and renames fields: either a new record of the fields named, or changes in place.
//!
//! It sees the fields that it copies, as JSON text, and copies them as they stand. See the README for the configuration.

pub mod config;

use tamis_plugin::contract::types::{Column as Returned, Values as ReturnedValues, VarValues};
use tamis_plugin::{Batch, BatchPlugin, Column, Field, Kind, Outcome, Patch, Signature};

pub use crate::config::Config;
use crate::config::{FIELDS_MAX, Leaf, Member, Shape, add_member};

/// The plugin.
#[derive(Debug)]
pub struct Project {
    columns: usize,
    work: Work,
}

/// What is done with each record.
#[derive(Debug)]
enum Work {
    /// It becomes another one.
    Anew(Vec<Member>),
    /// Columns whose fields go, with the index in the signature's writes; new fields with the same.
    InPlace { removed: Vec<(usize, u32)>, taken: Vec<(Leaf, u32)> },
}

impl BatchPlugin for Project {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let config: Config = tamis_plugin::config::parse(config)?;
        let named = config.keep.as_ref().map_or(0, Vec::len) + config.take.len() + config.remove.len();
        if named == 0 || named > FIELDS_MAX {
            return Err(format!("configuration: expected 1 to {FIELDS_MAX} fields in `keep`, `take` and `remove`, found {named}"));
        }
        let mut reads = Vec::new();
        let (work, writes) = match &config.keep {
            Some(keep) => (anew(&config, keep, &mut reads)?, vec![".".to_owned()]),
            None => in_place(&config, &mut reads)?,
        };
        let columns = reads.len();
        let fields = |paths: Vec<String>| paths.into_iter().map(|path| Field { path, kind: Kind::Json }).collect();
        let signature = Signature { reads: fields(reads), writes: fields(writes), outputs: Vec::new(), drops: false };
        Ok((Self { columns, work }, signature))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
        if batch.columns.len() != self.columns {
            return Err(format!("expected {} columns, found {}", self.columns, batch.columns.len()));
        }
        let patches = match &self.work {
            Work::Anew(members) => vec![records(batch, members)],
            Work::InPlace { removed, taken } => removed
                .iter()
                .filter_map(|(column, field)| remove(batch, *column, *field))
                .chain(taken.iter().filter_map(|(leaf, field)| take(batch, *leaf, *field)))
                .collect(),
        };
        Ok(Outcome { verdicts: None, patches, rejects: Vec::new() })
    }
}

/// The column of a field, which is read from now on.
fn column(reads: &mut Vec<String>, key: &str, path: &str) -> Result<usize, String> {
    if path.is_empty() || path == "." {
        return Err(format!("configuration key {key}: expected the path of a field, found `{path}`"));
    }
    Ok(reads.iter().position(|known| known == path).unwrap_or_else(|| {
        reads.push(path.to_owned());
        reads.len() - 1
    }))
}

fn anew(config: &Config, keep: &[String], reads: &mut Vec<String>) -> Result<Work, String> {
    if !config.remove.is_empty() {
        return Err("configuration key remove: with `keep` everything else goes; take one of the two".to_owned());
    }
    let mut members = Vec::new();
    for path in keep {
        let leaf = Leaf { column: column(reads, "keep", path)?, first: None };
        add_member(&mut members, path, leaf).map_err(|reason| format!("configuration key keep: {reason}"))?;
    }
    for (to, take) in &config.take {
        let (from, first) = take.parts();
        let leaf = Leaf { column: column(reads, "take", from)?, first };
        add_member(&mut members, to, leaf).map_err(|reason| format!("configuration key take.{to}: {reason}"))?;
    }
    Ok(Work::Anew(members))
}

fn in_place(config: &Config, reads: &mut Vec<String>) -> Result<(Work, Vec<String>), String> {
    let mut writes: Vec<String> = Vec::new();
    let mut taken = Vec::new();
    for (to, take) in &config.take {
        let (from, first) = take.parts();
        if to.is_empty() || to == "." {
            return Err(format!("configuration key take: expected the path of a field, found `{to}`"));
        }
        taken.push((to, Leaf { column: column(reads, "take", from)?, first }));
    }
    for path in &config.remove {
        column(reads, "remove", path)?;
    }
    // What gives its value to another goes, unless it is written itself.
    let mut removed = Vec::new();
    for (column, path) in reads.iter().enumerate() {
        if !config.take.contains_key(path) {
            removed.push((column, writes.len() as u32));
            writes.push(path.clone());
        } else if config.remove.contains(path) {
            return Err(format!("configuration key remove: `{path}` is written by `take`"));
        }
    }
    let taken = taken
        .into_iter()
        .map(|(to, leaf)| {
            writes.push(to.clone());
            (leaf, writes.len() as u32 - 1)
        })
        .collect();
    Ok((Work::InPlace { removed, taken }, writes))
}

/// The new records of a batch.
fn records(batch: &Batch<'_>, members: &[Member]) -> Patch {
    let mut values = VarValues { offsets: Vec::with_capacity(batch.rows as usize + 1), bytes: Vec::new() };
    values.offsets.push(0);
    for row in 0..batch.rows as usize {
        append_object(batch.columns, members, row, &mut values.bytes);
        values.offsets.push(u32::try_from(values.bytes.len()).unwrap_or(u32::MAX));
    }
    Patch { field: 0, rows: None, column: Returned { values: ReturnedValues::Json(values), present: None } }
}

/// Appends an object of those members that the row has. Says whether there are any.
fn append_object(columns: &[Column<'_>], members: &[Member], row: usize, out: &mut Vec<u8>) -> bool {
    out.push(b'{');
    let start = out.len();
    for member in members {
        let before = out.len();
        if before > start {
            out.push(b',');
        }
        out.extend_from_slice(&member.key);
        let found = match &member.value {
            Shape::Leaf(leaf) => append_leaf(columns, *leaf, row, out),
            Shape::Object(members) => append_object(columns, members, row, out),
        };
        if !found {
            out.truncate(before);
        }
    }
    let found = out.len() > start;
    out.push(b'}');
    found
}

/// Appends a value. Says whether the row has it.
#[inline]
fn append_leaf(columns: &[Column<'_>], leaf: Leaf, row: usize, out: &mut Vec<u8>) -> bool {
    let Some(value) = columns.get(leaf.column).and_then(|column| column.bytes(row)) else {
        return false;
    };
    match leaf.first {
        None => out.extend_from_slice(value),
        Some(first) => match value {
            [b'"', text @ .., b'"'] => {
                out.push(b'"');
                out.extend_from_slice(text.get(..end_of_first(text, first)).unwrap_or(text));
                out.push(b'"');
            }
            _ => return false,
        },
    }
    true
}

/// Where the first so many characters of a JSON string's inside end; an escape is one, and half a pair of surrogates not cut off.
fn end_of_first(text: &[u8], first: usize) -> usize {
    let mut at = 0;
    for _ in 0..first {
        at += match text.get(at) {
            None => return text.len(),
            Some(b'\\') if text.get(at + 1) == Some(&b'u') => match text.get(at + 2..at + 4) {
                // The first half of a pair.
                Some([b'd' | b'D', b'8' | b'9' | b'a' | b'A' | b'b' | b'B']) if text.get(at + 6..at + 8) == Some(b"\\u") => 12,
                _ => 6,
            },
            Some(b'\\') => 2,
            Some(0xf0..) => 4,
            Some(0xe0..) => 3,
            Some(0xc0..) => 2,
            Some(_) => 1,
        };
    }
    at.min(text.len())
}

/// The values of a new field.
fn take(batch: &Batch<'_>, leaf: Leaf, field: u32) -> Option<Patch> {
    let mut rows = Vec::new();
    let mut values = VarValues { offsets: vec![0], bytes: Vec::new() };
    for row in 0..batch.rows {
        if append_leaf(batch.columns, leaf, row as usize, &mut values.bytes) {
            rows.push(row);
            values.offsets.push(u32::try_from(values.bytes.len()).unwrap_or(u32::MAX));
        }
    }
    let column = Returned { values: ReturnedValues::Json(values), present: None };
    (!rows.is_empty()).then_some(Patch { field, rows: Some(rows), column })
}

/// Removes a field from the records that have it.
fn remove(batch: &Batch<'_>, column: usize, field: u32) -> Option<Patch> {
    let column = batch.columns.get(column)?;
    let rows: Vec<u32> = (0..batch.rows).filter(|row| column.is_present(*row as usize)).collect();
    let values = VarValues { offsets: vec![0; rows.len() + 1], bytes: Vec::new() };
    let present = vec![0; rows.len().div_ceil(8)];
    let column = Returned { values: ReturnedValues::Json(values), present: Some(present) };
    (!rows.is_empty()).then_some(Patch { field, rows: Some(rows), column })
}

tamis_plugin::export!(batch Project);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::Harness;

    use super::*;

    fn projected(config: Value, record: Value) -> Value {
        Harness::<Project>::new(config).expect("a sound configuration").run(json!([record])).records[0].clone()
    }

    #[test]
    fn a_new_record_holds_what_is_named_and_nothing_else() {
        let config =
            json!({"keep": ["a", "b.c", "b.\"x.y\""], "take": {"day": {"from": "time", "first": 10}, "b.n": "old", "z.y": "none"}});
        let record = json!({"a": 1.50, "b": {"c": [1, {"d": null}], "x.y": "é", "secret": 1}, "time": "2026-03-02T07:00:00Z", "old": {"k": true}, "e": 1});
        let wanted = json!({"a": 1.50, "b": {"c": [1, {"d": null}], "x.y": "é", "n": {"k": true}}, "day": "2026-03-02"});
        assert_eq!(projected(config.clone(), record), wanted);
        assert_eq!(projected(config, json!({"time": 7, "e": 1})), json!({}));
    }

    #[test]
    fn fields_are_removed_and_renamed_in_place() {
        let config = json!({"remove": ["gone", "x.y"], "take": {"new": "old", "o.day": {"from": "time", "first": 4}}});
        let record = json!({"gone": 1, "x": {"y": 2, "z": 3}, "old": [1], "time": "2026-03-02", "stays": null});
        let wanted = json!({"x": {"z": 3}, "new": [1], "o": {"day": "2026"}, "stays": null});
        assert_eq!(projected(config.clone(), record), wanted);
        assert_eq!(projected(config, json!({"stays": 1})), json!({"stays": 1}));
        let cut = json!({"take": {"time": {"from": "time", "first": 4}}});
        assert_eq!(projected(cut, json!({"time": "2026-03"})), json!({"time": "2026"}));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, first, end) in [
            ("abc", 2, 2),
            ("abc", 9, 3),
            ("éàx", 2, 4),
            (r"\n\u00e9x", 2, 8),
            (r"\ud83d\ude00x", 1, 12),
            (r"\ud83dx", 1, 6),
            ("😀x", 1, 4),
            ("", 3, 0),
            ("abc", 0, 0),
        ] {
            assert_eq!(end_of_first(text.as_bytes(), first), end, "{text} {first}");
        }
    }

    #[test]
    fn configurations_that_make_no_sense_are_refused() {
        for (config, reason) in [
            (json!({}), "expected 1 to 256 fields"),
            (json!({"keep": ["a"], "remove": ["b"]}), "take one of the two"),
            (json!({"keep": ["a", "a.b"]}), "lies within another field"),
            (json!({"keep": ["a", "a"]}), "another field has"),
            (json!({"keep": ["a[0]"]}), "without brackets"),
            (json!({"keep": ["."]}), "expected the path of a field"),
            (json!({"take": {"": "a"}}), "expected the path of a field"),
            (json!({"take": {"a": "b"}, "remove": ["a"]}), "is written by `take`"),
            (json!({"take": {"a": {"from": "b", "frist": 1}}}), "take"),
            (json!({"keep": ["a\"b"]}), "no path"),
        ] {
            let error = Harness::<Project>::new(config.clone()).err().expect("a refusal");
            assert!(error.contains(reason), "{config}: {error}");
        }
    }
}
