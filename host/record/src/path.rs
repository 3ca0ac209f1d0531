//! Field paths: `ApiOwner`, `destination.url.path`, `tags[0]`, `labels."a key.with dots"`, and `.` for the whole record.

use std::fmt;
use std::str::FromStr;

/// Segments a path may have.
pub const SEGMENTS_MAX: usize = 32;
/// Bytes the text of a path may have.
pub const PATH_BYTES_MAX: usize = 1024;
/// Largest array index: a patch beyond an array's end fills the gap with `null`, so the gap needs a bound.
pub const INDEX_MAX: u32 = 1023;

/// One step from a value to one of its parts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// The member of an object.
    Key(Box<str>),
    /// The element of an array, from 0.
    Index(u32),
}

/// A place in a record. The empty path is the record itself and is written `.`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Path {
    segments: Box<[Segment]>,
}

/// Why a text is not a path; the message says where and what was expected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a field path: {reason} at character {at}; write `name`, `parent.child`, `list[0]`, `\"quoted name\"` or `.`")]
pub struct PathError {
    text: String,
    reason: &'static str,
    at: usize,
}

/// How two paths lie to each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same path.
    Same,
    /// A change of one may change what the other holds: one contains the other, or they part at an array's element
    /// (removing an element moves the later ones) or at a key against an index.
    Overlapping,
    /// Independent of each other.
    Apart,
}

impl Path {
    /// The whole record.
    pub fn root() -> Self {
        Self::default()
    }

    /// A path of the given segments, unchecked against the limits of the text form.
    pub fn from_segments(segments: Vec<Segment>) -> Self {
        Self { segments: segments.into() }
    }

    /// The steps from the record to the field; empty for the whole record.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// Whether this is the whole record.
    pub fn is_root(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether `other` is this path or lies below it.
    pub fn covers(&self, other: &Path) -> bool {
        other.segments.starts_with(&self.segments)
    }

    /// How this path lies to another.
    pub fn relation(&self, other: &Path) -> Relation {
        let common = self.segments.iter().zip(other.segments.iter()).take_while(|(a, b)| a == b).count();
        match (self.segments.get(common), other.segments.get(common)) {
            (None, None) => Relation::Same,
            (Some(Segment::Key(_)), Some(Segment::Key(_))) => Relation::Apart,
            _ => Relation::Overlapping,
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for (i, segment) in self.segments.iter().enumerate() {
            match segment {
                Segment::Index(index) => write!(f, "[{index}]")?,
                Segment::Key(key) => {
                    if i > 0 {
                        f.write_str(".")?;
                    }
                    if !key.is_empty() && key.chars().all(is_bare) {
                        f.write_str(key)?;
                    } else {
                        write_quoted(f, key)?;
                    }
                }
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Path({self})")
    }
}

fn write_quoted(f: &mut fmt::Formatter<'_>, key: &str) -> fmt::Result {
    f.write_str("\"")?;
    for c in key.chars() {
        match c {
            '"' => f.write_str("\\\"")?,
            '\\' => f.write_str("\\\\")?,
            '\n' => f.write_str("\\n")?,
            '\r' => f.write_str("\\r")?,
            '\t' => f.write_str("\\t")?,
            c if c.is_control() => write!(f, "\\u{{{:x}}}", c as u32)?,
            c => write!(f, "{c}")?,
        }
    }
    f.write_str("\"")
}

/// Characters a key may hold without quotes.
fn is_bare(c: char) -> bool {
    !(c.is_control() || c.is_whitespace() || matches!(c, '.' | '[' | ']' | '"' | '\\'))
}

impl FromStr for Path {
    type Err = PathError;

    fn from_str(text: &str) -> Result<Self, PathError> {
        Parser { text, at: 0 }.path()
    }
}

impl TryFrom<&str> for Path {
    type Error = PathError;

    fn try_from(text: &str) -> Result<Self, PathError> {
        text.parse()
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl Parser<'_> {
    fn path(mut self) -> Result<Path, PathError> {
        if self.text.len() > PATH_BYTES_MAX {
            return Err(self.error("it is longer than 1,024 bytes"));
        }
        if self.text == "." {
            return Ok(Path::root());
        }
        // `.name` as VRL writes it means `name`.
        if self.peek() == Some('.') {
            self.at += 1;
        }
        let mut segments = Vec::new();
        loop {
            match self.peek() {
                Some('[') => segments.push(self.index()?),
                Some('"') => segments.push(self.quoted()?),
                Some(c) if is_bare(c) => segments.push(self.bare()),
                Some(_) => return Err(self.error("a name or `[index]` was expected")),
                None => return Err(self.error("a name was expected")),
            }
            if segments.len() > SEGMENTS_MAX {
                return Err(self.error("it has more than 32 parts"));
            }
            match self.peek() {
                None => return Ok(Path::from_segments(segments)),
                Some('.') => self.at += 1,
                Some('[') => {}
                Some(_) => return Err(self.error("`.`, `[` or the end was expected")),
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.text.get(self.at..)?.chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn error(&self, reason: &'static str) -> PathError {
        let mut text: String = self.text.chars().take(80).flat_map(char::escape_debug).collect();
        if text.len() < self.text.len() && self.text.chars().count() > 80 {
            text.push('…');
        }
        let at = self.text.get(..self.at).map_or(0, |t| t.chars().count()) + 1;
        PathError { text, reason, at }
    }

    fn bare(&mut self) -> Segment {
        let start = self.at;
        while self.peek().is_some_and(is_bare) {
            self.next();
        }
        Segment::Key(self.text[start..self.at].into())
    }

    fn index(&mut self) -> Result<Segment, PathError> {
        self.at += 1;
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits = &self.text[start..self.at];
        let index = digits.parse::<u32>().ok().filter(|i| *i <= INDEX_MAX);
        let Some(index) = index else {
            return Err(self.error("an index from 0 to 1023 was expected"));
        };
        if self.next() != Some(']') {
            return Err(self.error("`]` was expected"));
        }
        Ok(Segment::Index(index))
    }

    fn quoted(&mut self) -> Result<Segment, PathError> {
        self.at += 1;
        let mut key = String::new();
        loop {
            match self.next() {
                None => return Err(self.error("a closing quote was expected")),
                Some('"') => return Ok(Segment::Key(key.into())),
                Some('\\') => match self.next() {
                    Some(c @ ('"' | '\\')) => key.push(c),
                    Some('n') => key.push('\n'),
                    Some('r') => key.push('\r'),
                    Some('t') => key.push('\t'),
                    Some('u') => key.push(self.unicode()?),
                    _ => return Err(self.error("one of \\\" \\\\ \\n \\r \\t \\u{…} was expected")),
                },
                Some(c) => key.push(c),
            }
        }
    }

    fn unicode(&mut self) -> Result<char, PathError> {
        if self.next() != Some('{') {
            return Err(self.error("`{` was expected"));
        }
        let start = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_hexdigit()) {
            self.at += 1;
        }
        let c = u32::from_str_radix(&self.text[start..self.at], 16).ok().and_then(char::from_u32);
        match (c, self.next()) {
            (Some(c), Some('}')) => Ok(c),
            _ => Err(self.error("a character number in hexadecimal and `}` were expected")),
        }
    }
}

impl serde::Serialize for Path {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Path {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> Path {
        text.parse().unwrap()
    }

    #[test]
    fn reads_and_writes_every_form() {
        for text in [
            ".",
            "ApiOwner",
            "a.b.c",
            "tags[0]",
            "a[0][1].b",
            "\"a.b\".c",
            "\"\"",
            "@timestamp",
            "APIM-O2.x",
            "é",
            "[3]",
            "\"q\\\"\\\\\\u{1b}\"",
        ] {
            assert_eq!(path(text).to_string(), text);
        }
        assert_eq!(path(".a.b"), path("a.b"));
        assert_eq!(path(".\"a\"[1]"), path("a[1]"));
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        for (text, expected) in [
            ("", "a name was expected at character 1"),
            ("a..b", "a name or `[index]` was expected at character 3"),
            ("a.", "a name was expected at character 3"),
            ("a[x]", "an index from 0 to 1023 was expected at character 3"),
            ("a[1024]", "an index from 0 to 1023"),
            ("a[1", "`]` was expected"),
            ("\"a", "a closing quote was expected"),
            ("a b", "`.`, `[` or the end was expected at character 2"),
            ("\"\\x\"", "was expected"),
        ] {
            let error = text.parse::<Path>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
        }
        assert!("a.".repeat(600).parse::<Path>().is_err());
        assert!(!"\u{1b}[31m..".parse::<Path>().unwrap_err().to_string().contains('\u{1b}'));
    }

    #[test]
    fn relations() {
        use Relation::*;
        for (a, b, expected) in [
            ("a", "a", Same),
            ("a", "b", Apart),
            ("a.b", "a.c", Apart),
            ("a", "a.b", Overlapping),
            (".", "a", Overlapping),
            ("a[0]", "a[1]", Overlapping),
            ("a.b", "a[0]", Overlapping),
            ("a[0].b", "a[0].c", Apart),
        ] {
            assert_eq!(path(a).relation(&path(b)), expected, "{a} {b}");
            assert_eq!(path(b).relation(&path(a)), expected, "{b} {a}");
        }
        assert!(path("a").covers(&path("a.b")) && !path("a.b").covers(&path("a")) && path(".").covers(&path("a")));
    }
}
