//! Sinks. The runtime gives each a thread of its own and does the retrying: a sink only says how far it got.

mod batch;
mod file;
mod written;

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;
use tamis_config::{Concurrency, Sink as SinkConfig, SinkBatch};

pub use batch::{Batch, Origin, Part};
pub use file::{FILES_OF_A_RECORD_MAX, FileSink, HELD_BYTES_MAX, fill_path};
pub use written::{WRITTEN_FILES_MAX, WrittenFiles};

/// Takes encoded records as bytes, one after the other.
pub trait Sink: Send {
    /// Writes what it can of `bytes` (whole lines when nothing of them was taken yet; the rest of them after a partial
    /// write) and gives how many bytes it took. An error means that nothing was taken; the caller tries again with what is
    /// left. What was taken is not yet durable.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Lines among what the last [`Sink::write`] took that the sink can never store, in order. They are told once, and the
    /// caller makes dead letters of them.
    fn refused(&mut self) -> Vec<Refused> {
        Vec::new()
    }

    /// Hands on what is held back, and gives the job that makes everything taken so far durable; none where nothing is to
    /// be done. The job runs on another thread while this one goes on writing.
    fn commit(&mut self) -> io::Result<Option<Commit>>;

    /// Called about once a second.
    fn tick(&mut self) -> io::Result<()>;
}

/// Lines that a sink can never store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Where they stand in the bytes that were handed to [`Sink::write`].
    pub lines: Range<usize>,
    /// Why, without quoting them.
    pub reason: &'static str,
}

/// Takes whole batches, several at the same time.
pub trait Delivery: Send + Sync {
    /// Delivers a batch. When it returns without an error, all its records are safe.
    ///
    /// # Errors
    /// What became of the batch, or of some of its records.
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError>;

    /// Asks once, within the sink's own time, whether records would find who takes them. Nothing is stored by that.
    ///
    /// # Errors
    /// Who was asked, and what is wrong with the answer.
    fn healthy(&self) -> Result<(), String> {
        Ok(())
    }

    /// Where records are sent, without what would let anybody in; empty where that says nothing.
    fn address(&self) -> String {
        String::new()
    }
}

/// Why a batch was not delivered. Reasons do not quote records.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// It may work later.
    #[error("{reason}")]
    Transient {
        /// What happened.
        reason: String,
        /// How long to wait, where the receiver says so.
        after: Option<Duration>,
    },
    /// It will not work.
    #[error("{reason}")]
    Permanent {
        /// What happened.
        reason: String,
        /// Whether a part of the batch may still be taken.
        divisible: bool,
    },
    /// Some records were not delivered; all others are safe.
    #[error("{reason}")]
    Partly {
        /// Records, by their place in the batch, that the receiver will never take, and why.
        refused: Vec<(usize, String)>,
        /// Records that it may take later, by their place in the batch, in order.
        again: Vec<usize>,
        /// What happened to the latter.
        reason: String,
        /// How long to wait, where the receiver says so.
        after: Option<Duration>,
    },
    /// The receiver took all records but so many, and does not say which: none may be sent again, nor made a dead letter.
    #[error("{count} records were rejected, and the receiver does not say which")]
    Unnamed {
        /// How many.
        count: u64,
    },
}

/// The job that makes what a sink has taken durable. After an error nothing that was taken since the last success may count
/// as delivered, and no later job of that sink succeeds.
pub type Commit = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// A sink that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A file.
    #[error("cannot open `{}`: {error}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A client of a network protocol.
    #[error("{0}")]
    Network(String),
}

/// A sink, by how it takes records.
pub enum Opened {
    /// As a stream of bytes, in order.
    Stream(Box<dyn Sink>),
    /// In batches.
    Batches {
        /// Who takes them.
        delivery: Box<dyn Delivery>,
        /// How many at the same time.
        concurrency: Concurrency,
        /// How many records together.
        batch: SinkBatch,
    },
}

/// Makes a sink that notes in `written` every file it opens, so that no source reads it. Files are opened now, so that a
/// path that cannot be written is found before anything runs. `None`: it speaks a network protocol.
pub fn open(config: &SinkConfig, written: &WrittenFiles) -> Result<Option<Opened>, OpenError> {
    Ok(Some(match config {
        SinkConfig::File(file) => Opened::Stream(Box::new(FileSink::open(file, written)?)),
        SinkConfig::Stdout(_) => Opened::Stream(Box::new(Stdout::open()?)),
        SinkConfig::Null(_) => Opened::Stream(Box::new(Null)),
        _ => return Ok(None),
    }))
}

/// Standard output without the library's line buffer, which would write again what it had written before an error.
struct Stdout(File);

impl Stdout {
    fn open() -> Result<Self, OpenError> {
        let stdout =
            io::stdout().as_fd().try_clone_to_owned().map_err(|error| OpenError::File { path: "standard output".into(), error })?;
        Ok(Self(stdout.into()))
    }
}

impl Sink for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        file::write_once(&mut self.0, bytes)
    }

    fn commit(&mut self) -> io::Result<Option<Commit>> {
        Ok(None)
    }

    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Takes records and forgets them.
struct Null;

impl Sink for Null {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn commit(&mut self) -> io::Result<Option<Commit>> {
        Ok(None)
    }

    fn tick(&mut self) -> io::Result<()> {
        Ok(())
    }
}
