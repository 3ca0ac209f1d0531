//! Positions across restarts, and checkpoints that are damaged or cannot be written.

use super::rig::{Rig, lines, numbers, sleep, write};
use crate::sources::{RunOptions, SourceError};
use tamis_config::{OnDamagedCheckpoint, Start};

#[test]
fn only_what_was_not_acknowledged_is_repeated() {
    let rig = Rig::new("x.log", "");
    rig.append("x.log", &lines("a", 0..10));
    let running = rig.start();
    running.wait("ten", |s| s.records.len() == 10);
    running.acknowledge(false);
    rig.append("x.log", &lines("a", 10..15));
    running.wait("fifteen", |s| s.records.len() == 15);
    running.stop();
    let shared = rig.once();
    assert_eq!(numbers(&shared, "a"), (10..15).collect::<Vec<_>>());
    assert_eq!(rig.once().records.len(), 0);
    let mut again = Rig { options: RunOptions { again: true, ..rig.options.clone() }, ..rig };
    assert_eq!(again.once().records.len(), 15);
    again.options.again = false;
    assert_eq!(again.once().records.len(), 0);
}

#[test]
fn start_at_the_end_is_for_files_of_the_first_start_only() {
    let rig = Rig::new("*.log", "start: end");
    rig.append("a.log", &format!("{}part", lines("a", 0..10)));
    let running = rig.start();
    sleep(100);
    rig.append("a.log", " of a line\n");
    running.wait_for("part of a line");
    rig.append("b.log", &lines("b", 0..2));
    running.wait("the later file", |s| numbers(s, "b").len() == 2);
    assert_eq!(running.stop().records.len(), 3);
    rig.append("c.log", &lines("c", 0..1));
    assert_eq!(rig.once().records.len(), 1);

    let rig = Rig::new("*.log", "start: end");
    let running = rig.start();
    sleep(100);
    running.stop();
    rig.append("a.log", &lines("a", 0..3));
    assert_eq!(rig.once().records.len(), 3, "there was a first start, without files");
}

#[test]
fn every_damage_is_noticed_and_the_policy_followed() {
    let mut rig = Rig::new("x.log", "");
    rig.append("x.log", &lines("a", 0..3));
    assert_eq!(rig.once().records.len(), 3);
    let sound = std::fs::read(rig.checkpoint()).unwrap();
    let mut damaged = 0;
    for at in (0..sound.len()).step_by(7) {
        let mut flipped = sound.clone();
        flipped[at] ^= 0x04;
        let mut zeroed = sound.clone();
        zeroed[at..].fill(0);
        for bytes in [&flipped, &zeroed, &sound[..at].to_vec()] {
            write(&rig.checkpoint(), bytes);
            let shared = rig.once();
            damaged += 1;
            assert_eq!((shared.records.len(), shared.count("checkpoint_damaged")), (3, 1), "byte {at}");
            let kept = rig.checkpoint().with_file_name(format!("s.json.damaged-{damaged}"));
            assert_eq!(&std::fs::read(kept).unwrap(), bytes);
            assert_eq!(rig.once().records.len(), 0, "the new one is sound");
        }
    }
    rig.source.on_damaged_checkpoint = OnDamagedCheckpoint::End;
    write(&rig.checkpoint(), b"");
    assert_eq!(rig.once().records.len(), 0);
    rig.source.on_damaged_checkpoint = OnDamagedCheckpoint::Stop;
    rig.source.start = Start::End;
    write(&rig.checkpoint(), b"{}");
    for _ in 0..2 {
        let (shared, result) = rig.try_once();
        assert!(shared.records.is_empty() && matches!(&result, Err(SourceError::Damaged { .. })), "{result:?}");
    }
    rig.source.on_damaged_checkpoint = OnDamagedCheckpoint::Beginning;
    assert_eq!(rig.once().records.len(), 3, "whatever `start` says");
}

#[test]
fn a_checkpoint_that_cannot_be_written_stops_nothing() {
    let rig = Rig::new("x.log", "");
    rig.append("x.log", &lines("a", 0..3));
    // A folder where the file would be written.
    let beside = rig.checkpoint().with_extension("json.new");
    std::fs::create_dir_all(&beside).unwrap();
    let running = rig.start();
    running.wait("three", |s| s.records.len() == 3);
    running.wait_event("checkpoint_failed");
    std::fs::remove_dir(&beside).unwrap();
    sleep(100);
    running.stop();
    assert_eq!(rig.once().records.len(), 0);
}
