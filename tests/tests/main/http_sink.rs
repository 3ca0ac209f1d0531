//! A web server as a sink, and every way in which it may answer: what was sent is what it took and what is among the dead
//! letters.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tamis_tests::harness::{Request, Run, Said, Server, Site};

const COUNT: usize = 500;

fn config(address: &str, options: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [web], dead_letters: [failed] }} }}
sinks:
  web: {{ type: http, url: 'http://{address}/in', {options} batch: {{ records: 64, age: 0s }}, retry: {{ initial: 10ms, max: 200ms }} }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off, lanes: 2, batch: {{ records: 64 }} }}"
    )
}

fn input() -> String {
    (0..COUNT).map(|n| format!("{{\"n\":{n},\"kind\":\"{}\"}}\n", if n % 100 == 7 { "bad" } else { "good" })).collect()
}

fn number(line: &str) -> usize {
    serde_json::from_str::<serde_json::Value>(line).unwrap()["n"].as_u64().unwrap() as usize
}

/// Runs to the end against a server. Gives how often each record was taken, and which are dead letters.
fn against(options: &str, behaviour: impl Fn(&Request) -> Said + Send + Sync + 'static) -> (Run, BTreeMap<usize, usize>, Vec<usize>) {
    let server = Server::start(behaviour);
    let site = Site::with(&config(&server.address(), options), input());
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    let mut taken = BTreeMap::new();
    server.taken().iter().for_each(|line| *taken.entry(number(line)).or_default() += 1);
    let letters = site.letters("failed.ndjson");
    for letter in &letters {
        assert_eq!(letter.cause(), "sink");
        let offset = letter.value["origin"]["position"]["offset"].as_u64().unwrap() as usize;
        assert!(input()[offset..].starts_with(letter.record()), "its place in the input");
    }
    let letters: Vec<usize> = letters.iter().map(|letter| number(letter.record())).collect();
    let report = run.report().conserved();
    assert_eq!(report.flow("main").out, COUNT as u64, "{run}");
    assert_eq!(report.dead("main", "sink"), letters.len() as u64, "{run}");
    for n in 0..COUNT {
        assert_eq!(taken.contains_key(&n), !letters.contains(&n), "record {n} is taken or among the dead letters: {run}");
    }
    (run, taken, letters)
}

#[test]
fn delivered_once_where_all_is_well() {
    for options in ["", "format: ndjson, concurrency: 1,", "concurrency: 16,"] {
        let (run, taken, letters) = against(options, |_| Said::Status(204));
        assert!(letters.is_empty() && taken.values().all(|times| *times == 1), "{run}");
    }
}

#[test]
fn what_may_pass_is_tried_again() {
    for answer in [Said::Status(500), Said::Status(503), Said::Status(408), Said::Close] {
        let (_, taken, letters) = against("", move |request| if request.number < 5 { answer.clone() } else { Said::Status(200) });
        assert!(letters.is_empty() && taken.values().all(|times| *times == 1), "{taken:?}");
    }
}

#[test]
fn an_answer_that_breaks_off_or_comes_late_is_none() {
    let (_, taken, letters) = against("", |request| if request.number < 3 { Said::Truncated } else { Said::Status(200) });
    assert!(letters.is_empty());
    let repeated = taken.values().filter(|times| **times > 1).count();
    assert!((1..=3 * 64).contains(&repeated), "{repeated} repeated");
    let late = |request: &Request| if request.number < 3 { Said::Slow(Duration::from_millis(700)) } else { Said::Status(200) };
    let (run, _, letters) = against("timeout: 200ms,", late);
    assert!(letters.is_empty(), "{run}");
}

#[test]
fn a_server_that_asks_for_time_gets_it() {
    let asked: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let times = Arc::clone(&asked);
    let (_, taken, letters) = against("concurrency: 1,", move |request| {
        times.lock().unwrap().push(Instant::now());
        if request.number == 0 { Said::With(429, "Retry-After: 1".into()) } else { Said::Status(200) }
    });
    assert!(letters.is_empty() && taken.len() == COUNT);
    let asked = asked.lock().unwrap();
    assert!(asked[1] - asked[0] >= Duration::from_secs(1), "{:?}", asked[1] - asked[0]);
}

#[test]
fn one_bad_record_does_not_take_the_others_with_it() {
    for status in [400, 422] {
        let (_, _, mut letters) = against("", move |request| {
            let bad = request.lines().iter().any(|line| line.contains("\"bad\""));
            Said::Status(if bad { status } else { 200 })
        });
        letters.sort_unstable();
        assert_eq!(letters, [7, 107, 207, 307, 407], "{status}");
    }
}

#[test]
fn a_batch_too_large_is_halved() {
    let (_, taken, letters) = against("", |request| Said::Status(if request.lines().len() > 10 { 413 } else { 200 }));
    assert!(letters.is_empty() && taken.values().all(|times| *times == 1));
}

#[test]
fn what_the_server_refuses_is_kept() {
    for status in [401, 403, 404, 301] {
        let (_, taken, letters) = against("", move |_| Said::Status(status));
        assert_eq!((taken.len(), letters.len()), (0, COUNT), "{status}");
    }
}

#[test]
fn the_budget_of_repetitions_ends() {
    let server = Server::start(|_| Said::Status(500));
    let config = config(&server.address(), "").replace("max: 200ms", "max: 200ms, give_up_after: 1s");
    let site = Site::with(&config, input());
    let run = site.once();
    assert_eq!((run.code, site.letters("failed.ndjson").len()), (Some(0), COUNT), "{run}");
    let expected =
        format!("sink `web`: given up after the time of `retry.give_up_after`: `http://{}/in`: the server answered 500", server.address());
    assert_eq!(site.letters("failed.ndjson")[0].reason(), expected);
}

#[test]
fn a_dead_letter_says_where_and_what_to_look_at() {
    for (status, advice) in [
        (401, ": it does not know who asks: look at `auth` and `headers`"),
        (404, ": nothing takes records there: look at the address and its path"),
        (400, ": it does not take a record, or not this many"),
        (451, ""),
    ] {
        let server = Server::start(move |_| Said::Status(status));
        let config = config(&server.address(), "").replace("http://", "http://user:hush@").replace("/in'", "/in?token=hush'");
        let site = Site::with(&config, "{\"n\":1}\n");
        let run = site.once();
        let letters = site.letters("failed.ndjson");
        let expected = format!("sink `web`: `http://{}/in`: the server answered {status}{advice}", server.address());
        assert_eq!((run.code, letters.len(), letters[0].reason()), (Some(0), 1, expected.as_str()), "{run}");
    }
}

#[test]
fn a_server_that_is_away_is_told_seldom_and_with_its_address() {
    let server = Server::start(|request| if request.number < 30 { Said::Status(503) } else { Said::Status(200) });
    let site = Site::with(&config(&server.address(), ""), input());
    let run = site.once();
    let told: Vec<&str> = run.err.lines().filter(|line| line.contains("cannot deliver")).collect();
    assert_eq!((run.code, told.len()), (Some(0), 1), "{run}");
    let expected = format!("`http://{}/in`: the server answered 503", server.address());
    assert!(told[0].contains("trying again in ") && told[0].contains(&expected), "{run}");
}

#[test]
fn dead_letters_of_a_sink_that_refuses_them_too_are_kept_in_the_data_folder() {
    let server = Server::start(|_| Said::Status(403));
    let config = config(&server.address(), "").replace("dead_letters: [failed]", "dead_letters: [web]");
    let site = Site::with(&config, input());
    let run = site.once();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.letters("data/dead_letters/main.ndjson").len(), COUNT, "{run}");
}

#[test]
fn formats_and_headers_arrive() {
    let seen: Arc<Mutex<Vec<Request>>> = Arc::default();
    let requests = Arc::clone(&seen);
    let server = Server::start(move |request| {
        requests.lock().unwrap().push(request.clone());
        Said::Status(200)
    });
    let options = "format: json, compression: gzip, method: PUT, headers: { X-Key: '${KEY}' }, concurrency: 1,";
    let site = Site::with(&config(&server.address(), options), "{\"n\":1}\n{\"n\":2}\n");
    let mut command = site.command(["run", "--once"]);
    command.env("KEY", "s3cret");
    let output = command.output().unwrap();
    assert!(output.status.success() && !String::from_utf8_lossy(&output.stderr).contains("s3cret"));
    let seen = seen.lock().unwrap();
    let [request] = seen.as_slice() else { panic!("one request") };
    for line in ["put /in http/1.1", "x-key: s3cret", "content-type: application/json", "content-encoding: gzip", "user-agent: tamis/"] {
        assert!(request.head.contains(line), "{line} in {}", request.head);
    }
    assert_eq!(request.body[..2], [0x1f, 0x8b]);
}

/// A sink that is down holds its own pipeline up, and no other.
#[test]
fn a_dead_sink_stops_only_its_own_pipelines() {
    let up = Arc::new(AtomicBool::new(false));
    let state = Arc::clone(&up);
    let server = Server::start(move |_| Said::Status(if state.load(Ordering::SeqCst) { 200 } else { 500 }));
    let yaml = format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }}, other: {{ type: file, paths: [other.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [web] }}, side: {{ from: [other], to: [out] }} }}
sinks:
  web: {{ type: http, url: 'http://{}/in', retry: {{ initial: 10ms, max: 100ms }} }}
  out: {{ type: file, path: out.ndjson }}
settings: {{ admin: off, lanes: 2, batch: {{ records: 64 }} }}",
        server.address()
    );
    let many: String = (0..20_000).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let site = Site::with(&yaml, &many);
    site.write("other.ndjson", &many);
    let live = site.start(["run"]);
    tamis_tests::harness::eventually("the other pipeline is through", || site.lines("out.ndjson").len() == 20_000);
    assert!(live.memory_bytes_peak() < 200 << 20, "bounded: {}", live.memory_bytes_peak());
    assert!(server.taken().is_empty());
    up.store(true, Ordering::SeqCst);
    tamis_tests::harness::eventually("the first one is through", || server.taken().len() >= 20_000);
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}

/// What was not delivered at the end is counted, and comes again after a restart: nothing else does.
#[test]
fn a_stop_while_the_sink_is_down_loses_nothing() {
    let up = Arc::new(AtomicBool::new(true));
    let state = Arc::clone(&up);
    let server = Server::start(move |_| Said::Status(if state.load(Ordering::SeqCst) { 200 } else { 503 }));
    let yaml = config(&server.address(), "concurrency: 1,").replace("settings: {", "settings: { shutdown_timeout: 1s,");
    let site = Site::with(&yaml, input());
    let live = site.start(["run"]);
    tamis_tests::harness::eventually("the first part is delivered", || server.taken().len() == COUNT);
    up.store(false, Ordering::SeqCst);
    let more: String = (COUNT..2 * COUNT).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let whole = input() + &more;
    // The same file grows: what is there already keeps its place.
    let mut file = std::fs::OpenOptions::new().append(true).open(site.path("input.ndjson")).unwrap();
    std::io::Write::write_all(&mut file, more.as_bytes()).unwrap();
    assert_eq!(std::fs::read_to_string(site.path("input.ndjson")).unwrap(), whole);
    tamis_tests::harness::eventually("it is tried", || server.requests() > 10);
    let started = Instant::now();
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(4), "{run}");
    assert!(run.err.contains("records were read and not delivered"), "{run}");
    assert!((1..6).contains(&started.elapsed().as_secs()), "{:?}", started.elapsed());
    up.store(true, Ordering::SeqCst);
    let run = site.run(["run", "--once"]);
    assert_eq!(run.code, Some(0), "{run}");
    let mut taken: Vec<usize> = server.taken().iter().map(|line| number(line)).collect();
    taken.sort_unstable();
    assert_eq!(taken, (0..2 * COUNT).collect::<Vec<_>>(), "each once: {run}");
}

/// A second signal ends at once.
#[test]
fn a_second_signal_ends_at_once() {
    let server = Server::start(|_| Said::Status(503));
    let site = Site::with(&config(&server.address(), ""), input());
    let live = site.start(["run"]);
    tamis_tests::harness::eventually("it is tried", || server.requests() > 2);
    live.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    let started = Instant::now();
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(4), "{run}");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

/// More sources wait for the dead sink than there are lanes, with more under way than its queue holds: the lanes are free.
#[test]
fn no_lane_waits_for_a_dead_sink() {
    let server = Server::start(|_| Said::Status(500));
    let sources: String = (0..4).map(|n| format!("  in{n}: {{ type: file, paths: [input.ndjson] }}\n")).collect();
    let yaml = format!(
        "
sources:
{sources}  other: {{ type: file, paths: [other.ndjson] }}
pipelines:
  main: {{ from: [in0, in1, in2, in3], to: [web] }}
  side: {{ from: [other], to: [out] }}
sinks:
  web: {{ type: http, url: 'http://{}/in', buffer: {{ memory: 64KiB }}, retry: {{ initial: 10ms, max: 100ms }} }}
  out: {{ type: file, path: out.ndjson }}
settings: {{ admin: off, lanes: 1, batch: {{ records: 256 }}, shutdown_timeout: 1s }}",
        server.address()
    );
    let many: String = (0..20_000).map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(400))).collect();
    let site = Site::with(&yaml, &many);
    let live = site.start(["run"]);
    tamis_tests::harness::eventually("the sink is tried", || server.requests() > 4);
    std::thread::sleep(Duration::from_millis(500));
    site.write("other.ndjson", &many);
    tamis_tests::harness::eventually("the other pipeline is through", || site.lines("out.ndjson").len() == 20_000);
    assert!(live.memory_bytes_peak() < 200 << 20, "bounded: {}", live.memory_bytes_peak());
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(4));
}
