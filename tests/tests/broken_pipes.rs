//! Readers that go away: a sink's, and those of what the commands print.

use std::process::Stdio;
use tamis_tests::harness::{Live, Site, pipe_through};

const TO_STDOUT: &str = "
sources: { in: { type: demo, rate: unlimited } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: stdout } }";

#[test]
fn the_standard_output_sink_ends_with_its_reader() {
    let site = Site::new();
    site.config(TO_STDOUT);
    let run = pipe_through(site.command(["run"]), 4096);
    // The source has no end, so something was read that nobody took: 4, and never a panic or a hang.
    assert!(matches!(run.code, Some(0 | 4)), "{run}");
    assert!(!run.err.contains("panicked"), "{run}");
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
