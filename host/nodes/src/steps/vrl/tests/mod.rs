//! What steps do to records, told by tables.

mod bounds;
mod compilation;
mod equivalence;

use super::super::{compile_filter, compile_route, compile_vrl};
use super::*;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use tamis_record::{Column, Outcome, Path, Segment, Values};

/// The text of a field as the host would extract it: `null` counts as missing, the last of repeated keys wins.
fn extract(record: &str, path: &Path) -> Option<String> {
    let mut text: Box<RawValue> = serde_json::from_str(record).unwrap();
    for segment in path.segments() {
        text = match segment {
            Segment::Key(key) => serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text.get()).ok()?.remove(&**key)?,
            Segment::Index(index) => {
                let mut items = serde_json::from_str::<Vec<Box<RawValue>>>(text.get()).ok()?;
                if *index as usize >= items.len() {
                    return None;
                }
                items.swap_remove(*index as usize)
            }
        };
    }
    (text.get() != "null").then(|| text.get().to_owned())
}

fn columns(program: &Program, records: &[&str]) -> Vec<Column> {
    let mut columns = Vec::new();
    for field in &program.signature().reads {
        let mut column = Column::new(Kind::Json);
        let mut present = vec![0u8; records.len().div_ceil(8)];
        if let Values::Json(values) = &mut column.values {
            for (row, record) in records.iter().enumerate() {
                match extract(record, &field.path) {
                    Some(text) => {
                        values.push(text.as_bytes());
                        present[row / 8] |= 1 << (row % 8);
                    }
                    None => values.close(),
                }
            }
        }
        column.present = Some(present);
        columns.push(column);
    }
    columns
}

fn outcome(program: &Program, records: &[&str]) -> Outcome {
    let columns = columns(program, records);
    program.instance().process(records.len() as u32, &columns.iter().collect::<Vec<_>>())
}

/// The patches of one row: path and JSON text, `None` for a removal.
fn patches(program: &Program, outcome: &Outcome, row: u32) -> Vec<(Path, Option<String>)> {
    let mut found = Vec::new();
    for patch in &outcome.patches {
        let position = match &patch.rows {
            None => Some(row as usize),
            Some(rows) => rows.iter().position(|r| *r == row),
        };
        if let Some(position) = position {
            let text = patch.column.bytes(position).map(|text| String::from_utf8(text.to_vec()).unwrap());
            found.push((program.signature().writes[patch.field as usize].path.clone(), text));
        }
    }
    found
}

/// What a step does to one record, as text: `a.b=1 c- drop`, or `reject …`.
fn told(program: &Program, record: &str) -> String {
    // Between two neighbours, which show whether a record's values leak into the next.
    let outcome = outcome(program, &["{}", record, "{}"]);
    if let Some(reject) = outcome.rejects.iter().find(|reject| reject.row == 1) {
        return format!("reject {}", reject.reason);
    }
    let mut told: Vec<String> = patches(program, &outcome, 1)
        .into_iter()
        .map(|(path, text)| text.map_or(format!("{path}-"), |text| format!("{path}={text}")))
        .collect();
    match outcome.verdicts.as_ref().map(|verdicts| verdicts[1]) {
        None | Some(0) => {}
        Some(tamis_record::DROP) => told.push("drop".into()),
        Some(output) => told.push(format!("to {}", program.signature().outputs[output as usize - 1])),
    }
    told.join(" ")
}

fn vrl(source: &str) -> Program {
    compile_vrl(source)
        .unwrap_or_else(|errors| panic!("{source}: {}", errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")))
}

#[test]
fn rewrites() {
    for (source, record, expected) in [
        (".tenant = upcase!(.tenant)", r#"{"tenant":"cio"}"#, r#"tenant="CIO""#),
        (".tenant = upcase!(.tenant)", r#"{"tenant":"CIO"}"#, ""),
        (".a.b.c = 1", r#"{"x":1}"#, "a.b.c=1"),
        (".a.b = 1", r#"{"a":{"b":1.0}}"#, "a.b=1"),
        ("del(.a)", r#"{"a":1,"b":2}"#, "a-"),
        ("del(.a.b)", r#"{"b":2}"#, "a.b-"),
        (".new = del(.old)", r#"{"old":"\u00e9\n"}"#, "new=\"é\\n\" old-"),
        (".a.\"b.c\" = .\"x y\"", r#"{"x y":[1,{"k":"v"}]}"#, r#"a."b.c"=[1,{"k":"v"}]"#),
        (".t[1] = \"x\"", r#"{"t":["a"]}"#, r#"t[1]="x""#),
        (".t[-1] = \"x\"", r#"{"t":["a",1.50]}"#, r#"t=["a","x"]"#),
        (".t[-1] = \"x\"", r#"{"t":[1.50,"a"]}"#, r#"t=[1.50,"x"]"#),
        ("del(.t[0])", r#"{"t":["a","b"]}"#, r#"t=["b"]"#),
        ("del(.a.b, compact: true)", r#"{"a":{"b":1}}"#, "a-"),
        ("del(.a.b, compact: true)", r#"{"a":{"b":1,"n":1e2}}"#, r#"a={"n":1e2}"#),
        (". = {\"x\": .a}", r#"{"a":1.0,"z":2}"#, r#".={"x":1.0}"#),
        (". = merge(., {\"x\": 1})", r#"{"big":12345678901234567890123}"#, r#".={"big":12345678901234567890123,"x":1}"#),
        (". = merge(., {\"x\": 1})", r#"{"x":1,"big":1e400}"#, ""),
        ("del(.)", r#"{"a":1}"#, ".={}"),
        ("if exists(.a) { .b = true } else { .b = false }", r#"{"a":0}"#, "b=true"),
        ("if exists(.a) { .b = true } else { .b = false }", r#"{"A":0}"#, "b=false"),
        ("for_each(array!(.list)) -> |i, v| { .out = push(array(.out) ?? [], v) }", r#"{"list":[1,"2"]}"#, r#"out=[1,"2"]"#),
        ("for_each(object!(.)) -> |k, v| { .seen = k }", r#"{"b":1}"#, r#"seen="b""#),
        (
            "p = parse_json!(.m)\n.id = p.id\n.u = p.user.name\ndel(.m)",
            r#"{"m":"{\"id\":7,\"user\":{\"name\":\"z\"}}"}"#,
            r#"id=7 m- u="z""#,
        ),
        (".big = .big", r#"{"big":12345678901234567890123}"#, ""),
        (".o = .o", r#"{"o":{"big":1e400,"s":"\ud83d\ude00"}}"#, ""),
        (".a = 1\n.a = .b", r#"{"a":"same","b":"same"}"#, ""),
        (".a = 2\n.a = 1", r#"{"a":1}"#, ""),
        (".o.n = 2", r#"{"o":{"n":1,"big":1.000}}"#, "o.n=2"),
        (".o.n = 2\n.k = keys(.o)", r#"{"o":{"m":1.00}}"#, r#"k=["m","n"] o.n=2"#),
        (".o = merge!(.o, {\"n\": 2})", r#"{"o":{"n":1,"big":1.000}}"#, r#"o={"big":1.000,"n":2}"#),
        (".a = null", r#"{"a":1}"#, "a=null"),
        (".v, .err = to_int(.s)", r#"{"s":"7"}"#, "err=null v=7"),
        (".d = get!(., [\"a\", .k])", r#"{"a":{"x":5},"k":"x"}"#, "d=5"),
        (". = set!(., [\"a\", .k], 9)", r#"{"a":{"x":5},"k":"x"}"#, r#".={"a":{"x":9},"k":"x"}"#),
        (". = remove!(., [\"a\"])", r#"{"a":1,"b":1.0}"#, r#".={"b":1.0}"#),
        (
            ".t = format_timestamp!(parse_timestamp!(.s, \"%Y-%m-%d %H:%M:%S\"), \"%+\")",
            r#"{"s":"2024-02-29 12:00:00"}"#,
            "t=\"2024-02-29T12:00:00+00:00\"",
        ),
        (".t = t'2024-01-01T00:00:00Z'", "{}", r#"t="2024-01-01T00:00:00Z""#),
        (".h = sha1(string!(.s))", r#"{"s":"abc"}"#, r#"h="a9993e364706816aba3e25717850c26c9cd0d89d""#),
        ("return null", "{}", ""),
        ("", "{}", ""),
        ("# nothing", "{}", ""),
    ] {
        assert_eq!(told(&vrl(source), record), expected, "{source} on {record}");
    }
}

#[test]
fn drops_and_rejects() {
    for (source, record, expected) in [
        ("if .a == 1 { abort }\n.b = 2", r#"{"a":1}"#, "drop"),
        ("if .a == 1 { abort }\n.b = 2", r#"{"a":2}"#, "b=2"),
        (".b = 1\nabort \"why\"", r#"{"a":1}"#, "drop"),
        (
            ".b = 1\n.c = to_int!(.s)",
            r#"{"s":"x\u001b"}"#,
            "reject function call error for \"to_int\" at 2:6: Invalid integer \"x\\u{1b}\": invalid digit found in string",
        ),
        (". = [1, 2]", "{}", "reject the program made `.` an array"),
        (". = \"x\"", "{}", "reject the program made `.` a string"),
        (".a = .b", r#"{"b":"\ud800"}"#, "reject a string holds half of a surrogate pair"),
        (".a = .b", &format!("{{\"b\":{}{}}}", "[".repeat(125), "]".repeat(125)), "a=[["),
        ("if .k == 1 { .a.b = 1 }\nif .k == 1 { .a[0] = 2 }", r#"{"k":1}"#, "reject the program took `a.b` and `a[0]`"),
        (".n = .b", r#"{"b":1e400}"#, "reject the program made a number that is not finite"),
        (".a = format_number!(.n)", r#"{"n":1e300}"#, "reject VRL's interpreter gave up on this record"),
        (
            ". = set!(., [\"a\", to_int!(.n)], 1)",
            r#"{"n":99999999999}"#,
            "reject function call error for \"set\" at 1:5: index 99999999999 is beyond 1023",
        ),
        (
            "l = array!(.l)\nfor_each(l) -> |i, v| { for_each([0,1,2,3,4,5,6,7,8,9]) -> |j, w| { for_each([0,1,2,3,4,5,6,7,8,9]) -> |k, x| { .x = 1 } } }",
            &format!("{{\"l\":[{}0]}}", "0,".repeat(100_000)),
            "reject the program evaluated more than",
        ),
        (
            ".s = string!(.s)\nfor_each(array!(.l)) -> |i, v| { .s = string!(.s) + string!(.s) }",
            &format!("{{\"s\":\"xy\",\"l\":[{}0]}}", "0,".repeat(19)),
            "reject the program made a value of more than",
        ),
    ] {
        let told = told(&vrl(source), record);
        assert!(told == expected || !expected.is_empty() && told.starts_with(expected), "{source} on {record}: {told}");
    }
}

#[test]
fn filters() {
    for (source, record, expected) in [
        (".method != \"OPTIONS\"", r#"{"method":"OPTIONS"}"#, "drop"),
        (".method != \"OPTIONS\"", r#"{"method":"GET"}"#, ""),
        (".method != \"OPTIONS\"", "{}", ""),
        (".status >= 500", r#"{"status":503}"#, ""),
        (".status >= 500 # comment", r#"{"status":200}"#, "drop"),
        (".status >= 500", "{}", "reject the condition failed: can't compare null >= integer"),
        (
            "true &&\n  parse_json(.m) == 1",
            r#"{"m":"{"}"#,
            "reject the condition failed: function call error for \"parse_json\" at 2:3: unable to parse json",
        ),
        ("(.status >= 500) ?? false", "{}", "drop"),
        ("exists(.a) && !is_null(.a)", r#"{"a":1}"#, ""),
        ("match(string!(.p), r'^/api')", r#"{"p":"/x"}"#, "drop"),
        ("match(string!(.p), r'^/api')", r#"{"p":1}"#, "reject "),
        ("if .a == 1 { return true }\nfalse", r#"{"a":1}"#, ""),
    ] {
        let program = compile_filter(source).unwrap();
        assert!(program.signature().drops && program.signature().writes.is_empty());
        let told = told(&program, record);
        assert!(told == expected || expected.starts_with("reject") && told.starts_with(expected), "{source} on {record}: {told}");
    }
    assert_eq!(compile_filter(".status >= 500").unwrap().warnings().count(), 1);
    assert_eq!(compile_filter(".method != \"OPTIONS\"").unwrap().warnings().count(), 0);
}

#[test]
fn routes() {
    let case = |name: &str, source: &str| (name.to_owned(), source.to_owned());
    let route = compile_route(&[case("errors", ".code >= 500"), case("slow", ".ms > 1000"), case("never", "false")]).unwrap();
    assert_eq!(route.signature().outputs, ["errors", "slow", "never"]);
    assert!(!route.signature().drops);
    for (record, expected) in [
        (r#"{"code":500,"ms":5000}"#, "to errors"),
        (r#"{"code":200,"ms":5000}"#, "to slow"),
        (r#"{"ms":5000}"#, "to slow"),
        (r#"{"code":200,"ms":5}"#, ""),
        ("{}", ""),
        (r#"{"code":"x"}"#, ""),
    ] {
        assert_eq!(told(&route, record), expected, "{record}");
    }
    let errors = compile_route(&[case("a", "true"), case("b", ".x = 1"), case("c", ".y +")]).unwrap_err();
    assert_eq!(errors.iter().map(|error| error.case).collect::<Vec<_>>(), [1, 2]);
    assert!(compile_route(&[]).is_err());
}

#[test]
fn keeps_apart_what_rows_do() {
    let program = vrl("x = .a\nif x == 1 { .b = x }\nif x == 2 { del(.b) }\nif x == 3 { abort }\nif x == 4 { .b = to_int!(.s) }");
    let records =
        [r#"{"a":0,"b":7}"#, r#"{"a":1}"#, r#"{"a":2,"b":7}"#, r#"{"a":3}"#, r#"{"a":4,"s":"x"}"#, r#"{"a":1,"b":1}"#, r#"{"a":1,"b":5}"#];
    let outcome = outcome(&program, &records);
    assert_eq!(outcome.verdicts, Some(vec![0, 0, 0, 255, 0, 0, 0]));
    assert_eq!(outcome.rejects.iter().map(|reject| reject.row).collect::<Vec<_>>(), [4]);
    assert_eq!(outcome.patches.len(), 1);
    assert_eq!(outcome.patches[0].rows, Some(vec![1, 2, 6]));
    assert_eq!(outcome.patches[0].column.present, Some(vec![0b101]));
    assert!(program.signature().drops && !vrl(".a = 1").signature().drops);
}

#[test]
fn a_wrong_number_of_columns_is_no_panic() {
    let outcome = vrl(".a = .b").instance().process(2, &[]);
    assert_eq!(outcome.rejects.len(), 2);
}
