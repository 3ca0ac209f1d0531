//! Threads of a sink taking turns: no more of them at work than its [`Limiter`] allows.

use super::limiter::{Answer, Limiter, Sent};
use crate::stop::Stop;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How often a thread that waits for its turn looks whether the host stops.
const LOOK: Duration = Duration::from_millis(50);

/// What the threads of a sink share.
#[derive(Debug)]
struct Turns {
    state: Mutex<State>,
    changed: Condvar,
    /// `tamis_sink_concurrency`.
    shown: Gauge,
}

#[derive(Debug)]
struct State {
    limiter: Limiter,
    /// Threads that have a turn.
    taken: usize,
    /// Threads that wait to try again.
    trying_again: usize,
}

/// A thread's turn. Clones are for other threads, and have none.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    held: bool,
}

impl Clone for Turn {
    fn clone(&self) -> Self {
        Self { turns: Arc::clone(&self.turns), held: false }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Turns {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn show(&self, state: &State) {
        self.shown.set(i64::try_from(state.limiter.limit()).unwrap_or(i64::MAX));
    }
}

impl Turn {
    /// Turns for `most` threads, as far as the receiver takes what they send.
    pub(super) fn new(most: usize, shown: Gauge) -> Self {
        let state = State { limiter: Limiter::new(most), taken: 0, trying_again: 0 };
        let turns = Turns { state: Mutex::new(state), changed: Condvar::new(), shown };
        turns.show(&turns.state());
        Self { turns: Arc::new(turns), held: false }
    }

    /// Waits for a turn, unless there is one or everything ends. Who tries again comes before who has not yet tried.
    pub(super) fn take(&mut self, again: bool, stop: &Stop) {
        if self.held {
            return;
        }
        let mut state = self.turns.state();
        state.trying_again += usize::from(again);
        while (state.taken >= state.limiter.limit() || !again && state.trying_again > 0) && !stop.is_now() && !stop.is_retired() {
            (state, _) = self.turns.changed.wait_timeout(state, LOOK).unwrap_or_else(PoisonError::into_inner);
        }
        state.trying_again -= usize::from(again);
        state.taken += 1;
        self.held = true;
    }

    /// Gives the turn to another thread.
    pub(super) fn leave(&mut self) {
        if std::mem::take(&mut self.held) {
            let mut state = self.turns.state();
            state.taken = state.taken.saturating_sub(1);
            self.turns.changed.notify_all();
        }
    }

    /// A request begins.
    pub(super) fn begin(&self) -> (Sent, Instant) {
        (self.turns.state().limiter.begin(), Instant::now())
    }

    /// It was answered.
    pub(super) fn end(&self, (sent, began): (Sent, Instant), answer: Answer) {
        let mut state = self.turns.state();
        let before = state.limiter.limit();
        state.limiter.end(sent, answer, began.elapsed());
        if state.limiter.limit() != before {
            self.turns.show(&state);
            self.turns.changed.notify_all();
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn no_more_threads_at_work_than_the_receiver_takes() {
        const ROOM: usize = 4;
        let (shown, stop) = (Gauge::default(), Stop::default());
        let turn = Turn::new(16, shown.clone());
        assert_eq!(shown.get(), 1);
        let (under_way, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..16 {
                let (mut turn, stop, under_way, most) = (turn.clone(), &stop, &under_way, &most);
                scope.spawn(move || {
                    for _ in 0..20 {
                        let mut again = false;
                        loop {
                            turn.take(again, stop);
                            let sent = turn.begin();
                            let now = under_way.fetch_add(1, Ordering::SeqCst) + 1;
                            most.fetch_max(now, Ordering::SeqCst);
                            std::thread::sleep(Duration::from_millis(3));
                            under_way.fetch_sub(1, Ordering::SeqCst);
                            turn.end(sent, if now <= ROOM { Answer::Came } else { Answer::Failed });
                            turn.leave();
                            again = now > ROOM;
                            if !again {
                                break;
                            }
                        }
                    }
                });
            }
        });
        let most = most.load(Ordering::SeqCst);
        assert!((2..=ROOM + 2).contains(&most), "{most}");
        assert!((1..=ROOM as i64 + 1).contains(&shown.get()), "{}", shown.get());
    }

    #[test]
    fn nobody_waits_when_everything_ends() {
        let (mut one, stop) = (Turn::new(16, Gauge::default()), Stop::default());
        let mut other = one.clone();
        one.take(false, &stop);
        stop.now();
        other.take(false, &stop);
        other.leave();
        drop(one);
        assert_eq!(other.turns.state().taken, 0);
    }
}
