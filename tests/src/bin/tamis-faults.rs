//! `make test-faults`: see `tamis_tests::faults`.

use anyhow::{Context, Result, bail};
use std::process::ExitCode;
use tamis_tests::faults::outcome::table;
use tamis_tests::faults::trial::Scale;
use tamis_tests::faults::{CASES, proves_nothing, run};

const USAGE: &str = "usage: tamis-faults [--long] [--only CASE[,CASE…]] [--seed N] [--output text|json] [--list]";

struct Arguments {
    scale: Scale,
    only: Vec<String>,
    json: bool,
    list: bool,
}

fn arguments() -> Result<Arguments> {
    let long = std::env::var("FAULTS").is_ok_and(|value| value == "long");
    let mut found = Arguments { scale: Scale { long, seed: fastrand::u64(..1 << 32) }, only: Vec::new(), json: false, list: false };
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || words.next().with_context(|| format!("`{word}` wants a value; {USAGE}"));
        match word.as_str() {
            "--long" => found.scale.long = true,
            "--list" => found.list = true,
            "--seed" => found.scale.seed = value()?.parse().context("`--seed` wants a number")?,
            "--only" => found.only.extend(value()?.split(',').map(str::to_owned)),
            "--output" => {
                found.json = match value()?.as_str() {
                    "json" => true,
                    "text" => false,
                    other => bail!("`{other}` is no output: `text` or `json`"),
                }
            }
            _ => bail!("`{word}` is not known; {USAGE}"),
        }
    }
    for name in &found.only {
        if !CASES.iter().any(|(case, _)| case == name) {
            bail!("`{name}` is no case; there are {}", CASES.map(|(case, _)| case).join(", "));
        }
    }
    Ok(found)
}

fn main() -> Result<ExitCode> {
    let arguments = arguments()?;
    if arguments.list {
        CASES.iter().for_each(|(name, _)| println!("{name}"));
        return Ok(ExitCode::SUCCESS);
    }
    // A case that panics has failed and says why; where is enough here.
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    eprintln!("{} figures, seed {}", arguments.scale.of("short", "long"), arguments.scale.seed);
    let mut outcomes = Vec::new();
    for (name, case) in CASES.iter().filter(|(name, _)| arguments.only.is_empty() || arguments.only.iter().any(|only| only == name)) {
        let outcome = run(name, *case, arguments.scale);
        eprintln!("{name}: {} after {:.1} s", outcome.verdict(), outcome.seconds);
        outcomes.push(outcome);
    }
    let nothing = proves_nothing(&outcomes);
    if arguments.json {
        println!(
            "{}",
            serde_json::to_string_pretty(
                &serde_json::json!({ "seed": arguments.scale.seed, "long": arguments.scale.long, "cases": outcomes, "proves_nothing": nothing })
            )?
        );
    } else {
        print!("{}", table(&outcomes));
        nothing.iter().for_each(|why| println!("PROBLEM: {why}"));
    }
    let sound = nothing.is_none() && outcomes.iter().all(|outcome| outcome.is_ok());
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
