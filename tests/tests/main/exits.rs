//! Exit codes of every kind.

use tamis_tests::harness::{Run, Site};

const SOUND: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }";

#[track_caller]
fn ends(run: Run, code: i32, says: &str) {
    assert_eq!(run.code, Some(code), "{run}");
    assert!(run.err.contains(says), "`{says}` was expected: {run}");
    assert!(!run.err.contains("internal fault"), "{run}");
}

#[test]
fn success_is_0() {
    let site = Site::with(SOUND, "{\"a\":1}\n");
    ends(site.run(["run", "--once"]), 0, "in 1, out 1, dropped 0, dead letters 0");
    ends(site.run(["check"]), 0, "");
    ends(site.run(["explain"]), 0, "");
    assert_eq!(site.read("out.ndjson"), b"{\"a\":1}\n");
}

#[test]
fn a_bad_configuration_is_2() {
    let site = Site::with(SOUND, "{\"a\":1}\n");
    for (name, text, says) in [
        ("yaml", "version: [1", "E004"),
        ("version", "version: 2\n", "E012"),
        ("key", "version: 1\nsuorces: {}\n", "did you mean `sources`"),
        ("nothing", "version: 1\n", "E216"),
        (
            "name",
            "version: 1\nsources: { in: { type: stdin } }\npipelines: { main: { from: [inn], to: [out] } }\nsinks: { out: { type: \"null\" } }\n",
            "did you mean `in`?",
        ),
        (
            "vrl",
            "version: 1\nsources: { in: { type: stdin } }\npipelines: { main: { from: [in], steps: [ { vrl: '.a = ' } ], to: [out] } }\nsinks: { out: { type: stdout } }\n",
            "E213",
        ),
        (
            "component",
            "version: 1\nsources: { in: { type: stdin } }\nplugins: { p: { component: none.wasm } }\npipelines: { main: { from: [in], steps: [ { plugin: p } ], to: [out] } }\nsinks: { out: { type: stdout } }\n",
            "E210",
        ),
        (
            "round",
            "version: 1\nsources: { in: { type: file, paths: ['*.ndjson'] } }\npipelines: { main: { from: [in], to: [out] } }\nsinks: { out: { type: file, path: o.ndjson } }\n",
            "E202",
        ),
    ] {
        let name = format!("{name}.yaml");
        site.write(&name, text);
        for verb in ["run", "check", "explain"] {
            let run = site.run([verb, "-c", &name]);
            assert!(run.err.contains(&name) || says == "E216", "the place is missing: {run}");
            assert!(run.out.is_empty(), "{run}");
            ends(run, 2, says);
        }
    }
    ends(site.run(["run", "-c", "missing.yaml"]), 2, "E001");
    site.write("empty/note.txt", "");
    ends(site.run(["check", "-c", "empty"]), 2, "E026");
    ends(site.run(["explain", "--field", "a..b"]), 2, "");
    ends(site.run(["check", "--strict"]), 0, "");
}

#[test]
fn a_component_that_is_none_is_2() {
    let site = Site::new();
    let config = "
sources: { in: { type: stdin } }
plugins: { p: { component: p.wasm } }
pipelines: { main: { from: [in], steps: [ { plugin: p } ], to: [out] } }
sinks: { out: { type: stdout } }";
    site.config(config);
    // A component that imports a function `steal`, spelt by hand: preamble, a function type, an import of it.
    let thief = [b"\0asm\x0d\0\x01\0".as_slice(), &[7, 5, 1, 0x40, 0, 1, 0], &[10, 10, 1, 0, 5], b"steal", &[1, 0]].concat();
    for (bytes, says) in [
        (b"".to_vec(), "plugin `p`"),
        (b"not wasm".to_vec(), "plugin `p`"),
        (b"\0asm\x01\0\0\0".to_vec(), "plugin `p`"),
        (b"\0asm\x0d\0\x01\0".to_vec(), "plugin `p`"),
        (thief, "steal"),
    ] {
        site.write("p.wasm", &bytes);
        let run = site.run(["run", "--once"]);
        assert!(run.err.contains("E210") && run.err.contains("tamis.yaml:"), "{run}");
        ends(run, 2, says);
    }
}

#[test]
fn what_cannot_start_is_3() {
    let site = Site::with(&SOUND.replace("out.ndjson", "blocker/out.ndjson"), "{\"a\":1}\n");
    site.write("blocker", "a file where a folder is needed");
    let run = site.run(["run", "--once"]);
    ends(run, 3, "blocker/out.ndjson");

    let site = Site::new();
    site.config(SOUND);
    ends(site.run(["run", "--once"]), 3, "no file matches `input.ndjson`");

    // An address that is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("{SOUND}\nsettings: {{ admin: '{}' }}", taken.local_addr().unwrap());
    ends(Site::with(&admin, "{}\n").run(["run", "--once"]), 3, "the admin API cannot listen on");
    for (admin, says) in
        [("0.0.0.0:0", "which others can reach"), ("[::]:0", "which others can reach"), ("127.0.0.1:99999", ""), ("nowhere.invalid:80", "")]
    {
        let run = Site::with(&format!("{SOUND}\nsettings: {{ admin: '{admin}' }}"), "{}\n").run(["run", "--once"]);
        assert!(matches!(run.code, Some(2 | 3)), "{admin}: {run}");
        assert!(run.err.contains(says) && !run.err.contains("internal fault"), "{admin}: {run}");
    }
}

#[test]
fn a_halt_is_4() {
    let site = Site::with(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], steps: [ { vrl: '.n = to_int!(.n)', on_failure: halt } ], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }",
        "{\"n\":\"1\"}\n{\"n\":\"x\"}\n",
    );
    let run = site.once();
    let report = run.report();
    assert_eq!(report.source("in"), (0, 2), "{run}");
    ends(run, 4, "2 records were read and not delivered");
    assert_eq!(site.read("out.ndjson"), b"", "none of the frame was delivered");
}

#[test]
fn an_interrupt_is_130() {
    let site = Site::with(SOUND, "{\"a\":1}\n");
    let mut live = site.start(["run"]);
    tamis_tests::harness::eventually("the record is delivered", || site.read("out.ndjson") == b"{\"a\":1}\n");
    assert!(live.runs());
    live.signal("INT");
    ends(live.wait(), 130, "SIGINT: delivering what was read");
}

#[test]
fn too_few_files_is_3() {
    let site = Site::with(SOUND, "{\"a\":1}\n");
    for files in [4, 6, 8, 12] {
        let run = site.start_shell(&format!("ulimit -n {files}; exec \"$TAMIS\" run --once")).wait();
        assert!(!run.err.contains("internal fault"), "{files}: {run}");
        assert_eq!(run.code, Some(3), "{files}: {run}");
        assert!(run.err.contains("ulimit -n"), "{files}: {run}");
    }
}
