//! Base64 as tokens carry it: either alphabet of RFC 4648, with or without padding.

/// Whether `byte` belongs to the URL-safe alphabet.
#[inline]
#[must_use]
pub fn is_url_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// Whether `byte` belongs to either alphabet or is padding.
#[inline]
#[must_use]
pub fn is_any(byte: u8) -> bool {
    is_url_safe(byte) || matches!(byte, b'+' | b'/' | b'=')
}

fn value(byte: u8) -> Option<u32> {
    let value = match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' | b'+' => 62,
        b'_' | b'/' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

/// Decodes four characters into three bytes. Says whether they are base64, without padding.
#[must_use]
pub fn decode_group(group: &[u8], out: &mut [u8; 3]) -> bool {
    let bits = group.iter().try_fold(0, |bits, &byte| Some(bits << 6 | value(byte)?));
    let Some(bits) = bits.filter(|_| group.len() == 4) else {
        return false;
    };
    let [_, first, second, third]: [u8; 4] = u32::to_be_bytes(bits);
    *out = [first, second, third];
    true
}

/// Decodes `text` into `out`, which it clears first. Says whether `text` is base64; bits left over at the end are not
/// checked.
#[must_use]
pub fn decode(text: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    let padding = text.iter().rev().take_while(|&&byte| byte == b'=').count();
    let Some(content) = text.get(..text.len() - padding) else {
        return false;
    };
    if padding > 2 || content.len() % 4 == 1 {
        return false;
    }
    for chunk in content.chunks(4) {
        let mut bits = 0;
        for &byte in chunk {
            let Some(value) = value(byte) else {
                return false;
            };
            bits = bits << 6 | value;
        }
        bits <<= 6 * (4 - chunk.len());
        let [_, first, second, third] = bits.to_be_bytes();
        out.extend([first, second, third].iter().take(chunk.len() - 1));
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_alphabets_with_and_without_padding() {
        let mut out = Vec::new();
        for (text, wanted) in
            [("", &b""[..]), ("Zg", b"f"), ("Zg==", b"f"), ("Zm8", b"fo"), ("Zm9v", b"foo"), ("-_8", b"\xfb\xff"), ("+/8=", b"\xfb\xff")]
        {
            assert!(decode(text.as_bytes(), &mut out), "{text}");
            assert_eq!(out, wanted, "{text}");
        }
        for text in ["Z", "Zm9vZ", "Zm9v!", "Zm=v", "===="] {
            assert!(!decode(text.as_bytes(), &mut out), "{text}");
        }
    }
}
