//! Runs a plugin natively on JSON records, for its unit tests. Not part of a built component.
//!
//! ```
//! use serde_json::json;
//! use tamis_plugin::{Integer, NoConfig, Plugin, Reads, Verdict, Writes};
//! use tamis_plugin::testing::harness;
//!
//! #[derive(Reads)]
//! pub struct In {
//!     a: Option<i64>,
//! }
//!
//! #[derive(Writes)]
//! pub struct Out {
//!     #[field("sums.b")]
//!     b: Integer,
//! }
//!
//! pub struct Next;
//!
//! impl Plugin for Next {
//!     type Config = NoConfig;
//!     type In<'a> = In;
//!     type Out = Out;
//!
//!     fn new(_: NoConfig) -> Result<Self, String> {
//!         Ok(Next)
//!     }
//!
//!     fn record(&mut self, row: In, out: &mut Out) -> Verdict {
//!         if let Some(a) = row.a {
//!             out.b.set(a + 1);
//!         }
//!         Verdict::Keep
//!     }
//! }
//!
//! let run = harness::<Next>(json!({}))?.run(json!([{"a": 1}, {"a": "x"}]));
//! assert_eq!(run.records, [json!({"a": 1, "sums": {"b": 2}}), json!({"a": "x"})]);
//! # Ok::<(), String>(())
//! ```

mod apply;
mod columns;
mod path;

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde_json::Value;

use crate::batch::view;
use crate::log::Level;
use crate::{Batch, BatchPlugin, DROP, Plugin, Records, Signature};

/// What a plugin told the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recorder {
    /// The lines of the log.
    pub log: Vec<(Level, String)>,
    /// The counters by name.
    pub counters: BTreeMap<String, u64>,
}

thread_local! {
    static RECORDER: RefCell<Option<Recorder>> = const { RefCell::new(None) };
}

/// Notes what a plugin tells the host, if somebody listens: outside of a harness it is dropped.
pub(crate) fn record(note: impl FnOnce(&mut Recorder)) {
    RECORDER.with_borrow_mut(|recorder| {
        if let Some(recorder) = recorder {
            note(recorder);
        }
    });
}

/// Runs `work` and returns what plugins told the host meanwhile on this thread.
pub fn recorded<T>(work: impl FnOnce() -> T) -> (T, Recorder) {
    let before = RECORDER.replace(Some(Recorder::default()));
    let result = work();
    let recorder = RECORDER.replace(before).unwrap_or_default();
    (result, recorder)
}

/// What became of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// It goes on.
    Kept,
    /// It was sent to this output.
    Sent(String),
    /// It was dropped.
    Dropped,
    /// It was rejected for this reason.
    Rejected(String),
}

/// The result of running a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// Every record with its patches applied, in order, whatever its fate; a dropped or rejected one is as it came.
    pub records: Vec<Value>,
    /// The fate of every record.
    pub fates: Vec<Fate>,
    /// The outcome as the host would get it.
    pub outcome: crate::Outcome,
    /// What the plugin told the host.
    pub told: Recorder,
}

impl Run {
    /// The records that go on, on whatever output.
    #[must_use]
    pub fn passed(&self) -> Vec<&Value> {
        self.records
            .iter()
            .zip(&self.fates)
            .filter(|(_, fate)| matches!(fate, Fate::Kept | Fate::Sent(_)))
            .map(|(record, _)| record)
            .collect()
    }

    /// The rejected records by row, with their reasons.
    #[must_use]
    pub fn rejects(&self) -> Vec<(usize, &str)> {
        self.fates
            .iter()
            .enumerate()
            .filter_map(|(row, fate)| match fate {
                Fate::Rejected(reason) => Some((row, reason.as_str())),
                _ => None,
            })
            .collect()
    }
}

/// A plugin with its configuration, ready to run batches.
pub struct Harness<B> {
    plugin: B,
    signature: Signature,
}

impl<B> std::fmt::Debug for Harness<B> {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Harness").field("signature", &self.signature).finish_non_exhaustive()
    }
}

/// A record-level plugin in a harness.
///
/// # Errors
/// What the plugin says about its configuration.
pub fn harness<P: Plugin>(config: Value) -> Result<Harness<Records<P>>, String> {
    Harness::new(config)
}

impl<B: BatchPlugin> Harness<B> {
    /// Configures the plugin.
    ///
    /// # Errors
    /// What the plugin says about its configuration.
    pub fn new(config: Value) -> Result<Self, String> {
        let (plugin, signature) = B::init(&config.to_string())?;
        Ok(Self { plugin, signature })
    }

    /// What the plugin declares under its configuration.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The paths of the fields read.
    pub fn reads(&self) -> Vec<&str> {
        self.signature.reads.iter().map(|field| field.path.as_str()).collect()
    }

    /// The paths of the fields written.
    pub fn writes(&self) -> Vec<&str> {
        self.signature.writes.iter().map(|field| field.path.as_str()).collect()
    }

    /// Runs one batch: an array of records.
    ///
    /// # Panics
    /// When the plugin fails the batch or its outcome breaks the contract: a test wants to know.
    pub fn run(&mut self, records: Value) -> Run {
        match self.try_run(records) {
            Ok(run) => run,
            Err(error) => panic!("the batch failed: {error}"),
        }
    }

    /// Runs one batch: an array of records.
    ///
    /// # Errors
    /// The plugin's own error for the batch, or in what its outcome breaks the contract.
    pub fn try_run(&mut self, records: Value) -> Result<Run, String> {
        let Value::Array(records) = records else {
            return Err(format!("expected an array of records, found {records}"));
        };
        let batch = columns::of(&self.signature.reads, &records)?;
        let columns = view(&batch);
        let batch = Batch { rows: batch.rows, columns: &columns };
        let (outcome, told) = recorded(|| self.plugin.process(&batch));
        let outcome = outcome?;
        let fates = self.fates(&outcome, records.len())?;
        let records = apply::patches(&self.signature.writes, &outcome, &fates, records)?;
        Ok(Run { records, fates, outcome, told })
    }

    fn fates(&self, outcome: &crate::Outcome, rows: usize) -> Result<Vec<Fate>, String> {
        let mut fates = vec![Fate::Kept; rows];
        if let Some(verdicts) = &outcome.verdicts {
            if verdicts.len() != rows {
                return Err(format!("{} verdicts for {rows} records", verdicts.len()));
            }
            for (fate, &verdict) in fates.iter_mut().zip(verdicts) {
                *fate = match verdict {
                    0 => Fate::Kept,
                    DROP if self.signature.drops => Fate::Dropped,
                    DROP => return Err("a record is dropped, which was not declared".to_owned()),
                    output => match self.signature.outputs.get(usize::from(output) - 1) {
                        Some(output) => Fate::Sent(output.clone()),
                        None => {
                            return Err(format!("verdict {output} stands for no declared output"));
                        }
                    },
                };
            }
        }
        for reject in &outcome.rejects {
            match fates.get_mut(reject.row as usize) {
                Some(fate) => *fate = Fate::Rejected(reject.reason.clone()),
                None => {
                    return Err(format!("row {} of {rows} records is rejected", reject.row));
                }
            }
        }
        Ok(fates)
    }
}

#[cfg(test)]
mod tests;
