//! `concurrency: adaptive` against a web server that takes a few requests at the same time and turns the others away.

use crate::reload::ended;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tamis_tests::harness::{Address, Said, Server, Site, eventually};

const COUNT: usize = 40_000;
/// What the server works on at the same time.
const ROOM: usize = 6;

#[test]
fn follows_what_the_server_takes_and_loses_nothing() {
    let (under_way, most, refused) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (here, seen, turned_away) = (Arc::clone(&under_way), Arc::clone(&most), Arc::clone(&refused));
    let server = Server::start(move |_| {
        let now = here.fetch_add(1, Ordering::SeqCst) + 1;
        seen.fetch_max(now, Ordering::SeqCst);
        let said = if now > ROOM {
            turned_away.fetch_add(1, Ordering::SeqCst);
            Said::Status(429)
        } else {
            std::thread::sleep(Duration::from_millis(20));
            Said::Status(200)
        };
        here.fetch_sub(1, Ordering::SeqCst);
        said
    });
    let config = format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [web] }} }}
sinks:
  web: {{ type: http, url: 'http://{}/', concurrency: adaptive, batch: {{ records: 64, age: 0s }}, retry: {{ initial: 10ms, max: 100ms }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 8, batch: {{ records: 64 }} }}",
        server.address()
    );
    let site = Site::with(&config, (0..COUNT).map(|n| format!("{{\"n\":{n}}}\n")).collect::<String>());
    let live = site.start(["run"]);
    let admin = Address::Unix(site.path("admin.sock"));
    let mut gauges = BTreeMap::<u64, usize>::new();
    eventually("everything has arrived", || {
        let text = admin.get("/metrics").map_or_else(|_| String::new(), |answer| answer.body);
        let gauge = text.lines().find_map(|line| line.strip_prefix("tamis_sink_concurrency{sink=\"web\"} ")?.parse().ok());
        gauge.into_iter().for_each(|gauge| *gauges.entry(gauge).or_default() += 1);
        server.taken().len() >= COUNT
    });
    ended(live);
    let mut taken: Vec<String> = server.taken();
    taken.sort_unstable();
    taken.dedup();
    assert_eq!((taken.len(), server.taken().len()), (COUNT, COUNT), "each record once");
    let (most, refused, requests) = (most.load(Ordering::SeqCst), refused.load(Ordering::SeqCst), server.requests());
    eprintln!("the gauge said {gauges:?}; {refused} of {requests} requests were turned away, {most} at most at the same time");
    // Requests that are on their way to the server, or back, are none that it works on: on a busy machine there are a few.
    assert!(gauges.keys().all(|gauge| (1..=2 * ROOM as u64).contains(gauge)), "{gauges:?}");
    assert!(gauges.keys().any(|gauge| *gauge >= ROOM as u64 - 1), "it has grown: {gauges:?}");
    assert!((ROOM - 1..=2 * ROOM).contains(&most), "{most} at the same time");
    assert!(refused * 4 < requests, "{refused} of {requests} were turned away");
}
