//! What a plugin is made of, as a CycloneDX 1.5 document (<https://cyclonedx.org/docs/1.5/json/>).
//!
//! The same parts give the same bytes: there is no time in it and no random serial number.

use serde_json::{Map, Value, json};

/// Where a part comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ecosystem {
    /// crates.io.
    Cargo,
    /// The npm registry.
    Npm,
    /// The Python package index.
    PyPi,
}

/// A package that a plugin is made of, the plugin's own among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where it comes from.
    pub ecosystem: Ecosystem,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence; empty when unknown.
    pub licenses: String,
    /// What it does; may be empty.
    pub description: String,
    /// Whether it is the plugin itself.
    pub root: bool,
    /// Whether its name and version mean something in the ecosystem's registry; a package out of a folder does not.
    pub published: bool,
    /// Whether it is in the component; else it only takes part in building it.
    pub shipped: bool,
    /// Algorithm and hexadecimal hash of the package's archive.
    pub hash: Option<(String, String)>,
    /// Names and versions of the parts it needs.
    pub dependencies: Vec<(String, String)>,
}

impl Part {
    /// How other parts refer to it.
    fn reference(&self) -> String {
        reference(&self.name, &self.version)
    }

    /// The package URL (<https://github.com/package-url/purl-spec>).
    fn purl(&self) -> Option<String> {
        let kind = match self.ecosystem {
            Ecosystem::Cargo => "cargo",
            Ecosystem::Npm => "npm",
            Ecosystem::PyPi => "pypi",
        };
        let version = self.version.replace('+', "%2B");
        self.published.then(|| format!("pkg:{kind}/{}@{version}", self.name.replace('@', "%40")))
    }

    fn component(&self) -> Value {
        let mut component = Map::new();
        let kind = if self.root { "application" } else { "library" };
        component.insert("type".to_owned(), kind.into());
        component.insert("bom-ref".to_owned(), self.reference().into());
        component.insert("name".to_owned(), self.name.clone().into());
        component.insert("version".to_owned(), self.version.clone().into());
        if !self.description.is_empty() {
            component.insert("description".to_owned(), self.description.clone().into());
        }
        if !self.root {
            component.insert("scope".to_owned(), if self.shipped { "required" } else { "excluded" }.into());
        }
        if let Some((algorithm, sum)) = &self.hash {
            component.insert("hashes".to_owned(), json!([{ "alg": algorithm, "content": sum }]));
        }
        if !self.licenses.is_empty() {
            component.insert("licenses".to_owned(), json!([licence(&self.licenses)]));
        }
        if let Some(purl) = self.purl() {
            component.insert("purl".to_owned(), purl.into());
        }
        component.into()
    }
}

fn reference(name: &str, version: &str) -> String {
    format!("{name}@{version}")
}

/// Free text is a name; what may be an SPDX expression is one.
fn licence(text: &str) -> Value {
    let is_expression = text.split_whitespace().enumerate().all(|(place, word)| {
        let word = word.trim_matches(['(', ')']);
        let known = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '+'));
        known && (place % 2 == 0 || matches!(word, "OR" | "AND" | "WITH"))
    });
    if is_expression { json!({ "expression": text }) } else { json!({ "license": { "name": text } }) }
}

/// The document of these parts, as JSON text; `None` when the plugin itself is not among them.
pub fn document(parts: &[Part]) -> Option<String> {
    let root = parts.iter().find(|part| part.root)?;
    let mut others: Vec<&Part> = parts.iter().filter(|part| !part.root).collect();
    others.sort_by_key(|part| (&part.name, &part.version));
    others.dedup_by_key(|part| part.reference());
    let depends = |part: &Part| {
        let mut on: Vec<String> = part.dependencies.iter().map(|(name, version)| reference(name, version)).collect();
        on.sort();
        on.dedup();
        json!({ "ref": part.reference(), "dependsOn": on })
    };
    let tool = json!({ "type": "application", "name": "tamis", "version": env!("CARGO_PKG_VERSION") });
    let document = json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "tools": { "components": [tool] }, "component": root.component() },
        "components": others.iter().map(|part| part.component()).collect::<Vec<_>>(),
        "dependencies": std::iter::once(root).chain(others.iter().copied()).map(depends).collect::<Vec<_>>(),
    });
    Some(document.to_string())
}

/// Base64 (with or without padding) as hexadecimal digits, which CycloneDX wants; `None` for anything else.
pub(crate) fn base64_to_hex(text: &str) -> Option<String> {
    let (mut bits, mut held, mut out) = (0_u32, 0, String::new());
    for byte in text.trim_end_matches('=').bytes() {
        let value = match byte {
            b'A'..=b'Z' => byte - b'A',
            b'a'..=b'z' => byte - b'a' + 26,
            b'0'..=b'9' => byte - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return None,
        };
        bits = (bits << 6 | u32::from(value)) & 0xffff;
        held += 6;
        if held >= 8 {
            held -= 8;
            out.push_str(&format!("{:02x}", bits >> held & 0xff));
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, root: bool) -> Part {
        Part {
            ecosystem: Ecosystem::Npm,
            name: name.to_owned(),
            version: "1.0.0".to_owned(),
            licenses: "MIT OR Apache-2.0".to_owned(),
            description: String::new(),
            root,
            published: !root,
            shipped: true,
            hash: None,
            dependencies: vec![("@a/b".to_owned(), "1.0.0".to_owned())],
        }
    }

    #[test]
    fn a_document_is_the_same_whatever_the_order() {
        let (root, a, b) = (part("own", true), part("@a/b", false), part("c", false));
        let one = document(&[root.clone(), a.clone(), b.clone()]).expect("a document");
        assert_eq!(one, document(&[b, a.clone(), root, a]).expect("a document"));
        let read: Value = serde_json::from_str(&one).expect("JSON");
        assert_eq!(read["components"][0]["purl"], "pkg:npm/%40a/b@1.0.0");
        assert_eq!(read["metadata"]["component"]["bom-ref"], "own@1.0.0");
        assert_eq!(read["dependencies"][0], json!({ "ref": "own@1.0.0", "dependsOn": ["@a/b@1.0.0"] }));
        assert!(!one.contains("serialNumber") && !one.contains("timestamp"));
        assert!(document(&[]).is_none());
    }

    #[test]
    fn licences_are_expressions_or_names() {
        for (text, expression) in [
            ("MIT", true),
            ("(MIT OR Apache-2.0) AND X", true),
            ("GPL-2.0+ WITH Classpath-exception-2.0", true),
            ("BSD License", false),
            ("see LICENSE.txt", false),
        ] {
            assert_eq!(licence(text).get("expression").is_some(), expression, "{text}");
        }
    }

    #[test]
    fn base64_becomes_hexadecimal() {
        assert_eq!(base64_to_hex("AAEC/w==").as_deref(), Some("000102ff"));
        assert_eq!(base64_to_hex("A*"), None);
    }
}
