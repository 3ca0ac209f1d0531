//! Times, as logs write them, to RFC 3339.

use tamis_config::Zone;

/// A time on somebody's clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp<'a> {
    year: u16,
    month: u8,
    day: u8,
    hour: u8,
    minute: u8,
    second: u8,
    /// The digits behind the second's point.
    fraction: &'a [u8],
    /// Minutes ahead of UTC, where the text says so.
    offset: Option<i16>,
}

/// The zone of times that do not say theirs, and what it was last asked.
#[derive(Debug, Clone)]
pub(crate) struct LocalTime {
    zone: Zone,
    /// A minute since 1970 on the zone's clocks and the offset then: most records are of the same minute as the one before.
    last: Option<(i64, i16)>,
}

impl LocalTime {
    pub(crate) fn new(zone: Zone) -> Self {
        Self { zone, last: None }
    }

    /// Appends a time as a JSON string.
    pub(crate) fn write(&mut self, stamp: &Stamp<'_>, out: &mut Vec<u8>) {
        let offset = stamp.offset.unwrap_or_else(|| self.offset(stamp));
        let two = |n: u8| [b'0' + n / 10 % 10, b'0' + n % 10];
        let [y1, y2] = two((stamp.year / 100) as u8);
        let [y3, y4] = two((stamp.year % 100) as u8);
        let ([m1, m2], [d1, d2]) = (two(stamp.month), two(stamp.day));
        let ([h1, h2], [n1, n2], [s1, s2]) = (two(stamp.hour), two(stamp.minute), two(stamp.second));
        out.extend_from_slice(&[b'"', y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T', h1, h2, b':', n1, n2, b':', s1, s2]);
        if !stamp.fraction.is_empty() {
            out.push(b'.');
            out.extend_from_slice(stamp.fraction);
        }
        if offset == 0 {
            out.extend_from_slice(b"Z\"");
        } else {
            let minutes = offset.unsigned_abs();
            let ([h1, h2], [n1, n2]) = (two((minutes / 60) as u8), two((minutes % 60) as u8));
            out.extend_from_slice(&[if offset < 0 { b'-' } else { b'+' }, h1, h2, b':', n1, n2, b'"']);
        }
    }

    fn offset(&mut self, stamp: &Stamp<'_>) -> i16 {
        let days = days(i64::from(stamp.year), i64::from(stamp.month), i64::from(stamp.day));
        let minute = days * 1440 + i64::from(stamp.hour) * 60 + i64::from(stamp.minute);
        match self.last {
            Some((known, offset)) if known == minute => offset,
            _ => {
                // RFC 3339 knows no seconds of an offset; zones had them before 1972.
                let offset = (self.zone.offset_seconds(minute * 60) / 60) as i16;
                self.last = Some((minute, offset));
                offset
            }
        }
    }
}

/// Days from 1970-01-01 to a day of the Gregorian calendar.
fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years are counted from March, so that the day that leap years add is a year's last.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    365 * year + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day - 719_469
}

const MONTHS: [&[u8; 3]; 12] = [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];

/// Reads fixed numbers of digits.
struct Digits<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Digits<'a> {
    fn number(&mut self, digits: usize) -> Option<u16> {
        let slice = self.text.get(self.at..self.at + digits)?;
        self.at += digits;
        slice.iter().try_fold(0u16, |all, byte| byte.is_ascii_digit().then(|| all * 10 + u16::from(byte - b'0')))
    }

    fn two(&mut self) -> Option<u8> {
        self.number(2).map(|n| n as u8)
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        bytes.contains(&byte).then(|| self.at += 1).map(|()| byte)
    }

    fn month(&mut self) -> Option<u8> {
        let name = self.text.get(self.at..self.at + 3)?;
        self.at += 3;
        MONTHS.iter().position(|month| *month == name).map(|i| i as u8 + 1)
    }

    /// `HH:MM:SS`.
    fn clock(&mut self) -> Option<(u8, u8, u8)> {
        let hour = self.two()?;
        self.one_of(b":")?;
        let minute = self.two()?;
        self.one_of(b":")?;
        Some((hour, minute, self.two()?))
    }

    /// `,123` or `.123456789`, or nothing.
    fn fraction(&mut self) -> Option<&'a [u8]> {
        if self.one_of(b",.").is_none() {
            return Some(b"");
        }
        let rest = self.text.get(self.at..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += length;
        if (1..=9).contains(&length) { rest.get(..length) } else { None }
    }

    /// `Z`, `+01:00`, `+0100`, or nothing.
    fn offset(&mut self) -> Option<Option<i16>> {
        let Some(sign) = self.one_of(b"Z+-") else { return Some(None) };
        if sign == b'Z' {
            return Some(Some(0));
        }
        let hours = i16::from(self.two()?);
        let _ = self.one_of(b":");
        let minutes = i16::from(self.two()?);
        let offset = hours * 60 + minutes;
        (hours <= 23 && minutes <= 59).then_some(Some(if sign == b'-' { -offset } else { offset }))
    }
}

impl<'a> Stamp<'a> {
    fn checked(self) -> Option<Self> {
        let is_leap = self.year.is_multiple_of(4) && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400));
        let days = match self.month {
            4 | 6 | 9 | 11 => 30,
            2 if is_leap => 29,
            2 => 28,
            1..=12 => 31,
            _ => return None,
        };
        // A leap second is the 60th.
        ((1..=days).contains(&self.day) && self.hour <= 23 && self.minute <= 59 && self.second <= 60).then_some(self)
    }

    /// `2025-03-03 11:42:07,381` and its kin: `T` or a blank between, a fraction or none, `Z`, an offset or none. Gives the length too.
    pub(crate) fn iso(text: &'a [u8]) -> Option<(Self, usize)> {
        let mut d = Digits { text, at: 0 };
        let year = d.number(4)?;
        d.one_of(b"-")?;
        let month = d.two()?;
        d.one_of(b"-")?;
        let day = d.two()?;
        d.one_of(b"T ")?;
        let (hour, minute, second) = d.clock()?;
        let fraction = d.fraction()?;
        let offset = d.offset()?;
        Some((Self { year, month, day, hour, minute, second, fraction, offset }.checked()?, d.at))
    }

    /// `03/Mar/2025:11:42:07 +0100`, as access logs have it. Gives the length too.
    pub(crate) fn access(text: &'a [u8]) -> Option<(Self, usize)> {
        let mut d = Digits { text, at: 0 };
        let day = d.two()?;
        d.one_of(b"/")?;
        let month = d.month()?;
        d.one_of(b"/")?;
        let year = d.number(4)?;
        d.one_of(b":")?;
        let (hour, minute, second) = d.clock()?;
        let fraction = d.fraction()?;
        let before = d.at;
        let offset = match d.one_of(b" ") {
            Some(_) => d.offset()?,
            None => None,
        };
        if offset.is_none() {
            d.at = before;
        }
        Some((Self { year, month, day, hour, minute, second, fraction, offset }.checked()?, d.at))
    }

    /// `Mar  3 11:42:07`, as RFC 3164 has it. The year is that which brings the time nearest to `now` (seconds since 1970),
    /// unless it is given. Gives the length too.
    pub(crate) fn syslog(text: &'a [u8], year: Option<u16>, now: i64) -> Option<(Self, usize)> {
        let mut d = Digits { text, at: 0 };
        let month = d.month()?;
        d.one_of(b" ")?;
        // The day has two places, the first a blank or, in the wild, 0.
        let day = match d.one_of(b" ") {
            Some(_) => d.number(1)? as u8,
            None => d.two()?,
        };
        d.one_of(b" ")?;
        let (hour, minute, second) = d.clock()?;
        let fraction = d.fraction()?;
        let today = now.div_euclid(86_400);
        // May be the neighbouring one around New Year, which the candidates make up for.
        let this_year = 1970 + today * 400 / 146_097;
        let stamp = |year: i64| {
            let year = u16::try_from(year).ok()?;
            Self { year, month, day, hour, minute, second, fraction, offset: None }.checked()
        };
        let distance = |year: i64| (days(year, i64::from(month), i64::from(day)) - today).abs();
        let found = match year {
            Some(year) => stamp(i64::from(year)),
            // The 29th of February is no day of most years.
            None => [this_year - 1, this_year, this_year + 1]
                .into_iter()
                .filter(|y| stamp(*y).is_some())
                .min_by_key(|y| distance(*y))
                .and_then(stamp),
        };
        Some((found?, d.at))
    }

    /// Any of the forms that say their year, with or without brackets around, and nothing else.
    pub(crate) fn any(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let text = text.strip_prefix(b"[").and_then(|t| t.strip_suffix(b"]")).unwrap_or(text);
        let (stamp, length) = Self::iso(text).or_else(|| Self::access(text))?;
        (length == text.len()).then_some(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(stamp: Option<Stamp<'_>>, zone: &str) -> String {
        let mut out = Vec::new();
        match stamp {
            Some(stamp) => LocalTime::new(zone.parse().unwrap()).write(&stamp, &mut out),
            None => out.extend_from_slice(b"none"),
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn forms() {
        for (text, zone, expected) in [
            ("2025-03-03 11:42:07,381", "Europe/Paris", "\"2025-03-03T11:42:07.381+01:00\""),
            ("2025-07-03 11:42:07,381", "Europe/Paris", "\"2025-07-03T11:42:07.381+02:00\""),
            ("2025-03-03T11:42:07", "UTC", "\"2025-03-03T11:42:07Z\""),
            ("2025-03-03 11:42:07,381+0100", "UTC", "\"2025-03-03T11:42:07.381+01:00\""),
            ("2025-03-03T11:42:07.123456789-03:30", "UTC", "\"2025-03-03T11:42:07.123456789-03:30\""),
            ("[03/Mar/2025:11:42:07 +0100]", "UTC", "\"2025-03-03T11:42:07+01:00\""),
            ("03/Mar/2025:11:42:07", "-05:00", "\"2025-03-03T11:42:07-05:00\""),
            ("2024-02-29 23:59:60Z", "UTC", "\"2024-02-29T23:59:60Z\""),
            ("2025-02-29 00:00:00", "UTC", "none"),
            ("2025-13-01 00:00:00", "UTC", "none"),
            ("2025-03-03 24:00:00", "UTC", "none"),
            ("2025-03-03 11:42:07,", "UTC", "none"),
            ("2025-03-03 11:42:07,1234567890", "UTC", "none"),
            ("2025-03-03 11:42:07 x", "UTC", "none"),
            ("2025-03-03 11:42:07+2500", "UTC", "none"),
            ("03/Mrz/2025:11:42:07 +0100", "UTC", "none"),
            ("", "UTC", "none"),
        ] {
            assert_eq!(written(Stamp::any(text.as_bytes()), zone), expected, "{text}");
        }
    }

    #[test]
    fn a_year_that_is_not_written_is_the_nearest() {
        let at = |year, month, day| days(year, month, day) * 86_400 + 43_200;
        for (text, now, expected) in [
            ("Mar  3 11:42:07", at(2025, 3, 3), "2025-03-03"),
            ("Dec 31 23:59:59", at(2026, 1, 1), "2025-12-31"),
            ("Jan  1 00:00:00", at(2025, 12, 31), "2026-01-01"),
            ("Feb 29 00:00:00", at(2025, 3, 3), "2024-02-29"),
            ("Mar 03 11:42:07", at(2024, 12, 31), "2025-03-03"),
        ] {
            let stamp = Stamp::syslog(text.as_bytes(), None, now).map(|(stamp, _)| stamp);
            assert!(written(stamp, "UTC").contains(expected), "{text} {}", written(stamp, "UTC"));
        }
        assert!(written(Stamp::syslog(b"Mar  3 11:42:07", Some(1999), 0).map(|s| s.0), "UTC").contains("1999"));
        assert_eq!(Stamp::syslog(b"Feb 30 00:00:00", None, 0), None);
    }

    #[test]
    fn days_are_counted_from_1970() {
        assert_eq!((days(1970, 1, 1), days(2000, 3, 1), days(2025, 3, 3)), (0, 11_017, 20_150));
    }
}
