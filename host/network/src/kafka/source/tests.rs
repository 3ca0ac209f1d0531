//! Against librdkafka's own cluster of brokers for tests: what no server at hand does.
#![allow(clippy::unwrap_used)]

use super::super::brokers::{Brokers, brokers};
use super::*;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Fault};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::thread::JoinHandle;
use tamis_config::{Config, ProcessEnvironment, Source};
use tamis_nodes::sources::{Events, Reading as FileReading};

/// What a source hands over is safe at once.
#[derive(Clone, Default)]
struct Taken {
    lines: Arc<Mutex<Vec<String>>>,
    events: Arc<Mutex<BTreeMap<&'static str, u64>>>,
    stop: Arc<AtomicBool>,
    /// As a host that stops.
    takes_nothing: Arc<AtomicBool>,
}

struct Lanes {
    taken: Taken,
    safe: Vec<(u64, u64)>,
    wake: Option<Arc<dyn Fn() + Send + Sync>>,
}

impl Outlet for Lanes {
    fn send(&mut self, stream: &Stream, frame: Frame, end: u64) -> bool {
        if self.taken.takes_nothing.load(Ordering::SeqCst) {
            return false;
        }
        let lines = (0..frame.records.rows.len()).map(|row| String::from_utf8(frame.records.get(row).to_vec()).unwrap());
        self.taken.lines.lock().unwrap().extend(lines);
        self.safe.push((stream.id, end));
        self.wake.iter().for_each(|wake| wake());
        true
    }

    fn safe(&mut self) -> Vec<(u64, u64)> {
        std::mem::take(&mut self.safe)
    }

    fn on_safe(&mut self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.wake = Some(wake);
    }

    fn finish(&mut self) {}

    fn stopping(&self) -> bool {
        self.taken.stop.load(Ordering::SeqCst)
    }

    fn buffer(&mut self) -> Vec<u8> {
        Vec::new()
    }

    fn expect(&mut self, _: u64) {}

    fn reading(&mut self, _: Vec<FileReading>) {}

    fn events(&self) -> Events {
        let events = Arc::clone(&self.taken.events);
        Arc::new(move |event, count| *events.lock().unwrap().entry(event).or_default() += count)
    }
}

/// A member of the group.
struct Member {
    taken: Taken,
    thread: JoinHandle<Result<(), SourceError>>,
}

impl Member {
    fn start(brokers: &Brokers, more: &str) -> Self {
        Self::committing_every(Duration::from_millis(100), brokers, more)
    }

    fn committing_every(checkpoint_interval: Duration, brokers: &Brokers, more: &str) -> Self {
        let list: Vec<String> = brokers.bootstrap_servers().split(',').map(|broker| format!("'{broker}'")).collect();
        let yaml = format!(
            "version: 1\nsources: {{ in: {{ type: kafka, brokers: [{}], group: hosts, session_timeout: 6s, {more} }} }}\n",
            list.join(", ")
        );
        let (config, diagnostics) = Config::parse("test.yaml", &yaml, Path::new("."), &ProcessEnvironment);
        let config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
        let Some(Source::Kafka(source)) = config.sources.values().next().map(|source| &**source).cloned() else { panic!("no source") };
        let options = RunOptions { checkpoint_interval, ..RunOptions::new("in", false, &config.settings) };
        let taken = Taken::default();
        let mut lanes = Lanes { taken: taken.clone(), safe: Vec::new(), wake: None };
        Self { taken, thread: std::thread::spawn(move || run(&source, &options, &mut lanes)) }
    }

    fn lines(&self) -> Vec<String> {
        self.taken.lines.lock().unwrap().clone()
    }

    fn event(&self, name: &str) -> u64 {
        self.taken.events.lock().unwrap().get(name).copied().unwrap_or(0)
    }

    /// Lets it begin where it begins: the brokers are asked for it after the assignment.
    fn settles(&self, partitions: u64) {
        eventually("partitions are assigned", || self.event("assigned") >= partitions);
        std::thread::sleep(Duration::from_secs(1));
    }

    fn stop(self) -> Vec<String> {
        self.taken.stop.store(true, Ordering::SeqCst);
        self.thread.join().unwrap().unwrap();
        self.taken.lines.lock().unwrap().clone()
    }
}

#[track_caller]
fn eventually(what: &str, holds: impl Fn() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(60), "not within 60 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn send(brokers: &Brokers, topic: &str, numbers: std::ops::Range<u32>) {
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", brokers.bootstrap_servers());
    let producer: BaseProducer = config.create().unwrap();
    for n in numbers {
        let (key, line) = (n.to_string(), format!("{{\"n\":{n}}}"));
        producer.send(BaseRecord::to(topic).key(&key).payload(&line)).unwrap();
    }
    producer.flush(Duration::from_secs(30)).unwrap();
}

/// How many records of `logs` the group has behind it, as the brokers know it.
fn committed(brokers: &Brokers) -> i64 {
    let mut config = rdkafka::ClientConfig::new();
    config.set("bootstrap.servers", brokers.bootstrap_servers()).set("group.id", "hosts");
    let consumer: BaseConsumer = config.create().unwrap();
    let mut list = TopicPartitionList::new();
    list.add_partition_range("logs", 0, 3);
    let list = consumer.committed_offsets(list, Duration::from_secs(30)).unwrap();
    list.elements().iter().filter_map(|element| element.offset().to_raw()).map(|offset| offset.max(0)).sum()
}

fn all(numbers: std::ops::Range<u32>) -> BTreeSet<String> {
    numbers.map(|n| format!("{{\"n\":{n}}}")).collect()
}

fn each_once(lines: &[String]) -> BTreeSet<String> {
    let found: BTreeSet<String> = lines.iter().cloned().collect();
    assert_eq!(found.len(), lines.len(), "each once");
    found
}

#[test]
fn brokers_that_fail_and_go_lose_nothing() {
    let brokers = brokers();
    let member = Member::start(&brokers, "topics: [logs]");
    member.settles(4);
    brokers.request_errors(Api::Fetch, &[Fault::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, Fault::RD_KAFKA_RESP_ERR__TRANSPORT]);
    brokers.request_errors(Api::OffsetCommit, &[Fault::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, Fault::RD_KAFKA_RESP_ERR__TRANSPORT]);
    send(&brokers, "logs", 0..500);
    for broker in 1..=3 {
        brokers.broker_down(broker).unwrap();
    }
    std::thread::sleep(Duration::from_millis(300));
    for broker in 1..=3 {
        brokers.broker_up(broker).unwrap();
    }
    send(&brokers, "logs", 500..1_000);
    eventually("all came", || member.lines().iter().cloned().collect::<BTreeSet<_>>() == all(0..1_000));
    std::thread::sleep(Duration::from_millis(500));
    each_once(&member.stop());
    // What was delivered is committed, whatever the brokers answered to the first tries, and no commit that librdkafka tried again came
    // after a later one.
    let next = Member::start(&brokers, "topics: [logs]");
    next.settles(4);
    send(&brokers, "logs", 1_000..1_010);
    eventually("it goes on", || next.lines().len() >= 10);
    assert_eq!(each_once(&next.stop()), all(1_000..1_010));
}

#[test]
fn a_commit_that_is_refused_is_made_again_also_when_nothing_comes_any_more() {
    let brokers = brokers();
    let member = Member::start(&brokers, "topics: [logs]");
    member.settles(4);
    brokers.request_errors(Api::OffsetCommit, &[Fault::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS]);
    send(&brokers, "logs", 0..100);
    eventually("all is committed", || committed(&brokers) == 100);
    eventually("it is counted", || member.event("commit_failed") == 1);
    each_once(&member.stop());
}

/// Kafka answers so to a member that stops while its group shares out the partitions; the member itself commits twice.
#[test]
fn the_last_commit_is_tried_for_a_while() {
    let brokers = brokers();
    let member = Member::committing_every(Duration::from_secs(3_600), &brokers, "topics: [logs]");
    member.settles(4);
    send(&brokers, "logs", 0..100);
    eventually("all came", || member.lines().len() == 100);
    assert_eq!(committed(&brokers), 0);
    brokers.request_errors(Api::OffsetCommit, &[Fault::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 4]);
    each_once(&member.stop());
    assert_eq!(committed(&brokers), 100);
}

/// A partition that goes waits 10 s for what is under way: not for what the host did not take.
#[test]
fn a_frame_that_is_not_taken_does_not_hold_a_stop_up() {
    let brokers = brokers();
    let member = Member::start(&brokers, "topics: [logs]");
    member.settles(4);
    send(&brokers, "logs", 0..100);
    eventually("all came", || member.lines().len() == 100);
    member.taken.takes_nothing.store(true, Ordering::SeqCst);
    send(&brokers, "logs", 100..200);
    let began = Instant::now();
    eventually("it ends", || member.thread.is_finished());
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    each_once(&member.stop());
    assert_eq!(committed(&brokers), 100);
}

#[test]
fn a_regular_expression_and_only_what_is_new() {
    let brokers = brokers();
    for topic in ["audit-a", "audit-b", "other"] {
        brokers.create_topic(topic, 2, 1).unwrap();
        send(&brokers, topic, 0..10);
    }
    let member = Member::start(&brokers, "topics: ['^audit-.*'], start: latest");
    member.settles(4);
    send(&brokers, "other", 10..20);
    send(&brokers, "audit-a", 20..30);
    send(&brokers, "audit-b", 30..40);
    eventually("what is new came", || member.lines().len() >= 20);
    assert_eq!(each_once(&member.stop()), all(20..40));
}

#[test]
fn a_member_that_comes_and_goes_takes_part_of_the_partitions_with_it() {
    // How many partitions the first one gives up when the second one comes, and how many it was given until that one has gone.
    for (assignment, revoked, assigned) in [("cooperative_sticky", 2, 6), ("round_robin", 4, 10)] {
        let brokers = brokers();
        let options = format!("topics: [logs], assignment: {assignment}");
        let first = Member::start(&brokers, &options);
        first.settles(4);
        send(&brokers, "logs", 0..200);
        eventually("all came", || first.lines().len() == 200);
        // These brokers take no commits once a member has come, which Kafka does: what is not committed by then comes again.
        std::thread::sleep(Duration::from_secs(1));
        let second = Member::start(&brokers, &options);
        second.settles(2);
        // On a busy machine the group may share out more than once; the sticky one moves no more for it.
        let gave_up = first.event("revoked");
        assert!(gave_up == revoked || (gave_up > revoked && assignment == "round_robin"), "{assignment}: {gave_up}");
        let found = |rest: &[String]| first.lines().iter().chain(rest).cloned().collect::<BTreeSet<_>>();
        send(&brokers, "logs", 200..400);
        eventually("all came", || found(&second.lines()) == all(0..400));
        let rest = second.stop();
        let new = all(200..400).intersection(&rest.iter().cloned().collect()).count();
        assert!((1..200).contains(&new), "{assignment}: {new} of 200 at the second one");
        eventually("partitions came back", || first.event("assigned") >= assigned);
        std::thread::sleep(Duration::from_secs(1));
        send(&brokers, "logs", 400..500);
        eventually("the one that is left has all", || found(&rest) == all(0..500));
        first.stop();
    }
}
