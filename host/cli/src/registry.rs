//! What the verbs that speak with registries share: the reference on the command line, a bar, and how errors end the command.

use crate::exit::Exit;
use crate::screen;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use tamis_registry::{Client, Error};

#[derive(Debug, Args)]
pub(crate) struct Connection {
    /// Speak with the registry without TLS. On localhost, 127.0.0.1 and [::1] that is done anyway.
    #[arg(long)]
    plain_http: bool,
}

impl Connection {
    /// A client for this registry.
    pub(crate) fn client(&self, registry: &str) -> Result<Client, Error> {
        let plain: Vec<String> = self.plain_http.then(|| registry.to_owned()).into_iter().collect();
        Client::new(&plain)
    }
}

/// Tells the error and ends the command: 1 when the registry (or a digest) says no, 3 when it was not reached or a file is missing.
pub(crate) fn ended(error: &Error) -> Exit {
    screen::complain(&error.to_string());
    match error {
        Error::Unreachable { .. } | Error::File { .. } => Exit::NotStarted,
        Error::Credentials { .. } | Error::Lock { .. } => Exit::BadConfiguration,
        _ => Exit::Failure,
    }
}

/// Tells bad usage.
pub(crate) fn bad_usage(message: &str) -> Exit {
    screen::complain(message);
    Exit::BadConfiguration
}

/// A bar of bytes on standard error, where that is a terminal.
pub(crate) struct Bar(Option<ProgressBar>);

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new(0);
            let template = if screen::colour_on_stderr() {
                "{bar:40.cyan/blue} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}"
            } else {
                "{bar:40} {percent:>3}%  {bytes} of {total_bytes}  {bytes_per_sec}"
            };
            bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self(bar)
    }

    pub(crate) fn step(&self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}
