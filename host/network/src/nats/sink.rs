//! Sends records to a JetStream. A batch is delivered when the stream has confirmed each of its records.

use super::Servers;
use crate::client::all_shown;
use crate::runtime::runtime;
use crate::template::Template;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::{ContextBuilder, PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::{HeaderMap, HeaderName, HeaderValue};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::fmt::Write;
use std::future::IntoFuture;
use tamis_config::{Concurrency, NatsSink as NatsConfig};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened, Origin};
use tokio::sync::OnceCell;

/// Bytes of a hash that stand in an id.
const ID_BYTES: usize = 16;

struct NatsSink {
    config: NatsConfig,
    subject: Template,
    headers: HeaderMap,
    context: OnceCell<Context>,
}

/// Makes the sink. Nothing is sent yet.
pub(crate) fn open(config: &NatsConfig) -> Result<Opened, OpenError> {
    let bad = |what: &str, error: String| OpenError::Network(format!("`{what}`: {error}"));
    let subject = Template::new(config.subject.as_str()).map_err(|error| bad("subject", error))?;
    if let Some(name) = subject.constant().filter(|name| !is_subject(name)) {
        return Err(bad("subject", format!("`{}` is no subject to publish to: no blanks, `*` or `>`, no empty part", name.escape_debug())));
    }
    Servers { servers: &config.servers, tls: config.tls.as_ref(), auth: &config.auth }.check().map_err(OpenError::Network)?;
    let mut headers = HeaderMap::new();
    for (name, value) in &config.headers {
        let name: HeaderName = name.parse().map_err(|error| bad("headers", format!("a name: {error}")))?;
        let value: HeaderValue = value.as_str().parse().map_err(|error| bad("headers", format!("the value of `{name}`: {error}")))?;
        headers.insert(name, value);
    }
    let sink = NatsSink { config: config.clone(), subject, headers, context: OnceCell::new() };
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: Concurrency::Fixed(config.concurrency), batch: config.batch.clone() })
}

fn is_subject(name: &str) -> bool {
    name.split('.').all(|part| !part.is_empty() && !part.bytes().any(|b| b <= b' ' || matches!(b, b'*' | b'>' | 0x7f)))
}

/// The same for a record whenever it comes, and another one for any other: where it came from, and what it is. The text is part of it,
/// for not every source has places that are never used again.
fn id(origin: &Origin<'_>, line: &[u8]) -> String {
    let mut hash = Sha256::new();
    for part in [origin.pipeline, origin.source, origin.stream] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(origin.offset.map_or(u64::MAX, |offset| offset).to_be_bytes());
    hash.update(line);
    hash.finalize().iter().take(ID_BYTES).fold(String::with_capacity(2 * ID_BYTES), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// What becomes of a record.
enum Fate {
    Sent(PublishAckFuture),
    Stored,
    Refused(String),
    Again(String),
}

fn fate(kind: PublishErrorKind, error: impl std::fmt::Display) -> Fate {
    match kind {
        PublishErrorKind::MaxPayloadExceeded => {
            Fate::Refused(format!("NATS refuses it: {error}; `max_payload` of the server is the limit"))
        }
        _ => Fate::Again(error.to_string()),
    }
}

impl NatsSink {
    async fn context(&self) -> Result<&Context, String> {
        let connect = || async {
            let servers = Servers { servers: &self.config.servers, tls: self.config.tls.as_ref(), auth: &self.config.auth };
            let client = servers.connect("tamis sink").await?;
            let records = self.config.batch.records as usize * self.config.concurrency as usize;
            Ok(ContextBuilder::new()
                .timeout(self.config.timeout)
                .ack_timeout(self.config.timeout)
                .max_ack_inflight(records + 1)
                .build(client))
        };
        self.context.get_or_try_init(connect).await
    }

    async fn send(&self, context: &Context, line: &[u8], origin: &Origin<'_>) -> Fate {
        let subject = match self.subject.constant() {
            Some(constant) => constant.to_owned(),
            None => {
                let record: serde_json::Value = serde_json::from_slice(line).unwrap_or_default();
                match self.subject.render(&record).filter(|subject| is_subject(subject)) {
                    Some(subject) => subject,
                    None => return Fate::Refused("the fields that `subject` names are missing, or give no subject".into()),
                }
            }
        };
        let mut message = PublishMessage::build().payload(Bytes::copy_from_slice(line));
        if !self.headers.is_empty() {
            message = message.headers(self.headers.clone());
        }
        if self.config.deduplicate {
            message = message.message_id(id(origin, line));
        }
        match context.send_publish(subject, message).await {
            Ok(ack) => Fate::Sent(ack),
            Err(error) => fate(error.kind(), error),
        }
    }

    async fn all(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let transient = |reason: String| DeliveryError::Transient { reason, after: None };
        let context = self.context().await.map_err(transient)?;
        let mut fates = Vec::with_capacity(batch.records());
        for (line, origin) in batch.iter() {
            // A client that is not connected holds back what it is to send.
            let fate = tokio::time::timeout(self.config.timeout, self.send(context, line, &origin)).await;
            let fate = fate.unwrap_or_else(|_| Fate::Again("no server took it within the time".into()));
            let is_over = matches!(fate, Fate::Again(_));
            fates.push(fate);
            if is_over {
                break;
            }
        }
        let (mut refused, mut again, mut reason) = (Vec::new(), Vec::new(), String::new());
        // Those that were not sent follow the one that could not be.
        again.extend(fates.len()..batch.records());
        // All at once, for the time of each runs from where it is waited for.
        let told = fates.into_iter().map(|sent| async move {
            match sent {
                Fate::Sent(ack) => match ack.into_future().await {
                    Ok(_) => Fate::Stored,
                    Err(error) => fate(error.kind(), error),
                },
                other => other,
            }
        });
        for (place, told) in futures_util::future::join_all(told).await.into_iter().enumerate() {
            match told {
                Fate::Refused(why) => refused.push((place, why)),
                Fate::Again(why) => {
                    reason = why;
                    again.push(place);
                }
                Fate::Sent(_) | Fate::Stored => {}
            }
        }
        if refused.is_empty() && again.is_empty() {
            return Ok(());
        }
        again.sort_unstable();
        Err(DeliveryError::Partly { refused, again, reason, after: None })
    }
}

impl Delivery for NatsSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let runtime = runtime().map_err(|reason| DeliveryError::Transient { reason, after: None })?;
        runtime.block_on(self.all(batch))
    }

    fn healthy(&self) -> Result<(), String> {
        let servers = Servers { servers: &self.config.servers, tls: self.config.tls.as_ref(), auth: &self.config.auth };
        let reach = async { tokio::time::timeout(self.config.timeout, servers.reach("tamis healthcheck")).await };
        runtime()?.block_on(reach).unwrap_or_else(|_| Err(format!("`{}`: no connection within {:?}", self.address(), self.config.timeout)))
    }

    fn address(&self) -> String {
        all_shown(&self.config.servers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        for (name, is) in [("a.b-c", true), ("", false), ("a..b", false), ("a.*", false), ("a b", false), ("a.>", false), (".a", false)] {
            assert_eq!(is_subject(name), is, "{name}");
        }
    }

    #[test]
    fn an_id_is_that_of_a_record_and_its_place() {
        let origin = Origin { pipeline: "p", source: "s", stream: "f", offset: Some(7) };
        let ids = [
            id(&origin, b"{}"),
            id(&origin, b"{ }"),
            id(&Origin { offset: Some(8), ..origin }, b"{}"),
            id(&Origin { stream: "", source: "sf", ..origin }, b"{}"),
        ];
        assert_eq!(ids[0], id(&origin, b"{}"));
        assert_eq!(ids.iter().collect::<std::collections::BTreeSet<_>>().len(), 4);
        assert_eq!(ids[0].len(), 32);
    }
}
