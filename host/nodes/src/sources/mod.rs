//! Sources. A source runs on a thread of its own, frames and decodes what it reads, and hands frames on through its
//! [`Outlet`], which blocks while enough is under way.

pub mod demo;
mod feed;
mod file;
mod stdin;

use std::sync::Arc;
use tamis_codecs::{Codec, Frame, LinesOptions};
use tamis_config::{Bytes, Source};

/// A stream of a source: bytes in an order, such as a file's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The source's own number for it.
    pub id: u64,
    /// What it is called in dead letters.
    pub name: Arc<str>,
}

/// What a source needs of the host.
pub trait Outlet {
    /// Hands a frame on; blocks while too much is under way. `end` is the position in the stream, in bytes, from which reading
    /// goes on once everything of this frame and of all frames of that stream before it is safe. `false`: the host is
    /// stopping, and the frame was not taken.
    fn send(&mut self, stream: &Stream, frame: Frame, end: u64) -> bool;

    /// The positions that became safe since the last call, by the streams' numbers: the latest of each.
    fn safe(&mut self) -> Vec<(u64, u64)>;

    /// No more frames will come: waits until everything handed over is settled, or until the host gives up. After it
    /// [`Outlet::safe`] tells the last positions.
    fn finish(&mut self);

    /// Whether to stop.
    fn stopping(&self) -> bool;

    /// Memory to read the next frame into, from one that was delivered.
    fn buffer(&mut self) -> Vec<u8>;

    /// How much there is to read, when that becomes known, in bytes.
    fn expect(&mut self, bytes: u64);

    /// Counts something that happened in the source (`tamis_source_events_total{source,event}`).
    fn event(&mut self, event: &'static str, count: u64);
}

/// How a source is run.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// End when everything that is there was read.
    pub once: bool,
    /// Begin as if the source ran for the first time.
    pub again: bool,
    /// The size of a frame.
    pub records_max: usize,
    /// Bytes of a frame to aim for.
    pub frame_bytes: usize,
}

impl RunOptions {
    /// The options for a host with these settings.
    pub fn new(_name: &str, once: bool, settings: &tamis_config::Settings) -> Self {
        let batch = &settings.batch;
        Self { once, again: false, records_max: batch.records as usize, frame_bytes: size(batch.bytes) }
    }

    fn lines(&self, record_bytes_max: Bytes) -> LinesOptions {
        LinesOptions { record_bytes_max: size(record_bytes_max), records_max: self.records_max, frame_bytes: self.frame_bytes }
    }
}

fn size(bytes: Bytes) -> usize {
    usize::try_from(bytes.0).unwrap_or(usize::MAX)
}

fn codec(codec: tamis_config::Codec) -> Codec {
    match codec {
        tamis_config::Codec::Json => Codec::Json,
        tamis_config::Codec::Text => Codec::Text,
    }
}

/// Decodes lines of a source as it would itself: those that could not be decoded before are given another try.
pub fn decode(source: &Source, frame: Frame) -> Frame {
    match source {
        Source::File(file) => codec(file.codec).decode(frame),
        Source::Stdin(stdin) => codec(stdin.codec).decode(frame),
        Source::Demo(_) => frame,
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
}

/// Runs a source to its end, or until the host stops.
pub fn run(source: &Source, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    match source {
        Source::File(file) => file::run(file, *options, outlet)?,
        Source::Stdin(stdin) => stdin::run(stdin, *options, outlet)?,
        Source::Demo(demo) => feed::run(demo, options, outlet)?,
    }
    outlet.finish();
    Ok(())
}
