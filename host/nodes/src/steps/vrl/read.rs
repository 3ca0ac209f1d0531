//! From the JSON text of a field to a value of VRL.
//!
//! Strings without escapes share the memory of the batch's column instead of being copied.

use bytes::Bytes;
use vrl::compiler::prelude::NotNan;
use vrl::value::{ObjectMap, Value};

/// How deep a value a program works on may nest. VRL recurses over values, and drops them recursively.
pub(crate) const DEPTH_MAX: usize = 128;

/// Why a text has no value in VRL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unreadable {
    #[error("a value nests deeper than {DEPTH_MAX} levels, the most VRL is given")]
    Depth,
    #[error("a string holds half of a surrogate pair (\\uD800 to \\uDFFF alone), which is no character")]
    Surrogate,
    #[error("a field is not valid JSON text")]
    Syntax,
}

/// What is made of JSON text.
pub(crate) trait Build {
    /// A value.
    type Out;
    /// The members of an object; a later one replaces an earlier one of the same name.
    type Members: Default;
    fn null(&self) -> Self::Out;
    fn boolean(&self, value: bool) -> Self::Out;
    /// The number that stands at `from..to` of the text.
    fn number(&self, from: usize, to: usize) -> Result<Self::Out, Unreadable>;
    /// A string whose content stands without escapes at `from..to` of the text.
    fn plain(&self, from: usize, to: usize) -> Self::Out;
    fn unescaped(&self, text: String) -> Self::Out;
    fn array(&self, items: Vec<Self::Out>) -> Self::Out;
    fn member(&self, members: &mut Self::Members, key: String, value: Self::Out);
    fn object(&self, members: Self::Members) -> Self::Out;
}

/// Builds values of VRL that share `text`.
pub(crate) struct Values<'a> {
    /// The text that is read.
    pub(crate) text: &'a Bytes,
}

impl Build for Values<'_> {
    type Out = Value;
    type Members = ObjectMap;
    fn null(&self) -> Value {
        Value::Null
    }
    fn boolean(&self, value: bool) -> Value {
        Value::Boolean(value)
    }
    fn number(&self, from: usize, to: usize) -> Result<Value, Unreadable> {
        self.text.get(from..to).and_then(number).ok_or(Unreadable::Syntax)
    }
    fn plain(&self, from: usize, to: usize) -> Value {
        Value::Bytes(self.text.slice(from..to))
    }
    fn unescaped(&self, text: String) -> Value {
        Value::Bytes(Bytes::from(text))
    }
    fn array(&self, items: Vec<Value>) -> Value {
        Value::Array(items)
    }
    fn member(&self, members: &mut ObjectMap, key: String, value: Value) {
        members.insert(key.into(), value);
    }
    fn object(&self, members: ObjectMap) -> Value {
        Value::Object(members)
    }
}

/// The value of a number: an integer where it is written as one and fits 64 bits with sign, else the nearest float, which
/// is infinite beyond the range of floats.
pub(crate) fn number(text: &[u8]) -> Option<Value> {
    let text = std::str::from_utf8(text).ok()?;
    if text != "-0"
        && !text.contains(['.', 'e', 'E'])
        && let Ok(integer) = text.parse::<i64>()
    {
        return Some(Value::Integer(integer));
    }
    NotNan::new(text.parse::<f64>().ok()?).ok().map(Value::Float)
}

/// Reads the JSON value at `from..to` of the text.
///
/// # Errors
/// Text that is not exactly one JSON value, or one that VRL cannot hold.
pub(crate) fn read<B: Build>(text: &[u8], from: usize, to: usize, build: &B) -> Result<B::Out, Unreadable> {
    let text = text.get(..to).ok_or(Unreadable::Syntax)?;
    let mut reader = Reader { text, at: from, depth: 0, build };
    let value = reader.value()?;
    reader.space();
    if reader.at == to { Ok(value) } else { Err(Unreadable::Syntax) }
}

struct Reader<'a, B> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    build: &'a B,
}

impl<B: Build> Reader<'_, B> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
    }

    /// Goes past a word that must stand here.
    fn word(&mut self, word: &[u8]) -> Result<(), Unreadable> {
        if self.text.get(self.at..).is_some_and(|rest| rest.starts_with(word)) {
            self.at += word.len();
            return Ok(());
        }
        Err(Unreadable::Syntax)
    }

    fn value(&mut self) -> Result<B::Out, Unreadable> {
        self.space();
        match self.peek() {
            Some(b'"') => match self.string()? {
                Text::Plain(from, to) => Ok(self.build.plain(from, to)),
                Text::Unescaped(text) => Ok(self.build.unescaped(text)),
            },
            Some(b'-' | b'0'..=b'9') => {
                let from = self.at;
                while matches!(self.peek(), Some(b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9')) {
                    self.at += 1;
                }
                self.build.number(from, self.at)
            }
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b't') => self.word(b"true").map(|()| self.build.boolean(true)),
            Some(b'f') => self.word(b"false").map(|()| self.build.boolean(false)),
            Some(b'n') => self.word(b"null").map(|()| self.build.null()),
            _ => Err(Unreadable::Syntax),
        }
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<B::Out, Unreadable>) -> Result<B::Out, Unreadable> {
        if self.depth == DEPTH_MAX {
            return Err(Unreadable::Depth);
        }
        self.depth += 1;
        self.at += 1;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    /// After an item of a container: whether another one follows, or the container ends with `close`.
    fn another(&mut self, close: u8) -> Result<bool, Unreadable> {
        self.space();
        let next = self.peek();
        self.at += 1;
        match next {
            Some(b',') => Ok(true),
            Some(c) if c == close => Ok(false),
            _ => Err(Unreadable::Syntax),
        }
    }

    fn array(&mut self) -> Result<B::Out, Unreadable> {
        let mut items = Vec::new();
        self.space();
        if self.peek() == Some(b']') {
            self.at += 1;
            return Ok(self.build.array(items));
        }
        loop {
            items.push(self.value()?);
            if !self.another(b']')? {
                return Ok(self.build.array(items));
            }
        }
    }

    fn object(&mut self) -> Result<B::Out, Unreadable> {
        let mut members = B::Members::default();
        self.space();
        if self.peek() == Some(b'}') {
            self.at += 1;
            return Ok(self.build.object(members));
        }
        loop {
            self.space();
            let key = match self.string()? {
                Text::Plain(from, to) => {
                    let key = self.text.get(from..to).and_then(|key| std::str::from_utf8(key).ok());
                    key.ok_or(Unreadable::Syntax)?.to_owned()
                }
                Text::Unescaped(key) => key,
            };
            self.space();
            self.word(b":")?;
            let value = self.value()?;
            self.build.member(&mut members, key, value);
            if !self.another(b'}')? {
                return Ok(self.build.object(members));
            }
        }
    }

    fn string(&mut self) -> Result<Text, Unreadable> {
        self.word(b"\"")?;
        let from = self.at;
        let ends = self.text.get(from..).and_then(|rest| rest.iter().position(|c| matches!(c, b'"' | b'\\')));
        let to = from + ends.ok_or(Unreadable::Syntax)?;
        self.at = to;
        if self.peek() == Some(b'"') {
            self.at += 1;
            return Ok(Text::Plain(from, to));
        }
        let mut text = Vec::from(self.text.get(from..to).unwrap_or_default());
        loop {
            let next = self.peek().ok_or(Unreadable::Syntax)?;
            self.at += 1;
            match next {
                b'"' => return String::from_utf8(text).map(Text::Unescaped).map_err(|_| Unreadable::Syntax),
                b'\\' => {
                    let c = self.escape()?;
                    text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                other => text.push(other),
            }
        }
    }

    /// The character of an escape, after its backslash.
    fn escape(&mut self) -> Result<char, Unreadable> {
        let letter = self.peek().ok_or(Unreadable::Syntax)?;
        self.at += 1;
        Ok(match letter {
            b'"' | b'\\' | b'/' => char::from(letter),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = self.hex()?;
                if !(0xD800..0xE000).contains(&first) {
                    return char::from_u32(first).ok_or(Unreadable::Syntax);
                }
                if first >= 0xDC00 || self.word(b"\\u").is_err() {
                    return Err(Unreadable::Surrogate);
                }
                let second = self.hex()?;
                if !(0xDC00..0xE000).contains(&second) {
                    return Err(Unreadable::Surrogate);
                }
                return char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00)).ok_or(Unreadable::Surrogate);
            }
            _ => return Err(Unreadable::Syntax),
        })
    }

    fn hex(&mut self) -> Result<u32, Unreadable> {
        let digits = self.text.get(self.at..self.at + 4).ok_or(Unreadable::Syntax)?;
        self.at += 4;
        digits.iter().try_fold(0, |value, digit| Some(value * 16 + char::from(*digit).to_digit(16)?)).ok_or(Unreadable::Syntax)
    }
}

enum Text {
    Plain(usize, usize),
    Unescaped(String),
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn value(text: &str) -> Result<Value, Unreadable> {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        read(&bytes, 0, bytes.len(), &Values { text: &bytes })
    }

    #[test]
    fn reads_what_serde_json_reads() {
        for text in [
            "null",
            "true",
            " false ",
            "0",
            "-1",
            "9223372036854775807",
            "-9223372036854775808",
            "1.5",
            "1e3",
            "-2.5E-3",
            "0.1",
            "\"\"",
            "\"a\\u00e9\\n\\\"\\\\\\/\\ud83d\\ude00\"",
            "\"é\"",
            "[]",
            "[ 1 , [2], {} ]",
            "{\"a\":1,\"b\":{\"c\":[null]}}",
            "{\"a\":1,\"a\":2}",
            "{\"a\\u0062\":3}",
            "12345678901234567890",
        ] {
            assert_eq!(value(text), Ok(serde_json::from_str::<Value>(text).unwrap()), "{text}");
        }
        assert_eq!(value("1e400").map(|v| v.as_float().map(|f| f.is_infinite())), Ok(Some(true)));
    }

    #[test]
    fn refuses_what_it_cannot_hold() {
        assert_eq!(value("\"\\ud800\""), Err(Unreadable::Surrogate));
        assert_eq!(value("\"\\udc00x\""), Err(Unreadable::Surrogate));
        assert_eq!(value("\"\\ud800\\u0041\""), Err(Unreadable::Surrogate));
        assert_eq!(value(&"[".repeat(100_000)), Err(Unreadable::Depth));
        assert!(value(&format!("{}{}", "[".repeat(128), "]".repeat(128))).is_ok());
        for text in
            ["", " ", "nul", "tru", "1 2", "[1", "[1,]", "{\"a\"}", "{\"a\":}", "{a:1}", "\"a", "\"\\x\"", "\"\\u12\"", "-", "1.2.3", "]"]
        {
            assert_eq!(value(text), Err(Unreadable::Syntax), "{text}");
        }
    }
}
