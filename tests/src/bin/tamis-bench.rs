//! `make bench`: see `tamis_tests::bench`.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use tamis_plugin::Records as PluginRecords;
use tamis_tests::bench::rig::{Rig, Vrl, batches, native, rounds, sandbox, sandboxed, vrl};
use tamis_tests::bench::table::{Row, print};
use tamis_tests::bench::{la_poste, median, programs, sizing};

const ROUNDS: usize = 9;
const BATCHES: usize = 24;

/// Text fields that every record has, and a few that most have: what the identity plugin reads.
const FIELDS: [&str; 14] = [
    "ApiOwner",
    "AppliOwner",
    "ApiName",
    "destination.url.path",
    "ApiVersion",
    "SourceAppel",
    "Origine",
    "APIMStatus",
    "CORRELATION_ID",
    "ApplicationName",
    "destination.http.method",
    "destination.name",
    "userAgent",
    "message",
];

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the package has no parent folder")?.to_path_buf();
    if std::env::args().any(|a| a == "--sizing") {
        let input = gateway_input(&root)?;
        let gateway = root.join("target/bench/nowhere.yaml");
        std::fs::write(&gateway, into_nothing(&std::fs::read_to_string(root.join("samples/gateway/pipeline.yaml"))?))?;
        return sizing::table(&root, &input, &gateway);
    }
    let quick = std::env::args().any(|a| a == "--quick");
    let rounds = if quick { 2 } else { ROUNDS };
    println!("ratios of medians over {rounds} rounds, variants in turn; CPU time; 1,024 records a batch, about 590 bytes a record\n");
    std::fs::create_dir_all(root.join("target/bench"))?;
    let mut rows = Vec::new();
    let mut tell = |row: Row| {
        print(&row);
        rows.push(row);
    };
    if !std::env::args().any(|a| a == "--whole") {
        inside(&root, rounds, &mut tell)?;
    }
    if !std::env::args().any(|a| a == "--inside") {
        whole(&root, if quick { 1 } else { 5 }, &mut tell)?;
        let tamis = std::env::current_exe()?.with_file_name("tamis");
        la_poste::rows(&root, &tamis, if quick { 1 } else { 5 })?.into_iter().for_each(&mut tell);
    }
    let missed = rows.iter().filter(|r| r.met() == Some(false)).count();
    println!(
        "\n{} of {} goals met",
        rows.iter().filter(|r| r.met().is_some()).count() - missed,
        rows.iter().filter(|r| r.met().is_some()).count()
    );
    Ok(())
}

/// The four plugins' configurations, as the sample has them.
fn configs(root: &Path) -> Result<Value> {
    let (config, findings) = tamis_config::Config::load(&[root.join("samples/gateway/pipeline.yaml")], &tamis_config::ProcessEnvironment);
    let config = config.with_context(|| findings.render(false))?;
    Ok(config.plugins.iter().map(|(name, plugin)| (name.clone(), plugin.value.config.clone())).collect::<serde_json::Map<_, _>>().into())
}

fn inside(root: &Path, count: usize, tell: &mut dyn FnMut(Row)) -> Result<()> {
    let components = root.join("target/plugins");
    let configs = configs(root)?;
    let sandbox = sandbox()?;
    let plain = batches(BATCHES, |record, out| out.extend_from_slice(record));
    let names = ["drop", "tenant", "redact", "route"];
    let four = || names.iter().map(|n| sandboxed(&sandbox, &components, n, &configs[n])).collect::<Result<Vec<_>>>().and_then(Rig::new);
    let four_native = || {
        Rig::new(vec![
            native::<tamis_plugin_drop::Drop>(&configs["drop"])?,
            native::<PluginRecords<tamis_plugin_tenant::Tenant>>(&configs["tenant"])?,
            native::<tamis_plugin_redact::Redact>(&configs["redact"])?,
            native::<PluginRecords<tamis_plugin_route::Route>>(&configs["route"])?,
        ])
    };
    let ratio = |times: &[Vec<(f64, f64)>], a: usize, b: usize| median(times[a].iter().zip(&times[b]).map(|(a, b)| a.0 / b.0).collect());

    let mut rigs = [four()?, four_native()?];
    let times = rounds(count, &[&plain, &plain], &mut rigs);
    assert_eq!(rigs[0].outputs(), rigs[1].outputs(), "sandboxed and native disagree");
    tell(Row {
        name: "(a) four plugins: sandboxed / the same compiled in".into(),
        value: ratio(&times, 0, 1),
        unit: "×",
        goal: Some(("<=", 1.25)),
    });
    let steps = median(times[0].iter().zip(&times[1]).map(|(a, b)| a.1 / b.1).collect());
    tell(Row { name: "    of which inside the steps alone".into(), value: steps, unit: "×", goal: None });
    tell(Row {
        name: "    the whole, sandboxed, from memory to memory".into(),
        value: median(times[0].iter().map(|t| t.0).collect()),
        unit: "ns",
        goal: None,
    });

    let identity =
        |n: usize| sandboxed(&sandbox, &components, "identity", &json!({ "reads": FIELDS[..n] })).and_then(|s| Rig::new(vec![s]));
    let mut rigs = [Rig::new(vec![])?, identity(0)?, identity(3)?, identity(14)?];
    let times = rounds(count, &[&plain, &plain, &plain, &plain], &mut rigs);
    let above = |n: usize| median(times[n].iter().zip(&times[0]).map(|(a, b)| a.0 - b.0).collect());
    tell(Row {
        name: "(b) no step at all: validate and copy".into(),
        value: median(times[0].iter().map(|t| t.0).collect()),
        unit: "ns",
        goal: None,
    });
    for (n, fields, goal) in [(1, 0, None), (2, 3, Some(("<=", 40.0))), (3, 14, None)] {
        tell(Row { name: format!("    identity of {fields} fields above it, a record"), value: above(n), unit: "ns", goal });
    }

    let wide = batches(BATCHES, widen);
    let mut rigs = [four()?, four()?];
    let times = rounds(count, &[&wide, &plain], &mut rigs);
    tell(Row {
        name: "(c) records of twice the width, unread fields".into(),
        value: ratio(&times, 0, 1),
        unit: "×",
        goal: Some(("<=", 1.3)),
    });

    let tenants = serde_json::to_string(&configs["tenant"]["owners"])?;
    let tenant_program = format!("owners = {tenants}\n.tenant = get!(owners, [downcase(string!(.ApiOwner))])");
    let one = |name: &str| sandboxed(&sandbox, &components, name, &configs[name]).and_then(|s| Rig::new(vec![s]));
    let pairs: [(&str, &str, Vrl<'_>); 3] = [
        ("drop", "filter", Vrl::Filter(".destination.http.method != \"OPTIONS\"")),
        ("tenant", "vrl", Vrl::Program(&tenant_program)),
        (
            "route",
            "route",
            Vrl::Route(&[("throttle", ".ErrorCode >= 900800 && .ErrorCode < 900900"), ("errors", ".HTTP_ReturnCode >= 400")]),
        ),
    ];
    for (plugin, name, program) in &pairs {
        let mut rigs = [Rig::new(vec![])?, Rig::new(vec![vrl(program)?])?, one(plugin)?];
        let times = rounds(count, &[&plain, &plain, &plain], &mut rigs);
        let value = median(times[1].iter().zip(&times[2]).zip(&times[0]).map(|((v, p), n)| (v.0 - n.0) / (p.0 - n.0)).collect());
        tell(Row { name: format!("(f) VRL `{name}` step / sandboxed plugin `{plugin}`, above no step"), value, unit: "×", goal: None });
    }
    Ok(())
}

/// As many unread bytes again, in fields like the record's own.
fn widen(record: &[u8], out: &mut Vec<u8>) {
    let text = String::from_utf8_lossy(record);
    let inner = text.trim_start_matches('{');
    // The same members under other names: every name begins with `"` behind `{` or `,`.
    let renamed = inner.trim_end_matches('}').replace(",\"", ",\"x_");
    let nested = renamed.matches('{').count().saturating_sub(renamed.matches('}').count());
    out.extend_from_slice(format!("{{\"x_{}{},{inner}", renamed.trim_start_matches('"'), "}".repeat(nested)).as_bytes());
}

/// The sample's configuration, for `target/bench`, with sinks that take records and forget them.
fn into_nothing(sample: &str) -> String {
    let line = |line: &str| match line.split_once("{ type: file, path:") {
        Some((name, _)) => format!("{name}{{ type: \"null\" }}\n"),
        None => format!("{line}\n"),
    };
    sample.replace("../../target/plugins/", "../plugins/").lines().map(line).collect()
}

/// A million made-up records of a gateway.
fn gateway_input(root: &Path) -> Result<PathBuf> {
    let tamis = std::env::current_exe()?.with_file_name("tamis");
    let folder = root.join("target/bench");
    std::fs::create_dir_all(&folder)?;
    let input = folder.join("gateway.ndjson");
    if !input.exists() {
        let made = folder.join("making.ndjson");
        let _ = std::fs::remove_file(&made);
        let status = Command::new(tamis)
            .args(["--log", "error", "run", "--once", "-c", "samples/gateway/generate.yaml"])
            .current_dir(root)
            .env("DEMO_RECORDS", "1000000")
            .env("DEMO_FILE", &made)
            .status()?;
        anyhow::ensure!(status.success(), "the input cannot be made");
        std::fs::rename(made, &input)?;
    }
    Ok(input)
}

fn whole(root: &Path, count: usize, tell: &mut dyn FnMut(Row)) -> Result<()> {
    let bin = std::env::current_exe()?.parent().context("the program stands nowhere")?.to_path_buf();
    let folder = root.join("target/bench");
    let input = gateway_input(root)?;
    let out = folder.join("out");
    let sample = root.join("samples/gateway/pipeline.yaml");
    let nowhere = folder.join("nowhere.yaml");
    std::fs::write(&nowhere, into_nothing(&std::fs::read_to_string(&sample)?))?;
    let run = |config: &Path, lanes: &str, input: &PathBuf, cores: Option<&str>| {
        let _ = std::fs::remove_dir_all(&out);
        let mut command = match cores {
            Some(_) => Command::new("taskset"),
            None => Command::new(bin.join("tamis")),
        };
        if let Some(cores) = cores {
            command.args(["-c", cores]).arg(bin.join("tamis"));
        }
        command.args(["--log", "error", "run", "--once", "--again", "-c"]).arg(config).current_dir(root);
        command.env("TAMIS_INPUT", input).env("TAMIS_OUT", &out).env("TAMIS_LANES", lanes);
        programs::measure(&mut command)
    };
    let tamis = |lanes: &str, input: &PathBuf| run(&sample, lanes, input, None);
    let other = |name: &str| {
        // Nobody pays for clearing away what the run before wrote.
        let outputs = ["default.ndjson", "errors.ndjson"].map(|f| folder.join(f));
        for output in &outputs {
            let _ = std::fs::remove_file(output);
        }
        let mut command = Command::new(bin.join(name));
        command.current_dir(root).arg(&input).args(&outputs);
        programs::measure(&mut command)
    };
    tamis("2", &input)?;
    let (mut one, mut two, mut serde, mut hand) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let (mut one_nowhere, mut two_nowhere, mut one_core) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..count {
        one_nowhere.push(run(&nowhere, "1", &input, None)?);
        two_nowhere.push(run(&nowhere, "2", &input, None)?);
        one_core.push(run(&sample, "1", &input, Some("0"))?);
        two.push(tamis("2", &input)?);
        hand.push(other("native_gateway")?);
        one.push(tamis("1", &input)?);
        serde.push(other("serde_gateway")?);
    }
    let pairs = |a: &[programs::Cost], b: &[programs::Cost], f: fn(&programs::Cost) -> f64| {
        median(a.iter().zip(b).map(|(a, b)| f(a) / f(b)).collect())
    };
    let lanes = |a: &[programs::Cost], b: &[programs::Cost]| pairs(a, b, |c| c.wall);
    tell(Row {
        name: "(d) 1,000,000 records file to null, time with 1 lane / 2 lanes".into(),
        value: lanes(&one_nowhere, &two_nowhere),
        unit: "×",
        goal: Some((">=", 1.7)),
    });
    tell(Row {
        name: "    file to two files: 1 lane on 1 core / 2 lanes on 2 cores".into(),
        value: lanes(&one_core, &two),
        unit: "×",
        goal: None,
    });
    tell(Row { name: "    file to two files: 1 lane / 2 lanes, both on 2 cores".into(), value: lanes(&one, &two), unit: "×", goal: None });
    tell(Row {
        name: "(e) the same, CPU time: tamis / plain serde_json loop".into(),
        value: pairs(&two, &serde, |c| c.cpu),
        unit: "×",
        goal: Some(("<=", 0.5)),
    });
    tell(Row {
        name: "    CPU time: tamis / by hand, no framework and no sandbox".into(),
        value: pairs(&two, &hand, |c| c.cpu),
        unit: "×",
        goal: Some(("<=", 2.0)),
    });
    tell(Row {
        name: "    peak memory with 2 lanes".into(),
        value: two.iter().map(|c| c.memory).fold(0.0, f64::max),
        unit: "MiB",
        goal: Some(("<=", 96.0)),
    });
    let first = folder.join("one.ndjson");
    let text = std::fs::read(&input)?;
    let end = text.iter().position(|b| *b == b'\n').map_or(text.len(), |at| at + 1);
    std::fs::write(&first, &text[..end])?;
    let starts: Vec<f64> = (0..count.max(3)).map(|_| tamis("2", &first).map(|c| 1000.0 * c.wall)).collect::<Result<_>>()?;
    tell(Row { name: "    warm start, one record and end".into(), value: median(starts), unit: "ms", goal: Some(("<=", 100.0)) });
    Ok(())
}
