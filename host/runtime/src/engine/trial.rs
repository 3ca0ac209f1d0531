//! A candidate beside the generation that runs: as a shadow, on copies of frames and without effect, or as a canary, with a
//! share of the frames.

use super::{Built, Engine, StartError, locked};
use crate::shadow::{Shadow, ShadowReport};
use crate::tools::Tools;
use serde::Serialize;
use std::sync::Arc;
use std::time::Instant;
use tamis_config::Config;
use tamis_plan::Plan;

/// A generation that gets a share of the frames, and what it takes to let it have all of them.
pub(super) struct Canary {
    built: Built,
    share: f64,
    started: Instant,
    /// What the active generation had taken through when it began.
    before: (u64, u64),
}

/// What a canary has done so far, beside the generation that runs.
#[derive(Debug, Clone, Serialize)]
pub struct CanaryReport {
    /// The share of frames that it gets, from 0 to 1.
    pub share: f64,
    /// How long it has run, in seconds.
    pub seconds: f64,
    /// Records that the canary's pipelines took.
    pub records: u64,
    /// Dead letters among them.
    pub errors: u64,
    /// Records that the active generation's pipelines took meanwhile.
    pub records_active: u64,
    /// Dead letters among those.
    pub errors_active: u64,
}

impl Engine {
    /// Compares a candidate with what runs, on copies of a share (from 0 to 1) of the frames and without effect, until another
    /// comparison or [`Engine::end_shadow`].
    ///
    /// # Errors
    /// What cannot be built; a comparison that runs goes on, then.
    pub fn start_shadow(
        &self,
        active: (&Config, &Plan, &Tools),
        candidate: (&Config, &Plan, &Tools),
        share: f64,
    ) -> Result<(), StartError> {
        // One at a time: there is one feed, which the new one takes.
        let shadow = Shadow::start(&self.lanes.feed, active, candidate, share)?;
        *locked(&self.shadow) = Some(shadow);
        Ok(())
    }

    /// What the shadow found so far, if there is one.
    pub fn shadow(&self) -> Option<ShadowReport> {
        locked(&self.shadow).as_ref().map(Shadow::report)
    }

    /// Ends the shadow and gives what it found.
    pub fn end_shadow(&self) -> Option<ShadowReport> {
        locked(&self.shadow).take().map(|shadow| shadow.report())
    }

    /// Builds a candidate and gives it a share (from 0 to 1) of the frames, until [`Engine::promote_canary`],
    /// [`Engine::end_canary`] or a reload. Each frame, and what it is delivered as, is the work of one of the two.
    ///
    /// # Errors
    /// What cannot be built; a canary that runs goes on, then. Sources and sinks have to be the same.
    pub fn start_canary(&self, config: &Config, plan: &Plan, tools: &Tools, share: f64) -> Result<(), StartError> {
        self.reloadable(config)?;
        let Some(current) = self.current.get().filter(|_| !self.stop.is_draining()) else { return Err(StartError::Stopping) };
        let candidate = self.prepare(config, plan, tools)?;
        let same_sinks = candidate.sinks.touched().next().is_none() && candidate.graph.sinks == current.graph.sinks;
        if candidate.taps != self.lanes.taps.settings() {
            return Err(StartError::Build("`settings.tap` changes: what is hidden is hidden of all records or of none".into()));
        }
        if !same_sinks || candidate.sources != current.sources {
            let what = "sources, sinks or pipelines without `dead_letters` begin, change or end: a canary shares them all";
            return Err(StartError::Build(what.into()));
        }
        let built = self.build(candidate)?;
        let before = current.tally.get();
        self.current.set_canary(Some((Arc::clone(&built.generation), share)));
        *locked(&self.canary) = Some(Canary { built, share, started: Instant::now(), before });
        Ok(())
    }

    /// What the canary has done so far, if there is one.
    pub fn canary(&self) -> Option<CanaryReport> {
        let canary = locked(&self.canary);
        let Canary { built, share, started, before } = canary.as_ref()?;
        let (records, errors) = built.generation.tally.get();
        let (taken, failed) = self.current.get().map(|generation| generation.tally.get()).unwrap_or_default();
        Some(CanaryReport {
            share: *share,
            seconds: started.elapsed().as_secs_f64(),
            records,
            errors,
            records_active: taken.saturating_sub(before.0),
            errors_active: failed.saturating_sub(before.1),
        })
    }

    /// Gives the canary all frames. `None`: there is none. Otherwise the number of the generation.
    pub fn promote_canary(&self) -> Option<u64> {
        let Canary { built, .. } = locked(&self.canary).take()?;
        self.enter(built);
        Some(self.generation())
    }

    /// Gives the canary no more frames; what it has under way, it delivers. Gives what it did.
    pub fn end_canary(&self) -> Option<CanaryReport> {
        let report = self.canary();
        self.current.set_canary(None);
        *locked(&self.canary) = None;
        report
    }
}
