//! The open files of a sink: which are open, which has to go, and what has happened since the last commit.

use super::compression::Encoder;
use super::folder::Place;
use super::output::{Identity, Output};
use super::sync::{Unsynced, named};
use super::{Commit, WrittenFiles, rotation};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};
use tamis_config::{FileSink as Config, PathTemplate, SinkCompression};

/// Closed files of which it is remembered that nothing has to be repaired.
const CLOSED_MAX: usize = 4_096;

pub(super) struct Store {
    base: PathBuf,
    /// Whether the path has places.
    confined: bool,
    mode: u32,
    compression: SinkCompression,
    encoder: Encoder,
    every: Option<Duration>,
    keep: Option<u32>,
    open_files_max: usize,
    idle: Duration,
    fsync: bool,
    /// By their path below the base.
    outputs: HashMap<String, Output>,
    uses: u64,
    held_bytes: usize,
    closed: HashMap<String, Identity>,
    /// Files that were put aside since the last commit, by the path they had.
    rotated: BTreeSet<PathBuf>,
    unsynced: Unsynced,
    written: WrittenFiles,
    was_opened: bool,
}

impl Store {
    pub(super) fn new(config: &Config, template: &PathTemplate, mode: u32, written: WrittenFiles, encoder: Encoder) -> Self {
        Self {
            base: PathBuf::from(&template.base),
            confined: template.is_template(),
            mode,
            compression: config.compression,
            encoder,
            every: config.rotate.every,
            keep: config.rotate.keep,
            open_files_max: config.open_files.max(1) as usize,
            idle: config.idle,
            fsync: config.fsync,
            outputs: HashMap::new(),
            uses: 0,
            held_bytes: 0,
            closed: HashMap::new(),
            rotated: BTreeSet::new(),
            unsynced: Unsynced::default(),
            written,
            was_opened: false,
        }
    }

    /// Makes the folder of all files and sees that it can be written.
    pub(super) fn probe(&mut self) -> io::Result<()> {
        Place { base: &self.base, relative: "", confined: true, mode: self.mode }.probe(&mut self.unsynced)
    }

    /// Sees to it that a file is open and belongs to the present time.
    pub(super) fn open(&mut self, path: &str, now: SystemTime) -> io::Result<()> {
        let period = rotation::period(now, self.every);
        loop {
            match self.outputs.get_mut(path) {
                Some(output) if output.period == period || !output.regular || output.is_empty() => {
                    self.uses += 1;
                    output.used = self.uses;
                    output.period = period;
                    return Ok(());
                }
                Some(_) => self.rotate(path, now)?,
                None => self.add(path, now)?,
            }
        }
    }

    fn add(&mut self, path: &str, now: SystemTime) -> io::Result<()> {
        while self.outputs.len() >= self.open_files_max {
            let Some(oldest) = self.outputs.iter().min_by_key(|(_, output)| output.used).map(|(path, _)| path.clone()) else { break };
            self.close(&oldest, true)?;
        }
        let place = Place { base: &self.base, relative: path, confined: self.confined, mode: self.mode };
        let known = self.closed.remove(path);
        let output = Output::open(place, self.compression, self.every, now, known, &mut self.unsynced)?;
        if output.regular {
            self.written.note(&output.metadata()?);
        }
        self.was_opened = true;
        self.outputs.insert(path.to_owned(), output);
        Ok(())
    }

    /// Writes what it can to an open file and gives how much.
    pub(super) fn write(&mut self, path: &str, bytes: &[u8], now: SystemTime) -> io::Result<usize> {
        let Some(output) = self.outputs.get_mut(path) else { return Err(not_open(path)) };
        output.last_write = now;
        output.write(bytes)
    }

    /// Takes lines for the next member of an open file.
    pub(super) fn hold(&mut self, path: &str, lines: &[u8], now: SystemTime) {
        if let Some(output) = self.outputs.get_mut(path) {
            output.last_write = now;
            output.hold(lines);
            self.held_bytes += lines.len();
        }
    }

    /// Ends the member of a file and writes it.
    pub(super) fn flush(&mut self, path: &str) -> io::Result<()> {
        let Some(output) = self.outputs.get_mut(path) else { return Ok(()) };
        let before = output.held_bytes();
        let flushed = output.flush(&mut self.encoder);
        self.held_bytes -= before - output.held_bytes();
        flushed
    }

    /// Ends the members of all files.
    pub(super) fn flush_all(&mut self) -> io::Result<()> {
        for output in self.outputs.values_mut() {
            let before = output.held_bytes();
            let flushed = output.flush(&mut self.encoder);
            self.held_bytes -= before - output.held_bytes();
            flushed?;
        }
        Ok(())
    }

    /// Puts a file aside and closes it. One that somebody else has moved is only closed.
    pub(super) fn rotate(&mut self, path: &str, now: SystemTime) -> io::Result<()> {
        self.flush(path)?;
        let Some(output) = self.outputs.get_mut(path) else { return Ok(()) };
        if output.regular && self.fsync {
            // Nobody looks at the end of a file that was put aside, so what a power loss could leave there is ruled out now.
            output.note(&mut self.unsynced);
            self.unsynced.sync_now()?;
        }
        if output.regular && !output.was_moved() {
            rotation::put_aside(output.path(), now).map_err(|error| named("put aside", output.path(), &error))?;
            self.unsynced.folder_of(output.path());
            self.rotated.insert(output.path().to_path_buf());
        }
        self.close(path, false)
    }

    /// Closes a file. What was written to it is part of the next commit.
    fn close(&mut self, path: &str, remember: bool) -> io::Result<()> {
        self.flush(path)?;
        if self.unsynced.file_count() >= self.open_files_max {
            match self.fsync {
                true => self.unsynced.sync_now()?,
                false => self.unsynced.forget(),
            }
        }
        let Some(mut output) = self.outputs.remove(path) else { return Ok(()) };
        output.note(&mut self.unsynced);
        if remember && output.regular {
            if self.closed.len() >= CLOSED_MAX {
                self.closed.clear();
            }
            self.closed.insert(path.to_owned(), output.identity());
        }
        Ok(())
    }

    /// Writes what is held back, and gives the job that makes everything durable. `unfinished` stays open whatever happens.
    pub(super) fn commit(&mut self, unfinished: Option<&str>) -> io::Result<Option<Commit>> {
        self.flush_all()?;
        let moved = |(path, output): (&String, &mut Output)| {
            (output.is_dirty() && Some(path.as_str()) != unfinished && output.was_moved()).then(|| path.clone())
        };
        for path in self.outputs.iter_mut().filter_map(moved).collect::<Vec<_>>() {
            self.close(&path, false)?;
        }
        for output in self.outputs.values_mut() {
            output.note(&mut self.unsynced);
        }
        // All that was put aside so far is part of this commit, so nothing goes before it is on the disk.
        for path in std::mem::take(&mut self.rotated) {
            let Some(keep) = self.keep else { continue };
            match rotation::surplus(&path, keep) {
                Ok(surplus) => surplus.into_iter().for_each(|path| self.unsynced.surplus(path)),
                Err(error) => tracing::warn!("cannot look for files put aside for `{}`: {error}", path.display()),
            }
        }
        if self.fsync {
            return Ok(self.unsynced.commit());
        }
        self.unsynced.forget();
        Ok(None)
    }

    /// Puts aside what is due, and closes what was moved by somebody else or has long had no record. Gives the first error,
    /// after it has tried all.
    pub(super) fn tick(&mut self, now: SystemTime, unfinished: Option<&str>) -> io::Result<()> {
        let period = rotation::period(now, self.every);
        let mut result = Ok(());
        for path in self.outputs.keys().cloned().collect::<Vec<_>>() {
            let Some(output) = self.outputs.get_mut(&path).filter(|_| Some(path.as_str()) != unfinished) else { continue };
            let idle = self.confined && now.duration_since(output.last_write).is_ok_and(|idle| idle >= self.idle);
            let done = if output.was_moved() {
                self.close(&path, false)
            } else if output.regular && output.period != period && !output.is_empty() {
                self.rotate(&path, now)
            } else if idle {
                self.close(&path, true)
            } else {
                Ok(())
            };
            result = result.and(done);
        }
        result
    }

    pub(super) fn is_compressed(&self) -> bool {
        self.compression != SinkCompression::None
    }

    /// Whether a file was opened at any time.
    pub(super) fn was_opened(&self) -> bool {
        self.was_opened
    }

    /// The length of an open file.
    pub(super) fn length(&self, path: &str) -> u64 {
        self.outputs.get(path).map_or(0, |output| output.length)
    }

    /// Whether an open file is one that stays, and no pipe or terminal.
    pub(super) fn is_regular(&self, path: &str) -> bool {
        self.outputs.get(path).is_some_and(|output| output.regular)
    }

    /// Bytes held back over all files.
    pub(super) fn held_bytes(&self) -> usize {
        self.held_bytes
    }

    /// Bytes held back for an open file.
    pub(super) fn held_bytes_of(&self, path: &str) -> usize {
        self.outputs.get(path).map_or(0, Output::held_bytes)
    }

    /// How many files are open.
    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.outputs.len()
    }
}

fn not_open(path: &str) -> io::Error {
    io::Error::other(format!("`{path}` is not open: this is an error of the file sink"))
}
