//! Records by syslog, Fluentd's forward protocol and Lumberjack, from real senders: what is acknowledged is delivered, and bad input is
//! bounded. `NETWORK=long` sends 100,000 records where 5,000 are sent otherwise.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::{Duration, Instant};
use tamis_tests::harness::exchange::{Exchange, records as number_of_records};
use tamis_tests::harness::{Certificates, Live, Said, Server, Site, connect, eventually, free_port, rsyslog, wire_client};

fn config(source: &str, sink: &str) -> String {
    format!(
        "
sources: {{ in: {{ {source} }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ {sink} }}
  failed: {{ type: file, path: failed.ndjson }}"
    )
}

const FILE: &str = "type: file, path: out.ndjson";

fn start(site: &Site, port: u16) -> Live {
    let live = site.start_shell("ulimit -n 8192; exec $TAMIS run -c tamis.yaml");
    drop(connect(port));
    live
}

/// A source of this type that has its records in a file.
fn site(kind: &str, options: &str) -> (Site, u16, Live) {
    let (site, port) = (Site::new(), free_port());
    site.config(&config(&format!("type: {kind}, listen: '127.0.0.1:{port}', {options}"), FILE));
    let live = start(&site, port);
    (site, port, live)
}

fn records(site: &Site) -> Vec<serde_json::Value> {
    site.lines("out.ndjson").iter().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The numbers of the records, each once.
fn numbers(site: &Site) -> BTreeSet<u64> {
    records(site).iter().map(|record| record["n"].as_u64().unwrap()).collect()
}

fn all(count: usize) -> BTreeSet<u64> {
    (0..count as u64).collect()
}

#[test]
fn syslog_in_both_framings_and_datagrams() {
    let (site, port, _live) = site("syslog", "transport: both, peer_field: peer");
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    datagrams.send_to(b"<14>Mar  3 11:42:07 gw app[1]: by datagram\n", ("127.0.0.1", port)).unwrap();
    let mut stream = connect(port);
    let counted = "<165>1 2025-03-03T11:42:07Z gw app 8710 ID47 - counted";
    write!(stream, "{} {counted}<14>Mar  3 11:42:07 gw app: a line\nno syslog \u{1}\n9 <1>", counted.len()).unwrap();
    drop(stream);
    eventually("all is delivered", || site.lines("out.ndjson").len() == 3 && site.letters("failed.ndjson").len() == 2);
    let mut texts: Vec<String> = records(&site)
        .iter()
        .inspect(|record| assert_eq!(record["peer"], "127.0.0.1"))
        .map(|record| record["message"].as_str().unwrap().to_owned())
        .collect();
    texts.sort();
    assert_eq!(texts, ["a line", "by datagram", "counted"]);
    let reasons = site.letters("failed.ndjson").iter().map(|letter| format!("{letter:?}")).collect::<String>();
    assert!(reasons.contains("the connection ended after 3 of the message's 9 bytes"), "{reasons}");
}

/// rsyslog reads a file and forwards it: lines, counted, and counted over TLS with certificates on both sides.
#[test]
fn syslog_from_rsyslog() {
    for (name, options) in [
        ("lines", "TCP_Framing=\"traditional\""),
        ("counted", "TCP_Framing=\"octet-counted\""),
        ("tls", "TCP_Framing=\"octet-counted\" StreamDriver=\"gtls\" StreamDriverMode=\"1\" StreamDriverAuthMode=\"anon\""),
    ] {
        let (site, port) = (Site::new(), free_port());
        Certificates::write(&site);
        let tls = if name == "tls" { ", tls: { certificate: server.pem, key: server.key, client_ca: ca.pem }" } else { "" };
        site.config(&config(&format!("type: syslog, listen: '127.0.0.1:{port}'{tls}"), FILE));
        let _live = start(&site, port);
        let count = number_of_records();
        site.write("input.log", (0..count).map(|n| format!("record {n} {}\n", "x".repeat(100))).collect::<String>());
        let at = site.path("").display().to_string().trim_end_matches('/').to_owned();
        let configuration = format!(
            "global(workDirectory=\"{at}\" DefaultNetstreamDriverCAFile=\"{at}/ca.pem\" DefaultNetstreamDriverCertFile=\"{at}/client.pem\"\n\
             DefaultNetstreamDriverKeyFile=\"{at}/client.key\")\nmodule(load=\"imfile\")\n\
             input(type=\"imfile\" file=\"{at}/input.log\" tag=\"app:\" ruleset=\"out\")\n\
             ruleset(name=\"out\") {{ action(type=\"omfwd\" target=\"127.0.0.1\" port=\"{port}\" protocol=\"tcp\" {options}\n\
             template=\"RSYSLOG_SyslogProtocol23Format\" action.resumeRetryCount=\"-1\") }}\n"
        );
        let Some(sender) = rsyslog(&site, &configuration) else { return };
        eventually(&format!("{name}: {} is delivered", sender.err()), || site.lines("out.ndjson").len() >= count);
        let found: BTreeSet<u64> = records(&site)
            .iter()
            .map(|record| record["message"].as_str().unwrap().trim().split(' ').nth(1).unwrap().parse().unwrap())
            .collect();
        assert!(found == all(count) && site.lines("out.ndjson").len() == count, "{name}: {}", found.len());
        assert_eq!(records(&site)[0]["app"], "app");
    }
}

/// Sends until everything is acknowledged. The host is killed in the middle, and then the sender, which goes on from its notes.
fn through_a_kill(kind: &str, with: &str, options: &str, script: &str, arguments: &[&str]) -> Option<()> {
    let (site, port, live) = site(kind, options);
    let count = number_of_records();
    let (shown_port, shown_count) = (port.to_string(), count.to_string());
    let arguments: Vec<&str> = [shown_port.as_str(), &shown_count].into_iter().chain(arguments.iter().copied()).collect();
    let client = || {
        let mut command = wire_client(script, &arguments)?;
        command.env("WIRE_NOTES", site.path("notes"));
        Some(Live::start(command))
    };
    let first = client()?;
    eventually("a part is delivered", || site.lines("out.ndjson").len() > count / 5);
    live.signal("KILL");
    let before = live.wait();
    assert_eq!(before.signal, Some(9));
    let there = site.lines("out.ndjson").len();
    let _again = start(&site, port);
    eventually("more is delivered", || site.lines("out.ndjson").len() > there + count / 5);
    first.signal("KILL");
    assert_eq!(first.wait().signal, Some(9), "killed in the middle");
    let second = site.lines("out.ndjson").len();
    let ended = client()?.wait();
    assert_eq!(ended.code, Some(0), "{ended}");
    let lines = site.lines("out.ndjson").len();
    let found = numbers(&site);
    let told = format!("the host after {there}, the sender after {second}, `kill -9`");
    Exchange { of: &format!("source {kind}"), with, ended: &told, sent: count, arrived: found.len(), repeated: lines - found.len() }.tell();
    assert_eq!(found, all(count));
    Some(())
}

#[test]
fn beats_through_a_kill() {
    through_a_kill("beats", "pylogbeat", "", "send_beats.py", &["100"]);
}

#[test]
fn fluent_through_a_kill() {
    for mode in ["PackedForward", "CompressedPackedForward"] {
        through_a_kill(
            "fluent",
            &format!("fluent-logger for Node.js, {mode}"),
            "security: { shared_key: a-shared-key }",
            "fluent.js",
            &[mode, "a-shared-key"],
        );
    }
}

#[test]
fn fluent_one_event_a_message() {
    let (site, port, _live) = site("fluent", "peer_field: peer");
    let Some(client) = wire_client("fluent.js", &[&port.to_string(), "200", "Message"]) else { return };
    let run = Live::start(client).wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(numbers(&site), all(200), "acknowledged, so it is there");
    let record = &records(&site)[0];
    assert_eq!((record["tag"].as_str(), record["peer"].as_str()), (Some("app.js"), Some("127.0.0.1")));
    assert!(record["time"].as_str().unwrap().starts_with("20"), "{record}");
}

#[test]
fn senders_without_acknowledgements() {
    for (kind, script) in [("fluent", "send_fluent.py"), ("beats", "beats.js")] {
        let (site, port, _live) = site(kind, "");
        let Some(client) = wire_client(script, &[&port.to_string(), "5000"]) else { return };
        let run = Live::start(client).wait();
        assert_eq!(run.code, Some(0), "{run}");
        eventually("all is delivered", || site.lines("out.ndjson").len() >= 5_000);
        assert_eq!(numbers(&site), all(5_000), "{script}");
    }
}

#[test]
fn beats_with_certificates_of_clients() {
    let (site, port) = (Site::new(), free_port());
    Certificates::write(&site);
    let tls = "tls: { certificate: server.pem, key: server.key, client_ca: ca.pem }";
    site.config(&config(&format!("type: beats, listen: '127.0.0.1:{port}', {tls}"), FILE));
    let _live = start(&site, port);
    let path = |name: &str| site.path(name).display().to_string();
    let arguments = [port.to_string(), "1000".to_owned(), "50".to_owned(), path("ca.pem"), path("client.pem"), path("client.key")];
    let Some(client) = wire_client("send_beats.py", &arguments.each_ref().map(String::as_str)) else { return };
    let run = Live::start(client).wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(numbers(&site), all(1_000));
}

#[test]
fn a_wrong_key_is_refused() {
    let (site, port, live) = site("fluent", "security: { shared_key: a-shared-key, users: { ana: s3cret-pass } }");
    let mut stream = connect(port);
    let mut helo = [0; 8];
    stream.read_exact(&mut helo).unwrap();
    assert_eq!(helo[..7], *b"\x92\xa4HELO\x83");
    stream.write_all(b"\x96\xa4PING\xa1c\xa1s\xa1d\xa0\xa0").unwrap();
    let mut said = Vec::new();
    stream.read_to_end(&mut said).unwrap();
    assert!(String::from_utf8_lossy(&said).contains("shared_key mismatch"), "{said:?}");
    // Events in place of an answer.
    let mut stream = connect(port);
    stream.write_all(b"\x93\xa1t\x01\x81\xa1a\x01").unwrap();
    let _ = stream.read_to_end(&mut said);
    assert!(site.lines("out.ndjson").is_empty() && !live.err().contains("a-shared-key"));
}

/// What a client is told within this time.
fn told(stream: &mut TcpStream, within: Duration) -> Vec<u8> {
    stream.set_read_timeout(Some(within)).unwrap();
    let mut said = vec![0; 64];
    let length = stream.read(&mut said).unwrap_or(0);
    said.truncate(length);
    said
}

const WINDOW: &[u8] = b"2W\0\0\0\x012J\0\0\0\x07\0\0\0\x07{\"n\":1}";
const EVENT: &[u8] = b"\x94\xa1t\x01\x81\xa1n\x01\x81\xa5chunk\xa2c1";

/// Without delivery no acknowledgement; those of Lumberjack wait with signs of life.
#[test]
fn no_acknowledgement_before_delivery() {
    let server = Server::start(|_| Said::Status(503));
    let (site, beats, fluent) = (Site::new(), free_port(), free_port());
    site.config(&format!(
        "
sources:
  beats: {{ type: beats, listen: '127.0.0.1:{beats}' }}
  fluent: {{ type: fluent, listen: '127.0.0.1:{fluent}', limits: {{ ack_timeout: 1s }} }}
pipelines: {{ main: {{ from: [beats, fluent], to: [out] }} }}
sinks: {{ out: {{ type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }} }} }}",
        server.address()
    ));
    let _live = start(&site, beats);
    let mut stream = connect(fluent);
    stream.write_all(EVENT).unwrap();
    let began = Instant::now();
    assert_eq!(told(&mut stream, Duration::from_secs(20)), b"", "the connection ends without an acknowledgement");
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
    let mut stream = connect(beats);
    stream.write_all(WINDOW).unwrap();
    assert_eq!(told(&mut stream, Duration::from_secs(20)), b"2A\0\0\0\0", "a sign of life, no acknowledgement");
}

#[test]
fn acknowledged_in_the_protocols_own_words() {
    let (site, port, _live) = site("beats", "");
    let mut stream = connect(port);
    stream.write_all(WINDOW).unwrap();
    assert_eq!(told(&mut stream, Duration::from_secs(20)), b"2A\0\0\0\x07");
    stream.write_all(b"1W\0\0\0\x011D\0\0\0\x03\0\0\0\x01\0\0\0\x01n\0\0\0\x012").unwrap();
    assert_eq!(told(&mut stream, Duration::from_secs(20)), b"1A\0\0\0\x03");
    assert_eq!(site.lines("out.ndjson"), ["{\"n\":1}", "{\"n\":\"2\"}"]);
    let (_other, port, _live) = self::site("fluent", "time_field: null, tag_field: null");
    let mut stream = connect(port);
    stream.write_all(EVENT).unwrap();
    assert_eq!(told(&mut stream, Duration::from_secs(20)), b"\x81\xa3ack\xa2c1");
    assert_eq!(_other.lines("out.ndjson"), ["{\"n\":1}"]);
}

/// A source, its options and what is sent to it.
type Case<'a> = (&'a str, &'a [u8], Vec<Vec<u8>>);

/// What ends a connection, or becomes a dead letter, and never the host; other clients go on.
#[test]
fn hostile_input() {
    let zeros = zlib(&vec![0; 50 << 20]);
    let bomb = [b"2W\0\0\0\x012C".as_slice(), &(zeros.len() as u32).to_be_bytes(), &zeros].concat();
    let gzip = gzip(&vec![0xc0; 50 << 20]);
    let packed = [b"\x93\xa1t\xc6".as_slice(), &(gzip.len() as u32).to_be_bytes(), &gzip, b"\x81\xaacompressed\xa4gzip"].concat();
    let cases: [Case<'_>; 3] = [
        (
            "beats",
            WINDOW,
            vec![
                b"GET / HTTP/1.1\r\n\r\n".to_vec(),
                b"2W\xff\xff\xff\xff2C\xff\xff\xff\xff".to_vec(),
                b"2J\0\0\0\x01\0\0\0\x02{}".to_vec(),
                b"2W\0\0\0\x012C\0\0\0\x04none".to_vec(),
                bomb,
            ],
        ),
        (
            "fluent",
            EVENT,
            vec![b"\xdb\xff\xff\xff\xff".to_vec(), b"\xdd\xff\xff\xff\xff".to_vec(), vec![0x91; 5_000], b"\xc1".to_vec(), packed],
        ),
        ("syslog", b"<14>Mar  3 11:42:07 gw app: a line\n", vec![]),
    ];
    for (kind, good, bad) in cases {
        let (site, port, live) = site(kind, "");
        for bytes in &bad {
            let mut stream = connect(port);
            // It may be closed before all of it was taken.
            let _ = stream.write_all(bytes);
            stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            let ended = stream.read(&mut [0; 8]);
            assert!(
                matches!(&ended, Ok(0)) || ended.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionReset),
                "{kind}: {ended:?}"
            );
        }
        connect(port).write_all(b"99999999 <1>").unwrap();
        connect(port).write_all(good).unwrap();
        eventually("others go on", || site.lines("out.ndjson").len() == 1);
        assert!(live.memory_bytes_peak() < 150 << 20, "{kind}: {} bytes", live.memory_bytes_peak());
    }
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// 2,000 clients, each in the middle of a message of which it claims a lot.
#[test]
fn many_slow_clients() {
    for (kind, beginning, good) in [
        ("beats", "32570000000132430020000078", WINDOW),
        ("fluent", "93a174c600200000", EVENT),
        ("syslog", "3630303030203c313e", b"<14>Mar  3 11:42:07 gw app: a line\n".as_slice()),
    ] {
        let (site, port, live) = site(kind, "limits: { connections: 4096 }");
        let Some(client) = wire_client("crowd.py", &[&port.to_string(), "2000", "20000", beginning]) else { return };
        let mut client = Live::start(client);
        eventually("all are connected", || client.out().contains("connected 2000") || !client.runs());
        assert!(client.runs(), "{}", client.err());
        connect(port).write_all(good).unwrap();
        eventually("another one goes on", || site.lines("out.ndjson").len() == 1);
        let peak = live.memory_bytes_peak() >> 20;
        eprintln!("{kind}: 2,000 connections with 20,000 bytes each: {peak} MiB");
        assert!(peak < 300, "{kind}: {peak} MiB");
    }
}

/// Bursts of datagrams with a sink that stands still: what the system drops is counted.
#[test]
fn datagrams_that_are_dropped_are_counted() {
    let server = Server::start(|_| Said::Status(503));
    let (site, port, admin) = (Site::new(), free_port(), free_port());
    let source = format!("type: syslog, listen: '127.0.0.1:{port}', transport: udp, receive_buffer: 4KiB, limits: {{ in_flight: 64KiB }}");
    let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
    let yaml = format!("settings: {{ admin: '127.0.0.1:{admin}', lanes: 2 }}\n{}", config(&source, &sink));
    site.config(&yaml);
    let mut live = site.start(["run", "-c", "tamis.yaml"]);
    live.says("listening at");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let message = format!("<14>Mar  3 11:42:07 gw app: {}", "x".repeat(1_000));
    for _ in 0..2_000 {
        socket.send_to(message.as_bytes(), ("127.0.0.1", port)).unwrap();
    }
    let agent = ureq::agent();
    let dropped = || {
        let mut answer = agent.get(format!("http://127.0.0.1:{admin}/metrics")).call().ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        let line = text.lines().find(|line| line.starts_with("tamis_source_events_total") && line.contains("udp_dropped"))?.to_owned();
        line.rsplit(' ').next()?.parse::<f64>().ok()
    };
    eventually("the dropped ones are counted", || dropped().is_some_and(|dropped| dropped > 0.0));
}
