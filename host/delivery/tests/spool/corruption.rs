//! Damage: flips, truncations, missing files, garbage, and payloads that look like frames.

use crate::support::{Entries, FOLDER, OPTIONS, drain, files, open, payload, read_file, replace_file, segments};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tamis_delivery::disk::Disk as _;
use tamis_delivery::simulation::SimDisk;
use tamis_delivery::spool::{Recovery, SpoolReader};

/// Where an entry's frame lies: its number, the segment's index, first byte, byte after the last.
type Place = (u64, usize, usize, usize);

/// Three segments and what is in them.
fn prepare() -> (SimDisk, Entries, Vec<Place>) {
    let disk = SimDisk::new();
    let (mut writer, ..) = open(&disk);
    let (mut entries, mut places) = (Entries::new(), Vec::new());
    let mut offset = 0;
    for number in 0..10 {
        let content = payload(number, [0, 1, 700, 900, 1000, 600, 40][number as usize % 7]);
        if offset + 24 + content.len() > OPTIONS.segment_bytes as usize {
            offset = 0;
        }
        let sequence = writer.append(&[&content]).unwrap();
        places.push((sequence, segments(&disk).len() - 1, offset, offset + 24 + content.len()));
        offset += 24 + content.len();
        entries.insert(sequence, content);
    }
    writer.sync().unwrap();
    assert_eq!(segments(&disk).len(), 3);
    (disk, entries, places)
}

fn reopen(disk: &SimDisk) -> (Entries, Recovery, SpoolReader) {
    let (_, mut reader, recovery) = open(disk);
    let found = drain(&mut reader);
    assert_eq!(recovery.pending, found.len() as u64);
    (found, recovery, reader)
}

fn without(entries: &Entries, lost: impl Fn(u64) -> bool) -> Entries {
    entries.iter().filter(|(sequence, _)| !lost(**sequence)).map(|(s, content)| (*s, content.clone())).collect()
}

#[test]
fn a_flipped_byte_costs_one_entry() {
    let (disk, entries, places) = prepare();
    for (index, name) in segments(&disk).into_iter().enumerate() {
        let path = Path::new(FOLDER).join(&name);
        let sound = read_file(&disk, &path);
        for at in 0..sound.len() {
            let mask = if at % 2 == 0 { 0xff } else { 1 << (at % 8) };
            let damaged = disk.kill();
            let mut content = sound.clone();
            content[at] ^= mask;
            replace_file(&damaged, &path, &content);
            let hit = places.iter().find(|(_, segment, from, to)| *segment == index && (*from..*to).contains(&at)).unwrap().0;
            let (found, recovery, mut reader) = reopen(&damaged);
            assert_eq!(found, without(&entries, |sequence| sequence == hit), "segment {index}, byte {at}");
            assert_eq!(recovery.lost_entries, 1);
            assert_eq!(reader.level().damaged_frames(), 1, "not counted again when it is read");
            assert_eq!(recovery.damaged.len(), 1);
            assert_eq!((&recovery.damaged[0].segment, recovery.torn_bytes), (&path, 0));
            assert!((recovery.damaged[0].offset..recovery.damaged[0].offset + recovery.damaged[0].bytes).contains(&(at as u64)));
            // The damaged segment is kept as it was.
            reader.acknowledge(*found.keys().last().unwrap()).unwrap();
            assert_eq!(read_file(&damaged, recovery.damaged[0].kept.as_ref().unwrap()), content);
            assert_eq!(reader.level().pending(), 0);
            assert!(segments(&damaged).is_empty(), "everything is delivered");
        }
    }
}

#[test]
fn a_truncation_costs_what_was_behind_it() {
    let (disk, entries, places) = prepare();
    let names = segments(&disk);
    for (index, name) in names.iter().enumerate() {
        let path = Path::new(FOLDER).join(name);
        let sound = read_file(&disk, &path);
        for length in 0..sound.len() {
            let damaged = disk.kill();
            replace_file(&damaged, &path, &sound[..length]);
            let lost = |sequence| places.iter().any(|(s, segment, _, to)| *s == sequence && *segment == index && *to > length);
            let expected = without(&entries, lost);
            let (found, recovery, reader) = reopen(&damaged);
            assert_eq!(found, expected, "segment {index}, {length} bytes");
            // At the very end nothing tells how much there was: a truncated last segment looks like an unfinished one.
            let known = if index + 1 == names.len() { 0 } else { (entries.len() - expected.len()) as u64 };
            assert_eq!((recovery.lost_entries, reader.level().damaged_frames()), (known, known), "segment {index}, {length} bytes");
            assert_eq!(recovery.damaged_bytes, 0);
        }
    }
}

#[test]
fn a_missing_segment_is_counted() {
    let (disk, entries, places) = prepare();
    for (index, name) in segments(&disk).iter().take(2).enumerate() {
        let damaged = disk.kill();
        let (_, mut reader, _) = open(&damaged);
        reader.next(Duration::ZERO).unwrap();
        reader.acknowledge(1).unwrap();
        reader.persist().unwrap();
        damaged.remove(&Path::new(FOLDER).join(name)).unwrap();
        let gone = |sequence| sequence == 1 || places.iter().any(|(s, segment, ..)| *s == sequence && *segment == index);
        let (found, recovery, reader) = reopen(&damaged);
        assert_eq!(found, without(&entries, gone));
        assert_eq!(recovery.lost_entries, entries.len() as u64 - 1 - found.len() as u64);
        assert_eq!(reader.level().damaged_frames(), recovery.lost_entries);
        assert_eq!(recovery.lost.iter().map(|run| run.end() - run.start() + 1).sum::<u64>(), recovery.lost_entries);
    }
}

#[test]
fn a_damaged_acknowledgement_delivers_everything_again() {
    let (disk, entries, _) = prepare();
    let (_, mut reader, _) = open(&disk);
    drain(&mut reader);
    reader.acknowledge(2).unwrap();
    reader.persist().unwrap();
    let path = Path::new(FOLDER).join("acknowledged");
    let sound = read_file(&disk, &path);
    assert_eq!(reopen(&disk.kill()).0, without(&entries, |sequence| sequence <= 2));
    for at in 0..sound.len() {
        for content in [&[&sound[..at], &[sound[at] ^ 4], &sound[at + 1..]].concat(), &sound[..at]] {
            let damaged = disk.kill();
            replace_file(&damaged, &path, content);
            let (found, recovery, _) = reopen(&damaged);
            assert_eq!(found, entries);
            assert_eq!(read_file(&damaged, recovery.acknowledged_damaged.as_ref().unwrap()), *content);
            assert_eq!(recovery.lost_entries, 0);
        }
    }
}

#[test]
fn damage_after_opening_is_found_by_the_reader() {
    let (disk, entries, places) = prepare();
    let (_, mut reader, recovery) = open(&disk);
    assert!(recovery.is_clean());
    let name = segments(&disk)[1].clone();
    let path = Path::new(FOLDER).join(&name);
    let mut content = read_file(&disk, &path);
    let (hit, _, from, _) = *places.iter().find(|(_, segment, ..)| *segment == 1).unwrap();
    content[from + 30] ^= 1;
    replace_file(&disk, &path, &content);
    let found = drain(&mut reader);
    assert_eq!(found, without(&entries, |sequence| sequence == hit));
    assert_eq!((reader.level().damaged_frames(), reader.level().pending()), (1, found.len() as u64));
    reader.acknowledge(10).unwrap();
    assert_eq!(read_file(&disk, &Path::new(FOLDER).join("damaged").join(name)), content);
}

#[test]
fn a_payload_is_never_taken_for_a_frame() {
    // A stranger sends a whole segment of another spool as a record, and the frame around it is damaged.
    let (other, ..) = prepare();
    let bait = read_file(&other, &Path::new(FOLDER).join(&segments(&other)[2]));
    let disk = SimDisk::new();
    let (mut writer, ..) = open(&disk);
    writer.append(&[&bait[..bait.len().min(1000)]]).unwrap();
    writer.append(&[b"last"]).unwrap();
    let path = Path::new(FOLDER).join(&segments(&disk)[0]);
    let mut content = read_file(&disk, &path);
    content[4] ^= 1;
    replace_file(&disk, &path, &content);
    let (found, recovery, _) = reopen(&disk);
    assert_eq!(found.into_values().collect::<Vec<_>>(), [b"last"]);
    assert_eq!(recovery.lost_entries, 1);
}

#[test]
fn it_starts_whatever_lies_there() {
    let (disk, entries, _) = prepare();
    let folder = Path::new(FOLDER);
    let garbage: Vec<u8> = (0..5000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let stranger = |name: &str| folder.join(name);
    replace_file(&disk, &stranger("notes.txt"), b"hands off");
    replace_file(&disk, &stranger("18446744073709551615-0000000000000000.spool"), &garbage);
    disk.create_folder(&stranger("00000000000000000005-0000000000000000.spool")).unwrap();
    let false_segments = ["00000000000000000003-5a5a5a5a000000aa.spool", "04000000000000000000-5a5a5a5a000000aa.spool"];
    for name in false_segments {
        replace_file(&disk, &stranger(name), &garbage);
    }
    replace_file(&disk, &stranger("04000000000000000001-5a5a5a5a000000aa.spool"), b"");
    replace_file(&disk, &stranger("04000000000000000002-5a5a5a5a000000aa.spool"), &[0; 3000]);
    let (found, recovery, _) = reopen(&disk);
    assert_eq!(found, entries);
    assert_eq!(recovery.strangers.len(), 3);
    assert_eq!(read_file(&disk, &stranger("notes.txt")), b"hands off");
    assert_eq!(files(&disk, &folder.join("damaged")).len(), 2);
    assert_eq!(recovery.lost_entries, 1, "damage at the end, of unknown extent");
    let (mut writer, ..) = open(&disk);
    assert_eq!(writer.append(&[b"next"]).unwrap(), 11);
}

#[test]
fn so_many_damaged_segments_are_kept_and_no_more() {
    let disk = SimDisk::new();
    for number in 0..12 {
        let (mut writer, ..) = open(&disk);
        writer.append(&[&payload(number, 100)]).unwrap();
        let path = Path::new(FOLDER).join(segments(&disk).last().unwrap());
        let mut content = read_file(&disk, &path);
        content[50] ^= 1;
        replace_file(&disk, &path, &content);
    }
    let (_, recovery, _) = reopen(&disk);
    let kept: Vec<PathBuf> = files(&disk, &Path::new(FOLDER).join("damaged")).into_iter().map(PathBuf::from).collect();
    assert_eq!(kept.len(), 8);
    assert!(kept[7].to_str().unwrap().starts_with("00000000000000000012-"), "the newest: {kept:?}");
    assert_eq!(recovery.pending, 0);
}
