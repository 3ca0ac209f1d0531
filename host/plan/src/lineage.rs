//! Who reads and writes a field, and which sinks it reaches.

use crate::model::{self, Origin, PipelinePlan, Plan, Target};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tamis_record::{Path, Relation};

/// One step's access to a field.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Access {
    /// Pipeline.
    pub pipeline: String,
    /// Step.
    pub step: String,
    /// The plugin, for a plugin step.
    pub plugin: Option<String>,
    /// The field as the step names it: the one asked for, a part of it, or something that holds it.
    pub path: String,
    /// The kind.
    pub kind: String,
}

/// One sink's use of a field, beside sending it.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct Use {
    /// Sink.
    pub sink: String,
    /// Its `type`.
    pub kind: String,
    /// What for: the option that names it, such as `index` or `labels.team`.
    pub option: String,
    /// The field as the option names it: the one asked for, a part of it, or something that holds it.
    pub path: String,
}

/// The answer to «who can see this field?».
#[derive(Debug, Clone, Serialize)]
pub struct Lineage {
    /// The field asked for.
    pub field: String,
    /// Steps that are shown it.
    pub readers: Vec<Access>,
    /// Sinks that look at it: to find a place, a name or a key for the record.
    pub used_by: Vec<Use>,
    /// Steps that may change it.
    pub writers: Vec<Access>,
    /// Sinks that records go to, with the writers on the way: what they write is what arrives. A sink stands here once for
    /// each set of writers, so that a way around a redactor is seen.
    pub sinks: Vec<(String, Vec<String>)>,
    /// Plugins that run and cannot see it.
    pub hidden_from: Vec<String>,
}

/// Follows a field through the plan.
pub fn lineage(plan: &Plan, field: &Path) -> Lineage {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    let mut sinks: BTreeSet<(String, Way)> = BTreeSet::new();
    // Pipelines stand behind those that feed them, so what happened on the way to each is known when it is its turn.
    let mut leaving: BTreeMap<&str, BTreeSet<Way>> = BTreeMap::new();
    for pipeline in &plan.pipelines {
        let arriving = arriving(pipeline, &leaving);
        let mut here = Way::new();
        for step in &pipeline.steps {
            let plugin = if let crate::Mode::Plugin(name) = &step.mode { Some(name.clone()) } else { None };
            for (fields, list) in [(&step.signature.reads, &mut readers), (&step.signature.writes, &mut writers)] {
                for f in fields.iter().filter(|f| touches(&f.path, field)) {
                    list.push(Access {
                        pipeline: pipeline.name.clone(),
                        step: step.name.clone(),
                        plugin: plugin.clone(),
                        path: f.path.to_string(),
                        kind: f.kind.to_string(),
                    });
                }
            }
            if step.signature.writes.iter().any(|f| touches(&f.path, field)) {
                here.insert(format!("{}/{}", pipeline.name, step.name));
            }
        }
        let after: BTreeSet<Way> = arriving.iter().map(|way| way.union(&here).cloned().collect()).collect();
        let targets =
            pipeline.outputs.iter().flat_map(|output| if let model::Way::To(targets) = &output.way { targets.as_slice() } else { &[] });
        for target in targets {
            if let Target::Sink(sink) = target {
                sinks.extend(after.iter().map(|way| (sink.clone(), way.clone())));
            }
        }
        // A dead letter holds the record as it came to the pipeline.
        let own = [format!("dead letters of {} in the data directory", pipeline.name)];
        let dead_letters = if pipeline.dead_letters.is_empty() { own.as_slice() } else { &pipeline.dead_letters };
        for sink in dead_letters {
            sinks.extend(arriving.iter().map(|way| (sink.clone(), way.clone())));
        }
        leaving.insert(&pipeline.name, after);
    }
    let used_by = used_by(plan, field);
    let sinks = sinks.into_iter().map(|(sink, way)| (sink, way.into_iter().collect())).collect();
    let hidden_from = plan.plugins.keys().filter(|name| !readers.iter().any(|r| r.plugin.as_ref() == Some(name))).cloned().collect();
    Lineage { field: field.to_string(), readers, used_by, writers, sinks, hidden_from }
}

fn used_by(plan: &Plan, field: &Path) -> Vec<Use> {
    let mut found = Vec::new();
    for (sink, uses) in &plan.sink_uses {
        let kind = plan.sinks.get(sink).cloned().unwrap_or_default();
        for used in uses.iter().filter(|used| used.path.parse().is_ok_and(|path| touches(&path, field))) {
            let (option, path) = (used.option.clone(), used.path.clone());
            found.push(Use { sink: sink.clone(), kind: kind.clone(), option, path });
        }
    }
    found
}

/// The steps that may have changed the field on one way through the pipelines, as `pipeline/step`.
type Way = BTreeSet<String>;

/// Ways kept for a pipeline: their number doubles with each fork and join. Those with the fewest writers stay, since they
/// are what one asks after.
const WAYS_MAX: usize = 64;

/// The different ways by which records come to a pipeline.
fn arriving(pipeline: &PipelinePlan, leaving: &BTreeMap<&str, BTreeSet<Way>>) -> BTreeSet<Way> {
    let mut ways: BTreeSet<Way> = BTreeSet::new();
    for origin in &pipeline.from {
        match origin {
            Origin::Source(_) => {
                ways.insert(Way::new());
            }
            Origin::Pipeline { name, .. } => ways.extend(leaving.get(name.as_str()).into_iter().flatten().cloned()),
        }
    }
    if ways.len() <= WAYS_MAX {
        return ways;
    }
    let mut ways: Vec<Way> = ways.into_iter().collect();
    ways.sort_by_key(BTreeSet::len);
    ways.truncate(WAYS_MAX);
    ways.into_iter().collect()
}

/// Whether what is at one path holds, or is held by, what is at the other. Elements of one list are told apart here.
fn touches(a: &Path, b: &Path) -> bool {
    a.relation(b) != Relation::Apart && (a.covers(b) || b.covers(a))
}
