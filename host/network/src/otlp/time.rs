//! Times: nanoseconds since 1970 in log records, RFC 3339 in records.

use chrono::{DateTime, Datelike, Timelike};
use std::io::Write;

const NANOS: u64 = 1_000_000_000;

/// Writes a time as RFC 3339 with all its nanoseconds.
pub(super) fn write(out: &mut Vec<u8>, nanos: u64) {
    let Some(time) = i64::try_from(nanos / NANOS).ok().and_then(|seconds| DateTime::from_timestamp(seconds, (nanos % NANOS) as u32)) else {
        return;
    };
    let (hour, minute, second) = (time.hour(), time.minute(), time.second());
    // Writing to memory does not fail.
    let _ = write!(out, "{:04}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}.{:09}Z", time.year(), time.month(), time.day(), nanos % NANOS);
}

/// A time as RFC 3339 writes it. Those before 1970 have no place in a log record.
pub(super) fn parse(text: &str) -> Option<u64> {
    let time = DateTime::parse_from_rfc3339(text.trim()).ok()?;
    let seconds = u64::try_from(time.timestamp()).ok()?;
    seconds.checked_mul(NANOS)?.checked_add(u64::from(time.timestamp_subsec_nanos()))
}

/// Seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by how many there are: up to the year 5138 as seconds, from
/// 1973 on as anything finer.
pub(super) fn from_number(number: u64) -> Option<u64> {
    match number {
        0 => None,
        1..100_000_000_000 => number.checked_mul(NANOS),
        100_000_000_000..100_000_000_000_000 => number.checked_mul(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.checked_mul(1_000),
        _ => Some(number),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_nanosecond_comes_back() {
        for nanos in [1, NANOS - 1, NANOS, 1_763_920_000_123_456_789, u64::MAX] {
            let mut text = Vec::new();
            write(&mut text, nanos);
            assert_eq!(parse(std::str::from_utf8(&text).unwrap()), Some(nanos));
        }
    }

    #[test]
    fn texts_and_numbers() {
        assert_eq!(parse("2026-01-02T03:04:05+01:00"), parse("2026-01-02T02:04:05.000Z"));
        assert_eq!((parse("1969-12-31T23:59:59Z"), parse("yesterday"), parse("")), (None, None, None));
        let second = 1_763_920_000;
        for (number, factor) in [(second, NANOS), (second * 1_000, 1_000_000), (second * 1_000_000, 1_000), (second * NANOS, 1)] {
            assert_eq!(from_number(number), Some(number * factor));
        }
        assert_eq!(from_number(0), None);
    }
}
