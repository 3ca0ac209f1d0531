//! Programs on columns, compared with VRL run on whole records.

use super::{outcome, patches};
use crate::steps::vrl::{Program, compile_vrl};
use tamis_record::Segment;
use vrl::compiler::runtime::Runtime;
use vrl::compiler::{TargetValue, TimeZone};
use vrl::path::{OwnedSegment, OwnedValuePath};
use vrl::value::{ObjectMap, Secrets, Value};

/// What VRL makes of the whole record; `None` where it drops or fails.
fn whole(source: &str, record: &str) -> Option<Value> {
    let program = vrl::compiler::compile(source, &vrl::stdlib::all()).unwrap().program;
    let value: Value = serde_json::from_str(record).unwrap();
    let mut target = TargetValue { value, metadata: Value::Object(ObjectMap::new()), secrets: Secrets::new() };
    Runtime::default().resolve(&mut target, &program, &TimeZone::parse("UTC").unwrap()).ok()?;
    Some(target.value)
}

/// What the step's patches make of it.
fn patched(program: &Program, record: &str) -> Option<Value> {
    let outcome = outcome(program, &[record]);
    if !outcome.rejects.is_empty() || outcome.verdicts.is_some() {
        return None;
    }
    let mut value: Value = serde_json::from_str(record).unwrap();
    for (path, text) in patches(program, &outcome, 0) {
        let segments = path.segments().iter().map(|segment| match segment {
            Segment::Key(key) => OwnedSegment::field(key),
            Segment::Index(index) => OwnedSegment::index(*index as isize),
        });
        let path = OwnedValuePath { segments: segments.collect() };
        match text {
            Some(text) => drop(value.insert(&path, serde_json::from_str::<Value>(&text).unwrap())),
            None => drop(value.remove(&path, false)),
        }
    }
    Some(value)
}

#[test]
fn columns_and_whole_records_come_to_the_same() {
    let statements = [
        ".a = 1",
        ".a.b = \"x\"",
        ".a.b.c = .b",
        ".a[0] = 1",
        ".a[2].b = 2",
        ".a[-1] = 3",
        "del(.a)",
        "del(.a.b)",
        "del(.a[0])",
        "del(.a[-1])",
        "del(.a.b, compact: true)",
        "del(.a.b.c, compact: true)",
        "del(.a[0], true)",
        ".b = del(.a)",
        ".b = .a",
        ".b = exists(.a.b)",
        ".b = .a[1]",
        ". = merge(., {\"a\": {\"z\": 1}})",
        "del(.b)",
        ".k = keys(.)",
        ".b, .e = .a + 1",
        ".a |= {\"m\": 1}",
        "abort",
        "if .a == 1 { .b = 2 }",
        ".c = .b = .a.b",
        "for_each(.) -> |k, _v| { .b = k }",
        ".a = [.a]",
        "del(.)",
        ".\"x.y\".z = 1",
        ".c = 1.5e3",
    ];
    let records = [
        "{}",
        r#"{"a":1,"b":2}"#,
        r#"{"a":{"b":{"c":1.0}}}"#,
        r#"{"a":{"b":1,"c":2},"b":"x"}"#,
        r#"{"a":[1,2,3]}"#,
        r#"{"a":[],"b":{}}"#,
        r#"{"a":"text","x.y":{"z":2}}"#,
        r#"{"a":[{"b":2}],"e":0}"#,
        r#"{"a":[[1],2],"b":[0]}"#,
        r#"{"a":{"b":{}},"c":1500.0}"#,
    ];
    let mut compared = 0;
    for first in statements {
        for second in statements {
            let source = format!("{first}\n{second}");
            let Ok(program) = compile_vrl(&source) else {
                continue;
            };
            for record in records {
                let (whole, patched) = (whole(&source, record), patched(&program, record));
                let conflict = patched.is_none()
                    && outcome(&program, &[record]).rejects.iter().any(|r| r.reason.contains("an object and of an array"));
                assert!(whole == patched || conflict, "{source} on {record}: {patched:?} instead of {whole:?}");
                compared += 1;
            }
        }
    }
    assert!(compared > 5000, "{compared}");
}
