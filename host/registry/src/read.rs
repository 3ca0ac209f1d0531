//! Files with a limit.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use crate::Error;

/// The bytes of a file, or `None` when it has more than `bytes_max`. Not `fs::read`: a device such as `/dev/zero` has no end.
pub(crate) fn read_at_most(path: &Path, bytes_max: u64) -> Result<Option<Vec<u8>>, Error> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(Error::file(path))?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(Error::file(path))?;
    Ok((bytes.len() as u64 <= bytes_max).then_some(bytes))
}
