//! A few records before and after, for people who want to see what a pipeline does.

use std::sync::{Mutex, PoisonError};

/// A record before and after a pipeline.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Sample {
    /// Pipeline.
    pub pipeline: String,
    /// The output it went to.
    pub output: String,
    /// As it came.
    pub before: String,
    /// As it left.
    pub after: String,
}

/// Longest record kept.
const BYTES_MAX: usize = 4096;

/// Collects samples until it has enough; the most changed ones of what it was shown.
#[derive(Debug)]
pub(crate) struct Samples {
    wanted: usize,
    kept: Mutex<Vec<(usize, Sample)>>,
}

impl Samples {
    pub(crate) fn new(wanted: usize) -> Self {
        Self { wanted, kept: Mutex::default() }
    }

    /// Whether any are wanted still.
    pub(crate) fn open(&self) -> bool {
        self.wanted > 0 && self.kept.lock().unwrap_or_else(PoisonError::into_inner).len() < self.wanted * 100
    }

    pub(crate) fn show(&self, pipeline: &str, output: &str, before: &[u8], after: &[u8]) {
        if before.len() > BYTES_MAX || after.len() > BYTES_MAX {
            return;
        }
        // How far the two differ: what they share at both ends is not part of a change.
        let same_front = before.iter().zip(after).take_while(|(a, b)| a == b).count();
        let same_back = before.iter().rev().zip(after.iter().rev()).take_while(|(a, b)| a == b).count();
        let changed = before.len().saturating_sub(same_front + same_back);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let sample = Sample { pipeline: pipeline.into(), output: output.into(), before: text(before), after: text(after) };
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).push((changed, sample));
    }

    /// The wanted number, of as many outputs as possible, the most changed first.
    pub(crate) fn take(&self) -> Vec<Sample> {
        let mut kept = std::mem::take(&mut *self.kept.lock().unwrap_or_else(PoisonError::into_inner));
        kept.sort_by_key(|(changed, _)| std::cmp::Reverse(*changed));
        let mut picked: Vec<Sample> = Vec::new();
        for (_, sample) in &kept {
            if picked.len() < self.wanted && !picked.iter().any(|p| p.output == sample.output) {
                picked.push(sample.clone());
            }
        }
        for (_, sample) in kept {
            if picked.len() < self.wanted && !picked.contains(&sample) {
                picked.push(sample);
            }
        }
        picked
    }
}
