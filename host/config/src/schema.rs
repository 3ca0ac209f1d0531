//! The JSON Schema of the configuration, for editors: made of the model's types, with their documentation as descriptions.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::generate::SchemaSettings;
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use serde_json::Value;

use crate::model::network::Concurrency;
use crate::model::{Admin, Bytes, Codec, Lanes, Pipeline, PipelineTest, Plugin, PluginsPolicy, Rate, Settings, Sink, Source, Step};
use crate::options::{Stated, size};
use crate::reader::expectations::TestKeys;
use crate::reader::parts::written;
use crate::reader::steps::StepKeys;

/// What a name looks like.
pub(crate) const NAME: &str = "^[A-Za-z_][A-Za-z0-9_-]{0,63}$";
/// What may stand for a number or a word that the environment gives.
const INTERPOLATED: &str = r"^\$\{.+\}$";

/// Says within this module that a definition is closed where it is used.
const VARIANT_BODY: &str = "x-variant-body";

/// A configuration of Tamis, version 1.
#[derive(JsonSchema)]
#[schemars(title = "Tamis configuration")]
#[expect(dead_code, reason = "only its schema is used")]
struct Surface {
    /// The version of this format: 1.
    #[schemars(range(min = 1, max = 1))]
    version: u64,
    /// Where records come from, by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": NAME }))]
    sources: BTreeMap<String, Source>,
    /// What runs in the sandbox, by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": NAME }))]
    plugins: BTreeMap<String, Plugin>,
    /// Which plugins the host may load.
    #[serde(default, skip_serializing_if = "PluginsPolicy::is_empty")]
    plugins_policy: PluginsPolicy,
    /// The ways from sources through steps to sinks, by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": NAME }))]
    pipelines: BTreeMap<String, Pipeline>,
    /// Where records go, by name.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": NAME }))]
    sinks: BTreeMap<String, Sink>,
    /// Tests of the pipelines, for `tamis test`.
    #[serde(default)]
    tests: Vec<PipelineTest>,
    /// What holds for the host as a whole.
    #[serde(default)]
    settings: Settings,
}

/// The schema (draft 2020-12).
pub fn schema() -> serde_json::Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = false);
    let mut schema = settings.into_generator().into_root_schema_for::<Surface>();
    mark_variant_bodies(&mut schema);
    RecursiveTransform(close).transform(&mut schema);
    RecursiveTransform(reword).transform(&mut schema);
    RecursiveTransform(state).transform(&mut schema);
    RecursiveTransform(allow_null).transform(&mut schema);
    RecursiveTransform(allow_interpolation).transform(&mut schema);
    schema.to_value()
}

/// The schema as `tamis schema` prints it: indented, with a line feed at the end.
pub fn schema_text() -> String {
    format!("{:#}\n", schema())
}

/// Unknown keys are errors. `unevaluatedProperties` sees through the reference of a variant with `type`, which must then not
/// be closed itself, as it knows nothing of `type`.
fn close(schema: &mut Schema) {
    let is_variant_body = schema.get("$ref").is_none() && schema.remove(VARIANT_BODY).is_some();
    if !is_variant_body && schema.get("properties").is_some() && schema.get("additionalProperties").is_none() {
        schema.insert("unevaluatedProperties".to_owned(), false.into());
    }
}

/// Marks the definitions that a variant with `type` refers to.
fn mark_variant_bodies(schema: &mut Schema) {
    const PREFIX: &str = "#/$defs/";
    let mut names = Vec::new();
    let definitions = schema.get("$defs").and_then(Value::as_object).into_iter().flat_map(|all| all.values());
    let variants = definitions.filter_map(|definition| definition.get("oneOf")?.as_array()).flatten();
    for variant in variants.filter(|variant| variant.get("properties").is_some()) {
        names.extend(variant.get("$ref").and_then(Value::as_str).and_then(|name| name.strip_prefix(PREFIX)).map(str::to_owned));
    }
    let Some(definitions) = schema.get_mut("$defs").and_then(Value::as_object_mut) else { return };
    for name in names {
        if let Some(definition) = definitions.get_mut(&name).and_then(Value::as_object_mut) {
            definition.insert(VARIANT_BODY.to_owned(), true.into());
        }
    }
}

/// Descriptions in one line, and durations as they are written.
fn reword(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if let Some(default) = schema.get_mut("default")
        && let (Some(seconds), Some(nanos)) = (default.get("secs").and_then(Value::as_u64), default.get("nanos").and_then(Value::as_u64))
    {
        let time = Duration::from_secs(seconds) + Duration::from_nanos(nanos);
        *default = written(time).into();
    }
}

/// What descriptions state of defaults and sizes, for those who read the schema and not its texts. `tests/stated.rs` proves it.
fn state(schema: &mut Schema) {
    let Some(text) = schema.get("description").and_then(Value::as_str).map(str::to_owned) else { return };
    let stated = Stated::of(&text);
    if let Some(value) = stated.value() {
        schema.insert("default".to_owned(), value);
    }
    // Limits of numbers do not hold for texts: they are those of sizes that are written as a number.
    if let Some((Some(min), Some(max))) = stated.bounds().map(|(min, max)| (size(min), size(max))) {
        schema.insert("minimum".to_owned(), min.into());
        schema.insert("maximum".to_owned(), max.into());
    }
}

/// `type: null` without quotes is YAML's null, and read as the word.
fn allow_null(schema: &mut Schema) {
    if schema.get("const").is_some_and(|word| word == "null") {
        schema.remove("const");
        schema.remove("type");
        schema.insert("enum".to_owned(), serde_json::json!(["null", null]));
    }
}

/// A number may stand in the environment: `lanes: ${LANES}`.
fn allow_interpolation(schema: &mut Schema) {
    let is_number = schema.get("type").is_some_and(|kind| kind == "integer" || kind == "boolean");
    if let (true, Some(kind)) = (is_number, schema.get("type").cloned()) {
        schema.insert("type".to_owned(), serde_json::json!([kind, "string"]));
        schema.insert("pattern".to_owned(), INTERPOLATED.into());
    }
}

/// One name or a list of names.
pub(crate) fn one_or_many_names(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "string", "pattern": NAME }, { "type": "array", "items": { "type": "string", "pattern": NAME } }] })
}

/// One reference to a source or a pipeline's output, or a list of them.
pub(crate) fn references(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "type": "string" }, { "type": "array", "items": { "type": "string" }, "minItems": 1 }] })
}

/// Sinks, by output or for the default one.
pub(crate) fn outputs(generator: &mut SchemaGenerator) -> Schema {
    let names = one_or_many_names(generator);
    json_schema!({ "anyOf": [names.clone(), { "type": "object", "propertyNames": { "pattern": NAME }, "additionalProperties": names }] })
}

/// Codecs that need no options: a word is enough.
const CODEC_WORDS: [&str; 11] = [
    "json",
    "text",
    "wso2_metrics",
    "wso2_mediator",
    "wso2_carbon",
    "wso2_correlation",
    "wso2_audit",
    "wso2_api",
    "access",
    "syslog",
    "logfmt",
    // Not `csv`, `regex`, `grok` and `auto`, whose options have no defaults.
];

/// A codec's name, or a map with its `type` and options.
pub(crate) fn codec(generator: &mut SchemaGenerator) -> Schema {
    let options = generator.subschema_for::<Codec>();
    json_schema!({ "default": "json", "anyOf": [{ "enum": CODEC_WORDS }, options] })
}

/// Codecs, at least one.
pub(crate) fn codec_list(generator: &mut SchemaGenerator) -> Schema {
    let one = codec(generator);
    json_schema!({ "type": "array", "items": one, "minItems": 1, "maxItems": 16 })
}

macro_rules! schema_of {
    ($type:ty, $name:literal, $schema:tt) => {
        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

schema_of!(Bytes, "Bytes", {
    "description": "A size: a number of bytes, or one with a unit (`64KiB`, `1MiB`, `1MB`).",
    "anyOf": [{ "type": "integer", "minimum": 0 }, { "type": "string" }]
});

schema_of!(Rate, "Rate", {
    "description": "Records a second, or `unlimited`.",
    "anyOf": [{ "const": "unlimited" }, { "type": "integer", "minimum": 1 }]
});

schema_of!(Lanes, "Lanes", {
    "description": "`auto` (one a core) or a number.",
    "anyOf": [{ "const": "auto" }, { "type": "integer", "minimum": 1, "maximum": 64 }]
});

schema_of!(Concurrency, "Concurrency", {
    "description": "Requests at the same time: a number, or `adaptive`.",
    "anyOf": [{ "const": "adaptive" }, { "type": "integer", "minimum": 1, "maximum": 64 }]
});

schema_of!(Admin, "Admin", {
    "description": "`host:port`, `unix:/path` or `off`.",
    "type": "string"
});

impl JsonSchema for Step {
    fn schema_name() -> Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = StepKeys::json_schema(generator);
        let one = ["plugin", "vrl", "filter", "route"].map(|key| serde_json::json!({ "required": [key] }));
        schema.insert("oneOf".to_owned(), serde_json::Value::Array(one.to_vec()));
        schema
    }
}

impl JsonSchema for PipelineTest {
    fn schema_name() -> Cow<'static, str> {
        "PipelineTest".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = TestKeys::json_schema(generator);
        let one = |keys: &[&str]| -> Value { keys.iter().map(|key| serde_json::json!({ "required": [key] })).collect() };
        let all = [["input", "text", "input_file"].as_slice(), &["expect", "expect_file"]];
        schema.insert("allOf".to_owned(), all.map(|keys| serde_json::json!({ "oneOf": one(keys) })).to_vec().into());
        schema
    }
}
