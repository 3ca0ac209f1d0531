//! The operator's commands, against a host that runs.

use std::io::Write;
use tamis_tests::harness::{Address, Live, Site, eventually};

/// A pipeline that follows a file.
fn config(admin: &str, steps: &str) -> String {
    format!(
        "
sources: {{ in: {{ type: file, paths: [input.ndjson] }} }}
pipelines: {{ main: {{ from: [in], steps: [{steps}], to: [out] }} }}
sinks: {{ out: {{ type: file, path: out.ndjson }} }}
settings: {{ admin: '{admin}', lanes: 2 }}"
    )
}

pub(super) fn append(site: &Site, line: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).open(site.path("input.ndjson")).unwrap();
    writeln!(file, "{line}").unwrap();
}

/// A host on this address; gives the one that it listens on.
pub(super) fn host(site: &Site) -> (Live, String) {
    let mut live = site.start(["run"]);
    let line = live.says("admin API on ");
    (live, line.rsplit(' ').next().unwrap().to_owned())
}

#[test]
fn an_operators_day_on_both_kinds_of_address() {
    for admin in ["unix:admin.sock", "127.0.0.1:0"] {
        let site = Site::with(&config(admin, ""), "{\"a\":1}\n");
        let (_live, address) = host(&site);
        let ask = |arguments: &[&str]| site.run([arguments, &["--admin", &address]].concat());
        eventually("it delivers", || site.lines("out.ndjson").len() == 1);

        let run = ask(&["reload"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.text().starts_with("unchanged: nothing changes: generation 1 goes on"), "{run}");

        site.config(&config(admin, "{ vrl: .b = 2 }"));
        let run = ask(&["reload", "--dry-run"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.text().starts_with("sound: ") && run.text().contains("  + step main/"), "{run}");
        let run = ask(&["reload", "--why", "two & \"three\" é"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.text().starts_with("applied: generation 2 runs") && run.text().contains("  + step main/"), "{run}");
        append(&site, "{\"a\":2}");
        eventually("the new step is at work", || site.lines("out.ndjson").iter().any(|line| line == "{\"a\":2,\"b\":2}"));

        // What is wrong is told as `tamis check` tells it, with the line.
        site.config(&config(admin, "{ vrl: .b = }"));
        let run = ask(&["reload"]);
        assert_eq!(run.code, Some(1), "{run}");
        let check = site.run(["check"]);
        assert_eq!(check.code, Some(2), "{check}");
        let finding = check.err.split("\nnot sound").next().unwrap().trim_end();
        assert!(finding.contains("tamis.yaml:") && run.err.contains(finding), "{run}\n=== check\n{check}");
        assert!(run.text().starts_with("refused: not sound, generation 2 goes on"), "{run}");
        let json = ask(&["reload", "--output", "json"]);
        assert_eq!((json.code, json.json()["result"].as_str()), (Some(1), Some("refused")), "{json}");

        let run = ask(&["rollback", "--why", "it was better"]);
        assert_eq!(run.code, Some(0), "{run}");
        assert!(run.text().starts_with("applied: generation 3 runs: generation 1 again") && run.text().contains("  - step main/"), "{run}");
        let run = ask(&["rollback", "--to", "99"]);
        assert_eq!(run.code, Some(1), "{run}");
        assert!(run.text().contains("generation 99 is not kept"), "{run}");

        let run = ask(&["generations"]);
        for part in ["two & \"three\" é", "it was better", "admin API", "tamis run", "refused", "rollback", "generation 3 runs"] {
            assert!(run.text().contains(part), "{part}: {run}");
        }
        let history = ask(&["generations", "--limit", "2", "--output", "json"]).json();
        assert_eq!(history["history"].as_array().unwrap().len(), 2);
        assert_eq!((&history["running"], &history["history"][1]["result"]), (&3.into(), &"failed".into()));

        let run = ask(&["status"]);
        assert_eq!(run.code, Some(0), "{run}");
        for part in ["generation 3", "main", "out", "ok", "in/s"] {
            assert!(run.text().contains(part), "{part}: {run}");
        }
        let status = ask(&["status", "--output", "json"]).json();
        assert!(status["records_per_second"]["pipelines"]["main"]["in"].is_number(), "{status}");
        assert!(status["sources"][0]["lag_seconds"].is_number() && status["sinks"][0]["state"] == "ok", "{status}");
        assert_eq!((&status["pipelines"][0]["in"], &status["sources"][0]["records"]), (&2.into(), &2.into()), "{status}");
    }
}

#[test]
fn the_address_comes_from_the_option_the_variable_or_the_configuration() {
    let site = Site::with(&config("unix:admin.sock", ""), "");
    let (_live, _) = host(&site);
    let found = |arguments: &[&str], variable: &str| {
        let mut command = site.command(arguments.iter().chain(&["generations"]));
        if !variable.is_empty() {
            command.env("TAMIS_ADMIN", variable);
        }
        Live::start(command).wait()
    };
    assert_eq!(found(&[], "").code, Some(0), "`tamis.yaml`");
    assert_eq!(found(&[], "unix:nowhere.sock").code, Some(3), "the variable goes before it");
    site.write("broken.yaml", "version: 1\nsettings:\n  admin: 'unix:admin.sock'\nsinks: { out: { type: nonsense } }\n");
    let other = |file: &str| site.run(["generations", "-c", file]);
    assert_eq!(other("broken.yaml").code, Some(0), "one that is not sound says where the host is all the same");
    site.write("off.yaml", "version: 1\nsettings: { admin: off }\n");
    assert_eq!(other("off.yaml").code, Some(2));
    let option = |address: &str| site.run(["generations", "--admin", address]);
    assert_eq!(option("unix:admin.sock").code, Some(0));
    for bad in ["nonsense", "unix:", "http://127.0.0.1:9480", "127.0.0.1:0"] {
        let run = option(bad);
        assert_eq!(run.code, Some(2), "{run}");
        assert!(run.err.contains(bad), "{run}");
    }
}

#[test]
fn a_host_that_is_not_there_is_3() {
    let site = Site::new();
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for address in [gone.as_str(), "unix:nowhere.sock"] {
        for verb in
            [&["status"][..], &["reload"], &["reload", "--dry-run"], &["rollback"], &["generations"], &["status", "--output", "json"]]
        {
            let run = site.run([verb, &["--admin", address]].concat());
            assert_eq!(run.code, Some(3), "{verb:?} {run}");
            assert!(run.err.contains(address) && run.err.contains("--admin") && run.out.is_empty(), "{run}");
        }
    }
    // Somebody else answers there.
    let other = tamis_tests::harness::RawServer::start(|_, stream| stream.write_all(b"220 mail ready\r\n\r\n"));
    let run = site.run(["status", "--admin", &other.address()]);
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.err.contains("not a Tamis admin API"), "{run}");
}

#[test]
fn a_stranger_that_speaks_json_is_no_host() {
    let site = Site::new();
    let answers = [
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
        "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n[1,2,3]",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 9\r\n\r\nnot found",
        "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\n{}",
    ];
    for answer in answers {
        let stranger = tamis_tests::harness::RawServer::start(move |_, stream| stream.write_all(answer.as_bytes()));
        for verb in [
            &["generations"][..],
            &["reload"],
            &["reload", "--trial"],
            &["reload", "--end-trial"],
            &["reload", "--dry-run", "--output", "json"],
            &["rollback"],
            &["status"],
            &["tap", "main"],
        ] {
            let run = site.run([verb, &["--admin", &stranger.address()]].concat());
            assert_eq!(run.code, Some(3), "{verb:?} {answer}: {run}");
            assert!(run.err.contains("not a Tamis admin API") && run.out.is_empty(), "{verb:?} {answer}: {run}");
        }
    }
}

#[test]
fn options_that_do_not_go_together_are_2() {
    let site = Site::new();
    for (arguments, says) in [
        (&["generations", "--limit", "0"][..], "1.."),
        (&["status", "--output", "dot"], "`tamis explain`"),
        (&["generations", "--output", "mermaid"], "`tamis explain`"),
        (&["reload", "--output", "dot"], "`tamis explain`"),
        (&["reload", "--canary", "5%", "--promote-after", "1m", "--max-diff", "1%"], "--max-diff"),
        (&["reload", "--canary", "5%", "--shadow", "5%"], "--shadow"),
        (&["reload", "--promote-after", "1m"], "--shadow"),
    ] {
        let run = site.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}: {run}");
        assert!(run.err.contains(says) && run.out.is_empty(), "{arguments:?}: {run}");
    }
}

#[test]
fn a_sink_that_is_down_is_told() {
    let site = Site::with(
        "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [out] } }
sinks: { out: { type: http, url: 'http://127.0.0.1:9/', retry: { initial: 100ms, max: 200ms } } }
settings: { admin: 'unix:admin.sock', shutdown_timeout: 1s }",
        "{\"a\":1}\n",
    );
    let (_live, address) = host(&site);
    let address = Address::Unix(site.path(address.strip_prefix("unix:").unwrap()));
    eventually("it fails", || address.get("/v1/status").unwrap().body.contains("\"state\":\"failing\""));
    let run = site.run(["status"]);
    assert!(run.text().contains("failing since 20"), "{run}");
    let status = site.run(["status", "--output", "json"]).json();
    assert!(status["sources"][0]["lag_seconds"].as_f64().unwrap() > 0.0 && status["sinks"][0]["queue_records"] == 1, "{status}");
    assert_eq!(status["sources"][0]["held"], 1, "{status}");
}

#[test]
fn top_needs_a_terminal_and_gives_it_back() {
    let site = Site::with(&config("unix:admin.sock", "{ vrl: .b = 1 }"), "{\"a\":1}\n");
    let (live, _) = host(&site);
    let run = site.run(["top"]);
    assert_eq!(run.code, Some(2), "{run}");
    assert!(run.err.contains("tamis status") && run.out.is_empty(), "{run}");
    // In a terminal that `script` makes: two seconds, a choice, a pause, and the end.
    let keys = "sleep 2; printf '\\t'; sleep 0.3; printf p; sleep 0.5; printf q; sleep 1";
    let screen = |end: &str| {
        let inside = format!("stty cols 100 rows 40; $TAMIS top {end}; echo ended $?; stty -a");
        let run = site.start_shell(&format!("({keys}) | TERM=xterm-256color script -qec '{inside}' /dev/null")).wait();
        String::from_utf8_lossy(&run.out).into_owned()
    };
    let shown = screen("");
    // The words: what is between them is drawn by moving the cursor.
    for part in ["\u{1b}[?1049h", "\u{1b}[?1049l", "pipelines", "steps", "sinks", "main", "vrl", "generation", "paused", "ended 0"] {
        assert!(shown.contains(part), "{part:?}: {}", shown.escape_debug());
    }
    let after = shown.split("ended 0").nth(1).unwrap();
    assert!(after.contains(" icanon") && after.contains(" echo ") && !after.contains("-icanon"), "{after}");
    // A signal ends it, and the terminal is given back then too.
    let shown = screen("& sleep 1.5; kill -TERM $!; wait $!");
    assert!(shown.contains("\u{1b}[?1049l") && shown.contains("ended 0"), "{}", shown.escape_debug());
    // Keys without end are followed at a pace that costs next to nothing.
    // What is left of them is read at the end: `script` would wait for ever to write it.
    let inside = "stty cols 100 rows 40; $TAMIS top & sleep 4; kill -TERM $!; wait $!; echo ended $?; times; timeout 2 cat >/dev/null";
    let keys = "yes j | timeout 3 cat; sleep 4";
    let run = site.start_shell(&format!("({keys}) | TERM=xterm-256color script -qec '{inside}' /dev/null")).wait();
    let shown = String::from_utf8_lossy(&run.out).into_owned();
    let after = shown.split("ended 0").nth(1).unwrap_or_else(|| panic!("{}", shown.escape_debug()));
    // The last line of `times`: user and system time of the children, `0m0.120s 0m0.050s`.
    let spent = after.lines().rfind(|line| line.contains('m')).unwrap();
    let seconds = |text: &str| {
        text.split_once('m').and_then(|(m, s)| Some(60.0 * m.parse::<f64>().ok()? + s.trim_end_matches('s').parse::<f64>().ok()?))
    };
    let spent: f64 = spent.split_whitespace().map(|text| seconds(text).unwrap_or_else(|| panic!("{after:?}"))).sum();
    assert!(spent < 1.5, "{spent} s of processor time in 4 s");
    // Its terminal goes away: so does it.
    let terminal = site.start_shell(
        "sleep 60 | TERM=xterm-256color sh -c 'echo $$ > script.pid; exec script -qec \"stty cols 100 rows 40; echo \\$\\$ > top.pid; exec $TAMIS top\" /dev/null'",
    );
    eventually("it draws", || terminal.out().contains("generation"));
    let pid = |file: &str| String::from_utf8(site.read(file)).unwrap().trim().to_owned();
    assert!(std::process::Command::new("kill").args(["-KILL", &pid("script.pid")]).status().unwrap().success());
    let top = std::path::PathBuf::from(format!("/proc/{}", pid("top.pid")));
    eventually("it has ended", || !top.exists());
    drop(terminal);
    // Without a host it says so instead of taking the screen.
    live.signal("TERM");
    live.wait();
    let shown = screen("");
    assert!(shown.contains("ended 3") && !shown.contains("\u{1b}[?1049h"), "{}", shown.escape_debug());
}
