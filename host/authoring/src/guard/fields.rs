//! Fields declared against fields that matter, over all cases.

use std::collections::BTreeMap;

use serde_json::Value;
use tamis_record::{Field, Fields, Kind};

use super::{Report, Setting, records, rule};
use crate::desk::{BATCH_ROWS, Fate, Run, Split, Went};

/// Whether a declared field, output or way was ever seen.
#[derive(Default)]
struct Seen {
    reads: BTreeMap<(String, &'static str), Read>,
    writes: BTreeMap<String, bool>,
    ways: BTreeMap<String, bool>,
}

#[derive(Default)]
struct Read {
    present: bool,
    touched: bool,
}

/// What is never touched in any configuration; nothing is said of plugins without records of their own.
pub(super) fn check(settings: &[Setting<'_>], report: &mut Report) {
    let mut seen = Seen::default();
    for setting in settings.iter().filter(|setting| setting.own) {
        look(setting, &mut seen);
    }
    for ((path, kind), read) in &seen.reads {
        if !read.present {
            report.add(&rule::READ_ABSENT, format!("no record of the cases has `{path}` as {kind}"));
        } else if !read.touched {
            report.add(&rule::READ_UNUSED, format!("`{path}` is declared as read, and no outcome of the cases changes without it"));
        }
    }
    for (path, _) in seen.writes.iter().filter(|(_, written)| !**written) {
        report.add(&rule::WRITE_UNUSED, format!("`{path}` is declared as written, and no case makes the plugin write it"));
    }
    for (way, _) in seen.ways.iter().filter(|(_, taken)| !**taken) {
        report.add(&rule::WAY_UNUSED, format!("{way} is declared, and no record of the cases takes it"));
    }
}

fn look(setting: &Setting<'_>, seen: &mut Seen) {
    let Ok(mut configured) = setting.configured() else { return };
    let signature = configured.signature().clone();
    let run = configured.run(&setting.records, Split::Rows(BATCH_ROWS));
    for field in &signature.reads {
        let read = seen.reads.entry((field.path.to_string(), field.kind.name())).or_default();
        read.present |= is_present(&setting.records, field);
        if read.present && !read.touched {
            read.touched = matters(setting, field, &run);
        }
    }
    for field in &signature.writes {
        let written = seen.writes.entry(field.path.to_string()).or_default();
        *written |= setting.records.iter().zip(&run.fates).any(|(record, fate)| is_written(record, fate, field));
    }
    for output in &signature.outputs {
        let taken = seen.ways.entry(format!("the output `{output}`")).or_default();
        *taken |= run.fates.iter().any(|fate| fate.output.as_deref() == Some(output));
    }
    if signature.drops {
        let dropped = seen.ways.entry("dropping".to_owned()).or_default();
        *dropped |= run.fates.iter().any(|fate| fate.went == Went::Dropped);
    }
}

/// Whether the plugin would see the field in any of the records.
fn is_present(records: &[Vec<u8>], field: &Field) -> bool {
    let mut fields = Fields::new();
    let Ok(column) = fields.read(&field.path, field.kind) else { return true };
    let mut batch = tamis_record::Batch::new(fields.into());
    let mut text = Vec::new();
    for record in records {
        // A record may hold line feeds between its members.
        text.extend(record.iter().map(|byte| if *byte == b'\n' { b' ' } else { *byte }));
        text.push(b'\n');
    }
    let mut faults = Vec::new();
    batch.load(tamis_record::Records::from_lines(text).into(), &mut faults);
    batch.prepare(&[column], &mut faults);
    let column = batch.column(column);
    (0..column.len()).any(|row| column.is_present(row))
}

/// Whether any record fares otherwise without the field, or with another value in it.
fn matters(setting: &Setting<'_>, field: &Field, run: &Run) -> bool {
    let other = match field.kind {
        Kind::Text => "\"other\"",
        Kind::Integer => "7",
        Kind::Float => "7.5",
        Kind::Boolean => "false",
        Kind::Json => "{\"other\":7}",
    };
    let changed = |edit: &dyn Fn(&[u8]) -> Vec<u8>| {
        let records: Vec<Vec<u8>> = setting.records.iter().map(|record| edit(record)).collect();
        let Ok(mut configured) = setting.configured() else { return true };
        // A plugin that writes the whole record made every member of it, also those that it left as they were.
        let whole = configured.signature().writes.iter().any(|field| field.path.is_root());
        let after = configured.run(&records, Split::Rows(BATCH_ROWS));
        let pairs = setting.records.iter().zip(&run.fates).zip(records.iter().zip(&after.fates));
        pairs.into_iter().any(|((before, one), (record, other))| did(before, one, whole) != did(record, other, whole))
    };
    changed(&|record| records::without(record, &field.path)) || changed(&|record| records::with(record, &field.path, other))
}

/// What the plugin did with a record, apart from what the record was: the members that it set and removed at the outermost level.
#[derive(PartialEq)]
enum Did {
    Dropped,
    Failed(String),
    Kept(Option<String>, Vec<(String, Option<Value>)>),
}

fn did(before: &[u8], fate: &Fate, whole: bool) -> Did {
    let before = if whole { b"{}" } else { before };
    match &fate.went {
        Went::Dropped => Did::Dropped,
        Went::Failed { reason, .. } => Did::Failed(reason.clone()),
        Went::Unchanged => Did::Kept(fate.output.clone(), Vec::new()),
        Went::Changed(after) => Did::Kept(fate.output.clone(), changes(before, after)),
    }
}

fn changes(before: &[u8], after: &str) -> Vec<(String, Option<Value>)> {
    let (Ok(Value::Object(before)), Ok(Value::Object(after))) = (serde_json::from_slice(before), serde_json::from_str(after)) else {
        return Vec::new();
    };
    let set = after.iter().filter(|(key, value)| before.get(*key) != Some(value)).map(|(key, value)| (key.clone(), Some(value.clone())));
    let removed = before.keys().filter(|key| !after.contains_key(*key)).map(|key| (key.clone(), None));
    set.chain(removed).collect()
}

/// Whether a record left with another value in the field than it came with.
fn is_written(before: &[u8], fate: &Fate, field: &Field) -> bool {
    let Went::Changed(after) = &fate.went else { return false };
    if field.path.is_root() {
        return true;
    }
    let at = |text: &[u8]| -> Option<Value> {
        let parsed: Value = serde_json::from_slice(text).ok()?;
        let found = field.path.segments().iter().try_fold(&parsed, |value, segment| match segment {
            tamis_record::Segment::Key(key) => value.get(key.as_ref()),
            tamis_record::Segment::Index(index) => value.get(*index as usize),
        });
        found.cloned()
    };
    at(before) != at(after.as_bytes())
}
