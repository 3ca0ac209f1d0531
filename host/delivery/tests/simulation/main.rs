//! Delivery in one process, by seed: a source with a log, a spool with a receiver behind it, a file, dead letters, a
//! checkpoint, a clock and a disk; receivers that fail, disks that fail, kills and power losses at any step.
//!
//! `SIM_SEEDS` says how many seeds are run, `SIM_SEED` runs one and prints its steps.
#![allow(clippy::unwrap_used)]

mod file;
mod process;
mod queue;
mod record;
mod world;

use world::World;

/// What is wrong with the process under test, so that it shows that the simulation notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mutation {
    /// Nothing.
    Sound,
    /// An entry of the spool counts as safe when it is appended.
    SpoolSafeBeforeSync,
    /// A line of the file counts as safe when it is written.
    FileSafeBeforeSync,
    /// The file's folder is not synced.
    FolderNotSynced,
    /// The ticket of what goes to the file is let go at once.
    TicketDropped,
    /// The checkpoint holds what was read instead of what is safe.
    CheckpointAhead,
    /// An entry is acknowledged to the spool when it is handed to the receiver.
    AcknowledgedBeforeTaken,
    /// A record of each frame is not accounted for.
    Unaccounted,
    /// The seat is given back at once.
    SeatDropped,
    /// Later entries overtake one that failed.
    Overtaking,
    /// After a failed sync, the next one is trusted.
    FailedSyncTrusted,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn what_is_told_to_be_safe_is_safe() {
    if let Some(seed) = number("SIM_SEED") {
        let mut world = World::new(seed, Mutation::Sound);
        world.verbose = true;
        assert_eq!(world.run(), None);
        return;
    }
    let (mut crashes, mut repeats, mut taken) = (0, 0, 0);
    for seed in 0..number("SIM_SEEDS").unwrap_or(2_000) {
        let mut world = World::new(seed, Mutation::Sound);
        let violation = world.run();
        assert_eq!(violation, None, "run it alone with SIM_SEED={seed}");
        crashes += world.crashes;
        repeats += world.repeats();
        taken += world.taken();
    }
    println!("{crashes} crashes, {taken} records taken, {repeats} of them again");
    assert!(crashes > 0 && repeats > 0, "nothing happened: this proves nothing");
}

#[test]
fn every_mistake_is_noticed() {
    use Mutation::*;
    for mutation in [
        SpoolSafeBeforeSync,
        FileSafeBeforeSync,
        FolderNotSynced,
        TicketDropped,
        CheckpointAhead,
        AcknowledgedBeforeTaken,
        Unaccounted,
        SeatDropped,
        Overtaking,
        FailedSyncTrusted,
    ] {
        let found = (0..1_000).find_map(|seed| World::new(seed, mutation).run().map(|violation| (seed, violation)));
        println!("{mutation:?}: {found:?}");
        assert!(found.is_some(), "{mutation:?} goes unnoticed");
    }
}

#[test]
fn a_seed_is_the_same_every_time() {
    let run = |seed| {
        let mut world = World::new(seed, Mutation::Sound);
        assert_eq!(world.run(), None);
        (world.crashes, world.taken(), world.now_ms)
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}
