//! Power loss at any moment of a recorded run, and the same with each sync taken away. `POWER_STATES` says how many states are
//! tried, and `POWER_SEED` which: the same seed tries the same states of a recording, but no two recordings are the same.

use std::collections::{BTreeMap, BTreeSet};
use tamis_tests::power::{Crash, Hunt, Recorded, Scenario, permitted};

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// The moment right before each kind of sync was asked for the first time: where a kill leaves most undone.
fn first_syncs(recorded: &Recorded) -> BTreeMap<&'static str, usize> {
    recorded.replay(None).syncs.iter().rev().map(|(begun, _, site)| (*site, *begun)).collect()
}

/// Numbers that are spread over `0..=end`.
fn spread(n: u64, end: usize) -> usize {
    (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % (end + 1)
}

#[test]
fn power_may_go_at_any_moment() {
    if !permitted() {
        return;
    }
    let (states, seed) = (number("POWER_STATES", 40), number("POWER_SEED", 1) << 32);
    let scenario = Scenario::new(600);
    let mut recorded = Recorded::follow(&scenario);
    let mut hunt = Hunt::new(&scenario, &recorded, None);
    let end = hunt.replay().disk.moment();
    assert!(end > 300 && hunt.replay().promises.len() > 3, "the run was too short to prove anything: {end} changes");
    for n in 0..states / 2 {
        // Everything that was not synced is gone, nothing is, and what lies between.
        let moment = if n < 2 { end } else { spread(seed + n, end) };
        assert_eq!(hunt.try_state(moment, if n < 6 { n % 3 } else { seed + n }), None);
    }
    let (mut tried, mut repeats) = (hunt.states, hunt.repeats);
    // Killed first, started again, and then the power goes: what the killed one had not synced, nobody may take for durable.
    let kills: BTreeSet<usize> = first_syncs(&recorded).into_values().chain((0..states / 20).map(|n| spread(seed ^ n, end))).collect();
    let lost = (0..states / 10).map(|n| Crash::PowerLoss(spread(seed ^ n << 8, end), seed + n));
    let crashes: Vec<Crash> = kills.into_iter().map(Crash::Kill).chain(lost).collect();
    for (n, crash) in crashes.into_iter().enumerate() {
        let resumed = if n % 2 == 0 { recorded.follow_on(&scenario, crash) } else { recorded.resume(&scenario, crash).unwrap() };
        let mut hunt = Hunt::new(&scenario, &resumed, None);
        let end = hunt.replay().disk.moment();
        assert_eq!(hunt.try_state(end, 0), None, "after {crash:?}");
        for n in (0..states / 40).map(|more| seed + n as u64 + (more << 16)) {
            let wrong = hunt.try_state(spread(n, end), n);
            assert_eq!(wrong, None, "after {crash:?}");
        }
        (tried, repeats) = (tried + hunt.states, repeats + hunt.repeats);
        recorded = resumed.before().unwrap();
    }
    println!("{tried} states; {repeats} lines came again");
    assert!(repeats > 0, "nothing was under way at any of these moments: this proves nothing");
}

/// Syncs that no state of these runs misses, or not of every run, and why they are there all the same.
const SPARED: [(&str, &str); 6] = [
    ("data/spool/queued.file.inherited", "makes durable what an opened spool says that it holds: missed by the spool's own tests"),
    ("data/spool/queued.folder.inherited", "as above"),
    ("out.file.repaired", "the next group's sync covers it, and nothing counts as delivered before"),
    ("parts/*.file.repaired", "as above"),
    ("packed.file.repaired", "as above"),
    ("data/dead_letters.file.repaired", "as above"),
];

/// Only some recordings have a file that was full and not synced when the process was killed.
const RARE: [&str; 4] = ["parts/*.file.inherited", "packed.file.inherited", "out.file.inherited", "data/dead_letters.file.inherited"];

/// Recordings made before a sync counts as one that nobody misses.
const RECORDINGS_MAX: usize = 3;

/// The history of generations: no record hangs on it. Without its syncs its last line, or the last generation to return to, may be gone.
const HISTORY: &str = "data/generations";

fn is_spared(site: &str) -> bool {
    site.starts_with(HISTORY) || SPARED.iter().any(|(spared, _)| *spared == site)
}

#[test]
fn every_sync_is_missed_when_it_is_taken_away() {
    if !permitted() {
        return;
    }
    // What a recording holds is a matter of moments: a sync with nothing new before it is missed by nobody. Another recording has it.
    let mut verdicts = BTreeMap::new();
    for _ in 0..RECORDINGS_MAX {
        for (site, wrong) in verdicts_of_a_recording() {
            let verdict: &mut Option<String> = verdicts.entry(site).or_default();
            *verdict = verdict.take().or(wrong);
        }
        if verdicts.iter().all(|(site, wrong)| wrong.is_some() || RARE.contains(site)) {
            break;
        }
    }
    for (site, wrong) in &verdicts {
        let wrong = wrong.as_ref().map_or("NOT MISSED".into(), |wrong| wrong.replace('\n', " ").chars().take(160).collect::<String>());
        println!("{site}: {wrong}");
    }
    for (site, wrong) in verdicts {
        assert!(wrong.is_some() || RARE.contains(&site), "nobody misses the sync {site}");
    }
}

/// For each sync of one recording, what goes wrong without it.
fn verdicts_of_a_recording() -> BTreeMap<&'static str, Option<String>> {
    let scenario = Scenario::new(600);
    let mut recorded = Recorded::follow(&scenario);
    let (mut verdicts, mut kills) = (BTreeMap::new(), BTreeMap::<&'static str, Vec<usize>>::new());
    for (begun, _, site) in recorded.replay(None).syncs.into_iter().filter(|(_, _, site)| !is_spared(site)) {
        kills.entry(site).or_default().push(begun);
    }
    for site in kills.keys() {
        verdicts.insert(*site, missed(&scenario, &recorded, site));
    }
    // What the sink takes from the spool is written down only where there is somebody who takes it.
    let end = recorded.replay(None).disk.moment();
    recorded = recorded.resume(&scenario, Crash::Kill(end)).unwrap();
    for site in first_syncs(&recorded).into_keys().filter(|site| site.contains("acknowledged")) {
        verdicts.insert(site, missed(&scenario, &recorded, site));
    }
    recorded = recorded.before().unwrap();
    // A process goes on after one that was killed right before a sync: then what it makes up for must be missed.
    for (place, moments) in kills {
        for moment in [moments.first(), moments.last(), moments.get(1), moments.get(moments.len() / 2)].into_iter().flatten() {
            recorded = recorded.follow_on(&scenario, Crash::Kill(*moment));
            let found: BTreeSet<&str> = recorded.replay(None).syncs.iter().map(|(_, _, site)| *site).collect();
            let mut open = false;
            for site in found.into_iter().filter(|site| !is_spared(site)) {
                let its = site.split(".inherited").next().is_some_and(|of| place.starts_with(of));
                let verdict = verdicts.entry(site).or_insert(None);
                if verdict.is_none() && its {
                    *verdict = missed(&scenario, &recorded, site);
                    open |= verdict.is_none();
                }
            }
            recorded = recorded.before().unwrap();
            if !open {
                break;
            }
        }
    }
    verdicts
}

/// What goes wrong without a sync: most likely at the end or when a checkpoint has followed it, with little kept that was not
/// synced.
fn missed(scenario: &Scenario, recorded: &Recorded, site: &'static str) -> Option<String> {
    let mut hunt = Hunt::new(scenario, recorded, Some(site));
    let end = hunt.replay().disk.moment();
    let after = hunt.replay().syncs.iter().filter(|sync| sync.2 == site).map(|sync| sync.1).take(3);
    let promised: Vec<usize> =
        after.filter_map(|sync| hunt.replay().promises.iter().map(|p| p.moment).find(|moment| *moment > sync)).collect();
    let tries = [0, 2, 3, 4, 5, 6].map(|seed| (end, seed)).into_iter().chain(promised.into_iter().map(|moment| (moment, 0)));
    tries.into_iter().find_map(|(moment, seed)| hunt.try_state(moment, seed))
}
