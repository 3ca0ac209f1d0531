//! The reference of all options, as `docs/reference/options.md` holds it.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};
use tamis_config::options;
use tamis_config::schema::schema;

#[test]
fn the_reference_is_the_one_kept_in_the_repository() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/options.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, options::markdown()).expect("the reference can be written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    // Not with `assert_eq`: the two are long.
    assert!(kept == options::markdown(), "docs/reference/options.md is not what the code says: `make reference` writes it anew");
}

/// What GitHub makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().replace(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | ' ')), "");
    kept.replace(' ', "-")
}

/// A Markdown text's anchors, none twice, and where its links lead within it.
fn anchors_and_links(text: &str) -> (BTreeSet<String>, BTreeSet<&str>) {
    let headings: Vec<String> =
        text.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches(['#', ' ']))).collect();
    let anchors: BTreeSet<String> = headings.iter().cloned().collect();
    let twice: Vec<&String> = anchors.iter().filter(|one| headings.iter().filter(|other| other == one).count() > 1).collect();
    assert!(twice.is_empty(), "headings that come twice: {twice:?}");
    let links = text.split("](#").skip(1).filter_map(|link| link.split(')').next()).collect();
    (anchors, links)
}

#[test]
fn links_lead_to_headings_and_no_heading_comes_twice() {
    let text = options::markdown();
    let (anchors, links) = anchors_and_links(&text);
    assert!(links.len() > 50, "{links:?}");
    let lost: Vec<&&str> = links.iter().filter(|link| !anchors.contains(**link)).collect();
    assert!(lost.is_empty(), "links that lead nowhere: {lost:?}");
}

/// Every `(definition, option)` of the schema.
fn all_options(schema: &Value) -> Vec<(&String, &String, &Value)> {
    let definitions = schema["$defs"].as_object().expect("definitions");
    let options = definitions.iter().filter_map(|(name, definition)| Some((name, definition["properties"].as_object()?)));
    options.flat_map(|(name, options)| options.iter().map(move |(key, option)| (name, key, option))).collect()
}

#[test]
fn every_option_stands_in_the_reference_once_for_each_definition_that_has_it() {
    let (schema, text) = (schema(), options::markdown());
    let all = all_options(&schema);
    let keys: BTreeSet<&String> = all.iter().map(|(_, key, _)| *key).collect();
    assert!(all.len() > 250 && keys.len() > 120, "{} options, {} names", all.len(), keys.len());
    for key in keys {
        let definitions = all.iter().filter(|(_, other, _)| *other == key).count();
        let root = usize::from(schema["properties"].get(key).is_some());
        let rows = text.lines().filter(|line| line.starts_with(&format!("| `{key}` |"))).count();
        assert_eq!(rows, definitions + root, "rows of `{key}`");
    }
}

#[test]
fn every_word_of_a_choice_stands_in_the_reference_with_its_text() {
    let (schema, text) = (schema(), options::markdown());
    for (name, definition) in schema["$defs"].as_object().expect("definitions") {
        for choice in definition["oneOf"].as_array().into_iter().flatten() {
            let Some(word) = choice["const"].as_str() else { continue };
            let said = choice["description"].as_str().unwrap_or_default();
            assert!(!said.is_empty(), "{name}: `{word}` has no text");
            let line = format!("- `{word}`: {said}");
            assert!(text.contains(&line) || word.eq_ignore_ascii_case(said) && text.contains(&format!("- `{word}`\n")), "{name}: {line}");
        }
    }
}

#[test]
fn a_kind_that_is_new_has_its_place_without_further_ado() {
    let mut schema = schema();
    let variants = schema["$defs"]["Sink"]["oneOf"].as_array_mut().expect("sinks");
    variants
        .push(json!({ "$ref": "#/$defs/PigeonSink", "description": "Sends pigeons.", "properties": { "type": { "const": "pigeon" } } }));
    schema["$defs"]["PigeonSink"] = json!({
        "description": "Sends pigeons, a record each.",
        "properties": {
            "loft": { "type": "string", "description": "Where from." },
            "grain": { "$ref": "#/$defs/PigeonGrain", "description": "What they get. Default: `corn`." },
            "rest": { "type": "string", "description": "How long they | rest. Default: 1 h; 1 m to 1 d." },
            "batch": { "$ref": "#/$defs/SinkBatch", "description": "How many fly together." },
        },
        "required": ["loft"],
    });
    schema["$defs"]["PigeonGrain"] =
        json!({ "oneOf": [{ "const": "corn", "description": "Yellow." }, { "const": "oats", "description": "Not." }] });
    let text = options::of(&schema);
    for part in [
        "| [`pigeon`](#sink-pigeon) | Sends pigeons. |",
        "### Sink `pigeon`\n\nSends pigeons, a record each.\n",
        "| `loft` | text | **required** |  | Where from. |",
        "| `grain` | [`corn` or `oats`](#pigeon-grain) | `corn` |  | What they get. |",
        "| `rest` | duration | 1 h | 1 m to 1 d | How long they \\| rest. |",
        "| `batch` | [Sink batch](#sink-batch) |  |  | How many fly together. |",
        "#### Pigeon grain\n\n- `corn`: Yellow.\n- `oats`: Not.\n",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let (anchors, links) = anchors_and_links(&text);
    assert!(links.iter().all(|link| anchors.contains(*link)));
}
