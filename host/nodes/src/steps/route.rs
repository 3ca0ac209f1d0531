//! `route`: sends a record to the output of the first VRL condition that is true.

use super::vrl::condition::{OnFailure, compile};
use super::vrl::{CompileError, Program, Role};
use tamis_record::OUTPUTS_MAX;

/// Compiles the cases of a route, each a name of an output and a condition, tried in order. A record that matches none stays
/// on its way.
///
/// Conditions read but cannot assign or delete, and give a boolean. One that fails on a record, such as `.status >= 500` on
/// a record without `status`, does not match that record; the program carries a warning about it.
///
/// # Errors
/// Everything that is wrong with the conditions; [`CompileError::case`] says in which one.
pub fn compile_route(cases: &[(String, String)]) -> Result<Program, Vec<CompileError>> {
    if cases.is_empty() || cases.len() > OUTPUTS_MAX {
        let message = format!("a route has 1 to {OUTPUTS_MAX} cases, this one has {}", cases.len());
        return Err(vec![CompileError::whole("", message)]);
    }
    let mut conditions = Vec::with_capacity(cases.len());
    let mut errors = Vec::new();
    for (case, (_, source)) in cases.iter().enumerate() {
        match compile(source, OnFailure::False) {
            Ok(mut condition) => {
                condition.warnings.iter_mut().for_each(|warning| warning.case = case);
                conditions.push(condition);
            }
            Err(found) => errors.extend(found.into_iter().map(|error| CompileError { case, ..error })),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let outputs = cases.iter().map(|(name, _)| name.clone()).collect();
    Ok(Program::assemble(Role::Route, conditions, None, "", outputs))
}
