//! Records of a message that are made one by one, handed in as frames.

use super::Context;
use crate::door::{Refused, Waiting};
use std::sync::Arc;
use tamis_codecs::{Frame, LinesOptions, Rejected};

/// Bytes kept of what is no record.
const KEPT: usize = 8 * 1024;

pub(crate) struct Gather<'a> {
    context: &'a Context,
    stream: &'a Arc<str>,
    lines: &'a LinesOptions,
    frame: Frame,
    waiting: Vec<Waiting>,
}

impl<'a> Gather<'a> {
    pub(crate) fn new(context: &'a Context, stream: &'a Arc<str>, lines: &'a LinesOptions) -> Self {
        Self { context, stream, lines, frame: Frame::default(), waiting: Vec::new() }
    }

    /// Adds the record that `write` appends; when it cannot, or the record is too long, `raw` becomes a dead letter.
    pub(crate) async fn add(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), String>, raw: &[u8]) -> Result<(), Refused> {
        let text = &mut self.frame.records.text;
        let from = text.len();
        let max = self.lines.record_bytes_max;
        let written = write(text).and_then(|()| match text.len() - from {
            length if length <= max => Ok(()),
            length => Err(format!("a record of {length} bytes, at most {max} are accepted (`max_record`)")),
        });
        match written {
            Ok(()) => {
                self.frame.records.rows.push((from as u32, text.len() as u32));
                text.push(b'\n');
                self.flush_if_full().await
            }
            Err(reason) => {
                text.truncate(from);
                self.reject(raw, reason).await
            }
        }
    }

    /// Adds what is no record.
    pub(crate) async fn reject(&mut self, raw: &[u8], reason: String) -> Result<(), Refused> {
        let bytes = raw.get(..KEPT).unwrap_or(raw).to_vec();
        self.frame.rejected.push(Rejected { bytes, offset: self.frame.records.text.len() as u64, reason });
        self.flush_if_full().await
    }

    async fn flush_if_full(&mut self) -> Result<(), Refused> {
        if self.frame.count() >= self.lines.records_max || self.frame.records.text.len() >= self.lines.frame_bytes {
            return self.flush().await;
        }
        Ok(())
    }

    /// Hands in what is there.
    pub(crate) async fn flush(&mut self) -> Result<(), Refused> {
        if self.frame.count() > 0 {
            let frame = std::mem::take(&mut self.frame);
            self.waiting.push(self.context.door.begin_patiently(self.stream, frame).await?);
        }
        Ok(())
    }

    /// Hands in what is left; gives what is to be waited for.
    pub(crate) async fn finish(mut self) -> Result<Vec<Waiting>, Refused> {
        self.flush().await?;
        Ok(self.waiting)
    }
}
