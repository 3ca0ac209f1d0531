//! What is expected of one record, and how it differs from what came.

use std::fmt;

use serde_json::{Map, Value, json};
use tamis_config::nearest;
use tamis_record::{Path, Segment};

use crate::desk::{Fate, Went};

/// Differences kept of a record.
const DIFFERENCES_MAX: usize = 100;

const KEYS: [&str; 6] = ["record", "unchanged", "dropped", "rejected", "cause", "to"];
const CAUSES: [&str; 6] = ["reject", "trap", "deadline", "memory", "contract", "decode"];

/// What is expected of one record.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// The line that says so, from 1, in the case or its golden file.
    pub line: u32,
    /// The named output; `None`: the default one.
    pub output: Option<String>,
    /// How it is to go.
    pub want: Want,
}

/// How a record is to go.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// It goes on and holds what it held.
    Unchanged,
    /// It goes on and is this, whatever the order of its members.
    Record(Value),
    /// The plugin drops it.
    Dropped,
    /// It goes to the dead letters.
    Failed {
        /// The dead letter's cause.
        cause: &'static str,
        /// The reason holds this.
        reason: String,
    },
}

/// A field that is not as expected.
#[derive(Debug, Clone, PartialEq)]
pub struct Difference {
    /// The field's path.
    pub path: String,
    /// What was expected; `None`: that it is not there.
    pub expected: Option<Value>,
    /// What came; `None`: it is not there.
    pub found: Option<Value>,
}

/// Why an expectation cannot be read.
#[derive(Debug)]
pub(super) struct Misread {
    pub(super) message: String,
    /// The key it is about.
    pub(super) key: Option<String>,
    pub(super) help: Option<String>,
}

impl Misread {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), key: None, help: None }
    }

    fn of(key: &str, message: impl Into<String>) -> Self {
        Self { key: Some(key.to_owned()), ..Self::new(message) }
    }

    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl Expectation {
    /// Reads `unchanged`, `dropped`, `{ record: {…} }`, `{ unchanged: true }`, `{ dropped: true }` or
    /// `{ rejected: TEXT, cause: CAUSE }`, those of records that go on with `to: OUTPUT`.
    pub(super) fn read(value: Value, line: u32) -> Result<Self, Misread> {
        let forms = "write `unchanged`, `dropped`, `record: {…}` or `rejected: TEXT`; for another output `{ unchanged: true, to: OUTPUT }` or `{ record: {…}, to: OUTPUT }`";
        let mut map = match value {
            Value::String(word) => match word.as_str() {
                "unchanged" => return Ok(Self { line, output: None, want: Want::Unchanged }),
                "dropped" => return Ok(Self { line, output: None, want: Want::Dropped }),
                _ => {
                    let help =
                        nearest(&word, ["unchanged", "dropped"]).map_or_else(|| forms.to_owned(), |word| format!("did you mean `{word}`?"));
                    return Err(Misread::new(format!("`{word}` says nothing of a record")).help(help));
                }
            },
            Value::Object(map) => map,
            _ => return Err(Misread::new("expected what becomes of a record: a word or a map").help(forms)),
        };
        if let Some(key) = map.keys().find(|key| !KEYS.contains(&key.as_str())) {
            let help = nearest(key, KEYS).map_or_else(|| forms.to_owned(), |name| format!("did you mean `{name}`?"));
            return Err(Misread::of(key, format!("unknown key `{key}`")).help(help));
        }
        let output = match map.remove("to") {
            None => None,
            Some(Value::String(output)) => Some(output),
            Some(_) => return Err(Misread::of("to", "`to`: expected the name of an output")),
        };
        let cause = map.remove("cause");
        if map.len() != 1 {
            return Err(Misread::new("expected one of `record`, `unchanged`, `dropped` and `rejected`").help(forms));
        }
        let want = Self::want(map, cause.clone())?;
        let goes_on = matches!(want, Want::Unchanged | Want::Record(_));
        if output.is_some() && !goes_on {
            return Err(Misread::of("to", "`to`: a record that does not go on has no output"));
        }
        if cause.is_some() && !matches!(want, Want::Failed { .. }) {
            return Err(Misread::of("cause", "`cause` belongs to `rejected`"));
        }
        Ok(Self { line, output, want })
    }

    fn want(map: Map<String, Value>, cause: Option<Value>) -> Result<Want, Misread> {
        match map.into_iter().next() {
            Some((key, value)) if key == "record" => match value {
                Value::Object(_) => Ok(Want::Record(value)),
                _ => Err(Misread::of("record", "`record`: expected a map, as a record is one")),
            },
            Some((key, Value::Bool(true))) if key == "unchanged" => Ok(Want::Unchanged),
            Some((key, Value::Bool(true))) if key == "dropped" => Ok(Want::Dropped),
            Some((key, Value::String(reason))) if key == "rejected" => {
                let cause = match cause {
                    None => "reject",
                    Some(given) => CAUSES.into_iter().find(|cause| given == *cause).ok_or_else(|| {
                        Misread::of("cause", format!("`cause`: {given} is none")).help(format!("the causes are {}", CAUSES.join(", ")))
                    })?,
                };
                Ok(Want::Failed { cause, reason })
            }
            Some((key, _)) => {
                let expected = if key == "rejected" { "text that the reason holds" } else { "`true`" };
                Err(Misread::of(&key, format!("`{key}`: expected {expected}")))
            }
            None => Err(Misread::new("says nothing")),
        }
    }

    /// What came, as an expectation of the same: for golden files. `before` is the record as it came. `None` when the
    /// record cannot be compared (see [`differences`]).
    pub(super) fn of(fate: &Fate, before: &[u8], line: u32) -> Option<Self> {
        let want = match &fate.went {
            Went::Unchanged => Want::Unchanged,
            Went::Changed(after) if same(before, after) => Want::Unchanged,
            Went::Changed(after) => Want::Record(serde_json::from_str(after).ok()?),
            Went::Dropped => Want::Dropped,
            Went::Failed { cause, reason } => Want::Failed { cause, reason: reason.clone() },
        };
        Some(Self { line, output: fate.output.clone(), want })
    }

    /// As [`Expectation::read`] reads it.
    pub(super) fn to_json(&self) -> Value {
        let mut value = match (&self.want, &self.output) {
            (Want::Unchanged, None) => return json!("unchanged"),
            (Want::Dropped, _) => return json!("dropped"),
            (Want::Unchanged, Some(_)) => json!({ "unchanged": true }),
            (Want::Record(record), _) => json!({ "record": record }),
            (Want::Failed { cause: "reject", reason }, _) => json!({ "rejected": reason }),
            (Want::Failed { cause, reason }, _) => json!({ "rejected": reason, "cause": cause }),
        };
        if let (Some(map), Some(output)) = (value.as_object_mut(), &self.output) {
            map.insert("to".to_owned(), json!(output));
        }
        value
    }

    /// Whether this became of the record that came as `before`; otherwise the fields that differ, as far as there are two
    /// records to compare.
    pub(super) fn check(&self, fate: &Fate, before: &[u8]) -> Result<(), Vec<Difference>> {
        let compared = match (&self.want, &fate.went) {
            (Want::Unchanged, Went::Unchanged) | (Want::Dropped, Went::Dropped) => Ok(()),
            (Want::Unchanged, Went::Changed(after)) => records(before, after.as_bytes()),
            (Want::Record(expected), Went::Unchanged) => differences(expected, before),
            (Want::Record(expected), Went::Changed(after)) => differences(expected, after.as_bytes()),
            (Want::Failed { cause, reason }, Went::Failed { cause: found, reason: why }) if cause == found && why.contains(reason) => {
                Ok(())
            }
            _ => Err(Vec::new()),
        };
        if compared.is_ok() && self.output != fate.output { Err(Vec::new()) } else { compared }
    }
}

/// In words; a record without its content.
impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.want {
            Want::Unchanged => f.write_str("unchanged")?,
            Want::Record(_) => f.write_str("the record")?,
            Want::Dropped => f.write_str("dropped")?,
            Want::Failed { cause: "reject", reason } => write!(f, "rejected with `{reason}`")?,
            Want::Failed { cause, reason } => write!(f, "failed ({cause}) with `{reason}`")?,
        }
        match &self.output {
            Some(output) => write!(f, ", to {output}"),
            None => Ok(()),
        }
    }
}

/// Whether two texts are the same value.
fn same(before: &[u8], after: &str) -> bool {
    records(before, after.as_bytes()).is_ok()
}

fn records(before: &[u8], after: &[u8]) -> Result<(), Vec<Difference>> {
    match serde_json::from_slice(before) {
        Ok(before) => differences(&before, after),
        Err(_) => Err(Vec::new()),
    }
}

/// The fields in which a record's text differs from what is expected.
fn differences(expected: &Value, found: &[u8]) -> Result<(), Vec<Difference>> {
    let Ok(found) = serde_json::from_slice::<Value>(found) else { return Err(Vec::new()) };
    let (mut all, mut at) = (Vec::new(), Vec::new());
    compare(Some(expected), Some(&found), &mut at, &mut all);
    if all.is_empty() { Ok(()) } else { Err(all) }
}

/// The fields that changed between two texts of a record; none when one of them cannot be compared.
pub(super) fn changes(before: &[u8], after: &str) -> Vec<Difference> {
    records(before, after.as_bytes()).err().unwrap_or_default()
}

fn compare(expected: Option<&Value>, found: Option<&Value>, at: &mut Vec<Segment>, all: &mut Vec<Difference>) {
    if expected == found || all.len() >= DIFFERENCES_MAX {
        return;
    }
    match (expected, found) {
        (Some(Value::Object(expected)), Some(Value::Object(found))) => {
            let new = found.iter().filter(|(key, _)| !expected.contains_key(*key));
            for (key, _) in expected.iter().chain(new) {
                at.push(Segment::Key(key.as_str().into()));
                compare(expected.get(key), found.get(key), at, all);
                at.pop();
            }
        }
        (Some(Value::Array(expected)), Some(Value::Array(found))) => {
            for index in 0..expected.len().max(found.len()) {
                at.push(Segment::Index(u32::try_from(index).unwrap_or(u32::MAX)));
                compare(expected.get(index), found.get(index), at, all);
                at.pop();
            }
        }
        _ => all.push(Difference { path: Path::from_segments(at.clone()).to_string(), expected: expected.cloned(), found: found.cloned() }),
    }
}
