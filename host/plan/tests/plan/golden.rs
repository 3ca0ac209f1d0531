//! Every `cases/NAME.yaml` against `cases/NAME.expected`: the findings as a user reads them, then what lines such as
//! `# show plan`, `# show field a.b`, `# show dot`, `# show mermaid` ask for. `BLESS=1` writes the expectations anew; read the
//! difference before keeping it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tamis_plan::codes::CODES;
use tamis_plan::{Plan, lineage, to_dot, to_mermaid};

use crate::declared::planned;

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/plan/cases");
    let entries = std::fs::read_dir(folder).expect("the folder of the cases is readable");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry is readable").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    cases
}

fn show(plan: &Plan, what: &str) -> String {
    let json = |value: serde_json::Result<String>| value.expect("JSON") + "\n";
    match what.split_once(' ').unwrap_or((what, "")) {
        ("plan", _) => json(serde_json::to_string_pretty(plan)),
        ("field", path) => json(serde_json::to_string_pretty(&lineage(plan, &path.parse().expect("a field path")))),
        ("dot", _) => to_dot(plan),
        ("mermaid", _) => to_mermaid(plan),
        _ => panic!("`# show {what}`: plan, field, dot or mermaid was expected"),
    }
}

fn outcome(case: &Path) -> String {
    let text = std::fs::read_to_string(case).expect("a case is readable");
    let name = case.file_name().and_then(|name| name.to_str()).expect("a case has a plain name");
    let (plan, findings) = planned(name, &text);
    assert_eq!(plan.is_some(), !findings.has_errors(), "{name}: a plan or errors");
    assert_eq!(name.starts_with("sound"), findings.is_empty(), "{name}: {}", findings.render(false));
    let mut out = findings.render(false);
    for what in text.lines().filter_map(|line| line.strip_prefix("# show ")) {
        let plan = plan.as_ref().unwrap_or_else(|| panic!("{name}: there is no plan to show: {out}"));
        out.push_str(&format!("--- {what}\n{}", show(plan, what)));
    }
    assert!(!out.is_empty(), "{name} expects nothing: a sound case says what to show");
    out
}

#[test]
fn every_case_is_planned_as_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differing = Vec::new();
    for case in cases() {
        let found = outcome(&case);
        let expected = case.with_extension("expected");
        if bless {
            std::fs::write(&expected, &found).expect("an expectation can be written");
        } else if std::fs::read_to_string(&expected).ok().as_deref() != Some(&found) {
            differing.push(format!("{}:\n{found}", case.display()));
        }
    }
    assert!(differing.is_empty(), "not as expected (BLESS=1 to accept):\n{}", differing.join("\n"));
}

#[test]
fn every_code_has_a_case() {
    let printed: String = cases().iter().map(|case| outcome(case)).collect();
    let missing: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).filter(|code| !printed.contains(&format!("[{code}]"))).collect();
    // Too many steps and outputs make long files: see `limits.rs`.
    assert_eq!(missing, BTreeSet::from(["E215"]));
}

#[test]
fn every_code_is_documented_and_no_other() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/diagnostics.md");
    let page = std::fs::read_to_string(page).expect("the page of the diagnostics is readable");
    let documented: BTreeSet<&str> =
        page.lines().filter_map(|line| line.strip_prefix("### ")).filter(|code| code.get(1..2) == Some("2")).collect();
    assert_eq!(documented, CODES.iter().map(|(code, _)| *code).collect::<BTreeSet<&str>>());
}

#[test]
fn codes_are_unique_and_end_in_a_full_stop() {
    let codes: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).collect();
    assert_eq!(codes.len(), CODES.len());
    for (code, meaning) in CODES {
        assert!(meaning.ends_with('.') && (code.starts_with('E') || code.starts_with('W')), "{code}: {meaning}");
    }
}
