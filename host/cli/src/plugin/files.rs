//! Components, signatures and keys in files, with limits.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use tamis_config::FileError;
use tamis_registry::signature::{EXTENSION, KEY_BYTES_MAX, SIGNATURE_BYTES_MAX};
use tamis_registry::{COMPONENT_BYTES_MAX, Error, no_pipe};

/// The bytes of a file of at most so many.
pub(super) fn at_most(path: &Path, bytes_max: u64) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    no_pipe(path)?;
    File::open(path)
        .map_err(FileError::at(path))?
        .take(bytes_max.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(FileError::at(path))?;
    if bytes.len() as u64 > bytes_max {
        return Err(Error::TooLarge { what: path.display().to_string(), bytes_max });
    }
    Ok(bytes)
}

/// A component.
pub(super) fn component(path: &Path) -> Result<Vec<u8>, Error> {
    at_most(path, COMPONENT_BYTES_MAX)
}

/// A key's text.
pub(crate) fn key(path: &Path) -> Result<String, Error> {
    let bytes = at_most(path, KEY_BYTES_MAX)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// `<file>.minisig`.
pub(super) fn signature_path(file: &Path) -> PathBuf {
    let mut name = OsString::from(file);
    name.push(format!(".{EXTENSION}"));
    name.into()
}

/// The signature of a file: the one that is named, which must be there, or the one beside it.
pub(super) fn signature(file: &Path, named: Option<&Path>) -> Result<Option<String>, Error> {
    let beside = signature_path(file);
    match at_most(named.unwrap_or(&beside), SIGNATURE_BYTES_MAX) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(Error::File(FileError { source, .. })) if named.is_none() && source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes a file; `private`: for its owner alone, and never over another one.
pub(super) fn write(path: &Path, bytes: &[u8], private: bool) -> Result<(), Error> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut options = File::options();
    options.write(true);
    if private {
        options.create_new(true).mode(0o600);
    } else {
        options.create(true).truncate(true);
    }
    let mut file = options.open(path).map_err(FileError::at(path))?;
    Ok(file.write_all(bytes).and_then(|()| file.sync_all()).map_err(FileError::at(path))?)
}
