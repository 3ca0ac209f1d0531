use super::*;
use crate::simulation::SimDisk;
use std::os::unix::fs::PermissionsExt as _;

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Content {
    name: String,
    position: u64,
}

fn content() -> Content {
    Content { name: "a \"b\" é".into(), position: 12_345 }
}

fn saved() -> (tempfile::TempDir, CheckpointFile) {
    let folder = tempfile::tempdir().unwrap();
    let file = CheckpointFile::new(&folder.path().join("data"), "gateway");
    assert_eq!(file.load::<Content>().unwrap(), Loaded::Missing);
    file.save(&content()).unwrap();
    (folder, file)
}

fn damage(file: &CheckpointFile) -> Option<String> {
    match file.load::<Content>().unwrap() {
        Loaded::Damaged { why } => Some(why),
        Loaded::Sound(found) => {
            assert_eq!(found, content(), "what is taken for sound is what was saved");
            None
        }
        Loaded::Missing => Some("missing".into()),
    }
}

#[test]
fn what_is_saved_is_loaded() {
    let (_folder, file) = saved();
    assert_eq!(file.load().unwrap(), Loaded::Sound(content()));
    file.save(&Content { name: "c".into(), position: u64::MAX }).unwrap();
    assert_eq!(file.load().unwrap(), Loaded::Sound(Content { name: "c".into(), position: u64::MAX }));
    assert_eq!(std::fs::metadata(file.path()).unwrap().permissions().mode() & 0o777, 0o600);
    let folder = file.path().parent().unwrap();
    assert_eq!(std::fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1, "nothing is left beside it");
}

#[test]
fn every_damaged_byte_is_noticed() {
    let (_folder, file) = saved();
    let sound = std::fs::read(file.path()).unwrap();
    for at in 0..sound.len() {
        for change in [1u8, 2, 4, 8, 16, 32, 64, 128] {
            let mut bytes = sound.clone();
            bytes[at] ^= change;
            std::fs::write(file.path(), &bytes).unwrap();
            assert!(damage(&file).is_some(), "bit {change} of byte {at}: {}", String::from_utf8_lossy(&bytes));
        }
        let mut zeroed = sound.clone();
        zeroed[at..].fill(0);
        for bytes in [&sound[..at], &zeroed] {
            std::fs::write(file.path(), bytes).unwrap();
            assert!(damage(&file).is_some(), "cut at {at}");
        }
    }
    for (bytes, why) in [("", "empty"), ("\0\0\0", "3 zero bytes"), ("{}", "not a checkpoint"), ("[1]", "not a checkpoint")] {
        std::fs::write(file.path(), bytes).unwrap();
        assert!(damage(&file).unwrap().contains(why));
    }
    let other = String::from_utf8(sound).unwrap().replace("\"version\":1", "\"version\":2");
    std::fs::write(file.path(), other).unwrap();
    assert_eq!(damage(&file).unwrap(), "expected version 1, found 2");
}

#[test]
fn damaged_ones_are_kept_and_never_overwritten() {
    let (_folder, file) = saved();
    for (number, text) in ["first", "second", "third"].into_iter().enumerate() {
        std::fs::write(file.path(), text).unwrap();
        let kept = file.keep_damaged().unwrap();
        assert!(kept.to_string_lossy().ends_with(&format!("gateway.json.damaged-{}", number + 1)), "{kept:?}");
        assert_eq!(file.keep_damaged().unwrap(), kept, "one that was not replaced yet is kept once");
        assert!(file.path().exists(), "until it is replaced, it is no first start");
        file.save(&content()).unwrap();
        assert_eq!(std::fs::read_to_string(kept).unwrap(), text);
    }
    assert_eq!(file.load().unwrap(), Loaded::Sound(content()));
}

#[test]
fn a_write_that_fails_leaves_the_old_one() {
    let (_folder, file) = saved();
    // Where the new one would be written stands a folder: fails for any user.
    std::fs::create_dir(file.path().with_extension("json.new")).unwrap();
    let error = file.save(&Content { name: "new".into(), position: 1 }).unwrap_err();
    assert!(error.to_string().starts_with("cannot write the checkpoint `"), "{error}");
    assert_eq!(file.load().unwrap(), Loaded::Sound(content()));
}

#[test]
fn one_that_cannot_be_read_is_no_first_start() {
    let (_folder, file) = saved();
    std::fs::remove_file(file.path()).unwrap();
    std::fs::create_dir(file.path()).unwrap();
    assert_eq!(file.load::<Content>().unwrap_err().doing, "read");
}

/// Power losses tried after each change.
const SEEDS: u64 = 12;

fn on(disk: &SimDisk) -> CheckpointFile {
    CheckpointFile::on(Arc::new(disk.clone()), Path::new("/var/data"), "in")
}

/// What is wrong with the checkpoint after a power loss at any moment, when from the moments in `saved` on these were saved.
fn violation(disk: &SimDisk, saved: &[(usize, u64)], kept: Option<usize>) -> Option<String> {
    (0..=disk.moment()).flat_map(|moment| (0..SEEDS).map(move |seed| (moment, seed))).find_map(|(moment, seed)| {
        let least = saved.iter().filter(|(when, _)| *when <= moment).map(|(_, value)| *value).max().unwrap_or(0);
        let after = disk.crash_at(moment, seed);
        let wrong = match on(&after).load::<u64>().unwrap() {
            Loaded::Sound(found) if found < least => format!("{found} where {least} was saved"),
            Loaded::Missing if least > 0 => format!("nothing where {least} was saved"),
            Loaded::Damaged { why } if least > 0 => why,
            _ if on(&after).save(&99u64).is_err() => "cannot be saved again".to_owned(),
            _ if kept.is_some_and(|when| when <= moment) && after.list(Path::new("/var/data/checkpoints")).unwrap().len() < 2 => {
                "the damaged one was not kept".to_owned()
            }
            _ => return None,
        };
        Some(format!("{wrong}, after change {moment} with seed {seed}"))
    })
}

/// Saves, is killed at every moment, and saves again; then a damaged one is kept. Syncs of `ignored` do nothing.
fn run(ignored: Option<&'static str>) -> (Option<String>, Vec<&'static str>) {
    let disk = SimDisk::new();
    ignored.into_iter().for_each(|site| disk.ignore_sync(site));
    let first = on(&disk);
    let mut saved = Vec::new();
    for value in 1..4u64 {
        first.save(&value).unwrap();
        saved.push((disk.moment(), value));
    }
    let mut found = violation(&disk, &saved, None);
    for moment in 0..=disk.moment() {
        let second = disk.kill_at(moment);
        on(&second).save(&10u64).unwrap();
        found = found.or_else(|| violation(&second, &[(second.moment(), 10)], None));
    }
    let third = disk.kill();
    third.write_at(first.path(), 3, b"?").unwrap();
    third.begin_sync(first.path()).unwrap().end("damage");
    on(&third).keep_damaged().unwrap();
    found = found.or_else(|| violation(&third, &[], Some(third.moment())));
    let mut sites = disk.sync_sites();
    sites.extend(third.sync_sites().into_iter().filter(|site| *site != "damage"));
    (found, sites)
}

#[test]
fn power_may_go_after_any_change_and_every_sync_is_missed() {
    let (found, sites) = run(None);
    assert_eq!(found, None);
    assert_eq!(sites, ["checkpoint.file", "checkpoint.folder", "checkpoint.parent", "checkpoint.kept"]);
    for site in sites {
        let (found, _) = run(Some(site));
        println!("{site}: {found:?}");
        assert!(found.is_some(), "nobody misses the sync {site}");
    }
}
