//! Plugins written in Rust: one cargo build for many, then a component of each.

pub mod toolchain;
mod workspace;

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use super::Component;
use crate::{Error, Language, component};
use tamis_config::FileError;
use toolchain::{Toolchain, detect};
pub(crate) use workspace::cargo;
use workspace::{Crate, Workspace, group, is_cdylib};

/// Builds the crates in `folders`; each workspace by one cargo. A component for each, by the folder that was given.
///
/// Guests are built in release mode with `simd128`; `on_message` gets the toolchain taken and then cargo's own messages, line by line.
pub(super) fn components(folders: &[PathBuf], on_message: &mut dyn FnMut(&str)) -> Vec<Result<Component, Error>> {
    let (workspaces, failed) = group(folders);
    let mut components: Vec<_> = failed.into_iter().map(Err).collect();
    for workspace in workspaces {
        let compiled = detect(&workspace.root).and_then(|toolchain| {
            on_message(&format!("guest toolchain: {toolchain}"));
            compile(&workspace, &toolchain, on_message)
        });
        let (modules, failed) = match compiled {
            Ok(compiled) => compiled,
            Err(error) => (Vec::new(), Some(error)),
        };
        components.extend(failed.map(Err));
        for plugin in workspace.crates {
            if let Some((_, module)) = modules.iter().find(|(id, _)| *id == plugin.id) {
                components.push(component_of(plugin, module));
            }
        }
    }
    components
}

fn component_of(plugin: Crate, module: &Path) -> Result<Component, Error> {
    let module = fs::read(module).map_err(FileError::at(module))?;
    let bytes = component::encode(&plugin.name, &module)?;
    Ok(Component { name: plugin.name, folder: plugin.folder, language: Language::Rust, bytes })
}

/// Packages and modules that were built, and what went wrong with the others.
type Compiled = (Vec<(String, PathBuf)>, Option<Error>);

/// Compiles the crates of a workspace.
fn compile(workspace: &Workspace, toolchain: &Toolchain, on_message: &mut dyn FnMut(&str)) -> Result<Compiled, Error> {
    let mut cargo = cargo();
    cargo.args(["build", "--release", "--keep-going", "--message-format=json-render-diagnostics"]);
    for plugin in &workspace.crates {
        cargo.args(["-p", &plugin.package]);
    }
    toolchain.apply(&mut cargo);
    cargo
        .env("CARGO_ENCODED_RUSTFLAGS", flags(&workspace.root, toolchain))
        .current_dir(&workspace.root)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let program = cargo.get_program().to_string_lossy().into_owned();
    let mut child = cargo.spawn().map_err(|source| Error::Start { program, source })?;

    // Both pipes are read at once: cargo would stop at a full one.
    let reports = child.stdout.take();
    let reports = std::thread::spawn(move || {
        let mut text = Vec::new();
        reports.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut text)).map(|_| text)
    });
    if let Some(messages) = child.stderr.take() {
        for line in BufReader::new(messages).split(b'\n') {
            let line = line.map_err(FileError::at(&workspace.root))?;
            on_message(String::from_utf8_lossy(&line).trim_end());
        }
    }
    let status = child.wait().map_err(FileError::at(&workspace.root))?;
    let failed = |status: String| Error::Compile { workspace: workspace.root.clone(), status };
    let reports = match reports.join() {
        Ok(reports) => reports.map_err(FileError::at(&workspace.root))?,
        Err(_) => return Err(failed("its report could not be read".to_owned())),
    };
    let modules = modules(&reports);
    if !status.success() {
        return Ok((modules, Some(failed(status.to_string()))));
    }
    let missing = workspace.crates.iter().find(|plugin| modules.iter().all(|(id, _)| *id != plugin.id));
    let missing = missing.map(|plugin| failed(format!("no module of {} was reported", plugin.package)));
    Ok((modules, missing))
}

/// Cargo's `RUSTFLAGS`, parted by the unit separator.
fn flags(root: &Path, toolchain: &Toolchain) -> OsString {
    let mut flags = OsString::from("-Ctarget-feature=+simd128");
    // Panic messages name source files: what is shipped should not tell of the machine it was built on, and be the same
    // wherever it was.
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let library = toolchain.library();
    for (from, to) in [(cargo_home.as_deref(), "cargo"), (library.as_deref(), "rust"), (Some(root), "plugins")] {
        if let Some(from) = from {
            flags.push("\u{1f}--remap-path-prefix=");
            flags.push(from);
            flags.push("=");
            flags.push(to);
        }
    }
    flags
}

/// Package and module of each cdylib in cargo's report, one JSON object a line.
fn modules(report: &[u8]) -> Vec<(String, PathBuf)> {
    report
        .split(|&byte| byte == b'\n')
        .filter_map(|line| {
            let message: Value = serde_json::from_slice(line).ok()?;
            if message["reason"] != "compiler-artifact" || !is_cdylib(&message["target"]) {
                return None;
            }
            let path = message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|name| name.ends_with(".wasm"))?;
            Some((message["package_id"].as_str()?.to_owned(), path.into()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_are_found_in_cargos_report() {
        let report = concat!(
            r#"{"reason":"compiler-artifact","package_id":"a","target":{"kind":["lib"]},"filenames":["/t/a.rlib"]}"#,
            "\nnoise\n",
            r#"{"reason":"compiler-artifact","package_id":"b","target":{"kind":["cdylib","rlib"]},"filenames":["/t/b.rlib","/t/b.wasm"]}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let expected = [("b".to_owned(), PathBuf::from("/t/b.wasm"))];
        assert_eq!(modules(report.as_bytes()), expected);
    }

    #[test]
    fn no_path_of_this_machine_is_compiled_in() {
        let flags = flags(Path::new("/somewhere/plugins"), &Toolchain::Target);
        let flags = flags.to_string_lossy();
        assert!(flags.starts_with("-Ctarget-feature=+simd128\u{1f}"));
        assert!(flags.ends_with("\u{1f}--remap-path-prefix=/somewhere/plugins=plugins"));
    }
}
