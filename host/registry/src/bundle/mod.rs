//! Configurations in a registry: the files of one as a *bundle*, each a layer of an OCI artifact, with a table of contents that
//! is signed as a whole.

mod kept;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Component, Path, PathBuf};

use serde::{Deserialize, Serialize};
use tamis_config::{Digest, FILE_BYTES_MAX, FileError, FileText};
use tempfile::TempDir;

use crate::lock::replace;
use crate::manifest::{Descriptor, Manifest};
use crate::policy::resolved;
use crate::read::read_at_most;
use crate::{Error, LOCK_FILE, SIGNATURE_ANNOTATION, digest_of};

pub(crate) use kept::Kept;
pub use kept::VERSIONS_KEPT;

/// Media type of a bundle's table of contents.
pub const BUNDLE_TYPE: &str = "application/vnd.tamis.configuration.v1+json";
/// Most files in a bundle.
pub const BUNDLE_FILES_MAX: usize = 256;
/// Most bytes of a bundle's files together.
pub const BUNDLE_BYTES_MAX: u64 = 64 << 20;
/// Largest table of contents that is read.
const CONTENTS_BYTES_MAX: u64 = 1 << 20;
/// Longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// The version of the table's format.
const VERSION: u32 = 1;

/// The table of contents: what is signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Contents {
    version: u32,
    /// The files that make the configuration, in their order.
    configuration: Vec<String>,
    /// All files, by their path within the bundle.
    files: BTreeMap<String, Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    digest: String,
    bytes: u64,
}

/// The files of a configuration, and of what it names relative to itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The configuration's files, in their order; each is among `files`.
    configuration: Vec<String>,
    files: BTreeMap<String, Vec<u8>>,
}

/// A bundle as it lies in a registry.
#[derive(Debug, Clone)]
pub struct Bundled {
    /// Digest of the manifest.
    pub digest: Digest,
    pub(crate) manifest: Vec<u8>,
    pub(crate) contents: Vec<u8>,
    /// The signature of the table of contents, if it has one.
    pub signature: Option<String>,
    /// The files.
    pub bundle: Bundle,
}

impl Bundle {
    /// Takes up configuration files, the lock beside the first of them, and `with` what else they name. All lie in the folder of
    /// the first, or below it.
    ///
    /// # Errors
    /// [`Error::Bundle`] for what cannot be in one, [`Error::File`] for what cannot be read.
    pub fn of(configuration: &[FileText], with: &[PathBuf]) -> Result<Self, Error> {
        let folder = configuration.first().map(|file| file.folder.clone()).unwrap_or_default();
        let mut bundle = Self { configuration: Vec::new(), files: BTreeMap::new() };
        for file in configuration {
            let name = name_within(&folder, Path::new(&file.name))?;
            bundle.add(name.clone(), file.text.clone().into_bytes())?;
            bundle.configuration.push(name);
        }
        let lock = folder.join(LOCK_FILE);
        let lock = lock.exists().then_some(lock);
        for path in lock.iter().chain(with) {
            let bytes = read_at_most(path, BUNDLE_BYTES_MAX)?.ok_or_else(|| too_large(&path.display().to_string()))?;
            bundle.add(name_within(&folder, path)?, bytes)?;
        }
        Ok(bundle)
    }

    fn add(&mut self, name: String, bytes: Vec<u8>) -> Result<(), Error> {
        if !is_name(&name) {
            return Err(wrong(&name, "expected a name of at most 255 bytes without control characters"));
        }
        let all: u64 = self.files.values().map(|bytes| bytes.len() as u64).sum();
        if self.files.len() >= BUNDLE_FILES_MAX || all.saturating_add(bytes.len() as u64) > BUNDLE_BYTES_MAX {
            return Err(too_large("the bundle"));
        }
        self.files.insert(name, bytes);
        Ok(())
    }

    /// The names of its files and their bytes.
    pub fn files(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
    }

    /// The configuration, as files below `folder` whose names in messages begin with `origin`.
    ///
    /// # Errors
    /// [`Error::Bundle`] when one is not text, or too large.
    pub fn texts(&self, origin: &str, folder: &Path) -> Result<Vec<FileText>, Error> {
        let text = |name: &String| {
            let bytes = self.files.get(name).map(Vec::as_slice).unwrap_or_default();
            if bytes.len() as u64 > FILE_BYTES_MAX {
                return Err(wrong(name, "it is a configuration file of more than 4 MiB"));
            }
            let text = std::str::from_utf8(bytes).map_err(|_| wrong(name, "it is a configuration file and not UTF-8 text"))?;
            let folder = folder.join(name).parent().unwrap_or(folder).to_path_buf();
            Ok(FileText { name: format!("{origin}/{name}"), folder, text: text.to_owned() })
        };
        self.configuration.iter().map(text).collect()
    }

    /// Writes its files into a folder.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn unpack(&self, folder: &Path) -> Result<(), Error> {
        for (name, bytes) in &self.files {
            let path = folder.join(name);
            own_folder(path.parent().unwrap_or(folder))?;
            replace(&path, bytes, 0o600)?;
        }
        Ok(())
    }

    /// Its files in a folder that goes with the value.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn unpacked(&self) -> Result<TempDir, Error> {
        let wrong = |source| Error::from(FileError { path: std::env::temp_dir(), source });
        let folder = tempfile::Builder::new().prefix("tamis-").tempdir().map_err(wrong)?;
        self.unpack(folder.path())?;
        Ok(folder)
    }

    /// The table of contents: what a signature is made of. The same files have the same one each time.
    pub fn contents(&self) -> Vec<u8> {
        let entry = |bytes: &Vec<u8>| Entry { digest: digest_of(bytes).to_string(), bytes: bytes.len() as u64 };
        let files = self.files.iter().map(|(name, bytes)| (name.clone(), entry(bytes))).collect();
        let contents = Contents { version: VERSION, configuration: self.configuration.clone(), files };
        // Texts and numbers always are JSON.
        serde_json::to_vec(&contents).unwrap_or_default()
    }

    /// The signature that a manifest of the same files has.
    pub fn signature_in(&self, manifest: &[u8]) -> Option<String> {
        let manifest = Manifest::read("", manifest).ok()?;
        manifest.signature().filter(|_| manifest.config().digest == digest_of(&self.contents()).as_str()).map(str::to_owned)
    }

    /// The manifest that names the table of contents and the files. The same files and signature give the same one.
    pub fn manifest(&self, signature: Option<&str>) -> Vec<u8> {
        let contents = self.contents();
        let descriptor = |media_type: &str, bytes: &[u8], annotations| Descriptor {
            media_type: media_type.to_owned(),
            digest: digest_of(bytes).to_string(),
            size: bytes.len() as u64,
            annotations,
        };
        let layer = |(name, bytes): (&String, &Vec<u8>)| {
            let is_yaml = Path::new(name).extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            let media_type = if is_yaml { "application/yaml" } else { "application/octet-stream" };
            descriptor(media_type, bytes, BTreeMap::from([("org.opencontainers.image.title".to_owned(), name.clone())]))
        };
        let annotations = signature.map(|text| (SIGNATURE_ANNOTATION.to_owned(), text.to_owned())).into_iter().collect();
        let layers = self.files.iter().map(layer).collect();
        let manifest = Manifest::new(descriptor(BUNDLE_TYPE, &contents, BTreeMap::new()), layers, annotations);
        serde_json::to_vec(&manifest).unwrap_or_default()
    }
}

impl Bundled {
    /// The table of contents as it was signed.
    pub fn contents(&self) -> &[u8] {
        &self.contents
    }

    /// Puts a bundle together from its manifest and what `blob` gives for a file's name (none: the table of contents), a digest and a
    /// size. Nothing is taken whose bytes do not have the digest that leads to it, and no file is asked for before `believe` has let
    /// the digest of the manifest, the table of contents and its signature pass.
    pub(crate) fn gather(
        what: &str,
        manifest: Vec<u8>,
        believe: impl FnOnce(&Digest, &[u8], Option<&str>) -> Result<(), Error>,
        mut blob: impl FnMut(Option<&str>, &Digest, u64) -> Result<Vec<u8>, Error>,
    ) -> Result<Self, Error> {
        let read = Manifest::read(what, &manifest)?;
        let config = read.config();
        if config.media_type != BUNDLE_TYPE {
            let found = crate::transport::shown(&config.media_type);
            return Err(wrong(what, &format!("expected an artifact of type {BUNDLE_TYPE}, found {found}")));
        }
        if config.size > CONTENTS_BYTES_MAX {
            return Err(too_large(&format!("the table of contents of {what}")));
        }
        let digest = |text: &str| text.parse::<Digest>().map_err(|error| wrong(what, &error.to_string()));
        let mut checked = |name: Option<&str>, expected: &str, bytes: u64| {
            let expected = digest(expected)?;
            let got = blob(name, &expected, bytes)?;
            let found = digest_of(&got);
            if found == expected { Ok(got) } else { Err(Error::Digest { what: part_of(name, what), expected, found }) }
        };
        let contents = checked(None, &config.digest, config.size)?;
        let table: Contents = serde_json::from_slice(&contents).map_err(|error| wrong(what, &format!("its table of contents: {error}")))?;
        let (own, signature) = (digest_of(&manifest), read.signature().map(str::to_owned));
        believe(&own, &contents, signature.as_deref())?;
        table.check(what)?;
        let mut bundle = Bundle { configuration: table.configuration, files: BTreeMap::new() };
        for (name, entry) in &table.files {
            let bytes = checked(Some(name), &entry.digest, entry.bytes)?;
            bundle.add(name.clone(), bytes)?;
        }
        Ok(Self { digest: own, manifest, contents, signature, bundle })
    }
}

/// A part of a bundle, in words.
pub(crate) fn part_of(name: Option<&str>, what: &str) -> String {
    match name {
        Some(name) => format!("`{name}` of {what}"),
        None => format!("the table of contents of {what}"),
    }
}

impl Contents {
    /// That it can be followed without leaving the bundle's folder, or the limits.
    fn check(&self, what: &str) -> Result<(), Error> {
        if self.version != VERSION {
            return Err(wrong(what, &format!("its table of contents has version {}, this host reads version {VERSION}", self.version)));
        }
        let all = self.files.values().fold(0_u64, |all, entry| all.saturating_add(entry.bytes));
        if self.files.len() > BUNDLE_FILES_MAX || all > BUNDLE_BYTES_MAX {
            return Err(too_large(what));
        }
        if let Some(name) = self.files.keys().find(|name| !is_name(name)) {
            let name = tamis_config::escaped(&name.chars().take(80).collect::<String>());
            return Err(wrong(what, &format!("expected names of files within the bundle, found `{name}`")));
        }
        let below =
            |name: &String| self.files.keys().any(|other| other.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('/')));
        if self.files.keys().any(below) {
            return Err(wrong(what, "a name is both a file and a folder"));
        }
        if self.configuration.is_empty() || !self.configuration.iter().all(|name| self.files.contains_key(name)) {
            return Err(wrong(what, "its table of contents names no configuration file, or one that is not in it"));
        }
        // Each stands for as many bytes in memory as the file has.
        if self.configuration.iter().collect::<BTreeSet<_>>().len() < self.configuration.len() {
            return Err(wrong(what, "its table of contents names a configuration file twice"));
        }
        Ok(())
    }
}

/// Configurations may hold what others must not read.
fn own_folder(folder: &Path) -> Result<(), Error> {
    Ok(fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(FileError::at(folder))?)
}

/// Whether a name leads to a file within a folder: parts joined by `/`, none of them `.` or `..`.
fn is_name(name: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part != "." && part != "..";
    name.len() <= NAME_BYTES_MAX && !name.contains(|c: char| c.is_control() || c == '\\') && name.split('/').all(is_part)
}

/// A path relative to the folder that it has to lie in.
fn name_within(folder: &Path, path: &Path) -> Result<String, Error> {
    let absolute = |path: &Path| std::path::absolute(Path::new(".").join(path)).map(|path| resolved(&path)).ok();
    let within = absolute(folder).zip(absolute(path)).and_then(|(folder, path)| path.strip_prefix(&folder).map(Path::to_path_buf).ok());
    let parts = within.and_then(|path| {
        let part = |part: Component<'_>| part.as_os_str().to_str().map(str::to_owned);
        path.components().map(part).collect::<Option<Vec<String>>>()
    });
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("/")).ok_or_else(|| {
        let reason = format!("expected a file in the folder of the first configuration file, `{}`, or below it", folder.display());
        wrong(&path.display().to_string(), &reason)
    })
}

fn wrong(what: &str, reason: &str) -> Error {
    Error::Bundle { what: tamis_config::escaped(what), reason: tamis_config::escaped(reason) }
}

fn too_large(what: &str) -> Error {
    wrong(what, "a bundle has 256 files and 64 MiB at most")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn bundle() -> Bundle {
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        Bundle {
            configuration: vec!["tamis.yaml".into()],
            files: BTreeMap::from([file("tamis.yaml", "version: 1\n"), file("keys/platform.pub", "RW")]),
        }
    }

    /// Puts together what a manifest leads to, with the blobs of a bundle.
    fn gathered(bundle: &Bundle, manifest: Vec<u8>, contents: Vec<u8>) -> Result<Bundled, Error> {
        let blobs: Vec<Vec<u8>> = bundle.files.values().cloned().chain([contents]).collect();
        let blob = |_: Option<&str>, digest: &Digest, _: u64| {
            blobs.iter().find(|bytes| digest_of(bytes) == *digest).cloned().ok_or_else(|| Error::NotFound { what: digest.to_string() })
        };
        Bundled::gather("oci://r/a:1", manifest, |_, _, _| Ok(()), blob)
    }

    #[test]
    fn what_is_bundled_comes_back_and_is_the_same_each_time() {
        let bundle = bundle();
        let manifest = bundle.manifest(Some("s\n"));
        let back = gathered(&bundle, manifest.clone(), bundle.contents()).unwrap();
        assert_eq!((&back.bundle, back.signature.as_deref(), &back.digest), (&bundle, Some("s\n"), &digest_of(&manifest)));
        assert_eq!(manifest, bundle.manifest(Some("s\n")));
        let texts = back.bundle.texts("oci://r/a", Path::new("f")).unwrap();
        assert_eq!(texts, [FileText { name: "oci://r/a/tamis.yaml".into(), folder: "f".into(), text: "version: 1\n".into() }]);
    }

    #[test]
    fn what_is_no_bundle_is_told() {
        let bundle = bundle();
        let contents = String::from_utf8(bundle.contents()).unwrap();
        let long = "x".repeat(256);
        for (changed, reason) in [
            (contents.replace("keys/platform.pub", "../platform.pub"), "names of files within the bundle"),
            (contents.replace("keys/platform.pub", "/etc/passwd"), "names of files within the bundle"),
            (contents.replace("keys/platform.pub", "a//b"), "names of files within the bundle"),
            (contents.replace("keys/platform.pub", "a\\u0000b"), "names of files within the bundle"),
            (contents.replace("keys/platform.pub", &long), "names of files within the bundle"),
            (contents.replace("keys/platform.pub", "tamis.yaml/x"), "both a file and a folder"),
            (contents.replace("[\"tamis.yaml\"]", "[\"other.yaml\"]"), "names no configuration file"),
            (contents.replace("[\"tamis.yaml\"]", "[]"), "names no configuration file"),
            (contents.replace("[\"tamis.yaml\"]", "[\"tamis.yaml\",\"tamis.yaml\"]"), "names a configuration file twice"),
            (format!("{}{}", "{\"version\":".repeat(100_000), "}".repeat(100_000)), "its table of contents"),
            (contents.replace("\"version\":1", "\"version\":2"), "has version 2"),
            (contents.replace("\"bytes\":2", "\"bytes\":99999999999"), "64 MiB at most"),
            (contents.replace("sha256:", "sha512:"), "expected a digest"),
            ("{".to_owned(), "its table of contents"),
        ] {
            let manifest = String::from_utf8(bundle.manifest(None)).unwrap();
            let manifest = manifest.replace(digest_of(contents.as_bytes()).as_str(), digest_of(changed.as_bytes()).as_str());
            let error = gathered(&bundle, manifest.into_bytes(), changed.clone().into_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason) && !error.contains('\0'), "{changed}: {error}");
        }
        let manifest = String::from_utf8(bundle.manifest(None)).unwrap().replace(BUNDLE_TYPE, crate::CONFIG_TYPE);
        let error = gathered(&bundle, manifest.into_bytes(), bundle.contents()).unwrap_err().to_string();
        assert!(error.contains("expected an artifact of type"), "{error}");
    }

    #[test]
    fn bytes_that_do_not_have_their_digest_are_not_taken() {
        let bundle = bundle();
        let blob = |_: Option<&str>, digest: &Digest, _: u64| {
            let contents = bundle.contents();
            Ok(if digest_of(&contents) == *digest { contents } else { b"other".to_vec() })
        };
        let error = Bundled::gather("oci://r/a:1", bundle.manifest(None), |_, _, _| Ok(()), blob).unwrap_err();
        assert!(matches!(error, Error::Digest { .. }), "{error}");
    }

    #[test]
    fn no_file_is_asked_for_before_the_contents_are_believed() {
        let bundle = bundle();
        let mut asked = Vec::new();
        let blob = |name: Option<&str>, _: &Digest, _: u64| {
            asked.push(name.map(str::to_owned));
            Ok(bundle.contents())
        };
        let refused = |_: &Digest, contents: &[u8], signature: Option<&str>| {
            assert_eq!((contents, signature), (bundle.contents().as_slice(), Some("s")));
            Err(Error::NotTrusted { what: "a".into(), reason: "no".into() })
        };
        let error = Bundled::gather("a", bundle.manifest(Some("s")), refused, blob).unwrap_err();
        assert!(matches!(error, Error::NotTrusted { .. }), "{error}");
        assert_eq!(asked, [None]);
    }

    #[test]
    fn only_files_of_the_folder_go_in() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("conf")).unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["conf/tamis.lock", "conf/key.pub", "secret"] {
            std::fs::write(at(name), name).unwrap();
        }
        let file = FileText { name: at("conf/tamis.yaml").display().to_string(), folder: at("conf"), text: String::new() };
        let bundle = Bundle::of(std::slice::from_ref(&file), &[at("conf/../conf/key.pub")]).unwrap();
        assert_eq!(bundle.files.keys().collect::<Vec<_>>(), ["key.pub", "tamis.lock", "tamis.yaml"]);
        for outside in ["secret", "conf/../secret", "conf"] {
            let error = Bundle::of(std::slice::from_ref(&file), &[at(outside)]).unwrap_err().to_string();
            assert!(error.contains("expected a file in the folder") || error.contains("directory"), "{error}");
        }
    }
}
