//! gRPC's way to carry one message each way over HTTP/2. Bodies are received as those of HTTP are, so that all limits hold for them too.

use super::source::Answer;
use super::status::status;
use crate::server::Context;
use crate::server::body::Received;
use bytes::{BufMut, Bytes, BytesMut};
use http_body_util::{BodyExt, Full};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use prost::Message;
use std::future::ready;
use tonic::{Code, Status};

/// What gRPC's messages are announced as.
pub(super) const KIND: &str = "application/grpc";
/// Bytes in front of a message: whether it is packed, and its length.
const HEAD: usize = 5;

/// The message of a body, whose room it takes.
pub(super) fn message(headers: &HeaderMap, body: &mut Received, context: &Context) -> Result<Bytes, Status> {
    let broken = |what: &str| Status::new(Code::InvalidArgument, what);
    let Some((&[packed, ref length @ ..], rest)) = body.bytes.split_first_chunk::<HEAD>() else {
        return Err(broken("the body holds no message"));
    };
    if rest.len() as u64 != u64::from(u32::from_be_bytes(*length)) {
        return Err(broken("the body does not hold exactly one message"));
    }
    match packed {
        0 if rest.len() > context.limits.unpacked.to_usize() => Err(too_large(context)),
        0 => Ok(Bytes::from(std::mem::take(&mut body.bytes)).slice(HEAD..)),
        1 => {
            let encoding = headers.get("grpc-encoding").and_then(|value| value.to_str().ok()).unwrap_or_default();
            if !matches!(encoding, "gzip" | "zstd" | "deflate" | "snappy") {
                return Err(Status::new(
                    Code::Unimplemented,
                    "the message is packed in a way that is not known here; gzip, zstd and deflate are",
                ));
            }
            match body.unpack_from(HEAD, encoding, context) {
                Ok(()) => Ok(std::mem::take(&mut body.bytes).into()),
                Err(bad) if bad.status == StatusCode::PAYLOAD_TOO_LARGE => Err(too_large(context)),
                Err(bad) => Err(from_http(bad.status, &bad.reason)),
            }
        }
        _ => Err(broken("the message has a flag that is not known")),
    }
}

/// No code that clients take for a reason to send it once more.
fn too_large(context: &Context) -> Status {
    Status::new(Code::InvalidArgument, format!("unpacked, the message has more than {}", context.limits.unpacked))
}

/// The answer to a request that was taken.
pub(super) fn taken(message: &impl Message) -> Answer {
    let mut body = BytesMut::with_capacity(5 + message.encoded_len());
    body.put_u8(0);
    body.put_u32(message.encoded_len() as u32);
    body.put_slice(&message.encode_to_vec());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    answer(body.freeze(), trailers)
}

/// The answer to a request that was not. Its status stands in trailers, for an answer of headers alone would end with an empty frame of
/// data, which some clients take for a broken stream.
pub(super) fn refused(status: &Status) -> Answer {
    let mut trailers = HeaderMap::new();
    if status.add_header(&mut trailers).is_err() {
        trailers.insert("grpc-status", HeaderValue::from(status.code() as i32));
    }
    answer(Bytes::new(), trailers)
}

fn answer(body: Bytes, trailers: HeaderMap) -> Answer {
    let mut answer = Response::new(Full::new(body).with_trailers(ready(Some(Ok(trailers)))));
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(KIND));
    answer.headers_mut().insert("grpc-accept-encoding", HeaderValue::from_static("gzip,zstd,deflate,identity"));
    answer
}

/// The status for what HTTP has one for.
pub(super) fn from_http(code: StatusCode, reason: &str) -> Status {
    let again = Some(super::source::AGAIN);
    match code {
        StatusCode::UNAUTHORIZED => status(Code::Unauthenticated, reason, None),
        StatusCode::TOO_MANY_REQUESTS => status(Code::ResourceExhausted, reason, again),
        StatusCode::SERVICE_UNAVAILABLE => status(Code::Unavailable, reason, again),
        StatusCode::REQUEST_TIMEOUT => status(Code::DeadlineExceeded, reason, None),
        StatusCode::NOT_FOUND => status(Code::Unimplemented, reason, None),
        _ => status(Code::InvalidArgument, reason, None),
    }
}
