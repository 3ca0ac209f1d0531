//! Counters of classes, and of classes by the values of one field. Names come from the configuration alone: what a record
//! holds is looked up in the list, never made part of a name.

use serde::Deserialize;
use tamis_plugin::{CaselessMap, metrics};

/// Counters a plugin may have; the host takes 64 names of one, and two are left for `unclassified` and growth.
pub const COUNTERS_MAX: usize = 62;
/// Longest name of a counter, in bytes, that the host takes.
const NAME_BYTES_MAX: usize = 64;
/// What stands in a counter's name for all values that are not listed.
const OTHER: &str = "other";

/// By which field, and by which of its values.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountBy {
    /// The field: an application, an owner, an API.
    pub field: String,
    /// The values counted one by one, compared whatever the case of ASCII letters; all others are counted as `other`.
    pub values: Vec<String>,
}

/// Counts of one batch.
#[derive(Debug)]
pub struct Scorecard {
    /// Counter names of the classes, then of the classes by value, `other` last.
    names: Vec<String>,
    counts: Vec<u64>,
    classes: usize,
    /// The row of counters of each value; `None`: nothing is counted by value.
    values: Option<CaselessMap<usize>>,
    unclassified: u64,
}

impl Scorecard {
    /// Counters for these classes.
    ///
    /// # Errors
    /// What is wrong with `count_by`, naming the key.
    pub fn new(classes: &[String], count_by: Option<&CountBy>) -> Result<Self, String> {
        let class_names: Vec<String> = classes.iter().map(|class| metric_name(class)).collect();
        let mut names: Vec<String> = class_names.iter().map(|class| format!("outcome_{class}")).collect();
        let mut values = None;
        if let Some(count_by) = count_by {
            let rows = rows(count_by)?;
            let total = class_names.len() * (rows.len() + 1);
            if total > COUNTERS_MAX {
                return Err(format!(
                    "configuration key count_by.values: {} values and {} classes make {total} counters, expected at most {COUNTERS_MAX}",
                    count_by.values.len(),
                    class_names.len()
                ));
            }
            for (place, row) in rows.iter().enumerate() {
                for class in &class_names {
                    let name = format!("by_{row}_{class}");
                    if name.len() > NAME_BYTES_MAX {
                        return Err(format!(
                            "configuration key count_by.values[{place}]: `{name}` has {} bytes, a counter's name at most {NAME_BYTES_MAX}",
                            name.len()
                        ));
                    }
                    names.push(name);
                }
            }
            values = Some(CaselessMap::new(count_by.values.iter().zip(0..)));
        }
        Ok(Self { counts: vec![0; names.len()], names, classes: classes.len(), values, unclassified: 0 })
    }

    /// Counts one record: the index of its class, and its value of the field.
    #[inline]
    pub fn count(&mut self, class: Option<usize>, value: Option<&[u8]>) {
        let Some(class) = class else {
            self.unclassified += 1;
            return;
        };
        self.add(class);
        if let Some(values) = &self.values {
            let row = value.and_then(|value| values.get(value.trim_ascii())).copied().unwrap_or(values.len());
            self.add(self.classes * (row + 1) + class);
        }
    }

    #[inline]
    fn add(&mut self, place: usize) {
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
    }

    /// Hands the counts to the host and starts anew.
    pub fn publish(&mut self) {
        for (name, count) in self.names.iter().zip(&mut self.counts) {
            let count = std::mem::take(count);
            if count > 0 {
                metrics::add(name, count);
            }
        }
        let unclassified = std::mem::take(&mut self.unclassified);
        if unclassified > 0 {
            metrics::add("unclassified", unclassified);
        }
    }
}

/// The part of a counter's name that stands for each value, and for the others.
fn rows(count_by: &CountBy) -> Result<Vec<String>, String> {
    if count_by.field.is_empty() {
        return Err("configuration key count_by.field: expected the path of a field, found empty text".to_owned());
    }
    if count_by.values.is_empty() {
        return Err("configuration key count_by.values: expected at least one value to count, found none".to_owned());
    }
    let mut rows: Vec<String> = Vec::with_capacity(count_by.values.len() + 1);
    for (place, value) in count_by.values.iter().enumerate() {
        let row = metric_name(value);
        if row.bytes().all(|byte| byte == b'_') {
            return Err(format!("configuration key count_by.values[{place}]: expected a value with letters or digits, found `{value}`"));
        }
        if row == OTHER || rows.contains(&row) {
            return Err(format!(
                "configuration key count_by.values[{place}]: `{value}` would share the counters of another value, `{row}`"
            ));
        }
        rows.push(row);
    }
    rows.push(OTHER.to_owned());
    Ok(rows)
}

/// What the host takes for a name: letters in lower case, digits, `_`.
fn metric_name(text: &str) -> String {
    text.chars().map(|found| if found.is_ascii_alphanumeric() { found.to_ascii_lowercase() } else { '_' }).collect()
}
