//! Every `cases/NAME.yaml` against `cases/NAME.expected`: what a user reads, to the character. `BLESS=1` writes the
//! expectations anew; read the difference before keeping it.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use tamis_config::{Config, Environment, codes::CODES};

/// An environment that is the same everywhere.
struct Fixed;

impl Environment for Fixed {
    fn var(&self, name: &str) -> Option<String> {
        match name {
            "LANES" => Some("2".to_owned()),
            "TOKEN" => Some("hunter2-hunter2".to_owned()),
            "EMPTY" => Some(String::new()),
            _ => None,
        }
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        match path.to_str() {
            Some("/run/secrets/key") => Ok("s3cr3t-of-the-file\n".to_owned()),
            Some("/run/secrets/large") => Ok("x".repeat(65_537)),
            _ => Err(io::Error::new(io::ErrorKind::NotFound, "no such file")),
        }
    }
}

/// What must never be printed.
const SECRETS: [&str; 2] = ["hunter2", "s3cr3t"];

fn cases() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let entries = std::fs::read_dir(folder).expect("the folder of the cases is readable");
    let mut cases: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry is readable").path()).collect();
    cases.retain(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    cases.sort();
    cases
}

fn outcome(case: &Path) -> (Option<Config>, String, String) {
    let text = std::fs::read_to_string(case).expect("a case is readable");
    let name = case.file_name().and_then(|name| name.to_str()).expect("a case has a plain name");
    let (config, diagnostics) = Config::parse(name, &text, Path::new("etc"), &Fixed);
    assert_eq!(config.is_some(), !diagnostics.has_errors(), "{name}: a configuration or errors");
    (config, diagnostics.render(false), diagnostics.to_json().to_string())
}

#[test]
fn every_case_reads_as_expected() {
    let bless = std::env::var_os("BLESS").is_some();
    let mut differing = Vec::new();
    for case in cases() {
        let (_, found, _) = outcome(&case);
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
fn no_case_prints_a_secret_or_a_control_character() {
    for case in cases() {
        let (config, text, json) = outcome(&case);
        for printed in [&text, &json, &format!("{config:?}"), &format!("{config:#?}")] {
            for secret in SECRETS {
                assert!(!printed.contains(secret), "{}: {printed}", case.display());
            }
        }
        assert!(text.chars().chain(json.chars()).all(|c| c == '\n' || !c.is_control()), "{}: {text}", case.display());
    }
}

#[test]
fn sound_cases_are_sound() {
    for case in cases() {
        let name = case.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        let (config, text, _) = outcome(&case);
        assert_eq!(config.is_some(), name.starts_with("sound"), "{name}: {text}");
    }
}

#[test]
fn every_code_has_a_case() {
    // These need files, folders and registries rather than a text: see `files.rs`, and the origin of `tamis-registry`.
    let elsewhere = ["E001", "E002", "E003", "E021", "E026", "E028", "E029", "W001"];
    let printed: String = cases().iter().map(|case| outcome(case).1).collect();
    let missing: BTreeSet<&str> = CODES.iter().map(|(code, _)| *code).filter(|code| !printed.contains(&format!("[{code}]"))).collect();
    assert_eq!(missing, BTreeSet::from(elsewhere));
}
