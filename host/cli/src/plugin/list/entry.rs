//! Plugins as they are found: in a folder, or in a registry.

use super::super::files;
use super::users::User;
use serde::Serialize;
use std::path::Path;
use tamis_config::{Reference, Repository};
use tamis_registry::signature::{PublicKey, claimed_key, verify};
use tamis_registry::{COMPONENT_BYTES_MAX, Client, Error, Manifest, READS_ANNOTATION, WRITES_ANNOTATION, digest_of, facts};

/// Most plugins that a catalogue lists.
const ENTRIES_MAX: usize = 2_000;

/// A plugin of the catalogue.
#[derive(Debug, Default, Serialize)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) version: Option<String>,
    /// Its authors.
    pub(super) owner: Option<String>,
    pub(super) description: Option<String>,
    pub(super) licence: Option<String>,
    pub(super) source: Option<String>,
    /// A path, or a reference.
    pub(super) place: String,
    /// Of the component; empty where it could not be read.
    pub(super) digest: String,
    /// Of the manifest, in a registry.
    pub(super) manifest: Option<String>,
    pub(super) bytes: u64,
    /// Fields shown to it, in the given configurations, otherwise in the one its build shows it with; `None`: neither says.
    pub(super) reads: Option<Vec<String>>,
    /// Fields it may change, from the same.
    pub(super) writes: Option<Vec<String>>,
    /// The key that its signature names.
    pub(super) signed_by: Option<String>,
    /// Whether that was checked, with what result.
    pub(super) verified: Option<bool>,
    pub(super) used_by: Vec<User>,
    /// Why it could not be looked at, or not wholly.
    pub(super) problem: Option<String>,
    #[serde(skip)]
    wasm: Option<Vec<u8>>,
    #[serde(skip)]
    signature: Option<String>,
}

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) entries: Vec<Entry>,
    pub(super) notes: Vec<String>,
}

impl Entry {
    /// Checks the signature, where there are keys.
    pub(super) fn verify(&mut self, keys: &[PublicKey]) {
        if !keys.is_empty() {
            let signed = |wasm: &Vec<u8>| self.signature.as_deref().is_some_and(|text| verify(keys, wasm, text).is_ok());
            self.verified = Some(self.wasm.as_ref().is_some_and(signed));
        }
        // It has served.
        self.wasm = None;
    }

    pub(super) fn fields(&self, fields: &Option<Vec<String>>) -> String {
        match fields {
            None => "-".to_owned(),
            Some(fields) if fields.is_empty() => "nothing".to_owned(),
            Some(fields) => fields.iter().map(|field| tamis_config::escaped(field)).collect::<Vec<_>>().join("\n"),
        }
    }

    pub(super) fn signer(&self) -> String {
        match (&self.signed_by, self.verified) {
            (None, _) if self.digest.is_empty() => "-".to_owned(),
            (None, _) => "nobody".to_owned(),
            (Some(key), None) => format!("{key}\nnot verified"),
            (Some(key), Some(true)) => key.clone(),
            (Some(key), Some(false)) => format!("{key}\nDOES NOT HOLD"),
        }
    }
}

/// The components of a folder, by name. Files that are none are told; one that cannot be read is an entry with its problem.
pub(super) fn in_folder(folder: &Path) -> Result<Found, Error> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(tamis_config::FileError::at(folder))? {
        let path = entry.map_err(tamis_config::FileError::at(folder))?.path();
        if path.extension().is_some_and(|extension| extension == "wasm") {
            paths.push(path);
        }
    }
    paths.sort();
    let mut found = Found::default();
    for path in paths.into_iter().take(ENTRIES_MAX) {
        let place = path.display().to_string();
        let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        match files::component(&path) {
            Err(error) => found.entries.push(unread(stem, place, &error)),
            Ok(wasm) => match tamis_authoring::component::imports_of(&stem, &wasm) {
                Err(error) => found.notes.push(tamis_config::escaped(&format!("{place}: {error}"))),
                Ok(_) => found.entries.push(of_file(&path, stem, place, wasm)),
            },
        }
    }
    Ok(found)
}

fn of_file(path: &Path, stem: String, place: String, wasm: Vec<u8>) -> Entry {
    let (signature, problem) = match files::signature(path, None) {
        Ok(signature) => (signature, None),
        Err(error) => (None, Some(error.to_string())),
    };
    let facts = facts(&wasm);
    Entry {
        name: facts.name.unwrap_or(stem),
        version: facts.version,
        owner: facts.owner,
        description: facts.description,
        licence: facts.licence,
        source: facts.source,
        place,
        digest: digest_of(&wasm).to_string(),
        manifest: None,
        bytes: wasm.len() as u64,
        reads: facts.reads,
        writes: facts.writes,
        signed_by: signature.as_deref().and_then(|text| claimed_key(text).ok()),
        verified: None,
        used_by: Vec::new(),
        problem,
        wasm: Some(wasm),
        signature,
    }
}

/// An entry of which no more than its name is known.
fn unread(name: String, place: String, error: &Error) -> Entry {
    let problem = Some(error.to_string());
    Entry { name, place, problem, ..Entry::default() }
}

/// The plugins of a registry: every tag of every repository below the prefix. Components are pulled only when `verify` needs them.
pub(super) fn in_registry(client: &Client, prefix: &Repository, verify: bool) -> Result<Found, Error> {
    let mut found = Found::default();
    let repositories = match client.repositories(prefix) {
        Ok(repositories) => repositories,
        // A registry that does not tell its repositories may still tell the tags of one.
        Err(Error::NotFound { .. } | Error::Denied { .. } | Error::Status { .. }) if !prefix.name().is_empty() => vec![prefix.clone()],
        Err(error) => return Err(error),
    };
    for repository in repositories {
        for tag in client.tags(&repository)? {
            if found.entries.len() >= ENTRIES_MAX {
                found.notes.push(format!("only the first {ENTRIES_MAX} plugins are listed"));
                return Ok(found);
            }
            let Ok(reference) = Reference::tagged(repository.clone(), &tag) else { continue };
            match tagged(client, &reference, verify) {
                Ok(entry) => found.entries.push(entry),
                Err(error @ (Error::NotAPlugin { .. } | Error::NotFound { .. } | Error::Digest { .. } | Error::TooLarge { .. })) => {
                    found.notes.push(error.to_string());
                }
                Err(error) => return Err(error),
            }
        }
    }
    Ok(found)
}

fn tagged(client: &Client, reference: &Reference, verify: bool) -> Result<Entry, Error> {
    let manifest = client.manifest(reference)?;
    let (parsed, layer) = Manifest::parse(&reference.to_string(), &manifest.text)?;
    let wasm = match verify && parsed.signature().is_some() {
        true => Some(client.pull(&reference.pinned(manifest.digest.clone()), COMPONENT_BYTES_MAX, &mut |_, _| {})?.wasm),
        false => None,
    };
    let fields = |name: &str| serde_json::from_str(parsed.annotations.get(name)?).ok();
    let note = |name: &str| parsed.annotations.get(&format!("org.opencontainers.image.{name}")).cloned();
    Ok(Entry {
        name: note("title").unwrap_or_else(|| reference.repository().short_name().to_owned()),
        version: note("version").or_else(|| reference.tag().map(str::to_owned)),
        owner: note("authors"),
        description: note("description"),
        licence: note("licenses"),
        source: note("source"),
        place: reference.to_string(),
        digest: layer.digest.to_string(),
        manifest: Some(manifest.digest.to_string()),
        bytes: layer.bytes,
        reads: fields(READS_ANNOTATION),
        writes: fields(WRITES_ANNOTATION),
        signed_by: parsed.signature().and_then(|text| claimed_key(text).ok()),
        verified: None,
        used_by: Vec::new(),
        problem: None,
        wasm,
        signature: parsed.signature().map(str::to_owned),
    })
}
