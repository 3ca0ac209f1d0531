//! The validating scan: one pass over a record that checks it against RFC 8259 and notes where the tracked fields stand.
//!
//! Iterative where the input decides the depth; recursive only along tracked paths, whose depth the configuration bounds.

use crate::fields::Node;
use crate::marks::Marks;

/// Depth of nesting accepted unless configured otherwise.
pub const DEPTH_MAX_DEFAULT: u32 = 1024;
/// Deepest nesting that can be configured.
pub const DEPTH_MAX: u32 = 100_000;

/// Why a text is not a JSON value on one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct Malformed {
    /// Offset in the record, in bytes from 0.
    pub at: u32,
    /// What was found or expected.
    pub reason: &'static str,
}

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
    pub(crate) marks: &'a Marks,
    pub(crate) nodes: &'a [Node],
    /// The row's slots, one a node.
    pub(crate) slots: &'a mut [Slot],
    /// Earlier members that a later one of the same name overrides, as byte ranges.
    pub(crate) overridden: &'a mut Vec<(u32, u32)>,
    pub(crate) depth_max: u32,
    pub(crate) at: usize,
}

type Result<T> = std::result::Result<T, &'static str>;

impl<'a> Scan<'a> {
    /// Scans the row that begins at `at`. `Err` tells where and why it is not JSON.
    #[inline]
    pub(crate) fn record(mut self) -> std::result::Result<(), Malformed> {
        let begin = self.at;
        let scanned = self.record_at();
        scanned.map_err(|reason| Malformed { at: (self.at.min(self.text.len()) - begin) as u32, reason })
    }

    #[inline]
    fn record_at(&mut self) -> Result<()> {
        let nodes = self.nodes;
        self.blanks();
        let start = self.at;
        let escaped = self.tracked(&nodes[0], 0)?;
        self.slots[0] = slot(start, start, self.at, escaped);
        self.blanks();
        if self.at < self.text.len() { Err("text behind the value") } else { Ok(()) }
    }

    #[inline]
    fn peek(&self) -> u8 {
        // A NUL byte is nowhere part of JSON outside strings, so it can stand for the end.
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Skips white space. A line feed is none: a record is one line.
    #[inline]
    fn blanks(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\r') {
            self.at += 1;
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
            let key = self.at;
            let escaped = self.name()?;
            let name_end = self.at - 1;
            self.colon()?;
            let child = if escaped {
                let mut name = Vec::new();
                crate::read::unescape(self.text.get(key + 1..name_end).unwrap_or_default(), &mut name);
                node.member(&name)
            } else {
                node.member(self.text.get(key + 1..name_end).unwrap_or_default())
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
                _ => return Err("`,` or `}` was expected"),
            }
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
                _ => return Err("`,` or `]` was expected"),
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
    #[inline]
    fn name(&mut self) -> Result<bool> {
        if self.peek() != b'"' {
            return Err("a member's name in quotes was expected");
        }
        self.string()
    }

    #[inline]
    fn colon(&mut self) -> Result<()> {
        self.blanks();
        if self.peek() != b':' {
            return Err("`:` was expected");
        }
        self.at += 1;
        self.blanks();
        Ok(())
    }

    /// A string, from its quote. Gives whether it has escapes.
    #[inline]
    fn string(&mut self) -> Result<bool> {
        self.at = self.marks.next(self.at + 1);
        if self.peek() == b'"' {
            self.at += 1;
            return Ok(false);
        }
        self.string_with_escapes()
    }

    #[cold]
    #[inline(never)]
    fn string_with_escapes(&mut self) -> Result<bool> {
        let mut escaped = false;
        loop {
            match self.text.get(self.at) {
                None => return Err("the string has no end"),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    match self.text.get(self.at + 1) {
                        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
                        Some(b'u') => {
                            let digits = self.text.get(self.at + 2..self.at + 6).unwrap_or_default();
                            if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                                return Err("four hexadecimal digits were expected after `\\u`");
                            }
                            self.at += 6;
                        }
                        _ => return Err("an escape that JSON does not know"),
                    }
                }
                Some(_) => return Err("a control character inside a string"),
            }
            self.at = self.marks.next(self.at);
        }
    }

    /// Any value, without looking for fields.
    #[inline]
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
            _ if self.at >= self.text.len() => Err("the text ends where a value was expected"),
            _ => Err("a value was expected"),
        }
    }

    #[inline]
    fn word(&mut self, word: &[u8]) -> Result<()> {
        if self.text.get(self.at..self.at + word.len()) != Some(word) {
            return Err("a value was expected");
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
            _ => return Err("a digit was expected"),
        }
        if self.peek() == b'.' {
            self.at += 1;
            if !self.peek().is_ascii_digit() {
                return Err("a digit was expected after the decimal point");
            }
            self.digits();
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            if matches!(self.peek(), b'+' | b'-') {
                self.at += 1;
            }
            if !self.peek().is_ascii_digit() {
                return Err("a digit was expected in the exponent");
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
    fn skip_container(&mut self, depth: u32) -> Result<()> {
        let mut small = [0u64; 4];
        let mut large = Vec::new();
        let levels_max = self.depth_max.saturating_sub(depth) as usize;
        let mut level = 0usize;
        loop {
            // Here a value begins.
            let object = match self.peek() {
                b'{' => true,
                b'[' => false,
                b'"' => {
                    self.string()?;
                    match self.close(&mut level, &small, &large)? {
                        true => return Ok(()),
                        false => continue,
                    }
                }
                _ => {
                    self.scalar()?;
                    match self.close(&mut level, &small, &large)? {
                        true => return Ok(()),
                        false => continue,
                    }
                }
            };
            if level >= levels_max {
                return Err("nested too deeply");
            }
            if level / 64 < small.len() {
                set(&mut small, level, object);
            } else {
                let beyond = level - 64 * small.len();
                if beyond / 64 >= large.len() {
                    large.push(0u64);
                }
                set(&mut large, beyond, object);
            }
            level += 1;
            self.at += 1;
            self.blanks();
            let end = if object { b'}' } else { b']' };
            if self.peek() == end {
                self.at += 1;
                level -= 1;
                if self.close(&mut level, &small, &large)? {
                    return Ok(());
                }
            } else if object {
                self.name()?;
                self.colon()?;
            }
        }
    }

    /// Behind a value: closes what ends here, or moves to the next value. `true`: the outermost is closed.
    #[inline]
    fn close(&mut self, level: &mut usize, small: &[u64; 4], large: &[u64]) -> Result<bool> {
        loop {
            let Some(inner) = level.checked_sub(1) else { return Ok(true) };
            let object = if inner / 64 < small.len() { get(small, inner) } else { get(large, inner - 64 * small.len()) };
            self.blanks();
            match (self.peek(), object) {
                (b',', true) => {
                    self.at += 1;
                    self.blanks();
                    self.name()?;
                    self.colon()?;
                    return Ok(false);
                }
                (b',', false) => {
                    self.at += 1;
                    self.blanks();
                    return Ok(false);
                }
                (b'}', true) | (b']', false) => {
                    self.at += 1;
                    *level = inner;
                }
                (_, true) => return Err("`,` or `}` was expected"),
                (_, false) => return Err("`,` or `]` was expected"),
            }
        }
    }
}

#[inline]
fn slot(key: usize, start: usize, end: usize, escaped: bool) -> Slot {
    Slot { key: key as u32, start: start as u32, end: end as u32 | if escaped { ESCAPED } else { 0 } }
}

#[inline]
fn set(bits: &mut [u64], at: usize, value: bool) {
    if let Some(word) = bits.get_mut(at / 64) {
        *word = *word & !(1 << (at % 64)) | u64::from(value) << (at % 64);
    }
}

#[inline]
fn get(bits: &[u64], at: usize) -> bool {
    bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
}
