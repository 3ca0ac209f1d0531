//! A case against a component.

use std::time::{Duration, Instant};

use tamis_sandbox::Cause;

use super::expectation::{self, Difference, Expectation};
use super::golden::{self, Blessed};
use super::{Case, Expected, Trial};
use crate::desk::{Candidate, Run, Split, Went};

/// How a case went.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// What is not as expected; nothing: the case passed.
    pub mismatches: Vec<Mismatch>,
    /// What the records became and what was logged and counted; nothing where the plugin did not start.
    pub run: Option<Run>,
    /// What blessing did.
    pub blessed: Option<Blessed>,
    /// How long it took, the start of the plugin included.
    pub took: Duration,
}

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Mismatch {
    /// The record's number, from 1; `None`: it is about the case as a whole.
    pub record: Option<usize>,
    /// The line of the case (or of its golden file) that expects otherwise.
    pub line: Option<u32>,
    /// What was expected.
    pub expected: String,
    /// What came.
    pub found: String,
    /// The fields that differ, where two records could be compared.
    pub fields: Vec<Difference>,
}

impl Mismatch {
    fn whole(line: Option<u32>, expected: impl Into<String>, found: impl Into<String>) -> Self {
        Self { record: None, line, expected: expected.into(), found: found.into(), fields: Vec::new() }
    }
}

impl Report {
    /// Whether everything was as expected.
    pub fn passed(&self) -> bool {
        self.mismatches.is_empty()
    }

    /// The fields of record `row` (from 0) that are not as they came, `expected` being what they were.
    pub fn changes(&self, case: &Case, row: usize) -> Vec<Difference> {
        let fate = self.run.as_ref().and_then(|run| run.fates.get(row));
        match (fate.map(|fate| &fate.went), case.input().get(row)) {
            (Some(Went::Changed(after)), Some(before)) => expectation::changes(before, after),
            _ => Vec::new(),
        }
    }
}

/// Runs a case in a new instance, in batches of the host's default size. With `bless`, a case without `expect` writes its
/// golden file instead of being compared with it.
pub fn run(candidate: &Candidate, case: &Case, bless: bool) -> Report {
    let started = Instant::now();
    let mut report = Report { mismatches: Vec::new(), run: None, blessed: None, took: Duration::ZERO };
    report.mismatches = match &case.trial {
        Trial::Refusal { text, line } => refusal(candidate, case, text, *line),
        Trial::Records { input, expected } => match candidate.configure(&case.config) {
            Err(failure) => vec![Mismatch::whole(None, "a configuration that the plugin takes", failure.to_string())],
            Ok(mut configured) => {
                let run = configured.run(input, Split::default());
                let mismatches = compare(case, expected, &run, bless, &mut report.blessed);
                report.run = Some(run);
                mismatches
            }
        },
    };
    report.took = started.elapsed();
    report
}

fn refusal(candidate: &Candidate, case: &Case, text: &str, line: u32) -> Vec<Mismatch> {
    let expected = format!("a refusal with `{text}`");
    match candidate.configure(&case.config) {
        // A plugin that dies of its configuration has not refused it.
        Err(failure) if failure.cause == Cause::Reject && failure.reason.contains(text) => Vec::new(),
        Err(failure) => vec![Mismatch::whole(Some(line), expected, failure.to_string())],
        Ok(_) => vec![Mismatch::whole(Some(line), expected, "the plugin takes the configuration")],
    }
}

fn compare(case: &Case, expected: &Expected, run: &Run, bless: bool, blessed: &mut Option<Blessed>) -> Vec<Mismatch> {
    match expected {
        Expected::Listed(listed) => records(listed, case, run),
        Expected::Golden(path) if bless => match golden::bless(path, case, &run.fates) {
            Ok(done) => {
                *blessed = Some(done);
                Vec::new()
            }
            Err(error) => vec![Mismatch::whole(None, "a golden file", error)],
        },
        Expected::Golden(path) => match golden::read(path) {
            Ok(Some(listed)) if listed.len() == run.fates.len() => records(&listed, case, run),
            Ok(Some(listed)) => {
                let expected = format!("a line of {} for each of {} records", path.display(), run.fates.len());
                vec![Mismatch::whole(None, expected, format!("{} lines; `--bless` writes the file anew", listed.len()))]
            }
            Ok(None) => {
                let found = format!("neither; write `expect`, or look at what comes and take it with `--bless` into {}", path.display());
                vec![Mismatch::whole(None, "`expect` or a golden file", found)]
            }
            Err(error) => vec![Mismatch::whole(None, "a golden file", error)],
        },
    }
}

fn records(listed: &[Expectation], case: &Case, run: &Run) -> Vec<Mismatch> {
    let mut mismatches = Vec::new();
    for (number, ((expectation, fate), before)) in (1..).zip(listed.iter().zip(&run.fates).zip(case.input())) {
        if let Err(fields) = expectation.check(fate, before) {
            let (expected, found) = (expectation.to_string(), fate.to_string());
            mismatches.push(Mismatch { record: Some(number), line: Some(expectation.line), expected, found, fields });
        }
    }
    mismatches
}
