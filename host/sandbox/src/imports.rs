//! What a component may import and must export.

use crate::contract::{PACKAGE, TRANSFORM, VERSION};
use crate::error::SandboxError;
use crate::failure::printable;
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
        } else if !CONTRACT_IMPORTS.iter().any(|i| *import == format!("{PACKAGE}/{i}@{VERSION}")) {
            let help = if import.starts_with("tamis:plugin/") {
                format!("this host gives `log` and `metrics` of {PACKAGE}@{VERSION}; build the plugin against that version")
            } else if import.starts_with("wasi:http/") {
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

/// Checks that `transform` is exported in this host's version; gives its full name.
pub(crate) fn check_exports(plugin: &str, exports: &[String]) -> Result<String, SandboxError> {
    let expected = format!("{TRANSFORM}@{VERSION}");
    if exports.contains(&expected) {
        return Ok(expected);
    }
    let other = exports.iter().find(|e| e.split('@').next() == Some(TRANSFORM));
    let Some(other) = other else {
        let found = if exports.is_empty() { "nothing".to_owned() } else { printable(&exports.join(", "), NAME_BYTES_MAX) };
        return Err(SandboxError::NoTransform { plugin: plugin.to_owned(), expected, found });
    };
    let newer = version(other.split_once('@').map_or("", |(_, v)| v)) > version(VERSION);
    let help = if newer {
        "update the host, or build the plugin against the host's version"
    } else {
        "rebuild the plugin against the host's version"
    };
    Err(SandboxError::Version { plugin: plugin.to_owned(), expected, found: printable(other, NAME_BYTES_MAX), help: help.to_owned() })
}

fn version(text: &str) -> Vec<u64> {
    text.split(['.', '-', '+']).map_while(|part| part.parse().ok()).collect()
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
        assert_eq!(check_imports("p", &names(&["wasi:cli/environment@0.2.3"])).unwrap(), Needs::Wasi);
        for (import, expected) in [
            ("wasi:http/outgoing-handler@0.2.0", "a plugin has no network"),
            ("wasi:cli/environment@0.3.0", "empty 0.2"),
            ("evil:host/files", "imports `evil:host/files`"),
            ("tamis:plugin/log@0.2.0", "build the plugin against that version"),
            ("\u{1b}[2J", "`\\u{1b}[2J`"),
        ] {
            let error = check_imports("p", &names(&[import])).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_missing_or_foreign_transform_is_explained() {
        assert_eq!(check_exports("p", &names(&["tamis:plugin/transform@0.1.0"])).unwrap(), "tamis:plugin/transform@0.1.0");
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
