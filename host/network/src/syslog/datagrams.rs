//! Messages by UDP: a datagram each.

use super::drops::Drops;
use super::framing::trimmed;
use super::source::{Shared, lost};
use crate::door::Seldom;
use crate::fields;
use crate::server::Context;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use tamis_codecs::{Decoder, Frame, Rejected};
use tamis_record::Records;
use tokio::net::UdpSocket;
use tokio::time::Instant;

/// The largest datagram there is, with room to spare.
const DATAGRAM_BYTES_MAX: usize = 65_536;
/// How often the system is asked what it dropped.
const LOOK: Duration = Duration::from_secs(1);
/// At a stop, how long the system may take to give what has come.
const LAST: Duration = Duration::from_millis(20);
/// Pause when the system gives nothing.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes datagrams until the host stops, and then what has come. While there is no room for more records the system keeps what comes, and drops the rest.
pub(super) async fn receive(socket: UdpSocket, context: Context, shared: Arc<Shared>) {
    let mut drops = Drops::of(&socket);
    let seldom = Seldom::new();
    let mut told = || match drops.more() {
        0 => {}
        more => {
            context.door.count("udp_dropped", more);
            if seldom.is_time() {
                tracing::warn!("the system dropped {more} datagrams, for the source was behind; `receive_buffer` can be larger");
            }
        }
    };
    let mut stopping = context.stopping.clone();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    let mut decoder = Decoder::new(&shared.config.codec);
    let mut look = tokio::time::interval(LOOK);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    // Until when, once the host stops.
    let mut until = None;
    loop {
        let last = until.map(|until: Instant| until.min(Instant::now() + LAST));
        let first = tokio::select! {
            biased;
            _ = stopping.changed(), if until.is_none() => {
                until = Some(Instant::now() + context.linger.unwrap_or_default());
                continue;
            }
            _ = look.tick() => {
                told();
                continue;
            }
            first = socket.recv_from(&mut buffer) => first,
            () = tokio::time::sleep_until(last.unwrap_or_else(Instant::now)), if last.is_some() => break,
        };
        if until.is_some_and(|until| Instant::now() >= until) {
            break;
        }
        let mut gathered = Gathered::default();
        match first {
            Ok((length, peer)) => gathered.take(buffer.get(..length).unwrap_or_default(), peer.ip(), &shared),
            Err(_) if until.is_some() => break,
            Err(_) => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        }
        while gathered.peers.len() < shared.lines.records_max && gathered.frame.records.text.len() < shared.lines.frame_bytes {
            let Ok((length, peer)) = socket.try_recv_from(&mut buffer) else { break };
            gathered.take(buffer.get(..length).unwrap_or_default(), peer.ip(), &shared);
        }
        let frame = gathered.decode(&mut decoder, &shared);
        if frame.count() == 0 {
            continue;
        }
        let count = frame.count();
        // Nobody waits to hear that they are delivered.
        let handed = tokio::select! {
            biased;
            handed = context.door.begin_patiently(&shared.stream, frame) => handed,
            () = async { loop { look.tick().await; told(); } } => break,
        };
        if handed.is_err() {
            lost(&context, count);
            break;
        }
    }
    told();
}

/// Datagrams that travel together.
#[derive(Default)]
struct Gathered {
    frame: Frame,
    /// Of each message, its sender.
    peers: Vec<IpAddr>,
}

impl Gathered {
    fn take(&mut self, datagram: &[u8], peer: IpAddr, shared: &Shared) {
        let at = trimmed(datagram, 0..datagram.len());
        let message = datagram.get(at).unwrap_or_default();
        let max = shared.lines.record_bytes_max;
        let Records { text, rows } = &mut self.frame.records;
        let from = text.len() as u32;
        if message.len() > max {
            let reason = format!("a message of {} bytes, at most {max} are accepted (`max_record`)", message.len());
            self.frame.rejected.push(Rejected { bytes: message.to_vec(), offset: u64::from(from), reason });
        } else if !message.is_empty() {
            text.extend_from_slice(message);
            rows.push((from, text.len() as u32));
            text.push(b'\n');
            self.peers.push(peer);
        }
    }

    fn decode(mut self, decoder: &mut Decoder, shared: &Shared) -> Frame {
        let Some(field) = shared.config.peer_field.as_deref() else { return decoder.decode(self.frame) };
        // The messages' numbers in place of their offsets tell whose the records are that come out.
        self.frame.offsets = Some((0..self.peers.len() as u64).collect());
        let decoded = decoder.decode(self.frame);
        let mut frame = Frame { rejected: decoded.rejected, bytes: decoded.bytes, ..Frame::default() };
        let Records { text, rows } = &mut frame.records;
        for (row, number) in decoded.offsets.unwrap_or_default().into_iter().enumerate() {
            let from = text.len();
            text.extend_from_slice(decoded.records.get(row));
            if let Some(peer) = usize::try_from(number).ok().and_then(|number| self.peers.get(number)) {
                fields::append(text, from, field, &peer.to_canonical().to_string());
            }
            rows.push((from as u32, text.len() as u32));
            text.push(b'\n');
        }
        frame
    }
}
