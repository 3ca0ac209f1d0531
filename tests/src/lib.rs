//! Whole-binary tests.

pub mod bench;
pub mod comparison;
pub mod faults;
pub mod harness;
pub mod power;
pub mod reloads;
pub mod samples;
