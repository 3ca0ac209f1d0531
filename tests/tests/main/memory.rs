//! Memory at its peak.

use std::process::Command;
use tamis_tests::harness::{Site, eventually, settled};

const COUNT: usize = 300_000;
const PEAK_BYTES_MAX: u64 = 96 << 20;

/// The gateway sample's pipeline on records of the demo source, two lanes.
#[test]
fn two_lanes_and_four_plugins_stay_below_96_mebibytes() {
    let site = Site::new();
    site.config(&format!(
        "sources: {{ in: {{ type: demo, rate: unlimited, count: {COUNT} }} }}\npipelines: {{ main: {{ from: [in], to: [out] }} }}\nsinks: {{ out: {{ type: file, path: input.ndjson }} }}"
    ));
    assert_eq!(site.delivered().flow("main").out, COUNT as u64);
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let sample = std::fs::read_to_string(root.join("samples/gateway/pipeline.yaml")).unwrap();
    let sample = sample.replace("../../target/plugins/", &format!("{}/", tamis_tests::harness::plugin("drop").parent().unwrap().display()));
    let (sample, _) = sample.split_once("\nsettings:").unwrap();
    site.write("gateway.yaml", format!("{sample}\nsettings: {{ admin: 'unix:admin.sock', lanes: 2 }}\n"));
    let mut command = site.command(["run", "-c", "gateway.yaml", "--report", "0", "--output", "json"]);
    // Followed and not `--once`: the peak of a process that has ended cannot be read.
    command.env("TAMIS_INPUT", "input.ndjson").env("TAMIS_OUT", "out");
    let mut live = tamis_tests::harness::Live::start(command);
    eventually("everything is settled", || {
        assert!(live.runs(), "{}", live.err());
        settled(&site.path("admin.sock"), "gateway") == COUNT as u64
    });
    let peak = live.memory_bytes_peak();
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let flow = run.report().conserved().flow("main");
    assert_eq!(flow.taken, COUNT as u64);
    let lines: usize = ["calls", "errors"].iter().map(|n| count(&site, n)).sum();
    assert_eq!(lines as u64, flow.out);
    assert!(peak <= PEAK_BYTES_MAX, "{} MiB at the peak", peak >> 20);
}

fn count(site: &Site, name: &str) -> usize {
    let out = Command::new("wc").arg("-l").arg(site.path(&format!("out/{name}.ndjson"))).output().unwrap();
    String::from_utf8(out.stdout).unwrap().split(' ').next().unwrap().parse().unwrap()
}
