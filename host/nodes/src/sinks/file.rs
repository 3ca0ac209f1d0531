//! A file that records are appended to.

use super::{OpenError, Sink};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

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
                OpenOptions::new().append(true).create(true).mode(self.mode).open(&self.path)?
            }
        };
        Ok(self.file.insert(file))
    }
}

impl Sink for FileSink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.file()?.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => return other,
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
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
