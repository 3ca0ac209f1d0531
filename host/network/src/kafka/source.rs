//! Takes records from topics as a member of a consumer group.
//!
//! A thread of its own polls, so that a host that is held up stays in the group; it hands frames to the source's thread, which brings
//! them to the lanes and tells what became safe. Another one commits, so that brokers that are slow to answer hold up no records.

use super::Brokers;
use super::partitions::{Partitions, Position};
use super::trouble::{Log, ours};
use crate::messages::{Gathered, Reading};
use rdkafka::config::{FromClientConfigAndContext, RDKafkaLogLevel};
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer, ConsumerContext, Rebalance};
use rdkafka::error::{KafkaError, KafkaResult};
use rdkafka::message::{BorrowedMessage, Headers, Message};
use rdkafka::{ClientContext, Offset, TopicPartitionList};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tamis_codecs::{Decoder, Frame};
use tamis_config::{KafkaAssignment, KafkaSource, KafkaStart};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError, Stream};

/// How often the threads look whether the host stops.
const LOOK: Duration = Duration::from_millis(50);
/// How long messages wait for company.
const GATHER: Duration = Duration::from_millis(50);
/// How long a host may be without polling before the group gives up on it: the thread that polls is never held up longer than a
/// partition that goes waits.
const POLL_INTERVAL: Duration = Duration::from_secs(60);
/// How long a member that ends tries to commit its last offsets, and how long it waits between two tries.
const LAST_COMMIT: Duration = Duration::from_secs(3);
const LAST_COMMIT_PAUSE: Duration = Duration::from_millis(200);
/// KiB that librdkafka fetches ahead.
const FETCH_AHEAD_KIB: u64 = 16 * 1024;

enum Event {
    Frame {
        id: u64,
        name: Arc<str>,
        frame: Frame,
        end: u64,
    },
    /// Something may have become safe.
    Safe,
}

/// What the thread that polls and the source's thread share.
struct Shared {
    partitions: Arc<Partitions>,
    /// No more messages are to be taken.
    draining: AtomicBool,
    /// Everything that was handed over is settled, or given up.
    done: AtomicBool,
}

struct Context {
    partitions: Arc<Partitions>,
    revoke_timeout: Duration,
    /// Held by who commits.
    committing: Mutex<()>,
    log: Log,
}

impl ClientContext for Context {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.log.line(level, facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.partitions.count("broker_error", 1);
        self.log.error(&error, reason);
    }
}

impl ConsumerContext for Context {
    fn pre_rebalance(&self, consumer: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        let names = |list: &TopicPartitionList| -> Vec<(String, i32)> {
            list.elements().iter().map(|element| (element.topic().to_owned(), element.partition())).collect()
        };
        match rebalance {
            Rebalance::Assign(list) => {
                let names = names(list);
                tracing::info!(partitions = names.len(), "Kafka: partitions are assigned");
                self.partitions.count("assigned", names.len() as u64);
                names.iter().for_each(|(topic, number)| self.partitions.assign(topic, *number));
            }
            Rebalance::Revoke(list) => {
                let names = names(list);
                // Another member may already read what was lost: nothing is to be waited for, and a commit would be refused.
                let lost = consumer.assignment_lost();
                let began = Instant::now();
                let safe = self.partitions.revoke(&names, if lost { Duration::ZERO } else { self.revoke_timeout });
                tracing::info!(partitions = names.len(), lost, waited = ?began.elapsed(), "Kafka: partitions are revoked");
                if !lost && let Err(error) = commit(consumer, || safe) {
                    self.partitions.count("commit_failed", 1);
                    tracing::warn!("Kafka: the offsets of partitions that go cannot be committed, so that records come again: {error}");
                }
            }
            Rebalance::Error(error) => self.log.error(error, "rebalance"),
        }
    }
}

/// Commits what `positions` gives, and waits for the brokers' answer; one commit after the other, for librdkafka tries again those that
/// were refused, also after later ones, which takes the group back to older offsets. How one ends that nobody waits for it does not tell.
fn commit(consumer: &BaseConsumer<Context>, positions: impl FnOnce() -> Vec<Position>) -> KafkaResult<()> {
    let _turn = consumer.context().committing.lock().unwrap_or_else(PoisonError::into_inner);
    let positions = positions();
    if positions.is_empty() {
        return Ok(());
    }
    let mut list = TopicPartitionList::new();
    for Position { topic, partition, offset } in positions {
        list.add_partition_offset(&topic, partition, Offset::Offset(offset))?;
    }
    consumer.commit(&list, CommitMode::Sync)
}

/// Commits what became safe, until there is nothing more to wait for.
fn keep_committing(consumer: &BaseConsumer<Context>, interval: Duration, end: &Receiver<()>) {
    let Context { partitions, log, .. } = consumer.context().as_ref();
    while end.recv_timeout(interval) == Err(RecvTimeoutError::Timeout) {
        if let Err(error) = commit(consumer, || partitions.commit()) {
            partitions.count("commit_failed", 1);
            partitions.not_committed();
            log.error(&error, "offsets are not committed and will be again");
        }
    }
}

pub(crate) fn run(config: &KafkaSource, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let partitions = Arc::<Partitions>::default();
    let consumer = open(config, &partitions).map_err(SourceError::Network)?;
    let shared = Shared { partitions, draining: AtomicBool::new(false), done: AtomicBool::new(false) };
    let (events, come) = channel();
    let own = events.clone();
    let told = Arc::<AtomicBool>::default();
    let waking = Arc::clone(&told);
    outlet.on_safe(Arc::new(move || {
        if !waking.swap(true, Ordering::SeqCst) {
            let _ = own.send(Event::Safe);
        }
    }));
    std::thread::scope(|scope| {
        let polling = std::thread::Builder::new().name(format!("kafka {}", options.name));
        let polling = polling.spawn_scoped(scope, || member(config, options, consumer, &shared, &events));
        let polling = polling.map_err(|error| SourceError::Network(format!("cannot start a thread: {error}")))?;
        bring(&shared, &come, &told, options, outlet, || polling.is_finished());
        shared.draining.store(true, Ordering::SeqCst);
        outlet.finish();
        shared.partitions.settle(&outlet.safe());
        shared.partitions.end();
        shared.done.store(true, Ordering::SeqCst);
        let ended = polling.join().unwrap_or_else(|_| Err("the thread that polls panicked".to_owned()));
        shared.partitions.events().into_iter().for_each(|(event, count)| outlet.event(event, count));
        ended.map_err(SourceError::Network)
    })
}

fn open(config: &KafkaSource, partitions: &Arc<Partitions>) -> Result<BaseConsumer<Context>, String> {
    let mut client = Brokers { brokers: &config.brokers, tls: config.tls.as_ref(), sasl: config.sasl.as_ref() }.config()?;
    let poll_interval = POLL_INTERVAL.max(config.session_timeout).max(config.revoke_timeout + POLL_INTERVAL);
    client.set("group.id", config.group.as_str());
    client.set("enable.auto.commit", "false");
    client.set("enable.auto.offset.store", "false");
    client.set("session.timeout.ms", config.session_timeout.as_millis().to_string());
    client.set("heartbeat.interval.ms", (config.session_timeout / 10).min(Duration::from_secs(3)).as_millis().to_string());
    client.set("max.poll.interval.ms", poll_interval.as_millis().to_string());
    client.set("queued.max.messages.kbytes", FETCH_AHEAD_KIB.min(config.in_flight.0 / 1024).max(64).to_string());
    // Topics that a regular expression matches, and partitions, are looked for this often.
    client.set("topic.metadata.refresh.interval.ms", "30000");
    client.set(
        "auto.offset.reset",
        match config.start {
            KafkaStart::Earliest => "earliest",
            KafkaStart::Latest => "latest",
        },
    );
    client.set(
        "partition.assignment.strategy",
        match config.assignment {
            KafkaAssignment::Range => "range",
            KafkaAssignment::RoundRobin => "roundrobin",
            KafkaAssignment::CooperativeSticky => "cooperative-sticky",
        },
    );
    if let Some(instance) = &config.instance {
        client.set("group.instance.id", instance.as_str());
    }
    let context = Context {
        partitions: Arc::clone(partitions),
        revoke_timeout: config.revoke_timeout,
        committing: Mutex::default(),
        log: Log::new(),
    };
    let consumer = BaseConsumer::from_config_and_context(&client, context).map_err(|error| ours(&error.to_string()))?;
    let topics: Vec<&str> = config.topics.iter().map(|topic| topic.as_str()).collect();
    consumer.subscribe(&topics).map_err(|error| format!("cannot subscribe to the topics: {error}"))?;
    Ok(consumer)
}

/// Brings frames to the lanes and notes what became safe, until the host stops or nobody polls any more.
fn bring(
    shared: &Shared,
    come: &Receiver<Event>,
    told: &AtomicBool,
    options: &RunOptions,
    outlet: &mut dyn Outlet,
    ended: impl Fn() -> bool,
) {
    while !outlet.stopping() && !options.is_over() {
        shared.partitions.events().into_iter().for_each(|(event, count)| outlet.event(event, count));
        match come.recv_timeout(LOOK) {
            Ok(Event::Frame { id, name, frame, end }) => {
                if shared.partitions.take(id) && !outlet.send(&Stream { id, name }, frame, end) {
                    return;
                }
            }
            Ok(Event::Safe) => told.store(false, Ordering::SeqCst),
            Err(RecvTimeoutError::Timeout) if ended() => return,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        shared.partitions.settle(&outlet.safe());
    }
}

/// Messages of one partition on their way into a frame.
struct Gathering {
    name: Arc<str>,
    gathered: Gathered,
    bytes: usize,
    /// The first offset behind them.
    end: i64,
    since: Instant,
}

/// Takes part in the group until the host stops or the group does not let it.
fn member(
    config: &KafkaSource,
    options: &RunOptions,
    consumer: BaseConsumer<Context>,
    shared: &Shared,
    events: &Sender<Event>,
) -> Result<(), String> {
    std::thread::scope(|scope| {
        let (going, end) = channel();
        let committing = std::thread::Builder::new().name(format!("kafka {} commits", options.name));
        let (consumer, interval) = (&consumer, options.checkpoint_interval);
        let committing = committing.spawn_scoped(scope, move || keep_committing(consumer, interval, &end));
        committing.map_err(|error| format!("cannot start a thread: {error}"))?;
        let polled = poll(config, options, consumer, shared, events);
        drop(going);
        polled
    })?;
    let since = Instant::now();
    let mut result = commit(&consumer, || shared.partitions.commit_all());
    // A group refuses commits while it shares out its partitions anew.
    while let Err(error) = &result
        && since.elapsed() < LAST_COMMIT
    {
        tracing::debug!("Kafka: the last offsets are not committed yet: {error}");
        std::thread::sleep(LAST_COMMIT_PAUSE);
        result = commit(&consumer, || shared.partitions.commit_all());
    }
    if let Err(error) = result {
        shared.partitions.count("commit_failed", 1);
        tracing::warn!("Kafka: the last offsets cannot be committed, so that records come again: {error}");
    }
    // Leaves the group.
    drop(consumer);
    Ok(())
}

fn poll(
    config: &KafkaSource,
    options: &RunOptions,
    consumer: &BaseConsumer<Context>,
    shared: &Shared,
    events: &Sender<Event>,
) -> Result<(), String> {
    let reading = Reading::new(&config.codec, config.max_record.to_usize(), config.metadata.as_ref().map(|field| field.as_str()), options);
    let mut polling = Polling { consumer, shared, events, decoder: Decoder::new(&config.codec), reading, gathering: BTreeMap::new() };
    let mut paused = false;
    while !shared.done.load(Ordering::SeqCst) {
        let wait = if polling.gathering.is_empty() { LOOK } else { Duration::ZERO };
        let draining = shared.draining.load(Ordering::SeqCst);
        match consumer.poll(wait) {
            Some(Ok(_)) if draining => {}
            Some(Ok(message)) => polling.take(&message),
            Some(Err(KafkaError::MessageConsumptionFatal(code))) => {
                return Err(format!("Kafka: the group does not let this member go on: {code}"));
            }
            Some(Err(error)) => consumer.context().log.error(&error, "nothing is read for now"),
            None => polling.flush(|_| true),
        }
        polling.flush(|gathering| gathering.since.elapsed() > GATHER);
        let bytes = shared.partitions.bytes();
        // What is paused is fetched again: not for every few bytes.
        let full = if paused { bytes > config.in_flight.to_usize() / 2 } else { bytes >= config.in_flight.to_usize() };
        paused = polling.pause(full || draining, paused);
    }
    Ok(())
}

struct Polling<'a> {
    consumer: &'a BaseConsumer<Context>,
    shared: &'a Shared,
    events: &'a Sender<Event>,
    decoder: Decoder,
    reading: Reading,
    /// By the numbers of partitions.
    gathering: BTreeMap<u64, Gathering>,
}

impl Polling<'_> {
    fn take(&mut self, message: &BorrowedMessage<'_>) {
        let (topic, partition, offset) = (message.topic(), message.partition(), message.offset());
        let Some(id) = self.shared.partitions.id(topic, partition) else { return };
        let gathering = self.gathering.entry(id).or_insert_with(|| Gathering {
            name: format!("{topic}/{partition}").into(),
            gathered: Gathered::default(),
            bytes: 0,
            end: offset,
            since: Instant::now(),
        });
        gathering.end = offset + 1;
        match message.payload().unwrap_or_default() {
            [] => self.shared.partitions.count("empty", 1),
            value => {
                gathering.bytes += value.len();
                gathering.gathered.add(&self.reading, u64::try_from(offset).unwrap_or_default(), value, || describe(message));
            }
        }
        if gathering.gathered.is_full(&self.reading) {
            self.flush(|gathering| gathering.end == offset + 1);
        }
    }

    /// Hands on those of the gathered messages that are due.
    fn flush(&mut self, is_due: impl Fn(&Gathering) -> bool) {
        for (id, Gathering { name, gathered, bytes, end, .. }) in self.gathering.extract_if(.., |_, gathering| is_due(gathering)) {
            // It went while messages of it were gathered.
            if !self.shared.partitions.has(id) {
                continue;
            }
            if gathered.is_empty() {
                self.shared.partitions.skip(id, end);
                continue;
            }
            let frame = gathered.finish(&self.reading, &mut self.decoder);
            self.shared.partitions.queue(id, end, bytes);
            let _ = self.events.send(Event::Frame { id, name, frame, end: u64::try_from(end).unwrap_or_default() });
        }
    }

    /// Pauses all partitions, also those that came since, or lets them go on.
    fn pause(&self, pause: bool, paused: bool) -> bool {
        if !pause && !paused {
            return false;
        }
        if pause && paused && !self.shared.partitions.new_ones() {
            return true;
        }
        let Ok(all) = self.consumer.assignment() else { return paused };
        let done = if pause { self.consumer.pause(&all) } else { self.consumer.resume(&all) };
        self.shared.partitions.new_ones();
        match done {
            Ok(()) => pause,
            Err(error) => {
                self.consumer.context().log.error(&error, "partitions cannot be paused or resumed");
                paused
            }
        }
    }
}

/// What Kafka says of a message.
fn describe(message: &BorrowedMessage<'_>) -> serde_json::Value {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut all = serde_json::Map::new();
    all.insert("topic".into(), message.topic().into());
    all.insert("partition".into(), message.partition().into());
    all.insert("offset".into(), message.offset().into());
    if let Some(millis) = message.timestamp().to_millis() {
        all.insert("timestamp".into(), millis.into());
    }
    if let Some(key) = message.key() {
        all.insert("key".into(), text(key).into());
    }
    if let Some(headers) = message.headers() {
        let headers = headers.iter().map(|header| (header.key.to_owned(), header.value.map(text).into()));
        all.insert("headers".into(), serde_json::Value::Object(headers.collect()));
    }
    all.into()
}

#[cfg(test)]
mod tests;
