//! What a gateway sends on a bad day: nothing, too much, and what somebody wrote to hurt.

use tamis_record::Field;
use tamis_sandbox::Failure;

use super::{Report, Setting, faults, is_late, records, rule};
use crate::desk::{Run, Split};

/// Bytes of a huge value.
const HUGE_BYTES: usize = 1 << 20;
/// How deep a hostile value is nested: what the host lets through by default.
const DEPTH: usize = 100;
/// How often what was short of time is tried again.
const TRIES_MORE: usize = 3;
/// Fields that are tried one by one; of a plugin with more, the first.
const FIELDS_MAX: usize = 64;

pub(super) fn check(setting: &Setting<'_>, report: &mut Report) {
    if let Err(failure) = empty(setting) {
        report.add(&rule::EMPTY, format!("a batch of no rows: {failure}"));
    }
    let Ok(configured) = setting.configured() else { return };
    let reads: Vec<Field> = configured.signature().reads.iter().take(FIELDS_MAX).cloned().collect();
    let base = setting.records.first().cloned().unwrap_or_else(|| b"{}".to_vec());

    let mut labels = vec!["a record without any field".to_owned()];
    let mut absent = vec![b"{}".to_vec()];
    for field in &reads {
        for (what, record) in [("absent", records::without(&base, &field.path)), ("null", records::with(&base, &field.path, "null"))] {
            labels.push(format!("`{}` {what}", field.path));
            absent.push(record);
        }
    }
    tell(setting, &rule::ABSENT, &labels, &absent, report);

    let (mut labels, mut hostile) = (Vec::new(), Vec::new());
    for field in &reads {
        for (what, value) in values() {
            labels.push(format!("`{}` with {what}", field.path));
            hostile.push(records::with(&base, &field.path, &value));
        }
    }
    tell(setting, &rule::HOSTILE, &labels, &hostile, report);

    for field in &reads {
        let (mut labels, mut huge) = (Vec::new(), Vec::new());
        for (what, value) in huge_values() {
            labels.push(format!("`{}` with {what}", field.path));
            huge.push(records::with(&base, &field.path, &value));
        }
        tell(setting, &rule::HUGE, &labels, &huge, report);
    }
}

/// Calls `process` with no rows, which the host itself never does.
fn empty(setting: &Setting<'_>) -> Result<(), Failure> {
    let (mut instance, signature) = setting.candidate.plugin().start(&setting.config)?;
    let columns: Vec<_> = signature.reads.iter().map(|field| tamis_record::Column::new(field.kind)).collect();
    instance.process(0, &columns.iter().collect::<Vec<_>>()).map(|_| ())
}

/// Runs records, each in a batch of its own, and tells which of them the plugin did not survive.
fn tell(setting: &Setting<'_>, rule: &'static super::Rule, labels: &[String], records: &[Vec<u8>], report: &mut Report) {
    let Some(run) = run(setting, records) else { return };
    for (row, cause, reason) in faults(&run).take(3) {
        let label = labels.get(row).map_or("", String::as_str);
        report.add(rule, format!("{label}: {cause}: {reason}"));
    }
}

/// One record a batch. What was short of time is tried again: another program may have taken it.
fn run(setting: &Setting<'_>, records: &[Vec<u8>]) -> Option<Run> {
    let mut run = setting.configured().ok()?.run(records, Split::Rows(1));
    for _ in 0..TRIES_MORE {
        let late: Vec<usize> = run.fates.iter().enumerate().filter(|(_, fate)| is_late(fate)).map(|(row, _)| row).collect();
        if late.is_empty() {
            break;
        }
        let again: Vec<&Vec<u8>> = late.iter().filter_map(|row| records.get(*row)).collect();
        let fates = setting.configured().ok()?.run(&again, Split::Rows(1)).fates;
        for (row, fate) in late.into_iter().zip(fates) {
            if let Some(place) = run.fates.get_mut(row) {
                *place = fate;
            }
        }
    }
    Some(run)
}

/// Values of every kind that have broken a program before, as JSON text. A field that is of another kind counts as absent.
fn values() -> Vec<(&'static str, String)> {
    let text = |text: &str| serde_json::Value::from(text).to_string();
    vec![
        ("the empty text", text("")),
        ("control characters", text("\0\u{1}\r\n\t\u{1b}[2J\u{7f}\u{85}")),
        ("a lone surrogate", r#""\ud800""#.to_owned()),
        ("two surrogates in the wrong order", r#""a\udc00\ud83db""#.to_owned()),
        ("an overlong line of quotes", text(&"\"'\\".repeat(2_000))),
        ("characters of four bytes", text(&"\u{1f600}\u{10ffff}".repeat(50))),
        ("combining and reordering characters", text("e\u{301}\u{202e}abc\u{200d}\u{feff}")),
        ("letters whose case changes their length", text("ßŉǰİ\u{1e9e}ﬀ")),
        ("a path", text("../../../../etc/passwd")),
        ("a template", text("${x} {{x}} %s %n <script>")),
        ("a formula and separators", text("=1+1;,|\t,;")),
        ("a number as text", text("-9223372036854775809")),
        ("the smallest integer", i64::MIN.to_string()),
        ("the largest integer", i64::MAX.to_string()),
        ("an integer beyond 64 bits", "18446744073709551616".to_owned()),
        ("minus one", "-1".to_owned()),
        ("zero", "0".to_owned()),
        ("a negative zero", "-0.0".to_owned()),
        ("the largest float", f64::MAX.to_string()),
        ("the smallest float", "5e-324".to_owned()),
        ("a float beyond the range", "1e999".to_owned()),
        ("a number of 400 digits", "9".repeat(400)),
        ("true", "true".to_owned()),
        ("false", "false".to_owned()),
        ("an empty object", "{}".to_owned()),
        ("an empty array", "[]".to_owned()),
        ("deep arrays", format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH))),
        ("deep objects", format!("{}1{}", r#"{"a":"#.repeat(DEPTH), "}".repeat(DEPTH))),
        ("repeated and escaped keys", r#"{"a":1,"a":2,"\u0061":3,"":4,"\ud800":5}"#.to_owned()),
        ("an array of all kinds", r#"[null,true,1,-1.5e300,"\u0000",[],{}]"#.to_owned()),
    ]
}

fn huge_values() -> Vec<(&'static str, String)> {
    vec![
        ("a text of 1 MiB", format!("\"{}\"", "x".repeat(HUGE_BYTES))),
        ("a text of 1 MiB of escapes", format!("\"{}\"", "\\\"".repeat(HUGE_BYTES / 2))),
        ("a text of 1 MiB of digits, dots and signs", format!("\"{}\"", "1.2@3-4:".repeat(HUGE_BYTES / 8))),
        ("an array of 1 MiB", format!("[{}1]", "1,".repeat(HUGE_BYTES / 2))),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_json_that_the_host_takes() {
        for (what, value) in values().into_iter().chain(huge_values()) {
            let record = format!("{{\"v\":{value}}}\n");
            let mut batch = tamis_record::Batch::new(tamis_record::Fields::new().into());
            let mut faults = Vec::new();
            batch.load(tamis_record::Records::from_lines(record.into_bytes()).into(), &mut faults);
            assert!(faults.is_empty(), "{what}: {faults:?}");
        }
    }
}
