//! `Cargo.toml` and `Cargo.lock`, by way of `cargo metadata`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value;
use tamis_config::FileError;

use super::{Manifest, string, text, wrong};
use crate::Error;
use crate::build::rust::cargo;
use crate::build::rust::toolchain::TARGET;
use crate::sbom::{Ecosystem, Part};

/// The crate of the SDK.
const SDK: &str = "tamis-plugin";

/// Reads the package and the crates that it is built of. Those that only run while it is built (macros, build scripts) are parts
/// that are not shipped.
pub(super) fn read(manifest: &Path) -> Result<(Manifest, Vec<Part>), Error> {
    let manifest = &manifest.canonicalize().map_err(FileError::at(manifest))?;
    let mut cargo = cargo();
    cargo
        // The build has fetched everything and written the lock file; nothing is to change here.
        .args(["metadata", "--offline", "--format-version", "1", "--filter-platform", TARGET])
        .arg("--manifest-path")
        .arg(manifest)
        .current_dir(manifest.parent().unwrap_or(manifest));
    let output = cargo.output().map_err(|source| Error::Start { program: cargo.get_program().to_string_lossy().into_owned(), source })?;
    if !output.status.success() {
        return Err(wrong(manifest, String::from_utf8_lossy(&output.stderr)));
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| wrong(manifest, format!("cargo metadata: {error}")))?;
    let packages = list(&metadata, "/packages");
    let package = packages
        .iter()
        .find(|package| package["manifest_path"].as_str().map(Path::new) == Some(manifest))
        .ok_or_else(|| wrong(manifest, "there is no package in it"))?;
    let graph = Graph::new(&metadata);
    let root = Path::new(metadata["workspace_root"].as_str().unwrap_or_default());
    let checksums = checksums(&root.join("Cargo.lock"))?;
    let own = string(package, "/id");
    let (shipped, all) = (graph.reach(&own, false), graph.reach(&own, true));
    let part = |package: &Value| {
        let (id, name, version) = (string(package, "/id"), string(package, "/name"), string(package, "/version"));
        let from_registry = package["source"].is_string();
        Part {
            ecosystem: Ecosystem::Cargo,
            root: id == own,
            published: from_registry,
            shipped: shipped.contains(id.as_str()),
            licenses: string(package, "/license").replace('/', " OR "),
            description: string(package, "/description"),
            hash: checksums.get(&(name.clone(), version.clone())).filter(|_| from_registry).map(|sum| ("SHA-256".to_owned(), sum.clone())),
            dependencies: graph.of(&id, true).filter_map(|id| graph.names.get(id).cloned()).collect(),
            name,
            version,
        }
    };
    let parts: Vec<Part> = packages.iter().filter(|package| all.contains(string(package, "/id").as_str())).map(part).collect();
    let sdk = parts.iter().find(|part| part.name == SDK).map(|part| (part.name.clone(), part.version.clone()));
    let manifest = Manifest {
        name: string(package, "/name"),
        version: string(package, "/version"),
        description: string(package, "/description"),
        authors: list(package, "/authors").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        licenses: string(package, "/license").replace('/', " OR "),
        source: string(package, "/repository"),
        homepage: Some(string(package, "/homepage")).filter(|home| !home.is_empty()).unwrap_or_else(|| string(package, "/documentation")),
        owner: string(package, "/metadata/tamis/owner"),
        sdk,
    };
    Ok((manifest, parts))
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value.pointer(pointer).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Who depends on whom, by cargo's identifiers.
struct Graph<'a> {
    /// For each package its dependencies, and whether what they hold is shipped with it.
    edges: BTreeMap<&'a str, Vec<(&'a str, bool)>>,
    names: BTreeMap<&'a str, (String, String)>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Value) -> Self {
        let packages = list(metadata, "/packages");
        let text = |value: &'a Value| value.as_str().unwrap_or_default();
        let is_macro =
            |package: &Value| list(package, "/targets").iter().flat_map(|target| list(target, "/kind")).any(|kind| kind == "proc-macro");
        let macros: BTreeSet<&str> = packages.iter().filter(|package| is_macro(package)).map(|package| text(&package["id"])).collect();
        let edge = |dependency: &'a Value| {
            let id = text(&dependency["pkg"]);
            let kinds: Vec<Option<&str>> = list(dependency, "/dep_kinds").iter().map(|kind| kind["kind"].as_str()).collect();
            let built = kinds.iter().any(|kind| *kind != Some("dev"));
            built.then(|| (id, kinds.contains(&None) && !macros.contains(id)))
        };
        let node = |node: &'a Value| (text(&node["id"]), list(node, "/deps").iter().filter_map(edge).collect());
        let name = |package: &'a Value| (text(&package["id"]), (string(package, "/name"), string(package, "/version")));
        Self { edges: list(metadata, "/resolve/nodes").iter().map(node).collect(), names: packages.iter().map(name).collect() }
    }

    /// The dependencies of a package: those that are shipped with it, or all that build it.
    fn of(&self, id: &str, all: bool) -> impl Iterator<Item = &'a str> {
        self.edges.get(id).into_iter().flatten().filter(move |(_, shipped)| all || *shipped).map(|(id, _)| *id)
    }

    /// A package and all it depends on.
    fn reach(&self, root: &str, all: bool) -> BTreeSet<&'a str> {
        let mut found = BTreeSet::new();
        let mut next: Vec<&'a str> = self.edges.get_key_value(root).map(|(id, _)| *id).into_iter().collect();
        while let Some(id) = next.pop() {
            if found.insert(id) {
                next.extend(self.of(id, all));
            }
        }
        found
    }
}

/// The checksum of each crate in a lock file, by name and version.
fn checksums(lock: &Path) -> Result<BTreeMap<(String, String), String>, Error> {
    if !lock.is_file() {
        return Ok(BTreeMap::new());
    }
    let parsed: Value = toml::from_str(&text(lock)?).map_err(|error| wrong(lock, error))?;
    let packages = list(&parsed, "/package").iter();
    Ok(packages
        .filter_map(|package| {
            let sum = package["checksum"].as_str()?;
            Some(((string(package, "/name"), string(package, "/version")), sum.to_owned()))
        })
        .collect())
}
