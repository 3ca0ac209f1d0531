//! Which letters were asked for.

use crate::arguments::Choice;
use std::collections::BTreeSet;
use std::time::SystemTime;
use tamis_delivery::letters::Letter;

/// Says of one letter after the other whether it is among them.
pub(super) struct Chooser<'a> {
    choice: &'a Choice,
    left: u64,
}

impl<'a> Chooser<'a> {
    pub(super) fn new(choice: &'a Choice) -> Self {
        Self { choice, left: choice.limit.unwrap_or(u64::MAX) }
    }

    /// Whether no more are wanted.
    pub(super) fn is_full(&self) -> bool {
        self.left == 0
    }

    /// Whether this one is wanted.
    pub(super) fn wants(&self, letter: &Letter<'_>) -> bool {
        let Choice { configuration: _, pipeline, cause, step, plugin, since, until, limit: _ } = self.choice;
        let failure = &letter.failure;
        let among = |wanted: &[String], name: Option<&str>| wanted.is_empty() || wanted.iter().any(|w| Some(w.as_str()) == name);
        let within = || {
            if since.is_none() && until.is_none() {
                return true;
            }
            // A time that cannot be read is neither before nor after another one.
            let Ok(time) = humantime::parse_rfc3339(&failure.time) else { return false };
            since.is_none_or(|since: SystemTime| time >= since) && until.is_none_or(|until: SystemTime| time < until)
        };
        !self.is_full()
            && among(pipeline, Some(&failure.pipeline))
            && among(cause, Some(&failure.cause))
            && among(step, failure.step.as_deref())
            && among(plugin, failure.plugin.as_deref())
            && within()
    }

    /// One was taken.
    pub(super) fn took_one(&mut self) {
        self.left = self.left.saturating_sub(1);
    }

    /// Pipelines that were asked for by name.
    pub(super) fn pipelines(&self) -> BTreeSet<&'a str> {
        self.choice.pipeline.iter().map(String::as_str).collect()
    }
}
