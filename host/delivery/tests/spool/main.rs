//! The spool against a model, power loss, missing syncs, damage, full disks and two threads.
#![allow(clippy::unwrap_used)]

mod corruption;
mod faults;
mod model;
mod power_loss;
mod support;
mod threads;
