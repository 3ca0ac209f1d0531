//! Which file sinks feed which file sources, and other rules with many small variants.

use std::path::Path;

use tamis_config::Config;

use crate::declared::{Declared, Nothing, planned};

#[test]
fn a_sink_that_feeds_a_source_is_found_whatever_the_spelling() {
    for (paths, exclude, sink, round) in [
        ("in.log", "", "in.log", true),
        ("./in.log", "", "in.log", true),
        ("in.log", "", "./in.log", true),
        ("a/../in.log", "", ".//in.log", true),
        ("'*.log'", "", "out.log", true),
        ("'./*.log'", "", "out.log", true),
        ("'out?.log'", "", "out1.log", true),
        ("'out[12].log'", "", "out2.log", true),
        ("'/var/**/*.log'", "", "/var/a/b/out.log", true),
        ("'/var/**/*.log'", "", "/var/out.log", true),
        // A star stays in its folder, as it does when the source looks for files.
        ("'*.log'", "", "out/x.log", false),
        ("'logs/*'", "", "logs/a/b.log", false),
        ("in.log", "", "out.log", false),
        ("'out[12].log'", "", "out3.log", false),
        ("/in.log", "", "in.log", false),
        ("'*.log'", "out.log", "out.log", false),
        ("'*.log'", "./out.log", "out.log", false),
        ("'*.log'", "'out*'", "./out.log", false),
        ("'*.log'", "other.log", "out.log", true),
        ("'**/*.log'", "'out/**/*'", "out/x.log", false),
        // A `**` at the end leaves out all below a folder, and as a path to read it finds folders only.
        ("'**/*.log'", "'out/**'", "out/x.log", false),
        ("'out/**'", "", "out/x.log", false),
        // The sink's path is a name, no pattern.
        ("in.log", "", "'*.log'", false),
    ] {
        let text = format!(
            "version: 1\nsources: {{ in: {{ type: file, paths: [{paths}], exclude: [{exclude}] }} }}\npipelines: {{ main: {{ from: [in], to: [out] }} }}\nsinks: {{ out: {{ type: file, path: {sink} }} }}\n"
        );
        let (plan, findings) = planned("files.yaml", &text);
        let found: Vec<&str> = findings.iter().map(|f| f.code).collect();
        assert_eq!(found, if round { vec!["E202"] } else { vec![] }, "{paths} without [{exclude}], {sink}: {}", findings.render(false));
        assert_eq!(plan.is_none(), round);
    }
}

#[test]
fn one_file_under_two_spellings_has_one_sink() {
    for (a, b, same) in [
        ("o", "o", true),
        ("o", "./o", true),
        ("d//o", "d/./o", true),
        ("d/e/../o", "d/o", true),
        ("o", "O", false),
        ("o", "/o", false),
        ("../o", "o", false),
    ] {
        let text = format!(
            "version: 1\nsources: {{ in: {{ type: stdin }} }}\npipelines: {{ main: {{ from: [in], to: [a, b] }} }}\nsinks: {{ a: {{ type: file, path: {a} }}, b: {{ type: file, path: {b} }} }}\n"
        );
        let found: Vec<&str> = planned("files.yaml", &text).1.iter().map(|f| f.code).collect();
        assert_eq!(found, if same { vec!["E204"] } else { vec![] }, "{a} and {b}");
    }
}

#[test]
fn kinds_meet_where_a_value_of_one_can_be_there_for_the_other() {
    for (written, read, meet) in [
        ("text", "text", true),
        ("text", "json", true),
        ("json", "text", true),
        ("integer", "float", true),
        ("float", "integer", false),
        ("text", "integer", false),
        ("boolean", "text", false),
        ("integer", "boolean", false),
    ] {
        let text = format!(
            "version: 1\nsources: {{ in: {{ type: stdin }} }}\npipelines:\n  main:\n    from: [in]\n    steps: [ {{ vrl: write a {written} }}, {{ vrl: read a {read} }} ]\n    to: [out]\nsinks: {{ out: {{ type: stdout }} }}\n"
        );
        let found: Vec<&str> = planned("kinds.yaml", &text).1.iter().map(|f| f.code).collect();
        assert_eq!(found, if meet { vec![] } else { vec!["E214"] }, "{written} to {read}");
    }
}

#[test]
fn a_plugin_that_no_pipeline_uses_is_not_loaded() {
    let text = "version: 1\nsources: { in: { type: stdin } }\nplugins:\n  used: { component: used.wasm }\n  idle: { component: missing.wasm }\npipelines: { main: { from: [in], steps: [ { plugin: used }, { plugin: used } ], to: [out] } }\nsinks: { out: { type: stdout } }\n";
    let (config, mut findings) = Config::parse("used.yaml", text, Path::new(""), &Nothing);
    let mut toolbox = Declared::default();
    let plan = tamis_plan::plan(&config.expect("a configuration"), &mut toolbox, &mut findings);
    assert_eq!(toolbox.loaded, ["used"]);
    assert!(plan.is_some_and(|plan| plan.plugins.len() == 1));
    assert_eq!(findings.summary(), "1 warning");
}

#[test]
fn keys_of_a_store_have_one_sink() {
    for (a, b, same) in [
        ("type: parquet, path: lake", "type: parquet, path: ./lake/", true),
        ("type: parquet, path: lake", "type: parquet, path: 'lake/%{t}'", false),
        ("type: s3, bucket: logs, key: k", "type: s3, bucket: logs, key: k, format: parquet", true),
        ("type: s3, bucket: logs, key: k", "type: s3, bucket: calls, key: k", false),
        ("type: s3, bucket: logs", "type: s3, bucket: logs, endpoint: 'http://s3:9000'", false),
    ] {
        let text = format!(
            "version: 1\nsources: {{ in: {{ type: stdin }} }}\npipelines: {{ main: {{ from: [in], to: [a, b] }} }}\nsinks: {{ a: {{ {a} }}, b: {{ {b} }} }}\n"
        );
        let findings = planned("files.yaml", &text).1;
        let found: Vec<&str> = findings.iter().map(|f| f.code).collect();
        assert_eq!(found, if same { vec!["E204"] } else { vec![] }, "{a} and {b}: {}", findings.render(false));
    }
}

#[test]
fn clients_that_wait_for_less_than_a_batch() {
    for (source, sink, warned) in [
        ("type: http, listen: 'localhost:1'", "type: parquet, path: lake", true),
        ("type: http, listen: 'localhost:1'", "type: parquet, path: lake, batch: { age: 10s }", false),
        ("type: http, listen: 'localhost:1'", "type: parquet, path: lake, buffer: { disk: 16MiB }", false),
        ("type: beats, listen: 'localhost:1', limits: { ack_timeout: 2m }", "type: parquet, path: lake", false),
        ("type: otlp", "type: http, url: 'http://h/', batch: { age: 30s }", true),
        ("type: stdin", "type: parquet, path: lake", false),
    ] {
        let text = format!(
            "version: 1\nsources: {{ in: {{ {source} }} }}\npipelines:\n  first: {{ from: [in] }}\n  second: {{ from: [first], to: [out] }}\nsinks: {{ out: {{ {sink} }} }}\n"
        );
        let findings = planned("answers.yaml", &text).1;
        let found = findings.iter().any(|f| f.code == "W208");
        assert_eq!(found, warned, "{source} to {sink}: {}", findings.render(false));
    }
}
