//! The sandbox: the only crate that knows wasmtime.
//!
//! [`Sandbox`] compiles components ([`Sandbox::load`]) into [`Plugin`]s, which lanes share. A [`Step`] is what one lane
//! holds of one plugin: it hands batches to its [`Instance`] as columns, checks what comes back against the contract,
//! halves a failing batch until the poison records stand alone, replaces an instance that failed and stops calling a
//! plugin that always fails. Nothing a plugin does ends in more than a [`Failure`] with a cause and a reason.
//!
//! Files, in the order of a record's way: `engine` (allocator, clock), `cache` and `key` (compiled code), `imports`,
//! `version`, `linker`, `wasi` (what a plugin is given), `plugin`, `instance` and `contract` (the call), `trap` and `failure` (what
//! went wrong), `check` (what comes back), `step`, `bisect`, `merge`, `breaker`.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod background;
mod bisect;
mod breaker;
mod cache;
mod check;
mod contract;
mod diagnostics;
mod engine;
mod error;
mod failure;
mod imports;
mod instance;
mod key;
mod limits;
mod linker;
mod merge;
mod plugin;
mod signature;
mod state;
mod step;
mod trap;
mod version;
mod wasi;

pub use breaker::{COOL_DOWN_MAX, COOL_DOWN_MIN, FAILURES_MAX, SLACK};
pub use cache::CacheStats;
pub use contract::VERSION as CONTRACT_VERSION;
pub use diagnostics::LOG_TARGET;
pub use engine::{Allocator, Sandbox};
pub use error::SandboxError;
pub use failure::{Cause, Failure, REASON_BYTES_MAX};
pub use instance::Instance;
pub use limits::{Fuel, Limits, SandboxOptions, WASM_STACK_BYTES};
pub use plugin::Plugin;
pub use signature::{FIELDS_MAX, OUTPUT_NAME_MAX};
pub use step::{Clock, PART_DEADLINE_MIN, PARTS_BYTES_FACTOR, Step, StepResult};
pub use tamis_record::Signature;
