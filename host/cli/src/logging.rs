//! The host's own log, on standard error.

use crate::arguments::{Arguments, LogFormat};
use crate::screen;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

/// Libraries that tell at `info` what operators do not ask for: what matters of it, the host says itself.
const QUIET: &str = "async_nats=warn";

/// Starts logging as the command line says; a filter that cannot be read becomes `info`, with a word on it.
pub(crate) fn start(arguments: &Arguments) {
    let (filter, complaint) = match filter(&arguments.log) {
        Ok(filter) => (filter, None),
        Err(error) => (filter("info").unwrap_or_default(), Some(error)),
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

/// The filter that the command line asks for. Where it asks for `info`, some libraries begin at warnings; whoever asks for more, or names
/// them, gets all.
fn filter(asked: &str) -> Result<EnvFilter, ParseError> {
    let filter = EnvFilter::try_new(asked)?;
    match filter.max_level_hint() {
        Some(LevelFilter::INFO) => EnvFilter::try_new(format!("{QUIET},{asked}")),
        _ => Ok(filter),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::filter;

    #[test]
    fn libraries_are_quiet_unless_they_are_asked_for() {
        for (asked, expected) in [
            ("info", "async_nats=warn,info"),
            ("warn", "warn"),
            ("off", "off"),
            ("debug", "debug"),
            ("info,async_nats=info", "async_nats=info,info"),
        ] {
            assert_eq!(filter(asked).unwrap().to_string(), expected);
        }
        assert!(filter("tamis=loud").is_err());
    }
}
