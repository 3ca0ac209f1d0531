//! The host's own log, on standard error.

use crate::arguments::{Arguments, LogFormat};
use crate::screen;
use tracing_subscriber::EnvFilter;

/// Starts logging as the command line says; a filter that cannot be read becomes `info`, with a word on it.
pub(crate) fn start(arguments: &Arguments) {
    let (filter, complaint) = match EnvFilter::try_new(&arguments.log) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .log_internal_errors(false)
        .with_writer(std::io::stderr)
        .with_ansi(screen::colour_on_stderr());
    match arguments.log_format {
        LogFormat::Json => builder.json().init(),
        LogFormat::Text => builder.with_target(false).init(),
    }
    if let Some(error) = complaint {
        tracing::warn!("`--log {}` is not a filter, `info` is used: {error}", arguments.log.escape_debug());
    }
}
