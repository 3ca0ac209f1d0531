//! What of a source is under way: a bound on memory, and the positions up to which everything is safe.
//!
//! A source boards each frame and gets two things. The *seat* stands for the frame's memory and is given back when the
//! last piece of it was written. The *ticket* stands for its safety: it is held by each piece of the frame that is not
//! yet delivered, and settled when the last of them lets go. Frames may settle in any order; a position becomes safe
//! when its frame and all frames before it are settled.

use crate::ledger::{Ledger, Portion};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// The frames of one source that are under way.
pub struct Flight {
    seats_max: usize,
    state: Mutex<State>,
    landed: Condvar,
    /// Called when positions have become safe.
    wake: OnceLock<Wake>,
    settled: AtomicU64,
    lost: AtomicU64,
}

/// What is called from whichever thread makes a position safe.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

impl std::fmt::Debug for Flight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Flight").field("seats_max", &self.seats_max).field("state", &self.state).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct State {
    seats: usize,
    /// Records under way, without those given up.
    records: u64,
    /// Frames under way and not given up.
    frames: usize,
    next: u64,
    /// By number. Those given up stay: no position beyond them is ever safe.
    entries: BTreeMap<u64, Entry>,
    /// Positions that are safe and not yet asked for, by stream.
    safe: BTreeMap<u64, u64>,
    /// Frames that are given up do not hold up those behind them; where they end is told.
    passes: bool,
    /// Ends of frames that were given up and are not yet asked for.
    passed: Vec<u64>,
}

#[derive(Debug)]
struct Entry {
    stream: u64,
    end: u64,
    since: Instant,
    lost: bool,
    /// Positions of settled frames that came after this one and before the next entry.
    behind: BTreeMap<u64, u64>,
}

/// What a source gets for a frame.
#[derive(Debug)]
pub struct Boarding {
    /// Stands for the frame's safety.
    pub ticket: Arc<Ticket>,
    /// Stands for the frame's memory.
    pub seat: Arc<Seat>,
}

impl Flight {
    /// A flight of at most so many frames in memory.
    pub fn new(seats_max: usize) -> Arc<Self> {
        Arc::new(Self {
            seats_max,
            state: Mutex::default(),
            landed: Condvar::new(),
            wake: OnceLock::new(),
            settled: AtomicU64::new(0),
            lost: AtomicU64::new(0),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Boards a frame of so many records, once there is a seat. `end`: where in the stream, in bytes, reading goes on when it
    /// is safe. `None`: there was no seat within the time.
    pub fn board(self: &Arc<Self>, records: u64, stream: u64, end: u64, wait: Duration) -> Option<Boarding> {
        let (mut state, _) =
            self.landed.wait_timeout_while(self.state(), wait, |s| s.seats >= self.seats_max).unwrap_or_else(PoisonError::into_inner);
        if state.seats >= self.seats_max {
            return None;
        }
        state.seats += 1;
        state.frames += 1;
        state.records += records;
        let number = state.next;
        state.next += 1;
        state.entries.insert(number, Entry { stream, end, since: Instant::now(), lost: false, behind: BTreeMap::new() });
        drop(state);
        let ticket = Ticket { flight: Arc::clone(self), number, records, given_up: AtomicBool::new(false), portions: Mutex::default() };
        Some(Boarding { ticket: Arc::new(ticket), seat: Arc::new(Seat(Arc::clone(self))) })
    }

    /// Has `wake` called whenever positions have become safe. The first one counts.
    pub fn on_safe(&self, wake: Wake) {
        let _ = self.wake.set(wake);
    }

    /// For a source whose positions are no places to begin at again, but numbers of those who wait: from now on a frame that is given up
    /// is told by [`Flight::passed`], and does not hold up those behind it.
    pub fn pass_given_up(&self) {
        self.state().passes = true;
    }

    /// Where the frames end that were given up since the last call, after [`Flight::pass_given_up`]. Asked for after [`Flight::safe`], it
    /// names all that stand before the positions told there.
    pub fn passed(&self) -> Vec<u64> {
        std::mem::take(&mut self.state().passed)
    }

    /// The positions that became safe since the last call, the latest of each stream.
    pub fn safe(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.state().safe).into_iter().collect()
    }

    /// Waits until no frame is under way, but for those given up. `false`: some are, after the time.
    pub fn landed(&self, wait: Duration) -> bool {
        let (state, _) = self.landed.wait_timeout_while(self.state(), wait, |s| s.frames > 0).unwrap_or_else(PoisonError::into_inner);
        state.frames == 0
    }

    /// Records handed over by the source and not yet safe.
    pub fn under_way(&self) -> u64 {
        self.state().records
    }

    /// How long the oldest frame has been under way.
    pub fn lag(&self) -> Duration {
        self.state().entries.values().find(|e| !e.lost).map_or(Duration::ZERO, |e| e.since.elapsed())
    }

    /// Records whose frames are settled.
    pub fn settled(&self) -> u64 {
        self.settled.load(Ordering::Relaxed)
    }

    /// Records whose frames were given up.
    pub fn undelivered(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }

    fn land(&self, number: u64, records: u64, given_up: bool) {
        let counter = if given_up { &self.lost } else { &self.settled };
        counter.fetch_add(records, Ordering::Relaxed);
        let mut state = self.state();
        state.records -= records;
        state.frames -= 1;
        if given_up && !state.passes {
            if let Some(entry) = state.entries.get_mut(&number) {
                entry.lost = true;
            }
        } else if let Some(Entry { stream, end, mut behind, .. }) = state.entries.remove(&number) {
            if given_up {
                state.passed.push(end);
            } else {
                // What came later in the stream stands further on, unless the stream was read again from an earlier place.
                behind.entry(stream).or_insert(end);
            }
            let before = state.entries.range_mut(..number).next_back().map(|(_, entry)| &mut entry.behind);
            match before {
                Some(waiting) => waiting.append(&mut behind),
                None => state.safe.append(&mut behind),
            }
        }
        let is_safe = !state.safe.is_empty() || !state.passed.is_empty();
        drop(state);
        self.landed.notify_all();
        if is_safe && let Some(wake) = self.wake.get() {
            wake();
        }
    }
}

/// A frame's memory; given back when it is dropped.
#[derive(Debug)]
pub struct Seat(Arc<Flight>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.state().seats -= 1;
        self.0.landed.notify_all();
    }
}

/// Stands for one frame of a source until everything that came of it is safe.
#[derive(Debug)]
pub struct Ticket {
    flight: Arc<Flight>,
    number: u64,
    records: u64,
    given_up: AtomicBool,
    portions: Mutex<Vec<(Arc<Ledger>, Portion)>>,
}

impl Ticket {
    /// The frame's number in its source, from 0, without gaps.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// A piece was given up: the frame will not count as delivered, and the position before it stays.
    pub fn give_up(&self) {
        self.given_up.store(true, Ordering::Relaxed);
    }

    /// Whether its source's position stays before it once a piece was given up, so that the source can never go on.
    pub fn holds_position(&self) -> bool {
        !self.flight.state().passes
    }

    /// What became of the frame in a pipeline; the ledger is told when the frame is settled.
    pub fn account(&self, ledger: &Arc<Ledger>, portion: Portion) {
        self.portions.lock().unwrap_or_else(PoisonError::into_inner).push((Arc::clone(ledger), portion));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let given_up = *self.given_up.get_mut();
        if !given_up {
            for (ledger, portion) in self.portions.get_mut().unwrap_or_else(PoisonError::into_inner).drain(..) {
                ledger.settle(portion);
            }
        }
        self.flight.land(self.number, self.records, given_up);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn board(flight: &Arc<Flight>, records: u64, stream: u64, end: u64) -> Boarding {
        flight.board(records, stream, end, Duration::ZERO).unwrap()
    }

    #[test]
    fn seats_are_bounded_and_come_back_before_the_ticket() {
        let flight = Flight::new(2);
        let (first, second) = (board(&flight, 10, 0, 100), board(&flight, 5, 0, 150));
        assert_eq!((first.ticket.number(), second.ticket.number(), flight.under_way()), (0, 1, 15));
        assert!(flight.board(1, 0, 160, Duration::from_millis(1)).is_none());
        drop(first.seat);
        assert_eq!(board(&flight, 1, 0, 160).ticket.number(), 2, "written, not yet safe");
        let piece = Arc::clone(&first.ticket);
        drop(first.ticket);
        assert_eq!((flight.settled(), flight.safe()), (1, vec![]));
        drop(piece);
        assert_eq!((flight.settled(), flight.safe(), flight.safe()), (11, vec![(0, 100)], vec![]));
        second.ticket.give_up();
        drop(second);
        assert_eq!((flight.under_way(), flight.undelivered(), flight.lag()), (0, 5, Duration::ZERO));
        assert!(flight.landed(Duration::ZERO));
        assert_eq!(flight.safe(), [], "nothing beyond what was given up");
        drop(board(&flight, 1, 0, 170));
        assert_eq!(flight.safe(), []);
    }

    #[test]
    fn what_is_given_up_is_told_where_it_holds_up_nobody() {
        let flight = Flight::new(8);
        assert!(board(&flight, 0, 0, 0).ticket.holds_position());
        flight.safe();
        flight.pass_given_up();
        assert!(!board(&flight, 0, 0, 0).ticket.holds_position());
        flight.safe();
        let told = Arc::new(AtomicU64::new(0));
        let telling = Arc::clone(&told);
        flight.on_safe(Arc::new(move || {
            telling.fetch_add(1, Ordering::Relaxed);
        }));
        let mut frames: Vec<Option<Boarding>> = (1..=4).map(|end| Some(board(&flight, 1, 0, end))).collect();
        frames[2] = None;
        frames[1].as_ref().unwrap().ticket.give_up();
        frames[1] = None;
        assert_eq!((flight.safe(), flight.passed(), told.load(Ordering::Relaxed)), (vec![], vec![2], 1));
        frames[0] = None;
        assert_eq!((flight.safe(), flight.passed()), (vec![(0, 3)], vec![]));
        frames[3].as_ref().unwrap().ticket.give_up();
        frames[3] = None;
        assert_eq!((flight.safe(), flight.passed(), flight.passed(), flight.undelivered()), (vec![], vec![4], vec![], 2));
        assert!(flight.state().entries.is_empty() && flight.landed(Duration::ZERO));
    }

    #[test]
    fn positions_follow_whatever_the_order() {
        let flight = Flight::new(8);
        let mut frames: Vec<Option<Boarding>> =
            [(1, 10), (2, 7), (1, 20), (2, 9), (1, 30)].into_iter().map(|(stream, end)| Some(board(&flight, 1, stream, end))).collect();
        let mut safe_after = |settled: usize| {
            frames[settled] = None;
            flight.safe()
        };
        assert_eq!(safe_after(2), []);
        assert_eq!(safe_after(4), []);
        assert_eq!(safe_after(1), []);
        assert_eq!(safe_after(0), [(1, 20), (2, 7)], "up to the fourth, which is under way");
        assert_eq!(safe_after(3), [(1, 30), (2, 9)]);
        assert!(flight.landed(Duration::ZERO) && flight.state().entries.is_empty());
    }

    #[test]
    fn a_stream_read_again_from_its_beginning_ends_where_it_was_read_last() {
        let flight = Flight::new(8);
        let (long, short) = (board(&flight, 1, 1, 1000), board(&flight, 1, 1, 50));
        drop(short);
        drop(long);
        assert_eq!(flight.safe(), [(1, 50)]);
    }

    #[test]
    fn the_ledger_is_told_when_the_frame_is_safe() {
        let (flight, ledger) = (Flight::new(8), Arc::new(Ledger::default()));
        for given_up in [false, true] {
            let frame = board(&flight, 4, 0, 1);
            ledger.enter(4);
            frame.ticket.account(&ledger, Portion { taken: 4, out: 4, ..Portion::default() });
            assert_eq!(ledger.balance().held, 4);
            if given_up {
                frame.ticket.give_up();
            }
        }
        let balance = ledger.balance();
        assert_eq!((balance.taken, balance.out, balance.held, balance.is_even()), (8, 4, 4, true));
    }

    /// Frames settle in random order, some are given up: what is safe is exactly what the definition says.
    #[test]
    fn safe_is_what_the_definition_says() {
        let mut seed = 7u64;
        let mut random = move |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        for _ in 0..300 {
            let flight = Flight::new(64);
            let count = 1 + random(20);
            let mut open: Vec<(usize, Boarding)> = Vec::new();
            let (mut fates, mut told) = (vec![(0u64, 0u64, None); count], BTreeMap::new());
            let mut boarded = 0;
            while boarded < count || !open.is_empty() {
                if boarded < count && (open.is_empty() || random(2) == 0) {
                    let (stream, end) = (random(3) as u64, boarded as u64 + 1);
                    fates[boarded] = (stream, end, None);
                    open.push((boarded, board(&flight, 1, stream, end)));
                    boarded += 1;
                } else {
                    let (number, frame) = open.swap_remove(random(open.len()));
                    let delivered = random(12) > 0;
                    if !delivered {
                        frame.ticket.give_up();
                    }
                    fates[number].2 = Some(delivered);
                    drop(frame);
                }
                told.extend(flight.safe());
                let mut expected = BTreeMap::new();
                fates.iter().take(boarded).take_while(|(.., fate)| *fate == Some(true)).for_each(|(stream, end, _)| {
                    expected.insert(*stream, *end);
                });
                assert_eq!(told, expected);
            }
        }
    }
}
