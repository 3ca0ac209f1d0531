//! Which files there are: the paths and patterns of the configuration, followed through folders and symbolic links.
//!
//! Names are matched as text with U+FFFD for what is not UTF-8, so that such a file is found by `*` and not passed over.

use super::identity::{FileKey, created_ns};
use crate::sinks::WrittenFiles;
use glob::{MatchOptions, Pattern};
use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tamis_config::Text;

/// Folders that `**` goes down, at most.
const DEPTH_MAX: usize = 64;

/// Entries of folders looked at in one round, at most.
pub(super) const ENTRIES_MAX: usize = 100_000;

/// A file's size and when it was written last: whether it is worth a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Look {
    pub(super) size: u64,
    pub(super) modified_ns: i128,
}

impl Look {
    pub(super) fn of(metadata: &Metadata) -> Self {
        Self { size: metadata.len(), modified_ns: i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec()) }
    }
}

/// A file that is there.
#[derive(Debug, Clone)]
pub(super) struct Found {
    pub(super) path: PathBuf,
    pub(super) key: FileKey,
    pub(super) created_ns: Option<i64>,
    pub(super) look: Look,
}

impl Found {
    pub(super) fn new(path: PathBuf, metadata: &Metadata) -> Self {
        Self { path, key: FileKey::of(metadata), created_ns: created_ns(metadata), look: Look::of(metadata) }
    }
}

/// What a look around gave.
#[derive(Debug, Default)]
pub(super) struct Discovery {
    /// The files, each once whatever its names, in the order of their paths.
    pub(super) files: Vec<Found>,
    /// What could not be looked at, and why; then a file that is not among `files` may still be there.
    pub(super) problems: Vec<(PathBuf, io::Error)>,
    /// Files that a sink of this host writes.
    pub(super) ours: Vec<PathBuf>,
}

/// The patterns of a source.
#[derive(Debug)]
pub(super) struct Patterns {
    wanted: Vec<(PathBuf, Vec<Part>)>,
    excluded: Vec<Pattern>,
    /// Files of the host's own sinks: their records would come again and again.
    written: WrittenFiles,
}

/// A part of a path between slashes.
#[derive(Debug)]
enum Part {
    Literal(OsString),
    Matching(Pattern),
    /// `**`: any number of folders.
    Folders,
}

struct Walk<'a> {
    patterns: &'a Patterns,
    out: Discovery,
    entries: usize,
}

impl Patterns {
    pub(super) fn new(paths: &[Text], excluded: &[Text], written: WrittenFiles) -> Self {
        let wanted = paths.iter().map(|path| (PathBuf::from(if path.starts_with('/') { "/" } else { "" }), parts(path))).collect();
        let excluded = excluded.iter().filter_map(|path| Pattern::new(plain(path)).ok()).collect();
        Self { wanted, excluded, written }
    }

    /// Looks around.
    pub(super) fn discover(&self) -> Discovery {
        let mut walk = Walk { patterns: self, out: Discovery::default(), entries: 0 };
        for (root, parts) in &self.wanted {
            walk.go(root, parts, 0);
        }
        let Discovery { mut files, problems, ours } = walk.out;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        let mut known = HashSet::with_capacity(files.len());
        files.retain(|found| known.insert(found.key));
        Discovery { files, problems, ours }
    }

    fn is_excluded(&self, path: &Path) -> bool {
        let options = MatchOptions { require_literal_separator: true, ..MatchOptions::new() };
        self.excluded.iter().any(|pattern| pattern.matches_with(plain(&path.to_string_lossy()), options))
    }
}

fn parts(path: &str) -> Vec<Part> {
    let part = |text: &str| match text {
        "**" => Part::Folders,
        _ if text.contains(['*', '?', '[']) => match Pattern::new(text) {
            Ok(pattern) => Part::Matching(pattern),
            // The configuration has checked it; a name with a lone `[` is a name.
            Err(_) => Part::Literal(text.into()),
        },
        _ => Part::Literal(text.into()),
    };
    let mut parts: Vec<Part> = path.split('/').filter(|text| !text.is_empty() && *text != ".").map(part).collect();
    if matches!(parts.last(), Some(Part::Folders)) {
        parts.extend(Pattern::new("*").ok().map(Part::Matching));
    }
    parts
}

/// `./a` is `a`.
fn plain(path: &str) -> &str {
    path.trim_start_matches("./")
}

impl Walk<'_> {
    fn go(&mut self, folder: &Path, parts: &[Part], depth: usize) {
        match parts {
            [] => {}
            [Part::Literal(name)] => self.file(folder.join(name)),
            [Part::Literal(name), rest @ ..] => self.go(&folder.join(name), rest, depth),
            [Part::Matching(pattern), rest @ ..] => {
                for path in self.entries(folder) {
                    let name = path.file_name().unwrap_or_default().to_string_lossy();
                    if !pattern.matches(&name) {
                        continue;
                    }
                    if rest.is_empty() {
                        self.file(path);
                    } else if path.is_dir() {
                        self.go(&path, rest, depth);
                    }
                }
            }
            [Part::Folders, rest @ ..] => {
                self.go(folder, rest, depth);
                if depth >= DEPTH_MAX {
                    return;
                }
                for path in self.entries(folder) {
                    // A link to a folder above would lead round and round.
                    if path.symlink_metadata().is_ok_and(|m| m.is_dir()) {
                        self.go(&path, parts, depth + 1);
                    }
                }
            }
        }
    }

    fn entries(&mut self, folder: &Path) -> Vec<PathBuf> {
        let here = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let entries = match std::fs::read_dir(here) {
            Ok(entries) => entries,
            Err(error) if is_absent(&error) => return Vec::new(),
            Err(error) => {
                self.out.problems.push((here.to_path_buf(), error));
                return Vec::new();
            }
        };
        let mut paths = Vec::new();
        for entry in entries {
            self.entries += 1;
            if self.entries > ENTRIES_MAX {
                let error = io::Error::other(format!("more than {ENTRIES_MAX} entries; name the files more narrowly"));
                self.out.problems.push((here.to_path_buf(), error));
                break;
            }
            match entry {
                Ok(entry) => paths.push(folder.join(entry.file_name())),
                Err(error) => self.out.problems.push((here.to_path_buf(), error)),
            }
        }
        paths.sort();
        paths
    }

    fn file(&mut self, path: PathBuf) {
        if self.patterns.is_excluded(&path) {
            return;
        }
        match std::fs::metadata(&path) {
            // Opening a pipe would wait for its writer.
            Ok(metadata) if self.patterns.written.contains(&metadata) => self.out.ours.push(path),
            Ok(metadata) if metadata.is_file() => self.out.files.push(Found::new(path, &metadata)),
            Ok(_) => {}
            Err(error) if is_absent(&error) => {}
            Err(error) => self.out.problems.push((path, error)),
        }
    }
}

/// Not there, or no longer there: a link that leads nowhere is not there.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;
    use std::os::unix::fs::symlink;

    fn discover(folder: &Path, paths: &[&str], excluded: &[&str]) -> Vec<String> {
        let texts = |paths: &[&str]| -> Vec<Text> { paths.iter().map(|p| Text::from(format!("{}/{p}", folder.display()))).collect() };
        let found = Patterns::new(&texts(paths), &texts(excluded), WrittenFiles::default()).discover();
        assert!(found.problems.is_empty(), "{:?}", found.problems);
        found.files.iter().map(|f| f.path.strip_prefix(folder).unwrap().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn patterns_find_what_they_say() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        std::fs::create_dir_all(folder.join("d/e")).unwrap();
        for name in ["b.log", "a.log", "c.txt", "d/x.log", "d/e/y.log", "[z].log"] {
            std::fs::write(folder.join(name), name).unwrap();
        }
        std::fs::write(folder.join(OsStr::from_bytes(b"odd\xff.log")), "x").unwrap();
        assert_eq!(discover(folder, &["*.log"], &[]), ["[z].log", "a.log", "b.log", "odd\u{fffd}.log"]);
        assert_eq!(discover(folder, &["?.log", "a.*", "missing.log"], &["b*"]), ["a.log"]);
        assert_eq!(discover(folder, &["**/*.log"], &["*.log"]), ["d/e/y.log", "d/x.log"]);
        assert_eq!(discover(folder, &["d/**"], &["d/*"]), ["d/e/y.log"]);
        assert_eq!(discover(folder, &["d/../[[]z].log", "d", "nowhere/*"], &[]), ["d/../[z].log"]);
    }

    #[test]
    fn a_file_with_several_names_is_found_once() {
        let temp = tempfile::tempdir().unwrap();
        let folder = temp.path();
        std::fs::create_dir(folder.join("d")).unwrap();
        std::fs::write(folder.join("m.log"), "x").unwrap();
        symlink(folder.join("m.log"), folder.join("a.log")).unwrap();
        std::fs::hard_link(folder.join("m.log"), folder.join("z.log")).unwrap();
        symlink(folder, folder.join("d/round")).unwrap();
        symlink(folder.join("nowhere"), folder.join("dangling.log")).unwrap();
        assert_eq!(discover(folder, &["**/*.log", "a.log"], &[]), ["a.log"]);
    }
}
