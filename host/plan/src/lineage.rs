//! Who reads and writes a field, and which sinks it reaches.

use crate::model::{Origin, Plan, Target, Way};
use serde::Serialize;
use std::collections::BTreeMap;
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

/// The answer to «who can see this field?».
#[derive(Debug, Clone, Serialize)]
pub struct Lineage {
    /// The field asked for.
    pub field: String,
    /// Steps that are shown it.
    pub readers: Vec<Access>,
    /// Steps that may change it.
    pub writers: Vec<Access>,
    /// Sinks that records go to, with the writers on the way: what they write is what arrives.
    pub sinks: Vec<(String, Vec<String>)>,
    /// Plugins that run and cannot see it.
    pub hidden_from: Vec<String>,
}

/// Follows a field through the plan.
pub fn lineage(plan: &Plan, field: &Path) -> Lineage {
    let mut readers = Vec::new();
    let mut writers = Vec::new();
    let mut sinks: Vec<(String, Vec<String>)> = Vec::new();
    // Pipelines stand behind those that feed them, so what happened on the way to each is known when it is its turn.
    let mut before: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for pipeline in &plan.pipelines {
        let feeders =
            pipeline.from.iter().filter_map(|o| if let Origin::Pipeline { name, .. } = o { before.get(name.as_str()) } else { None });
        let arriving: Vec<String> = feeders.flatten().cloned().collect();
        let mut on_the_way = arriving.clone();
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
                on_the_way.push(format!("{}/{}", pipeline.name, step.name));
            }
        }
        for output in &pipeline.outputs {
            let Way::To(targets) = &output.way else { continue };
            for target in targets {
                let Target::Sink(sink) = target else { continue };
                match sinks.iter_mut().find(|(name, _)| name == sink) {
                    Some((_, all)) => all.extend(on_the_way.iter().cloned()),
                    None => sinks.push((sink.clone(), on_the_way.clone())),
                }
            }
        }
        // A dead letter holds the record as it came to the pipeline.
        let own = [format!("dead letters of {} in the data directory", pipeline.name)];
        let dead_letters = if pipeline.dead_letters.is_empty() { own.as_slice() } else { &pipeline.dead_letters };
        for sink in dead_letters {
            match sinks.iter_mut().find(|(name, _)| name == sink) {
                Some((_, all)) => all.extend(arriving.iter().cloned()),
                None => sinks.push((sink.clone(), arriving.clone())),
            }
        }
        before.insert(&pipeline.name, on_the_way);
    }
    for (_, writers) in &mut sinks {
        writers.sort();
        writers.dedup();
    }
    sinks.sort();
    let hidden_from = plan.plugins.keys().filter(|name| !readers.iter().any(|r| r.plugin.as_ref() == Some(name))).cloned().collect();
    Lineage { field: field.to_string(), readers, writers, sinks, hidden_from }
}

/// Whether what is at one path holds, or is held by, what is at the other. Elements of one list are told apart here.
fn touches(a: &Path, b: &Path) -> bool {
    a.relation(b) != Relation::Apart && (a.covers(b) || b.covers(a))
}
