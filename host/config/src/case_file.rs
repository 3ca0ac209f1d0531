//! Tests of pipelines: those of a configuration, and files that hold nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::codes::{BAD_VALUE, DEFINED_TWICE, MISSING_KEY, UNKNOWN_KEY, WRONG_TYPE};
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::document::{Document, Value};
use crate::load::text_of;
use crate::model::{PipelineTest, TESTS_MAX};
use crate::{Located, Place, reader};

/// The keys a file of tests may hold.
const FILE_KEYS: [&str; 2] = ["version", "tests"];

/// Reads files of tests, each a map with the list `tests`, as they are written: `${…}` means nothing in them. What is wrong with them goes to `diagnostics`, and so do their texts.
pub fn load_tests(files: &[PathBuf], diagnostics: &mut Diagnostics) -> Vec<Located<PipelineTest>> {
    let mut documents = Vec::new();
    for path in files {
        let Some(text) = text_of(path, diagnostics) else { continue };
        let Some(document) = Document::parse(&path.to_string_lossy(), &text, path.parent().unwrap_or(Path::new("")), diagnostics) else {
            continue;
        };
        check_root(&document, diagnostics);
        documents.push(document);
    }
    tests(&documents, diagnostics)
}

fn check_root(document: &Document, diagnostics: &mut Diagnostics) {
    let root = &document.root;
    let help = "a file of tests is a map with the list `tests`";
    match root.value {
        Value::Map(_) | Value::Invalid => {}
        _ => diagnostics.push(Diagnostic::error(WRONG_TYPE, format!("expected a map, found {}", root.shown())).at(&root.place).help(help)),
    }
    for (key, _) in root.entries().iter().filter(|(key, _)| !FILE_KEYS.contains(&&*key.text)) {
        let help = nearest(&key.text, FILE_KEYS).map_or_else(|| help.to_owned(), |name| format!("did you mean `{name}`?"));
        diagnostics.push(Diagnostic::error(UNKNOWN_KEY, format!("unknown key `{}`", key.text)).at(&key.place).help(help));
    }
    if matches!(root.value, Value::Map(_)) && root.get("tests").is_none() {
        let place = Place { line: 1, column: 1, length: 1, ..Place::whole(document.file.clone()) };
        diagnostics.push(Diagnostic::error(MISSING_KEY, "the key `tests` is missing").at(&place).help(help));
    }
}

/// The tests of all documents. No two have the same name, since names are how they are chosen and reported.
pub(crate) fn tests(documents: &[Document], diagnostics: &mut Diagnostics) -> Vec<Located<PipelineTest>> {
    let mut all: Vec<Located<PipelineTest>> = Vec::new();
    for (document, list) in documents.iter().filter_map(|document| document.root.get("tests").map(|list| (document, list))) {
        let nodes = match &list.value {
            Value::List(nodes) => nodes.as_slice(),
            Value::Null | Value::Invalid => &[],
            _ => {
                let message = format!("`tests`: expected a list of tests, found {}", list.shown());
                diagnostics.push(Diagnostic::error(WRONG_TYPE, message).at(&list.place).help("begin each test with `- name:`"));
                continue;
            }
        };
        for node in nodes {
            if let Some(test) = reader::read::<PipelineTest>(node, None, diagnostics) {
                all.push(Located::new(PipelineTest { folder: document.folder.clone(), ..test }, node.place.clone()));
            }
        }
    }
    if let Some(beyond) = all.get(TESTS_MAX) {
        let message = format!("there are {} tests, at most {TESTS_MAX} are allowed", all.len());
        diagnostics.push(Diagnostic::error(BAD_VALUE, message).at(&beyond.place).help("put some into files of their own"));
        all.truncate(TESTS_MAX);
    }
    names_differ(all.iter(), diagnostics);
    all
}

/// Reports names that two tests have.
pub(crate) fn names_differ<'a>(tests: impl Iterator<Item = &'a Located<PipelineTest>>, diagnostics: &mut Diagnostics) {
    let mut known: BTreeMap<&str, &Place> = BTreeMap::new();
    for test in tests {
        let name = &test.value.name;
        if let Some(first) = known.insert(&name.value, &name.place) {
            let message = format!("two tests are called `{}`", name.value);
            let finding = Diagnostic::error(DEFINED_TWICE, message).at(&name.place).related(first, "the first one is here");
            diagnostics.push(finding.help("give it another name"));
        }
    }
}
