//! What a crash or a power loss left at the end of a file is put right before anything is appended.
//!
//! Only the last [`WINDOW_BYTES`] are looked at: the host has at most that much written and not yet synced. What a sync has
//! covered lies before what none has, so whatever is found damaged, and all behind it, was never called delivered.

use super::compression::{magic, member_length};
use super::sync;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use tamis_config::SinkCompression;
use tamis_record::{Batch, DEPTH_MAX, Fields, Records};

/// How far back a file is looked at.
const WINDOW_BYTES: u64 = 32 * 1024 * 1024;
/// How far back the beginning of a last line is looked for.
const LAST_LINE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// What became of a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// It can be appended to at this length.
    Length(u64),
    /// It cannot be told how to append to it: it has to be put aside.
    Foreign,
}

/// Puts a file right that is open for reading and writing (not for appending, where writing at a place is not possible).
pub(super) fn repair(file: &File, path: &Path, compression: SinkCompression) -> io::Result<Repair> {
    let length = file.metadata()?.len();
    let (start, window) = tail(file, length, WINDOW_BYTES)?;
    if window.is_empty() {
        return Ok(Repair::Length(length));
    }
    if compression == SinkCompression::None {
        return lines(file, path, start, window).map(Repair::Length);
    }
    match whole_members(compression, &window, start == 0) {
        None => Ok(Repair::Foreign),
        Some(end) if end == window.len() => Ok(Repair::Length(length)),
        Some(end) => {
            let end = start + end as u64;
            tracing::warn!("`{}` ended with {} bytes of a member that was not finished: they are cut off", path.display(), length - end);
            file.set_len(end)?;
            sync::repaired(file, path)?;
            Ok(Repair::Length(end))
        }
    }
}

fn tail(file: &File, length: u64, window: u64) -> io::Result<(u64, Vec<u8>)> {
    let start = length.saturating_sub(window);
    let mut tail = vec![0; usize::try_from(length - start).unwrap_or(0)];
    file.read_exact_at(&mut tail, start)?;
    Ok((start, tail))
}

/// Removes lines that are no JSON, ends a last line that is, and gives the file's new length.
fn lines(file: &File, path: &Path, mut start: u64, mut window: Vec<u8>) -> io::Result<u64> {
    let length = start + window.len() as u64;
    if start > 0 {
        let mut reach = WINDOW_BYTES;
        // The window begins somewhere in a line, which is not looked at.
        while memchr::memchr(b'\n', &window).is_none() && start > 0 && reach < LAST_LINE_BYTES_MAX {
            reach *= 2;
            (start, window) = tail(file, length, reach)?;
        }
        let begin = if start == 0 { 0 } else { memchr::memchr(b'\n', &window).map_or(window.len(), |at| at + 1) };
        if begin == window.len() && !window.ends_with(b"\n") {
            // No record of ours is that long: what is appended begins a line of its own.
            file.write_all_at(b"\n", length)?;
            sync::repaired(file, path)?;
            return Ok(length + 1);
        }
        window.drain(..begin);
        start += begin as u64;
    }
    let ends = window.last().is_none_or(|last| *last == b'\n');
    let (text, rows, damaged) = damaged_lines(window);
    let Some(first) = damaged.first().and_then(|row| rows.get(*row as usize)) else {
        if !ends {
            file.write_all_at(b"\n", length)?;
            return Ok(length + 1);
        }
        return Ok(length);
    };
    let keep = first.0 as usize;
    let mut kept = Vec::new();
    let mut damaged_rows = damaged.iter().peekable();
    for (row, (from, to)) in rows.iter().enumerate() {
        if damaged_rows.next_if(|damaged| **damaged as usize == row).is_none() && *from as usize >= keep {
            kept.extend_from_slice(text.get(*from as usize..*to as usize).unwrap_or_default());
            kept.push(b'\n');
        }
    }
    let at = start + keep as u64;
    let end = at + kept.len() as u64;
    if damaged.len() == 1 && kept.is_empty() && !ends {
        tracing::warn!("`{}` ended with {} bytes of a record that was not finished: they are cut off", path.display(), length - end);
    } else {
        tracing::warn!(
            "`{}` held {} lines at its end that are no records, as a power loss leaves them: they are removed, {} bytes",
            path.display(),
            damaged.len(),
            length.saturating_sub(end)
        );
    }
    file.write_all_at(&kept, at)?;
    file.set_len(end)?;
    sync::repaired(file, path)?;
    Ok(end)
}

/// The text, its lines, and the numbers of those that are not JSON, ascending.
fn damaged_lines(text: Vec<u8>) -> (Vec<u8>, Vec<(u32, u32)>, Vec<u32>) {
    let mut rows = Vec::new();
    let mut from = 0;
    for to in memchr::memchr_iter(b'\n', &text) {
        rows.push((from, to as u32));
        from = to as u32 + 1;
    }
    if (from as usize) < text.len() {
        rows.push((from, text.len() as u32));
    }
    let records = Arc::new(Records { text, rows });
    let mut batch = Batch::new(Arc::new(Fields::new()));
    batch.set_depth_max(DEPTH_MAX);
    let mut faults = Vec::new();
    batch.load(Arc::clone(&records), &mut faults);
    batch.release();
    let mut damaged: Vec<u32> = faults.iter().map(|fault| fault.row).collect();
    damaged.sort_unstable();
    damaged.dedup();
    let Records { text, rows } = Arc::unwrap_or_clone(records);
    // A line that begins with a blank is a dead letter that was taken out for another try, in place: whoever does that may
    // be at work, and everything has to stay where it is. Records of ours begin with none.
    let ends = text.last().is_none_or(|last| *last == b'\n');
    let last = (rows.len() as u32).saturating_sub(1);
    let taken_out = |row: &u32| {
        let first = rows.get(*row as usize).and_then(|(from, _)| text.get(*from as usize));
        first == Some(&b' ') && (ends || *row < last)
    };
    damaged.retain(|row| !taken_out(row));
    (text, rows, damaged)
}

/// Where the whole members end that `window` holds. `None`: it holds none, or something else is between them.
fn whole_members(compression: SinkCompression, window: &[u8], from_start: bool) -> Option<usize> {
    let mut end = if from_start { 0 } else { next_member(compression, window, 0)? };
    while let Some(length) = member_length(compression, window.get(end..).unwrap_or_default()).filter(|length| *length > 0) {
        end += length;
    }
    if end == window.len() {
        return Some(end);
    }
    let rest = window.get(end..).unwrap_or_default();
    let magic = magic(compression);
    // The first member of a file that was never finished; anything else at the beginning is not ours.
    let unfinished = end > 0 || rest.starts_with(magic) || magic.starts_with(rest);
    // A member behind the damage: no crash leaves that, since members are written one after the other.
    (unfinished && next_member(compression, window, end + 1).is_none()).then_some(end)
}

/// The first place from `at` on where a valid member begins.
fn next_member(compression: SinkCompression, window: &[u8], at: usize) -> Option<usize> {
    let rest = window.get(at..)?;
    memchr::memmem::find_iter(rest, magic(compression))
        .find(|found| member_length(compression, rest.get(*found..).unwrap_or_default()).is_some())
        .map(|found| at + found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::compression::Encoder;
    use super::*;
    use std::fs::OpenOptions;

    fn repaired(before: &[u8], compression: SinkCompression) -> (Repair, Vec<u8>) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        std::fs::write(&path, before).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let repair = repair(&file, &path, compression).unwrap();
        (repair, std::fs::read(&path).unwrap())
    }

    #[test]
    fn lines_that_a_power_loss_left() {
        let nuls = "\0".repeat(4_096);
        for (before, after) in [
            ("".to_owned(), ""),
            ("{\"a\":1}\n".to_owned(), "{\"a\":1}\n"),
            ("{\"a\":1}\n{\"b\":".to_owned(), "{\"a\":1}\n"),
            ("{\"a\":1}".to_owned(), "{\"a\":1}\n"),
            ("{\"a\":1}\n{\"b\":1}".to_owned(), "{\"a\":1}\n{\"b\":1}\n"),
            ("{\"b".to_owned(), ""),
            (format!("{{\"a\":1}}\n{nuls}"), "{\"a\":1}\n"),
            (format!("{{\"a\":1}}\n{nuls}{{\"b\":1}}\n{{\"c\":1}}\n"), "{\"a\":1}\n{\"c\":1}\n"),
            (format!("{{\"a\":1}}\n{{\"b\":\"{nuls}\"}}\n{{\"c\":1}}\nxx\n\n{{\"d\":1}}"), "{\"a\":1}\n{\"c\":1}\n{\"d\":1}\n"),
            (format!("{nuls}\n{nuls}"), ""),
            ("   \n \"record\":1}\n{\"a\":1}\n {\"b".to_owned(), "   \n \"record\":1}\n{\"a\":1}\n"),
            ("{\"a\":1}\n{\"a\":1}{\"b\":2}\n".to_owned(), "{\"a\":1}\n"),
        ] {
            let (repair, found) = repaired(before.as_bytes(), SinkCompression::None);
            assert_eq!(String::from_utf8(found).unwrap(), after, "{before:?}");
            assert_eq!(repair, Repair::Length(after.len() as u64));
        }
    }

    #[test]
    fn what_precedes_the_window_is_not_touched() {
        let line = format!("{{\"pad\":\"{}\"}}\n", "x".repeat(1_000));
        let mut before = b"not JSON\n".to_vec();
        while before.len() as u64 <= WINDOW_BYTES + 2_000 {
            before.extend_from_slice(line.as_bytes());
        }
        let sound = before.clone();
        before.extend_from_slice(b"{\"torn\":");
        assert!(repaired(&before, SinkCompression::None).1 == sound);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("endless");
        let file = File::create_new(&path).unwrap();
        file.set_len(LAST_LINE_BYTES_MAX + 10).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let length = LAST_LINE_BYTES_MAX + 11;
        assert_eq!(repair(&file, &path, SinkCompression::None).unwrap(), Repair::Length(length));
        let mut last = [0; 2];
        file.read_exact_at(&mut last, length - 2).unwrap();
        assert_eq!(&last, b"\0\n", "what follows has a line of its own");
    }

    #[test]
    fn members_cut_at_every_byte() {
        for compression in [SinkCompression::Gzip, SinkCompression::Zstd] {
            let mut encoder = Encoder::new(compression).unwrap();
            let (mut all, mut ends, mut member) = (Vec::new(), vec![0], Vec::new());
            for n in 0..3 {
                encoder.member(format!("{{\"n\":{n}}}\n").as_bytes(), &mut member).unwrap();
                all.extend_from_slice(&member);
                ends.push(all.len());
            }
            for cut in 0..=all.len() {
                let whole = *ends.iter().rev().find(|end| **end <= cut).unwrap();
                let (repair, found) = repaired(&all[..cut], compression);
                assert_eq!((repair, found.as_slice()), (Repair::Length(whole as u64), &all[..whole]), "{compression:?} at {cut}");
            }
            let foreign = [b"{\"plain\":1}\n".to_vec(), vec![0; 100], [&all[..ends[1]], &[0; 50][..], &all[ends[1]..]].concat()];
            for text in foreign {
                let (repair, found) = repaired(&text, compression);
                assert_eq!((repair, found), (Repair::Foreign, text));
            }
            let zeros = [&all[..], &[0; 4_096][..]].concat();
            assert_eq!(repaired(&zeros, compression), (Repair::Length(all.len() as u64), all));
        }
    }

    #[test]
    fn members_of_a_file_larger_than_the_window() {
        for compression in [SinkCompression::Gzip, SinkCompression::Zstd] {
            let noise: Vec<u8> = (0..3 << 20).map(|_| fastrand::u8(..)).collect();
            let mut member = Vec::new();
            Encoder::new(compression).unwrap().member(&noise, &mut member).unwrap();
            let mut all = member.repeat(12);
            let sound = all.len() as u64;
            assert_eq!(repaired(&all, compression).0, Repair::Length(sound));
            all.extend_from_slice(&member[..1_000_000]);
            let (repair, found) = repaired(&all, compression);
            assert_eq!((repair, found.len() as u64), (Repair::Length(sound), sound));
            assert_eq!(repaired(&vec![b'x'; WINDOW_BYTES as usize + 1], compression).0, Repair::Foreign);
        }
    }
}
