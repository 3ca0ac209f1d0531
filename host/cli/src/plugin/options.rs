//! Values of options that several verbs take: a configuration, limits.

use super::files;
use std::path::Path;
use tamis_sandbox::Limits;

/// Longest configuration read, in bytes.
const CONFIG_BYTES_MAX: u64 = 16 << 20;

/// A configuration: JSON as it stands, or a file of it.
pub(super) fn config(given: &str) -> Result<String, String> {
    let wrong = |reason: String| format!("--config {given}: expected JSON or a file of it: {reason}");
    let text = if given.trim_start().starts_with(['{', '[', '"']) {
        given.to_owned()
    } else {
        let bytes = files::at_most(Path::new(given), CONFIG_BYTES_MAX).map_err(|error| wrong(error.to_string()))?;
        String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?
    };
    // Written anew, so that the plugin sees it as the host would give it.
    let value: serde_json::Value = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    Ok(value.to_string())
}

/// Limits as `memory=16MiB,deadline=100ms,component=1MiB`, over the host's defaults.
pub(super) fn limits(text: &str) -> Result<Limits, String> {
    let mut limits = Limits::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').ok_or_else(|| format!("`{part}`: expected NAME=VALUE, such as memory=16MiB"))?;
        let bytes =
            || tamis_config::Bytes::parse(value).map(|bytes| bytes.0).ok_or_else(|| format!("`{part}`: expected a size such as 16MiB"));
        let time = || humantime::parse_duration(value).map_err(|error| format!("`{part}`: expected a time such as 100ms: {error}"));
        match name.trim() {
            "memory" => limits.memory_bytes = bytes()?,
            "deadline" => limits.deadline = time()?,
            "init_deadline" => limits.init_deadline = time()?,
            "component" => limits.component_bytes_max = bytes()?,
            other => return Err(format!("`{other}` is no limit; expected memory, deadline, init_deadline or component")),
        }
    }
    Ok(limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_read_or_explained() {
        let limits_read = limits("memory=16MiB, deadline=50ms").expect("limits");
        assert_eq!((limits_read.memory_bytes, limits_read.deadline.as_millis()), (16 << 20, 50));
        for (text, expected) in [("memory", "NAME=VALUE"), ("memory=x", "16MiB"), ("deadline=5", "100ms"), ("speed=1", "is no limit")] {
            let error = limits(text).expect_err(text);
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_configuration_is_json_or_a_file() {
        assert_eq!(config(" { \"a\" : 1 }").expect("JSON"), "{\"a\":1}");
        for given in ["{", "absent.json"] {
            let error = config(given).expect_err(given);
            assert!(error.starts_with(&format!("--config {given}: expected JSON or a file of it")), "{error}");
        }
    }
}
