//! `tamis test`: tests of pipelines.

mod print;

use crate::arguments::{Arguments, Configuration, Output};
use crate::exit::Exit;
use crate::junit::{self, Suite};
use crate::plan::{self, Planned};
use crate::screen;
use clap::Args;
use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use tamis_config::{Diagnostics, Located, PipelineTest, load_tests, nearest};
use tamis_testing::{Case, Coverage, Outcome, prepare};

#[derive(Debug, Args)]
pub(crate) struct Test {
    #[command(flatten)]
    configuration: Configuration,
    /// Files of tests (`*.yaml`, each with a list under `tests`), which run instead of the configuration's own; or names of tests,
    /// which run alone.
    #[arg(value_name = "CASES")]
    cases: Vec<String>,
    /// Write the golden files (`expect_file`) of tests anew where what came differs.
    #[arg(long)]
    bless: bool,
    /// Fail when the tests reach less than this share of the steps, their verdicts and the outputs.
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u8).range(0..=100))]
    coverage_min: Option<u8>,
}

/// How all tests went.
struct Report {
    outcomes: Vec<Outcome>,
    coverage: Coverage,
    coverage_min: Option<u8>,
}

impl Report {
    fn failed(&self) -> usize {
        self.outcomes.iter().filter(|outcome| !outcome.problems.is_empty()).count()
    }

    fn too_little(&self) -> bool {
        self.coverage_min.is_some_and(|min| self.coverage.percent() < f64::from(min))
    }
}

pub(crate) fn run(arguments: &Arguments, verb: &Test) -> anyhow::Result<Exit> {
    // Compiled plugins are kept: tests run again and again.
    let origin = verb.configuration.origin();
    let (planned, mut findings) = plan::plan(&origin, true);
    let Some(planned) = planned else {
        plan::show(arguments, &findings);
        return Ok(Exit::BadConfiguration);
    };
    let (files, names): (Vec<&String>, Vec<&String>) = verb.cases.iter().partition(|case| is_file(case));
    let chosen = choose(&planned, &files, &names, &mut findings)
        .map(|tests| prepare(&planned.config, &planned.plan, &tests, verb.bless, &mut findings));
    findings.sort();
    plan::show(arguments, &findings);
    let cases = match chosen {
        Ok(cases) if !findings.has_errors() => cases,
        Ok(_) => return Ok(Exit::BadConfiguration),
        Err(message) => {
            screen::tell(&format!("tamis: {message}"));
            return Ok(Exit::BadConfiguration);
        }
    };
    let report = try_out(&planned, &cases, verb);
    let mut out = std::io::stdout();
    match arguments.output {
        Output::Json => writeln!(out, "{}", serde_json::to_string_pretty(&print::json(&report))?)?,
        Output::Junit => out.write_all(junit::xml(&[suite(&report)]).as_bytes())?,
        _ => out.write_all(print::text(&report, screen::colour_on_stdout())?.as_bytes())?,
    }
    let passed = report.failed() == 0 && !report.too_little();
    Ok(if passed { Exit::Success } else { Exit::Failure })
}

fn is_file(case: &str) -> bool {
    let is_yaml = case.ends_with(".yaml") || case.ends_with(".yml");
    is_yaml || PathBuf::from(case).is_file()
}

/// The tests that the command line asks for.
fn choose(
    planned: &Planned,
    files: &[&String],
    names: &[&String],
    findings: &mut Diagnostics,
) -> Result<Vec<Located<PipelineTest>>, String> {
    let mut tests = match files {
        [] => planned.config.tests.clone(),
        files => load_tests(&files.iter().map(PathBuf::from).collect::<Vec<_>>(), findings),
    };
    if findings.has_errors() {
        return Ok(Vec::new());
    }
    for name in names {
        if !tests.iter().any(|test| test.value.name.value == **name) {
            let help = match nearest(name, tests.iter().map(|test| test.value.name.value.as_str())) {
                Some(near) => format!("did you mean `{near}`?"),
                None => "give a test's name, or a file that ends in .yaml".into(),
            };
            return Err(format!("no test is called `{}`; {help}", tamis_config::escaped(name)));
        }
    }
    if !names.is_empty() {
        let names: BTreeSet<&str> = names.iter().map(|name| name.as_str()).collect();
        tests.retain(|test| names.contains(test.value.name.value.as_str()));
    }
    if tests.is_empty() {
        return Err("there is no test: add a list `tests:` to the configuration, or give a file that holds one".into());
    }
    Ok(tests)
}

fn try_out(planned: &Planned, cases: &[Case], verb: &Test) -> Report {
    let mut coverage = Coverage::new(&planned.plan);
    let mut outcomes = Vec::new();
    for case in cases {
        let outcome = case.run(&planned.config, &planned.plan, &planned.tools, verb.bless);
        coverage.add(&outcome.trace);
        outcomes.push(outcome);
    }
    Report { outcomes, coverage, coverage_min: verb.coverage_min }
}

fn suite(report: &Report) -> Suite {
    let mut cases: Vec<junit::Case> = report
        .outcomes
        .iter()
        .map(|outcome| junit::Case {
            name: outcome.name.clone(),
            class: outcome.pipeline.clone(),
            file: Some(outcome.place.to_string()),
            time: outcome.time,
            failure: outcome.problems.first().map(|first| (print::line(first), print::problems(outcome, false))),
        })
        .collect();
    if let Some(min) = report.coverage_min {
        let failure = report.too_little().then(|| (print::coverage_line(report), print::never(report)));
        let name = format!("coverage of at least {min} %");
        cases.push(junit::Case { name, class: "coverage".into(), file: None, time: std::time::Duration::ZERO, failure });
    }
    Suite { name: "tamis test".into(), cases }
}
