//! Warnings, once for each file and state instead of at every look.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

/// Files whose state is remembered, at most.
const FILES_MAX: usize = 10_000;

/// What was said about which file.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    said: HashMap<PathBuf, String>,
}

impl Complaints {
    /// Warns of a file that cannot be read, unless the same was said before.
    pub(super) fn unreadable(&mut self, path: &Path, error: &io::Error) {
        self.say(path, error.to_string(), |path, error| tracing::warn!("cannot read `{path}`: {error}; trying again"));
    }

    /// Says something about a file, unless the same was said before. Gives whether it was new.
    pub(super) fn say(&mut self, path: &Path, what: String, say: impl FnOnce(&str, &str)) -> bool {
        if self.said.get(path) == Some(&what) {
            return false;
        }
        say(&path.to_string_lossy(), &what);
        if self.said.len() >= FILES_MAX {
            self.said.clear();
        }
        self.said.insert(path.to_path_buf(), what);
        true
    }

    /// It can be read again.
    pub(super) fn settle(&mut self, path: &Path) {
        if !self.said.is_empty() && self.said.remove(path).is_some() {
            tracing::info!("`{}` can be read", path.display());
        }
    }
}
