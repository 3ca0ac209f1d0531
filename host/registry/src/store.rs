//! What was pulled, by digest: a file is called what its bytes hash to, and is believed only as long as they do.

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use tamis_config::Digest;
use tamis_config::FileError;

use crate::lock::replace;
use crate::read::read_at_most;
use crate::{Error, digest_of};

/// A folder of manifests and components, `sha256/<64 digits>` each.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

impl Store {
    /// The store in `folder`, which need not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The store of a host with this data directory.
    pub fn in_data_dir(data_dir: &Path) -> Self {
        Self::new(data_dir.join("plugins"))
    }

    /// Where the bytes of a digest lie, or would.
    pub fn path(&self, digest: &Digest) -> PathBuf {
        self.folder.join("sha256").join(digest.hex())
    }

    /// The bytes of a digest; `None` when they are not kept.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the bytes are others, [`Error::TooLarge`], [`Error::File`].
    pub fn get(&self, digest: &Digest, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
        let path = self.path(digest);
        let bytes = match read_at_most(&path, bytes_max) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Err(Error::TooLarge { what: path.display().to_string(), bytes_max }),
            Err(Error::File(FileError { source, .. })) if source.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if digest_of(&bytes) == *digest { Ok(Some(bytes)) } else { Err(Error::Damaged { path }) }
    }

    /// Keeps bytes under their digest, which the caller has checked.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn put(&self, digest: &Digest, bytes: &[u8]) -> Result<(), Error> {
        let path = self.path(digest);
        let folder = self.folder.join("sha256");
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(FileError::at(folder))?;
        replace(&path, bytes, 0o600)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bytes_of_the_digest_come_back() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::in_data_dir(folder.path());
        let digest = digest_of(b"bytes");
        assert_eq!(store.get(&digest, 100).unwrap(), None);
        store.put(&digest, b"bytes").unwrap();
        assert_eq!(store.get(&digest, 100).unwrap().as_deref(), Some(&b"bytes"[..]));
        assert!(matches!(store.get(&digest, 4), Err(Error::TooLarge { .. })));
        fs::write(store.path(&digest), b"bytez").unwrap();
        assert!(matches!(store.get(&digest, 100), Err(Error::Damaged { .. })));
    }
}
