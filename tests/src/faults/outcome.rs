//! What a case found, and how it is printed.

use serde::Serialize;
use std::fmt::Write as _;

/// Memory that a host without plugins may take at any time, in bytes: queues, frames, files and the rest.
pub const MEMORY_BYTES_MAX: u64 = 96 << 20;
/// A host must answer that it is ready within this time of its start, in milliseconds.
pub const READY_MS_GOAL: u64 = 2_000;
/// Beyond this it has failed, however busy the machine.
pub const READY_MS_MAX: u64 = 5_000;

/// What a case found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// The case.
    pub case: String,
    /// How many faults were injected.
    pub injected: u64,
    /// Records sent.
    pub records: u64,
    /// Records neither delivered nor named.
    pub lost: u64,
    /// Records that did not arrive and are named: by a dead letter, or as lost by the writer's own doing.
    pub named: u64,
    /// Lines that are no record that was sent.
    pub corrupt: u64,
    /// Arrivals beyond the first.
    pub repeated: u64,
    /// How many may be.
    pub repeated_max: u64,
    /// The most memory a host had, in bytes.
    pub memory_bytes_peak: u64,
    /// The longest time from a start to an answer that it is ready, in milliseconds.
    pub ready_ms_max: u64,
    /// How long the case took.
    pub seconds: f64,
    /// Why it was not run.
    pub skipped: Option<String>,
    /// What did not hold.
    pub problems: Vec<String>,
    /// How the bound on repeats came about, and what else the reader should know.
    pub notes: Vec<String>,
}

impl Outcome {
    /// A case that cannot be run here.
    pub fn skipped(case: &str, why: impl Into<String>) -> Self {
        Self { case: case.into(), skipped: Some(why.into()), ..Self::default() }
    }

    /// Notes what does not hold, from the numbers.
    pub fn judge(&mut self) {
        let mut problem = |bad: bool, what: String| {
            if bad {
                self.problems.push(what);
            }
        };
        problem(self.lost > 0, format!("{} records are lost", self.lost));
        problem(self.corrupt > 0, format!("{} lines are corrupt or invented", self.corrupt));
        problem(self.repeated > self.repeated_max, format!("{} repeats, {} at most were expected", self.repeated, self.repeated_max));
        problem(
            self.memory_bytes_peak > MEMORY_BYTES_MAX,
            format!("{} MiB of memory, {} at most were expected", self.memory_bytes_peak >> 20, MEMORY_BYTES_MAX >> 20),
        );
        problem(self.ready_ms_max > READY_MS_MAX, format!("ready only after {} ms", self.ready_ms_max));
    }

    /// Whether everything holds.
    pub fn is_ok(&self) -> bool {
        self.problems.is_empty()
    }

    /// `ok`, `FAILED` or `skipped`.
    pub fn verdict(&self) -> &'static str {
        match (&self.skipped, self.is_ok()) {
            (Some(_), _) => "skipped",
            (None, true) => "ok",
            (None, false) => "FAILED",
        }
    }
}

/// The table, with notes and problems below it.
pub fn table(outcomes: &[Outcome]) -> String {
    let mut text = String::new();
    let head = ["case", "injected", "records", "lost", "named", "corrupt", "repeated", "bound", "MiB", "ready ms", "s", ""];
    let rows = outcomes.iter().map(|o| {
        [
            o.case.clone(),
            o.injected.to_string(),
            o.records.to_string(),
            o.lost.to_string(),
            o.named.to_string(),
            o.corrupt.to_string(),
            o.repeated.to_string(),
            o.repeated_max.to_string(),
            (o.memory_bytes_peak >> 20).to_string(),
            o.ready_ms_max.to_string(),
            format!("{:.1}", o.seconds),
            o.verdict().to_owned(),
        ]
    });
    let rows: Vec<[String; 12]> = std::iter::once(head.map(str::to_owned)).chain(rows).collect();
    let widths: Vec<usize> = (0..head.len()).map(|at| rows.iter().map(|row| row[at].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        for (at, (cell, width)) in row.iter().zip(&widths).enumerate() {
            // Writing into memory cannot fail.
            let _ = match at {
                0 => write!(text, "{cell:<width$}"),
                11 => write!(text, "  {cell}"),
                _ => write!(text, "  {cell:>width$}"),
            };
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    for outcome in outcomes {
        for (kind, line) in outcome
            .skipped
            .iter()
            .map(|line| ("skipped", line))
            .chain(outcome.notes.iter().map(|line| ("note", line)))
            .chain(outcome.problems.iter().map(|line| ("PROBLEM", line)))
        {
            let _ = writeln!(text, "{kind}: {}: {line}", outcome.case);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_judged_and_printed() {
        let sound = Outcome { case: "a".into(), repeated: 3, repeated_max: 3, memory_bytes_peak: MEMORY_BYTES_MAX, ..Outcome::default() };
        let of = |change: fn(&mut Outcome)| {
            let mut outcome = sound.clone();
            change(&mut outcome);
            outcome.judge();
            outcome
        };
        assert!(of(|_| ()).is_ok());
        for change in [
            (|o| o.lost = 1) as fn(&mut Outcome),
            |o| o.corrupt = 1,
            |o| o.repeated = 4,
            |o| o.memory_bytes_peak += 1,
            |o| o.ready_ms_max = READY_MS_MAX + 1,
            |o| o.problems.push("it did not end".into()),
        ] {
            let bad = of(change);
            assert_eq!((bad.is_ok(), bad.problems.len()), (false, 1), "{bad:?}");
            assert!(table(&[bad]).contains("FAILED"));
        }
        let text = table(&[of(|_| ()), Outcome::skipped("b", "no such tool")]);
        assert!(text.contains("skipped: b: no such tool") && text.lines().nth(1).is_some_and(|row| row.ends_with("ok")), "{text}");
    }
}
