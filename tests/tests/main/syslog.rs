//! Syslog from rsyslog while one of both stops: over TCP and TLS nothing is lost by a stop in good order, by RELP nothing by a kill either.
//! `NETWORK=long` sends 100,000 records where 20,000 are sent otherwise.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tamis_tests::harness::{Certificates, Live, Said, Server, Site, connect, eventually, forwarding, free_port, has_relp, rsyslog};

const FILE: &str = "type: file, path: out.ndjson";
const TLS: &str = "tls: { certificate: server.pem, key: server.key, client_ca: ca.pem }";

fn count() -> usize {
    if std::env::var("NETWORK").is_ok_and(|long| long == "long") { 100_000 } else { 20_000 }
}

fn config(source: &str, sink: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: syslog, {source} }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ {sink} }}
  failed: {{ type: file, path: failed.ndjson }}"
    )
}

fn start(site: &Site, port: u16) -> Live {
    let live = site.start(["run", "-c", "tamis.yaml"]);
    drop(connect(port));
    live
}

/// A source with these options that has its records in a file.
fn site(options: &str) -> (Site, u16, Live) {
    let (site, port) = (Site::new(), free_port());
    Certificates::write(&site);
    site.config(&config(&format!("listen: '127.0.0.1:{port}', {options}"), FILE));
    let live = start(&site, port);
    (site, port, live)
}

/// The numbers of the records, each once.
fn numbers(site: &Site) -> BTreeSet<u64> {
    let number = |line: &String| {
        let record: serde_json::Value = serde_json::from_str(line).unwrap();
        record["message"].as_str().unwrap().trim().split(' ').nth(1).unwrap().parse().unwrap()
    };
    site.lines("out.ndjson").iter().map(number).collect()
}

/// Sends from rsyslog; in the middle this host gets the signal and is started again, and then rsyslog is, which has more to
/// send then. Nothing may be lost.
fn through(signal: &str, options: &str, action: &str) -> Option<()> {
    let (site, port, live) = site(options);
    let count = count();
    let lines = |of: std::ops::Range<usize>| of.map(|n| format!("record {n} {}\n", "x".repeat(100))).collect::<String>();
    let input = site.write("input.log", lines(0..count / 4 * 3));
    let configuration = forwarding(&site, &action.replace("PORT", &port.to_string()).replace("SITE", &site.path("").display().to_string()));
    let began = Instant::now();
    let sender = rsyslog(&site, &configuration)?;
    eventually(&format!("a part is delivered {}", sender.err()), || site.lines("out.ndjson").len() > count / 10);
    live.signal(signal);
    let stopping = Instant::now();
    let ended = live.wait();
    let took = stopping.elapsed();
    assert!(signal == "KILL" || ended.code == Some(0), "{ended}");
    let there = site.lines("out.ndjson").len();
    let _again = start(&site, port);
    eventually(&format!("more is delivered: {}", sender.err()), || site.lines("out.ndjson").len() > there.max(count / 2));
    sender.signal("TERM");
    let _ = sender.wait();
    let before = site.lines("out.ndjson").len();
    std::fs::OpenOptions::new().append(true).open(input).unwrap().write_all(lines(count / 4 * 3..count).as_bytes()).unwrap();
    let sender = rsyslog(&site, &configuration)?;
    let since = Instant::now();
    // What is lost never comes: then it is not waited for longer than this.
    while numbers(&site).len() < count && since.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(200));
    }
    let found = numbers(&site);
    let there_in_all = site.lines("out.ndjson").len();
    eprintln!(
        "{signal} {options} {action}: {} of {count} there, stopped at {there} in {took:?}, rsyslog at {before}, {} repeated, {:?}",
        found.len(),
        there_in_all - found.len(),
        began.elapsed(),
    );
    let lost: Vec<u64> = (0..count as u64).filter(|n| !found.contains(n)).collect();
    assert!(lost.is_empty(), "lost {}, {:?} to {:?}: {} {}", lost.len(), lost.first(), lost.last(), ended.err, sender.err());
    assert!(site.letters("failed.ndjson").is_empty(), "{:?}", site.letters("failed.ndjson").first().map(|l| format!("{l:?}")));
    Some(())
}

const TCP_ACTION: &str = "type=\"omfwd\" port=\"PORT\" protocol=\"tcp\" TCP_Framing=\"octet-counted\"";
const TLS_ACTION: &str = "type=\"omfwd\" port=\"PORT\" protocol=\"tcp\" TCP_Framing=\"octet-counted\" \
    StreamDriver=\"gtls\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"anon\"";
const RELP_ACTION: &str = "type=\"omrelp\" port=\"PORT\"";
const RELP_TLS_ACTION: &str = "type=\"omrelp\" port=\"PORT\" tls=\"on\" tls.caCert=\"SITE/ca.pem\" tls.myCert=\"SITE/client.pem\" \
    tls.myPrivKey=\"SITE/client.key\" tls.authMode=\"certvalid\"";

#[test]
fn tcp_through_a_stop() {
    through("TERM", "", TCP_ACTION);
}

#[test]
fn tls_through_a_stop() {
    through("TERM", TLS, TLS_ACTION);
}

#[test]
fn relp_through_a_stop() {
    if has_relp() {
        through("TERM", "transport: relp", RELP_ACTION);
    }
}

#[test]
fn relp_through_a_kill() {
    if has_relp() {
        through("KILL", "transport: relp", RELP_ACTION);
    }
}

#[test]
fn relp_over_tls_through_a_kill() {
    if has_relp() {
        through("KILL", &format!("transport: relp, {TLS}"), RELP_TLS_ACTION);
    }
}
