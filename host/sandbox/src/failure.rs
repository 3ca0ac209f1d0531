//! Why a call failed, in words fit for a dead letter.

use std::fmt;
use std::sync::Arc;

/// Longest reason kept, in bytes.
pub const REASON_BYTES_MAX: usize = 1024;

/// The kind of a failure; [`Cause::name`] is the word of the dead letter and of the metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// The plugin itself said no: `process` or `init` returned an error, or a row was rejected.
    Reject,
    /// The code stopped itself: `unreachable`, a panic, a division by zero, a stack overflow, an access out of bounds.
    Trap,
    /// The call took longer than its deadline.
    Deadline,
    /// A memory or table limit was reached, in the sandbox or on the host's side of the call.
    Memory,
    /// The plugin answered something that the contract forbids.
    Contract,
}

impl Cause {
    /// Every cause, in the order of [`Cause::index`].
    pub const ALL: [Cause; 5] = [Cause::Reject, Cause::Trap, Cause::Deadline, Cause::Memory, Cause::Contract];

    /// The stable word: `reject`, `trap`, `deadline`, `memory` or `contract`.
    pub fn name(self) -> &'static str {
        match self {
            Cause::Reject => "reject",
            Cause::Trap => "trap",
            Cause::Deadline => "deadline",
            Cause::Memory => "memory",
            Cause::Contract => "contract",
        }
    }

    /// Place in [`Cause::ALL`], for arrays of counts.
    pub fn index(self) -> usize {
        match self {
            Cause::Reject => 0,
            Cause::Trap => 1,
            Cause::Deadline => 2,
            Cause::Memory => 3,
            Cause::Contract => 4,
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A call that did not give a usable answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{cause}: {reason}")]
pub struct Failure {
    /// What kind of failure.
    pub cause: Cause,
    /// What happened, at most [`REASON_BYTES_MAX`] bytes and free of control characters. Shared, since one failure may
    /// condemn many rows.
    pub reason: Arc<str>,
}

impl Failure {
    /// A failure; the reason is clipped and control characters in it are escaped, since part of it may come from the plugin.
    pub fn new(cause: Cause, reason: impl AsRef<str>) -> Self {
        Self { cause, reason: printable(reason.as_ref(), REASON_BYTES_MAX).into() }
    }

    pub(crate) fn contract(reason: impl AsRef<str>) -> Self {
        Self::new(Cause::Contract, reason)
    }
}

/// `text` without anything that a terminal or a line-based log would act on, and no longer than `bytes_max` bytes
/// (an ellipsis marks the cut). Looks at no more of the text than it keeps.
pub(crate) fn printable(text: &str, bytes_max: usize) -> String {
    const ELLIPSIS: &str = "…";
    let mut out = String::with_capacity(text.len().min(bytes_max));
    let mut cut = None;
    for c in text.chars() {
        if cut.is_none() && out.len() + ELLIPSIS.len() > bytes_max {
            cut = Some(out.len());
        }
        let before = out.len();
        if is_unprintable(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > bytes_max {
            // The last place where the ellipsis still fits.
            let keep = cut.unwrap_or(before).min(bytes_max.saturating_sub(ELLIPSIS.len()));
            let keep = (0..=keep).rev().find(|&i| out.is_char_boundary(i)).unwrap_or(0);
            out.truncate(keep);
            out.push_str(ELLIPSIS);
            return out;
        }
    }
    out
}

/// Control characters, line and paragraph separators, and the marks that turn the direction of text.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_clipped_and_escaped() {
        assert_eq!(&*Failure::new(Cause::Reject, "a\n\u{1b}[31mb\u{202e}").reason, "a\\n\\u{1b}[31mb\\u{202e}");
        let long = Failure::new(Cause::Reject, "é".repeat(5000)).reason;
        assert!(long.len() <= REASON_BYTES_MAX && long.len() > REASON_BYTES_MAX - 8, "{}", long.len());
        assert!(long.ends_with("é…"));
        assert_eq!(printable("abcdef", 6), "abcdef");
        assert_eq!(printable("abcdefg", 6), "abc…");
        assert_eq!(printable("\u{1b}\u{1b}", 8), "\\u{1b…");
    }

    #[test]
    fn causes_have_stable_words_and_places() {
        for (i, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause.index(), i);
        }
        assert_eq!(Failure::contract("x").to_string(), "contract: x");
    }
}
