//! Plugins in other languages than Rust: the same pipeline gives the same bytes, and the sandbox holds them as it holds others.

use std::fmt::Write as _;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use tamis_tests::harness::{Site, plugin};

/// The spellings of the plugin `tenant`, by the name of its component.
const LANGUAGES: [&str; 3] = ["tenant", "tenant-js", "tenant-python"];

/// The sample's input, and values that languages treat differently by themselves: letters beyond ASCII, white space, other kinds.
fn input() -> String {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/tenant/input.ndjson");
    let mut input = std::fs::read_to_string(sample).unwrap();
    let texts = [
        "cio",
        "CIO",
        "S7_",
        " s7_",
        "été",
        "ÉTÉ",
        "\\u212a",
        "\\ud83d\\ude00",
        "\u{1f600}",
        "\u{feff}cio",
        "",
        "a\\u0000b",
        "\u{130}",
        "/t/colis.example/v1",
        "t/COLIS.example?x",
        "\u{a0}/t/colis.example",
        "\\t/t/ courrier.example /v1",
        "__proto__",
        "constructor",
    ];
    for (n, owner) in texts.iter().enumerate() {
        for other in texts {
            let domain = texts[(n + 7) % texts.len()];
            let _ = writeln!(
                input,
                "{{\"n\":{n}, \"ApiOwner\":\"{owner}\",\"api\":{{\"tenantDomain\":\"{domain}\"}},\"apiContext\":\"{other}\",\"é\":1.50}}"
            );
        }
    }
    for owner in ["null", "7", "true", "[\"cio\"]", "{}", "1e400"] {
        let _ = writeln!(input, "{{\"ApiOwner\":{owner},\"organization\":{{\"tenant\":\"old\",\"x\":[]}}}}");
    }
    input
}

/// Loads the plugins of a site, so that their code is in its cache. A language's runtime takes a busy machine longer to compile than the
/// harness waits for a run.
fn compile(site: &Site) {
    // `check` fills a cache that is there, and makes none.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(site.path("data/cache")).unwrap();
    let check = site.command(["check"]).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

/// The sample's pipeline with another component, and time enough for a busy machine.
fn configuration(name: &str) -> String {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples/tenant/pipeline.yaml");
    let sample = std::fs::read_to_string(sample).unwrap();
    let component = "component: ../../target/plugins/tenant.wasm\n";
    assert!(sample.contains(component) && sample.contains("owners: { cio: corporate"), "the sample is not as it was");
    let path = plugin(name);
    sample
        .replace(component, &format!("component: {}\n    limits: {{ deadline: 10s, init_deadline: 30s }}\n", path.display()))
        .replace("owners: { cio: corporate", "owners: { été: \"saison \u{1f600}\", __proto__: proto, cio: corporate")
}

#[test]
fn every_language_gives_the_same_bytes() {
    let outputs: Vec<(&str, Vec<u8>)> = LANGUAGES
        .into_iter()
        .map(|name| {
            let site = Site::new();
            site.write("tamis.yaml", configuration(name));
            let input = site.write("input.ndjson", input());
            compile(&site);
            let mut command = site.command(["run", "--once"]);
            command.env("TAMIS_INPUT", input).env("TAMIS_OUT", site.path("out"));
            let run = command.output().unwrap();
            assert!(run.status.success(), "{name}: {}", String::from_utf8_lossy(&run.stderr));
            let out = site.read("out/calls.ndjson");
            assert_eq!(out.iter().filter(|byte| **byte == b'\n').count(), input_lines(), "{name}: a record is missing");
            (name, out)
        })
        .collect();
    let (first, expected) = &outputs[0];
    assert!(expected.windows("saison \u{1f600}".len()).any(|text| text == "saison \u{1f600}".as_bytes()), "the table is not used");
    for (name, out) in &outputs {
        assert!(out == expected, "{name} gives other bytes than {first}");
    }
}

fn input_lines() -> usize {
    input().lines().count()
}

#[test]
fn a_configuration_error_names_the_key_in_every_language() {
    for name in LANGUAGES {
        let site = Site::new();
        site.write("tamis.yaml", configuration(name).replace("cio: corporate", "cio: 7"));
        let run = site.run(["check"]);
        assert_eq!(run.code, Some(2), "{name}: {run}");
        assert!(run.err.contains("configuration key owners.cio: ") && run.err.contains("expected a string"), "{name}: {run}");
    }
}

/// What a record makes the guest do, the cause that it is given, and what its dead letter says.
const MISBEHAVIOURS: [(&str, &str, &str); 7] = [
    ("loop", "deadline", ""),
    ("memory", "reject", "out of memory"),
    ("recursion", "trap", "stack"),
    ("throw", "reject", "on purpose"),
    ("type", "reject", "TypeError"),
    ("clock", "reject", "a plugin has no clock"),
    ("random", "reject", "a plugin has no random numbers"),
];

#[test]
fn javascript_that_misbehaves_is_contained() {
    const ROWS: usize = 40;
    for (behaviour, cause, says) in MISBEHAVIOURS {
        let input = (0..ROWS).fold(String::new(), |mut input, n| {
            let message = if n == 17 { behaviour.to_owned() } else { format!("m{n}") };
            let _ = writeln!(input, "{{\"n\":{n},\"message\":\"{message}\"}}");
            input
        });
        // A part of a batch has its share of the deadline: enough for a busy machine.
        let deadline = if behaviour == "loop" { "4s" } else { "60s" };
        let site = Site::with(
            &format!(
                "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  h:
    component: PLUGIN(hostile-js)
    grant: {{ read: [message], write: [a] }}
    limits: {{ memory: 16MiB, deadline: {deadline}, init_deadline: 30s }}
pipelines: {{ main: {{ from: [in], steps: [ {{ plugin: h }} ], to: [out], dead_letters: [failed] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}
settings: {{ admin: off, lanes: 1, batch: {{ records: 64 }} }}"
            ),
            input,
        );
        let run = site.once();
        assert_eq!(run.code, Some(0), "{behaviour}: {run}");
        assert!(!run.err.contains("internal fault") && !run.err.contains('\u{1b}'), "{behaviour}: {run}");
        let expected: Vec<String> =
            (0..ROWS).filter(|n| *n != 17).map(|n| format!("{{\"n\":{n},\"message\":\"m{n}\",\"a\":\"m{n}!\"}}")).collect();
        assert_eq!(site.lines("out.ndjson"), expected, "{behaviour}: {run}");
        let letters = site.letters("failed.ndjson");
        assert_eq!(letters.len(), 1, "{behaviour}: {run}");
        assert_eq!(letters[0].cause(), cause, "{behaviour}: {}", letters[0].reason());
        assert!(letters[0].reason().contains(says), "{behaviour}: {}", letters[0].reason());
    }
}

/// What the hostile guest in Python does for a message, the cause and the beginning of the reason.
const PYTHON: [(&str, &str, &str); 10] = [
    ("loop", "deadline", "the call did not end within"),
    ("error: jean.dupont", "reject", "ValueError at hostile.py:"),
    ("missing: jean.dupont", "reject", "KeyError at hostile.py:"),
    ("on purpose", "reject", "said on purpose"),
    ("recursion", "reject", "RecursionError at hostile.py:"),
    ("module", "reject", "the module colorsys is not in the component: import it at the top of the file"),
    ("clock", "trap", "wasm trap: "),
    ("file", "trap", "wasm trap: "),
    ("ends", "reject", "SystemExit at hostile.py:"),
    ("type", "reject", "written field a: expected str, found a value of type int"),
];

#[test]
fn failures_of_python_become_dead_letters_that_tell_no_values() {
    // The deadline is for a busy machine; the loop is cut five times until it stands alone.
    let site = Site::new();
    site.config(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  h: { component: PLUGIN(hostile-python), grant: { read: [message, n], write: [a] }, limits: { deadline: 2s, init_deadline: 30s } }
pipelines: { main: { from: [in], steps: [ { plugin: h } ], to: [out], dead_letters: [failed] } }
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: failed.ndjson } }",
    );
    let behaviours = PYTHON.iter().map(|(message, ..)| *message);
    let messages: Vec<&str> = ["fine", "printing"].into_iter().chain(behaviours).chain(["fine"]).collect();
    let line = |n: usize, message: &str| format!("{{\"n\":{n},\"message\":\"{message}\"}}\n");
    site.write("input.ndjson", messages.iter().enumerate().map(|(n, message)| line(n, message)).collect::<String>());
    compile(&site);
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    run.report().conserved();
    assert!(run.err.contains("printed, not lost"), "what is printed is logged: {run}");
    assert!(!run.err.contains("jean"), "{run}");

    let last = messages.len() - 1;
    assert_eq!(
        site.lines("out.ndjson"),
        [
            "{\"n\":0,\"message\":\"fine\",\"a\":\"fine!\"}".to_owned(),
            "{\"n\":1,\"message\":\"printing\",\"a\":\"printing!\"}".to_owned(),
            format!("{{\"n\":{last},\"message\":\"fine\",\"a\":\"fine!\"}}"),
        ]
    );
    let letters = site.letters("failed.ndjson");
    assert_eq!(letters.len(), PYTHON.len(), "{run}");
    for (message, cause, reason) in PYTHON {
        let letter =
            letters.iter().find(|letter| letter.value["record"]["message"] == message).unwrap_or_else(|| panic!("{message}: {run}"));
        assert_eq!(letter.cause(), cause, "{message}: {}", letter.reason());
        assert!(letter.reason().starts_with(reason) && !letter.reason().contains("jean"), "{message}: {}", letter.reason());
    }
}
