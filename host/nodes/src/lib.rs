//! Sources, sinks and native steps.

pub mod sinks;
pub mod sources;
pub mod steps;
