//! A disk in memory that can lose power, for tests: it keeps what is durable apart from what is only written, records
//! what is done to it, and gives the states that a power loss at any moment may leave. The same seed gives the same state.
//!
//! ```
//! use tamis_delivery::disk::{Disk as _, FILE_MODE};
//! use tamis_delivery::simulation::SimDisk;
//! use std::path::Path;
//!
//! let disk = SimDisk::new();
//! let mut file = disk.open_append(Path::new("/file"), FILE_MODE)?;
//! file.write_all(b"hello")?;
//! file.sync("example.file")?;
//! // The bytes are durable, the name is not: after a power loss there may be no file.
//! assert!(disk.crash(0).metadata(Path::new("/file")).is_err());
//! disk.sync_folder(Path::new("/"), "example.folder")?;
//! assert!(disk.crash(0).metadata(Path::new("/file")).is_ok());
//! # Ok::<(), std::io::Error>(())
//! ```

mod crash;
mod disk;
mod fault;
mod random;
mod state;
#[cfg(test)]
mod tests;

pub use disk::SyncUnderWay;
pub use fault::Operation;
pub use random::Random;

use fault::Faults;
use state::{Change, State};
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A disk in memory. Clones are the same disk.
#[derive(Debug, Clone)]
pub struct SimDisk {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    /// The disk before the recording.
    base: State,
    /// What was done since.
    recording: Vec<Change>,
    state: State,
    faults: Faults,
    sites: BTreeSet<&'static str>,
    ignored: BTreeSet<&'static str>,
}

impl Default for SimDisk {
    fn default() -> Self {
        Self::new()
    }
}

impl SimDisk {
    /// An empty disk: nothing but the root folder.
    pub fn new() -> Self {
        Self::on(State::new(), BTreeSet::new())
    }

    fn on(state: State, ignored: BTreeSet<&'static str>) -> Self {
        let (base, recording, faults, sites) = (state.clone(), Vec::new(), Faults::default(), BTreeSet::new());
        Self { inner: Arc::new(Mutex::new(Inner { base, recording, state, faults, sites, ignored })) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk after a power loss now: a new disk in one of the legal states. Seed 0 keeps nothing that was not synced,
    /// seed 1 everything. The sites that are ignored stay so; faults and recording begin anew.
    pub fn crash(&self, seed: u64) -> Self {
        let inner = self.lock();
        Self::on(crash::crash(&inner.state, seed), inner.ignored.clone())
    }

    /// The disk after the process was killed: everything written is there, and no more durable than before. Faults and
    /// recording begin anew.
    pub fn kill(&self) -> Self {
        let inner = self.lock();
        Self::on(inner.state.clone(), inner.ignored.clone())
    }

    /// As [`SimDisk::kill`], had the process been killed after the first `moment` changes.
    pub fn kill_at(&self, moment: usize) -> Self {
        let inner = self.lock();
        Self::on(inner.state_at(moment), inner.ignored.clone())
    }

    /// Changes recorded since this disk was made: a moment for [`SimDisk::crash_at`].
    pub fn moment(&self) -> usize {
        self.lock().recording.len()
    }

    /// As [`SimDisk::crash`], had the power gone after the first `moment` changes.
    pub fn crash_at(&self, moment: usize, seed: u64) -> Self {
        let inner = self.lock();
        Self::on(crash::crash(&inner.state_at(moment), seed), inner.ignored.clone())
    }

    /// Lets `pass` operations pass and fails the one after them, once.
    pub fn fail_after(&self, pass: u64, kind: io::ErrorKind) {
        self.lock().faults.countdown = Some((pass, kind));
    }

    /// Fails every operation of a kind until [`SimDisk::repair`].
    pub fn fail_every(&self, operation: Operation, kind: io::ErrorKind) {
        self.lock().faults.every.push((operation, kind));
    }

    /// Room for so many bytes in files: what is beyond is written in part, then not at all (`StorageFull`).
    pub fn set_capacity(&self, bytes: Option<usize>) {
        self.lock().faults.capacity = bytes;
    }

    /// Bytes in the files that have a name.
    pub fn bytes(&self) -> usize {
        self.lock().state.bytes()
    }

    /// Ends all faults, the capacity included.
    pub fn repair(&self) {
        self.lock().faults = Faults::default();
    }

    /// A fail point: the syncs of this site do nothing from now on and report success.
    pub fn ignore_sync(&self, site: &'static str) {
        self.lock().ignored.insert(site);
    }

    /// The sites of all syncs seen since this disk was made.
    pub fn sync_sites(&self) -> Vec<&'static str> {
        self.lock().sites.iter().copied().collect()
    }
}

impl Inner {
    fn state_at(&self, moment: usize) -> State {
        let mut state = self.base.clone();
        self.recording.iter().take(moment).for_each(|change| state.apply(change));
        state
    }

    fn change(&mut self, change: Change) {
        self.state.apply(&change);
        self.recording.push(change);
    }

    fn sync(&mut self, site: &'static str, change: Change) {
        self.sites.insert(site);
        self.change(if self.ignored.contains(site) { Change::Nothing } else { change });
    }
}
