//! Sends records to topics. A batch is delivered when brokers have confirmed each of its records.

use super::Brokers;
use super::trouble::{Log, ours};
use crate::client::all_shown;
use crate::template::Template;
use rdkafka::ClientContext;
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::error::KafkaError;
use rdkafka::message::{DeliveryResult, Header, OwnedHeaders};
use rdkafka::producer::{BaseRecord, NoCustomPartitioner, Producer, ProducerContext, ThreadedProducer};
use rdkafka::types::RDKafkaErrorCode as Code;
use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};
use tamis_config::{Concurrency, KafkaSink as KafkaConfig};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened};

/// How long to wait for room in the producer's queue at a time.
const ROOM: Duration = Duration::from_millis(5);
/// How much longer than a record may take to wait for what became of it: librdkafka looks for late ones once a second.
const REPORT: Duration = Duration::from_secs(30);
/// A record that takes no bytes counts this much beside its own in the producer's queue.
const QUEUE_KIB: usize = 256 * 1024;
/// The longest name of a topic.
const TOPIC_BYTES_MAX: usize = 249;

struct Context(Log);

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.0.line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl ProducerContext<NoCustomPartitioner> for Context {
    type DeliveryOpaque = Box<Report>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Box<Report>) {
        let error = result.as_ref().err().map(|(error, _)| error.rdkafka_error_code().unwrap_or(Code::Fail));
        report.waiting.told(report.place, error);
    }
}

/// Goes with a record to the brokers and back.
pub(super) struct Report {
    waiting: Arc<Waiting>,
    place: usize,
}

/// What became of a batch's records.
#[derive(Default)]
struct Waiting {
    state: Mutex<Told>,
    all: Condvar,
}

#[derive(Default)]
struct Told {
    left: usize,
    failed: Vec<(usize, Code)>,
}

impl Waiting {
    fn told(&self, place: usize, error: Option<Code>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.left = state.left.saturating_sub(1);
        state.failed.extend(error.map(|error| (place, error)));
        if state.left == 0 {
            self.all.notify_all();
        }
    }

    fn expect(&self, count: usize) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).left += count;
    }

    /// Waits until something became of all. `None`: not within the time.
    fn wait(&self, time: Duration) -> Option<Vec<(usize, Code)>> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut state, _) = self.all.wait_timeout_while(state, time, |state| state.left > 0).unwrap_or_else(PoisonError::into_inner);
        (state.left == 0).then(|| std::mem::take(&mut state.failed))
    }
}

type Client = ThreadedProducer<Context>;

struct KafkaSink {
    config: KafkaConfig,
    topic: Template,
    key: Option<Template>,
    headers: Option<OwnedHeaders>,
    /// Another one after a fault that a producer does not survive.
    producer: RwLock<Arc<Client>>,
}

/// Makes the sink. Nothing is sent yet.
pub(crate) fn open(config: &KafkaConfig) -> Result<Opened, OpenError> {
    let bad = |what: &str, error: String| OpenError::Network(format!("`{what}`: {error}"));
    let topic = Template::new(config.topic.as_str()).map_err(|error| bad("topic", error))?;
    if let Some(name) = topic.constant().filter(|name| !is_topic(name)) {
        let why = format!("`{}` is no topic: letters, digits, `.`, `_` and `-`, at most {TOPIC_BYTES_MAX}", name.escape_debug());
        return Err(bad("topic", why));
    }
    let key = config.key.as_ref().map(|key| Template::new(key.as_str())).transpose().map_err(|error| bad("key", error))?;
    let headers = (!config.headers.is_empty()).then(|| {
        config.headers.iter().fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value.as_str()) }))
    });
    let producer = RwLock::new(Arc::new(producer(config).map_err(OpenError::Network)?));
    let sink = KafkaSink { config: config.clone(), topic, key, headers, producer };
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: Concurrency::Fixed(config.concurrency), batch: config.batch.clone() })
}

fn producer(config: &KafkaConfig) -> Result<Client, String> {
    let mut client = Brokers { brokers: &config.brokers, tls: config.tls.as_ref(), sasl: config.sasl.as_ref() }.config()?;
    client.set("enable.idempotence", config.idempotence.to_string());
    if !config.idempotence {
        // What is tried again would come behind what was sent after it.
        client.set("max.in.flight.requests.per.connection", "1");
    }
    client.set("acks", "all");
    client.set("compression.type", config.compression.name());
    client.set("message.max.bytes", config.max_message.0.to_string());
    client.set("message.timeout.ms", config.timeout.as_millis().to_string());
    client.set("linger.ms", "5");
    client.set("queue.buffering.max.kbytes", QUEUE_KIB.to_string());
    // A topic that is not there is not waited for longer than a record may take.
    client.set("topic.metadata.propagation.max.ms", config.timeout.as_millis().min(10_000).to_string());
    Client::from_config_and_context(&client, Context(Log::new())).map_err(|error| ours(&error.to_string()))
}

fn is_topic(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    (1..=TOPIC_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain) && name != "." && name != ".."
}

/// What a fault means for a record.
fn is_for_ever(code: Code) -> bool {
    matches!(
        code,
        Code::MessageSizeTooLarge
            | Code::InvalidMessage
            | Code::InvalidMessageSize
            | Code::InvalidTopic
            | Code::InvalidRecord
            | Code::InvalidTimestamp
            | Code::TopicAuthorizationFailed
            | Code::PolicyViolation
    )
}

/// What to look at when a record is refused.
fn advice(code: Code) -> &'static str {
    match code {
        Code::MessageSizeTooLarge => "; `max_message` is the limit here, `max.message.bytes` that of the topic",
        Code::TopicAuthorizationFailed => "; look at `sasl`, and whether its user may write to the topic",
        Code::InvalidTopic => "; look at `topic` and the fields that it names",
        Code::PolicyViolation => "; a policy of the brokers does not allow it",
        _ => "",
    }
}

impl KafkaSink {
    fn producer(&self) -> Result<Arc<Client>, String> {
        let current = Arc::clone(&self.producer.read().unwrap_or_else(PoisonError::into_inner));
        if current.client().fatal_error().is_none() {
            return Ok(current);
        }
        let mut place = self.producer.write().unwrap_or_else(PoisonError::into_inner);
        if let Some((code, reason)) = place.client().fatal_error() {
            tracing::warn!("Kafka: a new producer takes the place of one that cannot go on: {code}: {reason}");
            *place = Arc::new(producer(&self.config)?);
        }
        Ok(Arc::clone(&place))
    }

    /// The topic and the key of a record.
    fn place(&self, line: &[u8]) -> Result<(String, Option<String>), String> {
        let named = self.topic.constant().is_none() || self.key.as_ref().is_some_and(|key| key.constant().is_none());
        let record: serde_json::Value =
            if named { serde_json::from_slice(line).map_err(|_| "not JSON".to_owned())? } else { serde_json::Value::Null };
        let topic = self.topic.render(&record).ok_or("a field that `topic` names is missing, or no text or number")?;
        if !is_topic(&topic) {
            return Err("the fields that `topic` names give no name of a topic".to_owned());
        }
        // Records without the key's field go to any partition.
        Ok((topic, self.key.as_ref().and_then(|key| key.render(&record))))
    }
}

impl Delivery for KafkaSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let transient = |reason: String| DeliveryError::Transient { reason, after: None };
        let producer = self.producer().map_err(transient)?;
        let waiting = Arc::<Waiting>::default();
        let (mut refused, mut again) = (Vec::new(), Vec::new());
        let deadline = Instant::now() + self.config.timeout;
        let mut reason = String::new();
        for (place, (line, _)) in batch.iter().enumerate() {
            let (topic, key) = match self.place(line) {
                Ok(place) => place,
                Err(why) => {
                    refused.push((place, why));
                    continue;
                }
            };
            waiting.expect(1);
            let mut record = BaseRecord::with_opaque_to(&topic, Box::new(Report { waiting: Arc::clone(&waiting), place })).payload(line);
            record.key = key.as_deref().map(str::as_bytes);
            record.headers.clone_from(&self.headers);
            while let Err((error, back)) = producer.send(record) {
                let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
                if code == Code::QueueFull && Instant::now() < deadline {
                    // Its own thread makes room.
                    std::thread::sleep(ROOM);
                    record = back;
                    continue;
                }
                waiting.told(place, Some(code));
                break;
            }
        }
        let failed =
            waiting.wait(self.config.timeout + REPORT).ok_or_else(|| transient("the brokers did not confirm all records".into()))?;
        for (place, code) in failed {
            if is_for_ever(code) {
                refused.push((place, format!("Kafka refuses it: {code}{}", advice(code))));
            } else {
                reason = match code {
                    Code::MessageTimedOut => {
                        producer.client().context().0.explain(&format!("not confirmed within {:?}", self.config.timeout))
                    }
                    code => code.to_string(),
                };
                again.push(place);
            }
        }
        if refused.is_empty() && again.is_empty() {
            return Ok(());
        }
        refused.sort_unstable();
        again.sort_unstable();
        Err(DeliveryError::Partly { refused, again, reason, after: None })
    }

    fn healthy(&self) -> Result<(), String> {
        let address = self.address();
        let failed = |error: &dyn std::fmt::Display| format!("`{address}`: {error}; look at `brokers`, `tls` and `sasl`");
        // Of all topics: asking for one may make it.
        let producer = self.producer()?;
        let metadata = producer.client().fetch_metadata(None, self.config.timeout);
        let metadata = metadata.map_err(|error| failed(&producer.client().context().0.explain(&error.to_string())))?;
        if metadata.brokers().is_empty() { Err(failed(&"no broker is there")) } else { Ok(()) }
    }

    fn address(&self) -> String {
        all_shown(&self.config.brokers)
    }
}

#[cfg(test)]
mod tests;
