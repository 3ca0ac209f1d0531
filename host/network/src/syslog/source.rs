//! Takes syslog messages.

use super::datagrams::receive;
use super::framing::{Framing, Next};
use crate::Bound;
use crate::fields;
use crate::server::inbox::{End, Inbox};
use crate::server::{Context, Kinds, Listening, Stream};
use std::sync::Arc;
use tamis_codecs::{Decoder, Frame, LinesOptions, Rejected};
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
        return Err(SourceError::Network("`tls` is for TCP: take `transport: tcp` or `both`, or leave `tls` out".to_owned()));
    }
    let limits = config.server_limits();
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &limits };
    let lines = options.lines(config.max_record);
    let shared = Arc::new(Shared { config: config.clone(), lines, stream: "syslog".into() });
    let kinds = Kinds::of(&Source::Syslog(config.clone()));
    let datagrams = Arc::clone(&shared);
    crate::server::run_with(
        (&[listening.address], kinds),
        &listening,
        bound,
        options,
        outlet,
        move |stream, context| serve(stream, context, Arc::clone(&shared)),
        move |socket, context| receive(socket, context, datagrams.clone()),
    )
}

/// Takes the messages of a connection. There is no answer: while there is no room for more records nothing is read, and the sender waits.
async fn serve(stream: Box<dyn Stream>, context: Context, shared: Arc<Shared>) {
    let mut inbox = Inbox::new(stream, &context);
    let mut framing = Framing::new(shared.lines.record_bytes_max);
    let mut decoder = Decoder::new(&shared.config.codec);
    let peer = context.peer.ip().to_canonical().to_string();
    loop {
        let (frame, wanted) = cut(&mut inbox, &mut framing, &shared.lines);
        let ended = match wanted {
            Some(wanted) if frame.count() == 0 => inbox.more(wanted, &context).await,
            _ => Ok(()),
        };
        let frame = match ended {
            Ok(()) => frame,
            Err(End::Closed) => rest(inbox.filled(), &framing),
            Err(End::Timeout | End::Busy | End::Stopping) => Frame::default(),
        };
        if frame.count() > 0 {
            let frame = named(decoder.decode(frame), shared.config.peer_field.as_deref(), &peer);
            if context.door.begin_patiently(&shared.stream, frame).await.is_err() {
                return;
            }
        }
        if ended.is_err() {
            return;
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

fn push(frame: &mut Frame, message: &[u8]) {
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
fn named(frame: Frame, field: Option<&str>, peer: &str) -> Frame {
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
