//! Syslog from rsyslog while one of both stops: over TCP and TLS nothing is lost by a stop in good order, by RELP nothing by a kill either.
//! `NETWORK=long` sends 100,000 records where 20,000 are sent otherwise.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Certificates, Live, Said, Server, Site, connect, eventually, forwarding, free_port, has_relp, rsyslog};

const FILE: &str = "type: file, path: out.ndjson";
const TLS: &str = "tls: { certificate: server.pem, key: server.key, client_ca: ca.pem }";

fn count() -> usize {
    records().max(20_000)
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
    let sender = rsyslog(&site, &configuration)?;
    eventually(&format!("a part is delivered {}", sender.err()), || site.lines("out.ndjson").len() > count / 10);
    if signal == "HUP" {
        site.config(&config(&format!("listen: '127.0.0.1:{port}', peer_field: peer, {options}"), FILE));
    }
    live.signal(signal);
    let mut said = String::new();
    let again = if signal == "HUP" {
        live
    } else {
        let ended = live.wait();
        assert!(signal == "KILL" || ended.code == Some(0), "{ended}");
        said = ended.err;
        start(&site, port)
    };
    let there = site.lines("out.ndjson").len();
    // All of it may have come before the end.
    let (more, all) = (there.max(count / 2), count / 4 * 3);
    eventually(&format!("more than {there} are delivered: {}", sender.err()), || {
        let lines = site.lines("out.ndjson").len();
        lines > more || lines >= all && numbers(&site).len() == all
    });
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
    let transport = match (options.contains("relp"), options.contains("tls")) {
        (true, true) => "RELP over TLS",
        (true, false) => "RELP",
        (false, true) => "TLS",
        (false, false) => "TCP",
    };
    let (of, ended) =
        (format!("source syslog, {transport}"), format!("the host after {there} by {signal}, rsyslog after {before} by SIGTERM"));
    Exchange { of: &of, with: "rsyslog", ended: &ended, sent: count, arrived: found.len(), repeated: there_in_all - found.len() }.show();
    let lost: Vec<u64> = (0..count as u64).filter(|n| !found.contains(n)).collect();
    assert!(lost.is_empty(), "lost {}, {:?} to {:?}: {} {}", lost.len(), lost.first(), lost.last(), said, sender.err());
    let of_the_new_one = site.lines("out.ndjson").iter().filter(|line| line.contains("\"peer\":")).count();
    assert!((of_the_new_one > 0) == (signal == "HUP"), "{}", again.err());
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

/// A reload that changes the source opens its socket anew.
#[test]
fn tcp_through_a_reload() {
    through("HUP", "", TCP_ACTION);
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

const OPEN: &str = "1 open 30 relp_version=0\ncommands=syslog\n";

fn message(number: u32, text: &str) -> String {
    format!("{number} syslog {} {text}\n", text.len())
}

/// What a client is told until this text comes, or the connection ends.
fn told(stream: &mut TcpStream, until: &str) -> String {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut said = Vec::new();
    let mut buffer = [0; 4_096];
    while until.is_empty() || !String::from_utf8_lossy(&said).contains(until) {
        match stream.read(&mut buffer) {
            Ok(1..=4_096) if said.len() < 1 << 20 => said.extend(buffer.iter().filter(|byte| **byte != 0)),
            _ => break,
        }
        buffer = [0; 4_096];
    }
    String::from_utf8(said).unwrap()
}

#[test]
fn relp_in_its_own_words() {
    let (site, port, _live) = site("transport: relp, peer_field: peer, max_record: 1KiB, limits: { window: 1 }");
    let mut stream = connect(port);
    stream.write_all(OPEN.as_bytes()).unwrap();
    let said = told(&mut stream, "commands=syslog");
    assert!(said.starts_with("1 rsp ") && said.contains(" 200 OK\nrelp_version=0\nrelp_software=tamis,"), "{said}");
    stream.write_all(message(2, "<14>Mar  3 11:42:07 gw app: a\nline\n").as_bytes()).unwrap();
    assert!(told(&mut stream, "2 rsp 6 200 OK\n").ends_with("2 rsp 6 200 OK\n"));
    assert_eq!(site.lines("out.ndjson").len(), 1, "answered, so it is there");
    let rest = [message(3, &"<".repeat(5_000)), message(4, ""), "0 hint 0\n5 eventlog 1 x\n".to_owned(), "6 close 0\n".to_owned()];
    stream.write_all(rest.concat().as_bytes()).unwrap();
    let said = told(&mut stream, "");
    assert_eq!(said.trim_start(), "3 rsp 6 200 OK\n4 rsp 6 200 OK\n5 rsp 19 500 unknown command\n6 rsp 6 200 OK\n0 serverclose 0\n");
    let record: serde_json::Value = serde_json::from_str(&site.lines("out.ndjson")[0]).unwrap();
    assert_eq!((record["peer"].as_str(), record["message"].as_str()), (Some("127.0.0.1"), Some("a\nline")));
    let letters = site.letters("failed.ndjson");
    assert!(letters.len() == 1 && format!("{letters:?}").contains("a message of 5000 bytes, at most 1024 are accepted"), "{letters:?}");
}

/// What ends a connection, and never the host; others go on.
#[test]
fn relp_hostile() {
    let (site, port, live) = site("transport: relp, limits: { message_timeout: 500ms }");
    for bad in [
        "GET / HTTP/1.1\r\n\r\n".to_owned(),
        "<14>a line\n".to_owned(),
        message(1, "<14>before the session"),
        "1 open 0\n".to_owned(),
        "1 open 999999999 relp_version=0".to_owned(),
        "1 starttls 0\n2 open 1\n".to_owned(),
        format!("{OPEN}{OPEN}"),
        format!("{OPEN}{}", message(7, "<14>out of order")),
        format!("{OPEN}2 syslog 99999999999 <14>"),
        format!("{OPEN}2 syslog 3 <14>a"),
        // Slow: the rest never comes.
        format!("{OPEN}2 syslog 900000000 <14>"),
        "1".to_owned(),
    ] {
        let mut stream = connect(port);
        let _ = stream.write_all(bad.as_bytes());
        let began = Instant::now();
        let said = told(&mut stream, "");
        assert!(began.elapsed() < Duration::from_secs(10) && !said.contains("2 rsp 6 200"), "{bad:?}: {said:?}");
    }
    assert!(site.lines("out.ndjson").is_empty());
    let mut stream = connect(port);
    stream.write_all(format!("{OPEN}{}", message(2, "<14>Mar  3 11:42:07 gw app: good")).as_bytes()).unwrap();
    assert!(told(&mut stream, "2 rsp 6 200 OK").contains("2 rsp 6 200 OK"));
    assert_eq!(site.lines("out.ndjson").len(), 1);
    assert!(live.memory_bytes_peak() < 150 << 20, "{} bytes", live.memory_bytes_peak());
}

/// Without delivery no answer, and none for what was in hand when the host stopped.
#[test]
fn relp_answers_after_delivery() {
    let server = Server::start(|_| Said::Status(503));
    let (site, port) = (Site::new(), free_port());
    let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
    let yaml = config(&format!("listen: '127.0.0.1:{port}', transport: relp"), &sink);
    site.config(&format!("settings: {{ shutdown_timeout: 1s }}\n{yaml}"));
    let live = start(&site, port);
    let mut stream = connect(port);
    stream.write_all(format!("{OPEN}{}", message(2, "<14>Mar  3 11:42:07 gw app: a")).as_bytes()).unwrap();
    let said = told(&mut stream, "commands=syslog\n");
    assert!(said.contains("200 OK"), "{said}");
    std::thread::sleep(Duration::from_secs(1));
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(4));
    assert!(!told(&mut stream, "").contains("2 rsp"), "not delivered, not answered");
}

/// A sender that never looks whether anybody reads: the stop takes no longer than it may.
#[test]
fn a_stop_does_not_wait_for_ever() {
    let (_site, port, live) = site("limits: { stop_timeout: 2s }");
    let idle = connect(port);
    let mut stream = connect(port);
    let sending = std::thread::spawn(move || while stream.write_all(b"<14>Mar  3 11:42:07 gw app: a line\n").is_ok() {});
    std::thread::sleep(Duration::from_millis(300));
    live.signal("TERM");
    let began = Instant::now();
    let ended = live.wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    sending.join().unwrap();
    drop(idle);
}

/// While the sink takes nothing, the sender hears of the stop at once and nobody listens any more.
#[test]
fn a_stop_is_told_while_the_sinks_take_nothing() {
    for (transport, changes) in [("tcp", false), ("tcp", true), ("relp", true)] {
        let server = Server::start(|_| Said::Status(503));
        let (site, port) = (Site::new(), free_port());
        let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
        let yaml = config(&format!("listen: '127.0.0.1:{port}', transport: {transport}, limits: {{ in_flight: 64KiB }}"), &sink);
        let write = |more: &str| site.config(&format!("settings: {{ shutdown_timeout: 3s }}\n{}", yaml.replace("64KiB", more)));
        write("64KiB");
        let live = start(&site, port);
        let mut stream = connect(port);
        let mut sender = stream.try_clone().unwrap();
        let line = "<14>Mar  3 11:42:07 gw app: a line\n".repeat(1_000);
        let sending = std::thread::spawn(move || while transport == "tcp" && sender.write_all(line.as_bytes()).is_ok() {});
        if transport == "relp" {
            stream.write_all(format!("{OPEN}{}", message(2, "<14>Mar  3 11:42:07 gw app: a")).as_bytes()).unwrap();
        }
        eventually("the sink is asked", || server.requests() > 0);
        std::thread::sleep(Duration::from_millis(500));
        if changes {
            write("128KiB");
        }
        let began = Instant::now();
        live.signal(if changes { "HUP" } else { "TERM" });
        if transport == "tcp" {
            assert_eq!(told(&mut stream, ""), "");
            assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        }
        eventually("nobody listens", || TcpStream::connect(("127.0.0.1", port)).is_err());
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        if changes {
            live.signal("TERM");
        }
        assert_eq!(live.wait().code, Some(4));
        drop(stream);
        sending.join().unwrap();
    }
}

#[test]
fn a_handshake_that_hangs_holds_no_stop_up() {
    let (_site, port, live) = site(&format!("{TLS}, limits: {{ handshake_timeout: 1m }}"));
    let mut stream = connect(port);
    stream.write_all(b"\x16\x03\x01").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let began = Instant::now();
    live.signal("TERM");
    let ended = live.wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

/// A sender that looks for the end of the stream before each message loses none, however often the source is changed.
#[test]
fn nothing_is_lost_by_many_reloads() {
    let (site, port, live) = site("transport: tcp");
    let (until, reloads) = (Instant::now() + Duration::from_secs(5), 10);
    let sending = std::thread::spawn(move || {
        let (mut number, mut connections) = (0_u64, 0);
        while Instant::now() < until {
            let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else { continue };
            connections += 1;
            stream.set_nonblocking(true).unwrap();
            while Instant::now() < until && stream.read(&mut [0; 1]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock) {
                stream.set_nonblocking(false).unwrap();
                writeln!(stream, "<14>Mar  3 11:42:07 gw app: record {number} x").unwrap();
                stream.set_nonblocking(true).unwrap();
                number += 1;
            }
        }
        (number, connections)
    });
    for number in 0..reloads {
        std::thread::sleep(Duration::from_millis(400));
        site.config(&config(&format!("listen: '127.0.0.1:{port}', peer_field: peer{number}"), FILE));
        live.signal("HUP");
    }
    let (sent, connections) = sending.join().unwrap();
    live.signal("TERM");
    let ended = live.wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    assert!(connections > reloads / 2, "{connections} connections: {ended}");
    let found = numbers(&site);
    let lost: Vec<u64> = (0..sent).filter(|number| !found.contains(number)).collect();
    assert!(lost.is_empty(), "lost {} of {sent}: {:?} {ended}", lost.len(), lost.first());
}

#[test]
fn datagrams_that_had_come_before_a_stop() {
    let (site, port, live) = site("transport: both");
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in 0..2_000 {
        socket.send_to(format!("<14>Mar  3 11:42:07 gw app: record {n}").as_bytes(), ("127.0.0.1", port)).unwrap();
    }
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
    assert_eq!(numbers(&site).len(), 2_000);
}
