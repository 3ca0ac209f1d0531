//! Disks that are full.

use super::outcome::Outcome;
use super::receiver::{Written, web};
use super::rotation::probe;
use super::sender::Sender;
use super::trial::{LOOK, Scale, Trial};
use crate::harness::{Said, Tmpfs};
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const BATCH_RECORDS: u64 = 256;
const CHECKPOINT: Duration = Duration::from_millis(100);
/// What becomes of the small disk when there is room again.
const ROOM: &str = "size=512m";
const INTO_FILE: &str = "
sources: { in: { type: file, paths: [logs/app.log], poll: 20ms } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: file, path: small/out.ndjson, retry: { max: 200ms } } }";

fn no_tmpfs(case: &str) -> Outcome {
    Outcome::skipped(case, "mounting a tmpfs is not permitted here")
}

/// The disk of the sink's file is full; the host is killed meanwhile, too.
pub fn full_sink(scale: Scale) -> Result<Outcome> {
    let mut trial = Trial::new("disk-full-sink", scale, INTO_FILE, BATCH_RECORDS, CHECKPOINT);
    let Some(small) = Tmpfs::mount(&trial.path("small"), "size=1m") else { return Ok(no_tmpfs("disk-full-sink")) };
    let mut written = Written::new(&trial.path("small/out.ndjson"));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    sender.send(scale.of(30_000, 300_000))?;
    trial.start_ready()?;
    let mut kills = 0;
    for round in 1..=scale.of(3, 20) {
        if let Some(live) = &mut trial.live {
            live.says("cannot write, trying again");
        }
        trial.outcome.injected += 1;
        if round % 2 == 0 {
            trial.kill();
            kills += 1;
            trial.start_ready()?;
        }
        written.catch_up(&mut trial.account.lock())?;
        small.remount(&format!("size={}m", 1 + round));
        hold(&mut trial, &mut written, Duration::from_millis(300))?;
    }
    small.remount(ROOM);
    all(&mut trial, &mut written, &sender)?;
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    // The folder that it is mounted on goes with the trial.
    drop(small);
    trial.outcome.repeated_max = kills * trial.repeats_a_crash(BATCH_RECORDS, true);
    Ok(trial.close(sender.sent(), &[]))
}

/// The disk of the positions is full: records go on, and a kill then repeats what no checkpoint could be written for.
pub fn full_checkpoint(scale: Scale) -> Result<Outcome> {
    let config = INTO_FILE.replace("small/", "");
    let mut trial = Trial::new("disk-full-checkpoint", scale, &config, BATCH_RECORDS, CHECKPOINT);
    let Some(small) = Tmpfs::mount(&trial.path("data"), "size=64k") else { return Ok(no_tmpfs("disk-full-checkpoint")) };
    let mut written = Written::new(&trial.path("out.ndjson"));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    sender.send(2_000)?;
    trial.start_ready()?;
    all(&mut trial, &mut written, &sender)?;
    hold(&mut trial, &mut written, CHECKPOINT * 5)?;
    // What fills the disk is not the host's.
    let mut filler = std::fs::File::create(trial.path("data/filler"))?;
    while std::io::Write::write_all(&mut filler, &[0; 4096]).is_ok() {}
    drop(filler);
    trial.outcome.injected += 1;
    let before = sender.sent();
    sender.send(scale.of(20_000, 200_000))?;
    all(&mut trial, &mut written, &sender)?;
    trial.kill();
    trial.start_ready()?;
    hold(&mut trial, &mut written, Duration::from_millis(500))?;
    std::fs::remove_file(trial.path("data/filler"))?;
    all(&mut trial, &mut written, &sender)?;
    // There is room: after a checkpoint, a kill repeats nothing of before.
    hold(&mut trial, &mut written, CHECKPOINT * 8)?;
    let repeated = trial.account.lock().repeated();
    trial.kill();
    trial.start_ready()?;
    hold(&mut trial, &mut written, Duration::from_millis(500))?;
    if trial.account.lock().repeated() != repeated {
        trial.outcome.problems.push("positions were not written down once there was room".into());
    }
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    trial.outcome.repeated_max = sender.sent() - before;
    trial.outcome.notes.push("the bound is what was sent since the disk of the positions was full".into());
    drop(small);
    Ok(trial.close(sender.sent(), &[]))
}

/// The disk of the spool is full while the sink is down; the host is killed meanwhile, too.
pub fn full_spool(scale: Scale) -> Result<Outcome> {
    let mut trial = Trial::new("disk-full-spool", scale, "pipelines: {}", BATCH_RECORDS, CHECKPOINT);
    let up = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&up);
    let server = web("127.0.0.1:0", &trial.account, move |_| match state.load(Ordering::SeqCst) {
        true => (Said::Status(200), true),
        false => (Said::Status(503), false),
    });
    let settings = String::from_utf8(trial.site.read("tamis.yaml"))?.lines().last().unwrap_or_default().to_owned();
    trial.site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [logs/app.log], poll: 20ms }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: http, url: 'http://{}/in', buffer: {{ disk: 64MiB }}, retry: {{ initial: 10ms, max: 100ms }} }} }}
{settings}",
        server.address()
    ));
    let Some(small) = Tmpfs::mount(&trial.path("data"), "size=2m") else { return Ok(no_tmpfs("disk-full-spool")) };
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    sender.send(scale.of(40_000, 200_000))?;
    trial.start_ready()?;
    for _ in 0..scale.of(2, 10) {
        if let Some(live) = &mut trial.live {
            live.says("spool: trying again");
        }
        trial.kill();
        trial.start_ready()?;
    }
    // The sink takes records again, and so makes room by itself.
    up.store(true, Ordering::SeqCst);
    let sent = sender.sent();
    trial.until("all records", |trial| Ok(trial.account.lock().distinct() >= sent))?;
    let began = Instant::now();
    sender.send(1)?;
    trial.until("the probe", |trial| Ok(trial.account.lock().has(sent)))?;
    trial.probed(began.elapsed());
    trial.stop();
    // Nothing was delivered before the last kill; what comes twice went into the spool twice.
    trial.outcome.repeated_max =
        trial.outcome.injected * trial.repeats_a_crash(BATCH_RECORDS, false).max(2 * (2 << 20) / super::record::RECORD_BYTES as u64);
    trial.outcome.notes.push("the bound a crash is what the small disk holds, if that is more".into());
    drop(small);
    Ok(trial.close(sender.sent(), &[]))
}

fn hold(trial: &mut Trial, written: &mut Written, time: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        written.catch_up(&mut trial.account.lock())?;
        trial.look()?;
        std::thread::sleep(LOOK);
    }
    Ok(())
}

pub(super) fn all(trial: &mut Trial, written: &mut Written, sender: &Sender) -> Result<()> {
    let sent = sender.sent();
    trial.until("all records", |trial| {
        let mut account = trial.account.lock();
        written.catch_up(&mut account)?;
        Ok(account.distinct() >= sent)
    })
}
