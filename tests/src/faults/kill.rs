//! `kill -9` at random moments under load: into a file, into a web server, and through a spool.

use super::outcome::Outcome;
use super::receiver::{Written, web};
use super::sender::Sender;
use super::trial::{LOOK, Scale, Trial};
use crate::harness::{Said, Server};
use anyhow::Result;
use std::time::{Duration, Instant};

const BATCH_RECORDS: u64 = 256;
/// Batches that may be in memory between a spool and its sink, or delivered and not yet written down, at any pace.
const SPOOL_SEATS: u64 = 8;

/// Into a file.
pub fn into_file(scale: Scale) -> Result<Outcome> {
    run("kill-file", scale, "{ type: file, path: out.ndjson }", false)
}

/// Into a web server.
pub fn into_web(scale: Scale) -> Result<Outcome> {
    run("kill-http", scale, "{ type: http, url: 'http://ADDRESS/in', retry: { initial: 10ms, max: 100ms } }", true)
}

/// Into a web server behind a spool.
pub fn through_spool(scale: Scale) -> Result<Outcome> {
    run(
        "kill-spool",
        scale,
        "{ type: http, url: 'http://ADDRESS/in', buffer: { disk: 64MiB }, retry: { initial: 10ms, max: 100ms } }",
        true,
    )
}

fn run(case: &'static str, scale: Scale, sink: &str, is_web: bool) -> Result<Outcome> {
    // Lives must be longer than the interval, most of them, or nothing is ever safe.
    let checkpoint = scale.of(Duration::from_millis(100), Duration::from_secs(1));
    let life_max = scale.of(Duration::from_millis(600), Duration::from_millis(2_600));
    let kills = scale.of(10, 200);
    let total = scale.of(60_000, 2_000_000);
    let config = |address: &str| {
        format!(
            "
sources: {{ in: {{ type: file, paths: [logs/app.log], poll: 20ms }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {} }}",
            sink.replace("ADDRESS", address)
        )
    };
    let mut server: Option<Server> = None;
    let mut trial = Trial::new(case, scale, &config("127.0.0.1:1"), BATCH_RECORDS, checkpoint);
    if is_web {
        let started = web("127.0.0.1:0", &trial.account, |_| (Said::Status(200), true));
        let text = String::from_utf8(trial.site.read("tamis.yaml"))?.replace("127.0.0.1:1/", &format!("{}/", started.address()));
        trial.site.write("tamis.yaml", text);
        server = Some(started);
    }
    let mut written = Written::new(&trial.path("out.ndjson"));
    let sender = Sender::open(&trial.path("logs/app.log"), trial.maker)?;
    let per_second = (total as f64 / (f64::from(kills) * life_max.as_secs_f64() / 2.0)) as u64;
    let seed = trial.random.u64(..);
    let stream = sender.stream(total, per_second, seed);
    for _ in 0..kills {
        let life = life_max.mul_f64(trial.random.f64());
        trial.start();
        let started = Instant::now();
        while started.elapsed() < life {
            written.catch_up(&mut trial.account.lock())?;
            trial.look()?;
            std::thread::sleep(LOOK.min(life.saturating_sub(started.elapsed())));
        }
        trial.kill();
    }
    trial.start_ready()?;
    let mut sender = stream.finish()?;
    trial.until("all records", |trial| {
        let mut account = trial.account.lock();
        written.catch_up(&mut account)?;
        Ok(account.distinct() >= total)
    })?;
    let probe = sender.sent();
    let sent_at = Instant::now();
    sender.send(1)?;
    trial.until("the probe", |trial| {
        let mut account = trial.account.lock();
        written.catch_up(&mut account)?;
        Ok(account.has(probe))
    })?;
    trial.probed(sent_at.elapsed());
    trial.stop();
    written.close(&mut trial.account.lock())?;
    let a_crash = trial.repeats_a_crash(BATCH_RECORDS, !is_web) + if sink.contains("disk") { SPOOL_SEATS * BATCH_RECORDS } else { 0 };
    trial.outcome.repeated_max = u64::from(kills as u32) * a_crash;
    drop(server);
    Ok(trial.close(sender.sent(), &[]))
}
