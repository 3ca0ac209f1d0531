//! What `tamis plugin build` embeds into components of each language, and how `tamis plugin inspect` shows it.

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use tamis_tests::harness::{Run, Site, plugin, section, with_section};

fn inspect(component: &Path, more: &[&str]) -> Run {
    let site = Site::new();
    let mut command = site.command(["plugin", "inspect"]);
    // A language's runtime takes a busy machine longer to compile than the harness waits, so the code is kept.
    command.args(more).arg(component).env("XDG_CACHE_HOME", concat!(env!("CARGO_TARGET_TMPDIR"), "/cache"));
    let output = command.output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    Run { code: output.status.code(), signal: None, out: output.stdout, err, took: std::time::Duration::ZERO }
}

/// Component, package, language, SDK, and a part that is in it.
const LANGUAGES: [(&str, &str, &str, &str, &str); 3] = [
    ("tenant", "tamis-plugin-tenant", "rust", "tamis-plugin", "serde"),
    ("tenant-js", "tenant-js", "js", "@tamis/plugin", "componentize-qjs"),
    ("tenant-python", "tamis-plugin-tenant-python", "python", "tamis-plugin", "componentize-py"),
];

#[test]
fn every_language_embeds_the_same() {
    let text = |path: &str| json!({ "path": path, "kind": "text" });
    let reads: Vec<Value> = ["ApiOwner", "apiCreatorTenantDomain", "apiContext", "userName"].into_iter().map(text).collect();
    let signature = json!({ "reads": reads, "writes": [text("tenant")], "outputs": [], "drops": false });
    for (name, package, language, sdk, _) in LANGUAGES {
        let run = inspect(&plugin(name), &["--output", "json"]);
        assert_eq!(run.code, Some(0), "{run}");
        let shown = run.json();
        let (metadata, about) = (&shown["metadata"], &shown["metadata"]["tamis:plugin"]);
        assert_eq!((&metadata["name"], &metadata["version"]), (&package.into(), &"0.1.0".into()), "{name}");
        assert_eq!((&metadata["authors"], &metadata["licenses"]), (&"The Tamis contributors".into(), &"Apache-2.0".into()), "{name}");
        assert!(metadata["description"].as_str().unwrap().contains("tenant"), "{name}: {metadata}");
        assert_eq!((&about["format"], &about["language"]), (&1.into(), &language.into()), "{name}");
        assert_eq!(about["sdk"], json!({ "name": sdk, "version": "0.1.0" }), "{name}");
        assert_eq!((&about["contract"], &shown["contract"]), (&"0.1.0".into(), &"0.1.0".into()), "{name}");
        assert_eq!((&about["example"]["signature"], &shown["signature"]), (&signature, &signature), "{name}");
        assert_eq!((&about["example"]["config"], &shown["config"]["default"]), (&shown["config"], &"nobody".into()), "{name}");
        let imports = shown["imports"].as_array().unwrap();
        assert!(imports.iter().all(|import| import.as_str().unwrap().starts_with("tamis:plugin/")), "{name}: {imports:?}");
        let bytes = std::fs::metadata(plugin(name)).unwrap().len();
        assert_eq!((&shown["bytes"], &shown["signature_file"]), (&bytes.into(), &Value::Null), "{name}");
    }
}

#[test]
fn every_language_says_what_it_is_made_of() {
    for (name, package, _, sdk, part) in LANGUAGES {
        let run = inspect(&plugin(name), &["--sbom"]);
        assert_eq!(run.code, Some(0), "{run}");
        let document = run.json();
        assert_eq!((&document["bomFormat"], &document["specVersion"]), (&"CycloneDX".into(), &"1.5".into()), "{name}");
        assert_eq!(document["metadata"]["component"]["name"], package, "{name}");
        let components = document["components"].as_array().unwrap();
        let find = |name: &str| components.iter().find(|component| component["name"] == name);
        let required = |name: &str| find(name).is_some_and(|component| component["scope"] == "required");
        assert!(required(part) && required(sdk), "{name}: {document}");
        // A part out of a folder is in no registry, whatever its name.
        assert!(find(sdk).unwrap().get("purl").is_none(), "{name}: {document}");
        assert!(find(part).unwrap()["purl"].as_str().unwrap().contains(part), "{name}: {document}");
        let root = document["metadata"]["component"]["bom-ref"].as_str().unwrap();
        let needs = document["dependencies"].as_array().unwrap().iter().find(|entry| entry["ref"] == root).unwrap();
        assert!(!needs["dependsOn"].as_array().unwrap().is_empty(), "{name}: {needs}");
    }
}

#[test]
fn text_shows_it_and_nothing_in_it_moves_the_terminal() {
    let run = inspect(&plugin("tenant"), &[]);
    assert_eq!(run.code, Some(0), "{run}");
    let text = run.text();
    for line in [
        "name            tamis-plugin-tenant",
        "authors         The Tamis contributors",
        "SDK             tamis-plugin 0.1.0",
        "contract        0.1.0",
        "parts list      CycloneDX (--sbom)",
        "reads           ApiOwner (text), apiCreatorTenantDomain (text)",
        "writes          tenant (text)",
        "drops           no",
    ] {
        assert!(text.contains(line), "{line}: {run}");
    }

    let site = Site::new();
    let forged = with_section(&std::fs::read(plugin("tenant")).unwrap(), "description", Some(b"calm\x1b[2J\nname  other\xe2\x80\xae"));
    let forged = with_section(&forged, "sbom.cyclonedx.json", Some(b"{\"a\":\x1b}"));
    let path = site.write("forged.wasm", forged);
    let run = inspect(&path, &[]);
    let text = run.text();
    assert!(run.code == Some(0) && text.contains("calm\\u{1b}[2J\\nname  other\\u{202e}") && !text.contains('\u{1b}'), "{run}");
    let page = inspect(&path, &["--docs"]).text();
    assert!(page.contains("calm \\[2J name  other") && !page.contains('\u{1b}'), "{page}");
    let run = inspect(&path, &["--sbom"]);
    assert!(run.code == Some(1) && run.out.is_empty() && !run.err.contains('\u{1b}') && run.err.contains("parts list"), "{run}");
    let none = site.write("none.wasm", with_section(&std::fs::read(plugin("tenant")).unwrap(), "sbom.cyclonedx.json", None));
    let run = inspect(&none, &["--sbom"]);
    assert!(run.code == Some(1) && run.err.contains("tamis plugin build"), "{run}");
}

#[test]
fn a_configuration_of_ones_own_and_what_is_no_component() {
    let run = inspect(&plugin("tenant"), &["--output", "json", "--config", r#"{"owners":{"cio":"x"}}"#]);
    assert_eq!((run.code, &run.json()["signature"]["reads"]), (Some(0), &json!([{ "path": "ApiOwner", "kind": "text" }])), "{run}");
    let run = inspect(&plugin("tenant"), &["--output", "json", "--config", "{}"]);
    assert!(run.code == Some(1) && run.json()["refused"].as_str().unwrap().contains("owners"), "{run}");
    let site = Site::new();
    let run = inspect(&site.write("core.wasm", b"\0asm\x01\0\0\0"), &[]);
    assert!(run.code == Some(1) && run.err.contains("expected a component"), "{run}");
    let run = inspect(&site.path("absent.wasm"), &[]);
    assert!(run.code == Some(2) && run.err.contains("absent.wasm"), "{run}");
}

#[test]
fn a_component_from_elsewhere_says_little_and_is_shown_all_the_same() {
    let site = Site::new();
    let mut component = std::fs::read(plugin("tenant")).unwrap();
    for name in ["tamis:plugin", "component-name", "version", "description", "authors", "licenses", "producers"] {
        assert!(section(&component, name).is_some(), "the build embeds no {name}");
        component = with_section(&component, name, None);
    }
    let run = inspect(&site.write("else.wasm", component), &["--output", "json", "--config", r#"{"default":"x"}"#]);
    assert_eq!(run.code, Some(0), "{run}");
    let shown = run.json();
    assert_eq!((&shown["metadata"]["name"], &shown["metadata"]["tamis:plugin"]), (&"".into(), &Value::Null), "{run}");
    assert_eq!(shown["contract"], "0.1.0", "{run}");
}

#[test]
fn the_pages_of_the_reference_plugins_are_current() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let pages = root.join("docs/reference/plugins");
    let plugins = std::fs::read_dir(root.join("plugins")).unwrap().map(|entry| entry.unwrap().path());
    let plugins: Vec<PathBuf> = plugins.filter(|path| path.join("cases").is_dir()).collect();
    assert!(plugins.len() >= 16, "{plugins:?}");
    for folder in &plugins {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let run = inspect(&plugin(name), &["--docs"]);
        assert_eq!(run.code, Some(0), "{name}: {run}");
        let kept = std::fs::read_to_string(pages.join(format!("{name}.md"))).unwrap_or_default();
        assert_eq!(run.text(), kept, "docs/reference/plugins/{name}.md is not current: `make plugin-docs` writes it");
    }
    assert_eq!(std::fs::read_dir(pages).unwrap().count(), plugins.len(), "a page of a plugin that is no more");
}
