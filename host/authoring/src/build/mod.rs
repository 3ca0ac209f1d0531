//! From a plugin's folder to its component, each language by its own tool.

mod javascript;
pub mod python;
pub mod rust;

use std::fs;
use std::path::{Path, PathBuf};

use tamis_config::FileError;

use crate::{Error, Language, component, metadata};

/// A plugin that was built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Built {
    /// The plugin's name: that of its folder.
    pub name: String,
    /// What it is written in.
    pub language: Language,
    /// The component.
    pub path: PathBuf,
    /// The component's size.
    pub bytes: u64,
    /// The interfaces it imports.
    pub imports: Vec<String>,
    /// Whether the file was written: not where it held these bytes already.
    pub changed: bool,
}

/// A component as its language's tool left it.
struct Component {
    name: String,
    folder: PathBuf,
    language: Language,
    bytes: Vec<u8>,
}

/// What became of several plugins.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Those that were built, whatever became of the others.
    pub built: Vec<Built>,
    /// What went wrong with the others.
    pub failed: Vec<Error>,
}

impl Outcome {
    /// The plugins, where all were built.
    ///
    /// # Errors
    /// The first thing that went wrong.
    pub fn all(self) -> Result<Vec<Built>, Error> {
        self.failed.into_iter().next().map_or(Ok(self.built), Err)
    }

    /// Those that went well; the others are noted.
    fn keep<T>(&mut self, results: impl IntoIterator<Item = Result<T, Error>>) -> Vec<T> {
        results.into_iter().filter_map(|result| result.map_err(|error| self.failed.push(error)).ok()).collect()
    }
}

/// Builds the plugins in `folders` and writes `<out>/<folder's name>.wasm` for each; one that cannot be built keeps none of the others
/// from it. `on_message` gets what the languages' tools say, line by line. Compiled code is kept in `cache`, see [`Desk::new`].
///
/// [`Desk::new`]: crate::desk::Desk::new
pub fn build(folders: &[PathBuf], out: &Path, cache: Option<&Path>, on_message: &mut dyn FnMut(&str)) -> Outcome {
    let (mut crates, mut packages, mut projects, mut outcome) = (Vec::new(), Vec::new(), Vec::new(), Outcome::default());
    if let Err(error) = fs::create_dir_all(out).map_err(FileError::at(out)) {
        outcome.failed.push(error.into());
        return outcome;
    }
    for folder in folders {
        match Language::of(folder) {
            Language::JavaScript => packages.push(folder.clone()),
            Language::Rust => crates.push(folder.clone()),
            Language::Python => projects.push(folder.clone()),
        }
    }
    let mut components = outcome.keep(rust::components(&crates, on_message));
    components.extend(outcome.keep(javascript::components(&packages, out, on_message)));
    components.extend(outcome.keep(python::components(&projects, out, on_message)));
    outcome.built = outcome.keep(components.into_iter().map(|component| finish(component, out, cache)));
    outcome
}

/// Writes the component where it is not there yet.
fn finish(component: Component, out: &Path, cache: Option<&Path>) -> Result<Built, Error> {
    let Component { name, folder, language, bytes } = component;
    let path = out.join(format!("{name}.wasm"));
    let before = fs::read(&path).ok();
    let bytes = metadata::embed(&name, &folder, language, &bytes, before.as_deref(), cache)?;
    Ok(Built {
        changed: write_changed(&path, &bytes)?,
        bytes: bytes.len() as u64,
        imports: component::imports_of(&name, &bytes)?,
        name,
        language,
        path,
    })
}

/// Where the build before the one in `component` is kept: `a.wasm` has `a.previous.wasm` beside it.
pub fn previous(component: &Path) -> PathBuf {
    component.with_extension("previous.wasm")
}

/// Writes `bytes` unless the file holds them; a reader sees the old file or the new one, never half of it. The old one is
/// kept as [`previous`].
fn write_changed(path: &Path, bytes: &[u8]) -> Result<bool, Error> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(false);
    }
    let beside = path.with_extension(format!("wasm.{}", std::process::id()));
    fs::write(&beside, bytes).map_err(FileError::at(&beside))?;
    if path.is_file() {
        // A second name for the old file first: `path` is there all the time. Without one there is nothing to compare with.
        let kept = previous(path);
        let _ = fs::remove_file(&kept);
        let _ = fs::hard_link(path, &kept);
    }
    fs::rename(&beside, path).map_err(FileError::at(path))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_written_when_it_changes() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("a.wasm");
        assert!(write_changed(&path, b"one").expect("written"));
        assert!(!write_changed(&path, b"one").expect("the same"));
        assert!(write_changed(&path, b"two").expect("written"));
        assert_eq!(fs::read(&path).expect("it is there"), b"two");
        assert_eq!(fs::read(previous(&path)).expect("the build before"), b"one");
        let left = fs::read_dir(folder.path()).expect("the folder").count();
        assert_eq!(left, 2, "nothing else is left beside it");
    }
}
