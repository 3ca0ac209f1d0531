//! One configuration takes over from another while the host runs: nothing is lost, nothing comes twice, what did not change goes on, and
//! what is not sound changes nothing.

use serde_json::Value;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tamis_tests::harness::{Address, Live, Said, Server, Site, eventually, request};

pub(crate) fn post(address: &Address, path: &str) -> (u16, Value) {
    let answer =
        request(address, &format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")).unwrap();
    let json = serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body));
    (answer.status, json)
}

pub(crate) fn get(address: &Address, path: &str) -> Value {
    serde_json::from_str(&address.get(path).unwrap().body).unwrap()
}

/// A pipeline from a file that is followed, through a step that stamps `g`, to a file.
pub(crate) fn config(stamp: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  same: {{ component: PLUGIN(identity), grant: {{ read: [m] }}, config: {{ reads: [m] }}, limits: {{ deadline: 5s }} }}
pipelines: {{ main: {{ from: [in], steps: [ {{ plugin: same }}, {{ name: stamp, vrl: '.g = \"{stamp}\"' }} ], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 2, batch: {{ records: 64 }}, checkpoint_interval: 50ms }}"
    )
}

pub(crate) fn started(config: &str) -> (Site, Live, Address) {
    let site = Site::with(config, "");
    let live = site.start(["run", "--log-format", "json"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    (site, live, address)
}

pub(crate) fn append(site: &Site, lines: impl AsRef<[u8]>) {
    OpenOptions::new().append(true).open(site.path("input.ndjson")).unwrap().write_all(lines.as_ref()).unwrap();
}

pub(crate) fn out(site: &Site) -> Vec<Value> {
    let text = std::fs::read_to_string(site.path("out.ndjson")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Waits until so many records are out.
pub(crate) fn eventually_out(site: &Site, count: u64) {
    let lines = || std::fs::read(site.path("out.ndjson")).unwrap_or_default().iter().filter(|byte| **byte == b'\n').count() as u64;
    eventually("everything is out", || lines() >= count);
}

/// The stamps of all records in their order; each record once, none missing.
pub(crate) fn stamps(site: &Site, count: u64) -> Vec<String> {
    let records = out(site);
    let numbers: Vec<u64> = records.iter().map(|record| record["n"].as_u64().unwrap()).collect();
    assert!(numbers.iter().copied().eq(0..count), "{} records of {count}, not each once in order", numbers.len());
    records.iter().map(|record| record["g"].as_str().unwrap().to_owned()).collect()
}

pub(crate) fn ended(live: Live) {
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(!run.err.contains("internal fault"), "{run}");
}

#[test]
fn a_change_takes_over_and_is_told() {
    let (site, live, address) = started(&config("a"));
    append(&site, "{\"n\":0}\n");
    eventually("the first record is out", || out(&site).len() == 1);
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!((status, &told["result"], &told["generation"]), (200, &"unchanged".into(), &1.into()), "{told}");

    site.config(&config("b"));
    let (status, told) = post(&address, "/v1/reload?dry_run=true");
    assert_eq!((status, &told["result"], &told["generation"]), (200, &"sound".into(), &1.into()), "{told}");
    let changes: Vec<&str> = told["changes"].as_array().unwrap().iter().map(|change| change["name"].as_str().unwrap()).collect();
    assert_eq!(changes, ["main/stamp"], "{told}");
    let (status, told) = post(&address, "/v1/reload?why=b%20is%20better");
    assert_eq!((status, &told["result"], &told["generation"]), (200, &"applied".into(), &2.into()), "{told}");
    append(&site, "{\"n\":1}\n");
    eventually("the second record is out", || out(&site).len() == 2);
    assert_eq!(stamps(&site, 2), ["a", "b"]);

    let told = get(&address, "/v1/generations");
    let last = told["history"].as_array().unwrap().last().unwrap();
    assert_eq!((&told["running"], &last["why"], &last["result"]), (&2.into(), &"b is better".into(), &"applied".into()), "{told}");
    let metrics = address.get("/metrics").unwrap().body;
    assert!(metrics.contains("tamis_generation 2") && metrics.contains("tamis_reload_total{result=\"applied\"} 1"), "{metrics}");

    let (status, told) = post(&address, "/v1/rollback");
    assert_eq!((status, &told["result"], &told["generation"]), (200, &"applied".into(), &3.into()), "{told}");
    append(&site, "{\"n\":2}\n");
    eventually("the third record is out", || out(&site).len() == 3);
    assert_eq!(stamps(&site, 3), ["a", "b", "a"]);
    ended(live);
}

#[test]
fn what_is_not_sound_changes_nothing() {
    let (site, live, address) = started(&config("a"));
    let refused = |yaml: &str, status: u16, says: &str| {
        site.config(yaml);
        let (found, told) = post(&address, "/v1/reload");
        assert_eq!((found, &told["generation"]), (status, &1.into()), "{told}");
        assert!(told.to_string().contains(says), "{says}: {told}");
    };
    refused(&config("a").replace("vrl:", "vlr:"), 422, "vlr");
    refused(&config("a").replace("read: [m]", "read: []"), 422, "E2");
    refused(&config("a").replace("PLUGIN(identity)", "nowhere.wasm"), 422, "nowhere.wasm");
    refused(&config("a").replace("lanes: 2", "lanes: 1"), 422, "settings.lanes");
    refused(&config("a").replace("path: out.ndjson", "path: input.ndjson/out.ndjson"), 409, "input.ndjson/out.ndjson");
    // A plugin whose `init` never answers, or traps.
    for init in ["init-loop", "init-trap"] {
        let hostile = format!("  same: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, config: {init} }}\n");
        let yaml: String =
            config("a").lines().map(|line| if line.starts_with("  same:") { hostile.clone() } else { format!("{line}\n") }).collect();
        refused(&yaml, 422, "init");
    }
    std::fs::remove_file(site.path("tamis.yaml")).unwrap();
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!((status, &told["result"]), (422, &"refused".into()), "{told}");
    append(&site, "{\"n\":0}\n");
    eventually("the host delivers", || out(&site).len() == 1);
    assert_eq!(stamps(&site, 1), ["a"]);
    let (status, told) = post(&address, "/v1/rollback?to=7");
    assert_eq!((status, told["message"].as_str().unwrap().contains("7 is not kept")), (409, true), "{told}");
    let metrics = address.get("/metrics").unwrap().body;
    assert!(metrics.contains("tamis_reload_total{result=\"refused\"} 7"), "{metrics}");
    ended(live);
}

#[test]
fn a_thousand_reloads_under_load_lose_nothing_and_repeat_nothing() {
    const RELOADS: u64 = 1_000;
    let (site, live, address) = started(&config("g0"));
    let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let writer = {
        let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
        let mut file = OpenOptions::new().append(true).open(site.path("input.ndjson")).unwrap();
        std::thread::spawn(move || {
            let mut n = 0;
            while !stop.load(Ordering::Relaxed) {
                let lines: String = (n..n + 500).map(|n| format!("{{\"n\":{n}}}\n")).collect();
                file.write_all(lines.as_bytes()).unwrap();
                n += 500;
                written.store(n, Ordering::Relaxed);
                std::thread::sleep(Duration::from_millis(5));
            }
        })
    };
    for reload in 1..=RELOADS {
        site.config(&config(&format!("g{reload}")));
        let (status, told) = post(&address, "/v1/reload");
        assert_eq!((status, &told["result"], &told["generation"]), (200, &"applied".into(), &(reload + 1).into()), "{told}");
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    let count = written.load(Ordering::Relaxed);
    eventually_out(&site, count);
    ended(live);
    // Generations follow each other; a record belongs to one.
    let stamps = stamps(&site, count);
    let numbers: Vec<u64> = stamps.iter().map(|stamp| stamp[1..].parse().unwrap()).collect();
    assert!(numbers.is_sorted(), "a generation came back");
    let seen: std::collections::BTreeSet<_> = numbers.iter().collect();
    assert!(seen.len() > 100, "only {} generations met records: there was no load", seen.len());
    // What is kept is bounded.
    let kept = std::fs::read_dir(site.path("data/generations"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().path().extension().is_some_and(|e| e == "json"));
    assert_eq!(kept.count(), 16);
}

#[test]
fn a_reload_does_not_wait_for_a_sink_that_fails() {
    let up = Arc::new(AtomicBool::new(false));
    let server = {
        let up = Arc::clone(&up);
        Server::start(move |_| if up.load(Ordering::Relaxed) { Said::Status(200) } else { Said::Status(503) })
    };
    let yaml = |stamp: &str| {
        let sink = format!("out: {{ type: http, url: 'http://{}/', retry: {{ initial: 50ms, max: 100ms }} }}", server.address());
        config(stamp).replace("out: { type: file, path: out.ndjson }", &sink)
    };
    let (site, live, address) = started(&yaml("a"));
    append(&site, "{\"n\":0}\n");
    eventually("the sink is asked", || server.requests() > 0);
    for (n, stamp) in ["b", "c"].iter().enumerate() {
        site.config(&yaml(stamp));
        let began = Instant::now();
        let (status, told) = post(&address, "/v1/reload");
        assert_eq!((status, &told["result"]), (200, &"applied".into()), "{told}");
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        append(&site, format!("{{\"n\":{}}}\n", n + 1));
    }
    up.store(true, Ordering::Relaxed);
    eventually("everything is delivered", || server.taken().len() == 3);
    let mut taken: Vec<Value> = server.taken().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    // Requests run side by side.
    taken.sort_by_key(|record| record["n"].as_u64());
    let found: Vec<(u64, &str)> = taken.iter().map(|record| (record["n"].as_u64().unwrap(), record["g"].as_str().unwrap())).collect();
    assert!(found[0] == (0, "a") && found.iter().map(|(n, _)| *n).eq(0..3) && found.is_sorted_by_key(|(_, stamp)| *stamp), "{found:?}");
    ended(live);
}

#[test]
fn sources_and_sinks_come_and_go() {
    let (site, live, address) = started(&config("a"));
    append(&site, "{\"n\":0}\n");
    eventually("the first record is out", || out(&site).len() == 1);
    let more = "
sources: { in: { type: file, paths: [input.ndjson] }, more: { type: file, paths: [more.ndjson] } }
pipelines:
  main: { from: [in], to: [out] }
  side: { from: [more, in], to: [aside] }
sinks: { out: { type: file, path: out.ndjson }, aside: { type: file, path: aside.ndjson } }
settings: { admin: 'unix:admin.sock', lanes: 2, batch: { records: 64 }, checkpoint_interval: 50ms }";
    site.config(more);
    site.write("more.ndjson", "{\"m\":0}\n");
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!(status, 200, "{told}");
    let changed: Vec<String> = told["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| format!("{} {} {}", c["change"].as_str().unwrap(), c["part"].as_str().unwrap(), c["name"].as_str().unwrap()))
        .collect();
    for change in ["added source more", "removed plugin same", "added pipeline side", "added sink aside", "removed step main/stamp"] {
        assert!(changed.iter().any(|found| found == change), "{change}: {changed:?}");
    }
    append(&site, "{\"n\":1}\n");
    eventually("both sources are read", || site.path("aside.ndjson").exists() && site.lines("aside.ndjson").len() == 2);
    eventually("the first pipeline goes on", || out(&site).len() == 2);
    // The source that did not change was not read again.
    assert_eq!(out(&site).iter().map(|record| record["n"].as_u64().unwrap()).collect::<Vec<_>>(), [0, 1]);
    site.config(&config("b"));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!(status, 200, "{told}");
    append(&site, "{\"n\":2}\n");
    eventually("the first pipeline goes on", || out(&site).len() == 3);
    std::fs::write(site.path("more.ndjson"), "{\"m\":0}\n{\"m\":1}\n").unwrap();
    std::thread::sleep(Duration::from_millis(600));
    assert_eq!(site.lines("aside.ndjson").len(), 2, "a source that went is read no more");
    ended(live);
}

#[test]
fn requests_that_come_together_are_taken_together() {
    let (site, live, address) = started(&config("a"));
    site.config(&config("b"));
    let answers = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| answers.lock().unwrap().push(post(&address, "/v1/reload")));
        }
    });
    let answers = answers.into_inner().unwrap();
    assert!(answers.iter().all(|(status, told)| *status == 200 && told["generation"] == 2), "{answers:?}");
    assert_eq!(get(&address, "/v1/generations")["running"], 2);
    ended(live);
}

#[test]
fn a_signal_and_a_change_of_a_file_reload_too() {
    let site = Site::with(&config("a"), "");
    let live = site.start(["run", "--watch"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    site.config(&config("b"));
    eventually("the change is taken up", || get(&address, "/v1/generations")["running"] == 2);
    // A plugin's file that changes is a change as well; one with the same bytes is not.
    site.config(&config("c"));
    live.signal("HUP");
    eventually("the signal is followed", || get(&address, "/v1/generations")["running"] == 3);
    let who: Vec<Value> =
        get(&address, "/v1/generations")["history"].as_array().unwrap().iter().map(|entry| entry["who"].clone()).collect();
    assert!(who.contains(&"--watch".into()) && who.contains(&"SIGHUP".into()), "{who:?}");
    ended(live);
}

#[test]
fn a_restart_with_bad_files_comes_up_with_the_last_good_ones() {
    let (site, live, address) = started(&config("a"));
    site.config(&config("b"));
    assert_eq!(post(&address, "/v1/reload").0, 200);
    ended(live);
    site.config("sources: [");
    let live = site.start(["run"]);
    eventually("it is up", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    let ready = address.get("/readyz").unwrap().body;
    assert!(ready.starts_with("degraded: ") && ready.contains("generation 2"), "{ready}");
    append(&site, "{\"n\":0}\n");
    eventually("it delivers", || out(&site).len() == 1);
    assert_eq!(stamps(&site, 1), ["b"]);
    // Back is to another one than the one that stands in.
    let (status, told) = post(&address, "/v1/rollback");
    assert_eq!((status, told["message"].as_str()), (200, Some("generation 4 runs: generation 1 again")), "{told}");
    assert_eq!(address.get("/readyz").unwrap().body, "ready\n");
    ended(live);
    let live = site.start(["run"]);
    eventually("it is up", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    // Generation 4 is generation 1, and stands in as 5: the one before it is 2.
    let (status, told) = post(&address, "/v1/rollback");
    assert_eq!((status, told["message"].as_str()), (200, Some("generation 6 runs: generation 2 again")), "{told}");
    ended(live);
    let live = site.start(["run"]);
    eventually("it is up", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    // Mended: no longer degraded.
    site.config(&config("b"));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!((status, &told["result"]), (200, &"unchanged".into()), "{told}");
    assert_eq!(address.get("/readyz").unwrap().body, "ready\n");
    ended(live);
    // To the end of a file, there is no such mercy.
    site.config("sources: [");
    assert_eq!(site.run(["run", "--once"]).code, Some(2));
}

#[test]
fn a_plugin_that_asks_for_more_than_its_grant_stops_there_and_an_old_one_comes_back_with_its_bytes() {
    let component = site_plugin("tenant");
    let yaml = |file: &str, write: &str| {
        config("a").replace("PLUGIN(identity)", file).replace(
            "grant: { read: [m] }, config: { reads: [m] }",
            &format!("grant: {{ read: [ApiOwner], write: [{write}] }}, config: {{ owners: {{ cio: corporate }} }}"),
        )
    };
    let site = Site::with(&yaml("p.wasm", "tenant"), "");
    site.write("p.wasm", &component);
    let live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    // The file becomes another plugin, which asks for other fields.
    site.write("p.wasm", site_plugin("calls-internet"));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!(status, 422, "{told}");
    // And then one that is nobody's, while the running one goes on with its own bytes.
    site.write("p.wasm", "no component");
    site.config(&yaml("p.wasm", "tenant").replace("\"a\"", "\"b\""));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!(status, 422, "{told}");
    site.write("q.wasm", &component);
    site.config(&yaml("q.wasm", "tenant").replace("\"a\"", "\"b\""));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!(status, 200, "{told}");
    let (status, told) = post(&address, "/v1/rollback?to=1");
    assert_eq!((status, &told["result"]), (200, &"applied".into()), "{told}");
    append(&site, "{\"n\":0,\"ApiOwner\":\"cio\"}\n");
    eventually("it is out", || out(&site).len() == 1);
    assert_eq!((&out(&site)[0]["tenant"], &out(&site)[0]["g"]), (&"corporate".into(), &"a".into()));
    ended(live);
}

fn site_plugin(name: &str) -> Vec<u8> {
    std::fs::read(tamis_tests::harness::plugin(name)).unwrap()
}

#[test]
fn a_data_folder_that_is_full_keeps_no_history_and_reloads() {
    let (site, live, address) = started(&config("a"));
    // Neither a history nor a generation can be written any more.
    std::fs::remove_dir_all(site.path("data/generations")).unwrap();
    std::fs::write(site.path("data/generations"), "in the way").unwrap();
    site.config(&config("b"));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!((status, &told["result"]), (200, &"applied".into()), "{told}");
    append(&site, "{\"n\":0}\n");
    eventually("it is out", || out(&site).len() == 1);
    assert_eq!(stamps(&site, 1), ["b"]);
    ended(live);
}

#[test]
fn a_value_filled_in_does_not_come_back_in_what_a_plugin_says() {
    const SECRET: &str = "s3cr3t-value-0123456789";
    let yaml = config("a").replace("PLUGIN(identity)", "PLUGIN(redact)").replace(
        "grant: { read: [m] }, config: { reads: [m] }",
        "grant: { read: [m], write: [m] }, config: { fields: [m], mode: \"${MODE}\" }",
    );
    let site = Site::with(&yaml, "");
    for arguments in [&["check"][..], &["check", "--output", "json"], &["run", "--once"]] {
        let out = site.command(arguments).env("MODE", SECRET).output().unwrap();
        let told = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
        assert!(out.status.code() == Some(2) && told.contains("init") && !told.contains("s3cr3t"), "{told}");
    }
}

#[test]
fn a_pipe_for_a_component_does_not_hold_reloads_up_and_a_damaged_history_is_read() {
    let (site, live, address) = started(&config("a"));
    assert!(std::process::Command::new("mkfifo").arg(site.path("pipe.wasm")).status().unwrap().success());
    site.config(&config("a").replace("PLUGIN(identity)", "pipe.wasm"));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!((status, told.to_string().contains("found a pipe")), (422, true), "{told}");
    let history = site.path("data/generations/history.ndjson");
    OpenOptions::new().append(true).open(&history).unwrap().write_all(b"a\xff\n{\"generation\":9,\"ti\n").unwrap();
    site.config(&config("b"));
    let (status, told) = post(&address, "/v1/reload");
    assert_eq!((status, &told["generation"]), (200, &2.into()), "{told}");
    let told = get(&address, "/v1/generations");
    assert_eq!((&told["running"], told["history"].as_array().unwrap().len()), (&2.into(), 3), "{told}");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(history).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    ended(live);
}

#[test]
fn versions_of_plugins_and_broken_configurations_take_turns_under_load() {
    use tamis_tests::reloads::{Load, Plan, run, table};
    let plan = Plan { load: Load::Paced(2_000), reloads: 100, fresh: false, pause: Duration::from_millis(20) };
    for plan in [plan, Plan { load: Load::Full, ..plan }] {
        let figures = run(&plan).unwrap();
        assert_eq!(figures.problems(), Vec::<String>::new(), "{}", table(&[figures]));
        assert_eq!((figures.reloads, figures.refused), (100, 50));
        // What a swap adds is measured by `make reload-proof`, on a machine that does nothing else.
        assert!(figures.added_ms() < 1_000.0, "{}", table(&[figures]));
    }
}

#[test]
fn an_upgrade_is_told_by_its_versions_and_stops_where_it_asks_for_more() {
    use tamis_tests::reloads::components::stamp;
    let yaml = |read: &str| {
        let plugin = format!("  tenant: {{ component: tenant.wasm, grant: {{ read: [{read}], write: [by] }} }}\n");
        let lines = config("a").replace("plugin: same", "plugin: tenant");
        lines.lines().map(|line| if line.starts_with("  same:") { plugin.clone() } else { format!("{line}\n") }).collect::<String>()
    };
    let site = Site::with(&yaml(""), "");
    site.write("tenant.wasm", stamp("1.2.0", false).unwrap());
    let live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));

    const LINE: &str = "plugin `tenant` 1.2.0 → 1.3.0 asks to read `AppliOwner`: not granted";
    site.write("tenant.wasm", stamp("1.3.0", true).unwrap());
    for arguments in [&["reload"][..], &["reload", "--dry-run"], &["reload", "--shadow", "5%"], &["reload", "--canary", "5%"]] {
        let run = site.run(arguments);
        assert_eq!(run.code, Some(1), "{run}");
        let refused = format!("refused: not sound, generation 1 goes on: tamis.yaml:5:3: {LINE}");
        assert!(run.text().starts_with(&refused), "{refused}: {run}");
        // The cure is told with the line that it is for.
        assert!(run.err.contains(LINE) && run.err.contains("grant: { read: [AppliOwner], write: [by] }"), "{run}");
    }
    append(&site, "{\"n\":0}\n");
    eventually("it is out", || out(&site).len() == 1);
    assert_eq!(out(&site)[0]["by"], "stamp 1.2.0");

    site.config(&yaml("AppliOwner"));
    let run = site.run(["reload", "--dry-run"]);
    assert!(
        run.code == Some(0) && run.text().contains("  ~ plugin tenant: 1.2.0 → 1.3.0; now reads `AppliOwner`; its grant changes\n"),
        "{run}"
    );
    let run = site.run(["reload"]);
    assert_eq!(run.code, Some(0), "{run}");
    append(&site, "{\"n\":1}\n");
    eventually("it is out", || out(&site).len() == 2);
    assert_eq!(out(&site)[1]["by"], "stamp 1.3.0");
    // The same version in other bytes, and one that says nothing of itself: digests tell them apart.
    site.write("tenant.wasm", tamis_tests::harness::with_section(&stamp("1.3.0", true).unwrap(), "description", Some(b"other")));
    let run = site.run(["reload"]);
    assert!(run.code == Some(0) && run.text().contains("~ plugin tenant: 1.3.0 (sha256:"), "{run}");
    site.write("tenant.wasm", tamis_tests::harness::with_section(&stamp("1.3.0", true).unwrap(), "version", None));
    let run = site.run(["reload"]);
    assert!(run.code == Some(0) && run.text().contains(") → sha256:"), "{run}");
    let run = site.run(["rollback", "--to", "1"]);
    assert!(run.code == Some(0) && run.text().contains("; no longer reads `AppliOwner`"), "{run}");
    ended(live);
}
