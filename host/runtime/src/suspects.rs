//! Sources whose records make plugins run into their limits: they are taken to a lane of their own, so that what a failing
//! plugin costs (its deadline, again and again while the poison record is searched for) is not paid by its neighbours.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Time that failed calls may take in one frame before its source is suspect.
const FAILING_MAX: Duration = Duration::from_millis(20);
/// How long a source stays suspect after the last such frame.
const SUSPECT_FOR: Duration = Duration::from_secs(10);
/// How much longer than its failed calls the lane of suspects rests, which leaves it a third of a core.
const REST: u32 = 2;
/// Longest rest after one frame.
const REST_MAX: Duration = Duration::from_secs(2);

/// Which sources are suspect.
#[derive(Debug)]
pub(crate) struct Suspects {
    started: Instant,
    /// Milliseconds from the start until which each source is suspect.
    until_ms: Vec<AtomicU64>,
}

impl Suspects {
    pub(crate) fn new(sources: usize) -> Self {
        Self { started: Instant::now(), until_ms: (0..sources).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Takes note of what failed calls took in a frame. `true`: its source was not suspect and is now.
    pub(crate) fn note(&self, source: usize, failing: Duration) -> bool {
        if failing < FAILING_MAX {
            return false;
        }
        let now = self.started.elapsed();
        let until = u64::try_from((now + SUSPECT_FOR).as_millis()).unwrap_or(u64::MAX);
        self.until_ms.get(source).is_some_and(|ms| u128::from(ms.fetch_max(until, Ordering::Relaxed)) <= now.as_millis())
    }

    pub(crate) fn is(&self, source: usize) -> bool {
        self.until_ms.get(source).is_some_and(|ms| u128::from(ms.load(Ordering::Relaxed)) > self.started.elapsed().as_millis())
    }

    /// How long the lane of suspects rests after a frame whose failed calls took so long.
    pub(crate) fn rest(failing: Duration) -> Duration {
        failing.saturating_mul(REST).min(REST_MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_source_that_failed_for_long() {
        let suspects = Suspects::new(2);
        assert!(!suspects.note(0, Duration::from_millis(1)) && !suspects.is(0));
        assert!(suspects.note(1, Duration::from_millis(300)), "it was not before");
        assert!(!suspects.note(1, Duration::from_millis(300)), "it was already");
        assert!(suspects.is(1) && !suspects.is(0) && !suspects.is(2));
        assert_eq!(Suspects::rest(Duration::from_millis(300)), Duration::from_millis(600));
    }
}
