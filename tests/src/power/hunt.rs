//! Looking for a state from which the host does not keep its promises.

use super::replay::{Promise, Replay};
use super::scenario::{Scenario, State};
use super::strace::Event;
use super::verdict::Held;
use std::collections::BTreeMap;
use std::path::PathBuf;
use tamis_delivery::simulation::SimDisk;

/// A recorded run, and what stood on the disk before it.
#[derive(Debug)]
pub struct Recorded {
    events: Vec<Event>,
    root: PathBuf,
    /// The recording before it, and how that run ended.
    after: Option<(Box<Recorded>, Crash)>,
    /// What the sink behind the spool took in this run.
    taken: Option<Held>,
    /// Whether it ended with nothing left to deliver.
    complete: bool,
}

/// How a run ends before its time.
#[derive(Debug, Clone, Copy)]
pub enum Crash {
    /// It is killed after so many changes to the disk.
    Kill(usize),
    /// The power goes after so many changes; the seed says what is left.
    PowerLoss(usize, u64),
}

impl Crash {
    fn moment(self) -> usize {
        match self {
            Self::Kill(moment) | Self::PowerLoss(moment, _) => moment,
        }
    }

    fn of(self, disk: &SimDisk) -> SimDisk {
        match self {
            Self::Kill(moment) => disk.kill_at(moment),
            Self::PowerLoss(moment, seed) => disk.crash_at(moment, seed),
        }
    }
}

impl Recorded {
    /// The run that follows the input.
    pub fn follow(scenario: &Scenario) -> Self {
        let (events, root) = scenario.follow();
        Self { events, root, after: None, taken: None, complete: false }
    }

    /// The run before this one crashed, and this one follows the same input.
    pub fn follow_on(self, scenario: &Scenario, crash: Crash) -> Self {
        let (events, root) = scenario.follow_on(&crash.of(&self.replay(None).disk));
        Self { events, root, after: Some((Box::new(self), crash)), taken: None, complete: false }
    }

    /// The run before this one crashed, and this one went on until everything was delivered.
    ///
    /// # Errors
    /// What was wrong then.
    pub fn resume(self, scenario: &Scenario, crash: Crash) -> Result<Self, String> {
        let disk = crash.of(&self.replay(None).disk);
        let (state, events, root) = scenario.resume_recorded(&disk);
        if let Some(wrong) = scenario.violation(&state, &BTreeMap::new(), false) {
            return Err(format!("{crash:?}: {wrong}"));
        }
        Ok(Self { events, root, after: Some((Box::new(self), crash)), taken: Some(state.after), complete: true })
    }

    /// The run before this one.
    pub fn before(self) -> Option<Self> {
        self.after.map(|(before, _)| *before)
    }

    /// The disk with this recording. Syncs of `ignored` do nothing, in the runs before it either.
    pub fn replay(&self, ignored: Option<&'static str>) -> Replay {
        let (disk, promises) = match &self.after {
            None => (SimDisk::new(), Vec::new()),
            Some((before, crash)) => {
                let Replay { disk, promises, .. } = before.replay(ignored);
                let promises =
                    promises.into_iter().filter(|promise| promise.moment <= crash.moment()).map(|p| Promise { moment: 0, ..p }).collect();
                (crash.of(&disk), promises)
            }
        };
        let mut replay = Replay::new(&self.events, &self.root, disk, ignored);
        replay.promises.splice(0..0, promises);
        replay
    }
}

/// Power losses during a recorded run.
#[derive(Debug)]
pub struct Hunt<'a> {
    scenario: &'a Scenario,
    recorded: &'a Recorded,
    replay: Replay,
    /// States that were started from.
    pub states: usize,
    /// Lines that came more often than once, over all states.
    pub repeats: usize,
}

impl<'a> Hunt<'a> {
    /// In a recording, with the syncs of `ignored` taken away.
    pub fn new(scenario: &'a Scenario, recorded: &'a Recorded, ignored: Option<&'static str>) -> Self {
        Self { scenario, recorded, replay: recorded.replay(ignored), states: 0, repeats: 0 }
    }

    /// The recording on its disk.
    pub fn replay(&self) -> &Replay {
        &self.replay
    }

    /// Starts from the state after a power loss at a moment, and says what is wrong.
    pub fn try_state(&mut self, moment: usize, seed: u64) -> Option<String> {
        let promised = self.replay.promises.iter().rfind(|promise| promise.moment <= moment);
        let promised = promised.map(|promise| promise.positions.clone()).unwrap_or_default();
        let disk = self.replay.disk.crash_at(moment, seed);
        let mut state: State = self.scenario.resume(&disk);
        let all = self.recorded.complete && moment == self.replay.disk.moment();
        if let Some(taken) = &self.recorded.taken {
            state.before.add("queued", taken);
            state.after.add("queued", taken);
        }
        self.states += 1;
        self.repeats += Scenario::repeats(&state);
        let wrong = self.scenario.violation(&state, &promised, all)?;
        Some(format!("{wrong}\n(power lost after change {moment} of {}, seed {seed})", self.replay.disk.moment()))
    }
}
