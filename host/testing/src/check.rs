//! Holding what happened in a trial against what a test expects.

use crate::compare::{Conditions, Problem, record, same};
use std::collections::BTreeMap;
use tamis_config::{Expect, ExpectedLetter, ExpectedPassage, ExpectedRecord, Located};
use tamis_plan::PipelinePlan;
use tamis_runtime::trial::{Fate, Letter, Passage, Trace};

/// Longest record shown in a message, in bytes.
const SHOWN_BYTES_MAX: usize = 400;

/// Everything that is not as expected.
pub(crate) fn check(expect: &Expect, pipeline: &PipelinePlan, trace: &Trace, conditions: &Conditions) -> Vec<Problem> {
    // Destructured, so that a new expectation is compared or does not compile.
    let Expect { outputs, sinks, dropped, dead_letters, steps, halts } = expect;
    let mut problems = Vec::new();
    match (halts, &trace.halted) {
        (None, Some(reason)) => problems.push(Problem::new("the host halted", reason.clone())),
        (Some(wanted), None) => problems.push(Problem::new("the host did not halt", format!("expected it, with `{}`", wanted.value))),
        (Some(wanted), Some(reason)) if !reason.contains(&wanted.value) => {
            problems.push(Problem::new("the host halted", format!("expected a reason with `{}`, found: {reason}", wanted.value)));
        }
        _ => {}
    }
    for (name, step) in steps.iter().filter_map(|(name, passages)| Some((passages, pipeline.step(name)?))) {
        let found = trace.steps.get(&(pipeline.name.clone(), step.name.clone())).map_or(&[][..], Vec::as_slice);
        passages(&format!("step {}", step.name), &name.value, found, conditions, &mut problems);
    }
    for (name, expected) in outputs {
        let left = trace.left.iter().filter(|left| left.pipeline == pipeline.name && left.output == *name);
        let found: Vec<&[u8]> = left.map(|left| left.record.as_slice()).collect();
        records(&format!("output {name}"), &expected.value, &found, conditions, &mut problems);
    }
    let none = Vec::new();
    for (name, expected) in sinks {
        let found: Vec<&[u8]> = trace.sinks.get(name).unwrap_or(&none).iter().map(Vec::as_slice).collect();
        records(&format!("sink {name}"), &expected.value, &found, conditions, &mut problems);
    }
    let count = dropped_of(&pipeline.name, trace);
    if let Some(wanted) = dropped.as_ref().filter(|wanted| wanted.value != count) {
        problems.push(Problem::new("dropped", format!("expected {}, found {count}", counted(wanted.value))));
    }
    letters(dead_letters, pipeline, &trace.letters, conditions, &mut problems);
    problems
}

/// Records that a pipeline dropped on purpose: by a step, or at an output that leads nowhere.
pub(crate) fn dropped_of(pipeline: &str, trace: &Trace) -> u64 {
    let at_steps = trace.steps.iter().filter(|((of, _), _)| of == pipeline).flat_map(|(_, passages)| passages);
    let at_steps = at_steps.filter(|passage| passage.fate == Fate::Dropped).count();
    let at_outputs = trace.left.iter().filter(|left| left.pipeline == pipeline && !left.delivered).count();
    (at_steps + at_outputs) as u64
}

fn counted(count: u64) -> String {
    if count == 1 { "1 record".into() } else { format!("{count} records") }
}

fn counts(at: &str, expected: usize, found: usize, what: &str, problems: &mut Vec<Problem>) {
    if expected != found {
        problems.push(Problem::new(at, format!("expected {}{what}, found {found}", counted(expected as u64))));
    }
}

fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes.get(..SHOWN_BYTES_MAX).unwrap_or(bytes)).into_owned();
    if bytes.len() > SHOWN_BYTES_MAX { format!("{text}…") } else { text }
}

fn records(at: &str, expected: &[Located<ExpectedRecord>], found: &[&[u8]], conditions: &Conditions, problems: &mut Vec<Problem>) {
    counts(at, expected.len(), found.len(), "", problems);
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        record(&format!("{at}, record {}", number + 1), &expected.value, found, conditions, problems);
    }
    for (number, found) in found.iter().enumerate().skip(expected.len()) {
        problems.push(Problem::new(format!("{at}, record {}", number + 1), format!("not expected: {}", shown(found))));
    }
}

fn passages(at: &str, expected: &[Located<ExpectedPassage>], found: &[Passage], conditions: &Conditions, problems: &mut Vec<Problem>) {
    counts(at, expected.len(), found.len(), " to reach it", problems);
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        passage(&format!("{at}, record {}", number + 1), &expected.value, found, conditions, problems);
    }
    for (number, found) in found.iter().enumerate().skip(expected.len()) {
        problems.push(Problem::new(format!("{at}, record {}", number + 1), format!("not expected: {}", shown(&found.before))));
    }
}

/// What became of a record, in words.
fn fate(passage: &Passage) -> String {
    match (&passage.failure, &passage.fate) {
        (Some((cause, reason)), _) => format!("the step failed on it ({cause}): {reason}"),
        (None, Fate::On(_)) => "it went on".into(),
        (None, Fate::Dropped) => "it was dropped".into(),
        (None, Fate::Dead) => "its changes do not fit it: it is a dead letter".into(),
        (None, Fate::Halted) => "the host halted".into(),
    }
}

fn passage(at: &str, expected: &ExpectedPassage, found: &Passage, conditions: &Conditions, problems: &mut Vec<Problem>) {
    let mut wrong = |wanted: &str| problems.push(Problem::new(at, format!("expected {wanted}, but {}", fate(found))));
    match (expected, &found.fate, &found.failure) {
        (ExpectedPassage::Dropped, Fate::Dropped, _) => {}
        (ExpectedPassage::Dropped, ..) => wrong("it to be dropped"),
        (ExpectedPassage::Rejected(reason), _, Some((_, why))) if why.contains(reason.as_str()) => {}
        (ExpectedPassage::Rejected(reason), ..) if reason.is_empty() => wrong("the step to fail on it"),
        (ExpectedPassage::Rejected(reason), ..) => wrong(&format!("the step to fail on it with `{reason}`")),
        // With `on_failure: pass` or `blank` a record goes on although the step failed.
        (ExpectedPassage::On { record: wanted, to }, Fate::On(after), _) => {
            if to.is_some() && *to != found.to {
                let sent = found.to.as_ref().map_or_else(|| "left on its way".into(), |to| format!("sent to `{to}`"));
                problems
                    .push(Problem::new(at, format!("expected it to be sent to `{}`, but it is {sent}", to.as_deref().unwrap_or_default())));
            }
            match wanted {
                Some(wanted) => record(at, wanted, after, conditions, problems),
                None => same(at, &found.before, after, problems),
            }
        }
        (ExpectedPassage::On { .. }, ..) => wrong("it to go on"),
    }
}

fn letters(
    expected: &[Located<ExpectedLetter>],
    pipeline: &PipelinePlan,
    found: &[Letter],
    conditions: &Conditions,
    problems: &mut Vec<Problem>,
) {
    counts("dead letters", expected.len(), found.len(), "", problems);
    for (number, (expected, found)) in expected.iter().zip(found).enumerate() {
        letter(&format!("dead letter {}", number + 1), &expected.value, pipeline, found, conditions, problems);
    }
    for (number, found) in found.iter().enumerate().skip(expected.len()) {
        let by = found.step.as_ref().map_or_else(String::new, |step| format!(" by step {step}"));
        let message = format!("not expected: {}{by}: {}\nthe record: {}", found.cause, found.reason, shown(&found.record));
        problems.push(Problem::new(format!("dead letter {}", number + 1), message));
    }
}

fn letter(
    at: &str,
    expected: &ExpectedLetter,
    tested: &PipelinePlan,
    found: &Letter,
    conditions: &Conditions,
    problems: &mut Vec<Problem>,
) {
    let ExpectedLetter { pipeline, step, cause, reason, record: wanted } = expected;
    // A number counts the steps of the pipeline that is tested.
    let step = step.as_ref().map(|named| match tested.step(&named.value) {
        Some(step) if found.pipeline == tested.name => step.name.as_str(),
        _ => named.value.as_str(),
    });
    let words: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::from([
        ("pipeline", (pipeline.as_ref().map(|name| name.value.as_str()), Some(found.pipeline.as_str()))),
        ("step", (step, found.step.as_deref())),
        ("cause", (cause.map(|cause| cause.word()), Some(found.cause.as_str()))),
    ]);
    for (what, (wanted, found)) in words {
        if let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != found) {
            problems.push(Problem::new(
                at,
                format!("expected the {what} `{wanted}`, found {}", found.map_or("none".into(), |f| format!("`{f}`"))),
            ));
        }
    }
    if let Some(reason) = reason.as_ref().filter(|reason| !found.reason.contains(reason.as_str())) {
        problems.push(Problem::new(at, format!("expected a reason with `{reason}`, found: {}", found.reason)));
    }
    if let Some(wanted) = wanted {
        record(at, wanted, &found.record, conditions, problems);
    }
}
