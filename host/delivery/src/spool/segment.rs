//! Segments: the files of a spool.

use super::frame::Salt;
use std::hash::{BuildHasher as _, RandomState};

/// Highest number that a segment's name may begin with: far from overflow, whatever names a folder holds.
const SEQUENCE_MAX: u64 = u64::MAX / 4;

/// What a segment's name says: `<first sequence number, 20 digits>-<salt, 16 hexadecimal digits>.spool`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SegmentName {
    pub(super) first: u64,
    pub(super) salt: Salt,
}

impl SegmentName {
    /// A name with a fresh salt: the standard library's hash keys are drawn from the system's randomness.
    pub(super) fn draw(first: u64) -> Self {
        Self { first, salt: Salt(RandomState::new().hash_one(first)) }
    }

    pub(super) fn parse(name: &str) -> Option<Self> {
        let (first, salt) = name.strip_suffix(".spool")?.split_once('-')?;
        let digits = |text: &str, length, radix| text.len() == length && text.chars().all(|c| c.is_digit(radix) && !c.is_ascii_uppercase());
        if !digits(first, 20, 10) || !digits(salt, 16, 16) {
            return None;
        }
        let name = Self { first: first.parse().ok()?, salt: Salt(u64::from_str_radix(salt, 16).ok()?) };
        (1..=SEQUENCE_MAX).contains(&name.first).then_some(name)
    }

    pub(super) fn file_name(self) -> String {
        format!("{:020}-{:016x}.spool", self.first, self.salt.0)
    }
}

/// A segment that is in use.
#[derive(Debug)]
pub(super) struct Segment {
    pub(super) name: SegmentName,
    /// Its place among all segments that this process has seen.
    pub(super) ordinal: u64,
    /// Bytes up to which the reader may read.
    pub(super) bytes: u64,
    /// Bytes behind those: a torn frame that could not be cut off.
    pub(super) torn_bytes: u64,
    /// Number of the last entry; below `name.first` while there is none.
    pub(super) last: u64,
    /// The writer is appending to it.
    pub(super) open: bool,
    /// Something in it is damaged: it is kept when its entries are delivered.
    pub(super) damaged: bool,
    /// Lost entries that were counted for this segment: in it, and between it and the one before.
    pub(super) lost: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_they_mean_and_nothing_else_is_a_name() {
        let name = SegmentName { first: 42, salt: Salt(0xab) };
        assert_eq!(name.file_name(), "00000000000000000042-00000000000000ab.spool");
        assert_eq!(SegmentName::parse(&name.file_name()), Some(name));
        for other in [
            "",
            "acknowledged",
            "00000000000000000000-00000000000000ab.spool",
            "18446744073709551615-00000000000000ab.spool",
            "00000000000000000042-00000000000000AB.spool",
            "+0000000000000000042-00000000000000ab.spool",
            "00000000000000000042-00000000000000ab.spool~",
            "42-ab.spool",
        ] {
            assert_eq!(SegmentName::parse(other), None, "{other}");
        }
        assert_ne!(SegmentName::draw(1).salt, SegmentName::draw(1).salt);
    }
}
