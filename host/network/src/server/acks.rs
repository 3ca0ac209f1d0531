//! Acknowledgements on a connection that goes on being read meanwhile.

use crate::door::{Refused, Waiting};
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::{OwnedSemaphorePermit, mpsc};

/// Acknowledgements of a connection that wait, at most; then it is not read.
const WAITING_MAX: usize = 1_024;

/// An acknowledgement, and what must be delivered or spooled before it is sent.
pub(crate) struct Ack {
    pub(crate) waiting: Vec<Waiting>,
    pub(crate) bytes: Vec<u8>,
    /// Given back when it was sent: a place among those of the connection that may wait.
    pub(crate) window: Option<OwnedSemaphorePermit>,
}

/// Signs of life for a client whose records are not safe yet.
pub(crate) struct Alive {
    pub(crate) every: Duration,
    pub(crate) bytes: &'static [u8],
    /// Whether something of this client is under way that no [`Ack`] stands for yet.
    pub(crate) busy: Arc<AtomicBool>,
}

/// How acknowledgements are sent.
pub(crate) struct Acking {
    /// How long records may wait; without it, as long as it takes.
    pub(crate) patience: Option<Duration>,
    pub(crate) alive: Option<Alive>,
    /// How long a client may take to read one.
    pub(crate) write_timeout: Duration,
}

pub(crate) fn channel() -> (mpsc::Sender<Ack>, mpsc::Receiver<Ack>) {
    mpsc::channel(WAITING_MAX)
}

/// Reads with `reading`, which owns the channel's other side, and sends what it has acknowledged, in its order, until both are done or the
/// client does not take it.
pub(crate) async fn serve<W, R>(reading: R, acks: mpsc::Receiver<Ack>, writer: W, acking: Acking) -> Result<(), Refused>
where
    W: AsyncWrite + Unpin,
    R: Future<Output = ()>,
{
    let mut sending = pin!(send(acks, writer, acking));
    let mut reading = pin!(reading);
    tokio::select! {
        () = reading.as_mut() => {}
        sent = sending.as_mut() => return sent,
    }
    sending.await
}

async fn send<W: AsyncWrite + Unpin>(mut acks: mpsc::Receiver<Ack>, mut writer: W, acking: Acking) -> Result<(), Refused> {
    loop {
        let ack = tokio::select! {
            ack = acks.recv() => ack,
            () = pause(&acking) => {
                alive(&mut writer, &acking, false).await?;
                continue;
            }
        };
        let Some(Ack { waiting, bytes, window: _window }) = ack else { return Ok(()) };
        for waiting in waiting {
            wait(waiting, &mut writer, &acking).await?;
        }
        write(&mut writer, &bytes, acking.write_timeout).await?;
    }
}

/// Waits until records are safe, with signs of life.
async fn wait<W: AsyncWrite + Unpin>(mut waiting: Waiting, writer: &mut W, acking: &Acking) -> Result<(), Refused> {
    if let Some(patience) = acking.patience {
        return tokio::time::timeout(patience, waiting.settled()).await.map_err(|_| Refused::Late)?;
    }
    loop {
        tokio::select! {
            settled = waiting.settled() => return settled,
            () = pause(acking) => alive(writer, acking, true).await?,
        }
    }
}

async fn pause(acking: &Acking) {
    match &acking.alive {
        Some(alive) => tokio::time::sleep(alive.every).await,
        None => std::future::pending().await,
    }
}

async fn alive<W: AsyncWrite + Unpin>(writer: &mut W, acking: &Acking, always: bool) -> Result<(), Refused> {
    match &acking.alive {
        Some(alive) if always || alive.busy.load(Ordering::Relaxed) => write(writer, alive.bytes, acking.write_timeout).await,
        _ => Ok(()),
    }
}

async fn write<W: AsyncWrite + Unpin>(writer: &mut W, bytes: &[u8], timeout: Duration) -> Result<(), Refused> {
    let written = tokio::time::timeout(timeout, async {
        writer.write_all(bytes).await?;
        writer.flush().await
    });
    match written.await {
        Ok(Ok(())) => Ok(()),
        // The client is gone or does not read: it will come again with what was not acknowledged.
        Ok(Err(_)) | Err(_) => Err(Refused::Late),
    }
}
