//! Every `cases/NAME.txt` against `cases/NAME.json`: the record of each line, or why there is none. `cases/NAME.yaml` is the
//! codec as a configuration writes it. `BLESS=1` writes the expectations anew; read the difference before keeping it.
//!
//! In a case's text, a line that begins with `#` is a comment, and `␊`, `␀` stand for a line feed inside of a record and a NUL.

mod support;

use support::{cases, decode, decoder};

#[test]
fn every_case_decodes_as_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differing = Vec::new();
    for case in cases() {
        let mut decoder = decoder(&case.codec);
        let mut found = String::new();
        for line in &case.lines {
            let frame = decode(&mut decoder, &[line]);
            let outcome = match (frame.records.rows.len(), frame.rejected.as_slice()) {
                (1, []) => {
                    let record = frame.records.get(0);
                    let value: serde_json::Result<serde_json::Value> = serde_json::from_slice(record);
                    assert!(value.is_ok_and(|v| v.is_object()), "{}: {}", case.name, String::from_utf8_lossy(record));
                    String::from_utf8_lossy(record).into_owned()
                }
                (0, [rejected]) => {
                    assert_eq!(rejected.bytes, *line);
                    format!("rejected: {}", rejected.reason)
                }
                other => panic!("{}: {other:?}", case.name),
            };
            found.push_str(&outcome);
            found.push('\n');
        }
        let expected = case.path.with_extension("json");
        if bless {
            std::fs::write(&expected, &found).unwrap();
        }
        let expected = std::fs::read_to_string(&expected).unwrap_or_default();
        for (i, (found, expected)) in found.lines().zip(expected.lines().chain(std::iter::repeat(""))).enumerate() {
            if found != expected {
                differing.push(format!("{}, line {}:\n  found    {found}\n  expected {expected}", case.name, i + 1));
            }
        }
        if found.lines().count() != expected.lines().count() {
            differing.push(format!("{}: {} records, {} expected", case.name, found.lines().count(), expected.lines().count()));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn there_are_cases_of_every_codec() {
    let cases = cases();
    for codec in [
        "json",
        "text",
        "wso2_metrics",
        "wso2_mediator",
        "wso2_carbon",
        "wso2_correlation",
        "wso2_audit",
        "wso2_api",
        "access",
        "syslog",
        "logfmt",
        "csv",
        "regex",
        "grok",
        "auto",
    ] {
        assert!(cases.iter().any(|case| case.codec.type_name() == codec), "{codec}");
    }
}

/// The examples of `docs/reference/codecs.md`: a block of a line and its record below the codec's heading. What follows `# ` is the
/// codec's options, and `⏎` is a line feed inside of the record.
#[test]
fn the_examples_of_the_reference_are_true() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/codecs.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (mut name, mut checked) = ("", 0);
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        name = line.strip_prefix("## `").and_then(|rest| rest.strip_suffix('`')).unwrap_or(name);
        if !line.starts_with("```") {
            continue;
        }
        let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
        let ("```", [line, record]) = (line, block.as_slice()) else { continue };
        let (line, options) = line.split_once("  # ").map_or((*line, ""), |(line, options)| (line.trim_end(), options));
        let comma = if options.is_empty() { "" } else { ", " };
        let codec = support::codec(&format!("{{ type: {name}{comma}{options} }}"));
        let frame = decode(&mut decoder(&codec), &[line.replace('⏎', "\n")]);
        assert_eq!(String::from_utf8_lossy(frame.records.get(0)), *record, "{name}: {:?}", frame.rejected);
        checked += 1;
    }
    assert_eq!(checked, 12);
}
