//! Many reloads under load: versions of plugins take turns, and every third configuration is broken. What is lost, repeated, out of
//! order or the work of two generations is counted, and what a swap costs in memory and latency.

mod account;
mod broken;
pub mod components;
mod figures;
mod load;

pub use figures::{ADDED_MS_MAX, Figures, table};
pub use load::Load;

use crate::harness::{Address, Site, eventually, request};
use account::Account;
use anyhow::{Context, Result, ensure};
use components::VERSIONS;
use serde_json::Value;
use std::fs::File;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How much to do.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// How records come.
    pub load: Load,
    /// Configurations that take over.
    pub reloads: u64,
    /// Whether each brings a component that was never seen, which has to be compiled; else two take turns.
    pub fresh: bool,
    /// Time between two requests, in which nothing changes.
    pub pause: Duration,
}

/// The configuration of a generation: its version of both plugins stamps each record, and so does its program.
fn config(generation: u64, fresh: bool) -> String {
    let version = VERSIONS[usize::from(generation % 2 == 1)];
    let tenant = if fresh { components::fresh(generation) } else { format!("tenant-{version}.wasm") };
    format!(
        "
sources: {{ in: {{ type: stdin }} }}
plugins:
  stamp: {{ component: stamp-{version}.wasm, grant: {{ write: [by] }}, limits: {{ deadline: 5s }} }}
  tenant:
    component: {tenant}
    grant: {{ write: [tenant] }}
    limits: {{ deadline: 5s }}
    config: {{ default: g{generation} }}
pipelines:
  main: {{ from: [in], steps: [ {{ plugin: stamp }}, {{ plugin: tenant }}, {{ name: generation, vrl: '.g = {generation}' }} ], to: [out] }}
sinks: {{ out: {{ type: stdout }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 2 }}"
    )
}

/// What one reload did.
struct Swap {
    from: u64,
    until: u64,
    applied: bool,
}

/// Does it all.
///
/// # Errors
/// When a reload does not end as it must, or the surroundings do not work.
pub fn run(plan: &Plan) -> Result<Figures> {
    let site = Site::with(&config(1, false), "");
    components::write(&site)?;
    let address = Address::Unix(site.path("admin.sock"));
    let mut command = site.command(["run"]);
    command.stdin(Stdio::piped()).stderr(File::create(site.path("stderr"))?);
    let mut host = Host(command.spawn().context("tamis does not start")?);
    let (stdin, stdout) = (host.0.stdin.take().context("standard input")?, host.0.stdout.take().context("standard output")?);
    let zero = Instant::now();
    let keep = plan.load.keep();
    let reader = std::thread::spawn(move || Account::of(stdout, zero, keep));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    let began = Instant::now();
    let sender = plan.load.start(stdin, zero);
    let micros = |at: Instant| u64::try_from((at - zero).as_micros()).unwrap_or(u64::MAX);

    // Both versions are compiled once, and the host has found its pace.
    std::thread::sleep(Duration::from_secs(1));
    let (mut swaps, mut memory, mut broken) = (Vec::new(), Vec::new(), 0);
    for generation in 2..=plan.reloads + 1 {
        if plan.fresh {
            components::write_fresh(&site, generation)?;
        }
        let mut attempt = |yaml: &str, applied: bool| -> Result<(u16, Value)> {
            site.config(yaml);
            let from = Instant::now();
            let answer = reload(&address)?;
            swaps.push(Swap { from: micros(from), until: micros(Instant::now()), applied });
            std::thread::sleep(plan.pause);
            Ok(answer)
        };
        if generation % 2 == 0 {
            let (yaml, status, says) = broken::configuration(&config(generation, plan.fresh), broken);
            let (found, told) = attempt(&yaml, false)?;
            let active = told["generation"] == generation - 1;
            ensure!(found == status && active && told.to_string().contains(says), "of a broken configuration ({says}): {found} {told}");
            broken += 1;
        }
        let (status, told) = attempt(&config(generation, plan.fresh), true)?;
        ensure!(status == 200 && told["result"] == "applied" && told["generation"] == generation, "{status} {told}");
        memory.push(host.memory_bytes()?);
    }
    let sent = sender.finish();
    // With its standard input at an end, it ends.
    let status = host.0.wait()?;
    let seconds = began.elapsed().as_secs_f64();
    let account = reader.join().map_err(|_| anyhow::anyhow!("the reader panicked"))?;
    let said = String::from_utf8_lossy(&site.read("stderr")).into_owned();
    ensure!(status.success() && !said.contains("internal fault"), "{status}: {}", said.lines().last().unwrap_or_default());
    let figures = Figures::of(plan, broken, sent, seconds, &account, &swaps, &memory);
    Ok(figures)
}

fn reload(address: &Address) -> Result<(u16, Value)> {
    let answer = request(address, "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")?;
    Ok((answer.status, serde_json::from_str(&answer.body).with_context(|| answer.body.clone())?))
}

/// The process; it is killed when the value goes.
struct Host(Child);

impl Host {
    /// What it has in memory, in bytes.
    fn memory_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        // Both fail when it has ended, which is as well.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
