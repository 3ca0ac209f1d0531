//! What the verbs that speak with registries share: the reference on the command line, a bar, and how errors end the command.

use crate::exit::Exit;
use crate::plugin::sign::public_keys;
use crate::screen;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use tamis_config::{Digest, Reference};
use tamis_registry::signature::PublicKey;
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

/// What is pulled, and whose signature it must bear.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// What is pulled: `oci://registry/team/name:tag`, with `@sha256:…` only when the tag leads there.
    #[arg(value_name = "REFERENCE")]
    pub(crate) reference: Reference,
    /// Write nothing unless it is signed with this key (`RW…`, or its file); may be given several times.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    #[command(flatten)]
    connection: Connection,
}

impl Wanted {
    /// The keys, read; otherwise how the command ends.
    pub(crate) fn keys(&self) -> Result<Vec<PublicKey>, Exit> {
        public_keys(&self.key).map_err(|message| bad_usage(&message))
    }

    /// A client for its registry.
    pub(crate) fn client(&self) -> Result<Client, Error> {
        self.connection.client(self.reference.repository().registry())
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

/// What the tag led to before a push of `digest`, where that was something else.
///
/// # Errors
/// What to tell where the tag is not to move.
pub(crate) fn moved_from(reference: &Reference, before: Option<Digest>, digest: &Digest, no_move: bool) -> Result<Option<Digest>, String> {
    match before.filter(|before| before != digest) {
        Some(before) if no_move => Err(format!("{reference} leads to {before} already, and this would be {digest}; take another tag")),
        before => Ok(before),
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
