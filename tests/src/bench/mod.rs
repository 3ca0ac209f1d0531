//! The benchmark: ratios measured in one run, so that the machine's speed cancels out.
//!
//! Every comparison runs its variants in turn, several rounds, and gives the median of the rounds' ratios. Inside the
//! process, time is the thread's CPU time; whole programs are measured by the CPU time the system accounts to them.

pub mod la_poste;
pub mod programs;
pub mod rig;
pub mod sizing;
pub mod table;

use std::time::Duration;

/// CPU time of this thread.
pub fn thread_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
