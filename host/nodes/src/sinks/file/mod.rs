//! Files that records are appended to.
//!
//! [`lines`] finds the files of each line, [`spread`] writes lines that go to several, [`output`] is one open file,
//! [`repair`] puts right what a crash left in it, [`rotation`] puts files aside, and [`sync`] makes it all durable.

mod compression;
mod folder;
mod lines;
mod lists;
mod output;
mod repair;
mod rotation;
mod spread;
mod store;
mod sync;
mod template;
mod time;

use super::written::WrittenFiles;
use super::{Commit, OpenError, Refused, Sink};
use lines::{Groups, Reader, Target, whole_lines};
pub use lists::FILES_OF_A_RECORD_MAX;
use spread::Owed;
use std::io::{self, Write};
use std::path::Path;
use std::time::SystemTime;
use store::Store;
use tamis_config::{FileSink as Config, PathTemplate, SinkCompression};
pub use template::fill_path;
use time::Utc;

/// Bytes of lines that are held back for members, over all files of a sink; a longer line is held back whole.
pub const HELD_BYTES_MAX: usize = 4 * 1024 * 1024;

type Clock = Box<dyn Fn() -> SystemTime + Send>;

/// Appends to files, which are made with their folders when they are missing.
///
/// At most `open_files` files are open, as many again between two commits, and what a commit job holds while it runs.
pub struct FileSink {
    template: PathTemplate,
    /// Finds the fields of lines; `None` when the path names none.
    reader: Option<Reader>,
    groups: Groups,
    store: Store,
    clock: Clock,
    /// The file whose last line is not finished: what comes next belongs to it.
    unfinished: Option<String>,
    /// Lines that count as taken and that some of their files still lack. Nothing else is written before.
    owed: Option<Owed>,
    /// Lines of the present write that no file can take.
    refused: Vec<Refused>,
    size_max: Option<u64>,
}

impl FileSink {
    /// Opens the file now; when records have a say in the path, its constant folder is made and tried.
    pub fn open(config: &Config, written: &WrittenFiles) -> Result<Self, OpenError> {
        let mut sink = Self::new(config, 0o644, written.clone()).map_err(|error| error_at(&config.path, error))?;
        if sink.template.is_template() {
            sink.store.probe().map_err(|error| error_at(Path::new(&sink.template.base), error))?;
        } else {
            let now = (sink.clock)();
            sink.store.open(&sink.constant_path(now), now).map_err(|error| error_at(&config.path, error))?;
        }
        Ok(sink)
    }

    /// A file for the host's own use: made at the first write, readable by its owner alone.
    pub fn private(path: &Path) -> Self {
        let folder = path.parent().unwrap_or(Path::new(""));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let template = PathTemplate::constant(folder.to_string_lossy(), name);
        let config = Config::new(path.to_string_lossy().into_owned());
        let store = Store::new(&config, &template, 0o600, WrittenFiles::default(), compression::Encoder::None);
        Self::with(&config, template, None, store)
    }

    fn new(config: &Config, mode: u32, written: WrittenFiles) -> io::Result<Self> {
        let invalid = |error: &dyn std::fmt::Display| io::Error::new(io::ErrorKind::InvalidInput, error.to_string());
        let template = PathTemplate::parse(&config.path).map_err(|error| invalid(&error))?;
        let names_fields = template.fields().next().is_some();
        let reader = names_fields.then(|| Reader::new(&template)).transpose().map_err(|error| invalid(&error))?;
        let expected = match config.compression {
            SinkCompression::None => "",
            SinkCompression::Gzip => ".gz",
            SinkCompression::Zstd => ".zst",
        };
        if !config.path.ends_with(expected) {
            tracing::warn!("the files of `{}` are compressed, but their names do not end in `{expected}`", config.path.shown());
        }
        let store = Store::new(config, &template, mode, written, compression::Encoder::new(config.compression)?);
        Ok(Self::with(config, template, reader, store))
    }

    fn with(config: &Config, template: PathTemplate, reader: Option<Reader>, store: Store) -> Self {
        Self {
            template,
            reader,
            groups: Groups::default(),
            store,
            clock: Box::new(SystemTime::now),
            unfinished: None,
            owed: None,
            refused: Vec::new(),
            size_max: config.rotate.size.map(|size| size.0),
        }
    }

    /// The path of every line, when it names no field.
    fn constant_path(&self, now: SystemTime) -> String {
        let mut path = String::new();
        template::render(&self.template, &Utc::new(now), |_| None, &mut path);
        path
    }

    /// Writes `bytes` and counts in `taken` what is written or held, which is all unless there is an error or a file takes
    /// less.
    fn take(&mut self, bytes: &[u8], taken: &mut usize) -> io::Result<()> {
        let now = (self.clock)();
        self.pay(now)?;
        if let Some(path) = self.unfinished.clone() {
            let end = memchr::memchr(b'\n', bytes).map_or(bytes.len(), |at| at + 1);
            let rest = bytes.get(..end).unwrap_or_default();
            *taken += self.store.write(&path, rest, now)?;
            if *taken < end || !rest.ends_with(b"\n") {
                return Ok(());
            }
            self.unfinished = None;
        }
        let Some(mut reader) = self.reader.take() else {
            let path = self.constant_path(now);
            return self.take_lines(&path, bytes, bytes.len(), now, taken).map(drop);
        };
        let mut groups = std::mem::take(&mut self.groups);
        let time = Utc::new(now);
        let mut result = Ok(true);
        while *taken < bytes.len() && matches!(result, Ok(true)) {
            let begin = *taken;
            reader.group(bytes.get(begin..).unwrap_or_default(), &self.template, &time, &mut groups);
            for (end, target) in groups.iter() {
                let end = begin + end;
                result = match target {
                    Target::Files(mut paths) if paths.count_left() == 1 => {
                        self.take_lines(paths.next().unwrap_or_default(), bytes, end, now, taken)
                    }
                    Target::Files(paths) => self.spread(&paths, bytes, end, now, taken),
                    Target::Nowhere(reason) => {
                        self.refused.push(Refused { lines: *taken..end, reason });
                        *taken = end;
                        Ok(true)
                    }
                };
                if !matches!(result, Ok(true)) {
                    break;
                }
            }
        }
        self.groups = groups;
        self.reader = Some(reader);
        result.map(drop)
    }

    /// Writes the lines of one file, from `taken` to `end`. `false`: the file took less.
    fn take_lines(&mut self, path: &str, bytes: &[u8], end: usize, now: SystemTime, taken: &mut usize) -> io::Result<bool> {
        while *taken < end {
            let rest = bytes.get(*taken..end).unwrap_or_default();
            let count = self.put(path, rest, now)?;
            *taken += count;
            if count > 0 && !self.store.is_compressed() && !rest.get(..count).is_some_and(|lines| lines.ends_with(b"\n")) {
                self.unfinished = Some(path.to_owned());
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes or holds what it can of lines for one file, and gives how many bytes that were; 0: try again.
    fn put(&mut self, path: &str, lines: &[u8], now: SystemTime) -> io::Result<usize> {
        self.store.open(path, now)?;
        if self.store.is_compressed() {
            return self.hold(path, lines, now);
        }
        let fitting = rotation::fitting(lines, self.store.length(path), self.size_max.filter(|_| self.store.is_regular(path)));
        if fitting == 0 {
            self.store.rotate(path, now)?;
            return Ok(0);
        }
        self.store.write(path, lines.get(..fitting).unwrap_or_default(), now)
    }

    /// Holds lines back for a member, after making room for them. Gives how many bytes that were; 0: try again.
    fn hold(&mut self, path: &str, lines: &[u8], now: SystemTime) -> io::Result<usize> {
        let member_max = self.size_max.map_or(HELD_BYTES_MAX, |size| HELD_BYTES_MAX.min(usize::try_from(size).unwrap_or(HELD_BYTES_MAX)));
        if self.store.held_bytes() >= HELD_BYTES_MAX {
            self.store.flush_all()?;
        }
        let held = self.store.held_bytes_of(path);
        let room = member_max.saturating_sub(held).min(HELD_BYTES_MAX - self.store.held_bytes());
        let count = whole_lines(lines, room);
        if held > 0 && count > room {
            self.store.flush(path)?;
            return Ok(0);
        }
        if held == 0 && self.store.is_regular(path) && self.size_max.is_some_and(|max| self.store.length(path) >= max) {
            self.store.rotate(path, now)?;
            return Ok(0);
        }
        self.store.hold(path, lines.get(..count).unwrap_or_default(), now);
        Ok(count)
    }
}

impl std::fmt::Debug for FileSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileSink").field("template", &self.template).field("size_max", &self.size_max).finish_non_exhaustive()
    }
}

impl Sink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.refused.clear();
        let mut taken = 0;
        match self.take(bytes, &mut taken) {
            Err(error) if taken == 0 => Err(error),
            _ => Ok(taken),
        }
    }

    fn refused(&mut self) -> Vec<Refused> {
        std::mem::take(&mut self.refused)
    }

    fn commit(&mut self) -> io::Result<Option<Commit>> {
        self.pay((self.clock)())?;
        self.store.commit(self.unfinished.as_deref())
    }

    fn tick(&mut self) -> io::Result<()> {
        let now = (self.clock)();
        let torn = self.unfinished.as_deref().or_else(|| self.owed.as_ref().and_then(Owed::torn));
        self.store.tick(now, torn)?;
        if !self.template.is_template() && self.unfinished.is_none() && self.store.was_opened() {
            // A path without places is there even before the next record comes.
            let path = self.constant_path(now);
            self.store.open(&path, now)?;
        }
        Ok(())
    }
}

fn error_at(path: impl AsRef<Path>, error: io::Error) -> OpenError {
    OpenError::File { path: path.as_ref().into(), error }
}

/// One write of as much as the system takes, which is at least a byte.
pub(super) fn write_once(file: &mut impl Write, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

#[cfg(test)]
mod tests;
