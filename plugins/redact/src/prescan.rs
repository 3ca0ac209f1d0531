//! One pass over a column's bytes that lists the positions where something could begin, so that the detectors look at those
//! only. It works on 64 bytes at a time: vector comparisons give one bit a byte for each class of bytes, and a few shifts
//! of those bit sets find "two letters and two digits" or "ten bytes of digits and separators" without a branch.
//!
//! A candidate may be nothing; a real value is never missed, with one exception that callers know: conditions on the
//! byte *before* see the neighbouring value of the column, so the first byte of a value has to be looked at anyway.

use wide::u8x16;

/// Bytes a block.
const BLOCK: usize = 64;
/// How far a comparison looks beyond its byte, rounded up to a vector.
const AHEAD: usize = 16;

/// One bit a byte of a block for each class.
#[derive(Clone, Copy, Default)]
struct Classes {
    /// Something to look at by itself: `@ : ; < = > % \`, the `b` of `bearer` and `basic`, what a token begins with (`{` or a
    /// blank in base64), a byte in what a service's keys begin with, characters that are read as others or as none.
    direct: u64,
    digit: u64,
    /// A digit, or what may stand between the groups of a number.
    number: u64,
    /// A digit or a dot.
    dotted: u64,
    letter: u64,
}

/// Where runs of a class end that have at least so many bytes, the block before included.
#[derive(Clone, Copy, Default)]
struct Runs {
    one: u64,
    two: u64,
    four: u64,
    eight: u64,
}

/// What is known of a block.
#[derive(Clone, Copy, Default)]
struct Block {
    classes: Classes,
    number: Runs,
    number_ten: u64,
    dotted: Runs,
    dotted_seven: u64,
    digit: Runs,
}

/// Appends the candidate positions in `bytes` to `candidates`, ascending. `bytes` is at most 4 GiB.
pub fn candidates(bytes: &[u8], candidates: &mut Vec<u32>) {
    let mut sweep = Sweep { before: Block::default(), current: Block::default(), base: 0 };
    let mut at = 0;
    while let Some(window) = bytes.get(at..).and_then(|rest| rest.first_chunk::<{ BLOCK + AHEAD }>()) {
        sweep.push(classify(window), at, candidates);
        at += BLOCK;
    }
    // What is left is shorter than a window: it is looked at in a padded copy.
    while at < bytes.len() {
        let mut window = [0; BLOCK + AHEAD];
        for (slot, byte) in window.iter_mut().zip(bytes.iter().skip(at)) {
            *slot = *byte;
        }
        sweep.push(classify(&window), at, candidates);
        at += BLOCK;
    }
    sweep.push(Classes::default(), at, candidates);
}

/// Emits the candidates of a block once the block after it is known.
struct Sweep {
    before: Block,
    current: Block,
    base: usize,
}

impl Sweep {
    #[inline(always)]
    fn push(&mut self, classes: Classes, after_base: usize, candidates: &mut Vec<u32>) {
        let (before, current) = (self.before.classes, self.current.classes);
        let after = self.current.followed_by(classes);
        // A class at the byte before, or so many bytes on.
        let previous = |before: u64, current: u64| back(before, current, 1);
        let next = |current: u64, after: u64, by: u32| current >> by | after << (64 - by);
        let ahead = |of: fn(&Block) -> u64, by: u32| next(of(&self.current), of(&after), by);

        let digit_before = previous(before.digit, current.digit);
        let number_starts = ahead(|block| block.number_ten, 9) & current.digit & !digit_before;
        // At most three digits before the first dot.
        let address_starts = ahead(|block| block.dotted_seven, 6)
            & current.digit
            & !previous(before.dotted, current.dotted)
            & !ahead(|block| block.digit.four, 3);
        // The letter of `2A` or `2B`; which letter it is, is told later.
        let corsica = current.letter & digit_before & ahead(|block| block.number.eight, 8);
        let iban = current.letter
            & next(current.letter, classes.letter, 1)
            & next(current.digit, classes.digit, 2)
            & next(current.digit, classes.digit, 3)
            & !(digit_before | previous(before.letter, current.letter));

        let mut found = current.direct | number_starts | address_starts | corsica | iban;
        while found != 0 {
            candidates.push((self.base + found.trailing_zeros() as usize) as u32);
            found &= found - 1;
        }
        self.before = self.current;
        self.current = after;
        self.base = after_base;
    }
}

impl Block {
    #[inline(always)]
    fn followed_by(&self, classes: Classes) -> Self {
        let number = self.number.followed_by(classes.number);
        let dotted = self.dotted.followed_by(classes.dotted);
        Self {
            classes,
            number_ten: number.eight & back(self.number.two, number.two, 8),
            dotted_seven: dotted.four & back(self.dotted.four, dotted.four, 3),
            digit: self.digit.followed_by(classes.digit),
            number,
            dotted,
        }
    }
}

impl Runs {
    #[inline(always)]
    fn followed_by(&self, one: u64) -> Self {
        let two = one & back(self.one, one, 1);
        let four = two & back(self.two, two, 2);
        let eight = four & back(self.four, four, 4);
        Self { one, two, four, eight }
    }
}

/// The bits so many bytes back, from the block before where need be.
#[inline(always)]
fn back(before: u64, current: u64, by: u32) -> u64 {
    current << by | before >> (64 - by)
}

#[inline(always)]
fn classify(window: &[u8; BLOCK + AHEAD]) -> Classes {
    let mut classes = Classes::default();
    for quarter in 0..4 {
        let at = quarter * 16;
        let x = load(window, at);
        let x1 = load(window, at + 1);
        let x2 = load(window, at + 2);
        let x4 = load(window, at + 4) | u8x16::splat(0x20);
        let x5 = load(window, at + 5) | u8x16::splat(0x20);
        let lower = x | u8x16::splat(0x20);

        let is_digit = within(x, b'0', 9);
        let is_letter = within(lower, b'a', 25);
        let is_b = eq(lower, b'b');
        // `( ) * + , - . /`, blank, and anything beyond ASCII (non-breaking blanks), whose sign bit is set already.
        let is_separator = (x & u8x16::splat(0xf8)).simd_eq(u8x16::splat(0x28)) | eq(x, b' ') | x;
        let direct = eq(x, b'@')
            // `: ; < = >`
            | within(x, b':', 4)
            | eq(x, b'%')
            | eq(x, b'\\')
            // In base64: `{"` and `{ `; `{` and a tab or the end of a line; a blank and `{`.
            | (eq(x, b'y') & (eq(x1, b'J') | eq(x1, b'A')))
            // `o` and `k` differ in one bit.
            | (eq(x, b'e') & eq(x1, b'w') & (eq(x2 & u8x16::splat(0xfb), b'k') | eq(x2, b'0')))
            // And `AKIA`, `ASIA`, `AIza`.
            | (eq(x, b'I') & (eq(x1, b'H') | eq(x1, b'A') | eq(x1, b'z')))
            // `ghp_` and the like; `npm_`, `sk_live_`, `_pat_`.
            | (eq(x2, b'_') & (eq(x, b'h') | eq(x1, b'm') | eq(x1, b'k') | eq(x1, b't')))
            // `xoxb-`, `glpat-`, `-----BEGIN`.
            | (eq(x4, b'-') & (eq(x, b'x') | eq(x, b'l') | eq(x, b'-')))
            // U+00AD, U+2000 and on, U+FE00 and on begin so; what else does is told later.
            | (x & u8x16::splat(0xd2)).simd_eq(u8x16::splat(0xc2))
            | (is_b & (eq(x5, b'r') | eq(x4, b'c')));

        let bits = |mask: u8x16| u64::from(mask.to_bitmask()) << at;
        classes.direct |= bits(direct);
        classes.digit |= bits(is_digit);
        classes.number |= bits(is_digit | is_separator);
        classes.dotted |= bits(is_digit | eq(x, b'.'));
        classes.letter |= bits(is_letter);
    }
    classes
}

#[inline(always)]
fn load(window: &[u8; BLOCK + AHEAD], at: usize) -> u8x16 {
    // Never the default: the callers' positions are constants within the window.
    u8x16::from(window.get(at..).and_then(|rest| rest.first_chunk::<16>().copied()).unwrap_or_default())
}

#[inline(always)]
fn eq(x: u8x16, byte: u8) -> u8x16 {
    x.simd_eq(u8x16::splat(byte))
}

/// `first <= x <= first + width`.
#[inline(always)]
fn within(x: u8x16, first: u8, width: u8) -> u8x16 {
    let offset = x - u8x16::splat(first);
    offset.min(u8x16::splat(width)).simd_eq(offset)
}

/// Position of the first byte at or after `from` that ends plain text inside a JSON string: a quote, a backslash or a
/// control character; the length where there is none.
#[must_use]
pub fn plain_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<16>()) {
        let x = u8x16::from(*chunk);
        let stop = eq(x, b'"') | eq(x, b'\\') | x.min(u8x16::splat(0x1f)).simd_eq(x);
        let bits = stop.to_bitmask();
        if bits != 0 {
            return at + bits.trailing_zeros() as usize;
        }
        at += 16;
    }
    bytes.iter().skip(at).position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)).map_or(bytes.len(), |offset| at + offset)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scan(text: &str) -> Vec<u32> {
        let mut found = Vec::new();
        candidates(text.as_bytes(), &mut found);
        found
    }

    #[test]
    fn ordinary_text_has_no_candidates() {
        for text in [
            "",
            "v1/predict",
            "/customers/orders/12345/items?page&size",
            "Suspending endpoint SampleAPI with last known good state, 3 failures in 12 ms",
            "SACC_0000193_S7_APIQA.S7_U1",
        ] {
            assert_eq!(scan(text), Vec::<u32>::new(), "{text}");
        }
    }

    #[test]
    fn starts_are_found_wherever_they_stand_in_a_block() {
        let cases: [(&str, usize); 19] = [
            ("jean@example.fr", 4),
            ("key=1", 3),
            ("key:1", 3),
            ("%40", 0),
            ("\\u0040", 0),
            ("eyJhbGci", 1),
            ("eyAiYWxn", 1),
            ("ewogICJh", 0),
            ("ew0KICJh", 0),
            ("IHsiYWxn", 0),
            ("\u{200b}", 0),
            ("\u{ff20}", 0),
            ("\u{ad}", 0),
            ("Bearer x", 0),
            ("bASIC x", 0),
            ("0612345678", 0),
            ("4111 1111 1111 1111", 0),
            ("10.1.2.3", 0),
            ("FR7630006000011234567890189", 0),
        ];
        for (text, offset) in cases {
            for pad in 0..200 {
                let padded = format!("{}{text}", "/".repeat(pad));
                assert!(scan(&padded).contains(&((pad + offset) as u32)), "{text} after {pad}");
                let padded = format!("{padded}{}", "/".repeat(pad));
                assert!(scan(&padded).contains(&((pad + offset) as u32)), "{text} within {pad}");
            }
        }
        for pad in 0..200 {
            let padded = format!("{}285052A00608436", "/".repeat(pad));
            assert!(scan(&padded).contains(&((pad + 6) as u32)), "Corsica after {pad}");
        }
    }

    #[test]
    fn plain_text_ends_at_a_quote_a_backslash_or_a_control_character() {
        for pad in 0..40 {
            for stop in ['"', '\\', '\n', '\0', '\u{1f}'] {
                let text = format!("{}é{stop}\"", "x".repeat(pad));
                assert_eq!(plain_end(text.as_bytes(), 0), pad + 2);
            }
            assert_eq!(plain_end("x".repeat(pad).as_bytes(), 0), pad);
            assert_eq!(plain_end("x".repeat(pad).as_bytes(), pad + 5), pad);
        }
    }
}
