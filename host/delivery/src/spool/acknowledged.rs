//! The file that says up to where entries were delivered: one line, `acknowledged <sequence> crc32 <8 hexadecimal digits>`,
//! the checksum (CRC-32, IEEE 802.3) over what stands before ` crc32`.

use crate::disk::{Disk, FILE_MODE};
use std::io;
use std::path::Path;

pub(super) const FILE_NAME: &str = "acknowledged";
/// A new version under way. Left over after a crash it means nothing.
pub(super) const NEW_FILE_NAME: &str = "acknowledged.new";

/// The longest line is shorter.
const LINE_BYTES_MAX: usize = 64;

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    Absent,
    Damaged,
    Sequence(u64),
}

pub(super) fn read(disk: &dyn Disk, folder: &Path) -> io::Result<Found> {
    let file = match disk.open_read(&folder.join(FILE_NAME)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Found::Absent),
        Err(error) => return Err(error),
    };
    let mut buffer = [0; LINE_BYTES_MAX + 1];
    let read = file.read_full_at(&mut buffer, 0)?;
    Ok(buffer.get(..read).and_then(parse).map_or(Found::Damaged, Found::Sequence))
}

/// Writes beside and renames, so that there is a whole line at any moment, and returns when it is durable.
pub(super) fn write(disk: &dyn Disk, folder: &Path, sequence: u64) -> io::Result<()> {
    let (new, path) = (folder.join(NEW_FILE_NAME), folder.join(FILE_NAME));
    // Remains of an earlier attempt, possibly one whose sync failed: a new file has no such past.
    match disk.remove(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = disk.open_append(&new, FILE_MODE)?;
    file.write_all(line(sequence).as_bytes())?;
    file.sync("spool.acknowledged")?;
    disk.rename(&new, &path)?;
    disk.sync_folder(folder, "spool.acknowledged.folder")
}

fn line(sequence: u64) -> String {
    let said = format!("acknowledged {sequence}");
    format!("{said} crc32 {:08x}\n", crc32fast::hash(said.as_bytes()))
}

fn parse(bytes: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(bytes).ok()?;
    let sequence = text.strip_prefix("acknowledged ")?.split(' ').next()?.parse().ok()?;
    (sequence <= u64::MAX / 4 && line(sequence) == text).then_some(sequence)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_back_and_no_damaged_one_is() {
        let good = line(1234);
        assert_eq!(parse(good.as_bytes()), Some(1234));
        for at in 0..good.len() {
            assert_eq!(parse(&good.as_bytes()[..at]), None);
            for bit in 0..8 {
                let mut bad = good.clone().into_bytes();
                bad[at] ^= 1 << bit;
                assert_eq!(parse(&bad), None, "byte {at}, bit {bit}");
            }
        }
        assert_eq!(parse(line(u64::MAX).as_bytes()), None);
    }
}
