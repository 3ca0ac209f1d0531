//! A host that is stopped and goes on, a poisoned record across crashes, and a clock that jumps.

use super::outcome::Outcome;
use super::receiver::Written;
use super::rotation::probe;
use super::sender::Sender;
use super::trial::{LOOK, Scale, Trial};
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::time::{Duration, Instant};

const BATCH_RECORDS: u64 = 256;
const CHECKPOINT: Duration = Duration::from_millis(100);
const CONFIG: &str = "
sources: { in: { type: file, paths: [logs/app.log], poll: 20ms } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }";
/// Where the library that turns the clock lies, unless `FAKETIME_LIBRARY` names it.
const FAKETIME: [&str; 4] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    "/usr/lib64/faketime/libfaketimeMT.so.1",
    "/usr/lib/faketime/libfaketimeMT.so.1",
];

/// SIGSTOP, and SIGCONT some time after.
pub fn stop_and_continue(scale: Scale) -> Result<Outcome> {
    let mut trial = Trial::new("stop-cont", scale, CONFIG, BATCH_RECORDS, CHECKPOINT);
    let mut written = Written::new(&trial.path("out.ndjson"));
    let total = scale.of(40_000, 400_000);
    let stream = Sender::open(&trial.path("logs/app.log"), trial.maker)?.stream(total, 20_000, scale.seed);
    trial.start_ready()?;
    for _ in 0..scale.of(6, 60) {
        let runs = Duration::from_millis(trial.random.u64(20..150));
        flow(&mut trial, &mut written, runs)?;
        signal(&trial, "STOP");
        std::thread::sleep(Duration::from_millis(trial.random.u64(50..300)));
        signal(&trial, "CONT");
        trial.outcome.injected += 1;
    }
    let mut sender = stream.finish()?;
    all(&mut trial, &mut written, total)?;
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    Ok(trial.close(sender.sent(), &[]))
}

/// A hundred SIGHUP within a moment, under load. This host does not reload; it must not care.
pub fn hangups(scale: Scale) -> Result<Outcome> {
    let mut trial = Trial::new("sighup", scale, CONFIG, BATCH_RECORDS, CHECKPOINT);
    let mut written = Written::new(&trial.path("out.ndjson"));
    let total = scale.of(20_000, 200_000);
    let stream = Sender::open(&trial.path("logs/app.log"), trial.maker)?.stream(total, 20_000, scale.seed);
    trial.start_ready()?;
    let pid = trial.live.as_ref().context("no host")?.pid();
    let status = std::process::Command::new("sh")
        .args(["-c", &format!("i=0; while [ $i -lt 100 ]; do kill -HUP {pid}; i=$((i+1)); done")])
        .status()?;
    anyhow::ensure!(status.success(), "kill -HUP failed");
    trial.outcome.injected = 100;
    let mut sender = stream.finish()?;
    all(&mut trial, &mut written, total)?;
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    Ok(trial.close(sender.sent(), &[]))
}

/// The clock jumps, an hour back and a day ahead, while the host runs.
pub fn clock(scale: Scale) -> Result<Outcome> {
    const CASE: &str = "clock-jumps";
    let named = std::env::var_os("FAKETIME_LIBRARY").map(PathBuf::from);
    let Some(library) = named.into_iter().chain(FAKETIME.map(PathBuf::from)).find(|path| path.exists()) else {
        return Ok(Outcome::skipped(
            CASE,
            "libfaketime is not installed (package `libfaketime`, or FAKETIME_LIBRARY=…/libfaketimeMT.so.1)",
        ));
    };
    let mut trial = Trial::new(CASE, scale, CONFIG, BATCH_RECORDS, CHECKPOINT);
    let mut written = Written::new(&trial.path("out.ndjson"));
    let total = scale.of(30_000, 300_000);
    let clock = trial.site.write("clock", "+0");
    let stream = Sender::open(&trial.path("logs/app.log"), trial.maker)?.stream(total, 20_000, scale.seed);
    let mut command = trial.site.command(["run"]);
    command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", &clock).env("FAKETIME_NO_CACHE", "1");
    // Jumps of the monotonic clock do not happen.
    command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("DONT_FAKE_MONOTONIC", "1");
    trial.start_as(command);
    trial.await_ready()?;
    for jump in ["-1h", "+1d", "-30d", "+0", "+10y", "-3600", "+0"].iter().cycle().take(scale.of(7, 70)) {
        // Replaced as a whole: the library must not read half of it.
        trial.site.write("clock.new", jump);
        std::fs::rename(trial.path("clock.new"), &clock)?;
        trial.outcome.injected += 1;
        flow(&mut trial, &mut written, Duration::from_millis(200))?;
    }
    let mut sender = stream.finish()?;
    all(&mut trial, &mut written, total)?;
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    trial
        .outcome
        .notes
        .push("the clock of the day jumps; the monotonic clock, which only a restart of the machine sets back, does not".into());
    Ok(trial.close(sender.sent(), &[]))
}

/// Records on which a plugin traps, and kills in between: each becomes a dead letter, and the host gets past it.
pub fn poison(scale: Scale) -> Result<Outcome> {
    const POISON: &str = "poison";
    let config = "
sources: { in: { type: file, paths: [logs/app.log], poll: 20ms } }
plugins: { h: { component: PLUGIN(hostile), grant: { read: [message], write: [a, i, f, b, j, .] }, config: trap poison } }
pipelines: { main: { from: [in], steps: [ { plugin: h }, { vrl: 'del(.a)' } ], to: [out], dead_letters: [failed] } }
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: failed.ndjson } }";
    let mut trial = Trial::new("poison-restarts", scale, config, 64, CHECKPOINT);
    let mut written = Written::new(&trial.path("out.ndjson"));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    let mut poisoned = Vec::new();
    for _ in 0..scale.of(3, 60) {
        sender.send(300)?;
        poisoned.push(sender.sent());
        sender.send_with(POISON)?;
        sender.send(300)?;
        trial.start();
        let life = Duration::from_millis(trial.random.u64(100..900));
        flow(&mut trial, &mut written, life)?;
        trial.kill();
    }
    trial.start_ready()?;
    let wanted = sender.sent() - poisoned.len() as u64;
    all(&mut trial, &mut written, wanted)?;
    probe(&mut trial, &mut written, &mut sender)?;
    let maker = trial.maker;
    trial.until("the dead letters", |trial| Ok(named(trial, maker).0.len() >= poisoned.len()))?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    let (letters, count) = named(&trial, maker);
    let kills = trial.outcome.injected;
    trial.outcome.repeated_max = kills * trial.repeats_a_crash(64, true);
    trial.outcome.notes.push(format!("{} poisoned records gave {count} dead letters over {} starts", poisoned.len(), kills + 1));
    if letters != poisoned {
        trial.outcome.problems.push(format!("dead letters of {letters:?} were found, of {poisoned:?} expected"));
    }
    if count > poisoned.len() * 3 {
        trial
            .outcome
            .problems
            .push(format!("{count} dead letters for {} poisoned records: each was tried more than three times", poisoned.len()));
    }
    Ok(trial.close(sender.sent(), &letters))
}

/// The numbers of the records among the dead letters, sorted and each once, and how many letters there are.
fn named(trial: &Trial, maker: super::record::Maker) -> (Vec<u64>, usize) {
    let text = String::from_utf8_lossy(&trial.site.read("failed.ndjson")).into_owned();
    // The last line may be under way.
    let letters: Vec<_> = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(crate::harness::Letter::parse).collect();
    let mut numbers: Vec<u64> = letters.iter().filter_map(|letter| maker.number(letter.record().as_bytes())).collect();
    numbers.sort_unstable();
    numbers.dedup();
    (numbers, letters.len())
}

fn signal(trial: &Trial, name: &str) {
    if let Some(live) = &trial.live {
        live.signal(name);
    }
}

/// Lets records flow for some time.
fn flow(trial: &mut Trial, written: &mut Written, time: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        written.catch_up(&mut trial.account.lock())?;
        trial.look()?;
        std::thread::sleep(LOOK);
    }
    Ok(())
}

/// Waits until so many different records have arrived.
fn all(trial: &mut Trial, written: &mut Written, count: u64) -> Result<()> {
    trial.until("all records", |trial| {
        let mut account = trial.account.lock();
        written.catch_up(&mut account)?;
        Ok(account.distinct() >= count)
    })
}
