//! Finds componentize-py; nothing is ever installed.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::stage::Stage;
use crate::Error;

/// The release of componentize-py that plugins are built and tested with.
pub const VERSION: &str = "0.25.1";

/// The program in a folder of programs.
const PROGRAM: &str = "componentize-py";

/// Where a project's own scripts put it.
const TOOLS: &str = "target/tools/python/bin";

/// The tool that was found.
#[derive(Debug)]
pub(super) struct Tool {
    pub(super) path: PathBuf,
    pub(super) version: String,
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PROGRAM} {}", self.version)?;
        if self.version == VERSION { Ok(()) } else { write!(f, " (not tried with this host, {VERSION} is)") }
    }
}

impl Tool {
    /// The call that makes `stage.component()`. WASI is replaced by stubs that trap: no plugin is given any.
    pub(super) fn command(&self, stage: &Stage) -> Command {
        let mut command = Command::new(&self.path);
        command.arg("--quiet").arg("--wit-path").arg(stage.wit()).args(["--world", "plugin", "componentize", stage.entry()]);
        for path in stage.python_path() {
            command.arg("--python-path").arg(path);
        }
        command.arg("--stub-wasi").arg("--output").arg(stage.component());
        // Without it the tool would take in what happens to be installed on this machine.
        // Its own stack says nothing to an author; that of the plugin is printed all the same.
        command.env("VIRTUAL_ENV", stage.virtual_env()).env("PYTHONDONTWRITEBYTECODE", "1").env("RUST_BACKTRACE", "0");
        command
    }
}

/// The tool for the plugin in `folder` (absolute): of its own `.venv`, in PATH, or in `target/tools/python` of a folder above it or above
/// the working directory.
pub(super) fn find(folder: &Path) -> Result<Tool, Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let here = std::env::current_dir().unwrap_or_default();
    let candidates = candidates(folder, &path, &here);
    let mut found = String::from("it is in neither .venv/bin, PATH nor target/tools/python");
    for path in candidates.into_iter().filter(|path| path.is_file()) {
        match version(&path) {
            Ok(version) => return Ok(Tool { path, version }),
            Err(why) => found = format!("{} does not run: {why}", path.display()),
        }
    }
    Err(Error::NoComponentizePy { found, version: VERSION })
}

fn candidates(folder: &Path, path: &OsStr, here: &Path) -> Vec<PathBuf> {
    let own = std::iter::once(folder.join(".venv/bin"));
    let tools = folder.ancestors().chain(here.ancestors()).map(|above| above.join(TOOLS));
    own.chain(std::env::split_paths(path)).chain(tools).map(|folder| folder.join(PROGRAM)).collect()
}

/// What `componentize-py --version` says: `componentize-py 0.25.1`.
fn version(path: &Path) -> Result<String, String> {
    let output = Command::new(path).arg("--version").output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout);
    match text.split_whitespace().nth(1) {
        Some(version) if output.status.success() => Ok(version.to_owned()),
        _ => Err(output.status.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plugins_own_tool_goes_first() {
        let found = candidates(Path::new("/p/plugins/a"), OsStr::new("/bin:/usr/bin"), Path::new("/w"));
        let found: Vec<&str> = found.iter().filter_map(|path| path.to_str()).collect();
        assert_eq!(
            found,
            [
                "/p/plugins/a/.venv/bin/componentize-py",
                "/bin/componentize-py",
                "/usr/bin/componentize-py",
                "/p/plugins/a/target/tools/python/bin/componentize-py",
                "/p/plugins/target/tools/python/bin/componentize-py",
                "/p/target/tools/python/bin/componentize-py",
                "/target/tools/python/bin/componentize-py",
                "/w/target/tools/python/bin/componentize-py",
                "/target/tools/python/bin/componentize-py",
            ]
        );
    }

    #[test]
    fn the_error_says_what_helps() {
        let error = Error::NoComponentizePy { found: "none".to_owned(), version: VERSION };
        assert!(error.to_string().contains("python3 -m venv .venv && .venv/bin/pip install componentize-py==0.25.1"), "{error}");
    }
}
