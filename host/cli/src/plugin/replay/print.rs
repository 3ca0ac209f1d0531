//! What a replay tells.

use crate::arguments::Output;
use serde_json::json;
use serde_json::value::RawValue;
use std::io::Write;
use std::path::Path;
use tamis_authoring::capsule::{Answer, Capsule, Outcome, Replay, Verdict};
use tamis_config::{Digest, escaped};

/// A replay with all that belongs to it.
pub(super) struct Told<'a> {
    pub(super) capsule: &'a Capsule,
    pub(super) replay: &'a Replay,
    pub(super) component: &'a Path,
    pub(super) digest: &'a Digest,
    /// Whether it is the component that failed.
    pub(super) same: bool,
}

impl Told<'_> {
    pub(super) fn print(&self, output: Output) -> std::io::Result<()> {
        let mut out = std::io::stdout();
        match output {
            Output::Json => writeln!(out, "{}", self.json()),
            _ => out.write_all(self.text().as_bytes()),
        }
    }

    fn verdict(&self) -> &'static str {
        match self.replay.verdict {
            Verdict::Passes if !self.same => "mended: it no longer fails",
            verdict => verdict.words(),
        }
    }

    fn text(&self) -> String {
        let Told { capsule, replay, component, digest, .. } = self;
        let recorded = &capsule.failure;
        let other = if self.same { "" } else { ", not the one that failed" };
        let mut lines = vec![
            ("plugin", format!("{} {digest}{other}", capsule.plugin.name)),
            ("component", component.display().to_string()),
            ("recorded", format!("{}: {}", recorded.cause, recorded.reason)),
        ];
        match &replay.outcome {
            Outcome::Failed(failure) => lines.push(("found", failure.to_string())),
            Outcome::Passed(answers) => lines.extend(answers.iter().map(|answer| ("found", in_words(answer)))),
        }
        if let Some(fuel) = replay.fuel {
            let init = replay.init_fuel.map(|fuel| format!(", init {fuel}")).unwrap_or_default();
            lines.push(("fuel", format!("{fuel} of {} units{init}", capsule.fuel.call)));
            lines.push(("memory", format!("{} bytes", replay.memory_bytes)));
        }
        lines.extend(replay.backtrace.iter().enumerate().map(|(depth, name)| ("", format!("{depth}: {name}"))));
        lines.extend(replay.log.iter().map(|line| ("log", format!("{} {}", line.level.as_str(), line.message))));
        if replay.log_left_out > 0 {
            lines.push(("log", format!("({} more lines)", replay.log_left_out)));
        }
        let mut text: String = lines.iter().map(|(label, value)| format!("{label:<9}  {}\n", escaped(value))).collect();
        text.push_str(self.verdict());
        text.push('\n');
        text
    }

    fn json(&self) -> serde_json::Value {
        let Told { capsule, replay, component, digest, same } = self;
        let (failure, answers) = match &replay.outcome {
            Outcome::Failed(failure) => (json!({ "cause": failure.cause.name(), "reason": &*failure.reason }), serde_json::Value::Null),
            Outcome::Passed(answers) => (serde_json::Value::Null, answers.iter().map(answer_json).collect()),
        };
        let log: Vec<_> = replay.log.iter().map(|line| json!({ "level": line.level.as_str(), "message": line.message })).collect();
        json!({
            "verdict": replay.verdict,
            "message": self.verdict(),
            "plugin": capsule.plugin.name,
            "component": component,
            "digest": digest.as_str(),
            "same_component": same,
            "recorded": { "cause": capsule.failure.cause, "reason": capsule.failure.reason },
            "failure": failure,
            "answers": answers,
            "fuel": replay.fuel,
            "fuel_max": capsule.fuel.call,
            "init_fuel": replay.init_fuel,
            "memory_bytes": replay.memory_bytes,
            "backtrace": replay.backtrace,
            "log": log,
            "log_left_out": replay.log_left_out,
        })
    }
}

fn in_words(answer: &Answer) -> String {
    if answer.dropped {
        return "the record is dropped".to_owned();
    }
    let mut words = vec![match &answer.output {
        Some(output) => format!("the record goes on to `{output}`"),
        None => "the record goes on".to_owned(),
    }];
    words.extend(answer.sets.iter().map(|(field, value)| match value {
        Some(value) => format!("{field} = {value}"),
        None => format!("{field} removed"),
    }));
    words.join(", ")
}

fn answer_json(answer: &Answer) -> serde_json::Value {
    let value = |value: &Option<String>| {
        let raw = value.as_deref().and_then(|value| serde_json::from_str::<Box<RawValue>>(value).ok());
        raw.and_then(|raw| serde_json::to_value(raw).ok()).unwrap_or_default()
    };
    let sets: Vec<_> =
        answer.sets.iter().map(|(field, new)| json!({ "field": field, "value": value(new), "removed": new.is_none() })).collect();
    json!({ "dropped": answer.dropped, "output": answer.output, "sets": sets })
}
