//! Sizes with their units.

use std::fmt;

/// A number of bytes; written as a plain integer or with a unit (`64KiB`, `1MiB`, `1MB`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub u64);

/// Units, the longest that divides a size first, so that `Display` finds the best one. Case does not matter.
const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1_000),
    ("B", 1),
];

impl Bytes {
    /// So many KiB (1,024 bytes).
    pub const fn kibi(count: u64) -> Self {
        Self(count.saturating_mul(1 << 10))
    }

    /// So many MiB (1,048,576 bytes).
    pub const fn mebi(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }

    /// The number of bytes, as far as this machine can address it.
    pub fn to_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    /// Reads `64KiB`, `1.5 MiB`, `1MB` or a plain number of bytes; `None` when it is none of these or too large.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let end = text.find(|c: char| !(c.is_ascii_digit() || c == '_' || c == '.')).unwrap_or(text.len());
        let (number, unit) = text.split_at_checked(end)?;
        let unit = unit.trim();
        let factor = match unit {
            "" => 1,
            _ => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit))?.1,
        };
        let number = number.replace('_', "");
        let Some((whole, fraction)) = number.split_once('.') else {
            return number.parse::<u64>().ok()?.checked_mul(factor).map(Self);
        };
        // A fraction must come out at a whole number of bytes.
        let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
        let scaled = digits.checked_mul(u128::from(factor))?;
        if whole.is_empty() || fraction.is_empty() || scaled % scale != 0 {
            return None;
        }
        u64::try_from(scaled / scale).ok().map(Self)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = UNITS.iter().find(|(_, factor)| self.0 != 0 && self.0.is_multiple_of(*factor));
        match unit {
            Some((name, factor)) => write!(f, "{} {name}", self.0 / factor),
            None => write!(f, "{} B", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bytes;

    #[test]
    fn units_are_read() {
        for (text, expected) in [
            ("0", Some(0)),
            ("4096", Some(4_096)),
            ("64KiB", Some(65_536)),
            ("64 kib", Some(65_536)),
            ("1MiB", Some(1 << 20)),
            ("1MB", Some(1_000_000)),
            ("1.5KiB", Some(1_536)),
            ("1_000B", Some(1_000)),
            ("16384GiB", Some(16_384 << 30)),
            ("1.0001B", None),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("16777216TiB", None),
            ("", None),
            ("MiB", None),
            (".MiB", None),
            ("1.2.3MiB", None),
            ("-1", None),
            ("1Mb/s", None),
            ("1é", None),
        ] {
            assert_eq!(Bytes::parse(text), expected.map(Bytes), "{text:?}");
        }
    }

    #[test]
    fn the_largest_unit_that_divides_is_shown() {
        assert_eq!(Bytes::mebi(64).to_string(), "64 MiB");
        assert_eq!(Bytes(1_000_000).to_string(), "1 MB");
        assert_eq!(Bytes(0).to_string(), "0 B");
        assert_eq!(Bytes(1_025).to_string(), "1025 B");
    }
}
