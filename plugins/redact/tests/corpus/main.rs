//! Recall and false positives over a labelled corpus: generated, with a fixed seed, the values and their look-alikes. The long
//! form with its tables is `cargo run --release -p tamis-plugin-redact --example corpus`.

mod lines;
mod look_alikes;
mod measure;
mod random;
mod spellings;
#[path = "../support/mod.rs"]
mod support;
mod values;

use measure::{false_positives, recall, sum};
use values::KINDS;

/// Values of each kind.
const PLANTED: usize = 4_000;
const CLEAN_LINES: usize = 20_000;

#[test]
fn what_is_planted_is_found_in_every_spelling() {
    let rows = recall(11, PLANTED);
    for (kind, _) in KINDS {
        let of_kind = sum(&rows, Some(kind));
        let wrong: Vec<_> = rows.iter().filter(|((of, _), row)| *of == kind && row.wrong > 0).collect();
        assert!(of_kind.right() >= 0.995, "{kind}: {} of {} missed, as {wrong:#?}", of_kind.wrong, of_kind.count);
    }
}

#[test]
fn what_only_looks_like_it_is_left_alone() {
    let rows = false_positives(7, CLEAN_LINES);
    let all = sum(&rows, None);
    let wrong: Vec<_> = rows.iter().filter(|(_, row)| row.wrong > 0).collect();
    assert!(all.wrong <= all.count / 10_000, "{} of {} touched, as {wrong:#?}", all.wrong, all.count);
}
