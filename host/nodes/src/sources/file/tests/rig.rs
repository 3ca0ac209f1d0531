//! A source that runs on a thread of its own over a real folder, and an outlet that the test steers.

use crate::sources::{Outlet, Reading, RunOptions, SourceError, Stream};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_codecs::Frame;
use tamis_config::{Config, FileSource, ProcessEnvironment, Source};

/// What is waited for comes within this time, or never.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Stream, offset, text.
    pub(super) records: Vec<(String, u64, String)>,
    pub(super) rejected: Vec<(u64, String)>,
    pub(super) events: BTreeMap<&'static str, u64>,
    pub(super) reading: Vec<Reading>,
    safe: BTreeMap<u64, u64>,
    pending: Vec<(u64, u64)>,
    acknowledge: bool,
    stop: bool,
}

struct Sink(Arc<Mutex<Shared>>);

impl Sink {
    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.0.lock().unwrap()
    }
}

impl Outlet for Sink {
    fn on_safe(&mut self, _wake: std::sync::Arc<dyn Fn() + Send + Sync>) {}

    fn send(&mut self, stream: &Stream, frame: Frame, end: u64) -> bool {
        let mut shared = self.lock();
        assert!(frame.count() > 0);
        if shared.stop {
            return false;
        }
        for row in 0..frame.records.rows.len() {
            let text = String::from_utf8_lossy(frame.records.get(row)).into_owned();
            shared.records.push((stream.name.to_string(), frame.offset(row), text));
        }
        shared.rejected.extend(frame.rejected.into_iter().map(|r| (r.offset, r.reason)));
        if shared.acknowledge {
            shared.safe.insert(stream.id, end)
        } else {
            None
        };
        if !shared.acknowledge {
            shared.pending.push((stream.id, end));
        }
        true
    }

    fn safe(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.lock().safe).into_iter().collect()
    }

    fn finish(&mut self) {}

    fn stopping(&self) -> bool {
        self.lock().stop
    }

    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn expect(&mut self, _: u64) {}

    fn reading(&mut self, files: Vec<Reading>) {
        self.lock().reading = files;
    }

    fn event(&mut self, event: &'static str, count: u64) {
        *self.lock().events.entry(event).or_default() += count;
    }

    fn events(&self) -> crate::sources::Events {
        std::sync::Arc::new(|_, _| {})
    }
}

/// A folder with logs, and the configuration of a source that reads them.
pub(super) struct Rig {
    pub(super) folder: tempfile::TempDir,
    pub(super) source: FileSource,
    pub(super) options: RunOptions,
}

impl Rig {
    /// `keys`: further keys of the source, as YAML. Paths in it are relative to `$` for the folder.
    pub(super) fn new(pattern: &str, keys: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("logs")).unwrap();
        let logs = folder.path().join("logs").display().to_string();
        let text = format!(
            "version: 1\nsources: {{ s: {{ type: file, paths: ['{logs}/{pattern}'], codec: json, poll: 10ms, rotate_wait: 200ms, {keys} }} }}\n"
        )
        .replace('$', &logs);
        let (config, diagnostics) = Config::parse("t.yaml", &text, folder.path(), &ProcessEnvironment);
        let config = config.unwrap_or_else(|| panic!("{}", diagnostics.render(false)));
        let Source::File(source) = config.sources["s"].value.clone() else { panic!("a file source") };
        let mut options = RunOptions::new("s", false, &config.settings);
        options.data_dir = folder.path().join("data");
        options.checkpoint_interval = Duration::from_millis(10);
        Self { folder, source, options }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("logs").join(name)
    }

    pub(super) fn checkpoint(&self) -> PathBuf {
        self.folder.path().join("data/checkpoints/s.json")
    }

    pub(super) fn append(&self, name: &str, text: &str) {
        let mut file = std::fs::OpenOptions::new().append(true).create(true).open(self.path(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }

    pub(super) fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    pub(super) fn copy_truncate(&self, name: &str, copy: &str) {
        std::fs::copy(self.path(name), self.path(copy)).unwrap();
        std::fs::OpenOptions::new().write(true).open(self.path(name)).unwrap().set_len(0).unwrap();
    }

    /// As `gzip` does: the compressed file gets the time of the other, which goes.
    pub(super) fn compress(&self, name: &str) {
        let bytes = std::fs::read(self.path(name)).unwrap();
        let modified = std::fs::metadata(self.path(name)).unwrap().modified().unwrap();
        let gz = self.path(&format!("{name}.gz"));
        std::fs::write(&gz, gzip(&bytes)).unwrap();
        std::fs::OpenOptions::new().write(true).open(&gz).unwrap().set_modified(modified).unwrap();
        std::fs::remove_file(self.path(name)).unwrap();
    }

    pub(super) fn start(&self) -> Running {
        self.start_with(true)
    }

    /// With `acknowledge: false` nothing becomes safe, as if every sink were down.
    pub(super) fn start_with(&self, acknowledge: bool) -> Running {
        let shared = Arc::new(Mutex::new(Shared { acknowledge, ..Shared::default() }));
        let (source, options, mut sink) = (self.source.clone(), self.options.clone(), Sink(Arc::clone(&shared)));
        let thread = std::thread::spawn(move || super::super::run(&source, &options, &mut sink));
        Running { shared, thread }
    }

    /// Runs with `--once` and gives what was delivered.
    pub(super) fn once(&self) -> Shared {
        self.try_once().0
    }

    pub(super) fn try_once(&self) -> (Shared, Result<(), SourceError>) {
        let shared = Arc::new(Mutex::new(Shared { acknowledge: true, ..Shared::default() }));
        let options = RunOptions { once: true, ..self.options.clone() };
        let result = super::super::run(&self.source, &options, &mut Sink(Arc::clone(&shared)));
        let shared = std::mem::take(&mut *shared.lock().unwrap());
        (shared, result)
    }
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

impl Shared {
    pub(super) fn texts(&self) -> Vec<&str> {
        self.records.iter().map(|(_, _, text)| text.as_str()).collect()
    }

    pub(super) fn count(&self, event: &str) -> u64 {
        self.events.get(event).copied().unwrap_or_default()
    }
}

pub(super) struct Running {
    shared: Arc<Mutex<Shared>>,
    thread: JoinHandle<Result<(), SourceError>>,
}

impl Running {
    pub(super) fn wait(&self, what: &str, is_so: impl Fn(&Shared) -> bool) {
        let started = Instant::now();
        while !is_so(&self.shared.lock().unwrap()) {
            assert!(started.elapsed() < PATIENCE, "waiting for {what}: {:?}", self.shared.lock().unwrap());
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(super) fn wait_for(&self, text: &str) {
        self.wait(text, |shared| shared.records.iter().any(|(_, _, found)| found == text));
    }

    pub(super) fn wait_event(&self, event: &str) {
        self.wait(event, |shared| shared.count(event) > 0);
    }

    /// What is under way becomes safe, and what comes later does so at once (or not).
    pub(super) fn acknowledge(&self, acknowledge: bool) {
        let mut shared = self.shared.lock().unwrap();
        shared.acknowledge = acknowledge;
        for (id, end) in std::mem::take(&mut shared.pending) {
            shared.safe.insert(id, end);
        }
    }

    pub(super) fn stop(self) -> Shared {
        self.shared.lock().unwrap().stop = true;
        self.thread.join().unwrap().unwrap();
        std::mem::take(&mut *self.shared.lock().unwrap())
    }
}

pub(super) fn sleep(ms: u64) {
    std::thread::sleep(Duration::from_millis(ms));
}

/// Some lines that tell a file by their beginning.
pub(super) fn lines(name: &str, range: std::ops::Range<u32>) -> String {
    range.map(|i| format!("{{\"file\":\"{name}\",\"number\":{i},\"padding\":\"................\"}}\n")).collect()
}

pub(super) fn numbers(shared: &Shared, name: &str) -> Vec<u64> {
    let parsed = shared.records.iter().filter_map(|(_, _, text)| serde_json::from_str::<serde_json::Value>(text).ok());
    parsed.filter(|record| record["file"] == name).filter_map(|record| record["number"].as_u64()).collect()
}

pub(super) fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
