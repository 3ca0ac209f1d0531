//! What is found in one field of a record is gone from all of them.

use serde_json::{Value, json};
use tamis_plugin::testing::{Fate, Harness};
use tamis_plugin_redact::Redact;

fn redacted(config: Value, record: Value) -> Value {
    let mut plugin = Harness::<Redact>::new(config).expect("a sound configuration");
    plugin.run(json!([{"message": "clean"}, record, {"message": "hunter2-secret stays, it is another record"}])).records[1].clone()
}

fn fields() -> Value {
    json!({"fields": ["message", "authorization", "consumerKey", "password", "headers"], "repeats": true})
}

#[test]
fn secrets_by_position_are_gone_from_the_raw_line_too() {
    let line = "2025-03-03 11:42:07,381|id|thread|12|HTTP|admin--test:v1|GET|/testing/1/*|testing/1|Bearer 5f4dcc3b-aa76|200|App|aBcDeFgHiJ_kLm|12";
    let record = json!({"message": line, "authorization": "Bearer 5f4dcc3b-aa76", "consumerKey": "aBcDeFgHiJ_kLm", "other": "x"});
    let found = redacted(fields(), record);
    let message = found["message"].as_str().expect("a message");
    assert!(!message.contains("5f4dcc3b") && !message.contains("aBcDeFgHiJ_kLm"), "{message}");
    assert!(message.starts_with("2025-03-03 11:42:07,381|id|thread|12|HTTP|") && message.ends_with("|12"), "{message}");
    assert_eq!((&found["authorization"], &found["consumerKey"]), (&json!("[secret]"), &json!("[secret]")));
}

#[test]
fn without_the_mode_only_what_is_told_goes() {
    let found =
        redacted(json!({"fields": ["message", "password"]}), json!({"message": "login hunter2-secret", "password": "hunter2-secret"}));
    assert_eq!(found, json!({"message": "login hunter2-secret", "password": "[secret]"}));
}

#[test]
fn repeats_are_found_encoded_and_within_objects() {
    let record = json!({
        "password": "s3cr&t/value",
        "message": "user s3cr%26t%2Fvalue and s3cr&amp;t/value",
        "headers": {"a": ["x s3cr&t/value y", 7], "s3cr&t/value": "key"},
    });
    let found = redacted(fields(), record);
    assert_eq!(found["message"], "user [secret] and [secret]");
    assert_eq!(found["headers"], json!({"a": ["x [secret] y", 7], "[secret]": "key"}));
    let record = json!({"message": "see é\"q-uoted1 there", "password": "é\"q-uoted1"});
    assert_eq!(redacted(fields(), record)["message"], "see [secret] there");
}

#[test]
fn numbers_and_words_that_are_part_of_longer_ones() {
    let record = json!({"password": 123_456_789, "headers": {"n": 123_456_789, "m": 1_234_567_891}, "message": "123456789 1234567891"});
    let found = redacted(fields(), record);
    assert_eq!(found["headers"], json!({"n": "[secret]", "m": 1_234_567_891}));
    assert_eq!(found["message"], "[secret] 1234567891");
}

#[test]
fn the_order_of_fields_does_not_matter_and_counts_are_of_what_is_written() {
    let mut plugin =
        Harness::<Redact>::new(json!({"fields": ["message", "password"], "repeats": true, "key": "0123456789abcdef", "mode": "hash"}))
            .expect("a sound configuration");
    let run = plugin.run(json!([{"message": "a hunter2-secret b hunter2-secret", "password": "hunter2-secret"}]));
    let hash = run.records[0]["password"].as_str().expect("a hash").to_owned();
    assert_eq!(run.records[0]["message"], format!("a {hash} b {hash}"));
    assert_eq!(run.told.counters.get("redacted_named"), Some(&3));
}

#[test]
fn whole_records_work_too() {
    let mut plugin = Harness::<Redact>::new(json!({"fields": ["."], "repeats": true})).expect("a sound configuration");
    let run =
        plugin.run(json!([{"message": "GET x|opaque-token-1|y", "consumerKey": "opaque-token-1", "n": [1, "opaque-token-1"]}, {"a": 1}]));
    assert_eq!(run.records[0], json!({"message": "GET x|[secret]|y", "consumerKey": "[secret]", "n": [1, "[secret]"]}));
    assert_eq!(run.records[1], json!({"a": 1}));
}

#[test]
fn what_goes_beyond_the_limits_is_rejected() {
    let mut plugin = Harness::<Redact>::new(json!({"fields": ["."], "repeats": true})).expect("a sound configuration");
    let many: Vec<String> = (0..300).map(|n| format!("user{n}@example.fr")).collect();
    let run = plugin.run(json!([{"list": many}, {"a": "x@example.fr"}]));
    assert!(matches!(&run.fates[0], Fate::Rejected(reason) if reason.contains("at most 256 values")));
    assert_eq!(run.records[1], json!({"a": "[email]"}));
}
