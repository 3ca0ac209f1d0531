//! Who writes the new plugin.

use std::path::Path;
use std::process::{Command, Stdio};

/// Bytes of a name or an address that are taken over.
const TEXT_BYTES_MAX: usize = 200;

/// The author that goes into the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    name: String,
    email: String,
}

impl Author {
    /// An author by name and address; control characters and angle brackets, which manifests read as marks, are left out.
    pub fn new(name: &str, email: &str) -> Self {
        Self { name: plain(name), email: plain(email) }
    }

    /// A stand-in, to be replaced in the manifest.
    pub fn unknown() -> Self {
        Self::new("Your team", "your-team@example.org")
    }

    /// What git is told for `folder` (`user.name` and `user.email`), the stand-in's part for what it is not.
    pub fn of_git(folder: &Path) -> Self {
        let Self { name, email } = Self::unknown();
        let known =
            |key: &str, otherwise: String| git(folder, key).map(|text| plain(&text)).filter(|text| !text.is_empty()).unwrap_or(otherwise);
        Self { name: known("user.name", name), email: known("user.email", email) }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The e-mail address.
    pub fn email(&self) -> &str {
        &self.email
    }
}

fn plain(text: &str) -> String {
    let mut plain: String = text.chars().filter(|c| !c.is_control() && !matches!(c, '<' | '>')).collect();
    plain.truncate(plain.floor_char_boundary(TEXT_BYTES_MAX));
    plain.trim().to_owned()
}

/// What `git config` says; `None` without git or without an answer.
fn git(folder: &Path, key: &str) -> Option<String> {
    // A folder that is yet to be made has no configuration of its own.
    let folder = folder.ancestors().find(|folder| folder.is_dir()).unwrap_or(Path::new("."));
    let output =
        Command::new("git").args(["config", "--get", key]).current_dir(folder).stdin(Stdio::null()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_manifests_stumble_over_is_left_out() {
        let author = Author::new(" Jo\n<admin>\u{1b}[1m ", &"é".repeat(150));
        assert_eq!(author.name(), "Joadmin[1m");
        assert_eq!(author.email().len(), 200);
    }

    #[test]
    fn git_is_asked() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let run = |arguments: &[&str]| Command::new("git").args(arguments).current_dir(folder.path()).status().expect("git").success();
        assert!(run(&["init", "-q"]) && run(&["config", "user.name", "Jo Writer"]) && run(&["config", "user.email", "jo@example.org"]));
        assert_eq!(Author::of_git(&folder.path().join("not/yet")), Author::new("Jo Writer", "jo@example.org"));
    }
}
