//! Finds the poison: a failing batch is halved until the failing records stand alone, and the others' outcomes are merged.
//!
//! One poison record among `n` costs `2·⌈log₂ n⌉ + 1` calls, of which `⌈log₂ n⌉ + 1` fail. Knows nothing of plugins.

use crate::failure::Failure;
use crate::merge::Merge;
use std::ops::Range;
use tamis_record::Outcome;

/// What became of one attempt.
#[derive(Debug)]
pub(crate) enum Attempt {
    /// All rows of the range were processed; row numbers of the outcome count from the range's start.
    Done(Outcome),
    /// The call failed; smaller parts are worth a try.
    Failed(Failure),
    /// No call was made and none should be: all rows of the range are lost.
    Refused(Failure),
}

/// What became of a batch.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Bisected {
    /// The outcome of the rows that were processed; row numbers are the batch's.
    pub(crate) outcome: Outcome,
    /// The rows that were not, ascending, with the reason each.
    pub(crate) poisoned: Vec<(u32, Failure)>,
}

/// Processes `rows` rows with `attempt`, which is called on ever smaller ranges, first row first. The parts' outcomes
/// together take at most `bytes_max` bytes; a part beyond that is poisoned.
pub(crate) fn bisect(rows: u32, bytes_max: u64, mut attempt: impl FnMut(Range<u32>) -> Attempt) -> Bisected {
    let failure = match attempt(0..rows) {
        // The ordinary case: nothing to merge.
        Attempt::Done(outcome) => return Bisected { outcome, poisoned: Vec::new() },
        Attempt::Refused(failure) => {
            return Bisected { outcome: Outcome::default(), poisoned: (0..rows).map(|row| (row, failure.clone())).collect() };
        }
        Attempt::Failed(failure) => failure,
    };
    let mut merge = Merge::new(rows, bytes_max);
    let mut poisoned = Vec::new();
    // Ranges still to be tried, the next one last: a stack, so that rows come in order.
    let mut open = Vec::with_capacity(2 * u32::BITS as usize);
    split(0..rows, failure, &mut open, &mut poisoned);
    while let Some(range) = open.pop() {
        match attempt(range.clone()) {
            Attempt::Done(outcome) => {
                if let Err(failure) = merge.add(range.clone(), outcome) {
                    poisoned.extend(range.map(|row| (row, failure.clone())));
                }
            }
            Attempt::Refused(failure) => poisoned.extend(range.map(|row| (row, failure.clone()))),
            Attempt::Failed(failure) => split(range, failure, &mut open, &mut poisoned),
        }
    }
    Bisected { outcome: merge.finish(), poisoned }
}

/// Puts the halves of a failed range on the stack, or the row that stands alone among the poisoned.
fn split(range: Range<u32>, failure: Failure, open: &mut Vec<Range<u32>>, poisoned: &mut Vec<(u32, Failure)>) {
    let rows = range.end - range.start;
    if rows <= 1 {
        poisoned.extend(range.map(|row| (row, failure.clone())));
        return;
    }
    let middle = range.start + rows / 2;
    open.push(middle..range.end);
    open.push(range.start..middle);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::Cause;
    use tamis_record::{Column, DROP, KEEP, Kind, Patch, Reject, Values};

    /// A model of a plugin: doubles integers, drops every 5th row, rejects every 7th, patches only every 3rd, fails when
    /// a poison row is in the range.
    fn answer(range: Range<u32>) -> Outcome {
        let verdicts = range.clone().map(|r| if r % 5 == 0 { DROP } else { KEEP }).collect();
        let rows: Vec<u32> = range.clone().filter(|r| r % 3 == 0).map(|r| r - range.start).collect();
        let mut column = Column::new(Kind::Integer);
        column.values = Values::Integer(rows.iter().map(|r| i64::from(r + range.start) * 2).collect());
        let mut text = Column::new(Kind::Text);
        if let Values::Text(v) = &mut text.values {
            range.clone().for_each(|r| v.push(format!("v{r}").as_bytes()));
        }
        let rejects = range.clone().filter(|r| r % 7 == 0).map(|r| Reject { row: r - range.start, reason: format!("r{r}") }).collect();
        let patches = vec![Patch { field: 1, rows: None, column: text }, Patch { field: 0, rows: Some(rows), column }];
        Outcome { verdicts: Some(verdicts), patches, rejects }
    }

    /// The same, row by row, over what is not poison.
    fn expected(rows: u32, poison: &[u32]) -> Outcome {
        let mut merge = Merge::new(rows, u64::MAX);
        for row in (0..rows).filter(|r| !poison.contains(r)) {
            merge.add(row..row + 1, answer(row..row + 1)).unwrap();
        }
        merge.finish()
    }

    fn run(rows: u32, poison: &[u32]) -> (Bisected, u32, u32) {
        let (mut calls, mut failures) = (0, 0);
        let result = bisect(rows, u64::MAX, |range| {
            calls += 1;
            match poison.iter().find(|p| range.contains(p)) {
                Some(p) => {
                    failures += 1;
                    Attempt::Failed(Failure::new(Cause::Trap, format!("row {p}")))
                }
                None => Attempt::Done(answer(range)),
            }
        });
        (result, calls, failures)
    }

    #[test]
    fn a_sound_batch_is_one_call() {
        let (result, calls, _) = run(1024, &[]);
        assert_eq!((result.outcome, calls), (answer(0..1024), 1));
    }

    #[test]
    fn one_poison_record_costs_eleven_failures_of_1024() {
        for row in [0, 1, 511, 512, 1023] {
            let (result, calls, failures) = run(1024, &[row]);
            assert_eq!((calls, failures), (21, 11));
            assert_eq!(result.poisoned.iter().map(|p| p.0).collect::<Vec<_>>(), [row]);
            assert_eq!(result.outcome, expected(1024, &[row]));
        }
    }

    #[test]
    fn any_set_of_poison_is_found_exactly() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..300 {
            let rows = random.u32(1..70);
            let poison: Vec<u32> = (0..rows).filter(|_| random.u8(..) < 40).collect();
            if poison.is_empty() {
                continue;
            }
            let (result, ..) = run(rows, &poison);
            assert_eq!(result.poisoned.iter().map(|p| p.0).collect::<Vec<_>>(), poison);
            assert_eq!(result.outcome, expected(rows, &poison));
        }
    }

    #[test]
    fn a_refusal_ends_the_search() {
        let mut calls = 0;
        let result = bisect(8, u64::MAX, |_| {
            calls += 1;
            if calls < 3 { Attempt::Failed(Failure::contract("bad")) } else { Attempt::Refused(Failure::contract("open")) }
        });
        assert_eq!(result.poisoned.len(), 8);
        assert!(result.poisoned.iter().all(|p| &*p.1.reason == "open"));
        assert_eq!(calls, 2 + 3);
    }

    #[test]
    fn the_parts_together_are_bounded() {
        let mut first = true;
        let result = bisect(4, 100, |range| {
            if std::mem::take(&mut first) {
                return Attempt::Failed(Failure::contract("bad"));
            }
            let mut column = Column::new(Kind::Text);
            if let Values::Text(v) = &mut column.values {
                range.for_each(|_| v.push(&[b'x'; 30]));
            }
            Attempt::Done(Outcome { verdicts: None, patches: vec![Patch { field: 0, rows: None, column }], rejects: vec![] })
        });
        assert_eq!(result.poisoned.iter().map(|p| (p.0, p.1.cause)).collect::<Vec<_>>(), [(2, Cause::Memory), (3, Cause::Memory)]);
    }
}
