//! Sources. A source runs on a thread of its own, frames and decodes what it reads, and hands frames on through its
//! [`Outlet`], which blocks while enough is under way.

pub mod demo;
mod feed;
mod file;
mod stdin;

use std::sync::Arc;
use tamis_codecs::{Frame, LinesOptions};
use tamis_config::{BatchSettings, Bytes, Source};

/// What a source needs of the host.
pub trait Outlet {
    /// Hands a frame on; blocks while too much is under way. `false`: the host is stopping, and the frame was not taken.
    fn send(&mut self, stream: &Arc<str>, frame: Frame) -> bool;

    /// Whether to stop.
    fn stopping(&self) -> bool;

    /// Memory to read the next frame into, from one that was delivered.
    fn buffer(&mut self) -> Vec<u8>;

    /// How much there is to read, when that becomes known, in bytes.
    fn expect(&mut self, bytes: u64);
}

/// How a source is run.
#[derive(Debug, Clone, Copy)]
pub struct RunOptions {
    /// End when everything that is there was read.
    pub once: bool,
    /// The size of a frame.
    pub records_max: usize,
    /// Bytes of a frame to aim for.
    pub frame_bytes: usize,
}

impl RunOptions {
    /// The options for a host with these settings.
    pub fn new(once: bool, batch: &BatchSettings) -> Self {
        Self { once, records_max: batch.records as usize, frame_bytes: size(batch.bytes) }
    }

    fn lines(&self, record_bytes_max: Bytes) -> LinesOptions {
        LinesOptions { record_bytes_max: size(record_bytes_max), records_max: self.records_max, frame_bytes: self.frame_bytes }
    }
}

fn size(bytes: Bytes) -> usize {
    usize::try_from(bytes.0).unwrap_or(usize::MAX)
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
pub fn run(source: &Source, options: RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    match source {
        Source::File(file) => file::run(file, options, outlet),
        Source::Stdin(stdin) => stdin::run(stdin, options, outlet),
        Source::Demo(demo) => feed::run(demo, options, outlet),
    }
}
