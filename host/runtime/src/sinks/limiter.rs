//! How many requests a sink sends at the same time, where nobody said it: as many as the receiver takes.
//!
//! Additive increase, multiplicative decrease, as TCP's congestion avoidance does it (RFC 5681, 3.1), with the time of the answers as a
//! second sign of congestion beside errors. Requests are looked at in rounds: as many answers as the limit lets be under way. Whenever a
//! round went well and the limit was what held requests back, one more is allowed; an error that may pass halves the limit, answers that
//! come later than the receiver's own time take a tenth. That time is measured where this sink is not what makes it longer: with a limit of
//! one, while there is less to send than the limit allows, and now and then in a round with half the limit.

use std::time::Duration;

/// Weight of a round in the averages, where this sink's requests cannot be why its answers came late.
const WEIGHT: f64 = 0.25;
/// Weight of one where they could be, and came sooner all the same.
const WEIGHT_LOADED: f64 = 0.05;
/// Rounds without growth before the receiver's own time is measured again, with half the requests.
const PROBE_AFTER: usize = 10;
/// Times below this are no sign of anything, in seconds.
const NOISE: f64 = 0.002;
/// What errors leave of the limit.
const AFTER_ERROR: f64 = 0.5;
/// What late answers leave of the limit.
const AFTER_LATE: f64 = 0.9;

/// A limit that follows what the receiver does. Knows no clock and no threads.
#[derive(Debug)]
pub(super) struct Limiter {
    limit: usize,
    most: usize,
    /// Requests under way.
    under_way: usize,
    /// Counts the decreases: what was sent before one says nothing of the limit after it.
    era: u64,
    round: Round,
    /// The receiver's own time: the average of the rounds in which this sink cannot have made it longer, in seconds.
    own: Option<f64>,
    /// How far the times of such rounds lie from it.
    deviation: f64,
    /// Rounds since the limit last changed in which it held requests back.
    stood: usize,
    /// The limit to return to after a round that measures the receiver's own time.
    probe: Option<usize>,
}

/// The answers since the limit was last thought over.
#[derive(Debug, Default)]
struct Round {
    answers: usize,
    seconds: f64,
    /// Whether as many requests were under way as may be.
    full: bool,
    /// Sum of the distances from the receiver's own time.
    distance: f64,
}

/// A request under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Sent {
    era: u64,
}

/// What an answer says of the receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answer {
    /// It worked on the request, whatever came of it.
    Came,
    /// It had no room, no time, or was not there.
    Failed,
}

impl Limiter {
    /// Begins with one request, and allows `most` in the end.
    pub(super) fn new(most: usize) -> Self {
        let round = Round::default();
        Self { limit: 1, most: most.max(1), under_way: 0, era: 0, round, own: None, deviation: 0.0, stood: 0, probe: None }
    }

    /// How many requests there may be now.
    pub(super) fn limit(&self) -> usize {
        self.limit
    }

    /// A request begins.
    pub(super) fn begin(&mut self) -> Sent {
        self.under_way += 1;
        self.round.full |= self.under_way >= self.limit;
        Sent { era: self.era }
    }

    /// It was answered after so long.
    pub(super) fn end(&mut self, sent: Sent, answer: Answer, took: Duration) {
        self.under_way = self.under_way.saturating_sub(1);
        if sent.era != self.era {
            return;
        }
        if answer == Answer::Failed {
            return self.decrease(AFTER_ERROR);
        }
        let seconds = took.as_secs_f64();
        self.round.answers += 1;
        self.round.seconds += seconds;
        self.round.distance += (seconds - self.own.unwrap_or(seconds)).abs();
        if self.round.answers >= self.limit {
            self.think();
        }
    }

    /// The end of a round.
    fn think(&mut self) {
        let Round { answers, seconds, full, distance } = std::mem::take(&mut self.round);
        let count = answers.max(1) as f64;
        let (mean, distance) = (seconds / count, distance / count);
        // A longer time is the receiver's own only where the requests of this sink cannot be why.
        let alone = self.limit == 1 || !full || self.probe.is_some();
        let before = self.own.unwrap_or(mean);
        let weight = match alone {
            true => WEIGHT,
            false if mean < before => WEIGHT_LOADED,
            false => 0.0,
        };
        let own = before + weight * (mean - before);
        self.own = Some(own);
        self.deviation += weight * (distance - self.deviation);
        if let Some(limit) = self.probe.take() {
            return self.set(limit);
        }
        // The mean of many lies nearer to what it should be than one of them.
        let slack = (own / 4.0).max(2.0 * self.deviation / count.sqrt()).max(NOISE);
        if self.limit > 1 && mean > own + 3.0 * slack {
            self.decrease(AFTER_LATE);
        } else if full && mean <= own + slack {
            self.limit = (self.limit + 1).min(self.most);
            self.stood = 0;
        } else if full {
            self.stood += 1;
            if self.stood >= PROBE_AFTER && self.limit > 1 {
                self.probe = Some(self.limit);
                self.set(self.limit / 2);
            }
        }
    }

    fn decrease(&mut self, factor: f64) {
        let less = (self.limit as f64 * factor).floor() as usize;
        self.probe = None;
        self.set(less.min(self.limit));
    }

    /// Another limit, of which what is under way says nothing.
    fn set(&mut self, limit: usize) {
        self.limit = limit.max(1);
        self.era += 1;
        self.stood = 0;
        self.round = Round::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A receiver and as many requests as the limit allows, on a clock of its own.
    struct Simulation {
        limiter: Limiter,
        now: u64,
        /// When each request is answered, in milliseconds, when it was sent, and how.
        under_way: Vec<(u64, u64, Sent, Answer)>,
        /// Whether there is always something to send.
        busy: bool,
        history: Vec<usize>,
        failed: usize,
        answered: usize,
    }

    impl Simulation {
        fn new() -> Self {
            let limiter = Limiter::new(32);
            Self { limiter, now: 0, under_way: Vec::new(), busy: true, history: Vec::new(), failed: 0, answered: 0 }
        }

        /// Lets so many requests be answered. `receiver` tells of a request, by how many are under way with it, how long it takes and
        /// what comes of it.
        fn run(&mut self, requests: usize, receiver: impl Fn(usize, u64) -> (u64, Answer)) {
            for number in 0..requests {
                while self.under_way.len() < if self.busy { self.limiter.limit() } else { 1 } {
                    let sent = self.limiter.begin();
                    let (takes, answer) = receiver(self.under_way.len() + 1, number as u64);
                    self.under_way.push((self.now + takes, self.now, sent, answer));
                }
                let first = (0..self.under_way.len()).min_by_key(|place| self.under_way[*place].0).unwrap_or(0);
                let (at, began, sent, answer) = self.under_way.swap_remove(first);
                self.now = at;
                self.failed += usize::from(answer == Answer::Failed);
                self.answered += usize::from(answer == Answer::Came);
                self.limiter.end(sent, answer, Duration::from_millis(at - began));
                self.history.push(self.limiter.limit());
            }
        }

        fn last(&self, count: usize) -> (usize, usize, f64) {
            let last = &self.history[self.history.len() - count..];
            let mean = last.iter().sum::<usize>() as f64 / count as f64;
            (last.iter().copied().min().unwrap_or(0), last.iter().copied().max().unwrap_or(0), mean)
        }
    }

    /// Refuses at once what is more than `room`.
    fn refusing(room: usize) -> impl Fn(usize, u64) -> (u64, Answer) {
        move |under_way, number| match under_way <= room {
            // Give or take a tenth.
            true => (100 + number * 7 % 20 - 10, Answer::Came),
            false => (5, Answer::Failed),
        }
    }

    /// Works on `room` at a time; the others wait for their turn.
    fn queueing(room: usize) -> impl Fn(usize, u64) -> (u64, Answer) {
        move |under_way, number| ((100 + number * 7 % 20 - 10) * under_way.max(room) as u64 / room as u64, Answer::Came)
    }

    #[test]
    fn swings_below_what_a_receiver_takes_that_refuses_more() {
        for room in [3, 8, 20] {
            let mut simulation = Simulation::new();
            simulation.run(3_000, refusing(room));
            let (least, most, mean) = simulation.last(2_000);
            assert!(least >= room / 2 && most <= room + 1, "{room}: {least} to {most}");
            assert!(mean > 0.65 * room as f64, "{room}: {mean}");
            assert!(simulation.failed * room < simulation.answered, "{room}: {} of {}", simulation.failed, simulation.answered);
        }
    }

    #[test]
    fn stays_near_what_a_receiver_works_on_that_lets_the_others_wait() {
        for room in [4, 10, 20] {
            let mut simulation = Simulation::new();
            simulation.run(10_000, queueing(room));
            let (least, most, mean) = simulation.last(5_000);
            // Half of it while the receiver's own time is measured.
            assert!(least >= room / 2 && most <= 2 * room && mean > 1.1 * room as f64, "{room}: {least} to {most}, {mean}");
        }
    }

    #[test]
    fn a_first_answer_that_came_soon_by_chance_does_not_hold_it_down() {
        let mut simulation = Simulation::new();
        simulation.run(3, |_, _| (10, Answer::Came));
        simulation.run(600, |_, _| (27, Answer::Came));
        assert!(simulation.limiter.limit() > 24, "{}", simulation.limiter.limit());
    }

    #[test]
    fn answers_that_come_at_odd_times_neither_hold_it_down_nor_let_it_run_away() {
        // Exponentially distributed, from a generator of its own.
        let odd = |number: u64| {
            let random = number.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(31).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11;
            200.0 - 1_000.0 * (1.0 - random as f64 / (1u64 << 53) as f64).ln()
        };
        let mut simulation = Simulation::new();
        simulation.run(5_000, |_, number| (odd(number) as u64, Answer::Came));
        assert!(simulation.last(1_000).1 >= 20, "{:?}", simulation.last(1_000));
        let mut simulation = Simulation::new();
        simulation.run(5_000, |under_way, number| (odd(number) as u64 * under_way.max(8) as u64 / 8, Answer::Came));
        assert!(simulation.last(1_000).1 <= 24, "{:?}", simulation.last(1_000));
    }

    #[test]
    fn all_there_may_be_where_the_receiver_takes_them() {
        let mut simulation = Simulation::new();
        simulation.run(2_000, refusing(1_000));
        assert_eq!(simulation.last(100), (32, 32, 32.0));
    }

    #[test]
    fn an_overload_halves_it_once_and_it_recovers() {
        let mut simulation = Simulation::new();
        simulation.run(500, refusing(16));
        while simulation.limiter.limit() < 16 {
            simulation.run(1, refusing(16));
        }
        // All sixteen under way fail, and what they say was meant of one limit.
        simulation.under_way.iter_mut().for_each(|request| request.3 = Answer::Failed);
        let failing = simulation.under_way.len();
        assert!(failing >= 15, "{failing}");
        for (_, _, sent, answer) in std::mem::take(&mut simulation.under_way) {
            simulation.limiter.end(sent, answer, Duration::from_secs(1));
        }
        assert_eq!(simulation.limiter.limit(), 8);
        simulation.run(1_000, refusing(16));
        assert!(simulation.last(500).1 >= 16);
    }

    #[test]
    fn a_receiver_that_is_gone_is_asked_by_one_at_a_time() {
        let mut simulation = Simulation::new();
        simulation.run(500, refusing(16));
        simulation.run(200, |_, _| (1_000, Answer::Failed));
        assert_eq!(simulation.last(100), (1, 1, 1.0));
        simulation.run(1_000, refusing(16));
        assert!(simulation.last(500).1 >= 16);
    }

    #[test]
    fn one_that_became_slower_for_good_is_not_left_alone_for_good() {
        let mut simulation = Simulation::new();
        simulation.run(1_000, queueing(10));
        let slower = |under_way, number| (4 * queueing(10)(under_way, number).0, Answer::Came);
        simulation.run(5_000, slower);
        let (least, most, _) = simulation.last(1_000);
        assert!(least >= 5 && most <= 20, "{least} to {most}");
    }

    #[test]
    fn who_has_little_to_send_is_allowed_no_more() {
        let mut simulation = Simulation::new();
        simulation.run(20, refusing(16));
        simulation.busy = false;
        let before = simulation.limiter.limit();
        simulation.run(20, refusing(16));
        let after = simulation.limiter.limit();
        simulation.run(500, refusing(16));
        assert!(before > 1 && simulation.limiter.limit() <= after.max(before + 1), "{before}, {after}");
    }
}
