//! Framing by line feed.

use crate::frame::{Frame, Rejected};
use std::io::{self, Read};

/// Bytes kept of a record that was too long.
const KEPT_OF_TOO_LONG: usize = 64 * 1024;

/// How lines are cut.
#[derive(Debug, Clone, Copy)]
pub struct LinesOptions {
    /// Longest record, in bytes.
    pub record_bytes_max: usize,
    /// Most records of a frame.
    pub records_max: usize,
    /// Bytes of a frame to aim for; a longer record still travels, alone.
    pub frame_bytes: usize,
}

/// Reads a stream into frames of whole lines. A carriage return before a line feed goes with it; empty lines are no records.
#[derive(Debug)]
pub struct Lines {
    options: LinesOptions,
    /// Read and not yet framed, from `begin` on; up to `full` there are whole lines (0: none).
    carry: Vec<u8>,
    begin: usize,
    full: usize,
    /// Where `carry[begin]` stands in the stream.
    at: u64,
    /// Mean bytes of a line so far, to read about as much as a frame takes.
    mean: usize,
    /// Bytes passed over (empty lines, parts of a record that is too long) that the next frame stands for.
    passed: u64,
    /// Inside a record that is too long: its beginning and how long it is so far.
    too_long: Option<(Rejected, u64)>,
}

impl Lines {
    /// Begins at byte `at` of a stream.
    pub fn new(options: LinesOptions, at: u64) -> Self {
        Self { options, carry: Vec::new(), begin: 0, full: 0, at, mean: 0, passed: 0, too_long: None }
    }

    /// Where the first byte that was not framed stands in the stream.
    pub fn position(&self) -> u64 {
        self.at
    }

    /// Where reading can go on another time without cutting a record: [`Lines::position`], or the beginning of a record that
    /// is too long and whose end has not come.
    pub fn resume(&self) -> u64 {
        self.too_long.as_ref().map_or(self.at, |(record, _)| record.offset)
    }

    /// Whether something follows the last line feed that was read.
    pub fn has_partial(&self) -> bool {
        self.too_long.is_some() || self.begin.max(self.full) < self.carry.len()
    }

    /// Reads the next frame into `buffer` (whose memory is reused). `None`: the stream is at its end for now, and what
    /// follows the last line feed is kept for [`Lines::finish`].
    pub fn read(&mut self, input: &mut impl Read, mut buffer: Vec<u8>) -> io::Result<Option<Frame>> {
        loop {
            if self.full > 0 {
                if let Some(frame) = self.cut(&mut buffer) {
                    return Ok(Some(frame));
                }
                continue;
            }
            self.compact();
            let begin = self.carry.len();
            // At least as much again as is there of one long line, so that it is looked at a bounded number of times.
            let room = self.wanted().saturating_sub(begin).max(64 * 1024).max(begin);
            // What came before an error is not lost: a reader may go on after it.
            let result = input.by_ref().take(room as u64).read_to_end(&mut self.carry);
            self.look(begin);
            if result? == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads once from a stream that may block and frames the whole lines that are there. A frame without records means
    /// that there were none yet.
    pub fn read_some(&mut self, input: &mut impl Read, mut buffer: Vec<u8>) -> io::Result<Option<Frame>> {
        if self.full == 0 {
            self.compact();
            let begin = self.carry.len();
            self.carry.resize(begin + (64 * 1024).max(begin), 0);
            let read = loop {
                match input.read(self.carry.get_mut(begin..).unwrap_or_default()) {
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.carry.truncate(begin + *read.as_ref().unwrap_or(&0));
            self.look(begin);
            if read? == 0 {
                return Ok(None);
            }
        }
        Ok(Some(self.cut(&mut buffer).unwrap_or_default()))
    }

    /// At the stream's end: what follows the last line feed is a record too.
    pub fn finish(&mut self) -> Option<Frame> {
        if self.begin >= self.carry.len() && self.too_long.is_none() {
            return None;
        }
        self.carry.push(b'\n');
        self.full = self.carry.len();
        let mut frame = self.cut(&mut Vec::new())?;
        frame.bytes = frame.bytes.saturating_sub(1);
        self.at = self.at.saturating_sub(1);
        (frame.count() > 0).then_some(frame)
    }

    fn wanted(&self) -> usize {
        if self.mean == 0 {
            return self.options.frame_bytes.min(256 * 1024);
        }
        (self.mean * self.options.records_max + 1024).min(self.options.frame_bytes)
    }

    /// Moves what is carried to the front of its memory, which is then free behind it. Called when less than a line is left.
    fn compact(&mut self) {
        self.carry.drain(..self.begin);
        self.begin = 0;
    }

    /// Notes where the last whole line ends, after bytes were added at `from`. What cannot become a record is let go.
    fn look(&mut self, from: usize) {
        match memchr::memrchr(b'\n', self.carry.get(from..).unwrap_or_default()) {
            Some(at) => self.full = from + at + 1,
            None => self.let_go(),
        }
    }

    /// Lets go of a line's beginning when it is too long already: its end is waited for, its bytes are not needed.
    fn let_go(&mut self) {
        let rest = self.carry.len() - self.begin;
        if let Some((_, length)) = &mut self.too_long {
            *length += rest as u64;
        } else if rest > self.options.record_bytes_max {
            self.too_long = Some((self.reject(self.begin, self.carry.len()), rest as u64));
        } else {
            return;
        }
        self.at += rest as u64;
        self.passed += rest as u64;
        self.carry.clear();
        self.begin = 0;
    }

    /// Makes a frame of whole lines that are carried, at most as many as a frame takes, in `buffer`. `None`: they were all empty.
    fn cut(&mut self, buffer: &mut Vec<u8>) -> Option<Frame> {
        let mut frame = Frame { base: self.at, ..Frame::default() };
        let (begin, mut from) = (self.begin, self.begin);
        for end in memchr::memchr_iter(b'\n', self.carry.get(begin..self.full).unwrap_or_default()) {
            let end = begin + end;
            if let Some((mut rejected, length)) = self.too_long.take() {
                rejected.reason = too_long(length + (end - from) as u64, self.options.record_bytes_max);
                frame.rejected.push(rejected);
            } else {
                let to = if end > from && self.carry.get(end - 1) == Some(&b'\r') { end - 1 } else { end };
                if to - from > self.options.record_bytes_max {
                    frame.rejected.push(self.reject(from, to));
                } else if to > from {
                    frame.records.rows.push(((from - begin) as u32, (to - begin) as u32));
                }
            }
            from = end + 1;
            if frame.records.rows.len() >= self.options.records_max || from - begin >= self.options.frame_bytes {
                break;
            }
        }
        let bytes = (from - begin) as u64;
        self.at += bytes;
        buffer.clear();
        if begin == 0 && self.carry.len() - from <= from / 2 {
            // Most of what is carried is this frame: it takes the memory, and the rest is copied.
            std::mem::swap(buffer, &mut self.carry);
            self.carry.extend_from_slice(buffer.get(from..).unwrap_or_default());
            buffer.truncate(from);
            self.full = self.full.saturating_sub(from);
        } else {
            buffer.extend_from_slice(self.carry.get(begin..from).unwrap_or_default());
            self.begin = from;
            self.full = if from >= self.full { 0 } else { self.full };
        }
        if self.full == 0 {
            self.let_go();
        }
        if frame.count() == 0 {
            self.passed += bytes;
            return None;
        }
        if let Some(mean) = (from - begin).checked_div(frame.records.rows.len()) {
            self.mean = if self.mean == 0 { mean } else { (self.mean * 7 + mean) / 8 };
        }
        frame.bytes = bytes + std::mem::take(&mut self.passed);
        frame.records.text = std::mem::take(buffer);
        Some(frame)
    }

    /// What is kept of a record that is too long, at `from..to` of what is carried.
    fn reject(&self, from: usize, to: usize) -> Rejected {
        let bytes = self.carry.get(from..to.min(from + KEPT_OF_TOO_LONG)).unwrap_or_default().to_vec();
        Rejected {
            bytes,
            offset: self.at + (from - self.begin) as u64,
            reason: too_long((to - from) as u64, self.options.record_bytes_max),
        }
    }
}

fn too_long(length: u64, max: usize) -> String {
    format!(
        "a record of {length} bytes, at most {max} are accepted (`max_record`); the first {} are kept here",
        length.min(KEPT_OF_TOO_LONG as u64)
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn options() -> LinesOptions {
        LinesOptions { record_bytes_max: 100_000, records_max: 4, frame_bytes: 200_000 }
    }

    /// Offset and text of each record.
    type Found = Vec<(u64, Vec<u8>)>;

    /// Everything in a stream: records with their offsets, and what was rejected.
    fn all(input: &[u8], options: LinesOptions, some: bool) -> (Found, Vec<(u64, String)>) {
        let mut lines = Lines::new(options, 0);
        let (mut records, mut rejected, mut bytes) = (Vec::new(), Vec::new(), 0);
        let mut rest = input;
        let mut frames = Vec::new();
        loop {
            let frame = if some { lines.read_some(&mut rest, Vec::new()) } else { lines.read(&mut rest, Vec::new()) };
            match frame.unwrap() {
                Some(frame) => frames.push(frame),
                None => break,
            }
        }
        frames.extend(lines.finish());
        for frame in frames {
            assert!(frame.records.rows.len() <= options.records_max);
            bytes += frame.bytes;
            for row in 0..frame.records.rows.len() {
                records.push((frame.offset(row), frame.records.get(row).to_vec()));
            }
            rejected.extend(frame.rejected.into_iter().map(|r| (r.offset, r.reason)));
        }
        let blank = records.is_empty() && rejected.is_empty();
        assert_eq!(bytes, if blank { 0 } else { input.len() as u64 }, "every byte belongs to a frame");
        assert_eq!(lines.position(), input.len() as u64);
        (records, rejected)
    }

    #[test]
    fn lines_of_all_kinds() {
        for some in [false, true] {
            let (records, rejected) = all(b"a\nbb\r\n\n\r\nccc\nd\ne\nf\ng\nlast", options(), some);
            let texts: Vec<_> = records.iter().map(|(o, t)| (*o, std::str::from_utf8(t).unwrap())).collect();
            assert_eq!(texts, [(0, "a"), (2, "bb"), (9, "ccc"), (13, "d"), (15, "e"), (17, "f"), (19, "g"), (21, "last")]);
            assert!(rejected.is_empty());
            assert_eq!(all(b"", options(), some).0.len(), 0);
            assert_eq!(all(b"\n\n\n", options(), some).0.len(), 0);
        }
    }

    #[test]
    fn a_long_line_is_rejected_and_the_next_ones_pass() {
        for some in [false, true] {
            for length in [100_000, 100_001, 150_000, 1_000_000] {
                let mut input = b"before\n".to_vec();
                input.extend(std::iter::repeat_n(b'x', length));
                input.extend_from_slice(b"\nafter\n");
                let (records, rejected) = all(&input, options(), some);
                if length <= 100_000 {
                    assert_eq!((records.len(), rejected.len()), (3, 0));
                } else {
                    assert_eq!(records.iter().map(|(_, t)| t.as_slice()).collect::<Vec<_>>(), [b"before".as_slice(), b"after"]);
                    assert_eq!(rejected.len(), 1);
                    assert_eq!(rejected[0].0, 7);
                    assert!(rejected[0].1.starts_with(&format!("a record of {length} bytes")), "{}", rejected[0].1);
                }
            }
        }
    }

    #[test]
    fn reading_goes_on_at_the_beginning_of_a_record() {
        let mut lines = Lines::new(options(), 1_000);
        let input = [b"ab\ncd".as_slice(), &[b'x'; 150_000]].concat();
        let (mut first, mut rest) = (&input[..5], &input[5..]);
        assert!(lines.read(&mut first, Vec::new()).unwrap().is_some());
        assert!(lines.read(&mut first, Vec::new()).unwrap().is_none());
        assert_eq!((lines.resume(), lines.position(), lines.has_partial()), (1_003, 1_003, true));
        assert!(lines.read(&mut rest, Vec::new()).unwrap().is_none());
        assert_eq!((lines.resume(), lines.position(), lines.has_partial()), (1_003, 151_005, true));
        assert_eq!(lines.read(&mut b"\n".as_slice(), Vec::new()).unwrap().unwrap().rejected[0].offset, 1_003);
        assert_eq!((lines.resume(), lines.position(), lines.has_partial()), (151_006, 151_006, false));
    }

    #[test]
    fn small_frames_and_long_lines_take_linear_time() {
        let started = std::time::Instant::now();
        let input = b"0123456789012345678901234567\n".repeat(300_000);
        assert_eq!(all(&input, LinesOptions { record_bytes_max: 1000, records_max: 64, frame_bytes: 1 << 20 }, false).0.len(), 300_000);
        let mut long = vec![b'x'; 48 << 20];
        long.push(b'\n');
        for some in [false, true] {
            assert_eq!(all(&long, LinesOptions { record_bytes_max: 64 << 20, records_max: 1024, frame_bytes: 1 << 20 }, some).0.len(), 1);
        }
        // Half a second here; what took quadratic time took minutes.
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }

    #[test]
    fn many_lines_keep_their_order() {
        let input: String = (0..50_000).map(|i| format!("{i}\n")).collect();
        let options = LinesOptions { record_bytes_max: 1000, records_max: 1024, frame_bytes: 70_000 };
        for some in [false, true] {
            let (records, _) = all(input.as_bytes(), options, some);
            assert_eq!(records.len(), 50_000);
            assert!(records.iter().enumerate().all(|(i, (_, t))| *t == i.to_string().into_bytes()));
        }
    }
}
