//! Text as it reads once an encoding is taken off, with the way back: percent-encoding, the escapes of JSON, the entities of
//! XML and HTML, full-width characters, and characters without width. A value may carry several layers (`%2540`, escaped JSON within JSON), so a view can be decoded again.

/// How many layers are taken off.
pub const LAYERS_MAX: usize = 4;

/// Decoded bytes and where each of them came from.
#[derive(Debug, Default)]
pub struct View {
    bytes: Vec<u8>,
    /// For each decoded byte, and for the end, the offset in the original of the unit it was decoded from.
    origins: Vec<u32>,
}

impl View {
    /// The decoded bytes; not necessarily UTF-8.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Takes one layer off `original`. Says whether there was one.
    pub fn decode(&mut self, original: &[u8]) -> bool {
        self.fill(original, |at| at as u32)
    }

    /// Takes one more layer off `outer`. Says whether there was one.
    pub fn decode_again(&mut self, outer: &View) -> bool {
        self.fill(&outer.bytes, |at| outer.origins.get(at).copied().unwrap_or(u32::MAX))
    }

    fn fill(&mut self, text: &[u8], origin: impl Fn(usize) -> u32) -> bool {
        self.bytes.clear();
        self.origins.clear();
        let mut changed = false;
        let mut at = 0;
        while let Some(&byte) = text.get(at) {
            let unit = match byte {
                b'%' | b'\\' | b'&' | 0xc2 | 0xe2 | 0xef => text.get(at..).and_then(unit),
                _ => None,
            };
            let start = origin(at);
            match unit {
                Some(unit) => {
                    for &decoded in unit.bytes.iter().take(unit.length) {
                        self.bytes.push(decoded);
                        self.origins.push(start);
                    }
                    at += unit.width;
                    changed = true;
                }
                None => {
                    self.bytes.push(byte);
                    self.origins.push(start);
                    at += 1;
                }
            }
        }
        self.origins.push(origin(text.len()));
        changed
    }

    /// Where decoded bytes stand in the original: whole units, never a part of an escape.
    #[must_use]
    pub fn to_original(&self, start: usize, end: usize) -> (usize, usize) {
        let origin = |at: usize| self.origins.get(at).copied().unwrap_or(u32::MAX);
        let last = origin(end.saturating_sub(1));
        let rest = self.origins.get(end..).unwrap_or_default();
        // The bytes of one unit share their origin.
        let after = rest.iter().copied().find(|&next| next > last).unwrap_or(last);
        (origin(start) as usize, after as usize)
    }

    /// Moves a place in the original so that it does not fall within a unit of this view (one layer): the beginning
    /// forward, the end backward or forward to cover the unit.
    #[must_use]
    pub fn snap(&self, start: usize, end: usize) -> (usize, usize) {
        (self.next_unit(start), self.next_unit(end))
    }

    fn next_unit(&self, at: usize) -> usize {
        let index = self.origins.partition_point(|&origin| (origin as usize) < at);
        self.origins.get(index).map_or(at, |&origin| origin as usize)
    }
}

/// What an escape stands for, and how many bytes it takes.
struct Unit {
    bytes: [u8; 4],
    length: usize,
    width: usize,
}

impl Unit {
    fn byte(byte: u8, width: usize) -> Self {
        Self { bytes: [byte, 0, 0, 0], length: 1, width }
    }

    fn nothing(width: usize) -> Self {
        Self { bytes: [0; 4], length: 0, width }
    }

    /// The generalised UTF-8 of a code point: a lone surrogate gets three bytes too.
    fn code_point(code: u32, width: usize) -> Self {
        let continuation = |shift: u32| 0x80 | (code >> shift & 0x3f) as u8;
        let (bytes, length) = match code {
            0..0x80 => ([code as u8, 0, 0, 0], 1),
            0x80..0x800 => ([0xc0 | (code >> 6) as u8, continuation(0), 0, 0], 2),
            0x800..0x1_0000 => ([0xe0 | (code >> 12) as u8, continuation(6), continuation(0), 0], 3),
            _ => ([0xf0 | (code >> 18 & 7) as u8, continuation(12), continuation(6), continuation(0)], 4),
        };
        Self { bytes, length, width }
    }
}

/// Whether an escape, or a character that is read as another or as nothing, begins at `at`.
#[must_use]
pub fn is_encoded(text: &[u8], at: usize) -> bool {
    text.get(at..).and_then(unit).is_some()
}

/// Whether the `;` at `at` ends an entity of XML.
#[must_use]
pub fn ends_entity(text: &[u8], at: usize) -> bool {
    let from = at.saturating_sub(ENTITY_MAX);
    text.get(from..at)
        .and_then(|before| memchr::memrchr(b'&', before))
        .and_then(|offset| text.get(from + offset..=at))
        .and_then(entity)
        .is_some()
}

fn unit(text: &[u8]) -> Option<Unit> {
    match text.first()? {
        // What ECMAScript's `escape` writes, and some servers read.
        b'%' if matches!(text.get(1), Some(b'u' | b'U')) => hex(text.get(2..6)?).map(|code| Unit::code_point(code, 6)),
        b'%' => hex(text.get(1..3)?).map(|code| Unit::byte(code as u8, 3)),
        b'\\' => escape(text),
        b'&' => entity(text),
        _ => look_alike(text),
    }
}

/// A character that is read as one of ASCII (U+FF01 to U+FF5E, the full-width forms; U+FE6B, the small `@`), or not seen at
/// all: soft hyphen, zero-width blanks and joiners, word joiner, byte order mark.
fn look_alike(text: &[u8]) -> Option<Unit> {
    match *text {
        [0xc2, 0xad, ..] => Some(Unit::nothing(2)),
        [0xe2, 0x80, 0x8b..=0x8d, ..] | [0xe2, 0x81, 0xa0, ..] | [0xef, 0xbb, 0xbf, ..] => Some(Unit::nothing(3)),
        [0xef, 0xbc, last @ 0x81..=0xbf, ..] => Some(Unit::byte(last - 0x60, 3)),
        [0xef, 0xbd, last @ 0x80..=0x9e, ..] => Some(Unit::byte(last - 0x20, 3)),
        [0xef, 0xb9, 0xab, ..] => Some(Unit::byte(b'@', 3)),
        _ => None,
    }
}

fn escape(text: &[u8]) -> Option<Unit> {
    let byte = match text.get(1)? {
        same @ (b'"' | b'\\' | b'/') => *same,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 8,
        b'f' => 12,
        b'u' => {
            let high = hex(text.get(2..6)?)?;
            let low = text.get(6..12).and_then(|next| next.strip_prefix(b"\\u")).and_then(hex);
            return Some(match (high, low) {
                (0xd800..0xdc00, Some(low @ 0xdc00..0xe000)) => Unit::code_point(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00), 12),
                _ => Unit::code_point(high, 6),
            });
        }
        _ => return None,
    };
    Some(Unit::byte(byte, 2))
}

/// Longest entity looked at: `&#x10ffff;`.
const ENTITY_MAX: usize = 10;

fn entity(text: &[u8]) -> Option<Unit> {
    let end = text.iter().take(ENTITY_MAX).position(|&byte| byte == b';')?;
    let width = end + 1;
    let name = text.get(1..end)?;
    let named = match name {
        b"amp" => b'&',
        b"lt" => b'<',
        b"gt" => b'>',
        b"quot" => b'"',
        b"apos" => b'\'',
        // HTML's names for what addresses and pairs are made of.
        b"commat" => b'@',
        b"period" => b'.',
        b"lowbar" => b'_',
        b"hyphen" => b'-',
        b"plus" => b'+',
        b"equals" => b'=',
        b"colon" => b':',
        b"percnt" => b'%',
        b"sol" => b'/',
        [b'#', b'x' | b'X', digits @ ..] => {
            return hex(digits).filter(|&code| char::from_u32(code).is_some()).map(|code| Unit::code_point(code, width));
        }
        [b'#', digits @ ..] => {
            return std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .filter(|&code| char::from_u32(code).is_some())
                .map(|code| Unit::code_point(code, width));
        }
        _ => return None,
    };
    Some(Unit::byte(named, width))
}

/// The value of up to eight hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    digits.iter().try_fold(0, |value, &byte| char::from(byte).to_digit(16).map(|digit| value << 4 | digit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> String {
        let mut view = View::default();
        view.decode(text.as_bytes());
        String::from_utf8_lossy(view.bytes()).into_owned()
    }

    #[test]
    fn every_layer_is_taken_off() {
        for (text, wanted) in [
            ("a%40b", "a@b"),
            ("%2B33", "+33"),
            ("100%", "100%"),
            ("%zz%4", "%zz%4"),
            (r#"\"a\u0040b\n\/"#, "\"a@b\n/"),
            (r"\ud83d\ude00", "😀"),
            (r"\é\q", r"\é\q"),
            ("a&#64;b&#x40;&amp;&quot;&lt;&gt;&apos;", "a@b@&\"<>'"),
            ("&x;&#;&#xg;&", "&x;&#;&#xg;&"),
            ("a&commat;b&period;fr", "a@b.fr"),
            ("a%u0040b%U002efr", "a@b.fr"),
            ("%u00e9%u004", "é%u004"),
            ("ａ＠Ｂ．ｆｒ～", "a@B.fr~"),
            ("a\u{200b}@\u{200d}b\u{2060}.\u{feff}f\u{ad}r", "a@b.fr"),
            ("a﹫b l’été\u{a0}€", "a@b l’été\u{a0}€"),
        ] {
            assert_eq!(decoded(text), wanted, "{text}");
        }
        let mut view = View::default();
        view.decode(br"a\ud800b");
        assert_eq!(view.bytes(), b"a\xed\xa0\x80b");
        assert!(!view.decode(b"plain"));
    }

    #[test]
    fn the_way_back_covers_whole_units() {
        let text = r"x\u00e9%40y";
        let mut view = View::default();
        assert!(view.decode(text.as_bytes()));
        assert_eq!(view.bytes(), "xé@y".as_bytes());
        // The second byte of é only: still the whole escape.
        assert_eq!(view.to_original(2, 3), (1, 7));
        assert_eq!(view.to_original(0, 5), (0, text.len()));
        assert_eq!(view.to_original(3, 4), (7, 10));
        assert_eq!(view.snap(2, 4), (7, 7));
        assert_eq!(view.snap(0, 7), (0, 7));

        let twice = "a%2540b";
        let (mut first, mut second) = (View::default(), View::default());
        assert!(first.decode(twice.as_bytes()));
        assert!(second.decode_again(&first));
        assert_eq!(second.bytes(), b"a@b");
        assert_eq!(second.to_original(1, 2), (1, 6));
        assert!(!first.decode_again(&second));
    }

    #[test]
    fn entities_are_told_by_their_end() {
        assert!(ends_entity(b"a&#64;", 5));
        assert!(ends_entity(b"&quot;", 5));
        for text in ["a;", "&;", "&nbsp;", "a&b=c;"] {
            assert!(!ends_entity(text.as_bytes(), text.len() - 1), "{text}");
        }
    }
}
