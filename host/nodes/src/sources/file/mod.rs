//! Files, by path or pattern. With `--once` each is read to its end; otherwise files are followed, through rotation.
//!
//! The words: a *track* is one content that is followed, whatever its file is called; an *inode* holds one at a time. A content
//! that is not where it was is *lost*, and searched for in its folder. `docs/reference/file-source.md` says what is guaranteed.

mod complaints;
mod discover;
mod follow;
mod framing;
mod identity;
mod intake;
mod positions;
mod search;
#[cfg(test)]
mod tests;
mod track;
mod turn;

use super::{Outlet, RunOptions, SourceError};
use discover::Found;
use follow::{Follow, Taken};
use framing::Framing;
use positions::Positions;
use regex::bytes::Regex;
use std::io;
use std::time::{Duration, Instant};
use tamis_codecs::{Begin, Frame, JoinOptions, LinesOptions};
use tamis_config::FileSource;
use track::State;
use turn::Turn;

/// How long to sleep at a time at most, so that a stop is noticed.
const NAP: Duration = Duration::from_millis(50);

pub(super) fn run(source: &FileSource, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let join = join(source)?;
    let positions = Positions::load(source, options, outlet)?;
    let mut follow = Follow::new(source, options, join, positions, outlet);
    let result = if options.once { follow.read_once(source, options) } else { follow.follow(source.poll) };
    // Whatever made it end: what was handed over is settled and written.
    follow.give_up_rests();
    follow.positions.close(follow.outlet);
    result
}

/// A content that is in memory, cut and joined as a file's.
pub(super) fn frames(source: &FileSource, lines: LinesOptions, mut bytes: &[u8]) -> Result<Vec<Frame>, SourceError> {
    let mut framing = Framing::new(lines, join(source)?.as_ref(), 0);
    let mut frames = Vec::new();
    while let Some(frame) = framing.read(&mut bytes, Vec::new()).map_err(|error| SourceError::Read { path: "memory".into(), error })? {
        frames.push(frame);
    }
    frames.extend(framing.finish());
    Ok(frames)
}

fn join(source: &FileSource) -> Result<Option<JoinOptions>, SourceError> {
    let Some(multiline) = &source.multiline else { return Ok(None) };
    let begin = match (&multiline.start, &multiline.continues) {
        (Some(start), _) => Regex::new(start).map(Begin::Matching),
        (None, Some(continues)) => Regex::new(continues).map(Begin::NotMatching),
        (None, None) => return Ok(None),
    };
    let begin = begin.map_err(|error| SourceError::Pattern { why: error.to_string() })?;
    Ok(Some(JoinOptions { begin, record_bytes_max: source.max_record.to_usize(), lines_max: multiline.max_lines as usize }))
}

impl Follow<'_> {
    /// Reads each file to its end, in the order of their names; before them, what was renamed since the last run.
    fn read_once(&mut self, source: &FileSource, options: &RunOptions) -> Result<(), SourceError> {
        let wanted = self.look_around();
        if wanted.is_empty() {
            let patterns: Vec<String> = source.paths.iter().map(|p| format!("`{}`", p.shown())).collect();
            return Err(SourceError::NoFile { patterns: patterns.join(", ") });
        }
        let expected = wanted.iter().map(|found| self.positions.reading(found)).map(|file| file.size.saturating_sub(file.read)).sum();
        self.outlet.expect(expected);
        let mut sent = self.read_found()?;
        for found in wanted {
            if self.outlet.stopping() {
                return Ok(());
            }
            let read = match self.take(&found) {
                Ok(Taken::As(id)) => self.read_whole(id),
                Ok(Taken::Nothing | Taken::Later) => Ok(false),
                Err(error) => Err(error),
            };
            sent |= read.map_err(|error| SourceError::Read { path: found.path.display().to_string(), error })?;
            self.positions.settle(self.outlet);
        }
        // What turned out not to be where it was.
        sent |= self.read_found()?;
        self.give_up(true);
        if !sent && self.positions.resumed {
            tracing::info!(
                "source {}: everything was read before, as `{}` says; `--again` reads it again",
                options.name,
                self.positions.store_path()
            );
        }
        Ok(())
    }

    /// Searches for what is lost and reads it. Gives whether anything was handed over.
    fn read_found(&mut self) -> Result<bool, SourceError> {
        self.search();
        let mut sent = false;
        for id in self.open() {
            let path = self.positions.tracks.get(&id).map(|track| track.path.clone()).unwrap_or_default();
            sent |= self.read_whole(id).map_err(|error| SourceError::Read { path: path.display().to_string(), error })?;
        }
        Ok(sent)
    }

    /// Reads an open file to its end and closes it. Gives whether anything was handed over.
    fn read_whole(&mut self, id: u64) -> io::Result<bool> {
        let before = self.positions.tracks.get(&id).map(|track| track.read);
        loop {
            match self.turn(id)? {
                Turn::More => self.positions.settle(self.outlet),
                Turn::Stop => return Ok(true),
                Turn::End => break,
            }
        }
        // One file open at a time.
        self.leave(id);
        Ok(self.positions.tracks.get(&id).map(|track| track.read) != before)
    }

    /// Follows the files until the host stops.
    fn follow(&mut self, poll: Duration) -> Result<(), SourceError> {
        let mut wanted = Vec::new();
        let mut looked: Option<Instant> = None;
        while !self.outlet.stopping() {
            if looked.is_none_or(|at| at.elapsed() >= poll) {
                wanted = self.look_around();
                // When there are more than can be open, none has to wait for ever.
                let first = usize::try_from(self.looks).unwrap_or(0).checked_rem(wanted.len()).unwrap_or(0);
                if wanted.len() > self.open_max {
                    wanted.rotate_left(first);
                }
                self.search();
                looked = Some(Instant::now());
            }
            self.open_files(&mut wanted);
            let mut is_idle = true;
            for id in self.open() {
                match self.turn(id) {
                    Ok(Turn::More) => is_idle = false,
                    Ok(Turn::End) => {}
                    Ok(Turn::Stop) => return Ok(()),
                    Err(error) => self.put_down(id, &error),
                }
            }
            if self.give_up(false) == Turn::Stop {
                return Ok(());
            }
            self.positions.settle(self.outlet);
            if is_idle {
                let until = looked.map_or(Duration::ZERO, |at| poll.saturating_sub(at.elapsed()));
                std::thread::sleep(until.min(NAP));
            }
        }
        Ok(())
    }

    /// Opens files as far as there is room; the others stay in the list.
    fn open_files(&mut self, wanted: &mut Vec<Found>) {
        let mut room = self.open_max.saturating_sub(self.positions.open_count());
        let mut waiting = Vec::new();
        for found in wanted.drain(..) {
            if room == 0 && !self.make_room() {
                waiting.push(found);
                continue;
            }
            room = room.max(1);
            match self.take(&found) {
                Ok(Taken::As(_)) => room -= 1,
                Ok(Taken::Nothing | Taken::Later) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.complaints.unreadable(&found.path, &error),
            }
        }
        *wanted = waiting;
    }

    /// Closes a file that cannot be read; the next look opens it again.
    fn put_down(&mut self, id: u64, error: &io::Error) {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return };
        self.complaints.unreadable(&track.path, error);
        track.look = None;
        track.state = State::Closed;
        // One that has no name in the patterns any more is searched for.
        if track.unlinked_since.is_some() {
            track.state = State::lost();
        }
    }

    /// At the end: delivers beginnings of lines whose content was being searched for, if the host still takes them.
    fn give_up_rests(&mut self) {
        if self.has_rests() {
            self.give_up(true);
        }
    }
}
