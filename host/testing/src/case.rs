//! A test, ready to run: its input read, its conditions compiled, its names resolved.

use crate::compare::{Conditions, Problem};
use crate::{PROBLEMS_MAX, check, golden};
use serde_json::Value;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tamis_config::{
    Config, Diagnostic, Diagnostics, Expect, Expected, ExpectedPassage, ExpectedRecord, Located, PipelineTest, Place, TEST_BYTES_MAX,
    TestInput,
};
use tamis_nodes::sources::frames;
use tamis_plan::{Plan, TestTarget, codes, resolve_test};
use tamis_runtime::Tools;
use tamis_runtime::trial::{Condition, Trace, Trial};

/// A test, ready to run.
#[derive(Debug)]
pub struct Case {
    name: String,
    place: Place,
    target: TestTarget,
    /// Lines, and whether the source's codec decodes them.
    input: Vec<u8>,
    decoded: bool,
    expect: Expectation,
    conditions: Conditions,
}

/// What is expected, and where that is written.
#[derive(Debug)]
enum Expectation {
    Here(Box<Expect>),
    /// The file, and what it holds when it is there.
    File(PathBuf, Option<Vec<u8>>),
}

/// How a test went.
#[derive(Debug)]
pub struct Outcome {
    /// The test.
    pub name: String,
    /// Where it is written.
    pub place: Place,
    /// Its pipeline.
    pub pipeline: String,
    /// What is not as expected; none: it passed. At most [`PROBLEMS_MAX`].
    pub problems: Vec<Problem>,
    /// How long it took.
    pub time: Duration,
    /// The golden file, when it was written anew.
    pub blessed: Option<PathBuf>,
    /// What happened to the records.
    pub trace: Trace,
}

/// Checks tests and reads what they name. Findings go to `findings`; a test with errors is not among those given.
pub fn prepare(config: &Config, plan: &Plan, tests: &[Located<PipelineTest>], bless: bool, findings: &mut Diagnostics) -> Vec<Case> {
    tests.iter().filter_map(|test| Case::new(config, plan, test, bless, findings)).collect()
}

impl Case {
    fn new(config: &Config, plan: &Plan, test: &Located<PipelineTest>, bless: bool, findings: &mut Diagnostics) -> Option<Self> {
        let before = findings.error_count();
        let target = resolve_test(config, plan, test, findings);
        let PipelineTest { name, input, expect, folder, .. } = &test.value;
        let conditions = conditions(expect, findings);
        let (input, decoded) = match input {
            TestInput::Records(records) => (lines(records), false),
            TestInput::Text(text) => (text.clone().into_bytes(), true),
            TestInput::File(file) => (read(folder, file.value.as_str(), &file.place, findings).unwrap_or_default(), true),
        };
        if input.len() as u64 > TEST_BYTES_MAX {
            findings.push(too_large(&name.place));
        }
        let expect = match expect {
            Expected::Here(expect) => Expectation::Here(expect.clone()),
            Expected::File(file) => {
                let path = folder.join(file.value.as_str());
                // One that is written anew, or is yet to be, need not be readable.
                let held = if bless { None } else { read_if_there(&path, file.value.shown(), &file.place, findings) };
                Expectation::File(path, held)
            }
        };
        (findings.error_count() == before).then_some(())?;
        Some(Self { name: name.value.clone(), place: name.place.clone(), target: target?, input, decoded, expect, conditions })
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs it: a trial of its own, so that no plugin remembers another test. With `bless` a golden file that differs is
    /// written anew.
    pub fn run(&self, config: &Config, plan: &Plan, tools: &Tools, bless: bool) -> Outcome {
        let started = Instant::now();
        let (trace, mut problems) = match self.try_out(config, plan, tools) {
            Ok(trace) => (trace, Vec::new()),
            Err(problem) => (Trace::default(), vec![Problem::new("the test cannot be run", problem)]),
        };
        let mut blessed = None;
        if problems.is_empty()
            && let Some(pipeline) = plan.pipeline(&self.target.pipeline)
        {
            match &self.expect {
                Expectation::Here(expect) => problems = check::check(expect, pipeline, &trace, &self.conditions),
                Expectation::File(path, _) if bless => match golden::write(path, pipeline, &trace) {
                    Ok(true) => blessed = Some(path.clone()),
                    Ok(false) => {}
                    Err(error) => problems.push(Problem::new("the golden file", format!("cannot write `{}`: {error}", path.display()))),
                },
                Expectation::File(path, None) => {
                    let help = "`tamis test --bless` writes it: read it before keeping it";
                    problems.push(Problem::new("the golden file", format!("`{}` is not there; {help}", path.display())));
                }
                Expectation::File(path, Some(held)) => match golden::read(held, pipeline) {
                    Ok(expect) => problems = check::check(&expect, pipeline, &trace, &self.conditions),
                    Err(error) => problems.push(Problem::new("the golden file", format!("`{}`, {error}", path.display()))),
                },
            }
        }
        let beyond = problems.len().saturating_sub(PROBLEMS_MAX);
        if beyond > 0 {
            problems.truncate(PROBLEMS_MAX);
            problems.push(Problem::new("and", format!("{beyond} more problems")));
        }
        let (name, place, pipeline) = (self.name.clone(), self.place.clone(), self.target.pipeline.clone());
        Outcome { name, place, pipeline, problems, time: started.elapsed(), blessed, trace }
    }

    fn try_out(&self, config: &Config, plan: &Plan, tools: &Tools) -> Result<Trace, String> {
        let source = self.target.source.as_ref().and_then(|name| config.sources.get(name)).filter(|_| self.decoded);
        let frames = frames(source.map(|source| &source.value), &config.settings, &self.input).map_err(|error| error.to_string())?;
        let mut trial = Trial::new(config, plan, tools).map_err(|error| error.to_string())?;
        trial.run(&self.target.pipeline, self.target.source.as_deref(), frames).map_err(|error| error.to_string())?;
        Ok(trial.finish())
    }
}

/// Records as lines of JSON.
fn lines(records: &[Value]) -> Vec<u8> {
    let mut text = String::new();
    for record in records {
        text.push_str(&record.to_string());
        text.push('\n');
    }
    text.into_bytes()
}

/// Compiles every condition of a test, each once.
fn conditions(expect: &Expected, findings: &mut Diagnostics) -> Conditions {
    let mut all = Conditions::new();
    let Expected::Here(expect) = expect else { return all };
    let mut compile = |record: &ExpectedRecord, place: &Place| {
        let Some(source) = record.vrl.as_ref().filter(|source| !all.contains_key(*source)) else { return };
        match Condition::new(source) {
            Ok(condition) => drop(all.insert(source.clone(), condition)),
            Err(errors) => {
                for error in errors {
                    let line = source.lines().nth(error.line.saturating_sub(1) as usize).unwrap_or_default().trim();
                    let message = format!("{}, at line {}, column {} of the condition: {line}", error.message, error.line, error.column);
                    let help = (!error.notes.is_empty()).then(|| error.notes.join("; "));
                    findings.push(Diagnostic::error(codes::BAD_PROGRAM, message).at(place).help_maybe(help));
                }
            }
        }
    };
    for record in expect.outputs.values().chain(expect.sinks.values()).flat_map(|records| &records.value) {
        compile(&record.value, &record.place);
    }
    for passage in expect.steps.values().flat_map(|passages| &passages.value) {
        if let ExpectedPassage::On { record: Some(record), .. } = &passage.value {
            compile(record, &passage.place);
        }
    }
    for letter in &expect.dead_letters {
        if let Some(record) = &letter.value.record {
            compile(record, &letter.place);
        }
    }
    all
}

fn read(folder: &Path, file: &str, place: &Place, findings: &mut Diagnostics) -> Option<Vec<u8>> {
    match bytes(&folder.join(file)) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            let finding = Diagnostic::error(codes::BAD_TEST, format!("the input cannot be read: {error}")).at(place);
            findings.push(finding.help("the path is relative to the folder of this file"));
            None
        }
    }
}

fn read_if_there(path: &Path, shown: &str, place: &Place, findings: &mut Diagnostics) -> Option<Vec<u8>> {
    match bytes(path) {
        Ok(bytes) if bytes.len() as u64 > TEST_BYTES_MAX => {
            findings.push(too_large(place));
            None
        }
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            findings.push(Diagnostic::error(codes::BAD_TEST, format!("`{shown}` cannot be read: {error}")).at(place));
            None
        }
    }
}

/// A file's bytes, up to one more than there may be.
fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(TEST_BYTES_MAX + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn too_large(place: &Place) -> Diagnostic {
    let message = format!("more than {} MiB, the most that one test may read", TEST_BYTES_MAX >> 20);
    Diagnostic::error(codes::BAD_TEST, message).at(place).help("a few records are enough for a test; make two of it")
}
