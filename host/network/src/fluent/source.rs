//! Takes events of the forward protocol.

use super::entries::{Entries, Entry, unpacks};
use super::handshake::shake;
use super::json::{Added, event};
use super::message::{BadMessage, Events, Message, ack, entry, read};
use super::scan::{Bad, Scan};
use crate::Bound;
use crate::door::Seldom;
use crate::server::acks::{self, Ack, Acking};
use crate::server::gather::Gather;
use crate::server::inbox::Inbox;
use crate::server::{Context, Listening, Stream};
use std::sync::Arc;
use tamis_codecs::LinesOptions;
use tamis_config::FluentSource;
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};
use tokio::io::ReadHalf;
use tokio::sync::mpsc;

/// Bytes of what a client names its message by.
const CHUNK_BYTES_MAX: usize = 1_024;

static TOLD: Seldom = Seldom::new();

struct Shared {
    config: FluentSource,
    lines: LinesOptions,
    stream: Arc<str>,
}

pub(crate) fn run(config: &FluentSource, bound: Option<Bound>, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &config.limits };
    let shared = Arc::new(Shared { config: config.clone(), lines: options.lines(config.max_record), stream: "fluent".into() });
    crate::server::run(&listening, bound, options, outlet, move |stream, context| serve(stream, context, Arc::clone(&shared)))
}

async fn serve(stream: Box<dyn Stream>, context: Context, shared: Arc<Shared>) {
    let (reader, mut writer) = tokio::io::split(stream);
    let mut inbox = Inbox::new(reader, &context);
    if let Some(security) = &shared.config.security {
        let shaken = shake(&mut inbox, &mut writer, security, &context);
        match tokio::time::timeout(context.limits.header_timeout, shaken).await {
            Ok(Ok(())) => {}
            Ok(Err(event)) => return context.door.count(event, 1),
            Err(_) => return context.door.count("header_timeout", 1),
        }
    }
    let (sender, receiver) = acks::channel();
    let acking = Acking { patience: Some(context.limits.ack_timeout), alive: None, write_timeout: context.limits.body_timeout };
    let reading = {
        let context = context.clone();
        async move { messages(inbox, &context, &shared, sender).await }
    };
    if acks::serve(reading, receiver, writer, acking).await.is_err() {
        context.door.count("unacknowledged", 1);
    }
}

/// Takes messages until the connection ends.
async fn messages(mut inbox: Inbox<ReadHalf<Box<dyn Stream>>>, context: &Context, shared: &Shared, acks: mpsc::Sender<Ack>) {
    let max = context.limits.body.to_usize();
    let mut scan = Scan::default();
    loop {
        match scan.end(inbox.filled(), max) {
            Ok(Some(end)) => {
                let taken = take(inbox.filled().get(..end).unwrap_or_default(), context, shared, &acks).await;
                inbox.consume(end);
                scan = Scan::default();
                if taken.is_none() {
                    return;
                }
            }
            Ok(None) => {
                if inbox.more(scan.least().max(inbox.filled().len() + 1), context).await.is_err() {
                    return;
                }
            }
            Err(bad) => {
                let event = if bad == Bad::TooLarge { "body_too_large" } else { "bad_message" };
                context.door.count(event, 1);
                if TOLD.is_time() {
                    tracing::warn!("a connection of {} was closed: {bad}; `limits.body` is {}", context.peer.ip(), context.limits.body);
                }
                return;
            }
        }
    }
}

/// Takes a message. `None`: the connection is to end, and the client keeps what it sent.
async fn take(bytes: &[u8], context: &Context, shared: &Shared, acks: &mpsc::Sender<Ack>) -> Option<()> {
    let mut gather = Gather::new(context, &shared.stream, &shared.lines);
    let chunk = match read(bytes) {
        Ok(None) => return Some(()),
        Ok(Some(message)) => {
            events(&message, &mut gather, context, shared).await?;
            message.chunk
        }
        Err(BadMessage { reason, chunk }) => {
            context.door.count("bad_message", 1);
            gather.reject(bytes, reason).await.ok()?;
            chunk
        }
    };
    let waiting = gather.finish().await.ok()?;
    match chunk {
        Some(chunk) if chunk.len() <= CHUNK_BYTES_MAX => acks.send(Ack { waiting, bytes: ack(&chunk), window: None }).await.ok(),
        // Whoever asks for no acknowledgement gets none.
        _ => Some(()),
    }
}

async fn events(message: &Message<'_>, gather: &mut Gather<'_>, context: &Context, shared: &Shared) -> Option<()> {
    let peer = context.peer.ip().to_canonical().to_string();
    let added = Added {
        tag: shared.config.tag_field.as_deref().map(|name| (name, message.tag)),
        time: shared.config.time_field.as_deref(),
        peer: shared.config.peer_field.as_deref().map(|name| (name, peer.as_str())),
    };
    let (bytes, is_gzip) = match message.events {
        Events::One(time, record) => return gather.add(|out| event(out, time, record, &added), record).await.ok(),
        Events::Several(bytes) => (bytes, false),
        Events::Gzip(bytes) => (bytes, true),
    };
    if is_gzip {
        match unpacks(bytes, context.limits.unpacked.to_usize()) {
            Ok(true) => {}
            Ok(false) => {
                context.door.count("body_too_large", 1);
                if TOLD.is_time() {
                    tracing::warn!(
                        "a connection of {} was closed: a message unpacks to more than {} (`limits.unpacked`)",
                        context.peer.ip(),
                        context.limits.unpacked
                    );
                }
                return None;
            }
            Err(_) => {
                context.door.count("bad_message", 1);
                return gather.reject(bytes, "the events are not gzip".to_owned()).await.ok();
            }
        }
    }
    let mut entries = Entries::new(bytes, is_gzip, shared.lines.record_bytes_max);
    loop {
        match entries.next() {
            Ok(None) => return Some(()),
            Ok(Some(Entry::Whole(at))) => {
                let bytes = entries.get(at);
                gather.add(|out| entry(bytes).and_then(|(time, record)| event(out, time, record, &added)), bytes).await.ok()?;
            }
            Ok(Some(Entry::TooLong(kept, length))) => {
                let reason = format!("an event of {length} bytes, at most {} are accepted (`max_record`)", shared.lines.record_bytes_max);
                gather.reject(&kept, reason).await.ok()?;
            }
            Err(bad) => {
                context.door.count("bad_message", 1);
                return gather.reject(bytes, format!("the message's events: {bad}")).await.ok();
            }
        }
    }
}
