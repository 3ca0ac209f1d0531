//! What the commands print.

use tamis_tests::harness::Site;

#[test]
fn version() {
    let run = Site::new().run(["--version"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run}");
    let version = run.text();
    assert_eq!(version.trim_end(), format!("tamis {}", env!("CARGO_PKG_VERSION")));
}

#[test]
fn without_arguments_it_shows_what_it_can_do() {
    let run = Site::new().run([""; 0]);
    assert_eq!(run.code, Some(2), "{run}");
    let shown = format!("{}{}", run.text(), run.err);
    for verb in ["Usage: tamis", "run", "check", "explain", "plugin", "schema", "completions"] {
        assert!(shown.contains(verb), "`{verb}` is missing: {run}");
    }
}

#[test]
fn help_is_asked_for_on_standard_output() {
    for arguments in [&["--help"][..], &["run", "--help"], &["check", "--help"], &["explain", "--help"], &["plugin", "build", "--help"]] {
        let run = Site::new().run(arguments);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{arguments:?}: {run}");
        assert!(run.text().contains("Usage: tamis"), "{run}");
    }
}

#[test]
fn a_command_line_that_is_wrong() {
    for arguments in [
        &["rum"][..],
        &["run", "--twice"],
        &["completions", "cmd"],
        &["--output", "xml", "schema"],
        &["--log-format", "yaml", "schema"],
        &["run", "--report", "many"],
    ] {
        let run = Site::new().run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {run}");
        assert!(run.out.is_empty() && run.err.starts_with("error:"), "{run}");
    }
}

#[test]
fn the_schema_is_a_json_schema_of_the_configuration() {
    let run = Site::new().run(["schema"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run}");
    let schema = run.json();
    assert!(schema["$schema"].as_str().unwrap().contains("json-schema.org"), "{schema}");
    for key in ["version", "sources", "plugins", "pipelines", "sinks", "settings"] {
        assert!(schema["properties"][key].is_object(), "`{key}` is missing");
    }
    // Every reference leads somewhere.
    let text = run.text();
    for part in text.split("\"$ref\":").skip(1) {
        let target = part.split('"').nth(1).unwrap();
        assert!(schema.pointer(target.trim_start_matches('#')).is_some(), "{target}");
    }
}

#[test]
fn the_reference_of_all_options_is_the_one_that_is_kept() {
    let run = Site::new().run(["schema", "--output", "markdown"]);
    assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run}");
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/options.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&file, run.text()).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap();
    assert!(kept == run.text(), "docs/reference/options.md is not what the binary prints: `make reference` writes it anew");
    // No other command prints Markdown.
    let other = Site::new().run(["explain", "--output", "markdown"]);
    assert_eq!(other.code, Some(2), "{other}");
    assert!(other.err.contains("`tamis schema`"), "{other}");
}

#[test]
fn completions_of_each_shell() {
    for (shell, mark) in [
        ("bash", "complete -F"),
        ("zsh", "#compdef tamis"),
        ("fish", "complete -c tamis"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let run = Site::new().run(["completions", shell]);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{shell}: {run}");
        let script = run.text();
        assert!(script.contains(mark) && script.contains("explain"), "{shell}: {script:.300}");
    }
    // The shell at hand takes its script.
    let site = Site::new();
    site.write("tamis.bash", site.run(["completions", "bash"]).out);
    let mut shell = std::process::Command::new("bash");
    let status = shell.args(["-n", "tamis.bash"]).current_dir(site.path("")).status();
    assert!(status.is_ok_and(|status| status.success()));
}

const PLAIN: &str = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], steps: [ { filter: .n != 2 } ], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }";

#[test]
fn the_log_as_json_is_json_on_every_line() {
    let site = Site::with(PLAIN, "{\"n\":1}\n{\"n\":2}\n\u{1b}[31mnot JSON\n");
    for arguments in [vec!["run", "--once", "--log-format", "json"], vec!["--log-format=json", "--log", "debug", "run", "--once"]] {
        let run = site.run(&arguments);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.out.is_empty(), "{run}");
        let lines: Vec<serde_json::Value> =
            run.err.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
        assert!(!lines.is_empty());
        for line in lines {
            assert!(line["timestamp"].is_string() && line["level"].is_string() && line["fields"]["message"].is_string(), "{line}");
        }
    }
}

#[test]
fn nothing_is_coloured_away_from_a_terminal() {
    let site = Site::with(PLAIN, "{\"n\":1}\n{\"n\":2}\n\u{1b}[31mnot JSON\n");
    site.write("bad.yaml", "version: 1\nsuorces: {}\npipelines: []\n");
    for arguments in
        [vec!["run", "--once", "--report"], vec!["check"], vec!["check", "-c", "bad.yaml"], vec!["explain"], vec!["--help"], vec!["rum"]]
    {
        let mut command = site.command(&arguments);
        command.env("CLICOLOR", "1").env("TERM", "xterm-256color");
        let run = tamis_tests::harness::Live::start(command).wait();
        assert!(!run.out.contains(&0x1b) && !run.err.contains('\u{1b}'), "{arguments:?}: {run}");
    }
}

#[test]
fn a_report_for_people() {
    let site = Site::with(PLAIN, "{\"n\":1}\n{\"n\":2}\n\u{1b}[31mnot JSON\n");
    let run = site.run(["run", "--once", "--report"]);
    assert_eq!(run.code, Some(0), "{run}");
    let text = run.text();
    for word in ["pipeline main", "dropped on purpose", "dead letters", "decode", "records/s", "filter", "record 1 of main, to default"] {
        assert!(text.contains(word), "`{word}` is missing: {text}");
    }
}

#[test]
fn a_log_filter_that_is_none_is_told() {
    let site = Site::with(PLAIN, "{\"n\":1}\n");
    let run = site.run(["run", "--once", "--log", "=,="]);
    assert_eq!(run.code, Some(0), "{run}");
    assert!(run.err.contains("is not a filter"), "{run}");
    let quiet = site.run(["run", "--once", "--log", "error"]);
    assert_eq!((quiet.code, quiet.err.as_str()), (Some(0), ""), "{quiet}");
}
