//! The component that `check` and `inspect` look at, and the configuration they look at it with.

use anyhow::{Context, bail};
use std::io::Read;
use std::path::{Path, PathBuf};
use tamis_sandbox::Limits;

use crate::screen;

/// Where the components of folders are built to.
const OUT: &str = "target/plugins";
/// Longest component read, in bytes; the guard-rail on size is lower.
const COMPONENT_BYTES_MAX: u64 = 1 << 30;
/// Longest configuration read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// A component and where it came from.
pub(super) struct Subject {
    pub(super) name: String,
    /// The component's file.
    pub(super) path: PathBuf,
    /// The plugin's folder, when one was given: it was built.
    pub(super) folder: Option<PathBuf>,
    pub(super) bytes: Vec<u8>,
}

impl Subject {
    /// The component in a file, or of the plugin in a folder, which is built first.
    pub(super) fn find(given: &Path) -> anyhow::Result<Self> {
        let (path, folder) = if given.is_dir() {
            let built = tamis_authoring::build(&[given.to_path_buf()], Path::new(OUT), &mut |message: &str| screen::tell(message))?;
            let Some(built) = built.into_iter().next() else { bail!("{}: nothing was built", given.display()) };
            (built.path, Some(given.to_path_buf()))
        } else {
            (given.to_path_buf(), None)
        };
        let failed = || format!("{}: expected a component (*.wasm) or the folder of a plugin", path.display());
        let bytes = read(&path, COMPONENT_BYTES_MAX).with_context(failed)?;
        let name = path.file_stem().map_or_else(|| "plugin".to_owned(), |stem| stem.to_string_lossy().into_owned());
        Ok(Self { name, path, folder, bytes })
    }
}

/// A configuration: JSON as it stands, or a file of it.
pub(super) fn config(given: &str) -> anyhow::Result<String> {
    let text = if given.trim_start().starts_with(['{', '[', '"']) {
        given.to_owned()
    } else {
        let bytes = read(Path::new(given), CONFIG_BYTES_MAX).with_context(|| format!("--config {given}: expected JSON or a file of it"))?;
        String::from_utf8(bytes).with_context(|| format!("--config {given}: expected UTF-8"))?
    };
    // Written anew, so that the plugin sees it as the host would give it.
    let value: serde_json::Value = serde_json::from_str(&text).with_context(|| format!("--config {given}: expected JSON"))?;
    Ok(value.to_string())
}

fn read(path: &Path, bytes_max: u64) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(bytes_max).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Limits as `memory=16MiB,deadline=100ms,component=1MiB`, over the host's defaults.
pub(super) fn limits(text: &str) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}`: expected NAME=VALUE, such as memory=16MiB"))?;
        let bytes =
            || tamis_config::Bytes::parse(value).map(|bytes| bytes.0).ok_or_else(|| format!("`{part}`: expected a size such as 16MiB"));
        let time = || humantime::parse_duration(value).map_err(|error| format!("`{part}`: expected a time such as 100ms: {error}"));
        match name.trim() {
            "memory" => limits.memory_bytes = bytes()?,
            "deadline" => limits.deadline = time()?,
            "init_deadline" => limits.init_deadline = time()?,
            "component" => limits.component_bytes_max = bytes()?,
            other => return Err(format!("`{other}` is no limit; expected memory, deadline, init_deadline or component")),
        }
    }
    Ok(limits)
}

/// The folder of compiled plugins: `$XDG_CACHE_HOME/tamis/compiled`, or `~/.cache/tamis/compiled`.
pub(super) fn cache() -> Option<PathBuf> {
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let base = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).and_then(absolute);
    let folder = base.or_else(|| std::env::home_dir().and_then(absolute).map(|home| home.join(".cache")))?.join("tamis");
    // Without a place to write to, everything works and compiles each time.
    std::fs::create_dir_all(&folder).ok().map(|()| folder.join("compiled"))
}

/// Text of a component fit for the terminal: control characters are escaped.
pub(super) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_or_explained() {
        let limits_read = limits("memory=16MiB, deadline=50ms").expect("limits");
        assert_eq!((limits_read.memory_bytes, limits_read.deadline.as_millis()), (16 << 20, 50));
        for (text, expected) in [("memory", "NAME=VALUE"), ("memory=x", "16MiB"), ("deadline=5", "100ms"), ("speed=1", "is no limit")] {
            let error = limits(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_configuration_is_json_or_a_file() {
        assert_eq!(config(" { \"a\" : 1 }").expect("JSON"), "{\"a\":1}");
        assert!(config("{").is_err() && config("absent.json").is_err());
    }
}
