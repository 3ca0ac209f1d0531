//! Capsules as files, and real components (`make guests`) on what they hold.

use super::*;
use serde_json::{Value, json};
use tamis_record::{Field, Kind};

fn sample() -> Value {
    json!({
        "capsule": 1, "tamis": "0.1.0", "contract": "0.1.0", "letter": "0123456789abcdef",
        "failure": { "pipeline": "main", "step": "h", "cause": "trap", "reason": "r", "time": "2026-01-01T00:00:00.000Z" },
        "plugin": { "name": "h", "digest": format!("sha256:{}", "0".repeat(64)) },
        "setup": {
            "config": "trap poison", "filled": [],
            "grant": { "read": ["message"], "write": ["."], "drop": true, "outputs": null },
            "limits": {
                "memory_bytes": 67_108_864, "deadline_ms": 100, "init_deadline_ms": 5000, "table_elements": 10_000,
                "host_call_bytes": 8_388_608, "component_bytes": 67_108_864
            }
        },
        "fuel": { "init": 1_000_000_000, "call": 50_000_000 },
        "rows": 1,
        "columns": [{ "field": "message", "kind": "text", "values": ["poison"] }]
    })
}

fn parse(value: &Value) -> Result<Capsule, CapsuleError> {
    Capsule::parse(value.to_string().as_bytes())
}

fn with(at: &str, value: Value) -> Value {
    let mut sample = sample();
    *sample.pointer_mut(at).expect("a place") = value;
    sample
}

fn hostile() -> Vec<u8> {
    let folder =
        std::env::var_os("TAMIS_GUESTS").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"), PathBuf::from);
    std::fs::read(folder.join("hostile.wasm")).expect("the component; `make guests` builds it")
}

fn replay(config: &str, message: &str) -> Replay {
    let capsule = parse(&with("/columns/0/values/0", json!(message))).expect("a capsule");
    Bench::new(&capsule, &hostile(), None).expect("a bench").replay(&json!(config).to_string()).expect("a replay")
}

#[test]
fn what_is_written_is_read() {
    let capsule = parse(&sample()).expect("a capsule");
    let text = capsule.text().expect("text");
    assert_eq!(serde_json::from_str::<Value>(&text).expect("JSON"), sample());
    assert_eq!(Capsule::parse(text.as_bytes()).expect("a capsule").text().expect("text"), text);
}

#[test]
fn hostile_files_are_explained() {
    let long = "9".repeat(400);
    for (capsule, told) in [
        (json!([]), "expected"),
        (json!({}), "missing field `capsule`"),
        (with("/capsule", json!(2)), "form 2"),
        (with("/capsule", json!(-1)), "invalid value"),
        (with("/plugin/digest", json!("sha256:../../../../etc/passwd")), "plugin.digest"),
        (with("/plugin/digest", json!(format!("sha256:{}", "G".repeat(64)))), "plugin.digest"),
        (with("/failure/cause", json!("bad luck")), "failure.cause"),
        (with("/rows", json!(2)), "has 1 values, and `rows` is 2"),
        (with("/rows", json!(0)), "expected 1 to 1024"),
        (with("/rows", json!(5_000_000_000_u64)), "expected u32"),
        (with("/rows", json!(100_000)), "expected 1 to 1024"),
        (with("/fuel/call", json!(u64::MAX)), "fuel.call"),
        (with("/setup/limits/memory_bytes", json!(u64::MAX)), "memory_bytes"),
        (with("/setup/limits/deadline_ms", json!(0)), "deadline_ms"),
        (with("/columns/0/values", json!(["a", "b"])), "has 2 values"),
        (with("/columns/0/values/0", json!(7)), "expected a string or null"),
        (with("/columns/0/kind", json!("date")), "unknown variant `date`"),
        (with("/columns/0/field", json!("a..b")), "not a field path"),
    ] {
        let error = parse(&capsule).expect_err(told).to_string();
        assert!(error.contains(told), "{told}: {error}");
    }
    for (kind, value, told) in [
        ("integer", long.as_str(), "expected a whole number of 64 bits"),
        ("integer", "1.5", "expected a whole number"),
        ("float", "1e999", "expected a number of 64 bits"),
        ("float", "\"1\"", "expected a number of 64 bits"),
        ("boolean", "1", "expected true or false"),
        ("json", "{}", "expected a string that holds JSON"),
        ("json", "\"{\"", "is not JSON"),
        ("json", "\"1 2\"", "is not JSON"),
    ] {
        let text = with("/columns/0", json!({ "field": "a", "kind": kind, "values": ["@"] })).to_string().replace("\"@\"", value);
        let error = Capsule::parse(text.as_bytes()).expect_err(told).to_string();
        assert!(error.contains(told), "{kind} {value}: {error}");
    }
    let deep = format!("{{\"capsule\":1,\"setup\":{}", "[".repeat(100_000));
    for text in ["", "\u{0}", "{\"capsule\":1", &deep] {
        assert!(matches!(Capsule::parse(text.as_bytes()), Err(CapsuleError::Form(_))), "{text:.20}");
    }
    assert!(matches!(Capsule::read(Path::new("/dev/zero")), Err(CapsuleError::TooLarge { .. })));
    assert!(matches!(Capsule::read(Path::new("/no/such/file")), Err(CapsuleError::File { .. })));
}

#[test]
fn columns_come_back_as_they_were() {
    let record = br#"{"t":"a\"\u00e9","i":-9223372036854775808,"f":0.1000000000000000055,"b":true,"j":{"x": 1.50,"x":[ ]},"n":null}"#;
    let reads: Vec<Field> = [("t", Kind::Text), ("i", Kind::Integer), ("f", Kind::Float), ("b", Kind::Boolean), ("j", Kind::Json)]
        .into_iter()
        .chain([("n", Kind::Json), ("i", Kind::Text), (".", Kind::Json)])
        .map(|(path, kind)| Field { path: path.parse().expect("a path"), kind })
        .collect();
    for (read, column) in reads.iter().zip(columns(record, &reads).expect("columns")) {
        let kept = CapsuleColumn::new(&read.path, &column).expect("a column");
        let text = serde_json::to_string(&kept).expect("JSON");
        let again = serde_json::from_str::<CapsuleColumn>(&text).expect("a column").column(1).expect("a column");
        assert_eq!(again.is_present(0), column.is_present(0), "{text}");
        if column.is_present(0) {
            assert_eq!(again.values, column.values, "{text}");
        }
    }
    assert!(columns(b"{\"a\":", &[]).is_err() && columns(b"\xff", &[]).is_err());
}

#[test]
fn a_trap_comes_again_alike_each_time() {
    let first = replay("trap poison", "poison");
    let Outcome::Failed(failure) = &first.outcome else { panic!("{first:?}") };
    assert_eq!(failure.cause, tamis_sandbox::Cause::Trap);
    assert!(!first.backtrace.is_empty() && first.fuel.is_some_and(|fuel| fuel > 0) && first.init_fuel.is_some_and(|fuel| fuel > 0));
    assert_eq!(first, replay("trap poison", "poison"));
    let sound = replay("trap poison", "fine");
    assert_eq!(sound.verdict, Verdict::Passes);
    let Outcome::Passed(answers) = &sound.outcome else { panic!("{sound:?}") };
    assert_eq!(answers.len(), 1);
}

#[test]
fn an_endless_loop_ends_with_its_fuel() {
    let first = replay("loop poison", "poison");
    let Outcome::Failed(failure) = &first.outcome else { panic!("{first:?}") };
    assert_eq!((failure.cause, first.fuel), (tamis_sandbox::Cause::Deadline, Some(50_000_000)));
    assert_eq!(&*failure.reason, "the call did not end within 50000000 units of fuel");
    assert_eq!(first, replay("loop poison", "poison"));
}

#[test]
fn a_field_that_is_not_there_is_named() {
    let mut value = sample();
    value["columns"][0]["field"] = json!("other");
    let capsule = parse(&value).expect("a capsule");
    let error = Bench::new(&capsule, &hostile(), None).expect("a bench").replay("\"trap poison\"").expect_err("no column");
    assert!(error.to_string().contains("asks for the field `message` (text)") && error.to_string().contains("`other` (text)"), "{error}");
}
