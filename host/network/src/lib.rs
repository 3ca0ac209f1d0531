//! Sources and sinks that speak a network protocol: a folder each.
//!
//! A source that others connect to serves them from the threads of [`runtime`] and hands what they send through its [`Door`] to the
//! source's own thread, which brings it to the lanes; a client is answered when its records are delivered or spooled.

mod beats;
mod client;
mod document;
mod door;
mod elasticsearch;
mod fields;
mod fluent;
mod http;
#[cfg(feature = "kafka")]
mod kafka;
mod loki;
#[cfg(any(feature = "kafka", feature = "nats"))]
mod messages;
#[cfg(feature = "nats")]
mod nats;
#[cfg(feature = "otlp")]
mod otlp;
mod runtime;
mod server;
mod syslog;
#[cfg(any(feature = "kafka", feature = "nats"))]
mod template;
mod timestamp;

use std::fmt;
use tamis_config::{Sink, Source, Text};
use tamis_nodes::sinks::{OpenError, Opened};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};

/// Sockets that a source listens on, before it runs.
#[derive(Debug)]
pub struct Bound(Vec<server::Sockets>);

/// Opens the sockets of a source that listens; none for one that does not.
///
/// # Errors
/// An address that is taken, or is none of this machine's.
pub fn bind(source: &Source) -> Result<Option<Bound>, SourceError> {
    let addresses = source.addresses();
    if addresses.is_empty() {
        return Ok(None);
    }
    let kinds = server::Kinds::of(source);
    let sockets = addresses.iter().map(|address| server::Sockets::bind(address, kinds)).collect::<Result<_, _>>();
    sockets.map(|sockets| Some(Bound(sockets))).map_err(SourceError::Network)
}

/// Runs a source of this crate to its end, or until the host stops, and waits until what it handed over is settled. `bound`: its
/// sockets; without them it opens them itself, and tries again while another one has the address. `None`: it is none of this crate's.
pub fn run(source: &Source, bound: Option<Bound>, options: &RunOptions, outlet: &mut dyn Outlet) -> Option<Result<(), SourceError>> {
    Some(match source {
        Source::Http(config) => http::source::run(config, bound, options, outlet),
        Source::Elasticsearch(config) => elasticsearch::source::run(config, bound, options, outlet),
        #[cfg(feature = "otlp")]
        Source::Otlp(config) => otlp::source::run(config, bound, options, outlet),
        #[cfg(not(feature = "otlp"))]
        Source::Otlp(_) => Err(SourceError::Network(left_out("OTLP", "otlp"))),
        Source::Syslog(config) => syslog::source::run(config, bound, options, outlet),
        Source::Fluent(config) => fluent::source::run(config, bound, options, outlet),
        Source::Beats(config) => beats::source::run(config, bound, options, outlet),
        #[cfg(feature = "kafka")]
        Source::Kafka(config) => kafka::source::run(config, options, outlet),
        #[cfg(feature = "nats")]
        Source::Nats(config) => nats::source::run(config, options, outlet),
        #[cfg(not(feature = "kafka"))]
        Source::Kafka(_) => Err(SourceError::Network(left_out("Kafka", "kafka"))),
        #[cfg(not(feature = "nats"))]
        Source::Nats(_) => Err(SourceError::Network(left_out("NATS", "nats"))),
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
        Sink::Elasticsearch(config) => elasticsearch::sink::open(config),
        Sink::Loki(config) => loki::sink::open(config),
        #[cfg(feature = "otlp")]
        Sink::Otlp(config) => otlp::sink::open(config),
        #[cfg(not(feature = "otlp"))]
        Sink::Otlp(_) => Err(OpenError::Network(left_out("OTLP", "otlp"))),
        #[cfg(feature = "kafka")]
        Sink::Kafka(config) => kafka::sink::open(config),
        #[cfg(feature = "nats")]
        Sink::Nats(config) => nats::sink::open(config),
        #[cfg(not(feature = "kafka"))]
        Sink::Kafka(_) => Err(OpenError::Network(left_out("Kafka", "kafka"))),
        #[cfg(not(feature = "nats"))]
        Sink::Nats(_) => Err(OpenError::Network(left_out("NATS", "nats"))),
        Sink::File(_) | Sink::Stdout(_) | Sink::Null(_) => return None,
    })
}

/// What a build without a protocol says of it.
#[cfg(not(all(feature = "kafka", feature = "nats", feature = "otlp")))]
fn left_out(protocol: &str, feature: &str) -> String {
    format!("this build has no {protocol}; build it with the feature `{feature}`, which is on by default")
}

/// What is wrong with the files of a configuration that this crate will read: certificates and keys.
fn cannot_read(what: &str, path: &Text, error: impl fmt::Display) -> String {
    format!("cannot read {what} `{}`: {error}", path.shown())
}
