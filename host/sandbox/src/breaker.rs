//! Stops calling a plugin that fails all the time, and tries again now and then.
//!
//! The arithmetic: a single poison record in a batch of `n` rows fails `levels(n) = ⌈log₂ n⌉ + 1` calls in a row before
//! its neighbour succeeds: 11 of 1,024 rows. The breaker opens at [`FAILURES_MAX`] = 16 = 11 + [`SLACK`] failures without
//! one success between them, within a bisection and across batches; a larger batch has its own `levels(n) + SLACK`.
//! A poison record at the end of one batch and another at the start of the next make 1 + 11 = 12. A plugin that fails on
//! every record opens it after 16 calls: with an endless loop and 1,024 rows, 100 + 50 + 25 + 13 × 20 = 435 ms.
//!
//! Open, all rows are lost without a call. After the cool-down (5 s, doubled each time up to 60 s) one batch is tried; it
//! may fail `levels(n) + 1` times, as a poison record at its start does, before the breaker opens again. The first success
//! closes it.

use crate::failure::Failure;
use std::time::{Duration, Instant};

/// Failures in a row that open the breaker, for batches of up to 1,024 rows.
pub const FAILURES_MAX: u32 = 16;
/// Failures in a row allowed beyond those that one poison record causes.
pub const SLACK: u32 = 5;
/// The first cool-down.
pub const COOL_DOWN_MIN: Duration = Duration::from_secs(5);
/// The longest cool-down.
pub const COOL_DOWN_MAX: Duration = Duration::from_secs(60);

/// Calls that fail in a row for a poison record at the start of a batch of `rows` rows.
fn levels(rows: u32) -> u32 {
    u32::BITS - rows.saturating_sub(1).leading_zeros() + 1
}

/// The breaker of one step in one lane.
#[derive(Debug)]
pub(crate) struct Breaker {
    state: State,
    failures: u32,
    cool_down: Duration,
}

#[derive(Debug)]
enum State {
    Closed,
    Open { until: Instant, failure: Failure },
    HalfOpen,
}

impl Breaker {
    pub(crate) fn new() -> Self {
        Self { state: State::Closed, failures: 0, cool_down: COOL_DOWN_MIN }
    }

    /// Whether a call may be made now; the failure to lay on the rows when not.
    pub(crate) fn permit(&mut self, now: Instant) -> Result<(), Failure> {
        match &self.state {
            State::Open { until, failure } if now < *until => Err(failure.clone()),
            State::Open { .. } => {
                self.state = State::HalfOpen;
                self.failures = 0;
                Ok(())
            }
            State::Closed | State::HalfOpen => Ok(()),
        }
    }

    pub(crate) fn success(&mut self) {
        self.failures = 0;
        if matches!(self.state, State::HalfOpen) {
            self.state = State::Closed;
            self.cool_down = COOL_DOWN_MIN;
        }
    }

    /// Notes a failed call for a part of a batch of `rows` rows; true when that opened the breaker.
    pub(crate) fn failure(&mut self, rows: u32, failure: &Failure, now: Instant) -> bool {
        self.failures = self.failures.saturating_add(1);
        let failures_max = match self.state {
            State::Open { .. } => return false,
            State::Closed => FAILURES_MAX.max(levels(rows) + SLACK),
            State::HalfOpen => levels(rows) + 1,
        };
        if self.failures < failures_max {
            return false;
        }
        self.open(failure, now);
        true
    }

    /// Opens the breaker at once: for a plugin that does not even start any more, which no record is to blame for and
    /// which costs a whole start deadline each time.
    pub(crate) fn open(&mut self, failure: &Failure, now: Instant) {
        self.failures = self.failures.max(1);
        let reason = format!("breaker open after {} failures: last: {}", self.failures, failure.reason);
        self.state = State::Open { until: now + self.cool_down, failure: Failure::new(failure.cause, reason) };
        self.cool_down = (self.cool_down * 2).min(COOL_DOWN_MAX);
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Cause;

    fn bad() -> Failure {
        Failure::new(Cause::Trap, "unreachable")
    }

    #[test]
    fn levels_are_the_failures_of_one_poison_record() {
        for (rows, expected) in [(1, 1), (2, 2), (3, 3), (4, 3), (1023, 11), (1024, 11), (1025, 12), (65_536, 17)] {
            assert_eq!(levels(rows), expected, "{rows}");
        }
        assert_eq!(FAILURES_MAX, levels(1024) + SLACK);
    }

    #[test]
    fn opens_after_sixteen_failures_and_not_before() {
        let now = Instant::now();
        let mut breaker = Breaker::new();
        for _ in 0..3 {
            for _ in 0..15 {
                assert!(!breaker.failure(1024, &bad(), now));
            }
            breaker.success();
        }
        for i in 1..=16 {
            assert!(breaker.permit(now).is_ok());
            assert_eq!(breaker.failure(1024, &bad(), now), i == 16);
        }
        let failure = breaker.permit(now).unwrap_err();
        assert_eq!((&*failure.reason, failure.cause), ("breaker open after 16 failures: last: unreachable", Cause::Trap));
    }

    #[test]
    fn a_large_batch_with_one_poison_record_does_not_open_it() {
        let mut breaker = Breaker::new();
        for _ in 0..17 {
            assert!(!breaker.failure(65_536, &bad(), Instant::now()));
        }
    }

    #[test]
    fn cools_down_twice_as_long_each_time_and_closes_on_success() {
        let mut now = Instant::now();
        let mut breaker = Breaker::new();
        while !breaker.failure(4, &bad(), now) {}
        for seconds in [5, 10, 20, 40, 60, 60] {
            assert!(breaker.permit(now + Duration::from_millis(seconds * 1000 - 1)).is_err());
            now += Duration::from_secs(seconds);
            let mut trial = 0;
            while breaker.permit(now).is_ok() {
                trial += 1;
                breaker.failure(4, &bad(), now);
            }
            assert_eq!(trial, levels(4) + 1);
        }
        now += COOL_DOWN_MAX;
        assert!(breaker.permit(now).is_ok());
        breaker.success();
        assert!(!breaker.is_open());
        while !breaker.failure(4, &bad(), now) {}
        assert!(breaker.permit(now + COOL_DOWN_MIN).is_ok());
    }
}
