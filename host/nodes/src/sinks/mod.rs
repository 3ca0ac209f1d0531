//! Sinks. The runtime gives each a thread of its own and does the retrying: a sink only says how far it got.

mod file;

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::path::PathBuf;
use tamis_config::Sink as SinkConfig;

pub use file::FileSink;

/// Takes encoded records.
pub trait Sink: Send {
    /// Writes what it can of `bytes` (whole lines) and gives how many bytes that was. An error means that nothing was
    /// written; the caller tries again with what is left.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize>;

    /// Hands everything on that is held back.
    fn flush(&mut self) -> io::Result<()>;
}

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
    Ok(match config {
        SinkConfig::File(file) => Box::new(FileSink::open(file.path.as_path())?),
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

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Takes records and forgets them.
struct Null;

impl Sink for Null {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
