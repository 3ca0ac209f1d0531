//! What the terminal can do.

use std::io::{IsTerminal, Write};

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

/// Whether to colour standard output.
pub(crate) fn colour_on_stdout() -> bool {
    wanted() && std::io::stdout().is_terminal()
}

/// Whether standard output is a terminal.
pub(crate) fn stdout_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}
