//! Tests of pipelines as written. What a record is expected to be has two forms, told apart by its names.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, Error};
use serde_json::{Map, Value};

use super::json::Json;
use super::parts::{Name, bad_value, said};
use super::problem::Carried;
use crate::diagnostic::codes::{BAD_PATH, BAD_VALUE, WRONG_TYPE};
use crate::model::{Expect, Expected, ExpectedPassage, ExpectedRecord, PipelineTest, TEST_NAME_CHARS_MAX, TestInput};
use crate::{Located, Text};

/// Names that say what a record is to be like; a map with any other is the whole record.
const RECORD_KEYS: [&str; 4] = ["record", "has", "lacks", "vrl"];
/// Names that say what a step does, beside those.
const STEP_KEYS: [&str; 3] = ["rejected", "unchanged", "to"];

/// A test of a pipeline: exactly one of `input`, `text` and `input_file`, and exactly one of `expect` and `expect_file`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "PipelineTest")]
pub(crate) struct TestKeys {
    /// What it is called, in reports and on the command line.
    #[schemars(with = "String", length(min = 1, max = 200))]
    name: Located<TestName>,
    /// The pipeline that the records enter. Default: the only one that there is.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    pipeline: Option<Located<Name>>,
    /// The source that the records come from: its codec decodes `text` and `input_file`. Default: the pipeline's only source.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    source: Option<Located<Name>>,
    /// Records that go in, after the codec.
    #[serde(default)]
    #[schemars(with = "Option<Vec<std::collections::BTreeMap<String, Value>>>")]
    input: Option<Vec<Record>>,
    /// Lines that go in, which the source's codec decodes.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    text: Option<Located<String>>,
    /// A file of such lines, relative to the folder of this file.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    input_file: Option<Located<Text>>,
    /// What is to come of it.
    #[serde(default)]
    expect: Option<Expect>,
    /// A file that says so, relative to the folder of this file; `tamis test --bless` writes it.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    expect_file: Option<Located<Text>>,
}

struct TestName(String);

impl<'de> Deserialize<'de> for TestName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name.trim().is_empty() || name.chars().count() > TEST_NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(bad_value("a test's name has 1 to 200 characters, none of them a control character", ""));
        }
        Ok(Self(name))
    }
}

/// A record: a map.
struct Record(Value);

impl<'de> Deserialize<'de> for Record {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)?.0 {
            record @ Value::Object(_) => Ok(Self(record)),
            _ => Err(said(WRONG_TYPE, "a record is a map", "lines for the source's codec stand under `text`")),
        }
    }
}

impl TryFrom<TestKeys> for PipelineTest {
    type Error = String;

    fn try_from(keys: TestKeys) -> Result<Self, String> {
        let wrong = |text: &str, help: &str| Err(Carried { code: BAD_VALUE, text, said: true, help }.to_string());
        let input = match (keys.input, keys.text, keys.input_file) {
            (Some(records), None, None) => TestInput::Records(records.into_iter().map(|Record(record)| record).collect()),
            (None, Some(text), None) => TestInput::Text(text.value),
            (None, None, Some(file)) => TestInput::File(file),
            _ => return wrong("a test has exactly one of `input`, `text` and `input_file`", "for example `input: [ { status: 503 } ]`"),
        };
        let expect = match (keys.expect, keys.expect_file) {
            (Some(expect), None) => Expected::Here(Box::new(expect)),
            (None, Some(file)) => Expected::File(file),
            _ => {
                let help = "for example `expect: { outputs: { default: [] } }`; `tamis test --bless` writes an `expect_file`";
                return wrong("a test has exactly one of `expect` and `expect_file`", help);
            }
        };
        let plain = |name: Located<Name>| name.map(|Name(name)| name);
        Ok(PipelineTest {
            name: keys.name.map(|TestName(name)| name),
            pipeline: keys.pipeline.map(plain),
            source: keys.source.map(plain),
            input,
            expect,
            folder: PathBuf::new(),
        })
    }
}

impl<'de> Deserialize<'de> for ExpectedRecord {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        record(Json::deserialize(deserializer)?.0)
    }
}

/// What is expected of a record, if anything is.
pub(crate) fn record_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<ExpectedRecord>, D::Error> {
    Option::<ExpectedRecord>::deserialize(deserializer)
}

impl<'de> Deserialize<'de> for ExpectedPassage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const HELP: &str = "write `dropped`, `unchanged`, `rejected`, `rejected: text`, or the record";
        let mut map = match Json::deserialize(deserializer)?.0 {
            Value::String(word) => {
                return match word.as_str() {
                    "dropped" => Ok(Self::Dropped),
                    "unchanged" => Ok(Self::On { record: None, to: None }),
                    "rejected" => Ok(Self::Rejected(String::new())),
                    _ => Err(said(BAD_VALUE, "a step does something else with a record", HELP)),
                };
            }
            Value::Object(map) => map,
            _ => return Err(said(WRONG_TYPE, "expected a word or a map", HELP)),
        };
        if !map.keys().all(|key| RECORD_KEYS.contains(&key.as_str()) || STEP_KEYS.contains(&key.as_str())) || map.is_empty() {
            return record(Value::Object(map)).map(|record| Self::On { record: Some(record), to: None });
        }
        if let Some(reason) = map.remove("rejected") {
            return match (reason, map.is_empty()) {
                (Value::String(reason), true) => Ok(Self::Rejected(reason)),
                (Value::String(_), false) => Err(bad_value("`rejected` stands alone", "a rejected record goes no further")),
                _ => Err(said(WRONG_TYPE, "`rejected`: expected text", "write a part of the reason")),
            };
        }
        let to = map.remove("to").map(|to| text("to", to)).transpose()?;
        match map.remove("unchanged") {
            None if map.is_empty() => Err(bad_value("nothing is said of the record", HELP)),
            None => record(Value::Object(map)).map(|record| Self::On { record: Some(record), to }),
            Some(Value::Bool(true)) if map.is_empty() => Ok(Self::On { record: None, to }),
            Some(_) => Err(bad_value("`unchanged` is `true` and stands beside `to` alone", "")),
        }
    }
}

fn text<E: Error>(key: &str, value: Value) -> Result<String, E> {
    match value {
        Value::String(text) => Ok(text),
        _ => Err(said(WRONG_TYPE, &format!("`{key}`: expected text"), "")),
    }
}

fn members<E: Error>(key: &str, value: Value) -> Result<Map<String, Value>, E> {
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(said(WRONG_TYPE, &format!("`{key}`: expected a map"), "")),
    }
}

// Paths stand in values and names of records: the message names neither.
fn path<E: Error>(key: &str, text: &str) -> Result<tamis_record::Path, E> {
    text.parse().map_err(|error: tamis_record::PathError| said(BAD_PATH, &format!("`{key}`: {error}"), ""))
}

fn record<E: Error>(value: Value) -> Result<ExpectedRecord, E> {
    let map = match value {
        Value::Object(map) => map,
        _ => return Err(said(WRONG_TYPE, "a record is a map", "or `vrl: condition`, `has: { field: value }`, `lacks: [field]`")),
    };
    if map.is_empty() || !map.keys().all(|key| RECORD_KEYS.contains(&key.as_str())) {
        return Ok(ExpectedRecord { record: Some(Value::Object(map)), ..ExpectedRecord::default() });
    }
    let mut expected = ExpectedRecord::default();
    for (key, value) in map {
        match key.as_str() {
            "record" => expected.record = Some(Value::Object(members(&key, value)?)),
            "has" => {
                for (name, value) in members(&key, value)? {
                    expected.has.push((path(&key, &name)?, value));
                }
            }
            "vrl" => expected.vrl = Some(text(&key, value)?),
            _ => {
                let Value::Array(list) = value else { return Err(said(WRONG_TYPE, "`lacks`: expected a list of field paths", "")) };
                for name in list {
                    expected.lacks.push(path(&key, &text::<E>(&key, name)?)?);
                }
            }
        }
    }
    Ok(expected)
}

impl fmt::Debug for TestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
