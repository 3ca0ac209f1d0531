//! `healthcheck`: a sink that nobody answers keeps the host from starting, and a reload from taking over.

use crate::reload::{append, eventually_out, post};
use std::time::{Duration, Instant};
use tamis_tests::harness::{Address, NatsServer, Said, Server, Site, Store, elastic_is_installed, eventually, free_port};

fn config(sink: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks:
  out: {{ type: file, path: out.ndjson }}
{sink}
settings: {{ admin: 'unix:admin.sock', lanes: 1, shutdown_timeout: 1s }}"
    )
    .replace("to: [out]", if sink.is_empty() { "to: [out]" } else { "to: [out, far]" })
}

/// What a run says that must not start.
#[track_caller]
fn refused(sink: &str, address: &str, why: &str) {
    let site = Site::with(&config(sink), "{\"n\":1}\n");
    let run = site.run(["run", "--once"]);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.err.contains("sink `far` is not healthy: "), "{run}");
    for text in [address, why, "remove `healthcheck`"] {
        assert!(run.err.contains(text), "`{text}` was expected: {run}");
    }
    assert!(site.read("out.ndjson").is_empty(), "no source has begun: {run}");
}

#[track_caller]
fn starts(sink: &str) {
    let site = Site::with(&config(sink), "");
    let run = site.run(["run", "--once"]);
    assert_eq!(run.code, Some(0), "{run}");
}

#[test]
fn nobody_there_is_exit_3_with_the_address_and_what_to_do() {
    let port = free_port();
    for sink in [
        format!("type: http, url: 'http://127.0.0.1:{port}/in'"),
        format!("type: elasticsearch, urls: ['http://127.0.0.1:{port}'], index: i"),
        format!("type: loki, url: 'http://127.0.0.1:{port}', labels: {{ a: b }}"),
        format!("type: otlp, endpoint: 'http://127.0.0.1:{port}'"),
        format!("type: otlp, protocol: grpc, endpoint: 'http://127.0.0.1:{port}'"),
        format!("type: kafka, brokers: ['127.0.0.1:{port}'], topic: t, batch: {{ records: 10 }}"),
        format!("type: nats, servers: ['nats://127.0.0.1:{port}'], subject: s"),
    ] {
        refused(&format!("  far: {{ {sink}, timeout: 1s, healthcheck: true }}"), &format!("127.0.0.1:{port}"), "");
        let site = Site::with(&config(&format!("  far: {{ {sink}, timeout: 1s, healthcheck: true }}")), "");
        assert_eq!(site.run(["check"]).code, Some(0), "`check` asks nobody");
    }
}

#[test]
fn what_a_server_answers_decides() {
    for (status, well) in
        [(200, true), (204, true), (404, true), (405, true), (401, false), (403, false), (429, false), (500, false), (503, false)]
    {
        let server = Server::start(move |request| Said::Status(if request.head.starts_with("head /in ") { status } else { 400 }));
        let sink = format!("  far: {{ type: http, url: 'http://{}/in', healthcheck: true }}", server.address());
        if well {
            starts(&sink)
        } else {
            let advice = match status {
                401 => ": it does not know who asks: look at `auth` and `headers`",
                403 => ": who asks may not do this: look at `auth` and `headers`",
                429 => ": it wants fewer requests",
                _ => "",
            };
            refused(&sink, "/in", &format!("the server answered {status}{advice}"))
        }
        assert_eq!(server.requests(), 1, "asked once: {status}");
    }
    let loki = Server::start(|request| Said::Status(if request.head.starts_with("get /ready ") { 200 } else { 500 }));
    starts(&format!("  far: {{ type: loki, url: 'http://{}', labels: {{ a: b }}, healthcheck: true }}", loki.address()));
    let busy = Server::start(|_| Said::Status(503));
    refused(
        &format!("  far: {{ type: loki, url: 'http://{}', labels: {{ a: b }}, healthcheck: true }}", busy.address()),
        "GET http",
        "503",
    );
    let closed = Server::start(|_| Said::Status(401));
    refused(
        &format!("  far: {{ type: elasticsearch, urls: ['http://{}'], index: i, healthcheck: true }}", closed.address()),
        "GET http",
        "look at `auth` or `api_key`",
    );
    refused(
        &format!("  far: {{ type: otlp, endpoint: 'http://{}', healthcheck: true }}", closed.address()),
        "http",
        "look at `auth` and `headers`",
    );
    // The first node of a cluster may be down.
    let node = Server::start(|request| Said::Status(if request.head.starts_with("get / ") { 200 } else { 500 }));
    let urls = format!("urls: ['http://127.0.0.1:{}', 'http://{}'], index: i", free_port(), node.address());
    starts(&format!("  far: {{ type: elasticsearch, {urls}, healthcheck: true }}"));
}

#[test]
fn real_servers_are_healthy() {
    if let Some(nats) = NatsServer::start(&[]) {
        starts(&format!("  far: {{ type: nats, servers: ['{}'], subject: s, healthcheck: true }}", nats.url()));
    }
    if let Some(nats) = NatsServer::start(&["--auth", "a-long-token"]) {
        let sink = |auth: &str| format!("  far: {{ type: nats, servers: ['{}'], subject: s, {auth} healthcheck: true }}", nats.url());
        starts(&sink("auth: { token: a-long-token },"));
        refused(&sink(""), &nats.url(), "look at `auth`");
    }
    if elastic_is_installed() {
        let store = Store::opensearch();
        starts(&format!("  far: {{ type: elasticsearch, urls: ['{}'], index: i, healthcheck: true }}", store.url()));
    }
}

#[test]
fn a_reload_to_a_sink_that_is_not_there_changes_nothing() {
    let site = Site::with(&config(""), "{\"n\":0}\n");
    let live = site.start(["run"]);
    let admin = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || admin.get("/readyz").is_ok_and(|answer| answer.status == 200));
    let port = free_port();
    let sink =
        |more: &str| config(&format!("  far: {{ type: http, url: 'http://127.0.0.1:{port}/in', timeout: 1s, {more} healthcheck: true }}"));
    site.config(&sink(""));
    let (_, told) = post(&admin, "/v1/reload");
    assert!(told["result"] == "failed" && told.to_string().contains("sink `far` is not healthy"), "{told}");
    append(&site, "{\"n\":1}\n");
    eventually_out(&site, 2);

    let server = Server::start_on(&format!("127.0.0.1:{port}"), |_| Said::Status(200));
    assert_eq!(post(&admin, "/v1/reload").1["result"], "applied");
    append(&site, "{\"n\":2}\n");
    eventually("the new sink has it", || server.taken().len() == 1);
    // A changed sink is asked again, one that did not change is not.
    drop(server);
    std::thread::sleep(std::time::Duration::from_millis(100));
    site.config(&sink("concurrency: 2,"));
    let (_, told) = post(&admin, "/v1/reload");
    assert!(told["result"] == "failed" && told.to_string().contains("remove `healthcheck`"), "{told}");
    site.config(&sink("").replace("lanes: 1", "lanes: 1, tap: { rate_max: 50 }"));
    assert_eq!(post(&admin, "/v1/reload").1["result"], "applied");
    append(&site, "{\"n\":3}\n");
    eventually_out(&site, 4);
    // The last record has nowhere to go.
    live.signal("TERM");
    let run = live.wait();
    assert!(!run.err.contains("internal fault"), "{run}");
}

/// Takes connections and never answers.
fn silent() -> (std::net::TcpListener, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sink = format!("  far: {{ type: http, url: 'http://{}/', timeout: 20s, healthcheck: true }}", listener.local_addr().unwrap());
    (listener, sink)
}

#[test]
fn a_stop_does_not_wait_for_an_answer() {
    let (_listener, sink) = silent();
    for (signal, code) in [("TERM", 0), ("INT", 130)] {
        let site = Site::with(&config(&sink), "{\"n\":1}\n");
        let live = site.start(["run"]);
        eventually("the admin API's socket is there", || site.path("admin.sock").exists());
        std::thread::sleep(Duration::from_millis(300));
        live.signal(signal);
        let run = live.wait();
        assert!(run.code == Some(code) && run.took < Duration::from_secs(8), "{signal}: {run}");
        assert!(site.read("out.ndjson").is_empty(), "{run}");
    }
}

#[test]
fn what_runs_can_be_asked_while_a_candidate_waits_for_an_answer() {
    let site = Site::with(&config(""), "{\"n\":1}\n");
    let live = site.start(["run"]);
    eventually_out(&site, 1);
    let (_listener, sink) = silent();
    site.config(&config(&sink));
    live.signal("HUP");
    std::thread::sleep(Duration::from_millis(500));
    let (admin, began) = (Address::Unix(site.path("admin.sock")), Instant::now());
    for path in ["/v1/status", "/metrics", "/livez"] {
        assert_eq!(admin.get(path).unwrap().status, 200, "{path}");
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    live.signal("TERM");
    let run = live.wait();
    assert!(run.code == Some(0) && run.took < Duration::from_secs(15), "{run}");
}
