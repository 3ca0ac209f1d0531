//! Whole records and fields of any type: what comes out is JSON, what was planted is gone, the rest is as it was.

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{Became, json, plugin, run, text};
use tamis_plugin::testing;

const RECORD: &str = r#"{"fields":["."],"key":"0123456789abcdef","accounts":{"fields":["event.userName"]}}"#;

#[test]
fn members_strings_and_numbers_are_redacted_wherever_they_stand() {
    for (before, after) in [
        (r#"{"a":"to jean@example.fr"}"#, r#"{"a":"to [email]"}"#),
        (r#"{"a":"jean\u0040example.fr\n"}"#, r#"{"a":"[email]\n"}"#),
        (r#"{"a":["x",{"b":"0612345678"}]}"#, r#"{"a":["x",{"b":"[phone]"}]}"#),
        (r#"{ "access_token" : "abc" , "b" : 1 }"#, r#"{ "access_token" : "[secret]" , "b" : 1 }"#),
        (r#"{"\u0061ccess_token":"abc"}"#, r#"{"\u0061ccess_token":"[secret]"}"#),
        (r#"{"access_token":"a","access_token":"b"}"#, r#"{"access_token":"[secret]","access_token":"[secret]"}"#),
        (r#"{"a":{"b":[{"Client-Secret":"x"}]}}"#, r#"{"a":{"b":[{"Client-Secret":"[secret]"}]}}"#),
        (r#"{"password":{"a":[1,"b",null,true]},"c":"d"}"#, r#"{"password":{"a":["[secret]","[secret]",null,true]},"c":"d"}"#),
        (r#"{"authorization":["Bearer x"],"y":"z"}"#, r#"{"authorization":["[secret]"],"y":"z"}"#),
        (r#"{"headers":["Internal-Key=eyJx","Host=h"]}"#, r#"{"headers":["Internal-Key=[secret]","Host=h"]}"#),
        (r#"{"n":4111111111111111}"#, r#"{"n":"[card]"}"#),
        (r#"{"n":4.111111111111111e15}"#, r#"{"n":"[card]"}"#),
        (r#"{"n":-185057800608491}"#, r#"{"n":"[nir]"}"#),
        (r#"{"n":33612345678}"#, r#"{"n":"[phone]"}"#),
        (r#"{"phone":612345678}"#, r#"{"phone":"[phone]"}"#),
        (r#"{"jean@example.fr":{"0612345678":1}}"#, r#"{"[email]":{"[phone]":1}}"#),
        (r#"{"userName":"bob@tenant","user":"bob@tenant"}"#, r#"{"userName":"31ea809680f6568b","user":"bob@tenant"}"#),
        (
            r#"{"payload":"{\"access_token\":\"a\\\"b\",\"m\":\"j\\u0040x.fr\"}"}"#,
            r#"{"payload":"{\"access_token\":\"[secret]\",\"m\":\"[email]\"}"}"#,
        ),
        (r#"{"x":"\ud800 jean@example.fr \udfff"}"#, r#"{"x":"\ud800 [email] \udfff"}"#),
        (r#"{"code":"SplxlOBeZQQYbYS6","code":200}"#, r#"{"code":"[secret]","code":200}"#),
        (r#""jean@example.fr""#, r#""[email]""#),
        (r#"4111111111111111"#, r#""[card]""#),
    ] {
        assert_eq!(json(&mut plugin(RECORD), before), Became::Text(after.to_owned()), "{before}");
    }
    for same in [
        "{}",
        "[]",
        "null",
        r#"{"a":1,"b":[1.5e3,true,null,"x"]}"#,
        r#"{"errorCode":900803,"correlationId":"ccf2196f-9db8-429b-aaae-98f4c6edf6d7"}"#,
        r#"{"n":612345678,"m":1700000000000}"#,
        r#"{"password":null,"token":"","client_secret":"****"}"#,
        r#"{"x":"\ud800\u0000"}"#,
    ] {
        assert_eq!(json(&mut plugin(RECORD), same), Became::Untouched, "{same}");
    }
}

#[test]
fn values_of_a_column_are_redacted_as_each_alone() {
    let texts = [
        r#""v1/orders/12""#,
        r#""""#,
        r#""to jean@example.fr""#,
        r#""page=2""#,
        r#""jean%40example.fr""#,
        r#""jean\u0040example.fr""#,
        r#""4111111111111111""#,
        r#""access_token=j0rV8IimoIGMUv6jOO642oI76SoLxpBA""#,
        r#""a value without anything to look at that is longer than a block of sixty-four bytes""#,
    ];
    let others = ["4111111111111111", "200", "null", r#"{"a":"jean@example.fr"}"#, "true"];
    let config = r#"{"fields":["x"],"detectors":{"email":{"mode":"remove"}}}"#;
    let mut random = fastrand::Rng::with_seed(7);
    for round in 0..400 {
        // Text only, or now and then something else among it.
        let values: Vec<&str> = (0..random.usize(1..40))
            .map(|_| match round % 2 == 1 && random.u8(0..8) == 0 {
                true => others[random.usize(..others.len())],
                false => texts[random.usize(..texts.len())],
            })
            .collect();
        let alone: Vec<Became> = values.iter().map(|value| json(&mut plugin(config), value)).collect();
        assert_eq!(run(&mut plugin(config), true, &values), alone, "{values:?}");
    }
    assert_eq!(json(&mut plugin(config), texts[2]), Became::Text(r#""to ""#.to_owned()));
    assert_eq!(json(&mut plugin(config), r#""jean@example.fr""#), Became::Removed);
}

#[test]
fn what_is_not_json_or_too_large_is_rejected() {
    for bad in ["", "{", "{\"a\":1", "[1,]", "{\"a\":\"jean@example.fr\"", "{\"a\":\"\\x\"}", "{\"a\":\"\n\"}", "1 2", "{'a':1}"] {
        let Became::Rejected(reason) = json(&mut plugin(RECORD), bad) else {
            panic!("passed: {bad}");
        };
        assert!(reason.contains("not JSON: expected") && !reason.contains("jean"), "{reason}");
    }
    let deep = |depth: usize| format!("{}\"jean@example.fr\"{}", "[".repeat(depth), "]".repeat(depth));
    assert!(matches!(json(&mut plugin(RECORD), &deep(1024)), Became::Text(text) if text.contains("[email]")));
    assert!(matches!(json(&mut plugin(RECORD), &deep(1025)), Became::Rejected(_)));
    assert!(matches!(json(&mut plugin(RECORD), &"[".repeat(100_000)), Became::Rejected(_)));

    let mut small = plugin(r#"{"fields":[{"path":"m","kind":"text"}],"max_value_bytes":20}"#);
    assert_eq!(text(&mut small, "x@example.fr 1234567"), Became::Text("[email] 1234567".to_owned()));
    assert!(matches!(text(&mut small, "x@example.fr 12345678"), Became::Rejected(reason) if reason.contains("21 bytes")));
}

#[test]
fn modes_replace_join_and_remove() {
    let mask = r#"{"fields":[{"path":"m","kind":"text"}],"detectors":{"card":{"keep_last_four":true},"ip":{"keep_private":false},"email":{"replacement":"(mail)"},"phone":"off"}}"#;
    let mut masks = plugin(mask);
    for (before, after) in [
        ("4111 1111 1111 1111", "[card]1111"),
        ("10.1.2.3 and 194.51.3.7", "10.1.2.0 and 194.51.3.0"),
        ("2001:db8:1:2::3", "2001:db8:1::"),
        ("a@example.fr", "(mail)"),
    ] {
        assert_eq!(text(&mut masks, before), Became::Text(after.to_owned()));
    }
    assert_eq!(text(&mut masks, "0612345678"), Became::Untouched);

    let mut hashes = plugin(r#"{"fields":[{"path":"m","kind":"text"}],"mode":"hash","key":"0123456789abcdef","detectors":{"ip":"hash"}}"#);
    // One value in several spellings gives one hash.
    for spellings in [
        &["jean@example.fr", "Jean@Example.FR", "jean%40example.fr"][..],
        &["0612345678", "06 12 34 56 78", "+33 6 12 34 56 78", "0033612345678", "+33 (0)6.12.34.56.78"],
        &["4111111111111111", "4111 1111 1111 1111", "4111-1111-1111-1111"],
        &["FR7630006000011234567890189", "FR76 3000 6000 0112 3456 7890 189"],
        &["185057800608491", "1 85 05 78 006 084 91"],
        &["194.51.3.7"],
    ] {
        let Became::Text(first) = text(&mut hashes, spellings[0]) else {
            panic!("untouched: {}", spellings[0]);
        };
        assert!(first.len() == 16 && first.bytes().all(|byte| byte.is_ascii_hexdigit()), "{first}");
        for spelling in spellings {
            assert_eq!(text(&mut hashes, spelling), Became::Text(first.clone()), "{spelling}");
        }
    }
    let mut other = plugin(r#"{"fields":[{"path":"m","kind":"text"}],"mode":"hash","key":"fedcba9876543210"}"#);
    assert_ne!(text(&mut other, "jean@example.fr"), text(&mut hashes, "jean@example.fr"));

    let remove = |kind: &str| format!(r#"{{"fields":[{{"path":"m","kind":"{kind}"}}],"mode":"remove"}}"#);
    let mut removes = plugin(&remove("text"));
    assert_eq!(text(&mut removes, "jean@example.fr"), Became::Removed);
    assert_eq!(text(&mut removes, "to jean@example.fr now"), Became::Text("to  now".to_owned()));
    let mut removes = plugin(&remove("json"));
    assert_eq!(json(&mut removes, "\"jean@example.fr\""), Became::Removed);
    assert_eq!(json(&mut removes, "4111111111111111"), Became::Removed);
    assert_eq!(json(&mut removes, r#"{"a":"jean@example.fr","n":4111111111111111}"#), Became::Text(r#"{"a":"","n":null}"#.to_owned()));
}

#[test]
fn a_field_named_like_a_secret_or_an_account_is_one() {
    let mut secret = plugin(r#"{"fields":["request.headers.authorization"]}"#);
    assert_eq!(json(&mut secret, "\"abc def\""), Became::Text("\"[secret]\"".to_owned()));
    assert_eq!(json(&mut secret, r#"{"a":"b"}"#), Became::Text(r#"{"a":"[secret]"}"#.to_owned()));
    let mut account = plugin(r#"{"fields":["userName"],"key":"0123456789abcdef","accounts":{"fields":["userName"]}}"#);
    assert_eq!(json(&mut account, "\"bob@tenant\""), Became::Text("\"31ea809680f6568b\"".to_owned()));
    assert_eq!(json(&mut account, "\"bob\""), Became::Untouched);
    let mut tenants = plugin(r#"{"fields":[{"path":"m","kind":"text"}],"accounts":{"tenants":["post.example"]}}"#);
    assert_eq!(text(&mut tenants, "'bob@post.example [-1234]'"), Became::Text("'[account] [-1234]'".to_owned()));
}

#[test]
fn counters_are_added_once_a_batch() {
    let mut plugin = plugin(r#"{"fields":[{"path":"m","kind":"text"}]}"#);
    let lines = ["a@example.fr b@example.fr", "clean", "0612345678 c@example.fr"];
    let (_, recorded) = testing::recorded(|| support::run(&mut plugin, false, &lines));
    assert_eq!(recorded.counters.get("redacted_email"), Some(&3));
    assert_eq!(recorded.counters.get("redacted_phone"), Some(&1));
    assert_eq!(recorded.counters.get("redacted_card"), None);
}

/// Text with escapes, separators and pieces of what the detectors look for.
fn awkward() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        any::<String>(),
        "[ -~]{0,20}",
        prop::sample::select(vec![
            "@",
            "%40",
            "\\",
            "\\u0040",
            "\"",
            "&quot;",
            "&#64;",
            "eyJ",
            "Bearer ",
            "password=",
            "\"token\":\"",
            "=",
            ":",
            "::1",
            "0612345678",
            "06 12 34 56 78",
            "4111111111111111",
            "FR76 3000 6000 0112 3456 7890 189",
            "jean@example.fr",
            "194.51.3.7",
            "é",
            "\u{a0}",
            "\u{202f}",
            "\n",
            "<password>",
            "[",
            "{",
            "2A",
            "%25",
            "%",
        ])
        .prop_map(str::to_owned),
    ];
    prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        awkward().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((awkward(), inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn spelt(value: &Value, escape: bool) -> String {
    let text = value.to_string();
    match escape {
        false => text,
        // Every letter and `@` inside strings may be escaped too.
        true => text.replace('@', "\\u0040").replace('é', "\\u00e9").replace("\\\\", "\\u005c"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn records_stay_json(value in any_json(), escape in any::<bool>(), mode in prop::sample::select(vec!["mask", "hash", "remove"])) {
        let before = spelt(&value, escape);
        let config = format!(r#"{{"fields":["."],"mode":"{mode}","key":"0123456789abcdef"}}"#);
        match json(&mut plugin(&config), &before) {
            Became::Text(after) => {
                prop_assert!(serde_json::from_str::<Value>(&after).is_ok(), "{before} became {after}");
            }
            Became::Rejected(reason) => prop_assert!(false, "{before}: {reason}"),
            Became::Untouched | Became::Removed => {}
        }
    }

    #[test]
    fn planted_members_are_gone(value in any_json(), escape in any::<bool>(), deep in any::<bool>()) {
        let secret = "zq8XkWv0canary";
        let planted = json!({ "x": value, "mail": format!("<{secret}@example.fr>"), "access_token": secret, "list": ["Cookie=a=b; c=".to_owned() + secret] });
        let planted = if deep { json!({ "payload": planted.to_string(), "again": { "payload": planted.to_string() } }) } else { planted };
        match json(&mut plugin(RECORD), &spelt(&planted, escape)) {
            Became::Text(after) => prop_assert!(!after.contains("canary"), "{after}"),
            other => prop_assert!(false, "{other:?}"),
        }
    }

    #[test]
    fn text_of_any_kind_is_survived(value in awkward(), neighbour in awkward()) {
        let mut plugin = plugin(r#"{"fields":[{"path":"m","kind":"text"}],"mode":"remove"}"#);
        // Alone or between others in the column, a value is read the same.
        let alone = text(&mut plugin, &value);
        let among = support::run(&mut plugin, false, &[neighbour.as_str(), &value, &neighbour]);
        prop_assert_eq!(&among[1], &alone);
    }
}
