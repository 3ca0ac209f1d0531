//! What a plugin's manifest says: each language has its own, and all say the same.

mod cargo;
mod package_json;
mod pyproject;

use std::path::Path;

use serde_json::Value;
use tamis_config::FileError;

use crate::Error;
use crate::sbom::Part;

/// Longest manifest, lock file or list of parts read, in bytes.
const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// What a manifest says of its plugin. What it leaves out is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// What the plugin does, in a sentence.
    pub description: String,
    /// Who wrote it, each as `Name <address>` or one of both.
    pub authors: Vec<String>,
    /// An SPDX licence expression.
    pub licenses: String,
    /// Where its source is.
    pub source: String,
    /// Where to read more.
    pub homepage: String,
    /// The team that answers for it.
    pub owner: String,
    /// Name and version of the SDK it is written with.
    pub sdk: Option<(String, String)>,
}

/// Reads the manifest in a plugin's folder and what its lock file says of the parts the plugin is made of.
///
/// `Cargo.toml` is read by cargo itself, so that what is inherited from a workspace counts; then `package.json` with
/// `package-lock.json`; then `pyproject.toml` with what is installed in `.venv`. A folder with none of them has an empty manifest.
///
/// # Errors
/// [`Error::Manifest`] with the file and what is wrong in it.
pub fn read(folder: &Path) -> Result<(Manifest, Vec<Part>), Error> {
    for (file, reader) in [
        ("Cargo.toml", cargo::read as fn(&Path) -> Result<(Manifest, Vec<Part>), Error>),
        ("package.json", package_json::read),
        ("pyproject.toml", pyproject::read),
    ] {
        let path = folder.join(file);
        if path.is_file() {
            return reader(&path);
        }
    }
    Ok(Default::default())
}

/// The text of a file, which may not be larger than [`MANIFEST_BYTES_MAX`].
fn text(path: &Path) -> Result<String, Error> {
    use std::io::Read;
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(FileError::at(path))?;
    file.take(MANIFEST_BYTES_MAX).read_to_string(&mut text).map_err(FileError::at(path))?;
    Ok(text)
}

fn wrong(path: &Path, reason: impl ToString) -> Error {
    Error::Manifest { path: path.to_owned(), reason: reason.to_string().trim_end().to_owned() }
}

/// The text at a place in a manifest; empty where there is none.
fn string(value: &Value, pointer: &str) -> String {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().trim().to_owned()
}

/// `Name <address>` of what is there.
fn person(name: &str, address: &str) -> String {
    match (name, address) {
        (name, "") => name.to_owned(),
        ("", address) => address.to_owned(),
        (name, address) => format!("{name} <{address}>"),
    }
}
