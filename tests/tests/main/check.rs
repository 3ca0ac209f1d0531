//! `tamis check` and `tamis explain`.

use tamis_tests::harness::Site;

const MANY_PROBLEMS: &str = "
sources:
  in: { type: file, paths: [input.ndjson] }
  spare: { type: stdin }
plugins:
  h: { component: PLUGIN(hostile), grant: { read: [mesage] }, config: nothing }
  gone: { component: gone.wasm }
pipelines:
  main:
    from: [inn]
    steps:
      - plugin: h
      - plugin: hh
      - plugin: gone
      - vrl: .a = upcase(1
      - filter: '1 + 1'
      - route: { errors: .s >= }
    to: { default: [outt], eror: [out] }
  round: { from: [around], to: [out] }
  around: { from: [round], to: [out] }
  nowhere: { from: [in] }
sinks: { out: { type: file, path: out.ndjson }, twin: { type: file, path: out.ndjson } }";

#[test]
fn all_problems_at_once_with_their_places() {
    let site = Site::with(MANY_PROBLEMS, "");
    let run = site.run(["check"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.out.is_empty(), "{run}");
    for (code, says, line) in [
        ("E201", "no source or pipeline is called `inn`", 11),
        ("E201", "no plugin is called `hh`", 14),
        ("E201", "no sink is called `outt`", 19),
        ("E212", "plugin `h` asks to read `message`", 7),
        ("E210", "gone.wasm", 8),
        ("E213", "", 16),
        ("E213", "", 17),
        ("E213", "", 18),
        ("E202", "fed by what it feeds itself", 20),
        ("E203", "the default output of pipeline `nowhere` leads nowhere", 22),
        ("E204", "two sinks write the file", 23),
        ("W201", "source `spare` is read by no pipeline", 5),
    ] {
        let found = run
            .err
            .split("\n\n")
            .flat_map(|block| block.split("\nerror[").flat_map(|b| b.split("\nwarning[")))
            .any(|block| block.contains(&code[1..]) && block.contains(says) && block.contains(&format!("tamis.yaml:{line}:")));
        assert!(found, "{code} `{says}` at line {line} is missing: {}", run.err);
    }
    assert!(run.err.contains("did you mean `in`?") && run.err.contains("did you mean `out`?"), "{run}");
    // The same for machines.
    let run = site.run(["check", "--output", "json"]);
    assert_eq!(run.code, Some(2), "{run}");
    let found = run.json();
    assert_eq!(found["sound"], false);
    let findings = found["findings"].as_array().unwrap();
    assert!(
        found["errors"].as_u64() >= Some(11)
            && findings.len() as u64 == found["errors"].as_u64().unwrap() + found["warnings"].as_u64().unwrap(),
        "{found:#}"
    );
    for finding in findings {
        assert!(
            finding["code"].is_string()
                && finding["message"].is_string()
                && ["error", "warning"].contains(&finding["severity"].as_str().unwrap()),
            "{finding}"
        );
        assert!(
            finding["place"]["line"].as_u64() >= Some(1)
                && finding["place"]["column"].as_u64() >= Some(1)
                && finding["place"]["file"].as_str().unwrap().ends_with("tamis.yaml"),
            "{finding}"
        );
    }
    // Nothing was made.
    assert!(!site.path("out.ndjson").exists() && !site.path("data").exists());
}

const PLAN: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  redact: { component: PLUGIN(redact), grant: { read: [message], write: [message] }, config: { fields: [message] }, on_failure: blank }
  tenant: { component: PLUGIN(tenant), grant: { read: [ApiOwner], write: [tenant] }, config: { owners: { cio: corporate } } }
pipelines:
  main:
    from: [in]
    steps:
      - plugin: tenant
      - vrl: .tenant = upcase!(.tenant)
      - plugin: redact
      - filter: .method != \"OPTIONS\"
      - route: { errors: .status >= 500 }
    to: { default: [archive], errors: [archive, alerts] }
    dead_letters: [failed]
  second: { from: [main.errors], steps: [ { vrl: .secret = del(.message) } ], to: [screen] }
sinks:
  archive: { type: file, path: archive.ndjson }
  alerts: { type: \"null\" }
  failed: { type: file, path: failed.ndjson }
  screen: { type: stdout }";

#[test]
fn a_sound_configuration() {
    let site = Site::with(PLAN, "");
    let run = site.run(["check"]);
    assert_eq!((run.code, run.text().as_str()), (Some(0), "sound: 2 pipelines, 6 steps, 2 plugins, 4 sinks (1 warning)\n"), "{run}");
    let json = site.run(["check", "--output", "json"]).json();
    assert_eq!((&json["sound"], &json["errors"]), (&true.into(), &0.into()));
    assert_eq!(site.run(["check", "--strict"]).code, Some(2), "two writers of `tenant`");
}

#[test]
fn explain_says_which_sinks_look_at_a_field() {
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: in, to: [search, lake] } }
sinks:
  search: { type: elasticsearch, urls: ['http://127.0.0.1:9'], index: 'logs-%{team}' }
  lake: { type: parquet, path: 'lake/%{team.id}', schema: { took: float } }";
    let site = Site::with(config, "");
    let run = site.run(["explain", "--field", "team"]);
    let expected = "  used by\n    lake (parquet, `path`, through team.id)\n    search (elasticsearch, `index`)\n    search (elasticsearch, `id`, through .)\n";
    assert!(run.text().contains(expected), "{run}");
    let run = site.run(["explain", "--field", "took", "--output", "json"]);
    assert_eq!(run.json()["used_by"][0]["option"], "schema.took", "{run}");
    assert!(site.run(["explain", "--field", "_id"]).text().contains("search (elasticsearch, `omit`)"));
}

#[test]
fn explain_in_every_form() {
    let site = Site::with(PLAN, "");
    let run = site.run(["explain"]);
    assert_eq!(run.code, Some(0), "{run}");
    let text = run.text();
    for part in [
        "pipeline main",
        "from in (file)",
        "1. tenant (plugin)",
        "granted    read ApiOwner; write tenant",
        "sha256:",
        "2. vrl (vrl)",
        "on failure blank",
        "4. filter (filter)",
        "drops      yes",
        "sends to   errors",
        "archive (file), alerts (null)",
        "second (pipeline)",
        "dead letters → failed",
        "pipeline second",
        "the data directory",
    ] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    let plan = site.run(["explain", "--output", "json"]).json();
    assert_eq!(plan["pipelines"].as_array().unwrap().len(), 2);
    assert_eq!(plan["pipelines"][0]["steps"].as_array().unwrap().len(), 5);
    let dot = site.run(["explain", "--output", "dot"]).text();
    assert!(dot.starts_with("digraph") && dot.trim_end().ends_with('}') && dot.matches('{').count() == dot.matches('}').count(), "{dot}");
    let mermaid = site.run(["explain", "--output", "mermaid"]).text();
    assert!(mermaid.starts_with("flowchart") || mermaid.starts_with("graph"), "{mermaid}");
    for drawing in [dot, mermaid] {
        for name in ["tenant", "redact", "archive", "alerts", "screen", "failed", "errors"] {
            assert!(drawing.contains(name), "`{name}` is missing: {drawing}");
        }
    }
}

#[test]
fn explain_a_field() {
    let site = Site::with(PLAN, "");
    let run = site.run(["explain", "--field", "message"]);
    assert_eq!(run.code, Some(0), "{run}");
    let text = run.text();
    assert!(text.starts_with("field message\n"), "{text}");
    for part in ["main/redact (plugin redact", "second/vrl (native", "archive", "screen", "never shown to tenant"] {
        assert!(text.contains(part), "`{part}` is missing: {text}");
    }
    let json = site.run(["explain", "--field", "ApiOwner", "--output", "json"]).json();
    assert_eq!(json["readers"].as_array().unwrap().len(), 1, "{json:#}");
    assert_eq!(json["readers"][0]["step"], "tenant");
    assert!(json["writers"].as_array().unwrap().is_empty(), "{json:#}");
    let nobody = site.run(["explain", "--field", "CORRELATION_ID"]).text();
    assert!(nobody.contains("read by nobody") && nobody.contains("written by nobody") && nobody.contains("never shown to"), "{nobody}");
}

#[test]
fn a_folder_of_files_is_merged() {
    let site = Site::new();
    site.write("conf/a.yaml", "version: 1\nsources: { in: { type: file, paths: [input.ndjson] } }\nsettings: { admin: off }\n");
    site.write(
        "conf/b.yaml",
        "version: 1\npipelines: { main: { from: [in], to: [out] } }\nsinks: { out: { type: file, path: '${OUT:-out}.ndjson' } }\n",
    );
    site.write("input.ndjson", "{\"a\":1}\n");
    let run = site.run(["run", "--once", "-c", "conf"]);
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.lines("out.ndjson"), ["{\"a\":1}"]);
    let run = site.run(["run", "--once", "-c", "conf/a.yaml", "-c", "conf/b.yaml"]);
    assert_eq!(run.code, Some(0), "{run}");
    site.write("conf/c.yaml", "version: 1\nsinks: { out: { type: stdout } }\n");
    let run = site.run(["check", "-c", "conf"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("E021") && run.err.contains("b.yaml") && run.err.contains("c.yaml"), "{run}");
}

#[test]
fn secrets_are_not_shown() {
    let site = Site::with(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  redact: { component: PLUGIN(redact), grant: { read: [message], write: [message] }, config: { fields: [message], mode: hash, key: '${KEY}' } }
pipelines: { main: { from: [in], steps: [ { plugin: redact } ], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }
settings: { admin: 'unix:${file:secret.txt}/admin.sock' }",
        "{\"message\":\"a@mail.example\"}\n",
    );
    site.write("secret.txt", "s3cr3t-in-a-file\n");
    for arguments in [
        &["check"][..],
        &["explain"],
        &["explain", "--output", "json"],
        &["--log", "trace", "run", "--once", "--report"],
        &["check", "--output", "json"],
    ] {
        for key in ["s3cr3t-in-the-environment", "s3cr3t"] {
            let mut command = site.command(arguments);
            command.env("KEY", key);
            let run = tamis_tests::harness::Live::start(command).wait();
            let all = format!("{}{}", run.text(), run.err);
            assert!(!all.contains("s3cr3t-in-the-environment"), "{arguments:?}: {run}");
        }
    }
}

#[test]
fn an_admin_api_that_others_reach_without_tokens_is_told() {
    let site = Site::new();
    let yaml = |settings: &str| {
        format!(
            "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], to: [out] }} }}
sinks: {{ out: {{ type: 'null' }} }}
settings: {{ {settings} }}"
        )
    };
    for address in ["0.0.0.0:9480", "[::]:9480", "192.0.2.7:1"] {
        site.config(&yaml(&format!("admin: '{address}'")));
        let run = site.run(["check"]);
        assert_eq!(run.code, Some(2), "{run}");
        for part in [address, "tamis.yaml:6:", "admin_tokens", "tamis admin token", "not sound: 1 error"] {
            assert!(run.err.contains(part), "{part}: {run}");
        }
        let json = site.run(["check", "--output", "json"]);
        assert_eq!((json.code, &json.json()["sound"], &json.json()["errors"]), (Some(2), &false.into(), &1.into()), "{json}");
    }
    let token = format!("admin_tokens: {{ a: {{ role: view, sha256: '{}' }} }}", "a0".repeat(32));
    for settings in
        [&format!("admin: '0.0.0.0:9480', {token}"), "admin: '127.0.0.1:9480'", "admin: '[::1]:1'", "admin: 'unix:a'", "admin: localhost:1"]
    {
        site.config(&yaml(settings));
        assert_eq!(site.run(["check"]).code, Some(0), "{settings}");
    }
}
