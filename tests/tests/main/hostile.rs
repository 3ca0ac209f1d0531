//! Every behaviour of the hostile guest through a whole pipeline: the poison record is found, named and kept, the others are delivered.

use std::fmt::Write as _;
use std::time::{Duration, Instant};
use tamis_tests::harness::{Site, eventually, settled};

/// Behaviours in `process`, and the cause they are to be given.
const BEHAVIOURS: [(&str, &str); 44] = [
    ("loop", "deadline"),
    ("memory", "memory"),
    ("recursion", "trap"),
    ("trap", "trap"),
    ("error", "reject"),
    ("huge", "memory"),
    ("verdicts-short", "contract"),
    ("verdicts-long", "contract"),
    ("verdict-range", "contract"),
    ("drop-undeclared", "contract"),
    ("values-short", "contract"),
    ("values-long", "contract"),
    ("integers-short", "contract"),
    ("presence-short", "contract"),
    ("offsets-empty", "contract"),
    ("offsets-start", "contract"),
    ("offsets-descending", "contract"),
    ("offsets-overlap", "contract"),
    ("offsets-beyond", "contract"),
    ("offsets-unused-bytes", "contract"),
    ("utf8", "contract"),
    ("utf8-cut", "contract"),
    ("json", "contract"),
    ("json-two", "contract"),
    ("json-newline", "contract"),
    ("json-root", "contract"),
    ("boolean", "contract"),
    ("float", "contract"),
    ("kind", "contract"),
    ("patch-field", "contract"),
    ("patch-field-huge", "contract"),
    ("patch-twice", "contract"),
    ("patch-rows-descending", "contract"),
    ("patch-rows-duplicate", "contract"),
    ("patch-rows-range", "contract"),
    ("reject-range", "contract"),
    ("reject-twice", "contract"),
    ("reject-poison", "reject"),
    // These misbehave and are sound all the same.
    ("log-flood", ""),
    ("metric-flood", ""),
    ("nothing", ""),
    ("sound", ""),
    ("init", ""),
    ("process", ""),
];

const ROWS: usize = 1_500;
const POISON: [usize; 2] = [700, 1_400];

fn config(behaviour: &str, limits: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  h: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, limits: {{ {limits} }}, config: '{behaviour}' }}
pipelines:
  main: {{ from: [in], steps: [ {{ plugin: h }} ], to: {{ default: [out], errors: [out] }}, dead_letters: [failed] }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}
# A part of a batch has its share of the deadline: of a small batch, enough for a busy machine.
settings: {{ admin: off, lanes: 2, batch: {{ records: 64 }} }}"
    )
}

fn input() -> String {
    (0..ROWS).fold(String::new(), |mut out, n| {
        let message = if POISON.contains(&n) { "poison".to_owned() } else { format!("m{n}") };
        let _ = writeln!(out, "{{\"n\":{n},\"message\":\"{message}\"}}");
        out
    })
}

fn contained(behaviour: &str, cause: &str) {
    // Small enough to be full before a single record's share of the deadline.
    let limits = match behaviour {
        "loop" => "deadline: 500ms",
        "memory" => "memory: 8MiB, deadline: 10s",
        _ => "deadline: 10s",
    };
    let site = Site::with(&config(&format!("{behaviour} poison"), limits), input());
    let run = site.once();
    assert_eq!(run.code, Some(0), "{behaviour}: {run}");
    assert!(!run.err.contains("internal fault") && !run.err.contains('\u{1b}'), "{behaviour}: {run}");
    assert!(run.took < Duration::from_secs(30), "{behaviour}: {run}");
    let report = run.report().conserved();
    let lost = if cause.is_empty() { 0 } else { POISON.len() };
    let flow = report.flow("main");
    assert_eq!(
        (flow.taken, flow.out, flow.dropped, flow.rejected),
        (ROWS as u64, (ROWS - lost) as u64, 0, lost as u64),
        "{behaviour}: {run}"
    );
    let expected: Vec<String> = (0..ROWS)
        .filter(|n| lost == 0 || !POISON.contains(n))
        .map(|n| {
            if POISON.contains(&n) {
                format!("{{\"n\":{n},\"message\":\"poison\",\"a\":\"poison!\"}}")
            } else {
                format!("{{\"n\":{n},\"message\":\"m{n}\",\"a\":\"m{n}!\"}}")
            }
        })
        .collect();
    let found = site.lines("out.ndjson");
    assert!(found == expected, "{behaviour}: the other records are not delivered as they should be");
    let letters = site.letters("failed.ndjson");
    assert_eq!(letters.len(), lost, "{behaviour}");
    for (letter, n) in letters.iter().zip(POISON) {
        assert_eq!((letter.cause(), letter.record()), (cause, format!("{{\"n\":{n},\"message\":\"poison\"}}").as_str()), "{behaviour}");
        let failure = &letter.value["failure"];
        assert_eq!((&failure["pipeline"], &failure["step"], &failure["plugin"]), (&"main".into(), &"h".into(), &"h".into()));
        assert!(failure["digest"].as_str().unwrap().starts_with("sha256:"));
        assert!(!letter.reason().is_empty() && letter.reason().len() <= 1024, "{behaviour}: {}", letter.reason());
        assert!(!letter.reason().chars().any(char::is_control), "{behaviour}: {:?}", letter.reason());
    }
    if lost > 0 {
        assert_eq!(report.dead("main", cause), lost as u64, "{behaviour}");
        let step = report.step("main", "h");
        assert_eq!(step["rejected"], lost, "{behaviour}: {step}");
        if behaviour != "reject-poison" {
            assert!(step["failed_calls"][cause].as_u64() >= Some(lost as u64), "{behaviour}: {step}");
            assert_eq!(step["failed_calls"].as_object().unwrap().len(), 1, "{behaviour}: {step}");
        }
    }
}

#[test]
fn what_takes_too_much_is_contained() {
    BEHAVIOURS[..6].iter().for_each(|(behaviour, cause)| contained(behaviour, cause));
}

#[test]
fn lies_about_rows_and_offsets_are_contained() {
    BEHAVIOURS[6..20].iter().for_each(|(behaviour, cause)| contained(behaviour, cause));
}

#[test]
fn lies_about_values_patches_and_rejects_are_contained() {
    BEHAVIOURS[20..].iter().for_each(|(behaviour, cause)| contained(behaviour, cause));
}

#[test]
fn a_flood_of_log_lines_is_bounded_and_harmless() {
    let site = Site::with(&config("log-flood", "deadline: 5s"), input());
    let mut live = site.start(["run", "--report", "0", "--output", "json"]);
    // Told once a second.
    live.says("were dropped");
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.report().conserved().flow("main").out, ROWS as u64);
    let lines: Vec<&str> = run.err.lines().filter(|line| line.contains("yyyy")).collect();
    assert!((1..=2_000).contains(&lines.len()), "{} lines", lines.len());
    assert!(lines.iter().all(|line| line.len() < 2_000 && line.contains("plugin=\"h\"")), "{:.3000}", lines[0]);
    assert!(
        run.err.lines().all(|line| !line.starts_with("forged")) && !run.err.contains(['\u{1b}', '\r']),
        "a line of the plugin's own making"
    );
}

#[test]
fn counters_are_bounded() {
    let site = Site::with(&config("metric-flood", "deadline: 5s"), input());
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    let report = run.report().conserved();
    let counters = report.0["plugins"]["h"].as_object().unwrap();
    assert!((1..=64).contains(&counters.len()), "{} counters", counters.len());
    assert!(counters.keys().all(|name| name.starts_with("counter_")), "{counters:?}");
}

#[test]
fn a_plugin_that_fails_on_every_record_does_not_stop_the_rest() {
    for (behaviour, cause) in
        [("loop", "deadline"), ("trap", "trap"), ("memory", "memory"), ("huge", "memory"), ("utf8", "contract"), ("error", "reject")]
    {
        let two = "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  h: { component: PLUGIN(hostile), grant: { read: [message], write: [.] }, limits: { memory: 8MiB, deadline: DEADLINE }, config: 'BEHAVIOUR' }
pipelines:
  bad: { from: [in], steps: [ { plugin: h } ], to: { default: [out], errors: [out] }, dead_letters: [failed] }
  good: { from: [in], steps: [ { vrl: .ok = true } ], to: [good] }
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: failed.ndjson }, good: { type: file, path: good.ndjson } }
settings: { admin: off, lanes: 2, batch: { records: 64 } }";
        let deadline = if behaviour == "loop" { "100ms" } else { "10s" };
        let site = Site::with(&two.replace("BEHAVIOUR", behaviour).replace("DEADLINE", deadline), input());
        let run = site.once();
        assert_eq!(run.code, Some(0), "{behaviour}: {run}");
        let report = run.report().conserved();
        let (bad, good) = (report.flow("bad"), report.flow("good"));
        assert_eq!((good.taken, good.out), (ROWS as u64, ROWS as u64), "{behaviour}");
        assert_eq!((bad.taken, bad.out, report.dead("bad", cause)), (ROWS as u64, 0, ROWS as u64), "{behaviour}: {run}");
        let letters = site.letters("failed.ndjson");
        assert_eq!(letters.len(), ROWS, "{behaviour}");
        assert!(letters.iter().enumerate().all(|(n, letter)| letter.value["record"]["n"] == n && letter.cause() == cause), "{behaviour}");
        assert!(run.took < Duration::from_secs(20), "the breaker bounds the time: {run}");
    }
}

/// A neighbour has its own lanes back as soon as a plugin's calls run into their limits.
#[test]
fn a_neighbour_of_a_failing_plugin_keeps_its_speed() {
    const RATE: u64 = 20_000;
    const COUNT: u64 = 80_000;
    let poisoned = (0..200_000).fold(String::new(), |mut out, n| {
        let _ = writeln!(out, "{{\"n\":{n},\"message\":\"{}\"}}", if n % 1_000 == 500 { "poison" } else { "m" });
        out
    });
    for behaviour in ["loop", "memory"] {
        let site = Site::with(
            &format!(
                "
sources: {{ in: {{ type: file, paths: [input.ndjson] }}, steady: {{ type: demo, rate: {RATE}, count: {COUNT} }} }}
plugins:
  h: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, config: '{behaviour} poison' }}
pipelines:
  bad: {{ from: [in], steps: [ {{ plugin: h }} ], to: {{ default: [gone], errors: [gone] }}, dead_letters: [failed] }}
  good: {{ from: [steady], steps: [ {{ vrl: .ok = true }} ], to: [gone] }}
sinks: {{ gone: {{ type: 'null' }}, failed: {{ type: file, path: failed.ndjson }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 2 }}"
            ),
            &poisoned,
        );
        let started = Instant::now();
        let mut live = site.start(["run"]);
        live.says("lane of their own");
        eventually("the neighbour is through", || settled(&site.path("admin.sock"), "steady") == COUNT);
        let took = started.elapsed();
        // At 80 % of its speed it takes 5 s; the rest is the start, and a busy machine.
        let nominal = Duration::from_secs(COUNT / RATE);
        assert!(took < nominal * 5 / 4 + Duration::from_millis(1_500), "{behaviour}: {took:?} instead of {nominal:?}");
        live.signal("KILL");
    }
}

#[test]
fn an_init_that_misbehaves_does_not_load() {
    for (behaviour, says) in [
        ("init-loop", "did not end within"),
        ("init-trap", "trap"),
        ("init-memory", "memory"),
        ("init-error", "no \\u{1b}[31mred"),
        ("init-error-long", "plugin `h`"),
        ("init-error-long-allowed", "xxxx"),
        ("init-fields", "fields"),
        ("init-path", "plugin `h`"),
        ("init-path-long", "plugin `h`"),
        ("init-writes-twice", "`a`"),
        ("init-outputs", "outputs"),
        ("init-output-name", "output"),
        ("init-huge", "plugin `h`"),
    ] {
        let site = Site::with(&config(behaviour, "init_deadline: 1s, memory: 16MiB"), "{}\n");
        for verb in ["run", "check"] {
            let run = site.run([verb]);
            assert_eq!(run.code, Some(2), "{behaviour}: {run}");
            assert!(run.err.contains("tamis.yaml:") && run.err.contains(says), "{behaviour}: {run}");
            assert!(!run.err.contains(['\u{1b}', '\r']) && !run.err.contains("internal fault"), "{behaviour}: {run}");
            assert!(run.err.len() < 20_000, "{behaviour}: {} bytes of complaint", run.err.len());
            assert!(run.took < Duration::from_secs(20), "{behaviour}: {run}");
            assert_eq!(site.read("out.ndjson"), b"");
        }
    }
}
