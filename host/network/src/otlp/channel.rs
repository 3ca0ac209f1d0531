//! Sends requests by gRPC.

use super::EXPORT;
use super::batch::Packed;
use super::status::retry_after;
use crate::runtime::runtime;
use crate::{cannot_read, client};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::BufMut;
use hyper::HeaderMap;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use hyper::http::uri::PathAndQuery;
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceResponse;
use prost::Message;
use std::error::Error;
use std::time::Duration;
use tamis_config::{ClientTls, HttpCompression, OtlpSink};
use tamis_nodes::sinks::DeliveryError;
use tonic::client::Grpc;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};
use tonic::{Code, Request, Status};

/// Bytes of an answer; some receivers say of each record why they reject it.
const ANSWER_BYTES_MAX: usize = MESSAGE_BYTES;
/// How often an idle connection is looked at, so that one that is dead is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// The longest pause a receiver may ask for.
const PAUSE_MAX: Duration = Duration::from_secs(3600);
/// Bytes of a message that any receiver takes, unless it was told otherwise.
const MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// A connection that is made when it is needed, and again when it is lost.
#[derive(Debug, Clone)]
pub(super) struct Sender {
    channel: Channel,
    compression: Option<CompressionEncoding>,
    metadata: MetadataMap,
    timeout: Duration,
}

impl Sender {
    pub(super) fn new(config: &OtlpSink) -> Result<Self, String> {
        let wrong = |error: &dyn Error| format!("`{}`: {error}", config.endpoint.shown());
        let endpoint = Endpoint::from_shared(config.endpoint.as_str().to_owned()).map_err(|error| wrong(&error))?;
        let mut endpoint = endpoint
            .connect_timeout(config.timeout)
            .user_agent(concat!("tamis/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| wrong(&error))?
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(config.timeout);
        if config.endpoint.starts_with("https://") {
            endpoint = endpoint.tls_config(tls(&config.tls)?).map_err(|error| wrong(&error))?;
        }
        let channel = {
            let _inside = runtime()?.enter();
            endpoint.connect_lazy()
        };
        let compression = match config.compression {
            HttpCompression::None => None,
            HttpCompression::Gzip => Some(CompressionEncoding::Gzip),
            HttpCompression::Zstd => Some(CompressionEncoding::Zstd),
        };
        Ok(Self { channel, compression, metadata: metadata(config)?, timeout: config.timeout })
    }

    /// Sends a request and waits for the answer.
    pub(super) fn send(&self, message: Packed) -> Result<ExportLogsServiceResponse, DeliveryError> {
        let later = |reason: String| DeliveryError::Transient { reason, after: None };
        let bytes = message.len();
        let exchange = async { tokio::time::timeout(self.timeout, self.exchange(message)).await };
        match runtime().map_err(later)?.block_on(exchange) {
            Ok(answer) => answer.map_err(|status| verdict(&status, bytes)),
            Err(_) => Err(later(format!("no answer within {:?}", self.timeout))),
        }
    }

    async fn exchange(&self, message: Packed) -> Result<ExportLogsServiceResponse, Status> {
        let mut grpc = Grpc::new(self.channel.clone()).max_decoding_message_size(ANSWER_BYTES_MAX).max_encoding_message_size(usize::MAX);
        for encoding in [CompressionEncoding::Gzip, CompressionEncoding::Zstd] {
            grpc = grpc.accept_compressed(encoding);
        }
        if let Some(encoding) = self.compression {
            grpc = grpc.send_compressed(encoding);
        }
        grpc.ready().await.map_err(|error| Status::from_error(Box::new(error)))?;
        let mut request = Request::new(message);
        *request.metadata_mut() = self.metadata.clone();
        Ok(grpc.unary(request, PathAndQuery::from_static(EXPORT), Messages).await?.into_inner())
    }
}

fn tls(config: &ClientTls) -> Result<ClientTlsConfig, String> {
    let mut tls = ClientTlsConfig::new();
    tls = match &config.ca {
        None => tls.with_webpki_roots(),
        Some(path) => {
            // Says what is wrong with the file.
            client::certificates(path)?;
            tls.ca_certificate(Certificate::from_pem(read("the certificates", path)?))
        }
    };
    if let (Some(chain), Some(key)) = (&config.certificate, &config.key) {
        client::certificates(chain)?;
        tls = tls.identity(Identity::from_pem(read("the certificates", chain)?, read("the private key", key)?));
    }
    Ok(tls)
}

fn read(what: &str, path: &tamis_config::Text) -> Result<Vec<u8>, String> {
    std::fs::read(path.as_str()).map_err(|error| cannot_read(what, path, error))
}

fn metadata(config: &OtlpSink) -> Result<MetadataMap, String> {
    let mut headers = HeaderMap::new();
    let wrong = |name: &str| format!("the header `{name}` cannot be sent as gRPC metadata");
    let auth = &config.auth;
    let authorization = match (&auth.token, &auth.user, &auth.password) {
        (Some(token), ..) => Some(format!("Bearer {}", token.as_str())),
        (_, Some(user), Some(password)) => {
            Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", user.as_str(), password.as_str()))))
        }
        _ => None,
    };
    if let Some(authorization) = authorization {
        headers.insert(AUTHORIZATION, HeaderValue::try_from(authorization).map_err(|_| wrong("authorization"))?);
    }
    for (name, value) in &config.headers {
        let key = HeaderName::try_from(name.as_str()).map_err(|_| wrong(name))?;
        headers.insert(key, HeaderValue::from_str(value.as_str()).map_err(|_| wrong(name))?);
    }
    Ok(MetadataMap::from_headers(headers))
}

/// What a status means for a message of so many bytes, by the protocol's table; what went wrong on the way is tried again whatever its code.
fn verdict(status: &Status, bytes: usize) -> DeliveryError {
    // The message may quote records.
    let reason = match status.source() {
        None => format!("the receiver answered {:?}{}", status.code(), advice(status.code())),
        Some(error) => chain(error),
    };
    let wait = retry_after(status).map(|pause| pause.min(PAUSE_MAX));
    match status.code() {
        _ if status.source().is_some() => DeliveryError::Transient { reason, after: None },
        // So receivers made with tonic say that a message is too large for them: it would be for ever.
        Code::OutOfRange if bytes > MESSAGE_BYTES => DeliveryError::Permanent { reason, divisible: true },
        Code::Cancelled | Code::DeadlineExceeded | Code::Aborted | Code::OutOfRange | Code::Unavailable | Code::DataLoss => {
            DeliveryError::Transient { reason, after: wait }
        }
        Code::ResourceExhausted if wait.is_some() => DeliveryError::Transient { reason, after: wait },
        // One record may be to blame, or their number.
        Code::ResourceExhausted | Code::InvalidArgument => DeliveryError::Permanent { reason, divisible: true },
        _ => DeliveryError::Permanent { reason, divisible: false },
    }
}

/// What to look at.
fn advice(code: Code) -> &'static str {
    match code {
        Code::Unauthenticated => ": it does not know who asks: look at `auth` and `headers`",
        Code::PermissionDenied => ": who asks may not do this: look at `auth` and `headers`, and at the rights that they have there",
        Code::Unimplemented | Code::NotFound => ": no logs are taken there: look at `endpoint` and `protocol`",
        Code::InvalidArgument => ": it does not take a record, or not this many",
        Code::ResourceExhausted | Code::OutOfRange => ": the request is too large for it, or comes too soon",
        _ => "",
    }
}

/// What happened, with its causes.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut said = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_said = cause.to_string();
        if !said.ends_with(&cause_said) {
            said.push_str(": ");
            said.push_str(&cause_said);
        }
        next = cause.source();
    }
    said
}

/// Requests out, responses in.
#[derive(Debug, Clone, Copy)]
struct Messages;

impl Codec for Messages {
    type Encode = Packed;
    type Decode = ExportLogsServiceResponse;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Messages {
    type Item = Packed;
    type Error = Status;

    fn encode(&mut self, item: Self::Item, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.reserve(item.len());
        // Each part is given back before the next one is copied.
        item.into_parts().for_each(|part| buffer.put_slice(&part));
        Ok(())
    }
}

impl Decoder for Messages {
    type Item = ExportLogsServiceResponse;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Self::Item>, Status> {
        ExportLogsServiceResponse::decode(buffer).map(Some).map_err(|error| Status::internal(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::otlp::status::status;

    #[test]
    fn what_codes_mean() {
        let of_bytes = |bytes, code, wait| match verdict(&status(code, "", wait), bytes) {
            DeliveryError::Transient { after, .. } => ("again", after),
            DeliveryError::Permanent { divisible: true, .. } => ("halve", None),
            _ => ("refused", None),
        };
        let told = |code, wait| of_bytes(MESSAGE_BYTES, code, wait);
        assert_eq!(of_bytes(MESSAGE_BYTES + 1, Code::OutOfRange, None).0, "halve");
        let second = Some(Duration::from_secs(1));
        for code in [Code::Cancelled, Code::DeadlineExceeded, Code::Aborted, Code::OutOfRange, Code::Unavailable, Code::DataLoss] {
            assert_eq!(told(code, None), ("again", None), "{code:?}");
            assert_eq!(told(code, second), ("again", second), "{code:?}");
        }
        assert_eq!(told(Code::ResourceExhausted, second), ("again", second));
        assert_eq!(told(Code::ResourceExhausted, None).0, "halve");
        assert_eq!(told(Code::InvalidArgument, None).0, "halve");
        for code in [Code::Unknown, Code::NotFound, Code::PermissionDenied, Code::Unauthenticated, Code::Unimplemented, Code::Internal] {
            assert_eq!(told(code, None).0, "refused", "{code:?}");
        }
        let lost = Status::from_error(Box::new(std::io::Error::from(std::io::ErrorKind::ConnectionReset)));
        assert!(matches!(verdict(&lost, 1), DeliveryError::Transient { .. }));
    }
}
