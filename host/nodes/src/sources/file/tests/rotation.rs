//! Rotation in every way that there is, with and without a restart in between.

use super::rig::{Rig, lines, numbers, sleep, write};

fn all(range: std::ops::Range<u64>) -> Vec<u64> {
    range.collect()
}

#[test]
fn a_renamed_file_is_read_to_its_end_and_the_new_one_from_its_beginning() {
    let rig = Rig::new("x.log", "");
    rig.append("x.log", &lines("a", 0..10));
    let running = rig.start();
    running.wait("ten", |s| s.records.len() == 10);
    rig.rename("x.log", "x.log.1");
    rig.append("x.log.1", &lines("a", 10..15));
    rig.append("x.log", &lines("b", 0..3));
    running.wait("both", |s| s.records.len() == 18);
    running.wait_event("rotated");
    // The writer still has it open.
    rig.append("x.log.1", &lines("a", 15..16));
    running.wait("the late one", |s| s.records.len() == 19);
    sleep(400);
    let shared = running.stop();
    assert_eq!((numbers(&shared, "a"), numbers(&shared, "b")), (all(0..16), all(0..3)));
    assert_eq!(rig.once().records.len(), 0, "everything was read");
}

#[test]
fn what_was_unread_at_a_restart_is_found_under_the_new_name() {
    for (compress, pattern) in [(false, "x.log"), (true, "x.log"), (false, "x.log*"), (true, "x.log*")] {
        let rig = Rig::new(pattern, "");
        rig.append("x.log", &lines("a", 0..10));
        let running = rig.start();
        running.wait("ten", |s| s.records.len() == 10);
        running.stop();
        rig.append("x.log", &lines("a", 10..20));
        rig.rename("x.log", "x.log.1");
        rig.append("x.log", &lines("b", 0..3));
        if compress {
            rig.compress("x.log.1");
            sleep(250);
        }
        let running = rig.start();
        running.wait("the rest", |s| s.records.len() >= 13);
        sleep(300);
        let shared = running.stop();
        assert_eq!((numbers(&shared, "a"), numbers(&shared, "b")), (all(10..20), all(0..3)), "{compress} {pattern}");
        assert_eq!(rig.once().records.len(), 0);
    }
}

#[test]
fn rotation_is_seen_with_once_as_well() {
    for compress in [false, true] {
        let rig = Rig::new("x.log", "");
        rig.append("x.log", &lines("a", 0..10));
        assert_eq!(numbers(&rig.once(), "a"), all(0..10));
        rig.append("x.log", &lines("a", 10..12));
        rig.rename("x.log", "x.log.1");
        if compress {
            rig.compress("x.log.1");
        }
        rig.append("x.log", &lines("b", 0..2));
        let shared = rig.once();
        assert_eq!((numbers(&shared, "a"), numbers(&shared, "b")), (all(10..12), all(0..2)));
        assert_eq!(rig.once().records.len(), 0);
    }
}

#[test]
fn a_truncated_file_is_read_anew() {
    let rig = Rig::new("x.log", "");
    rig.append("x.log", &lines("a", 0..10));
    let running = rig.start();
    running.wait("ten", |s| s.records.len() == 10);
    rig.copy_truncate("x.log", "x.log.1");
    rig.append("x.log", &lines("b", 0..4));
    running.wait("the new ones", |s| s.records.len() == 14);
    running.wait_event("truncated");
    let shared = running.stop();
    assert_eq!((numbers(&shared, "a"), numbers(&shared, "b")), (all(0..10), all(0..4)));
    assert_eq!(rig.once().records.len(), 0);
}

#[test]
fn a_truncation_is_seen_when_the_file_has_outgrown_the_position_and_begins_as_before() {
    let rig = Rig::new("x.log", "");
    let header = "# the same header\n".repeat(100);
    rig.append("x.log", &format!("{header}{}", lines("a", 0..3)));
    let running = rig.start();
    running.wait("three", |s| s.records.len() == 103);
    running.stop();
    write(&rig.path("x.log"), format!("{header}{}", lines("b", 0..50)).as_bytes());
    let running = rig.start();
    running.wait("the new ones", |s| s.records.len() == 150);
    assert_eq!(running.stop().count("truncated"), 1);
}

#[test]
fn what_was_unread_at_a_copytruncate_is_read_from_the_copy() {
    for (compress, runs_meanwhile) in [(false, false), (true, false), (false, true)] {
        let rig = Rig::new("x.log", "");
        rig.append("x.log", &lines("a", 0..10));
        let running = rig.start();
        running.wait("ten", |s| s.records.len() == 10);
        let mut found = numbers(&running.stop(), "a");
        let before = runs_meanwhile.then(|| rig.start());
        sleep(100);
        rig.append("x.log", &lines("a", 10..20));
        rig.copy_truncate("x.log", "x.log.1");
        rig.append("x.log", &lines("b", 0..2));
        if compress {
            rig.compress("x.log.1");
            sleep(250);
        }
        let running = before.unwrap_or_else(|| rig.start());
        running.wait("all", |s| numbers(s, "a").len() >= 10 && numbers(s, "b").len() == 2);
        found.extend(numbers(&running.stop(), "a"));
        assert_eq!(found, all(0..20), "{compress} {runs_meanwhile}");
        assert_eq!(rig.once().records.len(), 0);
    }
}

#[test]
fn a_copy_that_matches_the_pattern_is_not_read_twice() {
    let rig = Rig::new("x.log*", "");
    rig.append("x.log", &lines("a", 0..10));
    let running = rig.start();
    running.wait("ten", |s| s.records.len() == 10);
    std::fs::copy(rig.path("x.log"), rig.path("x.log.1")).unwrap();
    sleep(100);
    std::fs::File::create(rig.path("x.log")).unwrap();
    rig.append("x.log", &lines("b", 0..4));
    running.wait("the new ones", |s| numbers(s, "b").len() == 4);
    sleep(500);
    let shared = running.stop();
    assert_eq!((numbers(&shared, "a"), numbers(&shared, "b")), (all(0..10), all(0..4)));
}

#[test]
fn a_rotated_file_that_is_compressed_and_matches_the_pattern_is_not_read_twice() {
    let rig = Rig::new("x.log*", "");
    rig.append("x.log", &lines("a", 0..10));
    let running = rig.start();
    running.wait("ten", |s| s.records.len() == 10);
    rig.rename("x.log", "x.log.1");
    rig.append("x.log", &lines("b", 0..4));
    running.wait("the new ones", |s| s.records.len() == 14);
    rig.compress("x.log.1");
    sleep(1_500);
    let shared = running.stop();
    assert_eq!((numbers(&shared, "a"), numbers(&shared, "b")), (all(0..10), all(0..4)));
    assert_eq!(rig.once().records.len(), 0);
}

#[test]
fn a_file_that_is_deleted_while_it_is_read_is_read_to_its_end() {
    let rig = Rig::new("x.log", "");
    rig.append("x.log", &lines("a", 0..10));
    let mut writer = std::fs::OpenOptions::new().append(true).open(rig.path("x.log")).unwrap();
    let running = rig.start();
    running.wait("ten", |s| s.records.len() == 10);
    std::fs::remove_file(rig.path("x.log")).unwrap();
    std::io::Write::write_all(&mut writer, lines("a", 10..12).as_bytes()).unwrap();
    std::io::Write::write_all(&mut writer, b"{\"file\":\"a\",\"number\":12}").unwrap();
    running.wait("the rest, its last line without an end", |s| s.records.len() == 13);
    running.wait_event("deleted");
    assert_eq!(numbers(&running.stop(), "a"), all(0..13));
}

#[test]
fn an_inode_that_is_used_again_is_a_new_file() {
    let rig = Rig::new("*.log", "");
    rig.append("x.log", &lines("a", 0..10));
    assert_eq!(rig.once().records.len(), 10);
    // Inodes are dated by the tick.
    sleep(30);
    // What a file system does by chance, done for certain: the entry of one file with the inode of another.
    write(&rig.path("y.log"), lines("b", 0..20).as_bytes());
    std::fs::rename(rig.path("y.log"), rig.path("x.log")).unwrap();
    let inode = std::os::unix::fs::MetadataExt::ino(&std::fs::metadata(rig.path("x.log")).unwrap());
    let text = std::fs::read_to_string(rig.checkpoint()).unwrap();
    let content: serde_json::Value = serde_json::from_str::<serde_json::Value>(&text).unwrap()["content"].clone();
    for (created, event) in [(true, "inode_reused"), (false, "truncated")] {
        let mut content = content.clone();
        content["files"][0]["inode"] = inode.into();
        if !created {
            content["files"][0].as_object_mut().unwrap().remove("created_ns");
        }
        let file = tamis_delivery::CheckpointFile::new(&rig.options.data_dir, "s");
        file.save(&content).unwrap();
        let shared = rig.once();
        assert_eq!(numbers(&shared, "b"), all(0..20));
        let event = if content["files"][0].get("created_ns").is_some() { event } else { "truncated" };
        assert_eq!(shared.count(event), 1, "{:?}", shared.events);
    }
}

#[test]
fn a_link_that_is_switched_leads_to_the_new_file_and_the_old_one_is_finished() {
    let rig = Rig::new("current.log", "");
    rig.append("1", &lines("a", 0..5));
    std::os::unix::fs::symlink(rig.path("1"), rig.path("current.log")).unwrap();
    let running = rig.start();
    running.wait("five", |s| s.records.len() == 5);
    rig.append("2", &lines("b", 0..2));
    std::os::unix::fs::symlink(rig.path("2"), rig.path("new")).unwrap();
    rig.rename("new", "current.log");
    rig.append("1", &lines("a", 5..7));
    running.wait("both", |s| s.records.len() == 9);
    let shared = running.stop();
    assert_eq!((numbers(&shared, "a"), numbers(&shared, "b")), (all(0..7), all(0..2)));
}

#[test]
fn a_hole_before_the_text_is_passed_over() {
    let rig = Rig::new("x.log", "");
    let mut writer = std::fs::File::create(rig.path("x.log")).unwrap();
    std::io::Write::write_all(&mut writer, lines("a", 0..100).as_bytes()).unwrap();
    let running = rig.start();
    running.wait("a hundred", |s| s.records.len() == 100);
    // A writer that does not append goes on where it was.
    writer.set_len(0).unwrap();
    std::io::Write::write_all(&mut writer, lines("b", 0..2).as_bytes()).unwrap();
    running.wait("the new ones", |s| s.records.len() == 102);
    let shared = running.stop();
    assert_eq!((numbers(&shared, "b"), shared.count("zero_bytes")), (all(0..2), lines("a", 0..100).len() as u64));
}
