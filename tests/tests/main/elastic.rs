//! Elasticsearch's protocol both ways, between real clients and stores. `NETWORK=long` sends 100,000 records instead of a few.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tamis_tests::harness::exchange::{Exchange, is_long, records};
use tamis_tests::harness::{Live, Site, Store, connect, elastic_ask, elastic_client, elastic_is_installed, free_port};

const TOKEN: &str = "s3cret-token-of-the-shippers";

/// A proxy in front of a store that redacts what passes.
fn proxy(port: u16, store: &Store) -> String {
    format!(
        "
sources:
  clients: {{ type: elasticsearch, listen: '127.0.0.1:{port}', auth: {{ tokens: [{TOKEN}], basic: {{ ana: {TOKEN} }} }} }}
plugins:
  redact:
    component: PLUGIN(redact)
    grant: {{ read: [.], write: [.] }}
    on_failure: dead_letter
    config: {{ fields: [mail, text], key: a-key-for-this-test-only, mode: mask }}
pipelines: {{ main: {{ from: [clients], steps: [{{ plugin: redact }}], to: [store], dead_letters: [failed] }} }}
sinks:
  store:
    type: elasticsearch
    urls: ['{}']
    index: '%{{_index}}'
    id: '%{{_id}}'
    buffer: {{ disk: 256MiB }}
    retry: {{ initial: 20ms, max: 200ms }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off, lanes: 2, data_dir: data }}",
        store.url()
    )
}

fn start(site: &Site, port: u16) -> Live {
    let live = site.start(["run", "-c", "tamis.yaml"]);
    drop(connect(port));
    live
}

/// Waits for as many documents, for minutes if it must be.
#[track_caller]
fn arrives(store: &Store, index: &str, expected: u64) {
    let began = Instant::now();
    while store.count(index) < expected && began.elapsed() < Duration::from_secs(240) {
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!((store.count(index), store.different(index)), (expected, expected), "{index}");
}

#[test]
fn clients_send_to_a_store_through_the_host() {
    if !elastic_is_installed() {
        return;
    }
    let (site, port, store) = (Site::new(), free_port(), Store::opensearch());
    site.config(&proxy(port, &store));
    let live = start(&site, port);
    let told = elastic_ask(&["bulk", &format!("http://127.0.0.1:{port}"), TOKEN, "2000"]);
    for name in ["elasticsearch", "opensearch"] {
        let expected = json!({
            "version": "8.19.0",
            "health": "green",
            "bulk": [2_000, []],
            "items": [[true, "create", 201, 1], [false, "delete", 400, 1], [false, "update", 400, 1], [true, "index", 201, 20]],
        });
        assert_eq!(told[name], expected, "{name}");
        arrives(&store, &format!("logs-{name}"), 2_000);
        arrives(&store, &format!("single-{name}"), 1);
        arrives(&store, &format!("items-{name}"), 2);
        let document = elastic_ask(&["get", &store.url(), &format!("logs-{name}"), &format!("logs-{name}-7")]);
        let mail = document["mail"].as_str().unwrap();
        assert!(document["n"] == 7 && !mail.contains("dupont"), "it is redacted on the way: {document}");
        assert_eq!(document["text"], "\"quoted\"\né €");
        assert_eq!(document.as_object().unwrap().len(), 3, "nothing of the way stays: {document}");
    }
    assert_eq!(told["stranger"], 401);
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}

#[test]
fn shippers_lose_nothing_when_host_and_store_go_and_come() {
    if !elastic_is_installed() {
        return;
    }
    let (site, port) = (Site::new(), free_port());
    let mut store = Store::elasticsearch(site.path("store"));
    site.config(&proxy(port, &store));
    let live = start(&site, port);
    let count = records() as u64;
    let url = format!("http://127.0.0.1:{port}");
    let mut shipper = Live::start(elastic_client(&["steady", &url, TOKEN, "logs", &count.to_string(), "500"]));
    let sent = |share: u64| format!("{}", count * share / 10 / 500 * 500);
    shipper.says(&sent(3));
    live.signal("KILL");
    live.wait();
    let live = start(&site, port);
    shipper.says(&sent(6));
    store.restart();
    let run = shipper_ends(shipper);
    arrives(&store, "logs", count);
    let with = format!("elasticsearch-py to noida-db, {} requests sent again", run["again"]);
    told("sources and sink elasticsearch", &with, count);
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
    live.signal("TERM");
    live.wait();
}

/// Each document stands under its identifier: one that comes again takes the place of itself.
fn told(of: &str, with: &str, count: u64) {
    let count = usize::try_from(count).unwrap();
    Exchange { of, with, ended: "the host by `kill -9`, the store by SIGTERM", sent: count, arrived: count, repeated: 0 }.tell();
}

fn shipper_ends(mut shipper: Live) -> Value {
    let began = Instant::now();
    while shipper.runs() && began.elapsed() < Duration::from_secs(240) {
        std::thread::sleep(Duration::from_millis(50));
    }
    shipper.wait().json()
}

#[test]
fn a_files_records_are_in_the_store_once_whatever_ends() {
    if !elastic_is_installed() {
        return;
    }
    let count = records() as u64;
    let line = |n: u64| format!("{{\"n\":{n},\"team\":\"a{}\",\"@timestamp\":\"2024-03-0{}T23:59:59Z\"}}\n", n % 2, n % 3 + 1);
    let site = Site::with("", (0..count).map(line).collect::<String>());
    let mut store = Store::elasticsearch(site.path("store"));
    site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson], start: beginning }} }}
pipelines: {{ main: {{ from: [in], to: [store], dead_letters: [failed] }} }}
sinks:
  store:
    type: elasticsearch
    # The first address is nobody's: the other one gets everything.
    urls: ['http://127.0.0.1:1', '{}']
    index: 'logs-%{{team}}-%Y.%m.%d'
    action: create
    # Slow enough to be killed in the middle.
    batch: {{ records: {batch}, age: 0s }}
    concurrency: 1
    retry: {{ initial: 20ms, max: 200ms }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off, lanes: 2, data_dir: data, checkpoint_interval: 100ms, batch: {{ records: 100 }} }}",
        store.url(),
        batch = if is_long() { 500 } else { 50 },
    ));
    let live = site.start(["run", "-c", "tamis.yaml"]);
    // In the middle, most often: asking the store would take longer than all of it.
    std::thread::sleep(Duration::from_millis(if is_long() { 2_000 } else { 150 }));
    live.signal("KILL");
    live.wait();
    let live = site.start(["run", "-c", "tamis.yaml"]);
    store.restart();
    arrives(&store, "logs-*", count);
    told("sink elasticsearch", "noida-db, `auto` identifiers", count);
    let of_a_day = (0..count).filter(|n| n % 6 == 4).count() as u64;
    assert_eq!(store.count("logs-a0-2024.03.02"), of_a_day, "each in the index of its team and day");
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
    live.signal("TERM");
    live.wait();
}

#[test]
fn what_a_store_refuses_is_a_dead_letter_and_the_rest_is_delivered() {
    if !elastic_is_installed() {
        return;
    }
    let store = Store::opensearch();
    let input = "{\"n\":1,\"index\":\"a\"}\n{\"n\":\"no number\",\"index\":\"a\"}\n{\"n\":2,\"index\":\"../_all\"}\n{\"n\":3,\"index\":\"a\"}\n{\"n\":4}\n";
    let site = Site::with("", input);
    site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [store], dead_letters: [failed] }} }}
sinks:
  store: {{ type: elasticsearch, urls: ['{}'], index: '%{{index}}' }}
  failed: {{ type: file, path: failed.ndjson }}",
        store.url()
    ));
    let report = site.delivered();
    let letters: Vec<String> = site.letters("failed.ndjson").iter().map(|letter| letter.record().to_owned()).collect();
    assert_eq!(report.dead("main", "sink"), 3, "{letters:?}");
    assert!(letters.iter().all(|letter| ["no number", "../_all", "\"n\":4"].iter().any(|part| letter.contains(part))), "{letters:?}");
    assert_eq!(store.count("a"), 2);
}
