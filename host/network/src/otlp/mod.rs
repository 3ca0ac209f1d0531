//! `otlp`: log records of OpenTelemetry's protocol, both ways.

mod batch;
mod channel;
#[cfg(test)]
mod differential;
mod draft;
mod from_json;
mod grpc;
mod json;
mod mapping;
mod record;
mod request;
#[cfg(test)]
mod round_trip;
pub(crate) mod sink;
pub(crate) mod source;
mod status;
mod time;
mod value;
mod wire;

/// The gRPC method that takes log records.
const EXPORT: &str = "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
/// The path that takes log records, with HTTP.
const LOGS: &str = "/v1/logs";
