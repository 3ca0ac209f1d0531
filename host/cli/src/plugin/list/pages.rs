//! The catalogue as Markdown: a page for each plugin and one that lists them.

use super::entry::Entry;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use tamis_config::{FileError, escaped};
use tamis_registry::Error;

/// Writes the pages.
pub(super) fn write(folder: &Path, entries: &[Entry]) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(FileError::at(folder))?;
    let mut taken = BTreeSet::from(["readme.md".to_owned()]);
    let mut index = String::from("# Plugins\n\n| plugin | version | owner | signed by | used by |\n|---|---|---|---|---|\n");
    for entry in entries {
        let file = file_name(entry, &mut taken);
        let users: BTreeSet<&str> = entry.used_by.iter().map(|user| user.config.as_str()).collect();
        let users: Vec<String> = users.into_iter().map(plain).collect();
        let signer = entry.signer().replace('\n', ", ");
        // Writing to a text does not fail.
        let _ = writeln!(
            index,
            "| [{}]({file}) | {} | {} | {} | {} |",
            plain(&entry.name),
            or_dash(&entry.version),
            or_dash(&entry.owner),
            plain(&signer),
            users.join(", ")
        );
        let path = folder.join(&file);
        std::fs::write(&path, page(entry)).map_err(FileError::at(&path))?;
    }
    let path = folder.join("README.md");
    Ok(std::fs::write(&path, index).map_err(FileError::at(&path))?)
}

fn page(entry: &Entry) -> String {
    let mut out = format!("# {}\n", plain(&entry.name));
    if let Some(description) = &entry.description {
        let _ = write!(out, "\n{}\n", plain(description));
    }
    out.push_str("\n| | |\n|---|---|\n");
    let bytes = entry.bytes.to_string();
    let signer = entry.signer().replace('\n', ", ");
    let rows = [
        ("version", entry.version.as_deref()),
        ("owner", entry.owner.as_deref()),
        ("licence", entry.licence.as_deref()),
        ("source", entry.source.as_deref()),
        ("where", Some(entry.place.as_str())),
        ("problem", entry.problem.as_deref()),
        ("digest of the component", Some(entry.digest.as_str()).filter(|digest| !digest.is_empty())),
        ("digest of the manifest", entry.manifest.as_deref()),
        ("bytes", Some(bytes.as_str())),
        ("signed by", Some(signer.as_str())),
    ];
    for (name, value) in rows {
        if let Some(value) = value {
            let _ = writeln!(out, "| {name} | {} |", plain(value));
        }
    }
    out.push_str("\n## Fields\n");
    match (&entry.reads, &entry.writes) {
        (Some(reads), Some(writes)) => {
            for (title, fields) in [("Reads", reads), ("Writes", writes)] {
                let list: Vec<String> = fields.iter().map(|field| plain(field)).collect();
                let _ = writeln!(out, "{title}: {}.\n", if list.is_empty() { "nothing".to_owned() } else { list.join(", ") });
            }
        }
        _ => out.push_str("Which fields it reads and writes depends on its configuration; none was given that uses it.\n\n"),
    }
    out.push_str("## Used by\n");
    if entry.used_by.is_empty() {
        out.push_str("No configuration that was given.\n");
    }
    for user in &entry.used_by {
        let _ = writeln!(out, "- {} as {}, in: {}", plain(&user.config), plain(&user.plugin), plain(&user.pipelines.join(", ")));
    }
    out
}

fn or_dash(text: &Option<String>) -> String {
    text.as_deref().map_or_else(|| "-".to_owned(), plain)
}

/// Text that stays text: no markup, no table cell, no control character of whoever wrote the plugin.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in escaped(text).chars() {
        match character {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '[' | ']' | '`' | '*' | '_' | '\\' | '#' | '!' => {
                out.push('\\');
                out.push(character);
            }
            other => out.push(other),
        }
    }
    out
}

/// A name for the page that is no other's, in letters that every file system takes.
fn file_name(entry: &Entry, taken: &mut BTreeSet<String>) -> String {
    let wanted = entry.version.as_ref().map_or_else(|| entry.name.clone(), |version| format!("{}-{version}", entry.name));
    let safe = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '.' || c == '_' { c.to_ascii_lowercase() } else { '-' };
    let stem: String = wanted.chars().take(80).map(safe).collect();
    let stem = stem.trim_start_matches('.');
    let stem = if stem.is_empty() { "plugin" } else { stem };
    let mut name = format!("{stem}.md");
    let mut number = 2;
    while !taken.insert(name.clone()) {
        name = format!("{stem}-{number}.md");
        number += 1;
    }
    name
}
