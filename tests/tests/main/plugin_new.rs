//! `tamis plugin new` and `tamis plugin sdk`, as far as they go without a compiler; `tests/way.sh` goes the rest.

use tamis_tests::harness::Site;

#[test]
fn a_plugin_is_begun_and_says_what_comes_next() {
    let site = Site::new();
    for language in ["rust", "js", "python"] {
        let name = format!("calls-{language}");
        let run = site.run(["plugin", "new", &name, "--lang", language]);
        assert_eq!((run.code, run.err.as_str()), (Some(0), ""), "{run}");
        let text = run.text();
        for command in [&format!("cd {name}"), "tamis plugin build", "tamis plugin check", "tamis plugin test", "tamis run --once"] {
            assert!(text.contains(command), "`{command}` is missing: {text}");
        }
        // The sample pipeline is sound but for the component, which is not built yet.
        let check = site.run(["check", "-c", &format!("{name}/tamis.yaml"), "--output", "json"]);
        let findings = check.json()["findings"].clone();
        assert_eq!(findings.as_array().map(Vec::len), Some(1), "{findings}");
        assert!(findings[0].to_string().contains(&format!("target/plugins/{name}.wasm")), "{findings}");
    }
}

#[test]
fn the_files_for_ci_name_commands_that_exist_and_in_order() {
    let site = Site::new();
    for language in ["rust", "js", "python"] {
        let name = format!("calls-{language}");
        assert_eq!(site.run(["plugin", "new", &name, "--lang", language]).code, Some(0));
        for file in [".gitlab-ci.yml", ".github/workflows/plugin.yml"] {
            let text = String::from_utf8(site.read(&format!("{name}/{file}"))).unwrap();
            let commands: Vec<Vec<&str>> = text
                .lines()
                .filter(|line| !line.trim_start().starts_with('#'))
                .filter_map(|line| line.find("tamis plugin ").and_then(|at| line.get(at..)))
                .map(|command| command.split([' ', '|', '>']).skip(1).take_while(|word| !word.is_empty()).collect())
                .collect();
            let verbs: Vec<&str> = commands.iter().map(|words| words[1]).collect();
            assert_eq!(verbs, ["build", "check", "test", "inspect", "sign", "push"], "{name}/{file}");
            for words in commands {
                let help = site.run(["plugin", words[1], "--help"]);
                assert_eq!(help.code, Some(0), "{help}");
                for option in words.iter().filter(|word| word.starts_with("--")) {
                    assert!(help.text().contains(option), "`{option}` of {name}/{file}: {help}");
                }
            }
            assert!(text.contains(&format!("target/plugins/{name}.wasm")), "{text}");
        }
    }
}

#[test]
fn json_holds_the_files_and_the_commands() {
    let site = Site::new();
    let run = site.run(["--output", "json", "plugin", "new", "slow-calls", "--lang", "rust", "--out", "my plugins"]);
    assert_eq!(run.code, Some(0), "{run}");
    let answer = run.json();
    assert_eq!((&answer["name"], &answer["language"]), (&"slow-calls".into(), &"rust".into()));
    assert_eq!(answer["next"][0], "cd 'my plugins/slow-calls'");
    for file in answer["files"].as_array().unwrap() {
        assert!(site.path("my plugins/slow-calls").join(file.as_str().unwrap()).is_file(), "{file}");
    }
}

#[test]
fn what_cannot_be_begun_is_told_and_nothing_is_written() {
    let site = Site::new();
    site.write("taken/mine.txt", "mine");
    for (arguments, told) in [
        (["Slow", "--lang", "rust"], "it holds `S`"),
        (["../up", "--lang", "rust"], "it holds `.`"),
        (["match", "--lang", "rust"], "use the name themselves"),
        (["taken", "--lang", "js"], "expected a folder that is empty"),
        (["fine", "--lang", "cobol"], "possible values: js, python, rust"),
    ] {
        let run = site.run(["plugin", "new"].iter().chain(&arguments));
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.out.is_empty() && run.err.contains(told), "{run}");
    }
    assert_eq!(std::fs::read_dir(site.path("")).unwrap().count(), 1);
}

#[test]
fn an_sdk_is_updated_and_what_was_changed_by_hand_is_not_lost() {
    let site = Site::new();
    assert_eq!(site.run(["plugin", "new", "mine", "--lang", "python"]).code, Some(0));
    let run = site.run(["--output", "json", "plugin", "sdk", "update", "mine"]);
    assert_eq!((run.code, run.json()[0]["changed"].as_u64()), (Some(0), Some(0)), "{run}");

    site.write("mine/.tamis/sdk/pyproject.toml", "mine");
    let run = site.run(["plugin", "sdk", "update", "mine"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.err.contains("pyproject.toml") && run.err.contains("--force"), "{run}");
    assert_eq!(site.read("mine/.tamis/sdk/pyproject.toml"), b"mine");
    assert_eq!(site.run(["plugin", "sdk", "update", "mine", "--force"]).code, Some(0));

    let none = site.run(["plugin", "sdk", "update", "."]);
    assert_eq!(none.code, Some(2), "{none}");
    let out = site.run(["plugin", "sdk", "export", "--lang", "rust", "--out", "shared"]);
    assert_eq!(out.code, Some(0), "{out}");
    assert!(site.path("shared/wit/tamis-plugin/plugin.wit").is_file());
}
