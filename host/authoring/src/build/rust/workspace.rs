//! What cargo knows of the crates to build.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tamis_config::FileError;

use super::toolchain::without_installing;
use crate::Error;

/// A cargo workspace and those of its crates that are to be built.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    pub(crate) crates: Vec<Crate>,
}

/// A crate that builds a plugin.
#[derive(Debug)]
pub(crate) struct Crate {
    /// The plugin's name: that of the crate's folder.
    pub(crate) name: String,
    pub(crate) folder: PathBuf,
    pub(crate) package: String,
    /// Cargo's identifier, to find the crate's artefacts by.
    pub(crate) id: String,
}

/// The cargo to call: the one that runs us, if one does.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    without_installing(&mut cargo);
    cargo
}

/// Groups the crates in `folders` by workspace, in the order given; and what is wrong with those that are none.
pub(crate) fn group(folders: &[PathBuf]) -> (Vec<Workspace>, Vec<Error>) {
    let (mut workspaces, mut failed): (Vec<Workspace>, Vec<Error>) = Default::default();
    let mut names: Vec<(String, PathBuf)> = Vec::new();
    for folder in folders {
        let ((root, found), folder) = match located(folder) {
            Ok(found) => found,
            Err(error) => {
                failed.push(error);
                continue;
            }
        };
        if let Some((_, other)) = names.iter().find(|(name, _)| *name == found.name) {
            let reason =
                format!("the plugin would be called `{}`, as the one in {}; rename one of the folders", found.name, other.display());
            failed.push(Error::NotAPlugin { folder, reason });
            continue;
        }
        names.push((found.name.clone(), folder));
        match workspaces.iter_mut().find(|workspace| workspace.root == root) {
            Some(workspace) => workspace.crates.push(found),
            None => workspaces.push(Workspace { root, crates: vec![found] }),
        }
    }
    (workspaces, failed)
}

fn located(folder: &Path) -> Result<((PathBuf, Crate), PathBuf), Error> {
    let folder = folder.canonicalize().map_err(FileError::at(folder))?;
    Ok((find(&folder)?, folder))
}

/// The workspace that the crate in `folder` belongs to, and the crate.
fn find(folder: &Path) -> Result<(PathBuf, Crate), Error> {
    let manifest = folder.join("Cargo.toml");
    let mut cargo = cargo();
    cargo
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .arg("--manifest-path")
        .arg(&manifest)
        .current_dir(folder.parent().unwrap_or(folder));
    let output = cargo.output().map_err(|source| Error::Start { program: cargo.get_program().to_string_lossy().into_owned(), source })?;
    let not_a_crate = |reason: String| Error::NotACrate { folder: folder.to_owned(), reason };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(not_a_crate(said.trim().to_owned()));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| not_a_crate(format!("cargo metadata: {error}")))?;
    let root = metadata["workspace_root"].as_str().ok_or_else(|| not_a_crate("cargo metadata names no workspace_root".to_owned()))?;
    let package = metadata["packages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|package| package["manifest_path"].as_str().map(Path::new) == Some(&manifest))
        .ok_or_else(|| not_a_crate("there is no package in its Cargo.toml".to_owned()))?;
    Ok((PathBuf::from(root), plugin(folder, package)?))
}

fn plugin(folder: &Path, package: &Value) -> Result<Crate, Error> {
    let not_a_plugin = |reason: &str| Error::NotAPlugin { folder: folder.to_owned(), reason: reason.to_owned() };
    let text = |key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let builds_module = package["targets"].as_array().into_iter().flatten().any(is_cdylib);
    if !builds_module {
        return Err(not_a_plugin("the crate builds no module; put crate-type = [\"cdylib\", \"rlib\"] into [lib] of its Cargo.toml"));
    }
    let name = folder
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| not_a_plugin("the folder's name is the plugin's; it is not UTF-8"))?;
    Ok(Crate { name: name.to_owned(), folder: folder.to_owned(), package: text("name"), id: text("id") })
}

/// Whether a target, as cargo describes it, is a cdylib.
pub(crate) fn is_cdylib(target: &Value) -> bool {
    target["kind"].as_array().into_iter().flatten().any(|kind| kind == "cdylib")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn make(folder: &Path, name: &str, lib: &str) -> PathBuf {
        let folder = folder.join(name);
        std::fs::create_dir_all(folder.join("src")).expect("a temporary folder");
        let manifest = format!("[package]\nname = \"made-{name}\"\nedition = \"2024\"\n[lib]\n{lib}\n[workspace]\n");
        std::fs::write(folder.join("Cargo.toml"), manifest).expect("a temporary file");
        std::fs::write(folder.join("src/lib.rs"), "").expect("a temporary file");
        folder
    }

    #[test]
    fn a_plugin_takes_the_name_of_its_folder() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let plugin = make(folder.path(), "one", "crate-type = [\"cdylib\"]");
        let (workspaces, failed) = group(std::slice::from_ref(&plugin));
        assert!(failed.is_empty(), "{failed:?}");
        let [workspace] = workspaces.as_slice() else {
            panic!("one workspace expected, found {workspaces:?}");
        };
        assert_eq!(workspace.root, plugin.canonicalize().expect("it exists"));
        let [found] = workspace.crates.as_slice() else {
            panic!("one crate expected, found {workspace:?}");
        };
        assert_eq!((found.name.as_str(), found.package.as_str()), ("one", "made-one"));

        let (workspaces, failed) = group(&[plugin.clone(), plugin]);
        assert_eq!((workspaces.len(), failed.len()), (1, 1), "the first one is built all the same");
        assert!(failed[0].to_string().contains("rename one of the folders"), "{failed:?}");
    }

    #[test]
    fn what_is_not_a_plugin_is_told() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let library = make(folder.path(), "library", "");
        let (workspaces, failed) = group(&[library, folder.path().join("absent"), folder.path().to_owned()]);
        assert!(workspaces.is_empty(), "{workspaces:?}");
        let [library, absent, empty] = failed.as_slice() else { panic!("three errors expected, found {failed:?}") };
        assert!(library.to_string().contains("crate-type = [\"cdylib\", \"rlib\"]"), "{library}");
        assert!(matches!(absent, Error::File(_)), "{absent}");
        assert!(matches!(empty, Error::NotACrate { .. }), "{empty}");
    }
}
