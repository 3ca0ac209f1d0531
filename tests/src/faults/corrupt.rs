//! Bytes on disk that are not what was written: a spool's, and a checkpoint's.

use super::outcome::Outcome;
use super::receiver::{Shared, Written, web};
use super::sender::Sender;
use super::trial::{Scale, Trial};
use crate::harness::Said;
use anyhow::{Context, Result, ensure};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const BATCH_RECORDS: u64 = 4;
/// Records in the segment that is damaged: three entries.
const SPOOLED: u64 = 3 * BATCH_RECORDS;
const CHECKPOINT: Duration = Duration::from_millis(50);

/// A flipped byte at one offset after the other of a spool's segment. The host always starts, loses the one entry at most
/// that the byte belongs to, says so, and keeps a copy.
pub fn spool(scale: Scale) -> Result<Outcome> {
    const CASE: &str = "corrupt-spool";
    let mut trial = Trial::new(CASE, scale, "pipelines: {}", BATCH_RECORDS, CHECKPOINT);
    let up = Arc::new(AtomicBool::new(false));
    let (state, current) = (Arc::clone(&up), Arc::new(std::sync::Mutex::new(trial.account.clone())));
    let taking = Arc::clone(&current);
    let server = web("127.0.0.1:0", &Shared::new(trial.maker), move |request| {
        if !state.load(Ordering::SeqCst) {
            return (Said::Status(503), false);
        }
        // Each start has an account of its own.
        taking.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take(request);
        (Said::Status(200), false)
    });
    let settings = String::from_utf8(trial.site.read("tamis.yaml"))?.lines().last().unwrap_or_default().to_owned();
    trial.site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [logs/app.log], poll: 20ms }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: http, url: 'http://{}/in', buffer: {{ disk: 16MiB }}, retry: {{ initial: 10ms, max: 50ms }} }} }}
{settings}",
        server.address()
    ));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    sender.send(SPOOLED)?;
    trial.start_ready()?;
    let socket = trial.path("admin.sock");
    trial.until("all is in the spool", |_| Ok(crate::harness::settled(&socket, "in") >= SPOOLED))?;
    std::thread::sleep(CHECKPOINT * 3);
    trial.kill();
    trial.outcome.injected = 0;
    std::fs::rename(trial.path("data"), trial.path("filled"))?;
    let segment = segment(&trial.path("filled/spool/out"))?;
    let sound = std::fs::read(&segment)?;
    up.store(true, Ordering::SeqCst);
    let step = scale.of(sound.len() / 16, 1).max(1);
    let first = if step == 1 { 0 } else { trial.random.usize(..step) };
    let (mut lost, mut named) = (0, 0);
    for offset in (first..sound.len()).step_by(step) {
        let mut bytes = sound.clone();
        let flip = 1 << trial.random.u32(..8);
        if let Some(byte) = bytes.get_mut(offset) {
            *byte ^= flip;
        }
        let _ = std::fs::remove_dir_all(trial.path("data"));
        copy(&trial.path("filled"), &trial.path("data"))?;
        std::fs::write(trial.path("data/spool/out").join(segment.file_name().context("a name")?), &bytes)?;
        trial.account = Shared::new(trial.maker);
        *current.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = trial.account.clone();
        trial.outcome.injected += 1;
        trial.start_ready()?;
        // All but one entry, which may be there as well.
        trial.until("the sound entries", |trial| Ok(trial.account.lock().distinct() >= SPOOLED - BATCH_RECORDS))?;
        std::thread::sleep(Duration::from_millis(30));
        trial.look()?;
        let Some(run) = trial.stop() else { continue };
        let account = trial.account.lock();
        let missing = account.missing(SPOOLED).len() as u64;
        let (corrupt, invented, repeated) = (account.corrupt(), account.invented(SPOOLED), account.repeated());
        drop(account);
        trial.outcome.corrupt += corrupt + invented;
        trial.outcome.repeated += repeated;
        let said = run.err.contains("of the spool are lost") || run.err.contains("cannot be read: it is passed over");
        let kept = run.err.contains("are damaged") && !files(&trial.path("data/spool/out/damaged")).is_empty();
        if missing > 0 && said {
            named += missing;
        } else {
            lost += missing;
        }
        let at = format!("byte {offset} of {}: {missing} records missing", sound.len());
        if missing > BATCH_RECORDS {
            trial.outcome.problems.push(format!("{at}, more than one entry"));
        }
        if !(kept || missing == 0 && run.err.contains("passed over")) {
            trial.outcome.problems.push(format!("{at}, no copy was kept: {:.600}", run.err));
        }
        if run.code != Some(0) {
            trial.outcome.problems.push(format!("{at}, ended with {:?}: {:.600}", run.code, run.err));
        }
    }
    trial.outcome.notes.push(format!(
        "a segment of {} bytes with {} entries; what is named is in the log and in `damaged/`",
        sound.len(),
        SPOOLED / BATCH_RECORDS
    ));
    // Each start was judged on its own: what was collected stands for all of them.
    let Outcome { corrupt, repeated, .. } = trial.outcome;
    trial.account = Shared::new(trial.maker);
    let mut outcome = trial.close(0, &[]);
    outcome.records = SPOOLED * outcome.injected;
    (outcome.lost, outcome.named, outcome.corrupt, outcome.repeated) = (lost, named, corrupt, repeated);
    outcome.judge();
    Ok(outcome)
}

/// A checkpoint that is cut, flipped, zeroed or missing: the host always starts, and repeats at worst.
pub fn checkpoint(scale: Scale) -> Result<Outcome> {
    let config = "
sources: { in: { type: file, paths: [logs/app.log], poll: 20ms } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }";
    let mut trial = Trial::new("corrupt-checkpoint", scale, config, BATCH_RECORDS, CHECKPOINT);
    let mut written = Written::new(&trial.path("out.ndjson"));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    let path = trial.path("data/checkpoints/in.json");
    for round in 0..scale.of(12, 600) {
        sender.send(50)?;
        trial.start_ready()?;
        let sent = sender.sent();
        trial.until("all records", |trial| {
            let mut account = trial.account.lock();
            written.catch_up(&mut account)?;
            Ok(account.distinct() >= sent)
        })?;
        trial.stop();
        let mut bytes = std::fs::read(&path)?;
        ensure!(!bytes.is_empty(), "an empty checkpoint was written");
        let at = trial.random.usize(..bytes.len());
        match round % 4 {
            0 => bytes.truncate(at),
            1 => bytes.iter_mut().for_each(|byte| *byte = 0),
            2 => std::fs::remove_file(&path)?,
            _ => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << trial.random.u32(..8)),
        }
        if round % 4 != 2 {
            std::fs::write(&path, bytes)?;
        }
        trial.outcome.injected += 1;
        trial.outcome.repeated_max += sent;
    }
    trial.start_ready()?;
    super::rotation::probe(&mut trial, &mut written, &mut sender)?;
    std::thread::sleep(CHECKPOINT * 4);
    trial.stop();
    written.close(&mut trial.account.lock())?;
    trial.outcome.notes.push("without positions everything is read again: the bound is what was sent before each damage".into());
    Ok(trial.close(sender.sent(), &[]))
}

/// The one segment with entries in a spool's folder.
fn segment(folder: &Path) -> Result<PathBuf> {
    let found: Vec<PathBuf> = files(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "spool") && path.metadata().is_ok_and(|m| m.len() > 0))
        .collect();
    ensure!(found.len() == 1, "one segment was expected, found {found:?}");
    found.into_iter().next().context("a segment")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for path in files(from) {
        let name = to.join(path.file_name().context("a name")?);
        if path.is_dir() {
            copy(&path, &name)?;
        } else {
            std::fs::copy(&path, &name)?;
        }
    }
    Ok(())
}
