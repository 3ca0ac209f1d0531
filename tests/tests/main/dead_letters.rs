//! `tamis dead-letters`: what failed is found, chosen and run again, and nothing is lost on the way.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tamis_tests::harness::{Live, Run, Site, eventually};

/// Fails on whatever is not a number; `MENDED` takes everything.
const BROKEN: &str = ".n = to_int!(.n)";
const MENDED: &str = ".n = to_string!(.n)";

fn config(step: &str) -> String {
    format!(
        "
sources:
  in: {{ type: file, paths: ['input*.ndjson'] }}
pipelines:
  main: {{ from: [in], steps: [ {{ name: convert, vrl: '{step}' }} ], to: [out] }}
  other: {{ from: [in], to: [all], dead_letters: [failed] }}
sinks:
  out: {{ type: file, path: out.ndjson }}
  all: {{ type: file, path: all.ndjson }}
  failed: {{ type: file, path: failed.ndjson }}"
    )
}

const PRIVATE: &str = "data/dead_letters/main.ndjson";
const INPUT: &str = "{\"n\":\"1\"}\n{\"n\":\"seven\"}\nno json\n{\"n\":\"\\u001b[31m\",\"a\":{\"a\":1e999}}\n{\"n\":\"2\"}\n";

/// A site on which a run left four dead letters: three of `main`, one of `other`.
fn failed() -> Site {
    let site = Site::with(&config(BROKEN), INPUT);
    let report = site.delivered();
    assert_eq!((report.flow("main").rejected, report.flow("other").rejected), (3, 1));
    site
}

#[track_caller]
fn run(site: &Site, code: i32, arguments: &[&str]) -> Run {
    let run = site.run(["dead-letters"].iter().chain(arguments));
    assert_eq!(run.code, Some(code), "{arguments:?}: {run}");
    run
}

fn replay_files(site: &Site) -> Vec<PathBuf> {
    let folders = fs::read_dir(site.path("data/replay")).into_iter().flatten().filter_map(|f| fs::read_dir(f.ok()?.path()).ok());
    folders.flatten().map(|f| f.unwrap().path()).collect()
}

#[test]
fn letters_are_listed_and_chosen() {
    let site = failed();
    let all = run(&site, 0, &["list"]).text();
    assert_eq!(all.lines().count(), 5, "{all}");
    assert!(all.contains("in:input.ndjson:10") && all.contains("convert") && all.contains("not JSON"), "{all}");
    assert!(!all.contains("\"n\"") && !all.contains('\u{1b}'), "records are shown on demand: {all}");
    let records = run(&site, 0, &["list", "--records"]).text();
    assert!(records.contains("    {\"n\":\"seven\"}\n") && records.contains("    no json\n") && !records.contains('\u{1b}'), "{records}");
    for (arguments, count) in [
        (&["--pipeline", "main"][..], 3),
        (&["--pipeline", "main", "--pipeline", "other"], 4),
        (&["--cause", "decode"], 2),
        (&["--cause", "decode", "--pipeline", "other"], 1),
        (&["--step", "convert"], 2),
        (&["--since", "1h"], 4),
        (&["--until", "2100-01-01T00:00:00Z", "--limit", "3"], 3),
    ] {
        let run = run(&site, 0, &[&["list", "--output", "json"], arguments].concat());
        let letters: Vec<serde_json::Value> =
            run.text().lines().map(|line| serde_json::from_str(&line.replace("1e999", "1")).unwrap()).collect();
        assert_eq!(letters.len(), count, "{arguments:?}: {run}");
        assert!(letters.iter().all(|letter| letter["origin"]["source"] == "in"));
    }
    for arguments in [&["--until", "1h"][..], &["--plugin", "none"], &["--pipeline", "nobody"], &["--cause", "trap"], &["--limit", "0"]] {
        assert!(run(&site, 1, &[&["list"], arguments].concat()).out.is_empty(), "{arguments:?}");
    }
    let summary = run(&site, 0, &["list", "--summary", "--output", "json"]).text();
    let summary: Vec<serde_json::Value> = summary.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts: Vec<_> =
        summary.iter().map(|s| (s["pipeline"].as_str().unwrap(), s["cause"].as_str().unwrap(), s["letters"].as_u64().unwrap())).collect();
    assert_eq!(counts, [("main", "decode", 1), ("main", "reject", 2), ("other", "decode", 1)]);
    for arguments in [&["list", "--since", "yesterday"][..], &["list", "--cause", "bad luck"], &["list", "-c", "missing.yaml"]] {
        run(&site, 2, arguments);
    }
}

#[test]
fn damaged_lines_are_told_and_the_others_shown() {
    let site = failed();
    let mut text = site.read(PRIVATE);
    text.splice(0..0, b"{\"record\":\xff\n\0\0\0\n".iter().copied());
    text.extend_from_slice(b"{\"record\":{\"unfinished");
    fs::write(site.path(PRIVATE), text).unwrap();
    let listed = run(&site, 0, &["list"]);
    assert_eq!(listed.text().lines().count(), 5, "{listed}");
    assert!(listed.err.contains("2 lines") && listed.err.contains(PRIVATE) && listed.err.contains("at byte 0"), "{listed}");
    run(&site, 0, &["replay"]);
    let left = site.read(PRIVATE);
    assert!(
        left.starts_with(b"{\"record\":\xff\n\0\0\0\n{\"record\":{\"unfin"),
        "what is no letter stays: {:?}",
        String::from_utf8_lossy(&left)
    );
    if !is_root() {
        fs::set_permissions(site.path(PRIVATE), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
        run(&site, 3, &["list"]);
    }
}

/// Permissions mean nothing to root.
fn is_root() -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| status.contains("\nUid:\t0\t"))
}

#[test]
fn a_mended_configuration_takes_what_the_broken_one_rejected() {
    let site = failed();
    let (out, all) = (site.lines("out.ndjson"), site.lines("all.ndjson"));
    site.config(&config(MENDED));
    let run_again = run(&site, 0, &["replay", "--cause", "reject", "--output", "json"]).json();
    assert_eq!((&run_again["replayed"], &run_again["pipelines"]["main"], &run_again["host"]), (&2.into(), &2.into(), &"stopped".into()));
    let left = site.letters(PRIVATE);
    assert_eq!((left.len(), left[0].cause()), (1, "decode"), "only the chosen ones are gone");
    assert_eq!(replay_files(&site).len(), 1);
    fs::write(site.path("input.ndjson"), "").unwrap();
    let report = site.delivered();
    assert_eq!((report.flow("main").out, report.flow("other").taken), (2, 0), "they go to their own pipeline alone");
    assert_eq!(site.lines("out.ndjson")[out.len()..], ["{\"n\":\"seven\"}", "{\"n\":\"\\u001b[31m\",\"a\":{\"a\":1e999}}"]);
    assert_eq!(site.lines("all.ndjson"), all);
    assert_eq!(replay_files(&site), Vec::<PathBuf>::new(), "what is safe is removed");
    run(&site, 1, &["replay", "--cause", "reject"]);
}

#[test]
fn what_fails_again_is_a_letter_again_from_the_same_place() {
    let site = failed();
    let before: Vec<_> =
        site.letters(PRIVATE).into_iter().map(|l| (l.record().to_owned(), l.value["origin"].clone(), l.cause().to_owned())).collect();
    run(&site, 0, &["replay"]);
    assert_eq!((site.lines(PRIVATE).len(), site.lines("failed.ndjson").len()), (0, 0));
    fs::write(site.path("input.ndjson"), "").unwrap();
    site.delivered();
    let mut after: Vec<_> =
        site.letters(PRIVATE).into_iter().map(|l| (l.record().to_owned(), l.value["origin"].clone(), l.cause().to_owned())).collect();
    after.sort_by_key(|(_, origin, _)| before.iter().position(|(_, o, _)| o == origin));
    assert_eq!(after, before);
    assert_eq!(site.letters("failed.ndjson").len(), 1);
}

#[test]
fn a_mended_codec_decodes_what_another_one_could_not() {
    let site = failed();
    site.config(&config(".again = true").replace("paths: ['input*.ndjson']", "paths: ['input*.ndjson'], codec: text"));
    run(&site, 0, &["replay", "--cause", "decode", "--pipeline", "main"]);
    fs::write(site.path("input.ndjson"), "").unwrap();
    site.delivered();
    assert_eq!(site.lines("out.ndjson").last().unwrap(), "{\"message\":\"no json\",\"again\":true}");
}

#[test]
fn what_cannot_be_run_again_stays() {
    let long = format!("{{\"n\":\"{}\"}}\n", "x".repeat(2 << 20));
    let site = Site::with(&config(BROKEN), format!("{long}{INPUT}"));
    site.delivered();
    site.config(&config(MENDED).replace("  main:", "  renamed:"));
    let told = run(&site, 1, &["replay"]);
    assert!(told.err.contains("4 letters are of pipelines that the configuration does not have"), "{told}");
    assert!(told.err.contains("1 letters hold only the beginning"), "{told}");
    assert!(told.text().contains("1 letters of `other`"), "{told}");
    assert_eq!((site.letters(PRIVATE).len(), site.letters("failed.ndjson").len()), (4, 1));
    // A file for a pipeline that went away after it was made.
    fs::create_dir_all(site.path("data/replay/gone")).unwrap();
    fs::copy(site.path(PRIVATE), site.path("data/replay/gone/a.ndjson")).unwrap();
    let run = site.once();
    assert!(run.code == Some(0) && run.err.matches("no pipeline `gone`").count() == 1, "{run}");
    assert!(site.path("data/replay/gone/a.ndjson").exists());
}

#[test]
fn a_running_host_takes_them() {
    let site = Site::with(&config(BROKEN), INPUT);
    let live = site.start(["run"]);
    eventually("the letters", || site.lines(PRIVATE).len() == 3);
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(site.path(PRIVATE)).unwrap());
    let told = run(&site, 0, &["replay", "--output", "json"]).json();
    assert_eq!((&told["replayed"], &told["host"]), (&4.into(), &"running".into()));
    let letters = || site.lines(PRIVATE).into_iter().filter(|line| !line.trim().is_empty()).count();
    eventually("they fail again, into the same file", || letters() == 3 && replay_files(&site).is_empty());
    assert_eq!(std::os::unix::fs::MetadataExt::ino(&fs::metadata(site.path(PRIVATE)).unwrap()), inode);
    assert_eq!(run(&site, 0, &["list", "--pipeline", "main"]).text().lines().count(), 4);
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
    site.config(&config(MENDED));
    let live = site.start(["run"]);
    run(&site, 0, &["replay", "--cause", "reject"]);
    eventually("they are delivered", || site.lines("out.ndjson").iter().any(|line| line.contains("seven")));
    live.signal("TERM");
    assert_eq!(live.wait().code, Some(0));
}

#[test]
fn a_host_whose_sources_have_ended_ends() {
    let site = Site::new();
    site.config("sources: { in: { type: demo, rate: unlimited, count: 10 } }\npipelines: { main: { from: [in], to: [out] } }\nsinks: { out: { type: file, path: out.ndjson } }");
    let mut live = site.start(["run"]);
    assert!(live.ends_within(Duration::from_secs(10)), "{}", live.err());
    assert_eq!(site.lines("out.ndjson").len(), 10);
}

#[test]
fn a_data_folder_has_one_host() {
    let site = Site::with(&config(BROKEN), INPUT);
    let live = site.start(["run"]);
    eventually("the letters", || site.lines(PRIVATE).len() == 3);
    let second = site.once();
    assert_eq!(second.code, Some(3), "{second}");
    assert!(second.err.contains("./data") && second.err.contains(&format!("process {}", live.pid())), "{second}");
    assert!(second.err.contains("settings.data_dir"), "{second}");
    live.signal("KILL");
    live.wait();
    assert_eq!(site.once().code, Some(0), "the lock went with its holder");
}

/// How often each record arrived, with those that are still letters or wait to be run again.
fn found(site: &Site) -> (BTreeMap<u64, usize>, Vec<u64>) {
    let mut arrived = BTreeMap::new();
    for line in site.lines("out.ndjson") {
        let Ok(record) = serde_json::from_str::<serde_json::Value>(&line) else { continue };
        *arrived.entry(record["id"].as_u64().unwrap()).or_default() += 1;
    }
    let waiting = [site.path(PRIVATE)].into_iter().chain(replay_files(site)).filter(|p| p.extension().is_some_and(|e| e == "ndjson"));
    let mut letters = Vec::new();
    for file in waiting {
        let text = fs::read(file).unwrap_or_default();
        for line in text.split(|b| *b == b'\n').filter(|line| line.starts_with(b"{")) {
            if let Ok(letter) = serde_json::from_slice::<serde_json::Value>(line) {
                letters.push(letter["record"]["id"].as_u64().unwrap());
            }
        }
    }
    (arrived, letters)
}

/// Host and command are killed again and again while letters are run again and new ones come; at every moment each record is
/// delivered, a letter, or waits to be run again, and in the end each is delivered.
#[test]
fn kills_lose_nothing() {
    const COUNT: u64 = 20_000;
    let input: String = (0..COUNT).map(|id| format!("{{\"id\":{id},\"n\":\"x{id}\"}}\n")).collect();
    let site = Site::with(&config(BROKEN), &input);
    site.delivered();
    let (arrived, letters) = found(&site);
    assert_eq!((arrived.len(), letters.len() as u64), (0, COUNT));
    fs::write(site.path("input.ndjson"), "").unwrap();
    let mut seed = 11u64;
    let mut random = move |below: u64| {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) % below
    };
    // What is dropped is killed, with SIGKILL.
    let kill = |mut live: Live, after: Duration| live.ends_within(after);
    let began = Instant::now();
    let (mut ended, mut delivered, mut repeats) = (0, 0, false);
    for round in 0.. {
        // Some of what is run again fails again: what is delivered in the end depends on a number in its last place.
        let digit = round % 8;
        site.config(&config(&format!("if !ends_with(to_string!(.id), \"{digit}\") {{ .n = to_int!(.n) }}")));
        let host = site.start(["run"]);
        std::thread::sleep(Duration::from_millis(random(60)));
        let limit = (100 + random(3_000)).to_string();
        let command = site.start(["dead-letters", "replay", "--limit", &limit]);
        ended += u32::from(kill(command, Duration::from_millis(random(60))));
        kill(host, Duration::from_millis(random(120)));
        let (arrived, letters) = found(&site);
        assert!(letters.len() as u64 <= 10 * COUNT, "round {round}: {} letters, though only what was under way is repeated", letters.len());
        let mut there: Vec<u64> = arrived.keys().copied().chain(letters).collect();
        delivered = arrived.len();
        there.sort_unstable();
        repeats |= there.len() as u64 > COUNT || arrived.values().any(|times| *times > 1);
        there.dedup();
        assert_eq!(there.len() as u64, COUNT, "round {round}: a record is lost");
        // On a busy machine it takes more rounds until a kill comes at an unfortunate moment.
        if (round >= 40 && ended > 0 && delivered > 0 && repeats) || began.elapsed() > Duration::from_secs(40) {
            break;
        }
    }
    assert!(ended > 0 && delivered > 0 && repeats, "{ended} commands ended, {delivered} records came: the test proves little");
    site.config(&config(MENDED));
    site.run(["dead-letters", "replay"]);
    site.delivered();
    let (arrived, letters) = found(&site);
    assert_eq!((arrived.len() as u64, letters), (COUNT, vec![]));
    assert_eq!(run(&site, 1, &["replay"]).err.trim(), "tamis: no dead letters");
}

#[test]
fn of_what_cannot_be_decoded_no_more_is_kept_than_the_pipeline_says() {
    for (undecodable, kept) in [("keep", Some("\"bm8ganNvbg==\"")), ("digest", Some("{\"bytes\":7,\"sha256\":\"")), ("drop", None)] {
        let pipelines = format!("main: {{ from: [in], to: [out], undecodable: {undecodable} }}");
        let config = format!(
            "sources: {{ in: {{ type: file, paths: ['input*.ndjson'] }} }}\npipelines: {{ {pipelines} }}\nsinks: {{ out: {{ type: file, path: out.ndjson }} }}"
        );
        let site = Site::with(&config, "{\"n\":1}\nno json\n{\"n\":2}\n");
        let report = site.delivered();
        let flow = report.flow("main");
        assert_eq!((flow.out, flow.rejected + flow.dropped), (2, 1), "{undecodable}");
        assert_eq!(flow.dropped == 1, kept.is_none(), "{undecodable}");
        let letters = fs::read_to_string(site.path(PRIVATE)).unwrap_or_default();
        match kept {
            Some(kept) => assert!(letters.starts_with(&format!("{{\"record\":{kept}")), "{undecodable}: {letters}"),
            None => assert_eq!(letters, "", "{undecodable}"),
        }
        if undecodable == "digest" {
            let listed = run(&site, 0, &["list", "--records"]).text();
            assert!(listed.contains("only its length and digest are kept"), "{listed}");
            let told = run(&site, 1, &["replay"]);
            assert!(told.err.contains("1 letters hold only the beginning or the digest"), "{told}");
        }
    }
}
