//! Sources. A source runs on a thread of its own, frames and decodes what it reads, and hands frames on through its
//! [`Outlet`], which blocks while enough is under way.

pub mod demo;
mod feed;
mod file;
mod frames;
mod stdin;

pub use frames::frames;

use crate::sinks::WrittenFiles;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tamis_codecs::{Decoder, Frame, LinesOptions};
use tamis_config::{Bytes, Settings, Source};
use tamis_delivery::CheckpointError;

/// A stream of a source: bytes in an order, such as a file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The source's own number for it.
    pub id: u64,
    /// What it is called in dead letters.
    pub name: Arc<str>,
}

/// How far a file is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The file.
    pub path: PathBuf,
    /// Its size when it was looked at, in bytes.
    pub size: u64,
    /// Read to here, in bytes; of a compressed file, in bytes of what it holds.
    pub read: u64,
}

impl Reading {
    /// Bytes that it has now, or had when it was looked at, and that are not read.
    pub fn unread(&self) -> u64 {
        // A source that is held up does not look, and its files grow.
        let size = std::fs::metadata(&self.path).map_or(0, |metadata| metadata.len());
        self.size.max(size).saturating_sub(self.read)
    }
}

/// Counts so many of an event.
pub type Events = Arc<dyn Fn(&'static str, u64) + Send + Sync>;

/// What a source needs of the host.
pub trait Outlet {
    /// Hands a frame on; blocks while too much is under way. `end` is the position in the stream, in bytes, from which reading
    /// goes on once everything of this frame and of all frames of that stream before it is safe. `false`: the host is
    /// stopping, and the frame was not taken.
    fn send(&mut self, stream: &Stream, frame: Frame, end: u64) -> bool;

    /// The positions that became safe since the last call, by the streams' numbers: the latest of each.
    fn safe(&mut self) -> Vec<(u64, u64)>;

    /// For a source without places to begin at again: frames that are given up do not hold up those behind them, and are told by
    /// [`Outlet::given_up`].
    fn pass_given_up(&mut self) {}

    /// After [`Outlet::pass_given_up`], the `end`s of frames that were given up since the last call: nobody will deliver them. To be asked
    /// for after [`Outlet::safe`], whose positions may lie beyond.
    fn given_up(&mut self) -> Vec<u64> {
        Vec::new()
    }

    /// Has `wake` called whenever [`Outlet::safe`] or [`Outlet::given_up`] may have something to tell; from any thread, and it must not wait.
    fn on_safe(&mut self, wake: Arc<dyn Fn() + Send + Sync>);

    /// For a source whose senders do not come again with what was not taken: [`Outlet::send`] goes on taking frames when the host stops,
    /// until [`Outlet::finish`], or until everything is to end at once. One that waits for the lanes then calls `stops`, again and again.
    fn until_finish(&mut self, stops: Arc<dyn Fn() + Send + Sync>) {
        let _ = stops;
    }

    /// No more frames will come: waits until everything handed over is settled, or until the host gives up. After it
    /// [`Outlet::safe`] tells the last positions.
    fn finish(&mut self);

    /// Whether to stop.
    fn stopping(&self) -> bool;

    /// Memory to read the next frame into, from one that was delivered.
    fn buffer(&mut self) -> Vec<u8>;

    /// How much there is to read, when that becomes known, in bytes.
    fn expect(&mut self, bytes: u64);

    /// Tells how far the source's files are read, in place of what it told before.
    fn reading(&mut self, files: Vec<Reading>);

    /// Counts something that happened in the source (`tamis_source_events_total{source,event}`).
    fn event(&mut self, event: &'static str, count: u64) {
        self.events()(event, count);
    }

    /// What does so from other threads.
    fn events(&self) -> Events;
}

/// How a source is run.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// The source's name: its checkpoint is `<data_dir>/checkpoints/<name>.json`.
    pub name: Arc<str>,
    /// Where the host keeps what must outlive it.
    pub data_dir: PathBuf,
    /// How often positions are written, at most.
    pub checkpoint_interval: Duration,
    /// End when everything that is there was read.
    pub once: bool,
    /// Begin as if the source ran for the first time: positions of earlier runs do not count.
    pub again: bool,
    /// What the host's sinks write, which is not read.
    pub written: WrittenFiles,
    /// How long a source may go on with what was sent to it already when the host stops.
    pub stop_timeout: Duration,
    /// The size of a frame.
    pub records_max: usize,
    /// Bytes of a frame to aim for.
    pub frame_bytes: usize,
    /// With `once`, how many sources are still to come to their end by themselves: those that do not, end after them.
    pub others: Arc<AtomicUsize>,
}

impl RunOptions {
    /// The options of the source `name` for a host with these settings.
    pub fn new(name: &str, once: bool, settings: &Settings) -> Self {
        Self {
            name: name.into(),
            data_dir: settings.data_dir.as_path().to_path_buf(),
            checkpoint_interval: settings.checkpoint_interval,
            once,
            again: false,
            written: WrittenFiles::default(),
            // The other half is for the delivery.
            stop_timeout: settings.shutdown_timeout / 2,
            records_max: settings.batch.records as usize,
            frame_bytes: settings.batch.bytes.to_usize(),
            others: Arc::default(),
        }
    }

    /// Whether a source that does not end by itself is to end.
    pub fn is_over(&self) -> bool {
        self.once && self.others.load(Ordering::SeqCst) == 0
    }

    /// How lines are cut.
    pub fn lines(&self, record_bytes_max: Bytes) -> LinesOptions {
        LinesOptions { record_bytes_max: record_bytes_max.to_usize(), records_max: self.records_max, frame_bytes: self.frame_bytes }
    }
}

/// Decodes lines of a source as it would itself: those that could not be decoded before are given another try.
pub fn decode(source: &Source, frame: Frame) -> Frame {
    match source.codec() {
        Some(codec) => Decoder::new(codec).decode(frame),
        None => frame,
    }
}

/// A source that cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file cannot be opened or read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// The file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// With `--once`, nothing matches the paths.
    #[error("no file matches {patterns}; with `--once` at least one must be there")]
    NoFile {
        /// The patterns.
        patterns: String,
    },
    /// The checkpoint is there and cannot be read.
    #[error("{0}; give the host access to it, or remove it to begin anew")]
    Checkpoint(#[from] CheckpointError),
    /// The checkpoint is damaged, and `on_damaged_checkpoint: stop` is set.
    #[error("the checkpoint `{path}` is damaged: {why}; restore or remove it, or set `on_damaged_checkpoint: beginning`")]
    Damaged {
        /// The file.
        path: String,
        /// What is wrong with it.
        why: String,
    },
    /// Something about a source that speaks a network protocol.
    #[error("{0}")]
    Network(String),
    /// A regular expression that the host cannot compile.
    #[error("`multiline`: {why}")]
    Pattern {
        /// What is wrong with it.
        why: String,
    },
}

/// Runs a source of this crate to its end, or until the host stops, and waits until what it handed over is settled.
pub fn run(source: &Source, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    match source {
        // Finishes by itself: its last positions are written after that.
        Source::File(file) => return file::run(file, options, outlet),
        Source::Stdin(stdin) => stdin::run(stdin, options, outlet)?,
        Source::Demo(demo) => feed::run(demo, options, outlet)?,
        _ => return Err(SourceError::Network(format!("`{}` is none of the sources on this machine", source.type_name()))),
    }
    outlet.finish();
    Ok(())
}
