//! A table looked up by text in whatever case, without making a lower-case copy of it.

/// A map from text to values that takes ASCII letters of either case as equal. Built once, read often.
#[derive(Debug, Clone)]
pub struct CaselessMap<V> {
    entries: Vec<(Box<[u8]>, V)>,
    /// Open addressing; a power of two, at most half full.
    slots: Vec<Slot>,
}

/// Where an entry stands, and enough of its key to tell short keys apart without going there.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    word: u64,
    length: u32,
    /// The entry's index plus one; 0 for a free slot.
    entry: u32,
}

impl Slot {
    /// What is compared of `key`: up to [`WORD_BYTES`] all of it in lower case, of a longer one a hash.
    #[inline(always)]
    fn of(key: &[u8]) -> Self {
        let word = match key.first_chunk() {
            Some(first) if key.len() == WORD_BYTES => lower_case(u64::from_le_bytes(*first)),
            Some(_) => hash(key),
            None => lower_case(short(key)),
        };
        Self { word, length: key.len() as u32, entry: 0 }
    }

    /// The place to begin at in a table of `mask + 1` slots.
    #[inline]
    fn place(self, mask: usize) -> usize {
        let product = (self.word ^ u64::from(self.length)).wrapping_mul(MULTIPLIER);
        // The high bits of a product are the well mixed ones.
        (product >> 32) as usize & mask
    }
}

impl<V> CaselessMap<V> {
    /// Builds the table; of two keys that differ in case only, the later one counts.
    pub fn new<K: AsRef<[u8]>>(entries: impl IntoIterator<Item = (K, V)>) -> Self {
        let mut map = Self { entries: Vec::new(), slots: vec![Slot::default(); 2] };
        for (key, value) in entries {
            map.insert(key.as_ref(), value);
        }
        map
    }

    fn insert(&mut self, key: &[u8], value: V) {
        if let Some(index) = self.find(key) {
            if let Some((_, old)) = self.entries.get_mut(index) {
                *old = value;
            }
            return;
        }
        self.entries.push((key.to_ascii_lowercase().into(), value));
        if self.entries.len() * 2 > self.slots.len() {
            self.slots = vec![Slot::default(); self.entries.len().next_power_of_two() * 4];
            for index in 0..self.entries.len() {
                self.link(index);
            }
        } else {
            self.link(self.entries.len() - 1);
        }
    }

    /// Puts an entry into the first free slot from its key's place on.
    fn link(&mut self, index: usize) {
        let Some((key, _)) = self.entries.get(index) else {
            return;
        };
        let mask = self.slots.len() - 1;
        let slot = Slot { entry: index as u32 + 1, ..Slot::of(key) };
        let mut at = slot.place(mask);
        while self.slots.get(at).is_some_and(|taken| taken.entry != 0) {
            at = (at + 1) & mask;
        }
        if let Some(free) = self.slots.get_mut(at) {
            *free = slot;
        }
    }

    #[inline(always)]
    fn find(&self, key: &[u8]) -> Option<usize> {
        let mask = self.slots.len().wrapping_sub(1);
        let wanted = Slot::of(key);
        let mut at = wanted.place(mask);
        // A free slot ends the search; at most half of them are taken.
        loop {
            let slot = self.slots.get(at)?;
            let index = (slot.entry as usize).checked_sub(1)?;
            if slot.word == wanted.word
                && slot.length == wanted.length
                && (key.len() <= WORD_BYTES || self.entries.get(index).is_some_and(|(found, _)| equals(found, key)))
            {
                return Some(index);
            }
            at = (at + 1) & mask;
        }
    }

    /// The value under `key`, whatever its case.
    #[inline]
    pub fn get(&self, key: &[u8]) -> Option<&V> {
        self.entries.get(self.find(key)?).map(|(_, value)| value)
    }

    /// How many keys there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

/// Bytes that are compared as one word.
const WORD_BYTES: usize = 8;
/// An odd number without pattern: 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// A multiplicative hash over eight bytes at a time. Setting bit 5 folds the case of letters; that it also folds a few
/// other characters only makes a collision, since keys are compared in full.
#[inline]
fn hash(key: &[u8]) -> u64 {
    const FOLD: u64 = 0x2020_2020_2020_2020;
    let mut hash = key.len() as u64;
    let (words, rest) = key.as_chunks::<8>();
    for word in words.iter().map(|word| u64::from_le_bytes(*word)).chain([short(rest)]) {
        hash = (hash.rotate_left(5) ^ (word | FOLD)).wrapping_mul(MULTIPLIER);
    }
    // The high bits of a product are the well mixed ones.
    hash ^ hash >> 32
}

/// Whether `key` in lower case is `lower`. Eight bytes at a time: byte by byte this is the slowest part of a lookup in the
/// sandbox.
#[inline]
fn equals(lower: &[u8], key: &[u8]) -> bool {
    if lower.len() != key.len() {
        return false;
    }
    let (lower_words, lower_rest) = lower.as_chunks::<8>();
    let (key_words, key_rest) = key.as_chunks::<8>();
    lower_words.iter().zip(key_words).all(|(lower, key)| u64::from_le_bytes(*lower) == lower_case(u64::from_le_bytes(*key)))
        && short(lower_rest) == lower_case(short(key_rest))
}

/// Fewer than eight bytes as one word; not in memory order, but the same for the same bytes, and different for others of
/// the same length.
#[inline]
fn short(bytes: &[u8]) -> u64 {
    let word = |first: u8, middle: u8, last: u8| u64::from(first) | u64::from(middle) << 8 | u64::from(last) << 16;
    match bytes {
        [] => 0,
        [one] => word(*one, 0, 0),
        [one, two] => word(*one, 0, *two),
        [one, two, three] => word(*one, *two, *three),
        _ => match (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
            // The two overlap.
            (Some(first), Some(last)) => u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)),
            _ => 0,
        },
    }
}

/// The eight bytes of a word with ASCII letters in lower case.
#[inline]
fn lower_case(word: u64) -> u64 {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const HIGH: u64 = 0x80 * EACH;
    // Without their high bits no sum of two bytes carries into the next one.
    let low = word & !HIGH;
    let from_a = low + (0x80 - b'A' as u64) * EACH;
    let past_z = low + (0x7f - b'Z' as u64) * EACH;
    let upper = from_a & !past_z & !word & HIGH;
    word | upper >> 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_any_case() {
        let map = CaselessMap::new([("cio", 1), ("S7_", 2), ("a-long-key-of-Some-bytes", 3)]);
        for (key, value) in [("CIO", 1), ("s7_", 2), ("A-LONG-KEY-OF-SOME-BYTES", 3), ("cIo", 1)] {
            assert_eq!(map.get(key.as_bytes()), Some(&value), "{key}");
        }
        // `_` and DEL differ in bit 5 only, as letters of different case do.
        for absent in ["", "ci", "cio_", "s7\u{7f}", "a-long-key-of-some-byte"] {
            assert_eq!(map.get(absent.as_bytes()), None, "{absent}");
        }
    }

    #[test]
    fn comparing_words_is_comparing_bytes() {
        for byte in 0..=u8::MAX {
            for length in 1..20 {
                let (mut key, mut lower) = (vec![b'x'; length], vec![b'x'; length]);
                for place in [0, length - 1] {
                    key[place] = byte;
                    lower[place] = byte.to_ascii_lowercase();
                }
                assert!(equals(&lower, &key), "{byte:#x} {length}");
                lower[length / 2] ^= 1;
                assert!(!equals(&lower, &key), "{byte:#x} {length}");
            }
            let word = u64::from_le_bytes([byte, 0, 0xff, b'A', b'Z', b'@', b'[', byte]);
            assert_eq!(lower_case(word).to_le_bytes(), word.to_le_bytes().map(|byte| byte.to_ascii_lowercase()));
        }
    }

    #[test]
    fn many_keys_and_the_last_of_equals() {
        let keys = (0..5000).map(|n| (format!("Owner{n}"), n));
        let map = CaselessMap::new(keys.chain([("OWNER7".to_owned(), -7)]));
        assert_eq!(map.len(), 5000);
        for n in 0..5000 {
            let expected = if n == 7 { -7 } else { n };
            assert_eq!(map.get(format!("oWNER{n}").as_bytes()), Some(&expected));
        }
        assert_eq!(map.get(b"owner5000"), None);
    }

    #[test]
    fn an_empty_table_finds_nothing() {
        let map = CaselessMap::<u8>::new::<&str>([]);
        assert!(map.is_empty());
        assert_eq!(map.get(b""), None);
        assert_eq!(map.get(b"a"), None);
        let with_empty_key = CaselessMap::new([("", 1)]);
        assert_eq!(with_empty_key.get(b""), Some(&1));
    }
}
