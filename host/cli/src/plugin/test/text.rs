//! Results for people.

use super::Tested;
use serde_json::Value;
use std::fmt::Write;
use tamis_authoring::cases::{Blessed, Case, Difference, Mismatch, Report};
use tamis_config::escaped;

/// Characters of a value that are shown.
const VALUE_CHARS_MAX: usize = 400;
/// Mismatches of a case that are shown.
const MISMATCHES_MAX: usize = 20;
/// Log lines of a failing case that are shown.
const LINES_SHOWN_MAX: usize = 20;

pub(super) fn all(all: &[Tested], colour: bool) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = plugins(&mut out, all, colour);
    out
}

fn plugins(out: &mut String, all: &[Tested], colour: bool) -> std::fmt::Result {
    let (mut passed, mut failed) = (0, 0);
    for tested in all {
        writeln!(out, "{} ({})", escaped(&tested.plugin), escaped(&tested.component.display().to_string()))?;
        for (case, report) in &tested.cases {
            one(out, case, report, colour)?;
        }
        failed += tested.failed();
        passed += tested.cases.len() - tested.failed();
    }
    let failures = if failed == 0 { String::new() } else { painted(&format!(", {failed} failed"), "31", colour) };
    writeln!(out, "{passed} passed{failures}")
}

fn one(out: &mut String, case: &Case, report: &Report, colour: bool) -> std::fmt::Result {
    let state = if report.passed() { painted("ok", "32", colour) } else { painted("FAILED", "31", colour) };
    let count = match case.input().len() {
        0 => String::new(),
        1 => ", 1 record".to_owned(),
        count => format!(", {count} records"),
    };
    let blessed = if report.blessed == Some(Blessed::Written) { ", golden file written" } else { "" };
    let ms = report.took.as_secs_f64() * 1e3;
    writeln!(out, "  {state} {} ({ms:.1} ms{count}{blessed})", escaped(&case.name))?;
    mismatches(out, case, report, colour)?;
    let log = report.run.iter().filter(|_| !report.passed()).flat_map(|run| &run.log);
    for line in log.take(LINES_SHOWN_MAX) {
        writeln!(out, "    logged {}: {}", line.level.as_str(), escaped(&line.message))?;
    }
    Ok(())
}

/// What of a case is not as expected.
pub(in crate::plugin) fn mismatches(out: &mut String, case: &Case, report: &Report, colour: bool) -> std::fmt::Result {
    for mismatch in report.mismatches.iter().take(MISMATCHES_MAX) {
        self::mismatch(out, case, mismatch, colour)?;
    }
    if report.mismatches.len() > MISMATCHES_MAX {
        writeln!(out, "    and {} more", report.mismatches.len() - MISMATCHES_MAX)?;
    }
    Ok(())
}

fn mismatch(out: &mut String, case: &Case, mismatch: &Mismatch, colour: bool) -> std::fmt::Result {
    let record = mismatch.record.map(|record| format!("record {record}, ")).unwrap_or_default();
    let line = mismatch.line.map(|line| format!(":{line}")).unwrap_or_default();
    writeln!(
        out,
        "    {record}{}{line}: expected {}, found {}",
        escaped(&case.file.display().to_string()),
        escaped(&mismatch.expected),
        escaped(&mismatch.found)
    )?;
    differences(out, &mismatch.fields, ("expected", "found"), colour)
}

/// A line for each field that differs, `words` before the two values.
pub(in crate::plugin) fn differences(out: &mut String, fields: &[Difference], words: (&str, &str), colour: bool) -> std::fmt::Result {
    for Difference { path, expected, found } in fields {
        let (expected, found) = (painted(&shown(expected.as_ref()), "31", colour), painted(&shown(found.as_ref()), "32", colour));
        writeln!(out, "      {}: {} {expected}, {} {found}", escaped(path), words.0, words.1)?;
    }
    Ok(())
}

fn shown(value: Option<&Value>) -> String {
    let Some(value) = value else { return "nothing".to_owned() };
    let text = escaped(&value.to_string());
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn painted(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}
