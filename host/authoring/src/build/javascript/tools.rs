//! The programs that build plugins in JavaScript: the plugin's own, or installed ones.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Error;

/// Takes imports together and types out.
pub(super) const ESBUILD: &str = "esbuild";
/// Makes a component of a script.
pub(super) const COMPONENTIZE: &str = "componentize-qjs";

/// A program that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tool {
    pub(super) path: PathBuf,
    /// The version of its package; empty where it has none.
    pub(super) version: String,
}

/// Finds a program as npm's scripts do: in the `node_modules` of the folder or of one above it, else in `path`.
pub(super) fn find(name: &'static str, folder: &Path, path: Option<OsString>) -> Result<Tool, Error> {
    let own = folder.ancestors().map(|above| above.join("node_modules/.bin").join(name));
    let path = path.unwrap_or_default();
    let installed = std::env::split_paths(&path).map(|folder| folder.join(name));
    let found = own.chain(installed).find(|path| path.is_file());
    found.map(|path| Tool { version: version(&path).unwrap_or_default(), path }).ok_or_else(|| Error::NoTool {
        tool: name,
        folder: folder.to_owned(),
        install: match declared(name, folder) {
            // Nothing is named: the manifest holds the versions that the plugin was made for.
            true => "in the plugin's folder: npm install".to_owned(),
            false => format!("npm install --save-dev {ESBUILD} {COMPONENTIZE}"),
        },
    })
}

/// Whether the folder's `package.json` asks for the package.
fn declared(name: &str, folder: &Path) -> bool {
    let manifest = std::fs::read(folder.join("package.json")).ok();
    let manifest: serde_json::Value = manifest.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    ["dependencies", "devDependencies"].iter().any(|key| manifest.get(key).and_then(|packages| packages.get(name)).is_some())
}

/// What `package.json` above a program says; `node_modules/.bin` holds links into the packages.
fn version(program: &Path) -> Option<String> {
    let program = program.canonicalize().ok()?;
    let manifest = program.ancestors().skip(1).take(3).map(|folder| folder.join("package.json")).find(|path| path.is_file())?;
    let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(manifest).ok()?).ok()?;
    Some(manifest.get("version")?.as_str()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn write(path: &Path, text: &str) {
        fs::create_dir_all(path.parent().expect("a parent")).expect("a temporary folder");
        fs::write(path, text).expect("a temporary file");
    }

    #[test]
    fn the_plugins_own_tool_goes_before_those_above_and_in_path() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let root = folder.path();
        let plugin = root.join("plugins/mine");
        fs::create_dir_all(&plugin).expect("a folder");

        let error = find(ESBUILD, &plugin, None).expect_err("nothing is there").to_string();
        assert!(error.contains("npm install --save-dev esbuild componentize-qjs"), "{error}");

        write(&plugin.join("package.json"), r#"{"devDependencies":{"esbuild":"1.2.3"}}"#);
        let error = find(ESBUILD, &plugin, None).expect_err("nothing is there").to_string();
        assert!(error.contains("npm install") && !error.contains("--save-dev"), "{error}");

        let path = Some(root.join("bin").into_os_string());
        write(&root.join("bin/esbuild"), "");
        assert_eq!(find(ESBUILD, &plugin, path.clone()).expect("in PATH").path, root.join("bin/esbuild"));
        write(&root.join("plugins/node_modules/.bin/esbuild"), "");
        assert_eq!(find(ESBUILD, &plugin, path.clone()).expect("above").path, root.join("plugins/node_modules/.bin/esbuild"));

        write(&plugin.join("node_modules/esbuild/bin/esbuild"), "");
        write(&plugin.join("node_modules/esbuild/package.json"), r#"{"version":"1.2.3"}"#);
        fs::create_dir_all(plugin.join("node_modules/.bin")).expect("a folder");
        std::os::unix::fs::symlink("../esbuild/bin/esbuild", plugin.join("node_modules/.bin/esbuild")).expect("a link");
        let own = find(ESBUILD, &plugin, path).expect("its own");
        assert_eq!((own.path, own.version.as_str()), (plugin.join("node_modules/.bin/esbuild"), "1.2.3"));
    }
}
