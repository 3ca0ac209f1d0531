//! Whole programs, measured from outside.

use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What a program took.
#[derive(Debug, Clone, Copy)]
pub struct Cost {
    /// CPU time, user and system, in seconds.
    pub cpu: f64,
    /// Time from start to end, in seconds.
    pub wall: f64,
    /// Peak memory, in MiB.
    pub memory: f64,
}

/// Runs a program to its end.
pub fn measure(command: &mut Command) -> Result<Cost> {
    let before = children_ticks()?;
    let started = Instant::now();
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().with_context(|| format!("{command:?}"))?;
    let status_file = format!("/proc/{}/status", child.id());
    let mut memory = 0.0f64;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        memory = memory.max(peak_mib(Path::new(&status_file)));
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = started.elapsed().as_secs_f64();
    ensure!(status.success(), "{command:?} ended with {status}");
    Ok(Cost { cpu: (children_ticks()? - before) as f64 / 100.0, wall, memory })
}

/// CPU time of ended children in hundredths of a second, the unit of `/proc` on Linux.
fn children_ticks() -> Result<u64> {
    fields_of("self", [16, 17])
}

/// CPU time of a running process, in the same unit.
pub(super) fn ticks(process: u32) -> Result<u64> {
    fields_of(&process.to_string(), [14, 15])
}

/// The sum of these fields of `/proc/…/stat`, counted from 1.
fn fields_of(process: &str, wanted: [usize; 2]) -> Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name in parentheses may hold blanks; what follows is fields 3 and on.
    let fields: Vec<&str> = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
    let field = |n: usize| fields.get(n - 3).and_then(|f| f.parse::<u64>().ok()).context("/proc/…/stat has another form");
    Ok(field(wanted[0])? + field(wanted[1])?)
}

pub(super) fn peak_mib(status: &Path) -> f64 {
    let text = std::fs::read_to_string(status).unwrap_or_default();
    let kib =
        text.lines().find_map(|line| line.strip_prefix("VmHWM:")).and_then(|v| v.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}
