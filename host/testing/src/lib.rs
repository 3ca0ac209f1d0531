//! Tests of pipelines: what a configuration's `tests` say, tried on its real plan, plugins and steps.
//!
//! [`prepare`] reads what tests name and checks it, with every problem told; [`Case::run`] takes a test's records through a
//! [trial](tamis_runtime::trial) of its own and compares; [`Coverage`] adds up what all of them reached.

mod case;
mod check;
mod compare;
mod coverage;
mod golden;

pub use case::{Case, Outcome, prepare};
pub use compare::{Difference, Problem};
pub use coverage::{Coverage, PipelineCoverage, StepCoverage};

/// Differences told of one record; the rest is counted.
pub const DIFFERENCES_MAX: usize = 50;
/// Problems told of one test; the rest is counted.
pub const PROBLEMS_MAX: usize = 100;
