//! Order: what comes from one file leaves in its order, whatever the lanes do.

use std::fmt::Write as _;
use tamis_tests::harness::Site;

const COUNT: usize = 200_000;

#[test]
fn two_hundred_thousand_records_keep_their_order_over_two_lanes() {
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines:
  main:
    from: [in]
    steps:
      # Every third record goes elsewhere, and batches take unequal time.
      - vrl: 'if mod!(.n, 1000) < 5 { .h = sha2(to_string!(.n) + string!(.pad)) }'
      - route: { third: 'mod!(.n, 3) == 0' }
    to: { default: [out], third: [third] }
sinks: { out: { type: file, path: out.ndjson }, third: { type: file, path: third.ndjson } }
settings: { admin: off, lanes: 2, batch: { records: 100 } }";
    let input = (0..COUNT).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"n\":{n},\"pad\":\"{}\"}}", "x".repeat(n % 97));
        text
    });
    let site = Site::with(config, input);
    let report = site.delivered();
    assert_eq!((report.flow("main").taken, report.flow("main").out), (COUNT as u64, COUNT as u64));
    assert_eq!(report.source("in"), (COUNT as u64, 0));
    let number = |line: &String| line.split([':', ',']).nth(1).unwrap().parse::<usize>().unwrap();
    let (out, third): (Vec<usize>, Vec<usize>) =
        (site.lines("out.ndjson").iter().map(number).collect(), site.lines("third.ndjson").iter().map(number).collect());
    assert!(out.iter().copied().eq((0..COUNT).filter(|n| n % 3 != 0)), "the default output is out of order");
    assert!(third.iter().copied().eq((0..COUNT).filter(|n| n % 3 == 0)), "the other output is out of order");
}

#[test]
fn each_of_several_files_keeps_its_order() {
    let site = Site::new();
    site.config(
        "
sources:
  a: { type: file, paths: ['logs/a*.ndjson'] }
  b: { type: file, paths: ['logs/b*.ndjson'] }
pipelines: { main: { from: [a, b], to: [out] } }
sinks: { out: { type: file, path: out.ndjson } }
settings: { admin: off, lanes: 2, batch: { records: 64 } }",
    );
    let files = ["a1", "a2", "b1", "b2"];
    for file in files {
        let text = (0..5_000).fold(String::new(), |mut text, n| {
            let _ = writeln!(text, "{{\"file\":\"{file}\",\"n\":{n}}}");
            text
        });
        site.write(&format!("logs/{file}.ndjson"), text);
    }
    let report = site.delivered();
    assert_eq!((report.flow("main").out, report.source("a").0, report.source("b").0), (20_000, 10_000, 10_000));
    let lines = site.lines("out.ndjson");
    for file in files {
        let start = format!("{{\"file\":\"{file}\",\"n\":");
        let found: Vec<usize> = lines.iter().filter_map(|line| line.strip_prefix(&start)?.strip_suffix('}')?.parse().ok()).collect();
        assert!(found.into_iter().eq(0..5_000), "{file} is out of order");
    }
}

#[test]
fn dead_letters_keep_their_order_too() {
    let config = "
sources: { in: { type: file, paths: [input.ndjson] } }
plugins: { h: { component: PLUGIN(hostile), grant: { read: [message], write: [.] }, config: reject-poison poison } }
pipelines: { main: { from: [in], steps: [ { plugin: h } ], to: { default: [out], errors: [] }, dead_letters: [failed] } }
sinks: { out: { type: file, path: out.ndjson }, failed: { type: file, path: failed.ndjson } }
settings: { admin: off, lanes: 2, batch: { records: 50 } }";
    let input = (0..20_000).fold(String::new(), |mut text, n| {
        let _ = writeln!(text, "{{\"n\":{n},\"message\":\"{}\"}}", if n % 7 == 0 { "poison" } else { "m" });
        text
    });
    let site = Site::with(config, input);
    let report = site.delivered();
    let letters = site.letters("failed.ndjson");
    assert_eq!((report.dead("main", "reject"), letters.len()), (2_858, 2_858));
    assert!(letters.iter().enumerate().all(|(place, letter)| letter.value["record"]["n"] == 7 * place));
}
