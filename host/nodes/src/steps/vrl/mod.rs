//! VRL programs over columns.
//!
//! A program is compiled once ([`compile_vrl`]); each lane takes an instance of it ([`Program::instance`]), which runs it on
//! one record after the other. The record exists only as the fields the program names: they are parsed when they are first
//! asked for, and what the program changed is compared with what was there, so a record in which nothing changed costs no patch.

mod bounds;
mod compile;
pub(crate) mod condition;
mod diagnostic;
mod functions;
mod instance;
mod layout;
mod patch;
mod read;
mod spelling;
mod target;
mod write;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

pub use bounds::READ_BYTES_MAX;
pub use diagnostic::{CompileError, NESTING_MAX, SOURCE_BYTES_MAX};
pub use functions::LEFT_OUT;
pub use instance::{EXPRESSIONS_MAX, RECORD_BYTES_MAX, StepInstance};

use compile::{Compiled, Request};
use layout::Layout;
use std::sync::Arc;
use tamis_record::{Field, Kind, Signature};

/// Which step a program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Rewrite,
    Filter,
    Route,
}

/// A compiled step. Cloning it is cheap; lanes share it and run [instances](Program::instance).
#[derive(Debug, Clone)]
pub struct Program {
    parts: Arc<Parts>,
}

#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) role: Role,
    /// One for `vrl` and `filter`, one a case for `route`.
    pub(crate) programs: Vec<Compiled>,
    /// For a filter that can fail: what tells why it did.
    pub(crate) explanation: Option<Compiled>,
    /// The source that messages refer to; empty for a route, which has no messages.
    pub(crate) source: String,
    pub(crate) layout: Layout,
    pub(crate) signature: Signature,
}

/// Compiles and type-checks a `vrl` step.
///
/// `abort` drops the record on purpose. An error at run time (of `function!(…)`) rejects it with VRL's message.
///
/// # Errors
/// Everything VRL and the host find wrong with the source, with places.
pub fn compile_vrl(source: &str) -> Result<Program, Vec<CompileError>> {
    let compiled = compile::compile(Request { source, around: ("", ""), read_only: false })?;
    Ok(Program::assemble(Role::Rewrite, vec![compiled], None, source, Vec::new()))
}

impl Program {
    pub(crate) fn assemble(role: Role, programs: Vec<Compiled>, explanation: Option<Compiled>, source: &str, outputs: Vec<String>) -> Self {
        let infos = || programs.iter().map(|compiled| compiled.program.info());
        let queries: Vec<_> = infos().flat_map(|info| info.target_queries.iter().cloned()).collect();
        let assignments: Vec<_> = infos().flat_map(|info| info.target_assignments.iter().cloned()).collect();
        let deletions: Vec<_> = programs.iter().flat_map(|compiled| compiled.deletions.iter().cloned()).collect();
        let layout = Layout::new(&queries, &assignments, &deletions);
        let field = |path: &tamis_record::Path| Field { path: path.clone(), kind: Kind::Json };
        let signature = Signature {
            reads: layout.slots.iter().map(|slot| field(&slot.path)).collect(),
            writes: layout.writes.iter().map(|write| field(&write.place.path)).collect(),
            outputs,
            drops: role == Role::Filter || infos().any(|info| info.abortable),
        };
        let source = source.to_owned();
        Self { parts: Arc::new(Parts { role, programs, explanation, source, layout, signature }) }
    }

    /// What it is shown, may write and may decide.
    pub fn signature(&self) -> &Signature {
        &self.parts.signature
    }

    /// What is questionable about the source: code without effect, conditions that can fail.
    pub fn warnings(&self) -> impl Iterator<Item = &CompileError> {
        self.parts.programs.iter().flat_map(|compiled| &compiled.warnings)
    }

    /// An instance for one lane, with memory of its own.
    pub fn instance(&self) -> StepInstance {
        StepInstance::new(Arc::clone(&self.parts))
    }
}
