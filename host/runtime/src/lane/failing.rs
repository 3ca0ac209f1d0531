//! Rows that a step failed on, or whose changes do not fit them.

use super::{Failing, From, Made};
use crate::graph::{PipelineGraph, StepGraph};
use std::collections::HashSet;
use tamis_record::{Batch, Fault, KEEP, Outcome};

/// Rows whose changes by earlier steps do not fit them.
pub(super) fn contract_faults(
    pipeline: &PipelineGraph,
    step: &StepGraph,
    batch: &Batch,
    faults: &mut Vec<Fault>,
    from: &From<'_>,
    made: &mut Made<'_>,
) {
    for fault in faults.drain(..) {
        pipeline.count_dead("contract", 1);
        made.letter(pipeline, Some(step), &fault.reason, "contract", batch.records().get(fault.row as usize), from, fault.row, &[]);
    }
}

/// Takes back whatever the step said of failing rows: they stay as they were.
pub(super) fn withdraw(outcome: &mut Outcome, failing: &[Failing]) {
    let rows: HashSet<u32> = failing.iter().map(|(row, _)| *row).collect();
    if let Some(verdicts) = &mut outcome.verdicts {
        for row in &rows {
            if let Some(verdict) = verdicts.get_mut(*row as usize) {
                *verdict = KEEP;
            }
        }
    }
    for patch in &mut outcome.patches {
        let count = patch.column.len() as u32;
        let all: Vec<u32> = patch.rows.take().unwrap_or_else(|| (0..count).collect());
        let kept: Vec<usize> = (0..all.len()).filter(|i| !rows.contains(&all[*i])).collect();
        if kept.len() < all.len() {
            patch.column = patch.column.pick(&kept);
            patch.rows = Some(kept.iter().map(|i| all[*i]).collect());
        } else {
            patch.rows = Some(all);
        }
    }
}
