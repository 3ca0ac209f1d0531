//! Takes syslog messages.

use super::datagrams::receive;
use super::{relp, stream};
use crate::Bound;
use crate::door::{LOST, Seldom};
use crate::fields;
use crate::server::{Addresses, Context, Ends, Kinds, Listening};
use std::sync::Arc;
use tamis_codecs::{Frame, LinesOptions};
use tamis_config::{Source, SyslogSource, SyslogTransport};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};
use tamis_record::Records;

/// What all messages are taken with.
pub(super) struct Shared {
    pub(super) config: SyslogSource,
    pub(super) lines: LinesOptions,
    pub(super) stream: Arc<str>,
}

pub(crate) fn run(config: &SyslogSource, bound: Option<Bound>, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    if config.transport == SyslogTransport::Udp && config.tls.is_some() {
        return Err(SourceError::Network("`tls` is for TCP: take `transport: tcp`, `both` or `relp`, or leave `tls` out".to_owned()));
    }
    let limits = config.server_limits();
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &limits };
    let lines = options.lines(config.max_record);
    let shared = Arc::new(Shared { config: config.clone(), lines, stream: "syslog".into() });
    let kinds = Kinds::of(&Source::Syslog(config.clone()));
    let is_relp = config.transport == SyslogTransport::Relp;
    // Whoever speaks RELP comes again with what was not answered.
    let ends = if is_relp { Ends::First } else { Ends::Lingering(config.limits.stop_timeout.min(options.stop_timeout)) };
    let datagrams = Arc::clone(&shared);
    crate::server::run_with(
        &Addresses { all: &[listening.address], kinds, ends },
        &listening,
        bound,
        options,
        outlet,
        move |stream, context| {
            let shared = Arc::clone(&shared);
            async move {
                match is_relp {
                    true => relp::serve(stream, context, shared).await,
                    false => stream::serve(stream, context, shared).await,
                }
            }
        },
        move |socket, context| receive(socket, context, datagrams.clone()),
    )
}

static TOLD: Seldom = Seldom::new();

/// Counts messages that nobody will send again.
pub(super) fn lost(context: &Context, count: usize) {
    context.door.count(LOST, count as u64);
    if TOLD.is_time() {
        tracing::warn!("{count} messages of {} came too late: the host stops", context.peer.ip());
    }
}

/// Adds a message; an empty one is none.
pub(super) fn push(frame: &mut Frame, message: &[u8]) {
    if message.is_empty() {
        return;
    }
    let Records { text, rows } = &mut frame.records;
    let from = text.len() as u32;
    text.extend_from_slice(message);
    rows.push((from, text.len() as u32));
    text.push(b'\n');
}

/// With the sender's address in each record.
pub(super) fn named(frame: Frame, field: Option<&str>, peer: &str) -> Frame {
    let Some(field) = field else { return frame };
    let mut records = Records::default();
    for row in 0..frame.records.rows.len() {
        let from = records.text.len();
        records.text.extend_from_slice(frame.records.get(row));
        fields::append(&mut records.text, from, field, peer);
        records.rows.push((from as u32, records.text.len() as u32));
        records.text.push(b'\n');
    }
    Frame { records, ..frame }
}
