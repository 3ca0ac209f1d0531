//! Who uses a plugin: the configurations are planned, and their plugins found by digest.

use super::entry::Entry;
use crate::arguments::Arguments;
use crate::plan;
use serde::Serialize;
use std::path::{Path, PathBuf};
use tamis_config::escaped;
use tamis_plan::Mode;
use tamis_record::Field;
use tamis_registry::{Origin, STORE};

/// A configuration that uses a plugin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct User {
    /// The configuration.
    pub(super) config: String,
    /// What it calls the plugin.
    pub(super) plugin: String,
    /// The pipelines with a step of it.
    pub(super) pipelines: Vec<String>,
}

impl User {
    pub(super) fn shown(&self) -> String {
        format!("{}: {}", escaped(&self.config), self.pipelines.join(", "))
    }
}

/// Notes users and fields in the entries. Gives whether all configurations are sound; what is wrong with one is told.
pub(super) fn note(arguments: &Arguments, configurations: &[PathBuf], entries: &mut [Entry]) -> bool {
    let mut all_sound = true;
    for path in configurations {
        let origin = Origin::new(std::slice::from_ref(path), &[], Path::new(STORE), false);
        let (planned, findings) = plan::plan(&origin, false);
        let Some(planned) = planned else {
            plan::show(arguments, &findings);
            all_sound = false;
            continue;
        };
        for (name, plugin) in &planned.plan.plugins {
            let is_step = |mode: &Mode| matches!(mode, Mode::Plugin(used) if used == name);
            let pipelines = planned.plan.pipelines.iter().filter(|pipeline| pipeline.steps.iter().any(|step| is_step(&step.mode)));
            let pipelines: Vec<String> = pipelines.map(|pipeline| pipeline.name.clone()).collect();
            for entry in entries.iter_mut().filter(|entry| entry.digest == plugin.digest) {
                if entry.used_by.is_empty() {
                    // What is configured counts, not what the build was shown with.
                    (entry.reads, entry.writes) = (None, None);
                }
                add(&mut entry.reads, &plugin.signature.reads);
                add(&mut entry.writes, &plugin.signature.writes);
                entry.used_by.push(User { config: path.display().to_string(), plugin: name.clone(), pipelines: pipelines.clone() });
            }
        }
    }
    all_sound
}

fn add(known: &mut Option<Vec<String>>, fields: &[Field]) {
    let known = known.get_or_insert_default();
    for field in fields {
        let path = field.path.to_string();
        if !known.contains(&path) {
            known.push(path);
        }
    }
}
