//! What the tests of a configuration reached of its pipelines.

use serde::Serialize;
use std::collections::BTreeMap;
use tamis_plan::{PipelinePlan, Plan, Way};
use tamis_runtime::trial::{Fate, Trace};

/// What tests reached, pipeline by pipeline.
#[derive(Debug, Clone, Serialize)]
pub struct Coverage {
    /// Every pipeline of the plan, tested or not.
    pub pipelines: Vec<PipelineCoverage>,
}

/// What tests reached of a pipeline, in records.
#[derive(Debug, Clone, Serialize)]
pub struct PipelineCoverage {
    /// Its name.
    pub name: String,
    /// Its steps, in order.
    pub steps: Vec<StepCoverage>,
    /// Records that left by each output; those that `to` does not name have none of their own.
    pub outputs: BTreeMap<String, u64>,
}

/// What tests reached of a step, in records.
#[derive(Debug, Clone, Serialize)]
pub struct StepCoverage {
    /// Its name.
    pub name: String,
    /// Records that reached it.
    pub records: u64,
    /// Records it dropped; none: it cannot drop any.
    pub dropped: Option<u64>,
    /// Records it failed on. Nobody knows of a step whether it can fail, so this is told and not asked for.
    pub rejected: u64,
    /// Records it sent to each of its outputs.
    pub sent: BTreeMap<String, u64>,
}

impl Coverage {
    /// Nothing reached yet.
    pub fn new(plan: &Plan) -> Self {
        Self { pipelines: plan.pipelines.iter().map(PipelineCoverage::new).collect() }
    }

    /// Adds what one test reached.
    pub fn add(&mut self, trace: &Trace) {
        for pipeline in &mut self.pipelines {
            for step in &mut pipeline.steps {
                let passages = trace.steps.get(&(pipeline.name.clone(), step.name.clone()));
                for passage in passages.into_iter().flatten() {
                    step.records += 1;
                    step.rejected += u64::from(passage.failure.is_some());
                    if passage.fate == Fate::Dropped && passage.failure.is_none() {
                        *step.dropped.get_or_insert(0) += 1;
                    }
                    if let Some(to) = &passage.to {
                        *step.sent.entry(to.clone()).or_default() += 1;
                    }
                }
            }
            for left in trace.left.iter().filter(|left| left.pipeline == pipeline.name) {
                *pipeline.outputs.entry(left.output.clone()).or_default() += 1;
            }
        }
    }

    /// What there is to reach, and how much of it was reached.
    pub fn points(&self) -> (usize, usize) {
        self.pipelines.iter().map(PipelineCoverage::points).fold((0, 0), |(all, reached), (a, r)| (all + a, reached + r))
    }

    /// The share that was reached, in percent; 100 when there is nothing to reach.
    pub fn percent(&self) -> f64 {
        percent(self.points())
    }
}

fn percent((all, reached): (usize, usize)) -> f64 {
    if all == 0 { 100.0 } else { 100.0 * reached as f64 / all as f64 }
}

impl PipelineCoverage {
    fn new(pipeline: &PipelinePlan) -> Self {
        let steps = pipeline.steps.iter().map(|step| StepCoverage {
            name: step.name.clone(),
            records: 0,
            dropped: step.signature.drops.then_some(0),
            rejected: 0,
            sent: step.signature.outputs.iter().map(|output| (output.clone(), 0)).collect(),
        });
        let outputs = pipeline.outputs.iter().filter(|output| output.way != Way::Default).map(|output| (output.name.clone(), 0));
        Self { name: pipeline.name.clone(), steps: steps.collect(), outputs: outputs.collect() }
    }

    /// Everything that can be reached, in words, and how many records did.
    fn all(&self) -> impl Iterator<Item = (String, u64)> + '_ {
        let steps = self.steps.iter().flat_map(|step| {
            let name = &step.name;
            let dropped = step.dropped.map(|count| (format!("step {name}: drop"), count));
            let sent = step.sent.iter().map(move |(output, count)| (format!("step {name}: to {output}"), *count));
            std::iter::once((format!("step {name}"), step.records)).chain(dropped).chain(sent)
        });
        steps.chain(self.outputs.iter().map(|(output, count)| (format!("output {output}"), *count)))
    }

    /// What there is to reach (steps, the drops and outputs that steps declare, outputs), and how much of it was reached.
    pub fn points(&self) -> (usize, usize) {
        self.all().fold((0, 0), |(all, reached), (_, count)| (all + 1, reached + usize::from(count > 0)))
    }

    /// The share that was reached, in percent.
    pub fn percent(&self) -> f64 {
        percent(self.points())
    }

    /// What no record reached, in words: `step drop`, `step route: to errors`, `output errors`.
    pub fn never(&self) -> Vec<String> {
        self.all().filter(|(_, count)| *count == 0).map(|(what, _)| what).collect()
    }
}
