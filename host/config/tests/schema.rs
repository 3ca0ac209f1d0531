//! The schema that editors read. `BLESS=1` writes it anew.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tamis_config::options::Stated;
use tamis_config::schema::{schema, schema_text};

#[test]
fn the_schema_is_the_one_kept_in_the_repository() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tamis.schema.json");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, schema_text()).expect("the schema can be written");
    }
    let kept = std::fs::read_to_string(&file).expect("the schema is readable");
    assert_eq!(kept, schema_text(), "the model has changed: `make reference` (or BLESS=1) writes the schema anew");
}

fn properties(schema: &Value, found: &mut BTreeSet<String>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        for (name, property) in properties {
            found.insert(name.clone());
            let does = property.get("description").and_then(Value::as_str).map(|text| Stated::of(text).does);
            // A default alone does not say what an option does.
            let documented = does.is_some_and(|does| !does.is_empty()) || property.get("const").or(property.get("enum")).is_some();
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
fn every_key_has_a_description() {
    let mut found = BTreeSet::new();
    properties(&schema(), &mut found);
    // That they are those of the model, the test above sees: the schema is kept.
    assert!(found.len() > 100 && found.contains("pipelines") && found.contains("checkpoint_interval"), "{found:?}");
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
