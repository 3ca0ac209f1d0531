//! Time zones, for times that are written without one.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, MappedLocalTime, Offset, TimeDelta, TimeZone};

/// A time zone: `UTC`, an offset (`+01:00`) or a name of the IANA database (`Europe/Paris`). The database is part of the
/// program, so that the machine's own plays no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zone(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Seconds east of UTC.
    Fixed(i32),
    Named(chrono_tz::Tz),
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(Kind::Fixed(0));

    /// Seconds that the zone's clocks are ahead of UTC when they show `local`: seconds since 1970-01-01 00:00:00 on those
    /// clocks. A time that clocks show twice (in autumn) is the earlier one; one that they skip (in spring) is read with the
    /// offset that held before.
    pub fn offset_seconds(&self, local: i64) -> i32 {
        let zone = match self.0 {
            Kind::Fixed(seconds) => return seconds,
            Kind::Named(zone) => zone,
        };
        let Some(local) = DateTime::from_timestamp(local, 0).map(|time| time.naive_utc()) else { return 0 };
        match zone.offset_from_local_datetime(&local) {
            MappedLocalTime::Single(offset) | MappedLocalTime::Ambiguous(offset, _) => offset.fix().local_minus_utc(),
            MappedLocalTime::None => {
                // No gap is longer than a day.
                let before = local.checked_sub_signed(TimeDelta::days(1)).unwrap_or(local);
                zone.offset_from_local_datetime(&before).earliest().map_or(0, |offset| offset.fix().local_minus_utc())
            }
        }
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Fixed(0) => f.write_str("UTC"),
            Kind::Fixed(seconds) => {
                let minutes = seconds.unsigned_abs() / 60;
                write!(f, "{}{:02}:{:02}", if seconds < 0 { '-' } else { '+' }, minutes / 60, minutes % 60)
            }
            Kind::Named(zone) => f.write_str(zone.name()),
        }
    }
}

/// A text that is no time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownZone;

impl FromStr for Zone {
    type Err = UnknownZone;

    fn from_str(text: &str) -> Result<Self, UnknownZone> {
        if text == "UTC" || text == "Z" {
            return Ok(Self::UTC);
        }
        let sign = match text.as_bytes().first() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return text.parse().map(|zone| Zone(Kind::Named(zone))).map_err(|_| UnknownZone),
        };
        let digits = |text: Option<&str>| text.filter(|t| t.bytes().all(|b| b.is_ascii_digit())).and_then(|t| t.parse::<i32>().ok());
        let (hours, minutes) = (digits(text.get(1..3)), digits(text.get(4..)));
        match (hours, text.get(3..4), minutes) {
            (Some(hours @ 0..=18), Some(":"), Some(minutes @ 0..=59)) if text.len() == 6 => {
                Ok(Zone(Kind::Fixed(sign * (hours * 60 + minutes) * 60)))
            }
            _ => Err(UnknownZone),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_by_name_and_offset() {
        for text in ["UTC", "+05:30", "-03:00", "Europe/Paris", "America/New_York"] {
            assert_eq!(text.parse::<Zone>().map(|zone| zone.to_string()), Ok(text.to_owned()));
        }
        for text in ["", "+1", "+1:000", "+19:00", "+01:60", "Europe/Pari", "+é1:0", "local"] {
            assert_eq!(text.parse::<Zone>(), Err(UnknownZone), "{text}");
        }
    }

    #[test]
    fn summer_winter_and_the_hours_between() {
        let paris: Zone = "Europe/Paris".parse().unwrap();
        // 2025-03-30 01:59:59, 02:30:00 (skipped), 03:00:00; 2025-10-26 02:30:00 (twice), 03:00:00.
        for (local, offset) in
            [(1_743_299_999, 3600), (1_743_301_800, 3600), (1_743_303_600, 7200), (1_761_445_800, 7200), (1_761_447_600, 3600)]
        {
            assert_eq!(paris.offset_seconds(local), offset, "{local}");
        }
        assert_eq!(paris.offset_seconds(i64::MAX), 0);
    }
}
