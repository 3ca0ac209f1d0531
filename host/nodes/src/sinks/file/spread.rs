//! Lines that go to several files.
//!
//! They count as taken once one file has some of them. What the others lack is *owed*: it is written before anything else,
//! from where it stopped, so that no file gets a line twice however often the disk fails; and nothing is committed before.

use super::FileSink;
use super::lines::{Paths, whole_lines};
use std::io;
use std::time::SystemTime;

/// Bytes of lines that are written to all of their files before the next ones.
const SPREAD_BYTES_MAX: usize = 1024 * 1024;

/// Lines that files still lack.
#[derive(Debug)]
pub(super) struct Owed {
    lines: Vec<u8>,
    /// The files, the next one last.
    paths: Vec<String>,
    /// Bytes that the next one has.
    done: usize,
}

impl Owed {
    /// The file whose last line is not finished.
    pub(super) fn torn(&self) -> Option<&str> {
        self.paths.last().filter(|_| is_within(&self.lines, self.done)).map(String::as_str)
    }
}

impl FileSink {
    /// Writes lines to all of `paths`, from `taken` to `end`. What a file does not take after others have is owed.
    pub(super) fn spread(&mut self, paths: &Paths<'_>, bytes: &[u8], end: usize, now: SystemTime, taken: &mut usize) -> io::Result<bool> {
        while *taken < end {
            let rest = bytes.get(*taken..end).unwrap_or_default();
            let lines = rest.get(..whole_lines(rest, SPREAD_BYTES_MAX)).unwrap_or_default();
            let mut left = paths.clone();
            let mut is_first = true;
            while let Some(path) = left.next() {
                let mut done = 0;
                if let Err(error) = self.put_all(path, lines, &mut done, now) {
                    if !is_first || done > 0 {
                        let mut paths: Vec<String> = std::iter::once(path).chain(left).map(str::to_owned).collect();
                        paths.reverse();
                        self.owed = Some(Owed { lines: lines.to_vec(), paths, done });
                        *taken += lines.len();
                    }
                    return Err(error);
                }
                is_first = false;
            }
            *taken += lines.len();
        }
        Ok(true)
    }

    /// Writes what is owed.
    pub(super) fn pay(&mut self, now: SystemTime) -> io::Result<()> {
        let Some(mut owed) = self.owed.take() else { return Ok(()) };
        while let Some(path) = owed.paths.last() {
            if let Err(error) = self.put_all(path, &owed.lines, &mut owed.done, now) {
                self.owed = Some(owed);
                return Err(error);
            }
            owed.paths.pop();
            owed.done = 0;
        }
        Ok(())
    }

    /// Writes all lines to one file, from `done` on.
    fn put_all(&mut self, path: &str, lines: &[u8], done: &mut usize, now: SystemTime) -> io::Result<()> {
        while *done < lines.len() {
            let rest = lines.get(*done..).unwrap_or_default();
            // The rest of a line belongs where its beginning is, in whatever period and size.
            *done += if is_within(lines, *done) {
                let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
                self.store.write(path, rest.get(..end).unwrap_or_default(), now)?
            } else {
                self.put(path, rest, now)?
            };
        }
        Ok(())
    }
}

/// Whether a place lies within a line.
fn is_within(lines: &[u8], at: usize) -> bool {
    at.checked_sub(1).and_then(|before| lines.get(before)).is_some_and(|byte| *byte != b'\n')
}
