//! The schema that editors read. `BLESS=1` writes it anew.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tamis_config::schema::{schema, schema_text};

#[test]
fn the_schema_is_the_one_kept_in_the_repository() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tamis.schema.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, schema_text()).expect("the schema can be written");
    }
    let kept = std::fs::read_to_string(&file).expect("the schema is readable");
    assert_eq!(kept, schema_text(), "the model has changed: BLESS=1 writes the schema anew");
}

fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            found.insert(name.clone());
            let documented = property.get("description").is_some() || name == "type";
            assert!(documented, "{name} has no description: {property}");
        }
    }
    match schema {
        Value::Object(map) => map.values().for_each(|value| properties(value, found)),
        Value::Array(list) => list.iter().for_each(|value| properties(value, found)),
        _ => {}
    }
}

#[test]
fn every_key_of_the_model_occurs_with_a_description() {
    let mut found = BTreeSet::new();
    properties(&schema(), &mut found);
    let expected = [
        "version",
        "sources",
        "plugins",
        "plugins_policy",
        "require_signature",
        "allow",
        "pipelines",
        "sinks",
        "tests",
        "source",
        "input",
        "input_file",
        "expect",
        "expect_file",
        "dropped",
        "halts",
        "pipeline",
        "step",
        "cause",
        "reason",
        "record",
        "has",
        "lacks",
        "rejected",
        "unchanged",
        "settings",
        "type",
        "paths",
        "exclude",
        "codec",
        "codecs",
        "zone",
        "keep_raw",
        "separator",
        "keys",
        "message",
        "nest",
        "text",
        "times",
        "format",
        "year",
        "bare_keys",
        "columns",
        "delimiter",
        "pattern",
        "patterns",
        "max_record",
        "fields",
        "start",
        "multiline",
        "continues",
        "wait",
        "max_lines",
        "rotate_wait",
        "poll",
        "open_files",
        "on_damaged_checkpoint",
        "rate",
        "count",
        "seed",
        "component",
        "grant",
        "limits",
        "on_failure",
        "config",
        "read",
        "write",
        "drop",
        "outputs",
        "memory",
        "deadline",
        "init_deadline",
        "table_elements",
        "host_call_bytes",
        "log_lines",
        "from",
        "steps",
        "to",
        "dead_letters",
        "name",
        "plugin",
        "vrl",
        "filter",
        "route",
        "path",
        "url",
        "method",
        "headers",
        "format",
        "compression",
        "timeout",
        "concurrency",
        "buffer",
        "disk",
        "when_full",
        "retry",
        "initial",
        "max",
        "give_up_after",
        "fsync",
        "rotate",
        "size",
        "every",
        "keep",
        "open_files",
        "idle",
        "urls",
        "index",
        "action",
        "id",
        "index_field",
        "id_field",
        "setup",
        "omit",
        "time_field",
        "routing",
        "api_key",
        "labels",
        "metadata",
        "line",
        "tenant",
        "streams",
        "data_dir",
        "lanes",
        "admin",
        "admin_tokens",
        "sha256",
        "role",
        "shutdown_timeout",
        "checkpoint_interval",
        "batch",
        "json_depth",
        "tap",
        "hide",
        "rate_max",
        "records",
        "bytes",
    ];
    assert_eq!(found, expected.into_iter().map(str::to_owned).collect());
}

/// Follows the example of the surface through the schema far enough to see that every one of its keys is allowed where it
/// stands.
#[test]
fn the_example_of_the_surface_uses_only_keys_that_the_schema_knows() {
    let mut found = BTreeSet::new();
    properties(&schema(), &mut found);
    let text = include_str!("cases/sound_surface.yaml");
    for line in text.lines() {
        let Some((key, _)) = line.trim_start().trim_start_matches("- ").split_once(':') else { continue };
        let chosen = ["gateway", "tenant", "main", "archive", "alerts", "failed", "default", "errors"];
        assert!(chosen.contains(&key) || found.contains(key) || key.starts_with('#'), "{key}");
    }
}
