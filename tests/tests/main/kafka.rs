//! Kafka's topics, both ways, with a broker that restarts and hosts that are killed. NETWORK=long takes 100,000 records.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Broker, Live, Registry, Site, eventually, plugin};

/// Sends numbered records: address, topic, how many, how many a second. Prints those that the broker confirmed.
pub(crate) const SEND: &str = "
import sys, os, json, time
from confluent_kafka import Producer
p = Producer({**json.loads(os.environ['KAFKA']), 'bootstrap.servers': sys.argv[1], 'acks': 'all', 'message.timeout.ms': 60000})
count, rate, began, failed, kept = int(sys.argv[3]), float(sys.argv[4]), time.time(), [], []
def told(n):
    return lambda e, m: failed.append(e) if e else kept.append(n)
for n in range(count):
    while True:
        try:
            p.produce(sys.argv[2], b'{\"n\":%d,\"m\":\"%s\"}' % (n, b'x' * 100), key=b'k%d' % (n % 64), on_delivery=told(n))
            break
        except BufferError:
            p.poll(0.1)
    p.poll(0)
    if n % 100 == 0:
        time.sleep(max(0, began + n / rate - time.time()))
left = p.flush(60)
print('\\n'.join('{\"n\":%d}' % n for n in kept))
sys.exit(str(failed[0]) if failed else f'{left} are left' if left else 0)
";

/// Prints the values of a topic until nothing has come for so many seconds: address, topic, seconds; with a count, a second after that
/// many have come.
pub(crate) const READ: &str = "
import sys, os, json, time
from confluent_kafka import Consumer
c = Consumer({**json.loads(os.environ['KAFKA']), 'bootstrap.servers': sys.argv[1], 'group.id': 'reader-' + sys.argv[2], 'auto.offset.reset': 'earliest', 'session.timeout.ms': 6000, 'enable.auto.commit': False})
c.subscribe([sys.argv[2]])
last, left = time.time() + 10, int((sys.argv[4:] or ['-1'])[0])
while time.time() < last + (float(sys.argv[3]) if left else 1):
    m = c.poll(0.2)
    if m is not None and not m.error():
        sys.stdout.buffer.write(m.value() + b'\\n')
        last = max(last - 10, time.time())
        left -= left > 0
c.close()
";

/// The numbers of records, and how many lines had one.
pub(crate) fn numbers<'l>(lines: impl IntoIterator<Item = &'l str>) -> (BTreeSet<u64>, usize) {
    // What a killed process wrote last may be cut off.
    let all: Vec<u64> = lines.into_iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["n"].as_u64()).collect();
    (all.iter().copied().collect(), all.len())
}

fn source(broker: &Broker, topic: &str, more: &str) -> String {
    format!("type: kafka, brokers: ['{}'], topics: [{topic}], group: hosts, session_timeout: 6s, {more}", broker.address())
}

fn start(site: &Site) -> Live {
    site.start(["run", "-c", "tamis.yaml"])
}

/// Without idempotence: with it, an idempotent producer of librdkafka that has nothing to do with Tamis loses confirmed batches too when Tansu
/// is killed. It seems that Tansu notes a batch's number before it stores the batch, and confirms what is sent again as a repeat.
#[test]
fn kafka_from_topic_to_topic_with_a_restart_and_a_kill() {
    let Some(mut broker) = Broker::lasting() else { return };
    broker.topic("in", 4);
    broker.topic("out", 4);
    let (count, site) = (records(), Site::new());
    site.config(&format!(
        "
sources: {{ in: {{ {} }} }}
pipelines: {{ main: {{ from: [in], to: [out, copy] }} }}
sinks:
  out: {{ type: kafka, brokers: ['{}'], topic: out, key: '%{{n}}', idempotence: false, compression: zstd, retry: {{ max: 1s }} }}
  copy: {{ type: file, path: copy.ndjson }}",
        source(&broker, "in", "metadata: kafka, instance: one"),
        broker.address()
    ));
    let sending = broker.python(SEND, &["in", &count.to_string(), &(count / 3).to_string()]);
    let mut host = start(&site);
    let copied = || site.lines("copy.ndjson").len();
    eventually("some are delivered", || copied() > count / 10);
    host.signal("KILL");
    drop(host.wait());
    host = start(&site);
    eventually("more are delivered", || copied() > count / 4);
    broker.restart();
    let sent = sending.wait();
    assert_eq!(sent.code, Some(0), "{sent}");
    let (confirmed, _) = numbers(sent.text().lines());
    // What a reader that has nothing to do with the host finds: whether the broker still has all that it confirmed.
    let read = |topic| numbers(broker.python(READ, &[topic, "3"]).wait().text().lines());
    let (kept, _) = read("in");
    assert_eq!(confirmed.difference(&kept).count(), 0, "the broker lost what it had confirmed");
    eventually("all are delivered", || numbers(site.lines("copy.ndjson").iter().map(String::as_str)).0.is_superset(&kept));
    host.signal("TERM");
    assert_eq!(host.wait().code, Some(0));
    let (found, came) = read("out");
    Exchange {
        of: "source and sink kafka",
        with: "librdkafka, Tansu; `idempotence: false`",
        ended: "the host and the broker, `kill -9`",
        sent: confirmed.len(),
        arrived: confirmed.intersection(&found).count(),
        repeated: came - found.len(),
    }
    .tell();
    assert_eq!((confirmed.len(), found), (count, kept));
    let first: serde_json::Value = serde_json::from_str(&site.lines("copy.ndjson")[0]).unwrap();
    assert_eq!(
        (&first["kafka"]["topic"], &first["kafka"]["key"]),
        (&"in".into(), &format!("k{}", first["n"].as_u64().unwrap() % 64).into())
    );
}

/// Both have their configuration and plugin from one registry, pinned.
#[test]
fn kafka_hosts_share_partitions_and_one_is_killed() {
    let Some(broker) = Broker::sharing() else { return };
    broker.topic("logs", 4);
    let Some(registry) = Registry::start() else { return };
    let author = Site::new();
    let reference = format!("oci://{}/team/tenant:1", registry.address());
    let pushed = author.run(["plugin", "push", &plugin("tenant").display().to_string(), &reference, "--output", "json"]);
    assert_eq!(pushed.code, Some(0), "{pushed}");
    author.config(&format!(
        "
sources: {{ in: {{ {} }} }}
plugins:
  tenant: {{ component: '{reference}', grant: {{ read: [ApiOwner], write: [tenant] }}, config: {{ owners: {{ cio: corporate }} }} }}
pipelines: {{ main: {{ from: [in], steps: [{{ plugin: tenant }}], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}",
        source(&broker, "logs", "revoke_timeout: 5s")
    ));
    let locked = author.run(["plugin", "lock", "-c", "tamis.yaml"]);
    assert_eq!(locked.code, Some(0), "{locked}");
    let configuration = format!("oci://{}/team/gateway:prod", registry.address());
    let pushed = author.run(["config", "push", "-c", "tamis.yaml", &configuration, "--output", "json"]);
    assert_eq!(pushed.code, Some(0), "{pushed}");
    let pinned = pushed.json()["pinned"].as_str().unwrap().to_owned();
    let count = records();
    let sites = [Site::new(), Site::new()];
    let mut hosts: Vec<Live> = sites.iter().map(|site| site.start(["run", "-c", &pinned])).collect();
    for host in &mut hosts {
        host.says("partitions are assigned");
    }
    let lines = |at: usize| sites[at].lines("out.ndjson");
    let sending = broker.python(SEND, &["logs", &count.to_string(), &(count / 4).to_string()]);
    eventually("both are at work", || (0..2).all(|at| lines(at).len() > count / 50));
    hosts[1].signal("KILL");
    let (killed, before) = (Instant::now(), hosts[0].err().matches("partitions are assigned").count());
    eventually("the other one takes over", || hosts[0].err().matches("partitions are assigned").count() > before);
    let took = killed.elapsed();
    let sent = sending.wait();
    assert_eq!(sent.code, Some(0), "{sent}");
    let all = || {
        let lines: Vec<String> = (0..2).flat_map(lines).collect();
        numbers(lines.iter().map(String::as_str))
    };
    eventually("all are delivered", || all().0.len() == count);
    let (found, came) = all();
    Exchange {
        of: "source kafka, two hosts of a group",
        with: "librdkafka, Tansu with four partitions",
        ended: &format!("a host, `kill -9`; taken over after {took:.1?}"),
        sent: count,
        arrived: found.len(),
        repeated: came - found.len(),
    }
    .tell();
    // The session's 6 s, and what the broker takes to notice.
    assert!(took < Duration::from_secs(30), "{took:?}");
    let host = hosts.swap_remove(0);
    host.signal("TERM");
    assert_eq!(host.wait().code, Some(0));
}

#[test]
fn kafka_pauses_while_a_sink_is_away_and_repeats_nothing_after_a_restart() {
    let Some(broker) = Broker::small() else { return };
    broker.topic("logs", 2);
    let sent = broker.python(SEND, &["logs", "3000", "100000"]).wait();
    assert_eq!(sent.code, Some(0), "{sent}");
    let site = Site::new();
    let config = |sink: &str| {
        format!(
            "
sources: {{ in: {{ {} }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ {sink} }} }}
settings: {{ admin: off, lanes: 1 }}",
            source(&broker, "logs", "in_flight: 64KiB, instance: one")
        )
    };
    site.config(&config("type: http, url: 'http://127.0.0.1:9/', retry: { max: 1s }"));
    let mut host = start(&site);
    host.says("partitions are assigned");
    std::thread::sleep(Duration::from_secs(1));
    host.signal("KILL");
    drop(host.wait());
    // Nothing was delivered, so nothing is committed.
    site.config(&config("type: file, path: out.ndjson"));
    let host = start(&site);
    let found = || numbers(site.lines("out.ndjson").iter().map(String::as_str));
    eventually("all are delivered", || found().0.len() == 3_000);
    host.signal("TERM");
    assert_eq!(host.wait().code, Some(0));
    assert_eq!(found().1, 3_000, "partitions that are paused and resumed repeat nothing");
    let mut again = start(&site);
    again.says("partitions are assigned");
    std::thread::sleep(Duration::from_secs(1));
    again.signal("TERM");
    assert_eq!(again.wait().code, Some(0));
    assert_eq!(found().1, 3_000, "what was committed does not come again");
}
