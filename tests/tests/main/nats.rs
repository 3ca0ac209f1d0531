//! JetStream of NATS, both ways, with a server and hosts that are killed. NETWORK=long takes 100,000 records.

use super::kafka::numbers;
use serde_json::json;
use std::io::Write;
use std::time::Duration;
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Certificates, Live, NatsServer, Site, eventually};

fn stream(server: &NatsServer) {
    server.api("STREAM.CREATE.LOGS", &json!({ "name": "LOGS", "subjects": ["logs.>"], "storage": "file" }));
}

fn start(site: &Site) -> Live {
    site.start(["run", "-c", "tamis.yaml"])
}

fn sender(server: &NatsServer, more: &str) -> Site {
    let site = Site::new();
    site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [in.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: nats, servers: ['{}'], subject: 'logs.%{{k}}', timeout: 2s, retry: {{ max: 1s }}, {more} }}
  failed: {{ type: file, path: failed.ndjson }}",
        server.url()
    ));
    site
}

fn receiver(server: &NatsServer, more: &str) -> Site {
    let site = Site::new();
    site.config(&format!(
        "
sources: {{ in: {{ type: nats, servers: ['{}'], stream: LOGS, durable: hosts, ack_wait: 2s, {more} }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}",
        server.url()
    ));
    site
}

/// Writes numbered records over about three seconds.
fn write(site: &Site, count: usize) -> std::thread::JoinHandle<()> {
    let mut file = std::fs::File::create(site.path("in.ndjson")).unwrap();
    std::thread::spawn(move || {
        for part in 0..100 {
            let lines: String =
                (part * count / 100..(part + 1) * count / 100).map(|n| format!("{{\"n\":{n},\"k\":\"k{}\"}}\n", n % 7)).collect();
            file.write_all(lines.as_bytes()).unwrap();
            std::thread::sleep(Duration::from_millis(30));
        }
    })
}

fn found(sites: &[&Site]) -> (usize, usize) {
    let lines: Vec<String> = sites.iter().flat_map(|site| site.lines("out.ndjson")).collect();
    let (all, came) = numbers(lines.iter().map(String::as_str));
    (all.len(), came)
}

#[test]
fn nats_both_ways_with_a_restart_and_kills() {
    let Some(mut server) = NatsServer::start(&[]) else { return };
    stream(&server);
    let count = records();
    let (from, to) = (sender(&server, ""), receiver(&server, "metadata: nats, double_ack: true"));
    let writing = write(&from, count);
    let (mut sending, mut taking) = (start(&from), start(&to));
    eventually("some came", || found(&[&to]).0 > count / 10);
    sending.signal("KILL");
    drop(sending.wait());
    sending = start(&from);
    taking.signal("KILL");
    drop(taking.wait());
    taking = start(&to);
    eventually("more came", || found(&[&to]).0 > count / 4);
    server.restart();
    writing.join().unwrap();
    eventually("all came", || found(&[&to]).0 == count);
    let (all, came) = found(&[&to]);
    let ended = "both hosts and the server, `kill -9`";
    Exchange { of: "source and sink nats", with: "nats-server", ended, sent: count, arrived: all, repeated: came - all }.tell();
    assert_eq!(server.messages("LOGS"), count as u64, "repeats are dropped by their ids");
    for host in [sending, taking] {
        host.signal("TERM");
        assert_eq!(host.wait().code, Some(0));
    }
}

#[test]
fn nats_hosts_share_messages_and_one_is_killed() {
    let Some(server) = NatsServer::start(&[]) else { return };
    stream(&server);
    let count = records();
    let from = sender(&server, "");
    let sites = [receiver(&server, ""), receiver(&server, "")];
    let (mut hosts, writing) = (sites.iter().map(start).collect::<Vec<_>>(), write(&from, count));
    let sending = start(&from);
    eventually("both are at work", || sites.iter().all(|site| found(&[site]).0 > count / 50));
    hosts[1].signal("KILL");
    writing.join().unwrap();
    let both = [&sites[0], &sites[1]];
    eventually("all came", || found(&both).0 == count);
    let (all, came) = found(&both);
    let ended = "a host, `kill -9`";
    Exchange { of: "source nats, two hosts of a durable", with: "nats-server", ended, sent: count, arrived: all, repeated: came - all }
        .tell();
    for host in [hosts.swap_remove(0), sending] {
        host.signal("TERM");
        assert_eq!(host.wait().code, Some(0));
    }
}

#[test]
fn nats_keeps_what_waits_for_a_slow_sink_and_refuses_what_has_no_subject() {
    let Some(server) = NatsServer::start(&[]) else { return };
    stream(&server);
    let from = sender(&server, "");
    from.write("in.ndjson", "{\"n\":1,\"k\":\"a\"}\n{\"n\":2}\n{\"n\":3,\"k\":\"a b\"}\n{\"n\":4,\"k\":\"c\"}\n");
    let run = from.run(["run", "-c", "tamis.yaml", "--once"]);
    assert_eq!((run.code, from.letters("failed.ndjson").len(), server.messages("LOGS")), (Some(0), 2, 2), "{run}");
    // A sink that is away for longer than the server waits for an acknowledgement.
    let to = Site::new();
    to.config(&format!(
        "
sources: {{ in: {{ type: nats, servers: ['{}'], stream: LOGS, durable: slow, ack_wait: 1s }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: http, url: 'http://127.0.0.1:9/', retry: {{ max: 1s }} }} }}",
        server.url()
    ));
    let mut host = start(&to);
    host.says("connected");
    std::thread::sleep(Duration::from_secs(4));
    let consumer = server.api("CONSUMER.INFO.LOGS.slow", &json!({}));
    assert_eq!((&consumer["num_ack_pending"], &consumer["num_redelivered"]), (&2.into(), &0.into()), "{consumer}");
    host.signal("KILL");
}

const SEED: &str = "SUAEXZQ4E72XYHC7QNO2YANZ3SFNBCNISQZ3S6DX4GGLVFC7QHISRDKNFU";
const OTHER_SEED: &str = "SUAJMDO5K2Q54UMN2MQ4KH74P65JW5HDCFCTINYRAHLCMICLTORS2EUGVI";
const PUBLIC: &str = "UDFI33AY45AVSHOTE3CHG5Y26CS2Z32CRJUYMB2UNWK4R43NNQTKUU3O";

/// 100 records go in and come out with `right`; with each of `wrong` none goes in, and none comes out.
fn only_the_right_one_is_let_in(server: &NatsServer, right: &str, wrong: &[&str]) {
    stream(server);
    let from = sender(server, right);
    from.write("in.ndjson", (0..100).map(|n| format!("{{\"n\":{n},\"k\":\"a\"}}\n")).collect::<String>());
    let run = from.run(["run", "-c", "tamis.yaml", "--once"]);
    assert_eq!((run.code, server.messages("LOGS")), (Some(0), 100), "{right}: {run}");
    let refused: Vec<(Site, Live)> = wrong
        .iter()
        .flat_map(|wrong| {
            let (from, to) = (sender(server, wrong), receiver(server, wrong));
            from.write("in.ndjson", "{\"n\":100,\"k\":\"a\"}\n");
            [from, to].map(|site| (start(&site), site)).map(|(live, site)| (site, live))
        })
        .collect();
    let to = receiver(server, right);
    let live = start(&to);
    eventually("what was sent comes", || found(&[&to]).0 == 100);
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0), "{right}");
    for (site, mut live) in refused {
        live.says("NATS");
        assert!(site.lines("out.ndjson").is_empty());
        assert!(!live.err().contains("NATS: connected") && live.runs(), "{}", live.err());
        for secret in ["s3cret", "a-long-token", SEED, OTHER_SEED] {
            assert!(!live.err().contains(secret), "{}", live.err());
        }
        live.signal("TERM");
    }
    assert_eq!(server.messages("LOGS"), 100);
}

#[test]
fn nats_users_tokens_and_keys() {
    let admin = "{ user: admin, password: admin-pass }";
    let login = json!({ "user": "admin", "pass": "admin-pass" });
    let users = format!("authorization {{ users: [ {admin}, {{ user: ana, password: s3cret-pass }} ] }}");
    let keys = format!("authorization {{ users: [ {admin}, {{ nkey: {PUBLIC} }} ] }}");
    let (seed, other) = (format!("auth: {{ nkey: {SEED} }}"), format!("auth: {{ nkey: {OTHER_SEED} }}"));
    for (configuration, login, right, wrong) in [
        (&*users, &login, "auth: { user: ana, password: s3cret-pass }", ["auth: { user: ana, password: s3cret-pas }", "auth: {}"]),
        (
            "authorization { token: a-long-token }",
            &json!({ "auth_token": "a-long-token" }),
            "auth: { token: a-long-token }",
            ["auth: { token: a-long-tokem }", "auth: { user: a-long-token, password: a-long-token }"],
        ),
        (&*keys, &login, &*seed, [&*other, "auth: { token: a-long-token }"]),
    ] {
        let site = Site::new();
        let Some(server) = NatsServer::configured(&site, configuration, login) else { return };
        only_the_right_one_is_let_in(&server, right, &wrong);
    }
}

#[test]
fn nats_certificates_of_server_and_client() {
    let site = Site::new();
    Certificates::write(&site);
    let at = |name: &str| site.path(name).display().to_string();
    // The harness itself talks without TLS; the host asks for it.
    let configuration = format!(
        "allow_non_tls: true\ntls {{ cert_file: '{}', key_file: '{}', ca_file: '{}', verify: true }}\n",
        at("server.pem"),
        at("server.key"),
        at("ca.pem")
    );
    let Some(server) = NatsServer::configured(&site, &configuration, &json!({})) else { return };
    let shown = |ca: &str, name: &str| {
        format!("tls: {{ ca: '{}', certificate: '{}', key: '{}' }}", at(ca), at(&format!("{name}.pem")), at(&format!("{name}.key")))
    };
    let nobody = format!("tls: {{ ca: '{}' }}", at("ca.pem"));
    only_the_right_one_is_let_in(
        &server,
        &shown("ca.pem", "client"),
        &[&nobody, &shown("ca.pem", "stranger"), &shown("stranger.pem", "client"), "tls: {}"],
    );
}
