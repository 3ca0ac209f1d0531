//! Spellings that a reader sees through and a plain search does not.

mod support;

use support::{Became, json, plugin, text};

fn masked(value: &str) -> String {
    let mut plugin = plugin(r#"{"fields":[{"path":"x","kind":"text"}]}"#);
    text(&mut plugin, value).text(value).to_owned()
}

#[test]
fn addresses_are_found_however_they_are_written() {
    for address in [
        "jean.dupont&commat;example.fr",
        "jean.dupont&#64;example&period;fr",
        "jean.dupont%u0040example.fr",
        "jean.dupont\u{ff20}example.fr",
        "ｊｅａｎ．ｄｕｐｏｎｔ＠ｅｘａｍｐｌｅ．ｆｒ",
        "jean.dupont\u{200b}@example.fr",
        "jean.du\u{200d}pont@exam\u{2060}ple.f\u{feff}r",
        "jean.dupont@exam\u{ad}ple.fr",
        "jean.dupont\u{fe6b}example.fr",
        "jean.dupont%EF%BC%A0example.fr",
        r"jean.dupont\u200b@example.fr",
    ] {
        assert_eq!(masked(&format!("user={address}&x=1")), "user=[email]&x=1", "{address}");
    }
}

#[test]
fn ordinary_text_beyond_ascii_is_left() {
    let mut plugin = plugin(r#"{"fields":["x"]}"#);
    for value in ["l’été à Orléans – 20 €", "日本語のテキスト、全角ＡＢＣ", "a\u{200b}b", "soft\u{ad}hyphen", "\u{feff}start", "ﬀ﹫ x"]
    {
        assert_eq!(json(&mut plugin, &format!("\"{value}\"")), Became::Untouched, "{value}");
    }
}

#[test]
fn numbers_in_full_width_digits_are_numbers() {
    assert_eq!(masked("carte ４１１１１１１１１１１１１１１１ fin"), "carte [card] fin");
    assert_eq!(masked("4111\u{200b}1111\u{200b}1111\u{200b}1111"), "[card]");
}

#[test]
fn further_names_of_secrets() {
    let mut plugin = plugin(r#"{"fields":["."]}"#);
    let record = r#"{"passwordHash":"a1","secretKey":"b2","private_key":"c3","pass":"d4","smtp_pass":"e5","authorization":"f6","consumerKey":"g7","bypass":"h8"}"#;
    let found = json(&mut plugin, record);
    let found = found.text(record);
    for gone in ["a1", "b2", "c3", "d4", "e5", "f6", "g7"] {
        assert!(!found.contains(gone), "{gone}: {found}");
    }
    assert!(found.contains("h8"), "{found}");
}

#[test]
fn values_that_a_member_beside_them_names() {
    let mut record = plugin(r#"{"fields":["."]}"#);
    for (before, after) in [
        (r#"{"name":"Authorization","value":"Bearer abc"}"#, r#"{"name":"Authorization","value":"[secret]"}"#),
        (r#"{"value":"x y","comment":"","name":"X-Api-Key"}"#, r#"{"value":"[secret]","comment":"","name":"X-Api-Key"}"#),
        (
            r#"{"attributes":[{"key":"http.request.header.authorization","value":{"arrayValue":{"values":[{"stringValue":"abc"}]}}},{"key":"http.route","value":{"stringValue":"/x"}}]}"#,
            r#"{"attributes":[{"key":"http.request.header.authorization","value":{"arrayValue":{"values":[{"stringValue":"[secret]"}]}}},{"key":"http.route","value":{"stringValue":"/x"}}]}"#,
        ),
        (
            r#"{"value":{"value":"a","key":"b"},"key":"mot de passe"}"#,
            r#"{"value":{"value":"[secret]","key":"[secret]"},"key":"mot de passe"}"#,
        ),
        (r#"{"\u006eame":"contrase\u00f1a","Values":[1,"b"]}"#, r#"{"\u006eame":"contrase\u00f1a","Values":["[secret]","[secret]"]}"#),
        (r#"{"name":"host","name":"password","value":"b"}"#, r#"{"name":"host","name":"password","value":"[secret]"}"#),
    ] {
        assert_eq!(json(&mut record, before), Became::Text(after.to_owned()), "{before}");
    }
    for same in [
        r#"{"name":"host","value":"abc"}"#,
        r#"{"name":"code","value":"200"}"#,
        r#"[{"name":"password","type":"string"},{"name":"host","value":"abc"}]"#,
        r#"{"a":{"name":"password"},"value":"abc"}"#,
        r#"{"name":["password"],"value":"abc"}"#,
        r#"{"name":"password","value":null}"#,
    ] {
        assert_eq!(json(&mut record, same), Became::Untouched, "{same}");
    }
    for (before, after) in [
        (r#"sent {"name":"Authorization","value":"Digest a b"} on"#, r#"sent {"name":"Authorization","value":"[secret]"} on"#),
        (r#"{"value": "abc", "type": 1, "key": "password"}"#, r#"{"value": "[secret]", "type": 1, "key": "password"}"#),
        (r#"<header name='X-Api-Key' value='abc'/>"#, r#"<header name='X-Api-Key' value='[secret]'/>"#),
        ("name=mdp, type=text, value=abc, x=1", "name=mdp, type=text, value=[secret], x=1"),
        (r#"{\"key\":\"passwort\",\"value\":\"a b\"}"#, r#"{\"key\":\"passwort\",\"value\":\"[secret]\"}"#),
        (r#"q={"value":+"abc",+"key":+"mdp"}"#, r#"q={"value":+"[secret]",+"key":+"mdp"}"#),
        ("- name: DB_PASSWORD\n  value: abc\n", "- name: DB_PASSWORD\n  value: [secret]\n"),
    ] {
        assert_eq!(masked(before), after, "{before}");
    }
    for same in ["name=host, value=abc", "value=abc", "key=password", "value: abc, name: host", "a=1&value=2&name=x"] {
        assert_eq!(masked(same), same);
    }
}

#[test]
fn times_and_qualified_names_are_no_addresses() {
    let mut plugin = plugin(r#"{"fields":["x"],"detectors":{"ip":{"mode":"mask","keep_private":false}}}"#);
    for value in
        ["12:34:56", "2025-03-03 11:42:07,381", "Foo::Bar", "DB::F1", "a::b", "std::f32::consts", "00:1a:2b:3c:4d:5e:6f:70", "[::]:8080"]
    {
        assert_eq!(json(&mut plugin, &format!("\"{value}\"")), Became::Untouched, "{value}");
    }
    assert_eq!(json(&mut plugin, "\"from 2001:db8::1 to fe80::1\""), Became::Text("\"from [ip] to [ip]\"".to_owned()));
}
