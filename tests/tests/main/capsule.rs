//! `tamis dead-letters capsule` and `tamis plugin replay`: a failure of a real run comes again from a file that holds nothing the
//! plugin was not granted.

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use tamis_tests::harness::{Live, Run, Site, plugin};

const LETTERS: &str = "data/dead_letters/main.ndjson";

fn config(first: &str, behaviour: &str, limits: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
plugins:
  h: {{ component: PLUGIN(hostile), grant: {{ read: [message], write: [.] }}, limits: {{ {limits} }}, config: '{behaviour}' }}
pipelines:
  main: {{ from: [in], steps: [ {{ name: first, vrl: '{first}' }}, {{ name: second, plugin: h }} ], to: {{ default: [out], errors: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}"
    )
}

const INPUT: &str =
    "{\"message\":\"m1\",\"card\":\"4111\"}\n{\"message\":\"poison\",\"card\":\"4111-private\"}\n{\"message\":\"m3\",\"card\":\"4111\"}\n";

/// A site where `behaviour` made the second record a dead letter.
fn failed(behaviour: &str, limits: &str) -> Site {
    let site = Site::with(&config(".other = 1", behaviour, limits), INPUT);
    site.delivered();
    assert_eq!(site.lines(LETTERS).len(), 1);
    site
}

fn run(site: &Site, arguments: &[&str]) -> Run {
    run_with(site, arguments, &[])
}

fn run_with(site: &Site, arguments: &[&str], environment: &[(&str, &str)]) -> Run {
    let mut command = site.command(arguments);
    command.env("XDG_CACHE_HOME", site.path("cache")).envs(environment.iter().copied());
    Live::start(command).wait()
}

/// The name of the only letter.
fn id(site: &Site) -> String {
    let listed = run(site, &["dead-letters", "list", "--output", "json"]).json();
    listed["id"].as_str().expect("an id").to_owned()
}

/// Makes the capsule of the only letter.
fn capsule(site: &Site) -> Value {
    let made = run(site, &["dead-letters", "capsule", &id(site), "--out", "c.json"]);
    assert_eq!(made.code, Some(0), "{made}");
    serde_json::from_slice(&site.read("c.json")).unwrap()
}

fn replay(site: &Site, code: i32, more: &[&str]) -> Value {
    let hostile = plugin("hostile");
    let mut arguments = vec!["plugin", "replay", "c.json", "--output", "json"];
    if !more.contains(&"--component") {
        arguments.extend(["--component", hostile.to_str().unwrap()]);
    }
    let run = run(site, &[&arguments, more].concat());
    assert_eq!(run.code, Some(code), "{more:?}: {run}");
    run.json()
}

#[test]
fn each_kind_of_failure_comes_again() {
    for (behaviour, cause, limits) in [
        ("trap", "trap", "deadline: 10s"),
        ("recursion", "trap", "deadline: 10s"),
        ("memory", "memory", "memory: 8MiB, deadline: 10s"),
        ("huge", "memory", "deadline: 10s"),
        ("error", "reject", "deadline: 10s"),
        ("reject-poison", "reject", "deadline: 10s"),
        ("utf8", "contract", "deadline: 10s"),
        ("loop", "deadline", "deadline: 200ms"),
    ] {
        let site = failed(&format!("{behaviour} poison"), limits);
        let made = capsule(&site);
        assert_eq!((&made["capsule"], &made["failure"]["cause"]), (&1.into(), &cause.into()), "{behaviour}: {made}");
        let first = replay(&site, 0, &[]);
        assert_eq!((&first["verdict"], &first["failure"]["cause"]), (&"reproduced".into(), &cause.into()), "{behaviour}: {first}");
        assert_eq!(first, replay(&site, 0, &[]), "{behaviour}: two replays differ");
        assert!(first["fuel"].as_u64().unwrap() > 0 && first["init_fuel"].as_u64().unwrap() > 0, "{first}");
        if matches!(behaviour, "trap" | "recursion" | "memory" | "loop") {
            assert!(!first["backtrace"].as_array().unwrap().is_empty(), "{behaviour}: {first}");
        }
        assert_eq!(replay(&site, 1, &["--expect-pass"])["verdict"], "reproduced");
    }
}

#[test]
fn it_holds_what_the_plugin_was_shown_and_nothing_else() {
    // What the plugin sees is the work of the step before it; the letter holds the record as it came.
    let input = "{\"message\":\"harmless\",\"card\":\"4111-private\"}\n";
    let site = Site::with(&config(".message = \"poi\" + \"son\"", "trap poison", "deadline: 10s"), input);
    site.delivered();
    let letter = &site.letters(LETTERS)[0];
    assert_eq!(letter.record(), input.trim_end());
    assert_eq!(letter.value["failure"]["seen"], json!([{ "field": "message", "kind": "text", "value": "poison" }]));
    let made = capsule(&site);
    assert_eq!(made["columns"], json!([{ "field": "message", "kind": "text", "values": ["poison"] }]));
    let text = String::from_utf8(site.read("c.json")).unwrap();
    assert!(!text.contains("4111") && !text.contains("card") && !text.contains("harmless"), "{text}");
    let mode = std::fs::metadata(site.path("c.json")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(replay(&site, 0, &[])["verdict"], "reproduced");

    // A field that a step before removed was not there, whatever the record says.
    let site = Site::with(&config("del(.message)", "trap", "deadline: 10s"), "{\"message\":\"removed\"}\n");
    site.delivered();
    assert_eq!(capsule(&site)["columns"][0]["values"], json!([null]));

    // Where no step before changes a field, the record tells it, and the letter does not hold it twice.
    let site = failed("trap poison", "deadline: 10s");
    assert_eq!(site.letters(LETTERS)[0].value["failure"]["seen"], json!([{ "field": "message", "kind": "text" }]));
    assert_eq!(capsule(&site)["columns"][0]["values"], json!(["poison"]));
    assert!(!String::from_utf8(site.read("c.json")).unwrap().contains("4111"));
    let again = run(&site, &["dead-letters", "capsule", &id(&site), "--out", "c.json"]);
    assert!(again.code == Some(3) && again.err.contains("must not be there yet"), "{again}");
}

#[test]
fn each_letter_has_its_own_values() {
    // Rows are numbered anew after a step that dropped some.
    let yaml = config(".message = \"m\" + to_string!(.n)", "trap", "deadline: 10s")
        .replace("steps: [", "steps: [ { filter: '.n != 1 && .n != 3' },");
    let input: String = (0..6).map(|n| format!("{{\"n\":{n}}}\n")).collect();
    let site = Site::with(&yaml, input);
    site.delivered();
    let letters = site.letters(LETTERS);
    assert_eq!(letters.len(), 4);
    for letter in letters {
        let n = letter.value["record"]["n"].as_u64().unwrap();
        assert_eq!(letter.value["failure"]["seen"][0]["value"], format!("m{n}"), "{}", letter.value);
    }
}

#[test]
fn values_from_outside_the_configuration_stay_outside() {
    const SECRET: &str = "v3ry-secret";
    let site = Site::with(&config(".other = 1", "trap ${KEY}", "deadline: 10s"), "{\"message\":\"m\"}\n");
    let ran = run_with(&site, &["run", "--once"], &[("KEY", SECRET)]);
    assert_eq!(ran.code, Some(0), "{ran}");
    let named = run_with(&site, &["dead-letters", "list", "--output", "json"], &[("KEY", SECRET)]).json();
    let made = run_with(
        &site,
        &["dead-letters", "capsule", named["id"].as_str().unwrap(), "--out", "c.json", "--output", "json"],
        &[("KEY", SECRET)],
    );
    assert_eq!((made.code, &made.json()["left_out"]), (Some(0), &json!(["KEY"])), "{made}");
    let text = String::from_utf8(site.read("c.json")).unwrap();
    assert!(!text.contains(SECRET), "{text}");
    let capsule: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(capsule["setup"]["config"], Value::Null);
    assert_eq!(capsule["setup"]["filled"], json!([{ "at": "", "written": "trap ${KEY}", "plain": false }]));
    let component = plugin("hostile");
    let arguments = ["plugin", "replay", "c.json", "--component", component.to_str().unwrap()];
    // Not even one that this process has is taken unasked.
    let missing = run_with(&site, &arguments, &[("KEY", SECRET)]);
    assert!(missing.code == Some(2) && missing.err.contains("--env 'KEY=VALUE'"), "{missing}");
    for more in [&["--env", "KEY=another"][..], &["-e", "KEY"], &["--config", "\"trap x\""]] {
        let run = run_with(&site, &[&arguments, more].concat(), &[("KEY", "mine")]);
        assert_eq!(run.code, Some(0), "{more:?}: {run}");
    }
}

#[test]
fn a_changed_plugin_shows_whether_it_is_mended() {
    let site = failed("trap poison", "deadline: 10s");
    capsule(&site);
    // The same code with one more custom section: another digest.
    let mut wasm = std::fs::read(plugin("hostile")).unwrap();
    wasm.extend_from_slice(b"\x00\x05\x04note");
    let other = site.write("other.wasm", wasm);
    let other = other.to_str().unwrap();
    let refused = run(&site, &["plugin", "replay", "c.json", "--component", other]);
    assert!(refused.code == Some(2) && refused.err.contains("--any-digest"), "{refused}");
    let still = replay(&site, 1, &["--component", other, "--any-digest", "--expect-pass"]);
    assert_eq!((&still["verdict"], &still["same_component"]), (&"reproduced".into(), &false.into()));
    let mended = replay(&site, 0, &["--component", other, "--any-digest", "--expect-pass", "--config", "\"nothing\""]);
    assert_eq!((&mended["verdict"], &mended["message"]), (&"passes".into(), &"mended: it no longer fails".into()));
    replay(&site, 1, &["--component", other, "--any-digest", "--config", "\"nothing\""]);
    let otherwise = replay(&site, 1, &["--config", "\"error poison\""]);
    assert_eq!(otherwise["verdict"], "fails_otherwise");
    assert_eq!(replay(&site, 1, &["--fuel", "10"])["failure"]["cause"], "deadline");
}

#[test]
fn a_kept_generation_has_the_configuration_and_the_component() {
    let site = Site::with(&config(".other = 1", "trap poison", "deadline: 10s"), INPUT);
    let live = site.start(["run"]);
    tamis_tests::harness::eventually("the letter", || site.lines(LETTERS).len() == 1);
    live.signal("TERM");
    live.wait();
    // What the files say since is another configuration.
    site.config(&config(".other = 1", "nothing", "deadline: 10s"));
    let id = id(&site);
    let made = run(&site, &["dead-letters", "capsule", &id[..8], "--data-dir", "data", "--output", "json"]).json();
    assert_eq!((&made["setup_from"], &made["letter"]), (&"generation 1".into(), &id.as_str().into()));
    let file = format!("capsule-{id}.json");
    let text = run(&site, &["plugin", "replay", &file]);
    assert_eq!(text.code, Some(0), "{text}");
    assert!(text.text().contains("reproduced: it fails as it did then") && text.text().contains("generations/plugins/"), "{text}");
    std::fs::remove_dir_all(site.path("data/generations")).unwrap();
    let gone = run(&site, &["dead-letters", "capsule", &id, "--out", "c.json"]);
    assert!(gone.code == Some(1) && gone.err.contains("neither in the kept generations"), "{gone}");
    let nowhere = run(&site, &["plugin", "replay", &file]);
    assert!(nowhere.code == Some(3) && nowhere.err.contains("--component FILE"), "{nowhere}");
}

#[test]
fn what_has_no_capsule_says_why() {
    let site = Site::with(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], steps: [ { vrl: '.n = to_int!(.n)' } ], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }",
        "{\"n\":\"x\"}\nno json\n",
    );
    site.delivered();
    let listed = run(&site, &["dead-letters", "list", "--output", "json"]).text();
    let ids: Vec<String> =
        listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["id"].as_str().unwrap().to_owned()).collect();
    let told: Vec<Run> = ids.iter().map(|id| run(&site, &["dead-letters", "capsule", id])).collect();
    assert!(told.iter().all(|run| run.code == Some(1)), "{told:?}");
    assert!(told.iter().any(|run| run.err.contains("step `vrl` runs no plugin")), "{told:?}");
    assert!(told.iter().any(|run| run.err.contains("no step is to blame")), "{told:?}");
    for (id, code) in [("0000000000000000", 1), ("12345", 2), ("../../etc", 2), ("", 2)] {
        let run = run(&site, &["dead-letters", "capsule", id]);
        assert_eq!(run.code, Some(code), "{id}: {run}");
    }
}

#[test]
fn hostile_capsules_are_refused() {
    let site = failed("trap poison", "deadline: 10s");
    let sound = capsule(&site);
    let changed = |at: &str, value: Value| {
        let mut capsule = sound.clone();
        *capsule.pointer_mut(at).unwrap() = value;
        capsule.to_string()
    };
    for (text, told) in [
        (String::new(), "EOF"),
        ("not JSON".to_owned(), "line 1"),
        (changed("/capsule", json!(99)), "form 99"),
        (changed("/columns/0/values", json!(["a", "b"])), "has 2 values"),
        (changed("/plugin/digest", json!("sha256:../../../etc/passwd")), "plugin.digest"),
        (changed("/setup/limits/memory_bytes", json!(u64::MAX)), "memory_bytes"),
        (changed("/columns/0/field", json!("\u{1b}[31m..")), "not a field path"),
    ] {
        site.write("bad.json", text);
        let run = run(&site, &["plugin", "replay", "bad.json"]);
        assert!(run.code == Some(2) && run.err.contains(told), "{told}: {run}");
        assert!(!run.err.contains("panicked") && !run.err.contains('\u{1b}'), "{run}");
    }
    let pipe = site.shell("mkfifo pipe && exec \"$TAMIS\" plugin replay pipe");
    let pipe = Live::start(pipe).wait();
    assert!(pipe.code == Some(2) && pipe.err.contains("found a pipe"), "{pipe}");
    let endless = run(&site, &["plugin", "replay", "/dev/zero"]);
    assert!(endless.code == Some(2) && endless.err.contains("at most 16 MiB"), "{endless}");
}
