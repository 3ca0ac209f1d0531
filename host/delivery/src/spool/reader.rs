//! The end that delivers.

use super::acknowledged;
use super::error::SpoolError;
use super::frame::{HEADER_BYTES, Step, Walk};
use super::segment::SegmentName;
use super::state::Shared;
use super::window::Window;
use std::collections::VecDeque;
use std::ops::RangeInclusive;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

/// An entry of a spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number: each is higher than the one before, and there are gaps where entries were lost.
    pub sequence: u64,
    /// What was appended.
    pub payload: Vec<u8>,
}

/// The end of a spool that delivers.
#[derive(Debug)]
pub struct SpoolReader {
    pub(super) shared: Arc<Shared>,
    current: Option<Current>,
    /// The place of the segment that was read last, when it is removed and its file closed.
    left: Option<u64>,
    /// Number that the next entry should have.
    expected: u64,
    /// Segments from this number on were begun by this process.
    own_from: u64,
    /// Numbers before `own_from` that stood in no segment and are counted as lost.
    passed_over: u64,
    /// Read and not acknowledged, as runs without gaps.
    unacknowledged: VecDeque<RangeInclusive<u64>>,
    /// Their numbers and bytes, with headers, in order.
    sizes: VecDeque<(u64, u64)>,
    /// The last entry that was read; at first the last one acknowledged.
    read: u64,
    acknowledged: u64,
    /// What the file says.
    persisted: u64,
}

/// The segment that is read.
#[derive(Debug)]
struct Current {
    name: SegmentName,
    ordinal: u64,
    window: Window,
    walk: Walk,
    /// Entries found to be lost for it.
    lost: u64,
}

impl SpoolReader {
    pub(super) fn new(shared: Arc<Shared>, acknowledged: u64, own_from: u64, passed_over: u64) -> Self {
        Self {
            shared,
            current: None,
            left: None,
            expected: acknowledged + 1,
            own_from,
            passed_over,
            unacknowledged: VecDeque::new(),
            sizes: VecDeque::new(),
            read: acknowledged,
            acknowledged,
            persisted: acknowledged,
        }
    }

    /// The next entry, in the order of their numbers; waits for one at most so long. It may not be durable yet. `None`:
    /// there was none within the time, or the writer is gone and everything was read.
    ///
    /// # Errors
    /// [`SpoolError::Io`] when a segment cannot be read. The next call tries the same place again.
    pub fn next(&mut self, wait: Duration) -> Result<Option<Entry>, SpoolError> {
        let mut payload = Vec::new();
        Ok(self.next_into(wait, &mut payload)?.map(|sequence| Entry { sequence, payload }))
    }

    /// As [`SpoolReader::next`], with the payload in place of what `payload` held, and the number given back.
    ///
    /// # Errors
    /// As [`SpoolReader::next`].
    pub fn next_into(&mut self, wait: Duration, payload: &mut Vec<u8>) -> Result<Option<u64>, SpoolError> {
        let deadline = Instant::now().checked_add(wait);
        loop {
            let Some(limit) = self.limit(deadline)? else { return Ok(None) };
            while let Some(sequence) = self.read_frame(limit, payload)? {
                if sequence > self.read {
                    self.read = sequence;
                    self.sizes.push_back((sequence, (HEADER_BYTES + payload.len()) as u64));
                    match self.unacknowledged.back_mut() {
                        Some(run) if *run.end() + 1 == sequence => *run = *run.start()..=sequence,
                        _ => self.unacknowledged.push_back(sequence..=sequence),
                    }
                    return Ok(Some(sequence));
                }
            }
        }
    }

    /// Everything up to this entry is delivered. Segments of which nothing is left are removed; before that, as with
    /// [`SpoolReader::persist`], the number is written down.
    ///
    /// # Errors
    /// [`SpoolError::NotRead`] for an entry that was not read, and [`SpoolError::Io`] when the number cannot be written
    /// down or a segment not removed. The entries count as acknowledged all the same, and the next call tries again.
    pub fn acknowledge(&mut self, sequence: u64) -> Result<(), SpoolError> {
        if sequence > self.read {
            return Err(SpoolError::NotRead { sequence, read: self.read });
        }
        let mut entries = 0;
        while let Some(run) = self.unacknowledged.front_mut().filter(|run| *run.start() <= sequence) {
            let end = sequence.min(*run.end());
            entries += end - run.start() + 1;
            if end == *run.end() {
                self.unacknowledged.pop_front();
            } else {
                *run = end + 1..=*run.end();
            }
        }
        let mut bytes = 0;
        while let Some((_, size)) = self.sizes.pop_front_if(|(read, _)| *read <= sequence) {
            bytes += size;
        }
        self.acknowledged = self.acknowledged.max(sequence);
        let removable = {
            let mut state = self.shared.lock();
            state.pending = state.pending.saturating_sub(entries);
            state.pending_bytes = state.pending_bytes.saturating_sub(bytes);
            state.segments.front().is_some_and(|oldest| !oldest.open && oldest.last <= self.acknowledged)
        };
        if removable { self.persist() } else { Ok(()) }
    }

    /// Writes down up to where entries are acknowledged, durably, and removes the segments of which nothing is left. What
    /// is delivered again after a crash is what was acknowledged since the last call. Costs nothing when nothing changed.
    ///
    /// # Errors
    /// [`SpoolError::Io`] when the disk refuses; call again later.
    pub fn persist(&mut self) -> Result<(), SpoolError> {
        let folder = self.shared.folder.clone();
        while self.persisted < self.acknowledged {
            match acknowledged::write(&*self.shared.disk, &folder, self.acknowledged) {
                Ok(()) => self.persisted = self.acknowledged,
                // On a full disk a delivered segment makes room for the file that says so.
                Err(_) if self.remove_oldest()? => {}
                Err(source) => return Err(SpoolError::Io { action: "write", path: folder.join(acknowledged::FILE_NAME), source }),
            }
        }
        while self.remove_oldest()? {}
        Ok(())
    }

    fn remove_oldest(&mut self) -> Result<bool, SpoolError> {
        let removed = self.shared.remove_oldest(self.acknowledged).map_err(SpoolError::io("remove a segment from", &self.shared.folder))?;
        let ordinal = self.current.as_ref().map(|current| current.ordinal);
        if removed && ordinal.is_some_and(|ordinal| self.shared.lock().segments.iter().all(|segment| segment.ordinal != ordinal)) {
            // The system gives the room of a removed file back when nobody has it open any more.
            self.current = None;
            self.left = ordinal;
        }
        Ok(removed)
    }

    /// Up to where the current segment may be read, with something to read there; goes on to the next segment, and waits.
    fn limit(&mut self, deadline: Option<Instant>) -> Result<Option<u64>, SpoolError> {
        let next = {
            let mut state = self.shared.lock();
            loop {
                let ordinal = self.current.as_ref().map(|current| current.ordinal).or(self.left);
                let at = state.segments.iter().find(|segment| Some(segment.ordinal) == ordinal);
                let offset = self.current.as_ref().map_or(0, |current| current.walk.offset());
                if let Some(segment) = at.filter(|segment| segment.bytes > offset) {
                    return Ok(Some(segment.bytes));
                }
                // An open segment without a frame has a file, but nothing to read: it waits here like one that is not there.
                let next = state.segments.iter().find(|segment| ordinal.is_none_or(|o| segment.ordinal > o) && segment.bytes > 0);
                if let Some(next) = next {
                    break (next.name, next.ordinal, next.bytes, ordinal.is_some() && at.is_none());
                }
                let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
                if left.is_zero() || state.closed {
                    return Ok(None);
                }
                state = self.shared.appended.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        };
        let (name, ordinal, bytes, removed) = next;
        let path = self.shared.path(name);
        let window = Window::new(self.shared.disk.open_read(&path).map_err(SpoolError::io("open", &path))?);
        let walk = Walk::new(name.salt, name.first, self.shared.frame_bytes_max);
        let known = if name.first < self.own_from { 0 } else { std::mem::take(&mut self.passed_over) };
        let missing = name.first.saturating_sub(self.expected).saturating_sub(known);
        // A segment can be removed before the damage at its end was walked over. That was counted when the spool was opened.
        let lost = if removed { 0 } else { missing };
        self.current = Some(Current { name, ordinal, window, walk, lost });
        self.expected = self.expected.max(name.first);
        Ok(Some(bytes))
    }

    /// The next sound frame of the current segment before `limit`.
    fn read_frame(&mut self, limit: u64, payload: &mut Vec<u8>) -> Result<Option<u64>, SpoolError> {
        let Some(current) = &mut self.current else { return Ok(None) };
        let acknowledged = self.acknowledged;
        loop {
            let before = current.walk.expected();
            let step = current.walk.step(&mut current.window, limit).map_err(SpoolError::io("read", &self.shared.path(current.name)))?;
            let after = current.walk.expected();
            self.expected = self.expected.max(after);
            // All numbers passed over are lost, but for that of a sound frame; those acknowledged before are not missed.
            let end = after - u64::from(matches!(step, Step::Frame { .. }));
            current.lost += end.saturating_sub(before.max(acknowledged + 1));
            match step {
                Step::End => return Ok(None),
                Step::Frame { sequence, payload: at, length, .. } => {
                    self.shared.account(current.ordinal, current.lost, false);
                    let window = current.window.get(at, length, limit).map_err(SpoolError::io("read", &self.shared.path(current.name)))?;
                    payload.clear();
                    payload.extend_from_slice(window.get(..length).unwrap_or_default());
                    return Ok(Some(sequence));
                }
                Step::Damaged { .. } => self.shared.account(current.ordinal, current.lost, true),
                Step::Torn { .. } => {}
            }
        }
    }
}
