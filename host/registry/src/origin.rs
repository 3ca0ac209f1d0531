//! Where a configuration comes from: files, folders, and references to bundles in registries.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tamis_config::codes::{NO_BUNDLE, NOT_TRUSTED, REGISTRY_SILENT};
use tamis_config::{Diagnostic, Diagnostics, Digest, FileText, Reference, SCHEME};
use tempfile::TempDir;

use crate::bundle::{Bundled, Kept};
use crate::read::read_at_most;
use crate::signature::{KEY_BYTES_MAX, PublicKey, verify};
use crate::transport::{PATIENCE, TRANSFER_TIMEOUT};
use crate::{Client, Error, Found};

/// Where bundles are kept unless another folder is named.
pub const STORE: &str = "./data/configurations";

/// What `-c` names, and what it takes to believe a registry.
#[derive(Debug, Default)]
pub struct Origin {
    parts: Vec<Part>,
    paths: Vec<PathBuf>,
    keys: Vec<String>,
    store: PathBuf,
    keep: bool,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Part {
    Path(PathBuf),
    Registry(Reference),
    Wrong(Diagnostic),
}

#[derive(Debug, Default)]
struct State {
    /// What each reference led to when it was read last, trusted or not.
    seen: BTreeMap<Reference, Digest>,
    /// What the configuration that was read last came from, in words.
    taken: Vec<String>,
    /// The versions that run, whatever a tag leads to.
    in_use: BTreeSet<Digest>,
    /// Where the files of bundles lie when nothing is to be kept.
    unpacked: Vec<TempDir>,
}

impl Origin {
    /// What these texts name: `oci://…` is a reference, everything else a path. `keys` are the public keys, or their files, one of
    /// which must have signed what comes from a registry. `store` is where it is kept; without `keep` nothing is written there.
    pub fn new(named: &[PathBuf], keys: &[String], store: &Path, keep: bool) -> Self {
        let part = |path: &PathBuf| match path.to_str().filter(|text| text.starts_with(SCHEME)) {
            Some(text) => match text.parse() {
                Ok(reference) => Part::Registry(reference),
                Err(error) => Part::Wrong(Diagnostic::error(NO_BUNDLE, format!("`{}`: {error}", tamis_config::escaped(text)))),
            },
            None => Part::Path(path.clone()),
        };
        let parts: Vec<Part> = named.iter().map(part).collect();
        let path = |part: &Part| if let Part::Path(path) = part { Some(path.clone()) } else { None };
        let paths = parts.iter().filter_map(path).collect();
        Self { parts, paths, keys: keys.to_vec(), store: store.into(), keep, state: Mutex::default() }
    }

    /// The files and folders among it.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Whether a tag among it may come to lead elsewhere.
    pub fn may_move(&self) -> bool {
        self.tags().next().is_some()
    }

    /// The references among it.
    pub fn references(&self) -> impl Iterator<Item = &Reference> {
        self.parts.iter().filter_map(|part| if let Part::Registry(reference) = part { Some(reference) } else { None })
    }

    fn tags(&self) -> impl Iterator<Item = &Reference> {
        self.references().filter(|reference| reference.digest().is_none())
    }

    /// Whether a file that was read came from here, in whatever version, and would be believed today.
    pub fn is_of(&self, file: &FileText) -> bool {
        let below =
            |reference: &Reference| file.name.strip_prefix(&reference.repository().to_string()).is_some_and(|rest| rest.starts_with('/'));
        let is_good = |reference: &Reference| below(reference) && self.is_still_trusted(reference, file);
        self.paths.iter().any(|path| Path::new(&file.name).starts_with(path)) || self.references().any(is_good)
    }

    /// Whether what a file was read from still counts: the keys may be others than when it was taken.
    fn is_still_trusted(&self, reference: &Reference, file: &FileText) -> bool {
        if self.keys.is_empty() {
            return reference.digest().is_some();
        }
        let kept = Kept::new(&self.store);
        let Some(digest) = self.version_of(file) else { return false };
        let what = reference.to_string();
        let Some(bundled) = kept.get(&what, &digest).filter(|_| kept.check().is_ok()) else { return false };
        let is_in = || bundled.bundle.texts(&reference.repository().to_string(), &kept.files(&digest)).is_ok_and(|all| all.contains(file));
        self.trust(&what, &bundled.digest, &bundled.contents, bundled.signature.as_deref()).is_ok() && is_in()
    }

    /// The version that a file was read from, when it lies in the store.
    fn version_of(&self, file: &FileText) -> Option<Digest> {
        let hex = file.folder.strip_prefix(&self.store).ok()?.iter().next()?.to_str()?;
        format!("sha256:{hex}").parse().ok()
    }

    /// These files run now: a start comes up on them when what a tag leads to by then is not sound, so what they are of stays in the store.
    pub fn runs(&self, files: &[FileText]) {
        self.state().in_use = files.iter().filter_map(|file| self.version_of(file)).collect();
    }

    /// Keeps a version beside what runs.
    fn put(&self, bundled: &Bundled) -> Result<(), Error> {
        let in_use = self.state().in_use.clone();
        Kept::new(&self.store).put(bundled, &in_use)
    }

    /// What the configuration that was read last came from: a pinned reference for each in a registry.
    pub fn taken(&self) -> Vec<String> {
        self.state().taken.clone()
    }

    /// Reads it. Registries are asked.
    pub fn read(&self, findings: &mut Diagnostics) -> Vec<FileText> {
        self.state().taken.clear();
        self.gather(findings, |reference, findings| {
            let mut found = None;
            let taken = self.fetch(reference, &mut found, findings).and_then(|got| {
                let (texts, signed) = self.take(reference, &got)?;
                self.note(reference, &got.digest, signed, findings);
                Ok(texts)
            });
            // What could not be written here may be another time.
            if let Some(found) = found.filter(|_| !matches!(taken, Err(Error::File { .. }))) {
                self.state().seen.insert(reference.clone(), found);
            }
            taken
        })
    }

    /// The same, only to look: what has moved still has, and what was taken still is.
    pub fn look(&self, findings: &mut Diagnostics) -> Vec<FileText> {
        self.gather(findings, |reference, findings| {
            let got = self.fetch(reference, &mut None, findings)?;
            self.take(reference, &got).map(|(texts, _)| texts)
        })
    }

    /// What was read and trusted before, without a registry.
    pub fn kept(&self) -> Vec<FileText> {
        self.gather(&mut Diagnostics::new(), |reference, _| {
            Kept::new(&self.store).check()?;
            let got = self.last(reference).ok_or_else(|| Error::NotFound { what: reference.to_string() })?;
            self.take(reference, &got).map(|(texts, _)| texts)
        })
    }

    /// What has moved since it was read, in words, with all of it kept already. One that cannot be had whole has not moved.
    ///
    /// # Errors
    /// What the registry or the network said.
    pub fn moved(&self) -> Result<Option<String>, Error> {
        let (mut moved, mut failed) = (None, None);
        // Other hosts may share the store.
        let in_use = self.state().in_use.clone();
        in_use.iter().for_each(|digest| Kept::new(&self.store).touch(digest));
        for reference in self.tags() {
            match self.has_moved(reference) {
                Ok(None) => {}
                Ok(Some(digest)) => moved = Some(format!("{reference} leads to {digest}")),
                // The tags of another registry may move all the same.
                Err(error) => failed = Some(error),
            }
        }
        match (moved, failed) {
            (None, Some(error)) => Err(error),
            (moved, _) => Ok(moved),
        }
    }

    /// What a tag leads to, when that is not what was read.
    fn has_moved(&self, reference: &Reference) -> Result<Option<Digest>, Error> {
        let client = Client::new(&[])?.within(TRANSFER_TIMEOUT);
        let found = client.manifest(reference)?;
        if self.state().seen.get(reference) == Some(&found.digest) {
            return Ok(None);
        }
        let digest = found.digest.clone();
        let kept = Kept::new(&self.store);
        kept.check()?;
        if kept.get(&reference.to_string(), &digest).is_none() {
            match self.fetched(&client, reference, found) {
                Ok(bundled) => self.put(&bundled)?,
                // The reload tells it, once.
                Err(error) if is_final(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(Some(digest))
    }

    /// A bundle from its registry, whose files are fetched only when it is trusted.
    fn fetched(&self, client: &Client, reference: &Reference, found: Found) -> Result<Bundled, Error> {
        let what = reference.to_string();
        client.bundle(reference, found, |digest, contents, signature| self.trust(&what, digest, contents, signature).map(drop))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn gather(
        &self,
        findings: &mut Diagnostics,
        registry: impl Fn(&Reference, &mut Diagnostics) -> Result<Vec<FileText>, Error>,
    ) -> Vec<FileText> {
        let mut all = Vec::new();
        for part in &self.parts {
            match part {
                Part::Path(path) => all.append(&mut FileText::read(std::slice::from_ref(path), findings)),
                Part::Registry(reference) => match registry(reference, findings) {
                    Ok(mut texts) => all.append(&mut texts),
                    Err(error) => findings.push(refused(&error)),
                },
                Part::Wrong(finding) => findings.push(finding.clone()),
            }
        }
        all
    }

    /// What a reference leads to, from what is kept where that will do. `found` gets the digest of what was decided on.
    fn fetch(&self, reference: &Reference, found: &mut Option<Digest>, findings: &mut Diagnostics) -> Result<Bundled, Error> {
        if reference.digest().is_none() && self.keys.is_empty() {
            // Whoever may write to the registry would decide what runs here.
            let reason = "it is named by a tag alone, and there is no key that it has to be signed with";
            return Err(Error::NotTrusted { what: reference.to_string(), reason: reason.to_owned() });
        }
        let kept = Kept::new(&self.store);
        kept.check()?;
        let last = self.last(reference);
        if reference.tag().is_none()
            && let Some(bundled) = last
        {
            return Ok(bundled);
        }
        let client = Client::new(&[])?.within(if last.is_some() { PATIENCE } else { TRANSFER_TIMEOUT });
        let asked = client.manifest(reference).and_then(|manifest| {
            *found = Some(manifest.digest.clone());
            match kept.get(&reference.to_string(), &manifest.digest) {
                Some(bundled) => Ok(bundled),
                None => self.fetched(&client, reference, manifest),
            }
        });
        if asked.as_ref().is_err_and(|error| !is_final(error)) {
            *found = None;
        }
        match asked {
            Ok(bundled) => Ok(bundled),
            Err(error) if is_passing(&error) => {
                let Some(last) = last else { return Err(error) };
                let message = format!("what {reference} leads to now is not known: {error}; {}, the one taken last, serves", last.digest);
                findings.push(Diagnostic::warning(REGISTRY_SILENT, message));
                Ok(last)
            }
            Err(error) => Err(error),
        }
    }

    /// What a reference led to when it was last trusted, if that is kept.
    fn last(&self, reference: &Reference) -> Option<Bundled> {
        let kept = Kept::new(&self.store);
        let digest = reference.digest().cloned().or_else(|| kept.tag(reference))?;
        kept.get(&reference.to_string(), &digest)
    }

    /// Believes a bundle, puts its files where the paths in them begin, and gives the configuration in it, and the key that signed it.
    fn take(&self, reference: &Reference, bundled: &Bundled) -> Result<(Vec<FileText>, Option<String>), Error> {
        let what = reference.to_string();
        let signed = self.trust(&what, &bundled.digest, &bundled.contents, bundled.signature.as_deref())?;
        let kept = Kept::new(&self.store);
        let is_kept = kept.get(&what, &bundled.digest).is_some();
        let folder = if is_kept || self.keep {
            if !is_kept {
                self.put(bundled)?;
            }
            kept.touch(&bundled.digest);
            kept.files(&bundled.digest)
        } else {
            let folder = bundled.bundle.unpacked()?;
            let path = folder.path().to_owned();
            self.state().unpacked.push(folder);
            path
        };
        Ok((bundled.bundle.texts(&reference.repository().to_string(), &folder)?, signed))
    }

    /// Notes what was taken, for when the registry is silent and for whoever asks what runs.
    fn note(&self, reference: &Reference, digest: &Digest, signed: Option<String>, findings: &mut Diagnostics) {
        if self.keep
            && reference.tag().is_some()
            && let Err(error) = Kept::new(&self.store).set_tag(reference, digest)
        {
            findings.push(Diagnostic::warning(REGISTRY_SILENT, format!("what {reference} leads to is not noted: {error}")));
        }
        let signed = signed.map(|key| format!(", signed by {key}")).unwrap_or_default();
        self.state().taken.push(format!("{}{signed}", reference.pinned(digest.clone())));
    }

    /// The id of the key that signed a bundle; none when no signature is asked for.
    fn trust(&self, what: &str, digest: &Digest, contents: &[u8], signature: Option<&str>) -> Result<Option<String>, Error> {
        let refused = |reason: String| Error::NotTrusted { what: what.to_owned(), reason };
        if self.keys.is_empty() {
            return Ok(None);
        }
        let key = |named: &String| {
            let wrong = |error: String| refused(format!("the key `{}` cannot be read: {error}", tamis_config::escaped(named)));
            if PublicKey::is_key_text(named) {
                return PublicKey::parse(named).map_err(|error| wrong(error.to_string()));
            }
            let bytes = read_at_most(Path::new(named), KEY_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
            PublicKey::parse(&String::from_utf8_lossy(&bytes.unwrap_or_default())).map_err(|error| wrong(error.to_string()))
        };
        let keys = self.keys.iter().map(key).collect::<Result<Vec<_>, Error>>()?;
        let ids = || keys.iter().map(PublicKey::id).collect::<Vec<_>>().join(" or ");
        let Some(signature) = signature else {
            return Err(refused(format!("{digest} is not signed; expected a signature by the key {}", ids())));
        };
        match verify(&keys, contents, signature) {
            Ok(signed) => Ok(Some(signed.key)),
            Err(error) => Err(refused(format!("the signature of {digest} does not count: {error}"))),
        }
    }
}

/// Whether the same bytes will be refused another time too.
fn is_final(error: &Error) -> bool {
    matches!(error, Error::Bundle { .. } | Error::Manifest { .. } | Error::NotTrusted { .. })
}

/// Whether the same may be answered another time.
fn is_passing(error: &Error) -> bool {
    match error {
        Error::Unreachable { .. } => true,
        Error::Status { status, .. } => *status >= 500 || *status == 429,
        _ => false,
    }
}

fn refused(error: &Error) -> Diagnostic {
    let (code, help) = match error {
        Error::NotTrusted { .. } => (
            NOT_TRUSTED,
            "pin what was looked at (`oci://…@sha256:…`), or name the key that signs what may run with `--config-key`; `tamis config push --key` signs",
        ),
        Error::Moved { .. } => (NO_BUNDLE, "look at what changed; then give the new digest, or leave the tag out"),
        Error::Unreachable { .. } => (NO_BUNDLE, "nothing of it was taken before, so nothing can serve in its place"),
        Error::File { .. } => (NO_BUNDLE, "name a folder that this user alone can write with `--config-store`"),
        _ => (NO_BUNDLE, "`tamis config push` puts a configuration there"),
    };
    Diagnostic::error(code, error.to_string()).help(help)
}
