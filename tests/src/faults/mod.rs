//! Faults on purpose: the whole binary under load, while something goes wrong. What was sent has to arrive, or be named.
//!
//! Each case is a function that sends records which tell whether they are whole ([`record`]), injects its faults, sends a
//! probe and compares. `tamis-faults` runs them and prints a table.

pub mod corrupt;
pub mod disk;
pub mod kill;
pub mod outcome;
pub mod pause;
pub mod receiver;
pub mod record;
pub mod rotation;
pub mod sender;
pub mod sinks;
pub mod sync;
pub mod trial;

use anyhow::Result;
use outcome::Outcome;
use std::panic::AssertUnwindSafe;
use std::time::Instant;
use trial::Scale;

/// What runs a case.
pub type Case = fn(Scale) -> Result<Outcome>;

/// Every case, in the order in which they run.
pub const CASES: [(&str, Case); 24] = [
    ("kill-file", kill::into_file),
    ("kill-http", kill::into_web),
    ("kill-spool", kill::through_spool),
    ("stop-cont", pause::stop_and_continue),
    ("sighup", pause::hangups),
    ("clock-jumps", pause::clock),
    ("poison-restarts", pause::poison),
    ("rotate-rename", rotation::rename),
    ("rotate-copytruncate", rotation::copytruncate),
    ("copytruncate-unsafe", rotation::copytruncate_unsafe),
    ("deleted", rotation::delete),
    ("sink-down", sinks::down),
    ("sink-hangs", sinks::hangs),
    ("sink-answers", sinks::answers),
    ("sink-refuses", sinks::refuses),
    ("stop-while-down", sinks::stopped_while_down),
    ("disk-full-sink", disk::full_sink),
    ("disk-full-checkpoint", disk::full_checkpoint),
    ("disk-full-spool", disk::full_spool),
    ("fsync-fails", sync::failing_file),
    ("fsync-never", sync::never_durable),
    ("fsync-fails-spool", sync::failing_spool),
    ("corrupt-spool", corrupt::spool),
    ("corrupt-checkpoint", corrupt::checkpoint),
];

/// Runs a case. One that cannot be brought to its end has failed.
pub fn run(name: &str, case: Case, scale: Scale) -> Outcome {
    let began = Instant::now();
    let failed =
        |why: String| Outcome { case: name.into(), seconds: began.elapsed().as_secs_f64(), problems: vec![why], ..Outcome::default() };
    match std::panic::catch_unwind(AssertUnwindSafe(|| case(scale))) {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(error)) => failed(format!("{error:#}")),
        Err(panic) => {
            let told = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            failed(told.unwrap_or("a panic").to_owned())
        }
    }
}

/// What holds for all cases together: crashes that never repeat anything did not hit anything.
pub fn proves_nothing(outcomes: &[Outcome]) -> Option<&'static str> {
    let mut kills = outcomes.iter().filter(|o| o.case.starts_with("kill-") && o.injected > 0).peekable();
    kills.peek()?;
    kills.all(|o| o.repeated == 0).then_some("no crash repeated a record: the kills hit nothing, and the run proves nothing")
}
