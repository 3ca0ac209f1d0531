//! A file's turn: reading what is new, noticing a truncation, and leaving a file that has ended.

use super::discover::Look;
use super::follow::Follow;
use super::identity::Fingerprint;
use super::intake::{Candidate, beginning, has_name};
use super::track::{Open, Place, Rest, State, Track};
use crate::sources::Outlet;
use std::io;
use std::time::{Duration, Instant};
use tamis_codecs::Decoder;

/// Frames that a file is read before the next one has its turn.
const FRAMES: usize = 4;

/// What a turn gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// There may be more.
    More,
    /// It is read to its end for now.
    End,
    /// The host is stopping.
    Stop,
}

impl Follow<'_> {
    /// Reads some of a track's file.
    pub(super) fn turn(&mut self, id: u64) -> io::Result<Turn> {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return Ok(Turn::End) };
        let State::Open(open) = &track.state else { return Ok(Turn::End) };
        let look = Look::of(&open.file.metadata()?);
        if track.look == Some(look) {
            return Ok(self.rest(id));
        }
        if track.is_truncated(look)? {
            self.truncated(id)?;
            return Ok(Turn::More);
        }
        let from = track.open_at();
        let turn = track.read_some(&mut self.decoder, self.outlet)?;
        let has_grown = track.open_at() > from;
        if has_grown {
            track.grown = Instant::now();
            track.learn()?;
        }
        if turn == Turn::End {
            track.look = Some(look);
        }
        let is_whole = turn == Turn::End && track.is_gz();
        if has_grown {
            self.positions.note();
        }
        Ok(if is_whole { self.leave(id) } else { turn })
    }

    /// Nothing is new: what waits for more may have waited long enough.
    fn rest(&mut self, id: u64) -> Turn {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return Turn::End };
        let quiet = track.grown.elapsed();
        if quiet >= self.join_wait && !track.flush(&mut self.decoder, self.outlet) {
            return Turn::Stop;
        }
        let left = track.unlinked_since.map(|since| since.elapsed().min(quiet));
        if left.is_some_and(|left| left >= self.rotate_wait) { self.leave(id) } else { Turn::End }
    }

    /// Delivers what is left of a file that has ended, a last line without its end included, and closes it.
    pub(super) fn leave(&mut self, id: u64) -> Turn {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return Turn::End };
        let State::Open(open) = &mut track.state else { return Turn::End };
        if let Some(Rest { frame, place }) = open.left_over() {
            if !self.outlet.send(&track.stream, self.decoder.decode(frame), place.end()) {
                return Turn::Stop;
            }
            track.sent(place);
        }
        let State::Open(open) = &mut track.state else { return Turn::End };
        if let Some(damage) = open.intake.damage() {
            self.outlet.event("damaged", 1);
            tracing::error!(
                "`{}` is damaged after {} bytes of what it holds: {damage}; what comes before is delivered, the rest is not read",
                track.path.display(),
                open.intake.at(),
            );
        }
        let is_deleted = !has_name(&open.file);
        track.state = if track.unlinked_since.is_some() { State::Done } else { State::Closed };
        if is_deleted {
            self.positions.mark_gone(id);
        }
        self.positions.note();
        Turn::End
    }

    /// The file holds something else now: what it held is searched for, and what it holds is read from its beginning.
    fn truncated(&mut self, id: u64) -> io::Result<()> {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return Ok(()) };
        let State::Open(open) = &mut track.state else { return Ok(()) };
        let candidate = Candidate::of(open.file.clone(), &track.path)?;
        let rest = open.left_over();
        let (linked, unlinked_since) = (track.linked, track.unlinked_since);
        tracing::info!("`{}` was truncated after {} bytes of it were read", track.path.display(), open.intake.at());
        self.outlet.event("truncated", 1);
        self.lose(id, rest);
        self.search();
        self.take_unknown(&candidate)?;
        let new = self.positions.by_key.get(&candidate.found.key);
        if let Some(track) = new.and_then(|id| self.positions.tracks.get_mut(id)) {
            (track.linked, track.unlinked_since) = (linked, unlinked_since);
        }
        Ok(())
    }

    /// Delivers the beginning of a last line whose content was not found again.
    pub(super) fn deliver_rest(&mut self, id: u64, rest: Rest) -> bool {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return true };
        if !self.outlet.send(&track.stream, self.decoder.decode(rest.frame), rest.place.end()) {
            return false;
        }
        track.sent(rest.place);
        true
    }
}

impl Track {
    fn is_gz(&self) -> bool {
        matches!(&self.state, State::Open(open) if open.intake.is_gz())
    }

    /// How far its file was read, whole records or not.
    fn open_at(&self) -> u64 {
        match &self.state {
            State::Open(open) => open.intake.at(),
            _ => 0,
        }
    }

    /// Whether its file, which has changed, does not hold any more what was read of it.
    fn is_truncated(&self, look: Look) -> io::Result<bool> {
        let State::Open(open) = &self.state else { return Ok(false) };
        if open.intake.is_gz() {
            return Ok(false);
        }
        Ok(look.size < open.intake.at() || self.tail.map_or(Ok(false), |tail| tail.is_in(&open.file).map(|is_in| !is_in))?)
    }

    /// Hands on some frames.
    fn read_some(&mut self, decoder: &mut Decoder, outlet: &mut dyn Outlet) -> io::Result<Turn> {
        let State::Open(open) = &mut self.state else { return Ok(Turn::End) };
        for _ in 0..FRAMES {
            if outlet.stopping() {
                return Ok(Turn::Stop);
            }
            let Some(frame) = open.framing.read(&mut open.intake, outlet.buffer())? else { return Ok(Turn::End) };
            let end = open.framing.resume();
            if !outlet.send(&self.stream, decoder.decode(frame), end) {
                return Ok(Turn::Stop);
            }
            self.read = Place { position: end, partial: 0 };
        }
        Ok(Turn::More)
    }

    /// Hands on a joined record that waits for more lines. `false`: the host is stopping.
    fn flush(&mut self, decoder: &mut Decoder, outlet: &mut dyn Outlet) -> bool {
        let State::Open(open) = &mut self.state else { return true };
        let Some(frame) = open.framing.flush() else { return true };
        let end = open.framing.resume();
        if !outlet.send(&self.stream, decoder.decode(frame), end) {
            return false;
        }
        self.sent(Place { position: end, partial: 0 });
        true
    }

    /// Notes what is known of the content after some of it was read.
    fn learn(&mut self) -> io::Result<()> {
        let State::Open(open) = &self.state else { return Ok(()) };
        self.tail = open.intake.tail().or(self.tail);
        if !self.fingerprint.is_full() && !open.intake.is_gz() {
            let beginning = beginning(&open.file)?;
            if self.fingerprint.matches(&beginning) {
                self.fingerprint = Fingerprint::of(&beginning);
            }
        }
        Ok(())
    }

    /// Everything up to there was handed over.
    fn sent(&mut self, place: Place) {
        self.read = place;
        if place.partial > 0 {
            self.partial_end = Some((place.end(), place.partial));
        }
    }
}

impl Open {
    /// What was read and not handed over: a joined record, a last line without its end.
    fn left_over(&mut self) -> Option<Rest> {
        let (begin, is_partial) = (self.framing.resume(), self.framing.has_partial());
        let frame = self.framing.finish()?;
        let end = self.framing.resume();
        let place = match is_partial {
            true => Place { position: begin, partial: end.saturating_sub(begin) },
            false => Place { position: end, partial: 0 },
        };
        Some(Rest { frame, place })
    }
}

/// How often a search is repeated, and for how long, given how long rotated files are waited for.
pub(super) fn search_times(rotate_wait: Duration) -> (Duration, Duration) {
    let every = (rotate_wait / 4).max(Duration::from_millis(100));
    (every, every * 16)
}
