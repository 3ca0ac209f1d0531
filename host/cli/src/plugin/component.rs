//! From what a user names, a component or a plugin's folder, to the component at the desk.

use super::files;
use crate::screen;
use std::path::{Path, PathBuf};
use tamis_authoring::desk::{Candidate, Desk, DeskError};
use tamis_sandbox::Limits;

/// Where the components of folders are built to.
pub(super) const OUT: &str = "target/plugins";
/// Longest component read, in bytes. The limit that plugins are held to is lower, and a guard-rail that says so.
pub(super) const COMPONENT_BYTES_MAX: u64 = 1 << 30;

/// A component with its bytes.
pub(super) struct Component {
    pub(super) name: String,
    pub(super) path: PathBuf,
    pub(super) bytes: Vec<u8>,
}

impl Component {
    /// The component in a file, or of the plugin in a folder, which is built first.
    pub(super) fn find(given: &Path) -> Result<Self, String> {
        let path = if given.is_dir() { path(given, None, Path::new(OUT))? } else { given.to_owned() };
        let bytes = files::at_most(&path, COMPONENT_BYTES_MAX)
            .map_err(|error| format!("{error}; expected a component (*.wasm) or the folder of a plugin"))?;
        let name = path.file_stem().map_or_else(|| "plugin".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, path, bytes })
    }
}

/// The component of the plugin in `folder`: the one given, or built into `out`.
pub(super) fn path(folder: &Path, component: Option<&PathBuf>, out: &Path) -> Result<PathBuf, String> {
    if let Some(component) = component {
        return Ok(component.clone());
    }
    let outcome = tamis_authoring::build(&[folder.to_path_buf()], out, cache().as_deref(), &mut |message: &str| screen::tell(message));
    let built = outcome.all().map_err(|error| error.to_string())?;
    built.into_iter().next().map(|built| built.path).ok_or_else(|| format!("{}: nothing was built", folder.display()))
}

/// A desk with these limits, which keeps compiled code in the user's cache folder.
pub(super) fn desk(limits: Limits) -> Result<Desk, DeskError> {
    Desk::new(limits, cache())
}

/// `$XDG_CACHE_HOME/tamis/compiled`, or `~/.cache/tamis/compiled`.
pub(super) fn cache() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).and_then(absolute);
    let folder = base.or_else(|| std::env::home_dir().and_then(absolute).map(|home| home.join(".cache")))?.join("tamis");
    // Without a place to write to, everything works and compiles each time.
    std::fs::create_dir_all(&folder).ok().map(|()| folder.join("compiled"))
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
        screen::path(folder)
    )
}
