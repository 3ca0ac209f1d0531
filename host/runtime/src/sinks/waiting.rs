//! What waits for a sink: how much, and since when. An entry goes with its parcel, from the moment that it is brought until the
//! sink has written it or it is given up, so that what a failing sink holds in its hands counts too.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What waits for one sink.
#[derive(Debug, Default)]
pub(crate) struct WaitingList(Mutex<Entries>);

#[derive(Debug, Default)]
struct Entries {
    next: u64,
    /// By number: since when, and how many bytes.
    waiting: BTreeMap<u64, (Instant, usize)>,
}

/// Stands for a parcel in the list; taken out when it is dropped.
#[derive(Debug)]
pub(crate) struct Waiting {
    list: Arc<WaitingList>,
    number: u64,
    since: Instant,
}

impl WaitingList {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something of so many bytes waits from now on.
    pub(crate) fn enter(self: &Arc<Self>, bytes: usize) -> Waiting {
        self.enter_since(Instant::now(), bytes)
    }

    fn enter_since(self: &Arc<Self>, since: Instant, bytes: usize) -> Waiting {
        let mut entries = self.entries();
        let number = entries.next;
        entries.next += 1;
        entries.waiting.insert(number, (since, bytes));
        drop(entries);
        Waiting { list: Arc::clone(self), number, since }
    }

    /// Bytes that wait.
    pub(crate) fn bytes(&self) -> usize {
        self.entries().waiting.values().map(|(_, bytes)| bytes).sum()
    }

    /// How long the oldest of it has waited.
    pub(crate) fn age(&self) -> Duration {
        // What was put back has a higher number than what came after it.
        self.entries().waiting.values().map(|(since, _)| since.elapsed()).max().unwrap_or_default()
    }
}

impl Waiting {
    /// The entry of a part of the parcel, which has waited as long.
    pub(crate) fn part(&self, bytes: usize) -> Self {
        self.list.enter_since(self.since, bytes)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.list.entries().waiting.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_waits_is_counted_until_it_is_dropped() {
        let list = Arc::<WaitingList>::default();
        assert_eq!((list.bytes(), list.age()), (0, Duration::ZERO));
        let first = list.enter(10);
        std::thread::sleep(Duration::from_millis(5));
        let second = list.enter(5);
        assert_eq!(list.bytes(), 15);
        let part = first.part(4);
        drop(first);
        assert_eq!(list.bytes(), 9);
        assert!(list.age() >= Duration::from_millis(5), "a part is as old as the whole");
        drop(part);
        drop(second);
        assert_eq!((list.bytes(), list.age()), (0, Duration::ZERO));
    }
}
