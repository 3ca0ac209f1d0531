//! What `init` may do wrong: the pipeline does not load, and says why.

use crate::guests::{TOLERANCE, hostile, hostile_with};
use std::time::{Duration, Instant};
use tamis_sandbox::{Cause, Limits, Plugin, Signature};

#[track_caller]
fn refused(plugin: &Plugin, config: &str, cause: Cause, reason: &str) {
    let failure = plugin.signature(&format!("\"{config}\"")).expect_err(config);
    assert_eq!(failure.cause, cause, "{config}: {failure}");
    assert!(failure.reason.contains(reason), "{config}: {failure}");
    assert!(failure.reason.len() <= 1024 && !failure.reason.chars().any(char::is_control), "{config}: {failure}");
}

#[test]
fn endless_loop() {
    let init_deadline = Duration::from_millis(200);
    let plugin = hostile_with(&Limits { init_deadline, ..Limits::default() });
    let started = Instant::now();
    refused(&plugin, "init-loop", Cause::Deadline, "did not end within 200 ms");
    assert!(started.elapsed() <= init_deadline + TOLERANCE, "{:?}", started.elapsed());
}

#[test]
fn failures_of_its_own() {
    refused(hostile(), "init-trap", Cause::Trap, "unreachable");
    refused(hostile(), "init-memory", Cause::Memory, "the memory limit of 67108864 bytes was reached");
    refused(hostile(), "init-error", Cause::Reject, "no \\u{1b}[31mred\\u{1b}[0m\\nconfiguration");
}

#[test]
fn long_errors() {
    refused(hostile(), "init-error-long", Cause::Memory, "more than 8388608 bytes in one call");
    refused(hostile(), "init-error-long-allowed", Cause::Reject, "xxx…");
}

#[test]
fn signatures() {
    refused(hostile(), "init-fields", Cause::Contract, "`reads` has 300 fields, at most 256");
    refused(hostile(), "init-path", Cause::Contract, "is not a field path");
    refused(hostile(), "init-path-long", Cause::Contract, "longer than 1,024 bytes");
    refused(hostile(), "init-writes-twice", Cause::Contract, "`writes` names `a` twice");
    refused(hostile(), "init-outputs", Cause::Contract, "255 outputs, at most 254");
    refused(hostile(), "init-output-name", Cause::Contract, "`../etc` is not the name of an output");
    refused(hostile(), "init-huge", Cause::Memory, "more than 8388608 bytes in one call");
}

#[test]
fn a_signature_that_changes() {
    // A guest without clock, randomness and memory of earlier lives cannot change its mind by itself; the host still does
    // not rely on that.
    let signature = hostile().signature("\"none\"").unwrap();
    assert!(hostile().instantiate("\"none\"", &signature).is_ok());
    let planned = Signature { drops: !signature.drops, ..signature };
    let failure = hostile().instantiate("\"none\"", &planned).unwrap_err();
    assert_eq!(failure.cause, Cause::Contract);
    assert!(failure.reason.contains("another signature than before"), "{failure}");
}
