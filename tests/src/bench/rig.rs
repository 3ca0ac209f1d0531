//! A pipeline inside the process: the record model and steps, on one thread, from memory to memory.

use super::thread_time;
use anyhow::{Context, Result, anyhow};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use tamis_nodes::sources::demo::Generator;
use tamis_nodes::steps::{compile_filter, compile_route, compile_vrl};
use tamis_plugin::BatchPlugin;
use tamis_record::{Batch, Column, ColumnId, FieldId, Fields, Outcome, Patch, Records, Reject, Signature, Values};
use tamis_sandbox::{Limits, Sandbox, SandboxOptions, Step};

/// Runs one step on columns.
pub type Work = Box<dyn FnMut(u32, &[&Column]) -> Outcome>;

/// A step before its fields are tracked.
pub struct StepSpec {
    /// What it reads and writes.
    pub signature: Signature,
    /// What it does.
    pub work: Work,
}

struct RigStep {
    columns: Vec<ColumnId>,
    writes: Vec<FieldId>,
    ways: Vec<u8>,
    work: Work,
}

/// A pipeline ready to run.
pub struct Rig {
    batch: Batch,
    steps: Vec<RigStep>,
    outputs: Vec<Vec<u8>>,
}

impl Rig {
    /// Tracks the steps' fields.
    pub fn new(steps: Vec<StepSpec>) -> Result<Self> {
        let mut fields = Fields::new();
        let mut built = Vec::new();
        let mut outputs = vec![Vec::new()];
        for StepSpec { signature, work } in steps {
            let columns = signature.reads.iter().map(|f| fields.read(&f.path, f.kind)).collect::<Result<_, _>>()?;
            let writes = signature.writes.iter().map(|f| fields.write(&f.path)).collect::<Result<_, _>>()?;
            let ways = signature.outputs.iter().map(|_| outputs.len() as u8).collect();
            if !signature.outputs.is_empty() {
                outputs.push(Vec::new());
            }
            built.push(RigStep { columns, writes, ways, work });
        }
        Ok(Self { batch: Batch::new(Arc::new(fields)), steps: built, outputs })
    }

    /// Takes the batches through. Gives CPU time in nanoseconds a record: all of it, and that of the steps alone.
    pub fn run(&mut self, batches: &[Arc<Records>]) -> (f64, f64) {
        let mut faults = Vec::new();
        let mut in_steps = 0.0;
        let started = thread_time();
        let mut records = 0;
        for batch in batches {
            records += batch.rows.len();
            self.batch.load(Arc::clone(batch), &mut faults);
            for step in &mut self.steps {
                self.batch.prepare(&step.columns, &mut faults);
                let rows = self.batch.live().len() as u32;
                let columns: Vec<&Column> = step.columns.iter().map(|id| self.batch.column(*id)).collect();
                let before = thread_time();
                let outcome = (step.work)(rows, &columns);
                in_steps += (thread_time() - before).as_secs_f64();
                self.batch.apply(&step.writes, &step.ways, &outcome, &[], &mut faults);
            }
            self.outputs.iter_mut().for_each(Vec::clear);
            for row in self.batch.live().to_vec() {
                let way = usize::from(self.batch.way(row));
                if let Some(out) = self.outputs.get_mut(way) {
                    // Made-up records fit their changes.
                    let _ = self.batch.encode(row, out);
                    out.push(b'\n');
                }
            }
        }
        let all = (thread_time() - started).as_secs_f64();
        (1e9 * all / records as f64, 1e9 * in_steps / records as f64)
    }

    /// What the last batch became.
    pub fn outputs(&self) -> &[Vec<u8>] {
        &self.outputs
    }
}

/// Batches of made-up records, each passed through `change`.
pub fn batches(count: usize, mut change: impl FnMut(&[u8], &mut Vec<u8>)) -> Vec<Arc<Records>> {
    let mut generator = Generator::new(1);
    let mut record = Vec::new();
    (0..count)
        .map(|_| {
            let mut records = Records::default();
            for _ in 0..1024 {
                record.clear();
                generator.record(&mut record);
                let from = records.text.len() as u32;
                change(&record, &mut records.text);
                records.rows.push((from, records.text.len() as u32));
                records.text.push(b'\n');
            }
            Arc::new(records)
        })
        .collect()
}

/// The sandbox for steps of components.
pub fn sandbox() -> Result<Sandbox> {
    Ok(Sandbox::new(SandboxOptions::default())?)
}

/// A plugin in the sandbox.
pub fn sandboxed(sandbox: &Sandbox, folder: &Path, name: &str, config: &Value) -> Result<StepSpec> {
    let path = folder.join(format!("{name}.wasm"));
    let wasm = std::fs::read(&path).with_context(|| format!("{} is missing: `make guests`", path.display()))?;
    let plugin = sandbox.load(name, &wasm, &Limits::default())?;
    let config = config.to_string();
    let signature = plugin.signature(&config)?;
    let mut step = Step::new(plugin, config, Arc::new(signature.clone()));
    step.warm()?;
    let work = move |rows: u32, columns: &[&Column]| {
        let result = step.process(rows, columns);
        assert!(result.poisoned.is_empty(), "{:?}", result.poisoned);
        result.outcome
    };
    Ok(StepSpec { signature, work: Box::new(work) })
}

/// The same plugin compiled into this program: it borrows the host's columns as they are.
pub fn native<P: BatchPlugin>(config: &Value) -> Result<StepSpec> {
    let (mut plugin, signature) = P::init(&config.to_string()).map_err(|e| anyhow!(e))?;
    let fields = |list: Vec<tamis_plugin::Field>| {
        list.into_iter().map(|f| Ok(tamis_record::Field { path: f.path.parse()?, kind: kind(f.kind) })).collect::<Result<Vec<_>>>()
    };
    let signature = Signature {
        reads: fields(signature.reads)?,
        writes: fields(signature.writes)?,
        outputs: signature.outputs,
        drops: signature.drops,
    };
    let work = move |rows: u32, columns: &[&Column]| {
        let columns: Vec<tamis_plugin::Column<'_>> = columns.iter().map(|c| view(c)).collect();
        let outcome = plugin.process(&tamis_plugin::Batch { rows, columns: &columns }).unwrap_or_else(|e| panic!("{e}"));
        Outcome {
            verdicts: outcome.verdicts,
            patches: outcome.patches.into_iter().map(patch).collect(),
            rejects: outcome.rejects.into_iter().map(|r| Reject { row: r.row, reason: r.reason }).collect(),
        }
    };
    Ok(StepSpec { signature, work: Box::new(work) })
}

fn kind(kind: tamis_plugin::Kind) -> tamis_record::Kind {
    match kind {
        tamis_plugin::Kind::Text => tamis_record::Kind::Text,
        tamis_plugin::Kind::Integer => tamis_record::Kind::Integer,
        tamis_plugin::Kind::Float => tamis_record::Kind::Float,
        tamis_plugin::Kind::Boolean => tamis_record::Kind::Boolean,
        tamis_plugin::Kind::Json => tamis_record::Kind::Json,
    }
}

fn var(v: &tamis_record::VarValues) -> tamis_plugin::VarValues<'_> {
    tamis_plugin::VarValues { offsets: &v.offsets, bytes: &v.bytes }
}

fn view(column: &Column) -> tamis_plugin::Column<'_> {
    let values = match &column.values {
        Values::Text(v) => tamis_plugin::Values::Text(var(v)),
        Values::Json(v) => tamis_plugin::Values::Json(var(v)),
        Values::Integer(v) => tamis_plugin::Values::Integer(v),
        Values::Float(v) => tamis_plugin::Values::Float(v),
        Values::Boolean(v) => tamis_plugin::Values::Boolean(v),
    };
    tamis_plugin::Column { values, present: column.present.as_deref() }
}

fn patch(patch: tamis_plugin::Patch) -> Patch {
    use tamis_plugin::contract::types::Values as Theirs;
    let var = |v: tamis_plugin::contract::types::VarValues| tamis_record::VarValues { offsets: v.offsets, bytes: v.bytes };
    let values = match patch.column.values {
        Theirs::Text(v) => Values::Text(var(v)),
        Theirs::Json(v) => Values::Json(var(v)),
        Theirs::Integer(v) => Values::Integer(v),
        Theirs::Float(v) => Values::Float(v),
        Theirs::Boolean(v) => Values::Boolean(v),
    };
    Patch { field: patch.field, rows: patch.rows, column: Column { values, present: patch.column.present } }
}

/// A native step.
pub enum Vrl<'a> {
    /// A program.
    Program(&'a str),
    /// A condition that keeps.
    Filter(&'a str),
    /// Conditions that choose an output.
    Route(&'a [(&'a str, &'a str)]),
}

/// A native VRL step.
pub fn vrl(step: &Vrl<'_>) -> Result<StepSpec> {
    let program = match step {
        Vrl::Program(source) => compile_vrl(source),
        Vrl::Filter(source) => compile_filter(source),
        Vrl::Route(cases) => compile_route(&cases.iter().map(|(o, c)| (o.to_string(), c.to_string())).collect::<Vec<_>>()),
    };
    let program = program.map_err(|errors| anyhow!("{errors:?}"))?;
    let mut instance = program.instance();
    Ok(StepSpec { signature: program.signature().clone(), work: Box::new(move |rows, columns| instance.process(rows, columns)) })
}

/// Runs variants in turn and gives each round's times, (all, in the steps) a variant.
pub fn rounds(count: usize, batches: &[&[Arc<Records>]], rigs: &mut [Rig]) -> Vec<Vec<(f64, f64)>> {
    let mut times = vec![Vec::new(); rigs.len()];
    for round in 0..=count {
        for ((rig, batches), times) in rigs.iter_mut().zip(batches).zip(&mut times) {
            let time = rig.run(batches);
            // The first round warms up.
            if round > 0 {
                times.push(time);
            }
        }
    }
    times
}
