//! What can go wrong between here and a registry.

use std::path::PathBuf;

use tamis_config::Digest;
use tamis_config::FileError;

/// Why a plugin could not be pushed, pulled, kept or found. What a registry says is escaped and cut.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No answer.
    #[error("the registry {registry} cannot be reached: {reason}")]
    Unreachable {
        /// `host:port`.
        registry: String,
        /// What happened.
        reason: String,
    },

    /// 401 or 403.
    #[error(
        "the registry {registry} does not allow it ({status}{said}); credentials come from TAMIS_REGISTRY, TAMIS_REGISTRY_USER and \
         TAMIS_REGISTRY_PASSWORD, or from docker's config.json"
    )]
    Denied {
        /// `host:port`.
        registry: String,
        /// HTTP status.
        status: u16,
        /// What the registry says, after a colon.
        said: String,
    },

    /// 404.
    #[error("{what} is not in the registry")]
    NotFound {
        /// What was asked for.
        what: String,
    },

    /// Another status than expected.
    #[error("the registry {registry} answered {status} to {what}{said}")]
    Status {
        /// `host:port`.
        registry: String,
        /// HTTP status.
        status: u16,
        /// What was asked.
        what: String,
        /// What the registry says, after a colon.
        said: String,
    },

    /// More bytes than allowed.
    #[error("{what} is larger than {bytes_max} bytes, the most that is taken")]
    TooLarge {
        /// What.
        what: String,
        /// The limit.
        bytes_max: u64,
    },

    /// The bytes are not those that were asked for.
    #[error("{what}: expected {expected}, found {found}: the registry (or someone on the way) sent other bytes, and they are not used")]
    Digest {
        /// What.
        what: String,
        /// The digest asked for.
        expected: Digest,
        /// The digest of what came.
        found: Digest,
    },

    /// A manifest that is none.
    #[error("{what}: expected an OCI image manifest with `config` and `layers` (an index of several platforms is none)")]
    Manifest {
        /// The reference.
        what: String,
    },

    /// A manifest that is none of a plugin.
    #[error("{what} is not a plugin: {reason}")]
    NotAPlugin {
        /// The reference.
        what: String,
        /// Expected and found.
        reason: String,
    },

    /// What cannot be in a bundle, or is none.
    #[error("{what} is not a configuration that can be taken: {reason}")]
    Bundle {
        /// The reference or the file.
        what: String,
        /// Expected and found.
        reason: String,
    },

    /// A configuration that nothing vouches for.
    #[error("{what}: {reason}")]
    NotTrusted {
        /// The reference.
        what: String,
        /// Why not.
        reason: String,
    },

    /// An answer that does not follow the protocol.
    #[error("the registry {registry} answered what is not in the protocol: {reason}")]
    Protocol {
        /// `host:port`.
        registry: String,
        /// What.
        reason: String,
    },

    /// The tag no longer leads where it is pinned to.
    #[error("the tag of {reference} has moved: pinned to {pinned}, the registry has {found}")]
    Moved {
        /// The reference.
        reference: String,
        /// The digest that the reference or the lock says.
        pinned: Digest,
        /// The digest that the tag has now.
        found: Digest,
    },

    /// A tag that is not locked.
    #[error("{reference} has no digest and is not in {}", shown(lock))]
    NotLocked {
        /// The reference.
        reference: String,
        /// The lock's path.
        lock: PathBuf,
    },

    /// A lock that cannot be read.
    #[error("{}: expected a lock written by `tamis plugin lock`: {reason}", shown(path))]
    Lock {
        /// Its path.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// Credentials or certificates that cannot be read. Their content is not shown.
    #[error("{place}: {reason}")]
    Credentials {
        /// The variable or file.
        place: String,
        /// Expected and found.
        reason: String,
    },

    /// A kept component whose bytes have changed.
    #[error("{} is damaged: its bytes are not those of its name. Delete it, and it is pulled again", shown(path))]
    Damaged {
        /// Where it lies.
        path: PathBuf,
    },

    /// A file could not be read or written.
    #[error(transparent)]
    File(#[from] FileError),
}

/// A path as it may be shown on a terminal.
fn shown(path: &std::path::Path) -> String {
    tamis_config::escaped(&path.display().to_string())
}

impl Error {
    /// Whether the registry did not answer at all, so that what is kept may serve.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_drives_a_terminal() {
        let source = || std::io::ErrorKind::NotFound.into();
        let path = || PathBuf::from("a\u{1b}[2J\nb");
        for error in [
            Error::File(FileError { path: path(), source: source() }),
            Error::Damaged { path: path() },
            Error::Lock { path: path(), reason: String::new() },
            Error::NotLocked { reference: String::new(), lock: path() },
        ] {
            let told = error.to_string();
            assert!(told.contains("a\\u{1b}[2J") && !told.contains(['\u{1b}', '\n']), "{told:?}");
        }
    }
}
