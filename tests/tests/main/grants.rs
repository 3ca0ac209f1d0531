//! Grants: what is not written in the configuration cannot be had.

use tamis_tests::harness::{Run, Site};

fn with(grant: &str, config: &str, plugin: &str) -> (Site, Run) {
    let text = format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins: {{ p: {{ component: PLUGIN({plugin}), grant: {{ {grant} }}, config: {config} }} }}
pipelines: {{ main: {{ from: [in], steps: [ {{ plugin: p }} ], to: {{ default: [out], errors: [out] }} }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}"
    );
    let site = Site::with(
        &text,
        "{\"message\":\"to jean.dupont@courriel.example\",\"a\":{\"b\":{\"c\":\"marie@mail.example\"}},\"keep\":\"luc@mail.example\"}\n",
    );
    let run = site.once();
    (site, run)
}

const HOSTILE: (&str, &str) = ("nothing", "hostile");

#[test]
fn more_than_is_granted_does_not_load_and_the_cure_is_told() {
    for (grant, says) in [
        ("", "asks to read `message` and to write `a`, `i`, `f`, `b`, `j`, `.`: not granted"),
        ("read: [message]", "asks to write `a`"),
        ("read: [message], write: [a, i, f, b, j]", "asks to write `.`"),
        ("write: [.]", "asks to read `message`"),
        ("read: [message.x], write: [.]", "asks to read `message`"),
        ("read: [messages], write: [.]", "asks to read `message`"),
        ("read: [message], write: [.], drop: false", "to drop records"),
        ("read: [message], write: [.], outputs: []", "to send records to `errors`"),
        ("read: [message], write: [.], outputs: [error]", "to send records to `errors`"),
    ] {
        let (site, run) = with(grant, HOSTILE.0, HOSTILE.1);
        assert_eq!(run.code, Some(2), "{grant}: {run}");
        assert!(run.err.contains("E212") && run.err.contains(says), "{grant}: {run}");
        assert_eq!(site.read("out.ndjson"), b"");
        // The cure, pasted over the grant that was there, cures.
        let cure = run.err.split("if it may, write under plugins.p: grant: { ").nth(1).unwrap().split(" }").next().unwrap();
        let (_, run) = with(cure, HOSTILE.0, HOSTILE.1);
        assert_eq!(run.code, Some(0), "{grant}: the cure `{cure}` does not help: {run}");
    }
}

#[test]
fn a_plugin_that_may_neither_read_nor_write_the_redacted_field() {
    let (_, run) = with("read: [message]", "{ fields: [message] }", "redact");
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("asks to write `message`"), "{run}");
}

#[test]
fn the_whole_record_covers_everything() {
    let (site, run) = with("read: [.], write: [.]", "{ fields: [.] }", "redact");
    assert_eq!(run.code, Some(0), "{run}");
    run.report().conserved();
    assert_eq!(site.lines("out.ndjson"), ["{\"message\":\"to [email]\",\"a\":{\"b\":{\"c\":\"[email]\"}},\"keep\":\"[email]\"}"]);
    // One field of it, under a grant of the whole.
    let (site, run) = with("read: [.], write: [.]", "{ fields: [message] }", "redact");
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(
        site.lines("out.ndjson"),
        ["{\"message\":\"to [email]\",\"a\":{\"b\":{\"c\":\"marie@mail.example\"}},\"keep\":\"luc@mail.example\"}"]
    );
}

#[test]
fn a_grant_covers_what_lies_below_it() {
    let only = "{\"message\":\"to jean.dupont@courriel.example\",\"a\":{\"b\":{\"c\":\"[email]\"}},\"keep\":\"luc@mail.example\"}";
    for grant in ["a", "a.b", "a.b.c"] {
        let (site, run) = with(&format!("read: [{grant}], write: [{grant}]"), "{ fields: [a.b.c] }", "redact");
        assert_eq!(run.code, Some(0), "{grant}: {run}");
        assert_eq!(site.lines("out.ndjson"), [only], "{grant}");
    }
    for grant in ["a.b.c.d", "a.b.cc", "b", "message"] {
        let (_, run) = with(&format!("read: [{grant}], write: [{grant}]"), "{ fields: [a.b.c] }", "redact");
        assert_eq!(run.code, Some(2), "{grant}: {run}");
        assert!(run.err.contains("`a.b.c`"), "{grant}: {run}");
    }
}

#[test]
fn a_grant_that_is_not_used_is_told() {
    let (_, run) = with("read: [message, keep], write: [message]", "{ fields: [message] }", "redact");
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.err.contains("W206") && run.err.contains("does not ask to read `keep`"), "{run}");
}
