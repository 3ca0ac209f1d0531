//! Two programs that do what `samples/gateway` does without framework or sandbox, to measure the host against.
//!
//! [`plain`] is the loop that everybody writes first: a line, a tree, four jobs on the tree, the tree as text. [`native`] is
//! what somebody writes who has the time: big chunks, a scanner that looks for the eight fields needed and validates nothing
//! else, changed values spliced into the line. Both are configured by the sample's own file and use the plugins' own tables
//! and detectors ([`jobs`]), so that what differs is the way in and out.

pub mod jobs;
pub mod native;
pub mod plain;
pub mod scan;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

/// What a program is called with.
#[derive(Debug, Clone)]
pub struct Arguments {
    /// One JSON object a line.
    pub input: PathBuf,
    /// Takes the records of the output `default`; written anew.
    pub default: PathBuf,
    /// Takes the records of the output `errors`; written anew.
    pub errors: PathBuf,
    /// The sample's configuration.
    pub config: PathBuf,
}

impl Arguments {
    /// Reads `INPUT OUT_DEFAULT OUT_ERRORS [CONFIG]` from the command line.
    ///
    /// # Errors
    /// There are fewer or more.
    pub fn from_command_line() -> Result<Self> {
        let given: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
        let (input, default, errors, config) = match given.as_slice() {
            [input, default, errors] => (input, default, errors, PathBuf::from("samples/gateway/pipeline.yaml")),
            [input, default, errors, config] => (input, default, errors, config.clone()),
            _ => bail!("expected INPUT OUT_DEFAULT OUT_ERRORS [CONFIG], found {} arguments", given.len()),
        };
        Ok(Self { input: input.clone(), default: default.clone(), errors: errors.clone(), config })
    }

    /// Opens the input.
    fn open(&self) -> Result<std::fs::File> {
        std::fs::File::open(&self.input).with_context(|| format!("the input `{}` cannot be opened", self.input.display()))
    }

    /// Creates the two outputs, default first.
    fn create(&self) -> Result<(std::fs::File, std::fs::File)> {
        let create = |path: &PathBuf| std::fs::File::create(path).with_context(|| format!("`{}` cannot be written", path.display()));
        Ok((create(&self.default)?, create(&self.errors)?))
    }
}

/// What became of the records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Lines read.
    pub read: u64,
    /// Written to the default output.
    pub default: u64,
    /// Written to the output `errors`.
    pub errors: u64,
    /// Dropped on purpose.
    pub dropped: u64,
    /// Left out because they are not JSON objects.
    pub malformed: u64,
}

impl std::fmt::Display for Summary {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { read, default, errors, dropped, malformed } = self;
        write!(formatter, "read {read}, default {default}, errors {errors}, dropped {dropped}, malformed {malformed}")
    }
}

#[cfg(test)]
mod tests;
