//! What records were after each step of a pipeline, as hashes: enough to say which step first made a difference.

use crate::graph::StepGraph;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use tamis_record::{Batch, KEEP};

/// Differs from process to process: nobody can make records that look alike and are not.
static HASHES: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// What the rows of one frame were, by step.
#[derive(Debug, Default)]
pub(super) struct Trail {
    /// Before the first step.
    entered: HashMap<u32, u64>,
    steps: Vec<Stop>,
    text: Vec<u8>,
}

#[derive(Debug)]
struct Stop {
    step: String,
    /// Of the rows that left it.
    left: HashMap<u32, u64>,
    /// The outputs that it chose for rows.
    chose: HashMap<u32, String>,
}

impl Trail {
    /// A step has answered, and nothing of its answer is applied yet.
    pub(super) fn decided(&mut self, step: &StepGraph, batch: &mut Batch, verdicts: Option<&[u8]>) {
        if self.steps.is_empty() {
            self.entered = self.hashes(batch);
        }
        let verdicts = verdicts.unwrap_or_default().iter().zip(batch.live());
        let chosen = verdicts.filter(|(verdict, _)| **verdict != KEEP);
        let chose = chosen.filter_map(|(verdict, row)| Some((*row, step.output(verdict.checked_sub(1)?)?))).collect();
        self.steps.push(Stop { step: step.name.clone(), left: HashMap::new(), chose });
    }

    /// The answer of the step last shown is applied.
    pub(super) fn applied(&mut self, batch: &mut Batch) {
        let Some(mut last) = self.steps.pop() else { return };
        last.left = self.hashes(batch);
        self.steps.push(last);
    }

    fn hashes(&mut self, batch: &mut Batch) -> HashMap<u32, u64> {
        let rows = batch.live().to_vec();
        let hashes = rows.into_iter().map(|row| {
            self.text.clear();
            // Changes that do not fit are a dead letter later; until then there is nothing to see of them.
            let _ = batch.encode(row, &mut self.text);
            (row, HASHES.hash_one(&self.text))
        });
        hashes.collect()
    }

    /// The step after which a row first is another than in the pipeline `from`; `None`: no step makes a difference to it. Steps that
    /// only one of the two has made it where they changed the row.
    pub(super) fn parts_from<'a>(&'a self, from: &'a Self, row: u32) -> Option<&'a str> {
        let has = |trail: &Self, name: &str| trail.steps.iter().any(|stop| stop.step == name);
        let (mut ours, mut theirs) = (self.steps.iter().peekable(), from.steps.iter().peekable());
        let (mut now, mut was) = (self.entered.get(&row), from.entered.get(&row));
        loop {
            if let Some(added) = ours.next_if(|stop| !has(from, &stop.step)) {
                if added.left.get(&row) != now || added.chose.contains_key(&row) {
                    return Some(&added.step);
                }
            } else if let Some(removed) = theirs.next_if(|stop| !has(self, &stop.step)) {
                if removed.left.get(&row) != was || removed.chose.contains_key(&row) {
                    return Some(&removed.step);
                }
            } else {
                let (one, other) = (ours.next()?, theirs.next()?);
                (now, was) = (one.left.get(&row), other.left.get(&row));
                if now != was || one.chose.get(&row) != other.chose.get(&row) {
                    return Some(&one.step);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trail(entered: u64, steps: &[(&str, Option<u64>)]) -> Trail {
        let stop = |(step, left): &(&str, Option<u64>)| Stop {
            step: (*step).into(),
            left: left.iter().map(|hash| (0, *hash)).collect(),
            chose: HashMap::new(),
        };
        Trail { entered: [(0, entered)].into(), steps: steps.iter().map(stop).collect(), text: Vec::new() }
    }

    #[test]
    fn the_first_step_that_parts_them_is_named() {
        let was = trail(1, &[("a", Some(2)), ("b", Some(3)), ("c", Some(4))]);
        for (is, expected) in [
            (trail(1, &[("a", Some(2)), ("b", Some(3)), ("c", Some(4))]), None),
            (trail(1, &[("a", Some(2)), ("b", Some(9)), ("c", Some(9))]), Some("b")),
            (trail(1, &[("a", Some(2)), ("b", None), ("c", None)]), Some("b")),
            // One more, without and with an effect; one less.
            (trail(1, &[("a", Some(2)), ("x", Some(2)), ("b", Some(3)), ("c", Some(4))]), None),
            (trail(1, &[("a", Some(2)), ("x", Some(7)), ("b", Some(8)), ("c", Some(8))]), Some("x")),
            (trail(1, &[("x", Some(7)), ("a", Some(8)), ("b", Some(8)), ("c", Some(8))]), Some("x")),
            (trail(1, &[("a", Some(2)), ("c", Some(7))]), Some("b")),
            // Another order.
            (trail(1, &[("b", Some(7)), ("a", Some(8)), ("c", Some(4))]), Some("b")),
            (trail(1, &[]), Some("a")),
        ] {
            assert_eq!(is.parts_from(&was, 0), expected, "{is:?}");
        }
        // The same record, sent elsewhere; a step after that which does nothing is not to blame.
        let mut sent = trail(1, &[("a", Some(2)), ("b", Some(3)), ("x", Some(3)), ("c", Some(4))]);
        sent.steps[1].chose.insert(0, "errors".into());
        assert_eq!(sent.parts_from(&was, 0), Some("b"));
        let mut was = was;
        was.steps[1].chose.insert(0, "errors".into());
        assert_eq!(sent.parts_from(&was, 0), None);
    }
}
