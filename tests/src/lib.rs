//! Whole-binary tests.

pub mod comparison;
pub mod samples;
