//! Messages in a byte stream (RFC 6587): with their length in front, or ended by a line feed or NUL; told for each by its first byte.

use std::ops::Range;

/// Digits of a length, at most.
const DIGITS_MAX: usize = 8;
/// Bytes kept of a message that is too long.
const KEPT: usize = 8 * 1024;

/// What stands at the beginning of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// A message, and how many bytes are used with it.
    Message { at: Range<usize>, used: usize },
    /// The beginning of a message that is too long, and why.
    TooLong { at: Range<usize>, used: usize, reason: String },
    /// Nothing, or what belongs to a message that is too long.
    Nothing { used: usize },
    /// More is needed: so many bytes in all, at least.
    More(usize),
}

/// What there is of a message that was cut off, and why it is none.
pub(super) type CutOff = (Range<usize>, String);

/// Inside of a message that is too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Passing {
    No,
    Counted(usize),
    ToItsEnd,
}

#[derive(Debug)]
pub(super) struct Framing {
    max: usize,
    passing: Passing,
}

impl Framing {
    /// Messages of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self { max, passing: Passing::No }
    }

    /// Looks at what has come and was not used.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Next {
        match self.passing {
            _ if bytes.is_empty() => Next::More(1),
            Passing::No => match length(bytes) {
                Length::Is { digits, length } => self.counted(bytes, digits + 1, length),
                Length::Open => Next::More(bytes.len() + 1),
                Length::None => self.ended(bytes),
            },
            Passing::Counted(left) => {
                let used = left.min(bytes.len());
                self.passing = if used == left { Passing::No } else { Passing::Counted(left - used) };
                Next::Nothing { used }
            }
            Passing::ToItsEnd => match end(bytes) {
                Some(at) => {
                    self.passing = Passing::No;
                    Next::Nothing { used: at + 1 }
                }
                None => Next::Nothing { used: bytes.len() },
            },
        }
    }

    /// What is left when the stream ends: a message without its end, or one that was cut off. `None`: nothing.
    pub(super) fn last(&self, bytes: &[u8]) -> Option<Result<Range<usize>, CutOff>> {
        if self.passing != Passing::No || bytes.is_empty() {
            return None;
        }
        match length(bytes) {
            Length::Is { digits, length } => {
                let at = digits + 1..bytes.len();
                let reason = format!("the connection ended after {} of the message's {length} bytes", at.len());
                Some(Err((digits + 1..bytes.len().min(digits + 1 + KEPT), reason)))
            }
            Length::Open | Length::None => Some(Ok(trimmed(bytes, 0..bytes.len()))),
        }
    }

    fn counted(&mut self, bytes: &[u8], from: usize, length: usize) -> Next {
        let there = bytes.len() - from;
        if length > self.max {
            let used = length.min(there);
            self.passing = if used == length { Passing::No } else { Passing::Counted(length - used) };
            return Next::TooLong { at: from..from + used.min(KEPT), used: from + used, reason: self.too_long(&length.to_string()) };
        }
        if there < length {
            return Next::More(from + length);
        }
        Next::Message { at: trimmed(bytes, from..from + length), used: from + length }
    }

    fn ended(&mut self, bytes: &[u8]) -> Next {
        match end(bytes) {
            Some(at) if at <= self.max => Next::Message { at: trimmed(bytes, 0..at), used: at + 1 },
            Some(at) => Next::TooLong { at: 0..at.min(KEPT), used: at + 1, reason: self.too_long(&at.to_string()) },
            None if bytes.len() > self.max => {
                self.passing = Passing::ToItsEnd;
                let reason = self.too_long(&format!("at least {}", bytes.len()));
                Next::TooLong { at: 0..bytes.len().min(KEPT), used: bytes.len(), reason }
            }
            None => Next::More(bytes.len() + 1),
        }
    }

    fn too_long(&self, length: &str) -> String {
        format!("a message of {length} bytes, at most {} are accepted (`max_record`); its beginning is kept here", self.max)
    }
}

enum Length {
    Is {
        digits: usize,
        length: usize,
    },
    /// The digits go on.
    Open,
    None,
}

/// The length in front of a message. No message begins with a digit, for a priority stands in angle brackets.
fn length(bytes: &[u8]) -> Length {
    let digits = bytes.iter().take(DIGITS_MAX + 1).take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, bytes.get(digits), bytes.first()) {
        (0, ..) | (_, _, Some(b'0')) => Length::None,
        (1..=DIGITS_MAX, Some(b' '), _) => {
            let value = bytes.iter().take(digits).fold(0, |value: usize, byte| value * 10 + usize::from(byte - b'0'));
            Length::Is { digits, length: value }
        }
        (1..=DIGITS_MAX, None, _) => Length::Open,
        _ => Length::None,
    }
}

fn end(bytes: &[u8]) -> Option<usize> {
    memchr::memchr2(b'\n', 0, bytes)
}

/// Without the line feeds and NULs that senders put behind.
pub(super) fn trimmed(bytes: &[u8], at: Range<usize>) -> Range<usize> {
    let message = bytes.get(at.clone()).unwrap_or_default();
    let length = message.iter().rposition(|byte| !matches!(byte, b'\n' | b'\r' | 0)).map_or(0, |last| last + 1);
    at.start..at.start + length
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The messages of a stream that comes in pieces of this size; reasons stand after `!`.
    fn messages(stream: &[u8], piece: usize, max: usize) -> Vec<String> {
        let (mut framing, mut held, mut found) = (Framing::new(max), Vec::new(), Vec::new());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        for piece in stream.chunks(piece) {
            held.extend_from_slice(piece);
            loop {
                let used = match framing.next(&held) {
                    Next::Message { at, used } => {
                        found.push(text(&held[at]));
                        used
                    }
                    Next::TooLong { at, used, reason } => {
                        assert!(at.end <= held.len());
                        found.push(format!("! {}", &reason[..12]));
                        used
                    }
                    Next::Nothing { used } => used,
                    Next::More(wanted) => {
                        assert!(wanted > held.len(), "{wanted} of {}", held.len());
                        break;
                    }
                };
                assert!(used > 0 && used <= held.len());
                held.drain(..used);
            }
            assert!(held.len() <= max + DIGITS_MAX + 2, "{} bytes are held", held.len());
        }
        match framing.last(&held) {
            Some(Ok(at)) => found.push(text(&held[at])),
            Some(Err((_, reason))) => found.push(format!("! {reason}")),
            None => {}
        }
        found
    }

    #[test]
    fn both_framings_in_one_stream_in_pieces_of_any_size() {
        let stream = b"7 <1>one\n<2>two\r\n<3>three\08 <4>a\nb\n\n5 <5>xy<6>last";
        for piece in 1..stream.len() {
            assert_eq!(messages(stream, piece, 100), ["<1>one", "<2>two", "<3>three", "<4>a\nb", "<5>xy", "<6>last"], "{piece}");
        }
    }

    #[test]
    fn what_is_too_long_is_passed_over() {
        let long = "x".repeat(500);
        let stream = format!("503 <1>{long}<2>a\n<3>{long}\n6 <4>abc<5>{long}");
        for piece in [1, 7, 100, 5_000] {
            let found = messages(stream.as_bytes(), piece, 100);
            assert_eq!(found[..4], ["! a message of", "<2>a", "! a message of", "<4>abc"].map(|t| t.to_owned()), "{piece}");
            assert_eq!(found.len(), 5, "{piece}");
        }
    }

    #[test]
    fn what_looks_like_a_length_and_is_none() {
        assert_eq!(messages(b"123456789 a\n0 b\n12x\n99", 3, 100), ["123456789 a", "0 b", "12x", "99"]);
        assert_eq!(messages(b"99 <1>cut off", 3, 100), ["! the connection ended after 10 of the message's 99 bytes"]);
        assert_eq!(messages(b"99999999 <1>x", 3, 100), ["! a message of"]);
    }
}
