//! Lines made to hurt: long, deep, cut off, unbalanced. Each takes linear time, about as long as it takes to read it.

mod support;

use std::time::{Duration, Instant};
use support::{cases, decode, decoder};

const MEBI: usize = 1024 * 1024;

/// What a megabyte of any line may take, far above what it takes.
const SECONDS_A_MEBI: f64 = 1.0;

fn check(lines: &[Vec<u8>]) {
    check_with(lines, cases());
}

fn check_with(lines: &[Vec<u8>], cases: Vec<support::Case>) {
    for case in cases {
        let mut decoder = decoder(&case.codec);
        for line in lines {
            let started = Instant::now();
            let frame = decode(&mut decoder, &[line]);
            let took = started.elapsed();
            assert_eq!(frame.count(), 1, "{}", case.name);
            let allowed = Duration::from_secs_f64(2.0 + SECONDS_A_MEBI * line.len() as f64 / MEBI as f64);
            let begin = String::from_utf8_lossy(line.get(..line.len().min(60)).unwrap_or_default()).into_owned();
            assert!(took < allowed, "{}: {took:?} for {} bytes: {begin}", case.name, line.len());
            if frame.records.rows.len() == 1 && case.codec.type_name() != "json" {
                let record = frame.records.get(0);
                assert!(serde_json::from_slice::<serde::de::IgnoredAny>(record).is_ok(), "{}: {begin}", case.name);
                assert!(!record.contains(&b'\n'), "{}: {begin}", case.name);
            }
            if let Some(rejected) = frame.rejected.first() {
                assert!(rejected.reason.len() < 4096 && rejected.reason.is_ascii(), "{}: {}", case.name, rejected.reason);
            }
        }
    }
}

#[test]
fn many_separators_brackets_and_quotes() {
    let mut lines = Vec::new();
    for piece in [
        "|", ",", ", ", "=", " = ", "a = , ", ", a = b", " a=", "a=b ", "\"", "\\", "\\\"", "\"a\"", "[", "]", "{", "}", " ", "-", "- ",
        "<", ": ", " - ", "TID:", "/", "%", "\n", "\n\tat ", "\t", "at [", " | ",
    ] {
        for count in [1, 10_000] {
            let body = piece.repeat(count);
            for head in [
                "",
                "TID: [1] [] [2025-03-03 11:42:07,381]  INFO {a.B} - ",
                "2025-03-03 11:42:07,381|i|t|1|HTTP|",
                "::1 - - [03/Mar/2025:11:42:07 +0100] \"",
                "<34>1 - - - - - [",
                "apimMetrics: apim:x, properties :{\"a\":",
                "a = b, ",
                "a=\"",
            ] {
                lines.push(format!("{head}{body}").into_bytes());
            }
        }
    }
    check(&lines);
}

#[test]
fn deep_json() {
    let mut lines = Vec::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        for depth in [63, 64, 65, 100_000] {
            let json = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            lines.push(format!("apimMetrics: apim:x, properties :{{\"a\":{json}}}").into_bytes());
            lines.push(
                format!(
                    "[2025-03-03 11:42:07,381]  INFO {{A}} - {{\"headers\":{json},\"payload\":{}}}",
                    serde_json::to_string(&json).unwrap()
                )
                .into_bytes(),
            );
            lines.push(json.into_bytes());
        }
    }
    check(&lines);
}

#[test]
fn a_field_of_16_mebibytes() {
    let long = "x".repeat(16 * MEBI);
    let mut one_each = cases();
    one_each.dedup_by_key(|case| case.codec.type_name());
    let lines = [
        format!("a = {long}").into_bytes(),
        format!("apimMetrics: apim:x, properties :{{\"a\":\"{long}\"}}").into_bytes(),
        format!("::1 - - [03/Mar/2025:11:42:07 +0100] \"GET /{long} HTTP/1.1\" 200 1 \"-\" \"-\"").into_bytes(),
        vec![0; 16 * MEBI],
    ];
    check_with(&lines, one_each);
}

#[test]
fn a_record_has_at_most_1000_fields() {
    for (text, separator, pair) in
        [("wso2_mediator", ", ", " = 1"), ("logfmt", " ", "=1"), ("{ type: access, format: key_value }", " ", "=1")]
    {
        let mut decoder = decoder(&support::codec(text));
        let line = |count: usize| (0..count).map(|i| format!("k{i}{pair}")).collect::<Vec<_>>().join(separator);
        let few = decode(&mut decoder, &[line(999)]);
        assert_eq!(serde_json::from_slice::<serde_json::Map<_, serde_json::Value>>(few.records.get(0)).unwrap().len(), 999, "{text}");
        let many = decode(&mut decoder, &[line(1001)]);
        assert!(many.rejected[0].reason.contains("at most 1,000"), "{text}: {}", many.rejected[0].reason);
    }
}

#[test]
fn what_is_not_utf8_is_rejected_where_it_stands() {
    for case in cases().iter().filter(|case| case.codec.type_name() != "json") {
        let mut decoder = decoder(&case.codec);
        let line = case.lines.first().unwrap();
        let broken = [line.as_slice(), b"\xC3"].concat();
        let alone = decode(&mut decoder, &[line]);
        let both = decode(&mut decoder, &[line, &broken, line]);
        assert_eq!(both.rejected.len(), 1, "{}", case.name);
        assert_eq!(both.rejected[0].reason, format!("not UTF-8 at byte {}", line.len()), "{}", case.name);
        assert_eq!(both.rejected[0].offset, line.len() as u64 + 1, "{}", case.name);
        assert_eq!((both.records.get(0), both.records.get(1)), (alone.records.get(0), alone.records.get(0)), "{}", case.name);
        assert_eq!(both.offset(1), 2 * line.len() as u64 + 3, "{}", case.name);
    }
}
