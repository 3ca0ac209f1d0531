//! Records that cannot be decoded: no step sees them, so what becomes of them is the pipeline's own to say.

use super::{From, Made};
use crate::graph::PipelineGraph;
use tamis_config::Undecodable;
use tamis_delivery::{DeadLetter, Origin, Position, digest};

impl Made<'_> {
    /// Makes the dead letter of a record that cannot be decoded, unless it is to be dropped. `place`: its row, if it had one, and
    /// where it begins in its stream, in bytes.
    pub(super) fn undecodable(
        &mut self,
        pipeline: &PipelineGraph,
        reason: &str,
        record: &[u8],
        from: &From<'_>,
        place: (Option<u32>, u64),
    ) {
        let digested;
        let (record, json) = match pipeline.undecodable {
            Undecodable::Keep => (record, false),
            Undecodable::Digest => {
                digested = digest(record);
                (digested.as_slice(), true)
            }
            Undecodable::Drop => {
                self.portion.dropped += 1;
                return;
            }
        };
        pipeline.count_dead("decode", 1);
        let letter = DeadLetter::without_step(&pipeline.name, reason, "decode");
        let (row, offset) = place;
        letter.write(record, json, &Origin { source: from.source, position: Position { stream: from.stream, offset } }, &mut self.letters);
        self.letter_count += 1;
        if let Some(observer) = &mut self.observer {
            observer.letter(&letter, row, record);
        }
    }
}
