//! Trying a configuration beside the one that runs: as a shadow, on copies and without effect, or as a canary, on a share of the records
//! for good. A trial promotes itself or gives up by itself where it was told what is good enough.

use super::{Answer, Ask, Control, Planned, Request, Tokens, Verdict};
use serde::Serialize;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis_plan::diff;
use tamis_runtime::{CanaryReport, ShadowReport, StartError};

/// A million: shares are told in parts of it.
const MILLION: f64 = 1_000_000.0;

/// How a candidate is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialKind {
    /// On copies of frames, without effect.
    Shadow,
    /// On frames of its own, which it delivers.
    Canary,
}

impl TrialKind {
    /// The word: `shadow` or `canary`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Shadow => "shadow",
            Self::Canary => "canary",
        }
    }
}

/// A trial that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// How.
    pub kind: TrialKind,
    /// The share of frames, in parts of a million.
    pub share_ppm: u32,
    /// When the candidate takes over by itself; otherwise the trial goes on until somebody ends it.
    pub promotion: Option<Promotion>,
}

/// What is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Promotion {
    /// How long it is tried.
    pub after: Duration,
    /// The share of records that may differ, in parts of a million. Of no use to a canary, whose records nobody else takes through.
    pub max_diff_ppm: u32,
    /// Dead letters that the candidate may have beyond those of the running generation (for a canary: beyond its rate).
    pub max_errors: u64,
}

/// A trial that runs.
#[derive(Debug)]
pub(super) struct Trying {
    trial: Trial,
    planned: Planned,
    request: Request,
    started: Instant,
}

/// What a trial found so far.
#[derive(Debug, Clone, Serialize)]
pub struct TrialReport {
    /// What was asked for.
    #[serde(flatten)]
    pub trial: Trial,
    /// Of a shadow.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shadow: Option<ShadowReport>,
    /// Of a canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<CanaryReport>,
}

impl TrialReport {
    /// Dead letters beyond those that the running generation has, or would have.
    fn errors(&self) -> u64 {
        match (&self.shadow, &self.canary) {
            (Some(shadow), _) => shadow.errors_candidate.saturating_sub(shadow.errors_active),
            (_, Some(canary)) => {
                let rate = if canary.records_active == 0 { 0.0 } else { canary.errors_active as f64 / canary.records_active as f64 };
                canary.errors.saturating_sub((rate * canary.records as f64).ceil() as u64)
            }
            (None, None) => 0,
        }
    }

    fn records(&self) -> u64 {
        self.shadow.as_ref().map_or(0, |shadow| shadow.records) + self.canary.as_ref().map_or(0, |canary| canary.records)
    }

    fn differing_ppm(&self) -> f64 {
        self.shadow.as_ref().map_or(0.0, |shadow| shadow.differing() * MILLION)
    }

    fn halted(&self) -> Option<&str> {
        self.shadow.as_ref()?.halted.as_deref()
    }

    /// In a sentence.
    fn told(&self) -> String {
        let found = match &self.shadow {
            Some(shadow) => {
                let differ = shadow.differing() * 100.0;
                let first = shadow.first_step().map(|step| format!(", most of them first after {step}")).unwrap_or_default();
                format!("{} records compared, {} differ ({differ:.3} %){first}", shadow.records, shadow.records_differ)
            }
            None => format!("{} records taken", self.records()),
        };
        format!(
            "{} on {} % of the frames: {found}, {} dead letters more",
            self.trial.kind.word(),
            f64::from(self.trial.share_ppm) / 10_000.0,
            self.errors()
        )
    }
}

/// What becomes of a trial.
#[derive(Debug, PartialEq, Eq)]
enum Judgement {
    GoesOn,
    Promoted,
    GivenUp(String),
}

fn judge(report: &TrialReport, elapsed: Duration) -> Judgement {
    let Some(promotion) = report.trial.promotion else { return Judgement::GoesOn };
    if let Some(reason) = report.halted() {
        return Judgement::GivenUp(format!("it would halt the host: {reason}"));
    }
    if report.errors() > promotion.max_errors {
        return Judgement::GivenUp(format!("more than {} dead letters more", promotion.max_errors));
    }
    if elapsed < promotion.after {
        return Judgement::GoesOn;
    }
    if report.records() == 0 {
        return Judgement::GivenUp("no record came".into());
    }
    if report.differing_ppm() > f64::from(promotion.max_diff_ppm) {
        return Judgement::GivenUp(format!("more than {} % of the records differ", f64::from(promotion.max_diff_ppm) / 10_000.0));
    }
    Judgement::Promoted
}

impl Control {
    /// What the trial that runs has found, if one runs.
    pub fn trial(&self) -> Option<TrialReport> {
        let trial = self.running().trying.as_ref()?.trial;
        Some(self.report(trial))
    }

    fn report(&self, trial: Trial) -> TrialReport {
        match trial.kind {
            TrialKind::Shadow => TrialReport { trial, shadow: self.engine.shadow(), canary: None },
            TrialKind::Canary => TrialReport { trial, shadow: None, canary: self.engine.canary() },
        }
    }

    pub(super) fn begin_trial(&self, trial: Trial, request: &Request, planned: Planned) -> Result<String, StartError> {
        self.engine.reloadable(&planned.config)?;
        let (running, share, found) = (self.planned(), f64::from(trial.share_ppm) / MILLION, self.found());
        match trial.kind {
            TrialKind::Shadow => {
                let active = (&running.config, &running.plan, &running.tools);
                self.engine.start_shadow(active, (&planned.config, &planned.plan, &planned.tools), share)?;
            }
            TrialKind::Canary => self.engine.start_canary(&planned.config, &planned.plan, &planned.tools, share)?,
        }
        let before = self.running().trying.replace(Trying { trial, planned, request: request.clone(), started: Instant::now() });
        if let Some(before) = before {
            match (before.trial.kind, trial.kind) {
                (TrialKind::Shadow, TrialKind::Canary) => drop(self.engine.end_shadow()),
                (TrialKind::Canary, TrialKind::Shadow) => drop(self.engine.end_canary()),
                // The new one has taken its place.
                _ => {}
            }
            self.tell_given_way(&before, request, found);
        }
        Ok(format!("sound; on trial as a {} on {} % of the frames", trial.kind.word(), share * 100.0))
    }

    /// What the trial that runs has found, in a sentence.
    pub(super) fn found(&self) -> Option<String> {
        self.trial().map(|report| report.told())
    }

    /// Ends the trial that runs, if one does, because another request was followed. `found`: what it had found until then.
    pub(super) fn trial_gives_way(&self, to: &Request, found: Option<String>) {
        let Some(trying) = self.running().trying.take() else { return };
        self.engine.end_shadow();
        self.engine.end_canary();
        self.tell_given_way(&trying, to, found);
    }

    fn tell_given_way(&self, trying: &Trying, to: &Request, found: Option<String>) {
        let word = if to.ask == Ask::Reload {
            "a reload"
        } else if matches!(to.ask, Ask::Try(_)) {
            "another trial"
        } else {
            "a rollback"
        };
        let mut answer = self.say(Verdict::GaveUp, format!("ended by {word} ({}): {}", to.who, found.unwrap_or_default()));
        answer.took_ms = u64::try_from(trying.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.engine.metrics().reloaded(answer.result.word());
        tracing::info!(who = trying.request.who, "the trial is {}", answer.message);
        self.write_down(&trying.request, &answer);
    }

    /// Ends the trial that runs. Gives what it found.
    pub(super) fn end_trial(&self) -> Option<String> {
        let found = self.found()?;
        self.running().trying = None;
        self.engine.end_shadow();
        self.engine.end_canary();
        Some(found)
    }

    /// Lets a trial go on, take over or end.
    pub(super) fn look_at_trial(&self) {
        let Some((trial, started)) = self.running().trying.as_ref().map(|trying| (trying.trial, trying.started)) else { return };
        let report = self.report(trial);
        let judgement = judge(&report, started.elapsed());
        if judgement == Judgement::GoesOn {
            return;
        }
        let Some(Trying { planned, request, started, .. }) = self.running().trying.take() else { return };
        let mut answer = match judgement {
            Judgement::Promoted => self.promote(trial, planned),
            Judgement::GivenUp(why) => self.say(Verdict::GaveUp, why),
            Judgement::GoesOn => return,
        };
        self.engine.end_shadow();
        self.engine.end_canary();
        answer.message = format!("{}; {}", answer.message, report.told());
        answer.took_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.engine.metrics().reloaded(answer.result.word());
        match answer.result {
            Verdict::Applied => tracing::info!(who = request.who, "{}", answer.message),
            _ => tracing::error!(who = request.who, "{}", answer.message),
        }
        self.write_down(&request, &answer);
    }

    fn promote(&self, trial: Trial, planned: Planned) -> Answer {
        let running = self.planned();
        let changes = diff((&running.config, &running.plan), (&planned.config, &planned.plan));
        if trial.kind == TrialKind::Shadow {
            return self.apply(planned, changes, serde_json::Value::Null, None);
        }
        let Some(generation) = self.engine.promote_canary() else { return self.say(Verdict::Failed, "the canary is gone".into()) };
        let mut running = self.running();
        running.admin_tokens = Arc::new(Tokens::of(&planned.config.settings));
        (running.planned, running.degraded) = (Arc::new(planned), None);
        self.engine.metrics().set_degraded(false);
        drop(running);
        Answer { changes, ..self.say(Verdict::Applied, format!("generation {generation} runs")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(records: u64, differ: u64, errors: u64) -> TrialReport {
        let promotion = Promotion { after: Duration::from_secs(10), max_diff_ppm: 1_000, max_errors: 2 };
        let trial = Trial { kind: TrialKind::Shadow, share_ppm: 50_000, promotion: Some(promotion) };
        let shadow =
            ShadowReport { records, records_differ: differ, errors_active: 5, errors_candidate: 5 + errors, ..ShadowReport::default() };
        TrialReport { trial, shadow: Some(shadow), canary: None }
    }

    #[test]
    fn a_trial_is_promoted_when_it_was_good_for_long_enough() {
        let (early, late) = (Duration::from_secs(9), Duration::from_secs(10));
        assert_eq!(judge(&report(1000, 1, 2), early), Judgement::GoesOn);
        assert_eq!(judge(&report(1000, 1, 2), late), Judgement::Promoted);
        assert!(matches!(judge(&report(1000, 2, 0), late), Judgement::GivenUp(why) if why.contains("0.1 %")));
        assert!(matches!(judge(&report(0, 0, 0), late), Judgement::GivenUp(_)), "nothing was seen");
        assert!(matches!(judge(&report(1000, 0, 3), early), Judgement::GivenUp(_)), "errors end it at once");
        let mut endless = report(1000, 1000, 1000);
        endless.trial.promotion = None;
        assert_eq!(judge(&endless, late), Judgement::GoesOn);
    }

    #[test]
    fn a_canary_may_fail_as_often_as_what_runs() {
        let canary = CanaryReport { share: 0.1, seconds: 10.0, records: 100, errors: 3, records_active: 900, errors_active: 9 };
        let trial = Trial { kind: TrialKind::Canary, share_ppm: 100_000, promotion: None };
        assert_eq!(TrialReport { trial, shadow: None, canary: Some(canary) }.errors(), 2);
    }
}
