//! What a sound configuration becomes.

use std::io;
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use tamis_config::{
    Admin, Bytes, Codec, Config, Environment, Grant, Lanes, OnDamagedCheckpoint, OnFailure, PluginLimits, Rate, Settings, Sink, Source,
    Start, StepKind,
};

struct Variables(&'static [(&'static str, &'static str)]);

impl Environment for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn sound(text: &str) -> Config {
    let (config, diagnostics) =
        Config::parse("t.yaml", text, Path::new("etc"), &Variables(&[("LANES", "2"), ("DIR", "/srv"), ("N", "017")]));
    assert_eq!(diagnostics.render(false), "");
    config.expect("no errors, so a configuration")
}

#[test]
fn the_example_of_the_surface_becomes_what_it_says() {
    let config = sound(include_str!("cases/sound_surface.yaml"));
    let Source::File(gateway) = &config.sources["gateway"].value else { panic!("a file source") };
    assert_eq!(gateway.paths, ["/var/log/wso2/*.log"]);
    assert_eq!((&gateway.codec, gateway.max_record, gateway.fields.is_none()), (&Codec::Json, Bytes::mebi(1), true));
    assert_eq!((config.sources["gateway"].place.line, config.sources["gateway"].place.column), (5, 3));

    let tenant = &config.plugins["tenant"].value;
    assert_eq!(tenant.component_path, Path::new("etc/plugins/tenant.wasm"));
    assert_eq!(tenant.grant.read[0].value.to_string(), "ApiOwner");
    assert_eq!(tenant.grant.write[0].place.column, 15);
    assert!(tenant.grant.drop && tenant.grant.outputs.is_none());
    assert_eq!(tenant.limits, PluginLimits { memory: Bytes::mebi(16), ..PluginLimits::default() });
    assert_eq!(tenant.on_failure, OnFailure::DeadLetter);
    assert_eq!(tenant.config, json!({ "owners": { "cio": "corporate", "s7_": "mail" } }));

    let main = &config.pipelines["main"].value;
    assert_eq!(main.from[0].value, "gateway");
    let kinds: Vec<&str> = main.steps.iter().map(|step| step.kind.key()).collect();
    assert_eq!(kinds, ["plugin", "vrl", "filter", "route"]);
    let StepKind::Route(routes) = &main.steps[3].kind else { panic!("a route") };
    assert_eq!((routes[0].0.value.as_str(), routes[0].1.value.as_str()), ("errors", ".HTTP_ReturnCode >= 500"));
    let sinks: Vec<&str> = main.to["errors"].iter().map(|sink| sink.value.as_str()).collect();
    assert_eq!(sinks, ["archive", "alerts"]);
    assert_eq!(main.dead_letters[0].value, "failed");

    let Sink::File(archive) = &config.sinks["archive"].value else { panic!("a file sink") };
    assert_eq!(archive.path, "out/archive.ndjson");
    assert_eq!(config.settings, Settings::default());
}

#[test]
fn a_file_source_says_how_it_is_followed() {
    let text = "version: 1\nsources: { a: { type: file, paths: [x] }, b: { type: file, paths: [x], start: end, multiline: { continues: '^\\s' }, on_damaged_checkpoint: stop } }\n";
    let config = sound(text);
    let Source::File(a) = &config.sources["a"].value else { panic!("a file source") };
    assert_eq!((a.start, a.multiline.as_ref(), a.on_damaged_checkpoint), (Start::Beginning, None, OnDamagedCheckpoint::Beginning));
    assert_eq!((a.rotate_wait, a.poll, a.open_files), (Duration::from_secs(5), Duration::from_millis(250), 256));
    let Source::File(b) = &config.sources["b"].value else { panic!("a file source") };
    assert_eq!((b.start, b.on_damaged_checkpoint), (Start::End, OnDamagedCheckpoint::Stop));
    let joined = b.multiline.as_ref().expect("lines are joined");
    assert_eq!((joined.continues.as_deref(), joined.wait, joined.max_lines), (Some("^\\s"), Duration::from_secs(1), 1_000));
    assert_eq!(config.settings.checkpoint_interval, Duration::from_secs(1));
}

#[test]
fn defaults_hold_where_nothing_is_written() {
    let config =
        sound("version: 1\nplugins: { p: { component: p.wasm, grant: , limits: , config: } }\nsources: { d: { type: demo } }\nsinks:\n");
    let plugin = &config.plugins["p"].value;
    assert_eq!((&plugin.grant, &plugin.limits, &plugin.config), (&Grant::default(), &PluginLimits::default(), &json!({})));
    let Source::Demo(demo) = &config.sources["d"].value else { panic!("a demo source") };
    assert_eq!((demo.rate, demo.count, demo.seed), (Rate::PerSecond(10), None, 1));
    assert_eq!(config.settings.admin.value, Admin::Address("127.0.0.1:9480".into()));
}

#[test]
fn to_takes_a_name_a_list_or_a_map() {
    for (text, expected) in [
        ("to: a", vec![("default", vec!["a"])]),
        ("to: [a, b]", vec![("default", vec!["a", "b"])]),
        ("to: { default: a, errors: [] }", vec![("default", vec!["a"]), ("errors", vec![])]),
        ("to:", vec![]),
        ("steps: []", vec![]),
    ] {
        let config = sound(&format!("version: 1\npipelines: {{ p: {{ from: s, {text} }} }}\n"));
        let to: Vec<(&str, Vec<&str>)> = config.pipelines["p"]
            .to
            .iter()
            .map(|(output, sinks)| (output.as_str(), sinks.iter().map(|sink| sink.value.as_str()).collect()))
            .collect();
        assert_eq!(to, expected, "{text}");
    }
}

#[test]
fn routes_keep_the_order_of_the_file() {
    let config = sound("version: 1\npipelines: { p: { from: s, steps: [ { route: { z: a, b: c, a: d }, name: split } ] } }\n");
    let step = &config.pipelines["p"].steps[0];
    let StepKind::Route(routes) = &step.kind else { panic!("a route") };
    assert_eq!(routes.iter().map(|(output, _)| output.value.as_str()).collect::<Vec<_>>(), ["z", "b", "a"]);
    assert_eq!(step.name.as_ref().map(|name| name.value.as_str()), Some("split"));
}

#[test]
fn variables_are_filled_in_as_what_they_are() {
    // Within braces YAML wants quotes around `${…}`, and what wants a number takes it.
    let quoted =
        "version: 1\nsettings: { lanes: '${LANES}', json_depth: '${N}' }\nsources: { d: { type: demo, rate: '${N}', count: '${N}' } }\n";
    let config = sound(quoted);
    assert_eq!((config.settings.lanes, config.settings.json_depth), (Lanes::Count(2), 17));
    let Source::Demo(demo) = &config.sources["d"].value else { panic!("a demo source") };
    assert_eq!((demo.rate, demo.count), (Rate::PerSecond(17), Some(17)));

    let config = sound("version: 1\nsettings:\n  lanes: ${LANES}\n  data_dir: ${DIR}/x\n");
    assert_eq!(config.settings.lanes, Lanes::Count(2));
    assert_eq!(config.settings.data_dir, "/srv/x");
    assert_eq!(config.settings.data_dir.shown(), "${DIR}/x");
    assert_eq!(format!("{:?}", config.settings.data_dir), "\"${DIR}/x\"");

    let config = sound(
        r#"
version: 1
plugins:
  p:
    component: ${N}.wasm
    config:
      a: ${N}
      b: "${N}"
      c: x${N}
      d: $${N}
      e: a$b$
      f: "${X:-}"
      g: ${X:-1}
      h: ${X:-}
      ${N}: 1
"#,
    );
    let expected = json!({ "a": 17, "b": "017", "c": "x017", "d": "${N}", "e": "a$b$", "f": "", "g": 1, "h": null, "${N}": 1 });
    assert_eq!(config.plugins["p"].config, expected);
}

#[test]
fn a_number_from_the_environment_is_text_where_text_is_wanted() {
    let config = sound("version: 1\nsinks:\n  s:\n    type: file\n    path: ${N}\n");
    let Sink::File(sink) = &config.sinks["s"].value else { panic!("a file sink") };
    assert_eq!(sink.path, "017");
}

#[test]
fn vrl_and_grants_are_taken_literally() {
    let config = sound(
        "version: 1\npipelines: { p: { from: s, steps: [ vrl: '.a = \"${LANES}$$\"' ] } }\nplugins: { p: { component: p, grant: { read: ['\"${LANES}\"'] } } }\n",
    );
    let StepKind::Vrl(program) = &config.pipelines["p"].steps[0].kind else { panic!("a program") };
    assert_eq!(program.value, ".a = \"${LANES}$$\"");
    assert!(config.plugins["p"].grant.read[0].value.to_string().contains("${LANES}"));
}

#[test]
fn sizes_and_times_have_units() {
    let config = sound(
        "version: 1\nsettings: { shutdown_timeout: 1m, batch: { records: 65536, bytes: 65536 }, admin: 'unix:/run/t.sock' }\nplugins: { p: { component: p, limits: { memory: 1.5 MiB, deadline: 2s 500ms } } }\n",
    );
    assert_eq!(config.settings.shutdown_timeout, Duration::from_secs(60));
    assert_eq!(config.settings.batch.bytes, Bytes::kibi(64));
    assert_eq!(config.settings.admin.value, Admin::Unix("/run/t.sock".into()));
    let limits = &config.plugins["p"].limits;
    assert_eq!((limits.memory, limits.deadline), (Bytes::kibi(1_536), Duration::from_millis(2_500)));
}

#[test]
fn aliases_repeat_values() {
    let config = sound("version: 1\nsources: { a: &a { type: file, paths: [x] }, b: *a }\n");
    assert_eq!(config.sources["a"].value, config.sources["b"].value);
}

#[test]
fn moving_a_line_changes_nothing() {
    let text = "version: 1\nsources: { a: { type: file, paths: [x], fields: [y] } }\n";
    assert_eq!(sound(text).sources, sound(&format!("# moved\n\n{text}")).sources);
}
