//! What a step makes of single records, told from its answer and from the batch before and after it is applied.

use crate::graph::StepGraph;
use crate::lane::Failing;
use std::collections::HashMap;
use tamis_config::OnFailure;
use tamis_record::{Batch, DROP, KEEP};

/// A record at one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Passage {
    /// As it came to the step.
    pub before: Vec<u8>,
    /// What became of it.
    pub fate: Fate,
    /// The output that the step sends it to, as the step's signature calls it.
    pub to: Option<String>,
    /// Why the step failed on it: cause and reason.
    pub failure: Option<(String, String)>,
}

/// What a step makes of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes on, like this.
    On(Vec<u8>),
    /// It is dropped on purpose, the step's own or that of `on_failure: drop`.
    Dropped,
    /// It is a dead letter.
    Dead,
    /// The host halted before anything became of it.
    Halted,
}

/// The rows of a step in hand whose passages are told, ascending.
#[derive(Debug, Default)]
pub(crate) struct Underway {
    rows: Vec<u32>,
    drops_failing: bool,
}

impl Underway {
    /// What a step answered on some of the live rows, by their numbers among those, ascending. Nothing of the answer is applied yet.
    pub(crate) fn decided(
        step: &StepGraph,
        batch: &mut Batch,
        verdicts: Option<&[u8]>,
        failing: &[Failing],
        picked: impl Iterator<Item = u32>,
    ) -> (Self, Vec<Passage>) {
        let failing: HashMap<u32, &tamis_sandbox::Failure> = failing.iter().map(|(row, failure)| (*row, failure)).collect();
        let (mut rows, mut passages) = (Vec::new(), Vec::new());
        for seen in picked {
            let Some(&row) = batch.live().get(seen as usize) else { break };
            let failure = failing.get(&seen);
            let verdict = match failure {
                Some(_) => KEEP,
                None => verdicts.and_then(|all| all.get(seen as usize)).copied().unwrap_or(KEEP),
            };
            rows.push(row);
            passages.push(Passage {
                before: encoded(batch, row),
                fate: if verdict == DROP { Fate::Dropped } else { Fate::Halted },
                to: if verdict == DROP { None } else { verdict.checked_sub(1).and_then(|output| step.output(output)) },
                failure: failure.map(|failure| (failure.cause.name().into(), failure.reason.to_string())),
            });
        }
        (Self { rows, drops_failing: step.on_failure == OnFailure::Drop }, passages)
    }

    /// The number of a row's passage.
    pub(crate) fn at(&self, row: u32) -> Option<usize> {
        self.rows.binary_search(&row).ok()
    }

    /// The answer is applied: what became of those rows, whose passages these are.
    pub(crate) fn applied(self, batch: &mut Batch, passages: &mut [Passage]) {
        for (passage, row) in passages.iter_mut().zip(self.rows) {
            if batch.live().binary_search(&row).is_ok() {
                passage.fate = Fate::On(encoded(batch, row));
            } else if passage.fate != Fate::Dropped {
                passage.fate = if self.drops_failing && passage.failure.is_some() { Fate::Dropped } else { Fate::Dead };
            }
        }
    }
}

fn encoded(batch: &mut Batch, row: u32) -> Vec<u8> {
    let mut record = Vec::new();
    // Changes that do not fit are a dead letter, sooner or later; until then the record is shown as empty.
    let _ = batch.encode(row, &mut record);
    record
}
