//! Which compiler builds guests: what is installed decides, nothing is ever downloaded.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Error;

/// The target of guests.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// Where Debian's `rustc-web` puts its compiler.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Where a system root holds the standard library's sources.
const LIBRARY: &str = "lib/rustlib/src/rust/library";

/// A way to build guests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Toolchain {
    /// The ordinary compiler has the target's standard library.
    Target,
    /// Another compiler with the sources of its standard library, which is built along (a minute, once a target folder).
    Sources {
        /// The compiler.
        rustc: PathBuf,
        /// The linker for wasm.
        linker: PathBuf,
        /// The compiler's system root, which holds the sources.
        sysroot: PathBuf,
    },
}

impl fmt::Display for Toolchain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Target => write!(formatter, "the ordinary compiler with its {TARGET} target"),
            Self::Sources { rustc, linker, .. } => {
                write!(formatter, "{} with the standard library built from its sources, linking with {}", rustc.display(), linker.display())
            }
        }
    }
}

impl Toolchain {
    /// The folder of the standard library's sources, where they are built.
    pub(crate) fn library(&self) -> Option<PathBuf> {
        match self {
            Self::Target => None,
            Self::Sources { sysroot, .. } => Some(sysroot.join(LIBRARY)),
        }
    }

    /// Adds what this toolchain needs to a `cargo build`.
    pub fn apply(&self, cargo: &mut Command) {
        cargo.args(["--target", TARGET]);
        if let Self::Sources { rustc, linker, .. } = self {
            cargo
                .arg("-Zbuild-std=std,panic_abort")
                .env("RUSTC", rustc)
                // The compiler is a stable one; the library it builds needs unstable features.
                .env("RUSTC_BOOTSTRAP", "1")
                .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker);
        }
    }
}

/// Finds a toolchain for the crates in `folder` (a `rust-toolchain.toml` there or above counts).
///
/// # Errors
/// [`Error::NoToolchain`] with the commands that help.
pub fn detect(folder: &Path) -> Result<Toolchain, Error> {
    let ordinary = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let libdir = print(folder, &ordinary, &["--print", "target-libdir", "--target", TARGET]);
    let without_target = match libdir {
        Some(libdir) if is_filled(Path::new(&libdir)) => return Ok(Toolchain::Target),
        Some(_) => format!("the ordinary compiler has no {TARGET} target"),
        None => "the ordinary compiler does not answer".to_owned(),
    };
    from_sources(folder, &ordinary, Path::new(DEBIAN_RUSTC))
        .map_err(|without_sources| Error::NoToolchain { found: format!("{without_target}, and {without_sources}") })
}

/// A compiler at a fixed place with its library's sources, and a linker.
fn from_sources(folder: &Path, ordinary: &OsStr, rustc: &Path) -> Result<Toolchain, String> {
    let sysroot = print(folder, rustc.as_os_str(), &["--print", "sysroot"]).ok_or_else(|| format!("there is no {}", rustc.display()))?;
    let library = Path::new(&sysroot).join(LIBRARY).join("std/Cargo.toml");
    if !library.is_file() {
        return Err(format!("{} has no library sources ({} is missing)", rustc.display(), library.display()));
    }
    let linker = linkers(folder, ordinary, &sysroot)
        .into_iter()
        .find(|linker| linker.is_file())
        .ok_or_else(|| format!("{} has no linker for wasm (rust-lld or wasm-ld)", rustc.display()))?;
    Ok(Toolchain::Sources { rustc: rustc.to_owned(), linker, sysroot: sysroot.into() })
}

/// Where a linker for wasm may be, best first: beside either compiler, else in PATH.
fn linkers(folder: &Path, ordinary: &OsStr, sysroot: &str) -> Vec<PathBuf> {
    let ordinary_sysroot = print(folder, ordinary, &["--print", "sysroot"]);
    let beside = ordinary_sysroot.iter().map(String::as_str).chain([sysroot]).flat_map(|sysroot| {
        let hosts = Path::new(sysroot).join("lib/rustlib");
        let host = std::env::consts::ARCH;
        subfolders(&hosts)
            .into_iter()
            .filter(move |folder| folder.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with(host)))
            .map(|folder| folder.join("bin/rust-lld"))
    });
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path: Vec<PathBuf> = std::env::split_paths(&path).flat_map(|folder| [folder.join("rust-lld"), folder.join("wasm-ld")]).collect();
    beside.chain(in_path).collect()
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    folders
}

fn is_filled(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// The one line a compiler prints; `None` if it does not start or fails.
fn print(folder: &Path, rustc: &OsStr, arguments: &[&str]) -> Option<String> {
    let output = without_installing(Command::new(rustc).current_dir(folder).args(arguments)).output().ok()?;
    let line = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| line.trim().to_owned())
}

/// Keeps rustup's proxies from fetching a toolchain that is not there.
pub(crate) fn without_installing(command: &mut Command) -> &mut Command {
    command.env("RUSTUP_AUTO_INSTALL", "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An executable that answers `--print sysroot`.
    fn compiler(folder: &Path) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let path = folder.join("rustc");
        let script = format!("#!/bin/sh\necho {}\n", folder.display());
        std::fs::write(&path, script).expect("a temporary file");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("an executable");
        path
    }

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a temporary folder");
        std::fs::write(path, "").expect("a temporary file");
    }

    #[test]
    fn sources_and_a_linker_make_a_toolchain() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let absent = folder.join("absent");
        let from = |rustc: &Path| from_sources(folder, absent.as_os_str(), rustc);

        assert!(from(&absent).expect_err("no compiler").contains("there is no"));

        let rustc = compiler(folder);
        assert!(from(&rustc).expect_err("no sources").contains("no library sources"));

        touch(&folder.join(LIBRARY).join("std/Cargo.toml"));
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let linker = folder.join("lib/rustlib").join(host).join("bin/rust-lld");
        touch(&linker);
        let found = from(&rustc).expect("a toolchain");
        assert_eq!(found.library(), Some(folder.join("lib/rustlib/src/rust/library")));
        let sysroot = folder.to_owned();
        assert_eq!(found, Toolchain::Sources { rustc, linker, sysroot });
    }

    #[test]
    fn the_error_says_what_helps() {
        let error = Error::NoToolchain { found: "nothing".to_owned() };
        let message = error.to_string();
        assert!(message.contains("rustup target add wasm32-unknown-unknown"));
        assert!(message.contains("apt-get install --no-install-recommends rustc-web rust-web-src"));
    }

    #[test]
    fn a_toolchain_is_applied_to_cargo() {
        let mut cargo = Command::new("cargo");
        Toolchain::Target.apply(&mut cargo);
        assert_eq!(cargo.get_args().collect::<Vec<_>>(), ["--target", TARGET]);
        assert_eq!(cargo.get_envs().count(), 0);

        let mut cargo = Command::new("cargo");
        let sources = Toolchain::Sources { rustc: "/r".into(), linker: "/l".into(), sysroot: "/s".into() };
        sources.apply(&mut cargo);
        assert!(cargo.get_args().any(|argument| argument == "-Zbuild-std=std,panic_abort"));
        assert!(cargo.get_envs().any(|(name, value)| name == "RUSTC" && value == Some(OsStr::new("/r"))));
    }
}
