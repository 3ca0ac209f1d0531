//! A web server as a sink that is down, hangs, refuses, or answers anything but what it should.

use super::outcome::Outcome;
use super::receiver::web;
use super::sender::Sender;
use super::trial::{Scale, Trial};
use crate::harness::{Letter, Said, Server};
use anyhow::Result;
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const BATCH_RECORDS: u64 = 256;
const CHECKPOINT: Duration = Duration::from_millis(100);

/// A site whose sink is a web server at this address, with these options. Refused records become dead letters.
fn site(case: &'static str, scale: Scale, address: &str, options: &str) -> Trial {
    let config = format!(
        "
sources: {{ in: {{ type: file, paths: [logs/app.log], poll: 20ms }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: http, url: 'http://{address}/in', {options} retry: {{ initial: 10ms, max: 200ms }} }}
  failed: {{ type: file, path: failed.ndjson }}"
    );
    Trial::new(case, scale, &config, BATCH_RECORDS, CHECKPOINT)
}

/// An address at which nobody listens yet.
fn free_address() -> Result<String> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string())
}

fn sender(trial: &Trial) -> Result<Sender> {
    Sender::open(&trial.path("logs/app.log"), trial.maker)
}

/// Lets the host look for some time, during which the sink takes nothing.
fn wait(trial: &mut Trial, time: Duration) -> Result<()> {
    let began = Instant::now();
    while began.elapsed() < time {
        trial.look()?;
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Waits for everything, sends the probe and waits for it, and ends the host.
fn arrive(trial: &mut Trial, sender: &mut Sender) -> Result<()> {
    let sent = sender.sent();
    trial.until("all records", |trial| Ok(trial.account.lock().distinct() >= sent))?;
    let began = Instant::now();
    sender.send(1)?;
    trial.until("the probe", |trial| Ok(trial.account.lock().has(sent)))?;
    trial.probed(began.elapsed());
    if let Some(run) = trial.stop()
        && run.code != Some(0)
    {
        trial.outcome.problems.push(format!("the host ended with {:?}: {:.600}", run.code, run.err));
    }
    Ok(())
}

/// Nobody listens for a while.
pub fn down(scale: Scale) -> Result<Outcome> {
    let address = free_address()?;
    let mut trial = site("sink-down", scale, &address, "");
    let stream = sender(&trial)?.stream(scale.of(60_000, 600_000), 10_000, scale.seed);
    trial.start_ready()?;
    wait(&mut trial, scale.of(Duration::from_secs(2), Duration::from_secs(60)))?;
    trial.outcome.injected = 1;
    let _server = web(&address, &trial.account, |_| (Said::Status(200), true));
    let mut sender = stream.finish()?;
    arrive(&mut trial, &mut sender)?;
    trial.outcome.notes.push("a server that was never reached took nothing, so nothing may come twice".into());
    Ok(trial.close(sender.sent(), &[]))
}

/// Every request is accepted and not answered for longer than the time-out; memory has to stay flat.
pub fn hangs(scale: Scale) -> Result<Outcome> {
    let hung = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&hung);
    let mut trial = site("sink-hangs", scale, "127.0.0.1:1", "timeout: 500ms,");
    let server = web("127.0.0.1:0", &trial.account, move |_| {
        // A server that hangs takes nothing.
        if state.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(700));
            return (Said::Close, false);
        }
        (Said::Status(200), true)
    });
    aim(&trial, &server)?;
    let stream = sender(&trial)?.stream(scale.of(60_000, 2_000_000), scale.of(20_000, 5_000), scale.seed);
    trial.start_ready()?;
    let time = scale.of(Duration::from_secs(2), Duration::from_secs(600));
    wait(&mut trial, time / 2)?;
    let half = trial.outcome.memory_bytes_peak;
    wait(&mut trial, time / 2)?;
    let whole = trial.outcome.memory_bytes_peak;
    trial.outcome.injected = server.requests() as u64;
    trial.outcome.notes.push(format!("memory after half the time {} KiB, at its end {} KiB", half >> 10, whole >> 10));
    if whole > half + (8 << 20) {
        trial.outcome.problems.push("memory grows while the sink hangs".into());
    }
    hung.store(false, Ordering::SeqCst);
    let mut sender = stream.finish()?;
    arrive(&mut trial, &mut sender)?;
    Ok(trial.close(sender.sent(), &[]))
}

/// Writes the server's address into the configuration.
fn aim(trial: &Trial, server: &Server) -> Result<()> {
    let text = String::from_utf8(trial.site.read("tamis.yaml"))?.replace("127.0.0.1:1/", &format!("{}/", server.address()));
    trial.site.write("tamis.yaml", text);
    Ok(())
}

/// 408, 429, 500, 503, closed connections, answers that break off, and answers that come too late, at random.
pub fn answers(scale: Scale) -> Result<Outcome> {
    let mut trial = site("sink-answers", scale, "127.0.0.1:1", "timeout: 300ms,");
    // Requests whose records were taken without the host learning of it: exactly these may come again.
    let unknown = Arc::new(AtomicU64::new(0));
    let bad = Arc::new(AtomicU64::new(0));
    let (count, faults) = (Arc::clone(&unknown), Arc::clone(&bad));
    let (account, seed) = (trial.account.clone(), scale.seed);
    let server = web("127.0.0.1:0", &trial.account, move |request| {
        let choice = fastrand::Rng::with_seed(seed ^ (request.number as u64) << 20).u32(..20);
        let lines = || request.body.iter().filter(|b| **b == b'\n').count() as u64;
        if choice < 8 {
            faults.fetch_add(1, Ordering::Relaxed);
        }
        match choice {
            0 => (Said::Status(500), false),
            1 => (Said::Status(503), false),
            2 => (Said::Status(408), false),
            3 => (Said::With(429, "Retry-After: 0".into()), false),
            4 => (Said::Close, false),
            5 => {
                count.fetch_add(lines(), Ordering::Relaxed);
                (Said::Truncated, true)
            }
            6 => {
                count.fetch_add(lines(), Ordering::Relaxed);
                account.take(request);
                std::thread::sleep(Duration::from_millis(400));
                (Said::Close, false)
            }
            // Slow, and yet in time.
            7 => (Said::Slow(Duration::from_millis(50)), true),
            _ => (Said::Status(200), true),
        }
    });
    aim(&trial, &server)?;
    let mut sender = sender(&trial)?;
    sender.send(scale.of(30_000, 500_000))?;
    trial.start_ready()?;
    arrive(&mut trial, &mut sender)?;
    trial.outcome.injected = bad.load(Ordering::Relaxed);
    // A late answer may find the host's time-out expired on a busy machine, a slow one too.
    trial.outcome.repeated_max = unknown.load(Ordering::Relaxed);
    trial.outcome.notes.push("the bound is what the server took in requests whose answer broke off or came too late".into());
    Ok(trial.close(sender.sent(), &[]))
}

/// 400 and 413 for requests with certain records: these become dead letters, alone.
pub fn refuses(scale: Scale) -> Result<Outcome> {
    let mut trial = site("sink-refuses", scale, "127.0.0.1:1", "");
    let server = web("127.0.0.1:0", &trial.account, move |request| {
        let holds = |word: &str| String::from_utf8_lossy(&request.body).contains(word);
        match (holds("\"badly\""), holds("\"large\"")) {
            (true, _) => (Said::Status(400), false),
            (_, true) => (Said::Status(413), false),
            _ => (Said::Status(200), true),
        }
    });
    aim(&trial, &server)?;
    let mut sender = sender(&trial)?;
    let mut bad = Vec::new();
    for _ in 0..scale.of(20, 400) {
        let count = trial.random.u64(..800);
        sender.send(count)?;
        bad.push(sender.sent());
        sender.send_with(if trial.random.bool() { "badly" } else { "large" })?;
    }
    trial.outcome.injected = bad.len() as u64;
    trial.start_ready()?;
    let good = sender.sent() - bad.len() as u64;
    trial.until("all good records", |trial| Ok(trial.account.lock().distinct() >= good))?;
    let probe = sender.sent();
    let began = Instant::now();
    sender.send(1)?;
    trial.until("the probe", |trial| Ok(trial.account.lock().has(probe)))?;
    trial.probed(began.elapsed());
    trial.stop();
    let letters: Vec<Letter> = trial.site.letters("failed.ndjson");
    let mut named: Vec<u64> = letters.iter().filter_map(|letter| trial.maker.number(letter.record().as_bytes())).collect();
    named.sort_unstable();
    if named != bad {
        trial.outcome.problems.push(format!("dead letters of {} records were found, of {} expected, each once", named.len(), bad.len()));
    }
    Ok(trial.close(sender.sent(), &named))
}

/// SIGTERM while the sink is down and a spool holds what was read: it is there after the next start.
pub fn stopped_while_down(scale: Scale) -> Result<Outcome> {
    let address = free_address()?;
    let mut trial = site("stop-while-down", scale, &address, "buffer: { disk: 256MiB },");
    let stream = sender(&trial)?.stream(scale.of(40_000, 400_000), 20_000, scale.seed);
    let mut longest = Duration::ZERO;
    for _ in 0..scale.of(3, 20) {
        trial.start_ready()?;
        wait(&mut trial, Duration::from_millis(300))?;
        trial.outcome.injected += 1;
        let began = Instant::now();
        let run = trial.stop();
        longest = longest.max(began.elapsed());
        if let Some(run) = run
            && run.code != Some(0)
        {
            trial.outcome.problems.push(format!("SIGTERM with the sink down ended with {:?}: {:.600}", run.code, run.err));
        }
    }
    let mut sender = stream.finish()?;
    trial.start_ready()?;
    let _server = web(&address, &trial.account, |_| (Said::Status(200), true));
    arrive(&mut trial, &mut sender)?;
    trial.outcome.notes.push(format!(
        "a host that was told to end has written everything down: nothing may come twice; the longest stop took {} ms",
        longest.as_millis()
    ));
    Ok(trial.close(sender.sent(), &[]))
}
