//! What Kubernetes does to a host: a ConfigMap or Secret that is mounted changes by one link that is put in another's place, and a sidecar
//! is stopped when the application has ended, whose last lines go with the pod.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::Duration;
use tamis_tests::harness::{Address, Live, Site, eventually};

/// The files of a volume, as the kubelet's `AtomicWriter` writes them: in a folder of their own, `..data` leads to it, and the visible
/// names lead through that. An update is another folder, a rename of the link, and the old folder's end.
fn mount(volume: &Path, folder: &str, files: &[(&str, String)]) {
    let before = fs::read_link(volume.join("..data")).ok();
    fs::create_dir_all(volume.join(folder)).unwrap();
    for (name, text) in files {
        fs::write(volume.join(folder).join(name), text).unwrap();
    }
    symlink(folder, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
    for (name, _) in files {
        if volume.join(name).symlink_metadata().is_err() {
            symlink(Path::new("..data").join(name), volume.join(name)).unwrap();
        }
    }
    if let Some(before) = before {
        // Names that are gone, then what they led to.
        for entry in fs::read_dir(volume.join(&before)).unwrap() {
            let name = entry.unwrap().file_name();
            if !volume.join(folder).join(&name).exists() {
                fs::remove_file(volume.join(name)).unwrap();
            }
        }
        fs::remove_dir_all(volume.join(before)).unwrap();
    }
}

/// The two files that the chart makes: settings, and the user's text.
fn files(site: &Site, stamp: &str) -> [(&'static str, String); 2] {
    let at = site.path(".").canonicalize().unwrap();
    let settings = format!("settings: {{ admin: 'unix:{0}/admin.sock', data_dir: {0}/data, lanes: 1 }}\nversion: 1\n", at.display());
    let text = format!(
        "version: 1
sources: {{ in: {{ type: file, paths: [{0}/input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], steps: [ {{ vrl: .stamp = \"{stamp}\" }} ], to: [out] }} }}
sinks: {{ out: {{ type: file, path: {0}/out.ndjson }} }}
",
        at.display()
    );
    [("settings.yaml", settings), ("tamis.yaml", text)]
}

fn generation(site: &Site) -> u64 {
    let told = Address::Unix(site.path("admin.sock")).get("/v1/generations?limit=1").unwrap().body;
    serde_json::from_str::<serde_json::Value>(&told).unwrap()["running"].as_u64().unwrap()
}

fn append(site: &Site, line: &str) {
    let mut file = fs::OpenOptions::new().append(true).open(site.path("input.ndjson")).unwrap();
    writeln!(file, "{line}").unwrap();
}

fn started(site: &Site, config: &str) -> Live {
    let live = site.start(["run", "-c", config, "--watch"]);
    let address = Address::Unix(site.path("admin.sock"));
    eventually("it is ready", || address.get("/readyz").is_ok_and(|answer| answer.status == 200));
    live
}

#[test]
fn a_config_map_that_changes_is_taken_up_without_a_restart() {
    // As the chart mounts it, and a single file of it.
    for config in ["etc", "etc/tamis.yaml"] {
        let site = Site::new();
        let volume = site.path("etc");
        site.write("input.ndjson", "{\"n\":1}\n");
        let whole = |stamp: &str| {
            let [settings, (name, text)] = files(&site, stamp);
            // A single file has its settings in it.
            if config == "etc" { vec![settings, (name, text)] } else { vec![(name, text + settings.1.trim_end_matches("version: 1\n"))] }
        };
        mount(&volume, "..2026_11_23_20_00_00.1", &whole("first"));
        let live = started(&site, config);
        eventually("the first record", || site.lines("out.ndjson").len() == 1);

        mount(&volume, "..2026_11_23_20_01_00.2", &whole("second"));
        eventually("the change is taken up", || generation(&site) == 2);
        append(&site, "{\"n\":2}");
        eventually("the second record", || site.lines("out.ndjson").len() == 2);

        // The kubelet writes the same again, as after its restart.
        mount(&volume, "..2026_11_23_20_02_00.3", &whole("second"));
        // Longer than a change takes to settle and be looked at.
        std::thread::sleep(Duration::from_secs(3));
        assert_eq!(generation(&site), 2, "the same text is no change");

        // One that is not sound is refused, the next one that is sound is taken.
        let broken: Vec<_> = whole("third").into_iter().map(|(name, text)| (name, text.replace("pipelines", "pipeline"))).collect();
        mount(&volume, "..2026_11_23_20_03_00.4", &broken);
        eventually("it is refused", || live.err().contains("pipeline"));
        assert_eq!(generation(&site), 2);
        mount(&volume, "..2026_11_23_20_04_00.5", &whole("third"));
        eventually("the last is taken up", || generation(&site) == 3);
        append(&site, "{\"n\":3}");
        eventually("the third record", || site.lines("out.ndjson").len() == 3);
        live.signal("TERM");
        let run = live.wait();
        assert_eq!(run.code, Some(0), "{run}");
        let stamped: Vec<_> = ["first", "second", "third"]
            .iter()
            .enumerate()
            .map(|(n, stamp)| format!("{{\"n\":{},\"stamp\":\"{stamp}\"}}", n + 1))
            .collect();
        assert_eq!(site.lines("out.ndjson"), stamped, "{config}");
    }
}

#[test]
fn files_come_and_go_in_a_config_map() {
    let site = Site::new();
    let volume = site.path("etc");
    site.write("input.ndjson", "{\"n\":1}\n");
    let mut all = files(&site, "first").to_vec();
    mount(&volume, "..1", &all);
    let live = started(&site, "etc");
    let more = format!(
        "pipelines: {{ other: {{ from: [in], to: [more] }} }}\nsinks: {{ more: {{ type: file, path: {}/more.ndjson }} }}\n",
        site.path(".").canonicalize().unwrap().display()
    );
    all.push(("more.yaml", more));
    mount(&volume, "..2", &all);
    eventually("the file that came is taken up", || generation(&site) == 2);
    append(&site, "{\"n\":2}");
    eventually("its pipeline runs", || !site.lines("more.ndjson").is_empty());
    all.pop();
    mount(&volume, "..3", &all);
    eventually("the file that went is taken up", || generation(&site) == 3);
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}

const SIDECAR: &str = "
sources: { in: { type: file, paths: [logs/*.log], poll: 500ms } }
pipelines: { main: { from: [in], steps: [ { vrl: .seen = true } ], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }
settings: { admin: off, lanes: 1, shutdown_timeout: TIMEOUT }";

/// A host beside an application that has just ended, with this in its log.
fn beside(log: &str, timeout: &str) -> (Site, Live) {
    let site = Site::new();
    site.config(&SIDECAR.replace("TIMEOUT", timeout));
    site.write("logs/gateway.log", log);
    let live = site.start(["run", "--drain-files", "--report", "0", "--output", "json"]);
    eventually("some records", || site.path("out.ndjson").metadata().is_ok_and(|m| m.len() > 0));
    (site, live)
}

#[test]
fn a_sidecar_reads_what_the_application_left() {
    let count = 200_000;
    let log: String = (0..count).map(|n| format!("{{\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(100))).collect();
    let (site, live) = beside(&log, "60s");
    // A file that nobody has seen, and a line in one that is being read; then the stop.
    site.write("logs/last.log", "{\"n\":\"last\"}\n");
    let mut file = fs::OpenOptions::new().append(true).open(site.path("logs/gateway.log")).unwrap();
    writeln!(file, "{{\"n\":{count}}}").unwrap();
    if site.lines("out.ndjson").len() >= count {
        eprintln!("the machine was too slow to stop the host in the middle of the file: this run shows less");
    }
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.err.contains("reading files to their end"), "{run}");
    run.report().conserved();
    let lines = site.lines("out.ndjson");
    assert_eq!(lines.len(), count + 2);
    assert!(lines.contains(&"{\"n\":\"last\",\"seen\":true}".to_owned()), "the file that came last");
}

#[test]
fn reading_to_the_end_has_a_time_and_a_second_signal_ends_it() {
    // A line without its end is never read.
    let log = "{\"n\":1}\n{\"n\":2";
    let (site, live) = beside(log, "3s");
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.err.contains("6 bytes of files are not read within 1500 ms"), "{run}");
    assert_eq!(site.lines("out.ndjson").len(), 1);

    let (site, mut live) = beside(log, "1h");
    live.signal("TERM");
    live.says("reading files to their end");
    live.signal("TERM");
    assert!(live.ends_within(Duration::from_secs(10)), "{}", live.err());
    assert_eq!(live.wait().code, Some(0), "what was read is delivered");
    assert_eq!(site.lines("out.ndjson").len(), 1);
}
