//! From a file's bytes to frames: lines, joined where the configuration says so.

use std::io::{self, Read};
use tamis_codecs::{Frame, Join, JoinOptions, Lines, LinesOptions};

/// Cuts one file's content.
#[derive(Debug)]
pub(super) struct Framing {
    lines: Lines,
    join: Option<Join>,
}

impl Framing {
    /// Begins at byte `at`.
    pub(super) fn new(lines: LinesOptions, join: Option<&JoinOptions>, at: u64) -> Self {
        Self { lines: Lines::new(lines, at), join: join.map(|options| Join::new(options.clone())) }
    }

    /// The next frame with records; none: the content is at its end for now.
    pub(super) fn read(&mut self, input: &mut impl Read, buffer: Vec<u8>) -> io::Result<Option<Frame>> {
        let Some(join) = &mut self.join else { return self.lines.read(input, buffer) };
        let mut buffer = buffer;
        while let Some(frame) = self.lines.read(input, buffer)? {
            let joined = join.join(frame);
            if joined.count() > 0 {
                return Ok(Some(joined));
            }
            buffer = Vec::new();
        }
        Ok(None)
    }

    /// Where reading can go on another time without cutting a record.
    pub(super) fn resume(&self) -> u64 {
        self.join.as_ref().and_then(Join::held_from).unwrap_or_else(|| self.lines.resume())
    }

    /// Whether something follows the last line feed that was read.
    pub(super) fn has_partial(&self) -> bool {
        self.lines.has_partial()
    }

    /// The joined record that waits for more lines, unless a part of such a line is there already.
    pub(super) fn flush(&mut self) -> Option<Frame> {
        if self.lines.has_partial() {
            return None;
        }
        self.join.as_mut()?.flush()
    }

    /// At the content's end: what is left, a last line without its end included.
    pub(super) fn finish(&mut self) -> Option<Frame> {
        let last = self.lines.finish();
        match &mut self.join {
            Some(join) => join.finish(last),
            None => last,
        }
    }
}
