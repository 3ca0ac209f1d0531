//! Messages by TCP and TLS, which are not acknowledged.

use super::framing::{Framing, Next};
use super::source::{Shared, lost, named, push};
use crate::server::inbox::{End, FREE_BYTES, Inbox};
use crate::server::{Context, QUIET, Stream};
use std::pin::pin;
use std::sync::Arc;
use tamis_codecs::{Decoder, Frame, LinesOptions, Rejected};
use tokio::time::Instant;

/// Takes the messages of a connection. There is no answer: while there is no room for more records nothing is read, and the sender waits.
///
/// When the host stops, the sender finds the end of the stream, and what it sent before it did is still taken.
pub(super) async fn serve(stream: Box<dyn Stream>, context: Context, shared: Arc<Shared>) {
    let mut inbox = Inbox::new(stream, &context);
    let mut framing = Framing::new(shared.lines.record_bytes_max);
    let mut decoder = Decoder::new(&shared.config.codec);
    let peer = context.peer.ip().to_canonical().to_string();
    // Until when it is read on, once the host stops.
    let mut until = None;
    loop {
        let (frame, wanted) = cut(&mut inbox, &mut framing, &shared.lines);
        let ended = match wanted {
            Some(wanted) if frame.count() == 0 => match until {
                None => inbox.more(wanted, &context).await,
                Some(until) => more_until(until, wanted, &mut inbox, &context).await,
            },
            _ => Ok(()),
        };
        let frame = match ended {
            Err(End::Stopping) if until.is_none() => {
                until = Some(last_words(&inbox, &context));
                continue;
            }
            Ok(()) => frame,
            Err(End::Closed) => rest(inbox.filled(), &framing),
            Err(End::Stopping) => {
                let (frame, _) = cut(&mut inbox, &mut framing, &shared.lines);
                cut_off(frame, inbox.filled(), &framing)
            }
            Err(End::Timeout | End::Busy) => Frame::default(),
        };
        if frame.count() > 0 {
            let frame = named(decoder.decode(frame), shared.config.peer_field.as_deref(), &peer);
            let count = frame.count();
            decoder.keep_at_most(FREE_BYTES);
            let mut handing = pin!(context.door.begin_patiently(&shared.stream, frame));
            let handed = tokio::select! {
                biased;
                handed = handing.as_mut() => handed,
                // While there is no room the sender is to hear of it all the same.
                () = inbox.stops(), if until.is_none() => {
                    until = Some(last_words(&inbox, &context));
                    handing.await
                }
            };
            if handed.is_err() {
                return lost(&context, count);
            }
        }
        if ended.is_err() {
            return;
        }
    }
}

/// Lets the sender find the end of the stream. Until when it is read on.
fn last_words(inbox: &Inbox<Box<dyn Stream>>, context: &Context) -> Instant {
    inbox.reader().half_close();
    Instant::now() + context.linger.unwrap_or_default()
}

/// Reads more while the host stops.
async fn more_until(until: Instant, wanted: usize, inbox: &mut Inbox<Box<dyn Stream>>, context: &Context) -> Result<(), End> {
    let quiet = Instant::now() + QUIET;
    match tokio::time::timeout_at(until.min(quiet), inbox.more(wanted, context)).await {
        Ok(Err(End::Closed)) => Err(End::Closed),
        Ok(Ok(())) if Instant::now() < until => Ok(()),
        Err(_) if quiet < until => Err(End::Stopping),
        // It may have sent more.
        _ => {
            context.door.count("stop_timeout", 1);
            Err(End::Stopping)
        }
    }
}

/// The whole messages that are there, as many as a frame takes. When no further one is there: how many bytes the next needs.
fn cut<R: tokio::io::AsyncRead + Unpin>(inbox: &mut Inbox<R>, framing: &mut Framing, lines: &LinesOptions) -> (Frame, Option<usize>) {
    let (mut frame, mut used) = (Frame::default(), 0);
    let wanted = loop {
        if frame.count() >= lines.records_max || frame.records.text.len() >= lines.frame_bytes {
            break None;
        }
        let bytes = inbox.filled().get(used..).unwrap_or_default();
        used += match framing.next(bytes) {
            Next::Message { at, used } => {
                push(&mut frame, bytes.get(at).unwrap_or_default());
                used
            }
            Next::TooLong { at, used, reason } => {
                let bytes = bytes.get(at).unwrap_or_default().to_vec();
                frame.rejected.push(Rejected { bytes, offset: frame.records.text.len() as u64, reason });
                used
            }
            Next::Nothing { used } => used,
            Next::More(wanted) => break Some(wanted),
        };
    };
    inbox.consume(used);
    (frame, wanted)
}

/// What was left when the sender closed the connection.
fn rest(bytes: &[u8], framing: &Framing) -> Frame {
    let mut frame = Frame::default();
    match framing.last(bytes) {
        Some(Ok(at)) => push(&mut frame, bytes.get(at).unwrap_or_default()),
        Some(Err((at, reason))) => {
            frame.rejected.push(Rejected { bytes: bytes.get(at).unwrap_or_default().to_vec(), offset: 0, reason });
        }
        None => {}
    }
    frame
}

/// What was left when the host stopped, behind the last whole messages.
fn cut_off(mut frame: Frame, bytes: &[u8], framing: &Framing) -> Frame {
    let (at, reason) = match framing.last(bytes) {
        Some(Ok(at)) => {
            let reason = format!("the host stopped after {} bytes of the message", at.len());
            (at, reason)
        }
        Some(Err(cut)) => cut,
        None => return frame,
    };
    if !at.is_empty() {
        let offset = frame.records.text.len() as u64;
        frame.rejected.push(Rejected { bytes: bytes.get(at).unwrap_or_default().to_vec(), offset, reason });
    }
    frame
}
