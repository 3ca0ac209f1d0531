//! Records as metrics that a real Prometheus fetches, with each change of the sink's configuration and a port that is taken.

use std::io::Write;
use std::process::{Command, Stdio};
use tamis_tests::harness::{Address, Live, Prometheus, Site, eventually, find_prometheus, free_port, parse_metrics, request};

use crate::reload::{append, ended, post};

const METRICS: &str = "
      - { name: gateway_requests_total, help: Requests by status and API, type: counter, labels: { status: http.status, api: api } }
      - { name: gateway_request_bytes_total, type: counter, value: bytes }
      - { name: gateway_open_connections, help: Connections that are open, type: gauge, value: open }
      - { name: gateway_latency_seconds, help: Time to the answer, type: histogram, value: latency, labels: { api: api }, buckets: [0.1, 0.5, 1] }";

fn config(port: u16, more: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [metrics] }} }}
sinks:
  metrics:
    type: prometheus
    listen: 127.0.0.1:{port}
    {more}
    metrics: {METRICS}
settings: {{ admin: 'unix:admin.sock', lanes: 2 }}"
    )
}

/// 3,000 records: three APIs, one of them with all that a label's value must not break; a tenth without a number.
fn input() -> String {
    (0..3_000)
        .map(|n| {
            let api = ["/pizza/1.0", "/a\\\"b\\\\\\n{c=\\\"d\\\"}", "/ünïcode"][n % 3];
            let latency = if n % 10 == 9 { "\"-\"".to_owned() } else { format!("{}", (n % 10) as f64 / 5.0) };
            format!(
                "{{\"api\":\"{api}\",\"http\":{{\"status\":{}}},\"bytes\":2,\"open\":{n},\"latency\":{latency}}}\n",
                if n % 5 == 0 { 500 } else { 200 }
            )
        })
        .collect()
}

fn started(site: &Site) -> Live {
    let live = site.start(["run"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    live
}

fn page(port: u16, header: &str) -> (u16, String) {
    let text = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\n{header}Connection: close\r\n\r\n");
    request(&Address::Tcp(format!("127.0.0.1:{port}")), &text).map_or((0, String::new()), |answer| (answer.status, answer.body))
}

/// A value of the page, by the text before it.
fn value(port: u16, series: &str) -> Option<f64> {
    let (_, text) = page(port, "");
    text.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok())
}

#[test]
fn a_real_prometheus_reads_what_was_counted() {
    let port = free_port();
    let site = Site::with(&config(port, ""), input());
    let live = started(&site);
    eventually("all is counted", || value(port, "gateway_request_bytes_total ") == Some(6_000.0));
    let (_, text) = page(port, "");
    assert!(text.contains("tamis_prometheus_skipped_total{metric=\"gateway_latency_seconds\",reason=\"not_a_number\"} 300\n"), "{text}");
    let (_, open) = page(port, "Accept: application/openmetrics-text;version=1.0.0\r\n");
    let families = parse_metrics(&open).unwrap_or_else(|error| panic!("{error}: {open}"));
    assert_eq!(families["gateway_requests"].samples.len(), 6, "{open}");

    if let Some(promtool) = find_prometheus("promtool") {
        let mut run = Command::new(promtool)
            .args(["check", "metrics"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        run.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        let said = run.wait_with_output().unwrap();
        let words = [said.stdout, said.stderr].concat();
        assert!(said.status.success() && words.is_empty(), "{}: {text}", String::from_utf8_lossy(&words));
    }
    let scraping = format!(
        "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms }}\nscrape_configs: [{{ job_name: tamis, static_configs: [{{ targets: ['127.0.0.1:{port}'] }}] }}]\n"
    );
    site.write("prometheus.yml", scraping);
    let Some(prometheus) = Prometheus::start(&site.path("prometheus.yml"), site.path("").as_path()) else { return ended(live) };
    let number =
        |expression: &str| prometheus.query(expression).first().and_then(|series| series["value"][1].as_str()?.parse::<f64>().ok());
    eventually("it has fetched", || number("sum(gateway_requests_total)") == Some(3_000.0));
    assert_eq!(number("sum(gateway_requests_total{status=\"500\"})"), Some(600.0));
    assert_eq!(number("gateway_requests_total{status=\"500\",api=\"/pizza/1.0\"}"), Some(200.0));
    // The label's value as it stands in the record: quotes, a backslash and a line feed.
    assert_eq!(number(r#"sum(gateway_requests_total{api="/a\"b\\\n{c=\"d\"}"})"#), Some(1_000.0));
    assert_eq!(number("gateway_request_bytes_total"), Some(6_000.0));
    assert_eq!(number("gateway_open_connections"), Some(2_999.0));
    // 0 to 1.6 in steps of 0.2.
    assert_eq!(number("sum(gateway_latency_seconds_count)"), Some(2_700.0));
    assert_eq!(number("sum(gateway_latency_seconds_bucket{le=\"0.5\"})"), Some(900.0));
    assert!(number("sum(gateway_latency_seconds_sum)").is_some_and(|sum| (sum - 2_160.0).abs() < 1e-6));
    append(&site, "{\"api\":\"/pizza/1.0\",\"http\":{\"status\":200}}\n");
    eventually("the next one is fetched", || number("sum(gateway_requests_total)") == Some(3_001.0));
    ended(live);
}

#[test]
fn values_outlive_a_reload_that_changes_something_else_and_a_changed_sink_takes_the_port_over() {
    let port = free_port();
    let site = Site::with(&config(port, ""), input());
    let live = started(&site);
    let admin = Address::Unix(site.path("admin.sock"));
    eventually("all is counted", || value(port, "gateway_request_bytes_total ") == Some(6_000.0));

    site.config(&config(port, "").replace("from: [in]", "from: [in], steps: [ { filter: .open != 1 } ]"));
    assert_eq!(post(&admin, "/v1/reload").1["result"], "applied");
    append(&site, "{\"bytes\":1}\n");
    eventually("it goes on", || value(port, "gateway_request_bytes_total ") == Some(6_001.0));

    // Another limit: another sink at the same address, which begins anew.
    site.config(&config(port, "max_series: 3"));
    assert_eq!(post(&admin, "/v1/reload").1["result"], "applied");
    append(&site, "{\"bytes\":5,\"open\":1,\"latency\":1}\n{\"bytes\":5,\"http\":{\"status\":200}}\n");
    eventually("the next one counts", || value(port, "gateway_request_bytes_total ") == Some(10.0));
    assert_eq!(value(port, "tamis_prometheus_series_refused_total{metric=\"gateway_latency_seconds\"}"), Some(1.0));
    assert_eq!(value(port, "tamis_prometheus_series_refused_total{metric=\"gateway_requests_total\"}"), Some(1.0));

    // Another name at the same address, then another address.
    site.config(&config(port, "").replace("metrics:\n    type", "other:\n    type").replace("[metrics]", "[other]"));
    assert_eq!(post(&admin, "/v1/reload").1["result"], "applied");
    append(&site, "{\"bytes\":7}\n");
    eventually("the one of another name counts", || value(port, "gateway_request_bytes_total ") == Some(7.0));
    let elsewhere = free_port();
    site.config(&config(elsewhere, "").replace("metrics:\n    type", "other:\n    type").replace("[metrics]", "[other]"));
    assert_eq!(post(&admin, "/v1/reload").1["result"], "applied");
    append(&site, "{\"bytes\":8}\n");
    eventually("the one at another address counts", || value(elsewhere, "gateway_request_bytes_total ") == Some(8.0));
    assert_eq!(page(port, "").0, 0, "nobody listens at the old one");

    // One that another program has changes nothing.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    site.config(
        &config(taken.local_addr().unwrap().port(), "").replace("metrics:\n    type", "other:\n    type").replace("[metrics]", "[other]"),
    );
    let (_, told) = post(&admin, "/v1/reload");
    assert!(told["result"] == "failed" && told.to_string().contains("cannot listen at"), "{told}");
    append(&site, "{\"bytes\":1}\n");
    eventually("the one before goes on", || value(elsewhere, "gateway_request_bytes_total ") == Some(9.0));
    ended(live);
}

#[test]
fn a_taken_port_is_exit_3_and_secrets_are_asked_for() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let site = Site::with(&config(port, "auth: { tokens: ['${TOKEN}'] }"), "{}\n");
    let command = || {
        let mut command = site.command(["run"]);
        command.env("TOKEN", "a-long-secret");
        command
    };
    let said = command().output().unwrap();
    let words = String::from_utf8_lossy(&said.stderr).into_owned();
    assert_eq!(said.status.code(), Some(3), "{words}");
    assert!(words.contains("sink `metrics`: cannot listen at `127.0.0.1:") && words.contains("another program listens there"), "{words}");

    drop(taken);
    let live = Live::start(command());
    eventually("it answers", || page(port, "").0 == 401);
    assert_eq!(page(port, "Authorization: Bearer a-long-secres\r\n").0, 401);
    assert_eq!(page(port, "Authorization: Bearer a-long-secret\r\n").0, 200);
    ended(live);
}
