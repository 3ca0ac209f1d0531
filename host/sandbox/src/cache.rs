//! Compiled plugins on disk.
//!
//! Loading an entry runs its machine code in this process, so an entry counts only with a proof that this host wrote it:
//! an HMAC-SHA-256 under a key that lies outside the folder, over the component's digest, wasmtime's compatibility hash,
//! the target and the code. The buffer that was verified is the buffer that is loaded. What is not proven is compiled
//! anew, replaced and reported. A folder or key that is not ours alone means no cache and one warning.

use crate::key;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use wasmtime::Engine;
use wasmtime::component::Component;

/// First bytes of an entry; the digit is the format's version.
const MAGIC: &[u8; 10] = b"TAMIS-AOT1";
const MAC_BYTES: usize = 32;
const EXTENSION: &str = "aot";
/// Largest entry read: compiled Python components have about 60 MiB.
const ENTRY_BYTES_MAX: u64 = 512 << 20;
/// Entries kept; the oldest go first.
const ENTRIES_MAX: usize = 64;
/// Part of the MAC's input: code is for one kind of machine. (wasmtime's hash covers the processor's features.)
const TARGET: &str = concat!("tamis-aot/", env!("CARGO_PKG_VERSION"));

/// What the cache did since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Whether there is a cache.
    pub enabled: bool,
    /// Plugins taken from it.
    pub hits: u64,
    /// Plugins that it did not have.
    pub misses: u64,
    /// Entries that were damaged or forged and were not loaded.
    pub refused: u64,
    /// Entries written.
    pub written: u64,
}

pub(crate) struct Cache {
    store: Option<Folder>,
    hits: AtomicU64,
    misses: AtomicU64,
    refused: AtomicU64,
    written: AtomicU64,
}

struct Folder {
    path: PathBuf,
    uid: u32,
    key: [u8; key::KEY_BYTES],
    engine: [u8; 32],
}

impl Cache {
    /// Opens the folder. Never fails: without a safe folder there is no cache, and a warning says why.
    pub(crate) fn open(engine: &Engine, folder: Option<&Path>, key_path: Option<&Path>) -> Self {
        let store = folder.and_then(|folder| {
            open_folder(engine, folder, key_path)
                .inspect_err(|why| tracing::warn!("compiled plugins are not cached, every start compiles them: {why}"))
                .ok()
        });
        Self { store, hits: AtomicU64::new(0), misses: AtomicU64::new(0), refused: AtomicU64::new(0), written: AtomicU64::new(0) }
    }

    pub(crate) fn stats(&self) -> CacheStats {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        CacheStats {
            enabled: self.store.is_some(),
            hits: get(&self.hits),
            misses: get(&self.misses),
            refused: get(&self.refused),
            written: get(&self.written),
        }
    }

    /// The compiled component of this digest, where there is a proven entry.
    pub(crate) fn get(&self, engine: &Engine, digest: &[u8; 32]) -> Option<Component> {
        let folder = self.store.as_ref()?;
        let path = folder.entry(digest);
        let refuse = |why: &str| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            tracing::warn!("the cached code {} is not loaded: {why}; it is compiled anew and replaced", path.display());
            None
        };
        let entry = match key::read_own(&path, folder.uid, ENTRY_BYTES_MAX) {
            Ok(entry) => entry,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                self.misses.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Err(error) => return refuse(&error.to_string()),
        };
        let Some(code) = folder.proven(digest, &entry) else {
            return refuse("its authentication code does not fit: it was damaged, or written by somebody else or for another plugin");
        };
        match load(engine, code) {
            Ok(component) => {
                self.hits.fetch_add(1, Ordering::Relaxed);
                Some(component)
            }
            Err(error) => refuse(&format!("wasmtime refuses it: {error:#}")),
        }
    }

    /// Keeps a compiled component. Failing is only worth a warning.
    pub(crate) fn put(&self, component: &Component, digest: &[u8; 32]) {
        let Some(folder) = &self.store else { return };
        let write = || -> Result<(), String> {
            let code = component.serialize().map_err(|e| format!("{e:#}"))?;
            let mac = folder.mac(digest, &code).map(|mac| mac.finalize().into_bytes()).ok_or("the key does not fit")?;
            key::write_own(&folder.entry(digest), &[MAGIC, mac.as_slice(), &code]).map_err(|e| e.to_string())
        };
        match write() {
            Ok(()) => {
                self.written.fetch_add(1, Ordering::Relaxed);
                folder.prune();
            }
            Err(why) => tracing::warn!("compiled code cannot be kept in {}: {why}", folder.path.display()),
        }
    }
}

/// Turns verified code into a component.
#[allow(unsafe_code)]
fn load(engine: &Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `deserialize` demands bytes that `Component::serialize` made and nobody changed. `code` is a slice of a
    // buffer in this process's memory whose HMAC was verified just before, under a key that only this user can read;
    // only `Cache::put` makes such codes, over the output of `serialize`. The MAC also binds the component's digest and
    // the engine's compatibility hash, so code of another plugin, version or configuration does not get here, and
    // wasmtime checks its own header on top. Whoever can read the key can already act as this user.
    unsafe { Component::deserialize(engine, code) }
}

fn open_folder(engine: &Engine, folder: &Path, key_path: Option<&Path>) -> Result<Folder, String> {
    let uid = key::own_folder(folder)?;
    let path = folder.canonicalize().map_err(|e| format!("{} cannot be read: {e}", folder.display()))?;
    let key_path = match key_path {
        Some(path) => path.to_owned(),
        None => {
            let mut name = path.file_name().ok_or("the cache folder has no name")?.to_owned();
            name.push(".key");
            path.with_file_name(name)
        }
    };
    let beside = key_path.parent().and_then(|parent| parent.canonicalize().ok());
    if key_path.starts_with(folder) || beside.is_some_and(|parent| parent.starts_with(&path)) {
        return Err(format!("the key {} lies inside the cache folder; whoever can write entries could read it", key_path.display()));
    }
    let key = key::read_or_create_key(&key_path, uid)?;
    let mut hasher = Sha256Hasher(Sha256::new());
    engine.precompile_compatibility_hash().hash(&mut hasher);
    Ok(Folder { path, uid, key, engine: hasher.0.finalize().into() })
}

impl Folder {
    /// One file for a component and an engine: hosts of different versions do not overwrite each other's.
    fn entry(&self, digest: &[u8; 32]) -> PathBuf {
        let engine = self.engine.first_chunk::<8>().copied().unwrap_or_default();
        self.path.join(format!("{}-{}.{EXTENSION}", hex(digest), hex(&engine)))
    }

    fn mac(&self, digest: &[u8; 32], code: &[u8]) -> Option<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(&self.key).ok()?;
        let target = format!("{TARGET}/{}/{}", std::env::consts::OS, std::env::consts::ARCH);
        // Every part has a fixed length or its length before it, so that no two inputs run into one.
        mac.update(MAGIC);
        mac.update(digest);
        mac.update(&self.engine);
        mac.update(&(target.len() as u64).to_le_bytes());
        mac.update(target.as_bytes());
        mac.update(&(code.len() as u64).to_le_bytes());
        mac.update(code);
        Some(mac)
    }

    /// The code of an entry that this host wrote for this component and engine.
    fn proven<'a>(&self, digest: &[u8; 32], entry: &'a [u8]) -> Option<&'a [u8]> {
        let (mac, code) = entry.strip_prefix(MAGIC)?.split_first_chunk::<MAC_BYTES>()?;
        // Compares in constant time.
        self.mac(digest, code)?.verify_slice(mac).ok()?;
        Some(code)
    }

    /// Removes the oldest entries beyond [`ENTRIES_MAX`], and what a crash left half-written.
    fn prune(&self) {
        let Ok(folder) = std::fs::read_dir(&self.path) else { return };
        let mut entries: Vec<(SystemTime, PathBuf)> = Vec::new();
        for file in folder.flatten() {
            let modified = file.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            let stale = modified.elapsed().is_ok_and(|age| age.as_secs() > 3600);
            if file.path().extension().is_some_and(|e| e == EXTENSION) {
                entries.push((modified, file.path()));
            } else if stale && file.file_name().to_string_lossy().starts_with(key::TEMPORARY) {
                std::fs::remove_file(file.path()).ok();
            }
        }
        entries.sort();
        let excess = entries.len().saturating_sub(ENTRIES_MAX);
        for (_, path) in entries.into_iter().take(excess) {
            std::fs::remove_file(path).ok();
        }
    }
}

/// Collects what `Hash` feeds a hasher; the 64 bits of `finish` are not asked for.
struct Sha256Hasher(Sha256);

impl Hasher for Sha256Hasher {
    fn write(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
#[path = "cache_tests.rs"]
mod tests;
