//! The bundles that were taken from registries, each in a folder that bears the digest of its manifest. They are believed only as
//! long as their bytes have the digests that lead to them.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use tamis_config::{Digest, FileError, Reference};

use super::{BUNDLE_BYTES_MAX, Bundled, own_folder};
use crate::lock::replace;
use crate::manifest::MANIFEST_BYTES_MAX;
use crate::read::read_at_most;
use crate::{Error, digest_of};

/// Versions of configurations that are kept; those that were used least lately are deleted.
pub const VERSIONS_KEPT: usize = 64;

/// How long after its last change half of a version is nobody's work any more.
const UNFINISHED: Duration = Duration::from_secs(3600);

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
        // Whoever uses it decides whether to believe it.
        Bundled::gather(what, manifest, |_, _, _| Ok(()), blob).ok()
    }

    /// Refuses a folder that others may change: digests are checked when a version is read, and its files are used afterwards.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(crate) fn check(&self) -> Result<(), Error> {
        let Ok(metadata) = fs::metadata(&self.folder) else { return Ok(()) };
        let refused = |reason: String| Err(FileError::at(&self.folder)(std::io::Error::other(reason)).into());
        let mode = metadata.mode() & 0o7777;
        if mode & 0o002 != 0 {
            return refused(format!("anybody may change what is kept there (mode {mode:o}); expected a folder of this user alone"));
        }
        // The files of a process belong to the user that it runs as.
        let own = fs::metadata("/proc/self").map(|own| own.uid()).unwrap_or(0);
        let owner = metadata.uid();
        if own != 0 && owner != 0 && owner != own {
            return refused(format!("it belongs to the user {owner}; expected a folder of the user {own}, that this runs as"));
        }
        Ok(())
    }

    /// Keeps a version, beside those `in_use`.
    pub(crate) fn put(&self, bundled: &Bundled, in_use: &BTreeSet<Digest>) -> Result<(), Error> {
        let at = self.version(&bundled.digest);
        // What tags led to serves when a registry is silent, whatever the clock says of its use.
        let mut needed = self.tagged();
        needed.extend(in_use.iter().map(|digest| self.version(digest)));
        needed.insert(at.clone());
        let mut is_cleared = false;
        while let Err(error) = self.write(bundled) {
            // Another host may have kept it meanwhile.
            if self.get("", &bundled.digest).is_some() {
                break;
            }
            // What lies there is no version, and half of one is of no use.
            clear(&at);
            let is_full = matches!(&error, Error::File(FileError { source, .. }) if is_full(source));
            let again = if is_full { self.make_room(&needed) } else { !std::mem::replace(&mut is_cleared, true) };
            if !again {
                return Err(error);
            }
        }
        self.forget(&needed);
        Ok(())
    }

    /// Writes a version. The manifest comes last: without it there is none.
    fn write(&self, bundled: &Bundled) -> Result<(), Error> {
        let at = self.version(&bundled.digest);
        bundled.bundle.unpack(&at.join(FILES))?;
        replace(&at.join(CONTENTS), &bundled.contents, 0o600)?;
        replace(&at.join(MANIFEST), &bundled.manifest, 0o600)
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
        let (tags, path) = (self.folder.join(TAGS), self.tag_path(reference));
        // What stands in the way is no note.
        for (path, is_wrong) in [(&tags, !tags.is_dir()), (&path, path.is_dir())] {
            if is_wrong {
                clear(path);
            }
        }
        own_folder(&tags)?;
        replace(&path, format!("{digest}\n").as_bytes(), 0o600)
    }

    /// What a tag led to when it was last trusted.
    pub(crate) fn tag(&self, reference: &Reference) -> Option<Digest> {
        digest_in(&self.tag_path(reference))
    }

    fn tag_path(&self, reference: &Reference) -> PathBuf {
        self.folder.join(TAGS).join(digest_of(reference.to_string().as_bytes()).hex())
    }

    /// Deletes versions beyond those kept, and what a host that was killed has left of one.
    fn forget(&self, needed: &BTreeSet<PathBuf>) {
        let versions = self.versions();
        let number = versions.len();
        let others = versions.into_iter().filter(|path| !needed.contains(path));
        for path in others.take(number.saturating_sub(VERSIONS_KEPT)) {
            let _ = fs::remove_dir_all(path);
        }
        let unfinished = self.paths().filter(|path| !path.join(MANIFEST).exists());
        for path in unfinished.chain(paths_in(&self.folder.join(TAGS)).filter(|path| !is_hex(path))) {
            // Another host may be writing it.
            let age = modified(&path).and_then(|at| SystemTime::now().duration_since(at).ok());
            if age.is_some_and(|age| age >= UNFINISHED) {
                clear(&path);
            }
        }
    }

    /// Deletes the version that was used least lately, for the disk is full. `false`: all are needed.
    fn make_room(&self, needed: &BTreeSet<PathBuf>) -> bool {
        let others = self.versions().into_iter().find(|path| !needed.contains(path));
        others.is_some_and(|path| fs::remove_dir_all(path).is_ok())
    }

    /// Where the versions lie, the one that was used least lately first.
    fn versions(&self) -> Vec<PathBuf> {
        let mut versions: Vec<_> = self.paths().filter_map(|path| Some((modified(&path.join(MANIFEST))?, path))).collect();
        versions.sort();
        versions.into_iter().map(|(_, path)| path).collect()
    }

    /// All that bears the name of a version.
    fn paths(&self) -> impl Iterator<Item = PathBuf> {
        paths_in(&self.folder).filter(|path| is_hex(path))
    }

    /// Where the versions lie that tags led to when they were last trusted.
    fn tagged(&self) -> BTreeSet<PathBuf> {
        paths_in(&self.folder.join(TAGS)).filter_map(|path| Some(self.version(&digest_in(&path)?))).collect()
    }
}

fn paths_in(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// Deletes whatever is called so; a link, not what it leads to.
fn clear(path: &Path) {
    if fs::remove_dir_all(path).is_err() {
        let _ = fs::remove_file(path);
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The digest that a tag's file holds.
fn digest_in(path: &Path) -> Option<Digest> {
    let bytes = read_at_most(path, 128).ok()??;
    std::str::from_utf8(&bytes).ok()?.trim().parse().ok()
}

/// Whether something bears the name of a version, or of a tag's note.
fn is_hex(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| format!("sha256:{name}").parse::<Digest>().is_ok())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use std::collections::BTreeMap;
    use std::os::unix::fs::PermissionsExt as _;

    fn bundled(text: &str) -> Bundled {
        let files = BTreeMap::from([("a.yaml".to_owned(), text.as_bytes().to_vec()), ("b/c".to_owned(), b"c".to_vec())]);
        let bundle = Bundle { configuration: vec!["a.yaml".into()], files };
        let manifest = bundle.manifest(None);
        Bundled { digest: digest_of(&manifest), manifest, contents: bundle.contents(), signature: None, bundle }
    }

    fn put(kept: &Kept, bundled: &Bundled) -> Result<(), Error> {
        kept.put(bundled, &BTreeSet::new())
    }

    #[test]
    fn only_what_is_whole_and_unchanged_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(&folder.path().join("bundles"));
        let one = bundled("version: 1");
        assert!(kept.get("a", &one.digest).is_none());
        put(&kept, &one).unwrap();
        assert_eq!(kept.get("a", &one.digest).unwrap().bundle, one.bundle);
        for name in ["files/a.yaml", "files/b/c", CONTENTS, MANIFEST] {
            let path = kept.version(&one.digest).join(name);
            let before = fs::read(&path).unwrap();
            fs::write(&path, [&before[..before.len() - 1], b"x"].concat()).unwrap();
            assert!(kept.get("a", &one.digest).is_none(), "{name} changed");
            fs::remove_file(&path).unwrap();
            assert!(kept.get("a", &one.digest).is_none(), "{name} gone");
            put(&kept, &one).unwrap();
            assert!(kept.get("a", &one.digest).is_some());
        }
    }

    #[test]
    fn old_versions_go_and_tags_stay() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let reference: Reference = "oci://r/team/gateway:prod".parse().unwrap();
        let first = bundled("0");
        put(&kept, &first).unwrap();
        kept.set_tag(&reference, &first.digest).unwrap();
        for number in 1..=VERSIONS_KEPT {
            kept.touch(&first.digest);
            put(&kept, &bundled(&number.to_string())).unwrap();
        }
        assert!(kept.get("a", &first.digest).is_some(), "it was in use");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), VERSIONS_KEPT + 1, "and the folder of tags");
        assert_eq!(kept.tag(&reference), Some(first.digest));
        assert_eq!(kept.tag(&"oci://r/team/gateway:test".parse().unwrap()), None);
    }

    #[test]
    fn what_a_tag_led_to_stays_whatever_the_clock_says() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let (reference, first): (Reference, _) = ("oci://r/team/gateway:prod".parse().unwrap(), bundled("0"));
        put(&kept, &first).unwrap();
        kept.set_tag(&reference, &first.digest).unwrap();
        for number in 1..=VERSIONS_KEPT * 2 {
            put(&kept, &bundled(&number.to_string())).unwrap();
        }
        assert!(kept.get("a", &first.digest).is_some(), "used least lately");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), VERSIONS_KEPT + 1, "and the folder of tags");
    }

    #[test]
    fn halves_of_versions_go() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let (old, new) = (kept.version(&digest_of(b"old")), kept.version(&digest_of(b"new")));
        for path in [&old, &new, &folder.path().join("of somebody")] {
            fs::create_dir(path).unwrap();
        }
        fs::create_dir(kept.folder.join(TAGS)).unwrap();
        let note = kept.folder.join(TAGS).join(".tamis-1");
        fs::write(&note, "").unwrap();
        for path in [&old, &note] {
            fs::File::open(path).unwrap().set_modified(SystemTime::now() - UNFINISHED * 2).unwrap();
        }
        put(&kept, &bundled("0")).unwrap();
        assert!(!note.exists());
        assert!(!old.exists() && new.exists() && folder.path().join("of somebody").exists());
    }

    #[test]
    fn what_stands_in_the_way_goes() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let kept = Kept::new(folder.path());
        let (reference, one): (Reference, _) = ("oci://r/team/gateway:prod".parse().unwrap(), bundled("1"));
        let at = kept.version(&one.digest);
        fs::write(elsewhere.path().join("of somebody"), "").unwrap();
        let file = |path: &Path| fs::write(path, "").unwrap();
        let folder = |path: &Path| fs::create_dir_all(path.join("x")).unwrap();
        let link = |path: &Path| std::os::unix::fs::symlink(elsewhere.path(), path).unwrap();
        let nowhere = |path: &Path| std::os::unix::fs::symlink("/nowhere/x", path).unwrap();
        let ways: [&dyn Fn(&Path); 4] = [&file, &folder, &link, &nowhere];
        let tags = kept.folder.join(TAGS);
        for path in
            [&at, &at.join(MANIFEST), &at.join(CONTENTS), &at.join(FILES), &at.join("files/a.yaml"), &tags, &kept.tag_path(&reference)]
        {
            for (number, way) in ways.iter().enumerate() {
                put(&kept, &one).unwrap();
                kept.set_tag(&reference, &one.digest).unwrap();
                clear(path);
                way(path);
                put(&kept, &one).unwrap();
                kept.set_tag(&reference, &one.digest).unwrap();
                let found = kept.tag(&reference).and_then(|digest| kept.get("a", &digest));
                assert_eq!(found.map(|found| found.bundle), Some(one.bundle.clone()), "{}, {number}", path.display());
                clear(&at);
            }
        }
        assert!(elsewhere.path().join("of somebody").exists());
    }

    #[test]
    fn what_runs_stays() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        let first = bundled("0");
        put(&kept, &first).unwrap();
        let in_use = BTreeSet::from([first.digest.clone()]);
        for number in 1..=VERSIONS_KEPT * 2 {
            kept.put(&bundled(&number.to_string()), &in_use).unwrap();
        }
        assert!(kept.get("a", &first.digest).is_some());
        // Nor does it go when the disk is full.
        let needed = BTreeSet::from([kept.version(&first.digest)]);
        for _ in 1..VERSIONS_KEPT {
            assert!(kept.make_room(&needed));
        }
        assert!(!kept.make_room(&needed) && kept.get("a", &first.digest).is_some());
    }

    #[test]
    fn a_folder_that_anybody_may_change_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path());
        assert!(kept.check().is_ok() && Kept::new(&folder.path().join("absent")).check().is_ok());
        for (mode, refused) in [(0o700, false), (0o2770, false), (0o777, true), (0o1777, true)] {
            fs::set_permissions(folder.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(kept.check().is_err(), refused, "{mode:o}");
        }
    }
}
