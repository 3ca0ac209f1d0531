//! `encode(load(text), patches)` equals «parse, edit, serialise», for arbitrary JSON, paths and sequences of patches.

#![allow(clippy::unwrap_used, unreachable_pub)]

#[allow(dead_code)]
mod oracle;

use oracle::{Tree, edit, get, parse};
use proptest::prelude::*;
use std::sync::Arc;
use tamis_record::{Batch, Column, Fault, Field, FieldId, Fields, Kind, Outcome, Patch, Path, Records, Values};

/// One step's patch of one field: `Some(json)` sets, `None` removes.
type Write = (Path, Option<String>);

struct Run {
    output: Result<Vec<u8>, String>,
    /// What a reader behind each write saw of the watched paths.
    seen: Vec<Vec<Option<Vec<u8>>>>,
}

fn run(text: &[u8], writes: &[Write], watched: &[Path]) -> Run {
    let mut fields = Fields::new();
    let columns: Vec<_> = watched.iter().map(|p| fields.read(p, Kind::Json).unwrap()).collect();
    let ids: Vec<FieldId> = writes.iter().map(|(p, _)| fields.write(p).unwrap()).collect();
    let mut batch = Batch::new(Arc::new(fields));
    let mut faults: Vec<Fault> = Vec::new();
    // Neighbours before and behind show that a row's change stays in the row.
    let mut all = b"{\"n\":1}\n".to_vec();
    all.extend_from_slice(text);
    all.extend_from_slice(b"\n{\"n\":2}");
    let rows = vec![(0, 7), (8, 8 + text.len() as u32), (9 + text.len() as u32, all.len() as u32)];
    batch.load(Arc::new(Records { text: all, rows }), &mut faults);
    let mut seen = Vec::new();
    for ((_, value), id) in writes.iter().zip(&ids) {
        let Some(row) = batch.live().iter().position(|r| *r == 1) else { break };
        let mut column = Column::new(Kind::Json);
        match (&mut column.values, value) {
            (Values::Json(v), Some(value)) => v.push(value.as_bytes()),
            _ => {
                column.values.push_absent();
                column.present = Some(vec![0]);
            }
        }
        let outcome = Outcome { patches: vec![Patch { field: 0, rows: Some(vec![row as u32]), column }], ..Outcome::default() };
        batch.apply(&[*id], &[], &outcome, &[], &mut faults);
        batch.prepare(&columns, &mut faults);
        let Some(row) = batch.live().iter().position(|r| *r == 1) else { break };
        seen.push(columns.iter().map(|c| batch.column(*c).bytes(row).map(<[u8]>::to_vec)).collect());
    }
    let mut out = Vec::new();
    for row in [0, 2] {
        out.clear();
        batch.encode(row, &mut out).unwrap();
        assert_eq!(out, if row == 0 { b"{\"n\":1}" } else { b"{\"n\":2}" });
    }
    out.clear();
    let output = match faults.first() {
        Some(fault) => {
            assert_eq!(fault.row, 1);
            Err(fault.reason.clone())
        }
        None => batch.encode(1, &mut out).map(|()| out).map_err(|c| c.to_string()),
    };
    Run { output, seen }
}

fn compare(text: &str, writes: &[Write], watched: &[Path]) {
    let mut tree = parse(text.as_bytes()).expect("the generator makes JSON");
    let actual = run(text.as_bytes(), writes, watched);
    for (i, (path, value)) in writes.iter().enumerate() {
        let value = value.as_ref().map(|v| parse(v.as_bytes()).unwrap());
        if (path.is_root() && value.is_none()) || edit(&mut tree, path, value.as_ref()).is_err() {
            // A later write of the same field replaces the pending one before it can fail.
            let replaced = writes[i + 1..].iter().any(|(later, _)| later == path);
            assert!(
                replaced || actual.output.is_err(),
                "{text} {writes:?}: a conflict went unnoticed: {:?}",
                actual.output.map(String::from_utf8)
            );
            return;
        }
        let Some(seen) = actual.seen.get(i) else {
            panic!("{text} {writes:?}: stopped at {i}: {:?}", actual.output);
        };
        for (watch, seen) in watched.iter().zip(seen) {
            let expected = get(&tree, watch).filter(|v| **v != Tree::Null);
            assert_eq!(seen.as_deref().map(|s| parse(s).unwrap()).as_ref(), expected, "{text} {writes:?}: {watch} after step {i}");
        }
    }
    let out = actual.output.unwrap_or_else(|e| panic!("{text} {writes:?}: {e}"));
    assert!(!out.contains(&b'\n'));
    let mut out_tree = parse(&out).expect("the output is JSON");
    // A value that was set and removed again leaves no parents behind, where editing step by step does.
    if writes.iter().enumerate().any(|(i, (path, _))| writes[i + 1..].iter().any(|(p, v)| p == path && v.is_none())) {
        out_tree.prune();
        tree.prune();
    }
    assert_eq!(out_tree, tree, "{text} {writes:?} gave {}", String::from_utf8_lossy(&out));
    if writes.is_empty() && watched.is_empty() {
        assert_eq!(out, text.as_bytes(), "untouched means byte for byte");
    }
}

fn key() -> impl Strategy<Value = String> {
    // Every spelling of a few names, so that names repeat and paths hit.
    prop_oneof![
        4 => prop_oneof![Just("a"), Just("b"), Just("c")].prop_map(|k| format!("\"{k}\"")),
        1 => prop_oneof![Just(r#""\u0061""#), Just(r#""\u0062""#), Just(r#""x.y""#), Just(r#""""#), Just(r#""\ud800""#), Just("\"é\""), Just(r#""\\""#)].prop_map(String::from),
    ]
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_string()),
        Just("true".to_string()),
        Just("false".to_string()),
        (-1000i64..1000).prop_map(|n| n.to_string()),
        Just("1".to_string() + &"0".repeat(400)),
        Just("-0.5e-7".to_string()),
        Just("1E400".to_string()),
        "[a-z\u{e9}\u{1F600}{},:\\[\\]]{0,12}".prop_map(|s| format!("\"{s}\"")),
        Just(r#""\"\\\/\b\f\n\r\t\u0000\uD83D\uDE00\ud800""#.to_string()),
        Just(format!("\"{}\"", "long ".repeat(40))),
    ]
}

fn blank() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => Just(""), 1 => Just(" "), 1 => Just(" \t"), 1 => Just("\r")]
}

fn json() -> impl Strategy<Value = String> {
    scalar().prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            3 => prop::collection::vec((key(), inner.clone(), blank(), blank()), 0..6).prop_map(|m| {
                let members: Vec<_> = m.into_iter().map(|(k, v, x, y)| format!("{x}{k}{y}:{x}{v}{y}")).collect();
                format!("{{{}}}", members.join(","))
            }),
            1 => prop::collection::vec((inner, blank()), 0..5).prop_map(|items| {
                let items: Vec<_> = items.into_iter().map(|(v, x)| format!("{x}{v}{x}")).collect();
                format!("[{}]", items.join(","))
            }),
        ]
    })
}

fn object() -> impl Strategy<Value = String> {
    prop::collection::vec((key(), json(), blank()), 0..6).prop_map(|m| {
        let members: Vec<_> = m.into_iter().map(|(k, v, x)| format!("{x}{k}:{v}{x}")).collect();
        format!("{{{}}}", members.join(","))
    })
}

fn path() -> impl Strategy<Value = Path> {
    prop::collection::vec(prop_oneof![4 => prop_oneof![Just("a"), Just("b"), Just("c"), Just("\"x.y\""), Just("\"\"")].prop_map(String::from), 1 => (0u32..4).prop_map(|i| format!("[{i}]"))], 0..4)
        .prop_map(|parts| {
            if parts.is_empty() {
                return Path::root();
            }
            parts.join(".").replace(".[", "[").parse().unwrap()
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(6000), max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn equals_parse_edit_serialise(text in prop_oneof![4 => object(), 1 => json()],
        writes in prop::collection::vec((path(), prop::option::weighted(0.7, json())), 0..5),
        watched in prop::collection::vec(path(), 0..3)) {
        compare(&text, &writes, &watched);
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(prop_oneof![Just(b'{'), Just(b'}'), Just(b'['), Just(b']'), Just(b'"'), Just(b'\\'), Just(b','), Just(b':'), Just(b'1'), Just(b'u'), Just(b'a'), Just(b' '), Just(b'.'), Just(b'e'), Just(b'-'), any::<u8>()], 0..60)) {
        let bytes: Vec<u8> = bytes.into_iter().filter(|b| *b != b'\n').collect();
        let mut fields = Fields::new();
        let column = fields.read(&"a.b[1]".parse().unwrap(), Kind::Text).unwrap();
        let mut batch = Batch::new(Arc::new(fields));
        let mut faults = Vec::new();
        let rows = vec![(0, bytes.len() as u32)];
        batch.load(Arc::new(Records { text: bytes, rows }), &mut faults);
        batch.prepare(&[column], &mut faults);
        assert_eq!(batch.live().len() + faults.len(), 1);
    }
}

#[test]
fn cases_worth_a_name() {
    let p = |s: &str| s.parse::<Path>().unwrap();
    let set = |path: &str, v: &str| (p(path), Some(v.to_string()));
    let cut = |path: &str| (p(path), None);
    for (text, writes) in [
        (r#"{"a":1,"b":2,"c":3}"#, vec![cut("a")]),
        (r#"{"a":1,"b":2,"c":3}"#, vec![cut("b")]),
        (r#"{"a":1,"b":2,"c":3}"#, vec![cut("c")]),
        (r#"{"a":1,"b":2,"c":3}"#, vec![cut("b"), cut("c")]),
        (r#"{"a":1,"b":2,"c":3}"#, vec![cut("a"), cut("b"), cut("c")]),
        (r#"{ "a" : 1 }"#, vec![cut("a"), set("b", "1")]),
        (r#"{"a":{"b":1}}"#, vec![set("a", r#"{"c":2}"#), set("a.b", "3")]),
        (r#"{"a":{"b":1}}"#, vec![set("a.b", "3"), set("a", "4")]),
        (r#"{"a":{"b":1}}"#, vec![set("a.b", "3"), cut("a")]),
        (r#"{}"#, vec![set("a.b.c", "1"), set("a.b.x", "2"), set("a.y", "3")]),
        (r#"{"a":null}"#, vec![set("a.b", "1"), set("a.c", "2")]),
        (r#"{"a":"text"}"#, vec![set("a.b", "1")]),
        (r#"{"a":[1]}"#, vec![set("a[3]", "4"), set("a[0]", "0"), cut("a[1]")]),
        (r#"{"a":1,"a":2,"b":3,"\u0061":4}"#, vec![set("a", "5")]),
        (r#"{"a":1,"a":2}"#, vec![cut("a")]),
        (r#"{"a":{"b":1,"b":2},"a":{"b":3}}"#, vec![set("b", "1")]),
        (r#"null"#, vec![set("a", "1")]),
        (r#"[1]"#, vec![set("a", "1")]),
        (r#"{"a":1}"#, vec![set(".", r#"{"b":2}"#), set("c", "3")]),
    ] {
        compare(text, &writes, &[p("a"), p("a.b"), p("."), p("b")]);
    }
}

#[test]
fn depth_is_bounded_without_recursion() {
    for (depth, good) in [(1000, true), (1024, true), (1025, false), (100_000, false)] {
        for text in [
            format!("{{\"a\":{}{}}}", "[".repeat(depth - 1), "]".repeat(depth - 1)),
            "{\"a\":".repeat(depth - 1) + "{}" + &"}".repeat(depth - 1),
        ] {
            let result = run(text.as_bytes(), &[(Path::root(), Some("{}".into()))], &[]);
            assert_eq!(result.output.is_ok(), good, "{depth}: {:?}", result.output);
        }
    }
}

#[test]
fn fields_arrive_as_their_kinds() {
    let p = |s: &str| s.parse::<Path>().unwrap();
    let mut fields = Fields::new();
    let wanted: Vec<Field> = [
        ("t", Kind::Text),
        ("t", Kind::Json),
        ("i", Kind::Integer),
        ("i", Kind::Float),
        ("f", Kind::Integer),
        ("f", Kind::Float),
        ("b", Kind::Boolean),
        ("n", Kind::Json),
        ("o", Kind::Json),
        ("o.x[1]", Kind::Text),
    ]
    .map(|(path, kind)| Field { path: p(path), kind })
    .to_vec();
    let ids: Vec<_> = wanted.iter().map(|f| fields.read(&f.path, f.kind).unwrap()).collect();
    let mut batch = Batch::new(Arc::new(fields));
    let mut faults = Vec::new();
    let text = r#"{"t":"a\u00e9\n\ud800","i":-12,"f":1.5e1,"b":true,"n":null,"o":{"x":[0,"y"]}}"#;
    batch.load(Arc::new(Records::from_lines(format!("{text}\r\n\n{{\"t\":1}}\n").into_bytes())), &mut faults);
    batch.prepare(&ids, &mut faults);
    assert_eq!((faults.len(), batch.live().len()), (0, 2));
    let show = |i: usize| {
        let column = batch.column(ids[i]);
        if !column.is_present(0) {
            return "absent".to_string();
        }
        match &column.values {
            Values::Text(v) | Values::Json(v) => String::from_utf8(v.get(0).to_vec()).unwrap(),
            Values::Integer(v) => v[0].to_string(),
            Values::Float(v) => format!("{:?}", v[0]),
            Values::Boolean(v) => v[0].to_string(),
        }
    };
    let shown: Vec<_> = (0..ids.len()).map(show).collect();
    assert_eq!(shown, ["aé\n\u{fffd}", r#""a\u00e9\n\ud800""#, "-12", "-12.0", "absent", "15.0", "1", "absent", r#"{"x":[0,"y"]}"#, "y"]);
    assert!(!batch.column(ids[0]).is_present(1) && batch.column(ids[1]).is_present(1));
}
