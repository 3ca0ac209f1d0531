//! Writing a record: one JSON object, as text, straight into the frame's memory.

mod settle;

use super::cursor::{Bad, Result};

/// Fields that a record may have.
pub(crate) const FIELDS_MAX: usize = 1000;

/// A member of the object that is being written, as places behind the object's brace.
#[derive(Debug, Clone, Copy)]
struct Member {
    /// First byte of the name's quote.
    start: u32,
    /// One behind the name's closing quote.
    name_end: u32,
    /// Equal for equal names.
    print: u64,
}

/// Memory that every record needs again.
#[derive(Debug, Default)]
pub(crate) struct Members {
    all: Vec<Member>,
    order: Vec<u32>,
    text: Vec<u8>,
    nested: Vec<u8>,
    /// How many of all no later member may override.
    sealed: u32,
    /// From which member on a dot in a name means an object, if from any.
    nested_from: Option<u32>,
}

impl Members {
    /// Gives back memory, but for so many bytes or members of each.
    pub(crate) fn keep_at_most(&mut self, bytes: usize) {
        for text in [&mut self.text, &mut self.nested] {
            text.clear();
            text.shrink_to(bytes);
        }
    }
}

/// An object that is being written.
///
/// A name that is written twice has the last value, unless what stands first was sealed; the names that this happened to stand
/// in the field `repeated`, so that it is not silent. The other values are not kept there: a field that a plugin redacts must
/// have no second place.
pub(crate) struct Object<'a> {
    out: &'a mut Vec<u8>,
    members: &'a mut Members,
    begin: usize,
}

impl<'a> Object<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, members: &'a mut Members) -> Self {
        members.all.clear();
        members.sealed = 0;
        members.nested_from = None;
        let begin = out.len();
        out.push(b'{');
        Self { out, members, begin }
    }

    /// Takes back everything, to begin again.
    pub(crate) fn reset(&mut self) {
        self.members.all.clear();
        self.members.sealed = 0;
        self.members.nested_from = None;
        self.out.truncate(self.begin + 1);
    }

    /// From here on, `a.b` names the member `b` of an object `a`.
    pub(crate) fn nest(&mut self) {
        self.members.nested_from = Some(self.members.all.len() as u32);
    }

    /// Protects what was written so far: what follows is chosen by whoever caused the line.
    pub(crate) fn seal(&mut self) {
        self.members.sealed = self.members.all.len() as u32;
    }

    /// Whether there is room for another field; asked where the line decides how many there are.
    #[inline]
    pub(crate) fn room(&self, at: usize) -> Result<()> {
        if self.members.all.len() < FIELDS_MAX { Ok(()) } else { Err(Bad::new(at, "no further field, as a record has at most 1,000,")) }
    }

    fn start(&mut self) -> usize {
        if self.out.len() > self.begin + 1 {
            self.out.push(b',');
        }
        self.out.len()
    }

    fn named(&mut self, start: usize) {
        let name = self.out.get(start..).unwrap_or_default();
        let print = print(name);
        let relative = |at: usize| (at - self.begin) as u32;
        self.members.all.push(Member { start: relative(start), name_end: relative(self.out.len()), print });
        self.out.push(b':');
    }

    /// Begins a member; its value is then appended to the memory that is given back, as JSON.
    #[inline]
    pub(crate) fn member(&mut self, name: &[u8]) -> &mut Vec<u8> {
        let start = self.start();
        string(self.out, name);
        self.named(start);
        self.out
    }

    /// A member whose name and value are JSON already, the name with its quotes.
    pub(crate) fn raw(&mut self, name: &[u8], value: &[u8]) {
        let start = self.start();
        self.out.extend_from_slice(name);
        self.named(start);
        self.out.extend_from_slice(value);
    }

    /// A text, which must be UTF-8.
    #[inline]
    pub(crate) fn text(&mut self, name: &[u8], value: &[u8]) {
        string(self.member(name), value);
    }

    /// A text, unless there is none.
    #[inline]
    pub(crate) fn text_if_any(&mut self, name: &[u8], value: &[u8]) {
        if !value.is_empty() {
            self.text(name, value);
        }
    }

    /// A whole number.
    pub(crate) fn integer(&mut self, name: &[u8], value: i64) {
        integer(self.member(name), value);
    }

    /// Ends the object. `Err`: its names with dots contradict each other.
    pub(crate) fn finish(&mut self) -> Result<()> {
        let Self { out, members, begin } = self;
        let repeats = settle::has_twins(members) && settle::drop_twins(out, members, *begin);
        if let Some(from) = members.nested_from
            && !settle::nest(out, members, *begin, from as usize)
        {
            return Err(Bad::new(0, "keys that are not both a value and the beginning of another (`a`, `a.b`; see the option `nest`)"));
        }
        if repeats {
            // Some member stays of those whose names repeat.
            out.extend_from_slice(b",\"repeated\":[");
            out.extend_from_slice(&members.text);
            out.push(b']');
        }
        out.push(b'}');
        Ok(())
    }
}

/// Equal for equal names, and mostly different for others.
#[inline]
fn print(name: &[u8]) -> u64 {
    let part = |slice: Option<&[u8]>| slice.and_then(|s| <[u8; 8]>::try_from(s).ok()).map(u64::from_le_bytes);
    match (part(name.get(..8)), part(name.get(name.len().saturating_sub(8)..))) {
        (Some(first), Some(last)) => first.rotate_left(23) ^ last ^ ((name.len() as u64) << 56),
        _ => name.iter().fold(name.len() as u64, |all, byte| (all << 8) | u64::from(*byte)),
    }
}

/// Appends `text` (UTF-8) as a JSON string with quotes.
#[inline]
pub(crate) fn string(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + 2);
    out.push(b'"');
    string_part(out, text);
    out.push(b'"');
}

/// Appends `text` (UTF-8) as a part of a JSON string.
#[inline]
pub(crate) fn string_part(out: &mut Vec<u8>, text: &[u8]) {
    let clean = clean(text);
    if clean == text.len() {
        out.extend_from_slice(text);
    } else {
        escape(out, text, clean);
    }
}

/// How many bytes at the beginning need no escape. Looks at eight at a time.
#[inline]
fn clean(text: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x8080_8080_8080_8080;
    // The top bit of the lowest byte that is zero is exact, which is all that is used.
    let zero = |word: u64| word.wrapping_sub(ONES) & !word & HIGH;
    let (chunks, rest) = text.as_chunks::<8>();
    for (i, chunk) in chunks.iter().enumerate() {
        let word = u64::from_le_bytes(*chunk);
        let control = word.wrapping_sub(ONES * 0x20) & !word & HIGH;
        let found = control | zero(word ^ (ONES * u64::from(b'"'))) | zero(word ^ (ONES * u64::from(b'\\')));
        if found != 0 {
            return i * 8 + (found.trailing_zeros() / 8) as usize;
        }
    }
    let done = text.len() - rest.len();
    rest.iter().position(|byte| *byte < 0x20 || *byte == b'"' || *byte == b'\\').map_or(text.len(), |at| done + at)
}

/// Appends a text of which `clean` bytes at the beginning need no escape.
fn escape(out: &mut Vec<u8>, mut text: &[u8], mut clean_bytes: usize) {
    const HEX: [u8; 16] = *b"0123456789abcdef";
    loop {
        let (before, behind) = text.split_at_checked(clean_bytes).unwrap_or((text, b""));
        out.extend_from_slice(before);
        let Some((byte, rest)) = behind.split_first() else { return };
        match byte {
            b'"' => out.extend_from_slice(b"\\\""),
            b'\\' => out.extend_from_slice(b"\\\\"),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            other => {
                let digit = |n: u8| HEX.get(usize::from(n)).copied().unwrap_or(b'0');
                out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(other >> 4), digit(other & 15)]);
            }
        }
        text = rest;
        clean_bytes = clean(text);
    }
}

/// Appends a whole number.
pub(crate) fn integer(out: &mut Vec<u8>, number: i64) {
    use std::io::Write as _;
    // Writing into memory cannot fail.
    let _ = write!(out, "{number}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(members: &[(&str, &str)]) -> String {
        let (mut out, mut memory) = (b"before".to_vec(), Members::default());
        let mut object = Object::new(&mut out, &mut memory);
        for (name, value) in members {
            object.text(name.as_bytes(), value.as_bytes());
        }
        object.finish().unwrap();
        String::from_utf8(out.split_off(6)).unwrap()
    }

    #[test]
    fn strings_are_escaped_wherever_the_character_stands() {
        for length in 0..40 {
            for at in 0..=length {
                for character in ['"', '\\', '\n', '\r', '\t', '\0', '\x1f', ' ', '\x7f', 'é', '€', '😀', '!', '#', '[', ']'] {
                    let text = format!("{}{character}{}", "a".repeat(at), "\u{80}z".repeat(length - at));
                    let mut out = Vec::new();
                    string(&mut out, text.as_bytes());
                    assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
                }
            }
        }
    }

    #[test]
    fn the_last_of_several_members_stays_and_their_names_are_told() {
        assert_eq!(object(&[]), "{}");
        assert_eq!(object(&[("a", "1"), ("b", "2")]), r#"{"a":"1","b":"2"}"#);
        assert_eq!(object(&[("a", "1"), ("b", "2"), ("a", "3")]), r#"{"b":"2","a":"3","repeated":["a"]}"#);
        assert_eq!(object(&[("a", "1"), ("a", "2"), ("a", "3")]), r#"{"a":"3","repeated":["a"]}"#);
        assert_eq!(
            object(&[("b", "1"), ("a", "x"), ("b", "2"), ("a", "y"), ("c", "")]),
            r#"{"b":"2","a":"y","c":"","repeated":["a","b"]}"#
        );
        // Names that look alike at both ends.
        assert_eq!(
            object(&[("aaaaaaaaXbbbbbbbb", "1"), ("aaaaaaaaYbbbbbbbb", "2")]),
            r#"{"aaaaaaaaXbbbbbbbb":"1","aaaaaaaaYbbbbbbbb":"2"}"#
        );
    }

    #[test]
    fn what_is_sealed_stays() {
        let (mut out, mut memory) = (Vec::new(), Members::default());
        for (after, expected) in [
            (vec!["b"], r#"{"a":"1","c":"1","b":"2"}"#),
            (vec!["a"], r#"{"a":"1","c":"1","repeated":["a"]}"#),
            (vec!["a", "b", "a", "c", "b"], r#"{"a":"1","c":"1","b":"2","repeated":["a","b","c"]}"#),
        ] {
            out.clear();
            let mut object = Object::new(&mut out, &mut memory);
            object.text(b"a", b"1");
            object.text(b"c", b"1");
            object.seal();
            after.iter().for_each(|name| object.text(name.as_bytes(), b"2"));
            object.finish().unwrap();
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn names_with_dots_become_objects() {
        for (names, expected) in [
            (vec!["a.b"], r#"{"first.x":0,"a":{"b":1}}"#),
            (
                vec!["d.name", "x", "d.url.path", "d.http.m", "y"],
                r#"{"first.x":0,"x":1,"y":1,"d":{"http":{"m":1},"name":1,"url":{"path":1}}}"#,
            ),
            (vec![".a", "b.", "c..d", "e.f"], r#"{"first.x":0,".a":1,"b.":1,"c..d":1,"e":{"f":1}}"#),
            (vec!["a.b", "c", "a.b"], r#"{"first.x":0,"c":1,"a":{"b":1},"repeated":["a.b"]}"#),
            (vec!["a-b.c", "a.b", "a.c.d", "ab.c"], r#"{"first.x":0,"a":{"b":1,"c":{"d":1}},"a-b":{"c":1},"ab":{"c":1}}"#),
        ] {
            let (mut out, mut memory) = (Vec::new(), Members::default());
            let mut object = Object::new(&mut out, &mut memory);
            object.integer(b"first.x", 0);
            object.nest();
            names.iter().for_each(|name| object.integer(name.as_bytes(), 1));
            object.finish().unwrap();
            assert_eq!(String::from_utf8_lossy(&out), expected);
        }
    }

    #[test]
    fn a_value_and_an_object_of_one_name_contradict() {
        for names in [["a", "a.b"], ["a.b.c", "a"], ["a.b", "a.b.c"], ["a.b.c.d", "a.b"]] {
            let (mut out, mut memory) = (Vec::new(), Members::default());
            let mut object = Object::new(&mut out, &mut memory);
            object.nest();
            ["x.y", "a-b.c"].iter().chain(&names).for_each(|name| object.integer(name.as_bytes(), 1));
            assert!(object.finish().is_err(), "{names:?}");
        }
    }

    #[test]
    fn many_members() {
        let names: Vec<String> = (0..900).map(|i| format!("field{}", i % 450)).collect();
        let members: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), "v")).collect();
        let value: serde_json::Value = serde_json::from_str(&object(&members)).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 451);
        assert_eq!(value["repeated"].as_array().unwrap().len(), 450);
    }
}
