//! Frames: how an entry lies in a segment, and how to walk over frames of which some may be damaged.
//!
//! | bytes | |
//! |---|---|
//! | 0–3 | marker: the upper half of the segment's salt |
//! | 4–7 | length of the payload |
//! | 8–15 | sequence number |
//! | 16–19 | checksum of the payload |
//! | 20–23 | checksum of bytes 0–19 |
//! | 24– | payload |
//!
//! Numbers are little-endian. Checksums are CRC-32 (IEEE 802.3) begun with the lower half of the salt. The salt is drawn
//! for each segment and stands in its name only. Payloads come from strangers: without a salt one of them could hold bytes
//! that look like a frame, and be taken for one when the frame around it is damaged.

use super::window::Window;
use std::io;

/// Bytes before the payload.
pub(super) const HEADER_BYTES: usize = 24;

/// What makes the frames of one segment its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Salt(pub(super) u64);

impl Salt {
    fn marker(self) -> [u8; 4] {
        ((self.0 >> 32) as u32).to_le_bytes()
    }

    fn checksum<'a>(self, parts: impl IntoIterator<Item = &'a [u8]>) -> u32 {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0 as u32);
        parts.into_iter().for_each(|part| hasher.update(part));
        hasher.finalize()
    }
}

/// Appends a frame to `out`. The parts, one after the other, are the payload, of `length` bytes together.
pub(super) fn encode(salt: Salt, sequence: u64, length: u32, parts: &[&[u8]], out: &mut Vec<u8>) {
    let begin = out.len();
    out.extend_from_slice(&salt.marker());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&salt.checksum(parts.iter().copied()).to_le_bytes());
    let checksum = salt.checksum(out.get(begin..));
    out.extend_from_slice(&checksum.to_le_bytes());
    parts.iter().for_each(|part| out.extend_from_slice(part));
}

#[derive(Debug, Clone, Copy)]
struct Header {
    length: u32,
    sequence: u64,
    payload_checksum: u32,
}

impl Header {
    fn parse(salt: Salt, bytes: &[u8]) -> Option<Self> {
        let (marker, rest) = bytes.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (payload, rest) = rest.split_first_chunk::<4>()?;
        let (own, _) = rest.split_first_chunk::<4>()?;
        let sound = *marker == salt.marker() && salt.checksum(bytes.get(..20)) == u32::from_le_bytes(*own);
        sound.then(|| Self {
            length: u32::from_le_bytes(*length),
            sequence: u64::from_le_bytes(*sequence),
            payload_checksum: u32::from_le_bytes(*payload),
        })
    }
}

/// What a walk finds next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The end.
    End,
    /// A sound frame. Its payload is in the window.
    Frame {
        /// Its number.
        sequence: u64,
        /// Where the payload begins in the segment.
        payload: u64,
        /// Bytes of the payload.
        length: usize,
        /// Entries that should have stood before it and do not.
        lost: u64,
    },
    /// Bytes that are no sound frame. `lost` is the number of entries if it is known; otherwise the next frame tells.
    Damaged { offset: u64, bytes: u64, lost: Option<u64> },
    /// The beginning of a frame whose rest was never written, or zeros, up to the end.
    Torn { offset: u64, bytes: u64 },
}

/// A walk over the frames of one segment.
#[derive(Debug, Clone)]
pub(super) struct Walk {
    salt: Salt,
    first: u64,
    frame_bytes_max: usize,
    offset: u64,
    expected: u64,
}

impl Walk {
    /// A walk from the beginning of the segment whose first entry is `first`.
    pub(super) fn new(salt: Salt, first: u64, frame_bytes_max: usize) -> Self {
        Self { salt, first, frame_bytes_max, offset: 0, expected: first }
    }

    /// The number that the next frame should have.
    pub(super) fn expected(&self) -> u64 {
        self.expected
    }

    /// Bytes from the segment's beginning up to where it came.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Goes on to the next thing before `limit`. After [`Step::End`] a later call with a higher limit goes on from there.
    pub(super) fn step(&mut self, window: &mut Window, limit: u64) -> io::Result<Step> {
        let offset = self.offset;
        if offset >= limit {
            return Ok(Step::End);
        }
        let Some(header) = self.header_at(window, offset, limit)? else { return self.resynchronise(window, limit) };
        let (payload, length) = (offset + HEADER_BYTES as u64, header.length as usize);
        let Some(content) = window.get(payload, length, limit)?.get(..length) else {
            self.offset = limit;
            return Ok(Step::Torn { offset, bytes: limit - offset });
        };
        let sound = self.salt.checksum([content]) == header.payload_checksum;
        let lost = header.sequence - self.expected;
        self.offset = payload + u64::from(header.length);
        self.expected = header.sequence + 1;
        Ok(if sound {
            Step::Frame { sequence: header.sequence, payload, length, lost }
        } else {
            Step::Damaged { offset, bytes: self.offset - offset, lost: Some(lost + 1) }
        })
    }

    /// The header at a place, if it is one that could stand there: entries are numbered one by one, so a number is
    /// neither below the one that is due nor further on than frames fit into the bytes before it.
    fn header_at(&self, window: &mut Window, offset: u64, limit: u64) -> io::Result<Option<Header>> {
        let header = Header::parse(self.salt, window.get(offset, HEADER_BYTES, limit)?);
        let highest = self.first.saturating_add(offset / HEADER_BYTES as u64);
        Ok(header.filter(|h| h.length as usize <= self.frame_bytes_max && h.sequence >= self.expected && h.sequence <= highest))
    }

    fn resynchronise(&mut self, window: &mut Window, limit: u64) -> io::Result<Step> {
        let from = self.offset;
        let marker = self.salt.marker();
        let mut zeros = true;
        let mut at = from;
        loop {
            let bytes = window.get(at, marker.len(), limit)?;
            // What begins at `from` itself is known to be no frame.
            let skipped = usize::from(at == from);
            let candidate = bytes.windows(marker.len()).skip(skipped).position(|found| found == marker).map(|p| p + skipped);
            let passed = candidate.unwrap_or(bytes.len().saturating_sub(marker.len() - 1).max(1));
            zeros &= bytes.iter().take(passed).all(|byte| *byte == 0);
            if bytes.is_empty() {
                break;
            }
            at += passed as u64;
            if candidate.is_some() {
                if self.header_at(window, at, limit)?.is_some() {
                    self.offset = at;
                    return Ok(Step::Damaged { offset: from, bytes: at - from, lost: None });
                }
                // A marker that begins no header is passed over.
                at += 1;
                zeros = false;
            }
        }
        self.offset = limit;
        let bytes = limit - from;
        Ok(if zeros || bytes < HEADER_BYTES as u64 {
            Step::Torn { offset: from, bytes }
        } else {
            Step::Damaged { offset: from, bytes, lost: None }
        })
    }
}
