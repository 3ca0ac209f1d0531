//! What a component was built of, noted in the component: a digest over the author's files, the SDK, the contract and the tool.
//!
//! Two builds of the same inputs differ in the memory image of the interpreter. The digest tells that a build can be left out, and lets
//! anybody check which sources a component claims to be made of.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tamis_config::FileError;
use wasmparser::{Parser, Payload};

use super::stage::Stage;
use crate::Error;

/// The custom section, which holds the digest in hexadecimal digits.
const SECTION: &str = "tamis:inputs";
const DIGITS: usize = 64;

/// The digest of what is staged.
pub(super) fn digest(stage: &Stage, tool_version: &str) -> Result<String, Error> {
    let mut hash = Sha256::new();
    let mut add = |name: &str, bytes: &[u8]| {
        for part in [name.as_bytes(), bytes] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
    };
    add("componentize-py", tool_version.as_bytes());
    for root in [stage.wit(), stage.app()] {
        for path in files(&root)? {
            let name = path.strip_prefix(&root).unwrap_or(&path).to_string_lossy().into_owned();
            add(&name, &fs::read(&path).map_err(FileError::at(&path))?);
        }
    }
    if let Some(folder) = stage.site_packages() {
        // Of what was installed, names and versions: `requests-2.32.0.dist-info`.
        for name in names(folder)?.into_iter().filter(|name| name.ends_with(".dist-info")) {
            add(&name, b"");
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Appends the section.
pub(super) fn mark(component: &mut Vec<u8>, digest: &str) {
    let length = 1 + SECTION.len() + digest.len();
    // One byte of LEB128 each: the name has 12 bytes, and two bytes do for the whole.
    component.extend([0, (length & 0x7f) as u8 | 0x80, (length >> 7) as u8, SECTION.len() as u8]);
    component.extend(SECTION.bytes().chain(digest.bytes()));
}

/// The component up to its mark, where that says that it was built of the inputs of this digest.
pub(super) fn built_of(mut component: Vec<u8>, digest: &str) -> Option<Vec<u8>> {
    let mut depth = 0_usize;
    let mut end = None;
    for payload in Parser::new(0).parse_all(&component) {
        match payload.ok()? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::CustomSection(section) if depth == 0 && section.name() == SECTION => {
                (section.data() == digest.as_bytes() && digest.len() == DIGITS).then_some(())?;
                end = Some(section.range().end);
            }
            _ => {}
        }
    }
    component.truncate(usize::try_from(end?).ok()?);
    Some(component)
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut found = Vec::new();
    for name in names(folder)? {
        let path = folder.join(name);
        if path.is_dir() {
            found.extend(files(&path)?);
        } else {
            found.push(path);
        }
    }
    Ok(found)
}

/// The names in a folder, sorted.
fn names(folder: &Path) -> Result<Vec<String>, Error> {
    let entries = fs::read_dir(folder).map_err(FileError::at(folder))?;
    let mut names: Vec<String> = entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marked_component_is_known_again() {
        let plain = b"\0asm\x0d\0\x01\0".to_vec();
        let (digest, other) = ("a".repeat(DIGITS), "b".repeat(DIGITS));
        assert_eq!(built_of(plain.clone(), &digest), None, "no mark");
        let mut marked = plain;
        mark(&mut marked, &digest);
        assert_eq!(built_of(marked.clone(), &digest).as_ref(), Some(&marked));
        assert_eq!(built_of(marked.clone(), &other), None, "other inputs");
        let mut more = marked.clone();
        more.extend(b"\0\x05\x04more");
        assert_eq!(built_of(more, &digest), Some(marked.clone()), "what was appended later is left out");
        marked.truncate(marked.len() - 3);
        assert_eq!(built_of(marked, &digest), None, "cut short");
    }
}
