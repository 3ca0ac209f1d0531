//! Waits for changes of a plugin's sources.

use anyhow::Context as _;
use notify::event::{EventKind, ModifyKind};
use notify::{Event, RecommendedWatcher, RecursiveMode, Watcher};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// An editor writes several files, and one in several steps: nothing must have changed for so long.
const QUIET: Duration = Duration::from_millis(150);
/// A change is not waited out for longer than this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Folders that tools write to.
const NOT_SOURCES: [&str; 6] = ["target", "node_modules", "dist", "build", "__pycache__", "venv"];

/// Watches a plugin's folder, but for what tools write.
pub(super) struct Watch {
    folder: PathBuf,
    watcher: RecommendedWatcher,
    events: Receiver<notify::Result<Event>>,
    /// Subfolders under watch.
    watched: BTreeSet<PathBuf>,
}

impl Watch {
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        let (send, events) = channel();
        let watcher = notify::recommended_watcher(send).context("cannot watch files")?;
        let folder = folder.canonicalize().with_context(|| format!("cannot watch {}", folder.display()))?;
        let mut watch = Self { folder, watcher, events, watched: BTreeSet::new() };
        let whole = watch.folder.clone();
        watch.watcher.watch(&whole, RecursiveMode::NonRecursive).with_context(|| format!("cannot watch {}", whole.display()))?;
        watch.follow();
        Ok(watch)
    }

    /// Returns when sources have changed and are quiet again.
    pub(super) fn changed(&mut self) -> anyhow::Result<()> {
        loop {
            let first = self.events.recv().context("files are no longer watched")?;
            if self.counts(&first) {
                break;
            }
        }
        let (began, mut last) = (Instant::now(), Instant::now());
        while last.elapsed() < QUIET && began.elapsed() < PATIENCE {
            match self.events.recv_timeout(QUIET.saturating_sub(last.elapsed())) {
                Ok(event) if self.counts(&event) => last = Instant::now(),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => break,
                Err(error @ RecvTimeoutError::Disconnected) => return Err(error).context("files are no longer watched"),
            }
        }
        self.follow();
        Ok(())
    }

    /// Whether an event is a change of a source. Lost events may have been one.
    fn counts(&self, event: &notify::Result<Event>) -> bool {
        let Ok(event) = event else { return true };
        let changes = match event.kind {
            EventKind::Access(_) | EventKind::Modify(ModifyKind::Metadata(_)) => false,
            EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
        };
        changes && (event.need_rescan() || event.paths.iter().any(|path| is_source(&self.folder, path)))
    }

    /// Watches subfolders that came.
    fn follow(&mut self) {
        let entries = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let folders: BTreeSet<PathBuf> =
            entries.map(|entry| entry.path()).filter(|path| path.is_dir() && is_source(&self.folder, path)).collect();
        for folder in folders.difference(&self.watched) {
            // One that went again in the meantime is no loss.
            let _ = self.watcher.watch(folder, RecursiveMode::Recursive);
        }
        self.watched = folders;
    }
}

/// Whether a path below `folder` is none that a tool or an editor writes for itself.
fn is_source(folder: &Path, path: &Path) -> bool {
    let below = path.strip_prefix(folder).unwrap_or(path);
    let names = below.components().map(|part| part.as_os_str().to_string_lossy());
    let is_own = |name: &str| {
        NOT_SOURCES.contains(&name) || name.starts_with('.') || name.ends_with(['~', '#']) || name == "Cargo.lock" || name.ends_with(".swp")
    };
    below.components().next().is_some() && !names.into_iter().any(|name| is_own(&name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tools_write_is_no_source() {
        let is = |path: &str| is_source(Path::new("/p"), &Path::new("/p").join(path));
        for path in ["src/lib.rs", "cases/a.yaml", "Cargo.toml", "cases/a.golden.ndjson"] {
            assert!(is(path), "{path}");
        }
        for path in ["", "target/x", "src/.lib.rs.swp", "src/lib.rs~", ".git/index", "node_modules/a/b.js", "Cargo.lock"] {
            assert!(!is(path), "{path}");
        }
    }

    #[test]
    fn a_change_is_noticed_and_what_tools_write_is_not() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::create_dir(folder.path().join("src")).expect("a folder");
        std::fs::create_dir(folder.path().join("target")).expect("a folder");
        let mut watch = Watch::new(folder.path()).expect("it watches");
        std::fs::write(folder.path().join("target/x"), "x").expect("a file");
        std::fs::write(folder.path().join("src/a.rs"), "a").expect("a file");
        watch.changed().expect("a change");
        std::fs::create_dir(folder.path().join("cases")).expect("a folder");
        watch.changed().expect("a new folder");
        std::fs::write(folder.path().join("cases/a.yaml"), "a").expect("a file");
        watch.changed().expect("a change in the new folder");
    }
}
