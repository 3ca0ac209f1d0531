//! `tamis plugin check`: a bad plugin for each guard-rail, refused with that one's code, and sound plugins that pass.

use std::collections::BTreeSet;
use std::path::Path;
use tamis_authoring::guard::{RULES, Severity};
use tamis_tests::harness::{Live, Run, Site, plugin, section, with_section};

/// What the guest `bad` does by its configuration, and the codes that come of it.
const WORDS: [(&str, &[&str]); 19] = [
    ("refuse", &["P006"]),
    ("read-unused", &["P021"]),
    ("read-absent", &["P022"]),
    ("write-unused", &["P023"]),
    ("output-unused", &["P024"]),
    ("drop-unused", &["P024"]),
    ("state", &["P030"]),
    ("batch-size", &["P031"]),
    ("empty", &["P040"]),
    // A value of another kind is absent too.
    ("absent", &["P041", "P042", "P043"]),
    ("huge", &["P042"]),
    ("hostile", &["P043"]),
    ("poison", &["P044"]),
    ("memory", &["P052"]),
    ("memory-near", &["P053"]),
    ("log-flood", &["P055"]),
    ("log-value", &["P060"]),
    ("counter-value", &["P061"]),
    ("reason-value", &["P062"]),
];

/// The codes that [`components_by_hand`] and [`sizes_against_the_limit`] provoke.
const COMPONENTS: [&str; 13] = ["P001", "P002", "P003", "P004", "P005", "P010", "P011", "P012", "P013", "P014", "P015", "P016", "P020"];
/// The codes that [`time_against_the_limits`] provokes.
const TIMES: [&str; 3] = ["P050", "P051", "P054"];

/// Compiled code of all tests: the runtime of a language takes seconds.
fn cache() -> &'static str {
    concat!(env!("CARGO_TARGET_TMPDIR"), "/cache")
}

fn check(site: &Site, component: &Path, more: &[&str]) -> Run {
    let mut command = site.command(["--output", "json", "plugin", "check"]);
    command.arg(component).args(more).env("XDG_CACHE_HOME", cache());
    Live::start(command).wait()
}

/// The codes of a report, each once; that the exit code and the counts agree with them.
#[track_caller]
fn codes(run: &Run) -> Vec<String> {
    let report = run.json();
    let findings = report["findings"].as_array().unwrap();
    let mut codes = BTreeSet::new();
    let mut errors = 0;
    for finding in findings {
        let code = finding["code"].as_str().unwrap();
        let rule = RULES.iter().find(|rule| rule.code == code).unwrap_or_else(|| panic!("{code} is no rule: {run}"));
        assert_eq!((&finding["severity"], &finding["help"]), (&rule.severity.as_str().into(), &rule.cure.into()), "{run}");
        assert!(finding["found"].as_str().unwrap().len() > 10, "a finding without a reason: {run}");
        errors += usize::from(rule.severity == Severity::Error);
        codes.insert(code.to_owned());
    }
    assert_eq!((&report["errors"], &report["warnings"]), (&errors.into(), &(findings.len() - errors).into()), "{run}");
    assert_eq!(run.code, Some(i32::from(errors > 0)), "{run}");
    codes.into_iter().collect()
}

/// A folder whose cases configure the guest `bad`.
fn site(word: &str) -> Site {
    let site = Site::new();
    let records = "  - { message: first of all, status: 200 }\n  - { message: poison, status: 404 }\n";
    site.write("bad/cases/only.yaml", format!("config: {word}\ninput:\n{records}"));
    site
}

#[test]
fn every_guard_rail_has_a_plugin_that_breaks_it() {
    let words = WORDS.iter().flat_map(|(_, codes)| codes.iter().copied());
    let provoked: BTreeSet<&str> = words.chain(COMPONENTS).chain(TIMES).collect();
    let rules: BTreeSet<&str> = RULES.iter().map(|rule| rule.code).collect();
    assert_eq!(provoked, rules);
}

#[test]
fn a_sound_plugin_breaks_none() {
    let site = site("sound");
    let run = check(&site, &plugin("bad"), &["--cases", "bad", "--strict"]);
    assert!(codes(&run).is_empty(), "{run}");
    let report = run.json();
    assert_eq!((&report["ran"], &report["configurations"], &report["records"]), (&true.into(), &1.into(), &2.into()), "{run}");
}

#[test]
fn what_a_plugin_does() {
    for (word, expected) in WORDS {
        let site = site(word);
        let run = check(&site, &plugin("bad"), &["--cases", "bad"]);
        assert_eq!(codes(&run), expected, "{word}: {run}");
        if run.code == Some(0) {
            let strict = check(&site, &plugin("bad"), &["--cases", "bad", "--strict"]);
            assert_eq!(strict.code, Some(1), "{word}: a warning is a failure with --strict: {strict}");
        }
    }
}

#[test]
fn the_same_plugin_gives_the_same_report() {
    for word in ["sound", "absent", "hostile", "batch-size", "log-flood", "reason-value"] {
        let site = site(word);
        let [one, other] = [(); 2].map(|()| check(&site, &plugin("bad"), &["--cases", "bad"]).text());
        assert_eq!(one, other, "{word}");
    }
}

/// A component of WebAssembly text: see tests/guests/component.wat.
fn by_hand(imports: &str, export: &str) -> Vec<u8> {
    let guests = Path::new(env!("CARGO_MANIFEST_DIR")).join("guests");
    let read = |name: &str| std::fs::read_to_string(guests.join(name)).unwrap();
    let core = read("lies/base.wat").replace("@PAGES@", "64") + &read("lies/sound.wat");
    let text = read("component.wat").replace("@CORE@", &core).replace("@IMPORTS@", imports);
    wat::parse_str(text.replace("@WITH@", "").replace("@EXPORT@", export)).unwrap()
}

#[test]
fn components_by_hand() {
    let good = std::fs::read(plugin("bad")).unwrap();
    let about = |change: &dyn Fn(&mut serde_json::Value)| {
        let mut about = serde_json::from_slice(&section(&good, "tamis:plugin").unwrap()).unwrap();
        change(&mut about);
        with_section(&good, "tamis:plugin", Some(about.to_string().as_bytes()))
    };
    let network = r#"(import "wasi:http/outgoing-handler@0.2.0" (instance))"#;
    let cases: [(&str, Vec<u8>, &[&str], &str); 17] = [
        ("no WebAssembly", b"not a component".to_vec(), &["P001"], "this is not WebAssembly"),
        ("half of one", good[..good.len() / 2].to_vec(), &["P001"], "not valid"),
        ("a newer contract", by_hand("", "tamis:plugin/transform@1.0.0"), &["P002"], "a host of version 1.0.0 or newer is needed"),
        ("an older contract", by_hand("", "tamis:plugin/transform@0.0.1"), &["P002"], "rebuild the plugin"),
        ("a network", by_hand(network, "tamis:plugin/transform@0.1.0"), &["P003"], "wasi:http/outgoing-handler"),
        (
            "not a word of itself",
            by_hand("", "tamis:plugin/transform@0.1.0"),
            &["P010", "P011", "P012", "P013", "P014", "P022", "P023", "P024"],
            "it has no name",
        ),
        ("no section of ours", with_section(&good, "tamis:plugin", None), &["P010"], "not built by"),
        ("half a section", with_section(&good, "tamis:plugin", Some(b"{\"format\":")), &["P010"], "cannot be read"),
        ("no name", with_section(&good, "component-name", None), &["P010"], "it has no name"),
        ("a version of two numbers", with_section(&good, "version", Some(b"1.0")), &["P011"], "`1.0`"),
        ("no description", with_section(&good, "description", None), &["P012"], "it has no description"),
        (
            "the template's description",
            with_section(&good, "description", Some(b"Marks calls that took long")),
            &["P016"],
            "that of the template",
        ),
        ("blank authors", with_section(&good, "authors", Some(b" \n")), &["P013"], "it has no authors"),
        ("no licence", with_section(&good, "licenses", None), &["P014"], "it has no licence"),
        ("another contract", about(&|about| about["contract"] = "0.9.0".into()), &["P015"], "says contract 0.9.0, it exports 0.1.0"),
        (
            "another signature",
            about(&|about| {
                let signature = serde_json::json!({ "reads": [], "writes": [], "outputs": [], "drops": false });
                about["example"] = serde_json::json!({ "config": "sound", "signature": signature });
            }),
            &["P015"],
            "says another signature",
        ),
        (
            "a signature for what it refuses",
            about(&|about| about["example"] = serde_json::json!({ "config": "refuse", "signature": {} })),
            &["P015"],
            "it refuses that configuration",
        ),
    ];
    let mut provoked = BTreeSet::new();
    for (what, component, expected, told) in cases {
        let site = site("sound");
        let path = site.write("made.wasm", component);
        let run = check(&site, &path, &["--cases", "bad"]);
        assert_eq!(codes(&run), expected, "{what}: {run}");
        assert!(run.text().contains(told), "{what}: {run}");
        provoked.extend(codes(&run));
    }
    let no_cases = check(&site("sound"), &plugin("bad"), &["--config", "\"sound\""]);
    assert_eq!(codes(&no_cases), ["P020"], "{no_cases}");
    for code in COMPONENTS.iter().filter(|code| !["P004", "P005", "P020"].contains(code)) {
        assert!(provoked.contains(*code), "{code}");
    }
}

#[test]
fn sizes_against_the_limit() {
    let bytes = std::fs::metadata(plugin("bad")).unwrap().len();
    for (limit, expected) in [(bytes - 1, &["P004"][..]), (bytes, &["P005"]), (bytes * 2 - 2, &["P005"]), (bytes * 2, &[])] {
        let limit = format!("component={limit}B");
        let run = check(&site("sound"), &plugin("bad"), &["--cases", "bad", "--limits", &limit]);
        assert_eq!(codes(&run), expected, "{limit}: {run}");
    }
}

/// The machine may be slow or busy: the limit is moved until it lies above what the plugin takes and below twice that.
#[test]
fn time_against_the_limits() {
    for (word, limit, beyond, near) in [("slow", "deadline", "P050", "P051"), ("init-slow", "init_deadline", "P006", "P054")] {
        let site = site(word);
        let mut seen = BTreeSet::new();
        let mut milliseconds: f64 = 30.0;
        for _ in 0..60 {
            let limits = format!("{limit}={milliseconds:.0}ms");
            let found = codes(&check(&site, &plugin("bad"), &["--cases", "bad", "--limits", &limits]));
            milliseconds *= if found.iter().any(|code| code == beyond) { 1.5 } else { 0.7 };
            seen.extend(found);
            if seen.contains(beyond) && seen.contains(near) {
                break;
            }
        }
        assert!(seen.contains(beyond) && seen.contains(near), "{word}: {seen:?}");
    }
}

#[test]
fn text_says_what_why_and_what_to_do() {
    let site = site("hostile");
    let mut command = site.command(["plugin", "check"]);
    command.arg(plugin("bad")).args(["--cases", "bad"]).env("XDG_CACHE_HOME", cache());
    let run = Live::start(command).wait();
    let text = run.text();
    assert_eq!(run.code, Some(1), "{run}");
    assert!(
        text.starts_with("error[P043]: expected hostile values are survived\n  found: `message` with control characters: trap"),
        "{run}"
    );
    assert!(text.contains("\n  help:  treat every value as written by an attacker"), "{run}");
    assert!(text.ends_with("(1 configurations, 2 records of cases)\n") && !text.contains('\u{1b}'), "{run}");

    for (arguments, told) in [
        (vec!["plugin", "check", "absent.wasm"], "absent.wasm"),
        (vec!["plugin", "check", "absent.wasm", "--limits", "speed=1"], "`speed` is no limit"),
        (vec!["plugin", "check", "absent.wasm", "--config", "{"], "expected JSON or a file of it"),
    ] {
        let run = site.run(arguments);
        assert!(run.code == Some(2) && run.err.contains(told) && run.out.is_empty(), "{run}");
    }
    site.write("wrong/cases/a.yaml", "imput: []\n");
    let run = check(&site, &plugin("bad"), &["--cases", "wrong"]);
    assert!(run.code == Some(2) && run.err.contains("did you mean `input`?"), "{run}");
}

#[test]
fn the_reference_plugins_break_none() {
    let plugins = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins");
    let mut checked = 0;
    for entry in std::fs::read_dir(plugins).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if !folder.join("README.md").is_file() || name == "sdk" {
            continue;
        }
        let site = Site::new();
        let mut command = site.command(["plugin", "check", "--strict", "--cases", folder.to_str().unwrap()]);
        // Other programs may take the time; what it costs is measured elsewhere.
        command.args(["--limits", "deadline=10s,init_deadline=60s"]);
        // A language's runtime takes a busy machine longer to compile than the harness waits.
        let output = command.arg(plugin(&name)).env("XDG_CACHE_HOME", cache()).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        checked += 1;
    }
    assert!(checked >= 16, "{checked} plugins were found");
}
