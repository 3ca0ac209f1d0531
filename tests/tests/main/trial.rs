//! A configuration on trial beside the one that runs: as a shadow, without effect, and as a canary, on a share of the frames.

use crate::reload::{append, config, ended, eventually_out, get, out, post, stamps, started};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;
use tamis_tests::harness::{Site, eventually};

/// Appends records to the site's input until it is ended; gives how many there are.
struct Load {
    ended: Arc<AtomicBool>,
    written: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<()>,
}

impl Load {
    fn start(site: &Site) -> Self {
        let (ended, written) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (until, count) = (Arc::clone(&ended), Arc::clone(&written));
        let path = site.path("input.ndjson");
        let thread = std::thread::spawn(move || {
            let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
            let mut n = 0;
            while !until.load(Ordering::Relaxed) {
                let lines: String = (n..n + 200).map(|n| format!("{{\"n\":{n}}}\n")).collect();
                std::io::Write::write_all(&mut file, lines.as_bytes()).unwrap();
                n += 200;
                count.store(n, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        Self { ended, written, thread }
    }

    fn end(self) -> u64 {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.written.load(Ordering::Relaxed)
    }
}

fn step(program: &str) -> String {
    config("a").replace("'.g = \"a\"'", &format!("'{program}'"))
}

#[test]
fn a_shadow_tells_what_would_differ_and_changes_nothing() {
    let (site, live, address) = started(&config("a"));
    let load = Load::start(&site);
    site.config(&step(".g = \"b\"; if mod(to_int!(.n), 2) == 0 { .even = true }"));
    let (status, told) = post(&address, "/v1/reload?shadow=1");
    assert_eq!((status, &told["result"], &told["generation"]), (202, &"trying".into(), &1.into()), "{told}");
    eventually("records are compared", || get(&address, "/v1/trial")["shadow"]["records"].as_u64() > Some(1000));
    let report = get(&address, "/v1/trial");
    let main = &report["shadow"]["pipelines"]["main"];
    let count = |value: &serde_json::Value| value.as_u64().unwrap();
    assert_eq!(count(&main["records"]), count(&main["records_differ"]), "{report}");
    assert_eq!(count(&main["fields"]["g"]), count(&main["records"]), "{report}");
    assert_eq!(main["steps"], serde_json::json!({ "stamp": count(&main["records"]) }), "{report}");
    let even = count(&main["fields"]["even"]);
    assert!(
        even * 2 == count(&main["records"]) && count(&main["ns_candidate"]) > 0 && count(&main["memory_bytes_candidate"]) > 0,
        "{report}"
    );
    let (status, told) = post(&address, "/v1/trial/end");
    assert_eq!((status, &told["result"], &told["generation"]), (200, &"gave_up".into(), &1.into()), "{told}");
    assert_eq!(address.get("/v1/trial").unwrap().status, 404);
    let count = load.end();
    eventually_out(&site, count);
    ended(live);
    assert!(stamps(&site, count).iter().all(|stamp| stamp == "a"));
}

#[test]
fn a_shadow_without_differences_takes_over_by_itself() {
    let (site, live, address) = started(&config("a"));
    let load = Load::start(&site);
    site.config(&step(".g = downcase(\"A\")"));
    let (status, told) = post(&address, "/v1/reload?shadow=0.5&promote_after=2&max_diff=0&max_errors=0&why=cleaner");
    assert_eq!(status, 202, "{told}");
    eventually("it is promoted", || get(&address, "/v1/generations")["running"] == 2);
    let told = get(&address, "/v1/generations");
    let last = told["history"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&last["asked"], &last["result"], &last["why"]), (&"shadow".into(), &"applied".into(), &"cleaner".into()), "{told}");
    assert!(last["message"].as_str().unwrap().contains("records compared, 0 differ"), "{told}");
    let count = load.end();
    eventually_out(&site, count);
    ended(live);
    assert!(stamps(&site, count).iter().all(|stamp| stamp == "a"));
}

#[test]
fn a_shadow_that_fails_or_differs_gives_up_by_itself() {
    let (site, live, address) = started(&config("a"));
    let load = Load::start(&site);
    for (program, says) in
        [(".g = to_string!(to_int!(\"x\" + to_string!(.n)))", "dead letters more"), (".g = \"b\"", "of the records differ")]
    {
        site.config(&step(program));
        let (status, told) = post(&address, "/v1/reload?shadow=1&promote_after=1&max_diff=0.001");
        assert_eq!(status, 202, "{told}");
        eventually("it gave up", || address.get("/v1/trial").unwrap().status == 404);
        let told = get(&address, "/v1/generations");
        let last = told["history"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&told["running"], &last["result"]), (&1.into(), &"gave_up".into()), "{told}");
        assert!(last["message"].as_str().unwrap().contains(says), "{says}: {told}");
    }
    for query in [
        "shadow=2",
        "shadow=0",
        "canary=0.1&promote_after=1&max_diff=0.1",
        "canary=0.1&shadow=0.1",
        "max_diff=0.1",
        "promote_after=1",
        "shadow=0.1&promote_after=-1",
        "shadow=x",
    ] {
        assert_eq!(post(&address, &format!("/v1/reload?{query}")).0, 400, "{query}");
    }
    let count = load.end();
    eventually_out(&site, count);
    ended(live);
    assert!(stamps(&site, count).iter().all(|stamp| stamp == "a"));
    assert!(!site.path("data/dead_letters/main.ndjson").exists(), "a shadow leaves no dead letters");
}

#[test]
fn a_canary_gets_its_share_and_each_record_is_the_work_of_one() {
    let (site, live, address) = started(&config("a"));
    let load = Load::start(&site);
    eventually("the active one works", || out(&site).len() > 1000);
    site.config(&config("b"));
    let (status, told) = post(&address, "/v1/reload?canary=0.25&promote_after=3");
    assert_eq!((status, &told["generation"]), (202, &1.into()), "{told}");
    eventually("the canary works", || get(&address, "/v1/trial")["canary"]["records"].as_u64() > Some(500));
    eventually("it is promoted", || get(&address, "/v1/generations")["running"] == 2);
    let promoted = out(&site).len();
    eventually("it goes on", || out(&site).len() > promoted + 2000);
    let count = load.end();
    eventually_out(&site, count);
    ended(live);
    let stamps = stamps(&site, count);
    let changes = stamps.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!(changes > 3, "only {changes} changes between the two");
    let last = stamps.iter().rposition(|stamp| stamp == "a").unwrap();
    let first = stamps.iter().position(|stamp| stamp == "b").unwrap();
    let share = stamps[first..last].iter().filter(|stamp| *stamp == "b").count() as f64 / (last - first) as f64;
    assert!((0.1..0.5).contains(&share), "{share} of the records between were the canary's");
    assert!(stamps[last + 1..].len() > 1000, "after it was promoted, all are the new one's");
}

#[test]
fn a_canary_shares_sources_and_sinks_and_ends_with_a_reload() {
    let (site, live, address) = started(&config("a"));
    site.config(&config("b").replace("path: out.ndjson", "path: other.ndjson"));
    let (status, told) = post(&address, "/v1/reload?canary=0.5");
    assert_eq!((status, &told["result"]), (409, &"failed".into()), "{told}");
    site.config(&config("b"));
    assert_eq!(post(&address, "/v1/reload?canary=1").0, 202);
    append(&site, "{\"n\":0}\n");
    eventually("it is out", || out(&site).len() == 1);
    site.config(&config("c"));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!((status, &told["generation"]), (200, &2.into()), "{told}");
    append(&site, "{\"n\":1}\n");
    eventually("it is out", || out(&site).len() == 2);
    assert_eq!(address.get("/v1/trial").unwrap().status, 404);
    ended(live);
    assert_eq!(stamps(&site, 2), ["b", "c"]);
}

/// What `tamis reload` with these arguments says, and its exit code.
fn reload(site: &Site, arguments: &[&str]) -> (Option<i32>, serde_json::Value) {
    let run = site.run([&["reload", "--output", "json"], arguments].concat());
    // A trial that is over is no trial: the answer is no.
    (run.code, if run.code == Some(0) { run.json() } else { serde_json::Value::Null })
}

#[test]
fn a_shadow_finds_one_record_in_a_thousand_and_an_equal_candidate_is_promoted() {
    let (site, live, address) = started(&config("a"));
    let load = Load::start(&site);
    let last = || get(&address, "/v1/generations")["history"].as_array().unwrap().last().unwrap().clone();
    // One record in 1,000 becomes another; with 64 records a frame, most frames hold none.
    let planted = step(".g = \"a\"; if mod(to_int!(.n), 1000) == 7 { .planted = true }");
    for (share, records) in [("100%", 3_000), ("40%", 3_000)] {
        site.config(&planted);
        let trial = ["--shadow", share, "--promote-after", "4s", "--max-diff", "0", "--why", "planted"];
        let (code, told) = reload(&site, &trial);
        assert_eq!((code, &told["result"], &told["generation"]), (Some(0), &"trying".into(), &1.into()), "{told}");
        let mut seen = serde_json::Value::Null;
        eventually("it gave up", || {
            let (code, report) = reload(&site, &["--trial"]);
            if code == Some(0) {
                seen = report;
            }
            code == Some(1)
        });
        let (told, main) = (last(), &seen["shadow"]["pipelines"]["main"]);
        assert_eq!((&told["result"], &told["asked"], &told["why"]), (&"gave_up".into(), &"shadow".into(), &"planted".into()), "{told}");
        let message = told["message"].as_str().unwrap();
        assert!(message.contains("of the records differ") && message.contains("first after main/stamp"), "{message}");
        let (compared, differ) = (main["records"].as_u64().unwrap(), main["records_differ"].as_u64().unwrap());
        assert!(compared > records, "{seen}");
        // Frames are looked at or not, and the records of a share of them are about so many.
        let rate = differ as f64 / compared as f64;
        assert!((0.0005..0.002).contains(&rate), "{share}: {differ} of {compared}");
        assert_eq!((&main["fields"], &main["steps"]), (&serde_json::json!({ "planted": differ }), &serde_json::json!({ "stamp": differ })));
        assert_eq!(get(&address, "/v1/generations")["running"], 1);
    }
    // Tolerated, it is promoted; and so is one that does the same in other words.
    for (program, max_diff, generation) in
        [(".g = \"a\"; if mod(to_int!(.n), 1000) == 7 { .planted = true }", "0.5%", 2), (".g = downcase(\"A\")", "0.5%", 3)]
    {
        site.config(&step(program));
        let (code, told) = reload(&site, &["--shadow", "50%", "--promote-after", "2s", "--max-diff", max_diff]);
        assert_eq!(code, Some(0), "{told}");
        eventually("it is promoted", || get(&address, "/v1/generations")["running"] == generation);
        assert_eq!(last()["result"], "applied");
    }
    let count = load.end();
    eventually_out(&site, count);
    ended(live);
    assert!(stamps(&site, count).iter().all(|stamp| stamp == "a"));
}

#[test]
fn what_fails_leaves_the_trial_and_what_is_followed_ends_it_with_a_word() {
    let (site, live, address) = started(&config("a"));
    let trial = |kind: &str| {
        site.config(&config("b"));
        let (status, told) = post(&address, &format!("/v1/reload?{kind}=0.5&why=try%20b"));
        assert_eq!((status, &told["result"]), (202, &"trying".into()), "{told}");
    };
    let last = |n: usize| {
        let told = get(&address, "/v1/generations");
        let history = told["history"].as_array().unwrap().clone();
        history[history.len() - n].clone()
    };
    for kind in ["shadow", "canary"] {
        trial(kind);
        // None of these is followed.
        assert_eq!(post(&address, "/v1/rollback?to=999").0, 409);
        site.config("sources: [");
        assert_eq!(post(&address, "/v1/reload").0, 422);
        assert_eq!(post(&address, "/v1/reload?shadow=0.1").0, 422);
        site.config(&config("c").replace("path: out.ndjson", "path: input.ndjson/out.ndjson"));
        assert_eq!(post(&address, "/v1/reload").0, 409);
        assert_eq!(post(&address, "/v1/reload?canary=0.1").0, 409);
        assert_eq!(post(&address, "/v1/reload?dry_run=true").0, 200);
        site.config(&config("c").replace("lanes: 2", "lanes: 1"));
        assert_eq!(post(&address, "/v1/reload").0, 422);
        assert!(get(&address, "/v1/trial")[kind].is_object(), "{kind} goes on");
        // Another trial takes its place, and a reload ends that one.
        let other = if kind == "shadow" { "canary" } else { "shadow" };
        trial(other);
        assert!(get(&address, "/v1/trial")[other].is_object());
        let ended = last(2);
        assert_eq!((&ended["asked"], &ended["result"], &ended["why"]), (&kind.into(), &"gave_up".into(), &"try b".into()), "{ended}");
        assert!(ended["message"].as_str().unwrap().starts_with(&format!("ended by another trial (admin API): {kind} on 50 %")), "{ended}");
        site.config(&config(if kind == "shadow" { "c" } else { "d" }));
        assert_eq!(post(&address, "/v1/reload").0, 200);
        assert_eq!(address.get("/v1/trial").unwrap().status, 404);
        let (ended, reload) = (last(2), last(1));
        assert_eq!((&ended["asked"], &ended["result"]), (&other.into(), &"gave_up".into()), "{ended}");
        assert!(ended["message"].as_str().unwrap().starts_with("ended by a reload (admin API): "), "{ended}");
        assert_eq!((&reload["asked"], &reload["result"]), (&"reload".into(), &"applied".into()));
    }
    // The files are those that run again: the trial is of no use any more.
    trial("shadow");
    site.config(&config("d"));
    assert_eq!(post(&address, "/v1/reload").1["result"], "unchanged");
    assert_eq!(address.get("/v1/trial").unwrap().status, 404);
    // A second shadow compares, the first one does not end it.
    trial("shadow");
    site.config(&config("e"));
    assert_eq!(post(&address, "/v1/reload?shadow=1").0, 202);
    append(&site, "{\"n\":0}\n");
    eventually("it compares", || get(&address, "/v1/trial")["shadow"]["records"] == 1);
    ended(live);
}
