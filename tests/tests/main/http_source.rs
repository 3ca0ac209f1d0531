//! Records from HTTP requests: what is answered 200 is delivered, whatever else is refused with a reason.

use flate2::Compression;
use flate2::write::GzEncoder;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tamis_tests::harness::{Address, Certificates, Live, Said, Server, Site, connect, eventually, free_port};
use ureq::Agent;
use ureq::tls::{ClientCert, PemItem, RootCerts, TlsConfig, parse_pem};

fn config(port: u16, options: &str, sink: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: http, listen: '127.0.0.1:{port}', {options} }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ {sink} }}
  failed: {{ type: file, path: failed.ndjson }}"
    )
}

const FILE: &str = "type: file, path: out.ndjson";

fn start(site: &Site, port: u16) -> Live {
    let live = site.start(["run", "-c", "tamis.yaml"]);
    drop(connect(port));
    live
}

fn agent() -> Agent {
    Agent::config_builder().http_status_as_error(false).timeout_global(Some(Duration::from_secs(30))).build().into()
}

/// Posts a body; gives status and answer.
fn post(port: u16, kind: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let mut request = agent().post(format!("http://127.0.0.1:{port}/")).header("content-type", kind);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut answer = request.send(body).unwrap();
    (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

const NDJSON: &str = "application/x-ndjson";
const JSON: &str = "application/json";

/// Content type, further headers, body, the status expected and what the answer says.
type Exchange<'a> = (&'a str, &'a [(&'a str, &'a str)], Vec<u8>, u16, &'a str);

#[test]
fn what_is_answered_is_delivered() {
    let (site, port) = (Site::new(), free_port());
    site.config(&config(port, "", FILE));
    let live = start(&site, port);
    let exchanges: [Exchange<'_>; 8] = [
        (NDJSON, &[], b"{\"n\":1}\n{\"n\":2}\r\n\n{\"n\":3}".to_vec(), 200, "{\"records\":3}"),
        (JSON, &[], b" {\n \"n\": 4\n}".to_vec(), 200, "{\"records\":1}"),
        ("application/json; charset=utf-8", &[], b"[{\"n\":5},\n{\"n\":6}]".to_vec(), 200, "{\"records\":2}"),
        (NDJSON, &[("content-encoding", "gzip")], gzip(b"{\"n\":7}\n"), 200, "{\"records\":1}"),
        (NDJSON, &[], Vec::new(), 200, "{\"records\":0}"),
        (JSON, &[], b"{\"n\":".to_vec(), 400, "line 1, column 5"),
        (NDJSON, &[("content-encoding", "br")], b"x".to_vec(), 415, "gzip, deflate, zstd and snappy"),
        (NDJSON, &[("content-encoding", "gzip")], b"no gzip".to_vec(), 400, "not gzip"),
    ];
    for (kind, headers, body, status, said) in exchanges {
        let before = site.lines("out.ndjson").len();
        let answer = post(port, kind, headers, &body);
        assert!(answer.0 == status && answer.1.contains(said), "{answer:?}, expected {status} {said}");
        if status == 200 {
            let records: usize = answer.1.bytes().filter(u8::is_ascii_digit).map(|b| usize::from(b - b'0')).sum();
            assert_eq!(site.lines("out.ndjson").len(), before + records, "it is in the file when the answer comes");
        }
    }
    // A line that is no record is a dead letter: the others are delivered.
    assert_eq!(post(port, NDJSON, &[], b"{\"n\":8}\nno record\n").0, 200);
    assert_eq!(site.letters("failed.ndjson").len(), 1);
    let get = agent().get(format!("http://127.0.0.1:{port}/")).call().unwrap();
    assert_eq!((get.status().as_u16(), get.headers()["allow"].to_str().unwrap()), (405, "POST, PUT"));
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.lines("out.ndjson").len(), 8);
}

#[test]
fn who_may_send() {
    let (site, port) = (Site::new(), free_port());
    site.config(&config(port, "auth: { tokens: ['${TOKEN}'], basic: { ana: s3cret-pass } }, path: /in,", FILE));
    let mut command = site.command(["run", "-c", "tamis.yaml"]);
    command.env("TOKEN", "a-long-token");
    let live = Live::start(command);
    drop(connect(port));
    let post = |path: &str, shown: Option<&str>| {
        let mut request = agent().post(format!("http://127.0.0.1:{port}{path}"));
        if let Some(shown) = shown {
            request = request.header("authorization", shown);
        }
        request.send("{\"n\":1}\n").unwrap().status().as_u16()
    };
    let right = format!("Basic {}", tamis_tests::harness::base64(b"ana:s3cret-pass"));
    let wrong = format!("Basic {}", tamis_tests::harness::base64(b"ana:s3cret-pas"));
    assert_eq!(post("/in", Some("Bearer a-long-token")), 200);
    assert_eq!(post("/in", Some(&right)), 200);
    for shown in [None, Some("Bearer another"), Some("Bearer"), Some(&*wrong), Some("Digest a-long-token"), Some("Basic ****")] {
        assert_eq!(post("/in", shown), 401, "{shown:?}");
    }
    assert_eq!(post("/other", Some("Bearer a-long-token")), 404);
    assert!(!live.err().contains("a-long-token") && !live.err().contains("s3cret-pass"));
    assert_eq!(site.lines("out.ndjson").len(), 2);
}

#[test]
fn a_signature_over_the_body() {
    let (site, port) = (Site::new(), free_port());
    site.config(&config(port, "auth: { hmac: { secret: 'It''s a Secret to Everybody' } },", FILE));
    let _live = start(&site, port);
    // The example of a well-known webhook's documentation.
    let right = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
    let sent = |signature: &str| post(port, "text/plain", &[("x-hub-signature-256", signature)], b"Hello, World!").0;
    assert_eq!((sent(right), sent(&right.replace('7', "8")), sent("sha256="), sent("x")), (200, 401, 401, 401));
    assert_eq!(site.letters("failed.ndjson").len(), 1, "it was let in, and is no JSON");
}

#[test]
fn limits_hold() {
    let (site, port) = (Site::new(), free_port());
    let limits = "limits: { body: 64KiB, unpacked: 128KiB, connections: 8, header_timeout: 300ms, body_timeout: 500ms },";
    site.config(&config(port, limits, FILE));
    let live = start(&site, port);
    assert_eq!(post(port, NDJSON, &[], &vec![b'x'; 65 * 1024]).0, 413);
    let bomb = gzip(&vec![b'x'; 10 << 20]);
    assert_eq!(post(port, NDJSON, &[("content-encoding", "gzip")], &bomb).0, 413, "{} bytes", bomb.len());
    // Headers that do not come, and a body that does not.
    let began = Instant::now();
    let mut silent = connect(port);
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(silent.read(&mut [0; 8]).unwrap_or(0), 0);
    let mut slow = connect(port);
    slow.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    slow.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n{").unwrap();
    let mut said = String::new();
    slow.read_to_string(&mut said).unwrap_or_default();
    assert!(said.starts_with("HTTP/1.1 408"), "{said}");
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    // Too many connections: those beyond are closed, those that are there go on.
    let held: Vec<_> = (0..8).map(|_| connect(port)).collect();
    let mut beyond = connect(port);
    beyond.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(beyond.read(&mut [0; 8]).unwrap_or(0), 0);
    drop(held);
    eventually("it takes records again", || {
        agent().post(format!("http://127.0.0.1:{port}/")).send("{\"n\":1}\n").is_ok_and(|answer| answer.status() == 200)
    });
    assert!(live.memory_bytes_peak() < 200 << 20);
}

/// Without delivery no acknowledgement: clients are told to come again, and what they are told so is not lost.
#[test]
fn no_answer_before_delivery() {
    let server = Server::start(|_| Said::Status(503));
    let (site, port) = (Site::new(), free_port());
    let limits = "limits: { ack_timeout: 300ms, in_flight: 64KiB },";
    let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
    site.config(&config(port, limits, &sink));
    let _live = start(&site, port);
    let answer = agent().post(format!("http://127.0.0.1:{port}/")).send("{\"n\":1}\n").unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers()["retry-after"].to_str().unwrap()), (503, "1"));
    let full: Vec<u16> =
        (0..3).map(|_| post(port, NDJSON, &[], &b"{\"n\":2,\"text\":\"xxxxxxxxxxxxxxxxxxxxxxxx\"}\n".repeat(600)).0).collect();
    assert!(full.contains(&429) && full.iter().all(|status| matches!(status, 429 | 503)), "{full:?}");
}

#[test]
fn tls_and_certificates_of_clients() {
    let (site, port) = (Site::new(), free_port());
    Certificates::write(&site);
    site.config(&config(port, "tls: { certificate: server.pem, key: server.key, client_ca: ca.pem },", FILE));
    let _live = start(&site, port);
    let pem = |name: &str| parse_pem(&site.read(name)).map(Result::unwrap).next().unwrap();
    let certificate = |name: &str| match pem(name) {
        PemItem::Certificate(certificate) => certificate,
        _ => panic!("{name}"),
    };
    let client = |name: Option<&str>| {
        let roots = RootCerts::new_with_certs(&[certificate("ca.pem")]);
        let shown = name.map(|name| match pem(&format!("{name}.key")) {
            PemItem::PrivateKey(key) => ClientCert::new_with_certs(&[certificate(&format!("{name}.pem"))], key),
            _ => panic!("{name}"),
        });
        let tls = TlsConfig::builder().root_certs(roots).client_cert(shown).build();
        let agent: Agent = Agent::config_builder().tls_config(tls).build().into();
        agent.post(format!("https://localhost:{port}/")).send("{\"n\":1}\n").map(|answer| answer.status().as_u16())
    };
    assert_eq!(client(Some("client")).unwrap(), 200);
    assert!(client(None).is_err() && client(Some("stranger")).is_err());
    assert_eq!(site.lines("out.ndjson").len(), 1);
}

#[test]
fn an_address_that_is_taken_and_a_key_that_is_none() {
    let (site, port) = (Site::new(), free_port());
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    site.config(&config(port, "", FILE));
    let run = site.run(["run", "-c", "tamis.yaml"]);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.err.contains(&format!("cannot listen at `127.0.0.1:{port}`")), "{run}");
}

/// `http` to `http` over TLS, with a token and zstd, through a second host.
#[test]
fn from_one_host_to_another() {
    let (site, other) = (Site::new(), Site::new());
    let (port, behind) = (free_port(), free_port());
    Certificates::write(&other);
    let tls = "tls: { certificate: server.pem, key: server.key }, auth: { tokens: [a-long-token] },";
    other.config(&config(behind, tls, FILE));
    let _other = start(&other, behind);
    let sink = format!(
        "type: http, url: 'https://localhost:{behind}/', auth: {{ token: a-long-token }}, tls: {{ ca: '{}' }}, compression: zstd, format: json",
        other.path("ca.pem").display()
    );
    site.config(&config(port, "", &sink));
    let _live = start(&site, port);
    for n in 0..20 {
        assert_eq!(post(port, NDJSON, &[], format!("{{\"n\":{n}}}\n").repeat(100).as_bytes()).0, 200);
    }
    assert_eq!(other.lines("out.ndjson").len(), 2_000);
}

/// Numbered records of 100 bytes and more.
fn numbered(numbers: std::ops::Range<u64>) -> Vec<u8> {
    numbers.map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(100))).collect::<String>().into_bytes()
}

fn number(line: &str) -> Option<u64> {
    serde_json::from_str::<serde_json::Value>(line).ok()?["n"].as_u64()
}

/// Frames of 64 records: a request of more is handed in by parts.
const PARTS: &str = "\nsettings: { admin: 'unix:admin.sock', lanes: 2, batch: { records: 64 } }";

/// A request that fits into the room by parts only is not delivered by half, turned away and repeated.
#[test]
fn a_request_larger_than_the_room_comes_once() {
    let began = Instant::now();
    // Longer than a client waits for room before it is turned away.
    let busy = move |_: &_| Said::Status(if began.elapsed() < Duration::from_millis(2_500) { 503 } else { 200 });
    let server = Server::start(busy);
    let (site, port) = (Site::new(), free_port());
    let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
    site.config(&(config(port, "limits: { in_flight: 64KiB },", &sink) + PARTS));
    let live = start(&site, port);
    // The first one has all the room in its first parts; the others find none and are turned away, or wait with theirs.
    let clients: Vec<_> = (0..4)
        .map(|client| {
            std::thread::spawn(move || {
                let body = numbered(client * 1_000..(client + 1) * 1_000);
                let mut said = Vec::new();
                while said.last() != Some(&200) && said.len() < 100 {
                    said.push(post(port, NDJSON, &[], &body).0);
                }
                said
            })
        })
        .collect();
    let said: Vec<Vec<u16>> = clients.into_iter().map(|client| client.join().unwrap()).collect();
    assert!(said.iter().all(|said| said.last() == Some(&200)), "{said:?}");
    assert!(said.iter().flatten().all(|status| matches!(status, 200 | 429)), "{said:?}");
    let mut taken: Vec<u64> = server.taken().iter().filter_map(|line| number(line)).collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..4_000).collect::<Vec<_>>(), "each once: {said:?}\n{}", live.err());
}

/// A request has one time-out, not one for each of its parts.
#[test]
fn a_request_of_many_parts_waits_no_longer_than_one() {
    let server = Server::start(|_| Said::Status(503));
    let (site, port) = (Site::new(), free_port());
    let sink = format!("type: http, url: 'http://{}/', retry: {{ initial: 10ms, max: 50ms }}", server.address());
    site.config(&(config(port, "limits: { in_flight: 64KiB, ack_timeout: 2s },", &sink) + PARTS));
    let _live = start(&site, port);
    let began = Instant::now();
    assert_eq!(post(port, NDJSON, &[], &numbered(0..2_000)).0, 503);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?} for 32 parts", began.elapsed());
}

/// What a client was told to be delivered, by thread.
type Told = JoinHandle<(Vec<u64>, u64)>;

/// A client that sends 50 records at a time, each until it is taken, while `going`; gives the numbers of those answered 200, and how many
/// requests were answered otherwise or not at all.
fn client(port: u16, first: u64, going: &Arc<AtomicBool>) -> Told {
    let going = Arc::clone(going);
    std::thread::spawn(move || {
        let (agent, mut told, mut failed, mut next) = (agent(), Vec::new(), 0, first);
        while going.load(Ordering::SeqCst) {
            let sent = agent.post(format!("http://127.0.0.1:{port}/")).content_type(NDJSON).send(&numbered(next..next + 50)[..]);
            match sent {
                Ok(answer) if answer.status() == 200 => {
                    told.extend(next..next + 50);
                    next += 50;
                }
                Ok(_) | Err(_) => {
                    failed += 1;
                    std::thread::sleep(Duration::from_millis(5));
                }
            }
        }
        (told, failed)
    })
}

/// Clients that send at the same time, each with numbers of its own.
fn clients(port: u16, going: &Arc<AtomicBool>) -> Vec<Told> {
    (0..4).map(|n| client(port, n * 10_000_000, going)).collect()
}

#[test]
fn reloads_of_a_listening_source_lose_nothing() {
    let (site, port) = (Site::new(), free_port());
    let options = |n: u64| format!("limits: {{ in_flight: {}KiB, ack_timeout: {}s }},", 64 + n, 5 + n);
    site.config(&(config(port, &options(0), FILE) + PARTS));
    let live = start(&site, port);
    let going = Arc::new(AtomicBool::new(true));
    let clients = clients(port, &going);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("records come", || site.read("out.ndjson").len() > 10_000);
    for n in 1..=10 {
        site.config(&(config(port, &options(n), FILE) + PARTS));
        let (status, told) = super::reload::post(&address, "/v1/reload");
        assert_eq!((status, &told["result"]), (200, &"applied".into()), "{told}");
        let before = site.read("out.ndjson").len();
        eventually("records come after a reload", || site.read("out.ndjson").len() > before + 10_000);
    }
    going.store(false, Ordering::SeqCst);
    let (told, failed): (Vec<_>, Vec<_>) = clients.into_iter().map(|client| client.join().unwrap()).unzip();
    let told: Vec<u64> = told.concat();
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let came: Vec<u64> = site.lines("out.ndjson").iter().filter_map(|line| number(line)).collect();
    let found: BTreeSet<u64> = came.iter().copied().collect();
    let lost = told.iter().filter(|n| !found.contains(n)).count();
    let (count, failed) = (told.len(), failed.iter().sum::<u64>());
    eprintln!(
        "10 reloads of an http source: told {count}, lost {lost}, repeated {}, {failed} requests sent again",
        came.len() - found.len()
    );
    assert_eq!(lost, 0);
}

#[test]
fn what_is_answered_survives_a_kill_in_the_spool() {
    let up = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&up);
    let server = Server::start(move |_| Said::Status(if state.load(Ordering::SeqCst) { 200 } else { 503 }));
    let (site, port) = (Site::new(), free_port());
    let retry = "retry: { initial: 10ms, max: 100ms }";
    let sink = format!("type: http, url: 'http://{}/', buffer: {{ disk: 256MiB }}, {retry}", server.address());
    site.config(&(config(port, "", &sink) + PARTS));
    let going = Arc::new(AtomicBool::new(true));
    let mut live = start(&site, port);
    let clients = clients(port, &going);
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(700));
        live.signal("KILL");
        assert!(live.ends_within(Duration::from_secs(10)));
        live = start(&site, port);
    }
    std::thread::sleep(Duration::from_millis(300));
    going.store(false, Ordering::SeqCst);
    let told: Vec<u64> = clients.into_iter().flat_map(|client| client.join().unwrap().0).collect();
    assert!(server.taken().is_empty() && told.len() > 1_000, "{}", told.len());
    live.signal("KILL");
    drop(live);
    up.store(true, Ordering::SeqCst);
    let live = start(&site, port);
    let left = || {
        let found: BTreeSet<u64> = server.taken().iter().filter_map(|line| number(line)).collect();
        told.iter().filter(|n| !found.contains(n)).count()
    };
    eventually("all that was answered is there", || left() == 0);
    let came = server.taken().len();
    eprintln!("4 kill -9 with the sink down: told {}, lost {}, {} more came", told.len(), left(), came - told.len());
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
}

/// A sink that will never take what is meant for it: clients are told at once, and others are not held up.
#[test]
fn what_is_given_up_is_told_and_holds_up_nobody() {
    let (site, port) = (Site::new(), free_port());
    site.config(&format!(
        "
sources: {{ in: {{ type: http, listen: '127.0.0.1:{port}' }} }}
pipelines:
  shown: {{ from: [in], steps: [ {{ filter: .shown == true }} ], to: [screen] }}
  kept: {{ from: [in], to: [archive] }}
sinks: {{ screen: {{ type: stdout }}, archive: {{ type: file, path: out.ndjson }} }}"
    ));
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = site.command(["run", "-c", "tamis.yaml"]);
    command.stdout(std::process::Stdio::from(writer));
    let _live = Live::start(command);
    drop(connect(port));
    let shown = || post(port, NDJSON, &[], b"{\"shown\":true}\n").0;
    assert_eq!(shown(), 200);
    drop(reader);
    let began = Instant::now();
    assert_eq!((shown(), shown()), (503, 503));
    assert_eq!(post(port, NDJSON, &[], b"{\"shown\":false}\n").0, 200);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    eventually("the file has all four", || site.lines("out.ndjson").len() == 4);
}
