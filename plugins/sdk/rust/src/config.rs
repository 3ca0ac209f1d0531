//! The step's configuration, read with errors that name the key.

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// The configuration of a plugin that has nothing to configure: any key is an error.
#[derive(Debug, Clone, Copy, Default, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct NoConfig {}

/// Reads a configuration from JSON text. A step without one (empty text or `null`) is read as `{}`.
///
/// # Errors
/// The key's path, what was found and what was expected: `configuration key owners.cio: invalid type: integer `3`,
/// expected a string`.
pub fn parse<T: DeserializeOwned>(config: &str) -> Result<T, String> {
    // By way of a value, whose errors do not speak of a line and column in JSON that the operator never wrote.
    let mut value: serde_json::Value = match config.trim_ascii() {
        "" => serde_json::Value::Null,
        text => serde_json::from_str(text).map_err(|error| format!("the configuration is not JSON: {error}"))?,
    };
    if value.is_null() {
        value = serde_json::Value::Object(serde_json::Map::new());
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        if path == "." { format!("configuration: {}", error.inner()) } else { format!("configuration key {path}: {}", error.inner()) }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Config {
        #[serde(default)]
        owners: BTreeMap<String, String>,
        #[serde(default)]
        ranges: Vec<Range>,
    }

    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(deny_unknown_fields)]
    struct Range {
        min: i64,
    }

    fn error(config: &str) -> String {
        parse::<Config>(config).expect_err(config)
    }

    #[test]
    fn errors_name_the_key() {
        assert_eq!(error(r#"{"owners":{"cio":3}}"#), "configuration key owners.cio: invalid type: integer `3`, expected a string");
        assert_eq!(error(r#"{"ranges":[{"min":1},{"max":2}]}"#), "configuration key ranges[1].max: unknown field `max`, expected `min`");
        assert_eq!(error(r#"{"ownrs":{}}"#), "configuration key ownrs: unknown field `ownrs`, expected `owners` or `ranges`");
        assert_eq!(error("[]x"), "the configuration is not JSON: trailing characters at line 1 column 3");
        assert_eq!(error("7"), "configuration: invalid type: integer `7`, expected struct Config");
    }

    #[test]
    fn nothing_is_an_empty_configuration() {
        for nothing in ["", " \n", "null", "{}"] {
            let config = parse::<Config>(nothing).expect("every key has a default");
            assert_eq!(config, Config { owners: BTreeMap::new(), ranges: Vec::new() });
            assert_eq!(parse::<NoConfig>(nothing), Ok(NoConfig {}));
        }
        assert!(parse::<NoConfig>(r#"{"a":1}"#).is_err());
    }
}
