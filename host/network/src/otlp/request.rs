//! Takes the records out of a request, one by one, so that a request in memory is little more than its bytes.

use super::source::Shared;
use super::{from_json, json, record};
use crate::door::{Refused, Waiting};
use crate::server::Context;
use bytes::{Buf, Bytes};
use opentelemetry_proto::tonic::common::v1::InstrumentationScope;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::resource::v1::Resource;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use serde::Deserialize;
use serde_json::value::RawValue;
use tamis_codecs::{Frame, Rejected};

/// Bytes of a rejected record that are kept.
const KEPT_BYTES: usize = 65_536;
/// Characters of the reason why a record was rejected.
const REASON_MAX: usize = 200;
/// Each record gets a copy of its resource and its scope. All copies of a request may have so many times `limits.unpacked`: a few KiB can
/// ask for terabytes else.
const COPIES_MAX: usize = 8;

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
        let (head, schema) = (last(&of_resource, 1)?, last(&of_resource, 3)?);
        let resource = taking.head(&head, &schema, |head, schema| {
            let resource = Resource::decode(head).map_err(|error| error.to_string())?;
            Ok(record::resource(&resource, utf8(schema)?))
        });
        for scope_logs in embedded(&of_resource, 2) {
            let of_scope = scope_logs?;
            let (head, schema) = (last(&of_scope, 1)?, last(&of_scope, 3)?);
            let scope = taking.head(&head, &schema, |head, schema| {
                let scope = InstrumentationScope::decode(head).map_err(|error| error.to_string())?;
                Ok(record::scope(&scope, utf8(schema)?))
            });
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
    well_formed_json(body)?;
    let mut taking = Taking::new(shared, context);
    let request: json::Request<'_> = parsed(body)?;
    for of_resource in list(request.resource_logs)? {
        let of_resource: json::ResourceLogs<'_> = parsed(of_resource.as_bytes())?;
        let resource = taking.head(written(of_resource.resource), written(of_resource.schema_url), |head, schema| {
            let resource: Option<json::JsonResource> = part(head, "resource")?;
            Ok(record::resource(&resource.unwrap_or_default().into_resource()?, &address(schema)?))
        });
        for of_scope in list(of_resource.scope_logs)? {
            let of_scope: json::ScopeLogs<'_> = parsed(of_scope.as_bytes())?;
            let scope = taking.head(written(of_scope.scope), written(of_scope.schema_url), |head, schema| {
                let scope: Option<json::JsonScope> = part(head, "scope")?;
                Ok(record::scope(&scope.unwrap_or_default().into_scope()?, &address(schema)?))
            });
            for text in list(of_scope.log_records)? {
                taking.add(text.as_bytes(), parse_json, &resource, &scope).await?;
            }
        }
    }
    taking.done().await
}

/// Whether the levels above log records are what they should be, before the first record is taken.
fn well_formed_json(body: &[u8]) -> Result<(), Failure> {
    for of_resource in list(parsed::<json::Request<'_>>(body)?.resource_logs)? {
        for of_scope in list(parsed::<json::ResourceLogs<'_>>(of_resource.as_bytes())?.scope_logs)? {
            let _ = list(parsed::<json::ScopeLogs<'_>>(of_scope.as_bytes())?.log_records)?;
        }
    }
    Ok(())
}

fn parsed<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(json).map_err(|error| {
        let what = if error.is_data() { "not an export request" } else { "not JSON" };
        Failure::Malformed(format!("the body is {what}: line {}, column {}", error.line(), error.column()))
    })
}

/// The items of a list, which may be left out.
fn list(raw: Option<&RawValue>) -> Result<impl Iterator<Item = &str>, Failure> {
    let no_list = || Failure::Malformed("the body is not an export request: something stands where a list should".to_owned());
    raw.map(|raw| from_json::items(raw.get()).ok_or_else(no_list)).transpose().map(|items| items.into_iter().flatten())
}

fn written(raw: Option<&RawValue>) -> &[u8] {
    raw.map_or(b"null", |raw| raw.get().as_bytes())
}

fn part<'a, T: Deserialize<'a>>(json: &'a [u8], what: &str) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| format!("its {what} is none: column {}", error.column()))
}

fn address(json: &[u8]) -> Result<String, String> {
    Ok(part::<Option<String>>(json, "schema's address")?.unwrap_or_default())
}

fn utf8(schema: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(schema).map_err(|_| "a schema's address is not UTF-8".to_owned())
}

fn parse_json(bytes: &[u8]) -> Result<LogRecord, String> {
    let record: json::JsonRecord =
        serde_json::from_slice(bytes).map_err(|error| format!("it is no log record: column {}", error.column()))?;
    Ok(record.into_record()?)
}

/// What a resource or a scope adds to each record, or why none of their records can be taken.
type Head = Result<Vec<u8>, String>;

struct Taking<'a> {
    shared: &'a Shared,
    context: &'a Context,
    frame: Frame,
    kept: usize,
    /// Bytes that resources and scopes have added to records.
    copied: usize,
    waiting: Vec<Waiting>,
    outcome: Outcome,
}

impl<'a> Taking<'a> {
    fn new(shared: &'a Shared, context: &'a Context) -> Self {
        Self { shared, context, frame: Frame::default(), kept: 0, copied: 0, waiting: Vec::new(), outcome: Outcome::default() }
    }

    fn too_long(&self) -> String {
        format!("the record has more than {} bytes", self.shared.lines.record_bytes_max)
    }

    /// What a resource or a scope and the address of its schema add to records, where they are not too long.
    fn head(&self, head: &[u8], schema: &[u8], write: impl FnOnce(&[u8], &[u8]) -> Head) -> Head {
        let max = self.shared.lines.record_bytes_max;
        if head.len() + schema.len() > max {
            return Err(self.too_long());
        }
        write(head, schema).and_then(|written| if written.len() > max { Err(self.too_long()) } else { Ok(written) })
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
            (Ok(resource), Ok(scope)) => {
                self.copied += resource.len() + scope.len();
                if self.copied > COPIES_MAX.saturating_mul(self.context.limits.unpacked.to_usize()) {
                    Err(format!(
                        "the resources and scopes of the request's records have more than {COPIES_MAX} times `limits.unpacked` together"
                    ))
                } else {
                    parse(bytes).map(|record| (record, resource, scope))
                }
            }
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
                // Those of Protobuf name all messages that lie around the place.
                let reason = match reason.char_indices().nth(REASON_MAX) {
                    Some((end, _)) => format!("{}…", reason.get(..end).unwrap_or_default()),
                    None => reason,
                };
                self.kept += kept.len() + reason.len();
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
