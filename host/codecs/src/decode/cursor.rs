//! Reading a line from left to right, and what is said when it is not as expected.

use std::fmt;

/// Why a line is not a record. It says what was expected and where, and nothing of what stands there: that may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bad {
    /// Offset in the line, in bytes from 0.
    pub(crate) at: usize,
    /// What was expected there.
    pub(crate) expected: &'static str,
    /// The part of the line, once unescaped, that `at` counts in, if not the line.
    pub(crate) within: Option<&'static str>,
}

impl Bad {
    pub(crate) fn new(at: usize, expected: &'static str) -> Self {
        Self { at, expected, within: None }
    }

    /// The same, further on by `bytes`.
    pub(crate) fn shifted(self, bytes: usize) -> Self {
        Self { at: self.at + bytes, ..self }
    }

    /// The same, in a part that was unescaped.
    pub(crate) fn within(self, part: &'static str) -> Self {
        Self { within: Some(part), ..self }
    }
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {} at byte {}", self.expected, self.at)?;
        match self.within {
            Some(part) => write!(f, " of {part}"),
            None => Ok(()),
        }
    }
}

pub(crate) type Result<T> = std::result::Result<T, Bad>;

/// A place in a line.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cursor<'a> {
    pub(crate) line: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(line: &'a [u8]) -> Self {
        Self { line, at: 0 }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.line.get(self.at..).unwrap_or_default()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at >= self.line.len()
    }

    pub(crate) fn peek(&self) -> Option<u8> {
        self.line.get(self.at).copied()
    }

    pub(crate) fn bad<T>(&self, expected: &'static str) -> Result<T> {
        Err(Bad::new(self.at.min(self.line.len()), expected))
    }

    /// Passes `text` if it stands here.
    pub(crate) fn eat(&mut self, text: &[u8]) -> bool {
        let is_here = self.rest().starts_with(text);
        if is_here {
            self.at += text.len();
        }
        is_here
    }

    /// Passes `text`, which must stand here; `expected` describes it.
    pub(crate) fn need(&mut self, text: &[u8], expected: &'static str) -> Result<()> {
        if self.eat(text) { Ok(()) } else { self.bad(expected) }
    }

    pub(crate) fn blanks(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// What stands before the next `byte`, which is passed.
    pub(crate) fn until(&mut self, byte: u8, expected: &'static str) -> Result<&'a [u8]> {
        let rest = self.rest();
        match memchr::memchr(byte, rest) {
            Some(end) => {
                self.at += end + 1;
                Ok(rest.get(..end).unwrap_or_default())
            }
            None => Err(Bad::new(self.line.len(), expected)),
        }
    }

    /// What stands before the next blank or the end; the blank is not passed.
    pub(crate) fn word(&mut self) -> &'a [u8] {
        let rest = self.rest();
        let end = memchr::memchr(b' ', rest).unwrap_or(rest.len());
        self.at += end;
        rest.get(..end).unwrap_or_default()
    }

    /// Everything up to the end.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        let rest = self.rest();
        self.at = self.line.len();
        rest
    }
}

/// `text` without blanks, tabs and line ends around it.
pub(crate) fn trimmed(text: &[u8]) -> &[u8] {
    text.trim_ascii()
}
