//! Comparing a record with what is expected of it, field by field.

use crate::DIFFERENCES_MAX;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tamis_config::ExpectedRecord;
use tamis_record::{Path, Segment};
use tamis_runtime::trial::{Condition, Verdict};

/// The compiled conditions of a test, by their source.
pub(crate) type Conditions = BTreeMap<String, Condition>;

/// Something that is not as expected.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    /// What it is about: `output errors, record 1`.
    pub at: String,
    /// What is wrong; empty when the differences say it all.
    pub message: String,
    /// The fields that differ, at most [`DIFFERENCES_MAX`].
    pub differences: Vec<Difference>,
}

/// A field that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Difference {
    /// Its path.
    pub field: String,
    /// What it was to be; none: it was to be missing.
    pub expected: Option<Value>,
    /// What it is; none: it is missing.
    pub found: Option<Value>,
}

impl Problem {
    pub(crate) fn new(at: impl Into<String>, message: impl Into<String>) -> Self {
        Self { at: at.into(), message: message.into(), differences: Vec::new() }
    }
}

/// Compares a record with all that is expected of it.
pub(crate) fn record(at: &str, expected: &ExpectedRecord, found: &[u8], conditions: &Conditions, problems: &mut Vec<Problem>) {
    let value: Value = match serde_json::from_slice(found) {
        Ok(value) => value,
        Err(error) => {
            problems.push(Problem::new(at, format!("the record cannot be compared: {error}: {}", String::from_utf8_lossy(found))));
            return;
        }
    };
    let mut differences = Differences::default();
    if let Some(whole) = &expected.record {
        differences.between(&mut Vec::new(), Some(whole), Some(&value), false);
    }
    for (path, wanted) in &expected.has {
        differences.between(&mut path.segments().to_vec(), Some(wanted), look(&value, path), true);
    }
    for path in &expected.lacks {
        // A field that is null is missing to every step.
        if let Some(there) = look(&value, path).filter(|there| !there.is_null()) {
            differences.between(&mut path.segments().to_vec(), None, Some(there), false);
        }
    }
    if let Some(problem) = differences.into_problem(at) {
        problems.push(problem);
    }
    if let Some((source, condition)) = expected.vrl.as_ref().and_then(|source| conditions.get_key_value(source)) {
        let why = match condition.holds(found) {
            Verdict::True => return,
            Verdict::False => format!("the condition is false: {}", source.trim()),
            Verdict::Failed(why) => format!("{why}: {}", source.trim()),
        };
        problems.push(Problem::new(at, format!("{why}\nthe record: {}", String::from_utf8_lossy(found))));
    }
}

/// Compares a record with another one, whole.
pub(crate) fn same(at: &str, expected: &[u8], found: &[u8], problems: &mut Vec<Problem>) {
    let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).ok();
    if expected != found
        && let (Some(expected), Some(found)) = (parse(expected), parse(found))
    {
        let mut differences = Differences::default();
        differences.between(&mut Vec::new(), Some(&expected), Some(&found), false);
        problems.extend(differences.into_problem(at));
    }
}

fn look<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.segments().iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(&**key),
        Segment::Index(index) => value.get(*index as usize),
    })
}

#[derive(Default)]
struct Differences {
    list: Vec<Difference>,
    beyond: usize,
}

impl Differences {
    /// Adds how two values differ. `partial`: members of objects that are not expected may be there.
    fn between(&mut self, path: &mut Vec<Segment>, expected: Option<&Value>, found: Option<&Value>, partial: bool) {
        match (expected, found) {
            (Some(Value::Object(wanted)), Some(Value::Object(there))) => {
                for (key, value) in wanted {
                    self.below(path, Segment::Key(key.as_str().into()), Some(value), there.get(key), partial);
                }
                for (key, value) in there.iter().filter(|(key, _)| !partial && !wanted.contains_key(*key)) {
                    self.below(path, Segment::Key(key.as_str().into()), None, Some(value), partial);
                }
            }
            (Some(Value::Array(wanted)), Some(Value::Array(there))) => {
                for (index, at) in (0..wanted.len().max(there.len())).zip(0u32..) {
                    self.below(path, Segment::Index(at), wanted.get(index), there.get(index), partial);
                }
            }
            (expected, found) if expected == found => {}
            (expected, found) if self.list.len() < DIFFERENCES_MAX => {
                let field = Path::from_segments(path.clone()).to_string();
                self.list.push(Difference { field, expected: expected.cloned(), found: found.cloned() });
            }
            _ => self.beyond += 1,
        }
    }

    fn below(&mut self, path: &mut Vec<Segment>, segment: Segment, expected: Option<&Value>, found: Option<&Value>, partial: bool) {
        path.push(segment);
        self.between(path, expected, found, partial);
        path.pop();
    }

    fn into_problem(self, at: &str) -> Option<Problem> {
        if self.list.is_empty() {
            return None;
        }
        let message = if self.beyond > 0 { format!("{} more fields differ", self.beyond) } else { String::new() };
        Some(Problem { at: at.into(), message, differences: self.list })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differences(expected: &ExpectedRecord, found: &Value) -> Vec<String> {
        let mut problems = Vec::new();
        record("r", expected, found.to_string().as_bytes(), &Conditions::new(), &mut problems);
        let show = |value: &Option<Value>| value.as_ref().map_or("-".into(), Value::to_string);
        problems.iter().flat_map(|p| &p.differences).map(|d| format!("{} {} {}", d.field, show(&d.expected), show(&d.found))).collect()
    }

    #[test]
    fn whole_records_differ_by_field() {
        let whole = |value| ExpectedRecord { record: Some(value), ..ExpectedRecord::default() };
        let found = json!({ "a": 1, "b": { "c": [1, 2], "d.e": "x" }, "n": null });
        assert!(differences(&whole(found.clone()), &found).is_empty());
        let expected = whole(json!({ "a": 1.0, "b": { "c": [1, 3, 4], "d.e": "y" }, "z": true, "n": null }));
        assert_eq!(differences(&expected, &found), ["a 1.0 1", "b.c[1] 3 2", "b.c[2] 4 -", r#"b."d.e" "y" "x""#, "z true -"]);
        assert_eq!(differences(&whole(json!({ "a": 1 })), &json!({ "a": 1, "x": 2 })), ["x - 2"]);
    }

    #[test]
    fn parts_are_fields_by_path_and_of_objects_the_members_named() {
        let part = ExpectedRecord {
            has: vec![("b".parse().unwrap(), json!({ "c": 1 })), ("t[0].u".parse().unwrap(), json!("v"))],
            lacks: vec!["x.y".parse().unwrap(), "n".parse().unwrap()],
            ..ExpectedRecord::default()
        };
        let found = json!({ "b": { "c": 1, "more": 2 }, "t": [{ "u": "v" }], "n": null, "x": 7 });
        assert!(differences(&part, &found).is_empty());
        let found = json!({ "b": { "c": 2 }, "t": [], "x": { "y": 1 } });
        assert_eq!(differences(&part, &found), ["b.c 1 2", r#"t[0].u "v" -"#, "x.y - 1"]);
    }

    #[test]
    fn differences_have_a_limit() {
        let expected = ExpectedRecord { record: Some(json!({})), ..ExpectedRecord::default() };
        let found: serde_json::Map<String, Value> = (0..200).map(|n| (format!("f{n}"), n.into())).collect();
        let mut problems = Vec::new();
        record("r", &expected, Value::Object(found).to_string().as_bytes(), &Conditions::new(), &mut problems);
        assert_eq!((problems[0].differences.len(), problems[0].message.as_str()), (DIFFERENCES_MAX, "150 more fields differ"));
    }
}
