//! Tests of pipelines: records that go in, and what is to come of them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use tamis_record::Path;

use crate::reader::expectations::{self, TestKeys};
use crate::{Located, Text};

/// Tests that a configuration and its case files may hold together.
pub const TESTS_MAX: usize = 10_000;
/// Characters of a test's name.
pub const TEST_NAME_CHARS_MAX: usize = 200;
/// Bytes of the input of one test, and of a file that holds what is expected.
pub const TEST_BYTES_MAX: u64 = 16 << 20;

/// A test of a pipeline, which `tamis test` runs and `tamis run` passes over: exactly one of `input`, `text` and `input_file`,
/// and exactly one of `expect` and `expect_file`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(try_from = "TestKeys")]
pub struct PipelineTest {
    /// What it is called, in reports and on the command line.
    pub name: Located<String>,
    /// The pipeline that the records enter. None: the only one that there is.
    pub pipeline: Option<Located<String>>,
    /// The source that the records come from.
    pub source: Option<Located<String>>,
    /// What goes in.
    pub input: TestInput,
    /// What is to come of it.
    pub expect: Expected,
    /// The folder of the file: paths are relative to it.
    pub folder: PathBuf,
}

/// What goes into a test's pipeline.
#[derive(Debug, Clone, PartialEq)]
pub enum TestInput {
    /// These records.
    Records(Vec<Value>),
    /// These lines, which the source's codec decodes.
    Text(String),
    /// The lines of this file.
    File(Located<Text>),
}

/// Where it is written what is to come of a test's records.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// In the test itself.
    Here(Box<Expect>),
    /// In this file.
    File(Located<Text>),
}

/// What is to come of a test's records. What is not named is not compared, but for dead letters: there are to be none.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Expect {
    /// Records by output, in their order; an empty list: nothing leaves there.
    #[schemars(with = "BTreeMap<String, Vec<RecordForm>>")]
    pub outputs: BTreeMap<String, Located<Vec<Located<ExpectedRecord>>>>,
    /// Records by sink, in their order: of all outputs that lead there, through other pipelines too.
    #[schemars(with = "BTreeMap<String, Vec<RecordForm>>")]
    pub sinks: BTreeMap<String, Located<Vec<Located<ExpectedRecord>>>>,
    /// How many records the pipeline drops on purpose.
    #[schemars(with = "Option<u64>")]
    pub dropped: Option<Located<u64>>,
    /// Dead letters, in their order. Default: none.
    #[schemars(with = "Vec<ExpectedLetter>")]
    pub dead_letters: Vec<Located<ExpectedLetter>>,
    /// What becomes of each record that reaches a step, by the step's name or number, as `tamis explain` shows them.
    #[schemars(with = "BTreeMap<String, Vec<StepForm>>")]
    pub steps: BTreeMap<String, Located<Vec<Located<ExpectedPassage>>>>,
    /// The host halts (`on_failure: halt`), and this text is in its reason.
    #[schemars(with = "Option<String>")]
    pub halts: Option<Located<String>>,
}

/// What is expected of one record; all that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ExpectedRecord {
    /// The whole record.
    pub record: Option<Value>,
    /// Fields with their values; of objects within, the members that are named.
    pub has: Vec<(Path, Value)>,
    /// Fields that it has not.
    pub lacks: Vec<Path>,
    /// A VRL condition that is true.
    pub vrl: Option<String>,
}

/// What a step is to do with one record that reaches it.
#[derive(Debug, Clone, PartialEq)]
pub enum ExpectedPassage {
    /// It goes on, as expected, and on its way to this output when one is named.
    On {
        /// The record afterwards; none: as it came to the step.
        record: Option<ExpectedRecord>,
        /// The output that the step sends it to.
        to: Option<String>,
    },
    /// It is dropped.
    Dropped,
    /// The step fails on it, and this text is in the reason.
    Rejected(String),
}

/// A dead letter; all that is given has to hold.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExpectedLetter {
    /// Its pipeline.
    #[schemars(with = "Option<String>")]
    pub pipeline: Option<Located<String>>,
    /// Its step, by name.
    #[schemars(with = "Option<String>")]
    pub step: Option<Located<String>>,
    /// Its cause: reject, trap, deadline, memory, decode or contract.
    pub cause: Option<LetterCause>,
    /// Text within its reason.
    pub reason: Option<String>,
    /// The record as it came to the pipeline.
    #[serde(deserialize_with = "expectations::record_option")]
    #[schemars(with = "Option<RecordForm>")]
    pub record: Option<ExpectedRecord>,
}

/// Why a record is a dead letter, in a test: sinks are not opened there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LetterCause {
    /// The step refuses the record.
    Reject,
    /// The plugin's code stops itself.
    Trap,
    /// The call takes longer than its deadline.
    Deadline,
    /// A limit of memory is reached.
    Memory,
    /// What came is no record.
    Decode,
    /// The answer breaks the contract, or its changes do not fit the record.
    Contract,
}

impl LetterCause {
    /// The word of the dead letter.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reject => "reject",
            Self::Trap => "trap",
            Self::Deadline => "deadline",
            Self::Memory => "memory",
            Self::Decode => "decode",
            Self::Contract => "contract",
        }
    }
}

/// A record as a test expects it: the whole record, or an object of nothing but `record`, `has`, `lacks` and `vrl`.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct RecordForm {
    /// The whole record, where its own names would be mistaken for these.
    record: Option<BTreeMap<String, Value>>,
    /// Fields, by path, with their values; of objects within, only the members named are compared.
    has: Option<BTreeMap<String, Value>>,
    /// Paths of fields that the record has not.
    lacks: Option<Vec<String>>,
    /// A VRL condition that is true for the record.
    vrl: Option<String>,
    /// Any other names are those of the whole record.
    #[schemars(flatten)]
    whole: BTreeMap<String, Value>,
}

/// What a step does with one record: `dropped`, `unchanged`, `rejected`, or an object.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum StepForm {
    /// `dropped`, `unchanged` or `rejected`.
    Word(StepWord),
    /// The record afterwards, or why it was rejected.
    Record(StepRecord),
}

/// What a step does with one record, in a word.
#[derive(JsonSchema)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum StepWord {
    /// The step drops it.
    Dropped,
    /// It goes on as it came.
    Unchanged,
    /// The step fails on it.
    Rejected,
}

/// A record after a step.
#[derive(JsonSchema)]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) struct StepRecord {
    /// The step fails on it, and this text is in the reason.
    rejected: Option<String>,
    /// It goes on as it came.
    unchanged: Option<bool>,
    /// The output that the step sends it to.
    to: Option<String>,
    /// What the record is like afterwards.
    #[schemars(flatten)]
    record: RecordForm,
}
