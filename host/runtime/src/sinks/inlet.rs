//! The queue in front of a sink: bounded, and a lane never waits for it.
//!
//! What holds a seat is bounded by its source, which has no more than a few, and is queued at once: otherwise a sink that hangs would
//! hold up the lane that brings to it, and with it pipelines that have nothing to do with the sink. What holds none, such as records that
//! another sink refused, waits for room in bytes; with `drop_newest` all is bounded in bytes, and what is too much is dropped.

use crate::parcel::Parcel;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tamis_config::WhenFull;

/// What became of a parcel.
#[derive(Debug)]
pub(crate) enum Pushed {
    Queued,
    /// There is no room, and `when_full` is `drop_newest`.
    Dropped,
    /// There was no room within the time.
    Full(Parcel),
}

/// What a sink finds.
pub(crate) enum Popped {
    Parcel(Parcel),
    /// Nothing within the time.
    Nothing,
    /// Nothing, and nobody is left to bring any.
    Closed,
    /// Somebody else takes from now on.
    Retired,
}

#[derive(Debug)]
struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    parcels: VecDeque<Parcel>,
    bytes: usize,
    senders: usize,
    /// Whether those who take are to leave.
    retired: bool,
    bytes_max: usize,
    when_full: WhenFull,
}

/// The end where parcels are brought. When the last is dropped, the queue is closed.
#[derive(Debug)]
pub(crate) struct Inlet(Arc<Queue>);

/// The end where parcels are taken; several may take.
#[derive(Debug, Clone)]
pub(crate) struct Intake(Arc<Queue>);

/// A queue of so many bytes, beside what holds seats. One parcel is always taken, whatever its size.
pub(crate) fn queue(bytes_max: usize, when_full: WhenFull) -> (Inlet, Intake) {
    let state = State { parcels: VecDeque::new(), bytes: 0, senders: 1, retired: false, bytes_max, when_full };
    let queue = Arc::new(Queue { state: Mutex::new(state), changed: Condvar::new() });
    (Inlet(Arc::clone(&queue)), Intake(queue))
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inlet {
    /// Brings a parcel; one without a seat waits for room for so long.
    pub(crate) fn push(&self, mut parcel: Parcel, wait: Duration) -> Pushed {
        let bytes = parcel.data.bytes.len();
        let mut state = self.0.state();
        let drops = state.when_full == WhenFull::DropNewest;
        let bounded = drops || parcel.seat.is_none();
        let full = |state: &State| bounded && !state.parcels.is_empty() && state.bytes + bytes > state.bytes_max;
        if full(&state) && drops {
            return Pushed::Dropped;
        }
        (state, _) = self.0.changed.wait_timeout_while(state, wait, |state| full(state)).unwrap_or_else(PoisonError::into_inner);
        if full(&state) {
            return Pushed::Full(parcel);
        }
        if drops {
            // The queue bounds this memory: the source does not wait for it.
            parcel.seat = None;
        }
        state.bytes += bytes;
        state.parcels.push_back(parcel);
        drop(state);
        self.0.changed.notify_all();
        Pushed::Queued
    }
}

impl Clone for Inlet {
    fn clone(&self) -> Self {
        self.0.state().senders += 1;
        Self(Arc::clone(&self.0))
    }
}

impl Drop for Inlet {
    fn drop(&mut self) {
        self.0.state().senders -= 1;
        self.0.changed.notify_all();
    }
}

impl Intake {
    /// Takes the oldest parcel; waits for one for so long.
    pub(crate) fn pop(&self, wait: Duration) -> Popped {
        let idle = |state: &mut State| state.parcels.is_empty() && state.senders > 0 && !state.retired;
        let (mut state, _) = self.0.changed.wait_timeout_while(self.0.state(), wait, idle).unwrap_or_else(PoisonError::into_inner);
        if state.retired {
            return Popped::Retired;
        }
        match state.parcels.pop_front() {
            Some(parcel) => {
                state.bytes -= parcel.data.bytes.len();
                drop(state);
                self.0.changed.notify_all();
                Popped::Parcel(parcel)
            }
            None if state.senders == 0 => Popped::Closed,
            None => Popped::Nothing,
        }
    }

    /// Puts back what was taken and not delivered: it is the oldest.
    pub(crate) fn put_back(&self, parcel: Parcel) {
        let mut state = self.0.state();
        state.bytes += parcel.data.bytes.len();
        state.parcels.push_front(parcel);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Tells those who take to leave.
    pub(crate) fn retire(&self) {
        self.0.state().retired = true;
        self.0.changed.notify_all();
    }

    /// Lets others take, under new bounds, once those who took have left.
    pub(crate) fn succeed(&self, bytes_max: usize, when_full: WhenFull) {
        let mut state = self.0.state();
        (state.retired, state.bytes_max, state.when_full) = (false, bytes_max, when_full);
        drop(state);
        self.0.changed.notify_all();
    }

    /// Another end where parcels are brought, to a queue that nobody brings to any more.
    pub(crate) fn reopen(&self) -> Inlet {
        self.0.state().senders += 1;
        Inlet(Arc::clone(&self.0))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::parcel::{Encoded, Trace};
    use tamis_delivery::Flight;

    const NOW: Duration = Duration::ZERO;

    fn parcel(flight: &Arc<Flight>, bytes: usize) -> Parcel {
        let boarding = flight.board(1, 0, 0, NOW).unwrap();
        let trace = Trace { pipeline: "p".into(), source: "s".into(), stream: "f".into(), offsets: vec![] };
        let data = Arc::new(Encoded { bytes: vec![b'x'; bytes], records: 1, trace });
        Parcel { data, ticket: boarding.ticket, seat: Some(boarding.seat), waiting: None }
    }

    fn without_a_seat(flight: &Arc<Flight>, bytes: usize) -> Parcel {
        Parcel { seat: None, ..parcel(flight, bytes) }
    }

    #[test]
    fn bounded_and_in_order() {
        let flight = Flight::new(100);
        let (inlet, intake) = queue(10, WhenFull::Block);
        assert!(matches!(inlet.push(without_a_seat(&flight, 50), NOW), Pushed::Queued), "one is always taken");
        assert!(matches!(inlet.push(without_a_seat(&flight, 1), NOW), Pushed::Full(_)));
        assert!(matches!(intake.pop(NOW), Popped::Parcel(_)));
        for bytes in [4, 6] {
            assert!(matches!(inlet.push(without_a_seat(&flight, bytes), NOW), Pushed::Queued));
        }
        assert!(matches!(inlet.push(without_a_seat(&flight, 1), NOW), Pushed::Full(_)));
        let other = inlet.clone();
        drop(inlet);
        for bytes in [4, 6] {
            let Popped::Parcel(parcel) = intake.pop(NOW) else { panic!() };
            assert_eq!(parcel.data.bytes.len(), bytes);
        }
        assert!(matches!(intake.pop(NOW), Popped::Nothing));
        drop(other);
        assert!(matches!(intake.pop(Duration::from_secs(60)), Popped::Closed));
    }

    #[test]
    fn who_has_a_seat_never_waits() {
        let flight = Flight::new(3);
        let (inlet, intake) = queue(10, WhenFull::Block);
        for _ in 0..3 {
            assert!(matches!(inlet.push(parcel(&flight, 50), Duration::from_secs(60)), Pushed::Queued));
        }
        assert!(matches!(intake.pop(NOW), Popped::Parcel(parcel) if parcel.seat.is_some()), "its memory is the source's");
        assert!(matches!(inlet.push(without_a_seat(&flight, 1), NOW), Pushed::Full(_)));
    }

    #[test]
    fn others_take_what_is_left() {
        let flight = Flight::new(3);
        let (inlet, intake) = queue(10, WhenFull::Block);
        for bytes in [1, 2] {
            assert!(matches!(inlet.push(parcel(&flight, bytes), NOW), Pushed::Queued));
        }
        let Popped::Parcel(first) = intake.pop(NOW) else { panic!() };
        intake.retire();
        assert!(matches!(intake.pop(Duration::from_secs(60)), Popped::Retired), "though something waits");
        intake.put_back(first);
        drop(inlet);
        let inlet = intake.reopen();
        intake.succeed(10, WhenFull::DropNewest);
        for bytes in [1, 2] {
            let Popped::Parcel(parcel) = intake.pop(NOW) else { panic!() };
            assert_eq!(parcel.data.bytes.len(), bytes);
        }
        assert!(matches!(intake.pop(NOW), Popped::Nothing));
        drop(inlet);
        assert!(matches!(intake.pop(NOW), Popped::Closed));
    }

    #[test]
    fn the_newest_is_dropped() {
        let flight = Flight::new(2);
        let (inlet, intake) = queue(10, WhenFull::DropNewest);
        for _ in 0..2 {
            assert!(matches!(inlet.push(parcel(&flight, 5), NOW), Pushed::Queued));
        }
        assert!(matches!(inlet.push(parcel(&flight, 1), Duration::from_secs(60)), Pushed::Dropped), "at once, and the source has seats");
        assert!(matches!(intake.pop(NOW), Popped::Parcel(parcel) if parcel.seat.is_none()));
    }
}
