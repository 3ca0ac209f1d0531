//! The dashboard and the alert rules under `deploy/`, against a host that runs and, where there is one, a real Prometheus.

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tamis_tests::harness::{Address, Live, Prometheus, Site, eventually, find_prometheus, parse_metrics, promql};

/// Panels and annotations that have nothing to show while nothing is reloaded.
const QUIET: [&str; 2] = ["Reloads", "New generation"];
/// Labels that Prometheus adds.
const ADDED: [&str; 2] = ["job", "instance"];

fn deploy(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(path)
}

fn text(path: &str) -> String {
    fs::read_to_string(deploy(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// A host that delivers, drops, dead-letters and traps, with a sink that nobody answers and a plugin that always fails.
struct Host {
    site: Site,
    live: Live,
    address: String,
}

impl Host {
    fn start() -> Self {
        let site = Site::new();
        site.config(
            "
sources: { in: { type: file, paths: [input.ndjson] }, bad: { type: file, paths: [bad.ndjson] } }
plugins:
  counts: { component: PLUGIN(hostile), grant: { read: [message], write: [.] }, config: metric-flood poison }
  traps: { component: PLUGIN(hostile), grant: { read: [message], write: [.] }, config: trap poison }
pipelines:
  main: { from: [in], steps: [ { plugin: counts }, { filter: .n != 1 }, { plugin: traps } ], to: { default: [out, down], errors: [] }, dead_letters: [failed] }
  broken: { from: [bad], steps: [ { plugin: traps } ], to: { default: [out], errors: [] } }
sinks:
  out: { type: file, path: out.ndjson }
  failed: { type: file, path: failed.ndjson }
  down: { type: http, url: 'http://127.0.0.1:9/', buffer: { disk: 16MiB } }
settings: { admin: '127.0.0.1:0', lanes: 1 }",
        );
        feed(&site);
        let mut live = site.start(["run"]);
        let address = live.says("admin API on ").rsplit(' ').next().unwrap().to_owned();
        let host = Self { site, live, address };
        eventually("the first records are through", || host.balance("main")["in"] >= 40.0 && host.balance("broken")["in"] >= 40.0);
        // Something that is counted as an event of the source.
        fs::rename(host.site.path("input.ndjson"), host.site.path("input.ndjson.1")).unwrap();
        feed(&host.site);
        eventually("the rotation is seen", || host.metrics().iter().any(|(name, _)| name == "tamis_source_events_total"));
        host
    }

    /// Each sample's name and labels.
    fn metrics(&self) -> Vec<(String, BTreeMap<String, String>)> {
        self.samples().into_iter().map(|(name, labels, _)| (name, labels)).collect()
    }

    fn samples(&self) -> Vec<(String, BTreeMap<String, String>, f64)> {
        let body = Address::Tcp(self.address.clone()).get("/metrics").unwrap().body;
        let families = parse_metrics(&body).unwrap_or_else(|problem| panic!("{problem}"));
        families.into_values().flat_map(|family| family.samples).map(|s| (s.name, s.labels, s.value)).collect()
    }

    /// A pipeline's counters of one scrape, `held` among them.
    fn balance(&self, pipeline: &str) -> BTreeMap<String, f64> {
        let mut balance = BTreeMap::new();
        for (name, labels, value) in self.samples() {
            if labels.get("pipeline").is_some_and(|name| name == pipeline) {
                match name.as_str() {
                    "tamis_pipeline_records_total" => balance.insert(labels["result"].clone(), value),
                    "tamis_pipeline_held_records" => balance.insert("held".into(), value),
                    _ => None,
                };
            }
        }
        balance
    }
}

/// Records of all kinds, more of them than before.
fn feed(site: &Site) {
    use std::io::Write;
    let append = |name: &str, lines: &str| {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(site.path(name)).unwrap();
        file.write_all(lines.as_bytes()).unwrap();
    };
    let good: String = (0..38).map(|n| format!("{{\"n\":{n},\"message\":\"m\"}}\n")).collect();
    append("input.ndjson", &format!("{good}{{\"n\":2,\"message\":\"poison\"}}\nnot JSON\n"));
    append("bad.ndjson", &"{\"message\":\"poison\"}\n".repeat(40));
}

/// The names and expressions of the rules. An expression stands on the line of its key, or below it after `|-`.
fn rules() -> Vec<(String, String)> {
    let rules = text("prometheus/tamis.rules.yml");
    let indent = |line: &str| line.len() - line.trim_start().len();
    let (mut found, mut lines) = (Vec::new(), rules.lines().peekable());
    let mut name = String::new();
    while let Some(line) = lines.next() {
        let key = line.trim_start().trim_start_matches("- ");
        if let Some(value) = key.strip_prefix("alert: ").or_else(|| key.strip_prefix("record: ")) {
            name = value.to_owned();
        }
        let Some(value) = key.strip_prefix("expr: ") else { continue };
        let mut expression = value.to_owned();
        if value == "|-" {
            expression.clear();
            while let Some(more) = lines.next_if(|next| indent(next) > indent(line)) {
                expression.push_str(more.trim_start());
                expression.push('\n');
            }
        }
        assert!(!expression.starts_with(['"', '\'', '>', '|']), "{name}: an expression is written plain or after `|-`: {expression}");
        found.push((name.clone(), expression));
    }
    found
}

/// Titles, expressions and legends of the dashboard, with its variables filled in.
fn queries(dashboard: &Value) -> Vec<(String, String, String)> {
    let filled = |text: &Value| {
        let text = text.as_str().expect("an expression");
        text.replace("$__rate_interval", "1m").replace("$__range", "5m").replace("$instance", ".*").replace("$pipeline", ".*")
    };
    let mut found = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = panel["title"].as_str().unwrap();
        for target in panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default() {
            found.push((title.to_owned(), filled(&target["expr"]), target["legendFormat"].as_str().unwrap().to_owned()));
        }
    }
    for note in dashboard["annotations"]["list"].as_array().unwrap() {
        found.push((note["name"].as_str().unwrap().to_owned(), filled(&note["expr"]), note["textFormat"].as_str().unwrap().to_owned()));
    }
    for variable in dashboard["templating"]["list"].as_array().unwrap() {
        if let Some(query) = variable["query"]["query"].as_str() {
            let inner = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')')).expect("label_values(…)");
            let (metric, label) = inner.rsplit_once(", ").expect("a metric and a label");
            let expression = format!("count by ({label}) ({})", filled(&metric.into()));
            found.push((format!("variable {}", variable["name"]), expression, format!("{{{{{label}}}}}")));
        }
    }
    assert!(found.iter().all(|(title, expression, _)| !expression.contains('$') || panic!("{title}: {expression}")));
    found
}

fn dashboard() -> Value {
    serde_json::from_str(&text("grafana/tamis.json")).expect("JSON")
}

/// The labels in `{{…}}` of a legend.
fn legend_labels(legend: &str) -> impl Iterator<Item = &str> {
    legend.split("{{").skip(1).map(|part| part.split("}}").next().unwrap().trim())
}

#[test]
fn every_metric_and_label_of_dashboard_and_rules_is_exposed() {
    let host = Host::start();
    let mut exposed: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, labels) in host.metrics() {
        exposed.entry(name).or_default().extend(labels.into_keys().chain(ADDED.map(str::to_owned)));
    }
    exposed.insert("up".into(), ADDED.map(str::to_owned).into());
    let own: Vec<String> = exposed.keys().filter(|name| name.starts_with("tamis_")).cloned().collect();
    let mut used = BTreeSet::new();
    // A recording rule stands before those that use it.
    let expressions = rules().into_iter().chain(queries(&dashboard()).into_iter().map(|(title, expression, _)| (title, expression)));
    for (name, expression) in expressions {
        let names = promql::names(&expression);
        assert!(!names.selectors.is_empty(), "{name}: no metric in {expression}");
        let mut known = BTreeSet::new();
        for selector in &names.selectors {
            let labels = exposed.get(&selector.metric).unwrap_or_else(|| panic!("{name}: the host exposes no `{}`", selector.metric));
            let missing: Vec<_> = selector.labels.difference(labels).collect();
            assert!(missing.is_empty(), "{name}: `{}` has no label {missing:?}, but {labels:?}", selector.metric);
            known.extend(labels.iter().cloned());
            used.insert(selector.metric.clone());
        }
        let missing: Vec<_> = names.grouping.difference(&known).collect();
        assert!(missing.is_empty(), "{name}: no metric of it has {missing:?}: {expression}");
        if name.contains(':') {
            exposed.insert(name, if names.grouping.is_empty() { known } else { names.grouping });
        }
    }
    let unused: Vec<_> = own.iter().filter(|name| !used.contains(*name) && !name.ends_with("_sum") && !name.ends_with("_count")).collect();
    assert!(unused.is_empty(), "nobody looks at {unused:?}");
    let documented = fs::read_to_string(deploy("../docs/reference/metrics.md")).unwrap();
    let base = |name: &str| ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name).to_owned();
    let silent: Vec<_> = exposed.keys().filter(|name| !name.contains(':') && *name != "up").map(|name| base(name)).collect();
    let silent: Vec<_> = silent.iter().filter(|name| !documented.contains(&format!("`{name}`"))).collect();
    assert!(silent.is_empty(), "docs/reference/metrics.md does not tell of {silent:?}");
}

#[test]
fn each_scrape_adds_up_for_each_pipeline() {
    let host = Host::start();
    for _ in 0..50 {
        feed(&host.site);
        for pipeline in ["main", "broken"] {
            let b = host.balance(pipeline);
            assert_eq!(b["in"], b["out"] + b["dropped"] + b["rejected"] + b["held"], "{pipeline}: {b:?}");
        }
    }
    eventually("all of it is safe", || {
        ["main", "broken"].iter().all(|p| host.balance(p)["held"] == 0.0 && host.balance(p)["in"] >= 2_000.0)
    });
    let sum = |name: &str| host.samples().iter().filter(|s| s.0 == name).map(|s| s.2).sum::<f64>();
    assert_eq!(sum("tamis_pipeline_difference_records_total"), 0.0);
    // Where each source feeds one pipeline, what was read came in.
    assert_eq!(sum("tamis_source_records_total"), host.balance("main")["in"] + host.balance("broken")["in"]);
    // Nothing was refused by a sink, so that each dead letter is a rejected record.
    assert_eq!(sum("tamis_dead_letters_total"), host.balance("main")["rejected"] + host.balance("broken")["rejected"]);
}

#[test]
fn the_dashboard_is_in_order() {
    let dashboard = dashboard();
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
    for panel in dashboard["panels"].as_array().unwrap() {
        let title = &panel["title"];
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: an id that is there twice");
        let at = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(at("x") + at("w") <= 24, "{title}: too wide");
        for x in at("x")..at("x") + at("w") {
            for y in at("y")..at("y") + at("h") {
                assert!(taken.insert((x, y)), "{title}: over another one");
            }
        }
        if panel["type"] != "row" {
            let sources =
                std::iter::once(&panel["datasource"]).chain(panel["targets"].as_array().unwrap().iter().map(|t| &t["datasource"]));
            assert!(sources.into_iter().all(|source| source["uid"] == "${datasource}"), "{title}: a data source of its own");
        }
    }
    let variables: Vec<_> = dashboard["templating"]["list"].as_array().unwrap().iter().map(|v| v["name"].as_str().unwrap()).collect();
    assert_eq!(variables, ["datasource", "instance", "pipeline"]);
}

#[test]
fn every_alert_has_what_an_operator_needs() {
    let guide = fs::read_to_string(deploy("../docs/guide/operator.md")).unwrap();
    let rules = text("prometheus/tamis.rules.yml");
    let alerts: Vec<&str> = rules.split("\n      - alert: ").skip(1).collect();
    assert_eq!(alerts.len(), rules.matches("alert: ").count());
    let tests = text("prometheus/tests.yml");
    for alert in alerts {
        let name = alert.lines().next().unwrap();
        let severity = alert.split("severity: ").nth(1).and_then(|rest| rest.split(' ').next());
        assert!(["critical", "warning", "info"].map(Some).contains(&severity), "{name}: {severity:?}");
        for key in ["          summary: ", "          description: "] {
            assert!(alert.contains(key), "{name}: no {}", key.trim());
        }
        let anchor = alert.split("docs/guide/operator.md#").nth(1).and_then(|rest| rest.split_whitespace().next());
        let anchor = anchor.unwrap_or_else(|| panic!("{name}: no runbook_url"));
        let heading = guide.lines().any(|line| line.starts_with('#') && line.trim_start_matches('#').trim().to_lowercase() == anchor);
        assert!(heading, "{name}: docs/guide/operator.md has no heading `{anchor}`");
        assert!(tests.contains(&format!("alertname: {name}\n")), "{name}: deploy/prometheus/tests.yml has no case");
    }
}

#[test]
fn promtool_finds_no_fault_and_the_alerts_fire_as_told() {
    let Some(promtool) = find_prometheus("promtool") else { return };
    for arguments in [["check", "config", "prometheus.yml"], ["check", "rules", "tamis.rules.yml"], ["test", "rules", "tests.yml"]] {
        let run = Command::new(&promtool).args(arguments).current_dir(deploy("prometheus")).output().unwrap();
        let said = [run.stdout, run.stderr].concat();
        assert!(run.status.success(), "promtool {}: {}", arguments.join(" "), String::from_utf8_lossy(&said));
    }
}

#[test]
fn a_real_prometheus_evaluates_every_rule_and_panel() {
    if find_prometheus("prometheus").is_none() {
        return;
    }
    let mut host = Host::start();
    // The example as it is, but for the host's port and the time that the test would wait.
    let example = text("prometheus/prometheus.yml");
    assert!(example.contains("127.0.0.1:9480") && example.contains("_interval: 15s"));
    let example = example.replace("127.0.0.1:9480", &host.address).replace("_interval: 15s", "_interval: 1s");
    let configuration = host.site.write("monitoring/prometheus.yml", example);
    host.site.write("monitoring/tamis.rules.yml", text("prometheus/tamis.rules.yml"));
    let prometheus = Prometheus::start(&configuration, &host.site.path("monitoring")).unwrap();
    let queries = queries(&dashboard());
    let mut empty = Vec::new();
    let began = std::time::Instant::now();
    while began.elapsed() < tamis_tests::harness::TIMEOUT {
        feed(&host.site);
        empty = queries
            .iter()
            .filter(|(title, expression, _)| prometheus.query(expression).is_empty() && !QUIET.contains(&title.as_str()))
            .collect();
        if empty.is_empty() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_secs(1));
    }
    assert!(empty.is_empty(), "nothing to show: {empty:#?}\n{}", prometheus.log());
    for (title, expression, legend) in &queries {
        // A label that is empty, such as the plugin of a native step, is none to Prometheus: one series that has it will do.
        let series = prometheus.query(expression);
        let has = |label: &str| series.iter().any(|one| one["metric"].get(label).is_some());
        let missing: Vec<_> = legend_labels(legend).filter(|label| !series.is_empty() && !has(label)).collect();
        assert!(missing.is_empty(), "{title}: its legend names {missing:?}, its series have {:?}", series.first());
    }
    let state_of = |alert: &str| {
        let groups = prometheus.api("/api/v1/rules");
        let all: Vec<Value> = groups["groups"].as_array().unwrap().iter().flat_map(|g| g["rules"].as_array().unwrap().clone()).collect();
        assert_eq!(all.len(), rules().len());
        for rule in &all {
            assert!(rule["health"] != "err", "{rule}");
        }
        let rule = all.iter().find(|rule| rule["name"] == alert).unwrap_or_else(|| panic!("no rule `{alert}`"));
        assert_eq!(rule["type"], "alerting");
        rule["state"].as_str().unwrap().to_owned()
    };
    for alert in ["TamisDeadLettersRising", "TamisPluginTraps", "TamisPluginSwitchedOff", "TamisSinkFailing", "TamisSinkRetries"] {
        eventually(alert, || {
            feed(&host.site);
            state_of(alert) != "inactive"
        });
    }
    for alert in [
        "TamisHostDown",
        "TamisConservationBroken",
        "TamisConservationGap",
        "TamisSourceLagGrows",
        "TamisHostDegraded",
        "TamisReloadRefused",
    ] {
        assert_eq!(state_of(alert), "inactive", "{alert}");
    }
    for (record, _) in rules().iter().filter(|(name, _)| name.contains(':')) {
        assert!(!prometheus.query(record).is_empty(), "{record} is empty");
    }
    // In every scrape so far.
    for series in prometheus
        .query("max_over_time(tamis:pipeline_conservation_gap:records[5m]) - min_over_time(tamis:pipeline_conservation_gap:records[5m])")
    {
        assert_eq!(series["value"][1], "0", "{series}");
    }
    assert!(prometheus.query("tamis:pipeline_conservation_gap:records == 0").len() == 2);
    host.live.signal("KILL");
    assert!(host.live.ends_within(tamis_tests::harness::TIMEOUT));
    eventually("the host is found down", || state_of("TamisHostDown") != "inactive");
}
