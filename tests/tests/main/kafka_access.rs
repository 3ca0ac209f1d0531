//! Kafka behind TLS (stunnel) and with users (Tansu with a store that keeps them).

use super::kafka::{READ, SEND, numbers};
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Address, Broker, Certificates, Site, TlsFront, eventually, free_port, parse_metrics};

/// Sends numbered records to a broker's topic `in` and has a host bring them to `out`: all come, once.
fn through(broker: &Broker, site: &Site, access: &str) {
    let count = records();
    site.config(&format!(
        "
sources: {{ in: {{ type: kafka, brokers: ['{0}'], topics: [in], group: hosts, session_timeout: 6s, {access} }} }}
pipelines: {{ main: {{ from: [in], to: [out, copy] }} }}
sinks:
  out: {{ type: kafka, brokers: ['{0}'], topic: out, healthcheck: true, {access} }}
  copy: {{ type: file, path: copy.ndjson }}",
        broker.address()
    ));
    let host = site.start(["run", "-c", "tamis.yaml"]);
    let sending = broker.python(SEND, &["in", &count.to_string(), &(count / 2).to_string()]);
    let sent = sending.wait();
    assert_eq!(sent.code, Some(0), "{sent}");
    eventually("all are delivered", || site.lines("copy.ndjson").len() >= count);
    host.signal("TERM");
    let run = host.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let read = broker.python(READ, &["out", "20", &count.to_string()]).wait();
    let (found, came) = numbers(read.text().lines());
    let named = [
        ("certificate:", "certificates of clients"),
        ("tls:", "TLS"),
        ("scram_sha_256", "SCRAM-SHA-256"),
        ("scram_sha_512", "SCRAM-SHA-512"),
        ("plain", "PLAIN"),
    ];
    let names: Vec<&str> = named.iter().filter(|(key, _)| access.contains(key)).map(|(_, name)| *name).collect();
    let of = format!("source and sink kafka, {}", names.join(", "));
    Exchange { of: &of, with: "librdkafka, Tansu", ended: "none", sent: count, arrived: found.len(), repeated: came - found.len() }.tell();
    assert_eq!((found.len(), came), (count, count));
}

/// A sink with a health check, and a source, are refused: both say why, the sink by not starting. Nothing of it is a crash.
fn refused(address: &str, access: &str, says: &[&str]) {
    let site_said = |said: &str, what: &str| {
        for text in says {
            assert!(said.contains(text), "{what}, {access}: `{text}` is not said:\n{said}");
        }
    };
    let site = Site::with("", "{\"n\":1}\n");
    site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: kafka, brokers: ['{address}'], topic: out, timeout: 2s, healthcheck: true, {access} }} }}"
    ));
    let run = site.once();
    assert_eq!(run.code, Some(3), "{run}");
    let why = run.err.lines().find(|line| line.contains("sink `out` is not healthy")).unwrap_or_else(|| panic!("{run}"));
    site_said(why, "the sink");

    let site = Site::new();
    site.config(&format!(
        "
sources: {{ in: {{ type: kafka, brokers: ['{address}'], topics: [in], group: refused, {access} }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}
settings: {{ admin: 'unix:admin.sock' }}"
    ));
    let mut host = site.start(["run", "-c", "tamis.yaml"]);
    let said = host.says("Kafka: ");
    site_said(&said, "the source");
    let admin = Address::Unix(site.path("admin.sock"));
    eventually("it is counted", || {
        let Ok(metrics) = admin.get("/metrics") else { return false };
        let metrics = parse_metrics(&metrics.body).unwrap();
        let Some(events) = metrics.get("tamis_source_events") else { return false };
        events.samples.iter().any(|sample| sample.labels.get("event").is_some_and(|event| event == "broker_error") && sample.value > 0.0)
    });
    assert!(host.runs(), "it goes on trying");
    host.signal("TERM");
    let run = host.wait();
    assert_eq!(run.code, Some(0), "{run}");
}

fn pem(site: &Site, options: &[(&str, &str)]) -> String {
    let all: Vec<String> = options.iter().map(|(option, file)| format!("{option}: '{}'", site.path(file).display())).collect();
    format!("tls: {{ {} }}", all.join(", "))
}

#[test]
fn kafka_over_tls_and_who_is_not_trusted() {
    let certificates = Site::new();
    Certificates::write(&certificates);
    let Some(broker) = Broker::behind_tls(&certificates, false) else { return };
    ["in", "out"].iter().for_each(|topic| broker.topic(topic, 4));
    through(&broker, &Site::new(), &pem(&certificates, &[("ca", "ca.pem")]));
    let unknown = ["certificate verify failed", "`tls.ca`", "the host that `brokers` names"];
    refused(&broker.address(), &pem(&certificates, &[("ca", "stranger.pem")]), &unknown);
    // The right authority, another host's name.
    let Some(elsewhere) = TlsFront::start(&certificates, free_port(), broker.port(), "elsewhere", false) else { return };
    refused(&format!("127.0.0.1:{}", elsewhere.port()), &pem(&certificates, &[("ca", "ca.pem")]), &unknown);
}

#[test]
fn kafka_with_a_certificate_of_the_client_and_without() {
    let certificates = Site::new();
    Certificates::write(&certificates);
    let Some(broker) = Broker::behind_tls(&certificates, true) else { return };
    ["in", "out"].iter().for_each(|topic| broker.topic(topic, 4));
    let own = |name: &str| {
        let (certificate, key) = (format!("{name}.pem"), format!("{name}.key"));
        pem(&certificates, &[("ca", "ca.pem"), ("certificate", &certificate), ("key", &key)])
    };
    through(&broker, &Site::new(), &own("client"));
    let wanted = ["alert", "the broker wants `tls.certificate` and `tls.key`"];
    refused(&broker.address(), &pem(&certificates, &[("ca", "ca.pem")]), &wanted);
    refused(&broker.address(), &own("stranger"), &wanted);
}

fn sasl(mechanism: &str, password: &str) -> String {
    format!("sasl: {{ mechanism: {mechanism}, user: {}, password: '{password}' }}", Broker::USER)
}

#[test]
fn kafka_with_users_of_scram() {
    let Some(broker) = Broker::with_users(&["in", "out"], None) else { return };
    through(&broker, &Site::new(), &sasl("scram_sha_256", Broker::PASSWORD));
    let Some(broker) = Broker::with_users(&["in", "out"], None) else { return };
    through(&broker, &Site::new(), &sasl("scram_sha_512", Broker::PASSWORD));
    for mechanism in ["scram_sha_256", "scram_sha_512"] {
        refused(&broker.address(), &sasl(mechanism, "wrong"), &["SASL", "authentication", "see `sasl`: `user`, `password`"]);
    }
}

/// What a sink cannot deliver waits, and goes when the password is right.
#[test]
fn kafka_with_a_password_that_is_put_right() {
    let Some(broker) = Broker::with_users(&["out"], None) else { return };
    let site = Site::with("", "{\"n\":1}\n{\"n\":2}\n");
    let config = |password| {
        site.config(&format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: kafka, brokers: ['{}'], topic: out, timeout: 2s, {} }} }}",
            broker.address(),
            sasl("scram_sha_512", password)
        ));
    };
    config("wrong");
    let mut host = site.start(["run", "-c", "tamis.yaml"]);
    let said = host.says("cannot deliver");
    assert!(said.contains("not confirmed within 2s: ") && said.contains("see `sasl`"), "{said}");
    host.signal("KILL");
    drop(host.wait());
    config(Broker::PASSWORD);
    site.delivered();
    let read = broker.python(READ, &["out", "20", "2"]).wait();
    assert_eq!(numbers(read.text().lines()).0, [1, 2].into());
}

#[test]
fn kafka_with_users_behind_tls() {
    let certificates = Site::new();
    Certificates::write(&certificates);
    let Some(broker) = Broker::with_users(&["in", "out"], Some(&certificates)) else { return };
    let access = |mechanism, password| format!("{}, {}", pem(&certificates, &[("ca", "ca.pem")]), sasl(mechanism, password));
    through(&broker, &Site::new(), &access("scram_sha_512", Broker::PASSWORD));
    refused(&broker.address(), &access("scram_sha_256", "wrong"), &["SASL", "see `sasl`: `user`, `password`"]);
}

/// This broker lets in anybody with PLAIN: what it shows is that user and password are sent as it wants them.
#[test]
fn kafka_with_plain_behind_tls() {
    let certificates = Site::new();
    Certificates::write(&certificates);
    let Some(broker) = Broker::with_users(&["in", "out"], Some(&certificates)) else { return };
    through(&broker, &Site::new(), &format!("{}, {}", pem(&certificates, &[("ca", "ca.pem")]), sasl("plain", Broker::PASSWORD)));
}
