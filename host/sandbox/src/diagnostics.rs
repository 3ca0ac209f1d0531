//! What a plugin tells the operator: log lines and counters, both bounded, both shared by all instances of the plugin.

use crate::contract::Level;
use crate::failure::printable;
use crate::limits::Limits;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest name of a counter.
const METRIC_NAME_BYTES_MAX: usize = 64;
/// Target of the tracing events of plugins.
pub const LOG_TARGET: &str = "tamis::plugin";
const WINDOW: Duration = Duration::from_secs(1);

/// The log and the counters of one plugin.
#[derive(Debug)]
pub(crate) struct Diagnostics {
    plugin: String,
    line_bytes_max: usize,
    names_max: usize,
    log: Mutex<Bucket>,
    counters: Mutex<Counters>,
}

#[derive(Debug, Default)]
struct Counters {
    values: BTreeMap<String, u64>,
    refused: u64,
}

impl Diagnostics {
    pub(crate) fn new(plugin: &str, limits: &Limits) -> Self {
        Self {
            plugin: plugin.to_owned(),
            line_bytes_max: limits.log_line_bytes as usize,
            names_max: limits.metric_names as usize,
            log: Mutex::new(Bucket::new(limits.log_lines_per_s, Instant::now())),
            counters: Mutex::default(),
        }
    }

    /// One log line of the guest: clipped, escaped, and only as many a second as the limit says.
    pub(crate) fn log(&self, level: Level, message: &str) {
        let (allowed, dropped) = {
            let mut bucket = lock(&self.log);
            let now = Instant::now();
            (bucket.take(now), bucket.report(now))
        };
        self.report(dropped);
        if !allowed {
            return;
        }
        let plugin = self.plugin.as_str();
        let message = printable(message, self.line_bytes_max);
        match level {
            Level::Debug => tracing::debug!(target: LOG_TARGET, plugin, "{message}"),
            Level::Info => tracing::info!(target: LOG_TARGET, plugin, "{message}"),
            Level::Warn => tracing::warn!(target: LOG_TARGET, plugin, "{message}"),
            Level::Error => tracing::error!(target: LOG_TARGET, plugin, "{message}"),
        }
    }

    /// Says how many lines were dropped, when there are any and the last report is a second old. Called by the ticker too,
    /// so that the end of a flood is reported.
    pub(crate) fn report_dropped(&self) {
        let dropped = lock(&self.log).report(Instant::now());
        self.report(dropped);
    }

    fn report(&self, dropped: u64) {
        if dropped > 0 {
            tracing::warn!(target: LOG_TARGET, plugin = self.plugin.as_str(), dropped, "the plugin logs more lines a second than its limit; {dropped} were dropped");
        }
    }

    /// Adds to a counter. A name that is not `[a-z0-9_]{1,64}`, or one more than the limit, is refused and counted.
    pub(crate) fn count(&self, name: &str, delta: u64) {
        let mut counters = lock(&self.counters);
        if let Some(value) = counters.values.get_mut(name) {
            *value = value.saturating_add(delta);
        } else if counters.values.len() < self.names_max && is_metric_name(name) {
            counters.values.insert(name.to_owned(), delta);
        } else {
            counters.refused = counters.refused.saturating_add(1);
            if counters.refused == 1 {
                let name = printable(name, METRIC_NAME_BYTES_MAX);
                drop(counters);
                tracing::warn!(
                    target: LOG_TARGET,
                    plugin = self.plugin.as_str(),
                    "counter `{name}` is refused: at most {} names of 1 to {METRIC_NAME_BYTES_MAX} characters a-z, 0-9 and _ were expected; further refusals are only counted",
                    self.names_max
                );
            }
        }
    }

    pub(crate) fn counters(&self) -> Vec<(String, u64)> {
        lock(&self.counters).values.iter().map(|(name, value)| (name.clone(), *value)).collect()
    }

    pub(crate) fn counters_refused(&self) -> u64 {
        lock(&self.counters).refused
    }

    pub(crate) fn lines_dropped(&self) -> u64 {
        lock(&self.log).dropped_total
    }
}

/// A lock whose data stays usable when a thread died with it: every update leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn is_metric_name(name: &str) -> bool {
    (1..=METRIC_NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// A token bucket that holds one second's worth of lines.
#[derive(Debug)]
struct Bucket {
    per_s: f64,
    tokens: f64,
    filled: Instant,
    reported: Instant,
    dropped: u64,
    dropped_total: u64,
}

impl Bucket {
    fn new(per_s: u32, now: Instant) -> Self {
        Self { per_s: f64::from(per_s), tokens: f64::from(per_s), filled: now, reported: now, dropped: 0, dropped_total: 0 }
    }

    fn take(&mut self, now: Instant) -> bool {
        let elapsed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = now;
        self.tokens = (self.tokens + elapsed * self.per_s).min(self.per_s);
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
            return true;
        }
        self.dropped += 1;
        self.dropped_total += 1;
        false
    }

    /// Lines dropped since the last report, once a second; else 0.
    fn report(&mut self, now: Instant) -> u64 {
        if self.dropped == 0 || now.saturating_duration_since(self.reported) < WINDOW {
            return 0;
        }
        self.reported = now;
        std::mem::take(&mut self.dropped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bucket_holds_a_second_and_reports_once_a_second() {
        let start = Instant::now();
        let mut bucket = Bucket::new(100, start);
        assert_eq!((0..1_000).filter(|_| bucket.take(start)).count(), 100);
        assert_eq!(bucket.report(start + Duration::from_millis(900)), 0);
        assert_eq!(bucket.report(start + Duration::from_millis(1_000)), 900);
        assert_eq!(bucket.report(start + Duration::from_secs(9)), 0);
        let later = start + Duration::from_millis(500);
        assert_eq!((0..1_000).filter(|_| bucket.take(later)).count(), 50);
        assert_eq!(bucket.dropped_total, 900 + 950);
    }

    #[test]
    fn counters_are_bounded_in_number_and_name() {
        let diagnostics = Diagnostics::new("p", &Limits { metric_names: 2, ..Limits::default() });
        diagnostics.count("a", 1);
        diagnostics.count("a", u64::MAX);
        for bad in ["", "A", "a-b", "é", &"x".repeat(65)] {
            diagnostics.count(bad, 1);
        }
        diagnostics.count("b_2", 5);
        diagnostics.count("c", 5);
        assert_eq!(diagnostics.counters(), [("a".to_owned(), u64::MAX), ("b_2".to_owned(), 5)]);
        assert_eq!(diagnostics.counters_refused(), 6);
    }
}
