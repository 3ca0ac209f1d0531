//! How far a stop has got.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often whoever sleeps looks whether everything is to end.
const LOOK: Duration = Duration::from_millis(20);

/// Shared by everything that runs: whether to go on, to drain, or to end at once.
///
/// A part of the host may have one of its own ([`Stop::part`]): it ends with the host, or before.
#[derive(Debug, Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    /// That of the host, for a part.
    host: Option<Stop>,
    level: AtomicU8,
    reason: Mutex<Option<String>>,
    reader_gone: AtomicBool,
}

/// Held by each of the host's threads: a panic in one of them ends the host, for others would wait for it for ever.
pub(crate) struct HaltOnPanic(pub(crate) Stop);

impl Drop for HaltOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.halt("a thread of the host panicked; this is a bug".into());
        }
    }
}

impl Stop {
    /// Sources end; what they handed over is delivered.
    pub fn drain(&self) {
        self.0.level.fetch_max(1, Ordering::SeqCst);
    }

    /// Everything ends; what is not delivered is given up and counted.
    pub fn now(&self) {
        self.0.level.fetch_max(2, Ordering::SeqCst);
    }

    /// One for a part of what this one stops.
    pub(crate) fn part(&self) -> Self {
        Self(Arc::new(Shared { host: Some(self.clone()), ..Shared::default() }))
    }

    fn host(&self) -> &Self {
        self.0.host.as_ref().map_or(self, Self::host)
    }

    fn level(&self) -> u8 {
        self.0.level.load(Ordering::Relaxed).max(self.0.host.as_ref().map_or(0, Self::level))
    }

    /// Whether this part is to end though the host goes on: another one takes its place, or nobody.
    pub(crate) fn is_retired(&self) -> bool {
        self.0.host.is_some() && self.0.level.load(Ordering::Relaxed) > 0
    }

    /// Stops the host at once because of a failure. The first reason is kept.
    pub fn halt(&self, reason: String) {
        if self.0.host.is_some() {
            return self.host().halt(reason);
        }
        self.0.reason.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(reason);
        self.now();
    }

    /// Whether sources are to end.
    pub fn is_draining(&self) -> bool {
        self.level() > 0
    }

    /// Whether everything is to end.
    pub fn is_now(&self) -> bool {
        self.level() > 1
    }

    /// Sleeps, but not on when everything is to end.
    pub(crate) fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.is_now() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            std::thread::sleep(LOOK.min(left));
        }
    }

    /// Ends everything because whoever read standard output has had enough, as `head` has.
    pub fn reader_gone(&self) {
        let host = self.host();
        host.0.reader_gone.store(true, Ordering::SeqCst);
        host.now();
    }

    /// Whether the end came because nobody reads standard output any more.
    pub fn is_reader_gone(&self) -> bool {
        self.host().0.reader_gone.load(Ordering::SeqCst)
    }

    /// Why the host halted itself.
    pub fn reason(&self) -> Option<String> {
        self.host().0.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_ends_alone_and_with_the_host() {
        let host = Stop::default();
        let (part, other) = (host.part(), host.part());
        part.drain();
        assert!(part.is_draining() && part.is_retired() && !part.is_now());
        assert!(!host.is_draining() && !other.is_draining());
        host.drain();
        assert!(other.is_draining() && !other.is_retired());
        other.halt("why".into());
        assert!(host.is_now() && part.is_now());
        assert_eq!(part.reason().as_deref(), Some("why"));
    }
}
