//! A step of one lane: runs the program on each record of a batch.

use super::bounds;
use super::compile::Compiled;
use super::diagnostic::place;
use super::patch::Patches;
use super::target::{Cells, Row, Source};
use super::{Parts, Role};
use std::cell::{Cell, OnceCell};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tamis_record::{Column, DROP, KEEP, Outcome, Reject};
use vrl::compiler::runtime::{Runtime, Terminate};
use vrl::compiler::{ExpressionError, Program, TimeZone};
use vrl::value::Value;

/// Bytes that a record, and so all that a program makes of one, may have.
pub const RECORD_BYTES_MAX: usize = 1024 * 1024;
/// Expressions a program may evaluate for one record, about a second's worth. Loops run over values of the record, so its
/// sender has a say in how long they take.
pub const EXPRESSIONS_MAX: u32 = 10_000_000;
/// Bytes of the reason of a reject.
const REASON_BYTES_MAX: usize = 1024;

/// A native step of one lane.
#[derive(Debug)]
pub struct StepInstance {
    parts: Arc<Parts>,
    programs: Vec<Program>,
    runtime: Runtime,
    timezone: TimeZone,
    cells: Cells,
    touched: Vec<bool>,
}

/// What becomes of a record that is not kept as it is.
enum Fate {
    Verdict(u8),
    Reject(String),
}

impl StepInstance {
    pub(crate) fn new(parts: Arc<Parts>) -> Self {
        Self {
            programs: parts.programs.iter().map(|compiled| compiled.program.clone()).collect(),
            runtime: Runtime::default(),
            timezone: TimeZone::parse("UTC").unwrap_or_default(),
            cells: parts.layout.slots.iter().map(|_| OnceCell::new()).collect(),
            touched: vec![false; parts.layout.writes.len()],
            parts,
        }
    }

    /// Runs the step on a batch of `rows` records. `columns` are the fields of the signature's `reads`, in their order.
    ///
    /// Never fails as a whole: a record that cannot be processed is among the rejects, and the others are unaffected.
    pub fn process(&mut self, rows: u32, columns: &[&Column]) -> Outcome {
        let mut outcome = Outcome::default();
        if columns.len() != self.cells.len() {
            let reason =
                format!("the step was given {} columns instead of {}; this is a fault of the host", columns.len(), self.cells.len());
            outcome.rejects = (0..rows).map(|row| Reject { row, reason: reason.clone() }).collect();
            return outcome;
        }
        let sources: Vec<Source<'_>> = columns.iter().map(|column| Source::new(column)).collect();
        let parts = Arc::clone(&self.parts);
        let mut patches = Patches::new(&parts.layout);
        for row in 0..rows {
            // The library has assertions that a hostile record can reach.
            let fate = catch_unwind(AssertUnwindSafe(|| self.run(&parts, row, &sources, &mut patches))).unwrap_or_else(|_| {
                patches.forget(row);
                self.renew();
                Fate::Reject("VRL's interpreter gave up on this record".to_owned())
            });
            match fate {
                Fate::Verdict(KEEP) => {}
                Fate::Verdict(verdict) => {
                    let verdicts = outcome.verdicts.get_or_insert_with(|| vec![KEEP; rows as usize]);
                    if let Some(entry) = verdicts.get_mut(row as usize) {
                        *entry = verdict;
                    }
                }
                Fate::Reject(reason) => outcome.rejects.push(Reject { row, reason: printable(&reason) }),
            }
        }
        self.runtime.clear();
        self.cells.iter_mut().for_each(|cell| drop(cell.take()));
        outcome.patches = patches.finish(rows);
        outcome
    }

    /// Memory and program as new, after a panic left them in an unknown state.
    fn renew(&mut self) {
        *self = Self::new(Arc::clone(&self.parts));
    }

    fn run(&mut self, parts: &Parts, row: u32, sources: &[Source<'_>], patches: &mut Patches) -> Fate {
        self.cells.iter_mut().for_each(|cell| drop(cell.take()));
        self.touched.fill(false);
        let (cells, touched) = (&mut self.cells, self.touched.as_mut_slice());
        let mut record = Row { layout: &parts.layout, sources, row: row as usize, cells, touched, fault: Cell::new(None) };
        let mut lane = Lane { runtime: &mut self.runtime, timezone: &self.timezone };
        let programs = self.programs.iter().zip(&parts.programs);
        let result = match parts.role {
            Role::Rewrite => {
                programs.take(1).try_for_each(|(program, compiled)| lane.evaluate(program, &mut record, parts, compiled).map(drop))
            }
            Role::Filter => {
                programs.take(1).try_for_each(|(program, compiled)| match lane.evaluate(program, &mut record, parts, compiled)? {
                    Value::Boolean(true) => Ok(()),
                    Value::Boolean(false) => Err(Fate::Verdict(DROP)),
                    _ => Err(lane.explain(&mut record, parts)),
                })
            }
            Role::Route => programs.zip(1..).try_for_each(|((program, compiled), output)| {
                match lane.evaluate(program, &mut record, parts, compiled)? {
                    Value::Boolean(true) => Err(Fate::Verdict(output)),
                    _ => Ok(()),
                }
            }),
        };
        // A fault makes whatever the program concluded worthless.
        if let Some(fault) = record.fault.get() {
            return Fate::Reject(fault.to_string());
        }
        match result {
            Err(fate) => fate,
            Ok(()) => match patches.add(&record) {
                Ok(()) => Fate::Verdict(KEEP),
                Err(undeliverable) => Fate::Reject(undeliverable.to_string()),
            },
        }
    }
}

/// What programs run with.
struct Lane<'a> {
    runtime: &'a mut Runtime,
    timezone: &'a TimeZone,
}

impl Lane<'_> {
    fn evaluate(&mut self, program: &Program, record: &mut Row<'_>, parts: &Parts, compiled: &Compiled) -> Result<Value, Fate> {
        if !self.runtime.is_empty() {
            self.runtime.clear();
        }
        bounds::renew();
        let mut left = EXPRESSIONS_MAX;
        let mut control = || {
            left = left.saturating_sub(1);
            if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        self.runtime.resolve_with_control(record, program, self.timezone, &mut control).map_err(|end| match end {
            Terminate::Abort(ExpressionError::Abort { .. }) => Fate::Verdict(DROP),
            Terminate::Interrupted => Fate::Reject(format!("the program evaluated more than {EXPRESSIONS_MAX} expressions on this record")),
            Terminate::Abort(error) | Terminate::Error(error) => Fate::Reject(placed(&error.to_string(), &parts.source, compiled.shift)),
        })
    }

    /// Why a condition gave neither true nor false.
    fn explain(&mut self, record: &mut Row<'_>, parts: &Parts) -> Fate {
        let message = parts.explanation.as_ref().and_then(|compiled| {
            let value = self.evaluate(&compiled.program, record, parts, compiled).ok()?;
            let message = value.to_str_lossy()?;
            Some(placed(&message, &parts.source, compiled.shift))
        });
        Fate::Reject(format!("the condition failed: {}", message.as_deref().unwrap_or("it gave neither true nor false")))
    }
}

/// A message of VRL with its positions, `at (from:to)` in bytes, as line and column of the operator's source.
fn placed(message: &str, source: &str, shift: usize) -> String {
    let mut out = String::with_capacity(message.len() + 16);
    let mut rest = message;
    while let Some(at) = rest.find(" at (") {
        let (before, after) = rest.split_at(at);
        let span = after.get(" at (".len()..).and_then(|span| span.split_once(')'));
        let start = span.and_then(|(span, _)| span.split_once(':')).and_then(|(from, to)| {
            let _: usize = to.parse().ok()?;
            from.parse::<usize>().ok()
        });
        out.push_str(before);
        match (start, span) {
            (Some(start), Some((_, after))) => {
                let (line, column) = place(source, start.saturating_sub(shift));
                out.push_str(&format!(" at {line}:{column}"));
                rest = after;
            }
            _ => {
                out.push_str(" at (");
                rest = after.get(" at (".len()..).unwrap_or_default();
            }
        }
    }
    out.push_str(rest);
    out
}

/// A message without control characters and of at most [`REASON_BYTES_MAX`] bytes.
fn printable(message: &str) -> String {
    let mut out = String::with_capacity(message.len().min(REASON_BYTES_MAX));
    for c in message.chars() {
        let length = out.len();
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        if out.len() > REASON_BYTES_MAX - '…'.len_utf8() {
            out.truncate(length);
            out.push('…');
            break;
        }
    }
    out
}
