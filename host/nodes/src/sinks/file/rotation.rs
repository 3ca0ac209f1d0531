//! Files that are put aside: when, under which name, and how many are kept.

use super::time::{Utc, since_epoch};
use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// Files that may be put aside under the same millisecond.
const SAME_TIME_MAX: u32 = 1_000;
/// Endings before which the ending of what is compressed stands: `.ndjson.gz`.
const COMPRESSED: [&str; 4] = [".gz", ".zst", ".zstd", ".gzip"];

/// How many of `lines` go into a file of `length` bytes that may have `size_max`: whole lines; 0 when a new file is due.
/// A line that is longer than a whole file gets one of its own.
pub(super) fn fitting(lines: &[u8], length: u64, size_max: Option<u64>) -> usize {
    let room = size_max.map_or(u64::MAX, |max| max.saturating_sub(length));
    if lines.len() as u64 <= room {
        return lines.len();
    }
    match memchr::memrchr(b'\n', lines.get(..room as usize).unwrap_or_default()) {
        Some(at) => at + 1,
        None if length == 0 => memchr::memchr(b'\n', lines).map_or(lines.len(), |at| at + 1),
        None => 0,
    }
}

/// Which multiple of `every` a time lies in, counted from 1970 in UTC.
pub(super) fn period(time: SystemTime, every: Option<Duration>) -> u128 {
    every.map_or(0, |every| since_epoch(time).as_millis() / every.as_millis().max(1))
}

/// Renames a file to `<stem>-<time>[-n]<ending>` beside it, where nothing stands yet, and gives the new path.
pub(super) fn put_aside(path: &Path, now: SystemTime) -> io::Result<PathBuf> {
    let (stem, ending) = split(name_of(path));
    let time = Utc::new(now);
    for n in 1..=SAME_TIME_MAX {
        let number = if n == 1 { String::new() } else { format!("-{n}") };
        let aside = path.with_file_name(format!("{stem}-{time}{number}{ending}"));
        // The name is taken first, since a rename replaces what stands there.
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        }
        if let Err(error) = std::fs::rename(path, &aside) {
            let _ = std::fs::remove_file(&aside);
            return Err(error);
        }
        return Ok(aside);
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{SAME_TIME_MAX} files were put aside at {time}")))
}

/// The files put aside for `path` beyond the `keep` youngest.
pub(super) fn surplus(path: &Path, keep: u32) -> io::Result<Vec<PathBuf>> {
    let (stem, ending) = split(name_of(path));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut aside = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if let Some(order) = name.to_str().and_then(|name| time_in(name, stem, ending))
            && entry.file_type()?.is_file()
        {
            aside.push((order, path.with_file_name(name)));
        }
    }
    aside.sort_unstable();
    let count = aside.len().saturating_sub(keep as usize);
    aside.truncate(count);
    Ok(aside.into_iter().map(|(_, path)| path).collect())
}

/// Changes a file's name, from byte `from` of `path` on, that a field's value has made look like that of a file put aside, so
/// that nobody's values name a file that belongs to someone else: `a-20260101T000000.000Z` becomes `a%2D20260101T000000.000Z`,
/// which no value makes.
pub(super) fn defuse(path: &mut String, from: usize) {
    let mut at = from;
    while let Some(found) = path.get(at..).and_then(|rest| rest.find('-')) {
        at += found + 1;
        if path.get(at..).is_some_and(|rest| time_length(rest.as_bytes()).is_some()) {
            path.replace_range(at - 1..at, "%2D");
        }
    }
}

fn name_of(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

/// A name as stem and ending; the ending begins with its dot, or is empty.
fn split(name: &str) -> (&str, &str) {
    let dot = |name: &str| name.rfind('.').filter(|at| *at > 0);
    let Some(last) = dot(name) else { return (name, "") };
    let (before, ending) = name.split_at(last);
    match dot(before) {
        Some(at) if COMPRESSED.contains(&ending) => name.split_at(at),
        _ => (before, ending),
    }
}

/// When the file `name` was put aside for the file of this stem and ending: time and number, in their order. `None`: it was not.
fn time_in(name: &str, stem: &str, ending: &str) -> Option<(String, u32)> {
    let rest = name.strip_prefix(stem)?.strip_prefix('-')?.strip_suffix(ending)?;
    let (time, number) = rest.split_at_checked(time_length(rest.as_bytes())?)?;
    let number = match number.strip_prefix('-') {
        Some(digits) if !digits.starts_with(['0', '+']) => digits.parse().ok().filter(|n| *n > 1)?,
        None if number.is_empty() => 1,
        _ => return None,
    };
    Some((time.to_owned(), number))
}

/// The length of the time that a text begins with.
fn time_length(text: &[u8]) -> Option<usize> {
    const SHAPE: &[u8; 20] = b"00000000T000000.000Z";
    let fits = |(byte, shape): (&u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == shape };
    (text.len() >= SHAPE.len() && text.iter().zip(SHAPE).all(fits)).then_some(SHAPE.len())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn names_are_split_before_their_ending() {
        for (name, stem, ending) in [
            ("a.ndjson", "a", ".ndjson"),
            ("a.b.ndjson", "a.b", ".ndjson"),
            ("a.ndjson.gz", "a", ".ndjson.gz"),
            ("a.gz", "a", ".gz"),
            ("a", "a", ""),
            (".a", ".a", ""),
            (".gz", ".gz", ""),
            (".a.gz", ".a", ".gz"),
        ] {
            assert_eq!(split(name), (stem, ending), "{name}");
        }
    }

    #[test]
    fn whole_lines_fit() {
        for (lines, length, max, expected) in [
            ("aa\nbb\n", 0, None, 6),
            ("aa\nbb\n", 4, Some(10), 6),
            ("aa\nbb\n", 5, Some(10), 3),
            ("aa\nbb\n", 8, Some(10), 0),
            ("aa\nbb\n", 80, Some(10), 0),
            ("aa\nbb\n", 0, Some(2), 3),
            ("aaaa", 0, Some(2), 4),
        ] {
            assert_eq!(fitting(lines.as_bytes(), length, max), expected, "{lines:?} {length} {max:?}");
        }
    }

    #[test]
    fn nothing_is_overwritten_and_only_exact_names_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.ndjson");
        let now = UNIX_EPOCH + Duration::from_millis(1_735_689_600_007);
        let mut names = Vec::new();
        for n in 0..12 {
            std::fs::write(&path, n.to_string()).unwrap();
            names.push(put_aside(&path, now).unwrap());
        }
        assert!(names[0].ends_with("a-20250101T000000.007Z.ndjson") && names[11].ends_with("a-20250101T000000.007Z-12.ndjson"));
        for (n, name) in names.iter().enumerate() {
            assert_eq!(std::fs::read_to_string(name).unwrap(), n.to_string());
        }
        let others = [
            "a-20250101T000000.007Z.ndjson.gz",
            "a-20250101T000000.007Z-1.ndjson",
            "a-20250101T000000.007Z-02.ndjson",
            "a-20250101T000000.007Z-x.ndjson",
            "a-20250101T000000.007.ndjson",
            "a-x-20250101T000000.007Z.ndjson",
            "ab-20250101T000000.007Z.ndjson",
            "b-20250101T000000.007Z.ndjson",
            "a-20250101T000000.007Z",
        ];
        for other in others {
            std::fs::write(folder.path().join(other), "").unwrap();
        }
        assert_eq!(surplus(&path, 10).unwrap(), names[..2]);
        assert!(surplus(&path, 12).unwrap().is_empty());
    }

    #[test]
    fn a_value_cannot_make_the_name_of_a_file_put_aside() {
        for (name, expected) in [
            ("out-20250101T000000.007Z/a-20250101T000000.007Z.x", "out-20250101T000000.007Z/a%2D20250101T000000.007Z.x"),
            ("out-20250101T000000.007Z/a--20250101T000000.007Z-2", "out-20250101T000000.007Z/a-%2D20250101T000000.007Z-2"),
            ("out-20250101T000000.007Z/a-20250101T000000.07Z", "out-20250101T000000.007Z/a-20250101T000000.07Z"),
            ("out-20250101T000000.007Z/a-b-c", "out-20250101T000000.007Z/a-b-c"),
        ] {
            let mut path = name.to_owned();
            defuse(&mut path, "out-20250101T000000.007Z/".len());
            assert_eq!(path, expected);
        }
    }

    #[test]
    fn periods_are_aligned() {
        let day = Some(Duration::from_secs(86_400));
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(period(at(86_399), day) + 1, period(at(86_400), day));
        assert_eq!(period(at(86_400), day), period(at(172_799), day));
        assert_eq!(period(at(5), None), period(at(500_000), None));
    }
}
