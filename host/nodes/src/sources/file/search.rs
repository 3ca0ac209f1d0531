//! Searching for a content that is not where it was: a file that was renamed while nobody looked, the copy that was made
//! before a truncation, a rotated file that was compressed.

use super::discover::Found;
use super::follow::{Follow, Taken};
use super::intake::Candidate;
use super::track::{State, Track};
use super::turn::{Turn, search_times};
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Entries of a folder that are looked at, at most.
const ENTRIES_MAX: usize = 10_000;

/// Files of a folder that are opened to see what they hold, at most: those written last.
const OPENED_MAX: usize = 256;

impl Follow<'_> {
    /// Searches the folders of what is lost, where it is time.
    pub(super) fn search(&mut self) {
        let now = Instant::now();
        let due: Vec<u64> = self.lost(|next| self.once || next <= now);
        if due.is_empty() {
            return;
        }
        let folder = |id: &u64| self.positions.tracks.get(id).map(|track| folder_of(&track.path));
        let folders: BTreeSet<PathBuf> = due.iter().filter_map(folder).collect();
        for folder in folders {
            if let Err(error) = self.search_in(&folder) {
                tracing::debug!("cannot search `{}`: {error}", folder.display());
            }
        }
        let (every, _) = search_times(self.rotate_wait);
        for id in due {
            if let Some(Track { state: State::Lost(search), .. }) = self.positions.tracks.get_mut(&id) {
                search.next = now + every;
            }
        }
    }

    fn search_in(&mut self, folder: &Path) -> io::Result<()> {
        let mut others = Vec::new();
        for entry in std::fs::read_dir(folder)?.take(ENTRIES_MAX) {
            let path = folder.join(entry?.file_name());
            // What goes away meanwhile is not there.
            let Ok(metadata) = std::fs::metadata(&path) else { continue };
            if !metadata.is_file() {
                continue;
            }
            // Paths of the current folder are written without `./`.
            let path = path.strip_prefix("./").map(Path::to_path_buf).unwrap_or(path);
            let found = Found::new(path, &metadata);
            let known = self.positions.by_key.get(&found.key).copied();
            match known.and_then(|id| self.positions.tracks.get(&id)) {
                None => others.push(found),
                Some(track) if matches!(track.state, State::Lost(_)) => {
                    let id = track.stream.id;
                    if !self.find_by_inode(id, &found) {
                        others.push(found);
                    }
                }
                Some(_) => {}
            }
        }
        others.sort_by_key(|found| std::cmp::Reverse(found.look.modified_ns));
        others.truncate(OPENED_MAX);
        for found in others {
            if self.lost(|_| true).is_empty() {
                break;
            }
            let Ok(candidate) = Candidate::open(&found.path) else { continue };
            let is_whole = self.once || !candidate.is_gz || candidate.is_settled(self.rotate_wait);
            if let (true, Ok(Some(id))) = (is_whole, self.lost_content(&candidate))
                && let Err(error) = self.move_to(id, &candidate)
            {
                self.complaints.unreadable(&found.path, &error);
            }
        }
        Ok(())
    }

    /// A file on the inode of a lost track: whether it is that one.
    fn find_by_inode(&mut self, id: u64, found: &Found) -> bool {
        let Some(track) = self.positions.tracks.get_mut(&id) else { return false };
        let Ok(candidate) = Candidate::open(&found.path) else { return false };
        if !track.is_inode_of(&candidate.found) || !candidate.holds(track).unwrap_or(false) {
            self.lose(id, None);
            return false;
        }
        track.path.clone_from(&found.path);
        tracing::info!("`{}` was renamed to `{}`: reading it to its end", track.stream.name, found.path.display());
        self.outlet.event("rotated", 1);
        matches!(self.reopen(id, &candidate), Ok(Taken::As(_) | Taken::Nothing))
    }

    /// Ends searches that have taken long enough; with `now`, all of them. Gives whether to go on.
    pub(super) fn give_up(&mut self, now: bool) -> Turn {
        let (_, window) = search_times(self.rotate_wait);
        for id in self.lost(|_| true) {
            let Some(track) = self.positions.tracks.get_mut(&id) else { continue };
            let State::Lost(search) = &mut track.state else { continue };
            if !now && search.since.elapsed() < window {
                continue;
            }
            if let Some(rest) = search.rest.take()
                && !self.deliver_rest(id, rest)
            {
                return Turn::Stop;
            }
            let Some(track) = self.positions.tracks.get_mut(&id) else { continue };
            track.state = State::Done;
            if !track.gone {
                self.outlet.event("missing", 1);
                tracing::info!(
                    "`{}`, read to byte {}, is not found any more: what may have been written after that is not read",
                    track.path.display(),
                    track.read.end(),
                );
            }
        }
        Turn::End
    }

    /// The lost tracks whose next search is so.
    fn lost(&self, is_wanted: impl Fn(Instant) -> bool) -> Vec<u64> {
        let lost = self.positions.tracks.iter().filter(|(_, track)| matches!(&track.state, State::Lost(s) if is_wanted(s.next)));
        lost.map(|(id, _)| *id).collect()
    }

    /// The tracks whose files are open.
    pub(super) fn open(&self) -> Vec<u64> {
        self.positions.tracks.iter().filter(|(_, track)| track.is_open()).map(|(id, _)| *id).collect()
    }

    /// Whether beginnings of lines wait for the end of a search.
    pub(super) fn has_rests(&self) -> bool {
        self.positions.tracks.values().any(|track| matches!(&track.state, State::Lost(search) if search.rest.is_some()))
    }
}

fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        _ => PathBuf::from("."),
    }
}
