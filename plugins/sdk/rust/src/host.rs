//! What the host offers a plugin: a log and counters. Built natively, they go to a recorder that tests can read.

#[cfg(target_arch = "wasm32")]
use crate::contract::tamis::plugin::{log as host_log, metrics as host_metrics};

/// The host's log, under the plugin's name; the host limits the rate and the length of a line.
pub mod log {
    /// How much a line matters.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    pub enum Level {
        /// For the author.
        Debug,
        /// For the operator, to know.
        Info,
        /// For the operator, to look at.
        Warn,
        /// For the operator, to act on.
        Error,
    }

    /// Writes a line at `level`.
    pub fn write(level: Level, message: &str) {
        super::write(level, message);
    }

    /// Writes a line for the author.
    pub fn debug(message: &str) {
        write(Level::Debug, message);
    }

    /// Writes a line for the operator to know.
    pub fn info(message: &str) {
        write(Level::Info, message);
    }

    /// Writes a line for the operator to look at.
    pub fn warn(message: &str) {
        write(Level::Warn, message);
    }

    /// Writes a line for the operator to act on.
    pub fn error(message: &str) {
        write(Level::Error, message);
    }
}

/// Counters of the plugin, published as `tamis_plugin_counter_total{plugin,name}`.
pub mod metrics {
    /// Adds to a counter. Each call leaves the sandbox: add up over a batch and call once (see
    /// [`Plugin::batch_done`](crate::Plugin::batch_done)). The host takes a bounded number of names.
    pub fn add(name: &str, delta: u64) {
        super::add(name, delta);
    }
}

#[cfg(target_arch = "wasm32")]
fn write(level: log::Level, message: &str) {
    let level = match level {
        log::Level::Debug => host_log::Level::Debug,
        log::Level::Info => host_log::Level::Info,
        log::Level::Warn => host_log::Level::Warn,
        log::Level::Error => host_log::Level::Error,
    };
    host_log::write(level, message);
}

#[cfg(target_arch = "wasm32")]
fn add(name: &str, delta: u64) {
    host_metrics::add(name, delta);
}

#[cfg(not(target_arch = "wasm32"))]
fn write(level: log::Level, message: &str) {
    crate::testing::record(|recorder| recorder.log.push((level, message.to_owned())));
}

#[cfg(not(target_arch = "wasm32"))]
fn add(name: &str, delta: u64) {
    crate::testing::record(|recorder| {
        let counter = recorder.counters.entry(name.to_owned()).or_default();
        *counter = counter.saturating_add(delta);
    });
}
