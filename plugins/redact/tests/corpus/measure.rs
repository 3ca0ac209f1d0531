//! Runs lines through the plugin and counts what was missed and what was touched in vain.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Value, json};
use tamis_plugin_redact::Redact;

use super::lines::clean_line;
use super::look_alikes::{LOOK_ALIKES, look_alike};
use super::spellings::{ENCODINGS, context, encoded, laid_bare};
use super::support::{Became, plugin, run};
use super::values::{KINDS, value};

/// Lines run at a time.
const BATCH: usize = 1_000;
/// Examples kept of each row.
const EXAMPLES: usize = 3;

/// A row of a table: how many there were, how many went wrong, and some of those.
#[derive(Debug, Default)]
pub(crate) struct Row {
    pub(crate) count: usize,
    pub(crate) wrong: usize,
    pub(crate) examples: Vec<String>,
}

impl Row {
    fn add(&mut self, wrong: bool, example: impl FnOnce() -> String) {
        self.count += 1;
        if wrong {
            self.wrong += 1;
            if self.examples.len() < EXAMPLES {
                self.examples.push(example());
            }
        }
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.wrong += other.wrong;
    }

    /// The share that went right.
    pub(crate) fn right(&self) -> f64 {
        1.0 - self.wrong as f64 / self.count.max(1) as f64
    }
}

/// Rows by what they are about: kind, spelling, encoding; or kind and look-alike.
pub(crate) type Rows = BTreeMap<(&'static str, String), Row>;

/// The sum of the rows of a kind, or of all.
pub(crate) fn sum(rows: &Rows, kind: Option<&str>) -> Row {
    let mut total = Row::default();
    rows.iter().filter(|((of, _), _)| kind.is_none_or(|kind| kind == *of)).for_each(|(_, row)| total.join(row));
    total
}

/// The plugin over text (`record` false) or over records of one member. Addresses are masked rather than cut, so that what
/// is left of one shows.
fn redactor(record: bool) -> Redact {
    let fields = if record { json!(["."]) } else { json!([{"path": "message", "kind": "text"}]) };
    let ip = json!({"mode": "mask", "keep_private": true});
    plugin(&json!({"fields": fields, "detectors": {"ip": ip}, "key": "0123456789abcdef"}).to_string())
}

/// Runs `lines` and gives what became of each; `None` where it was left as it was.
fn redacted(plugin: &mut Redact, record: bool, lines: &[String]) -> Vec<Option<String>> {
    let values: Vec<String> = match record {
        true => lines.iter().map(|line| json!({"message": line}).to_string()).collect(),
        false => lines.to_vec(),
    };
    run(plugin, record, &values)
        .into_iter()
        .map(|became| match became {
            Became::Untouched => None,
            Became::Text(text) if record => {
                let record: Value = serde_json::from_str(&text).expect("JSON stays JSON");
                Some(record["message"].as_str().expect("a string stays one").to_owned())
            }
            became => Some(became.text("").to_owned()),
        })
        .collect()
}

/// Whether more of `value` than its like would show by chance is still in `line`: the whole, or either half.
fn leaks(line: &str, value: &str) -> bool {
    const HALF_MIN: usize = 8;
    let (line, value) = (laid_bare(line), laid_bare(value));
    let middle = value.char_indices().nth(value.chars().count() / 2).map_or(0, |(at, _)| at);
    let (head, tail) = value.split_at(middle);
    line.contains(&value) || [head, tail].into_iter().any(|half| half.len() >= HALF_MIN && line.contains(half))
}

/// Plants `count` values of each kind, in every spelling and encoding, half of them in records.
pub(crate) fn recall(seed: u64, count: usize) -> Rows {
    let mut rng = Rng::with_seed(seed);
    let mut rows = Rows::new();
    for record in [false, true] {
        let mut plugin = redactor(record);
        for (kind, spellings) in KINDS {
            let plants: Vec<_> = (0..count / 2)
                .map(|n| {
                    let planted = value(&mut rng, kind, (n % usize::from(spellings)) as u8);
                    let encoding = ENCODINGS[n / usize::from(spellings) % ENCODINGS.len()];
                    let line = encoded(&mut rng, encoding, &planted.text);
                    (planted, encoding, line)
                })
                .collect();
            for batch in plants.chunks(BATCH) {
                let lines: Vec<_> = batch.iter().map(|(.., line)| line.clone()).collect();
                for ((planted, encoding, line), after) in batch.iter().zip(redacted(&mut plugin, record, &lines)) {
                    let missed = after.as_ref().is_none_or(|after| leaks(after, &planted.value));
                    let row = rows.entry((kind, format!("{} · {encoding}", planted.spelling))).or_default();
                    row.add(missed, || format!("{line}  →  {}", after.as_deref().unwrap_or("untouched")));
                }
            }
        }
    }
    rows
}

/// Runs `count` lines without anything to find: half of them ordinary ones, half with look-alikes. The kind in a row's name is
/// what the line resembles.
pub(crate) fn false_positives(seed: u64, count: usize) -> Rows {
    let mut rng = Rng::with_seed(seed);
    let mut rows = Rows::new();
    for record in [false, true] {
        let mut plugin = redactor(record);
        let lines: Vec<_> = (0..count / 2)
            .map(|n| match n % 2 {
                0 => ("any", "ordinary line".to_owned(), clean_line(&mut rng)),
                _ => {
                    let of = LOOK_ALIKES[n / 2 % LOOK_ALIKES.len()];
                    let text = look_alike(&mut rng, of);
                    (of.0, of.1.to_owned(), context(&mut rng, &text))
                }
            })
            .collect();
        for batch in lines.chunks(BATCH) {
            let texts: Vec<_> = batch.iter().map(|(.., line)| line.clone()).collect();
            for ((kind, what, line), after) in batch.iter().zip(redacted(&mut plugin, record, &texts)) {
                let row = rows.entry((kind, what.clone())).or_default();
                row.add(after.is_some(), || format!("{line}  →  {}", after.unwrap_or_default()));
            }
        }
    }
    rows
}
