//! Each owner's records in the owner's own file, and in nobody else's.

use std::collections::{BTreeMap, BTreeSet};
use tamis_tests::harness::Site;

const COUNT: usize = 6_000;
const CONFIG: &str = r#"
sources: { in: { type: file, paths: [input.ndjson] } }
plugins:
  share:
    component: PLUGIN(share)
    grant: { read: [ApiOwner, AppliOwner], write: [labels.shared.Application.code] }
pipelines:
  main: { from: [in], steps: [{ plugin: share }], to: [owners], dead_letters: [failed] }
sinks:
  owners: { type: file, path: "out/%{labels.shared.Application.code}/calls.ndjson", open_files: 8, idle: 1s }
  failed: { type: file, path: failed.ndjson }
settings: { admin: off, lanes: 2, batch: { records: 200 } }"#;

/// Owners as they may come, and each as `share` writes it; `None` is nobody.
const OWNERS: [(&str, Option<&str>); 20] = [
    (r#""cio""#, Some("cio")),
    (r#""CIO""#, Some("cio")),
    (r#"" cio ""#, Some("cio")),
    (r#""s7""#, Some("s7")),
    (r#""S7_""#, Some("s7_")),
    (r#""s7\u005f""#, Some("s7_")),
    (r#""_""#, Some("_")),
    (r#""..""#, Some("..")),
    (r#""../cio""#, Some("../cio")),
    (r#""/etc""#, Some("/etc")),
    (r#""cio/calls.ndjson""#, Some("cio/calls.ndjson")),
    (r#""%63io""#, Some("%63io")),
    (r#""é1_""#, Some("é1_")),
    (r#""a,b""#, Some("a,b")),
    (r#""[a]""#, Some("[a]")),
    (r#""null""#, None),
    (r#""""#, None),
    ("null", None),
    ("7", None),
    (r#""ci\no""#, None),
];

/// The name of an owner's folder: what is no letter, digit, `.`, `_` or `-` is escaped, and so is a `.` or `_` in front.
fn folder(owner: &str) -> String {
    let plain = |at: usize, b: u8| b.is_ascii_alphanumeric() || b == b'-' || (at > 0 && b"._".contains(&b));
    let name = |(at, b): (usize, u8)| if plain(at, b) { char::from(b).to_string() } else { format!("%{b:02X}") };
    if owner.is_empty() { "_".to_owned() } else { owner.bytes().enumerate().map(name).collect() }
}

fn number(line: &str) -> usize {
    let record: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    record["n"].as_u64().unwrap() as usize
}

/// The records of each file below `out/`, by folder.
fn found(site: &Site) -> BTreeMap<String, Vec<usize>> {
    let folders = std::fs::read_dir(site.path("out")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    folders.map(|name| (name.clone(), site.lines(&format!("out/{name}/calls.ndjson")).iter().map(|line| number(line)).collect())).collect()
}

#[test]
fn no_record_reaches_a_third_owner() {
    let mut rng = fastrand::Rng::with_seed(7);
    let mut input = String::new();
    let mut expected: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for n in 0..COUNT {
        let [api, appli] = [(); 2].map(|()| OWNERS[rng.usize(..OWNERS.len())]);
        // A list that came along says nothing.
        let list = if n % 5 == 0 { r#","labels":{"shared":{"Application":{"code":["cio","intruder"]}}}"# } else { "" };
        input.push_str(&format!("{{\"n\":{n},\"ApiOwner\":{},\"AppliOwner\":{}{list}}}\n", api.0, appli.0));
        let mut owners: BTreeSet<&str> = [api.1, appli.1].into_iter().flatten().collect();
        if owners.is_empty() {
            owners.insert("");
        }
        for owner in owners {
            expected.entry(folder(owner)).or_default().push(n);
        }
    }
    let site = Site::with(CONFIG, input);
    let report = site.delivered();
    assert_eq!((report.flow("main").out, report.delivered("owners")), (COUNT as u64, COUNT as u64));
    let found = found(&site);
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (owner, numbers) in &expected {
        assert!(found[owner] == *numbers, "the file of `{owner}` does not hold exactly the owner's records, in their order");
    }
    assert_eq!(site.read("failed.ndjson"), b"");
}

#[test]
fn a_record_for_too_many_owners_is_a_dead_letter_and_nobody_gets_it() {
    let config = r#"
sources: { in: { type: file, paths: [input.ndjson] } }
pipelines: { main: { from: [in], to: [owners], dead_letters: [failed] } }
sinks:
  owners: { type: file, path: "out/%{owners}/calls.ndjson" }
  failed: { type: file, path: failed.ndjson }
settings: { admin: off, lanes: 2, batch: { records: 50 } }"#;
    let list = |count: usize| (0..count).map(|n| format!("\"o{n}\"")).collect::<Vec<_>>().join(",");
    let mut input = String::new();
    let (mut kept, mut refused) = (Vec::new(), Vec::new());
    for n in 0..1_000 {
        let (owners, stored) = match n % 7 {
            0 => (format!("[{}]", list(16)), true),
            1 => (format!("[{}]", list(17)), false),
            2 => (r#"["o0",null]"#.to_owned(), false),
            3 => (r#"[["o0"]]"#.to_owned(), false),
            _ => (r#"["o0"]"#.to_owned(), true),
        };
        if stored {
            kept.push(n)
        } else {
            refused.push((n, input.len() as u64))
        }
        input.push_str(&format!("{{\"n\":{n},\"owners\":{owners}}}\n"));
    }
    let site = Site::with(config, input);
    let report = site.delivered();
    assert_eq!((report.delivered("owners"), report.dead("main", "sink")), (kept.len() as u64, refused.len() as u64));
    let found = found(&site);
    assert_eq!(found.len(), 16);
    assert_eq!(found["o0"], kept);
    assert!(found["o15"].iter().all(|n| n % 7 == 0));
    let letters: Vec<(usize, u64)> = site
        .lines("failed.ndjson")
        .iter()
        .map(|line| {
            let letter: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!(letter["failure"]["cause"], "sink");
            assert!(letter["failure"]["reason"].as_str().unwrap().starts_with("sink `owners`: the path's field holds a list"), "{line}");
            (letter["record"]["n"].as_u64().unwrap() as usize, letter["origin"]["position"]["offset"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(letters, refused);
}
