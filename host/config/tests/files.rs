//! Configurations of several files and folders, and what can be wrong with files.

use std::fs;
use std::path::{Path, PathBuf};

use tamis_config::{Config, Diagnostics, FILE_BYTES_MAX, ProcessEnvironment};
use tempfile::TempDir;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file can be written");
    }
    folder
}

fn load(path: &Path) -> (Option<Config>, Diagnostics) {
    Config::load(&[path.to_path_buf()], &ProcessEnvironment)
}

fn codes(diagnostics: &Diagnostics) -> Vec<&'static str> {
    diagnostics.iter().map(|diagnostic| diagnostic.code).collect()
}

#[test]
fn a_folder_is_merged_and_components_are_relative_to_it() {
    let files = folder(&[
        ("a.yaml", "version: 1\nplugins: { p: { component: plugins/p.wasm } }\nsettings: { lanes: 3 }\n"),
        ("b.yml", "sinks: { s: { type: stdout } }\n"),
        ("ignored.txt", "not YAML: [\n"),
        (".hidden.yaml", "not YAML: [\n"),
    ]);
    let (config, diagnostics) = load(files.path());
    assert_eq!(diagnostics.render(false), "");
    let config = config.expect("it is sound");
    assert_eq!(config.plugins["p"].component_path, files.path().join("plugins/p.wasm"));
    assert_eq!(&*config.plugins["p"].component.value, "plugins/p.wasm");
    assert!(config.sinks.contains_key("s"));
    assert_eq!(config.folder, files.path());
}

#[test]
fn several_files_each_have_their_folder() {
    let (one, two) = (folder(&[("a.yaml", "version: 1\n")]), folder(&[("b.yaml", "plugins: { p: { component: p.wasm } }\n")]));
    let paths: Vec<PathBuf> = vec![one.path().join("a.yaml"), two.path().join("b.yaml")];
    let (config, diagnostics) = Config::load(&paths, &ProcessEnvironment);
    assert_eq!(diagnostics.render(false), "");
    assert_eq!(config.expect("it is sound").plugins["p"].component_path, two.path().join("p.wasm"));
}

#[test]
fn a_name_in_two_files_names_both_places() {
    let sink = "version: 1\nsinks: { s: { type: stdout } }\nsettings: {}\n";
    let files = folder(&[("a.yaml", sink), ("b.yaml", sink)]);
    let (config, diagnostics) = load(files.path());
    assert!(config.is_none());
    assert_eq!(codes(&diagnostics), ["E021", "E021"]);
    let text = diagnostics.render(false);
    assert!(text.contains("b.yaml:2:10") && text.contains("a.yaml:2:10"), "{text}");
}

#[test]
fn files_that_cannot_be_taken_are_refused() {
    let files = folder(&[]);
    let missing = files.path().join("missing.yaml");
    assert_eq!(codes(&load(&missing).1), ["E001"]);
    assert_eq!(codes(&load(files.path()).1), ["E026"]);

    let large = files.path().join("large.yaml");
    let bytes = usize::try_from(FILE_BYTES_MAX).expect("the limit is small");
    fs::write(&large, vec![b'#'; bytes + 1]).expect("a file can be written");
    assert_eq!(codes(&load(&large).1), ["E002"]);
    fs::write(&large, [&vec![b'#'; bytes - 11][..], b"\nversion: 1"].concat()).expect("a file can be written");
    assert_eq!(load(&large).1.render(false), "");

    let latin = files.path().join("latin.yaml");
    fs::write(&latin, b"version: 1\nsinks: { caf\xe9: { type: 'null' } }\n").expect("a file can be written");
    assert_eq!(codes(&load(&latin).1), ["E003"]);
}

#[test]
fn a_secret_file_is_read_relative_to_the_configuration_and_not_beyond_its_limit() {
    let text = "version: 1\nplugins: { p: { component: p.wasm, config: { key: '${file:key}' } } }\n";
    let files = folder(&[("a.yaml", text), ("key", "abc\r\n")]);
    let (config, diagnostics) = load(&files.path().join("a.yaml"));
    assert_eq!(diagnostics.render(false), "");
    assert_eq!(config.expect("it is sound").plugins["p"].config, serde_json::json!({ "key": "abc" }));
    let endless = text.replace("file:key", "file:/dev/zero");
    fs::write(files.path().join("a.yaml"), endless).expect("a file can be written");
    assert_eq!(codes(&load(&files.path().join("a.yaml")).1), ["E023"]);
}
