//! A tap's own thread: filters, hides, compares and tells, in its own time.

use super::budget::Bucket;
use super::event::{Lost, Sample, TapEvent, Tapping, Waiting};
use super::view::{HIDDEN, View};
use super::{Offer, Running, TAP_TIME_MAX, Tap, Taps, Told};
use crate::trial::{Condition, Verdict};
use crossbeam_channel::Receiver;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How often it looks for records, and whether something has changed.
const LOOK: Duration = Duration::from_millis(5);
/// How often it tells what was lost.
const LOST_EVERY: Duration = Duration::from_secs(1);

type Tell = Box<dyn FnMut(&TapEvent) -> Told + Send>;

/// See the module.
pub(super) struct Worker {
    taps: Arc<Taps>,
    tap: Arc<Tap>,
    condition: Option<Condition>,
    /// As asked for.
    rate: u32,
    shown: Bucket,
    tell: Tell,
    lost: Lost,
    lost_told: Instant,
    /// The generation that was last told of.
    generation: u64,
}

impl Worker {
    pub(super) fn new(taps: Arc<Taps>, tap: Arc<Tap>, condition: Option<Condition>, rate: u32, tell: Tell) -> Self {
        let (shown, lost_told) = (Bucket::new(rate), Instant::now());
        Self { taps, tap, condition, rate, shown, tell, lost: Lost::default(), lost_told, generation: 0 }
    }

    pub(super) fn run(mut self, offers: &Receiver<Offer>) {
        let began = Instant::now();
        let name = match &self.tap.step {
            Some(step) => format!("{}/{step}", self.tap.pipeline),
            None => self.tap.pipeline.to_string(),
        };
        tracing::info!("somebody looks at the records of `{name}`");
        while !self.tap.closed.load(Ordering::Relaxed) {
            let end = match began.elapsed() {
                _ if self.taps.ending.load(Ordering::SeqCst) => Some("the host has ended".to_owned()),
                elapsed if elapsed >= TAP_TIME_MAX => Some(format!("a tap lasts {} s at most", TAP_TIME_MAX.as_secs())),
                _ => None,
            };
            let running = self.taps.running();
            let flow = match end {
                Some(reason) => {
                    // What the lanes have shown already comes first.
                    if offers.try_iter().try_for_each(|offer| self.show(&running, offer)).is_continue() {
                        let _ = self.tell(&TapEvent::End { reason });
                    }
                    ControlFlow::Break(())
                }
                None => self.turn(&running, offers),
            };
            if flow.is_break() {
                break;
            }
        }
        tracing::info!("nobody looks at the records of `{name}` any more");
    }

    fn turn(&mut self, running: &Running, offers: &Receiver<Offer>) -> ControlFlow<()> {
        self.announce(running)?;
        match offers.try_recv() {
            // What runs may have changed meanwhile, and with it what is to be hidden.
            Ok(offer) => self.show(&self.taps.running(), offer)?,
            // Not a wait in the channel: a lane would have to wake it.
            Err(_) => std::thread::sleep(LOOK),
        }
        self.tell_lost()
    }

    /// Tells of a generation that took over.
    fn announce(&mut self, running: &Running) -> ControlFlow<()> {
        if self.generation == running.generation {
            return ControlFlow::Continue(());
        }
        let rate = self.rate.min(running.settings.rate_max);
        self.shown.set(rate);
        let (pipeline, step) = (self.tap.pipeline.to_string(), self.tap.step.as_ref().map(ToString::to_string));
        let generation = running.generation;
        let missing = match (running.steps.get(&pipeline), &step) {
            (None, _) => Some(format!("generation {generation} has no pipeline `{pipeline}`")),
            (Some(steps), Some(step)) if !steps.contains(step) => {
                Some(format!("pipeline `{pipeline}` of generation {generation} has no step `{step}`"))
            }
            _ => None,
        };
        let event = match missing {
            Some(reason) => TapEvent::Waiting(Waiting { pipeline, step, generation, reason }),
            None => {
                let hidden = running.settings.hide.iter().map(ToString::to_string).collect();
                TapEvent::Tapping(Tapping { pipeline, step, generation, rate, hidden })
            }
        };
        match (self.tell)(&event) {
            Told::Taken => self.generation = generation,
            // Once more at the next turn.
            Told::Full => {}
            Told::Gone => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn show(&mut self, running: &Running, offer: Offer) -> ControlFlow<()> {
        let hide = &running.settings.hide;
        let after = offer.after.as_ref().map(View::of);
        let before = View::of(&offer.before);
        let changed = after.as_ref().map(|after| before.changed(after)).unwrap_or_default();
        let before_bytes = before.cut_bytes();
        let before = before.shown(hide);
        if let Some(condition) = &self.condition {
            // It sees what its author sees: else it could be asked for what is hidden.
            let seen = serde_json::to_vec(&before).unwrap_or_default();
            match condition.holds(&seen) {
                Verdict::True => {}
                Verdict::False => return ControlFlow::Continue(()),
                Verdict::Failed(reason) => {
                    self.lost.filter += 1;
                    self.lost.filter_error = Some(reason);
                    return ControlFlow::Continue(());
                }
            }
        }
        if !self.shown.has(Instant::now(), 1.0) {
            return ControlFlow::Continue(());
        }
        self.shown.take(1.0);
        let (cause, reason) = offer.failure.unzip();
        let sample = Sample {
            time: humantime::format_rfc3339_millis(offer.time).to_string(),
            pipeline: self.tap.pipeline.to_string(),
            step: self.tap.step.as_ref().map(ToString::to_string),
            generation: offer.generation,
            source: offer.source.to_string(),
            outcome: offer.outcome,
            output: offer.output,
            by: offer.by,
            cause,
            // It may quote the record.
            reason: if hide.is_empty() { reason } else { reason.map(|_| HIDDEN.to_owned()) },
            changed,
            before,
            after_bytes: after.as_ref().and_then(View::cut_bytes),
            after: after.map(|after| after.shown(hide)),
            before_bytes,
        };
        self.tell(&TapEvent::Sample(Box::new(sample)))
    }

    fn tell(&mut self, event: &TapEvent) -> ControlFlow<()> {
        match (self.tell)(event) {
            Told::Taken => {}
            Told::Full => self.lost.viewer += 1,
            Told::Gone => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }

    fn tell_lost(&mut self) -> ControlFlow<()> {
        if self.lost_told.elapsed() < LOST_EVERY {
            return ControlFlow::Continue(());
        }
        self.lost_told = Instant::now();
        self.lost.host += self.tap.lost.swap(0, Ordering::Relaxed);
        let lost = self.lost.clone();
        if lost.host + lost.viewer + lost.filter == 0 {
            return ControlFlow::Continue(());
        }
        match (self.tell)(&TapEvent::Dropped(lost)) {
            Told::Taken => self.lost = Lost::default(),
            Told::Full => {}
            Told::Gone => return ControlFlow::Break(()),
        }
        ControlFlow::Continue(())
    }
}
