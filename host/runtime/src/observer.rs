//! Watching a lane at work: what came to each step, what the step made of it, what left and what failed.
//!
//! A lane that nobody watches pays for the test of an `Option` a step and a record that leaves. One that is watched encodes records
//! once more before and after a step, for its observer's eyes only.

use crate::graph::StepGraph;
use crate::lane::Failing;
use tamis_delivery::DeadLetter;
use tamis_record::{Batch, Records};

/// Is shown what a lane does, in the lane's own thread: whoever takes long, holds it up.
pub(crate) trait Observer: Send {
    /// A frame's records come to a pipeline.
    fn entered(&mut self, _pipeline: &str, _records: &Records) {}

    /// A step has answered, and nothing of its answer is applied yet: `batch` holds the records as they came to it.
    /// `verdicts` and `failing` number the live rows.
    fn decided(&mut self, pipeline: &str, step: &StepGraph, batch: &mut Batch, verdicts: Option<&[u8]>, failing: &[Failing]) {
        let _ = (pipeline, step, batch, verdicts, failing);
    }

    /// The answer of the step last shown is applied: `batch` holds the records as they leave it.
    fn applied(&mut self, batch: &mut Batch) {
        let _ = batch;
    }

    /// A record has become a dead letter; `row` is none when it could not be decoded.
    fn letter(&mut self, letter: &DeadLetter<'_>, row: Option<u32>, record: &[u8]);

    /// Whether it is to be shown records that leave the pipeline in hand.
    fn awaits_departures(&self) -> bool {
        true
    }

    /// Whether it is to be shown this one of them.
    fn awaits(&self, _row: u32) -> bool {
        true
    }

    /// A record that it awaits leaves its pipeline.
    fn left(&mut self, departure: &Departure<'_>);

    /// All records that came to the pipeline have left it or never will.
    fn finished(&mut self) {}
}

/// An observer, if there is one.
pub(crate) type Watching<'a> = Option<&'a mut (dyn Observer + 'static)>;

/// A record that leaves its pipeline.
pub(crate) struct Departure<'a> {
    pub(crate) pipeline: &'a str,
    pub(crate) output: &'a str,
    /// Its row in the pipeline's batch.
    pub(crate) row: u32,
    /// As it leaves.
    pub(crate) record: &'a [u8],
    /// Whether the output leads anywhere; else the record is dropped on purpose.
    pub(crate) delivered: bool,
}
