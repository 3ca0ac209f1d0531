//! How tests went, for people and for machines. Nothing in a record or a name moves the terminal's cursor.

use super::Report;
use serde_json::{Value, json};
use std::fmt::Write as _;
use tamis_config::escaped;
use tamis_testing::{Outcome, PipelineCoverage, Problem};

/// Longest value shown, in characters.
const VALUE_CHARS_MAX: usize = 200;
const RED: &str = "31";
const GREEN: &str = "32";
const DIM: &str = "2";

fn paint(text: &str, colour: &str, on: bool) -> String {
    if on { format!("\u{1b}[{colour}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn value(value: Option<&Value>) -> String {
    let Some(value) = value else { return "(missing)".into() };
    let text = escaped(&value.to_string()).to_string();
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A problem in one line.
pub(super) fn line(problem: &Problem) -> String {
    let first = problem.message.lines().next().unwrap_or_default();
    match problem.differences.first() {
        Some(d) => {
            format!("{}: {}: expected {}, found {}", problem.at, escaped(&d.field), value(d.expected.as_ref()), value(d.found.as_ref()))
        }
        None => format!("{}: {}", problem.at, escaped(first)),
    }
}

/// All problems of a test, with the fields that differ.
pub(super) fn problems(outcome: &Outcome, colour: bool) -> String {
    let mut out = String::new();
    for problem in &outcome.problems {
        let mut lines = problem.message.lines().map(|line| escaped(line).to_string());
        let first = lines.next().unwrap_or_default();
        let _ = writeln!(out, "    {}{}{first}", escaped(&problem.at), if first.is_empty() { "" } else { ": " });
        for rest in lines {
            let _ = writeln!(out, "      {rest}");
        }
        for difference in &problem.differences {
            let _ = writeln!(out, "      {}", escaped(&difference.field));
            let _ = writeln!(out, "        {}", paint(&format!("- {}", value(difference.expected.as_ref())), RED, colour));
            let _ = writeln!(out, "        {}", paint(&format!("+ {}", value(difference.found.as_ref())), GREEN, colour));
        }
    }
    out
}

/// The coverage in one line.
pub(super) fn coverage_line(report: &Report) -> String {
    let (all, reached) = report.coverage.points();
    format!("coverage {:.0} %: {reached} of {all} steps, verdicts and outputs", report.coverage.percent().floor())
}

/// What no record reached, one a line.
pub(super) fn never(report: &Report) -> String {
    let of = |pipeline: &PipelineCoverage| -> String {
        pipeline.never().iter().map(|what| format!("    {}: {}\n", escaped(&pipeline.name), escaped(what))).collect()
    };
    report.coverage.pipelines.iter().map(of).collect()
}

/// The report for people. A `-` stands before what was expected, a `+` before what was found.
pub(super) fn text(report: &Report, colour: bool) -> Result<String, std::fmt::Error> {
    let mut out = String::new();
    for outcome in &report.outcomes {
        let passed = outcome.problems.is_empty();
        let mark = if passed { paint("ok  ", GREEN, colour) } else { paint("FAIL", RED, colour) };
        let milliseconds = outcome.time.as_secs_f64() * 1e3;
        let place = if passed { String::new() } else { format!(" at {}", escaped(&outcome.place.to_string())) };
        let about = paint(&format!("({}, {milliseconds:.1} ms){place}", escaped(&outcome.pipeline)), DIM, colour);
        writeln!(out, "{mark} {} {about}", escaped(&outcome.name))?;
        if let Some(path) = &outcome.blessed {
            writeln!(out, "    wrote {}: read it before keeping it", escaped(&path.display().to_string()))?;
        }
        out.push_str(&problems(outcome, colour));
    }
    writeln!(out)?;
    for pipeline in &report.coverage.pipelines {
        let (all, reached) = pipeline.points();
        let never = pipeline.never();
        let rejected: u64 = pipeline.steps.iter().map(|step| step.rejected).sum();
        let failed = if rejected > 0 { format!("; steps failed on {rejected}") } else { String::new() };
        writeln!(out, "pipeline {}: {:.0} % reached, {reached} of {all}{failed}", escaped(&pipeline.name), pipeline.percent().floor())?;
        if reached == 0 {
            writeln!(out, "    never: any of it")?;
        } else if !never.is_empty() {
            writeln!(out, "    never: {}", escaped(&never.join(", ")))?;
        }
    }
    let (failed, all) = (report.failed(), report.outcomes.len());
    let tests = if all == 1 { "1 test".into() } else { format!("{all} tests") };
    let verdict = if failed == 0 { paint("all passed", GREEN, colour) } else { paint(&format!("{failed} failed"), RED, colour) };
    writeln!(out, "{tests}, {verdict}; {}", coverage_line(report))?;
    if let Some(min) = report.coverage_min.filter(|_| report.too_little()) {
        writeln!(out, "{}", paint(&format!("the coverage is below {min} %"), RED, colour))?;
    }
    Ok(out)
}

/// The report for machines.
pub(super) fn json(report: &Report) -> Value {
    let tests: Vec<Value> = report
        .outcomes
        .iter()
        .map(|outcome| {
            json!({
                "name": outcome.name,
                "place": outcome.place.to_string(),
                "pipeline": outcome.pipeline,
                "passed": outcome.problems.is_empty(),
                "seconds": outcome.time.as_secs_f64(),
                "problems": outcome.problems,
                "blessed": outcome.blessed,
            })
        })
        .collect();
    let pipelines = report.coverage.pipelines.iter();
    let pipelines: Vec<Value> = pipelines
        .map(|pipeline| {
            let mut value = json!(pipeline);
            let (all, reached) = pipeline.points();
            value["points"] = all.into();
            value["reached"] = reached.into();
            value["percent"] = pipeline.percent().into();
            value["never"] = pipeline.never().into();
            value
        })
        .collect();
    json!({
        "passed": report.failed() == 0 && !report.too_little(),
        "tests": tests,
        "failed": report.failed(),
        "coverage": { "percent": report.coverage.percent(), "minimum": report.coverage_min, "pipelines": pipelines },
    })
}
