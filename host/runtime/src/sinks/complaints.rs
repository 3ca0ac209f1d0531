//! How often a sink says that it cannot deliver.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The least time between two lines.
const BETWEEN: Duration = Duration::from_secs(10);

/// When something was said last, and how often it would have been said since.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<(Option<Instant>, u64)>);

impl Complaints {
    /// Whether it is time to say it, and then how often it was not since the last time.
    pub(super) fn is_time(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, held_back) = &mut *state;
        if last.is_some_and(|last| now.saturating_duration_since(last) < BETWEEN) {
            *held_back = held_back.saturating_add(1);
            return None;
        }
        *last = Some(now);
        Some(std::mem::take(held_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_in_ten_seconds_with_the_number_of_those_held_back() {
        let (complaints, start) = (Complaints::default(), Instant::now());
        let at = |ms: u64| complaints.is_time(start + Duration::from_millis(ms));
        assert_eq!([at(0), at(1), at(9_999), at(10_000), at(10_001), at(30_000)], [Some(0), None, None, Some(2), None, Some(1)]);
    }
}
