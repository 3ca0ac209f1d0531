//! Sends log records by gRPC or HTTP, a batch a request.

use super::LOGS;
use super::batch::{self, Packed};
use super::channel::Sender;
use super::mapping::Mapping;
use crate::client::{Client, Connections, To, Words, answered, shown};
use crate::door::Seldom;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceRequest, ExportLogsServiceResponse};
use prost::Message;
use serde::Deserialize;
use std::sync::atomic::{AtomicU64, Ordering};
use tamis_config::{OtlpProtocol, OtlpSink as Config};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened, Origin};

/// Bytes of an answer; some receivers say of each record why they reject it.
const ANSWER_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Characters of what a receiver says that are written to the log.
const SAID_MAX: usize = 300;

pub(super) const WORDS: Words = Words { credentials: "`auth` and `headers`", refused: "it does not take a record, or not this many" };

struct OtlpSink {
    way: Way,
    /// The receiver's address as people may see it.
    shown: String,
    mapping: Mapping,
    /// Records that receivers rejected without saying which, since the start.
    rejected: AtomicU64,
    seldom: Seldom,
}

enum Way {
    Http { client: Client, url: String, is_json: bool },
    Grpc(Sender),
}

/// Makes the sink. Nothing is sent yet.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let way = match config.protocol {
        OtlpProtocol::Grpc => Way::Grpc(Sender::new(config).map_err(OpenError::Network)?),
        OtlpProtocol::HttpProtobuf | OtlpProtocol::HttpJson => {
            let connections =
                Connections { tls: &config.tls, timeout: config.timeout, concurrency: config.concurrency.most(), words: WORDS };
            let client = Client::new(&connections, &config.auth, &config.headers, config.compression).map_err(OpenError::Network)?;
            Way::Http { client, url: url(config.endpoint.as_str()), is_json: config.protocol == OtlpProtocol::HttpJson }
        }
    };
    let shown = shown(&config.endpoint);
    let sink = OtlpSink { way, shown, mapping: Mapping::new(config), rejected: AtomicU64::new(0), seldom: Seldom::new() };
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: config.concurrency, batch: config.batch.clone() })
}

/// The address with the path that the protocol names, where it has none.
fn url(endpoint: &str) -> String {
    let path = endpoint.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path);
    match path {
        "" => format!("{}{LOGS}", endpoint.trim_end_matches('/')),
        _ => endpoint.to_owned(),
    }
}

impl Delivery for OtlpSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let response = match &self.way {
            Way::Grpc(sender) => sender.send(batch::protobuf(&self.mapping, batch))?,
            Way::Http { is_json: true, client, url } => http(client, url, JSON, to_json(&batch::message(&self.mapping, batch))?)?,
            Way::Http { is_json: false, client, url } => http(client, url, PROTOBUF, batch::protobuf(&self.mapping, batch).into_bytes())?,
        };
        response.partial_success.map_or(Ok(()), |partial| self.partly(&partial, batch))
    }

    /// Receivers take a request without records as they take one with some.
    fn healthy(&self) -> Result<(), String> {
        let sent = match &self.way {
            Way::Grpc(sender) => sender.send(Packed::default()),
            Way::Http { is_json: true, client, url } => {
                to_json(&ExportLogsServiceRequest::default()).and_then(|body| http(client, url, JSON, body))
            }
            Way::Http { is_json: false, client, url } => http(client, url, PROTOBUF, Vec::new()),
        };
        sent.map(drop).map_err(|error| format!("`{}`: {error}", self.shown))
    }

    fn address(&self) -> String {
        self.shown.clone()
    }
}

impl OtlpSink {
    /// What becomes of a batch that was taken, but for some records. To send it again is forbidden, and which ones they are is not said.
    fn partly(&self, partial: &ExportLogsPartialSuccess, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let (rejected, records) = (u64::try_from(partial.rejected_log_records).unwrap_or(0), batch.records() as u64);
        let receiver = self.shown.as_str();
        if rejected == 0 {
            if !partial.error_message.is_empty() && self.seldom.is_time() {
                tracing::warn!(receiver, "the receiver took all records, and warns (what it says is in the log at the level `debug`)");
            }
        } else if rejected < records {
            let all = self.rejected.fetch_add(rejected, Ordering::Relaxed) + rejected;
            if self.seldom.is_time() {
                let place = |(_, origin): (_, Origin<'_>)| {
                    let offset = origin.offset.map_or_else(String::new, |offset| format!(", {offset}"));
                    format!("{} `{}`{offset}", origin.source, origin.stream)
                };
                let (first, last) = (batch.iter().next().map(place), batch.iter().last().map(place));
                tracing::warn!(
                    receiver,
                    rejected,
                    records,
                    since_start = all,
                    first = first.unwrap_or_default(),
                    last = last.unwrap_or_default(),
                    "the receiver rejected records without saying which: they are among these, not sent again and no dead letters"
                );
            }
        }
        // It may quote records.
        tracing::debug!(receiver, rejected, "the receiver says: {:?}", partial.error_message.chars().take(SAID_MAX).collect::<String>());
        match rejected {
            0 => Ok(()),
            _ if rejected < records => Err(DeliveryError::Unnamed { count: rejected }),
            _ => {
                let reason = "the receiver took none of the records (partial success)".to_owned();
                Err(DeliveryError::Permanent { reason, divisible: false })
            }
        }
    }
}

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

fn to_json(request: &ExportLogsServiceRequest) -> Result<Vec<u8>, DeliveryError> {
    serde_json::to_vec(request).map_err(|error| DeliveryError::Permanent { reason: format!("cannot be sent: {error}"), divisible: false })
}

fn http(client: &Client, url: &str, content_type: &'static str, body: Vec<u8>) -> Result<ExportLogsServiceResponse, DeliveryError> {
    let answer = client.send(To { method: "POST", url, content_type }, body, ANSWER_BYTES_MAX)?;
    let reason = || answered("the receiver", answer.status.as_u16(), WORDS);
    match answer.status.as_u16() {
        200..=299 => Ok(if content_type == JSON {
            from_json(&answer.body)
        } else {
            ExportLogsServiceResponse::decode(answer.body.as_slice()).unwrap_or_default()
        }),
        // The protocol's list; all else is not to be tried again.
        429 | 502 | 503 | 504 => Err(DeliveryError::Transient { reason: reason(), after: answer.after }),
        400 | 413 | 422 => Err(DeliveryError::Permanent { reason: reason(), divisible: true }),
        _ => Err(DeliveryError::Permanent { reason: reason(), divisible: false }),
    }
}

fn from_json(body: &[u8]) -> ExportLogsServiceResponse {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Said {
        partial_success: Option<Partial>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase", default)]
    #[derive(Default)]
    struct Partial {
        rejected_log_records: serde_json::Value,
        error_message: String,
    }
    let said: Option<Said> = serde_json::from_slice(body).ok();
    let partial = said.and_then(|said| said.partial_success).map(|partial| {
        let count = &partial.rejected_log_records;
        let count = count.as_i64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
        ExportLogsPartialSuccess { rejected_log_records: count, error_message: partial.error_message }
    });
    ExportLogsServiceResponse { partial_success: partial }
}
