//! `tamis plugin test`, `bench` and `dev`: real components, cases in files.

use std::path::{Path, PathBuf};
use tamis_tests::harness::{Run, Site, plugin};

/// A plugin's folder called `tenant` with these cases, and a cache of its own.
fn site(cases: &[(&str, &str)]) -> Site {
    let site = Site::new();
    for (name, text) in cases {
        site.write(&format!("tenant/cases/{name}"), text);
    }
    site
}

fn test(site: &Site, more: &[&str]) -> Run {
    run(site, &["plugin", "test", "tenant", "--component", plugin("tenant").to_str().unwrap()], more)
}

fn run(site: &Site, arguments: &[&str], more: &[&str]) -> Run {
    let script = "exec \"$TAMIS\" \"$@\"";
    let mut command = site.shell(script);
    command.arg("sh").args(arguments).args(more).env("XDG_CACHE_HOME", site.path("cache"));
    tamis_tests::harness::Live::start(command).wait()
}

const SOUND: (&str, &str) = (
    "sound.yaml",
    "name: <owners> & \"more\"\nconfig: { owners: { cio: corporate } }\ninput: [{ ApiOwner: cio }, { ApiOwner: zz }]\nexpect:\n  - record: { ApiOwner: cio, tenant: corporate }\n  - unchanged\n",
);
const FAILING: (&str, &str) = (
    "failing.yaml",
    "config: { owners: { cio: \"\\e[31mred\" } }\ninput: [{ ApiOwner: cio }]\nexpect:\n  - record: { ApiOwner: cio, tenant: mail }\n",
);

#[test]
fn cases_that_pass_and_one_that_fails() {
    let site = site(&[SOUND, ("refused.yaml", "config: { owners: { cio: 7 } }\nrefuses: owners.cio\n")]);
    let passed = test(&site, &[]);
    assert_eq!(passed.code, Some(0), "{passed}");
    assert!(passed.text().contains("ok <owners> & \"more\"") && passed.text().ends_with("2 passed\n"), "{passed}");

    site.write("tenant/cases/failing.yaml", FAILING.1);
    let failed = test(&site, &[]);
    assert_eq!(failed.code, Some(1), "{failed}");
    let text = failed.text();
    assert!(text.contains("record 1, tenant/cases/failing.yaml:4: expected the record, found changed"), "{failed}");
    assert!(text.contains("tenant: expected \"mail\", found \"\\u001b[31mred\"") && !text.contains('\u{1b}'), "{failed}");
    assert_eq!(test(&site, &["--case", "refused"]).code, Some(0));
    let none = test(&site, &["--case", "refuse"]);
    assert!(none.code == Some(1) && none.err.contains("there are: failing"), "{none}");

    let json = test(&site, &["--output", "json"]).json();
    assert_eq!((&json["passed"], &json["failed"]), (&2.into(), &1.into()), "{json}");
    assert_eq!(json["plugins"][0]["cases"][0]["mismatches"][0]["fields"][0]["path"], "tenant", "{json}");
}

#[test]
fn junit_is_xml_whatever_the_names() {
    let site = site(&[SOUND, FAILING]);
    let run = test(&site, &["--output", "junit"]);
    assert_eq!(run.code, Some(1), "{run}");
    let text = run.text();
    let document = roxmltree::Document::parse(&text).unwrap_or_else(|error| panic!("{error}: {run}"));
    let root = document.root_element();
    assert_eq!((root.attribute("tests"), root.attribute("failures")), (Some("2"), Some("1")), "{run}");
    let cases: Vec<_> = root.descendants().filter(|node| node.has_tag_name("testcase")).collect();
    assert_eq!(cases.iter().map(|case| case.attribute("name").unwrap()).collect::<Vec<_>>(), ["failing", "<owners> & \"more\""]);
    let failure = cases[0].first_element_child().unwrap();
    assert!(failure.has_tag_name("failure") && failure.text().unwrap().contains("expected \"mail\""), "{run}");
}

#[test]
fn formats_are_for_their_verbs() {
    let site = Site::new();
    for arguments in
        [&["--output", "junit", "schema"][..], &["plugin", "bench", "--output", "junit"], &["plugin", "test", "--output", "dot"]]
    {
        let run = run(&site, arguments, &[]);
        assert!(run.code == Some(2) && run.err.contains("take `text` or `json`"), "{run}");
    }
}

#[test]
fn cases_that_cannot_be_read_and_none() {
    let none = site(&[]);
    none.write("tenant/README.md", "");
    let run = test(&none, &[]);
    assert!(run.code == Some(1) && run.err.contains("no test cases") && run.err.contains("--bless"), "{run}");
    let wrong = site(&[("a.yaml", "imput: []\n"), SOUND]);
    let run = test(&wrong, &[]);
    assert!(run.code == Some(2) && run.err.contains("tenant/cases/a.yaml:1:1") && run.err.contains("did you mean `input`?"), "{run}");
    let run = self::run(&wrong, &["plugin", "test", "tenant", "tenant", "--component", "x"], &[]);
    assert_eq!(run.code, Some(2), "{run}");
    let absent = site(&[SOUND]);
    let run = self::run(&absent, &["plugin", "test", "tenant", "--component", "absent.wasm"], &[]);
    assert!(run.code == Some(1) && run.err.contains("absent.wasm"), "{run}");
}

#[test]
fn what_comes_is_blessed_once() {
    let site = site(&[("a.yaml", "config: { owners: { cio: corporate } }\ninput: [{ ApiOwner: cio }]\n")]);
    assert!(test(&site, &[]).text().contains("--bless"));
    assert!(test(&site, &["--bless"]).text().contains("golden file written"));
    assert_eq!(site.lines("tenant/cases/a.golden.ndjson"), [r#"{"record":{"ApiOwner":"cio","tenant":"corporate"}}"#]);
    assert_eq!(test(&site, &[]).code, Some(0));
}

#[test]
fn a_hostile_plugin_fails_its_cases_and_nothing_else() {
    let site = Site::new();
    for (name, config) in [("loop", "loop poison"), ("memory", "memory poison"), ("trap", "trap poison"), ("lie", "offsets-beyond poison")]
    {
        let text = format!(
            "config: {config}\ninput: [{{ message: a }}, {{ message: poison }}]\nexpect:\n  - record: {{ message: a, a: a! }}\n  - unchanged\n"
        );
        site.write(&format!("hostile/cases/{name}.yaml"), text);
    }
    let run = run(&site, &["plugin", "test", "hostile", "--component", plugin("hostile").to_str().unwrap()], &["--output", "json"]);
    assert_eq!(run.code, Some(1), "{run}");
    let json = run.json();
    for (case, cause) in json["plugins"][0]["cases"].as_array().unwrap().iter().zip(["contract", "deadline", "memory", "trap"]) {
        let mismatches = case["mismatches"].as_array().unwrap();
        assert_eq!(mismatches.len(), 1, "{case}");
        let found = mismatches[0]["found"].as_str().unwrap().to_owned();
        // On a busy machine, filling the memory may take longer than the deadline.
        assert!(found.starts_with(&format!("failed ({cause})")) || (cause == "memory" && found.starts_with("failed (deadline)")), "{case}");
    }
}

#[test]
fn the_bench_compares_with_another_build() {
    let site = site(&[SOUND]);
    let component = plugin("tenant");
    let arguments = ["plugin", "bench", "tenant", "--records", "4096", "--component", component.to_str().unwrap()];
    let alone = run(&site, &arguments, &[]);
    assert!(alone.code == Some(0) && alone.text().contains("ns a record in the step"), "{alone}");
    let both = run(&site, &arguments, &["--against", component.to_str().unwrap(), "--output", "json"]);
    assert_eq!(both.code, Some(0), "{both}");
    let row = &both.json()["measured"][0];
    let ratio = row["ratio"].as_f64().unwrap();
    assert!((0.2..5.0).contains(&ratio), "a component is as fast as itself: {row}");
    for key in ["step_ns", "record_ns", "records_per_second", "init_seconds", "memory_bytes", "component_bytes"] {
        assert!(row["now"][key].as_f64().unwrap() > 0.0, "{key}: {row}");
    }
}

#[test]
fn development_survives_what_does_not_build() {
    let site = site(&[SOUND]);
    let once = run(&site, &["plugin", "dev", "tenant", "--once"], &[]);
    assert!(once.code == Some(1) && once.err.contains("expected the folder of a Rust crate"), "{once}");

    let mut command = site.shell("exec \"$TAMIS\" plugin dev tenant");
    command.env("XDG_CACHE_HOME", site.path("cache"));
    let live = tamis_tests::harness::Live::start(command);
    tamis_tests::harness::eventually("the first round", || live.err().contains("watching"));
    site.write("tenant/src/lib.rs", "");
    tamis_tests::harness::eventually("a round after a change", || live.err().matches("watching").count() > 1);
    live.signal("INT");
    let run = live.wait();
    assert_eq!(run.code, Some(130), "{run}");
}

/// The reference plugins that have cases.
fn reference_plugins() -> Vec<PathBuf> {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(plugins).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.join("cases").is_dir()).collect();
    found.sort();
    found
}

#[test]
fn the_reference_plugins_pass_their_cases() {
    let found = reference_plugins();
    assert!(found.len() >= 9, "{found:?}");
    let site = Site::new();
    for folder in found {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let run = run(&site, &["plugin", "test", folder.to_str().unwrap(), "--component", plugin(name).to_str().unwrap()], &[]);
        assert_eq!(run.code, Some(0), "{name}: {run}");
    }
}
