//! Files that are rotated, truncated and deleted while they are written and read.

use super::outcome::Outcome;
use super::receiver::Written;
use super::sender::Sender;
use super::trial::{Scale, Trial};
use anyhow::Result;
use std::time::{Duration, Instant};

const BATCH_RECORDS: u64 = 256;
/// Records between two rotations: more than the file source takes in a turn.
const BETWEEN: u64 = 3_000;
const CONFIG: &str = "
sources: { in: { type: file, paths: [logs/app.log], poll: 20ms, rotate_wait: 300ms } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }";

/// How a file is taken away from its writer.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    Rename,
    CopyTruncate,
    Delete,
}

/// `logrotate` with `create`: the writer goes on in the renamed file for a while.
pub fn rename(scale: Scale) -> Result<Outcome> {
    run("rotate-rename", scale, Way::Rename, scale.of(10, 100))
}

/// `copytruncate` while the writer is quiet, which is when it is safe.
pub fn copytruncate(scale: Scale) -> Result<Outcome> {
    run("rotate-copytruncate", scale, Way::CopyTruncate, scale.of(6, 60))
}

/// The file is deleted while it is read, and begun anew: the inode number often comes again.
pub fn delete(scale: Scale) -> Result<Outcome> {
    run("deleted", scale, Way::Delete, scale.of(10, 100))
}

/// `copytruncate` while the writer writes: what is written between the copy and the cut is nowhere any more.
pub fn copytruncate_unsafe(scale: Scale) -> Result<Outcome> {
    let mut trial = Trial::new("copytruncate-unsafe", scale, CONFIG, BATCH_RECORDS, Duration::from_millis(200));
    let mut written = Written::new(&trial.path("out.ndjson"));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    let mut between = Vec::new();
    trial.start_ready()?;
    for number in 0..scale.of(4, 40) {
        sender.send(BETWEEN)?;
        read_some(&mut trial, &mut written, sender.sent() - BETWEEN)?;
        std::fs::copy(trial.path("logs/app.log"), trial.path(&format!("logs/app.log.{number}")))?;
        let first = sender.sent();
        sender.send(200)?;
        between.extend(first..sender.sent());
        truncate(&trial)?;
        trial.outcome.injected += 1;
        // So that the cut is seen: a file that is as long as before at the next look has not changed for the host.
        pause(&mut trial, &mut written, 200)?;
    }
    let sent = sender.sent();
    trial.until("what was not written between a copy and a cut", |trial| {
        let mut account = trial.account.lock();
        written.catch_up(&mut account)?;
        Ok(account.missing(sent).iter().all(|n| between.contains(n)))
    })?;
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    trial.outcome.notes.push(format!(
        "the writer makes loss unavoidable: {} records were written between a copy and its cut; those that the host had not read by then are in no file and counted as named, all others have to arrive",
        between.len()
    ));
    Ok(trial.close(sender.sent(), &between))
}

fn run(case: &'static str, scale: Scale, way: Way, times: usize) -> Result<Outcome> {
    let mut trial = Trial::new(case, scale, CONFIG, BATCH_RECORDS, Duration::from_millis(200));
    let mut written = Written::new(&trial.path("out.ndjson"));
    let mut sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    sender.send(BETWEEN)?;
    trial.start_ready()?;
    for number in 0..times {
        sender.send(BETWEEN)?;
        // At any moment, the host may be far behind or have read it all.
        let ms = trial.random.u64(..200);
        pause(&mut trial, &mut written, ms)?;
        let (path, aside) = (trial.path("logs/app.log"), trial.path(&format!("logs/app.log.{number}")));
        match way {
            Way::Rename => {
                std::fs::rename(&path, &aside)?;
                sender.send(100)?;
                sender.reopen()?;
            }
            Way::CopyTruncate => {
                read_some(&mut trial, &mut written, sender.sent() - BETWEEN)?;
                std::fs::copy(&path, &aside)?;
                truncate(&trial)?;
            }
            Way::Delete => {
                read_some(&mut trial, &mut written, sender.sent() - BETWEEN)?;
                std::fs::remove_file(&path)?;
                sender.send(100)?;
                sender.reopen()?;
            }
        }
        trial.outcome.injected += 1;
        if way != Way::CopyTruncate {
            sender.send(50)?;
        }
        // So that one rotation is seen before the next one: see the table of the file source.
        let sent = sender.sent();
        trial.until("what was written so far", |trial| {
            let mut account = trial.account.lock();
            written.catch_up(&mut account)?;
            Ok(account.distinct() >= sent)
        })?;
    }
    probe(&mut trial, &mut written, &mut sender)?;
    trial.stop();
    written.close(&mut trial.account.lock())?;
    if way == Way::CopyTruncate {
        trial
            .outcome
            .notes
            .push("safe: the writer is quiet from the copy to the cut, and the host has read something of the file before".into());
    }
    Ok(trial.close(sender.sent(), &[]))
}

/// Waits until the host has read something of what the file holds now. Before that, a file that is deleted is not open, and
/// the content of one that is cut cannot be told among its copies: nothing of it is known.
fn read_some(trial: &mut Trial, written: &mut Written, first: u64) -> Result<()> {
    trial.until("something of the file is read", |trial| {
        let mut account = trial.account.lock();
        written.catch_up(&mut account)?;
        Ok(account.has(first))
    })
}

fn truncate(trial: &Trial) -> Result<()> {
    Ok(std::fs::OpenOptions::new().write(true).open(trial.path("logs/app.log"))?.set_len(0)?)
}

fn pause(trial: &mut Trial, written: &mut Written, ms: u64) -> Result<()> {
    let until = Instant::now() + Duration::from_millis(ms);
    trial.until("some time passes", |trial| {
        written.catch_up(&mut trial.account.lock())?;
        Ok(Instant::now() >= until)
    })
}

/// Sends a record and waits for it.
pub(super) fn probe(trial: &mut Trial, written: &mut Written, sender: &mut Sender) -> Result<()> {
    let (number, began) = (sender.sent(), Instant::now());
    sender.send(1)?;
    trial.until("the probe", |trial| {
        let mut account = trial.account.lock();
        written.catch_up(&mut account)?;
        Ok(account.has(number))
    })?;
    trial.probed(began.elapsed());
    Ok(())
}
