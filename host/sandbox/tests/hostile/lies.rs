//! Lies below the level of bindings: pointers, lengths, discriminants; and limits of WebAssembly itself.

use crate::guests::{component, lie, sandbox, step, texts, within};
use std::time::Duration;
use tamis_sandbox::{Cause, Limits, Plugin};

const ROWS: u32 = 4;

pub(crate) fn load(name: &str) -> Plugin {
    sandbox().load(name, &lie(name), &Limits::default()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Every record fails, each in its own instance, and a new instance can still be made.
#[track_caller]
fn contained(name: &str, cause: Cause, reason: &str) {
    contained_in(&load(name), name, cause, reason);
}

#[track_caller]
fn contained_in(plugin: &Plugin, name: &str, cause: Cause, reason: &str) {
    let mut step = step(plugin, "none");
    let column = texts(ROWS, &[]);
    let result = step.process(ROWS, &[&column]);
    assert_eq!(result.poisoned.iter().map(|p| p.0).collect::<Vec<_>>(), [0, 1, 2, 3], "{name}");
    for (row, failure) in &result.poisoned {
        assert_eq!(failure.cause, cause, "{name}, row {row}: {failure}");
        assert!(failure.reason.contains(reason), "{name}, row {row}: {failure}");
    }
    assert_eq!((result.calls, result.instances), (7, 7), "{name}");
    within(&result, Duration::from_millis(100 + 2 * 50 + 4 * 25));
    assert_eq!(step.memory_bytes(), 0, "{name}: the instance is gone");
    step.warm().unwrap_or_else(|failure| panic!("{name}: {failure}"));
}

#[test]
fn no_lie_at_all() {
    let plugin = load("sound");
    assert!(plugin.imports().is_empty() && plugin.digest().starts_with("sha256:") && plugin.digest().len() == 71);
    let result = step(&plugin, "none").process(ROWS, &[&texts(ROWS, &[])]);
    assert!(result.poisoned.is_empty(), "{:?}", result.poisoned);
    assert_eq!(result.outcome, tamis_record::Outcome::default());
}

#[test]
fn realloc() {
    contained("realloc-wild", Cause::Contract, "realloc return: beyond end of memory");
    contained("realloc-end", Cause::Contract, "realloc return: beyond end of memory");
    contained("realloc-misaligned", Cause::Contract, "realloc return: result not aligned");
    contained("realloc-loop", Cause::Deadline, "did not end within");
}

#[test]
fn pointers_and_lengths() {
    contained("result-misaligned", Cause::Contract, "not aligned");
    contained("result-beyond", Cause::Contract, "out of bounds");
    contained("discriminant", Cause::Contract, "invalid expected discriminant");
    contained("list-length", Cause::Contract, "out of bounds");
    contained("patches-length", Cause::Contract, "out of bounds");
    contained("utf8-reason", Cause::Contract, "utf-8");
}

#[test]
fn limits_of_webassembly() {
    contained("recursion", Cause::Trap, "call stack exhausted");
    contained("divide", Cause::Trap, "integer divide by zero");
    contained("table", Cause::Memory, "the table limit of 10000 elements was reached");
}

#[test]
fn an_instruction_that_is_not_interrupted() {
    // Filling 64 MiB takes about 10 ms on an idle core and is not interrupted; 16 MiB keep the test's time apart from
    // what else the machine does.
    let limits = Limits { memory_bytes: 16 << 20, ..Limits::default() };
    let plugin = sandbox().load("memory-fill", &lie("memory-fill"), &limits).unwrap();
    contained_in(&plugin, "memory-fill", Cause::Deadline, "did not end within");
}

#[test]
fn what_is_allowed_is_not_a_failure() {
    let result = step(&load("table-held"), "none").process(ROWS, &[&texts(ROWS, &[])]);
    assert!(result.poisoned.is_empty(), "{:?}", result.poisoned);
}

#[test]
fn aliased_lists_stop_at_the_host_call_limit() {
    let wasm = component("aliased", "64", |text| text);
    let plugin = sandbox().load("aliased", &wasm, &Limits::default()).unwrap();
    let result = step(&plugin, "none").process(1, &[&texts(1, &[])]);
    assert_eq!(result.poisoned[0].1.cause, Cause::Memory);
    assert!(result.poisoned[0].1.reason.contains("more than 8388608 bytes in one call"));
}

#[test]
fn a_start_that_never_ends() {
    let limits = Limits { init_deadline: Duration::from_millis(150), ..Limits::default() };
    let plugin = sandbox().load("start-loop", &lie("start-loop"), &limits).unwrap();
    let failure = plugin.signature("{}").unwrap_err();
    assert_eq!(failure.cause, Cause::Deadline, "{failure}");
}

#[test]
fn more_memory_at_the_start_than_allowed() {
    // 32 MiB fit the pool's slots and not the plugin's own limit.
    let limits = Limits { memory_bytes: 16 << 20, ..Limits::default() };
    let plugin = sandbox().load("big", &component("sound", "512", |text| text), &limits).unwrap();
    let failure = plugin.signature("{}").unwrap_err();
    assert_eq!(failure.cause, Cause::Memory, "{failure}");
    assert!(failure.reason.contains("the memory limit of 16777216 bytes was reached"), "{failure}");
    // 128 MiB do not even fit a slot.
    let error = sandbox().load("bigger", &component("sound", "2048", |text| text), &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("exceeds the limit"), "{error}");
}

#[test]
fn a_function_of_another_type() {
    let wasm = component("sound", "1", |text| text.replace("(field \"drops\" bool)", "(field \"drops\" u8)"));
    let plugin = sandbox().load("typed", &wasm, &Limits::default()).unwrap();
    let failure = plugin.signature("{}").unwrap_err();
    assert_eq!(failure.cause, Cause::Contract);
    assert!(failure.reason.contains("`init` does not have the contract's type"), "{failure}");
}
