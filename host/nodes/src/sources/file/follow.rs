//! Looking around, and deciding what each file is: one that is known, one that is new, or one that holds what was elsewhere.

use super::complaints::Complaints;
use super::discover::{Found, Patterns};
use super::framing::Framing;
use super::identity::{FileKey, Fingerprint};
use super::intake::{Candidate, Intake, has_name};
use super::positions::Positions;
use super::track::{Open, Rest, State, Track, now_s};
use crate::sources::{Outlet, RunOptions};
use std::collections::HashMap;
use std::io;
use std::time::{Duration, Instant};
use tamis_codecs::{Decoder, JoinOptions, LinesOptions};
use tamis_config::{FileSource, Start};

/// A file source at work.
pub(super) struct Follow<'a> {
    pub(super) once: bool,
    pub(super) patterns: Patterns,
    pub(super) decoder: Decoder,
    pub(super) lines: LinesOptions,
    pub(super) join: Option<JoinOptions>,
    pub(super) join_wait: Duration,
    pub(super) rotate_wait: Duration,
    pub(super) open_max: usize,
    pub(super) positions: Positions,
    pub(super) complaints: Complaints,
    /// Looks around so far.
    pub(super) looks: u64,
    /// Files that wait until it is known what they are, and since when.
    held: HashMap<FileKey, Instant>,
    pub(super) outlet: &'a mut dyn Outlet,
}

/// What became of a file that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// It is read as this track.
    As(u64),
    /// There is nothing to read in it.
    Nothing,
    /// It has to wait.
    Later,
}

impl<'a> Follow<'a> {
    pub(super) fn new(
        source: &FileSource,
        options: &RunOptions,
        join: Option<JoinOptions>,
        positions: Positions,
        outlet: &'a mut dyn Outlet,
    ) -> Self {
        Self {
            once: options.once,
            patterns: Patterns::new(&source.paths, &source.exclude, options.written.clone()),
            decoder: Decoder::new(&source.codec),
            lines: options.lines(source.max_record),
            join,
            join_wait: source.multiline.as_ref().map_or(Duration::MAX, |multiline| multiline.wait),
            rotate_wait: source.rotate_wait,
            open_max: source.open_files as usize,
            positions,
            complaints: Complaints::default(),
            looks: 0,
            held: HashMap::new(),
            outlet,
        }
    }

    /// Looks which files there are and notes what became of the known ones. Gives those that have to be opened.
    pub(super) fn look_around(&mut self) -> Vec<Found> {
        let discovery = self.patterns.discover();
        for (path, error) in &discovery.problems {
            self.complaints.unreadable(path, error);
        }
        for path in &discovery.ours {
            self.complaints.unreadable(path, &io::Error::other("a sink of this host writes it: its records would come again and again"));
        }
        self.looks += 1;
        let mut wanted = Vec::new();
        self.outlet.reading(discovery.files.iter().map(|found| self.positions.reading(found)).collect());
        for found in discovery.files {
            let known = self.positions.by_key.get(&found.key).copied();
            let Some(track) = known.and_then(|id| self.positions.tracks.get_mut(&id)) else {
                wanted.push(found);
                continue;
            };
            track.linked = self.looks;
            track.unlinked_since = None;
            track.seen_s = now_s();
            if track.path != found.path {
                track.path.clone_from(&found.path);
            }
            if !track.is_open() && (track.look != Some(found.look) || matches!(track.state, State::Lost(_))) {
                wanted.push(found);
            }
        }
        self.held.retain(|key, _| wanted.iter().any(|found| found.key == *key));
        // A folder that could not be read may hold what was not found.
        if discovery.problems.is_empty() {
            self.miss();
        }
        wanted
    }

    /// Deals with tracks whose file the patterns do not find any more.
    fn miss(&mut self) {
        for track in self.positions.tracks.values_mut() {
            if track.linked == self.looks || track.unlinked_since.is_some() {
                continue;
            }
            track.unlinked_since = Some(Instant::now());
            match &track.state {
                State::Open(open) => {
                    let event = if has_name(&open.file) { "rotated" } else { "deleted" };
                    tracing::debug!("`{}` was {event}: reading it to its end", track.path.display());
                    self.outlet.event(event, 1);
                }
                State::Closed => track.state = State::lost(),
                State::Lost(_) | State::Done => {}
            }
        }
    }

    /// Opens a file that the patterns found.
    pub(super) fn take(&mut self, found: &Found) -> io::Result<Taken> {
        let candidate = Candidate::open(&found.path)?;
        self.complaints.settle(&found.path);
        let found = &candidate.found;
        let taken = match self.positions.by_key.get(&found.key).copied() {
            Some(id) => self.take_known(id, &candidate)?,
            None => self.take_unknown(&candidate)?,
        };
        if let (Taken::As(id), Some(track)) =
            (&taken, self.positions.by_key.get(&found.key).and_then(|id| self.positions.tracks.get_mut(id)))
            && track.stream.id == *id
        {
            track.linked = self.looks;
            track.unlinked_since = None;
        }
        Ok(taken)
    }

    /// A file on an inode that is known: what it was, or something new.
    pub(super) fn take_known(&mut self, id: u64, candidate: &Candidate) -> io::Result<Taken> {
        let Some(track) = self.positions.tracks.get(&id) else { return Ok(Taken::Later) };
        let is_inode = track.is_inode_of(&candidate.found);
        if is_inode && candidate.holds(track)? {
            return self.reopen(id, candidate);
        }
        self.outlet.event(if is_inode { "truncated" } else { "inode_reused" }, 1);
        tracing::info!(
            "`{}` holds something else than before ({}): it is read from its beginning",
            candidate.found.path.display(),
            if is_inode { "it was truncated" } else { "it is another file with the same inode number" },
        );
        self.lose(id, None);
        self.take_unknown(candidate)
    }

    /// Notes that a content is not where it was, and is to be searched for.
    pub(super) fn lose(&mut self, id: u64, rest: Option<Rest>) {
        self.positions.mark_gone(id);
        let Some(track) = self.positions.tracks.get_mut(&id) else { return };
        track.state = State::lost();
        track.unlinked_since = Some(Instant::now());
        if let State::Lost(search) = &mut track.state {
            search.rest = rest;
        }
    }

    /// A file on an inode that is not known.
    pub(super) fn take_unknown(&mut self, candidate: &Candidate) -> io::Result<Taken> {
        let found = &candidate.found;
        if !self.once && candidate.is_gz && !candidate.is_settled(self.rotate_wait) {
            return Ok(Taken::Later);
        }
        if let Some(id) = self.lost_content(candidate)? {
            return self.move_to(id, candidate);
        }
        if self.may_be_copy(candidate) {
            // The copy that comes before a truncation, or a compressed file whose origin is still being read.
            let since = *self.held.entry(found.key).or_insert_with(Instant::now);
            if since.elapsed() < self.rotate_wait.saturating_mul(2) {
                return Ok(Taken::Later);
            }
        }
        let position = match self.positions.start {
            Start::End if self.looks == 1 => candidate.end(self.lines.record_bytes_max as u64)?,
            _ => candidate.hole()?,
        };
        if position > 0 && self.positions.start == Start::Beginning {
            tracing::warn!("`{}` begins with {position} zero bytes, which are passed over", found.path.display());
            self.outlet.event("zero_bytes", position);
        }
        let id = self.positions.new_id();
        self.positions.insert(Track::new(id, found, Fingerprint::of(&candidate.beginning), position));
        self.reopen(id, candidate)
    }

    /// The track that is not where it was and that a file holds.
    pub(super) fn lost_content(&self, candidate: &Candidate) -> io::Result<Option<u64>> {
        let whole = Fingerprint::of(&candidate.beginning);
        for (id, track) in &self.positions.tracks {
            let is_sought = match track.state {
                State::Lost(_) => true,
                State::Done => track.unlinked_since.is_some() && candidate.is_gz,
                State::Open(_) | State::Closed => false,
            };
            // A plain file of the same name comes after it, it is no copy of it.
            let is_successor = !candidate.is_gz && track.path == candidate.found.path;
            let may_be = is_sought && !is_successor && track.is_telling() && (!track.fingerprint.is_full() || track.fingerprint == whole);
            if may_be && candidate.holds(track)? {
                return Ok(Some(*id));
            }
        }
        Ok(None)
    }

    /// Whether a file begins like one that is being read.
    fn may_be_copy(&self, candidate: &Candidate) -> bool {
        let whole = Fingerprint::of(&candidate.beginning);
        !self.once
            && self.positions.tracks.values().any(|track| {
                matches!(track.state, State::Open(_) | State::Closed)
                    && track.is_telling()
                    && (!track.fingerprint.is_full() || track.fingerprint == whole)
                    && track.fingerprint.matches(&candidate.beginning)
            })
    }

    /// A content was found in another file: it is the same stream, read on from where it was left.
    pub(super) fn move_to(&mut self, id: u64, candidate: &Candidate) -> io::Result<Taken> {
        let found = &candidate.found;
        if let Some(track) = self.positions.tracks.get_mut(&id) {
            tracing::info!("what `{}` held is found in `{}`: reading on there", track.stream.name, found.path.display());
            self.outlet.event("found_elsewhere", 1);
            if self.positions.by_key.get(&track.key) == Some(&id) {
                self.positions.by_key.remove(&track.key);
            }
            track.key = found.key;
            track.created_ns = found.created_ns;
            track.path.clone_from(&found.path);
            track.gone = false;
            track.seen_s = now_s();
            track.unlinked_since = Some(Instant::now());
            self.positions.by_key.insert(found.key, id);
            self.positions.note();
        }
        self.reopen(id, candidate)
    }

    /// Opens a track's file where reading goes on.
    pub(super) fn reopen(&mut self, id: u64, candidate: &Candidate) -> io::Result<Taken> {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return Ok(Taken::Later) };
        let Some(position) = candidate.resume(track)? else {
            track.look = Some(candidate.found.look);
            track.state = State::Closed;
            return Ok(Taken::Nothing);
        };
        if !track.fingerprint.is_full() {
            track.fingerprint = Fingerprint::of(&candidate.beginning);
        }
        let mut intake = Intake::open(&candidate.file, candidate.is_gz);
        if !intake.skip_to(position)? {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("it ends before byte {position}, where reading goes on")));
        }
        let framing = Framing::new(self.lines, self.join.as_ref(), position);
        track.look = None;
        track.grown = Instant::now();
        track.state = State::Open(Box::new(Open { file: candidate.file.clone(), intake, framing }));
        Ok(Taken::As(id))
    }

    /// Closes the file that was idle for longest, to make room. Gives whether there was one.
    pub(super) fn make_room(&mut self) -> bool {
        let idle =
            self.positions.tracks.values_mut().filter(|track| track.is_open() && track.look.is_some() && track.unlinked_since.is_none());
        match idle.min_by_key(|track| track.grown) {
            Some(track) => {
                // A beginning of a line that was read is read again.
                track.state = State::Closed;
                true
            }
            None => false,
        }
    }
}
