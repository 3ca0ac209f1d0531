#![allow(clippy::unwrap_used)]

mod compressed;
mod files;
mod templates;

use super::*;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};
use tamis_config::{Bytes, Rotation};
use tempfile::TempDir;

/// 2025-01-01 00:00:00 UTC.
const NEW_YEAR: u64 = 1_735_689_600;

/// A sink in a folder of its own, with a clock that stands.
struct Bench {
    folder: TempDir,
    config: Config,
    now: Arc<Mutex<SystemTime>>,
    written: WrittenFiles,
}

impl Bench {
    fn new(path: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(folder.path().join(path).to_str().unwrap());
        Self { folder, config, now: Arc::new(Mutex::new(UNIX_EPOCH + Duration::from_secs(NEW_YEAR))), written: WrittenFiles::default() }
    }

    fn rotating(path: &str, size: Option<u64>, every: Option<Duration>, keep: Option<u32>) -> Self {
        let mut bench = Self::new(path);
        bench.config.rotate = Rotation { size: size.map(Bytes), every, keep };
        bench
    }

    fn open(&self) -> FileSink {
        self.try_open().unwrap()
    }

    fn try_open(&self) -> Result<FileSink, OpenError> {
        let mut sink = FileSink::open(&self.config, &self.written)?;
        let now = Arc::clone(&self.now);
        sink.clock = Box::new(move || *now.lock().unwrap());
        Ok(sink)
    }

    fn pass(&self, seconds: u64) {
        *self.now.lock().unwrap() += Duration::from_secs(seconds);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// All files below the folder, sorted.
    fn names(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, names: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() && !path.is_symlink() {
                    true => walk(&path, root, names),
                    false => names.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned()),
                }
            }
        }
        let mut names = Vec::new();
        walk(self.folder.path(), self.folder.path(), &mut names);
        names.sort();
        names
    }
}

/// Writes all of it.
fn write(sink: &mut FileSink, text: &str) {
    let mut rest = text.as_bytes();
    while !rest.is_empty() {
        let written = sink.write(rest).unwrap();
        assert!(written > 0);
        rest = &rest[written..];
    }
}

fn commit(sink: &mut FileSink) -> bool {
    sink.commit().unwrap().map(|job| job().unwrap()).is_some()
}

/// A line of `length` bytes.
fn line(n: usize, length: usize) -> String {
    let head = format!("{{\"n\":{n},\"pad\":\"");
    format!("{head}{}\"}}\n", "x".repeat(length - head.len() - 3))
}
