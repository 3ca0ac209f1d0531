#![allow(clippy::unwrap_used)]

use super::super::brokers::{Brokers, brokers};
use super::*;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::Message;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};
use std::collections::BTreeSet;
use std::path::Path;
use tamis_config::{Config, ProcessEnvironment, Sink};
use tamis_nodes::sinks::Part;

fn sink(brokers: &Brokers, more: &str) -> Box<dyn Delivery> {
    let list: Vec<String> = brokers.bootstrap_servers().split(',').map(|broker| format!("'{broker}'")).collect();
    let yaml = format!(
        "version: 1\nsources: {{ in: {{ type: stdin }} }}\npipelines: {{ p: {{ from: [in], to: [out] }} }}\nsinks: {{ out: {{ type: kafka, brokers: [{}], timeout: 3s, {more} }} }}\n",
        list.join(", ")
    );
    let (config, diagnostics) = Config::parse("test.yaml", &yaml, Path::new("."), &ProcessEnvironment);
    let config = config.unwrap_or_else(|| panic!("{diagnostics:?}"));
    let Some(Sink::Kafka(config)) = config.sinks.values().next().map(|sink| &**sink).cloned() else { panic!("no sink") };
    match open(&config).unwrap() {
        Opened::Batches { delivery, .. } => delivery,
        Opened::Stream(_) => panic!("batches"),
    }
}

fn deliver(sink: &dyn Delivery, lines: &str) -> Result<(), DeliveryError> {
    let part = Part { lines: lines.as_bytes(), records: lines.lines().count(), pipeline: "p", source: "s", stream: "f", offsets: &[] };
    sink.deliver(&Batch::new(&[part]))
}

/// Messages of a topic: partition, key and value.
fn messages(brokers: &Brokers, topic: &str, count: usize) -> Vec<(i32, String, String)> {
    let mut config = ClientConfig::new();
    config
        .set("bootstrap.servers", brokers.bootstrap_servers())
        .set("group.id", format!("reader-{count}"))
        .set("auto.offset.reset", "earliest");
    let consumer: BaseConsumer = config.create().unwrap();
    consumer.subscribe(&[topic]).unwrap();
    let (mut found, began) = (Vec::new(), Instant::now());
    while found.len() < count && began.elapsed() < Duration::from_secs(30) {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let text = |bytes: Option<&[u8]>| String::from_utf8(bytes.unwrap_or_default().to_vec()).unwrap();
            found.push((message.partition(), text(message.key()), text(message.payload())));
        }
    }
    found
}

#[test]
fn keys_topics_and_records_that_no_topic_takes() {
    let brokers = brokers();
    brokers.create_topic("logs-acme", 4, 1).unwrap();
    let sink = sink(&brokers, "topic: 'logs-%{tenant}', key: '%{id}', max_message: 1KiB, compression: zstd");
    let long = format!("{{\"tenant\":\"acme\",\"x\":\"{}\"}}", "y".repeat(3_000));
    let lines = format!(
        "{{\"tenant\":\"acme\",\"id\":1}}\n{{\"id\":2}}\n{{\"tenant\":\"a/b\"}}\n{long}\n{{\"tenant\":\"acme\",\"id\":1,\"b\":2}}\n{{\"tenant\":\"acme\"}}\n"
    );
    let Err(DeliveryError::Partly { refused, again, .. }) = deliver(&*sink, &lines) else { panic!("some are refused") };
    assert_eq!((refused.iter().map(|(at, _)| *at).collect::<Vec<_>>(), again), (vec![1, 2, 3], vec![]));
    assert!(refused[2].1.contains("MessageSizeTooLarge"), "{refused:?}");
    let mut found = messages(&brokers, "logs-acme", 3);
    assert_eq!(found.len(), 3);
    found.retain(|(_, key, _)| key == "1");
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].0, found[1].0, "records of a key go to one partition");
    assert_eq!(found[1].2, "{\"tenant\":\"acme\",\"id\":1,\"b\":2}", "in their order");
}

#[test]
fn faults_of_brokers_are_no_loss() {
    let brokers = brokers();
    let sink = sink(&brokers, "topic: logs");
    let lines: String = (0..500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let not_enough = RDKafkaRespErr::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS;
    let lost = RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT;
    brokers.request_errors(RDKafkaApiKey::Produce, &[not_enough, lost, lost]);
    deliver(&*sink, &lines).unwrap();
    // These brokers do not always know what they have stored when they close a connection: some may be there twice.
    let mut count = 500;
    let found = loop {
        let found = messages(&brokers, "logs", count);
        let different: BTreeSet<String> = found.iter().map(|(_, _, value)| value.clone()).collect();
        if different.len() == 500 || found.len() < count {
            break different;
        }
        count += 500;
    };
    assert_eq!(found.len(), 500);
}

#[test]
fn brokers_that_are_away_are_tried_again() {
    let brokers = brokers();
    let sink = sink(&brokers, "topic: logs");
    (1..=3).for_each(|id| brokers.broker_down(id).unwrap());
    let Err(DeliveryError::Partly { refused, again, reason, .. }) = deliver(&*sink, "{}\n{}\n") else { panic!("nobody is there") };
    assert_eq!((refused, again), (vec![], vec![0, 1]), "{reason}");
    (1..=3).for_each(|id| brokers.broker_up(id).unwrap());
    // A connection that was refused is tried again within seconds.
    let began = Instant::now();
    while deliver(&*sink, "{}\n{}\n").is_err() {
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}

#[test]
fn names_of_topics() {
    for (name, is) in [("a.b_c-1", true), ("", false), (".", false), ("..", false), ("a b", false), ("é", false)] {
        assert_eq!(is_topic(name), is, "{name}");
    }
    assert!(!is_topic(&"x".repeat(250)));
}
