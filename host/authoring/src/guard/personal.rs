//! Nothing of a record in what the plugin tells the operator: log lines, names of counters, reasons of rejects.

use std::collections::BTreeSet;

use tamis_record::Kind;

use super::{Report, Setting, records, rule};
use crate::desk::{BATCH_ROWS, Line, Run, Split, Went};

/// Characters from which on a value tells of somebody; shorter ones are in any text by chance.
const VALUE_CHARS_MIN: usize = 6;
/// Stands where a person would: found anywhere, it came out of a record.
const CANARY: &str = "canary4111.7f3a@tamis.invalid";

pub(super) fn check(setting: &Setting<'_>, report: &mut Report) {
    let Ok(mut configured) = setting.configured() else { return };
    let signature = configured.signature().clone();
    // What the author wrote into the configuration may be told; so may the names of fields.
    let known = |value: &str| setting.config.contains(value) || signature.reads.iter().any(|field| field.path.to_string().contains(value));
    let values: BTreeSet<String> = if setting.own {
        let all = setting.records.iter().flat_map(|record| records::values(record, VALUE_CHARS_MIN));
        all.filter(|value| !known(value)).collect()
    } else {
        BTreeSet::new()
    };
    look(configured.init_log(), &Run::default(), &values, report);
    look(&[], &configured.run(&setting.records, Split::Rows(BATCH_ROWS)), &values, report);

    let base = setting.records.first().cloned().unwrap_or_else(|| b"{}".to_vec());
    let texts = signature.reads.iter().filter(|field| matches!(field.kind, Kind::Text | Kind::Json));
    let canaries: Vec<Vec<u8>> = texts.map(|field| records::with(&base, &field.path, &format!("\"{CANARY}\""))).collect();
    let Ok(mut configured) = setting.configured() else { return };
    look(&[], &configured.run(&canaries, Split::Rows(1)), &BTreeSet::from([CANARY.to_owned()]), report);
}

fn look(init: &[Line], run: &Run, values: &BTreeSet<String>, report: &mut Report) {
    // The value itself is not repeated: a report is kept and read elsewhere too.
    let of = |value: &str| {
        if value == CANARY { "the text put into a field".to_owned() } else { format!("a value of {} characters", value.chars().count()) }
    };
    for line in init.iter().chain(&run.log) {
        if let Some(value) = values.iter().find(|value| line.message.contains(escaped(value).as_str())) {
            report.add(&rule::PERSONAL_LOG, format!("a line at level {} holds {}", line.level.as_str(), of(value)));
        }
    }
    for name in run.counters.keys() {
        if let Some(value) = values.iter().find(|value| name.contains(&counter_name(value))) {
            report.add(&rule::PERSONAL_COUNTER, format!("the name of a counter holds {}", of(value)));
        }
    }
    for fate in &run.fates {
        if let Went::Failed { cause: "reject", reason } = &fate.went
            && let Some(value) = values.iter().find(|value| reason.contains(escaped(value).as_str()))
        {
            report.add(&rule::PERSONAL_REASON, format!("the reason of a reject holds {}", of(value)));
        }
    }
}

/// A value as it would stand in a log line, whose control characters the host escapes.
fn escaped(value: &str) -> String {
    super::shown(value).trim_end_matches('…').to_owned()
}

/// A value as it would stand in a counter's name: `[a-z0-9_]`.
fn counter_name(value: &str) -> String {
    let name: String = value.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
    // A counter's name is short; a part of a long value gives it away as well.
    name.chars().take(24).collect()
}
