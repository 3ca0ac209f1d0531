//! What a path's segment is: a word of the resource, or a value and of which kind. Nothing is learned from the records, so
//! all hosts and lanes agree and no memory grows.

/// Longest word that stays a word, in bytes.
pub const WORD_BYTES_MAX: usize = 64;
/// Longest segment that is decoded; what is longer is a value anyway.
const DECODED_BYTES_MAX: usize = 256;
/// Shortest run of base64 or of hexadecimal digits that is a hash.
const HASH_BYTES_MIN: usize = 16;
/// From so many digits on, a segment of letters and digits is an identifier: `SACC0193`, `6A12345678901`.
const ID_DIGITS_MIN: usize = 4;

/// What stands for a value in the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A word of the resource: it stays.
    Word,
    /// A number, or letters with a number.
    Id,
    /// A UUID, with `urn:uuid:` or without.
    Uuid,
    /// A day, a month, or a time (ISO 8601).
    Date,
    /// An e-mail address.
    Email,
    /// A hash or a token.
    Hash,
    /// Anything else that is no word: text beyond ASCII, escapes, blanks, or more than 64 bytes.
    Text,
}

impl Kind {
    /// What is written; `None` for a word, which stays.
    #[must_use]
    pub fn placeholder(self) -> Option<&'static str> {
        Some(match self {
            Self::Word => return None,
            Self::Id => "{id}",
            Self::Uuid => "{uuid}",
            Self::Date => "{date}",
            Self::Email => "{email}",
            Self::Hash => "{hash}",
            Self::Text => "{text}",
        })
    }
}

/// The kind of one segment, as it stands in the path.
#[inline]
#[must_use]
pub fn kind(segment: &[u8]) -> Kind {
    // Most segments are words of letters.
    if segment.len() <= WORD_BYTES_MAX && segment.iter().all(|byte| byte.is_ascii_lowercase()) && segment.len() < HASH_BYTES_MIN {
        return Kind::Word;
    }
    if !segment.contains(&b'%') {
        return plain_kind(segment);
    }
    let mut decoded = [0; DECODED_BYTES_MAX];
    match decode(segment, &mut decoded) {
        Some(decoded) => match plain_kind(decoded) {
            // An escape is nothing that a resource's own words need.
            Kind::Word => Kind::Text,
            kind => kind,
        },
        None => Kind::Text,
    }
}

/// Takes the percent-encoding off, once.
fn decode<'d>(segment: &[u8], decoded: &'d mut [u8; DECODED_BYTES_MAX]) -> Option<&'d [u8]> {
    let mut length = 0;
    let mut rest = segment;
    while let [byte, after @ ..] = rest {
        let (byte, after) = match (byte, after) {
            (b'%', [high, low, after @ ..]) => match (hex_value(*high), hex_value(*low)) {
                (Some(high), Some(low)) => (high << 4 | low, after),
                _ => (b'%', &rest[1..]),
            },
            (byte, after) => (*byte, after),
        };
        *decoded.get_mut(length)? = byte;
        length += 1;
        rest = after;
    }
    decoded.get(..length)
}

fn hex_value(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn plain_kind(segment: &[u8]) -> Kind {
    let counts = Counts::of(segment);
    if counts.others > 0 {
        return match is_email(segment) {
            true => Kind::Email,
            false => Kind::Text,
        };
    }
    if is_email(segment) {
        return Kind::Email;
    }
    if counts.digits == 0 && !is_hash(segment, counts) {
        return if segment.len() > WORD_BYTES_MAX { Kind::Text } else { Kind::Word };
    }
    if is_uuid(segment) {
        Kind::Uuid
    } else if is_date(segment) {
        Kind::Date
    } else if counts.letters() == 0 && is_number(segment, counts) {
        Kind::Id
    } else if is_hash(segment, counts) {
        Kind::Hash
    } else if counts.letters() > 0 && counts.digits >= ID_DIGITS_MIN {
        Kind::Id
    } else if segment.len() > WORD_BYTES_MAX {
        Kind::Text
    } else {
        Kind::Word
    }
}

/// How many bytes of each class a segment has.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    lower: usize,
    upper: usize,
    digits: usize,
    /// Letters up to `f`, in either case.
    hex_letters: usize,
    /// Neighbours of different class.
    changes: usize,
    /// What no word of a resource has: beyond ASCII, control characters, blanks, quotes, braces.
    others: usize,
}

impl Counts {
    fn of(segment: &[u8]) -> Self {
        let mut counts = Self::default();
        let mut before = 0_u8;
        for byte in segment {
            let class = match byte {
                b'0'..=b'9' => {
                    counts.digits += 1;
                    1
                }
                b'a'..=b'z' => {
                    counts.lower += 1;
                    2
                }
                b'A'..=b'Z' => {
                    counts.upper += 1;
                    3
                }
                b'-' | b'_' | b'.' | b'~' | b'!' | b'$' | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b'=' | b':' | b'@' => 4,
                _ => {
                    counts.others += 1;
                    5
                }
            };
            counts.hex_letters += usize::from(matches!(byte | 0x20, b'a'..=b'f') && byte.is_ascii_alphabetic());
            counts.changes += usize::from(before != 0 && before != class);
            before = class;
        }
        counts
    }

    fn letters(self) -> usize {
        self.lower + self.upper
    }
}

/// Digits, or digits with signs and separators and at least five of them: `48.8566,2.3522`, but not the version `1.0.0`.
fn is_number(segment: &[u8], counts: Counts) -> bool {
    counts.digits == segment.len()
        || counts.digits > ID_DIGITS_MIN
        || (segment.first() == Some(&b'-') && counts.digits + 1 == segment.len())
}

/// 8-4-4-4-12 hexadecimal digits (RFC 9562), behind `urn:uuid:` or between braces.
fn is_uuid(segment: &[u8]) -> bool {
    let uuid = match segment.get(..9) {
        Some(prefix) if prefix.eq_ignore_ascii_case(b"urn:uuid:") => segment.get(9..).unwrap_or_default(),
        _ => segment,
    };
    uuid.len() == 36
        && uuid.iter().enumerate().all(|(place, byte)| match place {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `2025-03-03`, `20250303`, `2025-03`, with a time behind the day or without.
fn is_date(segment: &[u8]) -> bool {
    let number = |range: std::ops::Range<usize>| {
        let digits = segment.get(range)?;
        digits.iter().try_fold(0_u32, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u32::from(digit - b'0')))
    };
    let Some(1900..=2099) = number(0..4) else {
        return false;
    };
    let dashed = segment.get(4) == Some(&b'-');
    let (month, day) = if dashed { (number(5..7), number(8..10)) } else { (number(4..6), number(6..8)) };
    if !matches!(month, Some(1..=12)) {
        return false;
    }
    if dashed && segment.len() == 7 {
        return true;
    }
    let separated = !dashed || segment.get(7) == Some(&b'-');
    let rest = segment.get(if dashed { 10 } else { 8 }..);
    let time = |byte: &u8| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'+' | b'-' | b'Z' | b',');
    let ends = match rest {
        Some([]) => true,
        Some([b'T' | b't' | b' ' | b'_', time_of_day @ ..]) => !time_of_day.is_empty() && time_of_day.iter().all(time),
        _ => false,
    };
    separated && matches!(day, Some(1..=31)) && ends
}

/// An address: something, `@`, and a domain with a dot.
fn is_email(segment: &[u8]) -> bool {
    let Some(at) = segment.iter().rposition(|byte| *byte == b'@') else {
        return false;
    };
    let domain = segment.get(at + 1..).unwrap_or_default();
    let dotted = domain.iter().rposition(|byte| *byte == b'.').is_some_and(|dot| dot > 0 && dot + 2 < domain.len());
    at > 0 && dotted
}

/// Sixteen bytes or more of hexadecimal digits or of base64, in either alphabet.
///
/// Words run: in `getOrderByCustomer` one letter in three is of another class than the one before. In base64 it is two in
/// three, in lower-case letters mixed with digits two in five. Nothing but base64 ends in `=`.
fn is_hash(segment: &[u8], counts: Counts) -> bool {
    let length = segment.len();
    if length < HASH_BYTES_MIN {
        return false;
    }
    let padding = segment.iter().rev().take_while(|byte| **byte == b'=').count();
    let base64 = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'.');
    if padding > 2 || !segment.iter().take(length - padding).all(base64) {
        return false;
    }
    let hex = counts.digits + counts.hex_letters == length && counts.digits > 0 && counts.letters() > 0;
    let one_case = counts.lower == 0 || counts.upper == 0;
    let mixed = match one_case {
        _ if padding > 0 => true,
        true => counts.digits >= 3 && counts.changes * 10 >= length * 3 && counts.letters() > 0,
        false => counts.changes * 20 >= length * 9,
    };
    hex || mixed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_segments() {
        let cases: [(Kind, &[&str]); 7] = [
            (
                Kind::Word,
                &[
                    "orders",
                    "v1",
                    "v1.2.0",
                    "1.0.0",
                    "1.0",
                    "s2sPrediction",
                    "getOrderByCustomer",
                    "oauth2",
                    "list-all_items",
                    "x",
                    "",
                    "OrderItemsSearchV2",
                    "my-great-resource-name",
                    "CustomerRelationshipManagement",
                    "a:b",
                    "abcdefabcdef",
                    "*",
                    "@me",
                    "i18n",
                    "swagger.json",
                    "deadbeefdeadbeef",
                ],
            ),
            (
                Kind::Id,
                &[
                    "7",
                    "123",
                    "0001234",
                    "-5",
                    "48.8566,2.3522",
                    "12-34-56",
                    "SACC_0000193",
                    "6A12345678901",
                    "FR7630006000011234567890189",
                    "order-12345",
                    "1234a",
                    "20251303",
                    "99999999",
                ],
            ),
            (
                Kind::Uuid,
                &[
                    "e93288b1-99ba-477c-b7f2-1dadde01ec79",
                    "E93288B1-99BA-477C-B7F2-1DADDE01EC79",
                    "urn:uuid:e93288b1-99ba-477c-b7f2-1dadde01ec79",
                    "urn%3Auuid%3Ae93288b1-99ba-477c-b7f2-1dadde01ec79",
                ],
            ),
            (Kind::Date, &["2025-03-03", "20250303", "2025-03", "2025-03-03T11:42:07.381Z", "2025-03-03T11%3A42%3A07%2B01%3A00"]),
            (Kind::Email, &["jean.dupont@example.fr", "jean%40example.fr", "é@example.fr", "j+x@sub.example.com"]),
            (
                Kind::Hash,
                &[
                    "d41d8cd98f00b204e9800998ecf8427e",
                    "0cc175b9c0f1b6a8",
                    "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
                    "SplxlOBeZQQYbYS6WxSbIA",
                    "k3j5h2k3j5h2k3j5",
                    "dXNlcjpwYXNzd29yZA==",
                    "aHR0cHM6Ly9leGFtcGxl",
                ],
            ),
            (Kind::Text, &["caf\u{e9}", "jean%20dupont", "caf%C3%A9", "a b", "%zz", "{x}", "a\"b"]),
        ];
        for (wanted, segments) in cases {
            for segment in segments {
                assert_eq!(kind(segment.as_bytes()), wanted, "{segment}");
            }
        }
        assert_eq!(kind("word-".repeat(14).as_bytes()), Kind::Text);
        assert_eq!(kind("%41".repeat(300).as_bytes()), Kind::Text);
    }
}
