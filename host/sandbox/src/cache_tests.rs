use super::*;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use wasmtime::Config;

/// The smallest component there is: what it does is of no matter here.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";
const DIGEST: [u8; 32] = [7; 32];

struct Place {
    folder: tempfile::TempDir,
    engine: Engine,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), engine: Engine::default() }
    }

    fn dir(&self) -> PathBuf {
        self.folder.path().join("cache")
    }

    fn open(&self) -> Cache {
        Cache::open(&self.engine, Some(&self.dir()), None)
    }

    /// A cache with one entry, and the entry's file.
    fn filled(&self) -> (Cache, PathBuf) {
        let cache = self.open();
        cache.put(&Component::new(&self.engine, EMPTY).unwrap(), &DIGEST);
        let path = cache.store.as_ref().unwrap().entry(&DIGEST);
        (cache, path)
    }
}

#[test]
fn a_proven_entry_is_loaded_and_survives_a_restart() {
    let place = Place::new();
    let (cache, path) = place.filled();
    assert!(cache.get(&place.engine, &DIGEST).is_some());
    assert!(place.open().get(&place.engine, &DIGEST).is_some());
    assert!(cache.get(&place.engine, &[8; 32]).is_none());
    assert_eq!(cache.stats(), CacheStats { enabled: true, hits: 1, misses: 1, refused: 0, written: 1 });
    let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!((mode(&path), mode(&place.dir()), mode(&place.folder.path().join("cache.key"))), (0o600, 0o700, 0o600));
    assert!(fs::read_dir(place.dir()).unwrap().count() == 1, "no temporary file is left");
}

#[test]
fn every_flipped_byte_and_every_cut_is_refused_and_repaired() {
    let place = Place::new();
    let (cache, path) = place.filled();
    let sound = fs::read(&path).unwrap();
    let places = [0, MAGIC.len(), MAGIC.len() + MAC_BYTES - 1, MAGIC.len() + MAC_BYTES, sound.len() / 2, sound.len() - 1];
    let mut refused = 0;
    for at in places {
        let mut forged = sound.clone();
        forged[at] ^= 1;
        for content in [forged.as_slice(), &sound[..at]] {
            fs::write(&path, content).unwrap();
            assert!(cache.get(&place.engine, &DIGEST).is_none(), "byte {at}");
            refused += 1;
        }
    }
    assert_eq!(cache.stats().refused, refused);
    cache.put(&Component::new(&place.engine, EMPTY).unwrap(), &DIGEST);
    assert!(cache.get(&place.engine, &DIGEST).is_some());
}

#[test]
fn a_swapped_entry_is_refused() {
    let place = Place::new();
    let (cache, path) = place.filled();
    let other = cache.store.as_ref().unwrap().entry(&[8; 32]);
    fs::copy(&path, &other).unwrap();
    assert!(cache.get(&place.engine, &[8; 32]).is_none());
    assert_eq!(cache.stats().refused, 1);
}

#[test]
fn an_entry_under_another_key_or_engine_is_refused() {
    let place = Place::new();
    let (_, path) = place.filled();
    let entry = fs::read(&path).unwrap();
    fs::remove_file(place.folder.path().join("cache.key")).unwrap();
    let renewed = place.open();
    assert!(renewed.get(&place.engine, &DIGEST).is_none());
    assert_eq!(renewed.stats().refused, 1);

    let other = Engine::new(Config::new().epoch_interruption(true)).unwrap();
    let cache = Cache::open(&other, Some(&place.dir()), None);
    assert!(cache.get(&other, &DIGEST).is_none(), "another engine looks for another file");
    fs::write(cache.store.as_ref().unwrap().entry(&DIGEST), entry).unwrap();
    assert!(cache.get(&other, &DIGEST).is_none());
}

#[test]
fn links_and_open_modes_are_refused() {
    let place = Place::new();
    let (cache, path) = place.filled();
    let aside = place.folder.path().join("aside");
    fs::rename(&path, &aside).unwrap();
    symlink(&aside, &path).unwrap();
    assert!(cache.get(&place.engine, &DIGEST).is_none(), "a symbolic link");
    fs::remove_file(&path).unwrap();
    fs::rename(&aside, &path).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o666)).unwrap();
    assert!(cache.get(&place.engine, &DIGEST).is_none(), "writable by all");
    assert_eq!(cache.stats().refused, 2);
}

#[test]
fn without_a_safe_place_there_is_no_cache() {
    let place = Place::new();
    let engine = &place.engine;
    let root = place.folder.path();
    let disabled = |folder: &Path, key: Option<&Path>| !Cache::open(engine, Some(folder), key).stats().enabled;
    fs::write(root.join("file"), "").unwrap();
    assert!(disabled(&root.join("file"), None));
    fs::create_dir(root.join("real")).unwrap();
    symlink(root.join("real"), root.join("link")).unwrap();
    assert!(disabled(&root.join("link"), None));
    assert!(disabled(&root.join("real"), Some(&root.join("real/key"))), "the key lies inside");
    symlink(root.join("real"), root.join("alias")).unwrap();
    assert!(disabled(&root.join("real"), Some(&root.join("alias/key"))), "the key lies inside by another name");
    fs::write(root.join("open.key"), [1; 32]).unwrap();
    fs::set_permissions(root.join("open.key"), fs::Permissions::from_mode(0o644)).unwrap();
    assert!(disabled(&root.join("real"), Some(&root.join("open.key"))), "others may read the key");
    assert!(!disabled(&root.join("real"), Some(&root.join("new/place.key"))));
    assert!(!Cache::open(engine, None, None).stats().enabled);
}

#[test]
fn a_truncated_key_is_replaced() {
    let place = Place::new();
    let (..) = place.filled();
    fs::write(place.folder.path().join("cache.key"), "").unwrap();
    let (cache, _) = place.filled();
    assert!(cache.stats().enabled && cache.get(&place.engine, &DIGEST).is_some());
}

#[test]
fn the_oldest_entries_go() {
    let place = Place::new();
    let (cache, _) = place.filled();
    let component = Component::new(&place.engine, EMPTY).unwrap();
    (0..ENTRIES_MAX as u8 + 5).for_each(|i| cache.put(&component, &[i; 32]));
    assert_eq!(fs::read_dir(place.dir()).unwrap().count(), ENTRIES_MAX);
}
