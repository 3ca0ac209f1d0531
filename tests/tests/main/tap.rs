//! Live records of a running host, before and after a step.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::time::{Duration, Instant};
use tamis_tests::harness::{Address, Live, Site, Stream, eventually, request};

const STEPS: &str = "
      - { name: tenant, plugin: tenant }
      - { name: mark, vrl: '.mark = .ApiOwner; .nested = {\"list\": [{\"secret\": .ApiName, \"n\": 1}]}; del(.userAgent)' }
      - { name: sieve, filter: '.HTTP_ReturnCode == 200' }
      - { name: split, route: { fast: '.responseLatency < 100' } }";

fn config(source: &str, steps: &str, tap: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: demo, {source} }} }}
plugins:
  tenant:
    component: PLUGIN(tenant)
    grant: {{ read: [ApiOwner], write: [tenant] }}
    config: {{ owners: {{ cio: corporate }}, default: other }}
pipelines:
  main:
    from: [in]
    steps:{steps}
    to: {{ default: [out], fast: [fast] }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, fast: {{ type: file, path: fast.ndjson }} }}
settings: {{ admin: 'unix:admin.sock', lanes: 2, tap: {tap} }}"
    )
}

fn start(config: &str) -> (Site, Live, Address) {
    let site = Site::with(config, "");
    let live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    (site, live, address)
}

/// Somebody who taps.
struct Viewer(BufReader<Box<dyn Stream>>);

impl Viewer {
    fn open(address: &Address, query: &str) -> Self {
        let mut stream = address.connect().unwrap();
        stream.write_all(format!("GET /v1/tap?{query} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes()).unwrap();
        let mut viewer = Self(BufReader::new(stream));
        assert!(viewer.line().starts_with("HTTP/1.0 200"), "{query}");
        while viewer.line() != "\r\n" {}
        assert_eq!(viewer.next()["event"], "tapping");
        viewer
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream has ended");
        line
    }

    fn next(&mut self) -> Value {
        loop {
            let line = self.line();
            if let Some(data) = line.strip_prefix("data: ") {
                return serde_json::from_str(data).unwrap();
            }
        }
    }

    /// The next event of this name, whatever comes before it.
    fn until(&mut self, event: &str) -> Value {
        let began = Instant::now();
        loop {
            let next = self.next();
            if next["event"] == event {
                return next;
            }
            assert!(began.elapsed() < Duration::from_secs(30), "no `{event}`, but {next}");
        }
    }

    fn samples(&mut self, count: usize) -> Vec<Value> {
        (0..count).map(|_| self.until("sample")).collect()
    }
}

fn without(record: &Value, fields: &[&str]) -> Value {
    let mut record = record.clone();
    fields.iter().for_each(|field| drop(record.as_object_mut().unwrap().remove(*field)));
    record
}

#[test]
fn every_kind_of_step_is_shown_as_it_is() {
    let (_site, live, address) = start(&config("rate: 20000", STEPS, "{ rate_max: 1000 }"));
    for sample in Viewer::open(&address, "pipeline=main&step=tenant&rate=100").samples(50) {
        let (before, after) = (&sample["before"], &sample["after"]);
        let tenant = if before["ApiOwner"].as_str().is_some_and(|owner| owner.eq_ignore_ascii_case("cio")) { "corporate" } else { "other" };
        assert_eq!((&sample["outcome"], &sample["source"], &sample["generation"]), (&json!("passed"), &json!("in"), &json!(1)));
        assert_eq!((after["tenant"].as_str(), before.get("tenant")), (Some(tenant), None));
        assert_eq!((&without(after, &["tenant"]), &sample["changed"]), (before, &json!(["tenant"])));
    }
    for sample in Viewer::open(&address, "pipeline=main&step=mark&rate=100").samples(50) {
        let (before, after) = (&sample["before"], &sample["after"]);
        assert!(before["tenant"].is_string(), "what the step before wrote is there: {sample}");
        assert_eq!((&after["mark"], &after["nested"]["list"][0]["secret"]), (&before["ApiOwner"], &before["ApiName"]));
        assert_eq!(without(after, &["mark", "nested"]), without(before, &["userAgent"]));
    }
    let samples = Viewer::open(&address, "pipeline=main&step=sieve&rate=1000").samples(300);
    for sample in &samples {
        let passes = sample["before"]["HTTP_ReturnCode"] == 200;
        assert_eq!(sample["outcome"], if passes { "passed" } else { "dropped" }, "{sample}");
        assert_eq!(sample["after"], if passes { sample["before"].clone() } else { Value::Null });
    }
    assert!(samples.iter().any(|sample| sample["outcome"] == "dropped"));
    let samples = Viewer::open(&address, "pipeline=main&step=split&rate=100").samples(100);
    for sample in &samples {
        let fast = sample["before"]["responseLatency"].as_f64().is_some_and(|latency| latency < 100.0);
        assert_eq!(sample["output"], if fast { json!("fast") } else { Value::Null }, "{sample}");
    }
    assert!(samples.iter().any(|sample| sample["output"] == "fast"));
    let samples = Viewer::open(&address, "pipeline=main&rate=1000").samples(300);
    for sample in &samples {
        let before = &sample["before"];
        assert!(before.get("tenant").is_none() && before.get("mark").is_none(), "{sample}");
        if before["HTTP_ReturnCode"] == 200 {
            let fast = before["responseLatency"].as_f64().is_some_and(|latency| latency < 100.0);
            assert_eq!((&sample["outcome"], &sample["output"]), (&json!("passed"), &json!(if fast { "fast" } else { "default" })));
            assert_eq!(without(&sample["after"], &["tenant", "mark", "nested"]), without(before, &["userAgent"]));
        } else {
            assert_eq!((&sample["outcome"], &sample["by"], &sample["after"]), (&json!("dropped"), &json!("sieve"), &Value::Null));
        }
    }
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}

#[test]
fn hidden_fields_are_hidden_from_viewers_and_from_their_filters() {
    let (site, _live, address) = start(&config("rate: 5000", STEPS, "{ hide: [ApiOwner, nested.list.secret, destination.url, mark] }"));
    for sample in Viewer::open(&address, "pipeline=main&step=mark&rate=100").samples(30) {
        let (before, after) = (&sample["before"], &sample["after"]);
        for record in [before, after] {
            assert_eq!(record["ApiOwner"], "[hidden]", "{sample}");
            if record["destination"].get("url").is_some() {
                assert_eq!(record["destination"]["url"], "[hidden]");
            }
        }
        assert_eq!((&after["nested"], &after["mark"]), (&json!({"list": [{"secret": "[hidden]", "n": 1}]}), &json!("[hidden]")));
        let changed: Vec<&str> = sample["changed"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
        assert!(changed.contains(&"mark") && changed.contains(&"nested"), "names stay: {changed:?}");
    }
    // Whoever may not see a field may not ask for it either.
    let mut viewer = Viewer::open(&address, "pipeline=main&filter=.ApiOwner%20%3D%3D%20%22%5Bhidden%5D%22");
    viewer.samples(3);
    // A reload that hides more holds for taps that are open.
    site.config(&config("rate: 5000", STEPS, "{ hide: [ApiOwner, ApiName, nested, mark] }"));
    assert_eq!(post(&address, "/v1/reload")["result"], "applied");
    while viewer.until("tapping")["generation"] != 2 {}
    for sample in viewer.samples(5) {
        assert_eq!(sample["before"]["ApiName"], "[hidden]", "{sample}");
    }
}

fn post(address: &Address, path: &str) -> Value {
    let text = format!("POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let answer = request(address, &text).unwrap();
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {answer:?}"))
}

#[test]
fn a_filter_chooses_and_the_rate_is_a_bound() {
    let (_site, _live, address) = start(&config("rate: 20000", STEPS, "{}"));
    let mut viewer = Viewer::open(&address, "pipeline=main&step=sieve&rate=20&filter=.HTTP_ReturnCode%20%21%3D%20200");
    let began = Instant::now();
    let samples = viewer.samples(100);
    let took = began.elapsed().as_secs_f64();
    assert!(samples.iter().all(|sample| sample["before"]["HTTP_ReturnCode"] != 200 && sample["outcome"] == "dropped"));
    assert!(took >= 3.9, "100 records at 20 a second, 20 of them at once, in {took} s");
    let mut viewer = Viewer::open(&address, "pipeline=main&step=mark&rate=50");
    let began = Instant::now();
    let mut count = 0;
    while began.elapsed() < Duration::from_secs(4) {
        viewer.until("sample");
        count += 1;
    }
    assert!((150..=252).contains(&count), "50 a second for 4 s and a second's worth at the beginning: {count}");
}

#[test]
fn a_viewer_that_never_reads_changes_nothing() {
    const COUNT: usize = 400_000;
    let source = format!("rate: unlimited, count: {COUNT}, seed: 7");
    let plain = Site::with(&config(&source, STEPS, "{}"), "");
    assert_eq!(plain.once().code, Some(0));
    let site = Site::with(&config(&format!("rate: 100000, count: {COUNT}, seed: 7"), STEPS, "{ rate_max: 1000 }"), "");
    let live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    let viewers: Vec<_> = ["tenant", "mark", "sieve", "split"]
        .iter()
        .cycle()
        .take(12)
        .map(|step| {
            let mut stream = address.connect().unwrap();
            let text = format!("GET /v1/tap?pipeline=main&rate=1000&step={step} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            stream.write_all(text.as_bytes()).unwrap();
            stream
        })
        .collect();
    eventually("all is delivered", || {
        let status = address.get("/v1/status").unwrap().body;
        serde_json::from_str::<Value>(&status).unwrap()["sources"][0]["settled"].as_u64() == Some(COUNT as u64)
    });
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(run.err.matches("somebody looks at the records of").count(), viewers.len(), "{run}");
    drop(viewers);
    for file in ["out.ndjson", "fast.ndjson"] {
        assert!(site.read(file) == plain.read(file), "{file} differs");
    }
}

#[test]
fn a_tap_goes_on_across_reloads() {
    let (site, mut live, address) = start(&config("rate: 5000", STEPS, "{}"));
    let mut viewer = Viewer::open(&address, "pipeline=main&step=mark&rate=50");
    assert_eq!(viewer.until("sample")["generation"], 1);
    site.config(&config("rate: 5000", &STEPS.replace(".mark = .ApiOwner", ".mark = \"second\""), "{}"));
    assert_eq!(post(&address, "/v1/reload")["result"], "applied");
    assert_eq!(viewer.until("tapping")["generation"], 2);
    let sample = std::iter::repeat_with(|| viewer.until("sample")).find(|sample| sample["generation"] == 2).unwrap();
    assert_eq!(sample["after"]["mark"], "second");
    site.config(&config("rate: 5000", &STEPS.replace("name: mark", "name: other"), "{}"));
    assert_eq!(post(&address, "/v1/reload")["result"], "applied");
    let waiting = viewer.until("waiting");
    assert!(waiting["reason"].as_str().unwrap().contains("no step `mark`"), "{waiting}");
    site.config(&config("rate: 5000", STEPS, "{}"));
    assert_eq!(post(&address, "/v1/reload")["result"], "applied");
    assert_eq!(viewer.until("tapping")["generation"], 4);
    while viewer.until("sample")["generation"] != 4 {}
    assert!(live.runs());
    live.signal("TERM");
    assert_eq!(viewer.until("end")["reason"], "the host has ended");
    assert_eq!(live.wait().code, Some(0));
}

#[test]
fn what_cannot_be_tapped_is_refused() {
    let (_site, _live, address) = start(&config("rate: 100", STEPS, "{ rate_max: 50 }"));
    let get = |query: &str| {
        let answer = address.get(&format!("/v1/tap{query}")).unwrap();
        (answer.status, serde_json::from_str::<Value>(&answer.body).unwrap())
    };
    let (status, answer) = get("?pipeline=nope");
    assert_eq!((status, &answer["known"]), (404, &json!(["main"])), "{answer}");
    let (status, answer) = get("?pipeline=main&step=nope");
    assert_eq!((status, &answer["known"]), (404, &json!(["tenant", "mark", "sieve", "split"])), "{answer}");
    for (query, message) in [
        ("?pipeline=main&filter=.a%20%3D", "syntax error"),
        ("?pipeline=main&filter=.a%20%2B%201", "VRL"),
        ("?pipeline=main&rate=51", "1 to 50"),
        ("?pipeline=main&rate=0", "1 to 50"),
        ("?pipeline=main&rate=-1", "expected"),
        ("?pipeline=main&other=1", "other"),
        ("", "pipeline"),
    ] {
        let (status, answer) = get(query);
        assert_eq!(status, 400, "{query}: {answer}");
        assert!(answer["error"].as_str().unwrap().contains(message), "{query}: {answer}");
    }
    let mut viewers: Vec<Viewer> = (0..16).map(|_| Viewer::open(&address, "pipeline=main")).collect();
    assert_eq!(get("?pipeline=main").0, 429);
    assert_eq!(address.get("/v1/status").unwrap().status, 200, "the rest of the API is there as ever");
    viewers.pop();
    eventually("there is room again", || {
        let mut stream = address.connect().unwrap();
        stream.write_all(b"GET /v1/tap?pipeline=main HTTP/1.0\r\nHost: localhost\r\n\r\n").unwrap();
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).unwrap();
        line.contains("200")
    });
}

#[test]
fn dead_letters_and_what_is_no_record_are_shown_with_their_reason() {
    let site = Site::new();
    site.config(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins: { hostile: { component: PLUGIN(hostile), grant: { read: [message], write: [.] }, config: error poison } }
pipelines: { main: { from: [in], steps: [ { name: s, plugin: hostile } ], to: { default: [out], errors: [] } } }
sinks: { out: { type: 'null' } }
settings: { admin: 'unix:admin.sock', lanes: 1 }",
    );
    let _live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    let (mut step, mut whole) = (Viewer::open(&address, "pipeline=main&step=s"), Viewer::open(&address, "pipeline=main"));
    site.write("input.ndjson", "{\"message\":\"poison\"}\n{ no JSON\n");
    let sample = step.until("sample");
    assert_eq!((&sample["outcome"], &sample["cause"], &sample["after"]), (&json!("rejected"), &json!("reject"), &Value::Null), "{sample}");
    let samples = whole.samples(2);
    let told = |before: Value, cause: &str, by: Value| {
        let found = samples.iter().find(|sample| sample["before"] == before).unwrap_or_else(|| panic!("{before}: {samples:?}"));
        assert_eq!((&found["outcome"], &found["cause"], &found["by"]), (&json!("rejected"), &json!(cause), &by), "{found}");
        assert!(found["reason"].is_string());
    };
    told(json!({"message": "poison"}), "reject", json!("s"));
    told(json!("{ no JSON"), "decode", Value::Null);
}

#[test]
fn the_command_shows_what_changes() {
    let (site, live, _address) = start(&config("rate: 1000", STEPS, "{ hide: [ApiName] }"));
    let run = site.run(["tap", "main/tenant", "--limit", "3", "--admin", "unix:admin.sock"]);
    assert_eq!(run.code, Some(0), "{run}");
    let text = run.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 12, "{run}");
    assert!(lines[0].ends_with("main/tenant  generation 1, from in: passed, changed"), "{run}");
    assert!(lines[1].starts_with("  before  {") && lines[2].starts_with("  after   {") && lines[3].starts_with("  + tenant: "), "{run}");
    assert!(lines[1].contains("\"ApiName\":\"[hidden]\"") && run.err.contains("hidden: ApiName"), "{run}");
    let run =
        site.run(["tap", "main", "--limit", "2", "--admin", "unix:admin.sock", "--output", "json", "--filter", ".HTTP_ReturnCode == 200"]);
    assert_eq!(run.code, Some(0), "{run}");
    let events: Vec<Value> = run.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.iter().map(|event| event["event"].as_str().unwrap()).collect::<Vec<_>>(), ["tapping", "sample", "sample"]);
    for (arguments, code, message) in [
        (&["nope"][..], 1, "there is `main`"),
        (&["main/nope"], 1, "`sieve`"),
        (&["main", "--filter", ".a ="], 1, "syntax error"),
        (&["main", "--rate", "500"], 1, "1 to 100"),
        (&["main", "--admin", "unix:gone.sock"], 3, "nobody answers"),
        (&["main", "--admin", "nonsense"], 2, "host:port"),
    ] {
        let mut command = site.command(["tap"]);
        command.env("TAMIS_ADMIN", "unix:admin.sock").args(arguments);
        let run = Live::start(command).wait();
        assert_eq!(run.code, Some(code), "{run}");
        assert!(run.err.contains(message), "{run}");
    }
    let interrupted = site.start(["tap", "main", "--admin", "unix:admin.sock"]);
    eventually("it shows something", || interrupted.out().contains("before"));
    interrupted.signal("INT");
    assert_eq!(interrupted.wait().code, Some(130));
    let left = site.start(["tap", "main", "--admin", "unix:admin.sock"]);
    eventually("it shows something", || left.out().contains("before"));
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
    let left = left.wait();
    assert_eq!((left.code, left.err.contains("the host has ended")), (Some(0), true), "{left}");
}
