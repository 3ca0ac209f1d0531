//! One case under way: a site, a host that is started and ended again and again, and what was measured of it.

use super::outcome::Outcome;
use super::receiver::Shared;
use super::record::{Maker, RECORD_BYTES};
use crate::harness::{Address, Live, Run, Site};
use anyhow::{Result, bail};
use std::collections::VecDeque;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// Lanes of the hosts under test.
const LANES: u64 = 2;
/// Bytes that a file sink may have written and not made durable.
const UNCOMMITTED_BYTES_MAX: u64 = 32 << 20;
/// How much longer than its interval a checkpoint may take to be on the disk.
const CHECKPOINT_LATE: Duration = Duration::from_millis(500);
/// How often a case looks.
pub const LOOK: Duration = Duration::from_millis(10);
/// How long anything may take that does not move.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// Within this, a record sent after the faults must arrive.
const PROBE: Duration = Duration::from_secs(10);

/// How large a run is.
#[derive(Debug, Clone, Copy)]
pub struct Scale {
    /// Whether the figures are those of the acceptance, and not of a quick look.
    pub long: bool,
    /// Seed of everything random.
    pub seed: u64,
}

impl Scale {
    /// One of two figures.
    pub fn of<T>(self, short: T, long: T) -> T {
        if self.long { long } else { short }
    }
}

/// A case under way.
pub struct Trial {
    /// Its name.
    pub case: &'static str,
    /// Its folder.
    pub site: Site,
    /// Its random numbers.
    pub random: fastrand::Rng,
    /// Makes its records.
    pub maker: Maker,
    /// What arrived.
    pub account: Shared,
    /// What is known so far.
    pub outcome: Outcome,
    /// The host, while one runs.
    pub live: Option<Live>,
    began: Instant,
    started: Instant,
    is_ready: bool,
    /// Total arrivals over time, as far back as a checkpoint may lie.
    arrivals: VecDeque<(Instant, u64)>,
    window: Duration,
    burst: u64,
}

impl Trial {
    /// A site with this configuration. `batch_records` and the interval of checkpoints go into its settings, and into the
    /// bound on repeats.
    pub fn new(case: &'static str, scale: Scale, config: &str, batch_records: u64, checkpoint: Duration) -> Self {
        let seed = case.bytes().fold(scale.seed, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let maker = Maker::new(seed);
        let site = Site::new();
        site.config(&format!(
            "{config}\nsettings: {{ admin: 'unix:admin.sock', lanes: {LANES}, batch: {{ records: {batch_records} }}, checkpoint_interval: {}ms, shutdown_timeout: 2s }}",
            checkpoint.as_millis()
        ));
        let now = Instant::now();
        Self {
            case,
            site,
            random: fastrand::Rng::with_seed(seed),
            maker,
            account: Shared::new(maker),
            outcome: Outcome { case: case.into(), ..Outcome::default() },
            live: None,
            began: now,
            started: now,
            is_ready: false,
            arrivals: VecDeque::new(),
            window: checkpoint + CHECKPOINT_LATE,
            burst: 0,
        }
    }

    /// Where a file of the site is.
    pub fn path(&self, name: &str) -> PathBuf {
        self.site.path(name)
    }

    /// Starts a host; does not wait for it.
    pub fn start(&mut self) {
        self.start_as(self.site.command(["run"]));
    }

    /// Starts a host by this command.
    pub fn start_as(&mut self, command: Command) {
        self.started = Instant::now();
        self.is_ready = false;
        self.arrivals.clear();
        self.live = Some(Live::start(command));
    }

    /// Starts a host and waits until it is ready.
    pub fn start_ready(&mut self) -> Result<()> {
        self.start();
        self.await_ready()
    }

    /// Waits until the host is ready.
    pub fn await_ready(&mut self) -> Result<()> {
        while !self.is_ready {
            if self.started.elapsed() > PATIENCE {
                bail!("not ready within {} s of its start: {}", PATIENCE.as_secs(), self.err());
            }
            self.look()?;
            std::thread::sleep(LOOK / 5);
        }
        Ok(())
    }

    /// Measures memory, arrivals and whether the host is ready. A host that has ended by itself is an error.
    pub fn look(&mut self) -> Result<()> {
        let now = Instant::now();
        let total = self.account.lock().arrived();
        self.arrivals.push_back((now, total));
        while self.arrivals.front().is_some_and(|(at, _)| now - *at > self.window) {
            self.arrivals.pop_front();
        }
        self.burst = self.burst.max(total - self.arrivals.front().map_or(total, |(_, before)| *before));
        let Some(live) = &mut self.live else { return Ok(()) };
        if !live.runs() {
            bail!("the host ended by itself: {}", self.err());
        }
        if let Some(bytes) = memory_bytes_peak(live.pid()) {
            self.outcome.memory_bytes_peak = self.outcome.memory_bytes_peak.max(bytes);
        }
        if !self.is_ready && Address::Unix(self.site.path("admin.sock")).get("/readyz").is_ok_and(|answer| answer.status == 200) {
            self.is_ready = true;
            let ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
            self.outcome.ready_ms_max = self.outcome.ready_ms_max.max(ms);
        }
        Ok(())
    }

    /// The end of what the host has said.
    pub fn err(&self) -> String {
        let err = self.live.as_ref().map(Live::err).unwrap_or_default();
        let from = err.len().saturating_sub(1_500);
        err.get(from..).unwrap_or(&err).to_owned()
    }

    /// Kills the host, as losing it does. Counts as a fault.
    pub fn kill(&mut self) {
        self.outcome.injected += 1;
        // A value that goes kills its process and waits for it.
        self.live = None;
    }

    /// Sends SIGTERM, and waits for the end.
    pub fn stop(&mut self) -> Option<Run> {
        let live = self.live.take()?;
        if let Some(bytes) = memory_bytes_peak(live.pid()) {
            self.outcome.memory_bytes_peak = self.outcome.memory_bytes_peak.max(bytes);
        }
        live.signal("TERM");
        Some(live.wait())
    }

    /// Looks until something holds. Fails when nothing arrives for [`PATIENCE`].
    pub fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Self) -> Result<bool>) -> Result<()> {
        let (mut moved, mut before) = (Instant::now(), 0);
        while !holds(self)? {
            self.look()?;
            let now = self.account.lock().arrived();
            if now != before {
                (moved, before) = (Instant::now(), now);
            }
            if moved.elapsed() > PATIENCE {
                let account = self.account.lock();
                let (distinct, corrupt) = (account.distinct(), account.corrupt());
                drop(account);
                bail!(
                    "nothing moves for {} s ({distinct} records arrived, {corrupt} corrupt), waiting: {what}; {}",
                    PATIENCE.as_secs(),
                    self.err()
                );
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// Notes how long a probe may take and took.
    pub fn probed(&mut self, took: Duration) {
        if took > PROBE {
            self.outcome.problems.push(format!("the probe arrived only after {:.1} s", took.as_secs_f64()));
        }
    }

    /// What may come again after a fault that ends the host: what was under way, what was written and not yet durable
    /// (`durable`: the sink is a file), and what arrived since the last checkpoint.
    pub fn repeats_a_crash(&mut self, batch_records: u64, durable: bool) -> u64 {
        let frames = (2 * LANES + 2) * batch_records;
        let uncommitted = if durable { (UNCOMMITTED_BYTES_MAX / RECORD_BYTES as u64).min(self.burst) } else { 0 };
        let bound = frames + uncommitted + self.burst;
        self.outcome.notes.push(format!(
            "a crash may repeat {bound}: {frames} under way ({} frames of {batch_records}), {uncommitted} written and not durable, {} at most arrived within {} ms (the checkpoint's interval and {} ms for writing it)",
            2 * LANES + 2,
            self.burst,
            self.window.as_millis(),
            CHECKPOINT_LATE.as_millis()
        ));
        bound
    }

    /// Ends the host if one runs, compares with what was sent, and judges. `named` are records that did not arrive and may
    /// be missing for a reason that somebody has written down.
    pub fn close(mut self, sent: u64, named: &[u64]) -> Outcome {
        if let Some(run) = self.stop()
            && run.code != Some(0)
        {
            self.outcome.problems.push(format!("the host ended with {:?} (signal {:?}): {:.600}", run.code, run.signal, run.err));
        }
        let account = self.account.lock();
        let missing = account.missing(sent);
        let lost: Vec<u64> = missing.iter().copied().filter(|n| !named.contains(n)).collect();
        let outcome = &mut self.outcome;
        outcome.records = sent;
        outcome.lost = lost.len() as u64;
        outcome.named = (missing.len() - lost.len()) as u64;
        outcome.corrupt = account.corrupt() + account.invented(sent);
        outcome.repeated = account.repeated();
        outcome.problems.extend(account.examples().iter().map(|line| format!("a corrupt line: {line}")));
        if let (Some(first), Some(last)) = (lost.first(), lost.last()) {
            outcome.problems.push(format!("lost between {first} and {last}"));
        }
        drop(account);
        outcome.seconds = self.began.elapsed().as_secs_f64();
        outcome.judge();
        self.outcome
    }
}

/// The most memory a process has had, in bytes; `None` when it has ended.
fn memory_bytes_peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches(" kB").parse::<u64>().ok().map(|kib| kib * 1024)
}
