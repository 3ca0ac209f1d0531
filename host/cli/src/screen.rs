//! What the terminal can do.

use std::io::{IsTerminal, Write};
use std::path::Path;

fn wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()) && std::env::var("TERM").as_deref() != Ok("dumb")
}

/// Whether to colour standard error.
pub(crate) fn colour_on_stderr() -> bool {
    wanted() && std::io::stderr().is_terminal()
}

/// Writes a line to standard error; when nobody reads it, that is nobody's loss.
pub(crate) fn tell(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", text.trim_end_matches('\n'));
}

/// Tells on standard error what went wrong, in a line or more whose text drives no terminal.
pub(crate) fn complain(text: &str) {
    let lines: Vec<String> = text.lines().map(tamis_config::escaped).collect();
    tell(&format!("tamis: {}", lines.join("\n")));
}

/// A path as it may be shown on a terminal.
pub(crate) fn path(path: &Path) -> String {
    tamis_config::escaped(&path.display().to_string())
}

/// Whether to colour standard output.
pub(crate) fn colour_on_stdout() -> bool {
    wanted() && std::io::stdout().is_terminal()
}

/// Whether standard output is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}
