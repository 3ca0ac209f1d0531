//! `tamis test`: pipelines against their tests.

use serde_json::Value;
use tamis_tests::harness::Site;

const CONFIG: &str = r#"
sources:
  in: { type: stdin, codec: { type: logfmt } }
plugins:
  tenant:
    component: PLUGIN(tenant)
    grant: { read: [ApiOwner], write: [tenant] }
    config: { owners: { cio: corporate } }
pipelines:
  main:
    from: [in]
    steps:
      - filter: .method != "OPTIONS"
      - plugin: tenant
      - name: number
        vrl: .n = to_int!(.n)
      - route: { errors: .status == 503 }
    to: { default: [out], errors: [alerts], }
    dead_letters: [failed]
  audit: { from: [main.errors], steps: [{ filter: .tenant == "corporate" }], to: [audited] }
sinks:
  out: { type: file, path: out.ndjson }
  alerts: { type: file, path: alerts.ndjson }
  audited: { type: file, path: audited.ndjson }
  failed: { type: file, path: failed.ndjson }
"#;

const TESTS: &str = r#"
tests:
  - name: every way
    pipeline: main
    text: |
      method=GET ApiOwner=cio n=1 status=503
      method=OPTIONS ApiOwner=cio n=2
      method=GET ApiOwner=zz n=3
      method=GET ApiOwner=cio n=four
    expect:
      outputs:
        errors: [{ method: GET, ApiOwner: cio, n: 1, status: 503, tenant: corporate }]
        default: [{ has: { n: 3 }, lacks: [status] }]
      sinks:
        alerts: [{ vrl: .tenant == "corporate" && .n == 1 }]
        audited: [{ has: { n: 1 } }]
      dropped: 1
      dead_letters: [{ step: number, cause: reject, reason: to_int, record: { has: { n: four } } }]
      steps:
        filter: [unchanged, dropped, unchanged, unchanged]
        2: [{ has: { tenant: corporate } }, { vrl: "true" }, { has: { tenant: corporate } }]
        number: [{ has: { n: 1 } }, { has: { n: 3 } }, { rejected: to_int }]
        route: [{ unchanged: true, to: errors }, unchanged]
"#;

fn site(tests: &str) -> Site {
    Site::with(&format!("{CONFIG}{tests}"), "")
}

#[test]
fn what_is_as_expected_passes_and_touches_nothing() {
    let site = site(TESTS);
    let run = site.run(["test", "--coverage-min", "90"]);
    assert_eq!(run.code, Some(0), "{run}");
    let text = run.text();
    assert!(text.contains("ok   every way (main, ") && text.contains("1 test, all passed; coverage 90 %"), "{text}");
    assert!(text.contains("pipeline main: 100 % reached, 8 of 8; steps failed on 1"), "{text}");
    assert!(text.contains("pipeline audit: 66 % reached, 2 of 3") && text.contains("never: step filter: drop"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text}");
    for file in ["out.ndjson", "alerts.ndjson", "audited.ndjson", "failed.ndjson", "data/dead_letters", "data/lock"] {
        assert!(!site.path(file).exists(), "{file}");
    }
    let run = site.run(["test", "--coverage-min", "95"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.text().contains("the coverage is below 95 %"), "{run}");
    // They do not concern a running host.
    assert_eq!(site.run(["run", "--once"]).code, Some(0));
}

const FAILING: &str = r#"
tests:
  - name: sound
    pipeline: audit
    input: [{ tenant: corporate }]
    expect: { outputs: { default: [{ tenant: corporate }] } }
  - name: wrong <in> "every" way
    pipeline: main
    input:
      - { ApiOwner: cio, n: "1", a: { b: "x\u001b[31my" } }
      - { n: x }
    expect:
      outputs:
        default: [{ ApiOwner: cio, n: 2, a: { b: x, c: 1 } }, { n: 7 }]
      dropped: 3
      steps:
        filter: [dropped, { unchanged: true, to: errors }]
        number: [rejected, unchanged]
"#;

#[test]
fn what_differs_is_told_by_field() {
    let site = site(FAILING);
    let run = site.run(["test"]);
    assert_eq!(run.code, Some(1), "{run}");
    let text = run.text();
    for expected in [
        "ok   sound",
        "FAIL wrong <in> \"every\" way (main, ",
        "output default: expected 2 records, found 1",
        "output default, record 1\n      a.b\n        - \"x\"\n",
        "      a.c\n        - 1\n        + (missing)\n",
        "      n\n        - 2\n        + 1\n",
        "      tenant\n        - (missing)\n        + \"corporate\"\n",
        "dropped: expected 3 records, found 0",
        "step filter, record 1: expected it to be dropped, but it went on",
        "step filter, record 2: expected it to be sent to `errors`, but it is left on its way",
        "step number, record 1: expected the step to fail on it, but it went on",
        "step number, record 2: expected it to go on, but the step failed on it (reject)",
        "dead letter 1: not expected: reject by step number",
        "2 tests, 1 failed",
    ] {
        assert!(text.contains(expected), "{expected}:\n{text}");
    }
    assert!(!text.contains('\u{1b}'), "{text}");

    let run = site.run(["test", "sound"]);
    assert_eq!(run.code, Some(0), "{run}");
    let run = site.run(["test", "sond"]);
    assert_eq!((run.code, run.err.contains("did you mean `sound`?")), (Some(2), true), "{run}");

    let run = site.run(["test", "--output", "json"]);
    assert_eq!(run.code, Some(1), "{run}");
    let json: Value = serde_json::from_str(&run.text()).unwrap();
    assert_eq!((&json["passed"], &json["failed"], &json["tests"][0]["passed"]), (&false.into(), &1.into(), &true.into()));
    let problems = json["tests"][1]["problems"].as_array().unwrap();
    let differs = |d: &Value| d["field"] == "n" && d["expected"] == 2 && d["found"] == 1;
    assert!(problems.iter().any(|p| p["at"] == "output default, record 1" && p["differences"].as_array().unwrap().iter().any(differs)));
    assert!(json["coverage"]["pipelines"][0]["never"].as_array().unwrap().contains(&"output errors".into()), "{json:#}");
}

#[test]
fn junit_is_xml_that_a_parser_reads() {
    let site = site(FAILING);
    let run = site.run(["test", "--output", "junit", "--coverage-min", "100"]);
    assert_eq!(run.code, Some(1), "{run}");
    site.write("junit.xml", run.text());
    let script = "import sys, xml.etree.ElementTree as E; r = E.parse('junit.xml').getroot(); s = r.find('testsuite'); \
        print(r.tag, r.get('tests'), r.get('failures'), len(s)); \
        [print(c.get('classname'), c.get('name'), c.find('failure') is not None) for c in s]; print(s[1].find('failure').text)";
    let mut python = std::process::Command::new("python3");
    let out = python.args(["-c", script]).current_dir(site.path("")).output().expect("python3 runs");
    let text = String::from_utf8(out.stdout).unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..4],
        ["testsuites 3 2 3", "audit sound False", "main wrong <in> \"every\" way True", "coverage coverage of at least 100 % True"]
    );
    assert!(text.contains("output default, record 1"), "{text}");
}

#[test]
fn names_that_are_not_there_are_bad_configuration() {
    let site = site(
        "
tests:
  - name: names
    pipeline: main
    input: []
    expect: { outputs: { eror: [] }, sinks: { alert: [] }, steps: { tenat: [] }, dead_letters: [ { step: nunber, pipeline: main } ] }
  - { name: conditions, pipeline: main, input: [], expect: { outputs: { errors: [ { vrl: .a = 1 } ] } } }
  - { name: which pipeline, input: [], expect: {} }
  - { name: a file, pipeline: main, input_file: nowhere.log, expect: {} }
",
    );
    // What needs no compiler and no file is told by every command.
    for command in [&["check"][..], &["run", "--once"], &["test"]] {
        let run = site.run(command);
        assert_eq!(run.code, Some(2), "{run}");
        for expected in ["no output `eror`", "`errors`?", "`alert`", "`alerts`?", "no step `tenat`", "no step `nunber`", "E230"] {
            assert!(run.err.contains(expected), "{expected}: {run}");
        }
    }
    site.config(&format!("{CONFIG}\ntests: []"));
    let run = site.run(["test"]);
    assert_eq!((run.code, run.err.contains("there is no test")), (Some(2), true), "{run}");
    site.config(&format!(
        "{CONFIG}
tests:
  - {{ name: conditions, pipeline: main, input: [], expect: {{ outputs: {{ errors: [ {{ vrl: .a = 1 }} ] }} }} }}
  - {{ name: a file, pipeline: main, input_file: nowhere.log, expect: {{}} }}"
    ));
    let run = site.run(["test"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("E213") && run.err.contains("the input cannot be read"), "{run}");
}

#[test]
fn files_of_tests_and_golden_files() {
    let site = site("");
    site.write("cases/a.yaml", "tests:\n  - { name: a, pipeline: main, input_file: in.log, expect_file: a.golden.ndjson }\n");
    site.write("cases/in.log", "ApiOwner=cio n=1\nn=x\nmethod=OPTIONS\nn=2 status=503\n");
    let run = site.run(["test", "cases/a.yaml"]);
    assert_eq!((run.code, run.text().contains("is not there; `tamis test --bless` writes it")), (Some(1), true), "{run}");
    let run = site.run(["test", "cases/a.yaml", "--bless"]);
    assert_eq!((run.code, run.text().contains("wrote cases/a.golden.ndjson")), (Some(0), true), "{run}");
    let lines = site.lines("cases/a.golden.ndjson");
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines[0].starts_with(r#"{"output":"default","record":{"ApiOwner":"cio","n":1,"tenant":"corporate""#), "{lines:?}");
    assert!(lines[1].contains(r#""output":"errors""#) && lines[2].contains(r#""cause":"reject""#), "{lines:?}");
    assert_eq!(lines[3], r#"{"dropped":1}"#);
    let run = site.run(["test", "cases/a.yaml"]);
    assert_eq!(run.code, Some(0), "{run}");
    site.write("cases/a.golden.ndjson", lines.join("\n").replace("corporate", "mail"));
    let run = site.run(["test", "cases/a.yaml"]);
    assert_eq!((run.code, run.text().contains("- \"mail\"\n        + \"corporate\"")), (Some(1), true), "{run}");
    site.write("cases/b.yaml", "tets: []\n");
    let run = site.run(["test", "cases/a.yaml", "cases/b.yaml"]);
    assert_eq!((run.code, run.err.contains("did you mean `tests`?")), (Some(2), true), "{run}");
}

#[test]
fn failures_of_plugins_are_what_they_are_in_a_running_host() {
    let config = |on_failure: &str, expect: &str| {
        format!(
            "
sources: {{ in: {{ type: stdin }} }}
plugins:
  bad: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, on_failure: {on_failure}, config: trap }}
pipelines: {{ main: {{ from: [in], steps: [{{ plugin: bad }}], to: [out] }} }}
sinks: {{ out: {{ type: stdout }} }}
tests: [{{ name: t, input: [{{ message: a }}], expect: {expect} }}]"
        )
    };
    for (on_failure, expect) in [
        ("dead_letter", "{ dead_letters: [{ step: bad, cause: trap }], steps: { bad: [rejected] } }"),
        ("drop", "{ dropped: 1, outputs: { default: [] }, steps: { bad: [dropped] } }"),
        ("pass", "{ outputs: { default: [{ message: a }] } }"),
        ("halt", "{ halts: 'step `bad`' }"),
    ] {
        let site = Site::with(&config(on_failure, expect), "");
        let run = site.run(["test"]);
        assert_eq!(run.code, Some(0), "{on_failure}: {run}");
    }
}

#[test]
fn the_samples_pass_their_own_tests() {
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples").canonicalize().unwrap();
    let site = Site::new();
    for name in ["gateway", "enrich", "la-poste-style"] {
        let run = site.run(["test", "-c", samples.join(name).join("pipeline.yaml").to_str().unwrap()]);
        assert_eq!(run.code, Some(0), "{name}: {run}");
    }
}
