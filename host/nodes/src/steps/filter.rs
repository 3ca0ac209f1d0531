//! `filter`: keeps the records for which a VRL condition is true.

use super::vrl::condition::{OnFailure, compile, explanation};
use super::vrl::{CompileError, Program, Role};

/// Compiles a condition; records for which it is false are dropped on purpose.
///
/// The condition reads but cannot assign or delete, and gives a boolean. One that can fail, such as `.status >= 500` on a
/// record without `status`, is accepted with a warning, and a record on which it fails is rejected with VRL's message:
/// dropping it would lose it silently.
///
/// # Errors
/// Everything that is wrong with the source, each with its place.
pub fn compile_filter(source: &str) -> Result<Program, Vec<CompileError>> {
    let condition = compile(source, OnFailure::Reject)?;
    // An unhandled failure is what made the host put something before the source.
    let explanation = if condition.shift > 0 { explanation(source) } else { None };
    Ok(Program::assemble(Role::Filter, vec![condition], explanation, source, Vec::new()))
}
