//! OTLP where somebody means ill: records that are no records, requests that unpack to much, messages that lie, floods of frames.

use crate::otlp::{FILE, Ports, agent, config, numbers, start};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;
use tamis_tests::harness::{Live, Rotel, Site, connect, eventually};

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";
const MIB: usize = 1 << 20;

fn gzip(parts: &[(&[u8], usize)]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    for (part, times) in parts {
        (0..*times).for_each(|_| encoder.write_all(part).unwrap());
    }
    encoder.finish().unwrap()
}

fn post(port: u16, kind: &str, packed: &[u8]) -> (u16, String) {
    let request = agent().post(format!("http://127.0.0.1:{port}/v1/logs")).header("content-type", kind).header("content-encoding", "gzip");
    let mut answer = request.send(packed).unwrap();
    (answer.status().as_u16(), String::from_utf8_lossy(&answer.body_mut().read_to_vec().unwrap()).into_owned())
}

fn field(tag: u8, bytes: &[u8]) -> Vec<u8> {
    let (mut field, mut length) = (vec![tag << 3 | 2], bytes.len());
    while length > 127 {
        field.push(length as u8 | 128);
        length >>= 7;
    }
    field.push(length as u8);
    field.extend_from_slice(bytes);
    field
}

/// A request of records, all of one resource.
fn request(resource: &[u8], records: &[u8]) -> Vec<u8> {
    field(1, &[field(1, resource), field(2, records)].concat())
}

/// A record whose body is a text.
fn record(text: &str) -> Vec<u8> {
    field(2, &field(5, &field(1, text.as_bytes())))
}

/// File → host → host → file, with what is hard to write down among the records, and with what is none.
#[test]
fn hostile_lines_arrive_or_are_dead_letters() {
    let deep = |open: &str, close: &str| format!("{}1{}", open.repeat(300), close.repeat(300));
    let strange = [
        r#"{"a":1,"a":2,"a":{"a":[]}}"#.to_owned(),
        r#"{"\u0061\ud800":"\udc00","":"\u0000","😀":["",{}]}"#.to_owned(),
        "[1e999,-0,1e-400,9007199254740993,18446744073709551615,18446744073709551616,1.0]".to_owned(),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        deep("[{\"a\":", "}]"),
        format!("\"{}\"", "x".repeat(MIB - 300)),
        format!("{{\"{}\":{{{}\"z\":1}}}}", "k".repeat(1 << 16), "\"a\":1,".repeat(2_000)),
    ];
    // Not JSON, or not UTF-8, or too long for the first host; the last ones are so for the second, as its JSON is longer.
    let bad: [Vec<u8>; 5] = [
        b"{\"body\":{".to_vec(),
        b"{\"body\":\"\xff\"}".to_vec(),
        b"{\"body\":\"\x01\"}".to_vec(),
        b"nonsense".to_vec(),
        vec![b'['; 2 * MIB],
    ];
    let longer = format!("{{\"body\":\"{}\"}}", "y".repeat(MIB - 20));
    for (protocol, compression) in
        [("grpc", "gzip"), ("grpc", "none"), ("http/protobuf", "none"), ("http/protobuf", "gzip"), ("http/json", "gzip")]
    {
        let (site, other, behind) = (Site::new(), Site::new(), Ports::new());
        other.config(&config(&behind, "", FILE));
        let live = start(&other, &behind);
        let port = if protocol == "grpc" { behind.grpc } else { behind.http };
        site.config(&format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: otlp, endpoint: 'http://127.0.0.1:{port}', protocol: {protocol}, compression: {compression}, concurrency: 1, resource: {{ service.name: s }} }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off }}"
        ));
        let (mut input, mut n) = (Vec::new(), 0);
        for round in 0..3 {
            for value in &strange {
                writeln!(input, "{{\"body\":{{\"n\":{n}}},\"attributes\":{{\"x\":{value}}},\"y\":{value}}}").unwrap();
                writeln!(
                    input,
                    "{{\"body\":{{\"n\":{}}},\"resource\":{{\"r\":{round}}},\"scope\":{{\"name\":\"{round}\",\"\\ud800\":{n}}}}}",
                    n + 1
                )
                .unwrap();
                n += 2;
            }
            for line in &bad {
                input.extend_from_slice(line);
                input.push(b'\n');
            }
        }
        writeln!(input, "{longer}").unwrap();
        site.write("input.ndjson", &input);
        let run = site.run(["run", "--once", "--report", "0", "--output", "json", "-c", "tamis.yaml"]);
        assert_eq!(run.code, Some(0), "{run}");
        // Twice a text of 1 MiB is more than the first host takes.
        let here = site.letters("failed.ndjson");
        let expected: Vec<u64> = (0..n).filter(|n| n % 16 != 12).collect();
        // Where the last one was a batch of its own, all of it was rejected: then it is known here too.
        let known = 3 * bad.len() + 3;
        assert!((known..=known + 1).contains(&here.len()), "{protocol}: {}", here.len());
        // Those of one resource and one scope travel together.
        let mut arrived = numbers(&other, "out.ndjson");
        let plain: Vec<u64> = arrived.iter().copied().filter(|n| n.is_multiple_of(2)).collect();
        assert!(plain.is_sorted(), "{protocol}, {compression}: in order: {plain:?}");
        arrived.sort_unstable();
        assert_eq!(arrived, expected, "{protocol}, {compression}: each once");
        eventually("the other's dead letter", || other.letters("failed.ndjson").len() == 1);
        for letter in here.iter().chain(&other.letters("failed.ndjson")) {
            assert!(!letter.reason().is_empty() && !letter.cause().is_empty(), "{letter:?}");
        }
        for line in other.lines("out.ndjson") {
            let record: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
            let n = record["body"]["n"].as_u64().unwrap();
            // What is no name in Unicode stays as it was written, in each record of its scope.
            assert!(n.is_multiple_of(2) || record["scope"]["attributes"]["\"\\ud800\""] == n - 1, "{line}");
        }
        live.signal("TERM");
        assert_eq!(live.wait().code, Some(0));
    }
}

/// Small bodies that become large: what they take is bounded, and what is told says so.
#[test]
fn requests_that_unpack_to_much() {
    let (site, ports) = (Site::new(), Ports::new());
    site.config(&config(&ports, "", FILE));
    let live = start(&site, &ports);
    let before = live.memory_bytes_peak();
    let exchanges: [(&str, Vec<u8>, u16, &str); 5] = [
        (JSON, gzip(&[(b"{\"resourceLogs\":[", 1), (b"1,", 15 << 20), (b"1]}", 1)]), 400, "not an export request"),
        (
            JSON,
            gzip(&[
                (b"{\"resourceLogs\":[{\"resource\":{\"attributes\":[", 1),
                (b"{},", 10 << 20),
                (b"{}]},\"scopeLogs\":[{\"logRecords\":[{}]}]}]}", 1),
            ]),
            200,
            "more than 1048576 bytes",
        ),
        (
            PROTOBUF,
            gzip(&[(&field(1, &[field(3, &vec![0; 30 * MIB]), field(2, &field(2, b""))].concat()), 1)]),
            200,
            "more than 1048576 bytes",
        ),
        (PROTOBUF, gzip(&[(&request(b"", &field(2, b"").repeat(1_000_000)), 1)]), 200, ""),
        (PROTOBUF, gzip(&[(&vec![0; 33 * MIB], 1)]), 413, "more than"),
    ];
    for (kind, body, status, said) in exchanges {
        assert!(body.len() < 200_000);
        let answer = post(ports.http, kind, &body);
        assert!(answer.0 == status && answer.1.contains(said), "{answer:?}, expected {status} {said}");
    }
    assert!(live.memory_bytes_peak() < before + 150 * MIB as u64, "{} bytes, {before} before", live.memory_bytes_peak());
    assert_eq!((site.letters("failed.ndjson").len(), site.lines("out.ndjson").len()), (2, 1_000_000));
}

/// A resource stands in each of its records: a few KiB would be terabytes.
#[test]
fn a_resource_of_many_records() {
    let (site, ports) = (Site::new(), Ports::new());
    site.config(&config(&ports, "limits: { unpacked: 2MiB },", FILE));
    let _live = start(&site, &ports);
    let resource = field(1, &[field(1, b"k"), field(2, &field(1, &vec![b'x'; MIB - 100]))].concat());
    let records = [record("r").repeat(10), field(2, b"").repeat(400_000)].concat();
    let (status, said) = post(ports.http, PROTOBUF, &gzip(&[(&request(&resource, &records), 1)]));
    assert!(status == 200 && said.contains("8 times `limits.unpacked`"), "{status} {said}");
    // All are accounted for.
    let (taken, failed) = (site.lines("out.ndjson").len(), site.letters("failed.ndjson").len());
    assert_eq!((taken, failed), (16, 400_010 - 16));
}

/// Bodies that wait for the delivery of a record, unpacked: all clients together have their room, and the others come again.
#[test]
fn unpacked_bodies_that_wait() {
    let (site, ports) = (Site::new(), Ports::new());
    // Nobody listens there.
    let sink = "type: http, url: 'http://127.0.0.1:9/', retry: { initial: 50ms, max: 50ms }";
    site.config(&config(&ports, "limits: { ack_timeout: 2s },", sink));
    let live = start(&site, &ports);
    let before = live.memory_bytes_peak();
    for (kind, body) in [
        (PROTOBUF, gzip(&[(&[request(b"", &record("r")), field(15, &vec![0; 20 * MIB])].concat(), 1)])),
        (JSON, gzip(&[(br#"{"resourceLogs":[{"scopeLogs":[{"logRecords":[{}]}]}]}"#, 1), (&[b' '; 1024], 20 << 10)])),
    ] {
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..40).map(|_| scope.spawn(|| post(ports.http, kind, &body))).collect();
            let said: Vec<(u16, String)> = all.into_iter().map(|one| one.join().unwrap()).collect();
            assert!(said.iter().all(|(status, _)| *status == 503), "{said:?}");
            let busy = said.iter().filter(|(_, said)| said.contains("too much is being received")).count();
            assert!((1..40).contains(&busy), "{busy}");
        });
    }
    assert!(live.memory_bytes_peak() < before + 200 * MIB as u64, "{} bytes, {before} before", live.memory_bytes_peak());
}

/// HTTP/2 by hand.
struct Frames(TcpStream);

const HEADERS: u8 = 1;
const RESET: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl Frames {
    fn new(port: u16) -> Self {
        let mut stream = connect(port);
        stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Self(stream)
    }

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    /// The headers of an export, none of them by its number.
    fn headers() -> Vec<u8> {
        let all = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
            (":authority", "x"),
            ("content-type", "application/grpc"),
        ];
        all.iter()
            .flat_map(|(name, value)| [&[0, name.len() as u8], name.as_bytes(), &[value.len() as u8], value.as_bytes()].concat())
            .collect()
    }

    /// `false`: the host has had enough.
    fn send(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }
}

fn still_serves(live: &mut Live, port: u16) {
    assert!(live.runs());
    let (status, said) = post(port, PROTOBUF, &gzip(&[(&request(b"", &record("good")), 1)]));
    assert_eq!((status, said.as_str()), (200, ""));
}

#[test]
fn floods_of_frames_and_lengths_that_lie() {
    let (site, ports) = (Site::new(), Ports::new());
    site.config(&config(&ports, "", FILE));
    let mut live = start(&site, &ports);
    let before = live.memory_bytes_peak();
    let headers = Frames::headers();
    let good = request(b"", &record("x"));
    let length = |length: u32| [&[0], &length.to_be_bytes()[..], &good].concat();
    for body in [
        length(u32::MAX),
        length(1),
        length(good.len() as u32 + 1),
        vec![0, 0],
        Vec::new(),
        [&[7], &length(good.len() as u32)[1..]].concat(),
    ] {
        let mut frames = Frames::new(ports.grpc);
        let data = Frames::frame(0, END_STREAM, 1, &body);
        assert!(frames.send(&[Frames::frame(HEADERS, END_HEADERS, 1, &headers), data].concat()));
        // What it says is packed, and longer than its settings.
        let (mut answer, mut got) = ([0; 256], 0);
        while got < 110 {
            let more = frames.0.read(&mut answer[got..]).unwrap();
            assert!(more > 0, "it is answered");
            got += more;
        }
    }
    // Streams that are opened and reset, or opened alone; headers without an end.
    let stream = |n: u32| 1 + 2 * n;
    let open = |n: u32| Frames::frame(HEADERS, END_HEADERS, stream(n), &headers);
    type Flood<'a> = &'a dyn Fn(u32) -> Vec<u8>;
    let floods: [(&str, Flood<'_>); 3] = [
        ("reset", &|n| [open(n), Frames::frame(RESET, 0, stream(n), &8_u32.to_be_bytes())].concat()),
        ("open", &|n| open(n)),
        ("headers", &|n| match n {
            0 => Frames::frame(HEADERS, 0, 1, &headers),
            _ => Frames::frame(CONTINUATION, 0, 1, &[b"\0\x01a\x7f\x81\x7d".as_slice(), &[b'v'; 16_000]].concat()),
        }),
    ];
    for (name, flood) in floods {
        let mut frames = Frames::new(ports.grpc);
        let sent = (0..100_000).take_while(|n| frames.send(&flood(*n))).count();
        assert!(sent < 100_000, "{name}: the connection is ended");
        still_serves(&mut live, ports.http);
    }
    assert!(live.memory_bytes_peak() < before + 50 * MIB as u64, "{} bytes, {before} before", live.memory_bytes_peak());
    assert!(site.letters("failed.ndjson").is_empty());
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}

/// Rotel takes messages of 4 MiB, and says of larger ones what the protocol takes for a reason to try again: they are halved instead.
#[test]
fn messages_that_are_too_large_for_a_collector() {
    let site = Site::new();
    let Some(rotel) = Rotel::printing(&site) else { return };
    site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: otlp, endpoint: 'http://127.0.0.1:{}', protocol: grpc, concurrency: 1, retry: {{ initial: 10ms, max: 50ms }} }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off }}",
        rotel.grpc
    ));
    // Twice as long as Protobuf.
    let list = |item: &str, items: usize| format!("[{item}{}]", format!(",{item}").repeat(items));
    let line = |n: usize| format!("{{\"body\":{},\"attributes\":{{\"n\":{n}}}}}\n", list("1", 75_000));
    let mut input: String = (0..60).map(line).collect();
    // Alone, and too large: Protobuf writes them with ten bytes.
    input.push_str(&format!("{{\"body\":{}}}\n", list("-1", 345_000)));
    site.write("input.ndjson", &input);
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    eventually("all are there", || rotel.numbers().len() >= 60);
    assert_eq!(rotel.numbers(), (0..60).collect::<Vec<_>>());
    assert_eq!(site.letters("failed.ndjson").len(), 1, "{run}");
}
