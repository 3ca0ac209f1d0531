//! A step as written: of four keys exactly one.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};

use super::parts::Name;
use super::problem::Carried;
use crate::Located;
use crate::diagnostic::codes::BAD_STEP;
use crate::model::{OnFailure, Step, StepKind};

/// One step of a pipeline: exactly one of `plugin`, `vrl`, `filter` and `route`.
#[derive(Deserialize, JsonSchema)]
#[schemars(rename = "Step")]
pub(crate) struct StepKeys {
    /// A name of its own, for metrics and messages. Default: made of the plugin's name or the kind.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"))]
    name: Option<Located<Name>>,
    /// What becomes of a record that the step fails on. Default: the plugin's own `on_failure`, else `dead_letter`.
    #[serde(default)]
    on_failure: Option<OnFailure>,
    /// Runs the plugin of this name.
    #[serde(default)]
    #[schemars(with = "Option<String>", regex(pattern = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$"))]
    plugin: Option<Located<Name>>,
    /// Runs this VRL program on the record.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    vrl: Option<Located<String>>,
    /// Drops the records for which this VRL condition is false.
    #[serde(default)]
    #[schemars(with = "Option<String>")]
    filter: Option<Located<String>>,
    /// Sends a record to the first output whose VRL condition is true, by output; else to `default`.
    #[serde(default)]
    #[schemars(with = "Option<std::collections::BTreeMap<String, String>>")]
    route: Option<Route>,
}

/// Outputs and their conditions, in the order of the file.
struct Route(Vec<(Located<String>, Located<String>)>);

impl<'de> Deserialize<'de> for Route {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Route;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map from outputs to VRL conditions")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Route, A::Error> {
                let mut all = Vec::new();
                while let Some(output) = map.next_key::<Located<Name>>()? {
                    all.push((output.map(|Name(name)| name), map.next_value()?));
                }
                Ok(Route(all))
            }
        }
        deserializer.deserialize_any(InOrder)
    }
}

impl TryFrom<StepKeys> for Step {
    type Error = String;

    fn try_from(keys: StepKeys) -> Result<Self, String> {
        let plain = |name: Located<Name>| name.map(|Name(name)| name);
        let mut kinds: Vec<StepKind> = Vec::new();
        kinds.extend(keys.plugin.map(|name| StepKind::Plugin(plain(name))));
        kinds.extend(keys.vrl.map(StepKind::Vrl));
        kinds.extend(keys.filter.map(StepKind::Filter));
        kinds.extend(keys.route.map(|Route(all)| StepKind::Route(all)));
        let wrong = |text: &str, help: &str| Err(Carried { code: BAD_STEP, text, said: true, help }.to_string());
        if kinds.len() > 1 {
            let found: Vec<String> = kinds.iter().map(|kind| format!("`{}`", kind.key())).collect();
            return wrong(
                &format!("a step has exactly one of `plugin`, `vrl`, `filter` and `route`, found {}", found.join(" and ")),
                "make each a step of its own",
            );
        }
        match kinds.pop() {
            Some(kind) => Ok(Step { name: keys.name.map(plain), on_failure: keys.on_failure, kind }),
            None => wrong(
                "a step has exactly one of `plugin`, `vrl`, `filter` and `route`, found none",
                "say what the step does, for example `- plugin: name`",
            ),
        }
    }
}
