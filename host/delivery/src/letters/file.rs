//! Files of dead letters: read line by line, whatever their size, and rid of single letters.

use crate::lock::own_like;
use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// The longest line that is looked at: a record of 64 MiB in base64, and more than its letter adds.
pub const LINE_BYTES_MAX: usize = 96 * 1024 * 1024;
/// How much is overwritten at once.
static BLANKS: [u8; 64 * 1024] = [b' '; 64 * 1024];

/// One line of a file.
#[derive(Debug, Clone, Copy)]
pub struct Line<'a> {
    /// Where it begins, in bytes.
    pub offset: u64,
    /// Where the next one begins.
    pub next: u64,
    /// The line without its line feed; none when it is longer than [`LINE_BYTES_MAX`].
    pub text: Option<&'a [u8]>,
}

/// The lines of a file that may hold a letter: not those that are blank, and not what follows the last line feed, which may be
/// a letter that is being written.
#[derive(Debug)]
pub struct Lines<R> {
    input: R,
    at: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    /// Reads from `input`, whose first byte is number `at` of the file.
    pub fn new(input: R, at: u64) -> Self {
        Self { input, at, line: Vec::new() }
    }

    /// The next line.
    pub fn next_line(&mut self) -> io::Result<Option<Line<'_>>> {
        loop {
            let offset = self.at;
            self.line.clear();
            let mut length = self.part()?;
            let mut whole = true;
            while !self.line.ends_with(b"\n") {
                if length == 0 || self.line.len() <= LINE_BYTES_MAX {
                    return Ok(None);
                }
                whole = false;
                self.line.clear();
                length = self.part()?;
            }
            let next = self.at;
            if whole && self.line.iter().all(|byte| matches!(byte, b' ' | b'\n')) {
                continue;
            }
            let text = if whole { self.line.strip_suffix(b"\n") } else { None };
            return Ok(Some(Line { offset, next, text }));
        }
    }

    fn part(&mut self) -> io::Result<usize> {
        let length = self.input.by_ref().take(LINE_BYTES_MAX as u64 + 1).read_until(b'\n', &mut self.line)?;
        self.at += length as u64;
        Ok(length)
    }
}

/// Takes lines out of a file, given by where they begin and end (behind their line feed): they are blanks afterwards, and
/// that is durable. Whoever appends to the file meanwhile is not disturbed, and a crash leaves each of them whole or gone.
pub fn take_out(file: &File, lines: &[(u64, u64)]) -> io::Result<()> {
    // One byte is written or it is not: after this none of them is a letter, however far the blanks get.
    for (from, _) in lines {
        file.write_all_at(b" ", *from)?;
    }
    file.sync_data()?;
    for (from, to) in lines {
        let (mut at, end) = (*from, to.saturating_sub(1));
        while at < end {
            let count = usize::try_from(end - at).unwrap_or(usize::MAX).min(BLANKS.len());
            file.write_all_at(BLANKS.get(..count).unwrap_or_default(), at)?;
            at += count as u64;
        }
    }
    file.sync_data()
}

/// Rewrites a file without its blank lines, when nobody has it open to append to it. Should somebody have appended all the
/// same, the file stays as it is. Gives the bytes that were saved.
pub fn compact(path: &Path) -> io::Result<u64> {
    let old = File::open(path)?;
    let before = old.metadata()?;
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let folder = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = folder.join(format!(".{name}.compact.tmp"));
    let made = (|| {
        // One that was killed left it.
        let _ = std::fs::remove_file(&beside);
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        own_like(&new, path);
        new.set_permissions(PermissionsExt::from_mode(before.mode() & 0o7777))?;
        let mut out = BufWriter::new(&new);
        let mut input = BufReader::with_capacity(1 << 20, &old);
        // Blanks at the beginning of a line that are held back: they go if nothing else follows in it.
        let (mut saved, mut held, mut begins) = (0u64, 0u64, true);
        loop {
            // Lines of any length, in parts.
            let part = input.fill_buf()?;
            if part.is_empty() {
                break;
            }
            let blanks = if begins { part.iter().take_while(|b| **b == b' ').count() } else { 0 };
            held += blanks as u64;
            let rest = part.get(blanks..).unwrap_or_default();
            let length = rest.iter().position(|b| *b == b'\n').map_or(rest.len(), |at| at + 1);
            let rest = rest.get(..length).unwrap_or_default();
            if begins && rest == b"\n" {
                saved += std::mem::take(&mut held) + 1;
            } else if !rest.is_empty() {
                io::copy(&mut io::repeat(b' ').take(std::mem::take(&mut held)), &mut out)?;
                out.write_all(rest)?;
                begins = rest.ends_with(b"\n");
            }
            input.consume(blanks + length);
        }
        io::copy(&mut io::repeat(b' ').take(held), &mut out)?;
        out.flush()?;
        drop(out);
        new.sync_all()?;
        Ok::<u64, io::Error>(saved)
    })();
    let saved = match made {
        Ok(saved) if saved > 0 && old.metadata()?.len() == before.len() => saved,
        other => {
            // Nothing is lost with it.
            let _ = std::fs::remove_file(&beside);
            return other.map(|_| 0);
        }
    };
    std::fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()?;
    Ok(saved)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn lines(text: &[u8]) -> Vec<(u64, u64, Option<Vec<u8>>)> {
        let mut lines = Lines::new(text, 10);
        let mut found = Vec::new();
        while let Some(Line { offset, next, text }) = lines.next_line().unwrap() {
            found.push((offset, next, text.map(<[u8]>::to_vec)));
        }
        found
    }

    #[test]
    fn only_whole_lines_that_were_not_taken_out() {
        let found = lines(b"{a}\n\n    \n {bb}\n{unfinished");
        assert_eq!(found, [(10, 14, Some(b"{a}".to_vec())), (20, 26, Some(b" {bb}".to_vec()))]);
        assert!(lines(b"").is_empty() && lines(b"{").is_empty());
        let mut long = vec![b'x'; LINE_BYTES_MAX + 2];
        assert!(lines(&long).is_empty());
        long.extend_from_slice(b"\n{a}\n");
        let end = 10 + LINE_BYTES_MAX as u64 + 3;
        assert_eq!(lines(&long), [(10, end, None), (end, end + 4, Some(b"{a}".to_vec()))]);
    }

    #[test]
    fn taken_out_where_they_stand_and_then_for_good() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("letters.ndjson");
        let long = format!("{{{}}}", "x".repeat(200_000));
        std::fs::write(&path, format!("{{a}}\n{long}\n{{b}}\n{{c}}\n  {{d}}\n{{end")).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o640)).unwrap();
        let all = std::fs::read(&path).unwrap();
        let file = OpenOptions::new().read(true).write(true).open(&path).unwrap();
        let second = 4 + long.len() as u64 + 1;
        take_out(&file, &[(4, second), (second + 4, second + 8)]).unwrap();
        let blank = std::fs::read(&path).unwrap();
        assert_eq!((blank.len(), blank.iter().filter(|b| **b == b'\n').count()), (all.len(), 5), "nothing moves");
        let left: Vec<_> = lines(&blank).into_iter().map(|(.., text)| text.unwrap()).collect();
        assert_eq!(left, [&b"{a}"[..], b"{b}", b"  {d}"]);
        assert_eq!(compact(&path).unwrap(), long.len() as u64 + 1 + 4);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "{a}\n{b}\n  {d}\n{end");
        assert_eq!(path.metadata().unwrap().mode() & 0o777, 0o640);
        assert_eq!(compact(&path).unwrap(), 0);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }
}
