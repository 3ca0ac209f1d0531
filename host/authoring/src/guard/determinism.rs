//! The same records, once more and otherwise parted.

use serde_json::Value;

use super::{Report, Setting, is_late, rule};
use crate::desk::{BATCH_ROWS, Fate, Split, Went};

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
    one.iter().zip(other).position(|(a, b)| !is_same(a, b) && !is_late(a) && !is_late(b))
}

/// Whether two fates say the same. The order of new members is that in which their fields were patched, which means nothing.
fn is_same(one: &Fate, other: &Fate) -> bool {
    match (&one.went, &other.went) {
        (Went::Changed(a), Went::Changed(b)) if a != b => {
            let parsed = |text: &str| serde_json::from_str::<Value>(text).ok();
            one.output == other.output && parsed(a).is_some_and(|a| parsed(b) == Some(a))
        }
        _ => one == other,
    }
}

fn told(setting: &Setting<'_>, row: usize, what: &str) -> String {
    format!("{what}: record {} with the configuration of `{}`", row + 1, setting.case)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(text: &str) -> Fate {
        Fate { output: None, went: Went::Changed(text.to_owned()) }
    }

    #[test]
    fn the_order_of_members_is_no_difference_and_all_else_is() {
        let one = changed(r#"{"a":1,"b":{"c":"x","d":2}}"#);
        assert!(is_same(&one, &one) && is_same(&one, &changed(r#"{"b":{"d":2,"c":"x"},"a":1}"#)));
        for other in [r#"{"a":1.0,"b":{"c":"x","d":2}}"#, r#"{"a":1}"#, r#"{"a":1,"b":{"c":"x","d":2,"e":null}}"#] {
            assert!(!is_same(&one, &changed(other)), "{other}");
        }
        assert!(!is_same(&one, &Fate { output: Some("errors".to_owned()), ..one.clone() }));
        assert_eq!(difference(&[one.clone(), one.clone()], &[one.clone(), changed("{}")]), Some(1));
    }
}
