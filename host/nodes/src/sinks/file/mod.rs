//! A file that records are appended to.

use super::{OpenError, Sink};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use tamis_record::VarValues;

/// `O_NONBLOCK` of Linux on x86-64 and ARM: opening a pipe without a reader is an error, a full one is tried again later.
const NONBLOCK: i32 = 0o4000;

/// How far back the end of an unfinished last line is looked at.
const LAST_LINE_BYTES_MAX: u64 = 128 * 1024 * 1024;

/// Appends to a file, which is made with its folders when it is missing.
#[derive(Debug)]
pub struct FileSink {
    path: PathBuf,
    mode: u32,
    file: Option<File>,
}

impl FileSink {
    /// Opens the file now.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let mut sink = Self { path: path.into(), mode: 0o644, file: None };
        sink.file().map_err(|error| OpenError { path: path.into(), error })?;
        Ok(sink)
    }

    /// A file for the host's own use: made at the first write, readable by its owner alone.
    pub fn private(path: &Path) -> Self {
        Self { path: path.into(), mode: 0o600, file: None }
    }

    fn file(&mut self) -> io::Result<&mut File> {
        let file = match self.file.take() {
            Some(file) => file,
            None => {
                if let Some(folder) = self.path.parent().filter(|f| !f.as_os_str().is_empty()) {
                    let mode = if self.mode == 0o600 { 0o700 } else { 0o755 };
                    DirBuilder::new().recursive(true).mode(mode).create(folder)?;
                }
                // A pipe that nobody reads would hold the host up for ever, before it even looks at signals.
                let pipe = self.path.metadata().is_ok_and(|m| m.file_type().is_fifo());
                let flags = if pipe { NONBLOCK } else { 0 };
                let mut file = OpenOptions::new().append(true).create(true).mode(self.mode).custom_flags(flags).open(&self.path)?;
                end_last_line(&mut file, &self.path)?;
                file
            }
        };
        Ok(self.file.insert(file))
    }
}

impl Sink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        write_once(self.file()?, bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

/// One write of as much as the system takes, which is at least a byte.
pub(super) fn write_once(file: &mut File, bytes: &[u8]) -> io::Result<usize> {
    loop {
        match file.write(bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Sees to it that what is appended begins a line. A last line without an end that is JSON gets its end; any other is what
/// a write left that did not finish (its record was not delivered and comes again): it is cut off.
fn end_last_line(file: &mut File, path: &Path) -> io::Result<()> {
    let metadata = file.metadata()?;
    let length = metadata.len();
    if !metadata.is_file() || length == 0 {
        return Ok(());
    }
    let reader = File::open(path)?;
    let mut window = 64 * 1024u64;
    let (start, tail) = loop {
        let start = length.saturating_sub(window);
        let mut tail = vec![0; usize::try_from(length - start).unwrap_or(usize::MAX)];
        reader.read_exact_at(&mut tail, start)?;
        match memchr::memrchr(b'\n', &tail) {
            Some(at) => break (start + at as u64 + 1, tail.split_off(at + 1)),
            None if start == 0 => break (0, tail),
            None if window >= LAST_LINE_BYTES_MAX => return Ok(()),
            None => window *= 2,
        }
    };
    if tail.is_empty() {
        return Ok(());
    }
    let values = VarValues { offsets: vec![0, tail.len() as u32], bytes: tail };
    if tamis_record::check_json(&values, |_| true).is_ok() {
        return file.write_all(b"\n");
    }
    tracing::warn!("`{}` ended with {} bytes of a record that was not finished: they are cut off", path.display(), length - start);
    file.set_len(start)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn appends_and_makes_folders() {
        let folder = std::env::temp_dir().join(format!("tamis-file-sink-{}", std::process::id()));
        let path = folder.join("a/b.ndjson");
        for _ in 0..2 {
            FileSink::open(&path).unwrap().write(b"x\n").unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), b"x\nx\n");
        for (before, after) in
            [("{\"a\":1}\n{\"b\":", "{\"a\":1}\ny\n"), ("{\"a\":1}", "{\"a\":1}\ny\n"), ("{\"b", "y\n"), ("", "y\n"), ("1\n", "1\ny\n")]
        {
            std::fs::write(&path, before).unwrap();
            FileSink::open(&path).unwrap().write(b"y\n").unwrap();
            assert_eq!(std::fs::read_to_string(&path).unwrap(), after, "{before:?}");
        }
        let private = folder.join("private/c.ndjson");
        let mut sink = FileSink::private(&private);
        assert!(!private.exists());
        sink.write(b"y\n").unwrap();
        assert_eq!(private.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(private.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
        let error = FileSink::open(&path.join("below")).unwrap_err().to_string();
        assert!(error.starts_with("cannot open `"), "{error}");
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
