//! Results for programs.

use super::Tested;
use serde_json::{Map, Value, json};
use tamis_authoring::cases::{Blessed, Case, Difference, Report};

pub(super) fn all(all: &[Tested]) -> Value {
    let failed: usize = all.iter().map(Tested::failed).sum();
    let cases: usize = all.iter().map(|tested| tested.cases.len()).sum();
    let plugins: Vec<Value> = all
        .iter()
        .map(|tested| {
            let cases: Vec<Value> = tested.cases.iter().map(|(case, report)| one(case, report)).collect();
            json!({ "name": tested.plugin, "component": tested.component, "failed": tested.failed(), "cases": cases })
        })
        .collect();
    json!({ "passed": cases - failed, "failed": failed, "plugins": plugins })
}

fn one(case: &Case, report: &Report) -> Value {
    let mismatches: Vec<Value> = report
        .mismatches
        .iter()
        .map(|mismatch| {
            let fields: Vec<Value> = mismatch.fields.iter().map(|field| difference(field, ("expected", "found"))).collect();
            json!({
                "record": mismatch.record, "line": mismatch.line,
                "expected": mismatch.expected, "found": mismatch.found, "fields": fields,
            })
        })
        .collect();
    let mut value = json!({
        "name": case.name, "file": case.file, "passed": report.passed(), "records": case.input().len(),
        "seconds": report.took.as_secs_f64(), "mismatches": mismatches,
    });
    if let (Some(map), Some(run)) = (value.as_object_mut(), &report.run) {
        let log: Vec<Value> = run.log.iter().map(|line| json!({ "level": line.level.as_str(), "message": line.message })).collect();
        map.insert("log".to_owned(), log.into());
        map.insert("counters".to_owned(), json!(run.counters));
        map.insert("memory_bytes".to_owned(), json!(run.memory_bytes));
        map.insert("blessed".to_owned(), json!(report.blessed == Some(Blessed::Written)));
    }
    value
}

/// A field that differs; a value that is not there is left out.
pub(in crate::plugin) fn difference(field: &Difference, (before, after): (&str, &str)) -> Value {
    let mut map = Map::new();
    map.insert("path".to_owned(), json!(field.path));
    for (name, value) in [(before, &field.expected), (after, &field.found)] {
        if let Some(value) = value {
            map.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(map)
}
