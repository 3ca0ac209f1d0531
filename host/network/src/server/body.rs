//! A request's body, received and unpacked within limits.

use super::Context;
use super::auth::Guard;
use flate2::read::{MultiGzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::CONTENT_ENCODING;
use hyper::{HeaderMap, StatusCode};
use std::io::Read;
use tokio::sync::OwnedSemaphorePermit;

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

/// A body as it came, and the room that it takes.
pub(crate) struct Received {
    pub(crate) bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
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
        let more = u32::try_from(data.len()).ok().and_then(|more| context.receiving.clone().try_acquire_many_owned(more).ok());
        let Some(more) = more else {
            context.door.count("busy", 1);
            return Err(BadBody::new(StatusCode::SERVICE_UNAVAILABLE, "too much is being received; come again"));
        };
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received { bytes, _room: room })
}

/// Unpacks a body by its `Content-Encoding`: gzip, deflate, zstd, snappy, identity.
pub(crate) fn unpack(headers: &HeaderMap, bytes: Vec<u8>, context: &Context) -> Result<Vec<u8>, BadBody> {
    let max = context.limits.unpacked.to_usize();
    let mut unpacked = bytes;
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
    for name in named.iter().rev() {
        unpacked = unpack_one(name, &unpacked, max).inspect_err(|bad| {
            if bad.status == StatusCode::PAYLOAD_TOO_LARGE {
                context.door.count("body_too_large", 1);
            }
        })?;
    }
    Ok(unpacked)
}

/// Unpacks bytes to at most `max`.
pub(crate) fn unpack_one(encoding: &str, bytes: &[u8], max: usize) -> Result<Vec<u8>, BadBody> {
    let broken = |_| BadBody::new(StatusCode::BAD_REQUEST, format!("the body is not {encoding}"));
    match encoding {
        "gzip" | "x-gzip" => read_to(MultiGzDecoder::new(bytes), max).map_err(broken)?,
        "deflate" => read_to(ZlibDecoder::new(bytes), max).map_err(broken)?,
        "zstd" => zstd::stream::read::Decoder::new(bytes).and_then(|decoder| read_to(decoder, max)).map_err(broken)?,
        "snappy" => {
            let length = snap::raw::decompress_len(bytes).map_err(|_| BadBody::new(StatusCode::BAD_REQUEST, "the body is not snappy"))?;
            if length > max {
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

/// All bytes; `None` when there are more than `max`.
fn read_to(reader: impl Read, max: usize) -> std::io::Result<Option<Vec<u8>>> {
    let mut unpacked = Vec::new();
    reader.take(max as u64 + 1).read_to_end(&mut unpacked)?;
    Ok((unpacked.len() <= max).then_some(unpacked))
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
            assert_eq!(unpack_one(encoding, &small, 10_000).unwrap(), bytes, "{encoding}");
            assert_eq!(unpack_one(encoding, &small, 9_999).unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE, "{encoding}");
            assert_eq!(unpack_one(encoding, b"no such thing", 10_000).unwrap_err().status, StatusCode::BAD_REQUEST, "{encoding}");
            let broken = unpack_one(encoding, &small[..small.len() - 3], 10_000);
            assert!(broken.is_err(), "{encoding}");
        }
        assert_eq!(unpack_one("br", b"", 1).unwrap_err().status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
}
