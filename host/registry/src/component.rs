//! What a component says of itself without being run: imports, exports, and the notes that builders embed as custom sections
//! (<https://github.com/bytecodealliance/wasm-tools/tree/main/crates/wasm-metadata>).

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use wasmparser::{KnownCustom, Parser, Payload};

use tamis_config::escaped;

/// The custom section in which `tamis plugin build` notes what only it knows, as JSON.
pub const ABOUT: &str = "tamis:plugin";
/// The annotation with the fields that a plugin reads, a JSON list of paths.
pub const READS_ANNOTATION: &str = "tamis.plugin.reads";
/// The annotation with the fields that it writes.
pub const WRITES_ANNOTATION: &str = "tamis.plugin.writes";
/// Longest section of [`ABOUT`] that is read, in bytes.
const ABOUT_BYTES_MAX: usize = 1 << 20;
/// Longest note that is taken, in bytes.
const NOTE_BYTES_MAX: usize = 4096;
/// Most imports and exports that are listed.
const NAMES_MAX: usize = 256;

/// What was found in a component. Texts hold no control characters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Facts {
    /// Its name.
    pub name: Option<String>,
    /// Its version.
    pub version: Option<String>,
    /// Who answers for it: its team, otherwise its authors.
    pub owner: Option<String>,
    /// Fields it reads under the configuration that its build shows it with.
    pub reads: Option<Vec<String>>,
    /// Fields it writes under that configuration.
    pub writes: Option<Vec<String>>,
    /// What it does.
    pub description: Option<String>,
    /// The licence it is under.
    pub licence: Option<String>,
    /// Where its source is.
    pub source: Option<String>,
    /// Where to read about it.
    pub homepage: Option<String>,
    /// Names of its imports.
    pub imports: Vec<String>,
    /// Names of its exports.
    pub exports: Vec<String>,
}

/// Reads the facts. A component that cannot be read to its end gives what came before: it is not judged here.
pub fn facts(component: &[u8]) -> Facts {
    let mut facts = Facts::default();
    let mut authors = None;
    // Nested modules and components speak for themselves.
    let mut depth = 0_usize;
    for payload in Parser::new(0).parse_all(component) {
        let Ok(payload) = payload else { break };
        match payload {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                let names = section.into_iter().map_while(Result::ok).map(|import| escaped(import.name.name));
                facts.imports.extend(names.take(NAMES_MAX));
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                let names = section.into_iter().map_while(Result::ok).map(|export| escaped(export.name.name));
                facts.exports.extend(names.take(NAMES_MAX));
            }
            Payload::CustomSection(section) if depth == 0 => match section.as_known() {
                KnownCustom::ComponentName(names) => {
                    for name in names.into_iter().map_while(Result::ok) {
                        if let wasmparser::ComponentName::Component { name, .. } = name {
                            facts.name = note(name.as_bytes());
                        }
                    }
                }
                _ => {
                    let slot = match section.name() {
                        ABOUT => {
                            facts.about(section.data());
                            continue;
                        }
                        "version" => &mut facts.version,
                        "authors" => &mut authors,
                        "description" => &mut facts.description,
                        "licenses" => &mut facts.licence,
                        "source" => &mut facts.source,
                        "homepage" => &mut facts.homepage,
                        _ => continue,
                    };
                    *slot = note(section.data());
                }
            },
            _ => {}
        }
    }
    facts.owner = facts.owner.or(authors);
    facts
}

fn note(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes.get(..bytes.len().min(NOTE_BYTES_MAX))?).ok()?.trim();
    (!text.is_empty()).then(|| escaped(text))
}

impl Facts {
    /// Takes the team and the fields from the section of [`ABOUT`]; what is not of its form is not there.
    fn about(&mut self, section: &[u8]) {
        let Some(about) = serde_json::from_slice::<Value>(section.get(..section.len().min(ABOUT_BYTES_MAX)).unwrap_or_default()).ok()
        else {
            return;
        };
        self.owner = about.get("owner").and_then(Value::as_str).and_then(|owner| note(owner.as_bytes()));
        let fields = |name: &str| {
            let list = about.pointer(&format!("/example/signature/{name}"))?.as_array()?;
            Some(list.iter().filter_map(|field| Some(escaped(field.get("path")?.as_str()?))).take(NAMES_MAX).collect::<Vec<_>>())
        };
        self.reads = fields("reads");
        self.writes = fields("writes");
    }

    /// The notes as annotations of the OCI image specification
    /// (<https://github.com/opencontainers/image-spec/blob/main/annotations.md>).
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let all = [
            ("title", &self.name),
            ("version", &self.version),
            ("authors", &self.owner),
            ("description", &self.description),
            ("licenses", &self.licence),
            ("source", &self.source),
            ("url", &self.homepage),
        ];
        let found = all.into_iter().filter_map(|(name, value)| Some((name, value.clone()?)));
        let mut all: BTreeMap<_, _> = found.map(|(name, value)| (format!("org.opencontainers.image.{name}"), value)).collect();
        for (name, fields) in [(READS_ANNOTATION, &self.reads), (WRITES_ANNOTATION, &self.writes)] {
            all.extend(fields.as_ref().map(|fields| (name.to_owned(), Value::from(fields.as_slice()).to_string())));
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An empty component with custom sections, put together by hand.
    fn component(sections: &[(&str, &[u8])]) -> Vec<u8> {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for (name, data) in sections {
            bytes.extend([0, (1 + name.len() + data.len()) as u8, name.len() as u8]);
            bytes.extend(name.as_bytes());
            bytes.extend(*data);
        }
        bytes
    }

    #[test]
    fn notes_are_found_and_harmless() {
        let name: &[u8] = &[0, 7, 6, b't', b'e', b'n', b'a', b'n', b't'];
        let bytes = component(&[("component-name", name), ("version", b"1.2.0"), ("authors", b"Team \x1b[2JA"), ("description", b"\xff")]);
        let found = facts(&bytes);
        assert_eq!((found.name.as_deref(), found.version.as_deref(), found.description.as_deref()), (Some("tenant"), Some("1.2.0"), None));
        assert!(found.owner.as_deref().is_some_and(|owner| owner.starts_with("Team ") && !owner.contains('\u{1b}')), "{found:?}");
        assert_eq!(found.annotations().get("org.opencontainers.image.version").map(String::as_str), Some("1.2.0"));
        let about = br#"{"owner":"Team B","example":{"signature":{"reads":[{"path":"a.b","kind":"text"}],"writes":[]}}}"#;
        let told = facts(&component(&[("authors", b"Jean"), (ABOUT, about)]));
        assert_eq!(told.owner.as_deref(), Some("Team B"));
        assert_eq!((told.reads.clone(), told.writes.clone()), (Some(vec!["a.b".to_owned()]), Some(vec![])));
        assert_eq!(told.annotations().get(READS_ANNOTATION).map(String::as_str), Some("[\"a.b\"]"));
        for end in 0..bytes.len() {
            facts(bytes.get(..end).unwrap_or_default());
        }
        assert_eq!(facts(b"noise"), Facts::default());
    }
}
