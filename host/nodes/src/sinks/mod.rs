//! Sinks. The runtime gives each a thread of its own and does the retrying: a sink only says how far it got.

mod file;
mod written;

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;
use tamis_config::Sink as SinkConfig;

pub use file::{FileSink, HELD_BYTES_MAX};
pub use written::{WRITTEN_FILES_MAX, WrittenFiles};

/// Takes encoded records.
pub trait Sink: Send {
    /// Writes what it can of `bytes` (whole lines, each a JSON record, when nothing of them was taken yet; the rest of them
    /// after a partial write) and gives how many bytes it took. An error means that nothing was taken; the caller tries again
    /// with what is left. What was taken is not yet durable.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Hands on what is held back (the end of a compressed member), and gives the job that makes everything taken so far
    /// durable; `None`: nothing to do. The job runs on another thread while this one goes on writing. An error: try again.
    fn commit(&mut self) -> io::Result<Option<Commit>>;

    /// Called about once a second: rotation by time, closing idle files.
    fn tick(&mut self) -> io::Result<()>;
}

/// The job that makes what a sink has taken durable. After an error nothing that was taken since the last success may count
/// as delivered, and no later job of that sink succeeds.
pub type Commit = Box<dyn FnOnce() -> io::Result<()> + Send>;

/// A sink that cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot open `{}`: {error}", path.display())]
pub struct OpenError {
    /// The file.
    pub path: PathBuf,
    /// What the system said.
    pub error: io::Error,
}

/// Makes a sink. Files are opened now, so that a path that cannot be written is found before anything runs.
pub fn open(config: &SinkConfig) -> Result<Box<dyn Sink>, OpenError> {
    open_with(config, &WrittenFiles::default())
}

/// Makes a sink that notes in `written` every file it opens, so that no source reads it.
pub fn open_with(config: &SinkConfig, written: &WrittenFiles) -> Result<Box<dyn Sink>, OpenError> {
    Ok(match config {
        SinkConfig::File(file) => Box::new(FileSink::open(file, written)?),
        SinkConfig::Stdout(_) => Box::new(Stdout::open()?),
        SinkConfig::Null(_) => Box::new(Null),
    })
}

/// Standard output without the library's line buffer, which would write again what it had written before an error.
struct Stdout(File);

impl Stdout {
    fn open() -> Result<Self, OpenError> {
        let stdout = io::stdout().as_fd().try_clone_to_owned().map_err(|error| OpenError { path: "standard output".into(), error })?;
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
