//! Signals, and sinks that do not take what they are given.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;
use tamis_tests::harness::{Live, Site, eventually};

fn numbered(count: usize) -> String {
    (0..count).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(200));
        text
    })
}

const FOLLOW: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], steps: [ { vrl: .seen = true } ], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }";

#[test]
fn sigterm_while_following_drains_and_is_success() {
    let site = Site::with(FOLLOW, numbered(50_000));
    let live = site.start(["run", "--report", "0", "--output", "json"]);
    eventually("some records", || site.path("out.ndjson").metadata().is_ok_and(|m| m.len() > 0));
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let report = run.report().conserved();
    let lines = site.lines("out.ndjson");
    assert_eq!(report.flow("main").out as usize, lines.len());
    assert_eq!(report.source("in").0 as usize, lines.len());
    assert!(
        lines.iter().enumerate().all(|(n, line)| line.starts_with(&format!("{{\"n\":{n},")) && line.ends_with(",\"seen\":true}")),
        "whole records from the first on, in order"
    );
    assert!(run.err.contains("SIGTERM"), "{run}");
}

#[test]
fn sigint_while_reading_is_130() {
    let site = Site::with(FOLLOW, numbered(50_000));
    let live = site.start(["run", "--report", "0", "--output", "json"]);
    eventually("some records", || site.path("out.ndjson").metadata().is_ok_and(|m| m.len() > 0));
    live.signal("INT");
    let run = live.wait();
    assert_eq!(run.code, Some(130), "{run}");
    assert_eq!(run.report().conserved().flow("main").out as usize, site.lines("out.ndjson").len());
}

#[test]
fn a_demo_without_end_stops() {
    for rate in ["unlimited", "5"] {
        let site = Site::new();
        site.config(&format!("sources: {{ in: {{ type: demo, rate: {rate} }} }}\npipelines: {{ main: {{ from: [in], to: [out] }} }}\nsinks: {{ out: {{ type: file, path: out.ndjson }} }}"));
        let live = site.start(["run", "--report", "0", "--output", "json"]);
        eventually("some records", || site.path("out.ndjson").metadata().is_ok_and(|m| m.len() > 0));
        live.signal("TERM");
        let run = live.wait();
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(run.report().conserved().flow("main").out as usize, site.lines("out.ndjson").len());
    }
}

#[test]
fn a_run_to_the_end_that_did_not_get_there_says_so() {
    for (signal, code) in [("TERM", 4), ("INT", 130)] {
        let site = Site::new();
        site.config("sources: { in: { type: demo, rate: 50 } }\npipelines: { main: { from: [in], to: [out] } }\nsinks: { out: { type: file, path: out.ndjson } }");
        let live = site.start(["run", "--once", "--report", "0", "--output", "json"]);
        eventually("some records", || site.path("out.ndjson").metadata().is_ok_and(|m| m.len() > 0));
        live.signal(signal);
        let run = live.wait();
        assert_eq!(run.code, Some(code), "{run}");
        assert!(run.err.contains("before the end of the input"), "{run}");
        assert_eq!(run.report().conserved().flow("main").out as usize, site.lines("out.ndjson").len());
    }
}

/// Starts a host whose standard output is a pipe that nobody reads.
fn stuck(timeout: &str) -> (Site, Live, BufReader<std::io::PipeReader>) {
    let config = format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: stdout }} }}
settings: {{ admin: off, lanes: 2, shutdown_timeout: {timeout} }}"
    );
    let site = Site::with(&config, numbered(20_000));
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = site.command(["run"]);
    command.stdout(Stdio::from(writer));
    let live = Live::start(command);
    let mut reader = BufReader::with_capacity(1, reader);
    assert!(!reader.fill_buf().unwrap().is_empty(), "it writes");
    // Long enough that the pipe is full: it takes 64 KiB.
    std::thread::sleep(Duration::from_millis(500));
    (site, live, reader)
}

#[test]
fn a_reader_that_does_not_read_cannot_hold_a_stop_up_beyond_its_time() {
    let (_site, mut live, _reader) = stuck("1s");
    assert!(live.runs());
    live.signal("TERM");
    assert!(live.ends_within(Duration::from_secs(10)), "still running 10 s after SIGTERM with `shutdown_timeout: 1s`: {}", live.err());
    let run = live.wait();
    assert_eq!(run.code, Some(4), "{run}");
    assert!(run.err.contains("records were read and not delivered"), "{run}");
}

#[test]
fn a_second_signal_ends_a_host_whose_reader_does_not_read() {
    let (_site, mut live, _reader) = stuck("1h");
    live.signal("TERM");
    live.says("SIGTERM");
    live.signal("TERM");
    assert!(live.ends_within(Duration::from_secs(10)), "still running 10 s after the second SIGTERM: {}", live.err());
    assert_eq!(live.wait().code, Some(4));
}

#[test]
fn a_slow_reader_gets_everything_in_order() {
    use std::io::Read;
    let (_site, live, mut reader) = stuck("30s");
    let mut text = String::new();
    let input = numbered(20_000);
    let mut some = vec![0; 1 << 16];
    while text.len() < input.len() {
        let count = reader.read(&mut some).unwrap();
        assert!(count > 0, "ended early");
        text.push_str(std::str::from_utf8(&some[..count]).unwrap());
    }
    assert!(text == input);
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}
