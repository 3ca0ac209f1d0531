//! The same records, once more and otherwise parted.

use super::{Report, Setting, is_late, rule};
use crate::desk::{BATCH_ROWS, Fate, Split};

pub(super) fn check(setting: &Setting<'_>, report: &mut Report) {
    let run = |split| -> Option<Vec<Fate>> { Some(setting.configured().ok()?.run(&setting.records, split).fates) };
    let Ok(mut configured) = setting.configured() else { return };
    let first = configured.run(&setting.records, Split::Rows(BATCH_ROWS)).fates;
    let again = configured.run(&setting.records, Split::Rows(BATCH_ROWS)).fates;
    if let Some(row) = difference(&first, &again) {
        report.add(&rule::REPEATABLE, told(setting, row, "the same records once more in the same instance have another outcome"));
    }
    if let Some(fresh) = run(Split::Rows(BATCH_ROWS))
        && let Some(row) = difference(&first, &fresh)
    {
        report.add(&rule::REPEATABLE, told(setting, row, "the same records in a new instance have another outcome"));
    }
    let half = u32::try_from(setting.records.len().div_ceil(2)).unwrap_or(BATCH_ROWS);
    for (split, how) in [(1, "one by one"), (half, "in halves")] {
        if let Some(parted) = run(Split::Rows(split))
            && let Some(row) = difference(&first, &parted)
        {
            report.add(&rule::SPLIT, told(setting, row, &format!("the records {how} have another outcome than in one batch")));
        }
    }
}

/// The first record whose outcomes differ; time is another guard-rail's.
fn difference(one: &[Fate], other: &[Fate]) -> Option<usize> {
    one.iter().zip(other).position(|(a, b)| a != b && !is_late(a) && !is_late(b))
}

fn told(setting: &Setting<'_>, row: usize, what: &str) -> String {
    format!("{what}: record {} with the configuration of `{}`", row + 1, setting.case)
}
