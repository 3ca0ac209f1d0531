//! Writes log files as a service does: in pieces that end anywhere, at a steady pace.

use super::record::{Maker, RECORD_BYTES};
use anyhow::{Context, Result};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Records made and written at a time when there is no pace to keep.
const CHUNK_RECORDS: u64 = 4_096;
/// Time between two pieces.
const PACE: Duration = Duration::from_millis(5);

/// Writes one log file.
#[derive(Debug)]
pub struct Sender {
    maker: Maker,
    path: PathBuf,
    file: File,
    next: u64,
}

impl Sender {
    /// Opens a file to append to, and makes its folder.
    pub fn open(path: &Path, maker: Maker) -> Result<Self> {
        std::fs::create_dir_all(path.parent().context("a file in a folder was expected")?)?;
        Ok(Self { maker, path: path.into(), file: append(path)?, next: 0 })
    }

    /// Records written so far.
    pub fn sent(&self) -> u64 {
        self.next
    }

    /// Writes so many records.
    pub fn send(&mut self, count: u64) -> Result<()> {
        let end = self.next + count;
        let mut text = Vec::new();
        while self.next < end {
            text.clear();
            for number in self.next..end.min(self.next + CHUNK_RECORDS) {
                self.maker.line(number, &mut text);
                self.next = number + 1;
            }
            self.file.write_all(&text)?;
        }
        Ok(())
    }

    /// Writes one record whose field `message` is this.
    pub fn send_with(&mut self, message: &str) -> Result<()> {
        let mut text = Vec::new();
        self.maker.line_with(self.next, message, &mut text);
        self.next += 1;
        Ok(self.file.write_all(&text)?)
    }

    /// Opens the name again, after the file was renamed or removed.
    pub fn reopen(&mut self) -> Result<()> {
        self.file = append(&self.path)?;
        Ok(())
    }

    /// Goes on in a thread: until `total` records are written, about `per_second` of them each second, in pieces that end
    /// anywhere, most often within a line.
    pub fn stream(mut self, total: u64, per_second: u64, seed: u64) -> Stream {
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            let mut random = fastrand::Rng::with_seed(seed);
            let (began, first) = (Instant::now(), self.next);
            let mut text = Vec::new();
            let mut done = 0;
            while self.next < total || done < text.len() {
                let due = if shared.hurry.load(Ordering::Relaxed) {
                    total
                } else {
                    first + (began.elapsed().as_secs_f64() * per_second as f64) as u64
                };
                text.drain(..done);
                let until = due.min(total).min(self.next + CHUNK_RECORDS);
                (self.next..until).for_each(|number| self.maker.line(number, &mut text));
                self.next = self.next.max(until);
                // What is over stays for the next piece.
                let over = if self.next == total { 0 } else { random.usize(..RECORD_BYTES) };
                done = text.len().saturating_sub(over);
                self.file.write_all(&text[..done])?;
                shared.sent.store(self.next, Ordering::Relaxed);
                if !shared.hurry.load(Ordering::Relaxed) {
                    std::thread::sleep(PACE);
                }
            }
            Ok(self)
        });
        Stream { state, thread }
    }
}

fn append(path: &Path) -> Result<File> {
    OpenOptions::new().append(true).create(true).open(path).with_context(|| format!("{} cannot be written", path.display()))
}

#[derive(Debug, Default)]
struct State {
    sent: AtomicU64,
    hurry: AtomicBool,
}

/// A sender that writes in a thread.
#[derive(Debug)]
pub struct Stream {
    state: Arc<State>,
    thread: JoinHandle<Result<Sender>>,
}

impl Stream {
    /// Records written so far, give or take the last.
    pub fn sent(&self) -> u64 {
        self.state.sent.load(Ordering::Relaxed)
    }

    /// Writes the rest without a pause, and gives the sender back.
    pub fn finish(self) -> Result<Sender> {
        self.state.hurry.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow::anyhow!("the thread that sends has panicked"))?
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::faults::record::Account;

    #[test]
    fn a_stream_writes_every_record_once() {
        let folder = tempfile::tempdir().unwrap();
        let (path, maker) = (folder.path().join("logs/app.log"), Maker::new(3));
        let mut sender = Sender::open(&path, maker).unwrap();
        sender.send(10).unwrap();
        let sender = sender.stream(5_000, 10_000, 1);
        std::thread::sleep(Duration::from_millis(30));
        assert!(sender.sent() < 5_000);
        assert_eq!(sender.finish().unwrap().sent(), 5_000);
        let mut account = Account::new(maker);
        std::fs::read(&path).unwrap().split(|b| *b == b'\n').filter(|line| !line.is_empty()).for_each(|line| account.take(line));
        assert_eq!((account.arrived(), account.distinct(), account.corrupt(), account.invented(5_000)), (5_000, 5_000, 0, 0));
    }
}
