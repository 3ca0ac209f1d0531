//! Protobuf, written into one buffer as it comes: no message is built in memory before.

/// How a field's value is written.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const LENGTH: u8 = 2;
const FIXED32: u8 = 5;
/// Bytes of the longest number.
const VARINT_BYTES_MAX: usize = 10;

fn key(out: &mut Vec<u8>, tag: u8, kind: u8) {
    out.push(tag << 3 | kind);
}

fn encoded(mut number: u64) -> ([u8; VARINT_BYTES_MAX], usize) {
    let (mut bytes, mut length) = ([0; VARINT_BYTES_MAX], 0);
    for byte in &mut bytes {
        length += 1;
        *byte = (number & 0x7f) as u8;
        number >>= 7;
        if number == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, length)
}

fn varint(out: &mut Vec<u8>, number: u64) {
    let (bytes, length) = encoded(number);
    out.extend_from_slice(bytes.get(..length).unwrap_or_default());
}

/// A number; also 0, which a field outside of a choice leaves out.
pub(super) fn number(out: &mut Vec<u8>, tag: u8, value: u64) {
    key(out, tag, VARINT);
    varint(out, value);
}

/// A number of eight bytes.
pub(super) fn fixed64(out: &mut Vec<u8>, tag: u8, value: u64) {
    key(out, tag, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

/// A number of four bytes.
pub(super) fn fixed32(out: &mut Vec<u8>, tag: u8, value: u32) {
    key(out, tag, FIXED32);
    out.extend_from_slice(&value.to_le_bytes());
}

/// The beginning of a field of so many bytes, which are to follow.
pub(super) fn begin(out: &mut Vec<u8>, tag: u8, length: usize) {
    key(out, tag, LENGTH);
    varint(out, length as u64);
}

/// Bytes, a text, or a message that is written already.
pub(super) fn bytes(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    begin(out, tag, value.len());
    out.extend_from_slice(value);
}

/// A message that is written now: its length stands in front of it, and is known behind it.
pub(super) fn message(out: &mut Vec<u8>, tag: u8, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, tag, LENGTH);
    let at = out.len();
    // Most are short.
    out.push(0);
    write(out);
    let end = out.len();
    let (bytes, length) = encoded((end - at - 1) as u64);
    if length > 1 {
        out.resize(end + length - 1, 0);
        out.copy_within(at + 1..end, at + length);
    }
    if let (Some(place), Some(bytes)) = (out.get_mut(at..at + length), bytes.get(..length)) {
        place.copy_from_slice(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::encoding::{encode_varint, encoded_len_varint};

    #[test]
    fn numbers_are_those_of_protobuf() {
        for value in [0, 1, 127, 128, 300, 16_383, 16_384, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            varint(&mut ours, value);
            encode_varint(value, &mut theirs);
            assert_eq!((ours.len(), &ours), (encoded_len_varint(value), &theirs), "{value}");
        }
    }

    #[test]
    fn messages_of_all_lengths() {
        for length in [0, 1, 127, 128, 16_383, 16_384, 3_000_000] {
            let content = vec![b'x'; length];
            let (mut written, mut known) = (b"before".to_vec(), b"before".to_vec());
            message(&mut written, 6, |out| out.extend_from_slice(&content));
            bytes(&mut known, 6, &content);
            assert!(written == known, "{length}");
        }
    }
}
