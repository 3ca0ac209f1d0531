//! Golden files: everything that came of a test's records, one line of JSON each, written by the product and read by people.
//!
//! `{"output":"errors","record":{…}}`, `{"dead_letter":{"pipeline":…,"step":…,"cause":…,"reason":…},"record":{…}}` and a last
//! line `{"dropped":2}`. Records stand as the pipeline wrote them.

use crate::check::dropped_of;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fs;
use std::io;
use std::path::Path;
use tamis_config::{Expect, ExpectedLetter, ExpectedRecord, LetterCause, Located};
use tamis_plan::{PipelinePlan, Way};
use tamis_runtime::trial::Trace;

#[derive(Serialize)]
struct LineOut<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letter: Option<LetterOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    halts: Option<&'a str>,
}

#[derive(Serialize)]
struct LetterOut<'a> {
    pipeline: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
    cause: &'a str,
    reason: &'a str,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LineIn {
    output: Option<String>,
    dead_letter: Option<LetterIn>,
    record: Option<Value>,
    dropped: Option<u64>,
    halts: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LetterIn {
    pipeline: String,
    step: Option<String>,
    cause: LetterCause,
    reason: String,
}

/// Writes what came of a test, unless the file says so already. Gives whether it was written.
pub(crate) fn write(path: &Path, pipeline: &PipelinePlan, trace: &Trace) -> io::Result<bool> {
    let text = text(pipeline, trace)?;
    if fs::read(path).is_ok_and(|held| held == text) {
        return Ok(false);
    }
    fs::write(path, text).map(|()| true)
}

fn text(pipeline: &PipelinePlan, trace: &Trace) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let nothing = || LineOut { output: None, dead_letter: None, record: None, dropped: None, halts: None };
    let mut line = |line: LineOut<'_>| {
        serde_json::to_writer(&mut text, &line)?;
        text.push(b'\n');
        io::Result::Ok(())
    };
    // By output: between two of them there is no order that a user would see.
    for output in &pipeline.outputs {
        for left in trace.left.iter().filter(|left| left.pipeline == pipeline.name && left.output == output.name) {
            line(LineOut { output: Some(&output.name), record: raw(&left.record), ..nothing() })?;
        }
    }
    for letter in &trace.letters {
        let head = LetterOut { pipeline: &letter.pipeline, step: letter.step.as_deref(), cause: &letter.cause, reason: &letter.reason };
        line(LineOut { dead_letter: Some(head), record: raw(&letter.record), ..nothing() })?;
    }
    if let Some(reason) = &trace.halted {
        line(LineOut { halts: Some(reason), ..nothing() })?;
    }
    line(LineOut { dropped: Some(dropped_of(&pipeline.name, trace)), ..nothing() })?;
    Ok(text)
}

/// A record as it stands; none when it is not JSON, as that of a letter may be.
fn raw(record: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice(record).ok()
}

/// Reads what a golden file expects.
pub(crate) fn read(text: &[u8], pipeline: &PipelinePlan) -> Result<Expect, String> {
    let mut expect = Expect::default();
    for output in pipeline.outputs.iter().filter(|output| output.way != Way::Default || output.name == "default") {
        expect.outputs.insert(output.name.clone(), Located::nowhere(Vec::new()));
    }
    for (number, line) in text.split(|b| *b == b'\n').enumerate().filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace)) {
        let bad = |why: String| format!("line {}: {why}; `tamis test --bless` writes it anew", number + 1);
        let line: LineIn = serde_json::from_slice(line).map_err(|error| bad(error.to_string()))?;
        let record = line.record.map(|record| ExpectedRecord { record: Some(record), ..ExpectedRecord::default() });
        match line {
            LineIn { output: Some(output), dead_letter: None, dropped: None, halts: None, .. } => {
                let records = expect.outputs.entry(output).or_insert_with(|| Located::nowhere(Vec::new()));
                records.value.push(Located::nowhere(record.unwrap_or_default()));
            }
            LineIn { output: None, dead_letter: Some(letter), dropped: None, halts: None, .. } => {
                expect.dead_letters.push(Located::nowhere(ExpectedLetter {
                    pipeline: Some(Located::nowhere(letter.pipeline)),
                    step: letter.step.map(Located::nowhere),
                    cause: Some(letter.cause),
                    reason: Some(letter.reason),
                    record,
                }));
            }
            LineIn { output: None, dead_letter: None, dropped: Some(count), halts: None, .. } => {
                expect.dropped = Some(Located::nowhere(count));
            }
            LineIn { output: None, dead_letter: None, dropped: None, halts: Some(reason), .. } => {
                expect.halts = Some(Located::nowhere(reason));
            }
            _ => return Err(bad("expected one of `output`, `dead_letter`, `dropped` and `halts`".into())),
        }
    }
    Ok(expect)
}
