//! Golden files: what came once and was found good, a line for each record, in the form of `expect`.

use std::path::{Path, PathBuf};

use super::expectation::{Expectation, Misread};
use super::{Case, INPUT_BYTES_MAX, read_limited};
use crate::desk::Fate;

/// What blessing did to a golden file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blessed {
    /// It was written.
    Written,
    /// It said so already.
    Kept,
}

/// The golden file of the case in `file`: `a.yaml` has `a.golden.ndjson`.
pub(super) fn path(file: &Path) -> PathBuf {
    file.with_extension("golden.ndjson")
}

/// What the golden file expects, one for each line. `None`: there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<Expectation>>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let shown = path.display();
    let bytes = read_limited(path, INPUT_BYTES_MAX).map_err(|(_, message)| format!("{shown}: {message}"))?;
    let mut all = Vec::new();
    for (line, text) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        if text.trim_ascii().is_empty() {
            continue;
        }
        let read =
            serde_json::from_slice(text).map_err(|error| Misread::new(error.to_string())).and_then(|value| Expectation::read(value, line));
        all.push(read.map_err(|error| format!("{shown}:{line}: {}; `--bless` writes the file anew", error.message))?);
    }
    Ok(Some(all))
}

/// Writes what came. A reader sees the old file or the new one.
pub(super) fn bless(path: &Path, case: &Case, fates: &[Fate]) -> Result<Blessed, String> {
    let mut text = String::new();
    for (line, (fate, before)) in (1..).zip(fates.iter().zip(case.input())) {
        let expectation = Expectation::of(fate, before, line)
            .ok_or_else(|| format!("record {line} cannot be put into a golden file: it holds what only JSON's text can say (a number beyond 64 bits, a lone surrogate)"))?;
        text.push_str(&expectation.to_json().to_string());
        text.push('\n');
    }
    if std::fs::read(path).is_ok_and(|old| old == text.as_bytes()) {
        return Ok(Blessed::Kept);
    }
    let beside = path.with_extension(format!("ndjson.{}", std::process::id()));
    let failed = |error: std::io::Error| format!("{}: cannot be written: {error}", path.display());
    std::fs::write(&beside, text).map_err(failed)?;
    std::fs::rename(&beside, path).map_err(failed)?;
    Ok(Blessed::Written)
}
