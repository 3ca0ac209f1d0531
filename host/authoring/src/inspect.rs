//! What can be told of a component: as values, and as its reference page in Markdown.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tamis_record::{Field, Signature};

use crate::metadata::{Metadata, hex};
use crate::{Error, component};

/// What a component is, asks for and says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Its metadata.
    pub metadata: Metadata,
    /// Size in bytes.
    pub bytes: u64,
    /// `sha256:` and the hash of the file.
    pub digest: String,
    /// What it imports.
    pub imports: Vec<String>,
    /// What it exports.
    pub exports: Vec<String>,
    /// The version of the contract it was built for, by its exports.
    pub contract: Option<String>,
    /// The file of its signature, where one lies beside it; whether it is valid is not looked at.
    pub minisig: Option<PathBuf>,
}

impl Inspection {
    /// Looks at the component `bytes` that lies at `path`; nothing of it runs.
    ///
    /// # Errors
    /// [`Error::Component`] for bytes that are not a component.
    pub fn of(path: &Path, bytes: &[u8]) -> Result<Self, Error> {
        let name = path.file_stem().map_or_else(|| "plugin".into(), |stem| stem.to_string_lossy());
        Ok(Self {
            metadata: Metadata::read(bytes),
            bytes: bytes.len() as u64,
            digest: format!("sha256:{}", hex(&Sha256::digest(bytes))),
            imports: component::imports_of(&name, bytes)?,
            exports: component::exports_of(&name, bytes)?,
            contract: component::contract_of(&name, bytes).ok(),
            minisig: minisig(path),
        })
    }

    /// The plugin's reference page: the same whichever compiler built it, so without size and digest. `signature` is what it answers to `config` (JSON text), or why it does not.
    pub fn page(&self, name: &str, config: &str, signature: Result<&Signature, &str>) -> String {
        let mut page = String::new();
        // Writing into a string cannot fail.
        let _ = self.write(&mut page, name, config, signature);
        page
    }

    fn write(&self, page: &mut String, name: &str, config: &str, signature: Result<&Signature, &str>) -> std::fmt::Result {
        let about = self.metadata.about.as_ref();
        writeln!(page, "# {}\n", prose(name))?;
        if !self.metadata.description.is_empty() {
            writeln!(page, "{}\n", prose(&self.metadata.description))?;
        }
        writeln!(page, "| | |\n|---|---|")?;
        let sdk = about.and_then(|about| about.sdk.as_ref()).map(|sdk| format!("{} {}", sdk.name, sdk.version));
        for (label, value) in [
            ("Version", Some(self.metadata.version.clone())),
            ("Authors", Some(self.metadata.authors.clone())),
            ("Owner", about.and_then(|about| about.owner.clone())),
            ("Licence", Some(self.metadata.licenses.clone())),
            ("Source", Some(self.metadata.source.clone())),
            ("Homepage", Some(self.metadata.homepage.clone())),
            ("Language", about.map(|about| about.language.clone())),
            ("SDK", sdk),
            ("Contract", self.contract.clone()),
        ] {
            if let Some(value) = value.filter(|value| !value.is_empty()) {
                writeln!(page, "| {label} | {} |", prose(&value))?;
            }
        }
        writeln!(page, "\n## What it needs and does\n\nWith this configuration; another one may give another answer.\n")?;
        let indented = serde_json::from_str::<serde_json::Value>(config).and_then(|config| serde_json::to_string_pretty(&config));
        writeln!(page, "```json\n{}\n```\n", indented.as_deref().unwrap_or(config).replace("```", "'''"))?;
        match signature {
            Err(reason) => writeln!(page, "It refuses this configuration: {}", prose(reason))?,
            Ok(signature) => write_signature(page, signature)?,
        }
        writeln!(page, "\n## Imports\n")?;
        for import in &self.imports {
            writeln!(page, "- {}", code(import))?;
        }
        if self.imports.is_empty() {
            writeln!(page, "None.")?;
        }
        Ok(())
    }
}

fn write_signature(page: &mut String, signature: &Signature) -> std::fmt::Result {
    let fields = |page: &mut String, title: &str, fields: &[Field]| -> std::fmt::Result {
        if fields.is_empty() {
            return writeln!(page, "{title}: none.\n");
        }
        writeln!(page, "| {title} | kind |\n|---|---|")?;
        for field in fields {
            writeln!(page, "| {} | {} |", code(&field.path.to_string()), field.kind)?;
        }
        writeln!(page)
    };
    fields(page, "Fields read", &signature.reads)?;
    fields(page, "Fields written", &signature.writes)?;
    let outputs: Vec<String> = signature.outputs.iter().map(|output| code(output)).collect();
    writeln!(page, "Named outputs: {}.\n", if outputs.is_empty() { "none".to_owned() } else { outputs.join(", ") })?;
    writeln!(page, "{}", if signature.drops { "It may drop records." } else { "It drops no records." })?;
    writeln!(page, "\nThe grant that covers it:\n\n```yaml\ngrant:")?;
    let list = |fields: &[Field]| serde_json::to_string(&fields.iter().map(|field| field.path.to_string()).collect::<Vec<_>>());
    writeln!(page, "  read: {}", list(&signature.reads).unwrap_or_default())?;
    writeln!(page, "  write: {}\n```", list(&signature.writes).unwrap_or_default())
}

/// The file of a minisign signature, `<file>.minisig` beside it.
fn minisig(path: &Path) -> Option<PathBuf> {
    let mut name = path.as_os_str().to_owned();
    name.push(".minisig");
    Some(PathBuf::from(name)).filter(|file| file.is_file())
}

/// Text of others in a page of ours: on one line, and without meaning to Markdown.
fn prose(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        match c {
            // Neither a line of its own nor a change of direction.
            c if c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}') => {
                out.push(' ')
            }
            '\\' | '|' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn code(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() || c == '`' { '\u{fffd}' } else { c }).collect();
    format!("`{}`", text.replace('|', "\\|"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tamis_record::Kind;

    #[test]
    fn a_page_holds_what_others_wrote_as_text() {
        let inspection = Inspection {
            metadata: Metadata { description: "a | b\n# no <b>heading</b>".to_owned(), ..Metadata::default() },
            bytes: 7,
            digest: "sha256:00".to_owned(),
            imports: vec!["tamis:plugin/log@0.1.0".to_owned()],
            exports: Vec::new(),
            contract: Some("0.1.0".to_owned()),
            minisig: None,
        };
        let field = |path: &str| Field { path: path.parse().expect("a path"), kind: Kind::Text };
        let signature = Signature { reads: vec![field("a.b")], writes: vec![field("c")], outputs: vec!["errors".to_owned()], drops: true };
        let page = inspection.page("one", "{\"a\":1}", Ok(&signature));
        assert!(page.starts_with("# one\n\na \\| b \\# no \\<b\\>heading"), "{page}");
        for part in
            ["| `a.b` | text |", "Named outputs: `errors`.", "It may drop records.", "  read: [\"a.b\"]", "- `tamis:plugin/log@0.1.0`"]
        {
            assert!(page.contains(part), "{part} in {page}");
        }
        assert!(inspection.page("one", "{}", Err("no `owners`")).contains("It refuses this configuration: no \\`owners\\`"));
    }
}
