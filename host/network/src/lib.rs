//! Sources and sinks that speak a network protocol: a folder each.
//!
//! A source that others connect to serves them from the threads of [`runtime`] and hands what they send through its [`Door`] to the
//! source's own thread, which brings it to the lanes; a client is answered when its records are delivered or spooled.

mod beats;
mod client;
mod door;
mod fields;
mod fluent;
mod http;
mod runtime;
mod server;
mod syslog;

use std::fmt;
use tamis_config::{Sink, Source, Text};
use tamis_nodes::sinks::{OpenError, Opened};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};

/// Sockets that a source listens on, before it runs.
#[derive(Debug)]
pub struct Bound(server::Sockets);

/// Opens the sockets of a source that listens; none for one that does not.
///
/// # Errors
/// An address that is taken, or is none of this machine's.
pub fn bind(source: &Source) -> Result<Option<Bound>, SourceError> {
    source
        .listen()
        .map(|address| server::Sockets::bind(address, server::Kinds::of(source)).map(Bound))
        .transpose()
        .map_err(SourceError::Network)
}

/// Runs a source of this crate to its end, or until the host stops, and waits until what it handed over is settled. `bound`: its
/// sockets; without them it opens them itself, and tries again while another one has the address. `None`: it is none of this crate's.
pub fn run(source: &Source, bound: Option<Bound>, options: &RunOptions, outlet: &mut dyn Outlet) -> Option<Result<(), SourceError>> {
    Some(match source {
        Source::Http(config) => http::source::run(config, bound, options, outlet),
        Source::Syslog(config) => syslog::source::run(config, bound, options, outlet),
        Source::Fluent(config) => fluent::source::run(config, bound, options, outlet),
        Source::Beats(config) => beats::source::run(config, bound, options, outlet),
        Source::File(_) | Source::Stdin(_) | Source::Demo(_) => return None,
    })
}

/// Makes a sink of this crate. Nothing is sent yet. `None`: it is none of this crate's.
///
/// # Errors
/// Certificates that cannot be read, or options that contradict each other.
pub fn open(sink: &Sink) -> Option<Result<Opened, OpenError>> {
    Some(match sink {
        Sink::Http(config) => http::sink::open(config),
        Sink::File(_) | Sink::Stdout(_) | Sink::Null(_) => return None,
    })
}

/// What is wrong with the files of a configuration that this crate will read: certificates and keys.
fn cannot_read(what: &str, path: &Text, error: impl fmt::Display) -> String {
    format!("cannot read {what} `{}`: {error}", path.shown())
}
