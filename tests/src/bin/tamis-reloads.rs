//! `make reload-proof`: see `tamis_tests::reloads`.

use anyhow::{Context, Result};
use std::process::ExitCode;
use std::time::Duration;
use tamis_tests::reloads::{ADDED_MS_MAX, Figures, Load, Plan, run, table};

fn main() -> Result<ExitCode> {
    let reloads = std::env::args().nth(1).map_or(Ok(1_000), |count| count.parse().context("usage: tamis-reloads [RELOADS]"))?;
    let plan = Plan { load: Load::Paced(2_000), reloads, fresh: false, pause: Duration::from_millis(60) };
    // Compiling takes what it takes: a tenth of them are enough.
    let compiled = Plan { reloads: reloads.div_ceil(10), fresh: true, ..plan };
    let plans = [plan, Plan { load: Load::Full, pause: Duration::from_millis(30), ..plan }, compiled];
    let mut all: Vec<Figures> = Vec::new();
    for plan in plans {
        eprintln!("{} reloads, {}", plan.reloads, plan.load);
        all.push(run(&plan)?);
    }
    print!("{}", table(&all));
    let mut problems: Vec<String> = all.iter().flat_map(Figures::problems).collect();
    problems.extend(
        all.first().filter(|paced| paced.added_ms() > ADDED_MS_MAX).map(|paced| format!("a reload adds {:.1} ms", paced.added_ms())),
    );
    problems.iter().for_each(|problem| println!("PROBLEM: {problem}"));
    Ok(if problems.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
