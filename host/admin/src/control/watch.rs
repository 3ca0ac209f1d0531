//! Watching the configuration's files and those of its plugins, and the tags of registries that lead to it: a change that has settled
//! is a request to reload.

use super::{Ask, Control, Request};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tamis_registry::Origin;

/// How often files are looked at. Looking works on every file system, and through the links that Kubernetes mounts with.
const POLL: Duration = Duration::from_millis(500);
/// How long nothing may change before a change is taken up: an editor, or a copy, writes in pieces.
const SETTLED: Duration = Duration::from_secs(1);

/// How often registries are asked where tags lead, unless another time is given.
pub const FOLLOW_INTERVAL: Duration = Duration::from_secs(30);

/// What is looked at of a file: device, inode, size, time of its last change.
type Look = Option<(u64, u64, u64, i64, i64)>;

/// What was seen when it was looked last.
#[derive(Debug, Default)]
pub struct Watch {
    /// The files and folders that were asked for.
    asked: BTreeSet<PathBuf>,
    seen: BTreeMap<PathBuf, Look>,
    changed: Option<Instant>,
}

/// Follows the tags that lead to a configuration until `ended` says so, on this thread, asking `every` so often.
pub fn follow(origin: &Origin, control: &Control, every: Duration, ended: impl Fn() -> bool) {
    let (mut is_silent, mut asked) = (false, Instant::now());
    while !ended() {
        std::thread::sleep(POLL);
        if asked.elapsed() < every {
            continue;
        }
        match origin.moved() {
            Ok(moved) => {
                if std::mem::take(&mut is_silent) {
                    tracing::info!("the tags of the configuration are followed again");
                }
                if let Some(why) = moved {
                    let _ = control.ask(Request { ask: Ask::Reload, who: "--watch".into(), why: Some(why) }, drop);
                }
            }
            Err(error) if !is_silent => {
                is_silent = true;
                tracing::warn!("the tags of the configuration cannot be followed: {error}; what was taken runs on");
            }
            Err(_) => {}
        }
        asked = Instant::now();
    }
}

fn look(metadata: &Metadata) -> (u64, u64, u64, i64, i64) {
    (metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec())
}

fn look_at(path: &Path, seen: &mut BTreeMap<PathBuf, Look>) {
    let metadata = std::fs::metadata(path).ok();
    if metadata.as_ref().is_some_and(Metadata::is_dir) {
        for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
            let is_yaml = entry.path().extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
            if is_yaml {
                seen.insert(entry.path(), std::fs::metadata(entry.path()).ok().as_ref().map(look));
            }
        }
    }
    let is_file = metadata.filter(|metadata| !metadata.is_dir());
    seen.insert(path.into(), is_file.as_ref().map(look));
}

impl Watch {
    /// What these files and folders are like now, before they are read: a change from here on counts.
    pub fn of(files: &[PathBuf]) -> Self {
        let mut watch = Self::default();
        watch.settled(files, Instant::now());
        watch
    }

    /// Watches until `ended` says so, on this thread.
    pub fn run(mut self, control: &Control, ended: impl Fn() -> bool) {
        while !ended() {
            if self.settled(&control.files(), Instant::now()) {
                let request = Request { ask: Ask::Reload, who: "--watch".into(), why: Some("a file changed".into()) };
                // One that is refused because many wait is covered by them.
                let _ = control.ask(request, drop);
            }
            std::thread::sleep(POLL);
        }
    }

    /// Whether the files changed, and have not since for as long as it takes.
    fn settled(&mut self, files: &[PathBuf], now: Instant) -> bool {
        let mut seen = BTreeMap::new();
        for file in files {
            let before = seen.len();
            look_at(file, &mut seen);
            // One that is asked for for the first time, such as a new plugin, is as it is.
            if self.asked.insert(file.clone()) && seen.len() > before {
                let mut first = BTreeMap::new();
                look_at(file, &mut first);
                self.seen.extend(first);
            }
        }
        self.asked.retain(|file| files.contains(file));
        // What is no longer asked for is no change either.
        self.seen.retain(|path, _| seen.contains_key(path) || files.iter().any(|file| path.starts_with(file)));
        if seen != self.seen {
            self.seen = seen;
            self.changed = Some(now);
            return false;
        }
        self.changed.take_if(|at| now.duration_since(*at) >= SETTLED).is_some()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_change_counts_when_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("tamis.yaml");
        let files = [file.clone(), folder.path().into()];
        let (mut watch, start) = (Watch::default(), Instant::now());
        std::fs::write(&file, "a").unwrap();
        assert!(!watch.settled(&files, start), "the first look");
        assert!(!watch.settled(&files, start + SETTLED), "nothing changed");
        std::fs::write(&file, "ab").unwrap();
        assert!(!watch.settled(&files, start + SETTLED));
        std::fs::write(&file, "abc").unwrap();
        assert!(!watch.settled(&files, start + SETTLED * 2), "it goes on changing");
        assert!(watch.settled(&files, start + SETTLED * 3));
        assert!(!watch.settled(&files, start + SETTLED * 4), "once");
        std::fs::write(folder.path().join("more.yaml"), "").unwrap();
        assert!(!watch.settled(&files, start + SETTLED * 5));
        assert!(watch.settled(&files, start + SETTLED * 6), "another file in the folder");
    }
}
