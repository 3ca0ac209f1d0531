//! The guard-rails: what a plugin is held to before it is shipped, each with a code, a reason and a cure.
//!
//! [`check`] looks at the component first (`stated`), then runs it at the desk on the records of its cases and on records made
//! up to hurt it (`records`): once more and otherwise parted (`determinism`), with each field taken away (`fields`), empty, huge and
//! hostile (`hostile`), as full batches (`cost`), and listens to what it says meanwhile (`personal`).

mod cost;
mod determinism;
mod fields;
mod hostile;
mod personal;
mod records;
mod rule;
mod stated;

use std::collections::BTreeMap;

use tamis_sandbox::Failure;

pub use rule::{RULES, Rule, Severity};

use crate::desk::{Candidate, Configured, Desk, Fate, Run, Went};

/// Records of the cases that one configuration is tried with; more are left out.
const RECORDS_MAX: usize = 1024;
/// Characters of a name, a value or a reason shown in a finding.
const SHOWN_CHARS_MAX: usize = 300;

/// What is to be checked.
#[derive(Debug)]
pub struct Subject<'a> {
    /// The plugin's name, for messages.
    pub name: &'a str,
    /// The component.
    pub component: &'a [u8],
    /// What it is tried with.
    pub fixtures: Vec<Fixture>,
}

/// A configuration and the records of a case.
#[derive(Debug, Clone)]
pub struct Fixture {
    /// The case's name.
    pub name: String,
    /// The configuration, JSON text.
    pub config: String,
    /// One JSON object each; may be empty.
    pub records: Vec<Vec<u8>>,
}

/// A guard-rail that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub rule: &'static Rule,
    /// What was seen, without values of records and without control characters.
    pub reason: String,
}

/// What a check found.
#[derive(Debug, Default)]
pub struct Report {
    /// What is wrong, by code; each thing once.
    pub findings: Vec<Finding>,
    /// Whether it was run: not when the host cannot load it.
    pub ran: bool,
    /// Configurations that it was run with.
    pub configurations: usize,
    /// Records of cases that went in, each counted once.
    pub records: usize,
}

impl Report {
    fn add(&mut self, rule: &'static Rule, reason: impl AsRef<str>) {
        let finding = Finding { rule, reason: shown(reason.as_ref()) };
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// How many findings are errors.
    pub fn errors(&self) -> usize {
        self.findings.iter().filter(|finding| finding.rule.severity == Severity::Error).count()
    }
}

/// A configuration that the plugin accepted, with all the records of the cases that have it.
struct Setting<'a> {
    candidate: &'a Candidate,
    case: String,
    config: String,
    records: Vec<Vec<u8>>,
    /// Whether the records are those of cases, not made up.
    own: bool,
}

impl Setting<'_> {
    /// A new instance.
    fn configured(&self) -> Result<Configured, Failure> {
        self.candidate.configure(&self.config)
    }
}

/// Holds a plugin to all guard-rails; runs it for some seconds.
pub fn check(desk: &Desk, subject: &Subject<'_>) -> Report {
    let mut report = Report::default();
    let Some(candidate) = stated::check(desk, subject, &mut report) else {
        report.findings.sort_by_key(|finding| finding.rule.code);
        return report;
    };
    report.ran = true;
    let settings = settings(&candidate, subject, &mut report);
    stated::check_example(&settings, subject, &mut report);
    fields::check(&settings, &mut report);
    for setting in &settings {
        report.configurations += 1;
        report.records += if setting.own { setting.records.len() } else { 0 };
        determinism::check(setting, &mut report);
        hostile::check(setting, &mut report);
        cost::check(setting, desk.limits(), &mut report);
        personal::check(setting, &mut report);
    }
    report.findings.sort_by_key(|finding| finding.rule.code);
    report
}

/// The configurations that the plugin accepts, each with its cases' records; those it refuses are findings.
fn settings<'a>(candidate: &'a Candidate, subject: &Subject<'_>, report: &mut Report) -> Vec<Setting<'a>> {
    let mut by_config: BTreeMap<&str, (String, Vec<Vec<u8>>)> = BTreeMap::new();
    for fixture in &subject.fixtures {
        let (_, records) = by_config.entry(&fixture.config).or_insert_with(|| (fixture.name.clone(), Vec::new()));
        let room = RECORDS_MAX.saturating_sub(records.len());
        records.extend(fixture.records.iter().take(room).cloned());
    }
    if by_config.values().all(|(_, records)| records.is_empty()) {
        report.add(&rule::CASES, "there is no case with records, so the plugin is tried on made-up records only");
    }
    if by_config.is_empty() {
        by_config.insert("{}", ("no case".to_owned(), Vec::new()));
    }
    let mut settings = Vec::new();
    for (config, (case, records)) in by_config {
        match candidate.configure(config) {
            Err(failure) => report.add(&rule::START, format!("with the configuration of `{case}`: {failure}")),
            Ok(configured) => {
                let own = !records.is_empty();
                let records = if own { records } else { vec![records::sample(&configured.signature().reads)] };
                settings.push(Setting { candidate, case, config: config.to_owned(), records, own });
            }
        }
    }
    settings
}

/// The failures of a run that no record excuses: rejecting is a plugin's right, and what is not JSON never reaches it.
fn faults(run: &Run) -> impl Iterator<Item = (usize, &'static str, &str)> {
    run.fates.iter().enumerate().filter_map(|(row, fate)| match &fate.went {
        Went::Failed { cause, reason } if !matches!(*cause, "reject" | "decode") => Some((row, *cause, reason.as_str())),
        _ => None,
    })
}

/// Whether all of these failed for the same want of time: the machine may be busy.
fn is_late(fate: &Fate) -> bool {
    matches!(fate.went, Went::Failed { cause: "deadline", .. })
}

/// Text fit for a terminal: escaped and cut.
fn shown(text: &str) -> String {
    let mut out = String::new();
    for (place, c) in text.chars().enumerate() {
        if place == SHOWN_CHARS_MAX {
            out.push('…');
            break;
        }
        if c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}
