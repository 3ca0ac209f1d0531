//! The reference of all options, in Markdown, made of the JSON Schema: whatever the model holds has its place there.

mod page;
mod stated;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

pub use stated::{Stated, duration, number, size};

/// The reference of all options as `tamis schema --output markdown` prints it.
pub fn markdown() -> String {
    of(&crate::schema::schema())
}

/// The reference that belongs to a schema.
pub fn of(schema: &Value) -> String {
    page::Page::new(&Definitions::of(schema)).text(schema)
}

/// Where the definitions of the schema begin.
const PREFIX: &str = "#/$defs/";

/// The schema's definitions, and who refers to them.
struct Definitions<'a> {
    all: BTreeMap<&'a str, &'a Value>,
    /// Who refers to a definition: by the keys that [`owners`] gives.
    users: BTreeMap<&'a str, BTreeSet<String>>,
    /// The `kind` and `type` of definitions that are the body of exactly one variant.
    bodies: BTreeMap<&'a str, (&'a str, &'a str)>,
}

/// A variant of a definition that is told by `type`.
struct Variant<'a> {
    word: &'a str,
    schema: &'a Value,
}

impl<'a> Variant<'a> {
    /// The definition that holds its options.
    fn body(&self) -> Option<&'a str> {
        target(self.schema)
    }
}

impl<'a> Definitions<'a> {
    fn of(schema: &'a Value) -> Self {
        let all: BTreeMap<&str, &Value> =
            schema.get("$defs").and_then(Value::as_object).into_iter().flatten().map(|(name, value)| (name.as_str(), value)).collect();
        let mut users: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        let mut variants_of = BTreeMap::<&str, Vec<(&str, &str)>>::new();
        for (name, definition) in &all {
            let variants = variants(definition);
            for variant in &variants {
                let owner = format!("{name} {}", variant.word);
                references(variant.schema, &mut |to| {
                    users.entry(to).or_default().insert(owner.clone());
                });
                if let Some(body) = variant.body() {
                    variants_of.entry(body).or_default().push((name, variant.word));
                }
            }
            if variants.is_empty() {
                references(definition, &mut |to| {
                    users.entry(to).or_default().insert((*name).to_owned());
                });
            }
        }
        let bodies = variants_of.into_iter().filter_map(|(body, of)| match of.as_slice() {
            [one] => Some((body, *one)),
            _ => None,
        });
        Self { all, users, bodies: bodies.collect() }
    }

    fn get(&self, name: &str) -> Option<&'a Value> {
        self.all.get(name).copied()
    }

    /// Whether a definition belongs to one place, where it is then told.
    fn is_exclusive(&self, name: &str) -> bool {
        self.users.get(name).is_some_and(|users| users.len() == 1)
    }

    /// Whether a definition has nothing to tell but what kind of value it is.
    fn is_plain(&self, name: &str) -> bool {
        self.get(name).is_some_and(|definition| {
            definition.get("properties").is_none() && definition.get("oneOf").is_none() && !is_choice_of_definitions(definition)
        })
    }
}

/// Whether a definition is one of several others.
fn is_choice_of_definitions(definition: &Value) -> bool {
    definition.get("anyOf").and_then(Value::as_array).is_some_and(|choices| choices.iter().all(|choice| target(choice).is_some()))
}

/// The definition that a schema refers to.
fn target(schema: &Value) -> Option<&str> {
    schema.get("$ref")?.as_str()?.strip_prefix(PREFIX)
}

/// The variants of a definition that is told by `type`.
fn variants(definition: &Value) -> Vec<Variant<'_>> {
    let all = definition.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|schema| Some(Variant { word: word(schema.pointer("/properties/type")?)?, schema })).collect()
}

/// The word that a schema stands for.
fn word(schema: &Value) -> Option<&str> {
    schema.get("const").or_else(|| schema.pointer("/enum/0"))?.as_str()
}

/// The words of a definition that is one of several, each with its text.
fn choices(definition: &Value) -> Vec<(&str, &str)> {
    let all = definition.get("oneOf").and_then(Value::as_array).into_iter().flatten();
    all.filter_map(|schema| Some((word(schema)?, schema.get("description").and_then(Value::as_str).unwrap_or_default()))).collect()
}

/// Calls `found` for every definition that a schema refers to.
fn references<'a>(schema: &'a Value, found: &mut impl FnMut(&'a str)) {
    match schema {
        Value::Object(map) => {
            if let Some(name) = target(schema) {
                found(name);
            }
            map.values().for_each(|value| references(value, found));
        }
        Value::Array(list) => list.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}
