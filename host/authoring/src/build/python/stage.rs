//! A temporary folder with all that goes into a component, and nothing else: the tool sees no other file of the project.

use std::fs;
use std::path::{Path, PathBuf};

use tamis_config::FileError;

use super::project::Project;
use crate::Error;

/// The contract.
const WIT: &str = include_str!("../../../../../wit/tamis-plugin/plugin.wit");

/// The module that the tool starts from. Longer than any sound name of an author's module.
const ENTRY: &str = "tamis_plugin_entry";

/// The SDK's modules as they are built into plugins, by name and text: those of the same release as this host.
pub const SDK: &[(&str, &str)] = &[
    ("__init__.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/__init__.py")),
    ("batch.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/batch.py")),
    ("caseless.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/caseless.py")),
    ("config.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/config.py")),
    ("contract.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/contract.py")),
    ("errors.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/errors.py")),
    ("guest.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/guest.py")),
    ("host.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/host.py")),
    ("log.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/log.py")),
    ("metrics.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/metrics.py")),
    ("plugin.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/plugin.py")),
    ("read.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/read.py")),
    ("verdict.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/verdict.py")),
    ("write.py", include_str!("../../../../../plugins/sdk/python/src/tamis_plugin/write.py")),
];

/// The folder; gone with the value.
#[derive(Debug)]
pub(super) struct Stage {
    folder: tempfile::TempDir,
    site_packages: Option<PathBuf>,
}

impl Stage {
    /// Copies what the project builds of.
    pub(super) fn fill(project: &Project) -> Result<Self, Error> {
        let folder = tempfile::tempdir().map_err(FileError::at(std::env::temp_dir()))?;
        let stage = Self { folder, site_packages: project.site_packages.clone() };
        write(&stage.wit(), "plugin.wit", WIT)?;
        let entry = format!(
            "from {} import {} as plugin\nfrom tamis_plugin.guest import transform\n\nTransform = transform(plugin)\n",
            project.module, project.class
        );
        let app = stage.app();
        write(&app, &format!("{ENTRY}.py"), &entry)?;
        for source in &project.sources {
            if let Some(name) = source.file_name() {
                copy(source, &app.join(name))?;
            }
        }
        // The one that the author's tests ran with, where it is installed.
        if !stage.site_packages.as_ref().is_some_and(|folder| folder.join("tamis_plugin/guest.py").is_file()) {
            for (name, text) in SDK {
                write(&app.join("tamis_plugin"), name, text)?;
            }
        }
        // The form in which the tool looks for a virtual environment.
        let empty = stage.virtual_env().join("lib/python3/site-packages");
        fs::create_dir_all(&empty).map_err(FileError::at(empty))?;
        Ok(stage)
    }

    pub(super) fn wit(&self) -> PathBuf {
        self.folder.path().join("wit")
    }

    /// The author's packages and the SDK.
    pub(super) fn app(&self) -> PathBuf {
        self.folder.path().join("app")
    }

    pub(super) fn entry(&self) -> &'static str {
        ENTRY
    }

    /// Where modules are looked for.
    pub(super) fn python_path(&self) -> Vec<PathBuf> {
        std::iter::once(self.app()).chain(self.site_packages.clone()).collect()
    }

    /// The packages installed for the plugin.
    pub(super) fn site_packages(&self) -> Option<&Path> {
        self.site_packages.as_deref()
    }

    /// An empty virtual environment.
    pub(super) fn virtual_env(&self) -> PathBuf {
        self.folder.path().join("venv")
    }

    /// Where the tool leaves the component.
    pub(super) fn component(&self) -> PathBuf {
        self.folder.path().join("component.wasm")
    }
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    fs::create_dir_all(folder).map_err(FileError::at(folder))?;
    let path = folder.join(name);
    Ok(fs::write(&path, text).map_err(FileError::at(path))?)
}

/// Copies a file or a folder without what Python compiled there.
fn copy(from: &Path, to: &Path) -> Result<(), Error> {
    if !from.is_dir() {
        fs::copy(from, to).map_err(FileError::at(from))?;
        return Ok(());
    }
    fs::create_dir_all(to).map_err(FileError::at(to))?;
    for entry in fs::read_dir(from).map_err(FileError::at(from))? {
        let entry = entry.map_err(FileError::at(from))?;
        if entry.file_name() != "__pycache__" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_sdk_is_complete() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../plugins/sdk/python/src/tamis_plugin");
        let there: BTreeSet<String> = fs::read_dir(folder)
            .expect("the SDK")
            .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
            // What tests and type checkers need is not built into plugins.
            .filter(|name| name.ends_with(".py") && name != "native.py")
            .collect();
        assert_eq!(SDK.iter().map(|(name, _)| (*name).to_owned()).collect::<BTreeSet<_>>(), there);
    }
}
