//! `tamis.lock`: what the tags in a configuration stood for when they were locked. JSON, one reference a line when indented, so
//! that a review shows what moved.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tamis_config::{Digest, Reference};

use crate::Error;
use crate::read::read_at_most;
use tamis_config::FileError;

/// The lock's name; it lies in the folder of the configuration.
pub const LOCK_FILE: &str = "tamis.lock";
/// Largest lock that is read.
const LOCK_BYTES_MAX: u64 = 4 << 20;
/// The version of its format.
const VERSION: u32 = 1;

/// What a reference stood for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locked {
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Digest of the component.
    pub component: Digest,
}

/// A lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    path: PathBuf,
    entries: BTreeMap<String, Locked>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    plugins: BTreeMap<String, Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    manifest: String,
    component: String,
}

impl Lock {
    /// Reads the lock of a folder; one that is not there is empty.
    ///
    /// # Errors
    /// [`Error::Lock`] for a file that is no lock, [`Error::File`] for one that cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(LOCK_FILE);
        if !path.exists() {
            return Ok(Self { path, entries: BTreeMap::new() });
        }
        let wrong = |reason: String| Error::Lock { path: path.clone(), reason };
        let bytes = read_at_most(&path, LOCK_BYTES_MAX)?.ok_or_else(|| wrong("it has more than 4 MiB".to_owned()))?;
        let file: File = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
        if file.version != VERSION {
            return Err(wrong(format!("it has version {}, this host reads version {VERSION}", file.version)));
        }
        let mut entries = BTreeMap::new();
        for (reference, entry) in file.plugins {
            let parsed: Reference = reference.parse().map_err(|error| wrong(format!("`{reference}`: {error}")))?;
            let digest = |text: &str| text.parse::<Digest>().map_err(|error| wrong(format!("`{reference}`: {error}")));
            entries.insert(parsed.to_string(), Locked { manifest: digest(&entry.manifest)?, component: digest(&entry.component)? });
        }
        Ok(Self { path, entries })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What a reference stood for.
    pub fn get(&self, reference: &Reference) -> Option<&Locked> {
        self.entries.get(&reference.to_string())
    }

    /// Notes what a reference stands for; gives what it stood for before.
    pub fn set(&mut self, reference: &Reference, locked: Locked) -> Option<Locked> {
        self.entries.insert(reference.to_string(), locked)
    }

    /// Forgets all references but these; gives the forgotten ones.
    pub fn keep_only(&mut self, wanted: &[Reference]) -> Vec<String> {
        let wanted: std::collections::BTreeSet<String> = wanted.iter().map(Reference::to_string).collect();
        let gone: Vec<String> = self.entries.keys().filter(|name| !wanted.contains(*name)).cloned().collect();
        self.entries.retain(|name, _| wanted.contains(name));
        gone
    }

    /// Writes it: whole, or not at all.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn write(&self) -> Result<(), Error> {
        let entry = |locked: &Locked| Entry { manifest: locked.manifest.to_string(), component: locked.component.to_string() };
        let file = File { version: VERSION, plugins: self.entries.iter().map(|(name, locked)| (name.clone(), entry(locked))).collect() };
        let mut text =
            serde_json::to_vec_pretty(&file).map_err(|error| Error::Lock { path: self.path.clone(), reason: error.to_string() })?;
        text.push(b'\n');
        replace(&self.path, &text, 0o644)
    }
}

/// Writes a file beside its place, syncs it, and moves it there.
pub(crate) fn replace(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Error> {
    use std::os::unix::fs::PermissionsExt as _;
    let wrong = |error| Error::from(FileError::at(path)(error));
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let permissions = std::fs::Permissions::from_mode(mode);
    let mut file = tempfile::Builder::new().prefix(".tamis-").permissions(permissions).tempfile_in(folder).map_err(wrong)?;
    file.write_all(bytes).and_then(|()| file.as_file().sync_all()).map_err(wrong)?;
    file.persist(path).map_err(|error| wrong(error.error))?;
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::digest_of;

    #[test]
    fn what_is_written_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let reference: Reference = "oci://r:5000/team/tenant:1".parse().unwrap();
        let other: Reference = "oci://r:5000/team/redact:1".parse().unwrap();
        let mut lock = Lock::read(folder.path()).unwrap();
        assert_eq!(lock.get(&reference), None);
        let locked = Locked { manifest: digest_of(b"m"), component: digest_of(b"c") };
        assert_eq!(lock.set(&reference, locked.clone()), None);
        lock.set(&other, locked.clone());
        lock.write().unwrap();
        let mut again = Lock::read(folder.path()).unwrap();
        assert_eq!((again.get(&reference), &again), (Some(&locked), &lock));
        assert_eq!(again.keep_only(&[reference]), [other.to_string()]);
    }

    #[test]
    fn what_is_no_lock_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for (text, reason) in [
            ("{}", "missing field `version`"),
            (r#"{"version":2,"plugins":{}}"#, "it has version 2"),
            (r#"{"version":1,"plugins":{"oci://r/a:1":{"manifest":"sha256:0","component":"x"}}}"#, "expected a digest"),
            (r#"{"version":1,"plugins":{"a":{"manifest":"","component":""}}}"#, "`a`: expected `oci://"),
        ] {
            std::fs::write(folder.path().join(LOCK_FILE), text).unwrap();
            let error = Lock::read(folder.path()).unwrap_err().to_string();
            assert!(error.contains(reason) && error.contains(LOCK_FILE), "{error}");
        }
    }
}
