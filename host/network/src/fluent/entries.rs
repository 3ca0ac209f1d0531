//! The events of a packed message, one at a time, so that what they unpack to is never there as a whole.

use super::scan::{Bad, Scan};
use flate2::read::MultiGzDecoder;
use std::io::{self, Read};
use std::ops::Range;

/// Bytes that are unpacked at once.
const READ_BYTES: usize = 16 * 1024;
/// Bytes kept of an entry that is too long.
const KEPT: usize = 8 * 1024;

/// An entry: `[time, record]`.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry {
    Whole(Range<usize>),
    /// The beginning of one that is too long, and how long it is.
    TooLong(Vec<u8>, usize),
}

/// Entries behind each other, packed or not.
pub(super) struct Entries<'a> {
    read: Box<dyn Read + Send + 'a>,
    bytes: Vec<u8>,
    begin: usize,
    max: usize,
}

/// Whether packed bytes can be unpacked, and to `max` bytes at most.
pub(super) fn unpacks(bytes: &[u8], max: usize) -> io::Result<bool> {
    let unpacked = io::copy(&mut MultiGzDecoder::new(bytes).take(max as u64 + 1), &mut io::sink())?;
    Ok(unpacked <= max as u64)
}

impl<'a> Entries<'a> {
    pub(super) fn new(bytes: &'a [u8], is_gzip: bool, record_bytes_max: usize) -> Self {
        let read: Box<dyn Read + Send + 'a> = if is_gzip { Box::new(MultiGzDecoder::new(bytes)) } else { Box::new(bytes) };
        Self { read, bytes: Vec::new(), begin: 0, max: record_bytes_max }
    }

    /// What [`Entry::Whole`] stands for, until the next one is asked for.
    pub(super) fn get(&self, at: Range<usize>) -> &[u8] {
        self.bytes.get(at).unwrap_or_default()
    }

    /// The next one. `None`: there are no more.
    pub(super) fn next(&mut self) -> Result<Option<Entry>, Bad> {
        let mut scan = Scan::default();
        let mut too_long: Option<(Vec<u8>, usize)> = None;
        loop {
            let there = self.bytes.get(self.begin..).unwrap_or_default();
            let end = scan.end(there, usize::MAX)?;
            if let Some(end) = end {
                let at = self.begin..self.begin + end;
                self.begin += end;
                return Ok(Some(match too_long {
                    Some((kept, passed)) => Entry::TooLong(kept, passed + end),
                    None if end > self.max => Entry::TooLong(self.get(at.start..at.end.min(at.start + KEPT)).to_vec(), end),
                    None => Entry::Whole(at),
                }));
            }
            if there.len() > self.max || too_long.is_some() {
                // Only its end is of interest.
                let gone = there.len().min(scan.least());
                let (kept, passed) = too_long.take().unwrap_or_else(|| (there.get(..KEPT).unwrap_or(there).to_vec(), 0));
                too_long = Some((kept, passed + gone));
                scan.forget(gone);
                self.begin += gone;
            }
            self.bytes.drain(..self.begin);
            self.begin = 0;
            let before = self.bytes.len();
            self.bytes.resize(before + READ_BYTES, 0);
            let read = self.read.read(self.bytes.get_mut(before..).unwrap_or_default()).map_err(|_| Bad::Form);
            self.bytes.truncate(before + *read.as_ref().unwrap_or(&0));
            if read? == 0 {
                return if self.bytes.is_empty() && too_long.is_none() { Ok(None) } else { Err(Bad::Form) };
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use rmpv::Value;
    use std::io::Write;

    #[test]
    fn entries_of_all_sizes_packed_and_not() {
        let mut bytes = Vec::new();
        for length in [3, 30_000, 5, 900_000, 200, 0] {
            let entry = Value::Array(vec![Value::from(1), Value::Map(vec![(Value::from("a"), Value::from("x".repeat(length)))])]);
            rmpv::encode::write_value(&mut bytes, &entry).unwrap();
        }
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        let packed = encoder.finish().unwrap();
        assert!(unpacks(&packed, bytes.len()).unwrap() && !unpacks(&packed, bytes.len() - 1).unwrap());
        assert!(unpacks(&packed[..packed.len() - 5], bytes.len()).is_err() && unpacks(b"none", 10).is_err());
        for (bytes, is_gzip) in [(&bytes, false), (&packed, true)] {
            let mut entries = Entries::new(bytes, is_gzip, 100_000);
            let mut found = Vec::new();
            while let Some(entry) = entries.next().unwrap() {
                found.push(match entry {
                    Entry::Whole(at) => entries.get(at).len(),
                    Entry::TooLong(kept, length) => {
                        assert_eq!(kept.len(), KEPT);
                        assert!(entries.bytes.len() < 150_000, "{}", entries.bytes.len());
                        length * 1_000
                    }
                });
            }
            assert_eq!(found, [9, 30_008, 11, 900_010_000, 207, 6]);
        }
        let mut cut = Entries::new(&bytes[..bytes.len() - 1], false, 100_000);
        assert!((0..5).all(|_| cut.next().is_ok()) && cut.next().is_err());
    }
}
