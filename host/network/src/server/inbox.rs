//! What comes on a connection, in memory that grows within limits.

use super::Context;
use std::sync::Arc;
use std::time::Instant;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::sync::{OwnedSemaphorePermit, watch};

/// Bytes that a connection may hold without asking.
pub(crate) const FREE_BYTES: usize = 64 * 1024;
/// Bytes that are read at once.
const READ_BYTES: usize = 16 * 1024;

/// Why nothing more comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The client closed the connection, or it broke.
    Closed,
    /// Nothing came within the time, or not the rest of a message.
    Timeout,
    /// All clients together send more than there is room for.
    Busy,
    /// The host stops.
    Stopping,
}

/// What has come and was not used yet.
pub(crate) struct Inbox<R> {
    reader: R,
    bytes: Vec<u8>,
    begin: usize,
    /// Since when something waits for its rest.
    since: Option<Instant>,
    /// For what is held beyond [`FREE_BYTES`].
    room: Option<OwnedSemaphorePermit>,
    stopping: watch::Receiver<bool>,
}

impl<R: AsyncRead + Unpin> Inbox<R> {
    pub(crate) fn new(reader: R, context: &Context) -> Self {
        Self { reader, bytes: Vec::new(), begin: 0, since: None, room: None, stopping: context.stopping.clone() }
    }

    /// What is there.
    pub(crate) fn filled(&self) -> &[u8] {
        self.bytes.get(self.begin..).unwrap_or_default()
    }

    /// Where it comes from.
    pub(crate) fn reader(&self) -> &R {
        &self.reader
    }

    /// Waits until the host stops; [`Inbox::more`] does not tell it any more then.
    pub(crate) async fn stops(&mut self) {
        // An error: it has stopped.
        let _ = self.stopping.changed().await;
    }

    /// The first so many bytes were used.
    pub(crate) fn consume(&mut self, bytes: usize) {
        self.begin = (self.begin + bytes).min(self.bytes.len());
        if bytes > 0 {
            self.since = None;
        }
    }

    /// Passes over so many bytes without holding them; gives the first of them, at most `kept_max`. Each read has the time of a message,
    /// not that of an idle client.
    pub(crate) async fn pass(&mut self, length: usize, kept_max: usize, context: &Context) -> Result<Vec<u8>, End> {
        let (mut left, mut kept) = (length, Vec::new());
        loop {
            let there = self.filled();
            let some = there.get(..left.min(there.len())).unwrap_or_default();
            kept.extend_from_slice(some.get(..some.len().min(kept_max - kept.len())).unwrap_or_default());
            let used = some.len();
            left -= used;
            self.consume(used);
            if left == 0 {
                return Ok(kept);
            }
            match tokio::time::timeout(context.limits.body_timeout, self.more(1, context)).await {
                Ok(come) => come?,
                Err(_) => {
                    context.door.count("body_timeout", 1);
                    return Err(End::Timeout);
                }
            }
        }
    }

    /// Reads more. At least `wanted` bytes, in all, are going to be needed.
    pub(crate) async fn more(&mut self, wanted: usize, context: &Context) -> Result<(), End> {
        self.bytes.drain(..self.begin);
        self.begin = 0;
        if self.bytes.is_empty() {
            self.since = None;
            self.room = None;
            self.bytes.shrink_to(FREE_BYTES);
        }
        let limit = match self.bytes.is_empty() {
            true => context.limits.idle_timeout,
            false => context.limits.body_timeout.saturating_sub(self.since.get_or_insert_with(Instant::now).elapsed()),
        };
        let Self { reader, bytes, room, stopping, .. } = self;
        let come = async {
            if !make_room(bytes, wanted, room, context).await {
                return Err(End::Busy);
            }
            match reader.take(READ_BYTES.max(wanted.saturating_sub(bytes.len())) as u64).read_buf(bytes).await {
                Ok(1..) => Ok(()),
                Ok(0) | Err(_) => Err(End::Closed),
            }
        };
        let come = tokio::select! {
            biased;
            _ = stopping.changed() => return Err(End::Stopping),
            come = tokio::time::timeout(limit, come) => come.unwrap_or(Err(End::Timeout)),
        };
        match come {
            Err(End::Timeout) if self.bytes.is_empty() => context.door.count("idle_timeout", 1),
            Err(End::Timeout) => context.door.count("body_timeout", 1),
            Err(End::Busy) => context.door.count("busy", 1),
            _ => {}
        }
        come
    }
}

/// Memory for the next bytes, and the right to hold them.
async fn make_room(bytes: &mut Vec<u8>, wanted: usize, room: &mut Option<OwnedSemaphorePermit>, context: &Context) -> bool {
    // Whatever a client announces, memory is taken for what has come, and as much again.
    let target = wanted.min(bytes.len().saturating_mul(2)).max(bytes.len() + READ_BYTES);
    let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
    // The right to hold it is asked for at once, so that two clients do not wait for the halves of each other.
    let needed = wanted.max(target).saturating_sub(FREE_BYTES);
    if needed > held {
        let Ok(more) = u32::try_from(needed - held) else { return false };
        let Ok(more) = Arc::clone(&context.receiving).acquire_many_owned(more).await else { return false };
        match room {
            Some(room) => room.merge(more),
            None => *room = Some(more),
        }
    }
    bytes.reserve(target.saturating_sub(bytes.len()));
    true
}
