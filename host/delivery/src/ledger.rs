//! The ledger: for each pipeline, what came in is what went out, was dropped, was rejected, or is still held.

use std::sync::atomic::{AtomicU64, Ordering};

/// What became of the records of one frame in one pipeline. `taken = out + dropped + rejected`, or the host has a fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Portion {
    /// Records that came in.
    pub taken: u64,
    /// Records that left by an output.
    pub out: u64,
    /// Records dropped on purpose.
    pub dropped: u64,
    /// Records among the dead letters.
    pub rejected: u64,
}

/// The account of a pipeline. Records are *held* from the time they come in until everything that came of their frame is
/// safe; only then do they count as out, dropped or rejected.
#[derive(Debug, Default)]
pub struct Ledger {
    taken: AtomicU64,
    held: AtomicU64,
    out: AtomicU64,
    dropped: AtomicU64,
    rejected: AtomicU64,
    difference: AtomicU64,
}

/// A ledger at one moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Balance {
    /// Records that came in.
    pub taken: u64,
    /// Records that left by an output and are safe.
    pub out: u64,
    /// Records dropped on purpose.
    pub dropped: u64,
    /// Records that are safe among the dead letters.
    pub rejected: u64,
    /// Records under way, or given up.
    pub held: u64,
    /// Records of which the pipeline lost count: anything but 0 is a fault of the host.
    pub difference: u64,
}

impl Ledger {
    /// Records came in.
    pub fn enter(&self, records: u64) {
        self.held.fetch_add(records, Ordering::Relaxed);
        self.taken.fetch_add(records, Ordering::Relaxed);
    }

    /// A frame's records are safe. They must have come in before.
    pub(crate) fn settle(&self, portion: Portion) {
        let Portion { taken, out, dropped, rejected } = portion;
        self.out.fetch_add(out, Ordering::Relaxed);
        self.dropped.fetch_add(dropped, Ordering::Relaxed);
        self.rejected.fetch_add(rejected, Ordering::Relaxed);
        self.held.fetch_sub(taken, Ordering::Relaxed);
        self.difference.fetch_add(taken.abs_diff(out + dropped + rejected), Ordering::Relaxed);
    }

    /// The account now. While records move, its parts may be some records apart.
    pub fn balance(&self) -> Balance {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Balance {
            taken: read(&self.taken),
            out: read(&self.out),
            dropped: read(&self.dropped),
            rejected: read(&self.rejected),
            held: read(&self.held),
            difference: read(&self.difference),
        }
    }
}

impl Balance {
    /// Whether `in = out + dropped + rejected + held`, and every frame was accounted for in full.
    pub fn is_even(&self) -> bool {
        self.difference == 0 && self.taken == self.out + self.dropped + self.rejected + self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_nobody_accounts_for_shows() {
        let ledger = Ledger::default();
        ledger.enter(10);
        assert_eq!(ledger.balance(), Balance { taken: 10, held: 10, ..Balance::default() });
        ledger.settle(Portion { taken: 6, out: 3, dropped: 2, rejected: 1 });
        assert!(ledger.balance().is_even(), "{:?}", ledger.balance());
        ledger.settle(Portion { taken: 4, out: 3, dropped: 0, rejected: 0 });
        let balance = ledger.balance();
        assert_eq!((balance.difference, balance.held, balance.is_even()), (1, 0, false));
    }
}
