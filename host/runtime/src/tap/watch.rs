//! Watches one frame in a lane for the taps that have room.

use super::event::TapOutcome;
use super::{Cut, Offer, Tap};
use crate::graph::StepGraph;
use crate::lane::Failing;
use crate::observer::{Departure, Observer};
use crate::passage::{Fate, Passage, Underway};
use std::sync::Arc;
use std::time::SystemTime;
use tamis_delivery::DeadLetter;
use tamis_record::{Batch, Records};

/// See the module.
pub(super) struct Watch {
    taps: Vec<Arc<Tap>>,
    generation: u64,
    source: Arc<str>,
    /// The step in hand.
    step: String,
    steps: Vec<AtStep>,
    wholes: Vec<Whole>,
}

/// Records of a tap at the step in hand.
struct AtStep {
    tap: Arc<Tap>,
    underway: Underway,
    passages: Vec<Passage>,
}

/// A record that is followed through the pipeline in hand.
struct Whole {
    tap: Arc<Tap>,
    row: u32,
    before: Cut,
    end: Option<End>,
}

struct End {
    after: Option<Cut>,
    outcome: TapOutcome,
    output: Option<String>,
    by: Option<String>,
    failure: Option<(String, String)>,
}

impl Watch {
    pub(super) fn new(taps: Vec<Arc<Tap>>, generation: u64, source: Arc<str>) -> Self {
        Self { taps, generation, source, step: String::new(), steps: Vec::new(), wholes: Vec::new() }
    }

    fn offer(&self, tap: &Tap, before: Cut, end: End) {
        let End { after, outcome, output, by, failure } = end;
        let (time, generation, source) = (SystemTime::now(), self.generation, Arc::clone(&self.source));
        tap.offer(Offer { time, generation, source, before, after, outcome, output, by, failure });
    }

    fn offer_steps(&mut self) {
        for AtStep { tap, passages, .. } in std::mem::take(&mut self.steps) {
            for Passage { before, fate, to, failure } in passages {
                let (after, outcome) = match fate {
                    Fate::On(after) => (Some(Cut::of(&after)), TapOutcome::Passed),
                    Fate::Dropped => (None, TapOutcome::Dropped),
                    Fate::Dead => (None, TapOutcome::Rejected),
                    Fate::Halted => (None, TapOutcome::Halted),
                };
                self.offer(&tap, Cut::of(&before), End { after, outcome, output: to, by: None, failure });
            }
        }
    }

    fn offer_wholes(&mut self) {
        for Whole { tap, before, end, .. } in std::mem::take(&mut self.wholes) {
            let halted = || End { after: None, outcome: TapOutcome::Halted, output: None, by: None, failure: None };
            self.offer(&tap, before, end.unwrap_or_else(halted));
        }
    }
}

impl Observer for Watch {
    fn entered(&mut self, pipeline: &str, records: &Records) {
        let rows = records.rows.len() as u32;
        for tap in self.taps.iter().filter(|tap| tap.step.is_none() && *tap.pipeline == *pipeline) {
            let picked = tap.pick(rows, |row| records.get(row as usize).len());
            self.wholes.extend(picked.into_iter().map(|row| Whole {
                tap: Arc::clone(tap),
                row,
                before: Cut::of(records.get(row as usize)),
                end: None,
            }));
        }
    }

    fn decided(&mut self, pipeline: &str, step: &StepGraph, batch: &mut Batch, verdicts: Option<&[u8]>, failing: &[Failing]) {
        if !self.wholes.is_empty() {
            self.step.clone_from(&step.name);
        }
        for tap in self.taps.iter().filter(|tap| tap.step.as_deref() == Some(&*step.name) && *tap.pipeline == *pipeline) {
            let bytes = |seen: u32| batch.live().get(seen as usize).map_or(0, |row| batch.records().get(*row as usize).len());
            let picked = tap.pick(batch.live().len() as u32, bytes);
            if picked.is_empty() {
                continue;
            }
            let (underway, passages) = Underway::decided(step, batch, verdicts, failing, picked.into_iter());
            self.steps.push(AtStep { tap: Arc::clone(tap), underway, passages });
        }
    }

    fn applied(&mut self, batch: &mut Batch) {
        for AtStep { underway, passages, .. } in &mut self.steps {
            std::mem::take(underway).applied(batch, passages);
        }
        self.offer_steps();
        for whole in self.wholes.iter_mut().filter(|whole| whole.end.is_none() && batch.live().binary_search(&whole.row).is_err()) {
            let by = Some(self.step.clone());
            whole.end = Some(End { after: None, outcome: TapOutcome::Dropped, output: None, by, failure: None });
        }
    }

    fn letter(&mut self, letter: &DeadLetter<'_>, row: Option<u32>, record: &[u8]) {
        let failure = || Some((letter.cause.to_owned(), letter.reason.to_owned()));
        let end =
            || End { after: None, outcome: TapOutcome::Rejected, output: None, by: letter.step.map(str::to_owned), failure: failure() };
        let Some(row) = row else {
            // It never became a record: it counts as one that came to the pipeline.
            for tap in self.taps.iter().filter(|tap| tap.step.is_none() && *tap.pipeline == *letter.pipeline) {
                if !tap.pick(1, |_| record.len()).is_empty() {
                    self.offer(tap, Cut::of(record), end());
                }
            }
            return;
        };
        for whole in self.wholes.iter_mut().filter(|whole| whole.row == row) {
            whole.end = Some(end());
        }
        for AtStep { underway, passages, .. } in &mut self.steps {
            if let Some(passage) = underway.at(row).and_then(|at| passages.get_mut(at)).filter(|passage| passage.failure.is_none()) {
                passage.failure = failure();
            }
        }
    }

    fn awaits_departures(&self) -> bool {
        !self.wholes.is_empty()
    }

    fn awaits(&self, row: u32) -> bool {
        self.wholes.iter().any(|whole| whole.row == row)
    }

    fn left(&mut self, departure: &Departure<'_>) {
        for whole in self.wholes.iter_mut().filter(|whole| whole.row == departure.row) {
            let outcome = if departure.delivered { TapOutcome::Passed } else { TapOutcome::Dropped };
            let after = departure.delivered.then(|| Cut::of(departure.record));
            whole.end = Some(End { after, outcome, output: Some(departure.output.to_owned()), by: None, failure: None });
        }
    }

    fn finished(&mut self) {
        self.offer_steps();
        self.offer_wholes();
    }
}

impl Drop for Watch {
    /// What was in hand when the host halted.
    fn drop(&mut self) {
        self.offer_steps();
        self.offer_wholes();
    }
}
