//! Where a MessagePack value ends, told without building it and without believing the lengths that it claims.

/// How deep values may lie in each other; records have a smaller limit of their own.
const DEPTH_MAX: usize = 256;

/// Why bytes are not taken as a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Bad {
    #[error("not MessagePack")]
    Form,
    #[error("a value that is too large")]
    TooLarge,
    #[error("values too deep in each other")]
    TooDeep,
}

/// What a value is, by its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Nil,
    Array(u64),
    Map(u64),
    /// A text or bytes, of this length.
    Bytes(u64),
    Other,
}

/// A value's head: its own bytes, the bytes behind it, and the values behind it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) bytes: usize,
    payload: u64,
    values: u64,
    pub(super) shape: Shape,
}

/// Reads a head. `None`: it is not all there.
pub(super) fn head(bytes: &[u8]) -> Result<Option<Head>, Bad> {
    let Some(first) = bytes.first().copied() else { return Ok(None) };
    let number = |size: usize| {
        let digits = bytes.get(1..=size)?;
        Some(digits.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte)))
    };
    let plain = |payload: u64| Some(Head { bytes: 1, payload, values: 0, shape: Shape::Other });
    let text = |size: usize, length: Option<u64>| {
        length.map(|length| Head { bytes: 1 + size, payload: length, values: 0, shape: Shape::Bytes(length) })
    };
    // Behind the length stands the type.
    let ext = |size: usize| number(size).map(|length| Head { bytes: 2 + size, payload: length, values: 0, shape: Shape::Other });
    let array = |size: usize, count: Option<u64>| {
        count.map(|count| Head { bytes: 1 + size, payload: 0, values: count, shape: Shape::Array(count) })
    };
    let map = |size: usize, count: Option<u64>| {
        count.map(|count| Head { bytes: 1 + size, payload: 0, values: 2 * count, shape: Shape::Map(count) })
    };
    Ok(match first {
        0x00..=0x7f | 0xe0..=0xff | 0xc2 | 0xc3 => plain(0),
        0xc0 => Some(Head { bytes: 1, payload: 0, values: 0, shape: Shape::Nil }),
        0xc1 => return Err(Bad::Form),
        0x80..=0x8f => map(0, Some(u64::from(first & 0x0f))),
        0x90..=0x9f => array(0, Some(u64::from(first & 0x0f))),
        0xa0..=0xbf => text(0, Some(u64::from(first & 0x1f))),
        0xc4 | 0xd9 => text(1, number(1)),
        0xc5 | 0xda => text(2, number(2)),
        0xc6 | 0xdb => text(4, number(4)),
        0xc7 => ext(1),
        0xc8 => ext(2),
        0xc9 => ext(4),
        0xca | 0xce | 0xd2 => plain(4),
        0xcb | 0xcf | 0xd3 => plain(8),
        0xcc | 0xd0 => plain(1),
        0xcd | 0xd1 => plain(2),
        0xd4 => plain(2),
        0xd5 => plain(3),
        0xd6 => plain(5),
        0xd7 => plain(9),
        0xd8 => plain(17),
        0xdc => array(2, number(2)),
        0xdd => array(4, number(4)),
        0xde => map(2, number(2)),
        0xdf => map(4, number(4)),
    })
}

/// Follows a value that comes in pieces.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Looked at to here; may lie behind what has come.
    at: usize,
    /// Of the arrays and maps that are open, how many values are to come.
    open: Vec<u64>,
    done: bool,
}

impl Scan {
    /// Goes on with all that has come of the value, of which no more than `max` bytes are taken. Its length, once it is all there.
    pub(super) fn end(&mut self, bytes: &[u8], max: usize) -> Result<Option<usize>, Bad> {
        while !self.done {
            let Some(head) = head(bytes.get(self.at..).unwrap_or_default())? else { return Ok(None) };
            let size = usize::try_from(head.payload).unwrap_or(usize::MAX).saturating_add(head.bytes);
            self.at = self.at.saturating_add(size);
            // Each value takes a byte at least.
            let least = u64::try_from(self.at).unwrap_or(u64::MAX).saturating_add(head.values);
            if least > max as u64 {
                return Err(Bad::TooLarge);
            }
            if head.values > 0 {
                if self.open.len() >= DEPTH_MAX {
                    return Err(Bad::TooDeep);
                }
                self.open.push(head.values);
                continue;
            }
            // One value is complete, and with it perhaps those that it was the last of.
            loop {
                let Some(left) = self.open.last_mut() else {
                    self.done = true;
                    break;
                };
                *left -= 1;
                if *left > 0 {
                    break;
                }
                self.open.pop();
            }
        }
        Ok((self.at <= bytes.len()).then_some(self.at))
    }

    /// How many bytes the value has at least, as far as it was looked at.
    pub(super) fn least(&self) -> usize {
        self.at
    }

    /// The first so many bytes were looked at and are gone.
    pub(super) fn forget(&mut self, bytes: usize) {
        self.at = self.at.saturating_sub(bytes);
    }
}

/// Cuts the first value off bytes that are all there.
pub(super) fn first(bytes: &[u8]) -> Result<(&[u8], &[u8]), Bad> {
    let end = Scan::default().end(bytes, bytes.len())?.ok_or(Bad::Form)?;
    bytes.split_at_checked(end).ok_or(Bad::Form)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use rmpv::Value;

    fn value(depth: usize) -> Value {
        let mut all = vec![
            Value::Nil,
            Value::from(true),
            Value::from(-70_000),
            Value::from(u64::MAX),
            Value::from(1.5_f32),
            Value::from(1.5),
            Value::from("text"),
            Value::from("x".repeat(300)),
            Value::from("x".repeat(70_000)),
            Value::Binary(vec![1; 40]),
            Value::Ext(0, vec![0; 8]),
            Value::Ext(5, vec![0; 3]),
            Value::Ext(5, vec![0; 300]),
            Value::Array(vec![]),
            Value::Map(vec![]),
        ];
        if depth > 0 {
            all.push(Value::Map((0..20).map(|n| (Value::from(n), value(depth - 1))).collect()));
        }
        Value::Array(all)
    }

    #[test]
    fn the_end_of_values_that_come_in_pieces() {
        let mut bytes = Vec::new();
        rmpv::encode::write_value(&mut bytes, &value(1)).unwrap();
        let length = bytes.len();
        bytes.extend_from_slice(b"next");
        for piece in [1_000, 65_537, length] {
            let (mut scan, mut there) = (Scan::default(), 0);
            let end = loop {
                there = (there + piece).min(bytes.len());
                if let Some(end) = scan.end(&bytes[..there], 10 << 20).unwrap() {
                    break end;
                }
                assert!(there < length);
            };
            assert_eq!(end, length);
        }
        assert_eq!(first(&bytes).unwrap().1, b"next");
        assert_eq!(first(&bytes[..length - 1]), Err(Bad::Form));
    }

    #[test]
    fn claims_are_not_believed() {
        let end = |bytes: &[u8]| Scan::default().end(bytes, 1_000);
        for claim in
            [b"\xdb\xff\xff\xff\xff", b"\xc6\x7f\xff\xff\xff", b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc9\xff\xff\xff\xff"]
        {
            assert_eq!(end(claim), Err(Bad::TooLarge), "{claim:?}");
        }
        assert_eq!(end(&[0x91; 500]), Err(Bad::TooDeep));
        assert_eq!(end(b"\x92\x01\xc1"), Err(Bad::Form));
        assert_eq!(end(b"\xdb\xff\xff"), Ok(None));
        assert_eq!(end(b""), Ok(None));
    }
}
