//! A spool in front of a sink: what it took is safe, whatever becomes of the sink and of the host.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tamis_tests::harness::{Said, Server, Site, eventually, settled};

const COUNT: usize = 20_000;

fn config(address: &str, buffer: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [web] }} }}
sinks:
  web: {{ type: http, url: 'http://{address}/in', buffer: {{ {buffer} }}, retry: {{ initial: 10ms, max: 100ms }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 2, batch: {{ records: 64 }}, shutdown_timeout: 1s }}"
    )
}

fn input(pad: usize) -> String {
    let pad = "x".repeat(pad);
    (0..COUNT).map(|n| format!("{{\"n\":{n},\"pad\":\"{pad}\"}}\n")).collect()
}

fn numbers(lines: &[String]) -> BTreeSet<u64> {
    lines.iter().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap()).collect()
}

#[test]
fn records_are_safe_while_the_sink_is_down_and_the_host_is_killed() {
    let up = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&up);
    let server = Server::start(move |_| Said::Status(if state.load(Ordering::SeqCst) { 200 } else { 503 }));
    let site = Site::with(&config(&server.address(), "disk: 64MiB"), input(10));
    let live = site.start(["run"]);
    eventually("all is in the spool", || settled(&site.path("admin.sock"), "in") == COUNT as u64);
    live.signal("KILL");
    live.wait();
    assert!(server.taken().is_empty());
    // What is in the spool does not come from the source again.
    std::fs::remove_file(site.path("input.ndjson")).unwrap();
    site.write("input.ndjson", "");
    up.store(true, Ordering::SeqCst);
    let live = site.start(["run"]);
    eventually("the sink has all of it", || server.taken().len() >= COUNT);
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(server.taken().len(), COUNT, "each once");
    assert_eq!(numbers(&server.taken()).len(), COUNT);
    assert!(run.err.contains("wait in the spool"), "{run}");
}

#[test]
fn once_ends_when_the_spool_is_empty() {
    let server = Server::start(|request| Said::Status(if request.number < 10 { 503 } else { 200 }));
    let site = Site::with(&config(&server.address(), "disk: 64MiB"), input(10));
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    run.report().conserved();
    assert_eq!((server.taken().len(), numbers(&server.taken()).len()), (COUNT, COUNT), "{run}");
}

#[test]
fn a_full_spool_holds_the_source_up_or_drops_the_newest_and_counts_it() {
    // 20,000 records of about 1.5 kB do not fit into 16 MiB.
    for (when_full, blocks) in [("block", true), ("drop_newest", false)] {
        let up = Arc::new(AtomicBool::new(false));
        let state = Arc::clone(&up);
        let server = Server::start(move |_| Said::Status(if state.load(Ordering::SeqCst) { 200 } else { 503 }));
        let site = Site::with(&config(&server.address(), &format!("disk: 16MiB, when_full: {when_full}")), input(1_500));
        let live = site.start(["run", "--report", "0", "--output", "json"]);
        if blocks {
            let before = || settled(&site.path("admin.sock"), "in");
            eventually("it holds", || {
                let now = before();
                std::thread::sleep(std::time::Duration::from_millis(300));
                now > 1_000 && now == before()
            });
            assert!(before() < COUNT as u64);
        } else {
            eventually("the source is through", || settled(&site.path("admin.sock"), "in") == COUNT as u64);
        }
        let spool: u64 = std::fs::read_dir(site.path("data/spool/web")).unwrap().map(|f| f.unwrap().metadata().unwrap().len()).sum();
        assert!(spool <= 17 << 20, "{spool} bytes");
        up.store(true, Ordering::SeqCst);
        if blocks {
            eventually("all of it comes through", || server.taken().len() == COUNT);
        }
        eventually("the spool is empty", || {
            let taken = server.taken().len();
            std::thread::sleep(std::time::Duration::from_millis(500));
            taken > 0 && taken == server.taken().len()
        });
        live.signal("TERM");
        let run = live.wait();
        assert_eq!(run.code, Some(0), "{run}");
        let report = run.report();
        let sink = report.0["sinks"].as_array().unwrap().iter().find(|sink| sink["name"] == "web").unwrap().clone();
        let (delivered, dropped) = (sink["delivered"].as_u64().unwrap(), sink["dropped"].as_u64().unwrap());
        assert_eq!((delivered as usize, delivered + dropped), (server.taken().len(), COUNT as u64), "{sink}");
        assert_eq!(dropped > 0, !blocks);
    }
}
