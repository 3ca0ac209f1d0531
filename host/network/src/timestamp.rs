//! Times of records, as texts and as numbers.

use std::time::{SystemTime, UNIX_EPOCH};
use tamis_config::TimePart;

const SECOND: i64 = 1_000_000_000;
const DAY_SECONDS: i64 = 86_400;

/// A time, in nanoseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Timestamp(pub(crate) i64);

impl Timestamp {
    /// The time now.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    /// Reads RFC 3339 (without a zone: UTC), or a number: its size tells seconds, milli-, micro- and nanoseconds apart. `None`, too, for a
    /// time that nanoseconds of 64 bits do not reach: before 1677, or after 2262.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        i64::try_from(nanoseconds(text)?).ok().map(Self)
    }

    /// Appends a part of it, in UTC.
    pub(crate) fn push(self, part: TimePart, out: &mut String) {
        let seconds = self.0.div_euclid(SECOND);
        let (year, month, day) = civil(seconds.div_euclid(DAY_SECONDS));
        let of_day = seconds.rem_euclid(DAY_SECONDS);
        let text = match part {
            TimePart::Year => format!("{year:04}"),
            TimePart::Month => format!("{month:02}"),
            TimePart::Day => format!("{day:02}"),
            TimePart::Hour => format!("{:02}", of_day / 3_600),
            TimePart::Minute => format!("{:02}", of_day / 60 % 60),
            TimePart::Second => format!("{:02}", of_day % 60),
        };
        out.push_str(&text);
    }
}

/// The same in microseconds, for the years 0 to 9999.
pub(crate) fn microseconds(text: &str) -> Option<i64> {
    let micros = i64::try_from(nanoseconds(text)?.div_euclid(1_000)).ok()?;
    FOUR_DIGITS.contains(&micros.div_euclid(1_000_000)).then_some(micros)
}

/// The seconds of years of four digits.
const FOUR_DIGITS: std::ops::Range<i64> = -62_167_219_200..253_402_300_800;

fn nanoseconds(text: &str) -> Option<i128> {
    date_time(text).or_else(|| number(text))
}

fn month_days(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// `2024-03-01T00:05:05.123456789+02:00`.
fn date_time(text: &str) -> Option<i128> {
    let bytes = text.trim().as_bytes();
    let digits = |from: usize, to: usize| -> Option<i64> {
        bytes.get(from..to)?.iter().try_fold(0, |all, b| b.is_ascii_digit().then(|| all * 10 + i64::from(b - b'0')))
    };
    let is = |at: usize, among: &[u8]| bytes.get(at).is_some_and(|b| among.contains(b));
    if !(is(4, b"-") && is(7, b"-")) {
        return None;
    }
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    if !(1..=12).contains(&month) || !(1..=month_days(year, month)).contains(&day) {
        return None;
    }
    let days = days(year, month, day);
    if bytes.len() == 10 {
        return Some(i128::from(days * DAY_SECONDS) * i128::from(SECOND));
    }
    if !(is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
        return None;
    }
    let (hour, minute, second) = (digits(11, 13)?, digits(14, 16)?, digits(17, 19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let (mut at, mut nanos) = (19, 0);
    if is(at, b".,") {
        let begin = at + 1;
        at = begin + bytes.get(begin..)?.iter().take_while(|b| b.is_ascii_digit()).count();
        let kept = at.min(begin + 9);
        nanos = digits(begin, kept)? * 10_i64.pow(u32::try_from(9 - (kept - begin)).ok()?);
    }
    let offset = match bytes.get(at..)? {
        b"" | b"Z" | b"z" => 0,
        [sign @ (b'+' | b'-'), _, _, rest @ ..] => {
            let minutes = match rest {
                [] => 0,
                [b':', _, _] => digits(at + 4, at + 6)?,
                [_, _] => digits(at + 3, at + 5)?,
                _ => return None,
            };
            let seconds = digits(at + 1, at + 3)? * 3_600 + minutes * 60;
            if *sign == b'-' { -seconds } else { seconds }
        }
        _ => return None,
    };
    let seconds = days * DAY_SECONDS + hour * 3_600 + minute * 60 + second - offset;
    Some(i128::from(seconds) * i128::from(SECOND) + i128::from(nanos))
}

fn number(text: &str) -> Option<i128> {
    let text = text.trim();
    let scale = |magnitude: f64| match magnitude.abs() {
        m if m < 1e11 => SECOND,
        m if m < 1e14 => 1_000_000,
        m if m < 1e17 => 1_000,
        _ => 1,
    };
    if let Ok(whole) = text.parse::<i64>() {
        return Some(i128::from(whole) * i128::from(scale(whole as f64)));
    }
    // Decimal places one by one: a float has too few.
    if let Some((whole, places)) = text.split_once('.')
        && let Ok(seconds) = whole.parse::<i64>()
        && !places.is_empty()
        && places.bytes().all(|b| b.is_ascii_digit())
    {
        let places = places.get(..9).unwrap_or(places);
        let scale = scale(seconds as f64);
        let part = places.parse::<i64>().ok()? * scale / 10_i64.pow(u32::try_from(places.len()).ok()?);
        return Some(i128::from(seconds) * i128::from(scale) + i128::from(if whole.starts_with('-') { -part } else { part }));
    }
    let float: f64 = text.parse().ok().filter(|float: &f64| float.is_finite())?;
    let nanos = float * scale(float) as f64;
    Some(nanos as i128)
}

/// Days since 1970 of a date of the Gregorian calendar, counted in years that begin in March.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// The other way round.
fn civil(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let years = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * years + years / 4 - years / 100);
    let march = (5 * of_year + 2) / 153;
    let (day, month) = (of_year - (153 * march + 2) / 5 + 1, if march < 10 { march + 3 } else { march - 9 });
    (era * 400 + years + i64::from(month <= 2), month, day)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn texts_and_numbers() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some(0)),
            ("2024-03-01T00:05:05Z", Some(1_709_251_505_000_000_000)),
            ("2024-03-01t02:05:05.5+02:00", Some(1_709_251_505_500_000_000)),
            ("2024-02-29 19:05:05,123456789123-0500", Some(1_709_251_505_123_456_789)),
            ("2024-03-01", Some(1_709_251_200_000_000_000)),
            ("1969-12-31T23:59:59Z", Some(-1_000_000_000)),
            ("1709251505", Some(1_709_251_505_000_000_000)),
            ("1709251505000", Some(1_709_251_505_000_000_000)),
            ("1709251505000001", Some(1_709_251_505_000_001_000)),
            ("1709251505000000001", Some(1_709_251_505_000_000_001)),
            ("1709251505.25", Some(1_709_251_505_250_000_000)),
            ("-1.5", Some(-1_500_000_000)),
            ("1709251505000.0000000001", Some(1_709_251_505_000_000_000)),
            ("1.5e9", Some(1_500_000_000_000_000_000)),
            ("2024-13-01T00:00:00Z", None),
            ("2024-03-01T25:00:00Z", None),
            ("2024-03-01T00:00:00Q", None),
            ("9999-03-01T00:00:00Z", None),
            ("99999999999999999999", None),
            ("soon", None),
            ("", None),
            ("2024-03-01T00:05:05+é", None),
        ] {
            assert_eq!(Timestamp::parse(text).map(|time| time.0), expected, "{text}");
        }
    }

    #[test]
    fn microseconds_reach_further() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000001Z", Some(1)),
            ("1969-12-31T23:59:59.9999999Z", Some(-1)),
            ("0000-01-01T00:00:00Z", Some(-62_167_219_200_000_000)),
            ("1500-01-01T00:00:00Z", Some(-14_831_769_600_000_000)),
            ("9999-12-31T23:59:59.999999999Z", Some(253_402_300_799_999_999)),
            ("9999-12-31T23:59:59-01:00", None),
            ("13000000000", Some(13_000_000_000_000_000)),
            ("-99999999999", None),
            ("1e300", None),
            ("soon", None),
        ] {
            assert_eq!(microseconds(text), expected, "{text}");
        }
    }

    #[test]
    fn every_day_of_four_centuries_there_and_back() {
        for day in -30_000..120_000 {
            let (year, month, of_month) = civil(day);
            assert_eq!(days(year, month, of_month), day);
        }
        let mut out = String::new();
        for part in [TimePart::Year, TimePart::Month, TimePart::Day, TimePart::Hour, TimePart::Minute, TimePart::Second] {
            Timestamp(1_709_251_505_000_000_000).push(part, &mut out);
        }
        assert_eq!(out, "20240301000505");
    }
}
