//! The same plugin in several languages: the same pipeline gives the same bytes with each. And what a language's own failures become.

use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use tamis_tests::harness::Site;

/// The spellings of the plugin `tenant`, by the name of its component.
const LANGUAGES: [&str; 2] = ["tenant", "tenant-python"];

/// Loads the plugins of a site, so that their code is in its cache. A language's runtime takes a busy machine longer to compile than the
/// harness waits for a run.
fn compile(site: &Site) {
    // `check` fills a cache that is there, and makes none.
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(site.path("data/cache")).unwrap();
    let check = site.command(["check"]).output().unwrap();
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
}

#[test]
fn the_tenant_sample_gives_the_same_bytes_in_every_language() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("samples/tenant");
    let read = |name: &str| std::fs::read_to_string(sample.join(name)).unwrap();
    let (pipeline, input, expected) = (read("pipeline.yaml"), read("input.ndjson"), read("expected/calls.ndjson"));
    let (_, pipeline) = pipeline.split_once("version: 1\n").unwrap();
    for component in LANGUAGES {
        let config = pipeline.replace("../../target/plugins/tenant.wasm", &format!("PLUGIN({component})"));
        let config = config.replace("${TAMIS_INPUT:-samples/tenant/input.ndjson}", "input.ndjson").replace("${TAMIS_OUT:-out/tenant}/", "");
        assert!(config.contains("PLUGIN(") && !config.contains("${"), "{config}");
        let site = Site::with(&config, &input);
        compile(&site);
        site.delivered();
        let found = String::from_utf8(site.read("calls.ndjson")).unwrap();
        assert_eq!(found, expected, "{component}");
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
