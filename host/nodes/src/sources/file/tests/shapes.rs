//! Lines, files and names of every shape.

use super::rig::{Rig, gzip, lines, numbers, sleep, write};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

#[test]
fn a_last_line_waits_for_its_end_and_a_young_file_keeps_its_identity() {
    let rig = Rig::new("x.log", "");
    rig.append("x.log", "{\"a\":1}\n{\"");
    let running = rig.start();
    running.wait_for("{\"a\":1}");
    sleep(300);
    assert_eq!(running.stop().texts(), ["{\"a\":1}"]);
    rig.append("x.log", "b\":2}\n");
    for round in 0..20 {
        let running = rig.start();
        let line = format!("{{\"round\":{round},\"text\":\"{}\"}}", "y".repeat(round * 10));
        rig.append("x.log", &format!("{line}\n"));
        running.wait_for(&line);
        let texts: Vec<String> = running.stop().records.into_iter().map(|(_, _, text)| text).collect();
        assert_eq!(texts.len(), if round == 0 { 2 } else { 1 }, "{texts:?}");
    }
}

#[test]
fn with_once_the_last_line_needs_no_end_and_is_read_again_only_when_it_goes_on() {
    let rig = Rig::new("x.log", "");
    rig.append("x.log", "one\ntwo");
    assert_eq!(rig.once().texts(), ["one", "two"]);
    assert_eq!(rig.once().records.len(), 0);
    rig.append("x.log", "\nthree");
    assert_eq!(rig.once().texts(), ["three"]);
    rig.append("x.log", " and a half\nfour\n");
    let shared = rig.once();
    assert_eq!(shared.texts(), ["three and a half", "four"]);
    assert_eq!(shared.records[0].1, 8, "where the line began");
    assert_eq!(rig.once().records.len(), 0);
}

#[test]
fn a_line_of_ten_mebibytes_is_rejected_and_the_rest_is_whole() {
    let rig = Rig::new("x.log", "");
    let long = "x".repeat(10 << 20);
    rig.append("x.log", &format!("before\n{long}\nafter\n{}", &long[..3 << 20]));
    let running = rig.start();
    running.wait_for("after");
    let shared = running.stop();
    assert_eq!(shared.texts(), ["before", "after"]);
    assert_eq!(shared.rejected.len(), 1);
    assert!(shared.rejected[0].1.starts_with("a record of 10485760 bytes, at most 1048576"), "{}", shared.rejected[0].1);
    // Reading went on inside the second long line; it is rejected as a whole all the same.
    rig.append("x.log", &format!("{}\nlast\n", &long[..1 << 20]));
    let shared = rig.once();
    assert_eq!(shared.texts(), ["last"]);
    assert!(shared.rejected[0].1.starts_with("a record of 4194304 bytes"), "{}", shared.rejected[0].1);
}

#[test]
fn stack_traces_are_joined_and_the_last_one_comes_after_a_while() {
    let rig = Rig::new("x.log", "multiline: { start: '^TID: ', wait: 100ms }");
    rig.append("x.log", "TID: 1\n\tat a\n\tat b\nTID: 2\n\tat c\n");
    let running = rig.start();
    running.wait_for("TID: 1\n\tat a\n\tat b");
    running.wait_for("TID: 2\n\tat c");
    rig.append("x.log", "TID: 3\n\tat ");
    sleep(300);
    let shared = running.stop();
    assert_eq!(shared.records.len(), 2, "a part of a line holds its record back: {:?}", shared.records);
    rig.append("x.log", "d\n");
    let running = rig.start();
    running.wait_for("TID: 3\n\tat d");
    assert_eq!(running.stop().records.len(), 1);
    assert_eq!(rig.once().records.len(), 0);
}

#[test]
fn compressed_files_are_read_as_what_they_hold() {
    let rig = Rig::new("*", "rotate_wait: 200ms".replace("rotate_wait: 200ms", "").as_str());
    let mut members = gzip(lines("a", 0..2_000).as_bytes());
    members.extend(gzip(lines("a", 2_000..2_500).as_bytes()));
    write(&rig.path("x.log.1.gz"), &members);
    let running = rig.start_with(false);
    running.wait("all", |s| s.records.len() == 2_500);
    running.stop();
    let shared = rig.once();
    assert_eq!(numbers(&shared, "a"), (0..2_500).collect::<Vec<_>>(), "not acknowledged, so read again");
    assert_eq!(rig.once().records.len(), 0);
}

#[test]
fn a_damaged_compressed_file_is_read_as_far_as_it_goes_once() {
    let rig = Rig::new("*.gz", "");
    let mut bytes = gzip(lines("a", 0..5_000).as_bytes());
    bytes.truncate(bytes.len() / 2);
    write(&rig.path("x.gz"), &bytes);
    write(&rig.path("z.gz"), &gzip(lines("z", 0..5).as_bytes()));
    let running = rig.start();
    running.wait("the sound one", |s| numbers(s, "z").len() == 5);
    running.wait_event("damaged");
    sleep(300);
    let shared = running.stop();
    let found = numbers(&shared, "a");
    assert!(found.len() > 1_000 && found.len() < 5_000 && found.is_sorted(), "{}", found.len());
    assert_eq!(shared.count("damaged"), 1);
    assert_eq!(numbers(&rig.once(), "a").len(), 0);
}

#[test]
fn a_name_that_is_not_utf8_is_read_and_remembered() {
    let rig = Rig::new("*.log", "");
    let path = rig.path("").join(OsStr::from_bytes(b"odd\xff.log"));
    write(&path, b"{\"a\":1}\n");
    let shared = rig.once();
    assert_eq!(shared.texts(), ["{\"a\":1}"]);
    assert!(shared.records[0].0.ends_with("odd\u{fffd}.log"), "{}", shared.records[0].0);
    assert_eq!(rig.once().records.len(), 0);
}

#[test]
fn more_files_than_may_be_open_are_all_followed() {
    let rig = Rig::new("*.log", "open_files: 3");
    let running = rig.start();
    for round in 0..3 {
        for file in 0..20 {
            rig.append(&format!("{file}.log"), &lines(&file.to_string(), round..round + 1));
        }
        running.wait("a round", |s| s.records.len() == 20 * (round as usize + 1));
    }
    rig.rename("7.log", "7.old");
    rig.append("7.old", &lines("7", 3..4));
    running.wait("what came to a closed file that was renamed", |s| numbers(s, "7").len() == 4);
    assert_eq!(running.stop().records.len(), 61);
}

#[test]
fn a_large_file_does_not_starve_a_small_one() {
    let rig = Rig::new("*.log", "");
    rig.append("a.log", &lines("a", 0..200_000));
    rig.append("b.log", &lines("b", 0..1));
    let running = rig.start();
    running.wait("all", |s| s.records.len() == 200_001);
    let shared = running.stop();
    let at = shared.records.iter().position(|(name, _, _)| name.ends_with("b.log")).unwrap();
    assert!(at < 20_000, "{at}");
}

#[test]
fn nothing_there_and_nothing_readable() {
    let rig = Rig::new("*.log", "");
    assert!(matches!(rig.try_once().1, Err(crate::sources::SourceError::NoFile { .. })));
    std::fs::create_dir(rig.path("d.log")).unwrap();
    std::os::unix::fs::symlink("nowhere", rig.path("l.log")).unwrap();
    let running = rig.start();
    sleep(50);
    std::fs::remove_dir_all(rig.path("")).unwrap();
    sleep(50);
    std::fs::create_dir(rig.path("")).unwrap();
    rig.append("x.log", "late\n");
    running.wait_for("late");
    running.stop();
}
