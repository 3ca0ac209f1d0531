//! Opening files and reading them, compressed ones as what they hold.

use super::discover::Found;
use super::identity::{FINGERPRINT_BYTES_MAX, Tail, Window};
use super::track::Track;
use flate2::bufread::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// The first bytes of a gzip file with the one method there is (RFC 1952); no text begins so.
const GZIP: [u8; 3] = [0x1f, 0x8b, 8];

/// Bytes read at a time where records are not wanted yet.
const SKIP_BYTES: usize = 64 * 1024;

/// A file that was opened, to find out which it is.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) file: Arc<File>,
    pub(super) found: Found,
    pub(super) is_gz: bool,
    /// The first bytes of what it holds.
    pub(super) beginning: Vec<u8>,
}

impl Candidate {
    /// Opens a file and looks at its beginning. What the open file is counts, not what its name led to before.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::of(Arc::new(File::open(path)?), path)
    }

    /// The same for a file that is open.
    pub(super) fn of(file: Arc<File>, path: &Path) -> io::Result<Self> {
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
        }
        let mut beginning = beginning(&file)?;
        let is_gz = beginning.starts_with(&GZIP);
        if is_gz {
            beginning.clear();
            Intake::open(&file, true).by_ref().take(FINGERPRINT_BYTES_MAX as u64).read_to_end(&mut beginning)?;
        }
        Ok(Self { file, found: Found::new(path.to_path_buf(), &metadata), is_gz, beginning })
    }

    /// Whether it was not written to for so long: only then a compressed file may be taken for whole.
    pub(super) fn is_settled(&self, wait: Duration) -> bool {
        let modified = self.file.metadata().and_then(|m| m.modified());
        let age = modified.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        age.is_some_and(|age| age >= wait)
    }

    /// Whether it holds what the track has read, wherever it is.
    pub(super) fn holds(&self, track: &Track) -> io::Result<bool> {
        if !track.fingerprint.matches(&self.beginning) {
            return Ok(false);
        }
        if !self.is_gz {
            let is_long_enough = self.found.look.size >= track.read.end();
            return Ok(is_long_enough && track.tail.as_ref().map_or(Ok(true), |tail| tail.is_in(&self.file))?);
        }
        // Decoding from the beginning on, which the bytes before the tail need not be kept for.
        let Some(tail) = track.tail else { return Ok(true) };
        let mut intake = Intake::open(&self.file, true);
        Ok(intake.skip_to(tail.at)? && intake.has(&tail))
    }

    /// Where reading goes on: none when there is nothing after the record without an end that was delivered last.
    pub(super) fn resume(&self, track: &Track) -> io::Result<Option<u64>> {
        let place = track.read;
        if place.partial == 0 {
            return Ok(Some(place.position));
        }
        let mut intake = Intake::open(&self.file, self.is_gz);
        let mut next = [0];
        if !intake.skip_to(place.end())? || intake.read(&mut next)? == 0 {
            return Ok(None);
        }
        // The line has gone on: it is read again as a whole.
        Ok(Some(if matches!(next, [b'\n' | b'\r']) { place.end() } else { place.position }))
    }

    /// Where the last line begins that has no end yet, or the end: a file that is to be read from its end on.
    pub(super) fn end(&self, line_bytes_max: u64) -> io::Result<u64> {
        if self.is_gz {
            let mut intake = Intake::open(&self.file, true);
            intake.skip_to(u64::MAX)?;
            return Ok(intake.window.at());
        }
        let size = self.found.look.size;
        let from = size.saturating_sub(line_bytes_max);
        let mut bytes = vec![0; SKIP_BYTES];
        let mut end = size;
        while end > from {
            let begin = end.saturating_sub(bytes.len() as u64).max(from);
            let Some(piece) = bytes.get_mut(..(end - begin) as usize) else { break };
            self.file.read_exact_at(piece, begin)?;
            if let Some(at) = memchr::memrchr(b'\n', piece) {
                return Ok(begin + at as u64 + 1);
            }
            end = begin;
        }
        Ok(if from == 0 { 0 } else { size })
    }

    /// How many zero bytes a plain file begins with. A writer that does not append leaves a hole when its file is truncated.
    pub(super) fn hole(&self) -> io::Result<u64> {
        if self.is_gz || self.beginning.first() != Some(&0) {
            return Ok(0);
        }
        let mut bytes = vec![0; SKIP_BYTES];
        let mut at = 0;
        loop {
            let read = self.file.read_at(&mut bytes, at)?;
            let zeros = bytes.iter().take(read).take_while(|b| **b == 0).count();
            at += zeros as u64;
            if zeros < SKIP_BYTES.min(read) || read == 0 {
                return Ok(at);
            }
        }
    }
}

/// The first bytes of a file.
pub(super) fn beginning(file: &Arc<File>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(FINGERPRINT_BYTES_MAX);
    At { file: Arc::clone(file), at: 0 }.take(FINGERPRINT_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Whether the file still has a name.
pub(super) fn has_name(file: &File) -> bool {
    file.metadata().is_ok_and(|m| m.nlink() > 0)
}

/// A file read from a position of its own: several readers of one open file do not move each other.
struct At {
    file: Arc<File>,
    at: u64,
}

impl Read for At {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read_at(buffer, self.at)?;
        self.at += read as u64;
        Ok(read)
    }
}

enum Content {
    Plain(At),
    Gz(Box<MultiGzDecoder<BufReader<At>>>),
}

/// What a file holds, and how far it was read.
pub(super) struct Intake {
    content: Content,
    window: Window,
    damage: Option<String>,
}

impl Intake {
    /// From the beginning.
    pub(super) fn open(file: &Arc<File>, is_gz: bool) -> Self {
        let at = At { file: Arc::clone(file), at: 0 };
        let content = match is_gz {
            false => Content::Plain(at),
            true => Content::Gz(Box::new(MultiGzDecoder::new(BufReader::with_capacity(SKIP_BYTES, at)))),
        };
        Self { content, window: Window::new(0), damage: None }
    }

    pub(super) fn is_gz(&self) -> bool {
        matches!(self.content, Content::Gz(_))
    }

    /// The position that was read to.
    pub(super) fn at(&self) -> u64 {
        self.window.at()
    }

    /// What stands before that position.
    pub(super) fn tail(&self) -> Option<Tail> {
        self.window.tail()
    }

    /// What is wrong with a compressed file; it was decoded up to there.
    pub(super) fn damage(&self) -> Option<&str> {
        self.damage.as_deref()
    }

    /// Moves on to a position. `false`: the content ends before it.
    pub(super) fn skip_to(&mut self, position: u64) -> io::Result<bool> {
        if let Content::Plain(at) = &mut self.content {
            at.at = position;
            self.window = Window::new(position);
            return Ok(at.file.metadata()?.len() >= position);
        }
        let mut bytes = vec![0; SKIP_BYTES];
        while self.at() < position {
            let wanted = usize::try_from(position - self.at()).unwrap_or(usize::MAX).min(SKIP_BYTES);
            if self.read(bytes.get_mut(..wanted).unwrap_or_default())? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the tail is what was read last. The window may hold more bytes than a tail of a shorter reading covers.
    fn has(&self, tail: &Tail) -> bool {
        self.window.tail_of(usize::from(tail.bytes)) == Some(*tail)
    }
}

impl Read for Intake {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = match &mut self.content {
            Content::Plain(at) => at.read(buffer)?,
            Content::Gz(_) if self.damage.is_some() => 0,
            Content::Gz(decoder) => match decoder.read(buffer) {
                Ok(read) => read,
                Err(error) if is_damage(&error) => {
                    self.damage = Some(error.to_string());
                    0
                }
                Err(error) => return Err(error),
            },
        };
        self.window.push(buffer.get(..read).unwrap_or_default());
        Ok(read)
    }
}

fn is_damage(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof)
}
