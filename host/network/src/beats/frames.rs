//! The parts of the Lumberjack protocol: windows, events, and packed parts.

use crate::fields::string;
use std::ops::Range;

/// Version and kind.
const HEAD: usize = 2;
/// Fields of an event of version 1.
const PAIRS_MAX: u32 = 1_000;

/// The protocol's version, as its parts begin with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Version {
    One,
    #[default]
    Two,
}

impl Version {
    fn digit(self) -> u8 {
        match self {
            Self::One => b'1',
            Self::Two => b'2',
        }
    }
}

/// What stands at the beginning of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Next {
    /// So many events follow, and are acknowledged together.
    Window { version: Version, events: u32, used: usize },
    /// An event as JSON.
    Json { sequence: u32, at: Range<usize>, used: usize },
    /// The head of an event that is too long.
    TooLong { sequence: u32, length: usize, used: usize },
    /// An event of version 1, as JSON.
    Made { sequence: u32, json: Vec<u8>, used: usize },
    /// Parts packed with zlib.
    Packed { at: Range<usize>, used: usize },
    /// More is needed: so many bytes in all.
    More(usize),
}

/// Why a connection cannot go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("what came is not the Lumberjack protocol")]
    Form,
    #[error("a part has more bytes than are accepted")]
    TooLarge,
}

/// How large parts may be, in bytes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) event: usize,
    pub(super) packed: usize,
}

pub(super) fn next(bytes: &[u8], limits: Limits) -> Result<Next, Bad> {
    let version = match bytes.first() {
        None => return Ok(Next::More(HEAD)),
        Some(b'1') => Version::One,
        Some(b'2') => Version::Two,
        Some(_) => return Err(Bad::Form),
    };
    match bytes.get(1) {
        None => Ok(Next::More(HEAD)),
        Some(b'W') => Ok(match number(bytes, HEAD) {
            Some(events) => Next::Window { version, events, used: HEAD + 4 },
            None => Next::More(HEAD + 4),
        }),
        Some(b'J') => Ok(json(bytes, limits)),
        Some(b'D') => pairs(bytes, limits),
        Some(b'C') => {
            let Some(length) = number(bytes, HEAD) else { return Ok(Next::More(HEAD + 4)) };
            let end = HEAD + 4 + length as usize;
            Ok(match bytes.len() {
                _ if length as usize > limits.packed => return Err(Bad::TooLarge),
                there if there < end => Next::More(end),
                _ => Next::Packed { at: HEAD + 4..end, used: end },
            })
        }
        Some(_) => Err(Bad::Form),
    }
}

/// An acknowledgement of all events up to this one; 0 is a sign of life.
pub(super) fn ack(version: Version, sequence: u32) -> Vec<u8> {
    let [a, b, c, d] = sequence.to_be_bytes();
    vec![version.digit(), b'A', a, b, c, d]
}

fn number(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at.checked_add(4)?)?.try_into().ok().map(u32::from_be_bytes)
}

fn json(bytes: &[u8], limits: Limits) -> Next {
    const BEFORE: usize = HEAD + 8;
    let (Some(sequence), Some(length)) = (number(bytes, HEAD), number(bytes, HEAD + 4)) else { return Next::More(BEFORE) };
    let length = length as usize;
    match bytes.len() {
        _ if length > limits.event => Next::TooLong { sequence, length, used: BEFORE },
        there if there < BEFORE + length => Next::More(BEFORE + length),
        _ => Next::Json { sequence, at: BEFORE..BEFORE + length, used: BEFORE + length },
    }
}

/// An event of version 1: pairs of texts, each with its length in front.
fn pairs(bytes: &[u8], limits: Limits) -> Result<Next, Bad> {
    let (Some(sequence), Some(count)) = (number(bytes, HEAD), number(bytes, HEAD + 4)) else { return Ok(Next::More(HEAD + 8)) };
    if count > PAIRS_MAX {
        return Err(Bad::TooLarge);
    }
    let mut at = HEAD + 8;
    let mut texts = Vec::new();
    for _ in 0..2 * count {
        let Some(length) = number(bytes, at) else { return Ok(Next::More(at + 4)) };
        let (from, to) = (at + 4, at + 4 + length as usize);
        if to > limits.event {
            return Err(Bad::TooLarge);
        }
        let Some(text) = bytes.get(from..to) else { return Ok(Next::More(to)) };
        texts.push(text);
        at = to;
    }
    let mut json = vec![b'{'];
    for (i, pair) in texts.chunks_exact(2).enumerate() {
        let &[name, value] = pair else { continue };
        if i > 0 {
            json.push(b',');
        }
        string(&mut json, &String::from_utf8_lossy(name));
        json.push(b':');
        string(&mut json, &String::from_utf8_lossy(value));
    }
    json.push(b'}');
    Ok(Next::Made { sequence, json, used: at })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { event: 100, packed: 50 };

    fn part(kind: &[u8; 2], numbers: &[u32], rest: &[u8]) -> Vec<u8> {
        let numbers: Vec<u8> = numbers.iter().flat_map(|number| number.to_be_bytes()).collect();
        [kind.as_slice(), &numbers, rest].concat()
    }

    #[test]
    fn all_parts_whole_and_in_pieces() {
        let version_one = [part(b"1D", &[9, 2, 1], b"a"), part(b"\0\0", &[], b"\0\x02b\"\0\0\0\x01c\0\0\0\0")].concat();
        for (bytes, expected) in [
            (part(b"2W", &[7], b""), Next::Window { version: Version::Two, events: 7, used: 6 }),
            (part(b"2J", &[3, 2], b"{}"), Next::Json { sequence: 3, at: 10..12, used: 12 }),
            (part(b"2C", &[3], b"xyz"), Next::Packed { at: 6..9, used: 9 }),
            (version_one, Next::Made { sequence: 9, json: br#"{"a":"b\"","c":""}"#.to_vec(), used: 30 }),
        ] {
            for there in 0..bytes.len() {
                let Ok(Next::More(wanted)) = next(&bytes[..there], LIMITS) else { panic!("{there} of {bytes:?}") };
                assert!(wanted > there && wanted <= bytes.len(), "{wanted}, {there} of {bytes:?}");
            }
            assert_eq!(next(&bytes, LIMITS).unwrap(), expected);
        }
        assert_eq!(ack(Version::Two, 258), *b"2A\0\0\x01\x02");
    }

    #[test]
    fn claims_are_not_believed() {
        let huge = u32::MAX;
        assert_eq!(next(&part(b"2J", &[1, huge], b""), LIMITS), Ok(Next::TooLong { sequence: 1, length: huge as usize, used: 10 }));
        assert_eq!(next(&part(b"2C", &[huge], b""), LIMITS), Err(Bad::TooLarge));
        assert_eq!(next(&part(b"1D", &[1, huge], b""), LIMITS), Err(Bad::TooLarge));
        assert_eq!(next(&part(b"1D", &[1, 1, huge], b""), LIMITS), Err(Bad::TooLarge));
        assert_eq!(next(b"GET / HTTP/1.1", LIMITS), Err(Bad::Form));
        assert_eq!(next(b"2X", LIMITS), Err(Bad::Form));
    }
}
