//! Takes events of the Lumberjack protocol.

use super::frames::{Bad, Limits, Next, Version, ack, next};
use super::unpack::Unpacked;
use crate::Bound;
use crate::door::Seldom;
use crate::fields;
use crate::server::acks::{self, Ack, Acking, Alive};
use crate::server::gather::Gather;
use crate::server::inbox::Inbox;
use crate::server::{Context, Listening, Stream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tamis_codecs::LinesOptions;
use tamis_config::BeatsSource;
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};
use tokio::io::ReadHalf;
use tokio::sync::mpsc;

/// How often a client that waits gets a sign of life; it gives up after 30 s or more.
const ALIVE: Duration = Duration::from_secs(5);
/// Bytes kept of an event that is too long.
const KEPT: usize = 8 * 1024;

static TOLD: Seldom = Seldom::new();

struct Shared {
    config: BeatsSource,
    lines: LinesOptions,
    stream: Arc<str>,
}

pub(crate) fn run(config: &BeatsSource, bound: Option<Bound>, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &config.limits };
    let shared = Arc::new(Shared { config: config.clone(), lines: options.lines(config.max_record), stream: "beats".into() });
    crate::server::run(&listening, bound, options, outlet, move |stream, context| serve(stream, context, Arc::clone(&shared)))
}

async fn serve(stream: Box<dyn Stream>, context: Context, shared: Arc<Shared>) {
    let (reader, writer) = tokio::io::split(stream);
    let (sender, receiver) = acks::channel();
    let busy = Arc::<AtomicBool>::default();
    let alive = Alive { every: ALIVE, bytes: b"2A\0\0\0\0", busy: Arc::clone(&busy) };
    let acking = Acking { patience: None, alive: Some(alive), write_timeout: context.limits.body_timeout };
    let reading = {
        let (inbox, context) = (Inbox::new(reader, &context), context.clone());
        async move {
            if let Err(Ended::Bad(bad)) = parts(inbox, &context, &shared, sender, &busy).await {
                context.door.count(if bad == Bad::TooLarge { "body_too_large" } else { "bad_message" }, 1);
                if TOLD.is_time() {
                    let limits = &context.limits;
                    tracing::warn!(
                        "a connection of {} was closed: {bad}; {} packed, {} unpacked",
                        context.peer.ip(),
                        limits.body,
                        limits.unpacked
                    );
                }
            }
            busy.store(false, Ordering::Relaxed);
        }
    };
    if acks::serve(reading, receiver, writer, acking).await.is_err() {
        context.door.count("unacknowledged", 1);
    }
}

enum Ended {
    /// The client, or the host.
    Quietly,
    Bad(Bad),
}

impl From<Bad> for Ended {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

/// Events that are acknowledged together.
struct Window<'a> {
    version: Version,
    /// Events that are to come.
    left: u32,
    last: u32,
    gather: Gather<'a>,
}

/// Takes windows until the connection ends.
async fn parts(
    mut inbox: Inbox<ReadHalf<Box<dyn Stream>>>,
    context: &Context,
    shared: &Shared,
    acks: mpsc::Sender<Ack>,
    busy: &AtomicBool,
) -> Result<(), Ended> {
    let limits = Limits { event: shared.lines.record_bytes_max, packed: context.limits.body.to_usize() };
    let peer = context.peer.ip().to_canonical().to_string();
    let mut taker = Taker { context, shared, acks, busy, peer, window: None };
    loop {
        let used = match next(inbox.filled(), limits)? {
            Next::More(wanted) => {
                inbox.more(wanted, context).await.map_err(|_| Ended::Quietly)?;
                continue;
            }
            Next::Packed { at, used } => {
                let packed = inbox.filled().get(at).unwrap_or_default();
                taker.unpack(packed, limits).await?;
                used
            }
            Next::TooLong { sequence, length, used } => {
                inbox.consume(used);
                let kept = inbox.pass(length, KEPT, context).await.map_err(|_| Ended::Quietly)?;
                taker.too_long(sequence, &kept, length).await?;
                continue;
            }
            found => {
                let used = used(&found);
                taker.take(found, inbox.filled()).await?;
                used
            }
        };
        inbox.consume(used);
    }
}

fn used(found: &Next) -> usize {
    match found {
        Next::Window { used, .. }
        | Next::Json { used, .. }
        | Next::TooLong { used, .. }
        | Next::Made { used, .. }
        | Next::Packed { used, .. } => *used,
        Next::More(_) => 0,
    }
}

struct Taker<'a> {
    context: &'a Context,
    shared: &'a Shared,
    acks: mpsc::Sender<Ack>,
    busy: &'a AtomicBool,
    peer: String,
    window: Option<Window<'a>>,
}

impl<'a> Taker<'a> {
    /// Takes the parts within a packed one.
    async fn unpack(&mut self, packed: &[u8], limits: Limits) -> Result<(), Ended> {
        let mut unpacked = Unpacked::new(packed, self.context.limits.unpacked.to_usize(), limits)?;
        while let Some(found) = unpacked.next()? {
            match found {
                // Packed twice: nobody does that in earnest.
                Next::Packed { .. } => return Err(Bad::Form.into()),
                Next::TooLong { sequence, length, used } => {
                    unpacked.consume(used);
                    let kept = unpacked.pass(length, KEPT)?;
                    self.too_long(sequence, &kept, length).await?;
                }
                found => {
                    let used = used(&found);
                    self.take(found, unpacked.filled()).await?;
                    unpacked.consume(used);
                }
            }
        }
        Ok(())
    }

    /// Takes a part whose places are places in `bytes`.
    async fn take(&mut self, found: Next, bytes: &[u8]) -> Result<(), Ended> {
        match found {
            Next::Window { version, events, .. } => {
                // A client that announces another window before it has sent all of one: what came stands for it.
                self.close().await?;
                if events > 0 {
                    self.busy.store(true, Ordering::Relaxed);
                    let gather = Gather::new(self.context, &self.shared.stream, &self.shared.lines);
                    self.window = Some(Window { version, left: events, last: 0, gather });
                }
                Ok(())
            }
            Next::Json { sequence, at, .. } => self.event(sequence, bytes.get(at).unwrap_or_default()).await,
            Next::Made { sequence, json, .. } => self.event(sequence, &json).await,
            Next::TooLong { .. } | Next::Packed { .. } | Next::More(_) => Ok(()),
        }
    }

    async fn event(&mut self, sequence: u32, json: &[u8]) -> Result<(), Ended> {
        let window = self.window.as_mut().ok_or(Bad::Form)?;
        let (field, peer) = (self.shared.config.peer_field.as_deref(), self.peer.as_str());
        let write = |out: &mut Vec<u8>| {
            let from = out.len();
            // Line feeds stand between the parts of a value only: within texts they are escaped.
            out.extend(json.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }));
            if let Some(field) = field {
                fields::append(out, from, field, peer);
            }
            Ok(())
        };
        window.gather.add(write, json).await.map_err(|_| Ended::Quietly)?;
        self.count(sequence).await
    }

    async fn too_long(&mut self, sequence: u32, kept: &[u8], length: usize) -> Result<(), Ended> {
        let window = self.window.as_mut().ok_or(Bad::Form)?;
        let reason = format!("an event of {length} bytes, at most {} are accepted (`max_record`)", self.shared.lines.record_bytes_max);
        window.gather.reject(kept, reason).await.map_err(|_| Ended::Quietly)?;
        self.count(sequence).await
    }

    async fn count(&mut self, sequence: u32) -> Result<(), Ended> {
        if let Some(window) = &mut self.window {
            window.last = sequence;
            window.left -= 1;
            if window.left == 0 {
                return self.close().await;
            }
        }
        Ok(())
    }

    /// Hands in the rest of the window; it is acknowledged when all of it is safe.
    async fn close(&mut self) -> Result<(), Ended> {
        let Some(Window { version, left, last, gather }) = self.window.take() else { return Ok(()) };
        let is_empty = last == 0 && left > 0;
        let waiting = gather.finish().await.map_err(|_| Ended::Quietly)?;
        if !is_empty {
            let bytes = ack(version, last);
            self.acks.send(Ack { waiting, bytes, window: None }).await.map_err(|_| Ended::Quietly)?;
        }
        self.busy.store(false, Ordering::Relaxed);
        Ok(())
    }
}
