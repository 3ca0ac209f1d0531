//! `tamis plugin bench`.

use super::component;
use crate::arguments::{Arguments, Output};
use crate::exit::Exit;
use crate::screen;
use clap::Args;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tamis_authoring::cases::{self, Case, Trial};
use tamis_authoring::desk::{BATCH_ROWS, Candidate, Configured, Desk, Split, Timing};
use tamis_record::Records;
use tamis_sandbox::Limits;

/// Rounds that count, after one that warms up.
const ROUNDS: usize = 9;
/// Instances made to measure what `init` takes.
const STARTS: usize = 5;
/// Records of one round at most.
const RECORDS_MAX: u64 = 10_000_000;
/// Bytes of different batches at most; they are repeated.
const INPUT_BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Folder of the plugin.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Measure this component instead of building the plugin.
    #[arg(long, value_name = "FILE")]
    component: Option<PathBuf>,
    /// Records of a round; there are nine rounds and one before them.
    #[arg(long, value_name = "N", default_value_t = 102_400, value_parser = clap::value_parser!(u64).range(1..=RECORDS_MAX))]
    records: u64,
    /// Compare with this component; without it with the previous build, where there is one.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    /// Take the input and configuration of this case alone.
    #[arg(long, value_name = "NAME")]
    case: Option<String>,
    /// Where a component goes that is built.
    #[arg(long, value_name = "FOLDER", default_value = "target/plugins")]
    out: PathBuf,
}

/// What was measured of one component under one configuration.
struct Measured {
    /// Medians over the rounds, in nanoseconds a record: in the step, and with scan and encoding.
    step_ns: f64,
    all_ns: f64,
    init: Duration,
    memory_bytes: u64,
    bytes: u64,
}

/// One configuration.
struct Row {
    case: String,
    now: Measured,
    /// The other component, and the median of the rounds' ratios of the time in the step.
    before: Option<(Measured, f64)>,
}

pub(crate) fn run(arguments: &Arguments, verb: &Bench) -> anyhow::Result<Exit> {
    let (mut cases, findings) = cases::load(&verb.folder);
    if !findings.is_empty() {
        screen::tell(&findings.render(screen::colour_on_stderr()));
        return Ok(Exit::BadConfiguration);
    }
    cases.retain(|case| verb.case.as_ref().is_none_or(|name| *name == case.name) && !case.input().is_empty());
    if cases.is_empty() {
        screen::tell(&component::no_cases(&verb.folder));
        return Ok(Exit::Failure);
    }
    let desk = component::desk(Limits::default())?;
    let opened = component::path(&verb.folder, verb.component.as_ref(), &verb.out).and_then(|path| {
        let against = verb.against.clone().or_else(|| Some(tamis_authoring::build::previous(&path)).filter(|previous| previous.is_file()));
        let other = against.map(|path| component::open(&desk, &path).map(|candidate| (path, candidate))).transpose()?;
        Ok((component::open(&desk, &path)?, other))
    });
    let measured = opened.and_then(|(candidate, other)| {
        let rows = rows(&cases, &candidate, other.as_ref().map(|(_, candidate)| candidate), verb.records)?;
        Ok((rows, other.map(|(path, _)| path)))
    });
    let (rows, against) = match measured {
        Ok(measured) => measured,
        Err(error) => {
            screen::tell(&format!("tamis: {}", tamis_config::escaped(&error)));
            return Ok(Exit::Failure);
        }
    };
    let mut out = std::io::stdout();
    match arguments.output {
        Output::Json => writeln!(out, "{}", json(&component::name(&verb.folder), &rows, against.as_deref(), &desk))?,
        _ => text(&mut out, &rows, against.as_deref())?,
    }
    Ok(Exit::Success)
}

/// A row for each configuration, by the first case that has it.
fn rows(cases: &[Case], candidate: &Candidate, other: Option<&Candidate>, records: u64) -> Result<Vec<Row>, String> {
    let mut rows = Vec::new();
    for (place, case) in cases.iter().enumerate() {
        if cases.iter().take(place).any(|earlier| earlier.config == case.config) {
            continue;
        }
        let same = cases.iter().filter(|other| other.config == case.config);
        let input: Vec<&[u8]> =
            same.filter(|case| matches!(case.trial, Trial::Records { .. })).flat_map(Case::input).map(Vec::as_slice).collect();
        let configured =
            |candidate: &Candidate| candidate.configure(&case.config).map_err(|failure| format!("case `{}`: {failure}", case.name));
        let mut now = configured(candidate)?;
        // A record that fails costs a search each time and says nothing of the speed.
        let fates = now.run(&input, Split::default()).fates;
        let sound: Vec<&[u8]> = input.into_iter().zip(&fates).filter(|(_, fate)| !fate.is_failed()).map(|(record, _)| record).collect();
        if sound.is_empty() {
            continue;
        }
        let batches = batches(&sound, records);
        let mut before = other.map(configured).transpose()?;
        let (mut times, mut times_before) = (Vec::new(), Vec::new());
        for round in 0..=ROUNDS {
            let (time, time_before) = (pass(&mut now, &batches, records), before.as_mut().map(|before| pass(before, &batches, records)));
            if round > 0 {
                times.push(time);
                times_before.extend(time_before);
            }
        }
        let ratios = times.iter().zip(&times_before).map(|(now, before)| step_ns(now) / step_ns(before).max(1e-9));
        let ratio = median(ratios.collect());
        let measured = |candidate: &Candidate, configured: &Configured, times: &[Timing]| -> Result<Measured, String> {
            let starts: Result<Vec<f64>, _> =
                (0..STARTS).map(|_| candidate.configure(&case.config).map(|c| c.init_time().as_secs_f64())).collect();
            Ok(Measured {
                step_ns: median(times.iter().map(step_ns).collect()),
                all_ns: median(times.iter().map(|time| ns(time.scan + time.step + time.encode, time.records)).collect()),
                init: Duration::from_secs_f64(median(starts.map_err(|failure| failure.to_string())?)),
                memory_bytes: configured.memory_bytes(),
                bytes: candidate.bytes(),
            })
        };
        let now = measured(candidate, &now, &times)?;
        let before = match (other, &before) {
            (Some(other), Some(configured)) => Some((measured(other, configured, &times_before)?, ratio)),
            _ => None,
        };
        rows.push(Row { case: case.name.clone(), now, before });
    }
    match rows.is_empty() {
        true => Err("every record of every case fails: nothing to measure".to_owned()),
        false => Ok(rows),
    }
}

/// The records in turn, in full batches, as many different ones as it takes to come round or as fit.
fn batches(records: &[&[u8]], wanted: u64) -> Vec<Arc<Records>> {
    let rows = BATCH_ROWS as usize;
    let count = usize::try_from(wanted).unwrap_or(usize::MAX).div_ceil(rows).min(records.len()).max(1);
    let mut turn = records.iter().cycle();
    let (mut batches, mut bytes) = (Vec::new(), 0);
    while batches.len() < count && bytes < INPUT_BYTES_MAX {
        let mut batch = Records::default();
        while batch.rows.len() < rows && batch.text.len() < INPUT_BYTES_MAX {
            let Some(record) = turn.next() else { break };
            let from = batch.text.len() as u32;
            batch.text.extend_from_slice(record);
            batch.rows.push((from, batch.text.len() as u32));
            batch.text.push(b'\n');
        }
        bytes += batch.text.len();
        batches.push(Arc::new(batch));
    }
    batches
}

fn pass(configured: &mut Configured, batches: &[Arc<Records>], records: u64) -> Timing {
    let mut all = Timing::default();
    for batch in batches.iter().cycle() {
        if all.records >= records {
            break;
        }
        all.add(&configured.time(batch));
    }
    all
}

fn ns(time: Duration, records: u64) -> f64 {
    time.as_secs_f64() * 1e9 / records.max(1) as f64
}

fn step_ns(time: &Timing) -> f64 {
    ns(time.step, time.records)
}

/// The middle one; 0 of none.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

fn text(out: &mut impl Write, rows: &[Row], against: Option<&Path>) -> std::io::Result<()> {
    for row in rows {
        writeln!(out, "{}", tamis_config::escaped(&row.case))?;
        line(out, "now", &row.now)?;
        if let Some((before, ratio)) = &row.before {
            line(out, "before", before)?;
            writeln!(out, "  ratio   {ratio:.2} of the time before, in the step")?;
        }
    }
    match against {
        Some(path) => writeln!(out, "before: {}", tamis_config::escaped(&path.display().to_string())),
        None => writeln!(out, "no previous build to compare with; `--against FILE` names one"),
    }
}

fn line(out: &mut impl Write, name: &str, measured: &Measured) -> std::io::Result<()> {
    let Measured { step_ns, all_ns, init, memory_bytes, bytes } = measured;
    let (rate, init) = (1e9 / all_ns.max(1e-9), init.as_secs_f64() * 1e3);
    writeln!(
        out,
        "  {name:<7} {step_ns:.0} ns a record in the step, {all_ns:.0} ns with scan and encoding ({rate:.0} records/s), init {init:.2} ms, memory {} KiB, component {} KiB",
        memory_bytes / 1024,
        bytes / 1024
    )
}

fn json(name: &str, rows: &[Row], against: Option<&Path>, desk: &Desk) -> serde_json::Value {
    let measured = |measured: &Measured| {
        json!({
            "step_ns": measured.step_ns, "record_ns": measured.all_ns, "records_per_second": 1e9 / measured.all_ns.max(1e-9),
            "init_seconds": measured.init.as_secs_f64(), "memory_bytes": measured.memory_bytes, "component_bytes": measured.bytes,
        })
    };
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let (before, ratio) = match &row.before {
                Some((before, ratio)) => (measured(before), json!(ratio)),
                None => (serde_json::Value::Null, serde_json::Value::Null),
            };
            json!({ "case": row.case, "now": measured(&row.now), "before": before, "ratio": ratio })
        })
        .collect();
    let limits = desk.limits();
    json!({
        "plugin": name, "against": against, "measured": rows,
        "limits": { "memory_bytes": limits.memory_bytes, "deadline_seconds": limits.deadline.as_secs_f64() },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_are_full_and_come_round() {
        let built = batches(&[b"{}".as_slice(), b"[1]", b"{\"a\":1}"], 10_000);
        assert_eq!(built.len(), 3);
        assert!(built.iter().all(|batch| batch.rows.len() == 1024));
        assert_ne!(built[0].get(0), built[1].get(0));
        assert_eq!(batches(&[b"{}".as_slice()], 1).len(), 1);
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!(median(Vec::new()).abs() < 1e-9);
    }
}
