//! What becomes of a record.

use std::fmt;

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The named output it is on its way to; the default one is `None`. Nothing that was dropped or failed has one.
    pub output: Option<String>,
    /// How it went.
    pub went: Went,
}

/// How it went with a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Went {
    /// It goes on byte by byte as it came.
    Unchanged,
    /// It goes on; this is its text now.
    Changed(String),
    /// The plugin dropped it.
    Dropped,
    /// It goes to the dead letters.
    Failed {
        /// The dead letter's word: `reject`, `trap`, `deadline`, `memory` or `contract` as [`tamis_sandbox::Cause`] has
        /// them, `decode` when the record is not JSON.
        cause: &'static str,
        /// Why, without control characters.
        reason: String,
    },
}

impl Fate {
    /// A record that goes on as `after`.
    pub(super) fn kept(output: Option<String>, before: &[u8], after: &[u8]) -> Self {
        let went = if before == after { Went::Unchanged } else { Went::Changed(String::from_utf8_lossy(after).into_owned()) };
        Self { output, went }
    }

    pub(super) fn dropped() -> Self {
        Self { output: None, went: Went::Dropped }
    }

    pub(super) fn failed(cause: &'static str, reason: impl Into<String>) -> Self {
        Self { output: None, went: Went::Failed { cause, reason: reason.into() } }
    }

    /// Whether it failed.
    pub fn is_failed(&self) -> bool {
        matches!(self.went, Went::Failed { .. })
    }

    /// The text of the record as it goes on, when it does; `before` is how it came.
    pub fn text<'a>(&'a self, before: &'a str) -> Option<&'a str> {
        match &self.went {
            Went::Unchanged => Some(before),
            Went::Changed(after) => Some(after),
            Went::Dropped | Went::Failed { .. } => None,
        }
    }
}

/// In words, without the record.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.went {
            Went::Unchanged => f.write_str("unchanged")?,
            Went::Changed(_) => f.write_str("changed")?,
            Went::Dropped => f.write_str("dropped")?,
            Went::Failed { cause: "reject", reason } => write!(f, "rejected: {reason}")?,
            Went::Failed { cause, reason } => write!(f, "failed ({cause}): {reason}")?,
        }
        match &self.output {
            Some(output) => write!(f, ", to {output}"),
            None => Ok(()),
        }
    }
}
