//! Packed parts, one at a time, so that what they unpack to is never there as a whole.

use super::frames::{Bad, Limits, Next, next};
use flate2::read::ZlibDecoder;
use std::io::{self, Read};

/// Bytes that are unpacked at once.
const READ_BYTES: usize = 16 * 1024;

/// The parts within a packed one.
pub(super) struct Unpacked<'a> {
    read: ZlibDecoder<&'a [u8]>,
    bytes: Vec<u8>,
    begin: usize,
    limits: Limits,
}

impl<'a> Unpacked<'a> {
    /// Sees to it that all of it can be unpacked, and to `max` bytes at most.
    pub(super) fn new(packed: &'a [u8], max: usize, limits: Limits) -> Result<Self, Bad> {
        match io::copy(&mut ZlibDecoder::new(packed).take(max as u64 + 1), &mut io::sink()) {
            Ok(unpacked) if unpacked <= max as u64 => Ok(Self { read: ZlibDecoder::new(packed), bytes: Vec::new(), begin: 0, limits }),
            Ok(_) => Err(Bad::TooLarge),
            Err(_) => Err(Bad::Form),
        }
    }

    /// The next part; `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Next>, Bad> {
        loop {
            let there = self.filled();
            let wanted = match next(there, self.limits)? {
                Next::More(wanted) => wanted,
                found => return Ok(Some(found)),
            };
            let missing = wanted.saturating_sub(there.len()).max(READ_BYTES);
            self.bytes.drain(..self.begin);
            self.begin = 0;
            let read = self.read.by_ref().take(missing as u64).read_to_end(&mut self.bytes).map_err(|_| Bad::Form)?;
            if read == 0 {
                return if self.bytes.is_empty() { Ok(None) } else { Err(Bad::Form) };
            }
        }
    }

    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(self.begin..).unwrap_or_default()
    }

    /// The first so many bytes were used.
    pub(super) fn consume(&mut self, bytes: usize) {
        self.begin = (self.begin + bytes).min(self.bytes.len());
    }

    /// Passes over so many bytes; gives the first of them.
    pub(super) fn pass(&mut self, bytes: usize, kept: usize) -> Result<Vec<u8>, Bad> {
        let mut beginning = Vec::new();
        let there = bytes.min(self.filled().len());
        beginning.extend_from_slice(self.filled().get(..there.min(kept)).unwrap_or_default());
        self.consume(there);
        let mut rest = self.read.by_ref().take((bytes - there) as u64);
        let wanted = kept.saturating_sub(beginning.len()) as u64;
        rest.by_ref().take(wanted).read_to_end(&mut beginning).map_err(|_| Bad::Form)?;
        io::copy(&mut rest, &mut io::sink()).map_err(|_| Bad::Form)?;
        if rest.limit() > 0 { Err(Bad::Form) } else { Ok(beginning) }
    }
}
