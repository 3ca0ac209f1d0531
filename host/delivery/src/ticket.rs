//! Tickets: a source hands out one with each frame, and knows that all of it is safe when the last holder lets go.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The frames of one source that are under way: a bound on memory, and the count of what is not yet delivered.
#[derive(Debug)]
pub struct Flight {
    frames_max: usize,
    state: Mutex<State>,
    landed: Condvar,
    settled: AtomicU64,
    lost: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    frames: usize,
    records: u64,
    oldest: std::collections::BTreeMap<u64, Instant>,
    next: u64,
}

impl Flight {
    /// A flight of at most so many frames.
    pub fn new(frames_max: usize) -> Arc<Self> {
        Arc::new(Self { frames_max, state: Mutex::default(), landed: Condvar::new(), settled: AtomicU64::new(0), lost: AtomicU64::new(0) })
    }

    /// A ticket for a frame, once there is room for it. `None`: there was none within the time.
    pub fn board(self: &Arc<Self>, records: u64, wait: Duration) -> Option<Arc<Ticket>> {
        let guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) =
            self.landed.wait_timeout_while(guard, wait, |s| s.frames >= self.frames_max).unwrap_or_else(PoisonError::into_inner);
        if state.frames >= self.frames_max {
            return None;
        }
        state.frames += 1;
        state.records += records;
        let number = state.next;
        state.next += 1;
        state.oldest.insert(number, Instant::now());
        drop(state);
        Some(Arc::new(Ticket { flight: Arc::clone(self), number, records, undelivered: AtomicBool::new(false) }))
    }

    /// Records handed over by the source and not yet delivered, dropped on purpose or dead-lettered.
    pub fn under_way(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).records
    }

    /// How long the oldest frame has been under way.
    pub fn lag(&self) -> Duration {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.oldest.values().next().map_or(Duration::ZERO, Instant::elapsed)
    }

    /// Records whose frames are settled.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// Records whose frames were given up.
    pub fn undelivered(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// Stands for one frame of a source until everything that came of it is safe: held by each piece of it that is still to
/// be delivered, and settled when the last of them is dropped.
#[derive(Debug)]
pub struct Ticket {
    flight: Arc<Flight>,
    number: u64,
    records: u64,
    undelivered: AtomicBool,
}

impl Ticket {
    /// The frame's number in its source, from 0, without gaps.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A piece was given up: the frame will not count as delivered.
    pub fn give_up(&self) {
        self.undelivered.store(true, Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let given_up = *self.undelivered.get_mut();
        let counter = if given_up { &self.flight.lost } else { &self.flight.settled };
        counter.fetch_add(self.records, Ordering::Relaxed);
        let mut state = self.flight.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.frames -= 1;
        state.records -= self.records;
        state.oldest.remove(&self.number);
        drop(state);
        self.flight.landed.notify_one();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn room_is_bounded_and_comes_back() {
        let flight = Flight::new(2);
        let first = flight.board(10, Duration::ZERO).unwrap();
        let second = flight.board(5, Duration::ZERO).unwrap();
        assert_eq!((first.number(), second.number(), flight.under_way()), (0, 1, 15));
        assert!(flight.board(1, Duration::from_millis(1)).is_none());
        let piece = Arc::clone(&first);
        drop(first);
        assert_eq!((flight.under_way(), flight.settled()), (15, 0));
        drop(piece);
        assert_eq!((flight.under_way(), flight.settled()), (5, 10));
        second.give_up();
        drop(second);
        assert_eq!((flight.under_way(), flight.settled(), flight.undelivered()), (0, 10, 5));
        assert_eq!(flight.lag(), Duration::ZERO);
        assert_eq!(flight.board(1, Duration::ZERO).unwrap().number(), 2);
    }
}
