//! Names of plugins in OCI registries: `oci://registry/team/name:tag@sha256:…`.
//!
//! The grammar is that of the OCI distribution specification 1.1
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-manifests>).

use std::fmt;
use std::str::FromStr;

/// What a reference begins with.
pub const SCHEME: &str = "oci://";
/// Longest name of a registry with its port, and longest name of a repository, in characters.
pub const REPOSITORY_CHARS_MAX: usize = 255;
/// Longest tag, in characters.
pub const TAG_CHARS_MAX: usize = 128;

/// Why a text is no reference. The text itself is not quoted, for it may have come from the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferenceError {
    /// It does not begin with `oci://`.
    Scheme,
    /// The registry is not `host` or `host:port`.
    Registry,
    /// The repository is missing or not spelt as one.
    Repository,
    /// The tag is not spelt as one.
    Tag,
    /// The digest is not `sha256:` and 64 hexadecimal digits.
    Digest,
    /// Neither a tag nor a digest.
    Version,
}

impl fmt::Display for ReferenceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "expected `oci://registry/team/name:tag` or `oci://registry/team/name@sha256:…`",
            Self::Registry => "expected the registry as `host` or `host:port` after `oci://`, in lower case",
            Self::Repository => {
                "expected a repository such as `team/name` after the registry: lower-case letters and digits, joined by `.`, `_`, `-` and `/`"
            }
            Self::Tag => "expected a tag of at most 128 letters, digits, `_`, `.` and `-`, not beginning with `.` or `-`",
            Self::Digest => "expected a digest `sha256:` with 64 hexadecimal digits in lower case after `@`",
            Self::Version => "expected a tag (`:1.0`) or a digest (`@sha256:…`) after the repository; there is no default tag",
        })
    }
}

impl std::error::Error for ReferenceError {}

/// A SHA-256 digest, written `sha256:` and 64 hexadecimal digits in lower case.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(String);

impl Digest {
    /// The digest of these 32 bytes of hash.
    pub fn of_hash(hash: [u8; 32]) -> Self {
        use fmt::Write as _;
        let mut text = String::with_capacity(71);
        text.push_str("sha256:");
        for byte in hash {
            // Writing to a text does not fail.
            let _ = write!(text, "{byte:02x}");
        }
        Self(text)
    }

    /// With its `sha256:`.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The 64 hexadecimal digits.
    pub fn hex(&self) -> &str {
        self.0.strip_prefix("sha256:").unwrap_or(&self.0)
    }
}

impl FromStr for Digest {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let hex = text.strip_prefix("sha256:").ok_or(ReferenceError::Digest)?;
        let sound = hex.len() == 64 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if sound { Ok(Self(text.to_owned())) } else { Err(ReferenceError::Digest) }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A repository of a registry, or the registry as a whole when `name` is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    name: String,
}

impl Repository {
    /// Reads `oci://registry`, `oci://registry/team` or `oci://registry/team/name`, with or without a `/` at the end.
    ///
    /// # Errors
    /// What was expected instead.
    pub fn parse_prefix(text: &str) -> Result<Self, ReferenceError> {
        let rest = text.strip_prefix(SCHEME).ok_or(ReferenceError::Scheme)?;
        let (registry, name) = rest.split_once('/').unwrap_or((rest, ""));
        let name = name.strip_suffix('/').unwrap_or(name);
        Self::new(registry, name, true)
    }

    fn new(registry: &str, name: &str, may_be_empty: bool) -> Result<Self, ReferenceError> {
        if !is_registry(registry) {
            return Err(ReferenceError::Registry);
        }
        if !(is_repository(name) || may_be_empty && name.is_empty()) {
            return Err(ReferenceError::Repository);
        }
        Ok(Self { registry: registry.to_owned(), name: name.to_owned() })
    }

    /// `host` or `host:port`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name within the registry, such as `team/tenant`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The last part of the name.
    pub fn short_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }

    /// Another repository of the same registry, where the name is one.
    pub fn sibling(&self, name: &str) -> Option<Self> {
        is_repository(name).then(|| Self { registry: self.registry.clone(), name: name.to_owned() })
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", self.registry)?;
        if self.name.is_empty() { Ok(()) } else { write!(f, "/{}", self.name) }
    }
}

/// A plugin in a registry: a repository, and a tag, a digest of its manifest, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

impl Reference {
    /// The repository.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag, if one is named.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest of the manifest, if the reference is pinned.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The same plugin by this digest alone.
    #[must_use]
    pub fn pinned(&self, digest: Digest) -> Self {
        Self { repository: self.repository.clone(), tag: None, digest: Some(digest) }
    }

    /// This tag of a repository.
    ///
    /// # Errors
    /// When the tag or the repository is none.
    pub fn tagged(repository: Repository, tag: &str) -> Result<Self, ReferenceError> {
        if repository.name.is_empty() {
            return Err(ReferenceError::Repository);
        }
        if !is_tag(tag) {
            return Err(ReferenceError::Tag);
        }
        Ok(Self { repository, tag: Some(tag.to_owned()), digest: None })
    }
}

impl FromStr for Reference {
    type Err = ReferenceError;

    fn from_str(text: &str) -> Result<Self, ReferenceError> {
        let rest = text.strip_prefix(SCHEME).ok_or(ReferenceError::Scheme)?;
        let (rest, digest) = match rest.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (rest, None),
        };
        let (registry, path) = rest.split_once('/').ok_or(ReferenceError::Repository)?;
        let (name, tag) = match path.split_once(':') {
            Some((name, tag)) => (name, Some(tag)),
            None => (path, None),
        };
        let repository = Repository::new(registry, name, false)?;
        if tag.is_some_and(|tag| !is_tag(tag)) {
            return Err(ReferenceError::Tag);
        }
        if tag.is_none() && digest.is_none() {
            return Err(ReferenceError::Version);
        }
        Ok(Self { repository, tag: tag.map(str::to_owned), digest })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.repository.fmt(f)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        if let Some(digest) = &self.digest {
            write!(f, "@{digest}")?;
        }
        Ok(())
    }
}

/// `host`, `host:port`, `[address]` or `[address]:port`.
fn is_registry(text: &str) -> bool {
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let Some((address, port)) = rest.split_once(']') else { return false };
        if address.parse::<std::net::Ipv6Addr>().is_err() {
            return false;
        }
        ("ipv6", port)
    } else {
        text.find(':').map_or((text, ""), |at| text.split_at(at))
    };
    let is_port = port.is_empty()
        || port.strip_prefix(':').is_some_and(|p| p.bytes().all(|b| b.is_ascii_digit()) && p.parse::<u16>().is_ok_and(|p| p > 0));
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    is_port && text.len() <= REPOSITORY_CHARS_MAX && host.split('.').all(is_label)
}

fn is_repository(text: &str) -> bool {
    text.len() <= REPOSITORY_CHARS_MAX && text.split('/').all(is_repository_part)
}

/// Letters and digits, joined by one `.`, one or two `_`, or any number of `-`.
fn is_repository_part(part: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let ends_in_words = part.bytes().next().is_some_and(is_word) && part.bytes().last().is_some_and(is_word);
    let mut joints = part.split(|c: char| c.is_ascii() && is_word(c as u8)).filter(|joint| !joint.is_empty());
    ends_in_words && joints.all(|joint| matches!(joint, "." | "_" | "__") || joint.bytes().all(|b| b == b'-'))
}

fn is_tag(text: &str) -> bool {
    let is_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    text.len() <= TAG_CHARS_MAX && text.bytes().next().is_some_and(is_word) && text.bytes().all(|b| is_word(b) || matches!(b, b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn references_are_taken_apart_and_put_together() {
        for text in [
            "oci://registry.example/team/tenant:1.0".to_owned(),
            "oci://localhost:5000/tenant:latest".to_owned(),
            "oci://127.0.0.1:5000/a/b__c/d--e.f:V_1-2.3".to_owned(),
            "oci://[::1]:5000/tenant:1".to_owned(),
            format!("oci://registry/team/tenant@sha256:{HEX}"),
            format!("oci://registry/team/tenant:1@sha256:{HEX}"),
        ] {
            let reference: Reference = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(reference.to_string(), text);
        }
        let reference: Reference = format!("oci://r:1/team/tenant:2@sha256:{HEX}").parse().expect("sound");
        assert_eq!((reference.repository().registry(), reference.repository().name()), ("r:1", "team/tenant"));
        assert_eq!((reference.tag(), reference.digest().map(Digest::hex)), (Some("2"), Some(HEX)));
        assert_eq!(reference.repository().short_name(), "tenant");
    }

    #[test]
    fn what_is_none_is_told_by_its_part() {
        use ReferenceError::*;
        for (text, error) in [
            ("https://registry/a:1", Scheme),
            ("oci:/registry/a:1", Scheme),
            ("oci://registry", Repository),
            ("oci:///a:1", Registry),
            ("oci://user@registry/a:1", Digest),
            ("oci://Registry/a:1", Registry),
            ("oci://registry:0/a:1", Registry),
            ("oci://registry:99999/a:1", Registry),
            ("oci://registry:+1/a:1", Registry),
            ("oci://-x/a:1", Registry),
            ("oci://[::x]/a:1", Registry),
            ("oci://registry/:1", Repository),
            ("oci://registry/A:1", Repository),
            ("oci://registry/../a:1", Repository),
            ("oci://registry/a//b:1", Repository),
            ("oci://registry/a..b:1", Repository),
            ("oci://registry/a/:1", Repository),
            ("oci://registry/a?b:1", Repository),
            ("oci://registry/é:1", Repository),
            ("oci://registry/a:", Tag),
            ("oci://registry/a:.b", Tag),
            ("oci://registry/a:b/c", Tag),
            ("oci://registry/a", Version),
            ("oci://registry/a:1@sha256:00", Digest),
            ("oci://registry/a@sha512:00", Digest),
        ] {
            assert_eq!(text.parse::<Reference>(), Err(error), "{text}");
        }
        let long = format!("oci://registry/a:{}", "x".repeat(TAG_CHARS_MAX + 1));
        assert_eq!(long.parse::<Reference>(), Err(Tag));
        assert_eq!(format!("oci://r/a@sha256:{}", HEX.to_uppercase()).parse::<Reference>(), Err(Digest));
    }

    #[test]
    fn prefixes_name_a_registry_or_a_part_of_it() {
        for (text, name) in [("oci://r", ""), ("oci://r/", ""), ("oci://r/team/", "team"), ("oci://r:5/team/x", "team/x")] {
            assert_eq!(Repository::parse_prefix(text).expect(text).name(), name);
        }
        assert!(Repository::parse_prefix("oci://r/x:1").is_err());
    }
}
