//! The generations there were: a line for each request in `<data_dir>/generations/history.ndjson`, and for each
//! generation what it takes to run it again: its files in `<data_dir>/generations/<number>.json`, its plugins by digest in
//! `<data_dir>/generations/plugins/`.

use super::{Answer, Planned, Request};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tamis_config::{Diagnostics, FileText, PluginsPolicy};
use tamis_registry::Origin;
use tamis_runtime::Tools;

/// Generations that can be returned to; older ones are forgotten, but for their lines in the history.
pub const GENERATIONS_KEPT: usize = 16;
/// Bytes of the history, beyond which its older half is forgotten: whoever moves a tag back and forth adds a line each time.
const HISTORY_BYTES_MAX: u64 = 16 << 20;

/// Why the history cannot be read, written or followed.
#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    /// A file.
    #[error("the history of generations: `{}`: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// There is nothing to go back to.
    #[error("there is no earlier generation to go back to: none that is kept is another one than what runs")]
    NoneBefore,
    /// That generation is not there, or no more.
    #[error("generation {wanted} is not kept; kept are {kept} (the last {GENERATIONS_KEPT})")]
    NotKept {
        /// Which was asked for.
        wanted: u64,
        /// Which there are.
        kept: String,
    },
    /// The kept files are damaged.
    #[error("generation {generation} was kept and is damaged: {reason}")]
    Damaged {
        /// Which.
        generation: u64,
        /// What is wrong.
        reason: String,
    },
}

/// A line of the history.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    /// The generation that ran afterwards.
    pub generation: u64,
    /// When, as RFC 3339 in UTC.
    pub time: String,
    /// What was asked for: `start`, `reload`, `rollback`.
    pub asked: String,
    /// Who asked.
    pub who: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// What became of it: `applied`, `unchanged`, `refused`, `failed`.
    pub result: String,
    /// In a sentence.
    pub message: String,
    /// What changed, in words.
    #[serde(default)]
    pub changes: Vec<String>,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

impl Entry {
    pub(super) fn new(request: &Request, answer: &Answer) -> Self {
        Self {
            generation: answer.generation,
            time: now(),
            asked: request.ask.word().into(),
            who: request.who.clone(),
            why: request.why.clone(),
            result: answer.result.word().into(),
            message: answer.message.clone(),
            changes: answer.changes.iter().map(ToString::to_string).collect(),
            took_ms: answer.took_ms,
        }
    }

    /// The line of a start.
    pub fn started(generation: u64, message: String) -> Self {
        Self {
            generation,
            time: now(),
            asked: "start".into(),
            who: "tamis run".into(),
            why: None,
            result: "applied".into(),
            message,
            changes: Vec::new(),
            took_ms: 0,
        }
    }
}

fn now() -> String {
    humantime::format_rfc3339_millis(SystemTime::now().max(UNIX_EPOCH)).to_string()
}

/// What it takes to run a generation again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Snapshot {
    pub(super) generation: u64,
    files: Vec<FileText>,
    /// `sha256:…` of each plugin's component, by name.
    plugins: BTreeMap<String, String>,
    #[serde(skip)]
    data_dir: PathBuf,
}

/// The digest of each plugin's component, by name.
fn digests(planned: &Planned) -> BTreeMap<String, String> {
    planned.plan.plugins.iter().map(|(name, plan)| (name.clone(), plan.digest.clone())).collect()
}

impl Snapshot {
    /// Whether it is the same files and components.
    fn is_of(&self, planned: &Planned) -> bool {
        self.files == planned.files && self.plugins == digests(planned)
    }

    /// Plans it. The environment and the files of secrets are read as they are now.
    /// `policy` counts in place of the one that was kept.
    pub(super) fn plan(&self, before: Option<&Tools>, policy: Option<&PluginsPolicy>) -> (Option<Planned>, Diagnostics) {
        let component = |name: &str| self.plugins.get(name).map(|digest| blob(&self.data_dir, digest));
        Planned::of(self.files.clone(), Diagnostics::new(), before, component, policy, true)
    }
}

/// The last generation that ran, planned.
#[derive(Debug)]
pub struct LastGood {
    /// Its number.
    pub generation: u64,
    /// What it is.
    pub planned: Planned,
}

/// The configuration files of the generations that a data folder keeps, newest first. Damaged ones are passed over; nothing is written.
pub fn kept_files(data_dir: &Path) -> impl Iterator<Item = (u64, Vec<FileText>)> {
    let history = History { data_dir: data_dir.into(), file: None };
    history.kept().into_iter().rev().filter_map(move |number| {
        let bytes = fs::read(history.path(number)).ok()?;
        let snapshot: Snapshot = serde_json::from_slice(&bytes).ok()?;
        Some((number, snapshot.files))
    })
}

/// Where a data folder keeps the component of this digest for its generations, if it does.
pub fn kept_component(data_dir: &Path, digest: &tamis_config::Digest) -> PathBuf {
    blob(data_dir, digest.as_str())
}

/// The history of a data folder.
#[derive(Debug)]
pub struct History {
    data_dir: PathBuf,
    /// Whether it can be written.
    file: Option<File>,
}

fn blob(data_dir: &Path, digest: &str) -> PathBuf {
    data_dir.join("generations/plugins").join(format!("{}.wasm", digest.strip_prefix("sha256:").unwrap_or(digest)))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> HistoryError {
    let path = path.to_path_buf();
    move |error| HistoryError::File { path, error }
}

/// Makes a folder that is this user's alone: configurations may hold what others must not read.
fn own_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Writes a file as a whole: a reader, or the next start after a power cut, finds the old one or the new one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    own_folder(folder)?;
    let beside = path.with_extension("new");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    File::open(folder)?.sync_all()
}

impl History {
    /// The history in a data folder. One that cannot be written is told and not kept.
    pub fn open(data_dir: &Path) -> Self {
        let folder = data_dir.join("generations");
        let path = folder.join("history.ndjson");
        let open = || {
            let mut file = OpenOptions::new().create(true).append(true).mode(0o600).open(&path)?;
            // A line that a power cut left unfinished must not take the next one with it.
            if fs::read(&path)?.last().is_some_and(|byte| *byte != b'\n') {
                file.write_all(b"\n")?;
            }
            Ok(file)
        };
        let file = own_folder(&folder).and_then(|()| open());
        let file = file.inspect_err(|error| {
            tracing::warn!("`{}`: {error}; generations of this host are not kept, so there is no rollback", path.display());
        });
        Self { data_dir: data_dir.into(), file: file.ok() }
    }

    /// One that keeps nothing.
    pub fn none() -> Self {
        Self { data_dir: PathBuf::new(), file: None }
    }

    /// The number of the last generation there was; 0 when there was none.
    pub fn last(&self) -> u64 {
        self.kept().last().copied().unwrap_or(0).max(self.entries(1).ok().and_then(|e| e.last().map(|e| e.generation)).unwrap_or(0))
    }

    /// Writes down what happened, and keeps the generation that began with it.
    ///
    /// # Errors
    /// What cannot be written. The generation runs all the same.
    pub fn add(&mut self, entry: &Entry, began: Option<&Planned>) -> Result<(), HistoryError> {
        let components = began.map(|planned| planned.tools.take_components()).unwrap_or_default();
        if let Err(error) = self.shorten(HISTORY_BYTES_MAX) {
            tracing::warn!("the history of generations cannot be shortened: {error}");
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let path = self.data_dir.join("generations/history.ndjson");
        let mut line = serde_json::to_vec(entry).unwrap_or_default();
        line.push(b'\n');
        file.write_all(&line).and_then(|()| file.sync_data()).map_err(failed(&path))?;
        let Some(planned) = began else { return Ok(()) };
        for (name, plan) in &planned.plan.plugins {
            let kept = blob(&self.data_dir, &plan.digest);
            let Some((wasm, signature)) = components.get(name) else { continue };
            if fs::read(&kept).map_or(true, |bytes| digest(&bytes) != plan.digest) {
                write(&kept, wasm).map_err(failed(&kept))?;
            }
            if let Some(signature) = signature {
                let beside = kept.with_extension("wasm.minisig");
                write(&beside, signature.as_bytes()).map_err(failed(&beside))?;
            }
        }
        let (files, plugins) = (planned.files.clone(), digests(planned));
        let snapshot = Snapshot { generation: entry.generation, files, plugins, data_dir: PathBuf::new() };
        let path = self.path(entry.generation);
        write(&path, &serde_json::to_vec(&snapshot).unwrap_or_default()).map_err(failed(&path))?;
        self.forget();
        Ok(())
    }

    fn shorten(&mut self, bytes_max: u64) -> io::Result<()> {
        let Some(file) = self.file.as_ref() else { return Ok(()) };
        if file.metadata()?.len() <= bytes_max {
            return Ok(());
        }
        let path = self.data_dir.join("generations/history.ndjson");
        let text = fs::read(&path)?;
        let later = text.get(text.len() / 2..).unwrap_or_default();
        let lines = later.iter().position(|byte| *byte == b'\n').and_then(|end| later.get(end + 1..)).unwrap_or_default();
        write(&path, lines)?;
        self.file = Some(OpenOptions::new().append(true).open(&path)?);
        Ok(())
    }

    /// The newest entries, oldest first. Lines that are damaged are passed over.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn entries(&self, max: usize) -> Result<Vec<Entry>, HistoryError> {
        let path = self.data_dir.join("generations/history.ndjson");
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(&path)(error)),
        };
        let mut entries = std::collections::VecDeque::new();
        for line in BufReader::new(file).split(b'\n') {
            let line = line.map_err(failed(&path))?;
            if let Ok(entry) = serde_json::from_slice(&line) {
                if entries.len() == max.max(1) {
                    entries.pop_front();
                }
                entries.push_back(entry);
            }
        }
        Ok(entries.into())
    }

    /// The last generation that ran, if it was read from there and still plans.
    pub fn last_good(&self, origin: &Origin) -> Option<LastGood> {
        let generation = self.kept().pop()?;
        let snapshot = self.read(generation).ok()?;
        let planned = snapshot.files.iter().all(|file| origin.is_of(file)).then(|| snapshot.plan(None, None).0).flatten()?;
        Some(LastGood { generation, planned })
    }

    /// A generation to go back to: that of the number, or the newest before `running` that is not the same as what is `planned`. A
    /// start makes a generation too, also one that stands in for files that are not sound.
    pub(super) fn snapshot(&self, wanted: Option<u64>, running: u64, planned: &Planned) -> Result<Snapshot, HistoryError> {
        let kept = self.kept();
        let other = |number: &u64| *number < running && !self.file(*number).is_ok_and(|snapshot| snapshot.is_of(planned));
        let wanted = match wanted {
            Some(wanted) => wanted,
            None => kept.iter().rev().copied().find(other).ok_or(HistoryError::NoneBefore)?,
        };
        if !kept.contains(&wanted) {
            let kept = kept.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(HistoryError::NotKept { wanted, kept: if kept.is_empty() { "none".into() } else { kept } });
        }
        self.read(wanted)
    }

    fn path(&self, generation: u64) -> PathBuf {
        self.data_dir.join("generations").join(format!("{generation}.json"))
    }

    fn file(&self, generation: u64) -> Result<Snapshot, HistoryError> {
        let path = self.path(generation);
        let bytes = fs::read(&path).map_err(failed(&path))?;
        serde_json::from_slice(&bytes).map_err(|error| HistoryError::Damaged { generation, reason: error.to_string() })
    }

    fn read(&self, generation: u64) -> Result<Snapshot, HistoryError> {
        let damaged = |reason: String| HistoryError::Damaged { generation, reason };
        let mut snapshot = self.file(generation)?;
        for (name, wanted) in &snapshot.plugins {
            let path = blob(&self.data_dir, wanted);
            let found = digest(&fs::read(&path).map_err(|error| damaged(format!("plugin `{name}`: `{}`: {error}", path.display())))?);
            if found != *wanted {
                return Err(damaged(format!("plugin `{name}`: `{}` holds {found}, expected {wanted}", path.display())));
            }
        }
        snapshot.data_dir.clone_from(&self.data_dir);
        Ok(snapshot)
    }

    /// The numbers of the generations that are kept, ascending.
    fn kept(&self) -> Vec<u64> {
        let entries = fs::read_dir(self.data_dir.join("generations")).into_iter().flatten().flatten();
        let number = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse().ok();
        entries.filter_map(|entry| number(entry.file_name())).collect::<BTreeSet<u64>>().into_iter().collect()
    }

    /// Removes generations beyond those kept, and plugins that none of the others uses.
    fn forget(&self) {
        let mut kept = self.kept();
        let recent = kept.split_off(kept.len().saturating_sub(GENERATIONS_KEPT));
        let plugins =
            |number: &u64| self.read(*number).map(|snapshot| snapshot.plugins.into_values().collect::<Vec<_>>()).unwrap_or_default();
        let used: BTreeSet<String> = recent.iter().flat_map(plugins).collect();
        for number in kept {
            for digest in plugins(&number).into_iter().filter(|digest| !used.contains(digest)) {
                let blob = blob(&self.data_dir, &digest);
                let _ = fs::remove_file(blob.with_extension("wasm.minisig"));
                let _ = fs::remove_file(blob);
            }
            if let Err(error) = fs::remove_file(self.path(number)) {
                tracing::warn!("generation {number} cannot be forgotten: {error}");
            }
        }
    }
}

fn digest(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().fold("sha256:".to_string(), |mut text, byte| {
        use std::fmt::Write as _;
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_long_history_loses_its_older_half() {
        let folder = tempfile::tempdir().unwrap();
        let mut history = History::open(folder.path());
        for number in 1..=100 {
            history.add(&Entry::started(number, "runs".into()), None).unwrap();
        }
        let bytes = || fs::metadata(folder.path().join("generations/history.ndjson")).unwrap().len();
        let before = bytes();
        history.shorten(before).unwrap();
        assert_eq!(bytes(), before);
        history.shorten(before - 1).unwrap();
        assert!(bytes() <= before / 2 && bytes() > before / 3);
        history.add(&Entry::started(101, "runs".into()), None).unwrap();
        let kept: Vec<u64> = history.entries(1000).unwrap().iter().map(|entry| entry.generation).collect();
        assert!((40..=60).contains(&kept.len()), "{kept:?}");
        assert_eq!(kept, (102 - kept.len() as u64..=101).collect::<Vec<_>>(), "whole lines");
    }
}
