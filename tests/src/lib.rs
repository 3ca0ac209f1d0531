//! Whole-binary tests.

pub mod bench;
pub mod comparison;
pub mod faults;
pub mod harness;
pub mod power;
pub mod samples;
