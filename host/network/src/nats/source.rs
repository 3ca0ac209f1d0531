//! Takes records from a JetStream through a durable pull consumer.
//!
//! A task pulls, and acknowledges what the source's thread tells to be safe. Meanwhile it tells the server that it is at work, so that
//! what waits for a slow sink is not given to another host.

use super::Servers;
use crate::door::Seldom;
use crate::messages::{Gathered, Reading};
use crate::runtime::runtime;
use async_nats::jetstream::consumer::pull::{Batch, Config};
use async_nats::jetstream::consumer::{AckPolicy, Consumer, DeliverPolicy};
use async_nats::jetstream::message::{Acker, Message};
use async_nats::jetstream::{self, AckKind};
use futures_util::StreamExt;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::time::Duration;
use tamis_codecs::{Decoder, Frame};
use tamis_config::{NatsSource, NatsStart};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError, Stream};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, timeout};

/// How often the source's thread looks whether the host stops.
const LOOK: Duration = Duration::from_millis(50);
/// How long messages wait for company.
const GATHER: Duration = Duration::from_millis(50);
/// How long a request for messages stands.
const EXPIRES: Duration = Duration::from_secs(2);
/// How long to wait after a fault.
const PAUSE: Duration = Duration::from_secs(1);
/// Acknowledgements that are confirmed at the same time.
const CONFIRMED: usize = 256;
/// What a message takes beside its payload.
const MESSAGE_BYTES: usize = 256;
/// How long the last acknowledgements may take.
const LAST: Duration = Duration::from_secs(5);

enum Event {
    Frame(Frame, u64),
    Count(&'static str, u64),
    /// Something may have become safe.
    Safe,
}

/// What the source's thread tells the task.
#[derive(Debug, Clone, Copy, Default)]
struct Told {
    /// The number of the last frame that is safe, with all before it.
    safe: u64,
    /// No more messages are to be taken.
    draining: bool,
    /// Nothing more will become safe.
    done: bool,
}

pub(crate) fn run(config: &NatsSource, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let runtime = runtime().map_err(SourceError::Network)?;
    Servers { servers: &config.servers, tls: config.tls.as_ref(), auth: &config.auth }.check().map_err(SourceError::Network)?;
    let (events, come) = channel();
    let (told, telling) = watch::channel(Told::default());
    let own = events.clone();
    let woken = Arc::<AtomicBool>::default();
    let waking = Arc::clone(&woken);
    outlet.on_safe(Arc::new(move || {
        if !waking.swap(true, Ordering::SeqCst) {
            let _ = own.send(Event::Safe);
        }
    }));
    let reading = Reading::new(&config.codec, config.max_record.to_usize(), config.metadata.as_ref().map(|field| field.as_str()), options);
    let pulling = Pulling {
        decoder: Decoder::new(&config.codec),
        config: config.clone(),
        reading,
        events,
        told: telling,
        gathering: None,
        under_way: BTreeMap::new(),
        sequences: HashSet::new(),
        bytes: 0,
        next: 1,
        seldom: Seldom::new(),
    };
    let task = runtime.spawn(pulling.run());
    let stream = Stream { id: 0, name: config.stream.as_str().into() };
    let settle = |outlet: &mut dyn Outlet| {
        if let Some((_, safe)) = outlet.safe().pop() {
            told.send_modify(|told| told.safe = safe);
        }
    };
    while !outlet.stopping() && !options.is_over() && !task.is_finished() {
        match come.recv_timeout(LOOK) {
            Ok(Event::Frame(frame, number)) => {
                if !outlet.send(&stream, frame, number) {
                    break;
                }
            }
            Ok(Event::Count(event, count)) => outlet.event(event, count),
            Ok(Event::Safe) => woken.store(false, Ordering::SeqCst),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
        settle(outlet);
    }
    told.send_modify(|told| told.draining = true);
    outlet.finish();
    settle(outlet);
    told.send_modify(|told| told.done = true);
    // Acknowledgements that do not arrive any more cost repeats, no records.
    let _ = runtime.block_on(async { timeout(LAST, task).await });
    come.try_iter().for_each(|event| {
        if let Event::Count(event, count) = event {
            outlet.event(event, count);
        }
    });
    Ok(())
}

/// Messages on their way into a frame.
struct Gathering {
    gathered: Gathered,
    held: Held,
    since: Instant,
}

/// Messages that are not acknowledged yet.
#[derive(Default)]
struct Held {
    messages: Vec<(u64, Acker)>,
    bytes: usize,
}

struct Pulling {
    config: NatsSource,
    reading: Reading,
    decoder: Decoder,
    events: Sender<Event>,
    told: watch::Receiver<Told>,
    gathering: Option<Gathering>,
    /// By the number of the frame.
    under_way: BTreeMap<u64, Held>,
    /// Of all messages that are held.
    sequences: HashSet<u64>,
    bytes: usize,
    next: u64,
    seldom: Seldom,
}

/// A connection and the consumer.
struct Connected {
    client: async_nats::Client,
    consumer: Consumer<Config>,
}

impl Pulling {
    async fn run(mut self) {
        let mut connected = None;
        while connected.is_none() && !self.told.borrow().draining {
            match timeout(2 * super::CONNECT, self.connect()).await {
                Ok(Ok(found)) => connected = Some(found),
                Ok(Err(error)) => self.fault(&error).await,
                Err(_) => self.fault("no server answers").await,
            }
        }
        let Some(Connected { client, consumer }) = connected else { return };
        let ack_wait = consumer.cached_info().config.ack_wait;
        let ack_wait = if ack_wait.is_zero() { self.config.ack_wait } else { ack_wait };
        let mut signs = tokio::time::interval((ack_wait / 3).max(Duration::from_millis(100)));
        signs.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut batch: Option<Batch> = None;
        let mut expires = Instant::now();
        let mut told = self.told.clone();
        loop {
            let Told { safe, draining, done } = *told.borrow_and_update();
            self.acknowledge(safe).await;
            if done {
                break;
            }
            if batch.is_none() && !draining && self.bytes < self.config.in_flight.to_usize() {
                let room = self.config.in_flight.to_usize() - self.bytes;
                // A message that is larger than all room still comes, alone.
                let room = room.max(client.server_info().max_payload + 64 * 1024);
                let asked = consumer.batch().max_messages(self.reading.records_max).max_bytes(room).expires(EXPIRES).messages().await;
                expires = Instant::now() + 2 * EXPIRES;
                match asked {
                    Ok(asked) => batch = Some(asked),
                    Err(error) => self.fault(&format!("cannot ask for messages: {error}")).await,
                }
            }
            let due = self.gathering.as_ref().map_or(Instant::now() + LOOK, |gathering| gathering.since + GATHER);
            tokio::select! {
                // Acknowledgements and signs of life do not wait for messages.
                biased;
                changed = told.changed() => if changed.is_err() { break },
                _ = signs.tick() => self.sign().await,
                message = next(&mut batch) => match message {
                    Some(Ok(message)) if draining => drop(message.ack_with(AckKind::Nak(None)).await),
                    Some(Ok(message)) => self.take(message).await,
                    Some(Err(error)) => {
                        batch = None;
                        self.fault(&format!("cannot take messages: {error}")).await;
                    }
                    None => {
                        batch = None;
                        self.flush();
                    }
                },
                () = tokio::time::sleep_until(due) => {
                    self.flush();
                    if batch.is_some() && Instant::now() > expires {
                        batch = None;
                    }
                }
            }
        }
        // What is left goes to others at once.
        let left = std::mem::take(&mut self.under_way).into_values().chain(self.gathering.take().map(|gathering| gathering.held));
        for (_, acker) in left.flat_map(|held| held.messages) {
            let _ = acker.ack_with(AckKind::Nak(None)).await;
        }
        let _ = client.flush().await;
    }

    async fn fault(&mut self, error: &str) {
        let _ = self.events.send(Event::Count("fault", 1));
        if self.seldom.is_time() {
            tracing::warn!(stream = self.config.stream.as_str(), "NATS: {error}; it is tried again");
        }
        let mut told = self.told.clone();
        let _ = timeout(PAUSE, told.wait_for(|told| told.draining)).await;
    }

    async fn connect(&mut self) -> Result<Connected, String> {
        let config = &self.config;
        let servers = Servers { servers: &config.servers, tls: config.tls.as_ref(), auth: &config.auth };
        let client = servers.connect("tamis source").await?;
        let context = jetstream::new(client.clone());
        let stream = context.get_stream(config.stream.as_str()).await;
        let stream = stream.map_err(|error| format!("cannot find the stream `{}`: {error}", config.stream.shown()))?;
        let wanted = Config {
            durable_name: Some(config.durable.as_str().to_owned()),
            ack_policy: AckPolicy::Explicit,
            ack_wait: config.ack_wait,
            max_ack_pending: i64::from(config.max_ack_pending),
            filter_subjects: config.subjects.iter().map(|subject| subject.as_str().to_owned()).collect(),
            deliver_policy: match config.start {
                NatsStart::All => DeliverPolicy::All,
                NatsStart::New => DeliverPolicy::New,
            },
            ..Config::default()
        };
        let consumer = stream.get_or_create_consumer(config.durable.as_str(), wanted).await;
        let consumer = consumer.map_err(|error| format!("cannot use the consumer `{}`: {error}", config.durable.shown()))?;
        Ok(Connected { client, consumer })
    }

    async fn take(&mut self, message: Message) {
        let (sequence, metadata) = match message.info() {
            Ok(info) => (info.stream_sequence, self.reading.metadata.is_some().then(|| describe(&message, &info))),
            Err(error) => return self.fault(&format!("a message is no JetStream message: {error}")).await,
        };
        // It is on its way already: the acknowledgement to come counts for both.
        if self.sequences.contains(&sequence) {
            let _ = self.events.send(Event::Count("redelivered_under_way", 1));
            return;
        }
        let (message, acker) = message.split();
        if message.payload.is_empty() {
            let _ = self.events.send(Event::Count("empty", 1));
            let _ = acker.ack().await;
            return;
        }
        let gathering =
            self.gathering.get_or_insert_with(|| Gathering { gathered: Gathered::default(), held: Held::default(), since: Instant::now() });
        gathering.gathered.add(&self.reading, sequence, &message.payload, || metadata.unwrap_or_default());
        gathering.held.messages.push((sequence, acker));
        let bytes = message.payload.len() + MESSAGE_BYTES;
        gathering.held.bytes += bytes;
        self.bytes += bytes;
        self.sequences.insert(sequence);
        if gathering.gathered.is_full(&self.reading) {
            self.flush();
        }
    }

    fn flush(&mut self) {
        let Some(Gathering { gathered, held, .. }) = self.gathering.take() else { return };
        let frame = gathered.finish(&self.reading, &mut self.decoder);
        self.under_way.insert(self.next, held);
        let _ = self.events.send(Event::Frame(frame, self.next));
        self.next += 1;
    }

    /// Acknowledges the messages of all frames up to this one.
    async fn acknowledge(&mut self, safe: u64) {
        if self.under_way.first_key_value().is_none_or(|(first, _)| *first > safe) {
            return;
        }
        let later = self.under_way.split_off(&(safe + 1));
        for Held { messages, bytes } in std::mem::replace(&mut self.under_way, later).into_values() {
            self.bytes = self.bytes.saturating_sub(bytes);
            for (sequence, _) in &messages {
                self.sequences.remove(sequence);
            }
            let double = self.config.double_ack;
            let acks =
                messages.into_iter().map(|(_, acker)| async move { if double { acker.double_ack().await } else { acker.ack().await } });
            let failed = futures_util::stream::iter(acks).buffer_unordered(CONFIRMED).filter(|done| std::future::ready(done.is_err()));
            match failed.count().await {
                0 => {}
                count => drop(self.events.send(Event::Count("ack_failed", count as u64))),
            }
        }
    }

    /// Tells the server that all that is held is at work.
    async fn sign(&mut self) {
        let gathering = self.gathering.as_ref().map(|gathering| &gathering.held);
        for (_, acker) in self.under_way.values().chain(gathering).flat_map(|held| &held.messages) {
            let _ = acker.ack_with(AckKind::Progress).await;
        }
    }
}

async fn next(batch: &mut Option<Batch>) -> Option<Result<Message, async_nats::Error>> {
    match batch {
        Some(batch) => batch.next().await,
        None => std::future::pending().await,
    }
}

/// What NATS says of a message.
fn describe(message: &Message, info: &jetstream::message::Info<'_>) -> serde_json::Value {
    let mut all = serde_json::Map::new();
    all.insert("subject".into(), message.subject.as_str().into());
    all.insert("stream".into(), info.stream.into());
    all.insert("sequence".into(), info.stream_sequence.into());
    all.insert("timestamp".into(), i64::try_from(info.published.unix_timestamp_nanos() / 1_000_000).unwrap_or_default().into());
    all.insert("delivered".into(), info.delivered.into());
    if let Some(headers) = &message.headers {
        let first = |values: &[async_nats::HeaderValue]| values.first().map(|value| value.as_str().to_owned());
        let headers = headers.iter().map(|(name, values)| (name.to_string(), first(values).into()));
        all.insert("headers".into(), serde_json::Value::Object(headers.collect()));
    }
    all.into()
}
