//! `package.json` and `package-lock.json`.

use std::path::Path;

use serde_json::Value;

use super::{Manifest, person, string, text, wrong};
use crate::Error;
use crate::sbom::{Ecosystem, Part, base64_to_hex};

/// The package of the SDK.
const SDK: &str = "@tamis/plugin";
/// The tool that puts its own JavaScript engine into the component: needed to build only, and shipped all the same.
const ENGINE: &str = "componentize-qjs";
/// Folders above the plugin's that are searched for packages.
const LEVELS_MAX: usize = 32;

pub(super) fn read(manifest: &Path) -> Result<(Manifest, Vec<Part>), Error> {
    let json = |path: &Path| -> Result<Value, Error> { serde_json::from_str(&text(path)?).map_err(|error| wrong(path, error)) };
    let path = manifest;
    let package = json(manifest)?;
    let lock = manifest.with_file_name("package-lock.json");
    let lock = if lock.is_file() { json(&lock)? } else { Value::Null };
    let manifest = of_package(&package);
    let mut parts = parts(&manifest, &package, &lock);
    add_unlocked(path, &package, &mut parts);
    let sdk = parts.iter().find(|part| part.name == SDK).map(|part| (part.name.clone(), part.version.clone()));
    Ok((Manifest { sdk, ..manifest }, parts))
}

fn of_package(package: &Value) -> Manifest {
    let people = package.get("author").into_iter().chain(package["contributors"].as_array().into_iter().flatten());
    let authors = people.map(|who| match who {
        Value::String(text) => text.trim().to_owned(),
        who => person(&string(who, "/name"), &string(who, "/email")),
    });
    let source = Some(string(package, "/repository")).filter(|source| !source.is_empty());
    let source = source.unwrap_or_else(|| string(package, "/repository/url"));
    Manifest {
        name: string(package, "/name"),
        version: string(package, "/version"),
        description: string(package, "/description"),
        authors: authors.filter(|author| !author.is_empty()).collect(),
        licenses: string(package, "/license"),
        source: source.trim_start_matches("git+").to_owned(),
        homepage: string(package, "/homepage"),
        owner: string(package, "/tamis/owner"),
        sdk: None,
    }
}

/// The packages of a lock file of version 2 or 3. Without one only the plugin itself is known.
fn parts(manifest: &Manifest, package: &Value, lock: &Value) -> Vec<Part> {
    let locked = lock["packages"].as_object();
    // A package that is linked into place is described where it lies.
    let described = |entry: &'_ Value| -> Value {
        let target = entry["link"].as_bool().unwrap_or(false).then(|| string(entry, "/resolved"));
        target.and_then(|target| locked?.get(&target).cloned()).unwrap_or_else(|| entry.clone())
    };
    let installed = locked.into_iter().flatten().filter_map(|(place, entry)| {
        let name = place.rsplit_once("node_modules/")?.1.to_owned();
        Some((place.as_str(), name, entry["link"].as_bool().unwrap_or(false), described(entry)))
    });
    let installed: Vec<_> = installed.collect();
    let find = |from: &str, name: &str| {
        // The nearest one up the tree, as Node looks for it.
        let mut folder = from;
        loop {
            let place = if folder.is_empty() { format!("node_modules/{name}") } else { format!("{folder}/node_modules/{name}") };
            if let Some((_, name, _, entry)) = installed.iter().find(|(found, ..)| *found == place) {
                return Some((name.clone(), string(entry, "/version")));
            }
            folder = match folder.rsplit_once("/node_modules/") {
                Some((above, _)) => above,
                None if folder.is_empty() => return None,
                None => "",
            };
        }
    };
    let needs = |from: &str, entry: &Value| -> Vec<(String, String)> {
        let named = ["dependencies", "optionalDependencies"].into_iter().filter_map(|key| entry[key].as_object());
        named.flatten().filter_map(|(name, _)| find(from, name)).collect()
    };
    let root = Part {
        ecosystem: Ecosystem::Npm,
        name: manifest.name.clone(),
        version: manifest.version.clone(),
        licenses: manifest.licenses.clone(),
        description: manifest.description.clone(),
        root: true,
        published: false,
        shipped: true,
        hash: None,
        dependencies: needs("", package),
    };
    let part = |(place, name, linked, entry): &(&str, String, bool, Value)| Part {
        ecosystem: Ecosystem::Npm,
        name: name.clone(),
        version: string(entry, "/version"),
        licenses: string(entry, "/license"),
        description: String::new(),
        root: false,
        published: !linked,
        shipped: name == ENGINE || !entry["dev"].as_bool().unwrap_or(false),
        hash: string(entry, "/integrity").strip_prefix("sha512-").and_then(base64_to_hex).map(|sum| ("SHA-512".to_owned(), sum)),
        dependencies: needs(place, entry),
    };
    std::iter::once(root).chain(installed.iter().map(part)).collect()
}

/// Adds the packages that the manifest names and no lock file has, as they are installed: those of a workspace, or of a plugin that keeps
/// no lock file.
fn add_unlocked(manifest: &Path, package: &Value, parts: &mut Vec<Part>) {
    let named = package["dependencies"].as_object().into_iter().flatten().map(|(name, _)| name.as_str());
    let engine = package.pointer("/devDependencies").is_some_and(|tools| tools.get(ENGINE).is_some()).then_some(ENGINE);
    for name in named.chain(engine) {
        if parts.iter().any(|part| part.name == name) {
            continue;
        }
        let Some((installed, linked)) = installed(manifest, name) else { continue };
        let version = string(&installed, "/version");
        if let Some(root) = parts.iter_mut().find(|part| part.root) {
            root.dependencies.push((name.to_owned(), version.clone()));
        }
        parts.push(Part {
            ecosystem: Ecosystem::Npm,
            name: name.to_owned(),
            version,
            licenses: string(&installed, "/license"),
            description: string(&installed, "/description"),
            root: false,
            published: !linked,
            shipped: true,
            hash: None,
            dependencies: Vec::new(),
        });
    }
}

/// The manifest of an installed package, in the nearest `node_modules` up the tree as Node looks for it, and whether it is a link to a folder.
fn installed(manifest: &Path, name: &str) -> Option<(Value, bool)> {
    let folder = std::fs::canonicalize(manifest.parent()?).ok()?;
    let found = folder.ancestors().take(LEVELS_MAX).map(|above| above.join("node_modules").join(name)).find(|place| place.is_dir())?;
    let linked = found.symlink_metadata().is_ok_and(|data| data.is_symlink())
        && found.canonicalize().is_ok_and(|real| !real.components().any(|part| part.as_os_str() == "node_modules"));
    Some((serde_json::from_str(&text(&found.join("package.json")).ok()?).ok()?, linked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_package_and_its_lock_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let package = json!({
            "name": "tenant", "version": "1.2.3", "description": "Whose call it is", "license": "MIT",
            "author": { "name": "Mail team", "email": "mail@example.org" }, "contributors": ["Someone <s@example.org>"],
            "repository": { "type": "git", "url": "git+https://example.org/tenant.git" }, "homepage": "https://example.org",
            "tamis": { "owner": "mail" }, "dependencies": { "@tamis/plugin": "0.1.0", "a": "1" }, "devDependencies": { "b": "1" },
        });
        let lock = json!({ "lockfileVersion": 3, "packages": {
            "": {},
            "../sdk": { "version": "0.1.0", "license": "Apache-2.0" },
            "node_modules/@tamis/plugin": { "resolved": "../sdk", "link": true },
            "node_modules/a": { "version": "1.0.0", "integrity": "sha512-AAEC", "dependencies": { "b": "^2" } },
            "node_modules/a/node_modules/b": { "version": "2.0.0" },
            "node_modules/b": { "version": "1.0.0", "dev": true },
        } });
        let path = folder.path().join("package.json");
        std::fs::write(&path, package.to_string()).expect("written");
        std::fs::write(folder.path().join("package-lock.json"), lock.to_string()).expect("written");
        let (manifest, parts) = read(&path).expect("a manifest");
        assert_eq!((manifest.name.as_str(), manifest.version.as_str(), manifest.owner.as_str()), ("tenant", "1.2.3", "mail"));
        assert_eq!(manifest.authors, ["Mail team <mail@example.org>", "Someone <s@example.org>"]);
        assert_eq!(manifest.source, "https://example.org/tenant.git");
        assert_eq!(manifest.sdk, Some(("@tamis/plugin".to_owned(), "0.1.0".to_owned())));
        let of = |name: &str, version: &str| parts.iter().find(|part| part.name == name && part.version == version).expect("a part");
        assert_eq!(of("a", "1.0.0").hash, Some(("SHA-512".to_owned(), "000102".to_owned())));
        assert_eq!(of("a", "1.0.0").dependencies, [("b".to_owned(), "2.0.0".to_owned())], "the nearest one counts");
        assert!(!of("b", "1.0.0").shipped && of("b", "2.0.0").shipped);
        assert!(!of("@tamis/plugin", "0.1.0").published);

        std::fs::remove_file(folder.path().join("package-lock.json")).expect("removed");
        let installed = folder.path().join("node_modules/@tamis/plugin");
        std::fs::create_dir_all(&installed).expect("a folder");
        std::fs::write(installed.join("package.json"), r#"{ "version": "0.2.0", "license": "MIT" }"#).expect("written");
        let (manifest, parts) = read(&path).expect("a manifest");
        assert_eq!(manifest.sdk, Some(("@tamis/plugin".to_owned(), "0.2.0".to_owned())), "as it is installed, without a lock file");
        assert_eq!(parts.len(), 2, "what is not installed is not known");

        std::fs::write(&path, "{").expect("written");
        assert!(read(&path).expect_err("cut short").to_string().contains("package.json"));
    }
}
