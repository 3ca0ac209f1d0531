//! Takes the records out of a request, one by one, so that a request in memory is little more than its bytes.

use super::source::Shared;
use super::{json, record};
use crate::door::{Refused, Waiting};
use crate::server::Context;
use bytes::{Buf, Bytes};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde_json::value::RawValue;
use tamis_codecs::{Frame, Rejected};

/// Bytes of a rejected record that are kept.
const KEPT_BYTES: usize = 65_536;

/// Why a request was not taken, or not all of it.
#[derive(Debug)]
pub(super) enum Failure {
    /// It is not what it should be.
    Malformed(String),
    /// Not now.
    Refused(Refused),
}

/// Records of a request that are no records for this host: dead letters.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) rejected: i64,
    pub(super) reason: String,
}

/// Hands in the records of a Protobuf message, and waits until they are delivered or spooled.
pub(super) async fn protobuf(message: Bytes, shared: &Shared, context: &Context) -> Result<Outcome, Failure> {
    well_formed(&message, 0)?;
    let mut taking = Taking::new(shared, context);
    for resource_logs in embedded(&message, 1) {
        let of_resource = resource_logs?;
        let resource = last(&of_resource, 1)?;
        let schema = text(last(&of_resource, 3)?)?;
        let resource = taking.head(resource, |bytes| Resource::decode(bytes).map(|resource| record::resource(&resource, &schema)));
        for scope_logs in embedded(&of_resource, 2) {
            let of_scope = scope_logs?;
            let schema = text(last(&of_scope, 3)?)?;
            let scope = last(&of_scope, 1)?;
            let scope = taking.head(scope, |bytes| InstrumentationScope::decode(bytes).map(|scope| record::scope(&scope, &schema)));
            for log_record in embedded(&of_scope, 2) {
                let bytes = log_record?;
                let parse = |bytes: &[u8]| LogRecord::decode(bytes).map_err(|error| error.to_string());
                taking.add(&bytes, parse, &resource, &scope).await?;
            }
        }
    }
    taking.done().await
}

/// The same for JSON.
pub(super) async fn json(body: &[u8], shared: &Shared, context: &Context) -> Result<Outcome, Failure> {
    let bad = |error: serde_json::Error| {
        let what = if error.is_data() { "not an export request" } else { "not JSON" };
        Failure::Malformed(format!("the body is {what}: line {}, column {}", error.line(), error.column()))
    };
    let mut taking = Taking::new(shared, context);
    let request: json::Request<'_> = serde_json::from_slice(body).map_err(bad)?;
    for of_resource in request.resource_logs.unwrap_or_default() {
        let of_resource: json::ResourceLogs<'_> = serde_json::from_str(of_resource.get()).map_err(bad)?;
        let schema = of_resource.schema_url.unwrap_or_default();
        let resource = of_resource.resource.unwrap_or_default().into_resource();
        let resource = taking.fitting(resource.map(|resource| record::resource(&resource, &schema)).map_err(str::to_owned));
        for of_scope in of_resource.scope_logs.unwrap_or_default() {
            let of_scope: json::ScopeLogs<'_> = serde_json::from_str(of_scope.get()).map_err(bad)?;
            let schema = of_scope.schema_url.unwrap_or_default();
            let scope = of_scope.scope.unwrap_or_default().into_scope();
            let scope = taking.fitting(scope.map(|scope| record::scope(&scope, &schema)).map_err(str::to_owned));
            for text in of_scope.log_records.unwrap_or_default() {
                taking.add(RawValue::get(text).as_bytes(), parse_json, &resource, &scope).await?;
            }
        }
    }
    taking.done().await
}

fn parse_json(bytes: &[u8]) -> Result<LogRecord, String> {
    let record: json::JsonRecord =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no log record: column {}", error.column()))?;
    record.into_record().map_err(str::to_owned)
}

/// What a resource or a scope adds to each record, or why none of their records can be taken.
type Head = Result<Vec<u8>, String>;

struct Taking<'a> {
    shared: &'a Shared,
    context: &'a Context,
    frame: Frame,
    kept: usize,
    waiting: Vec<Waiting>,
    outcome: Outcome,
}

impl<'a> Taking<'a> {
    fn new(shared: &'a Shared, context: &'a Context) -> Self {
        Self { shared, context, frame: Frame::default(), kept: 0, waiting: Vec::new(), outcome: Outcome::default() }
    }

    fn too_long(&self) -> String {
        format!("the record has more than {} bytes", self.shared.lines.record_bytes_max)
    }

    /// Decodes a resource or a scope that is not too long.
    fn head(&self, bytes: Bytes, parse: impl FnOnce(&[u8]) -> Result<Vec<u8>, prost::DecodeError>) -> Head {
        if bytes.len() > self.shared.lines.record_bytes_max {
            return Err(self.too_long());
        }
        self.fitting(parse(&bytes).map_err(|error| error.to_string()))
    }

    fn fitting(&self, head: Head) -> Head {
        head.and_then(|head| if head.len() > self.shared.lines.record_bytes_max { Err(self.too_long()) } else { Ok(head) })
    }

    async fn add(
        &mut self,
        bytes: &[u8],
        parse: impl Fn(&[u8]) -> Result<LogRecord, String>,
        resource: &Head,
        scope: &Head,
    ) -> Result<(), Failure> {
        let lines = self.shared.lines;
        let fits = |bytes: usize| bytes <= lines.record_bytes_max;
        let taken = match (resource, scope) {
            (Err(reason), _) | (_, Err(reason)) => Err(reason.clone()),
            (Ok(resource), Ok(scope)) if !fits(bytes.len()) || !fits(resource.len() + scope.len()) => Err(self.too_long()),
            (Ok(resource), Ok(scope)) => parse(bytes).map(|record| (record, resource, scope)),
        };
        let written = taken.and_then(|(record, resource, scope)| {
            let text = &mut self.frame.records.text;
            let from = text.len();
            record::write(text, &record, resource, scope, self.shared.config.json_body);
            if fits(text.len() - from) {
                return Ok((from, text.len()));
            }
            text.truncate(from);
            Err(format!("the record has more than {} bytes", lines.record_bytes_max))
        });
        match written {
            Ok((from, to)) => {
                self.frame.records.rows.push((from as u32, to as u32));
                self.frame.records.text.push(b'\n');
            }
            Err(reason) => {
                let kept = bytes.get(..KEPT_BYTES).unwrap_or(bytes).to_vec();
                self.kept += kept.len();
                self.outcome.rejected += 1;
                self.outcome.reason.clone_from(&reason);
                self.frame.rejected.push(Rejected { bytes: kept, offset: self.frame.records.text.len() as u64, reason });
            }
        }
        if self.frame.count() >= lines.records_max || self.frame.records.text.len() + self.kept >= lines.frame_bytes {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Failure> {
        self.kept = 0;
        let frame = std::mem::take(&mut self.frame);
        if frame.count() > 0 {
            let (door, stream) = (&self.context.door, &self.shared.stream);
            let handed = match self.waiting.first() {
                None => door.begin(stream, frame).await,
                Some(first) => door.go_on(first, stream, frame).await,
            };
            self.waiting.push(handed.map_err(Failure::Refused)?);
        }
        Ok(())
    }

    async fn done(mut self) -> Result<Outcome, Failure> {
        self.flush().await?;
        for waiting in self.waiting {
            waiting.done().await.map_err(Failure::Refused)?;
        }
        if let Ok(rejected @ 1..) = u64::try_from(self.outcome.rejected) {
            self.context.door.count("rejected", rejected);
        }
        Ok(self.outcome)
    }
}

/// Whether the levels above log records are messages at all, before the first record is taken.
fn well_formed(message: &Bytes, level: usize) -> Result<(), Failure> {
    // The field that holds the next level: `resource_logs`, `scope_logs`.
    const INNER: [u32; 2] = [1, 2];
    for part in Parts(message.clone()) {
        let (tag, bytes) = part?;
        if INNER.get(level) == Some(&tag) {
            well_formed(&bytes, level + 1)?;
        }
    }
    Ok(())
}

/// The messages in a field that may repeat.
fn embedded(message: &Bytes, tag: u32) -> impl Iterator<Item = Result<Bytes, Failure>> + use<> {
    Parts(message.clone()).filter_map(move |part| match part {
        Ok((found, bytes)) => (found == tag).then_some(Ok(bytes)),
        Err(failure) => Some(Err(failure)),
    })
}

/// A field that does not; empty when it is not there.
fn last(message: &Bytes, tag: u32) -> Result<Bytes, Failure> {
    embedded(message, tag).try_fold(Bytes::new(), |_, bytes| bytes)
}

fn text(bytes: Bytes) -> Result<String, Failure> {
    String::from_utf8(bytes.into()).map_err(|_| Failure::Malformed("a schema's address is not UTF-8".to_owned()))
}

/// The fields of a message that have a length, each with its number and its bytes. Others are passed over.
struct Parts(Bytes);

impl Iterator for Parts {
    type Item = Result<(u32, Bytes), Failure>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.0.has_remaining() {
            match next_field(&mut self.0) {
                Ok(None) => {}
                Ok(Some(field)) => return Some(Ok(field)),
                Err(reason) => {
                    self.0.clear();
                    return Some(Err(Failure::Malformed(format!("the message is no export request: {reason}"))));
                }
            }
        }
        None
    }
}

fn next_field(rest: &mut Bytes) -> Result<Option<(u32, Bytes)>, String> {
    let said = |error: prost::DecodeError| error.to_string();
    let (tag, kind) = decode_key(rest).map_err(said)?;
    if kind != WireType::LengthDelimited {
        skip_field(kind, tag, rest, DecodeContext::default()).map_err(said)?;
        return Ok(None);
    }
    let length = usize::try_from(decode_varint(rest).map_err(said)?).unwrap_or(usize::MAX);
    if length > rest.len() {
        return Err("it breaks off".to_owned());
    }
    Ok(Some((tag, rest.split_to(length))))
}
