//! Prints recall and false positives over the labelled corpus of the tests, by kind, with what went wrong:
//! `cargo run --release -p tamis-plugin-redact --example corpus [SEED [VALUES [LINES]]]`. Ends with 1 where an aim is missed.

#[path = "../tests/corpus/lines.rs"]
mod lines;
#[path = "../tests/corpus/look_alikes.rs"]
mod look_alikes;
#[path = "../tests/corpus/measure.rs"]
mod measure;
#[path = "../tests/corpus/random.rs"]
mod random;
#[path = "../tests/corpus/spellings.rs"]
mod spellings;
#[path = "../tests/support/mod.rs"]
mod support;
#[path = "../tests/corpus/values.rs"]
mod values;

use std::process::ExitCode;

use measure::{Rows, false_positives, recall, sum};

/// Least share of planted values found.
const RECALL_MIN: f64 = 0.995;
/// Lines to one false positive.
const LINES_PER_FALSE_POSITIVE: usize = 10_000;

fn examples(rows: &Rows) {
    for ((kind, what), row) in rows.iter().filter(|(_, row)| row.wrong > 0) {
        println!("  {kind}, {what}: {} of {}", row.wrong, row.count);
        for example in &row.examples {
            println!("      {}", example.escape_debug());
        }
    }
}

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().expect("a number"));
    let seed = numbers.next().unwrap_or(1);
    let values = numbers.next().unwrap_or(100_000) as usize;
    let lines = numbers.next().unwrap_or(1_000_000) as usize;
    let found = recall(seed, values);
    let touched = false_positives(seed + 1, lines);
    println!("seed {seed}\n{:<10} {:>9} {:>7} {:>9}   {:>11} {:>8}", "kind", "planted", "missed", "recall", "look-alikes", "touched");
    let kinds = values::KINDS.iter().map(|(kind, _)| *kind).chain(["any"]);
    for kind in kinds {
        let (found, touched) = (sum(&found, Some(kind)), sum(&touched, Some(kind)));
        println!(
            "{kind:<10} {:>9} {:>7} {:>8.3}%   {:>11} {:>8}",
            found.count,
            found.wrong,
            found.right() * 100.0,
            touched.count,
            touched.wrong
        );
    }
    let (all, clean) = (sum(&found, None), sum(&touched, None));
    println!("{:<10} {:>9} {:>7} {:>8.3}%   {:>11} {:>8}", "together", all.count, all.wrong, all.right() * 100.0, clean.count, clean.wrong);
    println!("\nmissed:");
    examples(&found);
    println!("touched:");
    examples(&touched);
    let met = all.right() >= RECALL_MIN && clean.wrong * LINES_PER_FALSE_POSITIVE <= clean.count;
    if met { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
