//! The sources that run. A reload leaves alone those that did not change; of one that did, the new one begins where the old one's
//! records are delivered.

use super::{Gate, Roads, counters};
use crate::engine::{Progress, StartOptions};
use crate::generation::{Current, Whence};
use crate::metrics::{Metrics, SourceLabels};
use crate::pool::Pool;
use crate::stop::{HaltOnPanic, Stop};
use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tamis_config::{Settings, Source};
use tamis_delivery::Flight;
use tamis_network::Bound;
use tamis_nodes::sinks::WrittenFiles;
use tamis_nodes::sources::{RunOptions, SourceError};

/// What sources run with.
#[derive(Clone)]
pub(crate) struct Surroundings {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) current: Arc<Current>,
    pub(crate) written: WrittenFiles,
    pub(crate) settings: Settings,
    pub(crate) options: StartOptions,
    pub(crate) lane_count: usize,
    /// Sources that have not ended, without those that nobody waits for.
    pub(crate) left: Arc<AtomicUsize>,
    /// Those of them that end by themselves.
    pub(crate) ending: Arc<AtomicUsize>,
    pub(crate) errors: Arc<Mutex<Vec<String>>>,
    pub(crate) flights: Flights,
}

/// The flights of all sources that there are and were, by name.
pub(crate) type Flights = Arc<Mutex<Vec<(Arc<str>, Arc<Flight>)>>>;

impl Surroundings {
    /// The way of a source to the lanes, for as long as `stop` lets it.
    pub(crate) fn gate(&self, name: Arc<str>, seats: usize, stop: Stop, roads: &Arc<Roads>) -> Gate {
        let flight = Flight::new(seats);
        let mut flights = self.flights.lock().unwrap_or_else(PoisonError::into_inner);
        // Those of earlier ones count as long as something of them is under way or was given up.
        flights.retain(|(_, flight)| Arc::strong_count(flight) > 1 || flight.undelivered() > 0 || flight.settled() > 0);
        flights.push((Arc::clone(&name), Arc::clone(&flight)));
        drop(flights);
        let (records, bytes) = counters(&name, &self.metrics);
        Gate {
            whence: Whence::new(name),
            flight,
            roads: Some(Arc::clone(roads)),
            current: Arc::clone(&self.current),
            stop,
            until_finish: None,
            pool: Arc::clone(&self.pool),
            progress: Arc::clone(&self.progress),
            records,
            bytes,
            events: self.metrics.source_events.clone(),
            metrics: Arc::clone(&self.metrics),
        }
    }

    /// Starts a source. `alive` tells the source of dead letters that there is another one.
    fn start(
        &self,
        name: &str,
        source: Source,
        bound: Option<Bound>,
        roads: &Arc<Roads>,
        alive: Arc<()>,
    ) -> io::Result<(Stop, JoinHandle<()>)> {
        let (stop, once) = (self.stop.part(), self.options.once);
        // Enough that no lane waits while another frame is written, and little enough for a sidecar's memory.
        let mut gate = self.gate(name.into(), 2 * self.lane_count + 2, stop.clone(), roads);
        self.metrics.watch_flight(name, &gate.flight);
        let (again, written, others) = (self.options.again, self.written.clone(), Arc::clone(&self.ending));
        let run = RunOptions { again, written, others, ..RunOptions::new(name, once, &self.settings) };
        let (left, errors) = (Arc::clone(&self.left), Arc::clone(&self.errors));
        let (name, host, ending) = (name.to_string(), self.stop.clone(), Arc::clone(&self.ending));
        let (waited_for, ends) = (usize::from(waited_for(&source)), usize::from(source.ends()));
        left.fetch_add(waited_for, Ordering::SeqCst);
        ending.fetch_add(ends, Ordering::SeqCst);
        let failed = self.metrics.source_failed.get_or_create(&SourceLabels { source: name.clone() }).clone();
        failed.set(0);
        let thread = std::thread::Builder::new().name(format!("source {name}")).spawn(move || {
            let _guard = HaltOnPanic(host.clone());
            let ended = match tamis_network::run(&source, bound, &run, &mut gate) {
                Some(ended) => ended,
                None => tamis_nodes::sources::run(&source, &run, &mut gate),
            };
            if ended.is_ok() {
                gate.metrics.set_reading(&name, Vec::new());
            }
            if let Err(error) = ended {
                if !matches!(error, SourceError::NoFile { .. }) || once {
                    tracing::error!(source = name, "{error}");
                }
                failed.set(1);
                errors.lock().unwrap_or_else(PoisonError::into_inner).push(format!("source `{name}`: {error}"));
                if once {
                    host.drain();
                }
            }
            left.fetch_sub(waited_for, Ordering::SeqCst);
            ending.fetch_sub(ends, Ordering::SeqCst);
            drop(alive);
        })?;
        Ok((stop, thread))
    }
}

/// Nothing waits for standard input: a read of it cannot be interrupted.
fn waited_for(source: &Source) -> bool {
    !matches!(source, Source::Stdin(_))
}

struct Slot {
    name: String,
    surroundings: Surroundings,
    state: Mutex<State>,
}

struct State {
    /// What is to run; none to run nothing.
    wanted: Option<Source>,
    running: Option<(Source, Stop, JoinHandle<()>)>,
    /// Whether a thread is about to make the one the other.
    changing: bool,
}

impl Slot {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_finished(&self) -> bool {
        let state = self.state();
        let ended = |(source, _, thread): &(Source, Stop, JoinHandle<()>)| thread.is_finished() || !waited_for(source);
        !state.changing && state.running.as_ref().is_none_or(ended)
    }

    fn change(self: &Arc<Self>, wanted: Option<Source>, roads: &Arc<Roads>, alive: &Arc<()>) -> io::Result<()> {
        let mut state = self.state();
        state.wanted = wanted;
        if std::mem::replace(&mut state.changing, true) {
            return Ok(());
        }
        drop(state);
        let (slot, roads, alive) = (Arc::clone(self), Arc::clone(roads), Arc::clone(alive));
        self.surroundings.left.fetch_add(1, Ordering::SeqCst);
        std::thread::Builder::new().name(format!("change {}", self.name)).spawn(move || {
            let _guard = HaltOnPanic(slot.surroundings.stop.clone());
            while slot.step(&roads, &alive) {}
            slot.surroundings.left.fetch_sub(1, Ordering::SeqCst);
        })?;
        Ok(())
    }

    /// Brings what runs closer to what is wanted. `false`: they are the same, or the host ends.
    fn step(&self, roads: &Arc<Roads>, alive: &Arc<()>) -> bool {
        let mut state = self.state();
        if state.running.as_ref().map(|(source, ..)| source) == state.wanted.as_ref() || self.surroundings.stop.is_draining() {
            state.changing = false;
            return false;
        }
        let (running, wanted) = (state.running.take(), state.wanted.clone());
        drop(state);
        if let Some((_, stop, thread)) = running {
            // It ends when what it handed over is delivered: the next one begins there, and nothing is repeated.
            stop.drain();
            let _ = thread.join();
        }
        if let Some(source) = wanted {
            match self.surroundings.start(&self.name, source.clone(), None, roads, Arc::clone(alive)) {
                Ok((stop, thread)) => {
                    tracing::info!(source = self.name, "the changed source is at work");
                    self.state().running = Some((source, stop, thread));
                }
                Err(error) => self.surroundings.stop.halt(format!("source `{}`: cannot start a thread: {error}", self.name)),
            }
        }
        true
    }
}

/// Open sockets of sources, by name.
pub(crate) type Sockets = BTreeMap<String, Bound>;

/// All sources that run.
pub(crate) struct Sources {
    surroundings: Surroundings,
    slots: BTreeMap<String, Arc<Slot>>,
}

impl Sources {
    pub(crate) fn new(surroundings: Surroundings) -> Self {
        Self { surroundings, slots: BTreeMap::new() }
    }

    /// The names of those that would begin, change or end.
    pub(crate) fn touched(&self, wanted: &BTreeMap<String, Source>) -> Vec<String> {
        let changed = wanted.iter().filter(|(name, source)| self.wanted(name).as_ref() != Some(source)).map(|(name, _)| name.clone());
        let ended = self.slots.keys().filter(|name| !wanted.contains_key(*name) && self.wanted(name).is_some()).cloned();
        changed.chain(ended).collect()
    }

    fn wanted(&self, name: &str) -> Option<Source> {
        self.slots.get(name).and_then(|slot| slot.state().wanted.clone())
    }

    /// Whether one that cannot be interrupted would have to be.
    pub(crate) fn stuck(&self, wanted: &BTreeMap<String, Source>) -> Option<&str> {
        let runs =
            |slot: &Slot| slot.state().running.as_ref().is_some_and(|(source, _, thread)| !waited_for(source) && !thread.is_finished());
        let changes = |name: &str| self.wanted(name).as_ref() != wanted.get(name);
        self.slots.iter().find(|(name, slot)| runs(slot) && changes(name)).map(|(name, _)| name.as_str())
    }

    /// Opens the sockets of sources that begin to listen. One that takes another one's address, or its own again, does so itself when
    /// that one has ended.
    ///
    /// # Errors
    /// The source, and why it cannot listen.
    pub(crate) fn bind(&self, wanted: &BTreeMap<String, Source>) -> Result<Sockets, (String, SourceError)> {
        let taken: Vec<Source> =
            self.slots.values().filter_map(|slot| slot.state().running.as_ref().map(|(source, ..)| source.clone())).collect();
        let free = |source: &Source| {
            let addresses = source.addresses();
            !addresses.is_empty() && !taken.iter().any(|other| other.addresses().iter().any(|address| addresses.contains(address)))
        };
        let mut bound = Sockets::new();
        for (name, source) in wanted.iter().filter(|(name, source)| !self.slots.contains_key(*name) && free(source)) {
            if let Some(sockets) = tamis_network::bind(source).map_err(|error| (name.clone(), error))? {
                bound.insert(name.clone(), sockets);
            }
        }
        Ok(bound)
    }

    /// Starts, changes and ends sources until these run.
    pub(crate) fn set(
        &mut self,
        wanted: &BTreeMap<String, Source>,
        mut bound: Sockets,
        roads: &Arc<Roads>,
        alive: &Arc<()>,
    ) -> io::Result<()> {
        // None ends for want of others before all have begun.
        let ending = Arc::clone(&self.surroundings.ending);
        ending.fetch_add(1, Ordering::SeqCst);
        let set = self.begin(wanted, &mut bound, roads, alive);
        ending.fetch_sub(1, Ordering::SeqCst);
        set
    }

    fn begin(&mut self, wanted: &BTreeMap<String, Source>, bound: &mut Sockets, roads: &Arc<Roads>, alive: &Arc<()>) -> io::Result<()> {
        for name in self.touched(wanted) {
            let source = wanted.get(&name).cloned();
            match (self.slots.get(&name), source) {
                (None, Some(source)) => {
                    let running = self.surroundings.start(&name, source.clone(), bound.remove(&name), roads, Arc::clone(alive))?;
                    let state = State { wanted: Some(source.clone()), running: Some((source, running.0, running.1)), changing: false };
                    let slot = Slot { name: name.clone(), surroundings: self.surroundings.clone(), state: Mutex::new(state) };
                    self.slots.insert(name, Arc::new(slot));
                }
                (Some(slot), source) => slot.change(source, roads, alive)?,
                (None, None) => {}
            }
        }
        Ok(())
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.slots.values().all(|slot| slot.is_finished())
    }

    /// The threads to be waited for at the end: they write their last positions when everything is delivered.
    pub(crate) fn take_threads(&mut self) -> Vec<JoinHandle<()>> {
        let running = self.slots.values().filter_map(|slot| slot.state().running.take());
        running.filter(|(source, ..)| waited_for(source)).map(|(_, _, thread)| thread).collect()
    }
}
