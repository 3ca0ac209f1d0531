//! One content that is followed: where it is, how far it was read and how far that is safe.

use super::discover::{Found, Look};
use super::framing::Framing;
use super::identity::{FileKey, Fingerprint, TELLING_BYTES_MIN, Tail};
use super::intake::Intake;
use crate::sources::Stream;
use serde::{Deserialize, Serialize};
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tamis_codecs::Frame;

/// A position that lies between records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Place {
    /// Where the next record begins, in bytes of the content.
    pub(super) position: u64,
    /// Bytes after it that were delivered as a record although no line end had come.
    pub(super) partial: u64,
}

impl Place {
    pub(super) fn end(self) -> u64 {
        self.position.saturating_add(self.partial)
    }
}

/// A content, from the first time that it was seen on, whatever its file is called.
pub(super) struct Track {
    pub(super) stream: Stream,
    pub(super) path: PathBuf,
    pub(super) key: FileKey,
    pub(super) created_ns: Option<i64>,
    pub(super) fingerprint: Fingerprint,
    pub(super) tail: Option<Tail>,
    /// Read and handed over to here.
    pub(super) read: Place,
    /// Safe to here.
    pub(super) safe: Place,
    /// The last end that was handed over, and how much before it is a record without a line end.
    pub(super) partial_end: Option<(u64, u64)>,
    /// When the patterns last found it, in seconds since 1970.
    pub(super) seen_s: u64,
    /// Its inode does not hold it any more: it was truncated, or deleted and closed.
    pub(super) gone: bool,
    /// The last look around at which the patterns found it.
    pub(super) linked: u64,
    /// Since when the patterns do not find it any more.
    pub(super) unlinked_since: Option<Instant>,
    /// How its file looked when it was read to its end.
    pub(super) look: Option<Look>,
    /// When there was something new, last.
    pub(super) grown: Instant,
    pub(super) state: State,
}

/// What is being done about a track.
pub(super) enum State {
    /// Its file is open.
    Open(Box<Open>),
    /// Its file is closed; a look tells when there is more.
    Closed,
    /// Its file is not where it was.
    Lost(Search),
    /// There is nothing to do any more.
    Done,
}

/// An open file.
pub(super) struct Open {
    pub(super) file: Arc<File>,
    pub(super) intake: Intake,
    pub(super) framing: Framing,
}

/// A search for a content.
#[derive(Debug)]
pub(super) struct Search {
    pub(super) since: Instant,
    pub(super) next: Instant,
    /// The beginning of a last line, which is delivered when the content is not found.
    pub(super) rest: Option<Rest>,
}

/// What was read of a content and not handed over.
#[derive(Debug)]
pub(super) struct Rest {
    pub(super) frame: Frame,
    /// Where reading goes on after it.
    pub(super) place: Place,
}

/// A track in the checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    path: String,
    device: u64,
    inode: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    created_ns: Option<i64>,
    fingerprint: Fingerprint,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    tail: Option<Tail>,
    position: u64,
    #[serde(skip_serializing_if = "is_zero", default)]
    partial: u64,
    seen_s: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    gone: bool,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Track {
    /// A content that is new, read from `position` on.
    pub(super) fn new(id: u64, found: &Found, fingerprint: Fingerprint, position: u64) -> Self {
        let place = Place { position, partial: 0 };
        Self {
            stream: Stream { id, name: found.path.to_string_lossy().into() },
            path: found.path.clone(),
            key: found.key,
            created_ns: found.created_ns,
            fingerprint,
            tail: None,
            read: place,
            safe: place,
            partial_end: None,
            seen_s: now_s(),
            gone: false,
            linked: 0,
            unlinked_since: None,
            look: None,
            grown: Instant::now(),
            state: State::Closed,
        }
    }

    /// One of an earlier run.
    pub(super) fn from_entry(id: u64, entry: &Entry) -> Self {
        let path = unescape(&entry.path);
        let place = Place { position: entry.position, partial: entry.partial };
        let key = FileKey { device: entry.device, inode: entry.inode };
        Self {
            stream: Stream { id, name: path.to_string_lossy().into() },
            path,
            key,
            created_ns: entry.created_ns,
            fingerprint: entry.fingerprint,
            tail: entry.tail,
            read: place,
            safe: place,
            partial_end: None,
            seen_s: entry.seen_s,
            gone: entry.gone,
            linked: 0,
            unlinked_since: None,
            look: None,
            grown: Instant::now(),
            state: if entry.gone { State::lost() } else { State::Closed },
        }
    }

    /// As the checkpoint holds it.
    pub(super) fn entry(&self) -> Entry {
        Entry {
            path: escape(&self.path),
            device: self.key.device,
            inode: self.key.inode,
            created_ns: self.created_ns,
            fingerprint: self.fingerprint,
            tail: self.tail,
            position: self.safe.position,
            partial: self.safe.partial,
            seen_s: self.seen_s,
            gone: self.gone,
        }
    }

    /// Everything up to `end` is safe.
    pub(super) fn is_safe_to(&mut self, end: u64) {
        self.safe = match self.partial_end {
            Some((at, partial)) if at == end => Place { position: end.saturating_sub(partial), partial },
            _ => Place { position: end, partial: 0 },
        };
    }

    /// Whether everything that was handed over is safe.
    pub(super) fn is_settled(&self) -> bool {
        self.safe == self.read
    }

    /// Whether its fingerprint tells it wherever it is.
    pub(super) fn is_telling(&self) -> bool {
        self.fingerprint.bytes >= TELLING_BYTES_MIN
    }

    /// Whether the inode may be the same as the one found; a file system may not tell when inodes were made.
    pub(super) fn is_inode_of(&self, found: &Found) -> bool {
        self.key == found.key && (self.created_ns == found.created_ns || self.created_ns.is_none() || found.created_ns.is_none())
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }
}

impl State {
    /// To be searched for from now on.
    pub(super) fn lost() -> Self {
        let now = Instant::now();
        State::Lost(Search { since: now, next: now, rest: None })
    }
}

/// Seconds since 1970.
pub(super) fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// A path as text: `\xNN` for bytes that are no UTF-8, `\\` for a backslash.
fn escape(path: &Path) -> String {
    let mut text = String::new();
    for chunk in path.as_os_str().as_bytes().utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

fn unescape(text: &str) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        bytes.extend_from_slice(before.as_bytes());
        let hex = after.strip_prefix('x').and_then(|hex| hex.get(..2)).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        rest = match hex {
            Some(byte) => {
                bytes.push(byte);
                after.get(3..).unwrap_or_default()
            }
            None => {
                bytes.push(b'\\');
                after.strip_prefix('\\').unwrap_or(after)
            }
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    PathBuf::from(OsString::from_vec(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_any_bytes_survive_as_text() {
        for path in [&b"/var/log/a.log"[..], b"a\\x41\\b", b"odd\xff\xfe\\\x80.log", b"", "é\u{fffd}".as_bytes()] {
            let path = PathBuf::from(OsString::from_vec(path.to_vec()));
            assert_eq!(unescape(&escape(&path)), path, "{}", escape(&path));
        }
        assert_eq!(escape(Path::new("/a/b.log")), "/a/b.log");
    }
}
