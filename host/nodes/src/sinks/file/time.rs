//! The time of writing as file names show it: UTC, proleptic Gregorian calendar.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tamis_config::TimePart;

/// A point of time in UTC. Its `Display` is `20261123T071026.123Z`, of which the order as text is the order in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    millisecond: u32,
}

impl Utc {
    /// A time of the years 0 to 9999; one outside is taken for the nearest within.
    pub(super) fn new(time: SystemTime) -> Self {
        // From the beginning of the year 0.
        const EPOCH: Duration = Duration::from_secs(62_167_219_200);
        const LAST_SECOND: u64 = 315_569_519_999;
        const DAYS_OF_400_YEARS: u64 = 146_097;
        let since = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => EPOCH.saturating_add(since),
            Err(before) => EPOCH.saturating_sub(before.duration()),
        };
        let seconds = since.as_secs().min(LAST_SECOND);
        let mut day = seconds / 86_400;
        let mut year = day / DAYS_OF_400_YEARS * 400;
        day %= DAYS_OF_400_YEARS;
        loop {
            let days = if is_leap(year) { 366 } else { 365 };
            if day < days {
                break;
            }
            day -= days;
            year += 1;
        }
        let mut month = 1;
        for days in [31, if is_leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30] {
            if day < days {
                break;
            }
            day -= days;
            month += 1;
        }
        Self {
            year,
            month,
            day: day + 1,
            hour: seconds / 3_600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
            millisecond: since.subsec_millis(),
        }
    }

    /// Appends a part as `strftime` writes it.
    pub(super) fn push(&self, part: TimePart, out: &mut String) {
        let (value, digits) = match part {
            TimePart::Year => (self.year, 4),
            TimePart::Month => (self.month, 2),
            TimePart::Day => (self.day, 2),
            TimePart::Hour => (self.hour, 2),
            TimePart::Minute => (self.minute, 2),
            TimePart::Second => (self.second, 2),
        };
        let mut power = 10_u64.pow(digits);
        while power > 1 {
            power /= 10;
            out.push(char::from_digit((value / power % 10) as u32, 10).unwrap_or('0'));
        }
    }
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { year, month, day, hour, minute, second, millisecond } = self;
        write!(f, "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{millisecond:03}Z")
    }
}

/// Time since 1970; a clock that shows an earlier year counts as 1970.
pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_times() {
        for (millis, expected) in [
            (0, "19700101T000000.000Z"),
            (951_782_399_999, "20000228T235959.999Z"),
            (951_782_400_000, "20000229T000000.000Z"),
            (951_868_800_000, "20000301T000000.000Z"),
            (4_107_542_400_000, "21000301T000000.000Z"),
            (1_735_689_599_001, "20241231T235959.001Z"),
            (1_735_689_600_000, "20250101T000000.000Z"),
            (u64::MAX, "99991231T235959.615Z"),
        ] {
            let utc = Utc::new(UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH));
            if millis < u64::MAX {
                assert_eq!(utc.to_string(), expected);
            } else {
                assert!(utc.to_string().starts_with("99991231T235959"));
            }
        }
        let mut out = String::new();
        let utc = Utc::new(UNIX_EPOCH + Duration::from_secs(1_709_251_505));
        for part in [TimePart::Year, TimePart::Month, TimePart::Day, TimePart::Hour, TimePart::Minute, TimePart::Second] {
            utc.push(part, &mut out);
        }
        assert_eq!(out, "20240301000505");
        for (seconds, expected) in [
            (5, "19691231T235955.000Z"),
            (11_670_998_400, "16000229T000000.000Z"),
            (62_167_219_200, "00000101T000000.000Z"),
            (62_167_219_201, "00000101T000000.000Z"),
        ] {
            assert_eq!(Utc::new(UNIX_EPOCH - Duration::from_secs(seconds)).to_string(), expected);
        }
    }
}
