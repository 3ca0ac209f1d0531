//! Drops records by the values of their fields.
//!
//! The fields follow from the configuration, so this plugin takes whole batches. See the README for the rules.

pub mod rule;

use serde::Deserialize;
use tamis_plugin::{Batch, BatchPlugin, Column, DROP, Field, Kind, Outcome, Signature, Values, VarValues, config};

use crate::rule::{Lengths, Rule, Test};

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// A record that matches one of these is dropped.
    pub rules: Vec<Rule>,
    /// Turns it round: only a record that matches one of the rules is kept.
    #[serde(default)]
    pub keep: bool,
}

/// The plugin.
#[derive(Debug)]
pub struct Drop {
    /// The tests and the columns they look at.
    tests: Vec<(usize, Test)>,
    keep: bool,
}

impl BatchPlugin for Drop {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let config: Config = config::parse(config)?;
        if config.rules.is_empty() {
            return Err("configuration key rules: expected at least one rule, found none".to_owned());
        }
        let mut reads: Vec<Field> = Vec::new();
        let mut tests = Vec::with_capacity(config.rules.len());
        for (place, rule) in config.rules.iter().enumerate() {
            let test = rule.test().map_err(|error| format!("configuration key rules[{place}]{error}"))?;
            // A field that one rule asks for as text and another as JSON is shown once, as JSON.
            let column = match reads.iter().position(|field| field.path == rule.field) {
                Some(column) => column,
                None => {
                    reads.push(Field { path: rule.field.clone(), kind: Kind::Text });
                    reads.len() - 1
                }
            };
            if let (Some(field), Kind::Json) = (reads.get_mut(column), test.kind()) {
                field.kind = Kind::Json;
            }
            tests.push((column, test));
        }
        let signature = Signature { reads, writes: Vec::new(), outputs: Vec::new(), drops: true };
        Ok((Self { tests, keep: config.keep }, signature))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
        let (matched, unmatched) = if self.keep { (0, DROP) } else { (DROP, 0) };
        let mut verdicts = vec![unmatched; batch.rows as usize];
        for (column, test) in &self.tests {
            let column = batch
                .columns
                .get(*column)
                .ok_or_else(|| format!("the batch has {} columns, column {column} was declared", batch.columns.len()))?;
            mark(&mut verdicts, matched, test, column);
        }
        let verdicts = verdicts.iter().any(|&verdict| verdict != 0).then_some(verdicts);
        Ok(Outcome { verdicts, patches: Vec::new(), rejects: Vec::new() })
    }
}

/// Sets the verdict of every row that passes the test.
fn mark(verdicts: &mut [u8], matched: u8, test: &Test, column: &Column<'_>) {
    if let (Values::Text(values), Some(lengths)) = (&column.values, test.lengths()) {
        return mark_text(verdicts, matched, (test, lengths), (column, values));
    }
    let json = column.kind() == Kind::Json;
    for (row, verdict) in verdicts.iter_mut().enumerate() {
        if *verdict == matched {
            continue;
        }
        let value = column.bytes(row);
        let passes = if json { test.json(value) } else { test.text(value) };
        if passes {
            *verdict = matched;
        }
    }
}

/// The same for text that has to equal another: most values already differ in length, and for those this is a subtraction
/// and a bit.
fn mark_text(verdicts: &mut [u8], matched: u8, (test, lengths): (&Test, Lengths), (column, values): (&Column<'_>, &VarValues<'_>)) {
    let ends = values.offsets.get(1..).unwrap_or_default();
    for (row, ((start, end), verdict)) in values.offsets.iter().zip(ends).zip(verdicts).enumerate() {
        if lengths.has(end.wrapping_sub(*start)) && *verdict != matched && test.text(column.bytes(row)) {
            *verdict = matched;
        }
    }
}

tamis_plugin::export!(batch Drop);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::{Fate, Harness};

    use super::*;

    /// Which of the records are dropped.
    fn dropped(config: Value, records: Value) -> Vec<usize> {
        let run = Harness::<Drop>::new(config).expect("a sound configuration").run(records);
        (0..).zip(&run.fates).filter(|(_, fate)| **fate == Fate::Dropped).map(|(row, _)| row).collect()
    }

    #[test]
    fn any_rule_drops() {
        let config = json!({"rules": [
            {"field": "APIMStatus", "equals": "OK"},
            {"field": "destination.http.method", "in": ["OPTIONS", "HEAD"]},
            {"field": "destination.url.path", "prefix": "/health"},
        ]});
        let records = json!([
            {"APIMStatus": "KO", "destination": {"http": {"method": "GET"}, "url": {"path": "/v1"}}},
            {"APIMStatus": "OK"},
            {"destination": {"http": {"method": "HEAD"}}},
            {"destination": {"url": {"path": "/healthz"}}},
            {"APIMStatus": "ok", "destination": {"http": {"method": "HEADS"}, "url": {"path": "/heal"}}},
            {},
        ]);
        assert_eq!(dropped(config, records), [1, 2, 3]);
    }

    #[test]
    fn long_texts_are_told_apart() {
        let long = |length: usize, last: char| format!("{}{last}", "x".repeat(length - 1));
        for length in 1..140 {
            let config = json!({"rules": [{"field": "a", "equals": long(length, 'y')}]});
            let records = json!([{"a": long(length, 'z')}, {"a": long(length, 'y')}, {"a": long(length + 64, 'y')}, {}, {"a": ""}]);
            assert_eq!(dropped(config, records), [1], "{length}");
        }
    }

    #[test]
    fn keep_turns_it_round() {
        let config = json!({"rules": [{"field": "a", "equals": "x"}, {"field": "b", "equals": "y"}], "keep": true});
        assert_eq!(dropped(config, json!([{"a": "x"}, {"b": "y"}, {"a": "y"}, {}])), [2, 3]);
    }

    #[test]
    fn numbers_match_numbers_and_text_that_holds_them() {
        let range = json!({"rules": [{"field": "s", "range": {"min": 200, "max": 299.5}}]});
        let records = json!([{"s": 200}, {"s": "250"}, {"s": 299.5}, {"s": 300}, {"s": 199}, {"s": "x"}, {"s": null}, {}, {"s": [200]}]);
        assert_eq!(dropped(range, records), [0, 1, 2]);
        let open = json!({"rules": [{"field": "s", "range": {"min": 500}}]});
        assert_eq!(dropped(open, json!([{"s": 500}, {"s": 1e300}, {"s": 499}])), [0, 1]);
        let equals = json!({"rules": [{"field": "s", "equals": 9_007_199_254_740_993_i64}]});
        let records = json!([{"s": 9_007_199_254_740_993_i64}, {"s": 9_007_199_254_740_992_i64}, {"s": "9007199254740993"}]);
        assert_eq!(dropped(equals, records), [0, 2]);
        let float = json!({"rules": [{"field": "s", "in": [0.5, 2]}]});
        assert_eq!(dropped(float, json!([{"s": 0.5}, {"s": 5e-1}, {"s": 2.0}, {"s": 2}, {"s": 20}])), [0, 1, 2, 3]);
    }

    #[test]
    fn text_does_not_match_other_kinds() {
        let config = json!({"rules": [{"field": "a", "equals": "200"}, {"field": "b", "in": ["true", 7, true]}]});
        let records = json!([{"a": 200}, {"a": "200"}, {"b": "true"}, {"b": true}, {"b": 7}, {"b": false}, {"b": "7"}]);
        assert_eq!(dropped(config, records), [1, 2, 3, 4, 6]);
    }

    #[test]
    fn escaped_text_is_compared_unescaped() {
        let config = json!({"rules": [{"field": "a", "in": ["x\"y", 1]}, {"field": "a", "prefix": "\u{e9}\n"}]});
        assert_eq!(dropped(config, json!([{"a": "x\"y"}, {"a": "\u{e9}\nz"}, {"a": "x\\\"y"}, {"a": "x"}])), [0, 1]);
    }

    #[test]
    fn missing_is_absent_or_null_and_present_is_the_rest() {
        let records = json!([{}, {"a": null}, {"a": ""}, {"a": 0}, {"a": {}}]);
        assert_eq!(dropped(json!({"rules": [{"field": "a", "missing": true}]}), records.clone()), [0, 1]);
        assert_eq!(dropped(json!({"rules": [{"field": "a", "missing": false}]}), records), [2, 3, 4]);
    }

    #[test]
    fn a_field_is_asked_for_once() {
        let config = json!({"rules": [
            {"field": "a", "equals": "x"}, {"field": "b", "prefix": "y"}, {"field": "a", "missing": true},
        ]});
        let plugin = Harness::<Drop>::new(config).expect("a sound configuration");
        let reads: Vec<(&str, Kind)> = plugin.signature().reads.iter().map(|field| (field.path.as_str(), field.kind)).collect();
        assert_eq!(reads, [("a", Kind::Json), ("b", Kind::Text)]);
        assert!(plugin.signature().drops && plugin.signature().writes.is_empty());
    }

    #[test]
    fn nothing_dropped_is_no_verdicts() {
        let mut plugin = Harness::<Drop>::new(json!({"rules": [{"field": "a", "equals": "x"}]})).expect("one rule");
        assert_eq!(plugin.run(json!([{"a": "y"}, {}])).outcome.verdicts, None);
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| Harness::<Drop>::new(config).expect_err("an error");
        assert_eq!(error(json!({})), "configuration: missing field `rules`");
        assert_eq!(error(json!({"rules": []})), "configuration key rules: expected at least one rule, found none");
        for (rule, expected) in [
            (json!({"field": "a"}), "rules[0]: expected one of equals, in, prefix, missing, range; found none"),
            (
                json!({"field": "a", "equals": 1, "prefix": "b"}),
                "rules[0]: expected one of equals, in, prefix, missing, range; found equals and prefix",
            ),
            (json!({"field": "a", "equals": [1]}), "rules[0].equals: expected text, a number, true or false; found [1]"),
            (json!({"field": "a", "equals": null}), "rules[0].equals: expected text, a number, true or false; found null"),
            (json!({"field": "a", "in": []}), "rules[0].in: expected at least one value, found none"),
            (json!({"field": "a", "in": ["x", {}]}), "rules[0].in[1]: expected text, a number, true or false; found {}"),
            (json!({"field": "a", "range": {}}), "rules[0].range: expected min, max or both; found neither"),
            (json!({"field": "a", "range": {"min": 2, "max": 1}}), "rules[0].range: min 2 is above max 1"),
            (json!({"field": "a", "range": {"mix": 2}}), "rules[0].range.mix: unknown field `mix`, expected `min` or `max`"),
            (json!({"field": "", "missing": true}), "rules[0].field: expected the path of a field, found empty text"),
        ] {
            assert_eq!(error(json!({"rules": [rule]})), format!("configuration key {expected}"));
        }
    }
}
