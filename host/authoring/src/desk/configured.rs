//! A plugin with its configuration: the one step of a pipeline that has no other.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tamis_record::{Batch, Column, ColumnId, DROP, Fault, FieldId, Fields, Records, Signature};
use tamis_sandbox::{COOL_DOWN_MAX, Cause, Failure, Plugin, Step};

use super::fate::Fate;
use super::listener::{Line, Listener};

/// A plugin with its configuration, ready for records.
#[derive(Debug)]
pub struct Configured {
    plugin: Plugin,
    step: Step,
    pub(super) fields: Tracked,
    pub(super) listener: Listener,
    init: Duration,
    logged: Vec<Line>,
}

/// The fields of the signature, as the record crate numbers them.
pub(super) struct Tracked {
    batch: Batch,
    columns: Vec<ColumnId>,
    writes: Vec<FieldId>,
    ways: Vec<u8>,
    faults: Vec<Fault>,
}

impl std::fmt::Debug for Tracked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracked").field("columns", &self.columns).field("writes", &self.writes).finish_non_exhaustive()
    }
}

/// What the parts of the work took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timing {
    /// Records.
    pub records: u64,
    /// Validating the records and extracting the columns.
    pub scan: Duration,
    /// In the step: the call into the plugin, checking its answer.
    pub step: Duration,
    /// Applying the patches and writing the records.
    pub encode: Duration,
}

impl Timing {
    /// Adds another's times.
    pub fn add(&mut self, other: &Self) {
        self.records += other.records;
        self.scan += other.scan;
        self.step += other.step;
        self.encode += other.encode;
    }
}

/// What a batch tells beside the fates of its records.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) calls: u64,
    pub(super) failures: [u64; Cause::ALL.len()],
    pub(super) instances: u64,
    pub(super) memory_bytes: u64,
    pub(super) timing: Timing,
}

impl Configured {
    pub(super) fn new(plugin: &Plugin, config: &str) -> Result<Self, Failure> {
        let listener = Listener::new();
        let started = Instant::now();
        let (instance, signature) = listener.during(|| plugin.start(config))?;
        let init = started.elapsed();
        drop(instance);
        let logged = listener.take().lines;
        let signature = Arc::new(signature);
        let fields = Tracked::new(&signature)?;
        let mut step = Step::with_clock(plugin.clone(), config, signature, never_waiting());
        listener.during(|| step.warm())?;
        // It has said all this before.
        listener.take();
        Ok(Self { plugin: plugin.clone(), step, fields, listener, init, logged })
    }

    /// What it reads and does under this configuration.
    pub fn signature(&self) -> &Arc<Signature> {
        self.step.signature()
    }

    /// How long it took to make an instance and run its `init`.
    pub fn init_time(&self) -> Duration {
        self.init
    }

    /// What `init` logged.
    pub fn init_log(&self) -> &[Line] {
        &self.logged
    }

    /// Linear memory of the instance, in bytes; 0 when it was thrown away.
    pub fn memory_bytes(&self) -> u64 {
        self.step.memory_bytes()
    }

    pub(super) fn counters(&self) -> BTreeMap<String, u64> {
        self.plugin.counters().into_iter().collect()
    }

    pub(super) fn lines_dropped(&self) -> u64 {
        self.plugin.log_lines_dropped()
    }

    /// Takes a batch through and gives what it took: for measuring, nothing else is kept.
    pub fn time(&mut self, records: &Arc<Records>) -> Timing {
        let mut told = Told::default();
        let listener = self.listener.clone();
        listener.during(|| self.batch(records, &mut told, None));
        listener.take();
        told.timing
    }

    /// Takes a batch through. `fates`, as long as the batch, are filled in where they are given.
    pub(super) fn batch(&mut self, records: &Arc<Records>, told: &mut Told, mut fates: Option<&mut [Option<Fate>]>) {
        let mut tell = |row: u32, fate: &dyn Fn() -> Fate| {
            if let Some(place) = fates.as_deref_mut().and_then(|fates| fates.get_mut(row as usize)) {
                *place = Some(fate());
            }
        };
        let Tracked { batch, columns, writes, ways, faults } = &mut self.fields;
        faults.clear();
        let started = Instant::now();
        batch.load(Arc::clone(records), faults);
        for fault in faults.drain(..) {
            tell(fault.row, &|| Fate::failed("decode", &fault.reason));
        }
        batch.prepare(columns, faults);
        let extracted: Vec<&Column> = columns.iter().map(|id| batch.column(*id)).collect();
        let live = batch.live().to_vec();
        told.timing.scan += started.elapsed();

        let mut result = self.step.process(live.len() as u32, &extracted);
        told.timing.step += Duration::from_nanos(result.nanoseconds);
        told.timing.records += records.rows.len() as u64;
        told.calls += result.calls;
        told.instances += result.instances;
        told.memory_bytes = told.memory_bytes.max(result.memory_bytes);
        told.failures.iter_mut().zip(result.failures).for_each(|(all, count)| *all += count);

        let started = Instant::now();
        let at = |row: u32| live.get(row as usize).copied().unwrap_or(u32::MAX);
        if let Some(verdicts) = &result.outcome.verdicts {
            for (row, _) in live.iter().zip(verdicts).filter(|(_, verdict)| **verdict == DROP) {
                tell(*row, &Fate::dropped);
            }
        }
        let mut dead = Vec::new();
        for (row, failure) in &result.poisoned {
            tell(at(*row), &|| Fate::failed(failure.cause.name(), &*failure.reason));
            dead.push(*row);
        }
        for reject in std::mem::take(&mut result.outcome.rejects) {
            tell(at(reject.row), &|| Fate::failed(Cause::Reject.name(), &reject.reason));
            dead.push(reject.row);
        }
        batch.apply(writes, ways, &result.outcome, &dead, faults);
        for fault in faults.drain(..) {
            tell(fault.row, &|| Fate::failed(Cause::Contract.name(), &fault.reason));
        }
        let signature = self.step.signature();
        let mut out = Vec::new();
        for row in batch.live().to_vec() {
            out.clear();
            match batch.encode(row, &mut out) {
                Ok(()) => {
                    let output = usize::from(batch.way(row)).checked_sub(1).and_then(|output| signature.outputs.get(output));
                    tell(row, &|| Fate::kept(output.cloned(), records.get(row as usize), &out));
                }
                Err(conflict) => tell(row, &|| Fate::failed(Cause::Contract.name(), conflict.to_string())),
            }
        }
        batch.release();
        told.timing.encode += started.elapsed();
    }
}

impl Tracked {
    fn new(signature: &Signature) -> Result<Self, Failure> {
        let mut fields = Fields::new();
        let failed = |error: tamis_record::TooManyFields| Failure::new(Cause::Contract, error.to_string());
        let columns = signature.reads.iter().map(|field| fields.read(&field.path, field.kind)).collect::<Result<_, _>>().map_err(failed)?;
        let writes = signature.writes.iter().map(|field| fields.write(&field.path)).collect::<Result<_, _>>().map_err(failed)?;
        // Way 0 is the default output.
        let ways = (1..=u8::MAX).take(signature.outputs.len()).collect();
        Ok(Self { batch: Batch::new(Arc::new(fields)), columns, writes, ways, faults: Vec::new() })
    }
}

/// A clock by which any cool-down is over at the next look: the breaker lets every call pass.
fn never_waiting() -> tamis_sandbox::Clock {
    let (start, looks) = (Instant::now(), AtomicU64::new(0));
    Arc::new(move || {
        let looks = u32::try_from(looks.fetch_add(1, Ordering::Relaxed)).unwrap_or(u32::MAX);
        start.checked_add(COOL_DOWN_MAX.saturating_mul(looks)).unwrap_or(start)
    })
}
