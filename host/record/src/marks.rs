//! The index of a text: one bit a byte, set where a JSON string may not simply go on (quote, backslash, control character).
//!
//! Computed once over a whole batch with SIMD; the scan then skips a string by finding the next set bit instead of
//! looking at each byte. The idea of a bit a byte is that of simdjson's first stage (Langdale and Lemire, 2019).

use wide::u8x16;

/// Bytes that a word of the index stands for.
const BLOCK: usize = 64;

/// See the module.
#[derive(Debug, Default, Clone)]
pub(crate) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    /// Computes the index of `text`, reusing the memory.
    pub(crate) fn index(&mut self, text: &[u8]) {
        self.words.clear();
        self.words.reserve(text.len() / BLOCK + 1);
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        self.words.extend(blocks.iter().map(word));
        let mut last = [0u8; BLOCK];
        last[..rest.len()].copy_from_slice(rest);
        // The zeros behind the text are control characters: there is a set bit behind every text.
        self.words.push(word(&last));
    }

    /// The first marked byte at or after `at`; the text's length rounded up where there is none.
    #[inline]
    pub(crate) fn next(&self, at: usize) -> usize {
        let mut i = at / BLOCK;
        let Some(first) = self.words.get(i) else { return at };
        let mut word = first >> (at % BLOCK) << (at % BLOCK);
        while word == 0 {
            i += 1;
            match self.words.get(i) {
                Some(next) => word = *next,
                None => return i * BLOCK,
            }
        }
        i * BLOCK + word.trailing_zeros() as usize
    }
}

#[inline]
fn word(block: &[u8; BLOCK]) -> u64 {
    let quote = u8x16::splat(b'"');
    let backslash = u8x16::splat(b'\\');
    let control = u8x16::splat(0x1f);
    let (parts, _) = block.as_chunks::<16>();
    let mut bits = 0u64;
    for (i, part) in parts.iter().enumerate() {
        let v = u8x16::new(*part);
        let hit = v.simd_eq(quote) | v.simd_eq(backslash) | v.min(control).simd_eq(v);
        bits |= u64::from(hit.to_bitmask()) << (16 * i);
    }
    bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_loop_finds() {
        let mut random = 1u64;
        let text: Vec<u8> = (0..1000)
            .map(|_| {
                random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                match random >> 60 {
                    0 => b'"',
                    1 => b'\\',
                    2 => (random >> 40) as u8 % 32,
                    3 => 0x80 | (random >> 40) as u8,
                    _ => b'a' + (random >> 40) as u8 % 26,
                }
            })
            .collect();
        for length in [0, 1, 63, 64, 65, 127, 128, 1000] {
            let text = &text[..length];
            let mut marks = Marks::default();
            marks.index(text);
            for at in 0..length {
                let expected = (at..length).find(|i| matches!(text[*i], b'"' | b'\\' | 0..=0x1f));
                match expected {
                    Some(i) => assert_eq!(marks.next(at), i),
                    None => assert!(marks.next(at) >= length),
                }
            }
        }
    }
}
