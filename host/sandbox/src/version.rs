//! Versions of the contract: which of them this host serves, and which host serves another.
//!
//! The rules are those of `wit/README.md`: versions that semver calls compatible differ by additions only, so a plugin of
//! either runs as long as it asks for nothing that this host does not have. A contract bears the number of the first host
//! that speaks it, so the number of an unknown newer contract says which host is needed.

use crate::contract::VERSION;
use std::cmp::Ordering;

/// The three numbers of a version; a pre-release is compatible with nothing but itself and is not parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        // What follows a `+` names a build and does not count.
        let mut numbers = text.split('+').next()?.split('.').map(|number| number.parse().ok());
        let version = Self { major: numbers.next()??, minor: numbers.next()??, patch: numbers.next()?? };
        numbers.next().is_none().then_some(version)
    }

    /// What has to be equal in two versions for them to be compatible.
    fn track(self) -> (u64, u64, u64) {
        match (self.major, self.minor) {
            (0, 0) => (0, 0, self.patch),
            (0, minor) => (0, minor, 0),
            (major, _) => (major, 0, 0),
        }
    }
}

/// How the version of the contract that a plugin was built for stands to this host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Relation {
    /// The host's own, or one that differs from it by additions only.
    Compatible,
    /// A newer one that this host does not know.
    Newer,
    /// An older one that this host no longer serves, or no version at all.
    Other,
}

/// Compares a plugin's version of the contract with this host's.
pub(crate) fn relation(found: &str) -> Relation {
    let (Some(found), Some(own)) = (Version::parse(found), Version::parse(VERSION)) else {
        return if found == VERSION { Relation::Compatible } else { Relation::Other };
    };
    match (found.track() == own.track(), found.cmp(&own)) {
        (true, _) => Relation::Compatible,
        (false, Ordering::Greater) => Relation::Newer,
        (false, _) => Relation::Other,
    }
}

/// Whether a compatible version has additions that this host may lack.
pub(crate) fn is_newer(found: &str) -> bool {
    Version::parse(found).zip(Version::parse(VERSION)).is_some_and(|(found, own)| found > own)
}

/// What to do about a plugin whose contract this host does not serve.
pub(crate) fn help(found: &str) -> String {
    if relation(found) == Relation::Newer {
        format!(
            "a host of version {found} or newer is needed (a contract bears the number of the first host that speaks it): \
             update the host, or build the plugin with an SDK for contract {VERSION}"
        )
    } else {
        format!("no host of this line serves that; rebuild the plugin with an SDK for contract {VERSION}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_that_differ_by_additions_only_are_compatible() {
        for (version, expected) in [
            ("0.1.0", Relation::Compatible),
            ("0.1.9", Relation::Compatible),
            ("0.1.9+build.5", Relation::Compatible),
            ("0.1.9-rc.1", Relation::Other),
            ("0.2.0", Relation::Newer),
            ("1.0.0", Relation::Newer),
            ("0.0.9", Relation::Other),
            ("0.1", Relation::Other),
            ("0.1.0.0", Relation::Other),
            ("", Relation::Other),
            ("99999999999999999999.0.0", Relation::Other),
        ] {
            assert_eq!(relation(version), expected, "{version}");
        }
        assert!(is_newer("0.1.9") && !is_newer("0.1.0") && !is_newer("x"));
    }

    #[test]
    fn a_newer_contract_says_which_host_is_needed() {
        assert!(help("0.2.0").contains("a host of version 0.2.0 or newer is needed"), "{}", help("0.2.0"));
        assert!(help("0.0.9").contains("rebuild the plugin"), "{}", help("0.0.9"));
    }
}
