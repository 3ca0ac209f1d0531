//! The SDKs' sources, which the binary carries with it: a plugin keeps a copy in its `.tamis/sdk`, so that it builds anywhere without this
//! repository and without a package of ours in a registry, and goes on building when the binary is a newer one.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tamis_config::FileError;

use crate::embedded::{self, Language};
use crate::template::{Error, expect_empty, write};

/// The version of the SDKs that are carried along: that of the host.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
/// Where a plugin keeps its SDK.
pub const FOLDER: &str = ".tamis/sdk";
/// What tells which SDK a plugin keeps, and what its files were when they were written.
pub const STAMP: &str = ".tamis/sdk.json";
/// Bytes of the stamp that are read.
const STAMP_BYTES_MAX: u64 = 1 << 20;
/// What the folder says to whoever finds it.
const NOTE: &str = "\
The Tamis SDK that this plugin is built with. `tamis plugin new` put it here; keep it under version control, so that the\n\
plugin builds the same everywhere. Change nothing: `tamis plugin sdk update` replaces it by that of the installed `tamis`.\n";

/// An SDK that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The language, as `--lang` takes it.
    pub language: String,
    /// The version that was there before, if one was.
    pub before: Option<String>,
    /// The version that is there now.
    pub version: String,
    /// Where.
    pub folder: PathBuf,
    /// How many files the SDK has.
    pub files: usize,
    /// How many of them were written: those that were missing or held something else.
    pub changed: usize,
}

/// Writes the SDK of a language into a folder of its own.
///
/// # Errors
/// [`Error::Language`], [`Error::NotEmpty`], [`Error::File`].
pub fn export(language: &str, folder: &Path) -> Result<Written, Error> {
    let language = embedded::language(language).ok_or_else(|| Error::language(language))?;
    expect_empty(folder)?;
    let changed = put(language, folder)?;
    Ok(written(language, None, folder, changed))
}

/// Replaces the SDK that the plugin in `plugin` keeps by the one carried along. Files that are not the SDK's are left alone.
///
/// # Errors
/// [`Error::NoSdk`] where there is none, [`Error::Edited`] where its files are not as they were written, unless `force`, and
/// [`Error::File`].
pub fn update(plugin: &Path, force: bool) -> Result<Written, Error> {
    let stamp = Stamp::read(plugin)?;
    let language = embedded::language(&stamp.language).ok_or_else(|| Error::language(&stamp.language))?;
    let folder = plugin.join(FOLDER);
    let mut edited = stamp.files.iter().filter(|(path, sum)| fs::read(folder.join(path)).map_or(true, |bytes| digest(&bytes) != **sum));
    if let Some((first, _)) = edited.next().filter(|_| !force) {
        let (first, count) = (first.clone(), 1 + edited.count());
        return Err(Error::Edited { folder, count, first });
    }
    for path in stamp.files.keys().filter(|path| !language.sdk.iter().any(|file| file.path == path.as_str())) {
        let path = folder.join(path);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(FileError::at(path)(error).into()),
            _ => {}
        }
    }
    let changed = vendor(language, plugin)?;
    Ok(written(language, Some(stamp.version), &folder, changed))
}

/// Writes the SDK and its stamp into a plugin's folder; how many files changed.
pub(crate) fn vendor(language: &Language, plugin: &Path) -> Result<usize, Error> {
    let changed = put(language, &plugin.join(FOLDER))?;
    write(&plugin.join(".tamis/README.md"), NOTE.as_bytes())?;
    let files: BTreeMap<_, _> = language.sdk.iter().map(|file| (file.path, digest(file.bytes))).collect();
    let stamp = json!({ "language": language.name, "version": VERSION, "files": files });
    write(&plugin.join(STAMP), format!("{stamp:#}\n").as_bytes())?;
    Ok(changed)
}

fn put(language: &Language, folder: &Path) -> Result<usize, Error> {
    let mut changed = 0;
    for file in language.sdk {
        let path = folder.join(file.path);
        // What did not change keeps its time, so that nothing is compiled again.
        if !fs::read(&path).is_ok_and(|bytes| bytes == file.bytes) {
            write(&path, file.bytes)?;
            changed += 1;
        }
    }
    Ok(changed)
}

fn written(language: &Language, before: Option<String>, folder: &Path, changed: usize) -> Written {
    Written {
        language: language.name.to_owned(),
        before,
        version: VERSION.to_owned(),
        folder: folder.to_owned(),
        files: language.sdk.len(),
        changed,
    }
}

fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Which SDK a plugin keeps.
struct Stamp {
    language: String,
    version: String,
    /// SHA-256 by path from the SDK's folder.
    files: BTreeMap<String, String>,
}

impl Stamp {
    fn read(plugin: &Path) -> Result<Self, Error> {
        let file = plugin.join(STAMP);
        let wrong = |reason: String| Error::NoSdk { file: file.clone(), reason };
        let mut text = String::new();
        let read = fs::File::open(&file).and_then(|open| open.take(STAMP_BYTES_MAX).read_to_string(&mut text));
        read.map_err(|error| wrong(error.to_string()))?;
        let stamp: Value = serde_json::from_str(&text).map_err(|error| wrong(format!("it is not JSON: {error}")))?;
        let text = |key: &str| stamp[key].as_str().map(str::to_owned).ok_or_else(|| wrong(format!("expected a text under `{key}`")));
        let mut files = BTreeMap::new();
        for (path, sum) in stamp["files"].as_object().ok_or_else(|| wrong("expected a map under `files`".to_owned()))? {
            // The file is under version control and may come from anywhere: nothing outside the folder is deleted by it.
            if !Path::new(path).components().all(|part| matches!(part, Component::Normal(_))) {
                return Err(wrong(format!("`{}` leads out of the SDK's folder", path.escape_debug())));
            }
            files.insert(path.clone(), sum.as_str().unwrap_or_default().to_owned());
        }
        Ok(Self { language: text("language")?, version: text("version")?, files })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::template::{Author, create};

    fn plugin() -> (tempfile::TempDir, PathBuf) {
        let within = tempfile::tempdir().expect("a temporary folder");
        let created = create("mine", "rust", within.path(), &Author::unknown()).expect("a plugin");
        (within, created.folder)
    }

    #[test]
    fn an_sdk_that_is_up_to_date_is_left_as_it_is() {
        let (_within, plugin) = plugin();
        let written = update(&plugin, false).expect("nothing to do");
        assert_eq!((written.changed, written.before.as_deref()), (0, Some(VERSION)));
        assert!(written.files > 10);
    }

    #[test]
    fn an_older_sdk_is_replaced_and_what_it_had_more_is_gone() {
        let (_within, plugin) = plugin();
        let stamp = fs::read_to_string(plugin.join(STAMP)).expect("a stamp");
        let mut stamp: Value = serde_json::from_str(&stamp).expect("JSON");
        stamp["version"] = "0.0.9".into();
        for (path, text) in [("src/old.rs", "gone"), ("src/lib.rs", "older")] {
            stamp["files"][path] = digest(text.as_bytes()).into();
            fs::write(plugin.join(FOLDER).join(path), text).expect("written");
        }
        fs::write(plugin.join(STAMP), stamp.to_string()).expect("written");
        fs::write(plugin.join(FOLDER).join("Cargo.lock"), "of a tool").expect("written");

        let written = update(&plugin, false).expect("an update");
        assert_eq!((written.changed, written.before.as_deref()), (1, Some("0.0.9")));
        assert!(!plugin.join(FOLDER).join("src/old.rs").exists());
        assert!(plugin.join(FOLDER).join("Cargo.lock").exists(), "not the SDK's: left alone");
        assert!(fs::read_to_string(plugin.join(FOLDER).join("src/lib.rs")).expect("text").contains("Write Tamis plugins"));
    }

    #[test]
    fn an_sdk_changed_by_hand_is_not_overwritten_unless_told() {
        let (_within, plugin) = plugin();
        fs::write(plugin.join(FOLDER).join("src/lib.rs"), "mine").expect("written");
        fs::remove_file(plugin.join(FOLDER).join("README.md")).expect("removed");
        let error = update(&plugin, false).expect_err("changed").to_string();
        assert!(error.contains("2 of the SDK's files") && error.contains("README.md") && error.contains("--force"), "{error}");
        assert_eq!(update(&plugin, true).expect("forced").changed, 2);
    }

    #[test]
    fn a_stamp_cannot_lead_out_of_the_folder() {
        let (_within, plugin) = plugin();
        let victim = plugin.join("victim");
        fs::write(&victim, "precious").expect("written");
        for path in ["../../victim", "/etc/hostname", "src/../../../victim"] {
            let sum = digest(b"precious");
            let stamp = json!({ "language": "rust", "version": "0.0.9", "files": { path: sum } });
            fs::write(plugin.join(STAMP), stamp.to_string()).expect("written");
            let error = update(&plugin, true).expect_err("refused").to_string();
            assert!(error.contains("leads out"), "{error}");
        }
        assert!(victim.exists());
        let empty = tempfile::tempdir().expect("a temporary folder");
        assert!(matches!(update(empty.path(), false), Err(Error::NoSdk { .. })));
    }

    #[test]
    fn an_sdk_is_exported_to_an_empty_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let written = export("rust", folder.path()).expect("an SDK");
        assert_eq!(written.files, written.changed);
        assert!(folder.path().join("derive/src/lib.rs").is_file());
        assert!(matches!(export("rust", folder.path()), Err(Error::NotEmpty { .. })));
    }
}
