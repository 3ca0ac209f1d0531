//! Sources and codecs, and the ways from pipeline to pipeline and to several sinks.

use std::io::Write;
use std::process::Stdio;
use tamis_tests::harness::{Live, Site, base64, eventually};

#[test]
fn text_becomes_messages() {
    let config = "
sources: { in: { type: file, paths: [input.txt], codec: text } }
pipelines: { main: { from: [in], steps: [ { vrl: '.n = length(string!(.message))' } ], to: [out], dead_letters: [failed] } }
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: failed.ndjson } }";
    let site = Site::with(config, "");
    let lines: [&[u8]; 6] =
        [b"plain", b"say \"hi\"\\ \t\x01\x1b[31m\x00", "é€𝄞\u{2028}".as_bytes(), b"\xff\xfe", b"{\"json\":\"too\"}", b" "];
    site.write("input.txt", lines.join(&b'\n'));
    let report = site.delivered();
    assert_eq!((report.flow("main").out, report.dead("main", "decode")), (5, 1));
    let out: Vec<serde_json::Value> = site.lines("out.ndjson").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let messages: Vec<&str> = out.iter().map(|record| record["message"].as_str().unwrap()).collect();
    assert_eq!(messages, ["plain", "say \"hi\"\\ \t\u{1}\u{1b}[31m\0", "é€𝄞\u{2028}", "{\"json\":\"too\"}", " "]);
    assert_eq!(out[0]["n"], 5);
    assert_eq!(site.letters("failed.ndjson")[0].value["record"], base64(b"\xff\xfe"));
    assert!(!site.read("out.ndjson").contains(&0x1b), "nothing raw");
}

const STDIN: &str = "
sources: { in: { type: stdin } }
pipelines: { main: { from: [in], steps: [ { filter: .n != 2 } ], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }";

#[test]
fn standard_input_to_its_end() {
    let site = Site::with(STDIN, "");
    let run = site.once_with(b"{\"n\":1}\n{\"n\":2}\r\n\n{\"n\":3}");
    assert_eq!(run.code, Some(0), "{run}");
    let flow = run.report().conserved().flow("main");
    assert_eq!((flow.taken, flow.out, flow.dropped), (3, 2, 1));
    assert_eq!(site.read("out.ndjson"), b"{\"n\":1}\n{\"n\":3}\n");
    // Nothing at all.
    let run = site.once_with(b"");
    assert_eq!((run.code, run.report().conserved().flow("main").taken), (Some(0), 0), "{run}");
    // Much.
    let site = Site::with(STDIN, "");
    let input: String = (3..100_003).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let run = site.once_with(input.as_bytes());
    assert_eq!(run.code, Some(0), "{run}");
    assert!(site.read("out.ndjson") == input.as_bytes());
}

#[test]
fn standard_input_line_by_line() {
    let site = Site::with(STDIN, "");
    let mut command = site.command(["run"]);
    command.stdin(Stdio::piped());
    let mut live = Live::start(command);
    let mut stdin = live.stdin.take().unwrap();
    for n in [1, 3, 4] {
        write!(stdin, "{{\"n\":{n}}}\n{{\"n\"").unwrap();
        eventually("a line is delivered before the next one comes", || {
            site.lines("out.ndjson").last().is_some_and(|line| *line == format!("{{\"n\":{n}}}"))
        });
        // The half line becomes a whole one.
        stdin.write_all(b":2}\n").unwrap();
    }
    // The end of standard input ends the host, which has no other source.
    drop(stdin);
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.lines("out.ndjson").len(), 3);
}

#[test]
fn standard_input_that_does_not_end_does_not_hold_a_stop_up() {
    for (signal, code) in [("TERM", 0), ("INT", 130)] {
        let site = Site::with(STDIN, "");
        let mut command = site.command(["run"]);
        command.stdin(Stdio::piped());
        let mut live = Live::start(command);
        let mut stdin = live.stdin.take().unwrap();
        stdin.write_all(b"{\"n\":1}\n").unwrap();
        eventually("the record", || site.lines("out.ndjson").len() == 1);
        live.signal(signal);
        let run = live.wait();
        assert_eq!(run.code, Some(code), "{run}");
        drop(stdin);
    }
}

#[test]
fn the_demo_source_makes_the_same_records_of_the_same_seed() {
    let run = |seed: u64, count: u64| {
        let site = Site::new();
        site.config(&format!(
            "
sources: {{ in: {{ type: demo, rate: unlimited, count: {count}, seed: {seed} }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}"
        ));
        assert_eq!(site.delivered().flow("main").out, count);
        site.lines("out.ndjson")
    };
    let lines = run(7, 5_000);
    assert_eq!(lines.len(), 5_000);
    assert!(lines.iter().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok_and(|v| v.is_object())));
    assert!(run(7, 5_000) == lines && run(8, 5_000) != lines);
    assert_eq!(run(7, 1), lines[..1]);
    assert_eq!(run(7, 0).len(), 0);
}

#[test]
fn two_pipelines_read_one_source() {
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines:
  low: { from: [in], steps: [ { filter: .n < 2 } ], to: [low] }
  high: { from: [in], steps: [ { vrl: '.n = int!(.n) * 10' } ], to: [high] }
sinks: { low: { type: file, path: low.ndjson }, high: { type: file, path: high.ndjson } }";
    let site = Site::with(config, "{\"n\":0}\n{\"n\":1}\n{\"n\":2}\nbad\n");
    let report = site.delivered();
    let (low, high) = (report.flow("low"), report.flow("high"));
    assert_eq!((low.taken, low.out, low.dropped, low.rejected), (4, 2, 1, 1));
    assert_eq!((high.taken, high.out, high.dropped, high.rejected), (4, 3, 0, 1));
    assert_eq!(site.lines("low.ndjson"), ["{\"n\":0}", "{\"n\":1}"]);
    assert_eq!(site.lines("high.ndjson"), ["{\"n\":0}", "{\"n\":10}", "{\"n\":20}"]);
    // Without a sink of their own, dead letters are kept in the data directory, for the owner alone.
    for pipeline in ["low", "high"] {
        let name = format!("data/dead_letters/{pipeline}.ndjson");
        assert_eq!(site.letters(&name)[0].value["record"], base64(b"bad"));
        let mode = std::os::unix::fs::PermissionsExt::mode(&site.path(&name).metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    // The source is settled once, whoever reads it.
    assert_eq!(report.source("in"), (4, 0));
}

#[test]
fn a_pipeline_feeds_another_one() {
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines:
  first: { from: [in], steps: [ { vrl: '.seen = 1' }, { route: { odd: 'mod!(.n, 2) == 1' } } ], to: { default: [even] } }
  second: { from: [first.odd], steps: [ { filter: .n != 3 }, { vrl: '.seen = int!(.seen) + 1; if .n == 5 { .n = to_int!(\"x\" + string!(.bad)) }' } ], to: [odd], dead_letters: [failed] }
  third: { from: [second, first], steps: [ { vrl: .third = true } ], to: [all] }
sinks:
  even: { type: file, path: even.ndjson }
  odd: { type: file, path: odd.ndjson }
  all: { type: file, path: all.ndjson }
  failed: { type: file, path: failed.ndjson }";
    let input: String = (0..8).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let site = Site::with(config, &input);
    let report = site.delivered();
    let flows: Vec<_> =
        ["first", "second", "third"].iter().map(|p| report.flow(p)).map(|f| (f.taken, f.out, f.dropped, f.rejected)).collect();
    assert_eq!(flows, [(8, 8, 0, 0), (4, 2, 1, 1), (6, 6, 0, 0)]);
    assert_eq!(site.lines("even.ndjson"), [0, 2, 4, 6].map(|n| format!("{{\"n\":{n},\"seen\":1}}")));
    assert_eq!(site.lines("odd.ndjson"), [1, 7].map(|n| format!("{{\"n\":{n},\"seen\":2}}")));
    let mut all = site.lines("all.ndjson");
    all.sort();
    assert_eq!(
        all,
        [(0, 1), (1, 2), (2, 1), (4, 1), (6, 1), (7, 2)].map(|(n, seen)| format!("{{\"n\":{n},\"seen\":{seen},\"third\":true}}"))
    );
    let letters = site.letters("failed.ndjson");
    assert_eq!((letters.len(), letters[0].record()), (1, "{\"n\":5,\"seen\":1}"));
    assert_eq!(letters[0].value["origin"]["position"]["offset"], 5 * 8, "where it came from, though it went through another pipeline");
    assert_eq!(report.source("in"), (8, 0));
}

const ROUTED: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], steps: [ { route: { errors: .s >= 500, slow: .t > 10 } } ], to: TO } }
sinks: { out: { type: file, path: out.ndjson }, copy: { type: file, path: copy.ndjson } }";
const CALLS: &str = "{\"s\":200,\"t\":1}\n{\"s\":500,\"t\":1}\n{\"s\":503,\"t\":99}\n{\"s\":200,\"t\":99}\n";

#[test]
fn an_output_with_an_empty_list_drops_on_purpose() {
    let site = Site::with(&ROUTED.replace("TO", "{ default: [out], errors: [], slow: [copy] }"), CALLS);
    let report = site.delivered();
    let flow = report.flow("main");
    assert_eq!((flow.out, flow.dropped, report.output("main", "errors")), (2, 2, 2));
    assert_eq!((site.lines("out.ndjson").len(), site.lines("copy.ndjson").len()), (1, 1));
    assert!(!site.path("data/dead_letters").exists());
}

#[test]
fn outputs_that_are_not_mapped_go_to_the_default() {
    let site = Site::with(&ROUTED.replace("TO", "[out, copy]"), CALLS);
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.err.contains("W204") && run.err.contains("`errors`") && run.err.contains("`slow`"), "{run}");
    let report = run.report().conserved();
    assert_eq!((report.flow("main").out, report.delivered("out"), report.delivered("copy")), (4, 4, 4));
    // Fanned out, both sinks hold all in order.
    assert_eq!(site.read("out.ndjson"), CALLS.as_bytes());
    assert_eq!(site.read("copy.ndjson"), CALLS.as_bytes());
}

#[test]
fn outputs_share_sinks() {
    let site = Site::with(&ROUTED.replace("TO", "{ default: [out], errors: [out, copy], slow: [copy] }"), CALLS);
    let report = site.delivered();
    assert_eq!((report.delivered("out"), report.delivered("copy")), (3, 3));
    assert_eq!(report.flow("main").out, 4, "a record counts once, however many sinks it reaches");
    let mut copy = site.lines("copy.ndjson");
    copy.sort();
    assert_eq!(copy, ["{\"s\":200,\"t\":99}", "{\"s\":500,\"t\":1}", "{\"s\":503,\"t\":99}"]);
}
