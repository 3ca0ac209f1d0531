//! The bundles that were taken from registries, each in a folder that bears the digest of its manifest. They are believed only as
//! long as their bytes have the digests that lead to them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tamis_config::{Digest, Reference};

use super::{BUNDLE_BYTES_MAX, Bundled, own_folder};
use crate::lock::replace;
use crate::manifest::MANIFEST_BYTES_MAX;
use crate::read::read_at_most;
use crate::{Error, digest_of};

/// Versions of configurations that are kept; those that were used least lately are deleted.
pub const VERSIONS_KEPT: usize = 64;

const MANIFEST: &str = "manifest.json";
const CONTENTS: &str = "contents.json";
const FILES: &str = "files";
const TAGS: &str = "tags";

/// A folder of bundles.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    folder: PathBuf,
}

impl Kept {
    pub(crate) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    fn version(&self, digest: &Digest) -> PathBuf {
        self.folder.join(digest.hex())
    }

    /// Where the files of a version lie.
    pub(crate) fn files(&self, digest: &Digest) -> PathBuf {
        self.version(digest).join(FILES)
    }

    /// A version, when all of it is there and sound.
    pub(crate) fn get(&self, what: &str, digest: &Digest) -> Option<Bundled> {
        let at = self.version(digest);
        let manifest = read_at_most(&at.join(MANIFEST), MANIFEST_BYTES_MAX).ok()??;
        if digest_of(&manifest) != *digest {
            return None;
        }
        let blob = |name: Option<&str>, _: &Digest, bytes: u64| {
            let path = name.map_or_else(|| at.join(CONTENTS), |name| at.join(FILES).join(name));
            read_at_most(&path, bytes.min(BUNDLE_BYTES_MAX))?.ok_or(Error::Damaged { path })
        };
        Bundled::gather(what, manifest, blob).ok()
    }

    /// Keeps a version. The manifest is written last: without it there is none.
    pub(crate) fn put(&self, bundled: &Bundled) -> Result<(), Error> {
        let at = self.version(&bundled.digest);
        bundled.bundle.unpack(&at.join(FILES))?;
        replace(&at.join(CONTENTS), &bundled.contents, 0o600)?;
        replace(&at.join(MANIFEST), &bundled.manifest, 0o600)?;
        self.forget(&bundled.digest);
        Ok(())
    }

    /// Notes that a version is in use.
    pub(crate) fn touch(&self, digest: &Digest) {
        let manifest = fs::File::options().append(true).open(self.version(digest).join(MANIFEST));
        // When it cannot be noted it may be pulled once more, later.
        let _ = manifest.and_then(|file| file.set_modified(SystemTime::now()));
    }

    /// Notes what a tag led to when it was last trusted.
    pub(crate) fn set_tag(&self, reference: &Reference, digest: &Digest) -> Result<(), Error> {
        if self.tag(reference).as_ref() == Some(digest) {
            return Ok(());
        }
        own_folder(&self.folder.join(TAGS))?;
        replace(&self.tag_path(reference), format!("{digest}\n").as_bytes(), 0o600)
    }

    /// What a tag led to when it was last trusted.
    pub(crate) fn tag(&self, reference: &Reference) -> Option<Digest> {
        let bytes = read_at_most(&self.tag_path(reference), 128).ok()??;
        std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
    }

    fn tag_path(&self, reference: &Reference) -> PathBuf {
        self.folder.join(TAGS).join(digest_of(reference.to_string().as_bytes()).hex())
    }

    fn forget(&self, but: &Digest) {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let used = |path: &Path| fs::metadata(path.join(MANIFEST)).and_then(|metadata| metadata.modified()).ok();
        let mut versions: Vec<(SystemTime, PathBuf)> = entries.filter_map(|entry| Some((used(&entry.path())?, entry.path()))).collect();
        versions.sort();
        let many = versions.len().saturating_sub(VERSIONS_KEPT);
        for (_, path) in versions.into_iter().take(many).filter(|(_, path)| *path != self.version(but)) {
            let _ = fs::remove_dir_all(path);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use std::collections::BTreeMap;

    fn bundled(text: &str) -> Bundled {
        let files = BTreeMap::from([("a.yaml".to_owned(), text.as_bytes().to_vec()), ("b/c".to_owned(), b"c".to_vec())]);
        let bundle = Bundle { configuration: vec!["a.yaml".into()], files };
        let manifest = bundle.manifest(None);
        Bundled { digest: digest_of(&manifest), manifest, contents: bundle.contents(), signature: None, bundle }
    }

    #[test]
    fn only_what_is_whole_and_unchanged_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(&folder.path().join("bundles"));
        let one = bundled("version: 1");
        assert!(kept.get("a", &one.digest).is_none());
        kept.put(&one).unwrap();
        assert_eq!(kept.get("a", &one.digest).unwrap().bundle, one.bundle);
        for name in ["files/a.yaml", "files/b/c", CONTENTS, MANIFEST] {
            let path = kept.version(&one.digest).join(name);
            let before = fs::read(&path).unwrap();
            fs::write(&path, [&before[..before.len() - 1], b"x"].concat()).unwrap();
            assert!(kept.get("a", &one.digest).is_none(), "{name} changed");
            fs::remove_file(&path).unwrap();
            assert!(kept.get("a", &one.digest).is_none(), "{name} gone");
            kept.put(&one).unwrap();
            assert!(kept.get("a", &one.digest).is_some());
        }
    }

    #[test]
    fn old_versions_go_and_tags_stay() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let reference: Reference = "oci://r/team/gateway:prod".parse().unwrap();
        let first = bundled("0");
        kept.put(&first).unwrap();
        kept.set_tag(&reference, &first.digest).unwrap();
        for number in 1..=VERSIONS_KEPT {
            kept.touch(&first.digest);
            kept.put(&bundled(&number.to_string())).unwrap();
        }
        assert!(kept.get("a", &first.digest).is_some(), "it was in use");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), VERSIONS_KEPT + 1, "and the folder of tags");
        assert_eq!(kept.tag(&reference), Some(first.digest));
        assert_eq!(kept.tag(&"oci://r/team/gateway:test".parse().unwrap()), None);
    }
}
