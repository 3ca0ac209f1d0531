//! What became of every record, for people.

use crate::screen;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use std::fmt::Write as _;
use tamis_runtime::{PipelineSummary, Summary};

/// The report as text.
pub(crate) fn text(summary: &Summary) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for pipeline in &summary.pipelines {
        records(&mut out, pipeline, summary)?;
        steps(&mut out, pipeline)?;
    }
    counters(&mut out, summary)?;
    for (number, sample) in summary.samples.iter().enumerate() {
        let (before, after) = highlighted(&sample.before, &sample.after);
        writeln!(out, "\nrecord {} of {}, to {}\n  before  {before}\n  after   {after}", number + 1, sample.pipeline, sample.output)?;
    }
    Ok(out)
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_header(header);
    for column in 1..header.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn records(out: &mut String, pipeline: &PipelineSummary, summary: &Summary) -> std::fmt::Result {
    let mut table = table(&[&format!("pipeline {}", pipeline.name), "records", "share"]);
    let share = |n: u64| if pipeline.taken == 0 { String::new() } else { format!("{:.2} %", 100.0 * n as f64 / pipeline.taken as f64) };
    table.add_row(["in".to_string(), grouped(pipeline.taken), String::new()]);
    for (output, count) in &pipeline.outputs {
        table.add_row([format!("out: {output}"), grouped(*count), share(*count)]);
    }
    table.add_row(["dropped on purpose".to_string(), grouped(pipeline.dropped), share(pipeline.dropped)]);
    table.add_row(["dead letters".to_string(), grouped(pipeline.rejected), share(pipeline.rejected)]);
    for (cause, count) in &pipeline.dead_letters {
        table.add_row([format!("  {cause}"), grouped(*count), share(*count)]);
    }
    writeln!(out, "{table}")?;
    let rate = pipeline.taken as f64 / summary.seconds.max(1e-9);
    writeln!(out, "{} records/s over {:.2} s\n", grouped(rate as u64), summary.seconds)
}

fn steps(out: &mut String, pipeline: &PipelineSummary) -> std::fmt::Result {
    let mut table = table(&["step", "in", "dropped", "failed", "seconds", "ns a record"]);
    let mut row = |name: &str, taken: u64, dropped: u64, failed: u64, seconds: f64| {
        let each = if taken == 0 { String::new() } else { format!("{:.0}", seconds * 1e9 / taken as f64) };
        table.add_row([name.to_string(), grouped(taken), grouped(dropped), grouped(failed), format!("{seconds:.3}"), each]);
    };
    row("(scan)", pipeline.taken, 0, 0, pipeline.scan_seconds);
    for step in &pipeline.steps {
        row(&step.name, step.taken, step.dropped, step.rejected, step.seconds);
    }
    row("(encode)", pipeline.out, 0, 0, pipeline.encode_seconds);
    writeln!(out, "{table}\n")
}

fn counters(out: &mut String, summary: &Summary) -> std::fmt::Result {
    if summary.plugins.values().all(|c| c.is_empty()) {
        return Ok(());
    }
    let mut table = table(&["plugin counter", "value"]);
    for (plugin, counters) in &summary.plugins {
        for (name, value) in counters {
            table.add_row([format!("{plugin}: {name}"), grouped(*value)]);
        }
    }
    writeln!(out, "{table}")
}

/// `1234567` as `1,234,567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Both texts free of control characters; on a terminal, what differs is coloured.
fn highlighted(before: &str, after: &str) -> (String, String) {
    let (before, after) = (tamis_config::escaped(before), tamis_config::escaped(after));
    if !screen::colour_on_stdout() {
        return (before, after);
    }
    let parts = |text: &str| text.split_inclusive([',', '{', '}']).map(str::to_string).collect::<Vec<_>>();
    let (old, new) = (parts(&before), parts(&after));
    let paint = |mine: &[String], other: &[String], colour: &str| {
        mine.iter().map(|p| if other.contains(p) { p.clone() } else { format!("\u{1b}[{colour}m{p}\u{1b}[0m") }).collect::<String>()
    };
    (paint(&old, &new, "31"), paint(&new, &old, "32"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn numbers_are_grouped() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(super::grouped(number), text);
        }
    }
}
