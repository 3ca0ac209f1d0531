//! What is said of a request that was not taken: `google.rpc.Status`, and how long to wait.

use bytes::Bytes;
use prost::Message;
use std::time::Duration;
use tonic::{Code, Status};

#[derive(Clone, PartialEq, Message)]
struct RpcStatus {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

const RETRY_INFO: &str = "google.rpc.RetryInfo";

/// The message that stands in HTTP's answers.
pub(super) fn message(code: Code, message: &str) -> Vec<u8> {
    RpcStatus { code: code as i32, message: message.to_owned(), details: Vec::new() }.encode_to_vec()
}

/// A gRPC status; `after`: the client is to come again.
pub(super) fn status(code: Code, message: &str, after: Option<Duration>) -> Status {
    let Some(after) = after else { return Status::new(code, message) };
    let delay = Delay { seconds: i64::try_from(after.as_secs()).unwrap_or(i64::MAX), nanos: after.subsec_nanos() as i32 };
    let value = RetryInfo { retry_delay: Some(delay) }.encode_to_vec();
    let details = vec![Any { type_url: format!("type.googleapis.com/{RETRY_INFO}"), value }];
    let whole = RpcStatus { code: code as i32, message: message.to_owned(), details };
    Status::with_details(code, message, Bytes::from(whole.encode_to_vec()))
}

/// Whether the receiver wants us to come again, and when.
pub(super) fn retry_after(status: &Status) -> Option<Duration> {
    let whole = RpcStatus::decode(status.details()).ok()?;
    let info = whole.details.iter().find(|any| any.type_url.ends_with(RETRY_INFO))?;
    let delay = RetryInfo::decode(info.value.as_slice()).ok()?.retry_delay.unwrap_or_default();
    Some(Duration::new(u64::try_from(delay.seconds).unwrap_or(0), u32::try_from(delay.nanos).unwrap_or(0).min(999_999_999)))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn how_long_to_wait_is_told_and_read() {
        let wait = Duration::from_millis(1_500);
        assert_eq!(retry_after(&status(Code::Unavailable, "later", Some(wait))), Some(wait));
        assert_eq!(retry_after(&status(Code::Unavailable, "never", None)), None);
        assert_eq!(retry_after(&Status::with_details(Code::Unavailable, "", Bytes::from_static(b"\xff"))), None);
    }
}
