//! A lane: one thread that takes a frame through all steps of all pipelines that read its source, to encoded output.

mod failing;
mod outgoing;
mod seen;
mod undecodable;

use crate::generation::{Generation, Whence};
use crate::graph::{Graph, Lead, PipelineGraph, StepGraph, Work};
use crate::observer::{Departure, Observer, Watching};
use crate::parcel::{Encoded, Parcel, Trace};
use crate::pool::Pool;
use crate::sample::Samples;
use crate::stop::Stop;
use crate::tap::Taps;
use failing::{contract_faults, withdraw};
use outgoing::Outgoing;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tamis_codecs::Frame;
use tamis_config::OnFailure;
use tamis_delivery::{Boarding, DeadLetter, Origin, Portion, Position};
use tamis_nodes::steps::StepInstance;
use tamis_record::{Batch, Column, Fault, Patch, Records};
use tamis_sandbox::{Failure, Step};

/// A frame under way.
pub(crate) struct Boarded {
    pub(crate) whence: Arc<Whence>,
    /// The one that takes it through.
    pub(crate) generation: Arc<Generation>,
    /// Who gets it, when not all pipelines that read the source.
    pub(crate) recipient: Option<Recipient>,
    pub(crate) stream: Arc<str>,
    pub(crate) frame: Frame,
    pub(crate) boarding: Boarding,
}

/// The one pipeline that a frame is meant for.
#[derive(Debug, Clone)]
pub(crate) struct Recipient {
    pub(crate) pipeline: Arc<str>,
    /// The source whose records they are.
    pub(crate) source: Arc<str>,
}

/// A parcel and the number of its sink.
pub(crate) type Addressed = (usize, Parcel);

/// See the module.
pub(crate) struct Lane {
    graph: Arc<Graph>,
    pipelines: Vec<LanePipeline>,
    stop: Stop,
    samples: Arc<Samples>,
    taps: Arc<Taps>,
    /// Who watches everything, if anybody does.
    observer: Option<Box<dyn Observer>>,
    /// Time that failed calls took in the frame in hand.
    failing: Duration,
    /// Records that pipelines took of the frame in hand, and dead letters of it.
    tally: (u64, u64),
}

struct LanePipeline {
    batch: Batch,
    runners: Vec<Runner>,
    faults: Vec<Fault>,
}

enum Runner {
    Plugin(Box<Step>),
    Native(Box<StepInstance>),
}

/// A failing row of a step, by the step's numbering.
pub(crate) type Failing = (u32, Failure);

/// Where the frame in hand comes from.
struct From<'a> {
    source: &'a Arc<str>,
    stream: &'a Arc<str>,
    boarding: &'a Boarding,
    pool: &'a Pool,
    /// Place of each row in the stream.
    offset: &'a dyn Fn(u32) -> u64,
}

/// What a pipeline makes of a frame.
struct Made<'a> {
    observer: Watching<'a>,
    parcels: &'a mut Vec<Addressed>,
    letters: Vec<u8>,
    letter_count: u64,
    portion: Portion,
}

impl<'a> Made<'a> {
    fn new(parcels: &'a mut Vec<Addressed>, observer: Watching<'a>) -> Self {
        Self { observer, parcels, letters: Vec::new(), letter_count: 0, portion: Portion::default() }
    }
}

/// Records for another pipeline, by its number.
struct Onward {
    pipeline: usize,
    records: Arc<Records>,
    /// The row each record was.
    origins: Vec<u32>,
}

impl Lane {
    /// A lane with its instances made, so that the first frame does not wait for them.
    pub(crate) fn new(graph: Arc<Graph>, stop: Stop, samples: Arc<Samples>, taps: Arc<Taps>, depth_max: u32) -> Result<Self, Failure> {
        let mut pipelines = Vec::new();
        for pipeline in &graph.pipelines {
            let mut runners = Vec::new();
            for step in &pipeline.steps {
                runners.push(match &step.work {
                    Work::Plugin(loaded) => {
                        let mut step = Step::new(loaded.plugin.clone(), Arc::clone(&loaded.config), Arc::clone(&loaded.signature));
                        step.warm()?;
                        Runner::Plugin(Box::new(step))
                    }
                    Work::Program(program) => Runner::Native(Box::new(program.instance())),
                });
            }
            let mut batch = Batch::new(Arc::clone(&pipeline.fields));
            batch.set_depth_max(depth_max);
            pipelines.push(LanePipeline { batch, runners, faults: Vec::new() });
        }
        Ok(Self { graph, pipelines, stop, samples, taps, observer: None, failing: Duration::ZERO, tally: (0, 0) })
    }

    /// Has somebody watch what the lane does, until the lane is gone.
    pub(crate) fn watch(&mut self, observer: Box<dyn Observer>) {
        self.observer = Some(observer);
    }

    /// Time that failed calls of plugins took in the last frame.
    pub(crate) fn failing(&self) -> Duration {
        self.failing
    }

    /// Records that pipelines took of the last frame, and its dead letters.
    pub(crate) fn tally(&self) -> (u64, u64) {
        self.tally
    }

    /// Takes a frame through everything. Gives what is to be delivered, and the frame's memory for the next.
    pub(crate) fn run(&mut self, boarded: Boarded, pool: &Pool) -> (Vec<Addressed>, Option<Vec<u8>>) {
        let Boarded { whence, generation, recipient, stream, frame, boarding } = boarded;
        self.failing = Duration::ZERO;
        self.tally = (0, 0);
        let graph = Arc::clone(&self.graph);
        let mut parcels = Vec::new();
        let Frame { records, base, offsets, rejected, .. } = frame;
        let records = Arc::new(records);
        let offset = |row: u32| match &offsets {
            Some(offsets) => offsets.get(row as usize).copied().unwrap_or(base),
            None => base + records.rows.get(row as usize).map_or(0, |(from, _)| u64::from(*from)),
        };
        let only = recipient.as_ref().map(|r| graph.pipeline(&r.pipeline));
        let (name, readers) = match (&recipient, &only) {
            (Some(recipient), Some(only)) => (&recipient.source, only.as_slice()),
            _ => (&whence.name, graph.readers.get(&whence.name).map(Vec::as_slice).unwrap_or_default()),
        };
        let mut own = self.observer.take();
        let mut tapping = if own.is_none() { self.taps.observer(generation.number, name) } else { None };
        let mut observer: Watching<'_> = own.as_deref_mut().or(tapping.as_deref_mut());
        let from = From { source: name, stream: &stream, boarding: &boarding, pool, offset: &offset };
        for &number in readers {
            let Some(pipeline) = graph.pipelines.get(number) else { continue };
            let mut made = Made::new(&mut parcels, observer.as_deref_mut());
            made.portion.taken = rejected.len() as u64;
            pipeline.ledger.enter(rejected.len() as u64);
            for rejected in &rejected {
                made.undecodable(pipeline, &rejected.reason, &rejected.bytes, &from, (None, rejected.offset));
            }
            self.pipeline(&graph, number, Arc::clone(&records), &from, made);
        }
        self.observer = own;
        if self.stop.is_now() && self.stop.reason().is_some() {
            // The host halted in the middle of this frame: none of it counts as delivered.
            boarding.ticket.give_up();
            parcels.clear();
        }
        for lane in &mut self.pipelines {
            lane.batch.release();
        }
        (parcels, Arc::into_inner(records).map(|r| r.text))
    }

    fn pipeline(&mut self, graph: &Graph, number: usize, records: Arc<Records>, from: &From<'_>, mut made: Made<'_>) {
        let pipeline = &graph.pipelines[number];
        let started = Instant::now();
        made.portion.taken += records.rows.len() as u64;
        pipeline.ledger.enter(records.rows.len() as u64);
        let LanePipeline { batch, runners, faults } = &mut self.pipelines[number];
        faults.clear();
        if let Some(observer) = &mut made.observer {
            observer.entered(&pipeline.name, &records);
        }
        batch.load(Arc::clone(&records), faults);
        for fault in faults.drain(..) {
            let place = (Some(fault.row), (from.offset)(fault.row));
            made.undecodable(pipeline, &fault.reason, records.get(fault.row as usize), from, place);
        }
        pipeline.time(&pipeline.counts.scan_ns, started);
        for (step, runner) in pipeline.steps.iter().zip(runners) {
            if batch.live().is_empty() {
                break;
            }
            let started = Instant::now();
            let ran = run_step(pipeline, step, runner, batch, faults, from, &mut made);
            let spent = started.elapsed();
            step.counts.seconds.observe(spent.as_secs_f64());
            step.counts.busy.inc_by(spent.as_secs_f64());
            if ran.call_failed {
                self.failing += spent;
            }
            if let Some(reason) = ran.halted {
                if let Some(observer) = &mut made.observer {
                    observer.finished();
                }
                self.stop.halt(format!("step `{}` of pipeline `{}` failed and `on_failure` is `halt`: {reason}", step.name, pipeline.name));
                return;
            }
        }
        let started = Instant::now();
        let next = self.encode(graph, number, from, &mut made);
        pipeline.time(&pipeline.counts.encode_ns, started);
        made.post_letters(pipeline, from);
        let Made { parcels, portion, mut observer, .. } = made;
        if let Some(observer) = &mut observer {
            observer.finished();
        }
        from.boarding.ticket.account(&pipeline.ledger, portion);
        self.tally = (self.tally.0 + portion.taken, self.tally.1 + portion.rejected);
        for Onward { pipeline, records, origins } in next {
            let offset = |row: u32| origins.get(row as usize).map_or(0, |row| (from.offset)(*row));
            let from = From { source: from.source, stream: from.stream, boarding: from.boarding, pool: from.pool, offset: &offset };
            self.pipeline(graph, pipeline, records, &from, Made::new(parcels, observer.as_deref_mut()));
            self.pipelines[pipeline].batch.release();
        }
    }

    /// Encodes the live rows, each once for all who get it. Gives what other pipelines read.
    fn encode(&mut self, graph: &Graph, number: usize, from: &From<'_>, made: &mut Made<'_>) -> Vec<Onward> {
        let pipeline = &graph.pipelines[number];
        let batch = &mut self.pipelines[number].batch;
        let records = Arc::clone(batch.records());
        let mut outgoing: Vec<Outgoing> = pipeline.streams.iter().map(|_| Outgoing::default()).collect();
        let mut counts = vec![0u64; pipeline.outputs.len()];
        let sampling = self.samples.open();
        let watched = made.observer.as_ref().is_some_and(|observer| observer.awaits_departures());
        for i in 0..batch.live().len() {
            let row = batch.live()[i];
            let way = pipeline.lead(batch.way(row));
            let (Some(output), Some(count)) = (pipeline.outputs.get(way), counts.get_mut(way)) else { continue };
            *count += 1;
            let Lead::To(streams) = &output.lead else {
                if let Some(observer) = made.observer.as_deref_mut().filter(|observer| watched && observer.awaits(row)) {
                    let mut record = Vec::new();
                    // What is dropped in any case need not fit.
                    let _ = batch.encode(row, &mut record);
                    observer.left(&Departure { pipeline: &pipeline.name, output: &output.name, row, record: &record, delivered: false });
                }
                continue;
            };
            let Some((&first, others)) = streams.split_first() else { continue };
            let out = outgoing[first].ready(from.pool, &records);
            let begin = out.data.len();
            if let Err(conflict) = batch.encode(row, &mut out.data) {
                *count -= 1;
                pipeline.count_dead("contract", 1);
                made.letter(pipeline, None, &conflict.to_string(), "contract", records.get(row as usize), from, row, &[]);
                continue;
            }
            if sampling {
                self.samples.show(&pipeline.name, &output.name, records.get(row as usize), out.data.get(begin..).unwrap_or_default());
            }
            if let Some(observer) = made.observer.as_deref_mut().filter(|observer| watched && observer.awaits(row)) {
                let record = out.data.get(begin..).unwrap_or_default();
                observer.left(&Departure { pipeline: &pipeline.name, output: &output.name, row, record, delivered: true });
            }
            for &stream in others {
                // Streams are numbered upwards in each output, so the first stands before the others.
                let (head, tail) = outgoing.split_at_mut(stream);
                let (Some(encoded), Some(out)) = (head[first].data.get(begin..), tail.first_mut()) else { continue };
                let out = out.ready(from.pool, &records);
                let begin = out.data.len();
                out.data.extend_from_slice(encoded);
                out.end(begin, row, from, &pipeline.streams[stream]);
            }
            outgoing[first].end(begin, row, from, &pipeline.streams[first]);
        }
        for (output, count) in pipeline.outputs.iter().zip(counts) {
            output.records.fetch_add(count, Ordering::Relaxed);
            let total = if matches!(output.lead, Lead::To(_)) { &mut made.portion.out } else { &mut made.portion.dropped };
            *total += count;
        }
        let mut next = Vec::new();
        for (stream, Outgoing { data, rows, origins, offsets, count }) in pipeline.streams.iter().zip(outgoing) {
            if count == 0 {
                continue;
            }
            if !stream.pipelines.is_empty() {
                let records = Arc::new(Records { text: data.clone(), rows });
                next.extend(stream.pipelines.iter().map(|pipeline| Onward {
                    pipeline: *pipeline,
                    records: Arc::clone(&records),
                    origins: origins.clone(),
                }));
            }
            from.address(Encoded { bytes: data, records: count, trace: from.trace(pipeline, offsets) }, &stream.sinks, made.parcels);
        }
        next
    }
}

impl From<'_> {
    fn trace(&self, pipeline: &PipelineGraph, offsets: Vec<u64>) -> Trace {
        Trace { pipeline: Arc::clone(&pipeline.name), source: Arc::clone(self.source), stream: Arc::clone(self.stream), offsets }
    }

    /// Makes a parcel for each of the sinks.
    fn address(&self, encoded: Encoded, sinks: &[usize], parcels: &mut Vec<Addressed>) {
        let data = Arc::new(encoded);
        let Boarding { ticket, seat } = self.boarding;
        parcels.extend(sinks.iter().map(|sink| {
            (*sink, Parcel { data: Arc::clone(&data), ticket: Arc::clone(ticket), seat: Some(Arc::clone(seat)), waiting: None })
        }));
    }
}

impl Made<'_> {
    #[allow(clippy::too_many_arguments)]
    fn letter(
        &mut self,
        pipeline: &PipelineGraph,
        step: Option<&StepGraph>,
        reason: &str,
        cause: &str,
        record: &[u8],
        from: &From<'_>,
        row: u32,
        seen: &[u8],
    ) {
        let letter = DeadLetter {
            pipeline: &pipeline.name,
            step: step.map(|s| s.name.as_str()),
            plugin: step.and_then(|s| s.plugin.as_deref()),
            digest: step.and_then(|s| s.digest.as_deref()),
            reason,
            cause,
            setup: if seen.is_empty() { None } else { step.and_then(|s| s.setup.as_deref()) },
            seen,
        };
        let origin = Origin { source: from.source, position: Position { stream: from.stream, offset: (from.offset)(row) } };
        letter.write(record, true, &origin, &mut self.letters);
        self.letter_count += 1;
        if let Some(observer) = &mut self.observer {
            observer.letter(&letter, Some(row), record);
        }
    }

    fn post_letters(&mut self, pipeline: &PipelineGraph, from: &From<'_>) {
        self.portion.rejected = self.letter_count;
        if self.letter_count > 0 {
            let bytes = std::mem::take(&mut self.letters);
            let encoded = Encoded { bytes, records: self.letter_count, trace: from.trace(pipeline, Vec::new()) };
            from.address(encoded, &pipeline.dead_letters, self.parcels);
        }
    }
}

/// How a step went.
#[derive(Default)]
struct Ran {
    /// Why the host is to halt.
    halted: Option<String>,
    /// Whether a call of its plugin ended in a trap, at a limit or with an answer that breaks the contract.
    call_failed: bool,
}

/// Takes the batch through one step.
fn run_step(
    pipeline: &PipelineGraph,
    step: &StepGraph,
    runner: &mut Runner,
    batch: &mut Batch,
    faults: &mut Vec<Fault>,
    from: &From<'_>,
    made: &mut Made<'_>,
) -> Ran {
    let mut ran = Ran::default();
    batch.prepare(&step.columns, faults);
    contract_faults(pipeline, step, batch, faults, from, made);
    let rows = batch.live().len() as u32;
    step.counts.taken.inc_by(u64::from(rows));
    let columns: Vec<&Column> = step.columns.iter().map(|id| batch.column(*id)).collect();
    let (mut outcome, mut failing) = match runner {
        Runner::Plugin(plugin) => {
            let result = plugin.process(rows, &columns);
            for (counter, count) in step.counts.traps.iter().zip(result.failures) {
                counter.inc_by(count);
                ran.call_failed |= count > 0;
            }
            step.counts.memory.set(i64::try_from(plugin.memory_bytes()).unwrap_or(i64::MAX));
            step.counts.breaker.set(i64::from(result.breaker_open));
            (result.outcome, result.poisoned)
        }
        Runner::Native(native) => (native.process(rows, &columns), Vec::new()),
    };
    let rejects = std::mem::take(&mut outcome.rejects);
    failing.extend(rejects.into_iter().map(|r| (r.row, Failure::new(tamis_sandbox::Cause::Reject, r.reason))));
    step.counts.rejected.inc_by(failing.len() as u64);
    if let Some(observer) = &mut made.observer {
        observer.decided(&pipeline.name, step, batch, outcome.verdicts.as_deref(), &failing);
    }
    let mut dead: Vec<u32> = Vec::new();
    let mut on_purpose = 0;
    if !failing.is_empty() {
        match step.on_failure {
            OnFailure::DeadLetter => {
                for (row, failure) in &failing {
                    let seen = seen::by(step, batch, *row);
                    let Some(&row) = batch.live().get(*row as usize) else { continue };
                    pipeline.count_dead(failure.cause.name(), 1);
                    made.letter(
                        pipeline,
                        Some(step),
                        &step.told(failure),
                        failure.cause.name(),
                        batch.records().get(row as usize),
                        from,
                        row,
                        &seen,
                    );
                }
                dead.extend(failing.iter().map(|(row, _)| *row));
            }
            OnFailure::Drop => {
                on_purpose = failing.len() as u64;
                dead.extend(failing.iter().map(|(row, _)| *row));
            }
            OnFailure::Pass => withdraw(&mut outcome, &failing),
            OnFailure::Blank => {
                withdraw(&mut outcome, &failing);
                failing.sort_by_key(|(row, _)| *row);
                let rows: Vec<u32> = failing.iter().map(|(row, _)| *row).collect();
                let blanks = step.blanks(rows.len()).enumerate();
                outcome.patches.extend(blanks.map(|(field, column)| Patch { field: field as u32, rows: Some(rows.clone()), column }));
            }
            // Only the cause: a reason may quote the record, and this one goes to the log.
            OnFailure::Halt => {
                ran.halted = failing.first().map(|(row, failure)| {
                    let offset = batch.live().get(*row as usize).map_or(0, |row| (from.offset)(*row));
                    format!("{}, on the record at byte {offset} of `{}`", failure.cause, from.stream)
                });
                return ran;
            }
        }
    }
    let applied = batch.apply(&step.writes, &step.ways, &outcome, &dead, faults);
    contract_faults(pipeline, step, batch, faults, from, made);
    if let Some(observer) = &mut made.observer {
        observer.applied(batch);
    }
    let dropped = u64::from(applied.dropped) + on_purpose;
    step.counts.dropped.inc_by(dropped);
    made.portion.dropped += dropped;
    step.counts.out.inc_by(batch.live().len() as u64);
    ran
}
