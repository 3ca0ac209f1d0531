use super::*;
use crate::disk::{Disk as _, FILE_MODE};
use std::collections::BTreeSet;
use std::path::Path;

fn content(disk: &SimDisk, path: &str) -> Option<Vec<u8>> {
    let file = disk.open_read(Path::new(path)).ok()?;
    let mut content = vec![0; file.bytes().unwrap() as usize];
    file.read_full_at(&mut content, 0).unwrap();
    Some(content)
}

fn write(disk: &SimDisk, path: &str, bytes: &[u8]) -> Box<dyn crate::disk::DiskFile> {
    let mut file = disk.open_append(Path::new(path), FILE_MODE).unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn what_was_not_synced_may_be_gone_in_any_part() {
    let disk = SimDisk::new();
    let file = write(&disk, "/file", &[1; 600]);
    file.sync("file").unwrap();
    disk.sync_folder(Path::new("/"), "folder").unwrap();
    drop(write(&disk, "/file", &[2; 1000]));
    let states: BTreeSet<Vec<u8>> = (0..200).map(|seed| content(&disk.crash(seed), "/file").unwrap()).collect();
    assert!(states.iter().all(|state| state[..600] == [1; 600]), "synced bytes stay");
    assert!(states.contains(&vec![1; 600]), "nothing more");
    assert!(states.iter().any(|s| s.len() == 1600 && s[600..] == [2; 1000]), "everything");
    assert!(states.iter().any(|s| s.len() == 1600 && s[600..] == [0; 1000]), "the length without the bytes");
    assert!(states.iter().any(|s| s.len() == 1600 && s[600] == 0 && s[1599] == 2), "later bytes without earlier ones");
    assert!(states.iter().all(|s| s[600..].iter().all(|b| *b == 0 || *b == 2)), "nothing invented");
    assert_eq!(content(&disk.kill(), "/file").unwrap().len(), 1600);
    assert_eq!(content(&disk.crash(77), "/file"), content(&disk.crash(77), "/file"), "the same seed, the same state");
}

#[test]
fn names_are_kept_in_their_order() {
    let disk = SimDisk::new();
    for name in ["/a", "/b"] {
        write(&disk, name, b"x").sync("file").unwrap();
    }
    disk.rename(Path::new("/b"), Path::new("/c")).unwrap();
    let names =
        |disk: &SimDisk| -> Vec<String> { disk.list(Path::new("/")).unwrap().into_iter().map(|e| e.name.into_string().unwrap()).collect() };
    let states: BTreeSet<Vec<String>> = (0..100).map(|seed| names(&disk.crash(seed))).collect();
    let expected: [&[&str]; 4] = [&[], &["a"], &["a", "b"], &["a", "c"]];
    assert_eq!(states, expected.iter().map(|s| s.iter().map(|n| (*n).to_owned()).collect()).collect());
}

#[test]
fn a_moment_of_the_recording_can_be_visited_again() {
    let disk = SimDisk::new();
    let mut file = write(&disk, "/file", b"one");
    file.sync("file").unwrap();
    disk.sync_folder(Path::new("/"), "folder").unwrap();
    let moment = disk.moment();
    file.write_all(b"two").unwrap();
    file.sync("file").unwrap();
    disk.remove(Path::new("/file")).unwrap();
    disk.sync_folder(Path::new("/"), "folder").unwrap();
    assert_eq!(content(&disk.crash_at(moment, 5), "/file").unwrap(), b"one");
    assert_eq!(content(&disk.crash_at(0, 1), "/file"), None);
    assert_eq!(content(&disk.crash(1), "/file"), None);
    assert_eq!(disk.sync_sites(), ["file", "folder"]);
}

#[test]
fn a_sync_that_failed_cannot_be_made_good_by_another() {
    let disk = SimDisk::new();
    let mut file = write(&disk, "/file", b"one");
    disk.sync_folder(Path::new("/"), "folder").unwrap();
    disk.fail_every(Operation::Sync, io::ErrorKind::Other);
    assert!(file.sync("file").is_err());
    disk.repair();
    file.write_all(b"two").unwrap();
    file.sync("file").unwrap();
    assert_eq!(content(&disk, "/file").unwrap(), b"onetwo", "programs do not see it");
    assert_eq!(content(&disk.crash(0), "/file").unwrap(), b"\0\0\0two");
    assert_eq!(content(&disk.crash(1), "/file").unwrap(), b"\0\0\0two");
}

#[test]
fn a_sync_that_is_ignored_does_nothing() {
    let disk = SimDisk::new();
    disk.ignore_sync("file");
    let file = write(&disk, "/file", b"one");
    file.sync("file").unwrap();
    disk.sync_folder(Path::new("/"), "folder").unwrap();
    assert_eq!(content(&disk.crash(0), "/file").unwrap(), b"");
}

#[test]
fn faults_and_a_full_disk() {
    let disk = SimDisk::new();
    disk.set_capacity(Some(4));
    let mut file = write(&disk, "/file", b"abc");
    assert_eq!(file.write(b"de").unwrap(), 1, "a short write first");
    assert_eq!(file.write(b"e").unwrap_err().kind(), io::ErrorKind::StorageFull);
    disk.repair();
    disk.fail_after(1, io::ErrorKind::Other);
    assert_eq!(file.write(b"e").unwrap(), 1);
    assert!(file.write(b"f").is_err());
    assert_eq!(file.write(b"f").unwrap(), 1);
    assert_eq!(content(&disk, "/file").unwrap(), b"abcdef");
}

#[test]
fn a_sync_covers_what_was_there_when_it_was_asked_for() {
    let disk = SimDisk::new();
    let mut file = write(&disk, "/file", b"one");
    let folder = disk.begin_sync(Path::new("/")).unwrap();
    let under_way = disk.begin_sync(Path::new("/file")).unwrap();
    file.write_all(b"two").unwrap();
    drop(write(&disk, "/other", b""));
    let before = disk.moment();
    under_way.end("file");
    folder.end("folder");
    assert_eq!(content(&disk.crash_at(before, 0), "/file"), None, "not before it has returned");
    assert_eq!(content(&disk.crash(0), "/file").unwrap(), b"one");
    assert_eq!(content(&disk.crash(0), "/other"), None);
    file.sync("file").unwrap();
    assert_eq!(content(&disk.crash(0), "/file").unwrap(), b"onetwo");
    assert_eq!(content(&disk.kill_at(2), "/file").unwrap(), b"one");
}

#[test]
fn second_names_and_writes_in_the_middle() {
    let disk = SimDisk::new();
    let file = write(&disk, "/file", b"one");
    disk.link(Path::new("/file"), Path::new("/kept")).unwrap();
    assert_eq!(disk.link(Path::new("/file"), Path::new("/kept")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    file.sync("file").unwrap();
    disk.sync_folder(Path::new("/"), "folder").unwrap();
    disk.remove(Path::new("/file")).unwrap();
    assert_eq!(content(&disk.crash(1), "/file"), None);
    disk.write_at(Path::new("/kept"), 1, b"N").unwrap();
    assert_eq!(content(&disk.crash(1), "/kept").unwrap(), b"oNe");
    assert_eq!(content(&disk.crash(0), "/kept").unwrap(), b"one");
}
