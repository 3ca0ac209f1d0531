//! The outcome class of a call from its error code and status, and an output for each class.
//!
//! See the README for the classes and the configuration.

pub use tamis_error_codes::codes;

use std::collections::BTreeMap;

use serde::Deserialize;
use tamis_error_codes::Table;
use tamis_plugin::{Json, Plugin, Reads, Text, Verdict, Writes, metrics};

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Class to output: a class, the beginning of some (`error.*`), or `*`. Others stay where they are.
    #[serde(default)]
    pub outputs: BTreeMap<String, String>,
    /// Further error codes, or other classes for known ones: a code (`900805`) or a range (`1000-1999`) to a class.
    #[serde(default)]
    pub codes: BTreeMap<String, String>,
    /// The field that holds the gateway's error code.
    #[serde(default = "error_code_field")]
    pub error_code: String,
    /// The field that holds the status answered.
    #[serde(default = "status_field")]
    pub status: String,
    /// The field that takes the class.
    #[serde(default = "outcome_field")]
    pub to: String,
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

/// What is read; the configuration gives the paths. Gateways write both as numbers and as text.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    error_code: Option<Json<'a>>,
    status: Option<Json<'a>>,
}

/// What is written; the configuration gives the path.
#[derive(Debug, Writes)]
pub struct Out {
    #[field("to")]
    outcome: Text,
}

/// A class, and where its records go.
#[derive(Debug)]
struct Class {
    name: String,
    verdict: Verdict,
}

/// The plugin.
#[derive(Debug)]
pub struct Route {
    table: Table,
    classes: Vec<Class>,
    outputs: Vec<String>,
    config: Config,
    unclassified: u64,
}

impl Plugin for Route {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        let table = Table::new(true, [("codes", &config.codes), ("codes", &BTreeMap::new())])?;
        let names = table.names();
        let mut outputs: Vec<String> = Vec::new();
        let classes = names
            .iter()
            .map(|name| {
                let verdict = match output_of(name, &config.outputs) {
                    None => Verdict::Keep,
                    Some(output) => {
                        let index = outputs.iter().position(|known| known == output).unwrap_or_else(|| {
                            outputs.push(output.clone());
                            outputs.len() - 1
                        });
                        // More than the contract can tell apart are refused by the SDK, which counts them.
                        Verdict::To(u8::try_from(index).unwrap_or(u8::MAX))
                    }
                };
                Class { name: name.clone(), verdict }
            })
            .collect();
        for (pattern, output) in &config.outputs {
            if output.trim().is_empty() {
                return Err(format!("configuration key outputs.{pattern}: expected the name of an output, found empty text"));
            }
            if !names.iter().any(|name| matches(pattern, name)) {
                return Err(format!(
                    "configuration key outputs.{pattern}: no class is called so; expected one of {}, a beginning such as error.*, or *",
                    names.join(", ")
                ));
            }
        }
        Ok(Self { table, classes, outputs, config, unclassified: 0 })
    }

    fn outputs(&self) -> Vec<String> {
        self.outputs.clone()
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        Some(match declared {
            "error_code" => &self.config.error_code,
            "status" => &self.config.status,
            _ => &self.config.to,
        })
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        let code = row.error_code.and_then(Json::integer);
        let status = row.status.and_then(Json::integer);
        match self.table.classify(code, status).and_then(|class| self.classes.get(class)) {
            Some(class) => {
                out.outcome.set(&class.name);
                class.verdict.clone()
            }
            None => {
                self.unclassified += 1;
                Verdict::Keep
            }
        }
    }

    fn batch_done(&mut self) {
        let unclassified = std::mem::take(&mut self.unclassified);
        if unclassified > 0 {
            metrics::add("unclassified", unclassified);
        }
    }
}

/// The output of a class: that of the pattern which says most of its name.
fn output_of<'c>(class: &str, outputs: &'c BTreeMap<String, String>) -> Option<&'c String> {
    outputs
        .iter()
        .filter(|(pattern, _)| matches(pattern, class))
        .max_by_key(|(pattern, _)| (!pattern.ends_with('*'), pattern.len()))
        .map(|(_, output)| output)
}

fn matches(pattern: &str, class: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => class.starts_with(beginning),
        None => class == pattern,
    }
}

tamis_plugin::export!(Route);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::{Fate, Harness, harness};

    use super::*;

    fn route(config: Value) -> Harness<tamis_plugin::Records<Route>> {
        harness::<Route>(config).expect("a sound configuration")
    }

    fn class(code: Value, status: Value) -> Value {
        route(json!({})).run(json!([{"ErrorCode": code, "HTTP_ReturnCode": status}])).records[0]["outcome"].clone()
    }

    #[test]
    fn classes_follow_code_before_status() {
        for (code, status, expected) in [
            (json!(null), json!(200), "success"),
            (json!(0), json!(304), "success"),
            (json!(""), json!("200"), "success"),
            (json!("null"), json!(201), "success"),
            (json!(900_801), json!(503), "throttle"),
            (json!("900803"), json!("429"), "throttle"),
            (json!(900_820), json!(400), "throttle"),
            (json!(900_805), json!(403), "throttle"),
            (json!(900_901), json!(401), "error.auth"),
            (json!(900_900), json!(500), "error.auth"),
            (json!(900_999), json!(200), "error.auth"),
            (json!(900_906), json!(403), "error.client"),
            (json!(101_504), json!(500), "error.backend"),
            (json!(101_507), json!(200), "error.backend"),
            (json!(303_001), json!(503), "error.backend"),
            (json!(700_700), json!(503), "error.client"),
            (json!(404), json!(404), "error.client"),
            (json!(101_001), json!(null), "error.client"),
            (json!(900_799), json!(500), "error.backend"),
            (json!(901_000), json!(404), "error.client"),
            (json!(101_600), json!(200), "success"),
            (json!(null), json!(599), "error.backend"),
            (json!(null), json!(499), "error.client"),
            (json!(null), json!("503"), "error.backend"),
        ] {
            assert_eq!(class(code.clone(), status.clone()), expected, "{code} {status}");
        }
    }

    #[test]
    fn what_says_nothing_is_left_and_counted() {
        let run = route(json!({})).run(json!([
            {}, {"HTTP_ReturnCode": "-"}, {"ErrorCode": 123_456}, {"HTTP_ReturnCode": -1}, {"HTTP_ReturnCode": {"a": 1}},
        ]));
        assert!(run.outcome.patches.is_empty());
        assert_eq!(run.told.counters.get("unclassified"), Some(&5));
    }

    #[test]
    fn each_class_goes_to_its_output() {
        let mut plugin = route(json!({"outputs": {"throttle": "limits", "error.*": "errors", "error.backend": "alerts"}}));
        let run = plugin.run(json!([
            {"HTTP_ReturnCode": 200}, {"ErrorCode": 900_800}, {"HTTP_ReturnCode": 404}, {"HTTP_ReturnCode": 502}, {},
        ]));
        let sent = |output: &str| Fate::Sent(output.to_owned());
        assert_eq!(run.fates, [Fate::Kept, sent("limits"), sent("errors"), sent("alerts"), Fate::Kept]);
        assert_eq!(run.records[3]["outcome"], "error.backend");
        let all = route(json!({"outputs": {"*": "calls"}}));
        assert_eq!(all.signature().outputs, ["calls"]);
        assert!(route(json!({})).signature().outputs.is_empty());
    }

    #[test]
    fn codes_are_added_and_changed() {
        let mut plugin = route(json!({
            "codes": {"900800-900999": "error.gateway", "900805": "error.security", "1000 - 1099": "throttle"},
            "outputs": {"error.security": "security"},
        }));
        let run = plugin.run(json!([
            {"ErrorCode": 900_805}, {"ErrorCode": 900_804}, {"ErrorCode": 1050, "HTTP_ReturnCode": 200}, {"ErrorCode": 101_500},
        ]));
        let classes: Vec<&Value> = run.records.iter().map(|record| &record["outcome"]).collect();
        assert_eq!(classes, ["error.security", "error.gateway", "throttle", "error.backend"]);
        assert_eq!(run.fates[0], Fate::Sent("security".to_owned()));
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| harness::<Route>(config).expect_err("an error");
        assert!(error(json!({"outputs": {"throtle": "x"}})).starts_with("configuration key outputs.throtle: no class is called so"));
        assert!(error(json!({"outputs": {"throttle": ""}})).starts_with("configuration key outputs.throttle: expected the name"));
        assert!(error(json!({"codes": {"9-1": "throttle"}})).starts_with("configuration key codes.9-1: "));
        assert!(error(json!({"codes": {"x": "throttle"}})).starts_with("configuration key codes.x: "));
        assert!(error(json!({"codes": {"7": " "}})).starts_with("configuration key codes.7: expected a class"));
        assert!(error(json!({"codes": {"7": 7}})).starts_with("configuration key codes.7: invalid type"));
        assert!(error(json!({"statut": "x"})).starts_with("configuration key statut: unknown field"));
    }
}
