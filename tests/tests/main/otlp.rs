//! OTLP both ways, with OpenTelemetry's own SDK as the client. `NETWORK=long` sends 100,000 records where it is 5,000 else.

use std::collections::BTreeSet;
use std::process::Child;
use std::time::Duration;
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Certificates, Live, Said, Server, Site, connect, eventually, free_port, otlp_sdk};
use ureq::Agent;

pub(crate) struct Ports {
    pub(crate) grpc: u16,
    pub(crate) http: u16,
}

impl Ports {
    pub(crate) fn new() -> Self {
        Self { grpc: free_port(), http: free_port() }
    }

    pub(crate) fn of(&self, protocol: &str) -> String {
        if protocol == "grpc" { format!("127.0.0.1:{}", self.grpc) } else { format!("http://127.0.0.1:{}", self.http) }
    }
}

pub(crate) const FILE: &str = "type: file, path: out.ndjson";

pub(crate) fn config(ports: &Ports, options: &str, sink: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: otlp, grpc: '127.0.0.1:{}', http: '127.0.0.1:{}', {options} }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ {sink} }}
  failed: {{ type: file, path: failed.ndjson }}",
        ports.grpc, ports.http
    )
}

pub(crate) fn start(site: &Site, ports: &Ports) -> Live {
    let live = site.start(["run", "-c", "tamis.yaml"]);
    drop((connect(ports.grpc), connect(ports.http)));
    live
}

#[track_caller]
pub(crate) fn sent(child: Child, count: usize) {
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), count.to_string());
}

/// The numbers of the records in a file.
pub(crate) fn numbers(site: &Site, name: &str) -> Vec<u64> {
    let number = |line: &String| serde_json::from_str::<serde_json::Value>(line).ok()?["body"]["n"].as_u64();
    site.lines(name).iter().filter_map(number).collect()
}

pub(crate) fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30))).build().into()
}

fn post(port: u16, path: &str, kind: &str, body: &[u8]) -> (u16, String) {
    let mut answer = agent().post(format!("http://127.0.0.1:{port}{path}")).header("content-type", kind).send(body).unwrap();
    (answer.status().as_u16(), String::from_utf8_lossy(&answer.body_mut().read_to_vec().unwrap()).into_owned())
}

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

#[test]
fn what_the_sdk_sends_arrives_in_all_its_kinds() {
    for protocol in ["grpc", "http"] {
        let (site, ports) = (Site::new(), Ports::new());
        site.config(&config(&ports, "", FILE));
        let _live = start(&site, &ports);
        let Some(sdk) = otlp_sdk(&site, protocol, &ports.of(protocol), 5_000, 500, &[]) else { return };
        sent(sdk, 5_000);
        assert_eq!(numbers(&site, "out.ndjson"), (0..5_000).collect::<Vec<_>>(), "in the file, in order, when the last answer came");
        let line = &site.lines("out.ndjson")[7];
        for part in [
            r#"{"time":"2025-11-23T17:46:40.000000007Z","observed_time":"2"#,
            r#""severity_number":13,"severity_text":"WARN","body":{"n":7,"text":"line\nbreak é \u0000","list":[1,2.5,true]}"#,
            r#""attributes":{"n":7,"http.route":"/a/{b}","data":"AP8=","nested":{"a":{"b":[1,"x"]}}}"#,
            r#""trace_id":"0af7651916cd43dd8448eb211c80319c","span_id":"b7ad6b7169203331""#,
            r#""resource":{"service.name":"sender","process.pid":7},"scope":{"name":"sending","version":"1.2","attributes":{"kind":"test"}}}"#,
        ] {
            assert!(line.contains(part), "{line}\n{part}");
        }
    }
}

/// The host that takes the records is killed, and the one behind it too: nothing is lost.
#[test]
fn killed_on_the_way() {
    for protocol in ["grpc", "http/protobuf"] {
        let (site, other) = (Site::new(), Site::new());
        let (ports, behind) = (Ports::new(), Ports::new());
        other.config(&config(&behind, "", FILE));
        let mut receiver = start(&other, &behind);
        let port = if protocol == "grpc" { behind.grpc } else { behind.http };
        let sink = format!(
            "type: otlp, endpoint: 'http://127.0.0.1:{port}', protocol: {protocol}, buffer: {{ disk: 256MiB }}, retry: {{ initial: 20ms, max: 200ms }}"
        );
        site.config(&config(&ports, "", &sink));
        let mut live = start(&site, &ports);
        let kind = if protocol == "grpc" { "grpc" } else { "http" };
        let count = records();
        let Some(sdk) = otlp_sdk(&site, kind, &ports.of(kind), count, count / 50, &[]) else { return };
        eventually("a fifth is there", || other.lines("out.ndjson").len() > count / 5);
        live.signal("KILL");
        assert!(live.ends_within(Duration::from_secs(10)));
        drop(live);
        let _live = start(&site, &ports);
        eventually("half is there", || other.lines("out.ndjson").len() > count / 2);
        receiver.signal("KILL");
        assert!(receiver.ends_within(Duration::from_secs(10)));
        drop(receiver);
        let _receiver = start(&other, &behind);
        sent(sdk, count);
        eventually("all are there", || numbers(&other, "out.ndjson").into_iter().collect::<BTreeSet<_>>().len() == count);
        let all = numbers(&other, "out.ndjson").len();
        let (of, ended) = (format!("source and sink otlp, {protocol}"), "both hosts, `kill -9`");
        Exchange { of: &of, with: "OpenTelemetry's SDK", ended, sent: count, arrived: count, repeated: all - count }.tell();
        assert!(site.letters("failed.ndjson").is_empty());
    }
}

#[test]
fn what_is_no_export_of_log_records() {
    let (site, ports) = (Site::new(), Ports::new());
    site.config(&config(&ports, "max_record: 1KiB, limits: { body: 64KiB, unpacked: 128KiB },", FILE));
    let live = start(&site, &ports);
    let records = |records: &str| format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{records}]}}]}}]}}"#);
    let good = records(r#"{"body":{"stringValue":"x"},"unknown":{"a":[1]}}"#);
    let long = records(&format!(r#"{{"body":{{"intValue":"5"}}}},{{"body":{{"stringValue":"{}"}}}}"#, "x".repeat(2_000)));
    let deep = records(&format!(r#"{{"body":{}{{}}{}}}"#, r#"{"arrayValue":{"values":["#.repeat(200), "]}}".repeat(200)));
    let exchanges: [(&str, &str, &[u8], u16, &str); 12] = [
        ("/v1/logs", JSON, good.as_bytes(), 200, "{}"),
        ("/v1/logs", JSON, b"{}", 200, "{}"),
        ("/v1/logs", PROTOBUF, b"", 200, ""),
        ("/v1/logs", JSON, long.as_bytes(), 200, r#""rejectedLogRecords":"1""#),
        ("/v1/logs", JSON, deep.as_bytes(), 200, r#""rejectedLogRecords":"1""#),
        ("/v1/logs", JSON, b"{\"resourceLogs\":7}", 400, "not an export request"),
        ("/v1/logs", JSON, b"{\"resourceLogs\"", 400, "not JSON"),
        ("/v1/logs", PROTOBUF, b"\x0a\xff\xff\xff\xff\x0f", 400, "breaks off"),
        ("/v1/logs", PROTOBUF, b"\x0a\x05\x12\x03\x12\x01\xff", 200, "invalid"),
        ("/v1/logs", "text/plain", b"x", 415, "application/x-protobuf"),
        ("/v1/traces", PROTOBUF, b"", 404, "no traces"),
        ("/v1/logs", JSON, &vec![b' '; 70 << 10], 413, "more than"),
    ];
    for (path, kind, body, status, said) in exchanges {
        let answer = post(ports.http, path, kind, body);
        assert!(answer.0 == status && answer.1.contains(said), "{answer:?}, expected {status} {said}");
    }
    assert_eq!(agent().get(format!("http://127.0.0.1:{}/v1/logs", ports.http)).call().unwrap().status(), 405);
    assert_eq!(post(ports.grpc, "/v1/logs", JSON, good.as_bytes()).0, 415, "the other port");
    eventually("three dead letters", || site.letters("failed.ndjson").len() == 3);
    assert_eq!(site.lines("out.ndjson"), [r#"{"body":"x"}"#, r#"{"body":5}"#]);
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}

/// A receiver that takes all records but three, and cannot say which: they are counted, not sent again, and where they were is told.
#[test]
fn records_that_a_receiver_rejects_without_naming_them() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let (site, other) = (Site::new(), Site::new());
        let behind = Ports::new();
        other.config(&config(&behind, "max_record: 1KiB,", FILE));
        let receiver = start(&other, &behind);
        let port = if protocol == "grpc" { behind.grpc } else { behind.http };
        let line = |n: usize| format!("{{\"body\":{{\"n\":{n},\"text\":\"{}\"}}}}\n", "x".repeat(if n % 40 == 7 { 2_000 } else { 10 }));
        let yaml = format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: otlp, endpoint: 'http://127.0.0.1:{port}', protocol: {protocol}, concurrency: 1 }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off }}"
        );
        site.config(&yaml);
        site.write("input.ndjson", (0..100).map(line).collect::<String>());
        let run = site.run(["run", "--once", "--report", "0", "--output", "json", "-c", "tamis.yaml"]);
        assert_eq!(run.code, Some(0), "{run}");
        let report = run.json();
        let sink = report["sinks"].as_array().unwrap().iter().find(|sink| sink["name"] == "out").unwrap();
        assert_eq!(
            (&sink["delivered"], &sink["unnamed"], &sink["rejected"], &sink["retries"]),
            (&97.into(), &3.into(), &0.into(), &0.into())
        );
        for part in ["rejected records without saying which", "rejected=3", "records=100", "input.ndjson", "does not say which"] {
            assert!(run.err.contains(part), "{protocol}: {part}: {run}");
        }
        assert!(site.letters("failed.ndjson").is_empty());
        let expected: Vec<u64> = (0..100).filter(|n| n % 40 != 7).collect();
        assert_eq!(numbers(&other, "out.ndjson"), expected, "{protocol}: once, and in order");
        // All of a batch: they are known.
        site.write("input.ndjson", (0..3).map(|_| line(7)).collect::<String>());
        let run = site.run(["run", "--once", "--again", "-c", "tamis.yaml"]);
        assert_eq!((run.code, site.letters("failed.ndjson").len()), (Some(0), 3), "{run}");
        assert_eq!(numbers(&other, "out.ndjson").len(), 97);
        receiver.signal("TERM");
        assert_eq!(receiver.wait().code, Some(0));
        assert_eq!(other.letters("failed.ndjson").len(), 6, "{protocol}: each came once");
    }
}

/// A body stays in memory as long as records are taken out of it, which is until the last of them is delivered: until then nobody else has
/// its room.
#[test]
fn the_room_of_a_body_is_held_as_long_as_the_body() {
    let held = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let holding = std::sync::Arc::clone(&held);
    let server = Server::start(move |_| Said::Status(if holding.load(std::sync::atomic::Ordering::SeqCst) { 503 } else { 200 }));
    let (site, ports) = (Site::new(), Ports::new());
    let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
    site.config(&config(&ports, "limits: { body: 64KiB, in_flight: 64KiB, ack_timeout: 30s },", &sink));
    let _live = start(&site, &ports);
    let small = br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{"body":{"intValue":"1"}}]}]}]}"#.to_vec();
    // Most of all the room, for a record of a few bytes: white space, and a field that nobody knows.
    let json = [small.as_slice(), &[b' '; 60 << 10]].concat();
    let record: &[u8] = b"\x0a\x08\x12\x06\x12\x04\x2a\x02\x18\x02";
    let protobuf = [record, b"\x7a\x80\xe0\x03", &[0; 60 << 10]].concat();
    for (kind, body) in [(JSON, &json), (PROTOBUF, &protobuf)] {
        held.store(true, std::sync::atomic::Ordering::SeqCst);
        let (taken, http) = (server.requests(), ports.http);
        std::thread::scope(|scope| {
            let first = scope.spawn(move || post(http, "/v1/logs", kind, body));
            eventually("its record is with the sink", || server.requests() > taken);
            let (status, said) = post(http, "/v1/logs", kind, body);
            assert!(status == 503 && said.contains("too much is being received"), "{kind}: {status} {said}");
            // Records have room of their own, and there is some.
            let third = scope.spawn(|| post(http, "/v1/logs", JSON, &small));
            std::thread::sleep(Duration::from_millis(300));
            assert!(!third.is_finished(), "it waits for its delivery");
            held.store(false, std::sync::atomic::Ordering::SeqCst);
            assert_eq!((first.join().unwrap().0, third.join().unwrap().0), (200, 200), "{kind}");
        });
        assert_eq!(post(ports.http, "/v1/logs", kind, body).0, 200, "{kind}: the room is there again");
    }
}

#[test]
fn tls_tokens_and_certificates_of_clients() {
    for protocol in ["grpc", "http/protobuf"] {
        let (site, other) = (Site::new(), Site::new());
        let (ports, behind) = (Ports::new(), Ports::new());
        Certificates::write(&other);
        let tls = "tls: { certificate: server.pem, key: server.key, client_ca: ca.pem }, auth: { tokens: [a-long-token] },";
        other.config(&config(&behind, tls, FILE));
        let _other = start(&other, &behind);
        let port = if protocol == "grpc" { behind.grpc } else { behind.http };
        let sink = |more: &str, token: &str| {
            let path = |name: &str| other.path(name).display().to_string();
            format!(
                "type: otlp, endpoint: 'https://localhost:{port}', protocol: {protocol}, compression: zstd, auth: {{ token: {token} }}, \
                 retry: {{ initial: 10ms, max: 50ms }}, tls: {{ ca: '{}'{} }}",
                path("ca.pem"),
                more.replace("AT", &path(""))
            )
        };
        let shown = ", certificate: 'AT/client.pem', key: 'AT/client.key'";
        Certificates::write(&site);
        let tls = "tls: { certificate: server.pem, key: server.key }, auth: { tokens: [another-token] },";
        site.config(&config(&ports, tls, &sink(shown, "a-long-token")));
        let live = start(&site, &ports);
        let (kind, endpoint) = match protocol {
            "grpc" => ("grpc", format!("localhost:{}", ports.grpc)),
            _ => ("http", format!("https://localhost:{}", ports.http)),
        };
        let ca = site.path("ca.pem").display().to_string();
        let Some(sdk) = otlp_sdk(&site, kind, &endpoint, 1_000, 500, &[&ca, "another-token"]) else { return };
        sent(sdk, 1_000);
        assert_eq!(numbers(&other, "out.ndjson").len(), 1_000, "{}", live.err());
        drop(live);
        // A wrong token: what is refused is kept.
        site.config(&config(&ports, "", &sink(shown, "a-wrong-token")));
        let live = start(&site, &ports);
        assert_eq!(post(ports.http, "/v1/logs", JSON, br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#).0, 200);
        assert_eq!(site.letters("failed.ndjson").len(), 1, "{}", live.err());
        assert!(!live.err().contains("a-wrong-token"));
        drop(live);
        // No certificate: no connection, and no end of trying.
        site.config(&config(&ports, "limits: { ack_timeout: 1s },", &sink("", "a-long-token")));
        let live = start(&site, &ports);
        assert_eq!(post(ports.http, "/v1/logs", JSON, br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#).0, 503);
        assert!(live.err().contains("trying again"), "{}", live.err());
        assert_eq!(numbers(&other, "out.ndjson").len(), 1_000);
    }
}

/// What receivers answer, by the protocol's table.
#[test]
fn what_a_receiver_answers() {
    let input: String = (0..100).map(|n| format!("{{\"body\":{n}}}\n")).collect();
    let all = |answer: fn(&Said) -> bool, said: Said| {
        let server = Server::start(move |request| if answer(&said) && request.number < 3 { said.clone() } else { Said::Status(200) });
        let yaml = format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: otlp, endpoint: 'http://{}', concurrency: 1, batch: {{ records: 50 }}, retry: {{ initial: 10ms, max: 50ms }} }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off, batch: {{ records: 50 }} }}",
            server.address()
        );
        let site = Site::with(&yaml, &input);
        let run = site.once();
        assert_eq!(run.code, Some(0), "{run}");
        site.letters("failed.ndjson").len()
    };
    for status in [429, 502, 503, 504] {
        assert_eq!(all(|_| true, Said::Status(status)), 0, "{status}: tried again");
    }
    for status in [500, 401, 404] {
        assert_eq!(all(|_| true, Said::Status(status)), 100, "{status}: not tried again");
    }
}

/// Under pressure clients are told to come again: the SDK does, and all records arrive.
#[test]
fn under_pressure() {
    let held = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let holding = std::sync::Arc::clone(&held);
    let busy =
        move |_: &tamis_tests::harness::Request| Said::Status(if holding.load(std::sync::atomic::Ordering::SeqCst) { 503 } else { 200 });
    let server = Server::start(busy);
    let (site, ports) = (Site::new(), Ports::new());
    let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
    site.config(&config(&ports, "limits: { ack_timeout: 500ms, in_flight: 64KiB },", &sink));
    let _live = start(&site, &ports);
    let record = format!(r#"{{"body":{{"stringValue":"{}"}}}}"#, "x".repeat(20_000));
    let body = format!(r#"{{"resourceLogs":[{{"scopeLogs":[{{"logRecords":[{record},{record}]}}]}}]}}"#);
    let said: Vec<u16> = (0..4).map(|_| post(ports.http, "/v1/logs", JSON, body.as_bytes()).0).collect();
    assert!(said.contains(&429) && said.iter().all(|status| matches!(status, 429 | 503)), "{said:?}");
    let Some(sdk) = otlp_sdk(&site, "grpc", &ports.of("grpc"), 100, 10, &[]) else { return };
    std::thread::sleep(Duration::from_secs(2));
    held.store(false, std::sync::atomic::Ordering::SeqCst);
    sent(sdk, 100);
    let taken: BTreeSet<u64> =
        server.taken().iter().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok()?["body"]["n"].as_u64()).collect();
    assert_eq!(taken.len(), 100);
}
