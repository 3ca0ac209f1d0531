//! Files as they are found: patterns, line ends, sizes, and files that grow.

use tamis_tests::harness::{Site, eventually};

const FILES: &str = "
sources: { in: { type: file, paths: PATHS } }
pipelines: { main: { from: [in], to: [out], dead_letters: [failed] } }
sinks: { out: { type: file, path: out.json }, failed: { type: file, path: failed.json } }";

fn site(paths: &str) -> Site {
    let site = Site::new();
    site.config(&FILES.replace("PATHS", paths));
    site
}

fn text(site: &Site) -> String {
    String::from_utf8(site.read("out.json")).unwrap()
}

#[test]
fn lines_end_in_several_ways() {
    for (input, expected) in [
        ("{\"a\":1}\n{\"a\":2}\n", "{\"a\":1}\n{\"a\":2}\n"),
        ("{\"a\":1}\r\n{\"a\":2}\r\n", "{\"a\":1}\n{\"a\":2}\n"),
        ("{\"a\":1}\n{\"a\":2}", "{\"a\":1}\n{\"a\":2}\n"),
        ("{\"a\":1}\r\n{\"a\":2}\r", "{\"a\":1}\n{\"a\":2}\n"),
        ("\n\n{\"a\":1}\n\r\n\n{\"a\":2}\n\n", "{\"a\":1}\n{\"a\":2}\n"),
        ("\n", ""),
        ("\r\n", ""),
        ("", ""),
        ("{\"a\":1}", "{\"a\":1}\n"),
        (" {\"a\":1} \n", " {\"a\":1} \n"),
    ] {
        let site = site("[input.ndjson]");
        site.write("input.ndjson", input);
        let flow = site.delivered().flow("main");
        assert_eq!(flow.out as usize, expected.lines().count(), "{input:?}");
        assert_eq!(text(&site), expected, "{input:?}");
    }
}

#[test]
fn lines_of_blanks_are_no_records_or_dead_letters() {
    let site = site("[input.ndjson]");
    site.write("input.ndjson", "{\"a\":1}\n   \n\t\n{\"a\":2}\n");
    let flow = site.delivered().flow("main");
    assert_eq!((flow.out, flow.rejected), (2, flow.taken - 2));
    assert_eq!(text(&site), "{\"a\":1}\n{\"a\":2}\n");
}

#[test]
fn a_mark_of_byte_order_costs_at_most_its_record() {
    let site = site("[input.ndjson]");
    site.write("input.ndjson", "\u{feff}{\"a\":1}\n{\"a\":2}\n");
    let flow = site.delivered().flow("main");
    assert_eq!(flow.taken, 2);
    assert!(text(&site).ends_with("{\"a\":2}\n") && !text(&site).contains('\u{feff}'));
}

#[test]
fn a_line_of_two_mebibytes_is_a_dead_letter() {
    let long = format!("{{\"long\":\"{}\"}}", "x".repeat(2 << 20));
    for position in ["before", "middle", "after"] {
        let input = match position {
            "before" => format!("{long}\n{{\"a\":1}}\n"),
            "middle" => format!("{{\"a\":1}}\n{long}\n{{\"a\":2}}"),
            _ => format!("{{\"a\":1}}\n{long}"),
        };
        let site = site("[input.ndjson]");
        site.write("input.ndjson", &input);
        let report = site.delivered();
        let letters = site.letters("failed.json");
        assert_eq!((report.flow("main").rejected, letters.len(), letters[0].cause()), (1, 1, "decode"), "{position}");
        assert!(
            letters[0].reason().contains(&format!("a record of {} bytes", long.len())) && letters[0].reason().contains("max_record"),
            "{}",
            letters[0].reason()
        );
        assert!(letters[0].text.len() < 200_000, "not all of it is kept");
        assert_eq!(site.lines("out.json").len(), input.lines().count() - 1, "{position}");
    }
    // The operator may want it.
    let site = Site::with(&FILES.replace("PATHS", "[input.ndjson], max_record: 4MiB"), format!("{{\"a\":1}}\n{long}\n"));
    assert_eq!(site.delivered().flow("main").out, 2);
    assert_eq!(text(&site), format!("{{\"a\":1}}\n{long}\n"));
}

#[test]
fn patterns_and_exclusions() {
    let site = site("['logs/**/*.log', logs/a.log, 'logs/[xy].txt'], exclude: ['logs/old/*', 'logs/**/no*.log']");
    for (file, kept) in [
        ("logs/a.log", true),
        ("logs/b.log", true),
        ("logs/deep/er/c.log", true),
        ("logs/x.txt", true),
        ("logs/z.txt", false),
        ("logs/old/d.log", false),
        ("logs/deep/no.log", false),
        ("logs/a.log.1", false),
    ] {
        site.write(file, format!("{{\"file\":\"{file}\",\"kept\":{kept}}}\n"));
    }
    std::fs::create_dir(site.path("logs/folder.log")).unwrap();
    let flow = site.delivered().flow("main");
    assert_eq!((flow.taken, flow.out), (4, 4), "each file once, though two patterns name it");
    assert_eq!(text(&site).matches("\"kept\":true").count(), 4, "{}", text(&site));
}

#[test]
fn a_file_that_cannot_be_read_is_told_and_the_others_are_delivered() {
    let site = site("['*.ndjson']");
    site.write("a.ndjson", "{\"a\":1}\n");
    // Reading it fails even for root, though it looks like a file that can be opened.
    std::os::unix::fs::symlink("/proc/self/mem", site.path("b.ndjson")).unwrap();
    let run = site.once();
    assert_eq!(run.code, Some(3), "{run}");
    assert!(run.err.contains("b.ndjson"), "{run}");
    assert_eq!(text(&site), "{\"a\":1}\n", "what could be read is delivered");
}

#[test]
fn what_is_added_is_followed() {
    let site = site("['logs/*.log']");
    site.write("logs/a.log", "{\"a\":1}\n{\"a\":");
    let mut live = site.start(["run"]);
    eventually("the first record", || text(&site) == "{\"a\":1}\n");
    let append = |name: &str, bytes: &str| {
        use std::io::Write;
        std::fs::OpenOptions::new().append(true).create(true).open(site.path(name)).unwrap().write_all(bytes.as_bytes()).unwrap();
    };
    append("logs/a.log", "2}\n{\"a\":3}\r\n");
    eventually("the line that was written in two parts", || text(&site) == "{\"a\":1}\n{\"a\":2}\n{\"a\":3}\n");
    append("logs/b.log", "{\"b\":1}\n");
    eventually("a new file", || text(&site).ends_with("{\"b\":1}\n"));
    assert!(live.runs());
    live.signal("TERM");
    let run = live.wait();
    assert_eq!(run.code, Some(0), "{run}");
    assert_eq!(site.lines("out.json").len(), 4);
}
