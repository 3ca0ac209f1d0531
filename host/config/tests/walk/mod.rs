//! Walks through the schema and makes, for each option, the smallest configuration that holds it.

use std::fmt;
use std::io;
use std::path::Path;

use serde_json::{Map, Value, json};
use tamis_config::schema::schema;
use tamis_config::{Config, Environment};

/// Sound values of options that must be there, where any text would not do. A new option may need a line here.
const REQUIRED: &[(&str, &str)] = &[
    ("listen", "127.0.0.1:5000"),
    ("path", "out/x"),
    ("url", "http://host/"),
    ("endpoint", "http://host/"),
    ("sha256", "0000000000000000000000000000000000000000000000000000000000000000"),
    ("role", "view"),
    ("secret", "long-enough"),
    ("shared_key", "long-enough"),
    ("component", "x.wasm"),
    ("CsvCodec.columns", "a"),
    ("RegexCodec.pattern", "(?<a>.*)"),
    ("GrokCodec.pattern", "%{IP:a}"),
    ("urls", "http://host/"),
    ("continues", "^x"),
    ("codecs", "json"),
    ("from", "in"),
    ("bucket", "logs"),
    ("PrometheusMetric.name", "x_total"),
];

/// What must be there beside an option, though each alone may be missing: `(definition, option, what goes with it)`; `*` stands for
/// any option.
fn beside(definition: &str, key: &str) -> Value {
    match (definition, key) {
        ("Multiline", "start") => json!({}),
        // Exactly one of the two.
        ("Multiline", "continues") => json!({ "start": null }),
        ("Multiline", _) => json!({ "start": "^x" }),
        ("ClientTls", "certificate") => json!({ "key": "x" }),
        ("ClientTls", "key") => json!({ "certificate": "x" }),
        ("ClientAuth" | "NatsAuth", "user") => json!({ "password": "x" }),
        ("ClientAuth" | "NatsAuth", "password") => json!({ "user": "x" }),
        ("S3Sink", "access_key" | "secret_key" | "session_token") => json!({ "access_key": "x", "secret_key": "x" }),
        ("S3Sink", "row_group") => json!({ "format": "parquet" }),
        ("S3Sink", "rest") => json!({ "format": "parquet", "schema": { "x": "int" } }),
        ("ParquetSink", "rest") => json!({ "schema": { "x": "int" } }),
        ("PrometheusMetric", "buckets") => json!({ "type": "histogram", "name": "x", "value": "x" }),
        ("Rotation", "keep") => json!({ "size": "1MiB" }),
        _ => json!({}),
    }
}

/// An option in its place.
pub(crate) struct Spot {
    pub(crate) definition: String,
    pub(crate) key: String,
    pub(crate) option: Value,
    pub(crate) required: bool,
    /// Whether it holds an object, whose own options state theirs.
    pub(crate) has_options: bool,
    /// The smallest configuration with the option's definition in it.
    config: Value,
    /// Where in it the definition is, as a JSON pointer.
    at: String,
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} ({}/{})", self.definition, self.key, self.at, self.key)
    }
}

impl Spot {
    pub(crate) fn description(&self) -> &str {
        self.option["description"].as_str().unwrap_or_default()
    }

    pub(crate) fn is(&self, definition: &str, key: &str) -> bool {
        self.definition == definition && self.key == key
    }
}

struct Nothing;

impl Environment for Nothing {
    fn var(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn read(config: &Value) -> Result<Config, String> {
    // JSON is YAML.
    let (config, diagnostics) = Config::parse("t.yaml", &config.to_string(), Path::new("etc"), &Nothing);
    config.ok_or_else(|| diagnostics.render(false))
}

/// Whether the spot's configuration is read as it is.
pub(crate) fn is_read(spot: &Spot) -> Result<Config, String> {
    read(&spot.config)
}

/// The configuration with this value of the option, or without the option; with what goes with it in either case.
pub(crate) fn with(spot: &Spot, value: Option<Value>) -> Result<Config, String> {
    let mut config = spot.config.clone();
    let object = config.pointer_mut(&spot.at).and_then(Value::as_object_mut).ok_or("the definition is no object")?;
    let beside = beside(&spot.definition, &spot.key);
    // Half of a pair is refused: without the one, the other is missing too.
    let is_half = value.as_ref().is_none_or(Value::is_null)
        && ["certificate", "key", "user", "password", "access_key", "secret_key"].contains(&spot.key.as_str());
    if !is_half {
        object.extend(beside.as_object().cloned().unwrap_or_default());
    }
    match value {
        Some(value) => object.insert(spot.key.clone(), value),
        None => object.remove(&spot.key),
    };
    read(&config)
}

/// So many entries for an option that holds a list or a map.
pub(crate) fn entries(spot: &Spot, count: u64) -> Option<Value> {
    let schema = schema();
    let inner = |key: &str| spot.option.get(key).filter(|inner| inner.is_object());
    let numbered = |at: u64, inner: &Value| match example(&schema, inner, &spot.definition, &spot.key) {
        Value::String(text) if text.len() == 1 => json!(format!("name_{at}")),
        Value::Number(_) => json!(at),
        mut other => {
            if let Some(Value::String(name)) = other.get_mut("name") {
                *name = format!("x{at}_{name}");
            }
            other
        }
    };
    match (inner("items"), inner("additionalProperties")) {
        // Passwords are eight characters at least.
        (Some(items), _) => Some((100_000..100_000 + count).map(|at| numbered(at, items)).collect()),
        (_, Some(values)) => Some((100_000..100_000 + count).map(|at| (format!("name_{at}"), numbered(at, values))).collect()),
        _ => None,
    }
}

fn definition<'a>(schema: &'a Value, of: &'a Value) -> Option<(&'a str, &'a Value)> {
    let one = |of: &'a Value| of["$ref"].as_str()?.strip_prefix("#/$defs/");
    let name = one(of).or_else(|| of["anyOf"].as_array()?.iter().find_map(one))?;
    Some((name, &schema["$defs"][name]))
}

/// A sound value.
fn example(schema: &Value, of: &Value, holder: &str, key: &str) -> Value {
    let known = |name: &str| REQUIRED.iter().find(|(known, _)| *known == name).map(|(_, value)| json!(value));
    let text = || known(&format!("{holder}.{key}")).or_else(|| known(key)).unwrap_or_else(|| json!("x"));
    if let Some(first) = of["anyOf"].as_array().and_then(|choices| choices.iter().find_map(|choice| choice["enum"].get(0))) {
        return first.clone();
    }
    if let Some((name, definition)) = definition(schema, of) {
        return match definition {
            _ if definition["properties"].is_object() => smallest(schema, name),
            _ if definition["oneOf"].is_array() => {
                let first = &definition["oneOf"][0];
                first.get("const").cloned().unwrap_or_else(|| variant(schema, first))
            }
            _ => text(),
        };
    }
    match &of["type"] {
        Value::String(word) if word == "array" => json!([example(schema, &of["items"], holder, key)]),
        Value::String(word) if word == "object" => json!({ "a": example(schema, &of["additionalProperties"], holder, key) }),
        types if types == "number" => json!(0),
        types if types == "integer" || types[0] == "integer" => of["minimum"].clone(),
        _ => text(),
    }
}

/// The smallest object of a definition.
fn smallest(schema: &Value, name: &str) -> Value {
    let definition = &schema["$defs"][name];
    let required = definition["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let mut object: Map<String, Value> =
        required.map(|key| (key.to_owned(), example(schema, &definition["properties"][key], name, key))).collect();
    if name == "Multiline" {
        object.insert("start".to_owned(), json!("^x"));
    }
    Value::Object(object)
}

/// The smallest object of a variant that is told by `type`.
fn variant(schema: &Value, variant: &Value) -> Value {
    let mut object = definition(schema, variant).map_or_else(|| json!({}), |(name, _)| smallest(schema, name));
    let word = variant["properties"]["type"].get("const").or_else(|| variant["properties"]["type"]["enum"].get(0));
    object["type"] = word.cloned().unwrap_or_default();
    object
}

/// Every option of every kind, each where it stands. Definitions that several share are walked once for each that uses them.
pub(crate) fn every_option() -> Vec<Spot> {
    let schema = schema();
    let whole = |key: &str, value: Value| {
        let mut config = json!({ "version": 1 });
        config[key] = value;
        config
    };
    let mut spots = Vec::new();
    for (key, kind) in [("sources", "Source"), ("sinks", "Sink")] {
        for one in schema["$defs"][kind]["oneOf"].as_array().expect("variants") {
            let config = whole(key, json!({ "x": variant(&schema, one) }));
            if let Some((name, _)) = definition(&schema, one) {
                walk(&schema, name, &config, &format!("/{key}/x"), &mut spots);
            }
        }
    }
    for one in schema["$defs"]["Codec"]["oneOf"].as_array().expect("codecs") {
        let config = whole("sources", json!({ "x": { "type": "stdin", "codec": variant(&schema, one) } }));
        if let Some((name, _)) = definition(&schema, one) {
            walk(&schema, name, &config, "/sources/x/codec", &mut spots);
        }
    }
    walk(&schema, "Plugin", &whole("plugins", json!({ "x": smallest(&schema, "Plugin") })), "/plugins/x", &mut spots);
    walk(&schema, "Settings", &whole("settings", json!({})), "/settings", &mut spots);
    walk(&schema, "PluginsPolicy", &whole("plugins_policy", json!({})), "/plugins_policy", &mut spots);
    walk(&schema, "Pipeline", &whole("pipelines", json!({ "x": smallest(&schema, "Pipeline") })), "/pipelines/x", &mut spots);
    spots
}

/// The options of a definition that stands at a place of a configuration, and of those below it.
fn walk(schema: &Value, name: &str, config: &Value, at: &str, spots: &mut Vec<Spot>) {
    let required = schema["$defs"][name]["required"].as_array().cloned().unwrap_or_default();
    for (key, option) in schema["$defs"][name]["properties"].as_object().into_iter().flatten() {
        let is_required = required.contains(&json!(key));
        // A scrape has no body that could be signed.
        if key == "hmac" && config["sinks"]["x"]["type"] == "prometheus" {
            continue;
        }
        let one = definition(schema, option);
        let several = option.get("items").and_then(|items| definition(schema, items));
        let inner = one.or(several);
        let spot = |config: &Value| Spot {
            definition: name.to_owned(),
            key: key.clone(),
            option: option.clone(),
            required: is_required,
            has_options: inner.is_some_and(|(_, inner)| inner["properties"].is_object()),
            config: config.clone(),
            at: at.to_owned(),
        };
        spots.push(spot(config));
        // Codecs are walked by themselves, and a step holds one thing alone.
        let Some((below, inner)) = inner.filter(|(below, _)| !["Codec", "Step"].contains(below)) else { continue };
        if inner["properties"].is_object() {
            let mut config = config.clone();
            if let Some(object) = config.pointer_mut(at).and_then(Value::as_object_mut) {
                let value = smallest(schema, below);
                object.insert(key.clone(), if one.is_some() { value } else { json!([value]) });
            }
            let at = if one.is_some() { format!("{at}/{key}") } else { format!("{at}/{key}/0") };
            walk(schema, below, &config, &at, spots);
        }
    }
}
