//! Puts the SDKs' sources and the templates of new plugins into the library: a machine with the binary alone can start a plugin.
//!
//! A language is a folder under `templates/`, whose files are joined by those of `templates/shared`; its SDK is the folder of the same name under `plugins/sdk/`.

use std::error::Error;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Folders that tools leave behind.
const LEFT_BEHIND: [&str; 4] = ["target", "node_modules", "__pycache__", "venv"];

/// Folders of an SDK that nobody needs who depends on it.
const FOR_US: [&str; 4] = ["tests", "test", "tools", "examples"];

/// The folder of what the templates of all languages have.
const SHARED: &str = "shared";

/// A file to embed: where it is put, and what it holds or where that is.
type Entry = (String, Content);

enum Content {
    At(PathBuf),
    Text(String),
}

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?);
    let root = here.join("../..").canonicalize()?;
    let mut languages = Vec::new();
    watch(&here.join("templates"));
    for entry in fs::read_dir(here.join("templates"))? {
        languages.push(entry?.file_name().into_string().map_err(|name| format!("{name:?}: expected the name of a language"))?);
    }
    languages.retain(|language: &String| language != SHARED);
    languages.sort();
    let mut code = String::from("pub(super) static LANGUAGES: &[Language] = &[\n");
    for language in &languages {
        let mut template = Vec::new();
        collect(&here.join("templates").join(language), "", &[], &mut template)?;
        collect(&here.join("templates").join(SHARED), "", &[], &mut template)?;
        let sdk = sdk(&root, language)?;
        writeln!(code, "Language {{ name: {language:?}, template: &[")?;
        write_entries(&mut code, &template)?;
        writeln!(code, "], sdk: &[")?;
        write_entries(&mut code, &sdk)?;
        writeln!(code, "] }},")?;
    }
    code.push_str("];\n");
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("embedded.rs");
    fs::write(out, code)?;
    Ok(())
}

/// The SDK of a language as it stands alone: with the contract and the licence, its manifest freed from this repository's workspace.
fn sdk(root: &Path, language: &str) -> Result<Vec<Entry>, Box<dyn Error>> {
    let mut entries = Vec::new();
    collect(&root.join("plugins/sdk").join(language), "", &FOR_US, &mut entries)?;
    for (from, to) in [("wit/tamis-plugin/plugin.wit", "wit/tamis-plugin/plugin.wit"), ("LICENSE", "LICENSE")] {
        if !entries.iter().any(|(path, _)| path == to) {
            watch(&root.join(from));
            entries.push((to.to_owned(), Content::At(root.join(from))));
        }
    }
    if language == "rust" {
        let workspace = root.join("plugins/Cargo.toml");
        watch(&workspace);
        let workspace = fs::read_to_string(workspace)?;
        edit(&mut entries, "Cargo.toml", |manifest| Ok(format!("{manifest}\n{}", standalone(&workspace))))?;
        edit(&mut entries, "src/contract.rs", |source| {
            let alone = source.replace("\"../../../wit/tamis-plugin\"", "\"wit/tamis-plugin\"");
            if alone == source { Err("the path of the contract has changed".into()) } else { Ok(alone) }
        })?;
    }
    entries.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(entries)
}

/// What the SDK's crates inherit from the workspace of the plugins, for the SDK as a workspace of its own.
fn standalone(workspace: &str) -> String {
    let mut text = String::from(
        "# What the crates of the SDK inherit. It is a workspace of its own, whatever it lies in.\n[workspace]\nresolver = \"3\"\n",
    );
    let mut section = "";
    for line in workspace.lines() {
        if line.starts_with('[') {
            section = line.trim();
        }
        let line = match section {
            "[workspace.package]" => line.to_owned(),
            section if section.starts_with("[workspace.lints") => line.to_owned(),
            "[workspace.dependencies]" if line.contains("\"sdk/rust/derive\"") => line.replace("sdk/rust/derive", "derive"),
            "[workspace.dependencies]" if !line.contains("path = ") => line.to_owned(),
            _ => continue,
        };
        if line.starts_with('[') {
            text.push('\n');
        }
        if !line.is_empty() {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

fn edit(entries: &mut [Entry], path: &str, change: impl FnOnce(String) -> Result<String, Box<dyn Error>>) -> Result<(), Box<dyn Error>> {
    let (_, content) = entries.iter_mut().find(|(found, _)| found == path).ok_or_else(|| format!("the SDK has no {path}"))?;
    let text = match content {
        Content::At(file) => fs::read_to_string(file)?,
        Content::Text(text) => std::mem::take(text),
    };
    *content = Content::Text(change(text).map_err(|error| format!("{path}: {error}"))?);
    Ok(())
}

/// The files below `folder`, by their path from there, in order, without folders of the names in `without`.
fn collect(folder: &Path, prefix: &str, without: &[&str], entries: &mut Vec<Entry>) -> Result<(), Box<dyn Error>> {
    watch(folder);
    let listed = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut names = Vec::new();
    for entry in listed {
        names.push(entry?.file_name().into_string().map_err(|name| format!("{name:?}: expected a name in UTF-8"))?);
    }
    names.sort();
    for name in names {
        let path = folder.join(&name);
        let within = format!("{prefix}{name}");
        if name.ends_with(".sh") {
            continue;
        }
        if !path.is_dir() {
            watch(&path);
            entries.push((within, Content::At(path)));
        } else if ![&LEFT_BEHIND, without].concat().contains(&name.as_str()) && !name.starts_with('.') && !name.ends_with(".egg-info") {
            collect(&path, &format!("{within}/"), without, entries)?;
        }
    }
    Ok(())
}

fn write_entries(code: &mut String, entries: &[Entry]) -> std::fmt::Result {
    for (path, content) in entries {
        match content {
            Content::At(file) => writeln!(code, "File {{ path: {path:?}, bytes: include_bytes!({:?}) }},", file.display().to_string())?,
            Content::Text(text) => writeln!(code, "File {{ path: {path:?}, bytes: {text:?}.as_bytes() }},")?,
        }
    }
    Ok(())
}

fn watch(path: &Path) {
    println!("cargo::rerun-if-changed={}", path.display());
}
