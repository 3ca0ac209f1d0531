//! A plugin's test cases: `cases/*.yaml` in its folder, one case a file.
//!
//! [`load`] reads them and tells everything that is wrong with a place, [`run`](run::run) runs one against a
//! [`Candidate`](crate::desk::Candidate) and compares what came with what was expected, field by field.
//!
//! Keys of a case: `name`, `config`, `input` or `input_file`, `expect`; or `name`, `config`, `refuses`. The format is
//! described in `docs/reference/plugin-cases.md`.

mod expectation;
mod golden;
mod json;
mod parse;
mod run;

use std::io::Read;
use std::path::{Path, PathBuf};

use tamis_config::{Diagnostic, Diagnostics, FILE_BYTES_MAX, Place, codes};

pub use expectation::{Difference, Expectation, Want};
pub use golden::Blessed;
pub use run::{Mismatch, Report, run};

/// The folder of a plugin's cases, in the plugin's own.
pub const FOLDER: &str = "cases";
/// Cases of a plugin.
pub const CASES_MAX: usize = 1_000;
/// Records of a case.
pub const RECORDS_MAX: usize = 10_000;
/// Bytes of an `input_file`, and of a golden file.
pub const INPUT_BYTES_MAX: u64 = 16 << 20;
/// Characters of a case's name.
pub const NAME_CHARS_MAX: usize = 200;

/// A case: a configuration, records and what is expected of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name: `name`, or that of its file without the extension.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// The step's configuration, JSON text; `{}` when the case has none.
    pub config: String,
    /// What is tried.
    pub trial: Trial,
}

/// What a case tries.
#[derive(Debug, Clone, PartialEq)]
pub enum Trial {
    /// The configuration must be refused.
    Refusal {
        /// The plugin's reason must hold this.
        text: String,
        /// Where the case says so, a line from 1.
        line: u32,
    },
    /// Records go through.
    Records {
        /// Their texts, as they come.
        input: Vec<Vec<u8>>,
        /// What is expected of them.
        expected: Expected,
    },
}

/// What is expected of the records of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Expected {
    /// As the case says: one for each record, in order.
    Listed(Vec<Expectation>),
    /// As this file says, a line for each record; it is written by blessing.
    Golden(PathBuf),
}

impl Case {
    /// The records that go in; none where the configuration is to be refused.
    pub fn input(&self) -> &[Vec<u8>] {
        match &self.trial {
            Trial::Records { input, .. } => input,
            Trial::Refusal { .. } => &[],
        }
    }
}

/// Reads the cases of the plugin in `folder`, in the order of their files' names; none when it has no folder `cases`. What
/// is wrong is told with file and line: a case with an error is left out.
pub fn load(folder: &Path) -> (Vec<Case>, Diagnostics) {
    let (mut cases, mut findings) = (Vec::<Case>::new(), Diagnostics::new());
    for file in files(&folder.join(FOLDER), &mut findings) {
        let Some((case, place)) = read(&file, &mut findings) else { continue };
        match cases.iter().find(|other| other.name == case.name) {
            Some(other) => findings.push(
                Diagnostic::error(codes::DEFINED_TWICE, format!("a case called `{}` is in `{}` too", case.name, other.file.display()))
                    .at(&place)
                    .help("give each case a name of its own: `--case` chooses by it"),
            ),
            None => cases.push(case),
        }
    }
    findings.sort();
    (cases, findings)
}

/// The files `*.yaml` of a folder, by name.
fn files(folder: &Path, findings: &mut Diagnostics) -> Vec<PathBuf> {
    let whole = Place::whole(folder.display().to_string());
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            findings.push(Diagnostic::error(codes::UNREADABLE_FILE, format!("cannot be read: {error}")).at(&whole));
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for path in entries.flatten().map(|entry| entry.path()) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => files.push(path),
            Some("yml") => findings.push(
                Diagnostic::error(codes::UNREADABLE_FILE, "a case's file ends in `.yaml`")
                    .at(&Place::whole(path.display().to_string()))
                    .help("rename it"),
            ),
            _ => {}
        }
    }
    files.sort();
    if files.len() > CASES_MAX {
        findings.push(
            Diagnostic::error(codes::TOO_MUCH, format!("{} cases, at most {CASES_MAX} were expected", files.len()))
                .at(&whole)
                .help("put several records into a case"),
        );
        files.truncate(CASES_MAX);
    }
    files
}

/// Reads one case; with the place of its name.
fn read(file: &Path, findings: &mut Diagnostics) -> Option<(Case, Place)> {
    let shown = file.display().to_string();
    let found = read_limited(file, FILE_BYTES_MAX).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| (codes::NOT_UTF8, format!("not UTF-8 from byte {} on", error.utf8_error().valid_up_to())))
    });
    match found {
        Ok(text) => parse::case(file, &shown, &text, findings),
        Err((code, message)) => {
            findings.push(Diagnostic::error(code, message).at(&Place::whole(shown)));
            None
        }
    }
}

/// The bytes of an ordinary file, or a diagnostic's code and message.
fn read_limited(file: &Path, bytes_max: u64) -> Result<Vec<u8>, (&'static str, String)> {
    let failed = |error: std::io::Error| (codes::UNREADABLE_FILE, format!("cannot be read: {error}"));
    // A pipe or a device has no end.
    if !std::fs::metadata(file).map_err(failed)?.is_file() {
        return Err((codes::UNREADABLE_FILE, "expected a file".to_owned()));
    }
    let mut bytes = Vec::new();
    std::fs::File::open(file).map_err(failed)?.take(bytes_max + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > bytes_max {
        return Err((codes::FILE_TOO_LARGE, format!("more than {bytes_max} bytes")));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
