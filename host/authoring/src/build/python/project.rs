//! What a plugin's `pyproject.toml` says of how it is built.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tamis_config::FileError;

use crate::Error;

/// The file that makes a folder a Python project.
pub(super) const MANIFEST: &str = "pyproject.toml";

/// A plugin's project.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Project {
    /// The folder's name.
    pub(super) name: String,
    /// The folder, absolute.
    pub(super) folder: PathBuf,
    /// The module that holds the plugin's class: `tenant`, `tenant.plugin`.
    pub(super) module: String,
    /// The plugin's class.
    pub(super) class: String,
    /// The packages (folders) and modules (files) that go into the component.
    pub(super) sources: Vec<PathBuf>,
    /// `site-packages` of the project's own `.venv`.
    pub(super) site_packages: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Manifest {
    tool: Option<Tools>,
}

#[derive(Deserialize)]
struct Tools {
    tamis: Option<Table>,
}

/// The table `[tool.tamis]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    plugin: String,
    #[serde(default)]
    modules: Vec<String>,
}

impl Project {
    /// Reads the project in `folder`.
    pub(super) fn read(folder: &Path) -> Result<Self, Error> {
        let folder = folder.canonicalize().map_err(FileError::at(folder))?;
        let path = folder.join(MANIFEST);
        let text = fs::read_to_string(&path).map_err(FileError::at(&path))?;
        let wrong = |reason: String| Error::NotAPlugin { folder: folder.clone(), reason };
        let manifest: Manifest = toml::from_str(&text).map_err(|error| wrong(format!("{MANIFEST}: {}", error.to_string().trim_end())))?;
        let table = manifest.tool.and_then(|tool| tool.tamis).ok_or_else(|| {
            wrong(format!("{MANIFEST} has no [tool.tamis]; add it with plugin = \"package:Class\", which names the plugin's class"))
        })?;
        let Some((module, class)) = table.plugin.split_once(':').filter(|(module, class)| is_path(module) && is_name(class)) else {
            return Err(wrong(format!("{MANIFEST}: [tool.tamis] plugin: expected \"package:Class\", found {:?}", table.plugin)));
        };
        let top = module.split('.').next().unwrap_or(module);
        let sources = std::iter::once(top).chain(table.modules.iter().map(String::as_str)).map(|name| {
            if !is_name(name) {
                return Err(wrong(format!("{MANIFEST}: [tool.tamis] modules: expected names of packages or modules, found {name:?}")));
            }
            source(&folder, name)
                .ok_or_else(|| wrong(format!("there is no package or module `{name}`: expected {name}/, {name}.py, or these below src/")))
        });
        let sources = sources.collect::<Result<_, _>>()?;
        let name =
            folder.file_name().map(|name| name.to_string_lossy().into_owned()).ok_or_else(|| wrong("its folder has no name".to_owned()))?;
        let (module, class) = (module.to_owned(), class.to_owned());
        Ok(Self { name, module, class, sources, site_packages: site_packages(&folder), folder })
    }
}

/// Where a top-level package or module of the project lies.
fn source(folder: &Path, name: &str) -> Option<PathBuf> {
    [folder.join("src"), folder.to_owned()].into_iter().find_map(|root| {
        let (package, module) = (root.join(name), root.join(format!("{name}.py")));
        if package.join("__init__.py").is_file() { Some(package) } else { module.is_file().then_some(module) }
    })
}

fn site_packages(folder: &Path) -> Option<PathBuf> {
    let mut versions: Vec<PathBuf> = fs::read_dir(folder.join(".venv/lib"))
        .ok()?
        .flatten()
        .map(|entry| entry.path().join("site-packages"))
        .filter(|path| path.is_dir())
        .collect();
    versions.sort();
    versions.pop()
}

/// Whether it is an identifier; those of ASCII are enough for the names of modules.
fn is_name(text: &str) -> bool {
    text.chars().next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

fn is_path(text: &str) -> bool {
    text.split('.').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn project(manifest: &str, files: &[&str]) -> (tempfile::TempDir, Result<Project, String>) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::write(folder.path().join(MANIFEST), manifest).expect("a manifest");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, "").expect("a file");
        }
        let project = Project::read(folder.path()).map_err(|error| error.to_string());
        (folder, project)
    }

    #[test]
    fn packages_and_modules_are_found_with_and_without_src() {
        let manifest = "[project]\nname = \"x\"\n[tool.tamis]\nplugin = \"tenant.plugin:Tenant\"\nmodules = [\"tables\"]\n";
        let (folder, project) = project(manifest, &["src/tenant/__init__.py", "tables.py", ".venv/lib/python3.14/site-packages/a.py"]);
        let (project, root) = (project.expect("a project"), folder.path().canonicalize().expect("a folder"));
        assert_eq!((project.module.as_str(), project.class.as_str()), ("tenant.plugin", "Tenant"));
        assert_eq!(project.sources, [root.join("src/tenant"), root.join("tables.py")]);
        assert_eq!(project.site_packages, Some(root.join(".venv/lib/python3.14/site-packages")));
    }

    #[test]
    fn errors_say_what_to_write() {
        let error = |manifest: &str| project(manifest, &[]).1.expect_err(manifest);
        assert!(error("[project]\n").contains("no [tool.tamis]; add it with plugin = \"package:Class\""));
        assert!(error("[tool.tamis]\nplugin = \"tenant\"\n").contains("expected \"package:Class\", found \"tenant\""));
        assert!(error("[tool.tamis]\nplugin = \"a;b:C\"\n").contains("expected \"package:Class\""));
        assert!(error("[tool.tamis]\nplugin = \"a:B\"\n").contains("there is no package or module `a`: expected a/, a.py"));
        assert!(error("[tool.tamis]\nplugins = \"a:B\"\n").contains("unknown field `plugins`"));
        assert!(error("[tool").contains("pyproject.toml: TOML parse error at line 1"));
    }
}
