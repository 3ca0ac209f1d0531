//! Messages by RELP, the Reliable Event Logging Protocol: each is answered, and a sender comes again with those that were not.

mod frames;

use super::framing::trimmed;
use super::source::{Shared, named, push};
use crate::door::Seldom;
use crate::server::acks::{self, Ack, Acking};
use crate::server::inbox::{FREE_BYTES, Inbox};
use crate::server::{Context, Stream};
use frames::{Bad, CLOSING, Next, accept, answer, following, next};
use std::sync::Arc;
use tamis_codecs::{Decoder, Frame, Rejected};
use tokio::io::ReadHalf;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Bytes kept of a message that is too long.
const KEPT: usize = 8 * 1024;

static TOLD: Seldom = Seldom::new();

/// Why a session ends.
enum Ended {
    /// The client, or the host.
    Quietly,
    /// In good order, with an answer.
    Closed,
    Bad(Bad),
}

impl From<Bad> for Ended {
    fn from(bad: Bad) -> Self {
        Self::Bad(bad)
    }
}

/// Serves a connection.
pub(super) async fn serve(stream: Box<dyn Stream>, context: Context, shared: Arc<Shared>) {
    let (reader, writer) = tokio::io::split(stream);
    let (sender, receiver) = acks::channel();
    let acking = Acking { patience: None, alive: None, write_timeout: context.limits.body_timeout };
    let reading = {
        let (inbox, context) = (Inbox::new(reader, &context), context.clone());
        async move { session(inbox, &context, &shared, sender).await }
    };
    if acks::serve(reading, receiver, writer, acking).await.is_err() {
        context.door.count("unacknowledged", 1);
    }
}

/// Takes frames until the connection ends.
async fn session(mut inbox: Inbox<ReadHalf<Box<dyn Stream>>>, context: &Context, shared: &Shared, acks: mpsc::Sender<Ack>) {
    let mut taker = Taker::new(context, shared, acks);
    let Err(ended) = taker.frames(&mut inbox).await else { return };
    if let Ended::Bad(bad) = ended {
        context.door.count("bad_message", 1);
        if TOLD.is_time() {
            tracing::warn!("a connection of {} was closed: {bad}", context.peer.ip());
        }
    }
    // What was taken is answered all the same.
    taker.answers.extend_from_slice(CLOSING);
    let _ = taker.hand_in().await;
}

struct Taker<'a> {
    context: &'a Context,
    shared: &'a Shared,
    acks: mpsc::Sender<Ack>,
    peer: String,
    decoder: Decoder,
    is_open: bool,
    /// The number of the next frame.
    due: u32,
    /// Messages that were not handed in yet, and all answers since.
    frame: Frame,
    answers: Vec<u8>,
    /// The places of these messages among those that may wait for an answer.
    places: Option<OwnedSemaphorePermit>,
    window: Arc<Semaphore>,
}

impl<'a> Taker<'a> {
    fn new(context: &'a Context, shared: &'a Shared, acks: mpsc::Sender<Ack>) -> Self {
        Self {
            context,
            shared,
            acks,
            peer: context.peer.ip().to_canonical().to_string(),
            decoder: Decoder::new(&shared.config.codec),
            is_open: false,
            due: 1,
            frame: Frame::default(),
            answers: Vec::new(),
            places: None,
            window: Arc::new(Semaphore::new(shared.config.limits.window as usize)),
        }
    }

    async fn frames(&mut self, inbox: &mut Inbox<ReadHalf<Box<dyn Stream>>>) -> Result<(), Ended> {
        let max = self.shared.lines.record_bytes_max;
        loop {
            let used = match next(inbox.filled(), max)? {
                Next::Frame { number, command, data, used } => {
                    let bytes = inbox.filled();
                    self.take(number, bytes.get(command).unwrap_or_default(), bytes.get(data).unwrap_or_default()).await?;
                    used
                }
                Next::TooLong { number, command, length, used } => {
                    if inbox.filled().get(command) != Some(b"syslog") {
                        return Err(Bad::TooLarge(length).into());
                    }
                    self.begin(number).await?;
                    inbox.consume(used);
                    // It may take its time; what came before does not wait for it.
                    self.hand_in().await?;
                    let bytes = self.pass(inbox, length).await?;
                    let reason =
                        format!("a message of {length} bytes, at most {max} are accepted (`max_record`); its beginning is kept here");
                    self.frame.rejected.push(Rejected { bytes, offset: self.frame.records.text.len() as u64, reason });
                    self.end(number).await?;
                    continue;
                }
                // Whoever waits for answers sends no more.
                Next::More(_) if !self.answers.is_empty() => {
                    self.hand_in().await?;
                    continue;
                }
                Next::More(wanted) => {
                    inbox.more(wanted, self.context).await.map_err(|_| Ended::Quietly)?;
                    continue;
                }
            };
            inbox.consume(used);
        }
    }

    async fn take(&mut self, number: u32, command: &[u8], data: &[u8]) -> Result<(), Ended> {
        // A hint, which has no answer; there is none that a client could give.
        if number == 0 {
            return Ok(());
        }
        match command {
            b"syslog" => {
                self.begin(number).await?;
                push(&mut self.frame, data.get(trimmed(data, 0..data.len())).unwrap_or_default());
                self.end(number).await
            }
            b"open" => {
                self.is_due(number)?;
                // librelp may send it again.
                let (said, is_open) = if self.is_open { ("200 OK".to_owned(), true) } else { accept(data) };
                answer(&mut self.answers, number, &said);
                self.is_open = is_open;
                // A client sends nothing before it has the answer.
                if is_open { self.hand_in().await } else { Err(Bad::NotOpen.into()) }
            }
            b"close" => {
                self.is_due(number)?;
                answer(&mut self.answers, number, "200 OK");
                Err(Ended::Closed)
            }
            _ => {
                self.is_due(number)?;
                self.context.door.count("bad_message", 1);
                answer(&mut self.answers, number, "500 unknown command");
                self.hand_in_if_full().await
            }
        }
    }

    fn is_due(&mut self, number: u32) -> Result<(), Bad> {
        if number != self.due {
            return Err(Bad::Order { found: number, expected: self.due });
        }
        self.due = following(number);
        Ok(())
    }

    /// Before a message: there must be a place for it among those that wait for an answer.
    async fn begin(&mut self, number: u32) -> Result<(), Ended> {
        self.is_due(number)?;
        if !self.is_open {
            answer(&mut self.answers, number, "500 the session is not open");
            return Err(Bad::NotOpen.into());
        }
        let place = match Arc::clone(&self.window).try_acquire_owned() {
            Ok(place) => place,
            Err(_) => {
                self.hand_in().await?;
                Arc::clone(&self.window).acquire_owned().await.map_err(|_| Ended::Quietly)?
            }
        };
        match &mut self.places {
            Some(places) => places.merge(place),
            None => self.places = Some(place),
        }
        Ok(())
    }

    /// Behind a message: it is answered with all that travel with it.
    async fn end(&mut self, number: u32) -> Result<(), Ended> {
        answer(&mut self.answers, number, "200 OK");
        self.hand_in_if_full().await
    }

    async fn hand_in_if_full(&mut self) -> Result<(), Ended> {
        let lines = &self.shared.lines;
        let is_full = self.frame.count() >= lines.records_max || self.frame.records.text.len() >= lines.frame_bytes;
        if is_full || self.answers.len() >= lines.frame_bytes { self.hand_in().await } else { Ok(()) }
    }

    /// Hands in what is there; it is answered when all of it is delivered or spooled.
    async fn hand_in(&mut self) -> Result<(), Ended> {
        // What is not handed in is not answered.
        let (bytes, window, mut waiting) = (std::mem::take(&mut self.answers), self.places.take(), Vec::new());
        if self.frame.count() > 0 {
            let frame = self.decoder.decode(std::mem::take(&mut self.frame));
            self.decoder.keep_at_most(FREE_BYTES);
            let frame = named(frame, self.shared.config.peer_field.as_deref(), &self.peer);
            if frame.count() > 0 {
                waiting.push(self.context.door.begin_patiently(&self.shared.stream, frame).await.map_err(|_| Ended::Quietly)?);
            }
        }
        self.acks.send(Ack { waiting, bytes, window }).await.map_err(|_| Ended::Quietly)
    }

    /// Passes over data and the line feed behind it; gives its beginning.
    async fn pass(&mut self, inbox: &mut Inbox<ReadHalf<Box<dyn Stream>>>, length: usize) -> Result<Vec<u8>, Ended> {
        let kept = inbox.pass(length, KEPT, self.context).await.map_err(|_| Ended::Quietly)?;
        match inbox.pass(1, 1, self.context).await.map_err(|_| Ended::Quietly)?.as_slice() {
            b"\n" => Ok(kept),
            _ => Err(Bad::End.into()),
        }
    }
}
