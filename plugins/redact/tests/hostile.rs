//! Values made to be slow to look at, and personal data beside what could pass for a part of it.

mod support;

use std::time::{Duration, Instant};

use support::{Became, json, plugin, text};

const TEXT: &str = r#"{"fields":[{"path":"m","kind":"text"}]}"#;
const RECORD: &str = r#"{"fields":["."]}"#;
/// What a value of [`SIZE`] bytes should take at most, and how much slower than that a busy machine may be.
const TARGET: Duration = Duration::from_millis(60);
const SLACK: u32 = 5;
const SIZE: usize = 256 * 1024;

#[test]
fn time_is_linear_in_hostile_values() {
    let parts = [
        ":",
        "eyJ",
        "eyJ.",
        "a:",
        "\"",
        "@",
        "7",
        "%40",
        "=",
        "Bearer ",
        "bearer+",
        "basic+",
        "token=",
        "code:",
        "token=[",
        "cookie= ",
        "<password><![CDATA[",
        "a@",
        "%2540",
        "\\u0040",
        "\\\\",
        "&#64;",
        "4111 ",
        "06 ",
        "1.1.1.",
        "FR76 ",
        ",",
        "token=[\"",
        "::",
        "a::",
        "1:",
        "\"@",
        "<a>",
        "Authorization: ",
        "20 2A ",
        "IHsi",
        "eyAi.",
        "ew0K",
        "ewok.IHs",
        "\u{ff20}",
        "\u{200b}",
        "a\u{200b}@b.fr ",
        "%u0040",
        "&commat;",
        "pass=",
        "password=abcdefgh&",
        "2001:db8::",
        "\u{e9}",
        "value=",
        "\"value\":\"",
        "\"name\":\"x\",\"value\":",
        "name=x value=y ",
        "value:'x' ",
        "mot de passe",
        "ghp_",
        "xoxb-",
        "glpat-a",
        "AKIA",
        "-",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN PRIVATE KEY-----AAAAAAAAAAAAAAAA ",
        "-----BEGIN PRIVATE KEY-----AAAAAAAAAAAAAAAA@",
        "n\u{303}",
    ];
    let repeats = r#"{"fields":[{"path":"m","kind":"text"}],"repeats":true}"#;
    let configurations = [TEXT, repeats, r#"{"fields":[{"path":"m","kind":"text"}],"mode":"off","detectors":{"email":"mask"}}"#];
    let mut slow = Vec::new();
    for config in configurations {
        let mut plugin = plugin(config);
        for part in parts {
            for end in ["", ".eyJ.x", " {x}"] {
                let value = format!("{}{end}", part.repeat(SIZE / part.len()));
                let start = Instant::now();
                let _ = text(&mut plugin, &value);
                let took = start.elapsed();
                println!("{part:?} and {end:?}: {:.1} ms", took.as_secs_f64() * 1e3);
                if took > TARGET * SLACK {
                    slow.push(format!("{part:?} and {end:?}: {took:?}"));
                }
            }
        }
    }
    assert!(slow.is_empty(), "slower than {:?}: {slow:#?}", TARGET * SLACK);
}

#[test]
fn a_token_behind_many_beginnings_is_found() {
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";
    for count in [1, 10, 1000] {
        let value = format!("{}{token}", "eyJ".repeat(count));
        assert!(matches!(text(&mut plugin(TEXT), &value), Became::Text(after) if !after.contains("dozjg")), "{count}");
    }
}

#[test]
fn commas_and_underscores_separate_numbers() {
    for (before, after) in [
        ("0612345678,0712345678", "[phone],[phone]"),
        ("12,0612345678", "12,[phone]"),
        ("[0612345678,0712345678]", "[[phone],[phone]]"),
        ("+33612345678,+33712345678", "[phone],[phone]"),
        ("5,185057800608491", "5,[nir]"),
        ("_4111111111111111_", "_[card]_"),
        ("a_FR7630006000011234567890189_b", "a_[iban]_b"),
        ("tel_0612345678_x", "tel_[phone]_x"),
        ("x_185057800608491_y", "x_[nir]_y"),
        ("ip_194.51.3.7_x", "ip_194.51.3.0_x"),
    ] {
        assert_eq!(text(&mut plugin(TEXT), before), Became::Text(after.to_owned()), "{before}");
    }
}

#[test]
fn everything_within_a_member_named_like_a_secret_goes() {
    for (before, after) in [
        (r#"{"token":["abc","d"],"x":"y"}"#, r#"{"token":["[secret]","[secret]"],"x":"y"}"#),
        (r#"{"code":{"a":["b"]},"code":"ok"}"#, r#"{"code":{"a":["[secret]"]},"code":"ok"}"#),
        (r#"{"assertion":[{"a":"b"}]}"#, r#"{"assertion":[{"a":"[secret]"}]}"#),
        (r#"{"password ":"x y"}"#, r#"{"password ":"[secret]"}"#),
    ] {
        assert_eq!(json(&mut plugin(RECORD), before), Became::Text(after.to_owned()), "{before}");
    }
}
