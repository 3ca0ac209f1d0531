//! Files with a limit.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use tamis_config::FileError;

use crate::Error;

/// Refuses what would be waited for until somebody writes to it.
///
/// # Errors
/// [`Error::File`].
pub fn no_pipe(path: &Path) -> Result<(), Error> {
    let kind = std::fs::metadata(path).map_err(FileError::at(path))?.file_type();
    if kind.is_fifo() || kind.is_socket() {
        return Err(FileError::at(path)(std::io::Error::other("expected a file, found a pipe or a socket")).into());
    }
    Ok(())
}

/// The bytes of a file, or `None` when it has more than `bytes_max`. Not `fs::read`: a device such as `/dev/zero` has no end.
pub(crate) fn read_at_most(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    no_pipe(path)?;
    let file = File::open(path).map_err(FileError::at(path))?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(FileError::at(path))?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}
