//! Spellings of a record that try to get a field past its deletion or redaction.

use std::fmt::Write as _;
use tamis_tests::harness::Site;

const CANARY: &str = "canary.7f3a@courriel.example";

/// Spellings of a record whose member `secret` holds the canary.
fn evasions() -> Vec<String> {
    let value = format!("\"{CANARY}\"");
    let escaped: String = CANARY.chars().fold(String::new(), |mut out, c| {
        let _ = write!(out, "\\u{:04x}", u32::from(c));
        out
    });
    [
        "{\"secret\":V}",
        "{\"secret\":V,\"secret\":\"x\"}",
        "{\"secret\":\"x\",\"secret\":V}",
        "{\"secret\":V,\"a\":1,\"secret\":V}",
        "{\"secret\":V,\"secret\":null}",
        "{\"secret\":null,\"secret\":V}",
        "{\"\\u0073ecret\":V}",
        "{\"secre\\u0074\":V,\"secret\":\"x\"}",
        "{\"secret\":\"x\",\"\\u0073\\u0065\\u0063\\u0072\\u0065\\u0074\":V}",
        "{\"\\u0073ecret\":V,\"\\u0073ecret\":V}",
        "{ \"secret\" : V }",
        "{\"a\":{\"b\":[]},\"secret\":V,\"z\":[1,{}]}",
        "{\"secret\":V,\"secret\":1,\"secret\":{},\"secret\":[]}",
        "{\"secret\":1,\"secret\":V,\"secret\":2}",
    ]
    .iter()
    .flat_map(|form| [form.replace('V', &value), form.replace('V', &format!("\"{escaped}\""))])
    .collect()
}

/// The text with its escapes read, as a viewer would show it.
fn unescaped(text: &str) -> String {
    let mut out = text.to_owned();
    for c in CANARY.chars() {
        out = out.replace(&format!("\\u{:04x}", u32::from(c)), &c.to_string());
    }
    out
}

#[test]
fn no_spelling_of_a_key_evades_a_deletion() {
    let lines = evasions();
    for step in ["vrl: del(.secret)", "vrl: '.secret = \"gone\"'", "vrl: 'del(.secret); .a = 2'", "vrl: 'if .secret != 5 { del(.secret) }'"]
    {
        let config = format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], steps: [ {{ {step} }} ], to: [out], dead_letters: [failed] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}"
        );
        let site = Site::with(&config, lines.join("\n"));
        let flow = site.delivered().flow("main");
        assert_eq!((flow.out, flow.rejected), (lines.len() as u64, 0), "{step}");
        for (line, found) in lines.iter().zip(site.lines("out.ndjson")) {
            assert!(!unescaped(&found).contains(CANARY), "{step}: {line} became {found}");
            let value: serde_json::Value = serde_json::from_str(&found).expect("JSON");
            assert_eq!(value.get("secret").map(|v| v == "gone"), step.contains("gone").then_some(true), "{step}: {line} became {found}");
        }
    }
}

#[test]
fn no_spelling_of_a_key_evades_the_redactor() {
    let lines = evasions();
    for (fields, grant) in [("secret", "secret"), (".", ".")] {
        let config = format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  redact: {{ component: PLUGIN(redact), grant: {{ read: [{grant}], write: [{grant}] }}, config: {{ fields: [{fields}] }} }}
pipelines: {{ main: {{ from: [in], steps: [ {{ plugin: redact }} ], to: [out], dead_letters: [failed] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}"
        );
        let site = Site::with(&config, lines.join("\n"));
        let flow = site.delivered().flow("main");
        assert_eq!(flow.taken, lines.len() as u64);
        for found in site.lines("out.ndjson") {
            assert!(!unescaped(&found).contains(CANARY), "fields [{fields}]: {found}");
        }
    }
}
