//! The text of a configuration as a tree of values that know their place.

mod build;
mod scalar;
mod tree;

use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use tree::{Key, Node, Value};

pub(crate) use scalar::resolve;

use crate::diagnostic::Diagnostics;

/// Bytes of a configuration file.
pub const FILE_BYTES_MAX: u64 = 4 << 20;
/// Levels of nesting.
pub const DEPTH_MAX: usize = 64;
/// Values of a file, those that aliases repeat included.
pub const NODES_MAX: usize = 200_000;
/// Bytes of the texts of a file, those that aliases repeat and those read from the environment included.
pub const TEXT_BYTES_MAX: usize = 16 << 20;

/// One parsed file.
#[derive(Debug)]
pub struct Document {
    /// The file's name, as places give it.
    pub file: Arc<str>,
    /// The folder of the file.
    pub folder: PathBuf,
    /// The outermost value.
    pub root: Node,
}

impl Document {
    /// Parses one file's text. What is wrong with it goes to `diagnostics`, which also keeps the text for its excerpts; there
    /// is no document when the text is not YAML or exceeds a limit. Duplicate keys are reported and their first value kept.
    pub fn parse(file: &str, text: &str, folder: &Path, diagnostics: &mut Diagnostics) -> Option<Self> {
        let file: Arc<str> = Arc::from(file);
        diagnostics.add_source(Arc::clone(&file), text);
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let root = build::tree(&file, text, diagnostics)?;
        Some(Self { file, folder: folder.to_path_buf(), root })
    }
}
