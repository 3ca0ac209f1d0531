//! Appending short values to a buffer.

/// Appends `value`. In the sandbox a copy whose length is only known when it runs is a call into the host, which costs more
/// than moving a short value in words; natively it is a few instructions.
#[inline]
pub(crate) fn append(bytes: &mut Vec<u8>, value: &[u8]) {
    if cfg!(target_arch = "wasm32") {
        append_words(bytes, value);
    } else {
        bytes.extend_from_slice(value);
    }
}

#[inline]
fn append_words(bytes: &mut Vec<u8>, value: &[u8]) {
    match value.len() {
        0..4 => value.iter().for_each(|byte| bytes.push(*byte)),
        4..8 => both_ends::<4>(bytes, value),
        8..=16 => both_ends::<8>(bytes, value),
        17..=32 => both_ends::<16>(bytes, value),
        _ => bytes.extend_from_slice(value),
    }
}

/// Appends a value of `N` to twice `N` bytes as its first and its last `N`, which overlap.
#[inline]
fn both_ends<const N: usize>(bytes: &mut Vec<u8>, value: &[u8]) {
    bytes.reserve(value.len() + N);
    if let (Some(first), Some(last)) = (value.first_chunk::<N>(), value.last_chunk::<N>()) {
        let end = bytes.len() + value.len();
        bytes.extend_from_slice(first);
        bytes.truncate(end - N);
        // Between the two ends there is no gap, so nothing is left out.
        bytes.extend_from_slice(last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_length_is_appended_whole() {
        let value: Vec<u8> = (1..=40).collect();
        for length in 0..=value.len() {
            let mut bytes = b"before".to_vec();
            append_words(&mut bytes, &value[..length]);
            assert_eq!(bytes, [b"before", &value[..length]].concat(), "{length}");
        }
    }
}
