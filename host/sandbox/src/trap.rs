//! From wasmtime's errors to causes and reasons.

use crate::failure::{Cause, Failure, REASON_BYTES_MAX, printable};
use crate::state::Usage;
use std::fmt;
use std::time::Duration;
use wasmtime::{PoolConcurrencyLimitError, Trap, WasmBacktrace};

/// Frames of a trap named in the reason.
const FRAMES_MAX: usize = 3;
/// wasmtime's error for lists and strings beyond `Store::set_hostcall_fuel` has no public type; this is in its text.
const HOSTCALL_FUEL: &str = "fuel allocated for hostcalls has been exhausted";

/// What a call may take at most.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Bound {
    Time(Duration),
    /// In units of fuel.
    Fuel(u64),
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{} ms", time.as_millis()),
            Self::Fuel(units) => write!(f, "{units} units of fuel"),
        }
    }
}

/// Names what went wrong in a call or while an instance was made.
pub(crate) fn failure(error: &wasmtime::Error, usage: &Usage, bound: Bound, host_call_bytes: u64) -> Failure {
    if let Some(trap) = error.downcast_ref::<Trap>() {
        return match (trap, usage.refusal()) {
            (Trap::Interrupt | Trap::OutOfFuel, _) => Failure::new(Cause::Deadline, format!("the call did not end within {bound}")),
            (trap, Some(refusal)) => Failure::new(Cause::Memory, format!("{refusal}, then: {trap}{}", frames(error))),
            (trap, None) => Failure::new(Cause::Trap, format!("{trap}{}", frames(error))),
        };
    }
    if error.downcast_ref::<PoolConcurrencyLimitError>().is_some() {
        return Failure::new(Cause::Memory, format!("no free slot in the sandbox: {error}; fewer lanes or more pool slots are needed"));
    }
    let text = format!("{error:#}");
    if text.contains(HOSTCALL_FUEL) {
        return Failure::new(
            Cause::Memory,
            format!("the plugin hands over more than {host_call_bytes} bytes in one call (`limits.host_call_bytes`)"),
        );
    }
    if let Some(refusal) = usage.refusal() {
        return Failure::new(Cause::Memory, format!("{refusal}: {text}"));
    }
    if error.downcast_ref::<WasmBacktrace>().is_some() {
        // A host function that refused: it stopped the guest, so it is a trap to the caller.
        return Failure::new(Cause::Trap, format!("{}{}", error.root_cause(), frames(error)));
    }
    Failure::contract(format!("the answer is not what the canonical ABI allows: {text}"))
}

/// All functions of the stack that are known, innermost first.
pub(crate) fn backtrace(error: &wasmtime::Error) -> Vec<String> {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return Vec::new() };
    let name = |frame: &wasmtime::FrameInfo| match frame.func_name() {
        Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
        None => format!("function {}", frame.func_index()),
    };
    trace.frames().iter().map(|frame| printable(&name(frame), REASON_BYTES_MAX)).collect()
}

/// The innermost functions, where the component still has their names.
fn frames(error: &wasmtime::Error) -> String {
    let Some(trace) = error.downcast_ref::<WasmBacktrace>() else { return String::new() };
    // `{:#}` leaves the hashes out.
    let names: Vec<String> = trace
        .frames()
        .iter()
        .filter_map(|f| f.func_name())
        .take(FRAMES_MAX)
        .map(|name| format!("{:#}", rustc_demangle::demangle(name)))
        .collect();
    if names.is_empty() { String::new() } else { format!(" in {}", names.join(" < ")) }
}
