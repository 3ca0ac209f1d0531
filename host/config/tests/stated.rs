//! What descriptions state is what the reader does: defaults written out change nothing, bounds are accepted and what lies beyond
//! them is refused. Every option is tried where it stands, through the schema.

mod walk;

use std::time::Duration;

use serde_json::{Value, json};
use tamis_config::options::{Stated, duration, number, size};
use walk::{every_option, is_read, with};

/// Stated defaults that are no value: what the reader has where nothing is written, as `Debug` shows it, proves them.
const WORDS: &[&str] = &[
    "none",
    "nothing",
    "never",
    "all",
    "any",
    "unknown",
    "for ever",
    "it is not kept",
    "a line is a record",
    "it does not end",
    "any client",
    "any size",
    "at whatever looks like a key",
    "requests are not signed",
    "what steps write, and what the records of an object hold",
    "what steps write, and what the records of a file hold",
    "those that the system trusts",
    "the time of writing",
    "the name",
    "counters count records",
    "0.005 to 10, for seconds",
];

/// Stated defaults that depend on something else; tests beside the code that decides prove them.
const ELSEWHERE: &[(&str, &str)] = &[
    // The codecs' own tests.
    ("CsvCodec", "text"),
    ("LogfmtCodec", "text"),
    ("MediatorCodec", "text"),
    ("RegexCodec", "text"),
    ("SyslogCodec", "year"),
    // What a client does without: its library's, its server's.
    ("ClientTls", "ca"),
    ("ElasticsearchSink", "pipeline"),
    ("NatsSource", "tls"),
    ("NatsSink", "tls"),
    ("OtlpSink", "resource_attributes"),
    ("OtlpSource", "grpc"),
    ("OtlpSource", "http"),
    // The plan's.
    ("Pipeline", "dead_letters"),
    ("PipelineTest", "pipeline"),
    ("PipelineTest", "source"),
    ("Step", "name"),
    ("S3Sink", "endpoint"),
    ("S3Sink", "path_style"),
    ("Step", "on_failure"),
    ("PluginsPolicy", "require_signature"),
    ("FluentSource", "security"),
    ("FluentSecurity", "users"),
];

fn is_sized(option: &Value) -> bool {
    option.to_string().contains("#/$defs/Bytes\"")
}

#[test]
fn a_stated_default_changes_nothing() {
    let (mut wrong, mut proven) = (Vec::new(), 0);
    for spot in every_option() {
        let Some(value) = Stated::of(spot.description()).value() else { continue };
        let at = format!("{spot}: default {value}");
        let without = with(&spot, None);
        for written in [Some(&value), spot.option.get("default").filter(|default| !default.is_null())].into_iter().flatten() {
            match with(&spot, Some(written.clone())) {
                Err(refused) => wrong.push(format!("{at}: {written} is refused: {refused}")),
                Ok(config) if without.as_ref().ok() != Some(&config) => wrong.push(format!("{at}: {written} is not what holds without it")),
                Ok(_) => proven += 1,
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(proven > 200, "{proven} defaults");
}

#[test]
fn a_default_that_is_no_value_is_nothing() {
    let mut wrong = Vec::new();
    for spot in every_option() {
        let stated = Stated::of(spot.description());
        let Some(words) = stated.default.filter(|_| stated.value().is_none()) else { continue };
        if ELSEWHERE.iter().any(|(definition, key)| spot.is(definition, key)) {
            continue;
        }
        if !WORDS.contains(&words) && !spot.has_options {
            wrong.push(format!("{spot}: `{words}` is neither a value nor known to this test"));
            continue;
        }
        let debug = match with(&spot, None) {
            Ok(config) => format!("{config:?}"),
            Err(refused) => {
                wrong.push(format!("{spot}: {refused}"));
                continue;
            }
        };
        let key = spot.key.as_str();
        let empty = ["None", "[]", "{}"].iter().any(|empty| debug.contains(&format!(" {key}: {empty}")));
        if !empty && !spot.has_options {
            wrong.push(format!("{spot}: `{words}`, but the configuration holds something: {debug}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_option_with_a_value_of_its_own_states_its_default() {
    // Exactly one of several, or nothing is compared without them: there is no default.
    let without = ["Multiline", "Step", "PipelineTest", "Expect", "ExpectedLetter", "RecordForm", "StepRecord"];
    let silent: Vec<String> = every_option()
        .iter()
        .filter(|spot| !spot.required && !without.contains(&spot.definition.as_str()))
        .filter(|spot| Stated::of(spot.description()).default.is_none() && !spot.has_options)
        .map(ToString::to_string)
        .collect();
    assert!(silent.is_empty(), "no `Default: …`: {silent:#?}");
}

#[test]
fn sizes_and_durations_and_numbers_state_their_limits_and_the_schema_has_them() {
    let mut wrong = Vec::new();
    for spot in every_option() {
        let stated = Stated::of(spot.description());
        let schema = |key: &str| spot.option.get(key).and_then(Value::as_u64);
        let bounds = stated.bounds().map(|(min, max)| (number(min).or(size(min)), number(max).or(size(max))));
        if is_sized(&spot.option) && stated.limits.is_none() {
            wrong.push(format!("{spot}: no limits"));
        }
        if stated.default.and_then(duration).is_some() && stated.limits.is_none() {
            wrong.push(format!("{spot}: no limits"));
        }
        if let (Some(_), Some(max)) = (schema("minimum"), schema("maximum"))
            && spot.option.to_string().contains("integer")
            && bounds != Some((schema("minimum"), Some(max)))
            && !spot.required
        {
            wrong.push(format!("{spot}: the schema says {:?} to {max}, its description {:?}", schema("minimum"), stated.limits));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A bound and what lies next to it, outside.
fn beside(bound: &str, outwards: bool) -> Option<(Value, Option<Value>)> {
    let step = |value: u64, by: u64| if outwards { value.checked_add(by) } else { value.checked_sub(by) };
    if let Some(number) = number(bound) {
        return Some((json!(number), Some(step(number, 1).map_or(json!(-1), Value::from))));
    }
    if let Some(bytes) = size(bound) {
        return Some((json!(bytes), step(bytes, 1).map(Value::from)));
    }
    let time = duration(bound)?;
    let outside = if outwards { time.checked_add(Duration::from_nanos(1)) } else { time.checked_sub(Duration::from_nanos(1)) };
    let written = |time: Duration| Value::from(humantime_of(time));
    Some((written(time), outside.map(written)))
}

fn humantime_of(time: Duration) -> String {
    format!("{}s {}ns", time.as_secs(), time.subsec_nanos())
}

#[test]
fn stated_bounds_are_accepted_and_what_lies_beyond_is_refused() {
    let (mut wrong, mut proven) = (Vec::new(), 0);
    for spot in every_option() {
        let Some((min, max)) = Stated::of(spot.description()).bounds() else { continue };
        for (bound, outwards) in [(min, false), (max, true)] {
            let Some((inside, outside)) = beside(bound, outwards) else {
                wrong.push(format!("{spot}: `{bound}` is no bound"));
                continue;
            };
            if let Err(refused) = with(&spot, Some(inside.clone())) {
                wrong.push(format!("{spot}: {inside} is refused: {refused}"));
            }
            if let Some(outside) = outside.filter(|outside| with(&spot, Some(outside.clone())).is_ok()) {
                wrong.push(format!("{spot}: {outside} is accepted"));
            }
            proven += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(proven > 200, "{proven} bounds");
}

#[test]
fn stated_numbers_of_entries_are_the_most_there_may_be() {
    let (mut wrong, mut proven) = (Vec::new(), 0);
    for spot in every_option() {
        let stated = Stated::of(spot.description()).limits.and_then(|limits| number(limits.strip_suffix(" at most")?));
        let schema = ["maxItems", "maxProperties"].iter().find_map(|key| spot.option.get(*key)?.as_u64());
        if stated.is_some() && schema.is_some() && stated != schema {
            wrong.push(format!("{spot}: {stated:?} is stated, the schema says {schema:?}"));
        }
        let Some(most) = stated.or(schema) else { continue };
        for (count, fits) in [(most, true), (most + 1, false)] {
            let Some(entries) = walk::entries(&spot, count) else { continue };
            match with(&spot, Some(entries)) {
                Err(refused) if fits => wrong.push(format!("{spot}: {count} are refused: {refused}")),
                Ok(_) if !fits => wrong.push(format!("{spot}: {count} are accepted")),
                _ => proven += 1,
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(proven > 10, "{proven} lists");
}

#[test]
fn what_the_schema_lets_be_null_may_be_null() {
    let refused: Vec<String> = every_option()
        .into_iter()
        .filter(|spot| {
            let types = spot.option["type"].as_array().is_some_and(|types| types.contains(&json!("null")));
            types || spot.option["anyOf"].as_array().is_some_and(|choices| choices.contains(&json!({ "type": "null" })))
        })
        // Exactly one of the two is given.
        .filter(|spot| !spot.is("Multiline", "start") && !spot.is("Multiline", "continues"))
        .filter_map(|spot| Some(format!("{spot}: {}", with(&spot, Some(Value::Null)).err()?)))
        .collect();
    assert!(refused.is_empty(), "read them with `parts::optional`:\n{}", refused.join("\n"));
}

#[test]
fn the_smallest_configuration_of_each_kind_is_read() {
    for spot in every_option() {
        is_read(&spot).unwrap_or_else(|refused| panic!("{spot}: {refused}"));
    }
}
