//! A request's body, received and unpacked within limits.

use super::Context;
use super::auth::Guard;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::CONTENT_ENCODING;
use hyper::{HeaderMap, StatusCode};
use std::io::Read;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why a body is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadBody {
    pub(crate) status: StatusCode,
    /// For the client; holds nothing of the body.
    pub(crate) reason: String,
}

impl BadBody {
    pub(crate) fn new(status: StatusCode, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into() }
    }
}

/// What zstd looks back at: 8 MiB, which HTTP allows, to 128 MiB, in between as much as may be unpacked.
const WINDOW_LOG_LEAST: u32 = 23;
const WINDOW_LOG_MOST: u32 = 27;
/// Bytes that are unpacked before room for them is asked for.
const STEP: usize = 64 * 1024;

/// A body as it came, or unpacked, and the room that it takes.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    room: Option<OwnedSemaphorePermit>,
}

impl Received {
    /// Unpacks it by its `Content-Encoding`: gzip, deflate, zstd, snappy, identity.
    pub(crate) fn unpack(&mut self, headers: &HeaderMap, context: &Context) -> Result<(), BadBody> {
        // The last one named was applied last.
        let named: Vec<String> = headers
            .get_all(CONTENT_ENCODING)
            .iter()
            .flat_map(|value| value.to_str().unwrap_or("?").split(',').map(|name| name.trim().to_ascii_lowercase()).collect::<Vec<_>>())
            .filter(|name| !name.is_empty() && name != "identity")
            .collect();
        if named.len() > 2 {
            return Err(BadBody::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "packed more than twice"));
        }
        named.iter().rev().try_for_each(|name| self.unpack_from(0, name, context))
    }

    /// Unpacks what stands from there on; that is the body then. Its room is that of what is unpacked, which clients share as they share
    /// that of what is being received: small bodies may unpack to much.
    pub(crate) fn unpack_from(&mut self, from: usize, encoding: &str, context: &Context) -> Result<(), BadBody> {
        let mut room = None::<OwnedSemaphorePermit>;
        let mut is_busy = false;
        let has_room = |bytes: usize| {
            let held = room.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
            is_busy = !grow(&mut room, bytes.saturating_sub(held), &context.unpacking);
            !is_busy
        };
        let packed = self.bytes.get(from..).unwrap_or_default();
        let unpacked = unpack_one(encoding, packed, context.limits.unpacked.to_usize(), has_room);
        let unpacked = unpacked.map_err(|bad| if is_busy { busy(context) } else { bad });
        self.bytes = unpacked.inspect_err(|bad| {
            if bad.status == StatusCode::PAYLOAD_TOO_LARGE {
                context.door.count("body_too_large", 1);
            }
        })?;
        self.room = room;
        Ok(())
    }
}

/// Takes more room. `false`: there is not as much.
fn grow(room: &mut Option<OwnedSemaphorePermit>, bytes: usize, all: &Arc<Semaphore>) -> bool {
    let Some(more) = u32::try_from(bytes).ok().and_then(|bytes| Arc::clone(all).try_acquire_many_owned(bytes).ok()) else { return false };
    match room {
        Some(room) => room.merge(more),
        None => *room = Some(more),
    }
    true
}

fn busy(context: &Context) -> BadBody {
    context.door.count("busy", 1);
    BadBody::new(StatusCode::SERVICE_UNAVAILABLE, "too much is being received; come again")
}

/// Receives the body of a client that may send.
pub(crate) async fn receive_from(guard: &Guard, headers: &HeaderMap, body: Incoming, context: &Context) -> Result<Received, BadBody> {
    let unauthorized = || {
        context.door.count("unauthorized", 1);
        BadBody::new(StatusCode::UNAUTHORIZED, "no right credentials were shown")
    };
    if !guard.admits(headers) {
        return Err(unauthorized());
    }
    let received = receive(body, context).await?;
    match guard.signed(headers, &received.bytes) {
        true => Ok(received),
        false => Err(unauthorized()),
    }
}

/// Receives a body.
pub(crate) async fn receive<B>(body: B, context: &Context) -> Result<Received, BadBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let limits = &context.limits;
    match tokio::time::timeout(limits.body_timeout, receive_all(body, context)).await {
        Ok(received) => received,
        Err(_) => {
            context.door.count("body_timeout", 1);
            Err(BadBody::new(StatusCode::REQUEST_TIMEOUT, "the body did not come within the time"))
        }
    }
}

async fn receive_all<B>(mut body: B, context: &Context) -> Result<Received, BadBody>
where
    B: Body<Data = Bytes> + Unpin,
{
    let max = context.limits.body.to_usize();
    let too_large = || {
        context.door.count("body_too_large", 1);
        BadBody::new(StatusCode::PAYLOAD_TOO_LARGE, format!("the body has more than {}", context.limits.body))
    };
    if body.size_hint().lower() > max as u64 {
        return Err(too_large());
    }
    let (mut bytes, mut room) = (Vec::new(), None::<OwnedSemaphorePermit>);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| BadBody::new(StatusCode::BAD_REQUEST, "the body broke off"))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(too_large());
        }
        if !grow(&mut room, data.len(), &context.receiving) {
            return Err(busy(context));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received { bytes, room })
}

/// Unpacks bytes to at most `max`, as long as `has_room` says yes to so many.
fn unpack_one(encoding: &str, bytes: &[u8], max: usize, mut has_room: impl FnMut(usize) -> bool) -> Result<Vec<u8>, BadBody> {
    let broken = |_| BadBody::new(StatusCode::BAD_REQUEST, format!("the body is not {encoding}"));
    match encoding {
        "gzip" | "x-gzip" => read_to(MultiGzDecoder::new(bytes), max, has_room).map_err(broken)?,
        "deflate" => read_to(ZlibDecoder::new(bytes), max, has_room).map_err(broken)?,
        "zstd" => zstd(bytes, max).and_then(|decoder| read_to(decoder, max, has_room)).map_err(broken)?,
        "snappy" => {
            let length = snap::raw::decompress_len(bytes).map_err(|_| BadBody::new(StatusCode::BAD_REQUEST, "the body is not snappy"))?;
            if length > max || !has_room(length) {
                None
            } else {
                let unpacked = snap::raw::Decoder::new().decompress_vec(bytes);
                Some(unpacked.map_err(|_| BadBody::new(StatusCode::BAD_REQUEST, "the body is not snappy"))?)
            }
        }
        _ => {
            let reason = "the body is packed in a way that is not known here; gzip, deflate, zstd and snappy are";
            return Err(BadBody::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        }
    }
    .ok_or_else(|| BadBody::new(StatusCode::PAYLOAD_TOO_LARGE, format!("unpacked, the body has more than {} bytes", max)))
}

/// Without a bound, its window alone may take 128 MiB.
fn zstd(bytes: &[u8], max: usize) -> std::io::Result<zstd::stream::read::Decoder<'static, &[u8]>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(bytes)?;
    decoder.window_log_max(max.saturating_sub(1).max(1).ilog2().saturating_add(1).clamp(WINDOW_LOG_LEAST, WINDOW_LOG_MOST))?;
    Ok(decoder)
}

/// All bytes; `None` when there are more than `max`, or than there is room for.
fn read_to(mut reader: impl Read, max: usize, mut has_room: impl FnMut(usize) -> bool) -> std::io::Result<Option<Vec<u8>>> {
    let mut unpacked = Vec::new();
    while reader.by_ref().take(STEP as u64).read_to_end(&mut unpacked)? > 0 {
        if unpacked.len() > max || !has_room(unpacked.len()) {
            return Ok(None);
        }
    }
    Ok(Some(unpacked))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};
    use std::io::Write;

    fn packed(encoding: &str, bytes: &[u8]) -> Vec<u8> {
        match encoding {
            "gzip" => {
                let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            "deflate" => {
                let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
                encoder.write_all(bytes).unwrap();
                encoder.finish().unwrap()
            }
            "zstd" => zstd::encode_all(bytes, 1).unwrap(),
            _ => snap::raw::Encoder::new().compress_vec(bytes).unwrap(),
        }
    }

    #[test]
    fn unpacked_to_the_limit_and_not_beyond() {
        for encoding in ["gzip", "deflate", "zstd", "snappy"] {
            let bytes = vec![b'x'; 10_000];
            let small = packed(encoding, &bytes);
            assert_eq!(unpack_one(encoding, &small, 10_000, |_| true).unwrap(), bytes, "{encoding}");
            assert_eq!(unpack_one(encoding, &small, 9_999, |_| true).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE, "{encoding}");
            assert_eq!(unpack_one(encoding, b"no such thing", 10_000, |_| true).unwrap_err().status, StatusCode::BAD_REQUEST, "{encoding}");
            let broken = unpack_one(encoding, &small[..small.len() - 3], 10_000, |_| true);
            assert!(broken.is_err(), "{encoding}");
            let mut asked = 0;
            let large = packed(encoding, &vec![b'x'; 10 * STEP]);
            let stopped = unpack_one(encoding, &large, usize::MAX, |bytes| {
                asked = bytes;
                bytes <= STEP
            });
            assert!(stopped.is_err() && (asked <= 2 * STEP || encoding == "snappy"), "{encoding} {asked}");
        }
        assert_eq!(unpack_one("br", b"", 1, |_| true).unwrap_err().status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}
