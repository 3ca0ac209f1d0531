//! A file system that is soon full, or that cannot be written.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A mounted tmpfs; unmounted with the value.
#[derive(Debug)]
pub struct Tmpfs {
    path: PathBuf,
}

impl Tmpfs {
    /// Mounts one on this folder, which is made. `options` are those of `mount -o`. `None`, with a line that says so, where
    /// mounting is not permitted.
    pub fn mount(path: &Path, options: &str) -> Option<Self> {
        std::fs::create_dir_all(path).expect("a folder");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", options, "tamis-tests"])
            .arg(path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if mounted.is_ok_and(|status| status.success()) {
            return Some(Self { path: path.into() });
        }
        eprintln!("skipped: mounting a tmpfs is not permitted here");
        None
    }

    /// Mounts it anew with other options.
    pub fn remount(&self, options: &str) {
        let status = Command::new("mount").args(["-o", &format!("remount,{options}")]).arg(&self.path).status().expect("mount");
        assert!(status.success(), "remount,{options}");
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        // Lazily: a process that was just killed may still be letting go.
        let _ = Command::new("umount").arg("-l").arg(&self.path).status();
    }
}
