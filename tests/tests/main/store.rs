//! Objects in S3 and Parquet files in folders, read back with pyarrow, with a store that restarts and hosts that are killed.
//! `NETWORK=long` takes 100,000 records instead of a few.

use serde_json::{Value, json};
use std::time::{Duration, Instant};
use tamis_tests::harness::exchange::{Exchange, records};
use tamis_tests::harness::{Live, ObjectStore, Site, arrow, eventually};

/// Numbered records of three teams on two days.
fn input(count: u64) -> String {
    let line = |n: u64| {
        let (team, day) = (n % 3, n % 2 + 1);
        format!(
            "{{\"n\":{n},\"team\":\"t/{team}\",\"at\":\"2024-03-0{day}T10:00:00.5Z\",\"took\":{n}.25,\"ok\":true,\"http\":{{\"status\":200,\"path\":\"/api/v1/orders\"}}}}\n"
        )
    };
    (0..count).map(line).collect()
}

/// Arrow is there and says how many records a folder holds; `None`: it cannot be read now.
fn count(endpoint: &str, folder: &str) -> Option<Value> {
    arrow(&["count", endpoint, folder])
}

fn is_installed() -> bool {
    let folder = tempfile::tempdir().unwrap();
    let is_there = count("local", &folder.path().display().to_string()).is_some();
    if !is_there {
        eprintln!("skipped: there is no pyarrow; `sh tests/servers.sh` installs it");
    }
    is_there
}

fn start(site: &Site) -> Live {
    site.start(["run", "-c", "tamis.yaml"])
}

/// Waits until all different records are there, for minutes if it must be.
#[track_caller]
fn all(endpoint: &str, folder: &str, expected: u64) -> Value {
    let began = Instant::now();
    loop {
        let told = count(endpoint, folder);
        if let Some(told) = told.as_ref().filter(|told| told["different"] == expected) {
            assert_eq!(told["sum"], expected * (expected - 1) / 2);
            return told.clone();
        }
        assert!(began.elapsed() < Duration::from_secs(240), "{folder}: {told:?} of {expected}");
        std::thread::sleep(Duration::from_millis(300));
    }
}

/// What pyarrow read.
fn told_of(of: &str, with: &str, ended: &str, read: &Value) {
    let count = |key: &str| usize::try_from(read[key].as_u64().unwrap()).unwrap();
    let arrived = count("different");
    Exchange { of, with, ended, sent: records(), arrived, repeated: count("records") - arrived }.tell();
}

#[test]
fn parquet_files_hold_every_record_after_a_kill() {
    if !is_installed() {
        return;
    }
    let count = records() as u64;
    let site = Site::with("", input(count));
    site.config(
        "
sources: { in: { type: file, paths: [input.ndjson], start: beginning } }
pipelines: { main: { from: [in], to: [files], dead_letters: [failed] } }
sinks:
  files:
    type: parquet
    path: 'lake/team=%{team}/day=%Y-%m-%d'
    time_field: at
    # Small, to be killed in the middle.
    batch: { records: 1000, age: 100ms }
  failed: { type: file, path: failed.ndjson }
settings: { admin: off, lanes: 2, data_dir: data }",
    );
    let lake = site.path("lake").display().to_string();
    let host = start(&site);
    eventually("files appear", || arrow(&["objects", "local", &lake]).is_some_and(|paths| paths.as_array().unwrap().len() > 4));
    host.signal("KILL");
    host.wait();
    let host = start(&site);
    let told = all("local", &lake, count);
    told_of("sink parquet", "pyarrow", "the host, `kill -9`", &told);
    host.signal("TERM");
    assert_eq!(host.wait().code, Some(0));
    assert!(told["objects"].as_u64().unwrap() >= 6, "a folder for each team and day: {told}");
    let paths = arrow(&["objects", "local", &lake]).unwrap();
    let paths: Vec<&str> = paths.as_array().unwrap().iter().map(|path| path.as_str().unwrap()).collect();
    assert!(paths.iter().any(|path| path.contains("/team=t%2F0/day=2024-03-01/")), "{paths:?}");
    let schema = arrow(&["schema", "local", &lake]).unwrap();
    let columns = schema["columns"].as_array().unwrap();
    let expected = ["at: string", "http: ", "n: int64", "ok: bool", "team: string", "took: double"];
    assert!(columns.iter().zip(expected).all(|(column, name)| column.as_str().unwrap().starts_with(name)), "{schema}");
    assert_eq!((columns.len(), &schema["compression"]), (6, &json!("ZSTD")), "{schema}");
    assert_eq!(schema["rows"][0]["http"], "{\"status\":200,\"path\":\"/api/v1/orders\"}");
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
}

#[test]
fn objects_hold_every_record_after_a_restart_of_the_store_and_a_kill() {
    if !is_installed() {
        return;
    }
    let (number, site) = (records() as u64, Site::with("", input(records() as u64)));
    let Some(mut store) = ObjectStore::start(&site.path("store")) else { return };
    let target = format!("endpoint: '{}', bucket: logs, access_key: tester, secret_key: tester-secret", store.url());
    site.config(&format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson], start: beginning }} }}
pipelines: {{ main: {{ from: [in], to: [lines, columns], dead_letters: [failed] }} }}
sinks:
  lines: {{ type: s3, {target}, key: 'lines/%{{team}}/%Y/%m/%d', time_field: at, batch: {{ records: {batch}, age: 100ms }}, concurrency: 1, retry: {{ max: 1s }} }}
  columns:
    type: s3
    {columns}
    key: columns/
    format: parquet
    compression: snappy
    schema: {{ n: int, at: timestamp, http.status: int, took: float, ok: bool, http: json, team: string }}
    batch: {{ records: {batch}, age: 100ms }}
    buffer: {{ disk: 64MiB }}
    retry: {{ max: 1s }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off, lanes: 2, data_dir: data }}",
        columns = target.replace(", ", "\n    "),
        batch = number / 20,
    ));
    let url = store.url();
    let objects = || arrow(&["objects", &url, "logs/lines"]).map_or(0, |keys| keys.as_array().unwrap().len());
    let host = start(&site);
    eventually("objects appear", || objects() > 6);
    store.kill();
    std::thread::sleep(Duration::from_millis(500));
    host.signal("KILL");
    host.wait();
    let host = start(&site);
    std::thread::sleep(Duration::from_millis(500));
    store.restart();
    let lines = all(&url, "logs/lines", number);
    let columns = all(&url, "logs/columns", number);
    let ended = "the store and the host, `kill -9`";
    told_of("sink s3, lines", "SeaweedFS, pyarrow", ended, &lines);
    told_of("sink s3, Parquet", "SeaweedFS, pyarrow", ended, &columns);
    host.signal("TERM");
    let run = host.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
    let keys = arrow(&["objects", &url, "logs/lines"]).unwrap();
    let keys: Vec<&str> = keys.as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert!(keys.iter().all(|key| key.starts_with("logs/lines/t%2F") && key.ends_with(".ndjson.zst")), "{keys:?}");
    assert!(keys.iter().any(|key| key.contains("/t%2F0/2024/03/01/")), "{keys:?}");
    let schema = arrow(&["schema", &url, "logs/columns"]).unwrap();
    let names: Vec<&str> = schema["columns"].as_array().unwrap().iter().map(|column| column.as_str().unwrap()).collect();
    let expected =
        ["at: timestamp[us, tz=UTC]", "http: ", "http.status: int64", "n: int64", "ok: bool", "team: string", "took: double", "_rest: "];
    assert!(names.len() == expected.len() && names.iter().zip(expected).all(|(name, expected)| name.starts_with(expected)), "{schema}");
    let row = &schema["rows"][0];
    assert_eq!((&schema["compression"], &row["http.status"], &row["_rest"]), (&json!("SNAPPY"), &json!("200"), &json!("None")), "{schema}");
    assert!(row["at"].as_str().unwrap().ends_with(" 10:00:00.500000+00:00"), "{schema}");
}

#[test]
fn a_store_that_refuses_the_key_loses_nothing() {
    if !is_installed() {
        return;
    }
    let site = Site::with("", input(300));
    let Some(store) = ObjectStore::start(&site.path("store")) else { return };
    let config = |secret: &str| {
        site.config(&format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson], start: beginning }} }}
pipelines: {{ main: {{ from: [in], to: [out], dead_letters: [failed] }} }}
sinks:
  out: {{ type: s3, endpoint: '{}', bucket: logs, access_key: tester, secret_key: {secret}, key: '', compression: gzip, batch: {{ age: 50ms }}, retry: {{ max: 1s }} }}
  failed: {{ type: file, path: failed.ndjson }}
settings: {{ admin: off, lanes: 2, data_dir: data, shutdown_timeout: 1s }}",
            store.url()
        ));
    };
    config("another-secret");
    let mut host = start(&site);
    host.says("the store answered 403");
    host.signal("TERM");
    let run = host.wait();
    assert!(
        run.err.contains("the store answered 403 SignatureDoesNotMatch: do `access_key`") && !run.err.contains("another-secret"),
        "{run}"
    );
    assert_eq!(site.lines("failed.ndjson"), Vec::<String>::new());
    config("tester-secret");
    let host = start(&site);
    assert_eq!(all(&store.url(), "logs", 300)["objects"], 1, "a bucket's root");
    host.signal("TERM");
    assert_eq!(host.wait().code, Some(0));
}

#[test]
fn records_that_fit_no_column_are_dead_letters_and_the_end_waits_for_no_age() {
    if !is_installed() {
        return;
    }
    let site = Site::with("", "{\"n\":0}\n{\"n\":\"one\"}\n{\"n\":1,\"more\":[1]}\n{\"n\":2.5}\n");
    site.config(
        "
sources: { in: { type: file, paths: [input.ndjson], start: beginning } }
pipelines: { main: { from: [in], to: [files, other], dead_letters: [failed] } }
sinks:
  # A batch would be complete after an hour.
  files: { type: parquet, path: lake, schema: { n: int }, batch: { age: 1h }, buffer: { disk: 16MiB } }
  other: { type: parquet, path: other/, schema: { n: float }, rest: off, batch: { age: 1h } }
  failed: { type: file, path: failed.ndjson }
settings: { admin: off, lanes: 2, data_dir: data }",
    );
    let run = site.once();
    assert!(run.code == Some(0) && run.took < Duration::from_secs(20), "{run}");
    let folder = |name: &str| site.path(name).display().to_string();
    assert_eq!(count("local", &folder("lake")).unwrap(), json!({ "records": 2, "different": 2, "sum": 1, "objects": 1 }));
    assert_eq!(count("local", &folder("other")).unwrap()["records"], 3);
    let rows = &arrow(&["schema", "local", &folder("lake")]).unwrap()["rows"];
    assert_eq!(rows, &json!([{ "n": "0", "_rest": "None" }, { "n": "1", "_rest": "{\"more\":[1]}" }]));
    assert_eq!(arrow(&["schema", "local", &folder("other")]).unwrap()["columns"], json!(["n: double"]));
    let reasons: Vec<String> = site.lines("failed.ndjson");
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    assert!(reasons.iter().any(|letter| letter.contains("`n` is to be a whole number of 64 bits, and is a text")), "{reasons:?}");
}

#[test]
fn options_that_do_not_go_together() {
    let site = Site::new();
    for (options, expected) in [
        ("type: s3, bucket: logs, access_key: a", "`access_key`: there is no `secret_key` with it"),
        ("type: s3, bucket: logs, compression: snappy", "`compression`: `snappy` fits `parquet`, not `ndjson`"),
        ("type: s3, bucket: logs, format: parquet, compression: gzip", "`compression`: `gzip` fits `ndjson`, not `parquet`"),
        ("type: s3, bucket: logs, schema: { n: int }", "`schema`: `ndjson` has no columns"),
        ("type: s3, bucket: logs, row_group: 500", "`row_group`: `ndjson` has no columns"),
        ("type: s3, bucket: logs, key: 'a//b'", "two slashes"),
        ("type: s3, bucket: Logs", "not the name of a bucket"),
        ("type: s3, bucket: logs, key: 'a/../%{t}'", "`..`"),
        ("type: parquet, path: out, compression: gzip", "`compression`: `gzip` is none of Parquet's here"),
        ("type: parquet, path: out, schema: { _rest: int }", "`_rest`: the column of other fields has this name"),
        ("type: parquet, path: out, schema: { n: integer }", "string"),
        ("type: parquet, path: 'out/%{a}%{b}'", "not apart"),
    ] {
        site.config(&format!(
            "sources: {{ in: {{ type: stdin }} }}\npipelines: {{ m: {{ from: [in], to: [out] }} }}\nsinks: {{ out: {{ {options} }} }}"
        ));
        let run = site.run(["check", "-c", "tamis.yaml"]);
        assert!(run.code == Some(2) && format!("{run}").contains(expected), "{options}: {run}");
    }
}

/// What a plugin writes is a column of its type in each file, also in one of whose records none has it.
#[test]
fn what_steps_write_has_its_type() {
    if !is_installed() {
        return;
    }
    let site = Site::with("", "{\"ApiOwner\":\"nobody\",\"n\":0}\n");
    site.config(
        "
sources: { in: { type: file, paths: [input.ndjson], start: beginning } }
plugins:
  tenant: { component: 'PLUGIN(tenant)', grant: { read: [ApiOwner], write: [tenant] }, config: { owners: { cio: corporate } } }
pipelines: { main: { from: [in], steps: [{ plugin: tenant }, { vrl: '.seen = true' }], to: [files] } }
sinks: { files: { type: parquet, path: lake } }",
    );
    site.delivered();
    let seen = arrow(&["schema", "local", &site.path("lake").display().to_string()]).unwrap();
    assert_eq!(seen["columns"], json!(["ApiOwner: string", "n: int64", "seen: bool", "tenant: string"]));
    assert_eq!(seen["rows"][0]["tenant"], "None");
}
