//! Sends log records by gRPC or HTTP, a batch a request.

use super::LOGS;
use super::channel::Sender;
use super::mapping::{Keys, Mapping};
use crate::client::{Client, Connections, To, Words, answered, shown};
use crate::door::Seldom;
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsServiceRequest, ExportLogsServiceResponse};
use opentelemetry_proto::tonic::logs::v1::{ResourceLogs, ScopeLogs};
use prost::Message;
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;
use tamis_config::{OtlpProtocol, OtlpSink as Config};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened};

/// Bytes of an answer.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

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
        let response = self.way.send(request(&self.mapping, batch))?;
        let Some(partial) = response.partial_success else { return Ok(()) };
        let rejected = u64::try_from(partial.rejected_log_records).unwrap_or(0);
        if rejected > 0 && rejected >= batch.records() as u64 {
            let reason = "the receiver took none of the records (partial success)".to_owned();
            return Err(DeliveryError::Permanent { reason, divisible: false });
        }
        // Sending the batch again is forbidden, and which ones they are is not said.
        let all = self.rejected.fetch_add(rejected, Ordering::Relaxed) + rejected;
        if rejected > 0 && self.seldom.is_time() {
            tracing::warn!(rejected = all, "the receiver rejects records without saying which; they are not among the dead letters");
        }
        Ok(())
    }

    /// Receivers take a request without records as they take one with some.
    fn healthy(&self) -> Result<(), String> {
        self.way.send(ExportLogsServiceRequest::default()).map(drop).map_err(|error| format!("`{}`: {error}", self.shown))
    }

    fn address(&self) -> String {
        self.shown.clone()
    }
}

impl Way {
    fn send(&self, request: ExportLogsServiceRequest) -> Result<ExportLogsServiceResponse, DeliveryError> {
        match self {
            Self::Grpc(sender) => sender.send(request),
            Self::Http { client, url, is_json } => http(client, url, *is_json, &request),
        }
    }
}

fn http(client: &Client, url: &str, is_json: bool, request: &ExportLogsServiceRequest) -> Result<ExportLogsServiceResponse, DeliveryError> {
    let broken = |error: serde_json::Error| DeliveryError::Permanent { reason: format!("cannot be sent: {error}"), divisible: false };
    let (content_type, body) = match is_json {
        true => ("application/json", serde_json::to_vec(request).map_err(broken)?),
        false => ("application/x-protobuf", request.encode_to_vec()),
    };
    let answer = client.send(To { method: "POST", url, content_type }, body, ANSWER_BYTES_MAX)?;
    let reason = || answered("the receiver", answer.status.as_u16(), WORDS);
    match answer.status.as_u16() {
        200..=299 => Ok(if is_json {
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
    }
    let said: Option<Said> = serde_json::from_slice(body).ok();
    let partial = said.and_then(|said| said.partial_success).map(|partial| {
        let count = &partial.rejected_log_records;
        let count = count.as_i64().or_else(|| count.as_str()?.parse().ok()).unwrap_or(0);
        opentelemetry_proto::tonic::collector::logs::v1::ExportLogsPartialSuccess {
            rejected_log_records: count,
            error_message: String::new(),
        }
    });
    ExportLogsServiceResponse { partial_success: partial }
}

/// A batch as a request: records of one resource and one scope together, in their order.
fn request(mapping: &Mapping, batch: &Batch<'_>) -> ExportLogsServiceRequest {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| u64::try_from(now.as_nanos()).unwrap_or(u64::MAX));
    let mut all: Vec<ResourceLogs> = Vec::new();
    let mut resources: HashMap<Vec<u8>, usize> = HashMap::new();
    let mut scopes: HashMap<Keys, usize> = HashMap::new();
    for (line, _) in batch.iter() {
        let (keys, mapped) = mapping.map(line, now, |keys| scopes.contains_key(keys));
        let of_resource = *resources.entry(keys.resource.clone()).or_insert_with(|| {
            all.push(ResourceLogs { resource: Some(mapped.resource), scope_logs: Vec::new(), schema_url: mapped.resource_schema });
            all.len() - 1
        });
        let Some(of_resource) = all.get_mut(of_resource) else { continue };
        let of_scope = *scopes.entry(keys).or_insert_with(|| {
            of_resource.scope_logs.push(ScopeLogs { scope: Some(mapped.scope), log_records: Vec::new(), schema_url: mapped.scope_schema });
            of_resource.scope_logs.len() - 1
        });
        if let Some(of_scope) = of_resource.scope_logs.get_mut(of_scope) {
            of_scope.log_records.push(mapped.record);
        }
    }
    ExportLogsServiceRequest { resource_logs: all }
}
