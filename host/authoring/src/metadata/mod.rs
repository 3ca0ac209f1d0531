//! What a component says of itself: who made it, what it is for, what it needs and what it is made of.
//!
//! The build embeds it ([`embed`]); [`Metadata::read`] gets it back from any component, also from one that was not built here. The
//! sections are described in `docs/reference/plugin-metadata.md`.

mod about;
pub mod manifest;
mod section;

use std::path::Path;

use sha2::{Digest, Sha256};
use wasm_metadata::{AddMetadata, AddMetadataField, ComponentNames, Producers};

pub use about::{About, Example, Sdk, schema};
pub use manifest::Manifest;

use crate::{Error, Language, component, sbom};

/// The section of ours: JSON, see [`About`].
pub const ABOUT: &str = "tamis:plugin";
/// The section of the CycloneDX document.
pub const SBOM: &str = "sbom.cyclonedx.json";
/// Standard sections that hold a text each, as `wasm-tools metadata show` reads them.
const TEXTS: [&str; 6] = ["version", "description", "authors", "licenses", "source", "homepage"];
/// Between the names of several authors.
const AND: &str = ", ";

/// What a component says of itself; what it does not say is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Metadata {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// What the plugin does.
    pub description: String,
    /// Who wrote it.
    pub authors: String,
    /// An SPDX licence expression.
    pub licenses: String,
    /// Where its source is.
    pub source: String,
    /// Where to read more.
    pub homepage: String,
    /// Field, name and version of what produced it: `language`, `processed-by`, `sdk`.
    pub producers: Vec<(String, String, String)>,
    /// What the build noted; `None` for a component that was not built by `tamis plugin build`.
    pub about: Option<About>,
    /// Why [`Metadata::about`] is missing although its section is there.
    pub about_error: Option<String>,
    /// The CycloneDX document, JSON text.
    pub sbom: Option<String>,
}

impl Metadata {
    /// Reads what a component says of itself. Never fails: what cannot be read is not there.
    pub fn read(component: &[u8]) -> Self {
        let text =
            |name: &str| section::content(component, name).map(|text| String::from_utf8_lossy(text).into_owned()).unwrap_or_default();
        let (about, about_error) = match section::content(component, ABOUT).map(serde_json::from_slice) {
            None => (None, None),
            Some(Ok(about)) => (Some(about), None),
            Some(Err(error)) => (None, Some(error.to_string())),
        };
        Self {
            name: name(component).unwrap_or_default(),
            version: text("version"),
            description: text("description"),
            authors: text("authors"),
            licenses: text("licenses"),
            source: text("source"),
            homepage: text("homepage"),
            producers: producers(component),
            about,
            about_error,
            sbom: section::content(component, SBOM).map(|text| String::from_utf8_lossy(text).into_owned()),
        }
    }
}

fn name(component: &[u8]) -> Option<String> {
    let names = ComponentNames::from_bytes(section::content(component, "component-name")?, 0).ok()?;
    names.get_name().cloned()
}

fn producers(component: &[u8]) -> Vec<(String, String, String)> {
    let Some(Ok(producers)) = section::content(component, "producers").map(|bytes| Producers::from_bytes(bytes, 0)) else {
        return Vec::new();
    };
    let fields = ["language", "processed-by", "sdk"].into_iter().filter_map(|field| Some((field, producers.get(field)?)));
    fields
        .flat_map(|(field, values)| {
            values.iter().map(|(name, version)| (field.to_owned(), name.clone(), version.clone())).collect::<Vec<_>>()
        })
        .collect()
}

/// Embeds what the manifest in `folder` says into the component `bytes`, which the language's tool left. `before` is the component
/// of the last build, if there is one: what it says of the same code is taken over. Compiled code is kept in `cache`. The same input
/// gives the same bytes.
///
/// # Errors
/// [`Error::Manifest`] when the manifest cannot be read, [`Error::Component`] when the component cannot.
pub fn embed(
    plugin: &str,
    folder: &Path,
    language: Language,
    bytes: &[u8],
    before: Option<&[u8]>,
    cache: Option<&Path>,
) -> Result<Vec<u8>, Error> {
    let (manifest, parts) = manifest::read(folder)?;
    let contract = component::contract_of(plugin, bytes)?;
    let code = format!("sha256:{}", hex(&Sha256::digest(bytes)));
    let config = about::example_config(folder);
    let known = before.and_then(|before| Metadata::read(before).about).filter(|about| about.code == code && about.example.config == config);
    let wrong = |reason: String| Error::Component { plugin: plugin.to_owned(), reason };
    let mut component = section::without(bytes, &[TEXTS.as_slice(), &[ABOUT, SBOM]].concat());
    let mut add = AddMetadata::default();
    add.name = AddMetadataField::Set(if manifest.name.is_empty() { plugin.to_owned() } else { manifest.name.clone() });
    add.language = vec![(language.to_string(), String::new())];
    let tamis = env!("CARGO_PKG_VERSION").to_owned();
    add.processed_by = vec![("tamis".to_owned(), tamis.clone())];
    add.sdk = manifest.sdk.clone().into_iter().collect();
    component = add.to_wasm(&component).map_err(|error| wrong(format!("its metadata cannot be added: {error:#}")))?;
    let authors = manifest.authors.join(AND);
    let texts =
        [&manifest.version, &manifest.description, &authors, &manifest.licenses, &manifest.source, &manifest.homepage].map(String::as_str);
    for (name, text) in TEXTS.into_iter().zip(texts).filter(|(_, text)| !text.is_empty()) {
        section::append(&mut component, name, text.as_bytes());
    }
    if let Some(document) = sbom::document(&parts) {
        section::append(&mut component, SBOM, document.as_bytes());
    }
    // Asked as it will be, so that what is compiled for it serves whoever loads it from here.
    let about = About {
        format: about::FORMAT,
        contract,
        tamis,
        language: language.to_string(),
        sdk: manifest.sdk.clone().map(|(name, version)| Sdk { name, version }),
        owner: Some(manifest.owner.clone()).filter(|owner| !owner.is_empty()),
        example: match known {
            Some(about) => about.example,
            None => about::example(plugin, &component, config, cache),
        },
        code,
    };
    let about = serde_json::to_vec(&about).map_err(|error| wrong(error.to_string()))?;
    section::append(&mut component, ABOUT, &about);
    Ok(component)
}

/// A component without what it says of itself: the same whatever [`embed`] adds.
pub(crate) fn code_of(component: &[u8]) -> Vec<u8> {
    section::without(component, &[TEXTS.as_slice(), &[ABOUT, SBOM, "component-name", "producers"]].concat())
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_component_without_metadata_says_nothing() {
        assert_eq!(Metadata::read(b"\0asm\x0d\0\x01\0"), Metadata::default());
        assert_eq!(Metadata::read(b""), Metadata::default());
    }

    #[test]
    fn what_is_embedded_leaves_the_code_as_it_was() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("package.json"), r#"{ "name": "p", "version": "1.2.3", "description": "d" }"#).expect("written");
        let guests = std::env::var_os("TAMIS_GUESTS").map(std::path::PathBuf::from);
        let guests = guests.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins"));
        let built = std::fs::read(guests.join("tenant.wasm")).expect("the component; `make plugins` builds it");
        let bare = code_of(&built);
        assert!(bare.len() < built.len());
        let embed = |bytes: &[u8]| embed("p", folder.path(), Language::JavaScript, bytes, None, None).expect("embedded");
        let (once, twice) = (embed(&bare), embed(&embed(&bare)));
        assert!(once.len() > bare.len());
        assert_eq!(code_of(&once), code_of(&bare));
        assert_eq!(code_of(&twice), code_of(&bare));
    }

    #[test]
    fn a_forged_section_is_an_error_not_a_fault() {
        let mut component = b"\0asm\x0d\0\x01\0".to_vec();
        section::append(&mut component, ABOUT, b"{\"format\":");
        section::append(&mut component, "producers", b"\xff\xff\xff\xff\x0f");
        section::append(&mut component, "component-name", b"\x00\xff");
        section::append(&mut component, "authors", b"\xff\x1b[2J");
        let read = Metadata::read(&component);
        assert!(read.about.is_none() && read.about_error.is_some());
        assert!(read.producers.is_empty() && read.name.is_empty());
        assert_eq!(read.authors, "\u{fffd}\u{1b}[2J");
    }
}
