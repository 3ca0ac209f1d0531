//! Tests of the record-level door, through the harness.

use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::{Boolean, Float, Integer, Json, JsonText, NoConfig, Reads, Text, Verdict, Writes, log, metrics};

/// Reads and writes every kind: the member's name says what it does.
#[derive(Reads)]
struct In<'a> {
    text: Option<&'a str>,
    #[field("nested.bytes")]
    bytes: Option<&'a [u8]>,
    integer: Option<i64>,
    float: Option<f64>,
    boolean: Option<bool>,
    #[field("list[1]")]
    json: Option<Json<'a>>,
}

#[derive(Writes)]
struct Out {
    #[field("out.text")]
    text: Text,
    #[field("out.bytes")]
    bytes: Text,
    #[field("out.integer")]
    integer: Integer,
    #[field("out.float")]
    float: Float,
    #[field("out.boolean")]
    boolean: Boolean,
    #[field("out.json")]
    json: JsonText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    #[serde(default = "default_drops")]
    drop: String,
    text: Option<String>,
    #[serde(default)]
    without_json: bool,
}

fn default_drops() -> String {
    "drop".to_owned()
}

struct Mirror(Config);

impl Plugin for Mirror {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;
    const OUTPUTS: &'static [&'static str] = &["errors", "slow"];
    const DROPS: bool = true;

    fn new(config: Config) -> Result<Self, String> {
        Ok(Self(config))
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        match declared {
            "text" => self.0.text.as_deref().or(Some("text")),
            "list[1]" if self.0.without_json => None,
            declared => Some(declared),
        }
    }

    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        if let Some(text) = row.text {
            out.text.set(text);
        }
        if let Some(bytes) = row.bytes {
            out.bytes.set_bytes(bytes);
        }
        if let Some(integer) = row.integer {
            out.integer.set(integer);
        }
        if let Some(float) = row.float {
            out.float.set(float);
        }
        if let Some(boolean) = row.boolean {
            out.boolean.set(boolean);
        }
        if let Some(json) = row.json {
            out.json.set_text(json.as_bytes());
        }
        metrics::add("records", 1);
        match row.text {
            Some("error") => Verdict::To(0),
            Some("slow") => Verdict::To(1),
            Some("nowhere") => Verdict::To(2),
            Some("bad") => Verdict::reject("a bad record"),
            Some(text) if text == self.0.drop => Verdict::Drop,
            _ => Verdict::Keep,
        }
    }

    fn batch_done(&mut self) {
        log::info("done");
    }
}

#[test]
fn every_kind_goes_in_and_out() {
    let mut mirror = harness::<Mirror>(json!({})).expect("a configuration");
    let all = json!({
        "text": "é\"x", "nested": {"bytes": "b"}, "integer": -5, "float": 1.5, "boolean": true,
        "list": [0, {"a": [1]}],
    });
    let run = mirror.run(json!([
        all,
        {},
        {"text": 1, "nested": "x", "integer": "1", "float": null, "boolean": 0, "list": [1]},
    ]));
    let out = json!({
        "text": "é\"x", "bytes": "b", "integer": -5, "float": 1.5, "boolean": true, "json": {"a": [1]},
    });
    assert_eq!(run.records[0]["out"], out);
    assert_eq!(run.records[1], json!({}));
    assert_eq!(run.records[2].get("out"), None);
    assert_eq!(run.outcome.verdicts, None);
    assert_eq!(run.told.counters.get("records"), Some(&3));
    assert_eq!(run.told.log, [(Level::Info, "done".to_owned())]);
}

#[test]
fn verdicts_and_rejects() {
    let mut mirror = harness::<Mirror>(json!({"drop": "gone"})).expect("a configuration");
    let texts = ["a", "error", "gone", "bad", "slow"];
    let records: Vec<Value> = texts.iter().map(|text| json!({ "text": text })).collect();
    let run = mirror.run(records.into());
    let fates = [
        Fate::Kept,
        Fate::Sent("errors".to_owned()),
        Fate::Dropped,
        Fate::Rejected("a bad record".to_owned()),
        Fate::Sent("slow".to_owned()),
    ];
    assert_eq!(run.fates, fates);
    assert_eq!(run.rejects(), [(3, "a bad record")]);
    assert_eq!(run.passed().len(), 3);
    let patch = run.outcome.patches.first().expect("a patch of out.text");
    assert_eq!(patch.rows, Some(vec![0, 1, 4]), "what was set for a record that does not go on is taken back");
}

#[test]
fn an_output_that_was_not_declared_fails_the_batch_and_no_other() {
    let mut mirror = harness::<Mirror>(json!({})).expect("a configuration");
    let error = mirror.try_run(json!([{"text": "a"}, {"text": "nowhere"}])).expect_err("there is no third output");
    assert_eq!(error, "the plugin sends a record to its output 2, but declares 2");
    let run = mirror.run(json!([{"text": "b"}]));
    assert_eq!(run.records[0]["out"]["text"], "b");
}

#[test]
fn the_configuration_moves_and_leaves_out_fields() {
    let mut mirror = harness::<Mirror>(json!({"text": "\"a.b\".c", "without_json": true})).expect("a configuration");
    assert_eq!(mirror.reads(), ["\"a.b\".c", "nested.bytes", "integer", "float", "boolean"]);
    let run = mirror.run(json!([{"a.b": {"c": "x"}, "list": [0, 1]}]));
    assert_eq!(run.records[0]["out"], json!({"text": "x"}));
}

#[test]
fn a_configuration_error_names_the_key() {
    let error = harness::<Mirror>(json!({"drop": 1})).expect_err("drop is text");
    assert_eq!(error, "configuration key drop: invalid type: integer `1`, expected a string");
}

/// Drops although it does not say so, and reads and writes nothing.
struct Undeclared;

impl Plugin for Undeclared {
    type Config = NoConfig;
    type In<'a> = ();
    type Out = ();

    fn new(_: NoConfig) -> Result<Self, String> {
        Ok(Self)
    }

    fn record(&mut self, (): (), (): &mut ()) -> Verdict {
        Verdict::Drop
    }
}

#[test]
fn an_undeclared_drop_fails_the_batch() {
    let mut plugin = harness::<Undeclared>(json!(null)).expect("no configuration");
    assert!(plugin.reads().is_empty() && plugin.writes().is_empty());
    assert_eq!(plugin.try_run(json!([{}])), Err("the plugin drops a record, but does not declare that it does".to_owned()));
    assert_eq!(plugin.run(json!([])).records, Vec::<Value>::new());
}
