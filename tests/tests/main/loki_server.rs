//! The `loki` sink against a server of another project that has Loki's API: qryn. NETWORK=long takes 100,000 records.

use super::loki::config;
use std::collections::BTreeSet;
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Loki, Site, eventually};

/// Numbered records of the last ten minutes, all of three teams.
fn lines(count: usize) -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_nanos() as usize - 600_000_000_000;
    let line = |n: usize| format!("{{\"n\":{n},\"team\":\"t{}\",\"trace_id\":\"t{n}\",\"@timestamp\":{}}}\n", n % 3, since + n * 1_000);
    (0..count).map(line).collect()
}

#[test]
fn loki_takes_protobuf_and_json_by_their_labels() {
    let Some(loki) = Loki::start() else { return };
    let count = 5_000;
    for format in ["protobuf", "json"] {
        let site = Site::with("", lines(count));
        site.config(&config(&loki.url(), format, format, 500, "healthcheck: true"));
        site.delivered();
        assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
        assert_eq!(loki.lines(format), (count, count), "{format}");
        let found = loki.ask(&format!("/loki/api/v1/query_range?limit={count}&query=%7Bservice%3D%22{format}%22%2Cteam%3D%22t1%22%7D"));
        let stream = &found["data"]["result"][0];
        assert_eq!(stream["stream"], serde_json::json!({ "service": format, "team": "t1" }));
        let record = |value: &serde_json::Value| -> serde_json::Value { serde_json::from_str(value[1].as_str().unwrap()).unwrap() };
        let numbers: BTreeSet<u64> =
            stream["values"].as_array().unwrap().iter().map(|value| record(value)["n"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..count as u64).filter(|n| n % 3 == 1).collect());
    }
}

#[test]
fn loki_restarts_and_the_host_is_killed() {
    let Some(mut loki) = Loki::start() else { return };
    let count = records();
    let site = Site::with("", lines(count));
    site.config(&config(&loki.url(), "protobuf", "protobuf", count / 50, "healthcheck: true"));
    let came = |loki: &Loki| loki.lines("protobuf").1;
    let host = site.start(["run", "-c", "tamis.yaml"]);
    eventually("some are delivered", || came(&loki) > count / 10);
    host.signal("KILL");
    drop(host.wait());
    let host = site.start(["run", "-c", "tamis.yaml"]);
    eventually("more are delivered", || came(&loki) > count / 3);
    loki.restart();
    eventually("all are delivered", || came(&loki) == count);
    host.signal("TERM");
    let run = host.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let (all, different) = loki.lines("protobuf");
    let ended = "the host and the server, `kill -9`";
    Exchange { of: "sink loki", with: "qryn", ended, sent: count, arrived: different, repeated: all - different }.tell();
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
}
