//! How much may be shown: so many records a second to each viewer, and to all together not more than lanes encode on the side.

use std::time::Instant;

/// Records a second that lanes encode for all taps together.
const RECORDS_PER_SECOND_MAX: u32 = 2_000;
/// Their bytes.
const BYTES_PER_SECOND_MAX: u32 = 16 * 1024 * 1024;

/// What comes in at a steady rate, is kept for a second at most, and may be overdrawn.
#[derive(Debug)]
pub(super) struct Bucket {
    per_second: f64,
    left: f64,
    at: Instant,
}

impl Bucket {
    /// A full one.
    pub(super) fn new(per_second: u32) -> Self {
        let per_second = f64::from(per_second);
        Self { per_second, left: per_second, at: Instant::now() }
    }

    /// From now on at this rate.
    pub(super) fn set(&mut self, per_second: u32) {
        self.per_second = f64::from(per_second);
        self.left = self.left.min(self.per_second);
    }

    /// Whether so much is there.
    pub(super) fn has(&mut self, now: Instant, amount: f64) -> bool {
        self.left = (self.left + now.saturating_duration_since(self.at).as_secs_f64() * self.per_second).min(self.per_second);
        self.at = self.at.max(now);
        self.left >= amount
    }

    /// Takes so much, whether it is there or not.
    pub(super) fn take(&mut self, amount: f64) {
        self.left -= amount;
    }
}

/// What all taps of a host take together. See the module.
#[derive(Debug)]
pub(super) struct Total {
    records: Bucket,
    bytes: Bucket,
}

impl Default for Total {
    fn default() -> Self {
        Self { records: Bucket::new(RECORDS_PER_SECOND_MAX), bytes: Bucket::new(BYTES_PER_SECOND_MAX) }
    }
}

impl Total {
    /// Whether a record may be taken.
    pub(super) fn is_left(&mut self, now: Instant) -> bool {
        self.records.has(now, 1.0) && self.bytes.has(now, 0.0)
    }

    /// Takes a record, if it may be taken. One record may be larger than what is left: the next ones wait for it.
    pub(super) fn take(&mut self, now: Instant, bytes: usize) -> bool {
        let left = self.is_left(now);
        if left {
            self.records.take(1.0);
            self.bytes.take(bytes as f64);
        }
        left
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn so_many_a_second_and_no_more() {
        let mut bucket = Bucket::new(10);
        let begin = Instant::now();
        let mut take = |at: Duration| {
            let has = bucket.has(begin + at, 1.0);
            if has {
                bucket.take(1.0);
            }
            has
        };
        let taken = (0..3_000).filter(|ms| take(Duration::from_millis(*ms))).count();
        assert!((38..=40).contains(&taken), "{taken}: a second's worth at the beginning, and three more");
        assert_eq!((0..100).filter(|_| take(Duration::from_secs(3_600))).count(), 10, "an hour of quiet is worth a second");
    }

    #[test]
    fn large_records_make_the_next_ones_wait() {
        let mut total = Total::default();
        let begin = Instant::now();
        assert!(total.take(begin, 64 * 1024 * 1024));
        assert!(!total.take(begin + Duration::from_secs(2), 1));
        assert!(total.take(begin + Duration::from_millis(3_100), 1));
    }

    #[test]
    fn all_together_have_a_bound() {
        let mut total = Total::default();
        let now = Instant::now();
        assert_eq!((0..10_000).filter(|_| total.take(now, 100)).count(), RECORDS_PER_SECOND_MAX as usize);
    }

    #[test]
    fn a_lower_rate_holds_at_once() {
        let mut bucket = Bucket::new(1_000);
        bucket.set(2);
        let now = Instant::now();
        assert!(bucket.has(now, 2.0) && !bucket.has(now, 2.5));
    }
}
