//! The admin API.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};
use tamis_tests::harness::{Address, Live, MetricFamily, Site, eventually, parse_metrics, request};

/// Several plugins that fail each in its own way, beside a sound pipeline.
fn config(admin: &str) -> String {
    let plugin = |name: &str, limits: &str, what: &str| {
        format!(
            "  {name}: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, limits: {{ {limits} }}, config: {what} poison }}\n"
        )
    };
    let pipeline = |name: &str| {
        format!(
            "  p_{name}: {{ from: [in], steps: [ {{ name: s_{name}, plugin: {name} }} ], to: {{ default: [out], errors: [] }}, dead_letters: [failed] }}\n"
        )
    };
    let kinds = [
        ("trap", "deadline: 1s"),
        ("loop", "deadline: 100ms"),
        ("memory", "memory: 8MiB, deadline: 1s"),
        ("utf8", "deadline: 1s"),
        ("error", "deadline: 1s"),
    ];
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
{}  flood: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, config: metric-flood poison }}
pipelines:
{}  p_flood: {{ from: [in], steps: [ {{ plugin: flood }}, {{ filter: .n != 1 }} ], to: {{ default: [out], errors: [] }}, dead_letters: [failed] }}
sinks: {{ out: {{ type: file, path: out.ndjson }}, failed: {{ type: file, path: failed.ndjson }} }}
settings: {{ admin: '{admin}', lanes: 2 }}",
        kinds.iter().map(|(name, limits)| plugin(name, limits, name)).collect::<String>(),
        kinds.iter().map(|(name, _)| pipeline(name)).collect::<String>()
    )
}

const INPUT: &str = "{\"n\":0,\"message\":\"m\"}\n{\"n\":1,\"message\":\"m\"}\n{\"n\":2,\"message\":\"poison\"}\nnot JSON\n";

fn unix() -> (Site, Live, Address) {
    let site = Site::with(&config("unix:admin.sock"), INPUT);
    let live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    (site, live, address)
}

fn tcp(host: &str) -> (Site, Live, Address) {
    let site = Site::with(&config(&format!("{host}:0")), INPUT);
    let mut live = site.start(["run"]);
    let line = live.says("admin API on ");
    let address = Address::Tcp(line.rsplit(' ').next().unwrap().to_owned());
    (site, live, address)
}

/// Whether the source has read everything and no pipeline holds anything.
fn all_safe(address: &Address) -> bool {
    let families = metrics(address);
    value(&families, "tamis_source_records_total", &[]) >= 4.0 && value(&families, "tamis_source_held_records", &[]) == 0.0
}

fn metrics(address: &Address) -> BTreeMap<String, MetricFamily> {
    let answer = address.get("/metrics").unwrap();
    assert_eq!(answer.status, 200);
    assert!(answer.head.to_lowercase().contains("content-type: application/openmetrics-text; version=1.0.0"), "{}", answer.head);
    parse_metrics(&answer.body).unwrap_or_else(|problem| panic!("{problem}"))
}

/// The sum of the samples of this name with these labels.
fn value(families: &BTreeMap<String, MetricFamily>, name: &str, labels: &[(&str, &str)]) -> f64 {
    let found: Vec<f64> = families
        .values()
        .flat_map(|family| &family.samples)
        .filter(|sample| sample.name == name && labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|v| v == value)))
        .map(|sample| sample.value)
        .collect();
    assert!(!found.is_empty(), "no `{name}` with {labels:?}");
    found.iter().sum()
}

#[test]
fn all_paths_on_a_socket_and_on_loopback() {
    for (site, mut live, address) in [unix(), tcp("127.0.0.1")] {
        eventually("the records are safe", || all_safe(&address));
        for (path, body) in [("/livez", "ok\n"), ("/readyz", "ready\n")] {
            let answer = address.get(path).unwrap();
            assert_eq!((answer.status, answer.body.as_str()), (200, body));
        }
        let status: serde_json::Value = serde_json::from_str(&address.get("/v1/status").unwrap().body).unwrap();
        let report = tamis_tests::harness::Report::of(status).conserved();
        assert_eq!((report.flow("p_trap").taken, report.dead("p_trap", "trap"), report.dead("p_trap", "decode")), (4, 1, 1));
        let plan: serde_json::Value = serde_json::from_str(&address.get("/v1/plan").unwrap().body).unwrap();
        let explained = site.run(["explain", "--output", "json"]);
        assert_eq!(plan, explained.json(), "the plan is the one that `tamis explain` shows");
        let answer = address.get("/nothing").unwrap();
        assert_eq!(answer.status, 404);
        assert!(answer.body.contains("/v1/status"));
        for method in ["POST", "PUT", "DELETE"] {
            let answer = request(
                &address,
                &format!("{method} /v1/plan HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
            )
            .unwrap();
            assert_eq!(answer.status, 405, "{method}");
            let told: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
            assert!(told["error"].as_str().unwrap().contains("no such method"), "{told}");
            assert!(answer.head.to_lowercase().contains("allow: get,head"), "{}", answer.head);
        }
        assert!(live.runs());
        live.signal("TERM");
        assert_eq!(live.wait().code, Some(0));
    }
}

#[test]
fn metrics_have_the_names_and_labels_that_are_promised() {
    let (_site, _live, address) = unix();
    eventually("the records are safe", || all_safe(&address));
    let families = metrics(&address);
    let is = |name: &str, labels: &[(&str, &str)], expected: f64| assert_eq!(value(&families, name, labels), expected, "{name} {labels:?}");
    is("tamis_source_records_total", &[("source", "in")], 4.0);
    is("tamis_source_bytes_total", &[("source", "in")], INPUT.len() as f64);
    let digest = address.get("/v1/plan").unwrap().body.split("sha256:").nth(1).unwrap()[..64].to_owned();
    let digest = format!("sha256:{digest}");
    for (name, cause) in [("trap", "trap"), ("loop", "deadline"), ("memory", "memory"), ("utf8", "contract"), ("error", "reject")] {
        let (pipeline, step) = (format!("p_{name}"), format!("s_{name}"));
        let labels = [("pipeline", pipeline.as_str()), ("step", step.as_str()), ("plugin", name), ("digest", digest.as_str())];
        is("tamis_step_records_in_total", &labels, 3.0);
        is("tamis_step_records_out_total", &labels, 2.0);
        is("tamis_step_records_dropped_total", &labels, 0.0);
        is("tamis_step_records_rejected_total", &labels, 1.0);
        let with_cause = |cause| [labels.as_slice(), &[("cause", cause)]].concat();
        assert!(value(&families, "tamis_step_traps_total", &with_cause(cause)) >= 1.0, "{name}: {cause}");
        for other in ["trap", "deadline", "memory", "contract", "reject"].iter().filter(|other| **other != cause) {
            is("tamis_step_traps_total", &with_cause(other), 0.0);
        }
        assert!(value(&families, "tamis_step_seconds_count", &labels) >= 1.0);
        is("tamis_dead_letters_total", &[("pipeline", &pipeline), ("reason", cause)], 1.0);
        is("tamis_dead_letters_total", &[("pipeline", &pipeline), ("reason", "decode")], 1.0);
        let of = |result| value(&families, "tamis_pipeline_records_total", &[("pipeline", &pipeline), ("result", result)]);
        assert_eq!((of("in"), of("out"), of("dropped"), of("rejected")), (4.0, 2.0, 0.0, 2.0));
    }
    // The others' instances were thrown away after their failures.
    assert!(value(&families, "tamis_step_memory_bytes", &[("step", "flood")]) > 65_536.0);
    is("tamis_step_records_dropped_total", &[("pipeline", "p_flood"), ("step", "filter")], 1.0);
    is("tamis_sink_records_total", &[("sink", "out"), ("result", "delivered")], 12.0);
    is("tamis_sink_records_total", &[("sink", "failed"), ("result", "delivered")], 11.0);
    is("tamis_sink_retries_total", &[("sink", "out")], 0.0);
    is("tamis_sink_queue_records", &[("sink", "out")], 0.0);
    is("tamis_ack_lag_seconds", &[("source", "in")], 0.0);
    is("tamis_generation", &[], 1.0);
    let counters = &families["tamis_plugin_counter"].samples;
    assert!((1..=64).contains(&counters.iter().filter(|c| c.labels["plugin"] == "flood").count()));
    assert!(counters.iter().all(|c| c.labels["name"].starts_with("counter_")));
    for (name, kind) in [
        ("tamis_step_seconds", "histogram"),
        ("tamis_step_memory_bytes", "gauge"),
        ("tamis_sink_records", "counter"),
        ("tamis_ack_lag_seconds", "gauge"),
    ] {
        assert_eq!(families[name].kind, kind, "{name}");
    }
}

#[test]
fn the_socket_is_its_owners_alone_and_one_left_behind_is_replaced() {
    let (site, mut live, address) = unix();
    assert_eq!(site.path("admin.sock").metadata().unwrap().permissions().mode() & 0o777, 0o600);
    // A second host does not take it away.
    let config = String::from_utf8(site.read("tamis.yaml")).unwrap();
    site.write("second.yaml", config.replace("settings: { ", "settings: { data_dir: second, "));
    let second = site.run(["run", "--once", "-c", "second.yaml"]);
    assert_eq!(second.code, Some(3), "{second}");
    assert!(second.err.contains("admin.sock"), "{second}");
    assert_eq!(address.get("/livez").unwrap().status, 200);
    // A host that dies leaves it behind; the next one starts all the same.
    live.signal("KILL");
    eventually("it is dead", || !live.runs());
    assert!(site.path("admin.sock").exists());
    let next = site.start(["run"]);
    eventually("the next one is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    next.signal("TERM");
    assert_eq!(next.wait().code, Some(0));
    // Something else of that name is left alone.
    std::fs::remove_file(site.path("admin.sock")).ok();
    site.write("admin.sock", "mine");
    assert_eq!(site.run(["run", "--once"]).code, Some(3));
    assert_eq!(site.read("admin.sock"), b"mine");
}

#[test]
fn a_name_that_is_not_this_machines_is_refused() {
    let (_site, _live, address) = tcp("127.0.0.1");
    let get = |host: &str| request(&address, &format!("GET /v1/status HTTP/1.1\r\n{host}Connection: close\r\n\r\n")).unwrap().status;
    for good in ["Host: localhost\r\n", "Host: 127.0.0.1:9480\r\n", "Host: [::1]:1\r\n", "Host: localhost:80\r\n"] {
        assert_eq!(get(good), 200, "{good}");
    }
    for bad in [
        "Host: evil.example\r\n",
        "Host: evil.example:9480\r\n",
        "Host: localhost.evil.example\r\n",
        "Host: 127.0.0.1.evil.example\r\n",
        "Host: 10.0.0.1\r\n",
        "Host: 0.0.0.0:9480\r\n",
        "Host: evil.example:x\r\n",
        "Host: 2130706433\r\n",
        "Host: localhost:1:evil\r\n",
        "Host: evil.example\r\nHost: localhost\r\n",
    ] {
        assert!([400, 403].contains(&get(bad)), "{bad} was answered");
    }
}

#[test]
fn names_that_no_browser_sends_are_refused_too() {
    let (_site, _live, address) = tcp("127.0.0.1");
    for bad in ["Host: \u{e9}vil.example\r\n", "Host: localhost\r\nHost: evil.example\r\n"] {
        let answer = request(&address, &format!("GET /v1/status HTTP/1.1\r\n{bad}Connection: close\r\n\r\n")).unwrap();
        assert!([400, 403].contains(&answer.status), "{bad}: {}", answer.head);
    }
}

/// Several times: it went by chance.
#[test]
fn the_socket_goes_with_the_host() {
    for _ in 0..8 {
        let (site, live, _address) = unix();
        live.signal("TERM");
        assert_eq!(live.wait().code, Some(0));
        assert!(!site.path("admin.sock").exists(), "the socket is still there");
    }
}

#[test]
fn a_client_that_sends_its_headers_slowly_is_cut_off() {
    let (_site, _live, address) = tcp("127.0.0.1");
    let started = Instant::now();
    // As many as there are places: they must not keep others out for ever.
    let mut slow: Vec<_> = (0..32).map(|_| address.connect().unwrap()).collect();
    for connection in &mut slow {
        connection.write_all(b"GET /livez HTTP/1.1\r\nHost: local").unwrap();
    }
    assert_eq!(address.get("/livez").unwrap().status, 200, "a good client is answered after the slow ones were cut off");
    for connection in &mut slow {
        let mut rest = Vec::new();
        // Closed or reset, with or without an answer that says so.
        let _ = connection.read_to_end(&mut rest);
        assert!(!rest.starts_with(b"HTTP/1.1 200"));
    }
    assert!(started.elapsed() < Duration::from_secs(25), "{:?}", started.elapsed());
}

#[test]
fn requests_that_are_too_large_or_none_are_refused() {
    let (_site, mut live, address) = tcp("127.0.0.1");
    let large = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(1 << 20));
    let many = format!("GET /livez HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "a: b\r\n".repeat(5_000));
    for text in [
        large.as_str(),
        &many,
        "\0\0\0\0\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "\r\n\r\n\r\n",
        "GET /%00%ff/../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        // An answer, or a connection that is closed without one.
        if let Ok(answer) = request(&address, text) {
            assert!(answer.status >= 400, "{text:.40}: {}", answer.head);
        }
    }
    assert_eq!(address.get("/livez").unwrap().status, 200);
    assert!(live.runs());
}

#[test]
fn a_body_in_chunks_has_the_same_limit() {
    let (_site, _live, address) = tcp("127.0.0.1");
    let post = |chunks: usize| {
        let head = "POST /v1/reload?dry_run=true HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        request(&address, &format!("{head}{}0\r\n\r\n", chunk.repeat(chunks))).unwrap()
    };
    assert_eq!((post(0).status, post(1).status, post(16).status), (200, 200, 200));
    let answer = post(17);
    assert_eq!(answer.status, 413, "{}", answer.head);
    assert!(answer.body.contains("65536 bytes"), "{}", answer.body);
    // One that never ends is not waited for.
    let mut endless = address.connect().unwrap();
    endless.write_all(b"POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n").unwrap();
    let (started, mut said) = (Instant::now(), String::new());
    endless.read_to_string(&mut said).unwrap();
    assert!(said.starts_with("HTTP/1.1 408 ") && started.elapsed() < Duration::from_secs(20), "{said}");
}

#[test]
fn readiness_goes_while_the_host_drains() {
    let site = Site::with(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: stdout } }
settings: { admin: 'unix:admin.sock', lanes: 2, shutdown_timeout: 5s }",
        "x".repeat(300).lines().map(|pad| format!("{{\"pad\":\"{pad}\"}}\n")).collect::<String>().repeat(5_000),
    );
    let (reader, writer) = std::io::pipe().unwrap();
    let mut command = site.command(["run"]);
    command.stdout(std::process::Stdio::from(writer));
    let live = Live::start(command);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    std::thread::sleep(Duration::from_millis(300));
    live.signal("TERM");
    eventually("it is not ready any more", || address.get("/readyz").is_ok_and(|answer| answer.status == 503));
    assert_eq!(address.get("/livez").unwrap().status, 200);
    // Somebody reads after all.
    let rest = std::thread::spawn(move || {
        let (mut reader, mut all) = (reader, Vec::new());
        reader.read_to_end(&mut all).unwrap();
        all.len()
    });
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(rest.join().unwrap() > 0);
}

#[test]
fn the_console_is_a_page_of_this_host_alone() {
    let (_site, _live, address) = tcp("127.0.0.1");
    for (path, kind, holds) in [
        ("/", "text/html", "<script src=\"console.js\" defer>"),
        ("/console.js", "text/javascript", "v1/status"),
        ("/console.css", "text/css", "prefers-color-scheme: dark"),
    ] {
        let answer = address.get(path).unwrap();
        assert_eq!(answer.status, 200, "{path}");
        assert!(answer.body.contains(holds), "{path}");
        let head = answer.head.to_lowercase();
        for header in [
            &format!("content-type: {kind}; charset=utf-8"),
            "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(header), "{path}: {header}: {head}");
        }
    }
    let foreign = request(&address, "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").unwrap();
    assert_eq!(foreign.status, 403);
    let newest = |limit: &str| address.get(&format!("/v1/generations?limit={limit}")).unwrap();
    assert_eq!((newest("1").status, newest("0").status, newest("x").status, newest("99999").status), (200, 400, 400, 200));
}
