//! The owners that a record is shared with: that of the API and that of the calling application, each once, in lower case.
//!
//! See the README for the configuration.

use serde::Deserialize;
use tamis_plugin::{Batch, BatchPlugin, Column, Field, JsonText, Kind, Outcome, Signature, WriteField, config, metrics};

/// Fields with owners that may be configured.
pub const OWNERS_MAX: usize = 8;
/// Longest owner code, in bytes; what is longer is none.
pub const OWNER_BYTES_MAX: usize = 64;

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The fields that hold owner codes, in the order of the list written.
    #[serde(default = "owner_fields")]
    pub from: Vec<String>,
    /// The field that takes the list.
    #[serde(default = "shared_field")]
    pub to: String,
    /// Whom a record without any owner is shared with; nobody unless given, and then the field is removed.
    #[serde(default)]
    pub nobody: Vec<String>,
}

fn owner_fields() -> Vec<String> {
    vec!["ApiOwner".to_owned(), "AppliOwner".to_owned()]
}

fn shared_field() -> String {
    "labels.shared.Application.code".to_owned()
}

/// The plugin.
#[derive(Debug)]
pub struct Share {
    fields: Vec<String>,
    /// The list for a record without owners, as JSON; empty: the field is removed.
    nobody: Vec<u8>,
    /// The list at hand, as JSON.
    list: Vec<u8>,
    out: JsonText,
}

/// What a batch has told.
#[derive(Debug, Default)]
struct Counts {
    unshared: u64,
    unreadable: u64,
}

impl BatchPlugin for Share {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let config: Config = config::parse(config)?;
        if config.from.is_empty() || config.from.len() > OWNERS_MAX {
            return Err(format!("configuration key from: expected 1 to {OWNERS_MAX} fields with owner codes, found {}", config.from.len()));
        }
        for (place, field) in config.from.iter().enumerate() {
            if field.is_empty() {
                return Err(format!("configuration key from[{place}]: expected the path of a field, found empty text"));
            }
            if config.from.iter().take(place).any(|other| other == field) {
                return Err(format!("configuration key from[{place}]: `{field}` is listed twice"));
            }
        }
        let mut nobody = Vec::new();
        for (place, owner) in config.nobody.iter().enumerate() {
            match Owner::read(owner.as_bytes()) {
                Owner::Code(code) => push(&mut nobody, code),
                Owner::Missing | Owner::Unreadable => {
                    return Err(format!(
                        "configuration key nobody[{place}]: expected an owner code of 1 to {OWNER_BYTES_MAX} bytes without control characters, found `{}`",
                        owner.escape_debug()
                    ));
                }
            }
        }
        close(&mut nobody);
        let reads = config.from.iter().map(|path| Field { path: path.clone(), kind: Kind::Text }).collect();
        let writes = vec![Field { path: config.to, kind: Kind::Json }];
        let signature = Signature { reads, writes, outputs: Vec::new(), drops: false };
        Ok((Self { fields: config.from, nobody, list: Vec::new(), out: JsonText::new() }, signature))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
        if batch.columns.len() != self.fields.len() {
            return Err(format!("expected {} columns, found {}", self.fields.len(), batch.columns.len()));
        }
        let mut counts = Counts::default();
        for row in 0..batch.rows {
            self.out.at(row);
            self.share(batch.columns, row as usize, &mut counts);
        }
        for (name, count) in [("unshared", counts.unshared), ("unreadable_owners", counts.unreadable)] {
            if count > 0 {
                metrics::add(name, count);
            }
        }
        let patches = self.out.take(batch.rows).map(|written| written.patch(0));
        Ok(Outcome { verdicts: None, patches: patches.into_iter().collect(), rejects: Vec::new() })
    }
}

impl Share {
    /// Writes the list of one record.
    fn share(&mut self, columns: &[Column<'_>], row: usize, counts: &mut Counts) {
        self.list.clear();
        for column in columns {
            match column.bytes(row).map_or(Owner::Missing, Owner::read) {
                Owner::Code(code) => push(&mut self.list, code),
                Owner::Missing => {}
                Owner::Unreadable => counts.unreadable += 1,
            }
        }
        close(&mut self.list);
        if !self.list.is_empty() {
            self.out.set_text(&self.list);
            return;
        }
        counts.unshared += 1;
        // A list that came with the record says nothing of its owners, and must not share it with anybody.
        match self.nobody.is_empty() {
            true => self.out.remove(),
            false => self.out.set_text(&self.nobody),
        }
    }
}

/// What a field says about an owner.
enum Owner<'a> {
    Code(&'a [u8]),
    Missing,
    /// Too long, or with characters that no code has.
    Unreadable,
}

impl<'a> Owner<'a> {
    /// Blanks around a code do not belong to it; the padding `_` does.
    #[inline]
    fn read(text: &'a [u8]) -> Self {
        let code = text.trim_ascii();
        if matches!(code, b"" | b"-") || code.eq_ignore_ascii_case(b"null") {
            return Self::Missing;
        }
        let fits = |byte: &u8| !byte.is_ascii_control() && !matches!(byte, b'"' | b'\\');
        if code.len() <= OWNER_BYTES_MAX && code.iter().all(fits) { Self::Code(code) } else { Self::Unreadable }
    }
}

/// Appends an owner to a list that is not closed yet, unless it is there. Letters beyond ASCII keep their case.
#[inline]
fn push(list: &mut Vec<u8>, code: &[u8]) {
    // Between `["` and `"`, or `","` and `"`, stands a code; no code holds a quote.
    let mut known = list.split(|byte| *byte == b'"').skip(1).step_by(2);
    if known.any(|known| known.eq_ignore_ascii_case(code)) {
        return;
    }
    list.extend_from_slice(if list.is_empty() { b"[\"" } else { b",\"" });
    list.extend(code.iter().map(u8::to_ascii_lowercase));
    list.push(b'"');
}

/// Ends a list that has an owner.
fn close(list: &mut Vec<u8>) {
    if !list.is_empty() {
        list.push(b']');
    }
}

tamis_plugin::export!(batch Share);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::Harness;

    use super::*;

    fn shared(config: Value, records: Value) -> (Vec<Value>, Vec<(String, u64)>) {
        let run = Harness::<Share>::new(config).expect("a sound configuration").run(records);
        let lists = run.records.iter().map(|record| record["labels"]["shared"]["Application"]["code"].clone()).collect();
        (lists, run.told.counters.into_iter().collect())
    }

    #[test]
    fn both_owners_in_lower_case_once_each_in_order() {
        let (lists, counters) = shared(
            json!({}),
            json!([
                {"ApiOwner": "cio", "AppliOwner": "S7_"},
                {"ApiOwner": "S7_", "AppliOwner": "s7_"},
                {"ApiOwner": "z", "AppliOwner": "a"},
                {"ApiOwner": " cio ", "AppliOwner": "___"},
                {"ApiOwner": "S7", "AppliOwner": "S7_"},
                {"ApiOwner": "é1_", "AppliOwner": "É1_"},
            ]),
        );
        let wanted =
            [json!(["cio", "s7_"]), json!(["s7_"]), json!(["z", "a"]), json!(["cio", "___"]), json!(["s7", "s7_"]), json!(["é1_", "É1_"])];
        assert_eq!(lists, wanted);
        assert!(counters.is_empty());
    }

    #[test]
    fn a_missing_owner_is_left_out_and_without_any_nothing_is_shared() {
        let records = json!([
            {"ApiOwner": "cio"},
            {"AppliOwner": "S7_", "ApiOwner": null},
            {"ApiOwner": "null", "AppliOwner": "-"},
            {"ApiOwner": 7, "AppliOwner": ""},
            {"labels": {"shared": {"Application": {"code": ["intruder"]}}}},
        ]);
        let (lists, counters) = shared(json!({}), records.clone());
        assert_eq!(lists, [json!(["cio"]), json!(["s7_"]), json!(null), json!(null), json!(null)]);
        assert_eq!(counters, [("unshared".to_owned(), 3)]);
        let (lists, _) = shared(json!({"nobody": ["Platform"]}), records);
        assert_eq!(lists[2..], [json!(["platform"]), json!(["platform"]), json!(["platform"])]);
    }

    #[test]
    fn what_is_no_code_is_not_shared_with() {
        let long = "x".repeat(OWNER_BYTES_MAX + 1);
        let (lists, counters) = shared(
            json!({}),
            json!([{"ApiOwner": "a\",\"b", "AppliOwner": "c"}, {"ApiOwner": "a\\"}, {"ApiOwner": "a\nb"}, {"ApiOwner": long, "AppliOwner": "d"}]),
        );
        assert_eq!(lists, [json!(["c"]), json!(null), json!(null), json!(["d"])]);
        assert_eq!(counters, [("unreadable_owners".to_owned(), 4), ("unshared".to_owned(), 2)]);
    }

    #[test]
    fn fields_are_configured() {
        let mut plugin = Harness::<Share>::new(json!({"from": ["a.owner", "b", "c"], "to": "shared"})).expect("three fields");
        assert_eq!((plugin.reads(), plugin.writes()), (vec!["a.owner", "b", "c"], vec!["shared"]));
        let run = plugin.run(json!([{"a": {"owner": "X"}, "b": "y", "c": "x"}]));
        assert_eq!(run.records[0]["shared"], json!(["x", "y"]));
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| Harness::<Share>::new(config).expect_err("an error");
        assert!(error(json!({"from": []})).starts_with("configuration key from: expected 1 to 8"));
        assert!(error(json!({"from": ["a", ""]})).starts_with("configuration key from[1]: "));
        assert!(error(json!({"from": ["a", "a"]})).starts_with("configuration key from[1]: `a` is listed twice"));
        assert!(error(json!({"nobody": [" "]})).starts_with("configuration key nobody[0]: "));
        assert!(error(json!({"form": []})).starts_with("configuration key form: unknown field"));
    }
}
