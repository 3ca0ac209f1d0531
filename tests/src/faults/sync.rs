//! Disks that do not make durable what was written: strace makes syncs fail.

use super::disk::all;
use super::outcome::Outcome;
use super::receiver::{Written, web};
use super::rotation::probe;
use super::sender::Sender;
use super::trial::{LOOK, Scale, Trial};
use crate::harness::Said;
use anyhow::{Result, ensure};
use std::process::Command;
use std::time::{Duration, Instant};

const BATCH_RECORDS: u64 = 256;
const CHECKPOINT: Duration = Duration::from_millis(100);
/// Batches that may be in memory between a spool and its sink.
const SPOOL_SEATS: u64 = 8;
const INTO_FILE: &str = "
sources: { in: { type: file, paths: [logs/app.log], poll: 20ms } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: file, path: out.ndjson, retry: { max: 200ms } } }";

/// Syncs of the sink's file fail at random: the host must end rather than acknowledge, and lose nothing when it is started again.
pub fn failing_file(scale: Scale) -> Result<Outcome> {
    const CASE: &str = "fsync-fails";
    if !strace() {
        return Ok(Outcome::skipped(CASE, "strace is not installed, or may not trace here"));
    }
    let mut trial = Trial::new(CASE, scale, INTO_FILE, BATCH_RECORDS, CHECKPOINT);
    let mut written = Written::new(&trial.path("out.ndjson"));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    for _ in 0..scale.of(3, 40) {
        sender.send(3_000)?;
        let when = trial.random.u32(1..4);
        failed_run(&mut trial, &mut sender, &format!("EIO:when={when}"))?;
        written.catch_up(&mut trial.account.lock())?;
    }
    let before = trial.account.lock().arrived();
    trial.start_ready()?;
    all(&mut trial, &mut written, &sender)?;
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    trial.outcome.repeated_max = before;
    trial
        .outcome
        .notes
        .push("the bound is what was written before the last start: each failed sync leaves all of it since the last checkpoint".into());
    Ok(trial.close(sender.sent(), &[]))
}

/// No sync of the sink's file ever succeeds, and then the file is gone, as after a power loss: nothing of it may have been
/// acknowledged.
pub fn never_durable(scale: Scale) -> Result<Outcome> {
    const CASE: &str = "fsync-never";
    if !strace() {
        return Ok(Outcome::skipped(CASE, "strace is not installed, or may not trace here"));
    }
    let mut trial = Trial::new(CASE, scale, INTO_FILE, BATCH_RECORDS, CHECKPOINT);
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    for error in ["EIO", "ENOSPC", "EDQUOT"].iter().cycle().take(scale.of(2, 12)) {
        sender.send(2_000)?;
        failed_run(&mut trial, &mut sender, &format!("{error}:when=1+"))?;
        let text = std::fs::metadata(trial.path("out.ndjson"))?;
        ensure!(text.len() > 0, "nothing was written before the sync");
        std::fs::remove_file(trial.path("out.ndjson"))?;
    }
    let mut written = Written::new(&trial.path("out.ndjson"));
    trial.start_ready()?;
    all(&mut trial, &mut written, &sender)?;
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    trial.outcome.notes.push("only what arrived after the last loss counts, so nothing may come twice".into());
    Ok(trial.close(sender.sent(), &[]))
}

/// Every fourth sync fails, of the spool's files, its folder and the checkpoint's, while the host is killed now and then:
/// what was not synced is written again elsewhere, and the host goes on.
pub fn failing_spool(scale: Scale) -> Result<Outcome> {
    const CASE: &str = "fsync-fails-spool";
    if !strace() {
        return Ok(Outcome::skipped(CASE, "strace is not installed, or may not trace here"));
    }
    let mut trial = Trial::new(CASE, scale, "pipelines: {}", BATCH_RECORDS, CHECKPOINT);
    let server = web("127.0.0.1:0", &trial.account, |_| (Said::Status(200), true));
    let settings = String::from_utf8(trial.site.read("tamis.yaml"))?.lines().last().unwrap_or_default().to_owned();
    trial.site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [logs/app.log], poll: 20ms }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: http, url: 'http://{}/in', buffer: {{ disk: 64MiB }}, retry: {{ initial: 10ms, max: 100ms }} }} }}
{settings}",
        server.address()
    ));
    let total = scale.of(20_000, 400_000);
    let stream = Sender::open(&trial.path("logs/app.log"), trial.maker)?.stream(total, 10_000, scale.seed);
    let kills = scale.of(2, 30);
    for life in 0..=kills {
        // The tracer is a child here, so that a signal meets the host. The first syncs are those of starting.
        let script = format!(
            "exec strace -D -f -qq -o strace-{life}.txt -e trace=fdatasync,fsync -e inject=fdatasync,fsync:error=EIO:when=12+4 \"$TAMIS\" run"
        );
        trial.start_as(trial.site.shell(&script));
        trial.await_ready()?;
        if life < kills {
            let (began, time) = (Instant::now(), Duration::from_millis(trial.random.u64(300..1_000)));
            while began.elapsed() < time {
                trial.look()?;
                std::thread::sleep(LOOK);
            }
            trial.kill();
        }
    }
    let mut sender = stream.finish()?;
    trial.until("all records", |trial| Ok(trial.account.lock().distinct() >= total))?;
    let began = Instant::now();
    sender.send(1)?;
    trial.until("the probe", |trial| Ok(trial.account.lock().has(total)))?;
    trial.probed(began.elapsed());
    trial.stop();
    let failed: usize = (0..=kills)
        .map(|life| trial.site.lines(&format!("strace-{life}.txt")).iter().filter(|line| line.contains("INJECTED")).count())
        .sum();
    trial.outcome.injected += failed as u64;
    let a_sync = 6 * BATCH_RECORDS;
    trial.outcome.repeated_max =
        kills * (trial.repeats_a_crash(BATCH_RECORDS, false) + SPOOL_SEATS * BATCH_RECORDS) + failed as u64 * a_sync;
    trial.outcome.notes.push(format!("{kills} kills and {failed} failed syncs, each of which may repeat the {a_sync} records under way"));
    Ok(trial.close(sender.sent(), &[]))
}

/// Runs a host under strace, whose syncs of the sink's file fail in this way, until it ends by itself.
fn failed_run(trial: &mut Trial, sender: &mut Sender, failure: &str) -> Result<()> {
    let out = trial.path("out.ndjson");
    let script = format!(
        "exec strace -f -qq -o strace.txt -P '{}' -e trace=fdatasync,fsync -e 'inject=fdatasync,fsync:error={failure}' \"$TAMIS\" run",
        out.display()
    );
    let mut live = trial.site.start_shell(&script);
    trial.outcome.injected += 1;
    // A later sync needs something to be synced.
    let began = Instant::now();
    while !live.ends_within(Duration::from_millis(100)) {
        if began.elapsed() > Duration::from_secs(20) {
            // Killing strace leaves the host: a signal that it passes on ends both.
            live.signal("TERM");
            trial.outcome.problems.push(format!("a failed sync ({failure}) did not end the host: {:.600}", live.err()));
            break;
        }
        sender.send(100)?;
    }
    let run = live.wait();
    ensure!(run.code == Some(4), "exit code 4 was expected after a failed sync ({failure}): {run}");
    ensure!(run.err.contains("cannot be made durable"), "the reason was expected: {run}");
    Ok(())
}

/// Whether strace is there and may trace.
fn strace() -> bool {
    Command::new("strace").args(["-qq", "-o", "/dev/null", "true"]).output().is_ok_and(|output| output.status.success())
}
