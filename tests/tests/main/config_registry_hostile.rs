//! Configurations from registries that somebody else has a hand in: what is foreign, what never ends, keys that no longer count, and
//! a store that others may change.

use super::config_registry::{Team, add, address, ended, generations};
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tamis_tests::harness::exchange::is_long;
use tamis_tests::harness::{RawServer, Site, Tmpfs, eventually, plugin};

fn refusals(site: &Site) -> usize {
    generations(site)["history"].as_array().map_or(0, |all| all.iter().filter(|entry| entry["result"] == "refused").count())
}

/// The versions that a host keeps.
fn versions(site: &Site) -> usize {
    let entries = fs::read_dir(site.path("data/configurations")).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name() != "tags").count()
}

fn delivers(site: &Site, n: u32, mark: &str) {
    add(site, &format!("{{\"n\":{n}}}"));
    let expected = format!("{{\"n\":{n},\"mark\":\"{mark}\"}}");
    eventually(&expected, || site.path("out.ndjson").exists() && site.lines("out.ndjson").contains(&expected));
}

fn is_up(site: &Site) {
    eventually("it is up", || address(site).get("/readyz").is_ok_and(|answer| answer.status == 200));
}

#[test]
fn what_is_foreign_is_refused_once_and_not_kept() {
    let Some(team) = Team::new() else { return };
    team.writes("a");
    team.pushed();
    let host = team.host();
    let live = team.follows(&host);
    delivers(&host, 2, "a");
    // A plugin under the tag is no configuration, however often it is looked at.
    let run = team.author.run(["plugin", "push", &plugin("tenant").display().to_string(), &team.reference()]);
    assert_eq!(run.code, Some(0), "{run}");
    eventually("it is refused", || refusals(&host) == 1);
    std::thread::sleep(Duration::from_secs(4));
    assert_eq!(refusals(&host), 1, "{}", live.err());
    // Whoever may only write to the registry cannot fill the store, nor drive out of it what is in use.
    for number in 2..5 {
        team.writes(&number.to_string());
        assert_eq!(team.push(&[]).code, Some(0));
        eventually("it is refused", || refusals(&host) == number);
    }
    assert_eq!(versions(&host), 1);
    delivers(&host, 3, "a");
    ended(live);
}

#[test]
fn a_dry_run_does_not_keep_a_host_from_following() {
    let Some(team) = Team::new() else { return };
    team.writes("a");
    team.pushed();
    let (host, reference) = (team.host(), team.reference());
    let live = host.start(["run", "-c", &reference, "--config-key", "tamis.pub", "--watch", "--watch-interval", "5s"]);
    delivers(&host, 2, "a");
    team.writes("b");
    team.pushed();
    let run = host.run(["reload", "--dry-run", "--admin", "unix:admin.sock"]);
    assert!(run.code == Some(0) && generations(&host)["running"] == 1, "{run}");
    eventually("generation 2 runs", || generations(&host)["running"] == 2);
    delivers(&host, 3, "b");
    ended(live);
}

#[test]
fn what_a_key_vouched_for_that_no_longer_counts_does_not_come_back() {
    let Some(team) = Team::new() else { return };
    team.writes("a");
    let pinned = team.pushed();
    let (host, reference) = (team.host(), team.reference());
    let live = team.follows(&host);
    delivers(&host, 2, "a");
    ended(live);
    let other = Site::new();
    assert_eq!(other.run(["plugin", "keygen", "--no-password"]).code, Some(0));
    host.write("other.pub", other.read("tamis.pub"));
    for named in [&[&*reference, "--config-key", "other.pub"][..], &[&*pinned, "--config-key", "other.pub"], &[&*reference]] {
        let mut live = host.start([&["run", "-c"], named].concat());
        assert!(live.ends_within(Duration::from_secs(20)), "it runs: {}", live.err());
        let run = live.wait();
        assert_eq!(run.code, Some(2), "{named:?}: {run}");
        assert!(run.err.contains("E028"), "{run}");
    }
    // With the key that counts the last good one does.
    team.writes("b");
    assert_eq!(team.push(&[]).code, Some(0));
    let live = team.follows(&host);
    is_up(&host);
    assert!(address(&host).get("/readyz").unwrap().body.starts_with("degraded: "));
    delivers(&host, 3, "a");
    assert!(!live.err().contains("INFO configuration oci://"), "{}", live.err());
    ended(live);
}

#[test]
fn a_registry_that_never_finishes_holds_nothing_up() {
    let Some(team) = Team::new() else { return };
    team.writes("a");
    team.pushed();
    let (slow, behind) = (Arc::new(AtomicBool::new(false)), team.registry.address().to_owned());
    let trickles = Arc::clone(&slow);
    let front = RawServer::start(move |head, stream| {
        if trickles.load(Ordering::SeqCst) {
            stream.write_all(b"HTTP/1.1 200 said\r\nContent-Length: 100000\r\n\r\n")?;
            loop {
                stream.write_all(b"{")?;
                std::thread::sleep(Duration::from_millis(500));
            }
        }
        let mut registry = TcpStream::connect(&behind)?;
        registry.write_all(head.trim_end().as_bytes())?;
        registry.write_all(b"\r\nConnection: close\r\n\r\n")?;
        let mut answer = Vec::new();
        registry.read_to_end(&mut answer)?;
        stream.write_all(&answer)
    });
    let reference = format!("oci://{}/team/gateway:prod", front.address());
    let host = team.host();
    let live = host.start(["run", "-c", &reference, "--config-key", "tamis.pub", "--watch", "--watch-interval", "1s"]);
    delivers(&host, 2, "a");
    slow.store(true, Ordering::SeqCst);
    let asked = front.heads().len();
    live.signal("HUP");
    eventually("it is asked", || front.heads().len() > asked + 1);
    delivers(&host, 3, "a");
    assert_eq!(address(&host).get("/readyz").unwrap().body.trim(), "ready");
    let stopped = Instant::now();
    ended(live);
    assert!(stopped.elapsed() < Duration::from_secs(10), "{:?}", stopped.elapsed());
    if is_long() {
        let started = Instant::now();
        let live = host.start(["run", "-c", &reference, "--config-key", "tamis.pub"]);
        while !address(&host).get("/readyz").is_ok_and(|answer| answer.status == 200) {
            assert!(started.elapsed() < Duration::from_secs(75), "{}", live.err());
            std::thread::sleep(Duration::from_millis(100));
        }
        eprintln!("a start with a registry that trickles: {:?}", started.elapsed());
        assert!(live.err().contains("W001"), "{}", live.err());
        delivers(&host, 4, "a");
        ended(live);
    }
}

#[test]
fn a_store_that_anybody_may_change_is_not_used() {
    let Some(team) = Team::new() else { return };
    team.writes("a");
    let pinned = team.pushed();
    let host = team.host();
    fs::create_dir(host.path("open")).unwrap();
    fs::set_permissions(host.path("open"), fs::Permissions::from_mode(0o777)).unwrap();
    let run = host.run(["run", "--once", "-c", &pinned, "--config-store", "open"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("E029") && run.err.contains("anybody may change") && run.err.contains("--config-store"), "{run}");
    assert!(fs::read_dir(host.path("open")).unwrap().next().is_none() && !host.path("out.ndjson").exists());
}

/// Versions that are signed and not sound, by whatever mistake: what runs is not driven out of the store by them.
#[test]
fn what_runs_is_kept_however_many_others_come() {
    let Some(team) = Team::new() else { return };
    team.writes("a");
    team.pushed();
    let host = team.host();
    let live = team.follows(&host);
    delivers(&host, 2, "a");
    // More than are kept, used after it.
    for number in 0..70 {
        host.write(&format!("data/configurations/{number:064x}/manifest.json"), "");
    }
    for number in 1..3 {
        team.author.config(&format!("pipelines: {number}"));
        let run = team.push(&["--key", "tamis.key", "--no-check"]);
        assert_eq!(run.code, Some(0), "{run}");
        eventually("it is refused", || refusals(&host) == number);
    }
    assert_eq!(versions(&host), 64);
    live.signal("KILL");
    live.wait();
    let live = team.follows(&host);
    delivers(&host, 3, "a");
    ended(live);
}

/// A store on a small volume: old versions make room for new ones.
#[test]
fn a_full_store_makes_room() {
    let Some(team) = Team::new() else { return };
    let host = team.host();
    let Some(_small) = Tmpfs::mount(&host.path("data/configurations"), "size=2500k,mode=700") else { return };
    let mut live = None;
    for number in 0..5 {
        team.writes(&format!("v{number}"));
        team.author.write("padding", "x".repeat(1_000_000 + number));
        let run = team.push(&["--key", "tamis.key", "--with", "padding"]);
        assert_eq!(run.code, Some(0), "{run}");
        let live = live.get_or_insert_with(|| team.follows(&host));
        eventually(&format!("version {number} runs: {}", live.err()), || generations(&host)["running"] == number + 1);
        delivers(&host, 10 + number as u32, &format!("v{number}"));
    }
    assert_eq!(versions(&host), 2);
    ended(live.unwrap());
}
