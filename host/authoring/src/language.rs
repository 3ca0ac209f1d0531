//! The languages that plugins are written in.

use std::fmt;
use std::path::Path;

/// What a plugin is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Language {
    /// A package of npm: `package.json`. TypeScript too.
    JavaScript,
    /// A crate: `Cargo.toml`.
    Rust,
    /// A project: `pyproject.toml`.
    Python,
}

impl Language {
    /// The language of the plugin in `folder`, by the file that its tool looks for; Rust where there is none, so that cargo says what
    /// is missing.
    pub fn of(folder: &Path) -> Self {
        let has = |file: &str| folder.join(file).is_file();
        match () {
            () if has("Cargo.toml") => Self::Rust,
            () if has("package.json") => Self::JavaScript,
            () if has("pyproject.toml") => Self::Python,
            () => Self::Rust,
        }
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::JavaScript => "js",
            Self::Rust => "rust",
            Self::Python => "python",
        })
    }
}
