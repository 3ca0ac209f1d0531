//! Tests of pipelines: the names they use, held against the plan.

use crate::codes;
use crate::model::{Origin, PipelinePlan, Plan, Way};
use crate::resolve::unknown;
use tamis_config::{Config, Diagnostic, Diagnostics, Expect, Expected, Located, PipelineTest, TestInput, nearest};

/// What a test is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TestTarget {
    /// The pipeline that its records enter.
    pub pipeline: String,
    /// The source that they come from; none when only pipelines feed that pipeline and the test names none.
    pub source: Option<String>,
}

/// Finds what a test is about and checks every name in it. `None`: something is wrong, and said.
pub fn resolve_test(config: &Config, plan: &Plan, test: &Located<PipelineTest>, findings: &mut Diagnostics) -> Option<TestTarget> {
    let before = findings.error_count();
    let name = pipeline(config, test, findings)?;
    // Of a pipeline that could not be planned the plan has said enough.
    let planned = plan.pipeline(&name)?;
    let source = source(config, planned, test, findings);
    if let Expected::Here(expect) = &test.value.expect {
        expectations(config, plan, planned, expect, findings);
    }
    (findings.error_count() == before).then_some(TestTarget { pipeline: name, source })
}

fn pipeline(config: &Config, test: &Located<PipelineTest>, findings: &mut Diagnostics) -> Option<String> {
    let known: Vec<&str> = config.pipelines.keys().map(String::as_str).collect();
    match &test.value.pipeline {
        Some(named) if config.pipelines.contains_key(&named.value) => Some(named.value.clone()),
        Some(named) => {
            findings.push(unknown("pipeline", &named.value, named, &known));
            None
        }
        None => match known.as_slice() {
            [only] => Some((*only).to_owned()),
            _ => {
                let message = format!("test `{}` does not say which pipeline it tries", test.value.name.value);
                let help = format!("add `pipeline:`, one of: {}", listed(known));
                findings.push(Diagnostic::error(codes::BAD_TEST, message).at(&test.value.name.place).help(help));
                None
            }
        },
    }
}

fn source(config: &Config, planned: &PipelinePlan, test: &Located<PipelineTest>, findings: &mut Diagnostics) -> Option<String> {
    if let Some(named) = &test.value.source {
        if !config.sources.contains_key(&named.value) {
            let known: Vec<&str> = config.sources.keys().map(String::as_str).collect();
            findings.push(unknown("source", &named.value, named, &known));
        }
        return Some(named.value.clone());
    }
    let mut sources = planned.from.iter().filter_map(|origin| match origin {
        Origin::Source(name) => Some(name.as_str()),
        Origin::Pipeline { .. } => None,
    });
    let first = sources.next()?;
    let others: Vec<&str> = sources.collect();
    if !others.is_empty() && !matches!(test.value.input, TestInput::Records(_)) {
        let message = format!(
            "test `{}` does not say whose lines they are: pipeline `{}` reads several sources",
            test.value.name.value, planned.name
        );
        let help = format!("add `source:`, one of: {first}, {}", listed(others));
        findings.push(Diagnostic::error(codes::BAD_TEST, message).at(&test.value.name.place).help(help));
    }
    Some(first.to_owned())
}

fn expectations(config: &Config, plan: &Plan, planned: &PipelinePlan, expect: &Expect, findings: &mut Diagnostics) {
    for (name, records) in &expect.outputs {
        match planned.outputs.iter().find(|output| output.name == *name) {
            Some(output) if output.way == Way::Default && name != "default" => {
                let message = format!("no record leaves pipeline `{}` by `{name}`: `to` does not name it", planned.name);
                let finding = Diagnostic::error(codes::BAD_TEST, message).at(&records.place);
                findings.push(finding.help("expect them at `default`, or name the output under `to`"));
            }
            Some(_) => {}
            None => {
                let known: Vec<&str> = planned.outputs.iter().map(|output| output.name.as_str()).collect();
                let finding = missing(format!("pipeline `{}` has no output `{name}`", planned.name), name, known);
                findings.push(finding.at(&records.place));
            }
        }
    }
    for (name, records) in expect.sinks.iter().filter(|(name, _)| !config.sinks.contains_key(*name)) {
        let known: Vec<&str> = config.sinks.keys().map(String::as_str).collect();
        findings.push(missing(format!("no sink is called `{name}`"), name, known).at(&records.place));
    }
    for (name, passages) in &expect.steps {
        if let Some(finding) = step(planned, name) {
            findings.push(finding.at(&passages.place));
        }
    }
    for letter in &expect.dead_letters {
        let of = match &letter.value.pipeline {
            Some(named) => plan.pipeline(&named.value),
            None => Some(planned),
        };
        let Some(of) = of else {
            if let Some(named) = &letter.value.pipeline {
                let known: Vec<&str> = plan.pipelines.iter().map(|pipeline| pipeline.name.as_str()).collect();
                findings.push(unknown("pipeline", &named.value, named, &known));
            }
            continue;
        };
        if let Some(named) = &letter.value.step
            && letter.value.pipeline.is_some() | !feeds_others(planned)
            && let Some(finding) = step(of, &named.value)
        {
            findings.push(finding.at(&named.place));
        }
    }
}

/// Whether other pipelines get what leaves this one: a letter without a pipeline's name may be one of theirs.
fn feeds_others(pipeline: &PipelinePlan) -> bool {
    pipeline.outputs.iter().any(|output| matches!(&output.way, Way::To(all) if all.iter().any(|t| matches!(t, crate::Target::Pipeline(_)))))
}

fn step(planned: &PipelinePlan, name: &str) -> Option<Diagnostic> {
    if planned.step(name).is_some() {
        return None;
    }
    let known: Vec<&str> = planned.steps.iter().map(|step| step.name.as_str()).collect();
    Some(missing(format!("pipeline `{}` has no step `{name}`", planned.name), name, known))
}

fn missing(message: String, name: &str, known: Vec<&str>) -> Diagnostic {
    let help = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if known.is_empty() => "it has none".to_owned(),
        None => format!("known are: {}", listed(known)),
    };
    Diagnostic::error(codes::UNKNOWN_NAME, message).help(help)
}

fn listed(names: Vec<&str>) -> String {
    names.into_iter().take(20).collect::<Vec<_>>().join(", ")
}
