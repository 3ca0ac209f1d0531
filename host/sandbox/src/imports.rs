//! What a component may import and must export.

use crate::contract::{PACKAGE, TRANSFORM, VERSION};
use crate::error::SandboxError;
use crate::failure::printable;
use crate::version::{self, Relation};
use crate::wasi;

/// Longest name shown in an error.
const NAME_BYTES_MAX: usize = 200;
/// Interfaces of the contract that a plugin may import.
const CONTRACT_IMPORTS: [&str; 3] = ["log", "metrics", "types"];

/// Which linker a component needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Nothing beyond the contract.
    Contract,
    /// The empty WASI too.
    Wasi,
}

/// Checks the names of all imports: the contract's own interfaces and WASI 0.2, nothing else.
pub(crate) fn check_imports(plugin: &str, imports: &[String]) -> Result<Needs, SandboxError> {
    let mut needs = Needs::Contract;
    for import in imports {
        if wasi::PACKAGES.iter().any(|package| import.starts_with(package)) {
            if !import.split_once('@').is_some_and(|(_, version)| version.starts_with("0.2.")) {
                return Err(forbidden(
                    plugin,
                    import,
                    "of WASI this host gives an empty 0.2; build the plugin for that, or better without WASI",
                ));
            }
            needs = Needs::Wasi;
        } else if let Some(own) = import.strip_prefix(PACKAGE).and_then(|rest| rest.strip_prefix('/')) {
            check_own(plugin, import, own)?;
        } else {
            let help = if import.starts_with("wasi:http/") {
                "a plugin has no network; take what it needs from the record or from the step's `config`".to_owned()
            } else {
                "a plugin may import `log` and `metrics` of the contract and an empty WASI 0.2; remove the dependency that needs it, or compose it into the component".to_owned()
            };
            return Err(forbidden(plugin, import, help));
        }
    }
    Ok(needs)
}

pub(crate) fn forbidden(plugin: &str, import: &str, help: impl Into<String>) -> SandboxError {
    SandboxError::ForbiddenImport { plugin: plugin.to_owned(), import: printable(import, NAME_BYTES_MAX), help: help.into() }
}

/// An import of the contract's own package: its version first, since a host that speaks that may have the interface.
fn check_own(plugin: &str, import: &str, name: &str) -> Result<(), SandboxError> {
    let (interface, version) = name.split_once('@').unwrap_or((name, ""));
    if version::relation(version) != Relation::Compatible {
        return Err(unserved(plugin, import, version));
    }
    if CONTRACT_IMPORTS.contains(&interface) {
        return Ok(());
    }
    let help = if version::is_newer(version) {
        format!("this host gives `log` and `metrics` of contract {VERSION}; {}", needs_newer(version))
    } else {
        format!("this host gives `log` and `metrics` of contract {VERSION}; build the plugin with an SDK for that")
    };
    Err(forbidden(plugin, import, help))
}

/// What a compatible newer contract needs once it uses an addition.
pub(crate) fn needs_newer(version: &str) -> String {
    format!("a host of version {} or newer has more: update the host, or do without", printable(version, 40))
}

fn unserved(plugin: &str, found: &str, version: &str) -> SandboxError {
    SandboxError::Version {
        plugin: plugin.to_owned(),
        expected: format!("{PACKAGE}@{VERSION}"),
        found: printable(found, NAME_BYTES_MAX),
        help: version::help(&printable(version, 40)),
    }
}

/// Checks that `transform` is exported in a version that this host serves; gives its full name.
pub(crate) fn check_exports(plugin: &str, exports: &[String]) -> Result<String, SandboxError> {
    let versions = || exports.iter().filter_map(|export| Some((export, export.strip_prefix(TRANSFORM)?.strip_prefix('@')?)));
    if let Some((served, _)) = versions().find(|(_, version)| version::relation(version) == Relation::Compatible) {
        return Ok(served.clone());
    }
    if let Some((other, version)) = versions().next() {
        return Err(unserved(plugin, other, version));
    }
    let found = if exports.is_empty() { "nothing".to_owned() } else { printable(&exports.join(", "), NAME_BYTES_MAX) };
    Err(SandboxError::NoTransform { plugin: plugin.to_owned(), expected: format!("{TRANSFORM}@{VERSION}"), found })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|n| n.to_string()).collect()
    }

    #[test]
    fn only_the_contract_and_wasi_pass() {
        let own = names(&["tamis:plugin/log@0.1.0", "tamis:plugin/metrics@0.1.0", "tamis:plugin/types@0.1.0"]);
        assert_eq!(check_imports("p", &own).unwrap(), Needs::Contract);
        assert_eq!(check_imports("p", &names(&["tamis:plugin/log@0.1.9"])).unwrap(), Needs::Contract);
        assert_eq!(check_imports("p", &names(&["wasi:cli/environment@0.2.3"])).unwrap(), Needs::Wasi);
        for (import, expected) in [
            ("wasi:http/outgoing-handler@0.2.0", "a plugin has no network"),
            ("wasi:cli/environment@0.3.0", "empty 0.2"),
            ("evil:host/files", "imports `evil:host/files`"),
            ("tamis:plugin/log@0.2.0", "a host of version 0.2.0 or newer is needed"),
            ("tamis:plugin/files@0.1.0", "build the plugin with an SDK for that"),
            ("tamis:plugin/files@0.1.9", "a host of version 0.1.9 or newer has more"),
            ("\u{1b}[2J", "`\\u{1b}[2J`"),
        ] {
            let error = check_imports("p", &names(&[import])).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_missing_or_foreign_transform_is_explained() {
        for served in ["tamis:plugin/transform@0.1.0", "tamis:plugin/transform@0.1.9"] {
            assert_eq!(check_exports("p", &names(&["tamis:plugin/transform@2.0.0", served])).unwrap(), served);
        }
        for (exports, expected) in [
            (names(&[]), "it exports nothing"),
            (names(&["run", "x:y/z"]), "it exports run, x:y/z"),
            (names(&["tamis:plugin/transform@0.2.0"]), "update the host"),
            (names(&["tamis:plugin/transform@0.0.9"]), "rebuild the plugin"),
        ] {
            let error = check_exports("p", &exports).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
