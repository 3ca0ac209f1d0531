//! OTLP with the collector rotel before and behind a host. `NETWORK=long` sends 100,000 records where it is 5,000 else.

use crate::otlp::{FILE, Ports, agent, config, numbers, sent, start};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Rotel, Said, Server, Site, TIMEOUT, eventually, otlp_sdk};

/// SDK → host → rotel → host: what goes out is what came in.
#[test]
fn through_a_collector() {
    for protocol in ["grpc", "http/protobuf", "http/json"] {
        let (site, other) = (Site::new(), Site::new());
        let (ports, behind) = (Ports::new(), Ports::new());
        other.config(&config(&behind, "", FILE));
        let _other = start(&other, &behind);
        let Some(rotel) = Rotel::start(&other, "grpc", &format!("http://127.0.0.1:{}", behind.grpc)) else { return };
        let port = if protocol == "grpc" { rotel.grpc } else { rotel.http };
        let sink = format!("type: otlp, endpoint: 'http://127.0.0.1:{port}', protocol: {protocol}, compression: gzip, concurrency: 1");
        let copy = "pipelines: { main: { from: [in], to: [out, copy], dead_letters: [failed] } }";
        let yaml = config(&ports, "", &sink);
        let yaml = yaml.replace("pipelines: { main: { from: [in], to: [out], dead_letters: [failed] } }", copy);
        site.config(&yaml.replace("sinks:", "sinks:\n  copy: { type: file, path: copy.ndjson }"));
        let live = start(&site, &ports);
        let Some(sdk) = otlp_sdk(&site, "grpc", &ports.of("grpc"), 2_000, 500, &[]) else { return };
        sent(sdk, 2_000);
        eventually("the records are there", || other.lines("out.ndjson").len() >= 2_000);
        let all = |site: &Site, name: &str| {
            // rotel's time of observation is its own affair, as is where an empty member stands.
            let parse = |line: &String| serde_json::from_str::<serde_json::Value>(line).unwrap().to_string();
            site.lines(name).iter().map(parse).collect::<BTreeSet<_>>()
        };
        assert_eq!(all(&other, "out.ndjson"), all(&site, "copy.ndjson"), "{protocol}");
        assert!(site.letters("failed.ndjson").is_empty(), "{}", live.err());
    }
}

/// To a collector that is killed in the middle, by a host that is killed too. Rotel answers before it prints, so that what it had answered
/// when it was killed is its own loss: at most what it takes at once.
#[test]
fn to_a_collector_that_is_killed() {
    for protocol in ["grpc", "http/protobuf"] {
        let (site, count) = (Site::new(), records());
        let Some(mut rotel) = Rotel::printing(&site) else { return };
        let port = if protocol == "grpc" { rotel.grpc } else { rotel.http };
        site.config(&format!(
            "
sources: {{ in: {{ type: file, paths: [in.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out:
    type: otlp
    endpoint: 'http://127.0.0.1:{port}'
    protocol: {protocol}
    concurrency: 1
    batch: {{ records: 200 }}
    retry: {{ initial: 20ms, max: 200ms }}
  failed: {{ type: file, path: failed.ndjson }}"
        ));
        let mut file = std::fs::File::create(site.path("in.ndjson")).unwrap();
        let writing = std::thread::spawn(move || {
            for part in 0..100 {
                let lines: String = (part * count / 100..(part + 1) * count / 100)
                    .map(|n| format!("{{\"body\":\"{}\",\"attributes\":{{\"n\":{n}}}}}\n", "x".repeat(100)))
                    .collect();
                std::io::Write::write_all(&mut file, lines.as_bytes()).unwrap();
                std::thread::sleep(Duration::from_millis(if count > 5_000 { 100 } else { 20 }));
            }
        });
        let run = || site.start(["run", "-c", "tamis.yaml"]);
        let live = run();
        eventually("a fifth is there", || rotel.numbers().len() > count / 5);
        live.signal("KILL");
        drop(live.wait());
        let live = run();
        eventually("half is there", || rotel.numbers().len() > count / 2);
        let before = rotel.numbers().len();
        rotel.restart();
        writing.join().unwrap();
        eventually("the last one is there", || rotel.numbers().contains(&(count as u64 - 1)));
        live.signal("TERM");
        let ended = live.wait();
        assert_eq!(ended.code, Some(0), "{ended}");
        let mut all = rotel.numbers();
        eventually("nothing more comes", || {
            std::thread::sleep(Duration::from_millis(300));
            all.len() == std::mem::replace(&mut all, rotel.numbers()).len()
        });
        let found: BTreeSet<u64> = all.iter().copied().collect();
        let lost: Vec<u64> = (0..count as u64).filter(|n| !found.contains(n)).collect();
        let (of, ended) = (format!("sink otlp, {protocol}"), format!("the host, and rotel after {before} with what it held, `kill -9`"));
        Exchange { of: &of, with: "rotel", ended: &ended, sent: count, arrived: found.len(), repeated: all.len() - found.len() }.show();
        assert!(lost.len() <= ROTEL_HOLDS, "{lost:?}");
        assert!(lost.windows(2).all(|pair| pair[1] == pair[0] + 1), "not one piece: {lost:?}");
        assert!(site.letters("failed.ndjson").is_empty());
    }
}

/// Records that rotel may have answered and not printed when it is killed.
const ROTEL_HOLDS: usize = 400;

/// What stands between a client and a host that may be gone, as a load balancer does: it answers 503 for it.
fn balancer(http: u16) -> Server {
    Server::forgetful("127.0.0.1:0", move |request| {
        let header = |name: &str| request.head.lines().find_map(|line| line.strip_prefix(name)).map_or("identity", str::trim);
        let post = agent().post(format!("http://127.0.0.1:{http}/v1/logs")).header("content-type", header("content-type:"));
        match post.header("content-encoding", header("content-encoding:")).send(request.body.as_slice()) {
            Ok(answer) => Said::Bare(answer.status().as_u16()),
            Err(_) => Said::Bare(503),
        }
    })
}

/// SDK → rotel → host, which is killed in the middle: what it has answered it has, and all else comes again.
#[test]
fn from_a_collector() {
    let (site, ports, count) = (Site::new(), Ports::new(), records());
    site.config(&config(&ports, "", FILE));
    let live = start(&site, &ports);
    let balancer = balancer(ports.http);
    let Some(rotel) = Rotel::start(&site, "http", &format!("http://{}", balancer.address())) else { return };
    let Some(sdk) = otlp_sdk(&site, "grpc", &format!("127.0.0.1:{}", rotel.grpc), count, count / 50, &[]) else { return };
    eventually("a fifth is there", || site.lines("out.ndjson").len() > count / 5);
    live.signal("KILL");
    drop(live.wait());
    std::thread::sleep(Duration::from_millis(500));
    let _live = start(&site, &ports);
    sent(sdk, count);
    let began = Instant::now();
    let there = || numbers(&site, "out.ndjson").into_iter().collect::<BTreeSet<_>>().len();
    while there() < count && began.elapsed() < TIMEOUT {
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(there(), count, "the collector says: {}", rotel.printed());
    let repeated = numbers(&site, "out.ndjson").len() - count;
    let (with, ended) = ("OpenTelemetry's SDK, rotel", "the host, `kill -9`");
    Exchange { of: "source otlp", with, ended, sent: count, arrived: there(), repeated }.tell();
}

/// Without anything between them, rotel gives up the requests that break off with the connection. It says so, and nothing is missing that
/// it does not say. A host that stands still before it is killed has such requests for certain.
#[test]
fn what_a_collector_drops_it_says() {
    let (site, ports) = (Site::new(), Ports::new());
    site.config(&config(&ports, "", FILE));
    let live = start(&site, &ports);
    let Some(rotel) = Rotel::start(&site, "grpc", &format!("http://127.0.0.1:{}", ports.grpc)) else { return };
    let Some(sdk) = otlp_sdk(&site, "grpc", &format!("127.0.0.1:{}", rotel.grpc), 5_000, 100, &[]) else { return };
    eventually("a fifth is there", || site.lines("out.ndjson").len() > 1_000);
    live.signal("STOP");
    std::thread::sleep(Duration::from_secs(1));
    live.signal("KILL");
    drop(live.wait());
    let _live = start(&site, &ports);
    sent(sdk, 5_000);
    let there = || numbers(&site, "out.ndjson").into_iter().collect::<BTreeSet<_>>().len();
    eventually("all are there, or the collector has dropped some", || there() == 5_000 || rotel.printed().contains("dropping data"));
    eventually("nothing more comes", || {
        let before = there();
        std::thread::sleep(Duration::from_secs(3));
        before == there()
    });
    eprintln!("rotel without anything between: {} of 5,000 missing, and said so", 5_000 - there());
}
