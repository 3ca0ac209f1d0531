//! What is different between two configurations, in words that an operator reads before letting one take over from the other.

use crate::model::{PipelinePlan, Plan, PluginPlan, upgrade};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use tamis_config::{Config, StepKind};
use tamis_record::Signature;

/// What kind of change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Only the new one has it.
    Added,
    /// Only the old one has it.
    Removed,
    /// Both have it, and it differs.
    Changed,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `source`, `plugin`, `pipeline`, `step`, `output`, `sink` or `settings`.
    pub part: &'static str,
    /// Its name; `pipeline/step` for a step or an output.
    pub name: String,
    /// What happens to it.
    pub change: Kind,
    /// More about it, where there is more to say. Values of the configuration, which may be secret, are not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.change {
            Kind::Added => "+",
            Kind::Removed => "-",
            Kind::Changed => "~",
        };
        write!(f, "{sign} {} {}", self.part, self.name)?;
        self.detail.as_ref().map_or(Ok(()), |detail| write!(f, ": {detail}"))
    }
}

/// Whose tokens of the admin API change, if any do.
fn tokens(old: &Config, new: &Config) -> Option<String> {
    let (old, new) = (&old.settings.admin_tokens, &new.settings.admin_tokens);
    let change = |name: &String| match (old.get(name), new.get(name)) {
        (None, _) => Some(format!("token `{name}` is added")),
        (_, None) => Some(format!("token `{name}` is removed")),
        (was, is) => (was != is).then(|| format!("token `{name}` changes")),
    };
    let changes: Vec<_> = old.keys().chain(new.keys()).collect::<BTreeSet<_>>().into_iter().filter_map(change).collect();
    (!changes.is_empty()).then(|| changes.join("; "))
}

/// What changes when `new` takes over from `old`, each a configuration and its plan. Empty: nothing that makes a difference.
pub fn diff(old: (&Config, &Plan), new: (&Config, &Plan)) -> Vec<Change> {
    let mut changes = Vec::new();
    parts(&mut changes, "source", &old.0.sources, &new.0.sources, |old, new| (old != new).then_some(None));
    parts(&mut changes, "plugin", &old.1.plugins, &new.1.plugins, |before, after| {
        let name = new.1.plugins.iter().find(|(_, plan)| std::ptr::eq(*plan, after)).map(|(name, _)| name.as_str()).unwrap_or_default();
        let (was, is) = (old.0.plugins.get(name), new.0.plugins.get(name));
        let mut details = plugin(before, after);
        if let (Some(was), Some(is)) = (was, is) {
            let keys = [
                ("configuration", was.value.config != is.value.config),
                ("limits", was.value.limits != is.value.limits),
                ("grant", was.value.grant != is.value.grant),
                ("`on_failure`", was.value.on_failure != is.value.on_failure),
            ];
            details.extend(keys.iter().filter(|(_, changed)| *changed).map(|(key, _)| format!("its {key} changes")));
        }
        (!details.is_empty()).then(|| Some(details.join("; ")))
    });
    let by_name = |plan: &Plan| -> BTreeMap<String, PipelinePlan> { plan.pipelines.iter().map(|p| (p.name.clone(), p.clone())).collect() };
    let (before, after) = (by_name(old.1), by_name(new.1));
    for name in before.keys().chain(after.keys()).collect::<BTreeSet<_>>() {
        match (before.get(name), after.get(name)) {
            (Some(was), Some(is)) => pipeline(&mut changes, (old.0, was), (new.0, is)),
            (was, _) => {
                let change = if was.is_some() { Kind::Removed } else { Kind::Added };
                changes.push(Change { part: "pipeline", name: name.clone(), change, detail: None });
            }
        }
    }
    parts(&mut changes, "sink", &old.0.sinks, &new.0.sinks, |old, new| (old != new).then_some(None));
    if old.0.plugins_policy != new.0.plugins_policy {
        changes.push(Change { part: "settings", name: "plugins_policy".into(), change: Kind::Changed, detail: None });
    }
    if old.0.settings != new.0.settings {
        changes.push(Change { part: "settings", name: "settings".into(), change: Kind::Changed, detail: tokens(old.0, new.0) });
    }
    changes
}

/// Compares what two maps hold under the same names; `compare` gives a detail for what differs.
fn parts<T>(
    changes: &mut Vec<Change>,
    part: &'static str,
    old: &BTreeMap<String, T>,
    new: &BTreeMap<String, T>,
    compare: impl Fn(&T, &T) -> Option<Option<String>>,
) {
    for name in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let (change, detail) = match (old.get(name), new.get(name)) {
            (Some(old), Some(new)) => match compare(old, new) {
                Some(detail) => (Kind::Changed, detail),
                None => continue,
            },
            (Some(_), None) => (Kind::Removed, None),
            (None, _) => (Kind::Added, None),
        };
        changes.push(Change { part, name: name.clone(), change, detail });
    }
}

fn plugin(old: &PluginPlan, new: &PluginPlan) -> Vec<String> {
    let mut details: Vec<String> =
        upgrade((&old.digest, old.version.as_deref()), (&new.digest, new.version.as_deref())).into_iter().collect();
    details.extend(signature(&old.signature, &new.signature));
    details
}

fn signature(old: &Signature, new: &Signature) -> Vec<String> {
    let paths = |fields: &[tamis_record::Field]| fields.iter().map(|f| f.path.to_string()).collect::<BTreeSet<_>>();
    let outputs = |signature: &Signature| signature.outputs.iter().cloned().collect::<BTreeSet<_>>();
    let mut details = Vec::new();
    let mut compare = |word: &str, old: BTreeSet<String>, new: BTreeSet<String>| {
        let list = |set: Vec<&String>| set.into_iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let (more, less): (Vec<_>, Vec<_>) = (new.difference(&old).collect(), old.difference(&new).collect());
        if !more.is_empty() {
            details.push(format!("now {word} {}", list(more)));
        }
        if !less.is_empty() {
            details.push(format!("no longer {word} {}", list(less)));
        }
    };
    compare("reads", paths(&old.reads), paths(&new.reads));
    compare("writes", paths(&old.writes), paths(&new.writes));
    compare("sends to", outputs(old), outputs(new));
    match (old.drops, new.drops) {
        (false, true) => details.push("now drops records".into()),
        (true, false) => details.push("no longer drops records".into()),
        _ => {}
    }
    details
}

fn pipeline(changes: &mut Vec<Change>, (old_config, old): (&Config, &PipelinePlan), (new_config, new): (&Config, &PipelinePlan)) {
    let mut details = Vec::new();
    if old.from != new.from {
        details.push("it reads from elsewhere");
    }
    if old.dead_letters != new.dead_letters {
        details.push("its dead letters go elsewhere");
    }
    if old.undecodable != new.undecodable {
        details.push("what is kept of records that cannot be decoded changes");
    }
    let (before, after): (Vec<_>, Vec<_>) = (names(old), names(new));
    let common = |of: &[String], others: &[String]| of.iter().filter(|name| others.contains(name)).cloned().collect::<Vec<_>>();
    if common(&before, &after) != common(&after, &before) {
        details.push("the order of its steps changes");
    }
    if !details.is_empty() {
        changes.push(Change { part: "pipeline", name: new.name.clone(), change: Kind::Changed, detail: Some(details.join("; ")) });
    }
    let kind = |config: &Config, pipeline: &PipelinePlan, number: usize| -> Option<StepKind> {
        config.pipelines.get(&pipeline.name)?.value.steps.get(number).map(|step| step.value.kind.clone())
    };
    for (number, step) in old.steps.iter().enumerate() {
        let name = format!("{}/{}", old.name, step.name);
        let Some(at) = after.iter().position(|other| *other == step.name) else {
            changes.push(Change { part: "step", name, change: Kind::Removed, detail: None });
            continue;
        };
        let Some(now) = new.steps.get(at) else { continue };
        let mut details = Vec::new();
        if kind(old_config, old, number) != kind(new_config, new, at) {
            details.push(format!("its {} changes", now.mode.word()));
        }
        if step.on_failure != now.on_failure {
            details.push(format!("`on_failure`: {} → {}", crate::model::word_of(step.on_failure), crate::model::word_of(now.on_failure)));
        }
        if !details.is_empty() {
            changes.push(Change { part: "step", name, change: Kind::Changed, detail: Some(details.join("; ")) });
        }
    }
    for step in new.steps.iter().filter(|step| !before.contains(&step.name)) {
        let name = format!("{}/{}", new.name, step.name);
        changes.push(Change { part: "step", name, change: Kind::Added, detail: Some(step.mode.word().into()) });
    }
    let outputs = |pipeline: &PipelinePlan| pipeline.outputs.iter().map(|o| (format!("{}.{}", new.name, o.name), o.way.clone())).collect();
    parts(changes, "output", &outputs(old), &outputs(new), |old, new| (old != new).then(|| Some("it goes elsewhere".into())));
}

fn names(pipeline: &PipelinePlan) -> Vec<String> {
    pipeline.steps.iter().map(|step| step.name.clone()).collect()
}
