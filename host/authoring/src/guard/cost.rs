//! Time and memory against the limits, in full batches of the cases' records.

use std::time::Duration;

use tamis_sandbox::Limits;

use super::{Report, Setting, faults, rule};
use crate::desk::{BATCH_ROWS, Split};

/// Runs of which the fastest counts: other programs only make it slower.
const RUNS: usize = 3;

pub(super) fn check(setting: &Setting<'_>, limits: &Limits, report: &mut Report) {
    let records: Vec<&Vec<u8>> = setting.records.iter().cycle().take(BATCH_ROWS as usize).collect();
    let (mut took, mut memory, mut init) = (Duration::MAX, 0, Duration::MAX);
    let mut failed = Vec::new();
    for _ in 0..RUNS {
        let Ok(mut configured) = setting.configured() else { return };
        init = init.min(configured.init_time());
        let run = configured.run(&records, Split::Rows(BATCH_ROWS));
        memory = memory.max(run.memory_bytes);
        failed = faults(&run).map(|(_, cause, reason)| (cause, reason.to_owned())).collect();
        if run.log_lines_dropped > 0 {
            // How many depends on the time, and a report on the plugin alone.
            report.add(&rule::LOG_FLOOD, format!("lines of a batch of {BATCH_ROWS} records were dropped"));
        }
        if failed.is_empty() {
            took = took.min(run.timing.step);
        }
    }
    let case = &setting.case;
    for (cause, reason) in failed.into_iter().take(3) {
        let rule = match cause {
            "deadline" => &rule::DEADLINE,
            "memory" => &rule::MEMORY,
            _ => &rule::OWN_CASES,
        };
        report.add(rule, format!("{BATCH_ROWS} records with the configuration of `{case}`: {cause}: {reason}"));
    }
    if took != Duration::MAX && took > limits.deadline / 2 {
        let reason = format!(
            "{BATCH_ROWS} records with the configuration of `{case}` take {} ms, the deadline is {} ms",
            took.as_millis(),
            limits.deadline.as_millis()
        );
        report.add(if took > limits.deadline { &rule::DEADLINE } else { &rule::DEADLINE_NEAR }, reason);
    }
    if memory > limits.memory_bytes / 2 && memory <= limits.memory_bytes {
        report.add(&rule::MEMORY_NEAR, format!("it holds {memory} bytes after {BATCH_ROWS} records, the limit is {}", limits.memory_bytes));
    }
    if init > limits.init_deadline / 2 {
        let reason = format!("`init` takes {} ms, its deadline is {} ms", init.as_millis(), limits.init_deadline.as_millis());
        report.add(&rule::INIT_NEAR, reason);
    }
}
