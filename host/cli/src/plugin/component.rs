//! From a plugin's folder to its component at the desk: what `test`, `bench` and `dev` begin with.

use crate::screen;
use std::path::{Path, PathBuf};
use tamis_authoring::desk::{Candidate, Desk, DeskError};
use tamis_sandbox::Limits;

/// A desk with the host's default limits, which keeps compiled code in the user's cache folder.
pub(super) fn desk() -> Result<Desk, DeskError> {
    Desk::new(Limits::default(), cache())
}

/// `$XDG_CACHE_HOME/tamis/compiled`, or `~/.cache/tamis/compiled`.
fn cache() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).and_then(absolute);
    let folder = base.or_else(|| std::env::home_dir().and_then(absolute).map(|home| home.join(".cache")))?.join("tamis");
    // Without a place to write to, everything works and compiles each time.
    std::fs::create_dir_all(&folder).ok().map(|()| folder.join("compiled"))
}

/// The component of the plugin in `folder`: the one given, or built into `out`.
pub(super) fn path(folder: &Path, component: Option<&PathBuf>, out: &Path) -> Result<PathBuf, String> {
    if let Some(component) = component {
        return Ok(component.clone());
    }
    let built = tamis_authoring::build(&[folder.to_path_buf()], out, &mut |message: &str| screen::tell(message))
        .map_err(|error| error.to_string())?;
    built.into_iter().next().map(|built| built.path).ok_or_else(|| format!("{}: nothing was built", folder.display()))
}

/// The component in a file, on the desk.
pub(super) fn open(desk: &Desk, path: &Path) -> Result<Candidate, String> {
    desk.open(path).map_err(|error| error.to_string())
}

/// The plugin's name: that of its folder.
pub(super) fn name(folder: &Path) -> String {
    let whole = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    whole.file_name().map_or_else(|| "plugin".to_owned(), |name| name.to_string_lossy().into_owned())
}

/// What to do where a plugin has no cases.
pub(super) fn no_cases(folder: &Path) -> String {
    format!(
        "tamis: {}: no test cases. Write `cases/NAME.yaml` with `config:` and `input:`, then `tamis plugin test --bless` keeps what comes as expected",
        folder.display()
    )
}
