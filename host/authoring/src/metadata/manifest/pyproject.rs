//! `pyproject.toml` and what pip has installed beside it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Manifest, person, string, text, wrong};
use crate::Error;
use crate::build::python;
use crate::sbom::{Ecosystem, Part};

/// The distribution of the SDK.
const SDK: &str = "tamis-plugin";
/// The tool, whose CPython and standard library are in every component.
const RUNTIME: &str = "componentize-py";
/// The manifest of the SDK that this host builds into plugins which have none installed.
const SDK_MANIFEST: &str = include_str!("../../../../../plugins/sdk/python/pyproject.toml");
/// What the tools and pip itself bring along: installed, never part of a plugin.
const TOOLS: [&str; 4] = ["pip", "setuptools", "wheel", "pytest"];

pub(super) fn read(manifest: &Path) -> Result<(Manifest, Vec<Part>), Error> {
    let document: Value = toml::from_str(&text(manifest)?).map_err(|error| wrong(manifest, error))?;
    let project = of_project(&document);
    let folder = manifest.parent().unwrap_or(manifest);
    let mut parts = vec![Part {
        ecosystem: Ecosystem::PyPi,
        name: project.name.clone(),
        version: project.version.clone(),
        licenses: project.licenses.clone(),
        description: project.description.clone(),
        root: true,
        published: false,
        shipped: true,
        hash: None,
        dependencies: Vec::new(),
    }];
    for distribution in installed(&folder.join(".venv")) {
        if let Some(part) = distribution_part(&text(&distribution)?)
            && part.name != project.name
        {
            parts.push(part);
        }
    }
    if !parts.iter().any(|part| part.name == SDK) {
        parts.push(own_sdk());
    }
    if !parts.iter().any(|part| part.name == RUNTIME) {
        parts.push(runtime());
    }
    let needed: Vec<String> = document
        .pointer("/project/dependencies")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .map(requirement)
        .collect();
    let known: Vec<(String, String)> = parts
        .iter()
        .skip(1)
        .filter(|part| needed.contains(&part.name) || part.name == SDK || part.name == RUNTIME)
        .map(|part| (part.name.clone(), part.version.clone()))
        .collect();
    if let Some(root) = parts.first_mut() {
        root.dependencies = known;
    }
    let sdk = parts.iter().find(|part| part.name == SDK).map(|part| (part.name.clone(), part.version.clone()));
    Ok((Manifest { sdk, ..project }, parts))
}

/// The SDK that this host carries.
fn own_sdk() -> Part {
    let document: Value = toml::from_str(SDK_MANIFEST).unwrap_or_default();
    let project = of_project(&document);
    Part {
        ecosystem: Ecosystem::PyPi,
        name: SDK.to_owned(),
        version: project.version,
        licenses: project.licenses,
        description: project.description,
        root: false,
        published: false,
        shipped: true,
        hash: None,
        dependencies: Vec::new(),
    }
}

/// The tool in the version that this host is made for; it may lie anywhere in PATH.
fn runtime() -> Part {
    Part {
        ecosystem: Ecosystem::PyPi,
        name: RUNTIME.to_owned(),
        version: python::VERSION.to_owned(),
        licenses: String::new(),
        description: "CPython and its standard library, as the tool puts them into the component".to_owned(),
        root: false,
        published: true,
        shipped: true,
        hash: None,
        dependencies: Vec::new(),
    }
}

fn of_project(document: &Value) -> Manifest {
    let project = &document["project"];
    let people = project["authors"].as_array().into_iter().flatten();
    let licence = Some(string(project, "/license")).filter(|licence| !licence.is_empty());
    // Keys of [project.urls] are labels that people choose; these are the usual ones.
    let url = |labels: &[&str]| {
        let urls = project["urls"].as_object().into_iter().flatten();
        let found = urls.filter(|(label, _)| labels.contains(&label.to_ascii_lowercase().as_str())).find_map(|(_, url)| url.as_str());
        found.unwrap_or_default().to_owned()
    };
    Manifest {
        name: string(project, "/name"),
        version: string(project, "/version"),
        description: string(project, "/description"),
        authors: people.map(|who| person(&string(who, "/name"), &string(who, "/email"))).filter(|who| !who.is_empty()).collect(),
        licenses: licence.unwrap_or_else(|| string(project, "/license/text")),
        source: url(&["repository", "source", "source code", "sourcecode"]),
        homepage: url(&["homepage", "home", "documentation"]),
        owner: string(document, "/tool/tamis/owner"),
        sdk: None,
    }
}

/// The `METADATA` of each installed distribution, by name.
fn installed(environment: &Path) -> Vec<PathBuf> {
    let entries = |folder: &Path| -> Vec<PathBuf> {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        entries.sort();
        entries
    };
    let packages = entries(&environment.join("lib")).into_iter().map(|python| python.join("site-packages"));
    let distributions = packages.flat_map(|folder| entries(&folder)).filter(|path| path.extension().is_some_and(|end| end == "dist-info"));
    distributions.map(|folder| folder.join("METADATA")).filter(|path| path.is_file()).collect()
}

/// What the head of a distribution's `METADATA` says: lines of `Key: value` up to the first empty one.
fn distribution_part(metadata: &str) -> Option<Part> {
    let head = || metadata.lines().take_while(|line| !line.is_empty()).filter_map(|line| line.split_once(": "));
    let first = |key: &str| head().find(|(found, _)| *found == key).map(|(_, value)| value.trim().to_owned());
    let name = requirement(&first("Name")?);
    let licence = first("License-Expression").or_else(|| first("License")).filter(|licence| licence.len() < 100);
    (!TOOLS.contains(&name.as_str())).then(|| Part {
        ecosystem: Ecosystem::PyPi,
        version: first("Version").unwrap_or_default(),
        licenses: licence.unwrap_or_default(),
        description: first("Summary").unwrap_or_default(),
        root: false,
        published: name != SDK,
        shipped: true,
        hash: None,
        dependencies: Vec::new(),
        name,
    })
}

/// The distribution that a requirement (`Name[extra]>=1; marker`) names, as package indexes spell it.
fn requirement(text: &str) -> String {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))).unwrap_or(text.len());
    text.get(..end).unwrap_or_default().to_ascii_lowercase().replace(['_', '.'], "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_and_what_is_installed_are_read() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("pyproject.toml");
        let project = r#"
            [project]
            name = "tenant"
            version = "1.2.3"
            description = "Whose call it is"
            license = { text = "MIT" }
            authors = [{ name = "Mail team", email = "mail@example.org" }, { name = "Someone" }]
            dependencies = ["Tamis_Plugin>=0.1", "regex[fast]; python_version > '3'"]
            [project.urls]
            Repository = "https://example.org/tenant"
            [tool.tamis]
            owner = "mail"
        "#;
        std::fs::write(&path, project).expect("written");
        for (name, head) in [
            ("tamis_plugin", "Name: tamis-plugin\nVersion: 0.1.0\n\nVersion: 9"),
            ("pip", "Name: pip\nVersion: 24\n"),
            ("regex", "Name: regex\nVersion: 2\nLicense: MIT\n"),
        ] {
            let info = folder.path().join(format!(".venv/lib/python3.11/site-packages/{name}.dist-info"));
            std::fs::create_dir_all(&info).expect("a folder");
            std::fs::write(info.join("METADATA"), head).expect("written");
        }
        let (manifest, parts) = read(&path).expect("a manifest");
        assert_eq!((manifest.version.as_str(), manifest.licenses.as_str(), manifest.owner.as_str()), ("1.2.3", "MIT", "mail"));
        assert_eq!(manifest.authors, ["Mail team <mail@example.org>", "Someone"]);
        assert_eq!(manifest.source, "https://example.org/tenant");
        assert_eq!(manifest.sdk, Some(("tamis-plugin".to_owned(), "0.1.0".to_owned())));
        assert_eq!(parts.iter().map(|part| part.name.as_str()).collect::<Vec<_>>(), ["tenant", "regex", "tamis-plugin", "componentize-py"]);
        assert_eq!(parts[0].dependencies.len(), 3);

        std::fs::remove_dir_all(folder.path().join(".venv")).expect("removed");
        let (manifest, parts) = read(&path).expect("a manifest");
        assert!(manifest.sdk.is_some_and(|(name, version)| name == "tamis-plugin" && !version.is_empty()), "the one that is built in");
        assert_eq!(parts.len(), 3);

        std::fs::write(&path, "[project\n").expect("written");
        let error = read(&path).expect_err("cut short").to_string();
        assert!(error.contains("pyproject.toml") && error.contains("line 1"), "{error}");
    }
}
