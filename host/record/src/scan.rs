//! The validating scan: one pass over a record that checks it against RFC 8259 and notes where the tracked fields stand.
//!
//! Iterative where the input decides the depth; recursive only along tracked paths, whose depth the configuration bounds.

use crate::fields::Node;
use crate::malformed::{Malformed, Wrong};

/// Depth of nesting accepted unless configured otherwise.
pub const DEPTH_MAX_DEFAULT: u32 = 1024;
/// Deepest nesting that can be configured.
pub const DEPTH_MAX: u32 = 100_000;

/// Where a tracked field stands in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slot {
    /// First byte of the member (its name's quote) or of the element.
    pub(crate) key: u32,
    /// First byte of the value; [`Slot::ABSENT`] when the field is not there.
    pub(crate) start: u32,
    /// One behind the value's last byte; the top bit says that the value is a string with escapes.
    end: u32,
}

const ESCAPED: u32 = 1 << 31;

impl Slot {
    pub(crate) const ABSENT: Slot = Slot { key: 0, start: u32::MAX, end: 0 };

    #[inline]
    pub(crate) fn is_present(self) -> bool {
        self.start != u32::MAX
    }

    #[inline]
    pub(crate) fn end(self) -> u32 {
        self.end & !ESCAPED
    }

    #[inline]
    pub(crate) fn is_escaped(self) -> bool {
        self.end & ESCAPED != 0
    }
}

/// A pass over one row of a text.
pub(crate) struct Scan<'a> {
    /// The text up to the row's end.
    pub(crate) text: &'a [u8],
    /// The row's [`Marks`](crate::marks::Marks), and how many of them lie behind.
    pub(crate) marks: &'a [u32],
    pub(crate) passed: usize,
    pub(crate) nodes: &'a [Node],
    /// The row's slots, one a node.
    pub(crate) slots: &'a mut [Slot],
    /// Earlier members that a later one of the same name overrides, as byte ranges.
    pub(crate) overridden: &'a mut Vec<(u32, u32)>,
    pub(crate) depth_max: u32,
    pub(crate) at: usize,
}

type Result<T> = std::result::Result<T, Wrong>;

impl<'a> Scan<'a> {
    /// Scans the row that begins at `at`. `Err` tells where and why it is not JSON.
    #[inline]
    pub(crate) fn record(mut self) -> std::result::Result<(), Malformed> {
        let begin = self.at;
        let scanned = self.record_at();
        scanned.map_err(|wrong| Malformed { at: (self.at.min(self.text.len()) - begin) as u32, reason: wrong.text() })
    }

    #[inline]
    fn record_at(&mut self) -> Result<()> {
        let nodes = self.nodes;
        self.blanks();
        let start = self.at;
        let escaped = self.tracked(&nodes[0], 0)?;
        self.slots[0] = slot(start, start, self.at, escaped);
        self.blanks();
        if self.at < self.text.len() { Err(Wrong::TextBehind) } else { Ok(()) }
    }

    #[inline(always)]
    fn peek(&self) -> u8 {
        // A NUL byte is nowhere part of JSON outside strings, so it can stand for the end.
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Skips white space. A line feed is none: a record is one line.
    #[inline(always)]
    fn blanks(&mut self) {
        if self.peek() <= b' ' {
            self.skip_blanks();
        }
    }

    #[cold]
    #[inline(never)]
    fn skip_blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
        // Tabs and carriage returns are marked too, for they may not stand in strings.
        while self.marks.get(self.passed).is_some_and(|at| (*at as usize) < self.at) {
            self.passed += 1;
        }
    }

    /// A value below which something may be tracked. Gives whether it is a string with escapes.
    #[inline]
    fn tracked(&mut self, node: &'a Node, depth: u32) -> Result<bool> {
        match self.peek() {
            b'{' if !node.keys.is_empty() => self.tracked_object(node, depth + 1).map(|()| false),
            b'[' if !node.indexes.is_empty() => self.tracked_array(node, depth + 1).map(|()| false),
            b'"' => self.string(),
            _ => self.skip(depth).map(|()| false),
        }
    }

    fn tracked_object(&mut self, node: &'a Node, depth: u32) -> Result<()> {
        self.at += 1;
        self.blanks();
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let (key, child) = match self.plain_members(node) {
                Some(found) => found,
                None => {
                    let key = self.at;
                    let escaped = self.name()?;
                    let name = self.text.get(key + 1..self.at - 1).unwrap_or_default();
                    self.colon()?;
                    (key, if escaped { escaped_member(node, name) } else { node.member(name) })
                }
            };
            match child {
                None => self.skip(depth)?,
                Some(child) => self.child(child, key, depth)?,
            }
            self.blanks();
            match self.peek() {
                b',' => {
                    self.at += 1;
                    self.blanks();
                }
                b'}' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Wrong::CommaOrBrace),
            }
        }
    }

    /// Passes over members that are not tracked, as long as they are texts without escapes and nothing stands between the
    /// tokens: most members of most records. Stops at the value of another member; gives where that member begins and its
    /// node. `None`: the member in hand has to be read with more care.
    #[inline(always)]
    fn plain_members(&mut self, node: &Node) -> Option<(usize, Option<u16>)> {
        let (text, marks) = (self.text, self.marks);
        let (mut at, mut passed) = (self.at, self.passed);
        loop {
            let close = marks.get(passed + 1).map_or(usize::MAX, |at| *at as usize);
            let plain = text.get(at) == Some(&b'"')
                && matches!(text.get(close..).and_then(|t| t.first_chunk()), Some([b'"', b':', c]) if *c > b' ');
            if !plain {
                (self.at, self.passed) = (at, passed);
                return None;
            }
            let child = node.member(text.get(at + 1..close).unwrap_or_default());
            if child.is_none() && text.get(close + 2) == Some(&b'"') {
                let end = marks.get(passed + 3).map_or(usize::MAX, |at| *at as usize);
                if text.get(end..).and_then(|t| t.first_chunk()) == Some(b"\",\"") {
                    at = end + 2;
                    passed += 4;
                    continue;
                }
            }
            (self.at, self.passed) = (close + 2, passed + 2);
            return Some((at, child));
        }
    }

    fn tracked_array(&mut self, node: &'a Node, depth: u32) -> Result<()> {
        self.at += 1;
        self.blanks();
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        let mut index = 0;
        loop {
            match node.element(index) {
                None => self.skip(depth)?,
                Some(child) => self.child(child, self.at, depth)?,
            }
            index += 1;
            self.blanks();
            match self.peek() {
                b',' => {
                    self.at += 1;
                    self.blanks();
                }
                b']' => {
                    self.at += 1;
                    return Ok(());
                }
                _ => return Err(Wrong::CommaOrBracket),
            }
        }
    }

    /// The number of elements of the array at `at`.
    pub(crate) fn elements(&mut self) -> Result<u32> {
        self.at += 1;
        self.blanks();
        let mut count = 0;
        while self.peek() != b']' {
            self.skip(0)?;
            count += 1;
            self.blanks();
            if self.peek() == b',' {
                self.at += 1;
                self.blanks();
            }
        }
        Ok(count)
    }

    #[inline]
    fn child(&mut self, child: u16, key: usize, depth: u32) -> Result<()> {
        let before = self.slots[child as usize];
        if before.is_present() {
            self.overridden.push((before.key, before.end()));
        }
        let nodes = self.nodes;
        let start = self.at;
        let escaped = self.tracked(&nodes[child as usize], depth)?;
        self.slots[child as usize] = slot(key, start, self.at, escaped);
        Ok(())
    }

    /// A member's name. Gives whether it has escapes.
    #[inline(always)]
    fn name(&mut self) -> Result<bool> {
        if self.peek() != b'"' {
            return Err(Wrong::Name);
        }
        self.string()
    }

    #[inline(always)]
    fn colon(&mut self) -> Result<()> {
        if self.peek() != b':' {
            self.blanks();
            if self.peek() != b':' {
                return Err(Wrong::Colon);
            }
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// A string, from its quote. Gives whether it has escapes.
    #[inline(always)]
    fn string(&mut self) -> Result<bool> {
        // The first mark not passed is the opening quote, the next one the closing quote unless something is special.
        let close = self.marks.get(self.passed + 1).map_or(self.text.len(), |at| *at as usize);
        if self.text.get(close) == Some(&b'"') {
            self.at = close + 1;
            self.passed += 2;
            return Ok(false);
        }
        self.string_with_escapes()
    }

    #[cold]
    #[inline(never)]
    fn string_with_escapes(&mut self) -> Result<bool> {
        let mut escaped = false;
        self.passed += 1;
        loop {
            self.at = self.marks.get(self.passed).map_or(self.text.len(), |at| *at as usize);
            match self.text.get(self.at) {
                None => return Err(Wrong::StringEnd),
                Some(b'"') => {
                    self.at += 1;
                    self.passed += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    match self.text.get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                        Some(b'u') => {
                            let digits = self.text.get(self.at + 2..self.at + 6).unwrap_or_default();
                            if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                                return Err(Wrong::Hex);
                            }
                            self.at += 6;
                        }
                        _ => return Err(Wrong::Escape),
                    }
                }
                Some(_) => return Err(Wrong::Control),
            }
            while self.marks.get(self.passed).is_some_and(|at| (*at as usize) < self.at) {
                self.passed += 1;
            }
        }
    }

    /// Any value, without looking for fields.
    #[inline(always)]
    fn skip(&mut self, depth: u32) -> Result<()> {
        match self.peek() {
            b'"' => self.string().map(|_| ()),
            b'{' | b'[' => self.skip_container(depth),
            _ => self.scalar(),
        }
    }

    #[inline]
    fn scalar(&mut self) -> Result<()> {
        match self.peek() {
            b'-' | b'0'..=b'9' => self.number(),
            b't' => self.word(b"true"),
            b'f' => self.word(b"false"),
            b'n' => self.word(b"null"),
            _ if self.at >= self.text.len() => Err(Wrong::End),
            _ => Err(Wrong::Value),
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Result<()> {
        if self.text.get(self.at..self.at + word.len()) != Some(word) {
            return Err(Wrong::Value);
        }
        self.at += word.len();
        Ok(())
    }

    #[inline]
    fn number(&mut self) -> Result<()> {
        if self.peek() == b'-' {
            self.at += 1;
        }
        match self.peek() {
            b'0' => self.at += 1,
            b'1'..=b'9' => self.digits(),
            _ => return Err(Wrong::Digit),
        }
        if self.peek() == b'.' {
            self.at += 1;
            if !self.peek().is_ascii_digit() {
                return Err(Wrong::Fraction);
            }
            self.digits();
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            if !self.peek().is_ascii_digit() {
                return Err(Wrong::Exponent);
            }
            self.digits();
        }
        Ok(())
    }

    #[inline]
    fn digits(&mut self) {
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
    }

    /// An object or array with all that is in it, without recursion: one bit a level says which of the two it is.
    #[inline(never)]
    fn skip_container(&mut self, depth: u32) -> Result<()> {
        let mut levels = Levels { inner: 0, outer: Vec::new(), count: 0 };
        let levels_max = self.depth_max.saturating_sub(depth) as usize;
        loop {
            // Here a value begins.
            match self.peek() {
                b'"' => {
                    self.string()?;
                }
                open @ (b'{' | b'[') => {
                    if levels.count >= levels_max {
                        return Err(Wrong::Depth);
                    }
                    let object = open == b'{';
                    self.at += 1;
                    self.blanks();
                    // `{` and `}`, `[` and `]` are two apart.
                    if self.peek() == open + 2 {
                        self.at += 1;
                        if levels.count == 0 {
                            return Ok(());
                        }
                    } else {
                        levels.push(object);
                        if object {
                            self.name()?;
                            self.colon()?;
                        }
                        continue;
                    }
                }
                _ => self.scalar()?,
            }
            // Behind a value: what ends here is closed, or the next one begins.
            loop {
                if levels.count == 0 {
                    return Ok(());
                }
                self.blanks();
                match (self.peek(), levels.in_object()) {
                    (b',', true) => {
                        self.at += 1;
                        self.blanks();
                        self.name()?;
                        self.colon()?;
                        break;
                    }
                    (b',', false) => {
                        self.at += 1;
                        self.blanks();
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        levels.pop();
                        if levels.count == 0 {
                            return Ok(());
                        }
                    }
                    (_, true) => return Err(Wrong::CommaOrBrace),
                    (_, false) => return Err(Wrong::CommaOrBracket),
                }
            }
        }
    }
}

#[cold]
#[inline(never)]
fn escaped_member(node: &Node, name: &[u8]) -> Option<u16> {
    let mut plain = Vec::new();
    crate::read::unescape(name, &mut plain);
    node.member(&plain)
}

/// The containers around a place: a bit each, the innermost lowest; full words move out.
struct Levels {
    inner: u64,
    outer: Vec<u64>,
    count: usize,
}

impl Levels {
    #[inline(always)]
    fn push(&mut self, object: bool) {
        if self.count > 0 && self.count.is_multiple_of(64) {
            self.outer.push(self.inner);
        }
        self.inner = self.inner << 1 | u64::from(object);
        self.count += 1;
    }

    #[inline(always)]
    fn pop(&mut self) {
        self.count -= 1;
        if self.count > 0 && self.count.is_multiple_of(64) {
            self.inner = self.outer.pop().unwrap_or(0);
        } else {
            self.inner >>= 1;
        }
    }

    #[inline(always)]
    fn in_object(&self) -> bool {
        self.inner & 1 == 1
    }
}

#[inline]
fn slot(key: usize, start: usize, end: usize, escaped: bool) -> Slot {
    Slot { key: key as u32, start: start as u32, end: end as u32 | if escaped { ESCAPED } else { 0 } }
}
