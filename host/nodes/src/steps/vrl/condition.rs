//! Conditions of `filter` and `route`: programs that look at a record and answer true or false.

use super::compile::{Compiled, Request, UNHANDLED, compile as compile_source};
use super::diagnostic::CompileError;
use vrl::compiler::Program;

/// What a condition that fails on a record means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OnFailure {
    /// The record is rejected.
    Reject,
    /// The same as false.
    False,
}

/// Compiles a condition.
///
/// VRL wants every possible failure handled. Here the one of the whole condition may be left open, since the step knows what
/// to do about it; a warning says so.
///
/// # Errors
/// Everything that is wrong, with its place.
pub(crate) fn compile(source: &str, on_failure: OnFailure) -> Result<Compiled, Vec<CompileError>> {
    let request = Request { source, around: ("", ""), read_only: true };
    let unhandled = match compile_source(request) {
        Ok(compiled) => return checked(source, compiled),
        Err(errors) if errors.iter().all(|error| error.code.is_some_and(|code| UNHANDLED.contains(&code))) => errors,
        Err(errors) => return Err(errors),
    };
    // The block is closed on its own line, so that a comment at the end of the source does not hide it.
    let closed = |rest| compile_source(Request { around: ("{\n", rest), ..request }).map_err(|_| unhandled.clone());
    let mut compiled = checked(source, closed("\n} ?? false")?)?;
    let meaning = match on_failure {
        OnFailure::False => "does not match",
        OnFailure::Reject => {
            compiled.program = closed("\n} ?? null")?.program;
            "is rejected"
        }
    };
    compiled.warnings.extend(unhandled.into_iter().map(|error| CompileError {
        message: format!("this can fail; a record on which it does {meaning}"),
        notes: vec!["handle it to decide otherwise: `(…) ?? false`, or convert with `to_int(.field) ?? 0`".to_owned()],
        ..error
    }));
    Ok(compiled)
}

/// The program that tells why a condition compiled with [`OnFailure::Reject`] failed: it gives the message, or null.
pub(crate) fn explanation(source: &str) -> Option<Compiled> {
    compile_source(Request { source, around: ("_, tamis_failure = {\n", "\n}\ntamis_failure"), read_only: true }).ok()
}

fn checked(source: &str, compiled: Compiled) -> Result<Compiled, Vec<CompileError>> {
    if compiled.program.info().abortable {
        let at = source.find("abort").unwrap_or_default();
        let message = "a condition answers true or false; `abort` belongs into a `vrl` step";
        return Err(vec![CompileError::at(source, at, at + "abort".len(), message)]);
    }
    let kind = gives(&compiled.program);
    if kind.is_boolean() {
        return Ok(compiled);
    }
    let message = format!("a condition gives true or false, this one gives {kind}; compare it, as in `.method == \"GET\"`");
    Err(vec![CompileError::whole(source, message)])
}

fn gives(program: &Program) -> vrl::value::Kind {
    program.final_type_info().result.kind().clone()
}
