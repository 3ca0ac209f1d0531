//! The index of a row: the places of the bytes at which a JSON string may not simply go on (quote, backslash, control character).
//!
//! Computed with SIMD before the row is scanned. The scan then takes the end of a string from the list instead of
//! looking for it, so that where one string ends does not wait for where the one before it ended. The idea of an index
//! first and a walk over it after is that of simdjson (Langdale and Lemire, 2019).

use wide::u8x16;

/// Bytes looked at together.
const BLOCK: usize = 64;
/// Places written at a time; what is written beyond the block's own is overwritten by the next.
const STRIDE: usize = 8;

/// See the module. The memory is used again from row to row.
#[derive(Debug, Default, Clone)]
pub(crate) struct Marks {
    places: Vec<u32>,
    count: usize,
}

impl Marks {
    /// Finds the places in `text[from..to]`.
    #[inline]
    pub(crate) fn index(&mut self, text: &[u8], from: usize, to: usize) {
        let row = text.get(from..to).unwrap_or_default();
        let room = row.len() + BLOCK + 2;
        if self.places.len() < room {
            self.places.resize(room.next_power_of_two(), 0);
        }
        let (blocks, rest) = row.as_chunks::<BLOCK>();
        let mut count = 0;
        let mut base = from as u32;
        for block in blocks {
            count = note(&mut self.places, count, base, word(block));
            base += BLOCK as u32;
        }
        if !rest.is_empty() {
            let mut last = [b' '; BLOCK];
            last[..rest.len()].copy_from_slice(rest);
            count = note(&mut self.places, count, base, word(&last));
        }
        // Two ends behind the last place: a string that has no end finds the row's.
        for _ in 0..2 {
            if let Some(place) = self.places.get_mut(count) {
                *place = to as u32;
            }
            count += 1;
        }
        self.count = count;
    }

    /// The places, ascending, and the row's end twice.
    #[inline]
    pub(crate) fn places(&self) -> &[u32] {
        self.places.get(..self.count).unwrap_or_default()
    }
}

#[inline(always)]
fn note(places: &mut [u32], count: usize, base: u32, mut bits: u64) -> usize {
    let total = bits.count_ones() as usize;
    let mut at = count;
    loop {
        // Without a branch for each bit: a block has about eight.
        if let Some(stride) = places.get_mut(at..).and_then(|p| p.first_chunk_mut::<STRIDE>()) {
            for place in stride {
                // The highest bit spares the question whether there is one; a place too many is overwritten.
                *place = base + (bits | 1 << 63).trailing_zeros();
                bits &= bits.wrapping_sub(1);
            }
        }
        at += STRIDE;
        if at >= count + total {
            return count + total;
        }
    }
}

#[inline(always)]
fn word(block: &[u8; BLOCK]) -> u64 {
    let (parts, _) = block.as_chunks::<16>();
    let mut bits = 0u64;
    for (i, part) in parts.iter().enumerate() {
        bits |= u64::from(hits(part)) << (16 * i);
    }
    bits
}

#[inline(always)]
fn hits(part: &[u8; 16]) -> u32 {
    let v = u8x16::new(*part);
    let hit = v.simd_eq(u8x16::splat(b'"')) | v.simd_eq(u8x16::splat(b'\\')) | v.min(u8x16::splat(0x1f)).simd_eq(v);
    hit.to_bitmask()
}

/// Whether a text can stand between quotes as it is.
#[inline]
pub(crate) fn is_plain(text: &[u8]) -> bool {
    let (parts, rest) = text.as_chunks::<16>();
    let mut last = [b' '; 16];
    last[..rest.len()].copy_from_slice(rest);
    parts.iter().all(|part| hits(part) == 0) && hits(&last) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_a_loop_finds() {
        let mut random = 1u64;
        let mut marks = Marks::default();
        for density in [2, 16, 60] {
            let text: Vec<u8> = (0..1000)
                .map(|_| {
                    random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
                    match (random >> 33) % density {
                        0 => [b'"', b'\\', (random >> 40) as u8 % 32][(random >> 50) as usize % 3],
                        _ => [b'a' + (random >> 40) as u8 % 26, 0x80 | (random >> 40) as u8][(random >> 50) as usize % 2],
                    }
                })
                .collect();
            for (from, to) in [(0, 0), (0, 1), (3, 66), (3, 67), (3, 68), (100, 228), (0, 1000), (999, 1000)] {
                marks.index(&text, from, to);
                let mut expected: Vec<u32> = (from..to).filter(|i| matches!(text[*i], b'"' | b'\\' | 0..=0x1f)).map(|i| i as u32).collect();
                assert_eq!(is_plain(&text[from..to]), expected.is_empty());
                expected.extend([to as u32, to as u32]);
                assert_eq!(marks.places(), expected);
            }
        }
    }
}
