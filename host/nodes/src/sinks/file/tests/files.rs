//! One file: opening, repair, rotation, commits.

use super::*;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

#[test]
fn appends_and_makes_folders() {
    let bench = Bench::new("a/b.ndjson");
    for _ in 0..2 {
        write(&mut bench.open(), "{}\n");
    }
    assert_eq!(bench.read("a/b.ndjson"), "{}\n{}\n");
    for (before, after) in [("{\"a\":1}\n{\"b\":", "{\"a\":1}\n{}\n"), ("{\"a\":1}", "{\"a\":1}\n{}\n"), ("{\"b", "{}\n"), ("", "{}\n")] {
        std::fs::write(bench.path("a/b.ndjson"), before).unwrap();
        write(&mut bench.open(), "{}\n");
        let found = bench.read("a/b.ndjson");
        assert!(found == after || before == "1\n", "{before:?} became {found:?}");
    }
    let below = Config::new(bench.path("a/b.ndjson/below").to_str().unwrap());
    let error = FileSink::open(&below, &WrittenFiles::default()).unwrap_err().to_string();
    assert!(error.starts_with("cannot open `") && error.contains("is not a folder"), "{error}");
}

#[test]
fn the_hosts_own_files_are_private_and_made_late() {
    let bench = Bench::new("x");
    let path = bench.path("private/100%d.ndjson");
    let mut sink = FileSink::private(&path);
    assert!(!commit(&mut sink));
    sink.tick().unwrap();
    assert!(!path.exists());
    write(&mut sink, "{}\n");
    assert!(commit(&mut sink));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(path.parent().unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o700);
}

#[test]
fn a_pipe_without_reader_is_an_error_and_one_with_reader_is_written() {
    let bench = Bench::new("pipe");
    assert!(std::process::Command::new("mkfifo").arg(bench.path("pipe")).status().unwrap().success());
    assert!(bench.try_open().is_err());
    let path = bench.path("pipe");
    // For reading and writing, so that opening does not wait for the other side.
    let reader = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
    let mut sink = bench.open();
    write(&mut sink, "{}\n");
    assert!(!commit(&mut sink), "a pipe is not synced");
    sink.tick().unwrap();
    let mut text = [0; 3];
    std::io::Read::read_exact(&mut &reader, &mut text).unwrap();
    assert_eq!(&text, b"{}\n");
    assert_eq!(bench.written.files(), []);
}

#[test]
fn a_commit_has_a_job_exactly_when_something_was_written() {
    let bench = Bench::new("a.ndjson");
    let mut sink = bench.open();
    assert!(commit(&mut sink), "the file was made");
    assert!(!commit(&mut sink));
    write(&mut sink, "{}\n");
    assert!(commit(&mut sink));
    assert!(!commit(&mut sink));
    let mut quick = Bench::new("b.ndjson");
    quick.config.fsync = false;
    let mut sink = quick.open();
    write(&mut sink, "{}\n");
    assert!(!commit(&mut sink));
}

#[test]
fn after_a_failed_sync_nothing_is_durable_any_more() {
    let mut unsynced = sync::Unsynced::default();
    // A pipe cannot be synced, which stands for a disk that fails.
    let (_reader, writer) = std::io::pipe().unwrap();
    let file = std::fs::File::from(std::os::fd::OwnedFd::from(writer));
    unsynced.file(Arc::new(sync::Opened { file, path: "broken".into() }));
    let bench = Bench::new("x");
    let surplus = bench.path("surplus");
    std::fs::write(&surplus, "").unwrap();
    unsynced.surplus(surplus.clone());
    let error = unsynced.commit().unwrap()().unwrap_err().to_string();
    assert!(error.contains("cannot sync `broken`"), "{error}");
    assert!(surplus.exists());
    let error = unsynced.commit().unwrap()().unwrap_err().to_string();
    assert!(error.contains("an earlier sync failed"), "{error}");
}

#[test]
fn rotation_by_size_never_splits_a_line() {
    let bench = Bench::rotating("out/a.ndjson", Some(4_096), None, Some(3));
    let mut sink = bench.open();
    let all: Vec<String> = (0..200).map(|n| line(n, 100 + n)).collect();
    for parcel in all.chunks(7) {
        write(&mut sink, &parcel.concat());
        bench.pass(1);
    }
    assert_eq!(bench.names().len(), 10, "nothing goes before a commit: {:?}", bench.names());
    let in_order: String = bench.names().iter().map(|name| bench.read(name)).collect();
    assert!(in_order == all.concat(), "the names are in the order of writing");
    for name in bench.names() {
        assert!(bench.path(&name).metadata().unwrap().len() <= 4_096 && bench.read(&name).ends_with('\n'), "{name}");
    }
    assert!(commit(&mut sink));
    let names = bench.names();
    assert_eq!(names.len(), 4, "{names:?}");
    assert!(all.concat().ends_with(&names.iter().map(|name| bench.read(name)).collect::<String>()));
    write(&mut sink, &line(1, 9_000));
    write(&mut sink, &line(2, 9_000));
    assert_eq!(bench.read("out/a.ndjson"), line(2, 9_000), "a line longer than a file has one of its own");
}

#[test]
fn rotation_by_time_is_aligned_and_outlives_a_restart() {
    let bench = Bench::rotating("a.ndjson", None, Some(Duration::from_secs(3_600)), None);
    let mut sink = bench.open();
    bench.pass(3_599);
    sink.tick().unwrap();
    write(&mut sink, "{\"n\":1}\n");
    sink.tick().unwrap();
    assert_eq!(bench.names(), ["a.ndjson"]);
    bench.pass(1);
    write(&mut sink, "{\"n\":2}\n");
    assert_eq!(bench.names(), ["a-20250101T010000.000Z.ndjson", "a.ndjson"]);
    bench.pass(3_600);
    sink.tick().unwrap();
    assert_eq!((bench.read("a-20250101T020000.000Z.ndjson").as_str(), bench.read("a.ndjson").as_str()), ("{\"n\":2}\n", ""));
    bench.pass(9_000);
    sink.tick().unwrap();
    assert_eq!(bench.names().len(), 3, "an empty file is not put aside");
    write(&mut sink, "{\"n\":3}\n");
    drop(sink);
    let hour_ago = SystemTime::now() - Duration::from_secs(3_601);
    std::fs::File::options().write(true).open(bench.path("a.ndjson")).unwrap().set_modified(hour_ago).unwrap();
    drop(bench.open());
    assert_eq!((bench.names().len(), bench.read("a.ndjson").as_str()), (4, ""));
}

#[test]
fn rotation_by_somebody_else_is_noticed() {
    let bench = Bench::new("a.ndjson");
    let mut sink = bench.open();
    write(&mut sink, "{\"n\":1}\n");
    std::fs::rename(bench.path("a.ndjson"), bench.path("a.1")).unwrap();
    write(&mut sink, "{\"n\":2}\n");
    sink.tick().unwrap();
    write(&mut sink, "{\"n\":3}\n");
    assert_eq!((bench.read("a.1").as_str(), bench.read("a.ndjson").as_str()), ("{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n"));
    std::fs::remove_file(bench.path("a.ndjson")).unwrap();
    assert!(commit(&mut sink));
    write(&mut sink, "{\"n\":4}\n");
    assert_eq!(bench.read("a.ndjson"), "{\"n\":4}\n");
    // Copied and truncated: what follows begins at the beginning.
    std::fs::write(bench.path("a.ndjson"), "").unwrap();
    write(&mut sink, "{\"n\":5}\n");
    assert_eq!(bench.read("a.ndjson"), "{\"n\":5}\n");
    let ids = bench.written.files();
    // The third may have been given the inode of the second, which was removed.
    assert_eq!(ids.len(), 3);
    let metadata = bench.path("a.1").metadata().unwrap();
    assert!(ids.contains(&(metadata.dev(), metadata.ino())) && bench.written.contains(&metadata));
    assert!(!bench.written.contains(&bench.folder.path().metadata().unwrap()));
}

#[test]
fn power_loss_garbage_goes_and_the_rest_stays() {
    let bench = Bench::new("a.ndjson");
    let sound = (0..1_000).map(|n| line(n, 100)).collect::<String>();
    std::fs::write(bench.path("a.ndjson"), format!("{sound}{}{{\"half\":", "\0".repeat(8_192))).unwrap();
    let mut sink = bench.open();
    write(&mut sink, "{}\n");
    assert!(bench.read("a.ndjson") == sound + "{}\n");
}

/// Needs the right to mount; passes over it where there is none.
#[test]
fn a_full_disk_tears_no_line() {
    let bench = Bench::new("small/%{t}.ndjson");
    let small = bench.path("small");
    std::fs::create_dir(&small).unwrap();
    let run = |arguments: &[&str]| {
        let quiet = std::process::Stdio::null;
        let status = std::process::Command::new(arguments[0]).args(&arguments[1..]).arg(&small).stdout(quiet()).stderr(quiet()).status();
        status.is_ok_and(|status| status.success())
    };
    if !run(&["mount", "-t", "tmpfs", "-o", "size=64k", "tamis-nodes"]) {
        eprintln!("skipped: mounting a tmpfs is not permitted here");
        return;
    }
    let mut sink = bench.open();
    let text: String = (0..300).map(|n| format!("{{\"t\":\"{}\",\"n\":{n},\"pad\":\"{}\"}}\n", n / 10 % 3, "x".repeat(777))).collect();
    let mut rest = text.as_bytes();
    let mut failures = 0;
    while !rest.is_empty() {
        match sink.write(rest) {
            Ok(written) => rest = &rest[written..],
            Err(error) => {
                assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
                failures += 1;
                if failures == 3 {
                    assert!(run(&["mount", "-o", "remount,size=8m"]));
                }
                assert!(sink.commit().is_ok() && sink.tick().is_ok());
            }
        }
    }
    let mut lines: Vec<String> =
        bench.names().iter().flat_map(|name| bench.read(name).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
    let mut expected: Vec<String> = text.lines().map(str::to_owned).collect();
    drop(sink);
    assert!(run(&["umount", "-l"]));
    lines.sort();
    expected.sort();
    assert_eq!(failures, 3);
    assert!(lines == expected, "everything, once, whole");
}
