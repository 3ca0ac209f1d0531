//! Files that nobody else may have touched: the cache's folder and its key.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Length of the key in bytes: that of the hash.
pub(crate) const KEY_BYTES: usize = 32;
const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;
const OTHERS: u32 = 0o077;

/// `O_NOFOLLOW` of Linux; its value depends on the processor (`asm/fcntl.h`).
#[cfg(all(target_os = "linux", any(target_arch = "aarch64", target_arch = "arm", target_arch = "powerpc64")))]
const O_NOFOLLOW: i32 = 0o100_000;
#[cfg(all(target_os = "linux", not(any(target_arch = "aarch64", target_arch = "arm", target_arch = "powerpc64"))))]
const O_NOFOLLOW: i32 = 0o400_000;
/// `O_NOFOLLOW` of macOS and the BSDs (`sys/fcntl.h`).
#[cfg(not(target_os = "linux"))]
const O_NOFOLLOW: i32 = 0x100;

/// Creates the folder where it is missing and makes sure that it is ours, a real folder and closed to others. Gives our
/// user id, which is the owner of what we create.
pub(crate) fn own_folder(folder: &Path) -> Result<u32, String> {
    let shown = folder.display();
    if !folder.exists() {
        DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder).map_err(|e| format!("{shown} cannot be created: {e}"))?;
    }
    let found = fs::symlink_metadata(folder).map_err(|e| format!("{shown} cannot be read: {e}"))?;
    if !found.is_dir() {
        return Err(format!("{shown} is not a folder (a symbolic link is not followed)"));
    }
    let probe = temporary(folder);
    let made = create_new(&probe).map_err(|e| format!("{shown} cannot be written: {e}"))?.metadata();
    // The probe has served; a left-over would do no harm.
    fs::remove_file(&probe).ok();
    let uid = made.map_err(|e| format!("{shown} cannot be read: {e}"))?.uid();
    if found.uid() != uid {
        return Err(format!("{shown} belongs to user {}, this process is user {uid}", found.uid()));
    }
    if found.mode() & OTHERS != 0 {
        fs::set_permissions(folder, fs::Permissions::from_mode(FOLDER_MODE))
            .map_err(|e| format!("{shown} is open to others and cannot be closed: {e}"))?;
    }
    Ok(uid)
}

/// Reads the key, or makes one of 32 random bytes where there is none. A damaged one of ours is replaced: then every
/// entry of the cache is compiled anew, which is all that is lost.
pub(crate) fn read_or_create_key(path: &Path, uid: u32) -> Result<[u8; KEY_BYTES], String> {
    let shown = path.display();
    match read_own(path, uid, KEY_BYTES as u64) {
        Ok(bytes) => match <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) {
            Ok(key) => Ok(key),
            Err(_) => {
                tracing::warn!("the cache key {shown} has {} bytes instead of {KEY_BYTES} and is replaced", bytes.len());
                create_key(path)
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => create_key(path),
        Err(error) => Err(format!("the key {shown} is not usable: {error}")),
    }
}

fn create_key(path: &Path) -> Result<[u8; KEY_BYTES], String> {
    let make = || -> io::Result<[u8; KEY_BYTES]> {
        let mut key = [0; KEY_BYTES];
        File::open("/dev/urandom")?.read_exact(&mut key)?;
        if let Some(folder) = path.parent().filter(|f| !f.as_os_str().is_empty()) {
            DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
        }
        write_own(path, &[&key])?;
        Ok(key)
    };
    make().map_err(|e| format!("the key {} cannot be created: {e}", path.display()))
}

/// Reads a file of at most `bytes_max` bytes that is regular, ours, writable by us alone and not reached by a symbolic link.
pub(crate) fn read_own(path: &Path, uid: u32, bytes_max: u64) -> io::Result<Vec<u8>> {
    let refuse = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    let named = fs::symlink_metadata(path)?;
    if !named.file_type().is_file() {
        return refuse("it is not a regular file (a symbolic link is not followed)".to_owned());
    }
    let file = OpenOptions::new().read(true).custom_flags(O_NOFOLLOW).open(path)?;
    let opened = file.metadata()?;
    if (opened.dev(), opened.ino()) != (named.dev(), named.ino()) || !opened.is_file() {
        return refuse("it was replaced while it was opened".to_owned());
    }
    if opened.uid() != uid || opened.mode() & OTHERS != 0 {
        return refuse(format!(
            "it has owner {} and mode {:03o}, owner {uid} and mode 600 were expected",
            opened.uid(),
            opened.mode() & 0o777
        ));
    }
    if opened.len() > bytes_max {
        return refuse(format!("it has {} bytes, more than {bytes_max}", opened.len()));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(opened.len()).unwrap_or(0));
    file.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Writes a file of mode 600 at once: readers see the old one, none, or the whole new one.
pub(crate) fn write_own(path: &Path, parts: &[&[u8]]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = temporary(folder);
    let write = || {
        let mut file = create_new(&new)?;
        parts.iter().try_for_each(|part| file.write_all(part))?;
        fs::rename(&new, path)
    };
    write().inspect_err(|_| {
        fs::remove_file(&new).ok();
    })
}

fn create_new(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).custom_flags(O_NOFOLLOW).open(path)
}

/// Marks files under construction.
pub(crate) const TEMPORARY: &str = ".new-";

fn temporary(folder: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_nanos());
    folder.join(format!("{TEMPORARY}{}-{count}-{clock:x}", std::process::id()))
}
