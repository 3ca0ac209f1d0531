//! A disk that is full: the host waits, and goes on when there is room. Needs the right to mount; says so where it has none.

use std::fmt::Write as _;
use std::path::Path;
use std::time::Duration;
use tamis_tests::harness::{Address, Live, Site, Tmpfs, eventually, parse_metrics};

const COUNT: usize = 20_000;

fn numbered() -> String {
    (0..COUNT).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(200));
        text
    })
}

fn config(timeout: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: file, path: small/out.ndjson }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 2, shutdown_timeout: {timeout} }}"
    )
}

/// A host whose sink's disk, of 1 MiB, is full.
fn full(timeout: &str) -> Option<(Site, Tmpfs, Live)> {
    let site = Site::with(&config(timeout), numbered());
    let disk = Tmpfs::mount(&site.path("small"), "size=1m")?;
    let mut live = site.start(["run", "--once", "--report", "0", "--output", "json"]);
    live.says("cannot write, trying again");
    assert!(live.runs());
    Some((site, disk, live))
}

fn whole_records(path: &Path) -> Result<usize, String> {
    let text = std::fs::read_to_string(path).unwrap();
    for (number, line) in text.lines().enumerate() {
        if serde_json::from_str::<serde_json::Value>(line).is_err() {
            return Err(format!("line {} is no whole record: {line:.300}", number + 1));
        }
    }
    Ok(text.lines().count())
}

#[test]
fn it_waits_tries_again_and_goes_on_when_there_is_room() {
    let Some((site, disk, mut live)) = full("30s") else { return };
    let admin = Address::Unix(site.path("admin.sock"));
    let metric = |name: &str| {
        let families = parse_metrics(&admin.get("/metrics").unwrap().body).unwrap();
        families.values().flat_map(|f| &f.samples).filter(|s| s.name == name).map(|s| s.value).sum::<f64>()
    };
    eventually("it tries again", || metric("tamis_sink_retries_total") >= 3.0);
    // Held back: what was read is bounded by what may be under way, and not the whole file.
    let read = || metric("tamis_source_records_total");
    eventually("no more is read", || {
        let before = read();
        std::thread::sleep(Duration::from_millis(300));
        read() == before
    });
    assert!(read() < COUNT as f64 && metric("tamis_sink_queue_records") > 0.0, "{} records were read", read());
    assert!(metric("tamis_ack_lag_seconds") > 0.0);
    assert!(live.runs());
    disk.remount("size=64m");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.report().conserved().flow("main").out, COUNT as u64);
    assert!(site.read("small/out.ndjson") == numbered().into_bytes(), "everything, once, in order");
}

#[test]
fn sigterm_with_the_sink_stuck_ends_in_time_and_counts_what_is_missing() {
    let Some((site, disk, live)) = full("1s") else { return };
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(4), "{run}");
    assert!(run.err.contains("not everything was delivered within `shutdown_timeout` (1 s)"), "{run}");
    let report = run.report();
    let (settled, held) = report.source("in");
    assert!(held > 0, "{}", report.0);
    assert!(run.err.contains(&format!("{held} records were read and not delivered")), "{run}");
    let lines = String::from_utf8(site.read("small/out.ndjson")).unwrap().lines().count() as u64;
    assert!(settled <= lines && lines <= settled + held, "{settled} settled, {lines} written, {held} held");
    drop(disk);
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let Some((_site, _disk, mut live)) = full("1h") else { return };
    live.signal("TERM");
    live.says("SIGTERM: delivering");
    assert!(live.runs());
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(4), "{run}");
    assert!(run.err.contains("again: ending now"), "{run}");
}

#[test]
fn a_record_that_was_half_written_does_not_spoil_the_next_one() {
    let Some((site, disk, live)) = full("0s") else { return };
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(4));
    // There is room again, and the host is started anew on the same file.
    disk.remount("size=64m");
    site.write("input.ndjson", "{\"again\":1}\n{\"again\":2}\n");
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    let path = site.path("small/out.ndjson");
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("\n{\"again\":1}\n{\"again\":2}\n"), "the next record has a line of its own: {:?}", &text[text.len() - 300..]);
}

#[test]
fn standard_output_on_a_full_disk_is_neither_torn_nor_repeated() {
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: stdout } }
settings: { admin: off, lanes: 2 }";
    let site = Site::with(config, numbered());
    let Some(disk) = Tmpfs::mount(&site.path("small"), "size=1m") else { return };
    let mut live = site.start_shell("exec \"$TAMIS\" run --once > small/out.ndjson");
    live.says("cannot write, trying again");
    std::thread::sleep(Duration::from_millis(300));
    disk.remount("size=64m");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(whole_records(&site.path("small/out.ndjson")), Ok(COUNT));
    assert!(site.read("small/out.ndjson") == numbered().into_bytes(), "everything, once, in order");
}

#[test]
fn dead_letters_wait_for_room_too() {
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [out], dead_letters: [failed] } }
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: small/failed.ndjson } }";
    let bad: String = (0..8_000).map(|n| format!("not JSON {n} {}\n{{\"n\":{n}}}\n", "x".repeat(100))).collect();
    let site = Site::with(config, bad);
    let Some(disk) = Tmpfs::mount(&site.path("small"), "size=1m") else { return };
    let mut live = site.start(["run", "--once", "--report", "0", "--output", "json"]);
    live.says("cannot write, trying again");
    disk.remount("size=64m");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    let flow = run.report().conserved().flow("main");
    assert_eq!((flow.out, flow.rejected), (8_000, 8_000));
    assert_eq!((site.lines("out.ndjson").len(), site.letters("small/failed.ndjson").len()), (8_000, 8_000));
}
