//! What `process` may do wrong on one record: the record is found, the others are delivered.

use crate::guests::{delivered, hostile, hostile_with, step, texts, within};
use std::time::Duration;
use tamis_record::Outcome;
use tamis_sandbox::{Cause, Limits, Plugin};

const ROWS: u32 = 64;
const POISON: u32 = 5;
/// Calls that fail for one poison record of 64.
const LEVELS: u64 = 7;

/// Runs a batch with one poison record, then a sound one.
#[track_caller]
fn contained(plugin: &Plugin, behaviour: &str, cause: Cause, reason: &str) {
    let mut step = step(plugin, &format!("{behaviour} poison"));
    let column = texts(ROWS, &[POISON]);
    let result = step.process(ROWS, &[&column]);
    let poisoned: Vec<_> = result.poisoned.iter().map(|(row, failure)| (*row, failure.cause)).collect();
    assert_eq!(poisoned, [(POISON, cause)], "{behaviour}: {:?}", result.poisoned);
    let found = &result.poisoned[0].1.reason;
    assert!(found.contains(reason), "{behaviour}: {found}");
    assert!(found.len() <= 1024 && !found.chars().any(char::is_control), "{behaviour}: {found:?}");
    assert_eq!(delivered(&result, ROWS), (0..ROWS).filter(|r| *r != POISON).collect::<Vec<_>>(), "{behaviour}");
    assert_eq!(result.failures.iter().sum::<u64>(), LEVELS, "{behaviour}");
    assert_eq!(result.calls, 2 * LEVELS - 1, "{behaviour}");
    if cause == Cause::Reject {
        assert_eq!(result.instances, 1, "{behaviour}: an instance that only said no is kept");
    } else {
        // The last failing call is not the last call, so each failure was followed by a new instance.
        assert_eq!(result.instances, 1 + LEVELS, "{behaviour}");
    }
    within(&result, Duration::from_millis(100 + 50 + 25 + 4 * 20 + 7 * 20));
    assert!(step.memory_bytes() <= plugin.limits().memory_bytes);

    let result = step.process(ROWS, &[&texts(ROWS, &[])]);
    assert!(result.poisoned.is_empty() && result.calls == 1 && result.instances == 0, "{behaviour}: the new instance works");
    assert_eq!(delivered(&result, ROWS).len(), ROWS as usize);
}

#[test]
fn endless_loop() {
    contained(hostile(), "loop", Cause::Deadline, "the call did not end within 20 ms");
}

#[test]
fn memory_bomb() {
    // Small enough to be full before the deadline of a single record.
    let plugin = hostile_with(&Limits { memory_bytes: 8 << 20, ..Limits::default() });
    contained(&plugin, "memory", Cause::Memory, "the memory limit of 8388608 bytes was reached");
}

#[test]
fn recursion() {
    contained(hostile(), "recursion", Cause::Trap, "call stack exhausted");
}

#[test]
fn trap() {
    contained(hostile(), "trap", Cause::Trap, "unreachable");
}

#[test]
fn error() {
    contained(hostile(), "error", Cause::Reject, "no \\u{1b}[31mred\\u{1b}[0m\\nrecords");
}

#[test]
fn verdicts() {
    contained(hostile(), "verdicts-short", Cause::Contract, "0 verdicts for 1 rows");
    contained(hostile(), "verdicts-long", Cause::Contract, "2 verdicts for 1 rows");
    contained(hostile(), "verdict-range", Cause::Contract, "verdict 2 for row 0, the signature names 1 outputs");
    contained(hostile(), "drop-undeclared", Cause::Contract, "row 0 is dropped");
}

#[test]
fn row_counts() {
    contained(hostile(), "values-short", Cause::Contract, "1 offsets for 1 values, 2 were expected");
    contained(hostile(), "values-long", Cause::Contract, "3 offsets for 1 values");
    contained(hostile(), "integers-short", Cause::Contract, "0 values for 1 rows");
    contained(hostile(), "presence-short", Cause::Contract, "a presence bitmap of 0 bytes");
}

#[test]
fn offsets() {
    contained(hostile(), "offsets-empty", Cause::Contract, "0 offsets for 1 values");
    contained(hostile(), "offsets-start", Cause::Contract, "the first offset is 1");
    contained(hostile(), "offsets-descending", Cause::Contract, "the first offset is 2");
    contained(hostile(), "offsets-overlap", Cause::Contract, "the first offset is 2");
    contained(hostile(), "offsets-beyond", Cause::Contract, "the last offset is 4294967295, there are 2 bytes");
    contained(hostile(), "offsets-unused-bytes", Cause::Contract, "the last offset is 2, there are 3 bytes");
}

#[test]
fn values() {
    contained(hostile(), "utf8", Cause::Contract, "not UTF-8");
    contained(hostile(), "utf8-cut", Cause::Contract, "not UTF-8");
    contained(hostile(), "json", Cause::Contract, "not one JSON value on one line");
    contained(hostile(), "json-two", Cause::Contract, "not one JSON value on one line");
    contained(hostile(), "json-newline", Cause::Contract, "not one JSON value on one line");
    contained(hostile(), "json-root", Cause::Contract, "not a JSON object");
    contained(hostile(), "boolean", Cause::Contract, "value 0 is 2, 0 or 1 was expected");
    contained(hostile(), "float", Cause::Contract, "value 0 is NaN");
    contained(hostile(), "kind", Cause::Contract, "values of kind integer, the signature says text");
}

#[test]
fn patches() {
    contained(hostile(), "patch-field", Cause::Contract, "a patch of field 6, the signature writes 6 fields");
    contained(hostile(), "patch-field-huge", Cause::Contract, "a patch of field 4294967295");
    contained(hostile(), "patch-twice", Cause::Contract, "two patches of field 0 (`a`)");
    contained(hostile(), "patch-rows-descending", Cause::Contract, "rows [1, 0] are not strictly ascending");
    contained(hostile(), "patch-rows-duplicate", Cause::Contract, "rows [0, 0] are not strictly ascending");
    contained(hostile(), "patch-rows-range", Cause::Contract, "row 1 of a batch of 1 rows");
}

#[test]
fn rejects() {
    contained(hostile(), "reject-range", Cause::Contract, "a reject of row 1");
    contained(hostile(), "reject-twice", Cause::Contract, "2 rejects for 1 rows");
}

#[test]
fn huge_output() {
    // Time enough to fill the memory on a busy machine.
    let patient = hostile_with(&Limits { deadline: Duration::from_secs(10), ..Limits::default() });
    contained(&patient, "huge", Cause::Memory, "more than 8388608 bytes in one call");
}

#[test]
fn a_sound_reject_is_no_failure() {
    let mut step = step(hostile(), "reject-poison poison");
    let result = step.process(8, &[&texts(8, &[2, 7])]);
    assert_eq!((result.calls, result.poisoned.len()), (1, 0));
    let Outcome { rejects, .. } = result.outcome;
    assert_eq!(rejects.iter().map(|r| r.row).collect::<Vec<_>>(), [2, 7]);
    assert!(rejects.iter().all(|r| r.reason.starts_with("it is poison\\nzz") && r.reason.len() <= 1024));
}

#[test]
fn many_poison_records_are_all_found() {
    let poison = [0, 1, 17, 31, 32, 63];
    for behaviour in ["trap poison", "json-newline poison", "error poison"] {
        let mut step = step(hostile(), behaviour);
        let result = step.process(ROWS, &[&texts(ROWS, &poison)]);
        assert_eq!(result.poisoned.iter().map(|p| p.0).collect::<Vec<_>>(), poison);
        assert_eq!(delivered(&result, ROWS).len(), 58);
        assert!(!result.breaker_open);
    }
}
