//! What needs a process of its own: the memory of the whole host, and a host with little address space.

use crate::guests::{component, hostile_wasm, sandbox, step, texts};
use std::process::Command;
use tamis_sandbox::{Allocator, Cause, Limits};

/// Set in the process that is a test's own.
const ALONE: &str = "TAMIS_TEST_ALONE";

/// Whether this process is the test's own. Otherwise it is run in one, by a shell that may set limits first, and has passed there.
#[track_caller]
fn is_alone(test: &str, limits: &str) -> bool {
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let binary = std::env::current_exe().unwrap();
    let script = format!("{limits} exec \"$0\" --exact alone::{test} --nocapture --test-threads=1");
    let output = Command::new("sh").arg("-c").arg(script).arg(binary).env(ALONE, "1").output().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    false
}

/// Peak memory of this process so far, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

#[test]
fn aliased_lists_cost_the_host_little() {
    if !is_alone("aliased_lists_cost_the_host_little", "") {
        return;
    }
    let plugin = sandbox().load("aliased", &component("aliased", "64", |text| text), &Limits::default()).unwrap();
    let mut step = step(&plugin, "none");
    step.warm().unwrap();
    let before = peak();
    let result = step.process(8, &[&texts(8, &[])]);
    assert_eq!(result.failures[Cause::Memory.index()], 15);
    let grown = peak() - before;
    assert!(grown <= 16 << 20, "the host's memory grew by {grown} bytes");
}

#[test]
fn little_address_space_means_on_demand() {
    if !is_alone("little_address_space_means_on_demand", "ulimit -v 8388608;") {
        return;
    }
    assert_eq!(sandbox().allocator(), Allocator::OnDemand);
    let plugin = sandbox().load("hostile", &hostile_wasm(), &Limits { memory_bytes: 8 << 20, ..Limits::default() }).unwrap();
    for (behaviour, cause) in [
        ("loop", Cause::Deadline),
        ("memory", Cause::Memory),
        ("trap", Cause::Trap),
        ("recursion", Cause::Trap),
        ("huge", Cause::Memory),
        ("utf8", Cause::Contract),
    ] {
        let result = step(&plugin, &format!("{behaviour} poison")).process(2, &[&texts(2, &[1])]);
        assert_eq!(result.poisoned.iter().map(|(row, f)| (*row, f.cause)).collect::<Vec<_>>(), [(1, cause)], "{behaviour}");
    }
    // As many instances as two lanes of four plugins need twice over.
    let signature = plugin.signature("\"none\"").unwrap();
    let instances: Vec<_> = (0..16).map(|_| plugin.instantiate("\"none\"", &signature).unwrap()).collect();
    assert!(instances.iter().all(|i| i.usable()));
}
