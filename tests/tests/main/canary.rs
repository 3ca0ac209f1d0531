//! A redactor that fails must not let through what it was to redact: not into a sink, the log, the metrics or what is printed.

use tamis_tests::harness::{Address, Site, eventually, settled};

/// Personal data that a detector would find, and text that looks like nothing.
const CANARIES: [&str; 2] = ["canary.7f3a@courriel.example", "canary-9b2c-4d1e"];

fn input() -> String {
    let [mail, word] = CANARIES;
    let mut lines: Vec<String> = (0..300).map(|n| format!("{{\"n\":{n},\"message\":\"m{n}\"}}")).collect();
    lines[17] = format!("{{\"n\":17,\"message\":\"poison\",\"secret\":\"{mail} {word}\",\"a\":\"{word}\",\"j\":{{\"k\":\"{mail}\"}}}}");
    lines[250] = format!("{{\"n\":250,\"message\":\"poison\",\"a\":\"{word}\",\"\\u0061\":\"{mail}\"}}");
    lines.join("\n") + "\n"
}

fn clean(what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for canary in CANARIES {
        assert!(!text.contains(canary), "{what} holds a canary: {text:.2000}");
    }
}

/// Whether it is among the dead letters that the canaries may be, and nowhere else.
fn guarded(behaviour: &str, form: &str) {
    let config = format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  h:
    component: PLUGIN(hostile)
    grant: {{ read: [message], write: [a, i, f, b, j, .] }}
    limits: {{ memory: 8MiB, deadline: 300ms }}
    on_failure: {form}
    config: {behaviour} poison
pipelines:
  main: {{ from: [in], steps: [ {{ plugin: h }} ], to: {{ default: [out, copy, screen], errors: [out] }}, dead_letters: [failed] }}
sinks:
  out: {{ type: file, path: out.ndjson }}
  copy: {{ type: file, path: copy.ndjson }}
  screen: {{ type: stdout }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: 'unix:admin.sock', lanes: 2 }}"
    );
    let site = Site::with(&config, input());
    let mut live = site.start(["--log", "debug", "run"]);
    let admin = Address::Unix(site.path("admin.sock"));
    let halts = form == "halt";
    if !halts {
        eventually("all records are settled", || settled(&site.path("admin.sock"), "in") == 300);
        for path in ["/metrics", "/v1/status", "/v1/plan", "/readyz"] {
            let answer = admin.get(path).unwrap();
            assert_eq!(answer.status, 200, "{path}");
            clean(&format!("{behaviour}, {form}: {path}"), answer.body.as_bytes());
        }
        assert!(live.runs());
        live.signal("TERM");
    }
    let run = live.wait();
    assert_eq!(run.code, Some(if halts { 4 } else { 0 }), "{run}");
    let what = |name: &str| format!("{behaviour}, {form}: {name}");
    clean(&what("standard output"), &run.out);
    clean(&what("the log"), run.err.as_bytes());
    for sink in ["out.ndjson", "copy.ndjson"] {
        clean(&what(sink), &site.read(sink));
    }
    let done = if halts { 0 } else { 298 };
    assert_eq!(run.out.iter().filter(|byte| **byte == b'\n').count(), done, "{}", what("standard output"));
    let letters = site.letters("failed.ndjson");
    if form == "dead_letter" {
        assert_eq!(letters.len(), 2);
        assert!(
            letters
                .iter()
                .all(|letter| CANARIES.iter().all(|canary| letter.record().contains(canary)) && !letter.reason().contains("canary"))
        );
    } else {
        assert!(letters.is_empty(), "{}", what("dead letters"));
    }
    // Nothing but the lock, the cache, the generations, the dead letters and positions is kept in the data directory.
    clean(&what("the checkpoint"), &site.read("data/checkpoints/in.json"));
    for file in std::fs::read_dir(site.path("data/generations")).into_iter().flatten().flatten().filter(|file| file.path().is_file()) {
        clean(&what("a generation"), &std::fs::read(file.path()).unwrap());
    }
    for entry in std::fs::read_dir(site.path("data")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(["lock", "cache", "cache.key", "checkpoints", "generations"].contains(&name.as_str()), "{name}");
    }
}

#[test]
fn a_redactor_that_traps() {
    for form in ["dead_letter", "drop", "halt"] {
        guarded("trap", form);
    }
}

#[test]
fn a_redactor_that_takes_too_long_or_too_much_or_lies() {
    for behaviour in ["loop", "memory", "json", "error", "patch-rows-range"] {
        guarded(behaviour, "dead_letter");
        guarded(behaviour, "drop");
    }
}

/// The operator wants nothing kept, not even among the dead letters: the fields are removed, under every spelling.
#[test]
fn a_redactor_that_blanks() {
    let [mail, word] = CANARIES;
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  redact:
    component: PLUGIN(redact)
    grant: { read: [secret, a.b], write: [secret, a.b] }
    on_failure: blank
    config: { fields: [secret, a.b], max_value_bytes: 1024 }
pipelines: { main: { from: [in], steps: [ { plugin: redact } ], to: [out, screen], dead_letters: [failed] } }
sinks: { out: { type: file, path: out.ndjson }, screen: { type: stdout }, failed: { type: file, path: failed.ndjson } }";
    let long = format!("{mail} {word} {}", "x".repeat(5_000));
    let lines = [
        format!("{{\"n\":0,\"secret\":\"{long}\"}}"),
        format!("{{\"n\":1,\"secret\":\"{mail}\",\"a\":{{\"b\":\"{long}\",\"c\":1}}}}"),
        format!("{{\"n\":2,\"secret\":\"{long}\",\"\\u0073ecret\":\"{word}\",\"secret\":{{\"k\":\"{mail}\"}}}}"),
        format!("{{\"n\":3,\"a\":{{\"b\":[\"{long}\"],\"b\":\"{word}\"}},\"\\u0061\":{{\"\\u0062\":\"{mail}\"}}}}"),
        format!("{{\"n\":4,\"secret\":\"{mail}\"}}"),
    ];
    let site = Site::with(config, lines.join("\n"));
    let run = site.run(["--log", "debug", "run", "--once"]);
    assert_eq!(run.code, Some(0), "{run}");
    clean("the screen", &run.out);
    clean("the log", run.err.as_bytes());
    clean("the sink", &site.read("out.ndjson"));
    assert_eq!((site.lines("out.ndjson").len(), site.lines("failed.ndjson").len()), (5, 0));
    assert_eq!(site.lines("out.ndjson")[1], "{\"n\":1,\"a\":{\"c\":1}}");
}

/// A program's message may quote the value that it failed on; a log is not where that belongs.
#[test]
fn a_program_that_fails_does_not_quote_the_record_in_the_log() {
    quoted_nowhere(&[("dead_letter", 0), ("drop", 0), ("blank", 0)]);
}

/// The reason of the halt must be told without the value.
#[test]
fn a_program_that_halts_the_host_does_not_quote_the_record_in_the_log() {
    quoted_nowhere(&[("halt", 4)]);
}

fn quoted_nowhere(forms: &[(&str, i32)]) {
    let [mail, word] = CANARIES;
    for &(form, code) in forms {
        for program in [
            ".n = to_int!(.secret)",
            ".n = parse_json!(.secret)",
            ".n = parse_timestamp!(.secret, \"%Y\")",
            "assert!(.secret == 1, message: \"no \" + string!(.secret))",
            ".n = parse_regex!(.secret, r'^\\d+$')",
        ] {
            let config = format!(
                "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], steps: [ {{ vrl: {}, on_failure: {form} }}, {{ vrl: del(.secret) }} ], to: [out], dead_letters: [failed] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}",
                serde_json::Value::from(program)
            );
            let site = Site::with(&config, format!("{{\"secret\":\"{mail} {word}\"}}\n"));
            let run = site.run(["--log", "debug", "run", "--once", "--report", "0", "--output", "json"]);
            assert_eq!(run.code, Some(code), "{program}, {form}: {run}");
            clean(&format!("{program}, {form}: the log"), run.err.as_bytes());
            clean(&format!("{program}, {form}: the report"), &run.out);
            clean(&format!("{program}, {form}: the sink"), &site.read("out.ndjson"));
            assert_eq!(site.letters("failed.ndjson").len(), usize::from(form == "dead_letter"));
        }
    }
}
