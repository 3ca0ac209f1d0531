//! Each record before and after.

use crate::plugin::test::{difference, differences, mismatches};
use serde_json::{Value, json};
use std::fmt::Write;
use tamis_authoring::cases::{Case, Report};
use tamis_authoring::desk::{Fate, Went};
use tamis_config::escaped;

/// Records of a case that are shown.
const RECORDS_MAX: usize = 20;
/// Characters of a record that are shown.
const RECORD_CHARS_MAX: usize = 2_000;

pub(super) fn text(ran: &[(Case, Report)], colour: bool) -> String {
    let mut out = String::new();
    for (case, report) in ran {
        // Writing to a text does not fail.
        let _ = one(&mut out, case, report, colour);
    }
    out
}

fn one(out: &mut String, case: &Case, report: &Report, colour: bool) -> std::fmt::Result {
    let state = if report.passed() { painted("ok", "32", colour) } else { painted("FAILED", "31", colour) };
    writeln!(out, "{} {state}", escaped(&case.name))?;
    let fates = report.run.iter().flat_map(|run| &run.fates);
    for (row, (before, fate)) in case.input().iter().zip(fates).enumerate().take(RECORDS_MAX) {
        record(out, case, report, row, (before, fate), colour)?;
    }
    if case.input().len() > RECORDS_MAX {
        writeln!(out, "  and {} more", case.input().len() - RECORDS_MAX)?;
    }
    for line in report.run.iter().flat_map(|run| &run.log).take(RECORDS_MAX) {
        writeln!(out, "  logged {}: {}", line.level.as_str(), escaped(&line.message))?;
    }
    let counters: Vec<String> = report.run.iter().flat_map(|run| &run.counters).map(|(name, count)| format!("{name} {count}")).collect();
    if !counters.is_empty() {
        writeln!(out, "  counted {}", counters.join(", "))?;
    }
    mismatches(out, case, report, colour)
}

fn record(out: &mut String, case: &Case, report: &Report, row: usize, (before, fate): (&[u8], &Fate), colour: bool) -> std::fmt::Result {
    writeln!(out, "  {:>3} {}", row + 1, cut(&String::from_utf8_lossy(before)))?;
    let went = match &fate.went {
        Went::Changed(after) => cut(after),
        _ => escaped(&fate.to_string()),
    };
    let hue = match fate.went {
        Went::Unchanged => "2",
        Went::Changed(_) => "0",
        Went::Dropped => "33",
        Went::Failed { .. } => "31",
    };
    let output = fate.output.as_ref().filter(|_| matches!(fate.went, Went::Changed(_))).map(|output| format!(", to {output}"));
    writeln!(out, "    > {}{}", painted(&went, hue, colour), escaped(&output.unwrap_or_default()))?;
    differences(out, &report.changes(case, row), ("was", "is"), colour)
}

pub(super) fn json(ran: &[(Case, Report)]) -> Value {
    let cases = ran.iter().map(|(case, report)| {
        let fates = report.run.iter().flat_map(|run| &run.fates);
        let records = case.input().iter().zip(fates).enumerate().map(|(row, (before, fate))| {
            let changes: Vec<Value> = report.changes(case, row).iter().map(|field| difference(field, ("was", "is"))).collect();
            let before = String::from_utf8_lossy(before);
            json!({ "before": before, "after": fate.text(&before), "fate": fate.to_string(), "to": fate.output, "changes": changes })
        });
        json!({ "name": case.name, "passed": report.passed(), "records": records.collect::<Vec<_>>() })
    });
    json!({ "cases": cases.collect::<Vec<_>>() })
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(RECORD_CHARS_MAX) {
        Some((end, _)) => format!("{}…", escaped(text.get(..end).unwrap_or_default())),
        None => escaped(text),
    }
}

fn painted(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
