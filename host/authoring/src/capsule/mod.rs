//! The capsule of a failure: what a plugin had and was shown when it failed on a record, in one file, and the same call again at
//! the author's desk.
//!
//! [`Capsule::read`] and [`Capsule::text`] are the file, [`columns`] what a plugin is shown of a record, [`Bench`] the call: bounded
//! by instructions instead of time, with clocks that stand still and random bytes that are always the same, so that it goes alike
//! each time and on each machine.

mod column;
mod replay;
mod verdict;

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tamis_config::{Digest, Setup};
use tamis_sandbox::{Fuel, Limits};

pub use column::{CapsuleColumn, columns};
pub use replay::{Answer, Bench, BenchError, Outcome, Replay};
pub use verdict::Verdict;

/// The version of the file's form.
pub const VERSION: u32 = 1;
/// Bytes of a capsule's file.
pub const BYTES_MAX: u64 = 16 << 20;
/// Records of a capsule.
pub const ROWS_MAX: u32 = 1024;
/// Units of fuel that stand for a millisecond of a deadline, for a record that failed at its deadline: fewer than a machine of today
/// executes in that time, so that what did not end in time there does not end here.
pub const FUEL_A_MS_LATE: u64 = 500_000;
/// The same for any other failure: many more, so that the fuel does not run out before the failure comes.
pub const FUEL_A_MS: u64 = 50_000_000;
/// Most units of fuel for a call.
pub const FUEL_MAX: u64 = 1 << 50;
/// Log lines that are kept; how many come in a second does not count here.
const LOG_LINES_MAX: u32 = 10_000;

/// See the module.
#[derive(Debug, Serialize, Deserialize)]
pub struct Capsule {
    /// [`VERSION`].
    pub capsule: u32,
    /// The version of the host that wrote it.
    pub tamis: String,
    /// The version of the contract that it speaks.
    pub contract: String,
    /// The dead letter that it was made of.
    pub letter: String,
    /// What happened, as the letter tells it.
    pub failure: Recorded,
    /// The plugin.
    pub plugin: Culprit,
    /// What it was given, without what `${…}` filled in.
    pub setup: Setup,
    /// What a call may execute.
    pub fuel: CapsuleFuel,
    /// Records of the batch.
    pub rows: u32,
    /// What it was shown, in the order of its signature.
    pub columns: Vec<CapsuleColumn>,
}

/// A failure as it was recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// The pipeline.
    pub pipeline: String,
    /// The step.
    pub step: String,
    /// `reject`, `trap`, `deadline`, `memory` or `contract`.
    pub cause: String,
    /// What happened.
    pub reason: String,
    /// When, as RFC 3339.
    pub time: String,
}

/// Which plugin failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Culprit {
    /// Its name in the configuration.
    pub name: String,
    /// `sha256:` and the hash of its component.
    pub digest: String,
}

/// What may be executed, in units of fuel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsuleFuel {
    /// To start.
    pub init: u64,
    /// For the call.
    pub call: u64,
}

/// A file that is no capsule, or one that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum CapsuleError {
    /// The file.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is longer than it may be.
    #[error("{what}: a capsule has at most {} MiB", BYTES_MAX >> 20)]
    TooLarge {
        /// What.
        what: String,
    },
    /// It is no JSON, or a member is missing or of another kind.
    #[error("{0}; expected a file that `tamis dead-letters capsule` wrote")]
    Form(#[from] serde_json::Error),
    /// Another host wrote it.
    #[error("`capsule`: it is written in form {found}, this tamis reads form {VERSION}; use the tamis that wrote it, or a newer one")]
    Version {
        /// The form.
        found: u64,
    },
    /// A member says what cannot be.
    #[error("`{member}`: {reason}")]
    Member {
        /// Which.
        member: String,
        /// What was expected and found.
        reason: String,
    },
}

impl CapsuleFuel {
    /// What stands for the time that these limits give.
    pub fn of(limits: &tamis_config::SetupLimits, cause: &str) -> Self {
        let a_ms = if cause == "deadline" { FUEL_A_MS_LATE } else { FUEL_A_MS };
        let units = |ms: u64, a_ms: u64| ms.saturating_mul(a_ms).clamp(1, FUEL_MAX);
        Self { init: units(limits.init_deadline_ms, FUEL_A_MS), call: units(limits.deadline_ms, a_ms) }
    }
}

impl Capsule {
    /// Reads a file.
    ///
    /// # Errors
    /// See [`CapsuleError`].
    pub fn read(path: &Path) -> Result<Self, CapsuleError> {
        let failed = |source| CapsuleError::File { path: path.to_owned(), source };
        let kind = std::fs::metadata(path).map_err(failed)?.file_type();
        if kind.is_fifo() || kind.is_socket() {
            // Whoever writes to it may never come.
            return Err(failed(std::io::Error::other("expected a file, found a pipe or a socket")));
        }
        let mut bytes = Vec::new();
        File::open(path).map_err(failed)?.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
        if bytes.len() as u64 > BYTES_MAX {
            return Err(CapsuleError::TooLarge { what: path.display().to_string() });
        }
        Self::parse(&bytes)
    }

    /// Reads the text of a capsule.
    ///
    /// # Errors
    /// See [`CapsuleError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, CapsuleError> {
        #[derive(Deserialize)]
        #[serde(expecting = "a capsule, which is a map")]
        struct Form {
            capsule: u64,
        }
        let Form { capsule: found } = serde_json::from_slice(bytes)?;
        if found != u64::from(VERSION) {
            return Err(CapsuleError::Version { found });
        }
        let capsule: Self = serde_json::from_slice(bytes)?;
        capsule.check()?;
        Ok(capsule)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// When it is longer than [`BYTES_MAX`].
    pub fn text(&self) -> Result<String, CapsuleError> {
        let mut text = serde_json::to_string_pretty(self)?;
        text.push('\n');
        if text.len() as u64 > BYTES_MAX {
            return Err(CapsuleError::TooLarge { what: format!("{} bytes", text.len()) });
        }
        Ok(text)
    }

    /// The digest of the component.
    ///
    /// # Errors
    /// When it is none.
    pub fn digest(&self) -> Result<Digest, CapsuleError> {
        self.plugin.digest.parse().map_err(|error| member("plugin.digest", format!("{error}")))
    }

    /// What the plugin may use: as there, but with room for all that it logs.
    pub fn limits(&self) -> Limits {
        let limits = &self.setup.limits;
        Limits {
            memory_bytes: limits.memory_bytes,
            deadline: Duration::from_millis(limits.deadline_ms),
            init_deadline: Duration::from_millis(limits.init_deadline_ms),
            table_elements: limits.table_elements,
            host_call_bytes: limits.host_call_bytes,
            component_bytes_max: limits.component_bytes,
            log_lines_per_s: LOG_LINES_MAX,
            ..Limits::default()
        }
    }

    /// What a call may execute.
    pub fn fuel(&self) -> Fuel {
        Fuel { init: self.fuel.init, call: self.fuel.call }
    }

    fn check(&self) -> Result<(), CapsuleError> {
        self.digest()?;
        if !tamis_sandbox::Cause::ALL.iter().any(|cause| cause.name() == self.failure.cause) {
            return Err(member("failure.cause", "expected reject, trap, deadline, memory or contract".to_owned()));
        }
        let limits = &self.setup.limits;
        for (name, found, least, most) in [
            ("rows", u64::from(self.rows), 1, u64::from(ROWS_MAX)),
            ("fuel.init", self.fuel.init, 1, FUEL_MAX),
            ("fuel.call", self.fuel.call, 1, FUEL_MAX),
            ("setup.limits.memory_bytes", limits.memory_bytes, 64 << 10, 4 << 30),
            ("setup.limits.deadline_ms", limits.deadline_ms, 1, 3_600_000),
            ("setup.limits.init_deadline_ms", limits.init_deadline_ms, 1, 3_600_000),
            ("setup.limits.table_elements", u64::from(limits.table_elements), 1, 1_000_000),
            ("setup.limits.host_call_bytes", limits.host_call_bytes, 64 << 10, 1 << 30),
            ("setup.limits.component_bytes", limits.component_bytes, 1 << 10, 1 << 30),
        ] {
            if found < least || found > most {
                return Err(member(name, format!("expected {least} to {most}, found {found}")));
            }
        }
        for (place, column) in self.columns.iter().enumerate() {
            column.check(self.rows).map_err(|reason| member(&format!("columns[{place}]"), reason))?;
        }
        Ok(())
    }
}

fn member(member: &str, reason: String) -> CapsuleError {
    CapsuleError::Member { member: member.to_owned(), reason }
}

#[cfg(test)]
mod tests;
