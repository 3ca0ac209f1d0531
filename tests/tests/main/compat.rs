//! Compatibility of the contract: components built for an old version go on running, newer ones say which host they need.

use std::path::{Path, PathBuf};
use tamis_tests::harness::{Site, plugin};

/// The folders of tests/compat, one for each version of the contract.
fn frozen() -> Vec<PathBuf> {
    let compat = Path::new(env!("CARGO_MANIFEST_DIR")).join("compat");
    let entries = std::fs::read_dir(compat).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

#[test]
fn old_components_go_on_running() {
    let folders = frozen();
    assert!(!folders.is_empty());
    for folder in folders {
        let site = Site::new();
        for file in ["plugin.wasm", "plugin.wasm.sha256", "input.ndjson", "pipeline.yaml"] {
            site.write(file, std::fs::read(folder.join(file)).unwrap());
        }
        let name = folder.display();
        let digest = site.start_shell("sha256sum --check --status plugin.wasm.sha256").wait();
        assert_eq!(digest.code, Some(0), "{name}: the component is not the one that was kept");
        let run = site.run(["run", "-c", "pipeline.yaml", "--once", "--again", "--report", "0", "--output", "json"]);
        assert_eq!(run.code, Some(0), "{name}: {run}");
        run.report().conserved();
        assert!(run.err.contains("the prefix has 2 bytes"), "{name}: what it logs: {run}");
        for output in ["good.ndjson", "errors.ndjson"] {
            let expected = std::fs::read_to_string(folder.join("expected").join(output)).unwrap();
            assert_eq!(site.lines(&format!("out/{output}")), expected.lines().collect::<Vec<_>>(), "{name}: {output}");
        }
        let letters = site.letters("out/failed.ndjson");
        assert_eq!(letters.len(), 1, "{name}");
        assert!(letters[0].reason().starts_with("status: expected a number from 0"), "{name}: {:?}", letters[0]);
    }
}

#[test]
fn a_newer_contract_says_which_host_it_needs() {
    for (version, told) in [
        ("0.9.0", "a host of version 0.9.0 or newer is needed"),
        ("1.0.0", "a host of version 1.0.0 or newer is needed"),
        ("0.0.1", "rebuild the plugin with an SDK for contract 0.1.0"),
    ] {
        let old = std::fs::read(plugin("share")).unwrap();
        let site = Site::with(
            "sources: { i: { type: stdin } }\nplugins: { newer: { component: newer.wasm } }\npipelines: { main: { from: [i], steps: [{ plugin: newer }], to: [o] } }\nsinks: { o: { type: stdout } }",
            "",
        );
        // Versions of the same length: the names stand in the component as text.
        site.write("newer.wasm", replaced(&old, b"tamis:plugin/transform@0.1.0", format!("tamis:plugin/transform@{version}").as_bytes()));
        for arguments in [&["check"][..], &["run", "--once"]] {
            let run = site.run(arguments);
            assert_eq!(run.code, Some(2), "{version}: {run}");
            let text = run.text() + &run.err;
            assert!(text.contains(told) && text.contains("plugin `newer`") && text.contains(version), "{version}: {run}");
        }
        let inspect = site.run(["--output", "json", "plugin", "inspect", "newer.wasm"]);
        assert_eq!((inspect.code, inspect.json()["contract"].as_str()), (Some(1), Some(version)), "{inspect}");
        assert!(inspect.err.contains(told), "{version}: {inspect}");
    }
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let mut out = bytes.to_vec();
    let mut at = 0;
    while let Some(found) = out[at..].windows(from.len()).position(|window| window == from) {
        out[at + found..at + found + to.len()].copy_from_slice(to);
        at += found + to.len();
    }
    assert!(at > 0, "the component holds no {}", String::from_utf8_lossy(from));
    out
}
