//! A new plugin: a folder that builds, tests and runs as it is, with the SDK beside it.

mod author;
mod name;

use std::fs;
use std::path::{Path, PathBuf};

use tamis_config::FileError;

use crate::embedded::{self, File};
use crate::sdk;

pub use author::Author;
pub use name::NAME_CHARACTERS_MAX;

/// What the manifests of the templates say that the plugin does: an author has other things to say.
pub(crate) const DESCRIPTION: &str = "Marks calls that took long";

/// A plugin that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its name.
    pub name: String,
    /// What it is written in, as `--lang` takes it.
    pub language: String,
    /// Its folder.
    pub folder: PathBuf,
    /// The command that installs the language's tools into the folder, where some are needed.
    pub prepare: Option<String>,
    /// The files of the author, by their path from the folder, in order; those of the SDK are not among them.
    pub files: Vec<String>,
}

/// Why a plugin was not begun, or an SDK not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No name for a plugin.
    #[error(
        "`{name}` cannot be the name of a plugin: {reason}. A name is lower-case letters, digits and single `-` between them, begins with a letter and has {NAME_CHARACTERS_MAX} characters at most: `slow-calls`"
    )]
    Name {
        /// What was given, control characters escaped.
        name: String,
        /// What is wrong with it.
        reason: String,
    },

    /// No template and no SDK for this language.
    #[error("expected a language out of {known}, found `{found}`")]
    Language {
        /// What was given.
        found: String,
        /// What there is.
        known: String,
    },

    /// The folder holds something already.
    #[error("{}: expected a folder that is empty or not there, found {count} entries; nothing was written. Take another name or --out", folder.display())]
    NotEmpty {
        /// The folder.
        folder: PathBuf,
        /// How many entries it has.
        count: usize,
    },

    /// There is no SDK in the folder.
    #[error("{}: {reason}; expected the folder of a plugin that `tamis plugin new` began", file.display())]
    NoSdk {
        /// The file that tells which SDK is there.
        file: PathBuf,
        /// Why it says nothing.
        reason: String,
    },

    /// The SDK in the folder is not as it was written.
    #[error("{}: {} of the SDK's files were changed by hand or are missing, {first} among them; nothing was written. `--force` replaces them", folder.display(), count)]
    Edited {
        /// The SDK's folder.
        folder: PathBuf,
        /// How many files differ.
        count: usize,
        /// The first one.
        first: String,
    },

    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

impl Error {
    pub(crate) fn language(found: &str) -> Self {
        Self::Language { found: found.escape_debug().to_string(), known: languages().collect::<Vec<_>>().join(", ") }
    }
}

/// The languages that a plugin can be begun in, in order.
pub fn languages() -> impl Iterator<Item = &'static str> {
    embedded::languages().iter().map(|language| language.name)
}

/// Begins the plugin `name` in a new folder `<within>/<name>`: the language's template, and the SDK in its `.tamis`.
///
/// # Errors
/// [`Error::Name`] and [`Error::Language`] for what was asked for, [`Error::NotEmpty`] where the folder holds anything, and
/// [`Error::File`]; in the last case some files may be there already.
pub fn create(name: &str, language: &str, within: &Path, author: &Author) -> Result<Created, Error> {
    name::check(name)?;
    let language = embedded::language(language).ok_or_else(|| Error::language(language))?;
    let folder = within.join(name);
    expect_empty(&folder)?;
    let mut files = Vec::with_capacity(language.template.len());
    for file in language.template {
        let path = visible(file.path);
        write(&folder.join(&path), filled(file, name, author).as_bytes())?;
        files.push(path);
    }
    files.sort();
    sdk::vendor(language, &folder)?;
    Ok(Created { name: name.to_owned(), language: language.name.to_owned(), folder, prepare: prepare(language.name), files })
}

/// The command that installs the language's tools into a new plugin's folder.
fn prepare(language: &str) -> Option<String> {
    match language {
        "js" => Some("npm install".to_owned()),
        "python" => Some(format!("python3 -m venv .venv && .venv/bin/pip install componentize-py=={}", crate::build::python::VERSION)),
        _ => None,
    }
}

/// Refuses a folder that holds anything.
pub(crate) fn expect_empty(folder: &Path) -> Result<(), Error> {
    match fs::read_dir(folder) {
        Ok(entries) => match entries.count() {
            0 => Ok(()),
            count => Err(Error::NotEmpty { folder: folder.to_owned(), count }),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(FileError::at(folder)(error).into()),
    }
}

/// Writes a file and the folders it lies in.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(FileError::at(folder))?;
    }
    Ok(fs::write(path, bytes).map_err(FileError::at(path))?)
}

/// The path in the new plugin: what would be hidden lies in the template under a name that git and cargo do not heed.
fn visible(path: &str) -> String {
    path.split('/')
        .map(|part| part.strip_prefix("dot-").map_or_else(|| part.to_owned(), |name| format!(".{name}")))
        .collect::<Vec<_>>()
        .join("/")
}

/// The template's text with what is known now.
fn filled(file: &File, name: &str, author: &Author) -> String {
    let mut text = String::from_utf8_lossy(file.bytes).into_owned();
    for (place, value) in [
        ("{{name}}", name),
        ("{{author-name}}", quotable(author.name()).as_str()),
        ("{{author-email}}", quotable(author.email()).as_str()),
        ("{{componentize-py}}", crate::build::python::VERSION),
    ] {
        text = text.replace(place, value);
    }
    text
}

/// The text as it stands between the quotes of a string, which TOML and JSON write alike.
fn quotable(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifests_have_the_description_that_the_guard_rail_knows() {
        for language in languages() {
            let within = tempfile::tempdir().expect("a temporary folder");
            let created = create("mine", language, within.path(), &Author::unknown()).expect("a plugin");
            let files = ["Cargo.toml", "package.json", "pyproject.toml"].map(|file| created.folder.join(file));
            let text = files.iter().find_map(|file| fs::read_to_string(file).ok()).expect("a manifest");
            assert!(text.contains(&format!("\"{DESCRIPTION}\"")), "{language}: {text}");
        }
    }

    #[test]
    fn every_language_begins_a_plugin_without_places_left_open() {
        for language in languages() {
            let within = tempfile::tempdir().expect("a temporary folder");
            let author = Author::new("Jo \"the\" \\ Writer", "jo@example.org");
            let created = create("slow-calls", language, within.path(), &author).expect("a plugin");
            assert_eq!(created.folder, within.path().join("slow-calls"));
            for wanted in ["README.md", "tamis.yaml", "sample.ndjson", ".gitignore", ".gitlab-ci.yml", ".github/workflows/plugin.yml"] {
                assert!(created.files.iter().any(|file| file == wanted), "{language}: {wanted} is missing: {:?}", created.files);
            }
            assert!(created.files.iter().any(|file| file.starts_with("cases/") && file.ends_with(".yaml")), "{language}");
            for file in &created.files {
                let text = fs::read_to_string(created.folder.join(file)).expect("text");
                for place in ["{{name}}", "{{author", "{{componentize-py}}", "dot-"] {
                    assert!(!text.contains(place), "{language}: {file} holds {place}");
                }
            }
            assert!(created.folder.join(".tamis/sdk.json").is_file());
        }
    }

    #[test]
    fn a_folder_that_holds_anything_is_left_alone() {
        let within = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(within.path().join("mine")).expect("a folder");
        create("mine", "rust", within.path(), &Author::unknown()).expect("an empty folder will do");
        let error = create("mine", "rust", within.path(), &Author::unknown()).expect_err("it is full now");
        assert!(matches!(error, Error::NotEmpty { .. }), "{error}");
    }

    #[test]
    fn an_unknown_language_is_answered_with_the_known_ones() {
        let within = tempfile::tempdir().expect("a temporary folder");
        let error = create("mine", "cobol", within.path(), &Author::unknown()).expect_err("no template").to_string();
        assert!(error.contains("rust") && error.contains("`cobol`"), "{error}");
        assert!(!within.path().join("mine").exists());
    }
}
