//! Files of plugins that are not as they should be: broken ones in a folder, names that would drive a terminal, several plugins of which
//! one cannot be built.

use tamis_tests::harness::{Site, plugin};

#[test]
fn a_list_shows_what_cannot_be_read_beside_the_rest() {
    let site = Site::new();
    site.write("plugins/tenant.wasm", std::fs::read(plugin("tenant")).unwrap());
    let sound = site.run(["plugin", "list", "plugins"]);
    assert_eq!((sound.code, sound.text().contains("problem")), (Some(0), false), "{sound}");
    std::os::unix::fs::symlink("nowhere", site.path("plugins/dangling.wasm")).unwrap();
    std::fs::create_dir(site.path("plugins/folder.wasm")).unwrap();
    std::fs::create_dir(site.path("plugins/tenant.wasm.minisig")).unwrap();
    let run = site.run(["plugin", "list", "plugins", "--docs", "pages"]);
    assert_eq!(run.code, Some(1), "{run}");
    for part in ["dangling", "folder", "tenant", "sha256:", "problem", "No such file", "directory"] {
        assert!(run.text().contains(part), "{part}: {run}");
    }
    let json = site.run(["plugin", "list", "plugins", "--output", "json"]);
    let entries = json.json();
    let names: Vec<&str> = entries.as_array().unwrap().iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!((json.code, names.as_slice()), (Some(1), &["dangling", "folder", "tamis-plugin-tenant"][..]), "{json}");
    assert!(entries.as_array().unwrap().iter().all(|entry| entry["problem"].is_string()), "{json}");
    assert!(String::from_utf8(site.read("pages/dangling.md")).unwrap().contains("No such file"));
}

#[test]
fn no_name_of_a_file_drives_the_terminal() {
    let site = Site::new();
    let name = "a\u{1b}[2J\rb";
    site.write(&format!("{name}/{name}.wasm"), "no component");
    let wasm = format!("{name}/{name}.wasm");
    std::os::unix::fs::symlink("nowhere", site.path(&format!("{name}/dangling {name}.wasm"))).unwrap();
    for arguments in [
        &["plugin", "build", name][..],
        &["plugin", "inspect", &wasm],
        &["plugin", "inspect", &wasm, "--sbom"],
        &["plugin", "check", &wasm],
        &["plugin", "test", name],
        &["plugin", "dev", &wasm],
        &["plugin", "list", name],
        &["plugin", "list", &format!("{name}/none")],
        &["plugin", "verify", &wasm, "--key", name],
        &["plugin", "push", &format!("{name}/none.wasm"), "oci://localhost:1/a:1"],
        &["plugin", "sdk", "update", name],
    ] {
        let run = site.run(arguments);
        let told = format!("{}{}", run.text(), run.err);
        assert!(run.code.is_some_and(|code| (1..=3).contains(&code)), "{arguments:?}: {run}");
        assert!(!told.contains(['\u{1b}', '\r']) && !told.is_empty(), "{arguments:?}: {told:?}");
    }
}

#[test]
fn a_plugin_that_cannot_be_built_keeps_none_of_the_others_from_it() {
    let site = Site::new();
    let tools = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools");
    if !tools.join("python/bin/componentize-py").is_file() {
        println!("passed over: no componentize-py (`make tools` installs it)");
        return;
    }
    // What was built of the same sources is taken as it is, so this takes no compiler.
    let source = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins/tenant-python");
    site.write("out/tenant-python.wasm", std::fs::read(plugin("tenant-python")).unwrap());
    for folder in ["script", "crate"] {
        std::fs::create_dir(site.path(folder)).unwrap();
    }
    site.write("script/package.json", "{ broken");
    site.write("crate/Cargo.toml", "broken [");
    let source = source.to_str().unwrap();
    let run = site.run(["plugin", "build", "crate", "script", source, "--out", "out"]);
    assert_eq!(run.code, Some(1), "{run}");
    assert!(run.text().contains("out/tenant-python.wasm ("), "{run}");
    for part in ["package.json is not JSON", "Cargo.toml", "1 of 3 plugins were built"] {
        assert!(run.err.contains(part), "{part}: {run}");
    }
    let json = site.run(["plugin", "build", "script", source, "--out", "out", "--output", "json"]);
    assert_eq!((json.code, json.json()[0]["name"].as_str()), (Some(1), Some("tenant-python")), "{json}");
}
