//! A strict JSON reader (RFC 8259): one event a token, positions into the text, no recursion, nothing built. What it does
//! not accept is not JSON, and the caller rejects it.

use std::ops::Range;

use crate::prescan::plain_end;

/// Deepest nesting accepted, as the host's.
pub const DEPTH_MAX: usize = 1024;

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A member's key: the text between its quotes.
    Key(Text),
    /// A string value: the text between its quotes.
    String(Text),
    /// A number.
    Number(Range<usize>),
    /// `true`, `false` or `null`.
    Literal(Range<usize>),
    /// `{` or `[`.
    Open,
    /// `}` or `]`.
    Close,
    /// The end of the text, after exactly one value.
    End,
}

/// The text of a string, between its quotes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// Where it stands.
    pub range: Range<usize>,
    /// Whether it holds an escape.
    pub escaped: bool,
}

/// Why a text is not JSON: what was expected, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotJson {
    /// What should have stood there.
    pub expected: &'static str,
    /// Bytes from the beginning.
    pub at: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expect {
    Value,
    ValueOrClose,
    KeyOrClose,
    CommaOrClose,
}

/// Reads one JSON text.
#[derive(Debug)]
pub struct Reader<'a> {
    text: &'a [u8],
    at: usize,
    /// `{` or `[` for each value that is open.
    open: &'a mut Vec<u8>,
    expect: Expect,
}

impl<'a> Reader<'a> {
    /// A reader of `text`; `open` is scratch space, cleared first.
    pub fn new(text: &'a [u8], open: &'a mut Vec<u8>) -> Self {
        open.clear();
        Self { text, at: 0, open, expect: Expect::Value }
    }

    /// How many arrays and objects are open.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.open.len()
    }

    /// The next token.
    ///
    /// # Errors
    /// The text is not JSON, or is nested deeper than [`DEPTH_MAX`].
    #[inline]
    pub fn next_event(&mut self) -> Result<Event, NotJson> {
        self.skip_blank();
        let Some(&first) = self.text.get(self.at) else {
            return match (self.expect, self.open.is_empty()) {
                (Expect::CommaOrClose, true) => Ok(Event::End),
                _ => Err(self.expected("more text")),
            };
        };
        match self.expect {
            Expect::CommaOrClose => match (first, self.open.last()) {
                (b',', Some(b'{')) => {
                    self.at += 1;
                    self.skip_blank();
                    self.key()
                }
                (b',', Some(_)) => {
                    self.at += 1;
                    self.expect = Expect::Value;
                    self.next_event()
                }
                (b'}', Some(b'{')) | (b']', Some(b'[')) => Ok(self.close()),
                (_, Some(b'{')) => Err(self.expected("`,` or `}`")),
                (_, Some(_)) => Err(self.expected("`,` or `]`")),
                (_, None) => Err(self.expected("the end of the text")),
            },
            Expect::KeyOrClose if first == b'}' => Ok(self.close()),
            Expect::KeyOrClose => self.key(),
            Expect::ValueOrClose if first == b']' => Ok(self.close()),
            Expect::Value | Expect::ValueOrClose => self.value(first),
        }
    }

    fn close(&mut self) -> Event {
        self.at += 1;
        self.open.pop();
        self.expect = Expect::CommaOrClose;
        Event::Close
    }

    #[inline]
    fn key(&mut self) -> Result<Event, NotJson> {
        if self.text.get(self.at) != Some(&b'"') {
            return Err(self.expected("a key in double quotes"));
        }
        let text = self.string()?;
        self.skip_blank();
        if self.text.get(self.at) != Some(&b':') {
            return Err(self.expected("`:`"));
        }
        self.at += 1;
        self.expect = Expect::Value;
        Ok(Event::Key(text))
    }

    #[inline]
    fn value(&mut self, first: u8) -> Result<Event, NotJson> {
        let event = match first {
            b'"' => Event::String(self.string()?),
            b'{' | b'[' => {
                if self.open.len() >= DEPTH_MAX {
                    return Err(self.expected("at most 1,024 levels of nesting"));
                }
                self.open.push(first);
                self.at += 1;
                self.expect = match first {
                    b'{' => Expect::KeyOrClose,
                    _ => Expect::ValueOrClose,
                };
                return Ok(Event::Open);
            }
            b'-' | b'0'..=b'9' => Event::Number(self.number()?),
            b't' => Event::Literal(self.literal(b"true")?),
            b'f' => Event::Literal(self.literal(b"false")?),
            b'n' => Event::Literal(self.literal(b"null")?),
            _ => return Err(self.expected("a value")),
        };
        self.expect = Expect::CommaOrClose;
        Ok(event)
    }

    #[inline]
    fn string(&mut self) -> Result<Text, NotJson> {
        let start = self.at + 1;
        let mut escaped = false;
        self.at = start;
        loop {
            self.at = plain_end(self.text, self.at);
            match self.text.get(self.at) {
                Some(b'"') => {
                    let range = start..self.at;
                    self.at += 1;
                    return Ok(Text { range, escaped });
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                Some(_) => return Err(self.expected("no control character in a string")),
                None => return Err(self.expected("a closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<(), NotJson> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            Some(b'u') if self.text.get(self.at + 2..self.at + 6).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) => {
                self.at += 6;
                Ok(())
            }
            _ => Err(self.expected("an escape of JSON")),
        }
    }

    fn number(&mut self) -> Result<Range<usize>, NotJson> {
        let start = self.at;
        self.skip_if(|byte| byte == b'-');
        match self.text.get(self.at) {
            Some(b'0') => self.at += 1,
            _ => self.digits()?,
        }
        if self.skip_if(|byte| byte == b'.') {
            self.digits()?;
        }
        if self.skip_if(|byte| matches!(byte, b'e' | b'E')) {
            self.skip_if(|byte| matches!(byte, b'+' | b'-'));
            self.digits()?;
        }
        Ok(start..self.at)
    }

    fn digits(&mut self) -> Result<(), NotJson> {
        if !self.skip_if(|byte| byte.is_ascii_digit()) {
            return Err(self.expected("a digit"));
        }
        while self.skip_if(|byte| byte.is_ascii_digit()) {}
        Ok(())
    }

    fn literal(&mut self, word: &'static [u8]) -> Result<Range<usize>, NotJson> {
        let start = self.at;
        let rest = self.text.get(start..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(self.expected("a value"));
        }
        self.at += word.len();
        Ok(start..self.at)
    }

    #[inline]
    fn skip_if(&mut self, test: impl Fn(u8) -> bool) -> bool {
        let matches = self.text.get(self.at).is_some_and(|&byte| test(byte));
        self.at += usize::from(matches);
        matches
    }

    #[inline]
    fn skip_blank(&mut self) {
        while self.skip_if(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t')) {}
    }

    fn expected(&self, expected: &'static str) -> NotJson {
        NotJson { expected, at: self.at }
    }
}

/// Whether `text` is one JSON object, with a member named `member` when one is asked for. `open` is scratch space.
#[must_use]
pub fn is_object(text: &[u8], member: Option<&[u8]>, open: &mut Vec<u8>) -> bool {
    let mut reader = Reader::new(text, open);
    if !matches!(reader.next_event(), Ok(Event::Open)) || reader.open.last() != Some(&b'{') {
        return false;
    }
    let mut found = member.is_none();
    loop {
        let depth = reader.depth();
        match reader.next_event() {
            Ok(Event::End) => return found,
            Ok(Event::Key(key)) if depth == 1 => {
                found |= text.get(key.range) == member;
            }
            Ok(_) => {}
            Err(_) => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_json(text: &str) -> bool {
        let mut open = Vec::new();
        let mut reader = Reader::new(text.as_bytes(), &mut open);
        loop {
            match reader.next_event() {
                Ok(Event::End) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    #[test]
    fn json_is_accepted() {
        for text in [
            "{}",
            "[]",
            "\"\"",
            "0",
            "-0",
            "1.5e-3",
            "1E+2",
            "true",
            " null ",
            "[1,2 , 3]",
            r#"{"a":{"b":[[],{}]},"a":1}"#,
            r#""\"\\\/\b\f\n\r\t\u00e9\ud800""#,
            "[\"é\"]",
        ] {
            assert!(is_json(text), "{text}");
        }
        assert!(is_json(&format!("{}{}", "[".repeat(1024), "]".repeat(1024))));
    }

    #[test]
    fn anything_else_is_not() {
        for text in [
            "",
            " ",
            "{",
            "}",
            "[1,]",
            "[,1]",
            "{,}",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1,}",
            "{a:1}",
            "{1:1}",
            "[1 2]",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "tru",
            "nul",
            "True",
            "\"",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "\"a\0\"",
            "1 1",
            "[}",
            "{]",
            "NaN",
            "'a'",
            "{\"a\":1]",
            "[1}",
        ] {
            assert!(!is_json(text), "{text}");
        }
        assert!(!is_json(&"[".repeat(100_000)));
        assert!(!is_json(&format!("{}{}", "[".repeat(1025), "]".repeat(1025))));
    }

    #[test]
    fn objects_are_told_by_a_member() {
        let mut open = Vec::new();
        assert!(is_object(br#"{"typ":"JWT","alg":"RS256"}"#, Some(b"alg"), &mut open));
        assert!(!is_object(br#"{"a":{"alg":"RS256"}}"#, Some(b"alg"), &mut open));
        assert!(is_object(b"{}", None, &mut open));
        assert!(!is_object(b"[]", None, &mut open));
        assert!(!is_object(b"{} x", None, &mut open));
    }
}
