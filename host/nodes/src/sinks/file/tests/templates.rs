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

fn shared(owners: &str, n: usize) -> String {
    format!("{{\"owners\":{owners},\"n\":{n}}}\n")
}

#[test]
fn a_list_leads_to_the_file_of_each_element() {
    for compression in [SinkCompression::None, SinkCompression::Gzip] {
        let mut bench = Bench::new("out/%{owners}/calls.ndjson");
        bench.config.compression = compression;
        bench.config.open_files = 2;
        let mut sink = bench.open();
        let lines = [
            shared("[\"a\",\"b\"]", 0),
            shared("[\"b\",\"a\"]", 1),
            shared("\"c\"", 2),
            shared("[\"a\",\"c\",\"b\"]", 3),
            shared("[]", 4),
            shared("[\"c\"]", 5),
        ];
        write(&mut sink, &lines.concat());
        assert!(commit(&mut sink));
        assert_eq!(sink.refused(), []);
        let names = ["_", "a", "b", "c"].map(|owner| format!("out/{owner}/calls.ndjson"));
        assert_eq!(bench.names(), names);
        for (name, expected) in names.iter().zip([vec![4], vec![0, 1, 3], vec![0, 1, 3], vec![2, 3, 5]]) {
            let bytes = std::fs::read(bench.path(name)).unwrap();
            let text = match compression {
                SinkCompression::None => String::from_utf8(bytes).unwrap(),
                _ => std::io::read_to_string(flate2::read::MultiGzDecoder::new(bytes.as_slice())).unwrap(),
            };
            assert_eq!(text, expected.iter().map(|n: &usize| lines[*n].as_str()).collect::<String>(), "{name}");
        }
    }
}

#[test]
fn what_has_no_file_is_told_with_its_place() {
    let bench = Bench::new("out/%{owners}.ndjson");
    let mut sink = bench.open();
    let many = (0..17).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    let lines = [shared("\"a\"", 0), shared("[null]", 1), shared("[{}]", 2), shared("\"a\"", 3), shared(&format!("[{many}]"), 4)];
    let text = lines.concat();
    assert_eq!(sink.write(text.as_bytes()).unwrap(), text.len());
    let refused: Vec<_> = sink.refused().into_iter().map(|refused| text[refused.lines].to_owned()).collect();
    assert_eq!(refused, [lines[1..3].concat(), lines[4].clone()]);
    assert_eq!((bench.names(), bench.read("out/a.ndjson")), (vec!["out/a.ndjson".to_owned()], [lines[0].as_str(), &lines[3]].concat()));
    write(&mut sink, &lines[0]);
    assert_eq!(sink.refused(), [], "told once");
}

#[test]
fn a_file_that_fails_holds_the_rest_up_and_no_other_gets_a_line_twice() {
    let bench = Bench::new("out/%{owners}/x.ndjson");
    let mut sink = bench.open();
    let link = bench.path("out/b");
    std::os::unix::fs::symlink(bench.folder.path(), &link).unwrap();
    let lines = [shared("[\"a\",\"b\",\"c\"]", 0), shared("[\"a\",\"c\"]", 1)];
    let text = lines.concat();
    // The first file has the line, so it is taken; it is not committed, and nothing goes past it.
    assert_eq!(sink.write(text.as_bytes()).unwrap(), lines[0].len());
    for _ in 0..3 {
        assert!(sink.write(lines[1].as_bytes()).unwrap_err().to_string().contains("is a symbolic link"));
        assert!(sink.commit().is_err());
        sink.tick().unwrap();
    }
    assert_eq!(bench.read("out/a/x.ndjson"), lines[0]);
    std::fs::remove_file(&link).unwrap();
    write(&mut sink, &lines[1]);
    assert!(commit(&mut sink));
    assert_eq!((bench.read("out/a/x.ndjson"), bench.read("out/c/x.ndjson")), (text.clone(), text.clone()));
    assert_eq!(bench.read("out/b/x.ndjson"), lines[0]);
    // Where the first file fails, nothing is taken.
    let link = bench.path("out/d");
    std::os::unix::fs::symlink(bench.folder.path(), &link).unwrap();
    assert!(sink.write(shared("[\"d\",\"a\"]", 2).as_bytes()).is_err());
    assert!(!commit(&mut sink));
    assert_eq!(bench.read("out/a/x.ndjson"), text);
}

#[test]
fn lines_that_go_to_several_files_are_never_split_by_a_rotation() {
    let mut bench = Bench::rotating("out/%{owners}.ndjson", Some(4_096), None, None);
    bench.config.open_files = 1;
    let mut sink = bench.open();
    let lines: Vec<String> = (0..40).map(|n| format!("{{\"owners\":[\"a\",\"b\"],\"n\":{n},\"pad\":\"{}\"}}\n", "x".repeat(900))).collect();
    write(&mut sink, &lines.concat());
    assert!(commit(&mut sink));
    for owner in ["a", "b"] {
        let names = bench.names();
        let mut found: Vec<String> = names
            .iter()
            .filter(|name| name.starts_with(&format!("out/{owner}")))
            .flat_map(|name| bench.read(name).split_inclusive('\n').map(str::to_owned).collect::<Vec<_>>())
            .collect();
        found.sort();
        let mut expected = lines.clone();
        expected.sort();
        assert!(found == expected, "{names:?}");
    }
}
