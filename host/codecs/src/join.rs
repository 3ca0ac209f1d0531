//! Records of several lines: the first line of each is told by a regular expression, and the others are joined to it.

use crate::frame::{Frame, Rejected};
use regex::bytes::Regex;
use tamis_record::Records;

/// Which lines begin a record.
#[derive(Debug, Clone)]
pub enum Begin {
    /// Those that match.
    Matching(Regex),
    /// Those that do not.
    NotMatching(Regex),
}

impl Begin {
    fn is_begin(&self, line: &[u8]) -> bool {
        match self {
            Begin::Matching(pattern) => pattern.is_match(line),
            Begin::NotMatching(pattern) => !pattern.is_match(line),
        }
    }
}

/// How lines are joined.
#[derive(Debug, Clone)]
pub struct JoinOptions {
    /// Which lines begin a record.
    pub begin: Begin,
    /// Longest record, in bytes; a line with which it would grow longer begins another one.
    pub record_bytes_max: usize,
    /// Most lines of a record; what follows them begins another one.
    pub lines_max: usize,
}

/// Joins the lines of a stream's frames into records. The last record is held back until the next one begins, or until it is
/// flushed.
#[derive(Debug)]
pub struct Join {
    options: JoinOptions,
    /// The record under way; empty: none.
    held: Vec<u8>,
    /// Where it began in the stream, and its lines.
    held_from: u64,
    held_lines: usize,
    /// Empty lines since the last line: part of the record when another of its lines follows.
    blank: usize,
    /// Bytes of the stream that the next frame stands for besides its own.
    passed: u64,
}

impl Join {
    /// Joins nothing yet.
    pub fn new(options: JoinOptions) -> Self {
        Self { options, held: Vec::new(), held_from: 0, held_lines: 0, blank: 0, passed: 0 }
    }

    /// Where the record that is held back began in the stream; none when nothing is held.
    pub fn held_from(&self) -> Option<u64> {
        (self.held_lines > 0).then_some(self.held_from)
    }

    /// Takes a frame of lines and gives one of whole records, which may hold none.
    pub fn join(&mut self, lines: Frame) -> Frame {
        let mut out = Frame { base: lines.base, offsets: Some(Vec::new()), ..Frame::default() };
        out.records.text.reserve(lines.records.text.len() + self.held.len() + 1);
        let mut rejected = lines.rejected.iter().peekable();
        let mut end = 0;
        for (row, (from, to)) in lines.records.rows.iter().enumerate() {
            let offset = lines.offset(row);
            while let Some(one) = rejected.next_if(|r| r.offset < offset) {
                self.pass(one, &mut out);
            }
            self.blank += blank_lines(lines.records.text.get(end..*from as usize), end > 0);
            end = *to as usize;
            self.line(lines.records.get(row), offset, &mut out);
        }
        for one in rejected {
            self.pass(one, &mut out);
        }
        self.blank += blank_lines(lines.records.text.get(end..), end > 0);
        self.passed += lines.bytes;
        if out.count() > 0 {
            out.bytes = std::mem::take(&mut self.passed);
        }
        out
    }

    /// The record that is held back, as a frame of its own.
    pub fn flush(&mut self) -> Option<Frame> {
        let mut out = Frame { base: self.held_from()?, offsets: Some(Vec::new()), ..Frame::default() };
        self.emit(&mut out);
        out.bytes = std::mem::take(&mut self.passed);
        Some(out)
    }

    /// At the stream's end: the last lines, if there are any, and with them what is held back.
    pub fn finish(&mut self, lines: Option<Frame>) -> Option<Frame> {
        let mut out = match lines {
            Some(lines) => self.join(lines),
            None => return self.flush(),
        };
        self.emit(&mut out);
        out.bytes += std::mem::take(&mut self.passed);
        (out.count() > 0).then_some(out)
    }

    fn line(&mut self, line: &[u8], offset: u64, out: &mut Frame) {
        let added = self.blank + 1 + line.len();
        let full = self.held_lines >= self.options.lines_max || self.held.len() + added > self.options.record_bytes_max;
        if self.held_lines == 0 || full || self.options.begin.is_begin(line) {
            self.emit(out);
            self.held_from = offset;
        } else {
            self.held.extend(std::iter::repeat_n(b'\n', self.blank + 1));
        }
        self.blank = 0;
        self.held.extend_from_slice(line);
        self.held_lines += 1;
    }

    /// A line that was too long stands alone between the records before and after it.
    fn pass(&mut self, one: &Rejected, out: &mut Frame) {
        self.emit(out);
        out.rejected.push(one.clone());
    }

    fn emit(&mut self, out: &mut Frame) {
        if self.held_lines == 0 {
            return;
        }
        let Records { text, rows } = &mut out.records;
        let from = text.len() as u32;
        text.extend_from_slice(&self.held);
        rows.push((from, text.len() as u32));
        text.push(b'\n');
        if let Some(offsets) = &mut out.offsets {
            offsets.push(self.held_from);
        }
        self.held.clear();
        self.held_lines = 0;
        self.blank = 0;
    }
}

/// Empty lines in what stands between two lines; the first line feed of it ends the line before, if there was one.
fn blank_lines(between: Option<&[u8]>, after_line: bool) -> usize {
    let feeds = memchr::memchr_iter(b'\n', between.unwrap_or_default()).count();
    feeds.saturating_sub(usize::from(after_line))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::{Lines, LinesOptions};

    const TRACE: &str = "TID: [1] ERROR first\njava.lang.Exception: x\n\tat a.B.c(B.java:1)\n\n\tat d.E.f\nTID: [2] INFO second\r\n\tat g\nTID: [3] INFO third\n";

    fn options(begin: Begin) -> JoinOptions {
        JoinOptions { begin, record_bytes_max: 200, lines_max: 5 }
    }

    fn start() -> JoinOptions {
        options(Begin::Matching(Regex::new("^TID: ").unwrap()))
    }

    /// Every record and rejected line with its offset, whatever the size of the frames; every byte counted once.
    fn all(input: &str, options: &JoinOptions, records_max: usize, line_max: usize) -> Vec<(u64, String)> {
        let mut lines = Lines::new(LinesOptions { record_bytes_max: line_max, records_max, frame_bytes: 1 << 20 }, 0);
        let mut join = Join::new(options.clone());
        let (mut rest, mut frames) = (input.as_bytes(), Vec::new());
        while let Some(frame) = lines.read(&mut rest, Vec::new()).unwrap() {
            let frame = join.join(frame);
            assert!(join.held_from().is_none_or(|from| from < lines.position()));
            frames.push(frame);
        }
        frames.extend(join.finish(lines.finish()));
        assert!(join.held_from().is_none() && join.flush().is_none());
        assert_eq!(frames.iter().map(|f| f.bytes).sum::<u64>(), input.len() as u64);
        let mut found = Vec::new();
        for frame in frames {
            let records =
                (0..frame.records.rows.len()).map(|row| (frame.offset(row), String::from_utf8(frame.records.get(row).to_vec()).unwrap()));
            found.extend(records);
            found.extend(frame.rejected.into_iter().map(|r| (r.offset, r.reason.split(',').next().unwrap_or_default().to_owned())));
        }
        found.sort();
        found
    }

    #[test]
    fn stack_traces_are_joined_whatever_the_frames() {
        let second = TRACE.find("TID: [2]").unwrap();
        let third = TRACE.find("TID: [3]").unwrap();
        let expected = vec![
            (0, TRACE[..second - 1].to_owned()),
            (second as u64, "TID: [2] INFO second\n\tat g".to_owned()),
            (third as u64, "TID: [3] INFO third".to_owned()),
        ];
        let continues = options(Begin::NotMatching(Regex::new(r"^(\s|java)").unwrap()));
        for records_max in 1..8 {
            let found = all(TRACE, &start(), records_max, 1_000);
            assert_eq!(found, expected, "frames of {records_max}");
            assert_eq!(all(TRACE, &continues, records_max, 1_000), expected);
        }
    }

    #[test]
    fn the_last_line_needs_no_end_and_the_first_no_begin() {
        let found = all("\tat before\nTID: a\n\tb\n\tc", &start(), 10, 1_000);
        assert_eq!(found, [(0, "\tat before".to_owned()), (11, "TID: a\n\tb\n\tc".to_owned())]);
        assert_eq!(all("", &start(), 10, 1_000), []);
    }

    #[test]
    fn long_records_are_cut_and_lose_nothing() {
        let lines: Vec<String> = (0..12).map(|i| format!("\tat {i}")).collect();
        let found = all(&format!("TID: x\n{}\n", lines.join("\n")), &start(), 3, 1_000);
        assert_eq!(found.iter().map(|(_, text)| text.lines().count()).collect::<Vec<_>>(), [5, 5, 3]);
        let wide = format!("TID: x\n{0}\n{0}\n{0}\n", "y".repeat(90));
        assert_eq!(all(&wide, &start(), 3, 1_000).iter().map(|(_, text)| text.len()).collect::<Vec<_>>(), [6 + 1 + 90 + 1 + 90, 90]);
    }

    #[test]
    fn a_line_that_is_too_long_stands_alone() {
        let input = format!("TID: a\n\tb\n{}\n\tc\nTID: d\n", "x".repeat(500));
        for records_max in 1..5 {
            let found = all(&input, &start(), records_max, 100);
            let texts: Vec<&str> = found.iter().map(|(_, text)| text.as_str()).collect();
            assert_eq!(texts, ["TID: a\n\tb", "a record of 500 bytes", "\tc", "TID: d"]);
        }
    }

    #[test]
    fn what_is_held_can_be_flushed() {
        let mut join = Join::new(start());
        let frame = Frame { records: Records::from_lines(b"TID: a\n\tb".to_vec()), base: 50, bytes: 10, ..Frame::default() };
        assert_eq!(join.join(frame).count(), 0);
        assert_eq!(join.held_from(), Some(50));
        let frame = join.flush().unwrap();
        assert_eq!((frame.records.get(0), frame.offset(0), frame.bytes), (b"TID: a\n\tb".as_slice(), 50, 10));
        assert!(join.flush().is_none());
    }
}
