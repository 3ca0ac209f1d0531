//! The partitions that a member of a group has, and how far each is delivered.
//!
//! A partition that is assigned gets a number of its own each time. What becomes safe later of one that was taken away, or that came
//! back meanwhile, bears an old number and is ignored.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The partitions that this member has.
#[derive(Debug, Default)]
pub(super) struct Partitions {
    state: Mutex<State>,
    landed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    all: BTreeMap<u64, Partition>,
    /// Whether partitions came since somebody asked.
    fresh: bool,
    /// Whether nothing more becomes safe.
    over: bool,
    /// What happened and is not yet told to the host.
    events: BTreeMap<&'static str, u64>,
}

#[derive(Debug)]
struct Partition {
    topic: Arc<str>,
    number: i32,
    /// Frames that wait to be brought to the lanes: where each ends, and its bytes.
    waiting: VecDeque<(i64, usize)>,
    /// Frames that were.
    under_way: VecDeque<(i64, usize)>,
    /// Nothing more of it is to be brought to the lanes.
    closed: bool,
    /// The first offset that is not safe, once something is.
    safe: Option<i64>,
    committed: Option<i64>,
}

/// An offset to be committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) topic: Arc<str>,
    pub(super) partition: i32,
    pub(super) offset: i64,
}

impl Partitions {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A partition comes.
    pub(super) fn assign(&self, topic: &str, number: i32) {
        let mut state = self.state();
        state.all.retain(|_, partition| !partition.is(topic, number));
        let id = state.next;
        state.next += 1;
        let (waiting, under_way) = (VecDeque::new(), VecDeque::new());
        let partition = Partition { topic: topic.into(), number, waiting, under_way, closed: false, safe: None, committed: None };
        state.all.insert(id, partition);
        state.fresh = true;
    }

    /// The number of a partition that is there.
    pub(super) fn id(&self, topic: &str, number: i32) -> Option<u64> {
        self.state().all.iter().find(|(_, partition)| !partition.closed && partition.is(topic, number)).map(|(id, _)| *id)
    }

    /// Whether it is still there.
    pub(super) fn has(&self, id: u64) -> bool {
        self.state().all.get(&id).is_some_and(|partition| !partition.closed)
    }

    /// Whether partitions came since the last call.
    pub(super) fn new_ones(&self) -> bool {
        std::mem::take(&mut self.state().fresh)
    }

    /// A frame waits. `end`: the first offset behind it.
    pub(super) fn queue(&self, id: u64, end: i64, bytes: usize) {
        if let Some(partition) = self.state().all.get_mut(&id) {
            partition.waiting.push_back((end, bytes));
        }
    }

    /// Messages that hold nothing: they are safe when everything before them is.
    pub(super) fn skip(&self, id: u64, end: i64) {
        if let Some(partition) = self.state().all.get_mut(&id)
            && partition.waiting.is_empty()
            && partition.under_way.is_empty()
        {
            partition.safe = Some(end);
        }
    }

    /// The first frame that waits is brought to the lanes. `false`: it is not wanted any more.
    pub(super) fn take(&self, id: u64) -> bool {
        let mut state = self.state();
        let Some(partition) = state.all.get_mut(&id).filter(|partition| !partition.closed) else { return false };
        let Some(frame) = partition.waiting.pop_front() else { return false };
        partition.under_way.push_back(frame);
        true
    }

    /// What became safe.
    pub(super) fn settle(&self, positions: &[(u64, u64)]) {
        if positions.is_empty() {
            return;
        }
        let mut state = self.state();
        for (id, end) in positions {
            let Some(partition) = state.all.get_mut(id) else { continue };
            let end = i64::try_from(*end).unwrap_or(i64::MAX);
            while partition.under_way.front().is_some_and(|(under_way, _)| *under_way <= end) {
                partition.under_way.pop_front();
            }
            partition.safe = partition.safe.max(Some(end));
        }
        drop(state);
        self.landed.notify_all();
    }

    /// The source ends: what is under way now was given up, or not taken from it, and nobody is to wait for it.
    pub(super) fn end(&self) {
        self.state().over = true;
        self.landed.notify_all();
    }

    /// Bytes that wait or are under way.
    pub(super) fn bytes(&self) -> usize {
        self.state().all.values().flat_map(|partition| partition.waiting.iter().chain(&partition.under_way)).map(|(_, bytes)| bytes).sum()
    }

    /// What is to be committed, with what is on its way to the brokers and may be refused. For the last time.
    pub(super) fn commit_all(&self) -> Vec<Position> {
        self.not_committed();
        self.commit()
    }

    /// What is to be committed; it counts as committed then.
    pub(super) fn commit(&self) -> Vec<Position> {
        let mut state = self.state();
        let due = state.all.values_mut().filter(|partition| partition.safe.is_some() && partition.safe != partition.committed);
        due.filter_map(|partition| {
            partition.committed = partition.safe;
            Some(Position { topic: Arc::clone(&partition.topic), partition: partition.number, offset: partition.safe? })
        })
        .collect()
    }

    /// The brokers did not take what was to be committed.
    pub(super) fn not_committed(&self) {
        self.state().all.values_mut().for_each(|partition| partition.committed = None);
    }

    /// Partitions go: waits for what of them is under way, and gives how far each is safe. They are forgotten then.
    pub(super) fn revoke(&self, gone: &[(String, i32)], wait: Duration) -> Vec<Position> {
        let is_gone = |partition: &Partition| gone.iter().any(|(topic, number)| partition.is(topic, *number));
        let mut state = self.state();
        for partition in state.all.values_mut().filter(|partition| is_gone(partition)) {
            partition.closed = true;
            partition.waiting.clear();
        }
        let busy =
            |state: &mut State| !state.over && state.all.values().any(|partition| is_gone(partition) && !partition.under_way.is_empty());
        let (mut state, _) = self.landed.wait_timeout_while(state, wait, busy).unwrap_or_else(PoisonError::into_inner);
        let left: usize = state.all.values().filter(|partition| is_gone(partition)).map(|partition| partition.under_way.len()).sum();
        *state.events.entry("revoked").or_default() += gone.len() as u64;
        if left > 0 {
            *state.events.entry("revoked_under_way").or_default() += left as u64;
        }
        let positions = state.all.values().filter(|partition| is_gone(partition)).filter_map(|partition| {
            // What is on its way to the brokers may be refused, and nobody would send it again.
            Some(Position { topic: Arc::clone(&partition.topic), partition: partition.number, offset: partition.safe? })
        });
        let positions = positions.collect();
        state.all.retain(|_, partition| !is_gone(partition));
        positions
    }

    /// Counts something.
    pub(super) fn count(&self, event: &'static str, count: u64) {
        *self.state().events.entry(event).or_default() += count;
    }

    /// What happened since the last call.
    pub(super) fn events(&self) -> BTreeMap<&'static str, u64> {
        std::mem::take(&mut self.state().events)
    }
}

impl Partition {
    fn is(&self, topic: &str, number: i32) -> bool {
        self.number == number && *self.topic == *topic
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn offsets(positions: Vec<Position>) -> Vec<(i32, i64)> {
        positions.into_iter().map(|position| (position.partition, position.offset)).collect()
    }

    #[test]
    fn only_what_is_safe_is_committed_and_only_once() {
        let all = Partitions::default();
        all.assign("t", 0);
        all.assign("t", 1);
        let (a, b) = (all.id("t", 0).unwrap(), all.id("t", 1).unwrap());
        all.queue(a, 10, 100);
        all.queue(b, 7, 50);
        assert_eq!((all.take(a), all.take(b), all.bytes()), (true, true, 150));
        assert!(all.commit().is_empty());
        all.settle(&[(a, 10)]);
        assert_eq!((offsets(all.commit()), all.bytes()), (vec![(0, 10)], 50));
        assert!(all.commit().is_empty());
        all.not_committed();
        assert_eq!(offsets(all.commit()), [(0, 10)]);
        assert_eq!((offsets(all.commit()), offsets(all.commit_all())), (vec![], vec![(0, 10)]), "the last time, all of it");
        all.skip(a, 12);
        all.skip(b, 12);
        assert_eq!(offsets(all.commit()), [(0, 12)], "what holds nothing is safe when all before it is");
    }

    #[test]
    fn what_was_taken_away_is_forgotten() {
        let all = Partitions::default();
        all.assign("t", 0);
        let old = all.id("t", 0).unwrap();
        all.queue(old, 10, 1);
        all.queue(old, 20, 1);
        all.queue(old, 30, 1);
        assert!(all.take(old) && all.take(old));
        all.settle(&[(old, 10)]);
        assert_eq!(offsets(all.revoke(&[("t".into(), 0)], Duration::from_millis(1))), [(0, 10)]);
        assert!(!all.take(old), "what waited is not wanted any more");
        assert_eq!(all.events(), [("revoked", 1), ("revoked_under_way", 1)].into());
        all.assign("t", 0);
        all.settle(&[(old, 20)]);
        assert!(all.commit().is_empty(), "another member may have gone on from 10");
        assert_eq!((all.bytes(), all.id("t", 0) == Some(old)), (0, false));
    }

    #[test]
    fn a_partition_that_goes_waits_for_what_is_under_way() {
        let all = Arc::new(Partitions::default());
        all.assign("t", 3);
        let id = all.id("t", 3).unwrap();
        all.queue(id, 5, 1);
        assert!(all.take(id));
        let other = Arc::clone(&all);
        let settling = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(30));
            other.settle(&[(id, 5)]);
        });
        assert_eq!(offsets(all.revoke(&[("t".into(), 3)], Duration::from_secs(30))), [(3, 5)]);
        settling.join().unwrap();
    }

    #[test]
    fn a_partition_that_goes_waits_for_nothing_that_was_given_up() {
        let all = Partitions::default();
        all.assign("t", 3);
        let id = all.id("t", 3).unwrap();
        all.queue(id, 5, 1);
        all.queue(id, 9, 1);
        assert!(all.take(id) && all.take(id));
        all.settle(&[(id, 5)]);
        all.end();
        let began = std::time::Instant::now();
        assert_eq!(offsets(all.revoke(&[("t".into(), 3)], Duration::from_secs(30))), [(3, 5)]);
        assert!(began.elapsed() < Duration::from_secs(10));
        assert_eq!(all.events(), [("revoked", 1), ("revoked_under_way", 1)].into());
    }
}
