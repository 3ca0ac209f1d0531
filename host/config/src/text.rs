//! Text that may have been read from the environment, and is then not shown.

use std::ffi::OsStr;
use std::fmt;
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A text of the configuration that `${…}` may have filled.
///
/// It stands for its value (`Deref<Target = str>`); [`Text::shown`] and `Debug` give what the file says instead, so that a
/// secret cannot slip into a message. There is no `Display` for that reason.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Text {
    value: String,
    written: Option<Arc<str>>,
}

impl Text {
    /// A text that was read from the environment: `written` is what the file holds, such as `${NAME}`.
    pub fn interpolated(value: impl Into<String>, written: impl Into<Arc<str>>) -> Self {
        Self { value: value.into(), written: Some(written.into()) }
    }

    /// The value.
    pub fn as_str(&self) -> &str {
        &self.value
    }

    /// The value as a path.
    pub fn as_path(&self) -> &Path {
        Path::new(&self.value)
    }

    /// The value as a path with another one behind it.
    pub fn join(&self, path: impl AsRef<Path>) -> PathBuf {
        self.as_path().join(path)
    }

    /// What may be printed: the text as written in the file.
    pub fn shown(&self) -> &str {
        self.written.as_deref().unwrap_or(&self.value)
    }

    /// Whether the value was read from the environment or a file, in whole or in part.
    pub fn is_interpolated(&self) -> bool {
        self.written.is_some()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.value
    }
}

impl From<String> for Text {
    fn from(value: String) -> Self {
        Self { value, written: None }
    }
}

impl From<&str> for Text {
    fn from(value: &str) -> Self {
        Self::from(value.to_owned())
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        &self.value
    }
}

impl AsRef<Path> for Text {
    fn as_ref(&self) -> &Path {
        self.as_path()
    }
}

impl AsRef<OsStr> for Text {
    fn as_ref(&self) -> &OsStr {
        OsStr::new(&self.value)
    }
}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.value == other
    }
}

impl PartialEq<&str> for Text {
    fn eq(&self, other: &&str) -> bool {
        self.value == *other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.shown().fmt(f)
    }
}
