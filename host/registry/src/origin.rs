//! Where a configuration comes from: files, folders, and references to bundles in registries.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tamis_config::codes::{NO_BUNDLE, NOT_TRUSTED, REGISTRY_SILENT};
use tamis_config::{Diagnostic, Diagnostics, Digest, FileText, Reference, SCHEME};
use tempfile::TempDir;

use crate::bundle::{Bundled, Kept};
use crate::read::read_at_most;
use crate::signature::{KEY_BYTES_MAX, PublicKey, verify};
use crate::{Client, Error};

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

    /// Whether a file that was read came from here, in whatever version.
    pub fn is_of(&self, file: &FileText) -> bool {
        let below =
            |reference: &Reference| file.name.strip_prefix(&reference.repository().to_string()).is_some_and(|rest| rest.starts_with('/'));
        self.paths.iter().any(|path| Path::new(&file.name).starts_with(path)) || self.references().any(below)
    }

    /// What the configuration that was read last came from: a pinned reference for each in a registry.
    pub fn taken(&self) -> Vec<String> {
        self.state().taken.clone()
    }

    /// Reads it. Registries are asked.
    pub fn read(&self, findings: &mut Diagnostics) -> Vec<FileText> {
        self.state().taken.clear();
        self.gather(findings, |reference, findings| {
            let got = self.fetch(reference, findings)?;
            self.state().seen.insert(reference.clone(), got.digest.clone());
            self.take(reference, &got, findings)
        })
    }

    /// What was read and trusted before, without a registry.
    pub fn kept(&self) -> Vec<FileText> {
        self.gather(&mut Diagnostics::new(), |reference, findings| {
            let got = self.last(reference).ok_or_else(|| Error::NotFound { what: reference.to_string() })?;
            self.take(reference, &got, findings)
        })
    }

    /// What has moved since it was read, in words, with all of it kept already. One that cannot be had whole has not moved.
    ///
    /// # Errors
    /// What the registry or the network said.
    pub fn moved(&self) -> Result<Option<String>, Error> {
        let client = Client::new(&[])?;
        let mut moved = None;
        for reference in self.tags() {
            let found = client.manifest(reference)?;
            let before = self.state().seen.get(reference).cloned();
            if before.as_ref() == Some(&found.digest) {
                continue;
            }
            let digest = found.digest.clone();
            let kept = Kept::new(&self.store);
            if kept.get(&reference.to_string(), &digest).is_none() {
                // What is no configuration is told by the reload, once.
                match client.bundle(reference, found) {
                    Ok(bundled) => kept.put(&bundled)?,
                    Err(Error::Bundle { .. } | Error::Manifest { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            moved = Some(format!("{reference} leads to {digest}"));
        }
        Ok(moved)
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

    /// What a reference leads to, from what is kept where that will do.
    fn fetch(&self, reference: &Reference, findings: &mut Diagnostics) -> Result<Bundled, Error> {
        if reference.digest().is_none() && self.keys.is_empty() {
            // Whoever may write to the registry would decide what runs here.
            let reason = "it is named by a tag alone, and there is no key that it has to be signed with";
            return Err(Error::NotTrusted { what: reference.to_string(), reason: reason.to_owned() });
        }
        let kept = Kept::new(&self.store);
        if let (Some(digest), None) = (reference.digest(), reference.tag())
            && let Some(bundled) = kept.get(&reference.to_string(), digest)
        {
            kept.touch(digest);
            return Ok(bundled);
        }
        let client = Client::new(&[])?;
        let asked = client.manifest(reference).and_then(|found| match kept.get(&reference.to_string(), &found.digest) {
            Some(bundled) => Ok(bundled),
            None => client.bundle(reference, found),
        });
        match asked {
            Ok(bundled) => Ok(bundled),
            Err(error) if is_passing(&error) => {
                let Some(last) = self.last(reference) else { return Err(error) };
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

    /// Believes a bundle, puts its files where the paths in them begin, and gives the configuration in it.
    fn take(&self, reference: &Reference, bundled: &Bundled, findings: &mut Diagnostics) -> Result<Vec<FileText>, Error> {
        let what = reference.to_string();
        let signed = self.trust(&what, bundled)?;
        let kept = Kept::new(&self.store);
        let is_kept = kept.get(&what, &bundled.digest).is_some();
        let folder = if is_kept || self.keep {
            if !is_kept {
                kept.put(bundled)?;
            }
            kept.touch(&bundled.digest);
            if self.keep
                && reference.tag().is_some()
                && let Err(error) = kept.set_tag(reference, &bundled.digest)
            {
                findings.push(Diagnostic::warning(REGISTRY_SILENT, format!("what {reference} leads to is not noted: {error}")));
            }
            kept.files(&bundled.digest)
        } else {
            let folder = bundled.bundle.unpacked()?;
            let path = folder.path().to_owned();
            self.state().unpacked.push(folder);
            path
        };
        let signed = signed.map(|key| format!(", signed by {key}")).unwrap_or_default();
        self.state().taken.push(format!("{}{signed}", reference.pinned(bundled.digest.clone())));
        bundled.bundle.texts(&reference.repository().to_string(), &folder)
    }

    /// The id of the key that signed a bundle; none when no signature is asked for.
    fn trust(&self, what: &str, bundled: &Bundled) -> Result<Option<String>, Error> {
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
        let Some(signature) = &bundled.signature else {
            return Err(refused(format!("{} is not signed; expected a signature by the key {}", bundled.digest, ids())));
        };
        match verify(&keys, &bundled.contents, signature) {
            Ok(signed) => Ok(Some(signed.key)),
            Err(error) => Err(refused(format!("the signature of {} does not count: {error}", bundled.digest))),
        }
    }
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
        Error::File { .. } => (NO_BUNDLE, "name a folder that can be written with `--config-store`"),
        _ => (NO_BUNDLE, "`tamis config push` puts a configuration there"),
    };
    Diagnostic::error(code, error.to_string()).help(help)
}
