//! From a configured plugin to the bytes that may be compiled. Whatever the policy, the lock or a digest says against them, is said
//! here, before the sandbox sees them.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tamis_config::{Config, Digest, FileError, Plugin, Reference};

use crate::client::{Client, Found};
use crate::manifest::{Layer, MANIFEST_BYTES_MAX, Manifest};
use crate::policy::Policy;
use crate::read::read_at_most;
use crate::signature::{EXTENSION, SIGNATURE_BYTES_MAX};
use crate::transport::PATIENCE;
use crate::{Error, Lock, Store, digest_of};

/// A component that may be loaded.
#[derive(Debug)]
pub struct Admitted {
    /// Its bytes: these, and no file that may have changed since, are to be compiled.
    pub wasm: Vec<u8>,
    /// Its signature's text, where the policy asks for one.
    pub signature: Option<String>,
    /// Id of the key that signed it, where the policy asks for one.
    pub signed_by: Option<String>,
    /// What the operator should know all the same.
    pub notes: Vec<String>,
}

/// Why a component is not loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// It cannot be had: no such file, no such name in the registry, too large.
    Unavailable,
    /// `plugins_policy.allow` does not name it.
    NotAllowed,
    /// It is not signed, or not as `plugins_policy.require_signature` asks.
    NotSigned,
    /// Its tag leads elsewhere than it did when it was locked.
    Moved,
    /// Its tag is not locked.
    NotLocked,
    /// Its bytes are not those of their digest.
    Damaged,
}

/// Why a component is not loaded, and what to do.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The kind.
    pub kind: RefusalKind,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
}

impl Refusal {
    fn new(kind: RefusalKind, message: impl Into<String>, help: &str) -> Self {
        Self { kind, message: message.into(), help: (!help.is_empty()).then(|| help.to_owned()) }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (kind, help) = match &error {
            Error::Moved { .. } => (
                RefusalKind::Moved,
                "look at what changed; then renew the lock with `tamis plugin lock`, or the digest in the configuration",
            ),
            Error::NotLocked { .. } => {
                (RefusalKind::NotLocked, "write the lock with `tamis plugin lock -c FILE`, or pin the reference with `@sha256:…`")
            }
            Error::Digest { .. } | Error::Damaged { .. } => (RefusalKind::Damaged, ""),
            Error::Unreachable { .. } => (
                RefusalKind::Unavailable,
                "`tamis plugin lock -c FILE` on a machine that reaches the registry keeps it in the data directory, which can be copied",
            ),
            Error::TooLarge { .. } => (RefusalKind::Unavailable, "build it smaller or raise `limits.component`"),
            _ => (RefusalKind::Unavailable, ""),
        };
        Self::new(kind, error.to_string(), help)
    }
}

/// Decides for one configuration. The registry is asked only when something is not kept, and whether tags have moved.
#[derive(Debug)]
pub struct Admission {
    policy: Result<Policy, String>,
    folder: PathBuf,
    lock: Option<Result<Lock, String>>,
    store: Store,
    keep: bool,
    client: Option<Client>,
    /// Registries that did not answer, and what happened: they are not waited for again.
    silent: HashMap<String, String>,
}

impl Admission {
    /// For a configuration. `keep`: what is pulled is kept in the data directory; otherwise nothing is written.
    pub fn new(config: &Config, keep: bool) -> Self {
        Self {
            policy: Policy::new(&config.plugins_policy),
            folder: config.folder.clone(),
            lock: None,
            store: Store::in_data_dir(config.settings.data_dir.as_path()),
            keep,
            client: None,
            silent: HashMap::new(),
        }
    }

    /// The component of a plugin, if it may be loaded.
    ///
    /// # Errors
    /// Why not.
    pub fn admit(&mut self, plugin: &Plugin) -> Result<Admitted, Refusal> {
        let not_allowed = |patterns: String| {
            let message =
                format!("the policy does not allow the component `{}`: it matches none of {patterns}", plugin.component.value.shown());
            Refusal::new(RefusalKind::NotAllowed, message, "take it from where plugins_policy.allow says, or have the pattern added")
        };
        match &self.policy {
            Ok(policy) => policy.allows(plugin).map_err(not_allowed)?,
            Err(reason) => return Err(Refusal::new(RefusalKind::NotSigned, reason, "no plugin is loaded until the policy can be read")),
        }
        let mut notes = Vec::new();
        let (wasm, signature) = match (&plugin.kept, &plugin.reference) {
            (Some(kept), _) => self.file(plugin, kept)?,
            (None, Some(reference)) => {
                let found = self.registry(reference, plugin.limits.component.0, &mut notes);
                found.map_err(|refusal| Refusal {
                    message: notes.iter().map(|note| format!("{note}; ")).chain([refusal.message]).collect(),
                    ..refusal
                })?
            }
            (None, None) => self.file(plugin, &plugin.component_path)?,
        };
        let signed_by = self.verify(plugin, &wasm, signature.as_deref())?;
        let signature = signature.filter(|_| signed_by.is_some());
        Ok(Admitted { wasm, signature, signed_by, notes })
    }

    fn verify(&self, plugin: &Plugin, wasm: &[u8], signature: Option<&str>) -> Result<Option<String>, Refusal> {
        let Ok(policy) = &self.policy else { return Ok(None) };
        let shown = plugin.component.value.shown();
        match policy.verify(wasm, signature) {
            Ok(signed) => Ok(signed.map(|signed| signed.key)),
            Err(None) => {
                let wanted = policy.key_ids().join(" or ");
                let message = format!("the component `{shown}` is not signed; the policy asks for a signature by the key {wanted}");
                let help = match &plugin.reference {
                    Some(_) => "sign it with `tamis plugin sign` before it is pushed".to_owned(),
                    None => format!("put the signature beside it, as `{shown}.{EXTENSION}`: `tamis plugin sign` makes it"),
                };
                Err(Refusal::new(RefusalKind::NotSigned, message, &help))
            }
            Err(Some(error)) => {
                let message = format!("the signature of the component `{shown}` does not count: {error}");
                Err(Refusal::new(RefusalKind::NotSigned, message, "take the component and its signature from its owner again"))
            }
        }
    }

    fn file(&self, plugin: &Plugin, path: &Path) -> Result<(Vec<u8>, Option<String>), Refusal> {
        let bytes_max = plugin.limits.component.0;
        let unavailable = |message, help| Refusal::new(RefusalKind::Unavailable, message, help);
        let unreadable = |error: &std::io::Error, help| {
            unavailable(format!("cannot read the component `{}`: {error}", plugin.component.value.shown()), help)
        };
        let size = std::fs::metadata(path).map_err(|error| {
            unreadable(
                &error,
                "the path is relative to the folder of the configuration file; `tamis plugin build` in a plugin's folder makes it, `make plugins` the reference plugins",
            )
        })?;
        let too_large = |bytes: u64| {
            let message = format!("the component has {bytes} bytes, more than its limit of {bytes_max}");
            unavailable(message, "build it smaller or raise `limits.component`")
        };
        if size.len() > bytes_max {
            return Err(too_large(size.len()));
        }
        let wasm = match read_at_most(path, bytes_max) {
            Ok(wasm) => wasm.ok_or_else(|| too_large(bytes_max.saturating_add(1)))?,
            Err(Error::File(FileError { source, .. })) => return Err(unreadable(&source, "")),
            Err(error) => return Err(error.into()),
        };
        let wanted = self.policy.as_ref().is_ok_and(Policy::requires_signature);
        let signature = if wanted { signature_beside(path)? } else { None };
        Ok((wasm, signature))
    }

    fn registry(&mut self, reference: &Reference, bytes_max: u64, notes: &mut Vec<String>) -> Result<(Vec<u8>, Option<String>), Refusal> {
        let (digest, component) = self.pinned(reference)?;
        let pinned = reference.pinned(digest.clone());
        let fresh = if reference.tag().is_some() { self.tag(reference, &digest, notes)? } else { None };
        let manifest = match fresh {
            Some(found) => {
                self.put(&digest, &found.text, notes);
                found.text
            }
            None => match self.kept(&digest, MANIFEST_BYTES_MAX, notes)? {
                Some(text) => text,
                None => {
                    let found = self.ask(&pinned, |client| client.manifest(&pinned))?;
                    self.put(&digest, &found.text, notes);
                    found.text
                }
            },
        };
        let (manifest, layer) = Manifest::parse(&reference.to_string(), &manifest)?;
        if let Some(component) = component.filter(|component| *component != layer.digest) {
            let error =
                Error::Digest { what: format!("the component of {reference} in the lock"), expected: component, found: layer.digest };
            return Err(error.into());
        }
        let wasm = match self.kept(&layer.digest, bytes_max, notes)? {
            Some(wasm) => wasm,
            None => self.fetch(&pinned, &layer, bytes_max, notes)?,
        };
        Ok((wasm, manifest.signature().map(str::to_owned)))
    }

    fn fetch(&mut self, pinned: &Reference, layer: &Layer, bytes_max: u64, notes: &mut Vec<String>) -> Result<Vec<u8>, Refusal> {
        let pulled = self.ask(pinned, |client| client.blob(pinned, layer, bytes_max, &mut |_, _| {}))?;
        self.put(&layer.digest, &pulled, notes);
        Ok(pulled)
    }

    /// The digest that a reference is pinned to: its own, or the lock's.
    fn pinned(&mut self, reference: &Reference) -> Result<(Digest, Option<Digest>), Refusal> {
        if let Some(digest) = reference.digest() {
            return Ok((digest.clone(), None));
        }
        let lock = self.lock.get_or_insert_with(|| Lock::read(&self.folder).map_err(|error| error.to_string()));
        let lock = lock
            .as_ref()
            .map_err(|reason| Refusal::new(RefusalKind::NotLocked, reason.clone(), "write it anew with `tamis plugin lock`"))?;
        match lock.get(reference) {
            Some(locked) => Ok((locked.manifest.clone(), Some(locked.component.clone()))),
            None => Err(Error::NotLocked { reference: reference.to_string(), lock: lock.path().to_owned() }.into()),
        }
    }

    /// Asks whether the tag still leads where it is pinned to. A registry that does not answer does not keep a host from starting
    /// with what it has.
    fn tag(&mut self, reference: &Reference, digest: &Digest, notes: &mut Vec<String>) -> Result<Option<Found>, Refusal> {
        match self.ask(reference, |client| client.clone().within(PATIENCE).manifest(reference)) {
            Ok(found) if found.digest == *digest => Ok(Some(found)),
            Ok(found) => Err(Error::Moved { reference: reference.to_string(), pinned: digest.clone(), found: found.digest }.into()),
            Err(error @ Error::Moved { .. }) => Err(error.into()),
            Err(error) => {
                notes.push(format!("whether the tag of {reference} has moved is not known: {error}"));
                Ok(None)
            }
        }
    }

    /// Asks a registry, unless it did not answer before.
    fn ask<T>(&mut self, reference: &Reference, question: impl FnOnce(&Client) -> Result<T, Error>) -> Result<T, Error> {
        let registry = reference.repository().registry();
        if let Some(reason) = self.silent.get(registry) {
            return Err(Error::Unreachable { registry: registry.to_owned(), reason: reason.clone() });
        }
        let client = match &mut self.client {
            Some(client) => client,
            none => none.insert(Client::new(&[])?),
        };
        let answer = question(client);
        if let Err(Error::Unreachable { registry, reason }) = &answer {
            self.silent.insert(registry.clone(), reason.clone());
        }
        answer
    }

    /// What the store has. Damaged bytes are told and asked for again.
    fn kept(&self, digest: &Digest, bytes_max: u64, notes: &mut Vec<String>) -> Result<Option<Vec<u8>>, Refusal> {
        match self.store.get(digest, bytes_max) {
            Err(error @ Error::Damaged { .. }) => {
                notes.push(error.to_string());
                Ok(None)
            }
            other => Ok(other?),
        }
    }

    /// Keeps what was pulled; a store that cannot be written costs a pull at each start.
    fn put(&self, digest: &Digest, bytes: &[u8], notes: &mut Vec<String>) {
        debug_assert_eq!(digest_of(bytes), *digest);
        let kept = self.keep && matches!(self.store.get(digest, u64::MAX), Ok(Some(_)));
        if self.keep
            && !kept
            && let Err(error) = self.store.put(digest, bytes)
        {
            notes.push(format!("what was pulled is not kept: {error}"));
        }
    }
}

/// The text of `<file>.minisig`, where there is one.
pub(crate) fn signature_beside(path: &Path) -> Result<Option<String>, Error> {
    let mut name = OsString::from(path);
    name.push(format!(".{EXTENSION}"));
    match read_at_most(Path::new(&name), SIGNATURE_BYTES_MAX) {
        // What is no text, or too long, is not a signature either.
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned())),
        Err(Error::File(FileError { source, .. })) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
