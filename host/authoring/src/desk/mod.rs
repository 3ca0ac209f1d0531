//! A plugin at its author's desk: loaded, configured and run on records as the host would, with everything told.
//!
//! [`Desk`] makes a [`Candidate`] of a component, [`Candidate::configure`] asks it for its signature and gives what the
//! signature asks for and nothing else, [`Configured::run`] takes records through it: the host's own extraction, call,
//! check of the answer, halving of failing batches and splicing. What the host would do about the plugin as a whole is left
//! out: failed records become dead letters (`on_failure` is `dead_letter`), and the breaker never opens, so that every
//! record tells of itself.

mod configured;
mod fate;
pub(crate) mod listener;
mod run;

use std::io::Read;
use std::path::{Path, PathBuf};

use crate::metadata::code_of;
use tamis_sandbox::{Failure, Limits, Plugin, Sandbox, SandboxError, SandboxOptions};

pub use configured::{Configured, Timing};
pub use fate::{Fate, Went};
pub use listener::{LINES_MAX, Level, Line};
pub use run::{BATCH_ROWS, RECORD_BYTES_MAX, Run, Split, TIME_MAX};

/// Instances that can exist at once: two versions side by side, with one to spare for each.
const INSTANCES_MAX: u32 = 8;

/// Why a component cannot be looked at.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// The sandbox or the component.
    #[error(transparent)]
    Sandbox(#[from] SandboxError),

    /// The component's file.
    #[error("{}: {source}; give the component that `tamis plugin build` wrote", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A sandbox for plugins under development.
#[derive(Debug)]
pub struct Desk {
    sandbox: Sandbox,
    limits: Limits,
}

impl Desk {
    /// A desk where every plugin gets `limits` (the host's defaults: [`Limits::default`]). Compiled code is kept in `cache`,
    /// with the key that proves it beside, when it is given: components of JavaScript and Python take seconds to compile.
    ///
    /// # Errors
    /// When the sandbox cannot start.
    pub fn new(limits: Limits, cache: Option<PathBuf>) -> Result<Self, DeskError> {
        let options = SandboxOptions {
            cache_dir: cache,
            pool_slots: INSTANCES_MAX,
            memory_bytes_max: limits.memory_bytes,
            table_elements_max: limits.table_elements,
            ..SandboxOptions::default()
        };
        Ok(Self { sandbox: Sandbox::new(options)?, limits })
    }

    /// Loads a component: its size, imports and exports are checked, its code is compiled. `name` stands in messages. What it says of
    /// itself is left out: it changes when the code does not, and what the build has compiled to ask for it serves here too.
    ///
    /// # Errors
    /// As [`Sandbox::load`].
    pub fn load(&self, name: &str, component: &[u8]) -> Result<Candidate, DeskError> {
        let bytes = component.len() as u64;
        let code = if bytes > self.limits.component_bytes_max { component.to_vec() } else { code_of(component) };
        Ok(Candidate { plugin: self.sandbox.load(name, &code, &self.limits)?, bytes })
    }

    /// Loads the component in a file, under the file's name without its extension.
    ///
    /// # Errors
    /// [`DeskError::File`] when it cannot be read; else as [`Desk::load`].
    pub fn open(&self, path: &Path) -> Result<Candidate, DeskError> {
        let failed = |source| DeskError::File { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        // One byte more than allowed, so that a file that is too large is told from one that just fits.
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(self.limits.component_bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(failed)?;
        let name = path.file_stem().map_or_else(|| "plugin".into(), |stem| stem.to_string_lossy());
        self.load(&name, &bytes)
    }

    /// What every plugin may use here.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }
}

/// A loaded component.
#[derive(Debug, Clone)]
pub struct Candidate {
    plugin: Plugin,
    bytes: u64,
}

impl Candidate {
    /// Starts it with a configuration (JSON text): in a new instance each time, so that no run sees another's state.
    ///
    /// # Errors
    /// With the cause `reject` when the plugin refuses the configuration; else what went wrong, its signature included.
    pub fn configure(&self, config: &str) -> Result<Configured, Failure> {
        Configured::new(&self.plugin, config)
    }

    /// The plugin, for what the host knows of it: imports, and whether it came from the cache. Its digest is that of the code alone.
    pub fn plugin(&self) -> &Plugin {
        &self.plugin
    }

    /// Size of the component in bytes.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }
}

#[cfg(test)]
mod tests;
