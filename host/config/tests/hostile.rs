//! No text, however made, makes the reader panic, loop or print what it must not.

use std::io;
use std::path::Path;

use proptest::prelude::*;
use tamis_config::{Config, Environment};

struct Nothing;

impl Environment for Nothing {
    fn var(&self, name: &str) -> Option<String> {
        (name == "S").then(|| "hunter2".to_owned())
    }

    fn file(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn check(text: &str) {
    let (config, diagnostics) = Config::parse("t.yaml", text, Path::new(""), &Nothing);
    assert_eq!(config.is_some(), !diagnostics.has_errors());
    let printed = format!("{}{}{config:?}", diagnostics.render(false), diagnostics.to_json());
    assert!(text.contains("hunter2") || !printed.contains("hunter2"));
    assert!(printed.chars().all(|c| c == '\n' || !c.is_control()), "{printed:?}");
}

/// Pieces that configurations are made of, and pieces that YAML trips over.
const PIECES: [&str; 68] = [
    "version",
    "sources",
    "plugins",
    "pipelines",
    "sinks",
    "settings",
    "type",
    "file",
    "stdin",
    "demo",
    "paths",
    "codec",
    "json",
    "from",
    "steps",
    "to",
    "vrl",
    "route",
    "plugin",
    "grant",
    "read",
    "limits",
    "memory",
    "config",
    "lanes",
    "admin",
    "batch",
    ": ",
    ":",
    "\n",
    "\n  ",
    "\n    ",
    "\n      ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ", ",
    "1",
    "-1",
    "1.5",
    "1e999",
    "64MiB",
    "10s",
    "true",
    "null",
    "~",
    "'",
    "\"",
    "|",
    ">",
    "&a ",
    "*a",
    "!!str ",
    "!x ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "${S}",
    "${X:-1}",
    "${",
    "#",
    "\t",
    "\r\n",
    "\u{feff}",
    "\u{1b}",
    "é",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_do_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn arbitrary_pieces_do_not_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..80)) {
        check(&pieces.concat());
    }

    #[test]
    fn a_damaged_example_does_not_panic(at in 0_usize..1_600, length in 0_usize..30, piece in prop::sample::select(&PIECES[..])) {
        let whole = include_str!("cases/sound_surface.yaml");
        let end = (at + length).min(whole.len());
        if let (Some(before), Some(after)) = (whole.get(..at), whole.get(end..)) {
            check(&format!("{before}{piece}{after}"));
        }
    }
}

#[test]
fn what_would_grow_is_cut_short() {
    let bomb: String = (1..30).map(|i| format!("a{i}: &a{i} [{}]\n", vec![format!("*a{}", i - 1); 10].join(","))).collect();
    for text in [
        format!("a0: &a0 [x]\n{bomb}"),
        // Large texts repeated.
        format!("a: &a {}\nb: [{}]", "x".repeat(1 << 20), vec!["*a"; 1_000].join(",")),
        // Variables repeated.
        format!("sinks: {{ s: {{ type: file, path: '{}' }} }}", "${X:-0123456789abcdef0123456789abcdef}".repeat(1 << 16)),
        "[".repeat(1 << 16),
        "{a: ".repeat(1 << 16),
        "- ".repeat(1 << 16),
        "? ".repeat(1 << 16),
        "a: &a ".repeat(1 << 12),
        format!("{}x", "&a [".repeat(60)),
        (0..50_000).map(|i| format!("k{}: 1\n", i % 10)).collect(),
        (0..50_000).map(|i| format!("unknown{i}: 1\n")).collect(),
        format!("settings:\n{}", (0..50_000).map(|i| format!("  unknown{i}: 1\n")).collect::<String>()),
        format!("settings: {{ {}: 1 }}", "k".repeat(1 << 20)),
        format!("pipelines: {{ p: {{ from: s, steps: [{}] }} }}", "{plugin: 1},".repeat(20_000)),
        format!("plugins: {{ p: {{ component: p, config: [{}] }} }}", ".inf,".repeat(20_000)),
    ] {
        let start = std::time::Instant::now();
        check(&text);
        let seconds = start.elapsed().as_secs();
        assert!(seconds < 10, "{seconds} s for {}…", text.get(..40).unwrap_or(&text));
    }
}
