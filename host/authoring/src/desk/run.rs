//! Records through a plugin, with what became of each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tamis_record::Records;
use tamis_sandbox::Cause;

use super::Timing;
use super::configured::{Configured, Told};
use super::fate::Fate;
use super::listener::Line;

/// Records of a batch, as many as the host takes by default.
pub const BATCH_ROWS: u32 = 1024;
/// Bytes of one record, and of one batch's records together.
pub const RECORD_BYTES_MAX: usize = 64 << 20;
/// How long a run may take; records that are not reached fail with the cause `deadline`.
pub const TIME_MAX: Duration = Duration::from_secs(60);

/// How records are parted into batches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split<'a> {
    /// So many to a batch, at least one.
    Rows(u32),
    /// Batches of these sizes in turn, of which 0 counts as 1; what is left goes by [`BATCH_ROWS`].
    Sizes(&'a [u32]),
}

impl Default for Split<'_> {
    fn default() -> Self {
        Self::Rows(BATCH_ROWS)
    }
}

impl Split<'_> {
    fn size(&self, batch: usize) -> usize {
        let rows = match self {
            Self::Rows(rows) => *rows,
            Self::Sizes(sizes) => sizes.get(batch).copied().unwrap_or(BATCH_ROWS),
        };
        rows.max(1) as usize
    }
}

/// What a run gave.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Run {
    /// What became of each record, in order.
    pub fates: Vec<Fate>,
    /// What the plugin logged.
    pub log: Vec<Line>,
    /// Lines that it logged beyond what the host takes ([`tamis_sandbox::Limits::log_lines_per_s`]) or [`super::LINES_MAX`].
    pub log_lines_dropped: u64,
    /// What the plugin counted, by name.
    pub counters: BTreeMap<String, u64>,
    /// Calls into the plugin: one a batch, more where a batch failed and was halved.
    pub calls: u64,
    /// Failed calls by cause, in the order of [`Cause::ALL`].
    pub failures: [u64; Cause::ALL.len()],
    /// The most linear memory that an instance held, in bytes.
    pub memory_bytes: u64,
    /// What it took.
    pub timing: Timing,
}

impl Configured {
    /// Takes records, one JSON object each, through the plugin, batch by batch. Never fails as a whole: what goes wrong is
    /// the fate of a record.
    pub fn run<R: AsRef<[u8]>>(&mut self, records: &[R], split: Split<'_>) -> Run {
        let started = Instant::now();
        let (counted, dropped) = (self.counters(), self.lines_dropped());
        let listener = self.listener.clone();
        let (mut told, mut fates) = (Told::default(), Vec::with_capacity(records.len()));
        let (mut rest, mut batches) = (records, 0);
        while !rest.is_empty() {
            if started.elapsed() > TIME_MAX {
                fates.extend(rest.iter().map(|_| Fate::failed(Cause::Deadline.name(), late())));
                break;
            }
            let (batch, taken) = batch(rest, split.size(batches));
            batches += 1;
            let mut parts: Vec<Option<Fate>> = vec![None; taken];
            if batch.rows.is_empty() {
                // The one record taken is too long for any batch.
                parts.fill(Some(Fate::failed("decode", format!("longer than {RECORD_BYTES_MAX} bytes"))));
            } else {
                listener.during(|| self.batch(&Arc::new(batch), &mut told, Some(&mut parts)));
            }
            fates.extend(parts.into_iter().map(|fate| {
                fate.unwrap_or_else(|| Fate::failed(Cause::Contract.name(), "the record was lost; this is a bug of the host"))
            }));
            rest = rest.get(taken..).unwrap_or_default();
        }
        let heard = listener.take();
        let counters = self.counters().into_iter().filter_map(|(name, value)| {
            let counted = value.saturating_sub(counted.get(&name).copied().unwrap_or(0));
            (counted > 0).then_some((name, counted))
        });
        Run {
            fates,
            log: heard.lines,
            log_lines_dropped: heard.left_out.saturating_add(self.lines_dropped().saturating_sub(dropped)),
            counters: counters.collect(),
            calls: told.calls,
            failures: told.failures,
            memory_bytes: told.memory_bytes.max(self.memory_bytes()),
            timing: told.timing,
        }
    }
}

fn late() -> String {
    format!("not run: the records before it took more than {} s", TIME_MAX.as_secs())
}

/// The records of one batch, and how many were taken: at least one, even when it is too long for a batch.
fn batch<R: AsRef<[u8]>>(records: &[R], rows: usize) -> (Records, usize) {
    let mut batch = Records::default();
    for record in records.iter().take(rows) {
        let record = record.as_ref();
        if batch.text.len() + record.len() + 1 > RECORD_BYTES_MAX {
            break;
        }
        let from = batch.text.len() as u32;
        batch.text.extend_from_slice(record);
        batch.rows.push((from, batch.text.len() as u32));
        batch.text.push(b'\n');
    }
    let taken = batch.rows.len().max(1);
    (batch, taken)
}
