//! From files to a configuration: reading, merging, and reading each section.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::diagnostic::codes::{
    BAD_NAME, BAD_VERSION, DEFINED_TWICE, EMPTY_FOLDER, FILE_TOO_LARGE, NOT_UTF8, UNKNOWN_KEY, UNREADABLE_FILE, WRONG_TYPE,
};
use crate::diagnostic::{Diagnostic, Diagnostics, nearest};
use crate::document::{Document, FILE_BYTES_MAX, Key, Node, Value};
use crate::interpolate::{Environment, SECRET_BYTES_MAX, interpolate};
use crate::model::{Config, FORMAT_VERSION, Plugin, PluginsPolicy, Settings};
use crate::reader::{self, parts};
use crate::{Located, Place, Setup, case_file, filled};

/// The keys a configuration file may hold.
pub(crate) const ROOT_KEYS: [&str; 8] = ["version", "sources", "plugins", "plugins_policy", "pipelines", "sinks", "tests", "settings"];

/// This process's environment and file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct ProcessEnvironment;

impl Environment for ProcessEnvironment {
    fn var(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let mut text = String::new();
        File::open(path)?.take(SECRET_BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok(text)
    }
}

/// A configuration file as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileText {
    /// What it is called in messages.
    pub name: String,
    /// Where the paths in it begin.
    pub folder: PathBuf,
    /// What it holds; secrets stand in it as `${…}`.
    pub text: String,
}

impl FileText {
    /// Reads configuration files, or the `*.yaml` and `*.yml` of folders in the order of their names.
    pub fn read(paths: &[PathBuf], diagnostics: &mut Diagnostics) -> Vec<Self> {
        let paths = files(paths, diagnostics);
        let text = |path: PathBuf| {
            let (name, folder) = (path.to_string_lossy().into_owned(), path.parent().unwrap_or(Path::new("")).to_path_buf());
            text_of(&path, diagnostics).map(|text| Self { name, folder, text })
        };
        paths.into_iter().filter_map(text).collect()
    }
}

impl Config {
    /// Reads configuration files, or the `*.yaml` and `*.yml` of folders in the order of their names, as one configuration.
    ///
    /// There is a configuration when nothing is wrong but warnings; the diagnostics hold the texts for their excerpts in
    /// either case, so that later stages can add to them.
    pub fn load(paths: &[PathBuf], environment: &dyn Environment) -> (Option<Config>, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let files = FileText::read(paths, &mut diagnostics);
        let config = Self::of(&files, environment, &mut diagnostics);
        diagnostics.sort();
        (config, diagnostics)
    }

    /// The same of texts that were read before.
    pub fn of(files: &[FileText], environment: &dyn Environment, diagnostics: &mut Diagnostics) -> Option<Config> {
        let parse = |file: &FileText| Document::parse(&file.name, &file.text, &file.folder, diagnostics);
        let documents = files.iter().filter_map(parse).collect();
        build(documents, environment, diagnostics)
    }

    /// Reads a text as if it were the file `file` in `folder`.
    pub fn parse(file: &str, text: &str, folder: &Path, environment: &dyn Environment) -> (Option<Config>, Diagnostics) {
        let mut diagnostics = Diagnostics::new();
        let document = Document::parse(file, text, folder, &mut diagnostics);
        let config = build(document.into_iter().collect(), environment, &mut diagnostics);
        diagnostics.sort();
        (config, diagnostics)
    }
}

fn cannot_read(path: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(UNREADABLE_FILE, format!("`{}` cannot be read: {error}", path.display()))
        .help("give the path of a configuration file, or of a folder of them, with `-c`")
}

/// The files that the paths stand for.
fn files(paths: &[PathBuf], diagnostics: &mut Diagnostics) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for path in paths {
        if !path.is_dir() {
            all.push(path.clone());
            continue;
        }
        let is_yaml = |path: &Path| path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        let entries = std::fs::read_dir(path)
            .and_then(|entries| entries.map(|entry| entry.map(|entry| entry.path())).collect::<io::Result<Vec<PathBuf>>>());
        match entries {
            Ok(mut entries) => {
                // Hidden files are editors' and Kubernetes' own.
                let is_hidden = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
                entries.retain(|path| is_yaml(path) && !is_hidden(path) && !path.is_dir());
                entries.sort();
                if entries.is_empty() {
                    let message = format!("the folder `{}` holds no `*.yaml` or `*.yml`", path.display());
                    diagnostics.push(Diagnostic::error(EMPTY_FOLDER, message).help("put a configuration file there"));
                }
                all.append(&mut entries);
            }
            Err(error) => diagnostics.push(cannot_read(path, &error)),
        }
    }
    all
}

pub(crate) fn text_of(path: &Path, diagnostics: &mut Diagnostics) -> Option<String> {
    let mut bytes = Vec::new();
    if let Err(error) = File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)) {
        diagnostics.push(cannot_read(path, &error));
        return None;
    }
    let whole = Place::whole(path.to_string_lossy());
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > FILE_BYTES_MAX {
        let message = format!("the file is larger than {} MiB", FILE_BYTES_MAX >> 20);
        diagnostics.push(Diagnostic::error(FILE_TOO_LARGE, message).at(&whole).help("split it and give the folder with `-c`"));
        return None;
    }
    match String::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) => {
            let message = format!("the file is not UTF-8 text: byte {} is not", error.utf8_error().valid_up_to());
            diagnostics.push(Diagnostic::error(NOT_UTF8, message).at(&whole).help("save it as UTF-8"));
            None
        }
    }
}

fn build(mut documents: Vec<Document>, environment: &dyn Environment, diagnostics: &mut Diagnostics) -> Option<Config> {
    // A file that could not be parsed would make everything that names its parts an error.
    let all_parsed = !diagnostics.has_errors();
    for document in &mut documents {
        interpolate(document, environment, diagnostics);
    }
    for document in &documents {
        check_root(document, diagnostics);
    }
    if all_parsed {
        check_version(&documents, diagnostics);
    }
    let sources = section(&documents, "sources", diagnostics);
    let mut plugins: BTreeMap<String, Located<Plugin>> = section(&documents, "plugins", diagnostics);
    let pipelines = section(&documents, "pipelines", diagnostics);
    let sinks = section(&documents, "sinks", diagnostics);
    let settings = single::<Settings>(&documents, "settings", diagnostics).map(|(settings, _)| settings).unwrap_or_default();
    let policy = single::<PluginsPolicy>(&documents, "plugins_policy", diagnostics);
    let plugins_policy = policy.map(|(policy, folder)| PluginsPolicy { folder, ..policy }).unwrap_or_default();
    let tests = case_file::tests(&documents, diagnostics);
    for (name, plugin) in &mut plugins {
        plugin.value.filled = filled::of_plugin(&documents, name);
        plugin.value.setup = Setup::new(&documents, name, &plugin.value).fingerprint().into();
        let folder = documents.iter().find(|document| document.file == plugin.place.file).map(|document| &document.folder);
        let written = plugin.value.component.value.as_path();
        plugin.value.reference = plugin.value.component.value.parse().ok();
        plugin.value.component_path = folder.map_or_else(|| written.to_path_buf(), |folder| folder.join(written));
    }
    let folder = documents.first()?.folder.clone();
    (!diagnostics.has_errors()).then_some(Config { sources, plugins, plugins_policy, pipelines, sinks, settings, tests, folder })
}

fn check_root(document: &Document, diagnostics: &mut Diagnostics) {
    let root = &document.root;
    if !matches!(root.value, Value::Map(_) | Value::Null | Value::Invalid) {
        let message = format!("expected a map with the keys {}, found {}", ROOT_KEYS.join(", "), root.shown());
        diagnostics.push(Diagnostic::error(WRONG_TYPE, message).at(&root.place).help("begin with `version: 1`"));
    }
    for (key, _) in root.entries() {
        if !ROOT_KEYS.contains(&&*key.text) {
            let help = match nearest(&key.text, ROOT_KEYS) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("the keys that may stand here: {}", ROOT_KEYS.join(", ")),
            };
            diagnostics.push(Diagnostic::error(UNKNOWN_KEY, format!("unknown key `{}`", key.text)).at(&key.place).help(help));
        }
    }
}

/// One file at least says the version, and none says another.
fn check_version(documents: &[Document], diagnostics: &mut Diagnostics) {
    let versions: Vec<&Node> = documents.iter().filter_map(|document| document.root.get("version")).collect();
    let help = format!("write `version: {FORMAT_VERSION}`");
    for version in &versions {
        if !matches!(version.value, Value::Integer(_) | Value::Invalid)
            || matches!(version.value, Value::Integer(other) if other != FORMAT_VERSION.into())
        {
            let message = format!("this host reads version {FORMAT_VERSION} of the configuration, found {}", version.shown());
            diagnostics.push(Diagnostic::error(BAD_VERSION, message).at(&version.place).help(help.clone()));
        }
    }
    if let ([], Some(first)) = (versions.as_slice(), documents.first()) {
        let message = format!("the key `version` is missing; this host reads version {FORMAT_VERSION}");
        let place = Place { line: 1, column: 1, length: 1, ..Place::whole(first.file.clone()) };
        diagnostics.push(Diagnostic::error(BAD_VERSION, message).at(&place).help(help));
    }
}

/// The named parts of all files under one key.
fn section<T: DeserializeOwned>(documents: &[Document], key: &str, diagnostics: &mut Diagnostics) -> BTreeMap<String, Located<T>> {
    let mut known: BTreeMap<&str, &Key> = BTreeMap::new();
    let mut parts = BTreeMap::new();
    for node in documents.iter().filter_map(|document| document.root.get(key)) {
        if !matches!(node.value, Value::Map(_) | Value::Null | Value::Invalid) {
            let message = format!("`{key}`: expected a map from names to {key}, found {}", node.shown());
            diagnostics.push(Diagnostic::error(WRONG_TYPE, message).at(&node.place));
        }
        for (name, part) in node.entries() {
            if !parts::is_name(&name.text) {
                let message = format!("expected {}, found `{}`", parts::NAME_EXPECTED, name.text);
                diagnostics.push(Diagnostic::error(BAD_NAME, message).at(&name.place).help("use another name"));
            }
            if let Some(first) = known.insert(&name.text, name) {
                let message = format!("`{}` is defined twice under `{key}`", name.text);
                let finding = Diagnostic::error(DEFINED_TWICE, message).at(&name.place).related(&first.place, "first defined here");
                diagnostics.push(finding.help("remove one of them, or give it another name"));
            }
            if let Some(value) = reader::read(part, Some(&name.text), diagnostics) {
                parts.insert(name.text.to_string(), Located::new(value, name.place.clone()));
            }
        }
    }
    parts
}

/// A section that one file alone may hold, and that file's folder.
fn single<T: DeserializeOwned>(documents: &[Document], key: &str, diagnostics: &mut Diagnostics) -> Option<(T, PathBuf)> {
    let all =
        documents.iter().flat_map(|document| document.root.entries().iter().map(move |(found, node)| (found, node, &document.folder)));
    let all: Vec<(&Key, &Node, &PathBuf)> = all.filter(|(found, ..)| &*found.text == key).collect();
    let mut read = None;
    for (i, (found, node, folder)) in all.iter().enumerate() {
        if let (true, Some((first, ..))) = (i > 0, all.first()) {
            let finding = Diagnostic::error(DEFINED_TWICE, format!("`{key}` stand in two files"))
                .at(&found.place)
                .related(&first.place, "first here");
            diagnostics.push(finding.help(format!("put all {key} into one file")));
        }
        read = reader::read(node, Some(key), diagnostics).map(|value| (value, (*folder).clone())).or(read);
    }
    read
}
