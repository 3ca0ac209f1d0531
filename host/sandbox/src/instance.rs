//! One instance and the call: a batch's columns in, a checked outcome out.

use crate::check;
use crate::contract::{BatchIn, ColumnIn, OutcomeOut};
use crate::failure::{Cause, Failure};
use crate::plugin::{Plugin, unmetered};
use crate::state::State;
use crate::trap::{self, Bound};
use std::fmt;
use std::time::Duration;
use tamis_record::Signature;
use tamis_record::{Column, Field, Outcome};
use wasmtime::component::{Func, TypedFunc};
use wasmtime::{AsContext, Store};

type Process<'a> = TypedFunc<(BatchIn<'a>,), (Result<OutcomeOut, String>,)>;

/// A running copy of a plugin with its own memory; belongs to one lane and one step.
pub struct Instance {
    plugin: Plugin,
    store: Store<State>,
    process: Func,
    reads: usize,
    writes: Vec<Field>,
    outputs: usize,
    drops: bool,
    usable: bool,
    called: bool,
    backtrace: Vec<String>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Instance").field("plugin", &self.plugin).field("usable", &self.usable).finish_non_exhaustive()
    }
}

impl Instance {
    pub(crate) fn new(plugin: Plugin, store: Store<State>, process: Func, signature: &Signature) -> Self {
        let (reads, writes) = (signature.reads.len(), signature.writes.clone());
        Self {
            plugin,
            store,
            process,
            reads,
            writes,
            outputs: signature.outputs.len(),
            drops: signature.drops,
            usable: true,
            called: false,
            backtrace: Vec::new(),
        }
    }

    pub(crate) fn check_type(process: Func, store: impl AsContext) -> Result<(), Failure> {
        let typed: wasmtime::Result<Process<'_>> = process.typed(store);
        typed.map(|_| ()).map_err(|e| {
            Failure::contract(format!("`process` does not have the contract's type ({e:#}); rebuild the plugin against this host's WIT"))
        })
    }

    /// Hands a batch to the plugin within the plugin's deadline. `columns` are those of the signature's `reads`, in that
    /// order, with `rows` rows each. The outcome is checked: what it holds obeys the contract.
    ///
    /// # Errors
    /// A [`Failure`] fails the whole batch. After any but [`Cause::Reject`] the instance is used up, see [`Instance::usable`].
    pub fn process(&mut self, rows: u32, columns: &[&Column]) -> Result<Outcome, Failure> {
        let deadline = self.plugin.limits().deadline;
        self.process_within(rows, columns, deadline)
    }

    /// As [`Instance::process`], with another deadline for this call.
    ///
    /// # Errors
    /// As [`Instance::process`].
    pub fn process_within(&mut self, rows: u32, columns: &[&Column], deadline: Duration) -> Result<Outcome, Failure> {
        if !self.usable {
            return Err(Failure::contract("the instance failed before and was called again"));
        }
        if columns.len() != self.reads || columns.iter().any(|c| c.len() != rows as usize) {
            let found = columns.iter().map(|c| c.len().to_string()).collect::<Vec<_>>().join(", ");
            return Err(Failure::contract(format!(
                "the host must give {} columns of {rows} rows, it has columns of {found} rows",
                self.reads
            )));
        }
        let result = self.call(rows, columns, deadline);
        self.usable = !matches!(&result, Err(failure) if failure.cause != Cause::Reject);
        result
    }

    fn call(&mut self, rows: u32, columns: &[&Column], deadline: Duration) -> Result<Outcome, Failure> {
        // The one allocation a call makes on its own account: a few words for each column.
        let columns: Vec<ColumnIn<'_>> = columns.iter().map(|c| ColumnIn::from(*c)).collect();
        let input = BatchIn { rows, columns: &columns };
        self.store.data_mut().usage.begin_call();
        self.called = true;
        let bound = match self.plugin.fuel() {
            Some(fuel) => {
                self.store.set_fuel(fuel.call).map_err(|e| unmetered(&e))?;
                Bound::Fuel(fuel.call)
            }
            None => {
                self.store.set_epoch_deadline(self.plugin.ticks(deadline));
                Bound::Time(deadline)
            }
        };
        // The type is checked again, since the parameter's lifetime is part of it; that costs well below a microsecond.
        let process: Process<'_> = self.process.typed(&self.store).map_err(|e| Failure::contract(format!("{e:#}")))?;
        let (answer,) = process.call(&mut self.store, (input,)).map_err(|error| {
            let host_call_bytes = self.plugin.limits().host_call_bytes;
            if self.plugin.fuel().is_some() {
                self.backtrace = trap::backtrace(&error);
            }
            trap::failure(&error, &self.store.data().usage, bound, host_call_bytes)
        })?;
        let outcome = answer.map_err(|reason| Failure::new(Cause::Reject, reason))?;
        check::outcome(outcome.into(), rows, &check::Allowed { writes: &self.writes, outputs: self.outputs, drops: self.drops })
    }

    /// Fuel that the last call used, or `init` before the first one; none in a sandbox that goes by time.
    pub fn fuel_used(&self) -> Option<u64> {
        let fuel = self.plugin.fuel()?;
        let given = if self.called { fuel.call } else { fuel.init };
        Some(given.saturating_sub(self.store.get_fuel().ok()?))
    }

    /// The functions in which the last call stopped, innermost first. Only kept where calls are bounded by fuel.
    pub fn backtrace(&self) -> &[String] {
        &self.backtrace
    }

    /// Whether it can be called again; an instance that trapped or lied cannot.
    pub fn usable(&self) -> bool {
        self.usable
    }

    /// Linear memory it holds, in bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.store.data().usage.memory_bytes()
    }
}
