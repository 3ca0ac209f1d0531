//! The `loki` sink against a strict reader of Loki's documented JSON format. Loki itself is in no package that the tests can install.

use flate2::read::GzDecoder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::sync::{Arc, Mutex};
use tamis_tests::harness::{Request, Said, Server, Site};

/// Lines by their streams' labels.
type Taken = Arc<Mutex<BTreeMap<String, Vec<(i64, u64)>>>>;

/// Labels, and the time and number of each line.
type Streams = Vec<(String, Vec<(i64, u64)>)>;

/// Reads a request as Loki's documentation says it must be; `None`: it would be answered 400.
fn read(request: &Request) -> Option<Streams> {
    let head = |text: &str| request.head.contains(text);
    if !(head("post /loki/api/v1/push") && head("content-type: application/json") && head("x-scope-orgid: acme")) {
        return None;
    }
    let mut body = Vec::new();
    GzDecoder::new(request.body.as_slice()).read_to_end(&mut body).ok()?;
    let body: Value = serde_json::from_slice(&body).ok()?;
    let is_label =
        |name: &str| name.bytes().enumerate().all(|(at, b)| b.is_ascii_alphabetic() || b == b'_' || (at > 0 && b.is_ascii_digit()));
    let mut streams = Vec::new();
    for stream in body["streams"].as_array()? {
        let labels = stream["stream"].as_object().filter(|labels| !labels.is_empty() && labels.len() <= 15)?;
        if !labels.iter().all(|(name, value)| is_label(name) && value.is_string()) {
            return None;
        }
        let mut lines = Vec::new();
        for value in stream["values"].as_array().filter(|values| !values.is_empty())? {
            let value = value.as_array().filter(|parts| parts.len() == 3)?;
            let time: i64 = value[0].as_str()?.parse().ok()?;
            let record: Value = serde_json::from_str(value[1].as_str()?).ok()?;
            let metadata = value[2].as_object()?;
            if metadata.get("trace_id")?.as_str()? != format!("t{}", record["n"]) || lines.last().is_some_and(|(last, _)| *last > time) {
                return None;
            }
            lines.push((time, record["n"].as_u64()?));
        }
        streams.push((stream["stream"].to_string(), lines));
    }
    Some(streams)
}

/// Records of teams to a Loki, with its labels and metadata; `more` are lines of the sink.
pub(super) fn config(url: &str, format: &str, service: &str, records: usize, more: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [loki], dead_letters: [failed] }} }}
sinks:
  loki:
    type: loki
    url: '{url}'
    format: {format}
    tenant: acme
    labels: {{ service: {service}, team: '%{{team}}' }}
    metadata: {{ trace_id: '%{{trace_id}}' }}
    batch: {{ records: {records} }}
    retry: {{ initial: 10ms, max: 1s }}
    {more}
  failed: {{ type: file, path: failed.ndjson }}"
    )
}

#[test]
fn lines_in_the_form_that_loki_documents() {
    let taken = Taken::default();
    let keeping = Arc::clone(&taken);
    let server = Server::start(move |request| match (read(request), request.number) {
        (_, 1) => Said::With(429, "Retry-After: 0".to_owned()),
        (_, 3) => Said::Status(500),
        (Some(streams), _) => {
            let mut taken = keeping.lock().unwrap();
            streams.into_iter().for_each(|(labels, lines)| taken.entry(labels).or_default().extend(lines));
            Said::Status(204)
        }
        (None, _) => Said::Status(400),
    });
    let line = |n: u64| {
        format!("{{\"n\":{n},\"team\":\"t{}\",\"trace_id\":\"t{n}\",\"@timestamp\":\"2024-03-01T00:{:02}:00Z\"}}\n", n % 3, n % 60)
    };
    let site = Site::with("", (0..1_000).map(line).collect::<String>());
    site.config(&config(&format!("http://{}", server.address()), "json", "tamis", 100, ""));
    site.delivered();
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
    let taken = taken.lock().unwrap();
    let expected: Vec<String> = (0..3).map(|team| format!("{{\"service\":\"tamis\",\"team\":\"t{team}\"}}")).collect();
    assert_eq!(taken.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    let numbers: BTreeSet<u64> = taken.values().flatten().map(|(_, n)| *n).collect();
    assert_eq!(numbers.len(), 1_000);
    assert!(taken.values().flatten().all(|(time, n)| *time == 1_709_251_200_000_000_000 + (*n as i64 % 60) * 60_000_000_000));
}
