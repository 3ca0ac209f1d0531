//! JSON edges through a pipeline: what is valid leaves as it came, what is not becomes a dead letter.

use std::fmt::Write as _;
use tamis_tests::harness::{Site, base64};

/// Steps that read and patch; every record has them run.
const PATCHING: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines:
  main:
    from: [in]
    steps:
      - vrl: if .mark == true { .patched = 1 }
      - filter: .drop != true
    to: [out]
    dead_letters: [failed]
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: failed.ndjson } }";

/// Values that are valid JSON (and no line feed, which ends a record).
fn valid() -> Vec<String> {
    let values = [
        // Numbers
        "0",
        "-0",
        "1",
        "-1",
        "123",
        "-123",
        "0.5",
        "-0.5",
        "1.0",
        "0e0",
        "0E1",
        "0e+1",
        "1e5",
        "1E5",
        "1e+5",
        "1e-5",
        "1.5e10",
        "-1.5E-10",
        "20e1",
        "123e65",
        "123.456e78",
        "123.456789",
        "9007199254740993",
        "18446744073709551615",
        "18446744073709551616",
        "-9223372036854775809",
        "1e308",
        "1e309",
        "-1e309",
        "1e-400",
        "1e999999999999999999999",
        "0.000000000000000000000000000000000000000000000001",
        // Strings
        r#""""#,
        r#""a""#,
        r#""\"""#,
        r#""\\""#,
        r#""\/""#,
        r#""\b\f\n\r\t""#,
        r#""\u0000""#,
        r#""\u0012""#,
        r#""\u001f""#,
        r#""\u0061""#,
        r#""\u00e9\u00E9""#,
        r#""\u2028\u2029""#,
        r#""\uD834\uDD1E""#,
        r#""\ud83d\ude39\ud83d\udc8d""#,
        r#""\uDBFF\uDFFF""#,
        r#""\uFFFE\uFFFF""#,
        r#""\uFEFF""#,
        r#""\\u0000""#,
        r#""\\a""#,
        r#""\"\\\/\b""#,
        r#""a/*b*/c//d""#,
        "\"\u{7f}\"",
        "\"é€𝄞\"",
        "\"\u{2028}\u{2029}\"",
        "\"\u{feff}\"",
        "\"\u{10ffff}\"",
        "\"\u{200b}\"",
        r#"" ""#,
        r#""http:\/\/a.example""#,
        r#""{\"a\":1}""#,
        r#""new\nline""#,
        r#""\u005C""#,
        r#""\u0022""#,
        // Literals and structures
        "true",
        "false",
        "null",
        "[]",
        "{}",
        "[[]]",
        "[{}]",
        "[null,1,\"1\",{}]",
        "[1,null,null,null,2]",
        "[ ]",
        "{ }",
        " [ 1 , 2 ] ",
        "\t{\t\"a\"\t:\t1\t}\t",
        "[\r]",
        "[[]   ]",
        "[false]",
        "[\"a\"]",
        r#"{"a":"b"}"#,
        r#"{"":0}"#,
        r#"{"a":[]}"#,
        r#"{"a":1,"b":2}"#,
        r#"{"a":1,"a":2}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"\u0061":1,"a":2}"#,
        r#"{"foo\u0000bar":42}"#,
        r#"{"min":-1.0e+28,"max":1.0e+28}"#,
        r#"{"x":[{"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}],"id":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"}"#,
        r#"{"title":"\u041f\u043e\u043b\u0442\u043e\u0440\u0430"}"#,
    ];
    let mut all: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
    all.push("7".repeat(400));
    all.push(format!("-{}.{}e-{}", "1".repeat(300), "9".repeat(300), "0".repeat(50)));
    all.push(format!("\"{}\"", "\\u00e9\\n".repeat(5_000)));
    all.push(format!("{}{}", "[".repeat(1_000), "]".repeat(1_000)));
    all.push(format!("{}1{}", "{\"a\":".repeat(1_000), "}".repeat(1_000)));
    all.push(format!("[{}1]", "1,".repeat(20_000)));
    all.push(format!("[{}]", " ".repeat(100_000)));
    all.push(format!(
        "{{{}\"z\":0}}",
        (0..3_000).fold(String::new(), |mut out, i| {
            let _ = write!(out, "\"k{i}\":{i},");
            out
        })
    ));
    all
}

/// Values that are not JSON.
fn invalid() -> Vec<Vec<u8>> {
    let values: [&[u8]; 112] = [
        // Numbers
        b"-",
        b"+1",
        b"++1",
        b"-01",
        b"01",
        b"00",
        b"-00",
        b"012",
        b"-012",
        b"1.",
        b"-1.",
        b".5",
        b"-.5",
        b"0.",
        b"0.e1",
        b"1.e1",
        b"0.3e",
        b"0.3e+",
        b"0e",
        b"0e+",
        b"0E",
        b"0E+",
        b"1.0e",
        b"1.0e-",
        b"1.0e+",
        b"1e",
        b"1eE2",
        b"1e1e1",
        b"9.e+",
        b"2.e3",
        b"2.e-3",
        b"1 000",
        b"1_000",
        b"0x1",
        b"0x42",
        b"1a",
        b"-1a",
        b"1.2a",
        b"1.8011670033376514H-308",
        b"--1",
        b"- 1",
        b"-foo",
        b"Inf",
        b"Infinity",
        b"-Infinity",
        b"NaN",
        b"-NaN",
        b"nan",
        b"0.1.2",
        b"\xef\xbc\x91",
        // Strings
        b"\"",
        b"\"a",
        b"\"a\\\"",
        b"\"\\\"",
        b"\"\\x00\"",
        b"\"\\a\"",
        b"\"\\'\"",
        b"'a'",
        b"a",
        b"\"\\u\"",
        b"\"\\u0\"",
        b"\"\\u00A\"",
        b"\"\\u00G0\"",
        b"\"\\uD834\\u\"",
        b"\"\\u{41}\"",
        b"\"\t\"",
        b"\"\x00\"",
        b"\"\x1f\"",
        b"\"\x1b[31m\"",
        b"\"\\\t\"",
        b"\"\\\xc3\xa9\"",
        b"\"a\"b\"",
        b"\"a\" \"b\"",
        b"\\u0041",
        // Invalid UTF-8
        b"\"\xff\"",
        b"\"\xfe\xff\"",
        b"\"\xc3\"",
        b"\"\xc0\xaf\"",
        b"\"\xe0\x80\xaf\"",
        b"\"\xed\xa0\x80\"",
        b"\"\xf4\x90\x80\x80\"",
        b"\"\x80\"",
        b"\"\xe2\x82\"",
        b"\xff",
        // Literals and structures
        b"",
        b"nul",
        b"nulll",
        b"tru",
        b"True",
        b"TRUE",
        b"fals",
        b"undefined",
        b"[",
        b"]",
        b"[1",
        b"[1,",
        b"[1,]",
        b"[,1]",
        b"[1,,2]",
        b"[,]",
        b"[1 2]",
        b"[1:2]",
        b"[\"a\",",
        b"[1]]",
        b"[}",
        b"{",
        b"{]",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"{1:1}",
        b"[1]x",
    ];
    let mut all: Vec<Vec<u8>> = values.iter().map(|value| value.to_vec()).collect();
    for value in [
        "{a:1}",
        "{'a':1}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "{\"a\":1 \"b\":2}",
        "{,}",
        "{\"a\":1,,\"b\":2}",
        "{\"a\":1/**/}",
        "[1] // c",
        "/**/1",
        "# 1",
        "{\"a\":1}}",
        "{null:1}",
        "{\"\\u00g\":1}",
        "[\u{c}1]",
        "[\u{b}1]",
        "[1\u{a0}]",
        "\u{feff}1",
        "\u{2060}1",
        "<a>",
        "*",
        "[1,\u{e9}]",
    ] {
        all.push(value.as_bytes().to_vec());
    }
    all.push("[".repeat(100_000).into_bytes());
    all.push("{\"a\":".repeat(100_000).into_bytes());
    all.push("[{\"\":".repeat(50_000).into_bytes());
    all.push(format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)).into_bytes());
    all.push(format!("{}{}", "[".repeat(900), "]".repeat(899)).into_bytes());
    all
}

#[test]
fn what_is_valid_leaves_as_it_came() {
    for mark in ["", ",\"mark\":true"] {
        let lines: Vec<String> = valid().iter().map(|value| format!("{{\"v\":{value}{mark}}}")).collect();
        let site = Site::with(PATCHING, lines.join("\n"));
        let report = site.delivered();
        assert_eq!(site.letters("failed.ndjson").iter().map(|l| l.reason().to_owned()).collect::<Vec<_>>(), [""; 0]);
        assert_eq!(report.flow("main").out, lines.len() as u64);
        let found = site.lines("out.ndjson");
        assert_eq!(found.len(), lines.len());
        for (line, found) in lines.iter().zip(found) {
            let expected = if mark.is_empty() { line.clone() } else { format!("{},\"patched\":1}}", &line[..line.len() - 1]) };
            assert!(found == expected, "\nexpected {expected:.500}\nfound    {found:.500}");
        }
    }
}

#[test]
fn what_is_invalid_is_a_dead_letter_in_base64() {
    let records: Vec<Vec<u8>> = invalid().iter().map(|value| [b"{\"v\":".as_slice(), value, b"}"].concat()).collect();
    let whole: Vec<Vec<u8>> = [
        &b"{\"a\":1}x"[..],
        b"{\"a\":1}{\"a\":2}",
        b"{\"a\":1},",
        b"x{\"a\":1}",
        b"{",
        b"}",
        b"{\"a\":1",
        b"\"a\":1",
        b"\xef\xbb\xbf",
        b"\x00",
        b"{\"a\":1}\x00",
        b"\x1f\x8b\x08\x00",
        b"abc",
        b"{\"a\xff\":1}",
        b"{\"\x00\":1}",
        b"\xff\xfe{\x00}\x00",
    ]
    .iter()
    .map(|bytes| bytes.to_vec())
    .collect();
    let records: Vec<Vec<u8>> = records.into_iter().chain(whole).collect();
    // A sound record between any two.
    let mut input = Vec::new();
    for (number, record) in records.iter().enumerate() {
        input.extend_from_slice(record);
        input.extend_from_slice(format!("\n{{\"n\":{number}}}\n").as_bytes());
    }
    let site = Site::with(PATCHING, &input);
    let report = site.delivered();
    let (count, flow) = (records.len() as u64, report.flow("main"));
    let expected: Vec<String> = (0..count).map(|n| format!("{{\"n\":{n}}}")).collect();
    let found = site.lines("out.ndjson");
    let more: Vec<&String> = found.iter().filter(|line| !line.starts_with("{\"n\":")).collect();
    assert!(more.is_empty(), "taken for records: {more:.2000?}");
    assert!(found == expected, "the sound records, in order");
    assert_eq!((flow.taken, flow.out, flow.rejected), (2 * count, count, count));
    assert_eq!(report.dead("main", "decode"), count);
    // Within a batch, letters come in the order in which the faults were found.
    let mut letters = site.letters("failed.ndjson");
    letters.sort_by_key(|letter| letter.value["origin"]["position"]["offset"].as_u64());
    assert_eq!(letters.len(), records.len());
    let mut offset = 0;
    for ((number, record), letter) in records.iter().enumerate().zip(letters) {
        let shown = String::from_utf8_lossy(&record[..record.len().min(80)]).into_owned();
        assert!(letter.value["record"] == base64(record), "{shown}: {:.300}", letter.text);
        assert_eq!(letter.cause(), "decode", "{shown}");
        assert!(!letter.reason().is_empty() && letter.reason().len() < 500, "{shown}: {}", letter.reason());
        assert_eq!(letter.value["origin"]["position"]["offset"], offset, "{shown}");
        assert!(letter.value["failure"]["step"].is_null());
        offset += record.len() + format!("\n{{\"n\":{number}}}\n").len();
    }
}

/// What the standard leaves open: passed on unchanged or a dead letter, never lost, never changed, never a crash.
#[test]
fn what_is_left_open_is_kept_one_way_or_the_other() {
    let records = [
        r#"{"v":"\uD800"}"#,
        r#"{"v":"\uDC00"}"#,
        r#"{"v":"\uD800\uD800"}"#,
        r#"{"v":"\uD800x"}"#,
        r#"{"v":"\uDd1e\uD834"}"#,
        r#"{"v":"\uD800\n"}"#,
        r#"{"v":"\uD888\u1234"}"#,
        r#"{"\uD800":1}"#,
        "\u{feff}{\"a\":1}",
        "[1,2]",
        "1",
        "null",
        "\"text\"",
        "[]",
        r#"{"v":1e400}"#,
        r#"{"v":-1e-400}"#,
        r#"{"v":123123e100000}"#,
        r#"{"v":0.4e00669999999999999999999999999999999999999999999999999999999999999969999999006}"#,
    ];
    let mut lines: Vec<String> = records.iter().map(|&record| record.to_owned()).collect();
    lines.push(format!("{{\"v\":{}{}}}", "[".repeat(1_500), "]".repeat(1_500)));
    for mark in [false, true] {
        let lines: Vec<String> = lines
            .iter()
            .map(|line| if mark && line.ends_with('}') { format!("{},\"mark\":true}}", &line[..line.len() - 1]) } else { line.clone() })
            .collect();
        let site = Site::with(PATCHING, lines.join("\n"));
        let flow = site.delivered().flow("main");
        let (out, letters) = (site.lines("out.ndjson"), site.letters("failed.ndjson"));
        assert_eq!((out.len(), letters.len()), (flow.out as usize, flow.rejected as usize));
        assert_eq!(out.len() + letters.len(), lines.len());
        let out: Vec<String> = out.iter().map(|line| line.replace(",\"patched\":1", "")).collect();
        for line in lines {
            let coded = base64(line.as_bytes());
            let kept = letters.iter().filter(|letter| letter.value["record"] == coded.as_str() || letter.record() == line).count();
            assert_eq!(out.iter().filter(|found| **found == line).count() + kept, 1, "{line:.100}");
        }
    }
}

#[test]
fn depth_is_the_operators_to_choose() {
    let deep = |depth: usize| format!("{{\"v\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
    let config = PATCHING.to_owned() + "\nsettings: { admin: off, json_depth: 100000, lanes: 1 }";
    let config = config.replace("if .mark == true { .patched = 1 }", "if exists(.v) { .patched = 1 }");
    let lines = [
        deep(100),
        deep(90_000),
        deep(150_000),
        format!("{{\"v\":{}}}", "[".repeat(99_000)),
        format!("{{\"v\":{}1{}}}", "{\"v\":".repeat(60_000), "}".repeat(60_000)),
    ];
    let site = Site::with(&config, lines.join("\n"));
    let report = site.delivered();
    let flow = report.flow("main");
    assert_eq!((flow.taken, report.dead("main", "decode")), (5, 2), "{}", report.0);
    assert_eq!(site.lines("out.ndjson")[0], deep(100).replace("]}", "],\"patched\":1}"));
    // A plugin and a program that look at such a value.
    let site = Site::with(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  redact: { component: PLUGIN(redact), grant: { read: [.], write: [.] }, config: { fields: [.] } }
pipelines:
  plugin: { from: [in], steps: [ { plugin: redact } ], to: [out], dead_letters: [failed] }
  program: { from: [in], steps: [ { vrl: '.w = .v' } ], to: [out], dead_letters: [failed] }
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: failed.ndjson } }
settings: { admin: off, json_depth: 100000, lanes: 1 }",
        lines.join("\n"),
    );
    let report = site.delivered();
    assert_eq!((report.flow("plugin").taken, report.flow("program").taken), (5, 5));
    assert_eq!((report.flow("plugin").out, report.flow("program").out), (1, 1), "the shallow record passes both");
}
