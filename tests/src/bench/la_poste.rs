//! The sample `la-poste-style` on lines of 1 kB: four logs, all its plugins.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::programs::{Cost, measure};
use super::table::Row;

/// Calls of each of the two gateways; each call is a line in each of four logs.
const CALLS: usize = 25_000;
/// Bytes of a line, about.
const LINE_BYTES: usize = 1024;
/// Lanes, and the cores that the figure is for.
const LANES: f64 = 2.0;

/// Records a second that two cores have time for, by the CPU time that a record takes, and the ratio to the same input
/// through no steps at all.
///
/// # Errors
/// The input cannot be made, or a run fails.
pub fn rows(root: &Path, tamis: &Path, rounds: usize) -> Result<Vec<Row>> {
    let folder = root.join("target/bench/la-poste-style");
    std::fs::create_dir_all(&folder)?;
    if !folder.join("planted.txt").exists() {
        let mut generate = Command::new("python3");
        generate.arg(root.join("samples/la-poste-style/generate.py")).arg(CALLS.to_string()).arg(&folder).arg(LINE_BYTES.to_string());
        ensure!(generate.status().context("python3")?.success(), "the input cannot be made");
    }
    let sample = std::fs::read_to_string(root.join("samples/la-poste-style/pipeline.yaml"))?;
    let sample = sample.replace("../../target/plugins/", "../../plugins/").replace("admin: off", "admin: off\n  lanes: 2");
    let (all, none) = (folder.join("all.yaml"), folder.join("none.yaml"));
    std::fs::write(&none, without_steps(&sample))?;
    std::fs::write(&all, sample)?;
    let run = |config: &Path| -> Result<Cost> {
        let out = folder.join("out");
        let _ = std::fs::remove_dir_all(&out);
        let mut command = Command::new(tamis);
        command.args(["--log", "error", "run", "--once", "--again", "-c"]).arg(config).current_dir(root);
        measure(command.env("TAMIS_INPUT", folder.join("input")).env("TAMIS_OUT", &out))
    };
    run(&all)?;
    let mut costs = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        costs.push((run(&all)?.cpu, run(&none)?.cpu));
    }
    let records = (8 * CALLS) as f64;
    let rate = super::median(costs.iter().map(|(all, _)| LANES * records / all / 1000.0).collect());
    let ratio = super::median(costs.iter().map(|(all, none)| all / none).collect());
    Ok(vec![
        Row {
            name: "(g) la-poste-style, 1 kB a record, thousand a second on 2 cores".into(),
            value: rate,
            unit: "k",
            goal: Some((">=", 200.0)),
        },
        Row { name: "    CPU time: all steps / none, the same codecs and sinks".into(), value: ratio, unit: "×", goal: None },
    ])
}

/// The sample's pipelines with nothing between sources and sinks, and without its tests; files whose names steps would have filled in are one file.
fn without_steps(sample: &str) -> String {
    let mut kept = String::new();
    let mut within = None;
    for line in sample.lines() {
        let indent = line.len() - line.trim_start().len();
        if within.is_some_and(|outer| indent > outer || line.trim().is_empty()) {
            continue;
        }
        within = None;
        let name = line.trim_start();
        match name {
            _ if name.starts_with("steps:") => {
                kept.push_str("    steps: []\n");
                within = Some(indent);
            }
            "plugins:" | "tests:" => within = Some(indent),
            _ if name.starts_with("errors: [owners-errors") => {}
            _ => {
                kept.push_str(line);
                kept.push('\n');
            }
        }
    }
    kept.replace("%{labels.shared.Application.code}", "all").replace("%{day}", "all")
}
