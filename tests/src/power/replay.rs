//! From calls to the simulated disk.

use super::strace::{Call, Event};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use tamis_delivery::disk::{Disk as _, FILE_MODE};
use tamis_delivery::simulation::{SimDisk, SyncUnderWay};

/// The folder of input, which no power loss touches.
pub(super) const INPUT: &str = "/in";
/// The checkpoint of the run's only source.
const CHECKPOINT: &str = "/data/checkpoints/in.json";

/// How far each input file was safe, in bytes from its beginning, according to a checkpoint that was durable from a moment on.
#[derive(Debug, Clone)]
pub struct Promise {
    /// The moment on the replayed disk.
    pub moment: usize,
    /// By path.
    pub positions: BTreeMap<String, u64>,
}

/// A recorded run on the simulated disk.
#[derive(Debug)]
pub struct Replay {
    /// The disk, with its recording.
    pub disk: SimDisk,
    /// What checkpoints promised.
    pub promises: Vec<Promise>,
    /// The moment right before and right after each sync, with what it is called.
    pub syncs: Vec<(usize, usize, &'static str)>,
    /// The folder in which the run took place.
    root: PathBuf,
    open: HashMap<i64, Open>,
    under_way: HashMap<u32, UnderWay>,
    /// Files and folders that this run has changed.
    changed: BTreeSet<PathBuf>,
    /// Files that were written in the middle or cut, and not synced since.
    repaired: BTreeSet<PathBuf>,
    /// What a thread renamed in its last call on this disk.
    renamed: HashMap<u32, PathBuf>,
}

#[derive(Debug, Clone)]
struct Open {
    /// `None`: the file has no name any more, or is none of the disk's.
    path: Option<PathBuf>,
    append: bool,
    offset: usize,
}

#[derive(Debug)]
struct UnderWay {
    sync: SyncUnderWay,
    begun: usize,
    site: &'static str,
    positions: Option<BTreeMap<String, u64>>,
}

impl Replay {
    /// Replays the events of a run in `root` on a disk. Syncs of `ignored` do nothing. A file's sync is called
    /// `<where>.file`, a folder's `<where>.folder`; `.inherited` is added when this run has changed nothing there, `.repaired` when
    /// it was written in the middle or cut, `.aside` for a file that is renamed next, `.acknowledged` for the folder of a spool after that file was replaced.
    pub fn new(events: &[Event], root: &Path, disk: SimDisk, ignored: Option<&'static str>) -> Self {
        ignored.into_iter().for_each(|site| disk.ignore_sync(site));
        let mut replay = Self {
            disk,
            promises: Vec::new(),
            syncs: Vec::new(),
            root: root.into(),
            open: HashMap::new(),
            under_way: HashMap::new(),
            changed: BTreeSet::new(),
            repaired: BTreeSet::new(),
            renamed: HashMap::new(),
        };
        for (at, event) in events.iter().enumerate() {
            match event {
                Event::Begins(call) => replay.begins(call, &events[at + 1..]),
                Event::Ends(call, result) if *result >= 0 => replay.ends(call, *result),
                Event::Ends(call, _) => drop(replay.under_way.remove(&call.thread)),
            }
        }
        replay
    }

    /// Where a path leads on the simulated disk. `None`: outside, or the input.
    fn locate(&self, path: &Path) -> Option<PathBuf> {
        let absolute = self.root.join(path);
        let inside = absolute.strip_prefix(&self.root).ok()?;
        let mut located = PathBuf::from("/");
        for part in inside.components() {
            match part {
                Component::Normal(name) => located.push(name),
                Component::CurDir => {}
                other => panic!("`{}` has a part {other:?} that is not replayed", path.display()),
            }
        }
        (!located.starts_with(INPUT) && located != Path::new("/tamis.yaml")).then_some(located)
    }

    fn path(&self, call: &Call, at: usize) -> Option<PathBuf> {
        let path = PathBuf::from(String::from_utf8(call.bytes(at)).expect("a path"));
        let folder = at.checked_sub(1).map_or("AT_FDCWD", |before| call.argument(before));
        assert!(path.is_absolute() || !call.name.ends_with("at") || folder == "AT_FDCWD", "{call:?} is not replayed");
        self.locate(&path)
    }

    fn file(&self, call: &Call) -> Option<PathBuf> {
        self.open.get(&call.number(0)?)?.path.clone()
    }

    fn begins(&mut self, call: &Call, rest: &[Event]) {
        match call.name.as_str() {
            // Its number may be given to another file before the call has returned.
            "close" => drop(call.number(0).and_then(|number| self.open.remove(&number))),
            "fsync" | "fdatasync" => {
                let Some(path) = self.file(call) else { return };
                let site = self.site(call.thread, &path, rest);
                let positions = (path == Path::new(CHECKPOINT).parent().expect("a folder")).then(|| self.positions()).flatten();
                let sync = self.disk.begin_sync(&path).unwrap_or_else(|error| panic!("{call:?} {}: {error}", path.display()));
                self.under_way.insert(call.thread, UnderWay { sync, begun: self.disk.moment(), site, positions });
            }
            "sync" | "syncfs" | "sync_file_range" => panic!("{call:?} is not replayed"),
            _ => {}
        }
    }

    fn ends(&mut self, call: &Call, result: i64) {
        match call.name.as_str() {
            "openat" => self.opened(call, result),
            "mkdir" | "mkdirat" => {
                if let Some(path) = self.path(call, usize::from(call.name == "mkdirat")) {
                    self.disk.create_folder(&path).unwrap_or_else(|error| panic!("{call:?}: {error}"));
                    self.changed(&path);
                }
            }
            "write" | "writev" | "pwrite64" => self.written(call, result as usize),
            "ftruncate" => {
                if let Some(path) = self.file(call) {
                    self.disk
                        .open_append(&path, FILE_MODE)
                        .and_then(|mut file| file.set_len(call.number(1).expect("a length") as u64))
                        .expect("a file");
                    self.repaired.insert(path.clone());
                    self.changed.insert(path);
                }
            }
            "fsync" | "fdatasync" => {
                if let Some(UnderWay { sync, begun, site, positions }) = self.under_way.remove(&call.thread) {
                    sync.end(site);
                    let moment = self.disk.moment();
                    self.syncs.push((begun, moment, site));
                    self.promises.extend(positions.map(|positions| Promise { moment, positions }));
                }
            }
            "rename" | "renameat" | "renameat2" => self.rename(call),
            "link" | "linkat" => {
                let at = usize::from(call.name == "linkat");
                if let (Some(from), Some(to)) = (self.path(call, at), self.path(call, 2 * at + 1)) {
                    self.disk.link(&from, &to).unwrap_or_else(|error| panic!("{call:?}: {error}"));
                    self.changed(&to);
                }
            }
            "unlink" | "unlinkat" => {
                if let Some(path) = self.path(call, usize::from(call.name == "unlinkat")) {
                    self.disk.remove(&path).unwrap_or_else(|error| panic!("{call:?}: {error}"));
                    self.orphan(&path);
                    self.changed(&path);
                }
            }
            "dup" | "dup2" | "dup3" => self.duplicated(call, result),
            "fcntl" if call.argument(1).starts_with("F_DUPFD") => self.duplicated(call, result),
            "mmap" if call.argument(2).contains("PROT_WRITE") && call.argument(3).contains("MAP_SHARED") => {
                assert!(call.number(4).is_none_or(|number| !self.open.contains_key(&number)), "{call:?} is not replayed");
            }
            "truncate" | "creat" | "open" | "openat2" | "symlink" | "symlinkat" | "rmdir" | "pwritev" | "pwritev2" | "fallocate"
            | "copy_file_range" | "sendfile" | "splice" => {
                let touches = |at| call.number(at).is_some_and(|number| self.open.contains_key(&number));
                let names = call.argument(0).starts_with('"') && self.path(call, 0).is_some();
                assert!(!touches(0) && !touches(1) && !touches(2) && !names, "{call:?} is not replayed");
            }
            _ => {}
        }
    }

    fn opened(&mut self, call: &Call, number: i64) {
        let flags = call.argument(2);
        let Some(path) = self.path(call, 1) else { return };
        match self.disk.metadata(&path) {
            Err(_) => {
                assert!(flags.contains("O_CREAT"), "{} was opened and is not on the disk", path.display());
                drop(self.disk.open_append(&path, FILE_MODE).unwrap_or_else(|error| panic!("{call:?}: {error}")));
                self.changed(&path);
            }
            Ok(found) if flags.contains("O_TRUNC") && found.bytes > 0 => {
                self.disk.open_append(&path, FILE_MODE).and_then(|mut file| file.set_len(0)).expect("a file");
                self.changed.insert(path.clone());
            }
            Ok(_) => {}
        }
        self.open.insert(number, Open { path: Some(path), append: flags.contains("O_APPEND"), offset: 0 });
    }

    fn duplicated(&mut self, call: &Call, number: i64) {
        if let Some(open) = call.number(0).and_then(|from| self.open.get(&from)).cloned() {
            assert!(open.append, "{call:?} is not replayed: its place in the file would be shared");
            self.open.insert(number, open);
        }
    }

    fn written(&mut self, call: &Call, count: usize) {
        let Some(open) = call.number(0).and_then(|number| self.open.get_mut(&number)) else { return };
        let Some(path) = open.path.clone() else { return };
        let bytes = call.bytes(1);
        let bytes = &bytes[..count];
        let at = call.number(3).filter(|_| call.name == "pwrite64");
        if open.append {
            assert!(at.is_none(), "{call:?} is not replayed");
            self.disk.open_append(&path, FILE_MODE).and_then(|mut file| file.write_all(bytes)).expect("a file");
        } else {
            let at = at.map_or(open.offset, |at| at as usize);
            if call.name != "pwrite64" {
                open.offset += count;
            }
            self.disk.write_at(&path, at, bytes).expect("a file");
            self.repaired.insert(path.clone());
        }
        self.changed.insert(path);
    }

    fn rename(&mut self, call: &Call) {
        let at = usize::from(call.name != "rename");
        let (Some(from), Some(to)) = (self.path(call, at), self.path(call, 2 * at + 1)) else { return };
        self.disk.rename(&from, &to).unwrap_or_else(|error| panic!("{call:?}: {error}"));
        self.orphan(&to);
        for open in self.open.values_mut().filter(|open| open.path.as_ref() == Some(&from)) {
            open.path = Some(to.clone());
        }
        self.changed(&from);
        self.changed(&to);
        self.renamed.insert(call.thread, to);
    }

    /// Notes that a name came, went or changed.
    fn changed(&mut self, path: &Path) {
        self.changed.insert(path.into());
        self.changed.extend(path.parent().map(Path::to_path_buf));
    }

    fn orphan(&mut self, path: &Path) {
        self.open.values_mut().filter(|open| open.path.as_deref() == Some(path)).for_each(|open| open.path = None);
    }

    fn positions(&self) -> Option<BTreeMap<String, u64>> {
        let file = self.disk.open_read(Path::new(CHECKPOINT)).ok()?;
        let mut bytes = vec![0; file.bytes().ok()? as usize];
        file.read_full_at(&mut bytes, 0).ok()?;
        let checkpoint: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
        let files = checkpoint["content"]["files"].as_array()?;
        Some(files.iter().filter_map(|file| Some((file["path"].as_str()?.to_owned(), file["position"].as_u64()?))).collect())
    }

    fn site(&mut self, thread: u32, path: &Path, rest: &[Event]) -> &'static str {
        let is_file = self.disk.metadata(path).is_ok_and(|found| found.kind == tamis_delivery::disk::EntryKind::File);
        let folder = if is_file { path.parent().unwrap_or(path) } else { path };
        let place = folder.strip_prefix("/").unwrap_or(folder).to_string_lossy().into_owned();
        let place = if place.is_empty() { "root".to_owned() } else { place };
        // Those of all tenants are made in the same way.
        let place = if place.starts_with("parts/") { "parts/*".to_owned() } else { place };
        let renamed = self.renamed.remove(&thread);
        let special = if is_file && path.ends_with("acknowledged.new") || renamed.is_some_and(|to| to.ends_with("acknowledged")) {
            ".acknowledged"
        } else if self.repaired.remove(path) {
            ".repaired"
        } else if !self.changed.contains(path) {
            ".inherited"
        } else if is_file && place != "data/checkpoints" && self.renames_next(thread, path, rest) {
            ".aside"
        } else {
            ""
        };
        intern(format!("{place}.{}{special}", if is_file { "file" } else { "folder" }))
    }

    /// Whether the next name that this thread changes is that of the file.
    fn renames_next(&self, thread: u32, path: &Path, rest: &[Event]) -> bool {
        let calls = rest.iter().filter_map(|event| match event {
            Event::Begins(call) if call.thread == thread => Some(call),
            _ => None,
        });
        calls
            .filter(|call| !matches!(call.name.as_str(), "close" | "fsync" | "fdatasync" | "mmap" | "openat" | "fcntl"))
            .take(1)
            .any(|call| call.name == "rename" && self.path(call, 0).as_deref() == Some(path))
    }
}

/// The same text for ever: there are as many as kinds of syncs.
fn intern(name: String) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return known;
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    name
}
