//! From framed bytes to JSON records.

use crate::frame::{Frame, Rejected};
use tamis_record::Records;

/// How the bytes of a stream become records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codec {
    /// A line is a record already; the batch checks that it is JSON.
    Json,
    /// A line of any text becomes `{"message":"…"}`. One that is not UTF-8 is rejected.
    Text,
}

impl Codec {
    /// Decodes a frame in place.
    pub fn decode(self, frame: Frame) -> Frame {
        match self {
            Codec::Json => frame,
            Codec::Text => text(frame),
        }
    }
}

fn text(frame: Frame) -> Frame {
    let mut out = Vec::with_capacity(frame.records.text.len() + 16 * frame.records.rows.len());
    let mut rows = Vec::with_capacity(frame.records.rows.len());
    let mut offsets = Vec::with_capacity(rows.capacity());
    let mut rejected = Vec::new();
    for row in 0..frame.records.rows.len() {
        let line = frame.records.get(row);
        match std::str::from_utf8(line) {
            Ok(line) => {
                let from = out.len();
                out.extend_from_slice(b"{\"message\":");
                // Writing JSON into memory cannot fail.
                let _ = serde_json::to_writer(&mut out, line);
                out.push(b'}');
                rows.push((from as u32, out.len() as u32));
                offsets.push(frame.offset(row));
                out.push(b'\n');
            }
            Err(error) => rejected.push(Rejected {
                bytes: line.to_vec(),
                offset: frame.offset(row),
                reason: format!("not UTF-8 at byte {}", error.valid_up_to()),
            }),
        }
    }
    rejected.extend(frame.rejected);
    Frame { records: Records { text: out, rows }, base: frame.base, offsets: Some(offsets), rejected, bytes: frame.bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_becomes_messages() {
        let frame = Frame {
            records: Records::from_lines(b"say \"hi\"\t\x01\n\xff\xfe\nsecond".to_vec()),
            base: 100,
            bytes: 22,
            ..Frame::default()
        };
        let out = Codec::Text.decode(frame);
        assert_eq!(out.records.rows.len(), 2);
        assert_eq!(out.records.get(0), br#"{"message":"say \"hi\"\t\u0001"}"#);
        assert_eq!((out.records.get(1), out.offset(1)), (br#"{"message":"second"}"#.as_slice(), 114));
        assert_eq!((out.rejected.len(), out.rejected[0].offset, out.rejected[0].bytes.as_slice()), (1, 111, b"\xff\xfe".as_slice()));
    }
}
