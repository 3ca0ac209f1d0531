//! A reload while something is wrong: a sink is down or hangs, the disk is full, the candidate does not start, another reload is under
//! way. Each ends within its time, with a result that says what became of it, and what runs goes on.

use crate::reload::{append, config, ended, eventually_out, get, out, post, stamps, started};
use serde_json::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tamis_tests::harness::{Address, Said, Server, Site, Tmpfs, eventually};

/// A reload that ends within this time; gives status and answer. The machine may be busy.
fn within(address: &Address, limit: Duration) -> (u16, Value) {
    let began = Instant::now();
    let (status, told) = post(address, "/v1/reload");
    assert!(began.elapsed() < limit, "it took {:?}: {told}", began.elapsed());
    (status, told)
}

#[test]
fn a_sink_that_hangs_or_is_down_is_replaced_and_what_waited_is_delivered() {
    let held = Arc::new(AtomicBool::new(true));
    let hangs = {
        let held = Arc::clone(&held);
        Server::start(move |_| {
            while held.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(20));
            }
            Said::Status(503)
        })
    };
    let good = Server::start(|_| Said::Status(200));
    let yaml = |stamp: &str, url: &str| {
        let sink = format!("out: {{ type: http, url: 'http://{url}/', timeout: 2s, retry: {{ initial: 50ms, max: 100ms }} }}");
        config(stamp).replace("out: { type: file, path: out.ndjson }", &sink)
    };
    let (site, live, address) = started(&yaml("a", &hangs.address()));
    append(&site, "{\"n\":0}\n");
    eventually("the sink is asked", || hangs.requests() > 0);
    // Steps change while it hangs, then it becomes one that nobody listens for, then one that works.
    for (n, (stamp, url)) in [("b", hangs.address()), ("c", "127.0.0.1:9".into()), ("d", good.address())].iter().enumerate() {
        site.config(&yaml(stamp, url));
        let (status, told) = within(&address, Duration::from_secs(10));
        assert_eq!((status, &told["result"]), (200, &"applied".into()), "{told}");
        append(&site, format!("{{\"n\":{}}}\n", n + 1));
    }
    // The request that hangs is waited for, as long as it may take: it might have been taken.
    eventually("everything is delivered", || good.taken().len() == 4);
    held.store(false, Ordering::Relaxed);
    let mut taken: Vec<Value> = good.taken().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    taken.sort_by_key(|record| record["n"].as_u64());
    assert!(taken.iter().map(|record| record["n"].as_u64().unwrap()).eq(0..4), "{taken:?}");
    ended(live);
}

#[test]
fn a_full_disk_of_the_host_and_of_a_sink_holds_no_reload_up() {
    let (site, input) =
        (Site::new(), |n: std::ops::Range<u64>| -> String { n.map(|n| format!("{{\"n\":{n},\"m\":\"{n:0200}\"}}\n")).collect() });
    let Some(disk) = Tmpfs::mount(&site.path("small"), "size=8m") else { return };
    let yaml = |stamp: &str| {
        let own = "settings: { admin: 'unix:admin.sock', data_dir: small/data,";
        config(stamp).replace("path: out.ndjson", "path: small/out.ndjson").replace("settings: { admin: 'unix:admin.sock',", own)
    };
    site.config(&yaml("a"));
    site.write("input.ndjson", input(0..1_000));
    let mut live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    let lines = || site.read("small/out.ndjson").iter().filter(|byte| **byte == b'\n').count();
    eventually("the first are out", || lines() == 1_000);
    // The rest of the disk is taken.
    let _ =
        std::process::Command::new("dd").args(["if=/dev/zero", "bs=4k"]).arg(format!("of={}", site.path("small/rest").display())).output();
    append(&site, input(1_000..3_000));
    live.says("cannot write, trying again");
    site.config(&yaml("b"));
    let (status, told) = within(&address, Duration::from_secs(10));
    assert_eq!((status, &told["result"], &told["generation"]), (200, &"applied".into(), &2.into()), "{told}");
    live.says("No space left on device");
    append(&site, input(3_000..3_100));
    std::fs::remove_file(site.path("small/rest")).unwrap();
    eventually("all are out", || lines() == 3_100);
    let records: Vec<Value> = site.lines("small/out.ndjson").iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(records.iter().map(|record| record["n"].as_u64().unwrap()).eq(0..3_100), "each once, in order");
    let stamped: Vec<&str> = records.iter().map(|record| record["g"].as_str().unwrap()).collect();
    assert!(stamped.is_sorted() && stamped.last() == Some(&"b"), "each is the work of one generation");
    ended(live);
    drop(disk);
}

/// The configuration with a plugin that does this in its `init`, which may take so long.
fn starting(init: &str, deadline: &str) -> String {
    let hostile = format!(
        "  same: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, config: {init}, limits: {{ init_deadline: {deadline} }} }}\n"
    );
    config("b").lines().map(|line| if line.starts_with("  same:") { hostile.clone() } else { format!("{line}\n") }).collect()
}

#[test]
fn a_candidate_that_hangs_in_init_is_given_up_at_its_deadline_and_records_go_on() {
    let (site, live, address) = started(&config("a"));
    // It is loaded once, so that its time below is not that of the compiler.
    site.config(&starting("init-trap", "1s"));
    assert_eq!(post(&address, "/v1/reload").0, 422);
    site.config(&starting("init-loop", "5s"));
    std::thread::scope(|scope| {
        let asked = scope.spawn(|| {
            let began = Instant::now();
            (within(&address, Duration::from_secs(30)), began.elapsed())
        });
        for n in 0..20 {
            append(&site, format!("{{\"n\":{n}}}\n"));
            std::thread::sleep(Duration::from_millis(30));
        }
        eventually_out(&site, 20);
        assert!(!asked.is_finished(), "the records did not wait for it");
        let ((status, told), took) = asked.join().unwrap();
        assert_eq!((status, &told["result"], &told["generation"]), (422, &"refused".into(), &1.into()), "{told}");
        let message = told["message"].as_str().unwrap();
        assert!(message.contains("init") && message.contains("deadline"), "{message}");
        assert!(took >= Duration::from_secs(5), "{took:?}");
    });
    // As a shadow and as a canary, too.
    site.config(&starting("init-loop", "1s"));
    for trial in ["shadow", "canary"] {
        let (status, told) = post(&address, &format!("/v1/reload?{trial}=0.5"));
        assert_eq!((status, &told["result"]), (422, &"refused".into()), "{told}");
    }
    ended(live);
    assert!(stamps(&site, 20).iter().all(|stamp| stamp == "a"));
}

#[test]
fn what_is_asked_for_while_another_reload_is_under_way_waits_for_it_and_is_answered() {
    let (site, live, address) = started(&config("a"));
    site.config(&starting("init-trap", "1s"));
    assert_eq!(post(&address, "/v1/reload").0, 422);
    site.config(&starting("init-loop", "2s"));
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| post(&address, "/v1/reload"));
        std::thread::sleep(Duration::from_millis(500));
        // It reads its files when its turn comes.
        site.config(&config("c"));
        let rollback = scope.spawn(|| post(&address, "/v1/rollback?to=7"));
        std::thread::sleep(Duration::from_millis(200));
        let asked: Vec<_> = (0..3).map(|_| scope.spawn(|| post(&address, "/v1/reload"))).collect();
        let (status, told) = slow.join().unwrap();
        assert_eq!((status, &told["result"]), (422, &"refused".into()), "{told}");
        let (status, told) = rollback.join().unwrap();
        assert_eq!((status, &told["result"]), (409, &"superseded".into()), "{told}");
        assert!(told["message"].as_str().unwrap().contains("came later"), "{told}");
        for asked in asked {
            let (status, told) = asked.join().unwrap();
            assert_eq!((status, &told["result"], &told["generation"]), (200, &"applied".into(), &2.into()), "{told}");
        }
    });
    let history = get(&address, "/v1/generations");
    let results: Vec<&str> = history["history"].as_array().unwrap().iter().map(|entry| entry["result"].as_str().unwrap()).collect();
    assert_eq!(results.iter().filter(|result| **result == "refused").count(), 2, "{history}");
    append(&site, "{\"n\":0}\n");
    eventually("it is out", || out(&site).len() == 1);
    assert_eq!(stamps(&site, 1), ["c"]);
    ended(live);
}
