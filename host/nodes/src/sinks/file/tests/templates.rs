//! Paths made of records and of the time.

use super::*;

fn record(tenant: &str, n: usize) -> String {
    format!("{{\"tenant\":{},\"n\":{n}}}\n", serde_json::Value::from(tenant))
}

#[test]
fn each_record_finds_its_file() {
    let bench = Bench::new("out/%{tenant}/%Y-%m-%d.ndjson");
    let mut sink = bench.open();
    assert!(bench.path("out").is_dir());
    write(&mut sink, &[record("a", 1), record("a", 2), record("b", 3), record("a", 4), "{\"n\":5}\n".into()].concat());
    bench.pass(86_400);
    write(&mut sink, &record("a", 6));
    assert!(commit(&mut sink));
    assert_eq!(bench.names(), ["out/_/2025-01-01.ndjson", "out/a/2025-01-01.ndjson", "out/a/2025-01-02.ndjson", "out/b/2025-01-01.ndjson"]);
    assert_eq!(bench.read("out/a/2025-01-01.ndjson"), [record("a", 1), record("a", 2), record("a", 4)].concat());
    assert_eq!(bench.read("out/_/2025-01-01.ndjson"), "{\"n\":5}\n");
    assert_eq!(bench.written.files().len(), 4);
}

#[test]
fn hostile_values_stay_below_the_folder() {
    let bench = Bench::new("in/out/%{tenant}");
    let mut sink = bench.open();
    let values =
        ["..", "../x", "../../x", "/etc/x", ".", "", "a/b", "a\0b", "a\nb", "_", "x".repeat(4_000).as_str(), "ACME", "acme", "\u{1b}[2J"]
            .map(str::to_owned);
    for (n, value) in values.iter().enumerate() {
        write(&mut sink, &record(value, n));
    }
    let names = bench.names();
    assert_eq!(names.len(), values.len(), "each has its own: {names:?}");
    assert!(names.iter().all(|name| name.starts_with("in/out/") && name.matches('/').count() == 2), "{names:?}");
    for name in names {
        assert_eq!(bench.read(&name).lines().count(), 1);
    }
}

#[test]
fn links_are_not_followed_below_the_folder() {
    let bench = Bench::new("out/%{tenant}/x.ndjson");
    let mut sink = bench.open();
    let elsewhere = bench.path("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, bench.path("out/folder")).unwrap();
    std::fs::create_dir(bench.path("out/file")).unwrap();
    std::os::unix::fs::symlink(elsewhere.join("y"), bench.path("out/file/x.ndjson")).unwrap();
    for tenant in ["folder", "file"] {
        let error = sink.write(record(tenant, 1).as_bytes()).unwrap_err().to_string();
        assert!(error.contains("is a symbolic link"), "{error}");
    }
    write(&mut sink, &record("other", 1));
    assert_eq!(std::fs::read_dir(&elsewhere).unwrap().count(), 0);
    // The folder that the operator names may be one.
    let bench = Bench::new("link/%{tenant}.ndjson");
    std::fs::create_dir(bench.path("real")).unwrap();
    std::os::unix::fs::symlink(bench.path("real"), bench.path("link")).unwrap();
    write(&mut bench.open(), &record("a", 1));
    assert_eq!(bench.read("real/a.ndjson"), record("a", 1));
}

#[test]
fn open_files_are_bounded_and_all_are_committed() {
    let mut bench = Bench::new("out/%{tenant}.ndjson");
    bench.config.open_files = 4;
    let mut sink = bench.open();
    for round in 0..3 {
        for tenant in 0..50 {
            write(&mut sink, &record(&tenant.to_string(), round));
            assert!(sink.store.open_count() <= 4);
        }
    }
    write(&mut sink, &record("49", 9));
    assert!(commit(&mut sink) && !commit(&mut sink));
    for tenant in 0..50 {
        let expected: String = (0..3).map(|round| record(&tenant.to_string(), round)).collect();
        assert!(bench.read(&format!("out/{tenant}.ndjson")).starts_with(&expected));
    }
    let open = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    assert_eq!(open.filter(|path| path.starts_with(bench.folder.path())).count(), 4);
}

#[test]
fn the_least_recently_used_goes_first_and_idle_files_are_closed() {
    let mut bench = Bench::new("out/%{tenant}.ndjson");
    bench.config.open_files = 2;
    bench.config.idle = Duration::from_secs(60);
    let mut sink = bench.open();
    for tenant in ["a", "b", "a", "c"] {
        write(&mut sink, &record(tenant, 1));
    }
    bench.pass(59);
    write(&mut sink, &record("a", 2));
    // `b` is gone, so what is appended behind the sink's back is seen when it comes again, and `a` has stayed.
    assert_eq!(sink.store.open_count(), 2);
    assert_eq!((sink.store.length("b.ndjson"), sink.store.length("c.ndjson") > 0, sink.store.length("a.ndjson") > 0), (0, true, true));
    bench.pass(1);
    sink.tick().unwrap();
    assert_eq!((sink.store.open_count(), sink.store.length("c.ndjson")), (1, 0));
    assert!(commit(&mut sink), "closed files are part of the commit");
    std::fs::write(bench.path("out/c.ndjson"), "{\"torn").unwrap();
    write(&mut sink, &record("c", 3));
    assert_eq!(bench.read("out/c.ndjson"), record("c", 3), "a file that has changed since is repaired");
}

#[test]
fn rotated_files_of_tenants_do_not_mix() {
    let mut bench = Bench::rotating("out/%{tenant}.ndjson", Some(4_096), None, Some(1));
    bench.config.open_files = 8;
    let mut sink = bench.open();
    let hostile = "a-20250101T000000.000Z";
    write(&mut sink, &record(hostile, 0));
    let line = |n: usize| format!("{{\"tenant\":\"a\",\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(3_000));
    for n in 0..5 {
        write(&mut sink, &line(n));
    }
    assert!(commit(&mut sink));
    assert_eq!(bench.names(), ["out/a%2D20250101T000000.000Z.ndjson", "out/a-20250101T000000.000Z-4.ndjson", "out/a.ndjson"]);
    assert_eq!(bench.read("out/a-20250101T000000.000Z-4.ndjson"), line(3));
}

#[test]
fn a_folder_that_cannot_be_written_is_found_at_once() {
    let bench = Bench::new("file/%{tenant}.ndjson");
    std::fs::write(bench.path("file"), "").unwrap();
    let error = bench.try_open().unwrap_err().to_string();
    assert!(error.starts_with("cannot open `") && error.contains("is not a folder"), "{error}");
    assert_eq!(bench.names(), ["file"]);
}

#[test]
#[ignore = "prints figures that depend on the machine"]
fn speed() {
    const PARCEL: usize = 1_000;
    for (path, tenants) in [("a.ndjson", 1), ("%{tenant}.ndjson", 1), ("%{tenant}.ndjson", 50)] {
        let bench = Bench::new(path);
        let mut sink = bench.open();
        let pad = "x".repeat(400);
        let parcel: String = (0..PARCEL).map(|n| format!("{{\"tenant\":\"t{}\",\"pad\":\"{pad}\"}}\n", n % tenants)).collect();
        let start = std::time::Instant::now();
        for _ in 0..300 {
            write(&mut sink, &parcel);
        }
        println!("{path}, {tenants} tenants: {} ns a record", start.elapsed().as_nanos() / (300 * PARCEL as u128));
    }
}
