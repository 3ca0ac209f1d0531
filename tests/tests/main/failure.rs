//! `on_failure` in its five forms.

use tamis_tests::harness::{Report, Run, Site};

const INPUT: &str = "{\"n\":0,\"message\":\"m0\",\"a\":\"old\",\"j\":1}\n{\"n\":1,\"message\":\"poison\",\"a\":\"old\",\"j\":1,\"b\":true}\n{\"n\":2,\"message\":\"m2\"}\n";
const BEFORE: &str = "{\"n\":0,\"message\":\"m0\",\"a\":\"m0!\",\"j\":1}";
const AFTER: &str = "{\"n\":2,\"message\":\"m2\",\"a\":\"m2!\"}";
const POISON: &str = "{\"n\":1,\"message\":\"poison\",\"a\":\"old\",\"j\":1,\"b\":true}";

/// Runs `trap poison` with this on the plugin and this on the step.
fn run(plugin: &str, step: &str) -> (Site, Run) {
    let config = format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  h: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [a, i, f, b, j, .] }}, config: trap poison{plugin} }}
pipelines:
  main: {{ from: [in], steps: [ {{ plugin: h{step} }} ], to: {{ default: [out], errors: [out] }}, dead_letters: [failed] }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}"
    );
    let site = Site::with(&config, INPUT);
    let run = site.once();
    (site, run)
}

/// Runs it in both places where it can be written.
fn each(form: &str, check: impl Fn(&Site, Run)) {
    let written = format!(", on_failure: {form}");
    for (plugin, step) in [(written.as_str(), ""), ("", written.as_str()), (", on_failure: pass", written.as_str())] {
        let (site, run) = run(plugin, step);
        check(&site, run);
    }
}

fn counts(report: &Report) -> (u64, u64, u64, u64) {
    let flow = report.flow("main");
    (flow.taken, flow.out, flow.dropped, flow.rejected)
}

#[test]
fn dead_letter_is_the_default() {
    for (site, run) in [run("", ""), run(", on_failure: dead_letter", ""), run(", on_failure: drop", ", on_failure: dead_letter")] {
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(counts(&run.report().conserved()), (3, 2, 0, 1));
        assert_eq!(site.lines("out.ndjson"), [BEFORE, AFTER]);
        let letters = site.letters("failed.ndjson");
        assert_eq!((letters.len(), letters[0].record(), letters[0].cause()), (1, POISON, "trap"));
    }
}

#[test]
fn drop() {
    each("drop", |site, run| {
        assert_eq!(run.code, Some(0), "{run}");
        let report = run.report().conserved();
        assert_eq!(counts(&report), (3, 2, 1, 0));
        assert_eq!(report.step("main", "h")["failed_calls"]["trap"].as_u64().map(|n| n > 0), Some(true), "a drop is counted by cause");
        assert_eq!(site.lines("out.ndjson"), [BEFORE, AFTER]);
        assert_eq!(site.lines("failed.ndjson"), [""; 0]);
    });
}

#[test]
fn pass() {
    each("pass", |site, run| {
        assert_eq!(run.code, Some(0), "{run}");
        assert_eq!(counts(&run.report().conserved()), (3, 3, 0, 0));
        assert_eq!(site.lines("out.ndjson"), [BEFORE, POISON, AFTER]);
        assert_eq!(site.lines("failed.ndjson"), [""; 0]);
    });
}

/// A redactor's own failure: the value is longer than it looks at.
#[test]
fn blank() {
    for (fields, grant, left) in [
        ("[message]", "[message]", "{\"n\":1,\"a\":1}"),
        ("[message, a.b]", "[message, a]", "{\"n\":1,\"a\":1}"),
        ("[message, a]", "[.]", "{\"n\":1}"),
    ] {
        let config = format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  redact: {{ component: PLUGIN(redact), grant: {{ read: {grant}, write: {grant} }}, config: {{ fields: {fields}, max_value_bytes: 1024 }}, on_failure: blank }}
pipelines: {{ main: {{ from: [in], steps: [ {{ plugin: redact }} ], to: [out], dead_letters: [failed] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}"
        );
        let input =
            format!("{{\"n\":0,\"message\":\"a@mail.example\"}}\n{{\"n\":1,\"message\":\"{}\",\"a\":1}}\n{{\"n\":2}}\n", "x".repeat(5_000));
        let site = Site::with(&config, input);
        let report = site.delivered();
        assert_eq!((counts(&report), site.letters("failed.ndjson").len()), ((3, 3, 0, 0), 0), "{fields}");
        assert_eq!(report.step("main", "redact")["rejected"], 1, "a blanked record is counted as failed");
        assert_eq!(site.lines("out.ndjson"), ["{\"n\":0,\"message\":\"[email]\"}", left, "{\"n\":2}"], "{fields}");
    }
}

/// Nothing would be left of a record that the step may write as a whole.
#[test]
fn blank_of_a_whole_record_is_refused() {
    each("blank", |site, run| {
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.err.contains("E217") && run.err.contains("use `drop`"), "{run}");
        assert_eq!((site.lines("out.ndjson").len(), site.lines("failed.ndjson").len()), (0, 0));
    });
}

#[test]
fn halt() {
    each("halt", |site, run| {
        assert_eq!(run.code, Some(4), "{run}");
        assert!(run.err.contains("step `h` of pipeline `main` failed") && run.err.contains("trap"), "{run}");
        let report = run.report();
        assert_eq!(report.source("in"), (0, 3), "{}", report.0);
        assert_eq!((site.lines("out.ndjson").len(), site.lines("failed.ndjson").len()), (0, 0));
    });
}
