//! The outcome class of a call from its error code and status, counted for scorecards.
//!
//! See the README for the classes and the configuration.

pub mod scorecard;

use std::collections::BTreeMap;

use serde::Deserialize;
use tamis_error_codes::{Table, cause};
use tamis_plugin::{Json, Plugin, Reads, Text, Verdict, Writes};

use crate::scorecard::{CountBy, Scorecard};

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Error code (`900805`) or range (`1000-1999`) to class; goes before the built-in table.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// The same; apart from `codes` where that reads better.
    #[serde(default)]
    pub ranges: BTreeMap<String, String>,
    /// Whether what `codes` and `ranges` leave out is looked up in the built-in table.
    #[serde(default = "yes")]
    pub built_in: bool,
    /// The field that holds the gateway's error code.
    #[serde(default = "error_code_field")]
    pub error_code: String,
    /// The field that holds the status answered.
    #[serde(default = "status_field")]
    pub status: String,
    /// The field that takes the class.
    #[serde(default = "outcome_field")]
    pub to: String,
    /// The field that takes the cause, where the code names one; without it none is written.
    #[serde(default)]
    pub cause: Option<String>,
    /// The class of a record that neither code nor status says anything about; without one it is left as it is.
    #[serde(default)]
    pub other: Option<String>,
    /// Counts each class by the values of a field as well.
    #[serde(default)]
    pub count_by: Option<CountBy>,
}

fn yes() -> bool {
    true
}

fn error_code_field() -> String {
    "ErrorCode".to_owned()
}

fn status_field() -> String {
    "HTTP_ReturnCode".to_owned()
}

fn outcome_field() -> String {
    "outcome".to_owned()
}

/// What is read; the configuration gives the paths. Gateways write both numbers as numbers and as text.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    error_code: Option<Json<'a>>,
    status: Option<Json<'a>>,
    count_by: Option<&'a [u8]>,
}

/// What is written; the configuration gives the paths.
#[derive(Debug, Writes)]
pub struct Out {
    #[field("to")]
    outcome: Text,
    cause: Text,
}

/// The plugin.
#[derive(Debug)]
pub struct Outcome {
    table: Table,
    scorecard: Scorecard,
    config: Config,
}

impl Plugin for Outcome {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        let table = Table::new(config.built_in, [("codes", &config.codes), ("ranges", &config.ranges)])?;
        if config.other.as_ref().is_some_and(|other| other.trim().is_empty()) {
            return Err("configuration key other: expected a class such as unknown, found empty text".to_owned());
        }
        if config.cause.as_ref() == Some(&config.to) {
            return Err(format!("configuration key cause: `{}` takes the class already; expected another field", config.to));
        }
        let scorecard = Scorecard::new(table.names(), config.count_by.as_ref())?;
        Ok(Self { table, scorecard, config })
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        match declared {
            "error_code" => Some(&self.config.error_code),
            "status" => Some(&self.config.status),
            "count_by" => self.config.count_by.as_ref().map(|count| count.field.as_str()),
            "cause" => self.config.cause.as_deref(),
            _ => Some(&self.config.to),
        }
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        let code = row.error_code.and_then(Json::integer);
        let status = row.status.and_then(Json::integer);
        let class = self.table.classify(code, status);
        let name = class.and_then(|class| self.table.names().get(class)).or(self.config.other.as_ref());
        if let Some(name) = name {
            out.outcome.set(name);
        }
        if self.config.cause.is_some()
            && let Some(cause) = code.and_then(cause)
        {
            out.cause.set(cause);
        }
        self.scorecard.count(class, row.count_by);
        Verdict::Keep
    }

    fn batch_done(&mut self) {
        self.scorecard.publish();
    }
}

tamis_plugin::export!(Outcome);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::{Harness, Run, harness};

    use super::*;

    fn outcome(config: Value) -> Harness<tamis_plugin::Records<Outcome>> {
        harness::<Outcome>(config).expect("a sound configuration")
    }

    fn classes(run: &Run) -> Vec<Value> {
        run.records.iter().map(|record| record["outcome"].clone()).collect()
    }

    /// Codes with the class of each; a range by its ends.
    const TABLE: [(i64, i64, &str); 28] = [
        (900_800, 429, "throttle"),
        (900_801, 503, "throttle"),
        (900_802, 429, "throttle"),
        (900_803, 429, "throttle"),
        (900_804, 429, "throttle"),
        (900_805, 429, "throttle"),
        (900_806, 429, "throttle"),
        (900_807, 429, "throttle"),
        (900_820, 400, "throttle"),
        (900_821, 400, "throttle"),
        (900_900, 500, "error.auth"),
        (900_901, 401, "error.auth"),
        (900_903, 401, "error.auth"),
        (900_904, 401, "error.auth"),
        (900_905, 401, "error.auth"),
        (900_906, 403, "error.client"),
        (900_907, 401, "error.auth"),
        (900_908, 403, "error.auth"),
        (900_910, 403, "error.auth"),
        (900_918, 401, "error.auth"),
        (900_422, 422, "error.client"),
        (700_700, 503, "error.client"),
        (405, 405, "error.client"),
        (102_511, 400, "error.client"),
        (101_500, 500, "error.backend"),
        (101_507, 500, "error.backend"),
        (303_001, 500, "error.backend"),
        (101_000, 200, "error.client"),
    ];

    #[test]
    fn the_table_of_the_gateway() {
        let records: Vec<Value> = TABLE.iter().map(|(code, status, _)| json!({"ErrorCode": code, "HTTP_ReturnCode": status})).collect();
        let wanted: Vec<&str> = TABLE.iter().map(|(.., class)| *class).collect();
        let run = outcome(json!({})).run(records.into());
        assert_eq!(classes(&run), wanted);
        assert_eq!(run.told.counters.get("outcome_throttle"), Some(&10));
        assert_eq!(run.told.counters.get("outcome_error_auth"), Some(&9));
        assert_eq!(run.told.counters.get("outcome_success"), None);
    }

    #[test]
    fn the_status_decides_where_the_code_says_nothing() {
        let run = outcome(json!({})).run(json!([
            {"HTTP_ReturnCode": 200}, {"HTTP_ReturnCode": "404"}, {"HTTP_ReturnCode": 502, "ErrorCode": 0}, {"ErrorCode": "null"}, {},
        ]));
        assert_eq!(classes(&run), [json!("success"), json!("error.client"), json!("error.backend"), json!(null), json!(null)]);
        assert_eq!(run.told.counters.get("unclassified"), Some(&2));
    }

    #[test]
    fn the_table_is_extended_or_replaced() {
        let records =
            json!([{"ErrorCode": 900_805, "HTTP_ReturnCode": 429}, {"ErrorCode": 900_900, "HTTP_ReturnCode": 500}, {"ErrorCode": 1500}]);
        let config = json!({"codes": {"900805": "security", "900900": "platform"}, "ranges": {"1000-1999": "error.client"}});
        let run = outcome(config.clone()).run(records.clone());
        assert_eq!(classes(&run), ["security", "platform", "error.client"]);
        assert_eq!(run.told.counters.get("outcome_security"), Some(&1));
        let run = outcome(json!({"built_in": false, "codes": {"900805": "security"}, "other": "unknown"})).run(records);
        assert_eq!(classes(&run), ["security", "error.backend", "unknown"]);
    }

    #[test]
    fn causes_are_written_on_request() {
        let records = json!([{"ErrorCode": "900805"}, {"ErrorCode": 900_900}, {"ErrorCode": 900_803}, {"HTTP_ReturnCode": 200}]);
        let mut plugin = outcome(json!({"cause": "outcomeCause"}));
        assert_eq!(plugin.writes(), ["outcome", "outcomeCause"]);
        let run = plugin.run(records);
        let causes: Vec<&Value> = run.records.iter().map(|record| &record["outcomeCause"]).collect();
        assert_eq!(causes, [&json!("security"), &json!("platform"), &json!(null), &json!(null)]);
        assert_eq!(outcome(json!({})).writes(), ["outcome"]);
    }

    #[test]
    fn classes_are_counted_by_the_values_listed() {
        let mut plugin = outcome(json!({"count_by": {"field": "AppliOwner", "values": ["cio", "S7_"]}}));
        assert_eq!(plugin.reads(), ["ErrorCode", "HTTP_ReturnCode", "AppliOwner"]);
        let run = plugin.run(json!([
            {"HTTP_ReturnCode": 200, "AppliOwner": "s7_"},
            {"HTTP_ReturnCode": 200, "AppliOwner": "S7_"},
            {"HTTP_ReturnCode": 500, "AppliOwner": "CIO"},
            {"HTTP_ReturnCode": 500, "AppliOwner": "jean.dupont@example.fr"},
            {"HTTP_ReturnCode": 500},
            {"AppliOwner": "cio"},
        ]));
        let counters: Vec<(&str, u64)> = run.told.counters.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        let wanted = [
            ("by_cio_error_backend", 1),
            ("by_other_error_backend", 2),
            ("by_s7__success", 2),
            ("outcome_error_backend", 3),
            ("outcome_success", 2),
            ("unclassified", 1),
        ];
        assert_eq!(counters, wanted);
        assert!(plugin.run(json!([])).told.counters.is_empty());
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| harness::<Outcome>(config).expect_err("an error");
        assert!(error(json!({"codes": {"x": "throttle"}})).starts_with("configuration key codes.x: "));
        assert!(error(json!({"ranges": {"9-1": "throttle"}})).starts_with("configuration key ranges.9-1: "));
        assert!(error(json!({"codes": {"7": 7}})).starts_with("configuration key codes.7: invalid type"));
        assert!(error(json!({"other": ""})).starts_with("configuration key other: "));
        assert!(error(json!({"cause": "outcome"})).starts_with("configuration key cause: "));
        assert!(error(json!({"status_": "x"})).starts_with("configuration key status_: unknown field"));
        let count_by = |count_by: Value| error(json!({"count_by": count_by}));
        assert!(count_by(json!({"field": "", "values": ["a"]})).starts_with("configuration key count_by.field: "));
        assert!(count_by(json!({"field": "a", "values": []})).starts_with("configuration key count_by.values: "));
        assert!(count_by(json!({"field": "a", "values": ["a-b", "A_b"]})).starts_with("configuration key count_by.values[1]: "));
        assert!(count_by(json!({"field": "a", "values": ["other"]})).starts_with("configuration key count_by.values[0]: "));
        assert!(count_by(json!({"field": "a", "values": ["x".repeat(60)]})).starts_with("configuration key count_by.values[0]: "));
        let many: Vec<String> = (0..20).map(|n| format!("v{n}")).collect();
        assert!(count_by(json!({"field": "a", "values": many})).contains("110 counters"));
    }
}
