//! The tracks of a source, and their checkpoint.

use super::discover::Found;
use super::track::{Entry, State, Track, now_s};
use crate::sources::{Outlet, Reading, RunOptions, SourceError};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};
use tamis_config::{FileSource, OnDamagedCheckpoint, Start};
use tamis_delivery::{CheckpointFile, Loaded};

use super::identity::FileKey;

/// Files that a checkpoint holds, at most. Beyond, those not seen for longest are forgotten; files that are there never are.
pub(super) const ENTRIES_MAX: usize = 10_000;

/// How long a file that is gone is remembered.
pub(super) const FORGET_AFTER: Duration = Duration::from_secs(24 * 3_600);

/// How long at least after a start.
const GRACE: Duration = Duration::from_secs(3_600);

/// How often the time at which files were seen is written when nothing else changes.
const SEEN_EVERY: Duration = Duration::from_secs(3_600);

/// What a checkpoint of a file source holds.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Content {
    files: Vec<Entry>,
}

/// The tracks, and where their positions are written.
pub(super) struct Positions {
    pub(super) tracks: BTreeMap<u64, Track>,
    /// The tracks whose inode holds them.
    pub(super) by_key: HashMap<FileKey, u64>,
    /// Where to begin with files that are there at the first look.
    pub(super) start: Start,
    /// Whether there was a checkpoint.
    pub(super) resumed: bool,
    store: CheckpointFile,
    interval: Duration,
    next_id: u64,
    changed: bool,
    saved: Instant,
    failing: bool,
}

impl Positions {
    /// How far a file is read that was found.
    pub(super) fn reading(&self, found: &Found) -> Reading {
        let known = self.by_key.get(&found.key).and_then(|id| self.tracks.get(id));
        Reading { path: found.path.clone(), size: found.look.size, read: known.map_or(0, |track| track.read.end()) }
    }

    /// Reads the checkpoint. What is done about a damaged one is said in the log and counted.
    pub(super) fn load(source: &FileSource, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<Self, SourceError> {
        let store = CheckpointFile::new(&options.data_dir, &options.name);
        let loaded: Loaded<Content> = if options.again { Loaded::Missing } else { store.load()? };
        let mut start = source.start;
        let (mut resumed, mut entries) = (false, Vec::new());
        match loaded {
            Loaded::Missing => {}
            Loaded::Sound(Content { files }) => {
                resumed = true;
                entries = files;
                // What was not there before is new.
                start = Start::Beginning;
            }
            Loaded::Damaged { why } => {
                outlet.event("checkpoint_damaged", 1);
                let path = store.path().display().to_string();
                let kept = match store.keep_damaged() {
                    Ok(kept) => format!("it is kept as `{}`", kept.display()),
                    Err(error) => format!("and could not be kept: {error}"),
                };
                let going_on = match source.on_damaged_checkpoint {
                    OnDamagedCheckpoint::Stop => {
                        tracing::error!("source {}: the checkpoint `{path}` is damaged: {why}; {kept}", options.name);
                        return Err(SourceError::Damaged { path, why });
                    }
                    OnDamagedCheckpoint::Beginning => {
                        start = Start::Beginning;
                        "every file is read from its beginning: records may repeat, none is lost"
                    }
                    OnDamagedCheckpoint::End => {
                        start = Start::End;
                        "every file is read from its end: what was not read before is lost"
                    }
                };
                tracing::error!(
                    "source {}: the checkpoint `{path}` is damaged: {why}; {kept}; {going_on} (`on_damaged_checkpoint`)",
                    options.name
                );
            }
        }
        let mut positions = Self {
            tracks: BTreeMap::new(),
            by_key: HashMap::new(),
            start,
            resumed,
            store,
            interval: options.checkpoint_interval,
            next_id: 1,
            // A first start is one only once, even when nothing is read.
            changed: !resumed,
            saved: Instant::now(),
            failing: false,
        };
        for entry in &entries {
            let id = positions.new_id();
            let mut track = Track::from_entry(id, entry);
            // Nobody looked while the host was stopped.
            track.seen_s = track.seen_s.max(now_s().saturating_sub((FORGET_AFTER - GRACE).as_secs()));
            positions.insert(track);
        }
        Ok(positions)
    }

    pub(super) fn new_id(&mut self) -> u64 {
        self.next_id += 1;
        self.next_id - 1
    }

    /// Adds a track, which takes the place of another one on the same inode.
    pub(super) fn insert(&mut self, track: Track) {
        self.changed = true;
        let id = track.stream.id;
        if !track.gone {
            self.by_key.insert(track.key, id);
        }
        self.tracks.insert(id, track);
    }

    /// Notes that a track's inode does not hold it any more.
    pub(super) fn mark_gone(&mut self, id: u64) {
        let Some(track) = self.tracks.get_mut(&id) else { return };
        track.gone = true;
        self.changed = true;
        if self.by_key.get(&track.key) == Some(&id) {
            self.by_key.remove(&track.key);
        }
    }

    /// Notes that something of the tracks changed that the checkpoint holds.
    pub(super) fn note(&mut self) {
        self.changed = true;
    }

    pub(super) fn open_count(&self) -> usize {
        self.tracks.values().filter(|track| track.is_open()).count()
    }

    pub(super) fn store_path(&self) -> String {
        self.store.path().display().to_string()
    }

    /// Takes in what became safe, and writes the checkpoint when it is time.
    pub(super) fn settle(&mut self, outlet: &mut dyn Outlet) {
        self.take_safe(outlet);
        let elapsed = self.saved.elapsed();
        if (self.changed && elapsed >= self.interval) || elapsed >= SEEN_EVERY {
            self.save(outlet);
        }
    }

    /// At the end: takes in the last positions and writes them.
    pub(super) fn close(&mut self, outlet: &mut dyn Outlet) {
        outlet.finish();
        self.take_safe(outlet);
        if self.changed {
            self.save(outlet);
        }
    }

    fn take_safe(&mut self, outlet: &mut dyn Outlet) {
        for (id, end) in outlet.safe() {
            if let Some(track) = self.tracks.get_mut(&id) {
                track.is_safe_to(end);
                self.changed = true;
            }
        }
    }

    fn save(&mut self, outlet: &mut dyn Outlet) {
        self.saved = Instant::now();
        self.forget();
        let content = Content { files: self.tracks.values().map(Track::entry).collect() };
        match self.store.save(&content) {
            Ok(()) => {
                self.changed = false;
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the checkpoint `{}` is written again", self.store_path());
                }
            }
            Err(error) => {
                outlet.event("checkpoint_failed", 1);
                if !std::mem::replace(&mut self.failing, true) {
                    tracing::warn!("{error}; going on, and trying again: after a crash now, records since the last one are repeated");
                }
            }
        }
    }

    /// Forgets files that are gone for long, and the oldest when there are too many.
    fn forget(&mut self) {
        let now = now_s();
        let forgettable = |track: &Track| track.unlinked_since.is_some() && track.is_settled() && !track.is_open();
        self.tracks.retain(|_, track| {
            let is_useless = track.gone && matches!(track.state, State::Done) && !track.is_telling();
            let is_old = is_useless || now.saturating_sub(track.seen_s) > FORGET_AFTER.as_secs();
            !(is_old && forgettable(track))
        });
        if self.tracks.len() > ENTRIES_MAX {
            let mut old: Vec<(u64, u64)> =
                self.tracks.iter().filter(|(_, track)| forgettable(track)).map(|(id, track)| (track.seen_s, *id)).collect();
            old.sort_unstable();
            for (_, id) in old.into_iter().take(self.tracks.len() - ENTRIES_MAX) {
                self.tracks.remove(&id);
            }
        }
        let tracks = &self.tracks;
        self.by_key.retain(|_, id| tracks.contains_key(id));
    }
}
