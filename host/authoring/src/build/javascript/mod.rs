//! Plugins written in JavaScript or TypeScript: esbuild makes one script, componentize-qjs a component with the QuickJS engine.
//!
//! The engine is started at build time and its memory kept, hash keys and all, so the same script does not give the same bytes
//! twice. What was built is therefore kept beside the components by the hash of all that went into it, and taken from there.

mod tools;

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::Component;
use crate::{Error, Language, component};
use tamis_config::FileError;
use tools::{COMPONENTIZE, ESBUILD, Tool};

/// The contract that components are made for.
const CONTRACT: &str = include_str!("../../../../../wit/tamis-plugin/plugin.wit");
/// What stands between the contract and the plugin. The SDK's part comes first: it takes clock and chance away.
const ENTRY: &str = r#"import { transform as connect } from "@tamis/plugin/guest";
import plugin from "tamis-plugin-main";
import * as log from "tamis:plugin/log@0.1.0";
import * as metrics from "tamis:plugin/metrics@0.1.0";
export const transform = connect(plugin, log, metrics);
"#;
/// Without size optimisation: that engine uses tail calls, which the sandbox does not offer.
const COMPONENTIZE_ARGUMENTS: [&str; 4] = ["--sync", "--stub-wasi", "--world", "plugin"];
/// The folder below the output's that keeps what was built.
const KEPT: &str = ".javascript";

/// Builds the packages in `folders`, in order; `on_message` gets what the tools say, line by line.
pub(super) fn components(folders: &[PathBuf], out: &Path, on_message: &mut dyn FnMut(&str)) -> Vec<Result<Component, Error>> {
    folders.iter().map(|folder| build(folder, out, on_message)).collect()
}

fn build(folder: &Path, out: &Path, on_message: &mut dyn FnMut(&str)) -> Result<Component, Error> {
    let folder = folder.canonicalize().map_err(FileError::at(folder))?;
    let name = folder.file_name().and_then(|name| name.to_str()).ok_or_else(|| not_a_plugin(&folder, "its folder has no name"))?.to_owned();
    let main = main(&folder)?;
    let path = std::env::var_os("PATH");
    let (esbuild, componentize) = (tools::find(ESBUILD, &folder, path.clone())?, tools::find(COMPONENTIZE, &folder, path)?);
    on_message(&format!("{name}: esbuild {}, componentize-qjs {}", esbuild.version, componentize.version));
    let script = bundle(&esbuild, &folder, &main, on_message)?;

    let kept = out.join(KEPT).join(format!("{name}-{}.wasm", hash(&script, &componentize)));
    let bytes = match fs::read(&kept) {
        Ok(bytes) => bytes,
        Err(_) => {
            let bytes = componentized(&componentize, &folder, &script, on_message)?;
            component::check(&name, &bytes, "Is the package's main file an `export default plugin({ … })`?")?;
            keep(&kept, &name, &bytes)?;
            bytes
        }
    };
    component::check(&name, &bytes, "Remove it, and build again")?;
    Ok(Component { name, folder, language: Language::JavaScript, bytes })
}

/// The file that `package.json` calls `main`.
fn main(folder: &Path) -> Result<PathBuf, Error> {
    let manifest = folder.join("package.json");
    let text = fs::read(&manifest).map_err(FileError::at(&manifest))?;
    let manifest: serde_json::Value =
        serde_json::from_slice(&text).map_err(|error| not_a_plugin(folder, format!("package.json is not JSON: {error}")))?;
    let main = manifest.get("main").map_or(Some("index.js"), |main| main.as_str());
    let main = main.ok_or_else(|| not_a_plugin(folder, "package.json: `main` is not a string"))?;
    match folder.join(main) {
        path if path.is_file() => Ok(path),
        _ => Err(not_a_plugin(folder, format!("package.json: expected a file under `main`, found no `{main}`"))),
    }
}

/// One script of the plugin and all that it imports.
fn bundle(esbuild: &Tool, folder: &Path, main: &Path, on_message: &mut dyn FnMut(&str)) -> Result<Vec<u8>, Error> {
    let mut command = Command::new(&esbuild.path);
    command
        .args(["--bundle", "--format=esm", "--platform=neutral", "--main-fields=module,main", "--conditions=import"])
        .args(["--target=es2023", "--minify-whitespace", "--legal-comments=none", "--log-level=warning"])
        .args(["--external:tamis:*", "--sourcefile=tamis-plugin-entry.js"])
        .arg(format!("--alias:tamis-plugin-main={}", main.display()))
        .current_dir(folder);
    run(command, ESBUILD, ENTRY.as_bytes(), folder, on_message)
}

/// A component of the script, made in a folder of its own so that nothing of this machine's paths gets in.
fn componentized(tool: &Tool, folder: &Path, script: &[u8], on_message: &mut dyn FnMut(&str)) -> Result<Vec<u8>, Error> {
    let work = tempfile::tempdir().map_err(FileError::at(std::env::temp_dir()))?;
    let work = work.path();
    for (name, bytes) in [("plugin.wit", CONTRACT.as_bytes()), ("plugin.js", script)] {
        let path = work.join(name);
        fs::write(&path, bytes).map_err(FileError::at(&path))?;
    }
    let program = tool.path.canonicalize().map_err(FileError::at(&tool.path))?;
    let mut command = Command::new(program);
    command.args(COMPONENTIZE_ARGUMENTS).args(["--wit", "plugin.wit", "--js", "plugin.js", "--output", "plugin.wasm"]).current_dir(work);
    for line in String::from_utf8_lossy(&run(command, COMPONENTIZE, b"", folder, on_message)?).lines().filter(|line| line.contains("rror"))
    {
        on_message(line);
    }
    let path = work.join("plugin.wasm");
    Ok(fs::read(&path).map_err(FileError::at(&path))?)
}

/// Runs a program with `input`; its output. What it says goes to `on_message`.
fn run(mut command: Command, tool: &'static str, input: &[u8], folder: &Path, on_message: &mut dyn FnMut(&str)) -> Result<Vec<u8>, Error> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = |source| Error::Start { program: tool.to_owned(), source };
    let mut child = command.spawn().map_err(start)?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that ends early says why itself.
        let _ = pipe.write_all(input);
    }
    let output = child.wait_with_output().map_err(start)?;
    String::from_utf8_lossy(&output.stderr).lines().for_each(|line| on_message(line.trim_end()));
    if output.status.success() {
        return Ok(output.stdout);
    }
    Err(Error::Tool { tool, folder: folder.to_owned(), status: output.status.to_string() })
}

/// Of all that decides what comes out.
fn hash(script: &[u8], componentize: &Tool) -> String {
    let mut hash = Sha256::new();
    for part in [script, CONTRACT.as_bytes(), componentize.version.as_bytes(), COMPONENTIZE_ARGUMENTS.concat().as_bytes()] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Keeps a component for the next build, in place of the plugin's older ones.
fn keep(path: &Path, name: &str, bytes: &[u8]) -> Result<(), Error> {
    let Some(folder) = path.parent() else { return Ok(()) };
    fs::create_dir_all(folder).map_err(FileError::at(folder))?;
    let is_old = |file: &str| {
        file.strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('-')?.strip_suffix(".wasm"))
            .is_some_and(|hash| hash.len() == 32 && !hash.contains('-'))
    };
    for entry in fs::read_dir(folder).map_err(FileError::at(folder))?.flatten() {
        if entry.file_name().to_str().is_some_and(is_old) {
            let _ = fs::remove_file(entry.path());
        }
    }
    super::write_changed(path, bytes).map(|_| ())
}

fn not_a_plugin(folder: &Path, reason: impl Into<String>) -> Error {
    Error::NotAPlugin { folder: folder.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_main_file_is_asked_for_by_name() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let folder = folder.path();
        let manifest = |text: &str| fs::write(folder.join("package.json"), text).expect("a file");
        manifest("{");
        assert!(main(folder).expect_err("not JSON").to_string().contains("package.json is not JSON"));
        manifest(r#"{"main": "src/index.ts"}"#);
        assert!(main(folder).expect_err("no file").to_string().contains("found no `src/index.ts`"));
        manifest("{}");
        fs::write(folder.join("index.js"), "").expect("a file");
        assert_eq!(main(folder).expect("npm's default"), folder.join("index.js"));
    }

    #[test]
    fn only_the_newest_component_is_kept() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = |name: &str, hash: &str| folder.path().join(KEPT).join(format!("{name}-{hash}.wasm"));
        let (one, two) = ("0".repeat(32), "1".repeat(32));
        keep(&file("a", &one), "a", b"one").expect("kept");
        keep(&file("a-b", &one), "a-b", b"other").expect("kept");
        keep(&file("a", &two), "a", b"two").expect("kept");
        assert!(!file("a", &one).exists() && file("a", &two).exists() && file("a-b", &one).exists());
    }

    #[test]
    fn another_tool_gives_another_hash() {
        let tool = |version: &str| Tool { path: PathBuf::new(), version: version.to_owned() };
        assert_eq!(hash(b"x", &tool("1")), hash(b"x", &tool("1")));
        assert_ne!(hash(b"x", &tool("1")), hash(b"x", &tool("2")));
        assert_ne!(hash(b"x", &tool("1")), hash(b"y", &tool("1")));
    }
}
