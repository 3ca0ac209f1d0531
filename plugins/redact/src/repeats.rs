//! Values that were found in a record, looked for again in all of it: a secret told by its field's name stands in the raw
//! message too, where nothing names it.
//!
//! All values are searched for in one pass, by their first four bytes. Work and space have limits; what goes beyond them is
//! told, so that the caller can reject the record instead of letting half of it pass.

use std::ops::Range;

use crate::kind::Kind;

/// Shortest value looked for, in bytes: a shorter one stands everywhere.
pub const VALUE_BYTES_MIN: usize = 6;
/// Values of one record, and their bytes together.
pub const VALUES_MAX: usize = 256;
/// See [`VALUES_MAX`].
pub const BYTES_MAX: usize = 64 * 1024;
/// From this length on a value counts within a longer word too.
const UNMISTAKABLE_BYTES_MIN: usize = 16;
/// Comparisons a byte of text; ordinary text needs next to none.
const COMPARISONS_PER_BYTE: usize = 16;
/// Values that a text is looked through for one after the other.
const FINDERS_MAX: usize = 8;
/// Slots of the table, a power of two.
const SLOTS: usize = 1024;

/// What an engine does about repeats.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// Nothing.
    #[default]
    Off,
    /// It notes what it finds.
    Collect,
    /// It looks for what was noted.
    Search,
}

/// The values of one record.
#[derive(Debug)]
pub struct Repeats {
    /// What is done at the moment.
    pub phase: Phase,
    bytes: Vec<u8>,
    values: Vec<Value>,
    /// The first value of each slot plus one; 0 for none.
    slots: Vec<u16>,
    /// The bytes that values begin with, a bit each.
    firsts: [u64; 4],
    /// Whether a limit was reached.
    exceeded: bool,
}

#[derive(Debug)]
struct Value {
    kind: Kind,
    range: Range<usize>,
    /// The next value of the same slot, as in `slots`.
    next: u16,
}

impl Default for Repeats {
    fn default() -> Self {
        Self { phase: Phase::Off, bytes: Vec::new(), values: Vec::new(), slots: vec![0; SLOTS], firsts: [0; 4], exceeded: false }
    }
}

impl Repeats {
    /// Forgets the record before and notes what is found from now on.
    pub fn begin(&mut self) {
        for value in &self.values {
            let slot = self.bytes.get(value.range.clone()).and_then(slot_of).and_then(|slot| self.slots.get_mut(slot));
            if let Some(slot) = slot {
                *slot = 0;
            }
        }
        self.values.clear();
        self.bytes.clear();
        self.firsts = [0; 4];
        self.exceeded = false;
        self.phase = Phase::Collect;
    }

    /// Whether there is anything to look for.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Whether a value begins with this byte.
    #[inline]
    fn begins_one(&self, byte: u8) -> bool {
        self.firsts.get(usize::from(byte >> 6)).is_some_and(|bits| bits >> (byte & 63) & 1 == 1)
    }

    /// Whether a limit was reached, so that a repeat may have been missed.
    #[must_use]
    pub fn exceeded(&self) -> bool {
        self.exceeded
    }

    /// Notes a value. Addresses are not noted: they are found wherever they stand.
    pub fn note(&mut self, kind: Kind, value: &[u8]) {
        let value = value.trim_ascii();
        self.note_one(kind, value);
        // `Bearer abc`: the message may hold the token alone.
        if kind == Kind::Named
            && let Some(blank) = value.iter().position(u8::is_ascii_whitespace)
            && value.get(..blank).is_some_and(|scheme| scheme.iter().all(u8::is_ascii_alphabetic))
            && let Some(token) = value.get(blank..).map(<[u8]>::trim_ascii).filter(|token| !token.contains(&b' '))
        {
            self.note_one(kind, token);
        }
    }

    fn note_one(&mut self, kind: Kind, value: &[u8]) {
        let Some(slot) = slot_of(value).filter(|_| value.len() >= VALUE_BYTES_MIN && kind != Kind::Ip) else {
            return;
        };
        let mut next = self.slots.get(slot).copied().unwrap_or(0);
        let first = next;
        while let Some(known) = usize::from(next).checked_sub(1).and_then(|index| self.values.get(index)) {
            if self.bytes.get(known.range.clone()) == Some(value) {
                return;
            }
            next = known.next;
        }
        if self.values.len() >= VALUES_MAX || self.bytes.len() + value.len() > BYTES_MAX {
            self.exceeded = true;
            return;
        }
        if let Some(&first) = value.first()
            && let Some(bits) = self.firsts.get_mut(usize::from(first >> 6))
        {
            *bits |= 1 << (first & 63);
        }
        let start = self.bytes.len();
        self.bytes.extend_from_slice(value);
        self.values.push(Value { kind, range: start..self.bytes.len(), next: first });
        if let Some(slot) = self.slots.get_mut(slot) {
            // At most 256 values.
            *slot = self.values.len() as u16;
        }
    }

    /// Whether a noted value may stand in `text`, which what was found has been taken out of: as it is, or in some encoding. Most
    /// values stand once, and the pass over the record that [`Repeats::search`] takes is then spared.
    #[must_use]
    pub fn may_stand_in(&self, text: &[u8]) -> bool {
        let plain =
            |bytes: &[u8]| memchr::memchr3(b'%', b'\\', b'&', bytes).is_none() && memchr::memchr3(0xc2, 0xe2, 0xef, bytes).is_none();
        self.exceeded
            || self.values.len() > FINDERS_MAX
            || !plain(text)
            || self.values.iter().any(|value| {
                let value = self.bytes.get(value.range.clone()).unwrap_or_default();
                memchr::memmem::find(text, value).is_some()
            })
    }

    /// Calls `found` for each place in `text` that holds a noted value.
    pub fn search(&mut self, text: &[u8], mut found: impl FnMut(Kind, Range<usize>)) {
        let mut comparisons = text.len().saturating_mul(COMPARISONS_PER_BYTE).saturating_add(BYTES_MAX);
        let mut at = 0;
        while let Some(rest) = text.get(at..).filter(|rest| rest.len() >= VALUE_BYTES_MIN) {
            if rest.first().is_some_and(|first| !self.begins_one(*first)) {
                at += 1;
                continue;
            }
            let mut longest: Option<(Kind, Range<usize>)> = None;
            let mut next = slot_of(rest).and_then(|slot| self.slots.get(slot)).copied().unwrap_or(0);
            while let Some(value) = usize::from(next).checked_sub(1).and_then(|index| self.values.get(index)) {
                next = value.next;
                let bytes = self.bytes.get(value.range.clone()).unwrap_or_default();
                let same = rest.iter().zip(bytes).take_while(|(text, value)| text == value).count();
                comparisons = comparisons.saturating_sub(same + 1);
                let range = at..at + bytes.len();
                if same == bytes.len()
                    && longest.as_ref().is_none_or(|(_, longest)| longest.len() < bytes.len())
                    && (bytes.len() >= UNMISTAKABLE_BYTES_MIN || stands_alone(text, &range))
                {
                    longest = Some((value.kind, range));
                }
            }
            if comparisons == 0 {
                self.exceeded = true;
                return;
            }
            at = match longest {
                Some((kind, range)) => {
                    let end = range.end;
                    found(kind, range);
                    end
                }
                None => at + 1,
            };
        }
    }
}

/// Whether no word goes on at either end.
fn stands_alone(text: &[u8], range: &Range<usize>) -> bool {
    let joined = |inner: Option<&u8>, outer: Option<&u8>| {
        inner.is_some_and(u8::is_ascii_alphanumeric) && outer.is_some_and(u8::is_ascii_alphanumeric)
    };
    let before = range.start.checked_sub(1).and_then(|before| text.get(before));
    let last = range.end.checked_sub(1).and_then(|last| text.get(last));
    !joined(text.get(range.start), before) && !joined(last, text.get(range.end))
}

fn slot_of(text: &[u8]) -> Option<usize> {
    let word = u32::from_le_bytes(*text.first_chunk()?);
    Some((word.wrapping_mul(0x9e37_79b1) >> 22) as usize & (SLOTS - 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found<'t>(repeats: &mut Repeats, text: &'t str) -> Vec<&'t str> {
        let mut places = Vec::new();
        repeats.search(text.as_bytes(), |_, range| places.push(range));
        places.into_iter().map(|range| &text[range]).collect()
    }

    #[test]
    fn noted_values_are_found_where_they_stand_alone() {
        let mut repeats = Repeats::default();
        repeats.begin();
        for value in ["hunter2", "hunter2-and-more", "Bearer abcdefgh", "short", "0123456789abcdef0"] {
            repeats.note(Kind::Named, value.as_bytes());
        }
        assert_eq!(found(&mut repeats, "x=hunter2, y=hunter2-and-more"), ["hunter2", "hunter2-and-more"]);
        assert_eq!(found(&mut repeats, "hunter23 xhunter2 short"), [""; 0]);
        assert_eq!(found(&mut repeats, "abcdefgh|Bearer abcdefgh"), ["abcdefgh", "Bearer abcdefgh"]);
        assert_eq!(found(&mut repeats, "x0123456789abcdef0y"), ["0123456789abcdef0"]);
        assert!(!repeats.exceeded());
        repeats.begin();
        assert!(repeats.is_empty());
        assert_eq!(found(&mut repeats, "hunter2"), [""; 0]);
    }

    #[test]
    fn limits_are_told() {
        let mut repeats = Repeats::default();
        repeats.begin();
        for n in 0..=VALUES_MAX {
            assert!(!repeats.exceeded());
            repeats.note(Kind::Email, format!("value{n:06}").as_bytes());
        }
        assert!(repeats.exceeded());
        repeats.begin();
        repeats.note(Kind::Email, &vec![b'x'; BYTES_MAX + 1]);
        assert!(repeats.exceeded());
    }

    #[test]
    fn values_that_begin_alike_take_bounded_time() {
        let mut repeats = Repeats::default();
        repeats.begin();
        for n in 0..VALUES_MAX {
            repeats.note(Kind::Named, format!("{}{n}", "a".repeat(200)).as_bytes());
        }
        let text = "a".repeat(1 << 20);
        let start = std::time::Instant::now();
        assert_eq!(found(&mut repeats, &text), [""; 0]);
        assert!(repeats.exceeded());
        assert!(start.elapsed().as_millis() < 500, "{:?}", start.elapsed());
    }
}
