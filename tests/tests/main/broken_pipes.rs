//! Readers that go away: a sink's, and those of what the commands print.

use std::process::Stdio;
use tamis_tests::harness::{Live, Site, eventually, pipe_through};

const TO_STDOUT: &str = "
sources: { in: { type: demo, rate: unlimited } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: stdout } }";

#[test]
fn the_standard_output_sink_ends_with_its_reader() {
    let site = Site::new();
    site.config(TO_STDOUT);
    let run = pipe_through(site.command(["run"]), 4096);
    // As with any filter: whoever read has had enough.
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!run.err.contains("internal fault"), "{run}");
    assert!(run.out.starts_with(b"{\""), "{run}");
}

#[test]
fn commands_end_quietly_with_the_reader_of_their_output() {
    let site = Site::new();
    site.config(TO_STDOUT);
    for arguments in [&["schema"][..], &["completions", "bash"], &["explain"], &["explain", "--output", "json"]] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = site.command(arguments);
        command.stdout(Stdio::from(writer));
        let run = Live::start(command).wait();
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{arguments:?}: {run}");
    }
}

#[test]
fn a_reader_of_standard_error_that_went_away_changes_no_exit_code() {
    let site = Site::new();
    site.config("suorces: {}");
    for (arguments, code) in [(&["check"][..], 2), (&["run"], 2), (&["explain"], 2), (&["explain", "--output", "json"], 2)] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = site.command(arguments);
        command.stderr(Stdio::from(writer));
        let run = Live::start(command).wait();
        assert_eq!(run.code, Some(code), "{arguments:?}: {run}");
    }
}

/// A sink that is not the one whose reader went: what it did not get is not called success.
#[test]
fn another_sink_is_served_or_the_loss_is_told() {
    const COUNT: usize = 50_000;
    let site = Site::with(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [screen, archive] } }
sinks: { screen: { type: stdout }, archive: { type: file, path: archive.ndjson } }",
        (0..COUNT).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>(),
    );
    let run = pipe_through(site.command(["run", "--once"]), 1024);
    let archived = site.lines("archive.ndjson").len();
    assert!(run.code == Some(4) || archived == COUNT, "{archived} of {COUNT} records are archived: {run}");
}

const FILE_TO_SCREEN: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [screen], dead_letters: [failed] } }
sinks: { screen: { type: stdout }, failed: { type: file, path: failed.ndjson } }";

fn numbered(count: usize) -> String {
    (0..count).map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(100))).collect()
}

fn number(line: &str) -> Option<usize> {
    serde_json::from_str::<serde_json::Value>(line).ok()?["n"].as_u64().and_then(|n| usize::try_from(n).ok())
}

/// `tamis run | head`: ends as a filter does, and a later run begins no further than what was written. A sink for dead letters alone does
/// not hold it up.
#[test]
fn a_file_is_read_on_where_its_reader_left() {
    let site = Site::with(FILE_TO_SCREEN, numbered(100_000));
    let head = pipe_through(site.command(["run"]), 1);
    assert_eq!((head.code, head.err.contains("ERROR")), (Some(0), false), "{head}");
    let most = pipe_through(site.command(["run"]), 4_000_000);
    assert_eq!(most.code, Some(0), "{most}");
    let read: Vec<usize> = String::from_utf8_lossy(&most.out).lines().filter_map(number).collect();
    let rest = site.run(["run", "--once"]);
    assert_eq!(rest.code, Some(0), "{rest}");
    let rest: Vec<usize> = rest.text().lines().filter_map(number).collect();
    // What is in the pipe (64 KiB) when its reader goes is gone, and nobody can know.
    let first = rest[0];
    assert!(first <= read[read.len() - 1] + 1 + 65_536 / 110, "{first} after {}", read[read.len() - 1]);
    assert_eq!(rest, (first..100_000).collect::<Vec<_>>());
    assert!(site.letters("failed.ndjson").is_empty());
}

/// Where others are to be served as well, the host says what happened and ends; the next run brings what is missing.
#[test]
fn a_host_with_other_sinks_says_that_a_reader_went() {
    let yaml = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [screen, archive] } }
sinks: { screen: { type: stdout }, archive: { type: file, path: archive.ndjson } }";
    let site = Site::with(yaml, numbered(50_000));
    let run = pipe_through(site.command(["run"]), 1_024);
    assert_eq!(run.code, Some(4), "{run}");
    assert!(run.err.contains("sink `screen`: whoever read its output has gone"), "{run}");
    let again = site.run(["run", "--once"]);
    assert_eq!(again.code, Some(0), "{again}");
    let shown: Vec<usize> = again.text().lines().filter_map(number).collect();
    assert_eq!(shown.last(), Some(&49_999));
    assert!(shown[0] <= (1_024 + 65_536) / 110, "{}", shown[0]);
    let archived: std::collections::BTreeSet<usize> = site.lines("archive.ndjson").iter().filter_map(|line| number(line)).collect();
    assert_eq!(archived.len(), 50_000);
}

/// The host's log is read by a program that may die; the records go on.
#[test]
fn a_host_outlives_the_reader_of_its_log() {
    let site = Site::with(
        "
sources: { in: { type: file, paths: ['*.ndjson'] } }
plugins: { h: { component: PLUGIN(hostile), grant: { read: [message], write: [.] }, config: log-flood poison } }
pipelines: { main: { from: [in], steps: [ { plugin: h } ], to: { default: [out], errors: [out] } } }
sinks: { out: { type: file, path: out/records } }",
        "{\"message\":\"quiet\"}\n",
    );
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = site.command(["run"]);
    command.stderr(Stdio::from(writer));
    let mut live = Live::start(command);
    eventually("the first record", || site.lines("out/records").len() == 1);
    drop(reader);
    site.write("second.ndjson", "{\"message\":\"poison\"}\n");
    eventually("the second record", || site.lines("out/records").len() == 2 || !live.runs());
    site.write("third.ndjson", "{\"message\":\"poison\"}\n");
    eventually("the third record", || site.lines("out/records").len() == 3 || !live.runs());
    assert!(live.runs(), "it died of its log");
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}
