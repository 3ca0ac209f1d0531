//! Files of cases, sound and not, and cases against real components.

use super::*;
use crate::desk::Desk;
use serde_json::json;
use tamis_sandbox::Limits;

/// A plugin's folder with these cases.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let cases = folder.path().join(FOLDER);
    std::fs::create_dir_all(&cases).expect("a folder");
    for (name, text) in files {
        std::fs::write(cases.join(name), text).expect("a file");
    }
    folder
}

/// The one case of a text; its name is `case`.
fn case(text: &str) -> (tempfile::TempDir, Case) {
    let folder = folder(&[("case.yaml", text)]);
    let (mut cases, findings) = load(folder.path());
    assert!(findings.is_empty(), "{}", findings.render(false));
    (folder, cases.remove(0))
}

fn findings(text: &str) -> String {
    let folder = folder(&[("case.yaml", text)]);
    let (cases, findings) = load(folder.path());
    assert!(cases.is_empty(), "{cases:?}");
    findings.render(false)
}

fn report(plugin: &str, case: &Case, bless: bool) -> Report {
    let components =
        std::env::var_os("TAMIS_GUESTS").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"), PathBuf::from);
    let desk = Desk::new(Limits::default(), None).expect("a desk");
    run(&desk.open(&components.join(format!("{plugin}.wasm"))).expect("`make guests` builds it"), case, bless)
}

#[test]
fn a_case_is_read() {
    let (_folder, case) = case(
        "name: owners\nconfig: { owners: { cio: corporate } }\ninput:\n  - { b: 1.50, a: [x, null, true], big: 18446744073709551615 }\n  - '{\"a\":'\nexpect:\n  - unchanged\n  - rejected: JSON\n    cause: decode\n",
    );
    assert_eq!((case.name.as_str(), case.config.as_str()), ("owners", r#"{"owners":{"cio":"corporate"}}"#));
    let Trial::Records { input, expected } = &case.trial else { panic!("{case:?}") };
    assert_eq!(input[0], br#"{"b":1.50,"a":["x",null,true],"big":18446744073709551615}"#);
    assert_eq!(input[1], br#"{"a":"#);
    let failed = Want::Failed { cause: "decode", reason: "JSON".to_owned() };
    assert_eq!(
        *expected,
        Expected::Listed(vec![
            Expectation { line: 7, output: None, want: Want::Unchanged },
            Expectation { line: 8, output: None, want: failed },
        ])
    );
}

#[test]
fn everything_that_is_wrong_has_a_place() {
    for (text, expected) in [
        ("imput: []\n", "did you mean `input`?"),
        ("imput: []\n", "case.yaml:1:1"),
        ("config: {}\n", "the key `input` is missing"),
        ("input: 5\n", "`input`: expected a list, found the number `5`"),
        ("input:\n  - 5\n", "case.yaml:2:5"),
        ("input: [\"a\\nb\"]\n", "one line"),
        ("input: [{}]\nexpect: []\n", "0 for 1 records"),
        ("input: [{}]\nexpect:\n  - unchangd\n", "did you mean `unchanged`?"),
        ("input: [{}]\nexpect:\n  - unchangd\n", "case.yaml:3:5"),
        ("input: [{}]\nexpect:\n  - recrd: {}\n", "did you mean `record`?"),
        ("input: [{}]\nexpect:\n  - record: 5\n", "expected a map"),
        ("input: [{}]\nexpect:\n  - rejected: x\n    cause: tarp\n", "the causes are reject, trap"),
        ("input: [{}]\nexpect:\n  - { dropped: true, to: a }\n", "has no output"),
        ("input: [{}]\nexpect:\n  - { record: {}, unchanged: true }\n", "expected one of"),
        ("input: [{}]\ninput_file: a\n", "one of both"),
        ("input_file: ../a\n", "beside the case"),
        ("input_file: absent.ndjson\n", "`absent.ndjson`: cannot be read"),
        ("refuses: x\ninput: []\n", "sees no record"),
        ("config: { a: .inf }\ninput: []\n", "finite number"),
        ("name: []\ninput: []\n", "`name`: expected text"),
        ("- a\n", "expected a map"),
        ("a: [\n", "not YAML"),
    ] {
        let found = findings(text);
        assert!(found.contains(expected), "{text}\n{found}");
    }
}

#[test]
fn limits_hold() {
    let many = format!("input:\n{}", "  - {}\n".repeat(RECORDS_MAX + 1));
    assert!(findings(&many).contains("at most 10000"));
    let two = folder(&[("a.yaml", "name: x\ninput: []\n"), ("b.yaml", "name: x\ninput: []\n"), ("c.yml", "")]);
    let (cases, found) = load(two.path());
    let found = found.render(false);
    assert!(cases.len() == 1 && found.contains("a case called `x`") && found.contains("ends in `.yaml`"), "{found}");
    assert_eq!(load(Path::new("/nowhere")).0, []);
}

#[test]
fn what_came_is_compared_field_by_field() {
    let (_folder, case) = case(concat!(
        "config: { owners: { cio: corporate } }\n",
        "input:\n  - { ApiOwner: cio }\n  - { ApiOwner: cio, n: { a: [1, 2] } }\n  - { ApiOwner: zz }\n  - { ApiOwner: zz }\n",
        "expect:\n  - record: { tenant: corporate, ApiOwner: cio }\n",
        "  - record: { ApiOwner: cio, tenant: mail, n: { a: [1, 3] }, x: 1 }\n  - unchanged\n  - { unchanged: true, to: errors }\n",
    ));
    let report = report("tenant", &case, false);
    let [second, fourth] = &report.mismatches[..] else { panic!("{report:?}") };
    assert_eq!((second.record, second.line), (Some(2), Some(9)));
    let mut fields: Vec<_> = second.fields.iter().map(|d| (d.path.as_str(), d.expected.clone(), d.found.clone())).collect();
    fields.sort_by_key(|(path, _, _)| *path);
    assert_eq!(
        fields,
        [
            ("n.a[1]", Some(json!(3)), Some(json!(2))),
            ("tenant", Some(json!("mail")), Some(json!("corporate"))),
            ("x", Some(json!(1)), None),
        ]
    );
    assert_eq!((fourth.expected.as_str(), fourth.found.as_str()), ("unchanged, to errors", "unchanged"));
    let changes = report.changes(&case, 0);
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].path.as_str(), &changes[0].expected, &changes[0].found), ("tenant", &None, &Some(json!("corporate"))));
}

#[test]
fn golden_files_are_blessed_and_compared() {
    let (folder, case) = case("config: { owners: { cio: corporate } }\ninput:\n  - { ApiOwner: cio }\n  - { ApiOwner: zz }\n  - '{'\n");
    let none = report("tenant", &case, false);
    assert!(none.mismatches[0].found.contains("--bless"), "{none:?}");
    assert_eq!(report("tenant", &case, true).blessed, Some(Blessed::Written));
    assert_eq!(report("tenant", &case, true).blessed, Some(Blessed::Kept));
    let passed = report("tenant", &case, false);
    assert!(passed.passed(), "{passed:?}");
    let golden = folder.path().join("cases/case.golden.ndjson");
    let text = std::fs::read_to_string(&golden).expect("it was written");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], [r#"{"record":{"ApiOwner":"cio","tenant":"corporate"}}"#, r#""unchanged""#]);
    assert!(lines[2].contains(r#""cause":"decode""#), "{text}");

    std::fs::write(&golden, text.replace("corporate", "mail")).expect("a change");
    let changed = report("tenant", &case, false);
    assert_eq!((changed.mismatches.len(), changed.mismatches[0].line), (1, Some(1)));
    std::fs::write(&golden, "\"unchanged\"\n").expect("a change");
    assert!(report("tenant", &case, false).mismatches[0].found.contains("1 lines"));
    std::fs::write(&golden, "{\n").expect("a change");
    assert!(report("tenant", &case, false).mismatches[0].found.contains("case.golden.ndjson:1"));
}

#[test]
fn a_refusal_is_the_plugins_own_word() {
    let (_folder, sound) = case("config: { owners: { cio: 7 } }\nrefuses: owners.cio\n");
    assert!(report("tenant", &sound, false).passed());
    let (_folder, other) = case("config: { owners: { cio: 7 } }\nrefuses: nothing of this\n");
    let report_of_other = report("tenant", &other, false);
    assert!(report_of_other.mismatches[0].found.contains("owners.cio"), "{report_of_other:?}");
    let (_folder, taken) = case("config: { owners: { cio: a } }\nrefuses: owners\n");
    assert_eq!(report("tenant", &taken, false).mismatches[0].found, "the plugin takes the configuration");
    // Dying of it is no refusal.
    let (_folder, trap) = case("config: init-trap\nrefuses: ''\n");
    assert!(report("hostile", &trap, false).mismatches[0].found.starts_with("trap"));
    let (_folder, refused) = case("config: init-error\ninput: []\nexpect: []\n");
    assert!(report("hostile", &refused, false).mismatches[0].found.starts_with("reject: no "));
}

#[test]
fn failures_are_told_apart_by_cause() {
    let text = |cause: &str| format!("config: trap poison\ninput: [{{ message: poison }}]\nexpect:\n  - rejected: ''\n{cause}");
    let (_folder, plain) = case(&text(""));
    assert_eq!(report("hostile", &plain, false).mismatches.len(), 1);
    let (_folder, trap) = case(&text("    cause: trap\n"));
    assert!(report("hostile", &trap, false).passed());
    let (_folder, poison) = case("config: reject-poison\ninput: [{ message: poison }]\nexpect: [{ rejected: it is poison }]\n");
    assert!(report("hostile", &poison, false).passed());
}
