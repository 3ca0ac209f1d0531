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

/// Whether a source is suspect.
#[derive(Debug)]
pub(crate) struct Suspicion {
    started: Instant,
    /// Milliseconds from the start until which it is.
    until_ms: AtomicU64,
}

impl Default for Suspicion {
    fn default() -> Self {
        Self { started: Instant::now(), until_ms: AtomicU64::new(0) }
    }
}

impl Suspicion {
    /// Takes note of what failed calls took in a frame. `true`: the source was not suspect and is now.
    pub(crate) fn note(&self, failing: Duration) -> bool {
        if failing < FAILING_MAX {
            return false;
        }
        let now = self.started.elapsed();
        let until = u64::try_from((now + SUSPECT_FOR).as_millis()).unwrap_or(u64::MAX);
        u128::from(self.until_ms.fetch_max(until, Ordering::Relaxed)) <= now.as_millis()
    }

    pub(crate) fn is(&self) -> bool {
        u128::from(self.until_ms.load(Ordering::Relaxed)) > self.started.elapsed().as_millis()
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
        let suspicion = Suspicion::default();
        assert!(!suspicion.note(Duration::from_millis(1)) && !suspicion.is());
        assert!(suspicion.note(Duration::from_millis(300)), "it was not before");
        assert!(!suspicion.note(Duration::from_millis(300)), "it was already");
        assert!(suspicion.is());
        assert_eq!(Suspicion::rest(Duration::from_millis(300)), Duration::from_millis(600));
    }
}
