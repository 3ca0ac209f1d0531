//! When to try again: pauses that double, with jitter, until a budget is spent.

use std::time::{Duration, Instant};

/// The pauses of one delivery.
#[derive(Debug, Clone)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
    give_up_after: Option<Duration>,
    pause: Duration,
    failing_since: Option<Instant>,
}

impl Backoff {
    /// Pauses from `initial` to `max`; after `give_up_after` of failing, none.
    pub fn new(initial: Duration, max: Duration, give_up_after: Option<Duration>) -> Self {
        Self { initial, max: max.max(initial), give_up_after, pause: initial, failing_since: None }
    }

    /// It failed at `now`: how long to wait before the next try. `asked` is what the receiver asked for (`Retry-After`): the
    /// pause is no shorter. `jitter` is a random number in 0..1, so that several hosts do not come back at once.
    /// `None`: the budget is spent.
    pub fn failed(&mut self, now: Instant, asked: Option<Duration>, jitter: f64) -> Option<Duration> {
        let since = *self.failing_since.get_or_insert(now);
        let failing = now.saturating_duration_since(since);
        let left = match self.give_up_after {
            Some(budget) => Some(budget.checked_sub(failing).filter(|left| !left.is_zero())?),
            None => None,
        };
        // Half to one and a half times.
        let pause = self.pause.mul_f64(0.5 + jitter.clamp(0.0, 1.0)).min(self.max);
        self.pause = self.pause.saturating_mul(2).min(self.max);
        let pause = asked.map_or(pause, |asked| asked.max(pause));
        Some(left.map_or(pause, |left| pause.min(left)))
    }

    /// It worked: the next failure begins anew.
    pub fn succeeded(&mut self) {
        self.pause = self.initial;
        self.failing_since = None;
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let (mut backoff, now) = (Backoff::new(MS(100), MS(1000), None), Instant::now());
        let pauses: Vec<_> = (0..6).map(|_| backoff.failed(now, None, 0.5).unwrap()).collect();
        assert_eq!(pauses, [100, 200, 400, 800, 1000, 1000].map(MS));
        backoff.succeeded();
        assert_eq!((backoff.failed(now, None, 0.0), backoff.failed(now, None, 1.0)), (Some(MS(50)), Some(MS(300))));
    }

    #[test]
    fn the_receiver_may_ask_for_more_and_the_budget_ends_it() {
        let (mut backoff, now) = (Backoff::new(MS(100), MS(1000), Some(MS(5000))), Instant::now());
        assert_eq!(backoff.failed(now, Some(MS(3000)), 0.5), Some(MS(3000)));
        assert_eq!(backoff.failed(now + MS(3000), Some(MS(10)), 0.5), Some(MS(200)));
        assert_eq!(backoff.failed(now + MS(4900), Some(MS(3000)), 0.5), Some(MS(100)), "one last try at the end of the budget");
        assert_eq!(backoff.failed(now + MS(5000), None, 0.5), None);
        backoff.succeeded();
        assert!(backoff.failed(now + MS(9000), None, 0.5).is_some());
    }
}
