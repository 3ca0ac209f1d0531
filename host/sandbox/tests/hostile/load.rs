//! What does not load, and the cache.

use crate::guests::{component, hostile_wasm, lie, sandbox, step, texts};
use std::fs;
use tamis_sandbox::{Cause, Limits, Sandbox, SandboxError, SandboxOptions};

#[track_caller]
fn refused(wasm: &[u8], limits: &Limits, expected: &str) -> SandboxError {
    let error = sandbox().load("p", wasm, limits).expect_err(expected);
    assert!(error.to_string().contains(expected), "{error}");
    error
}

#[test]
fn files_that_are_no_plugins() {
    let limits = Limits::default();
    refused(b"", &limits, "this is not WebAssembly");
    refused(b"(component)", &limits, "this is not WebAssembly");
    refused(b"\0asm\x01\0\0\0", &limits, "this is a core module, a component was expected; wrap it with");
    refused(b"\0asm\x0d\0\x01\0", &limits, "does not export `tamis:plugin/transform@0.1.0` (it exports nothing)");
    refused(b"\0asm\x0d\0\x01\0\xff\xff\xff", &limits, "the component is not valid");
    refused(b"\0asm\x09\0\x09\0", &limits, "unknown WebAssembly version");
    refused(&lie("sound"), &Limits { component_bytes_max: 100, ..Limits::default() }, "more than the limit of 100");
    refused(&lie("sound"), &Limits { memory_bytes: 1 << 30, ..Limits::default() }, "restart with the larger limit");
    let truncated = hostile_wasm();
    refused(&truncated[..truncated.len() / 2], &limits, "the component is not valid");
}

#[test]
fn other_versions_of_the_contract() {
    let with = |name: &str| component("sound", "1", |text| text.replace("@EXPORT@", name));
    refused(&with("tamis:plugin/transform@0.2.0"), &Limits::default(), "update the host");
    refused(&with("tamis:plugin/transform@0.0.1"), &Limits::default(), "rebuild the plugin");
    refused(&with("tamis:other/transform@0.1.0"), &Limits::default(), "it exports tamis:other/transform@0.1.0");
}

#[test]
fn forbidden_imports_are_refused_by_name() {
    let with = |import: &str| component("sound", "1", |text| text.replace("@IMPORTS@", import));
    let files = r#"(import "evil:host/files" (instance (export "read" (func (param "path" string) (result string)))))"#;
    let error = refused(&with(files), &Limits::default(), "imports `evil:host/files`, which no plugin is given");
    assert!(matches!(error, SandboxError::ForbiddenImport { import, .. } if import == "evil:host/files"));
    refused(&with(r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#), &Limits::default(), "a plugin has no network");
    let unknown = r#"(import "wasi:cli/environment@0.2.0" (instance (export "get-secrets" (func (result string)))))"#;
    refused(&with(unknown), &Limits::default(), "the host has no such import of that type");
    let log = r#"(import "tamis:plugin/log@0.1.0" (instance (export "write" (func (param "message" string)))))"#;
    refused(&with(log), &Limits::default(), "`tamis:plugin/log@0.1.0`");
}

const CLOCK: &str = r#"(import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (export "now" (func (result u64)))))
  (core func $now (canon lower (func $clock "now")))"#;

#[test]
fn wasi_is_there_and_empty() {
    let wasm = component("sound", "1", |text| {
        text.replace("@IMPORTS@", CLOCK)
            .replace("@WITH@", r#"(with "wasi" (instance (export "now" (func $now))))"#)
            .replace("(memory (export \"memory\") 1)", "(import \"wasi\" \"now\" (func $now (result i64))) (memory (export \"memory\") 1)")
            .replace("(i32.const 256))", "(if (i64.ne (call $now) (i64.const 0)) (then unreachable)) (i32.const 256))")
    });
    let plugin = sandbox().load("clock", &wasm, &Limits::default()).unwrap();
    assert_eq!(plugin.imports(), ["wasi:clocks/monotonic-clock@0.2.0"]);
    let result = step(&plugin, "none").process(1, &[&texts(1, &[])]);
    assert!(result.poisoned.is_empty(), "{:?}", result.poisoned);
}

#[test]
fn waiting_is_refused_since_no_deadline_would_end_it() {
    let poll = r#"(import "wasi:io/poll@0.2.0" (instance $poll (export "pollable" (type (sub resource)))))
  (alias export $poll "pollable" (type $pollable))
  (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock (alias outer 1 $pollable (type $outer)) (export "pollable" (type $p (eq $outer)))
    (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
  (core func $wait (canon lower (func $clock "subscribe-duration")))"#;
    let wasm = component("sound", "1", |text| {
        text.replace("@IMPORTS@", poll)
            .replace("@WITH@", r#"(with "wasi" (instance (export "wait" (func $wait))))"#)
            .replace(
                "(memory (export \"memory\") 1)",
                "(import \"wasi\" \"wait\" (func $wait (param i64) (result i32))) (memory (export \"memory\") 1)",
            )
            .replace("(i32.const 256))", "(drop (call $wait (i64.const 3600000000000))) (i32.const 256))")
    });
    let plugin = sandbox().load("waits", &wasm, &Limits::default()).unwrap();
    let result = step(&plugin, "none").process(1, &[&texts(1, &[])]);
    let failure = &result.poisoned[0].1;
    assert_eq!(failure.cause, Cause::Trap, "{failure}");
    assert!(failure.reason.contains("asked to wait (`subscribe-duration`)"), "{failure}");
}

#[test]
fn no_socket_is_made() {
    let sockets = r#"(import "wasi:sockets/network@0.2.0" (instance $network (export "ip-address-family" (type (eq $family)))))"#;
    let sockets = sockets.replace("(eq $family)", "(sub resource)").replace("ip-address-family", "network");
    let plugin =
        sandbox().load("sockets", &component("sound", "1", |text| text.replace("@IMPORTS@", &sockets)), &Limits::default()).unwrap();
    let result = step(&plugin, "none").process(1, &[&texts(1, &[])]);
    assert!(result.poisoned.is_empty(), "{:?}", result.poisoned);
}

#[test]
fn a_forged_cache_entry_is_compiled_anew_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let cache_dir = folder.path().join("cache");
    let start = || Sandbox::new(SandboxOptions { cache_dir: Some(cache_dir.clone()), pool_slots: 4, ..SandboxOptions::default() }).unwrap();
    let wasm = lie("sound");
    let load = |sandbox: &Sandbox| {
        let plugin = sandbox.load("cached", &wasm, &Limits::default()).unwrap();
        assert!(step(&plugin, "none").process(1, &[&texts(1, &[])]).poisoned.is_empty());
        plugin.cached()
    };
    let first = start();
    assert!(!load(&first) && load(&first) && load(&start()));
    let entry = fs::read_dir(&cache_dir).unwrap().next().unwrap().unwrap().path();
    let mut forged = fs::read(&entry).unwrap();
    let at = forged.len() - 100;
    forged[at] ^= 0x40;
    fs::write(&entry, forged).unwrap();
    let second = start();
    assert!(!load(&second) && load(&second));
    assert_eq!((second.cache_stats().refused, second.cache_stats().hits, second.cache_stats().written), (1, 1, 1));
}
