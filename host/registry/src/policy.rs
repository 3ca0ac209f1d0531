//! The policy of the configuration, ready to be asked.

use std::path::{Component, Path, PathBuf};

use glob::{MatchOptions, Pattern};
use tamis_config::{Plugin, PluginsPolicy};

use crate::read::read_at_most;
use crate::signature::{KEY_BYTES_MAX, PublicKey, SignatureError, Signed, verify};

/// A `*` ends at a `/`, and a `.` at the beginning is nothing special.
const MATCHING: MatchOptions = MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// Which plugins may be loaded.
#[derive(Debug)]
pub struct Policy {
    keys: Vec<PublicKey>,
    /// A pattern and what the file says.
    allow: Vec<(Pattern, String)>,
    folder: PathBuf,
}

impl Policy {
    /// Reads the keys and patterns that a configuration names.
    ///
    /// # Errors
    /// What is wrong with which key, as a sentence: a policy that cannot be read lets nothing pass.
    pub fn new(policy: &PluginsPolicy) -> Result<Self, String> {
        let mut keys = Vec::new();
        for named in &policy.require_signature {
            let text = &*named.value;
            let wrong = |reason: String| format!("plugins_policy.require_signature ({}): `{}`: {reason}", named.place, named.value.shown());
            let key = if PublicKey::is_key_text(text) {
                PublicKey::parse(text)
            } else {
                let bytes = read_at_most(&policy.folder.join(text), KEY_BYTES_MAX)
                    .map_err(|error| wrong(format!("expected a public key or the file of one: {error}")))?;
                PublicKey::parse(std::str::from_utf8(&bytes.unwrap_or_default()).unwrap_or_default())
            };
            keys.push(key.map_err(|error| wrong(error.to_string()))?);
        }
        let pattern = |text: &str| Pattern::new(text.strip_prefix("./").unwrap_or(text)).map_err(|error| error.to_string());
        let allow = policy.allow.iter().map(|glob| Ok((pattern(&glob.value)?, glob.value.shown().to_owned())));
        Ok(Self { keys, allow: allow.collect::<Result<_, String>>()?, folder: policy.folder.clone() })
    }

    /// Whether a signature is asked for.
    pub fn requires_signature(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Whether a plugin's component may come from where it does.
    ///
    /// # Errors
    /// The patterns that it does not match.
    pub fn allows(&self, plugin: &Plugin) -> Result<(), String> {
        let matches = |text: &str| self.allow.iter().any(|(pattern, _)| pattern.matches_with(text, MATCHING));
        let allowed = self.allow.is_empty()
            || match &plugin.reference {
                // With and without its version, so that `oci://registry/team/name` and `oci://registry/team/name:1.*` both serve.
                Some(reference) => matches(&reference.to_string()) || matches(&reference.repository().to_string()),
                None => self.spellings(&plugin.component_path).iter().any(|text| matches(text)),
            };
        if allowed {
            return Ok(());
        }
        let patterns: Vec<String> = self.allow.iter().map(|(_, shown)| format!("`{shown}`")).collect();
        Err(patterns.join(" or "))
    }

    /// A file as the policy may name it: relative to the policy's folder where it lies within, and from the root. `..` is resolved
    /// first, so that `plugins/../x` is not in `plugins`.
    fn spellings(&self, path: &Path) -> Vec<String> {
        // The working directory as a folder is the empty path.
        let absolute = |path: &Path| std::path::absolute(Path::new(".").join(path)).map(|path| resolved(&path)).ok();
        let (Some(folder), Some(path)) = (absolute(&self.folder), absolute(path)) else { return Vec::new() };
        let relative = path.strip_prefix(&folder).ok().map(Path::to_owned);
        relative.into_iter().chain([path]).filter_map(|path| path.to_str().map(str::to_owned)).collect()
    }

    /// Whether bytes are signed as the policy asks. `None`: it asks for nothing.
    ///
    /// # Errors
    /// `Err(None)`: there is no signature; otherwise what is wrong with it.
    pub fn verify(&self, bytes: &[u8], signature: Option<&str>) -> Result<Option<Signed>, Option<SignatureError>> {
        if !self.requires_signature() {
            return Ok(None);
        }
        verify(&self.keys, bytes, signature.ok_or(None)?).map(Some).map_err(Some)
    }

    /// Ids of the keys that count.
    pub fn key_ids(&self) -> Vec<String> {
        self.keys.iter().map(PublicKey::id).collect()
    }
}

/// An absolute path without `.` and `..`, by its spelling alone.
pub(crate) fn resolved(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                out.pop();
            }
            part => out.push(part),
        }
    }
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_config::{Config, Environment, ProcessEnvironment};

    fn allowed_in(folder: &str, allow: &str, component: &str) -> bool {
        let text = format!("version: 1\nplugins_policy: {{ allow: [{allow}] }}\nplugins: {{ p: {{ component: \"{component}\" }} }}\n");
        let environment: &dyn Environment = &ProcessEnvironment;
        let (config, findings) = Config::parse("tamis.yaml", &text, Path::new(folder), environment);
        let config = config.unwrap_or_else(|| panic!("{}", findings.render(false)));
        Policy::new(&config.plugins_policy).unwrap().allows(&config.plugins["p"].value).is_ok()
    }

    fn allowed(allow: &str, component: &str) -> bool {
        allowed_in("etc", allow, component)
    }

    #[test]
    fn a_policy_in_the_working_directory_is_relative_to_it() {
        assert!(allowed_in("", "\"plugins/*\"", "plugins/a.wasm"));
        assert!(!allowed_in("", "\"plugins/*\"", "../plugins/a.wasm"));
    }

    #[test]
    fn patterns_allow_what_they_match() {
        for (allow, component, expected) in [
            ("\"oci://r/team/*\"", "oci://r/team/tenant:1", true),
            ("\"oci://r/team/*\"", "oci://r/team/sub/tenant:1", false),
            ("\"oci://r/team/**\"", "oci://r/team/sub/tenant:1", true),
            ("\"oci://r/team/*\"", "oci://r/teams/tenant:1", false),
            ("\"oci://r/team/*\"", "oci://r.evil.example/team/tenant:1", false),
            ("\"oci://r/team/tenant\"", "oci://r/team/tenant:1", true),
            ("\"oci://r/team/tenant:1.*\"", "oci://r/team/tenant:1.4", true),
            ("\"oci://r/team/tenant:1.*\"", "oci://r/team/tenant:2.0", false),
            ("\"oci://r/team/*\", \"plugins/*\"", "plugins/a.wasm", true),
            ("\"plugins/*\"", "./plugins/a.wasm", true),
            ("\"./plugins/*\"", "plugins/a.wasm", true),
            ("\"plugins/*\"", "plugins/../a.wasm", false),
            ("\"plugins/**\"", "plugins/../a.wasm", false),
            ("\"plugins/*\"", "../etc/plugins/a.wasm", true),
            ("\"plugins/*\"", "plugins/sub/a.wasm", false),
            ("\"plugins/*\"", "/plugins/a.wasm", false),
            ("\"/plugins/*\"", "/plugins/a.wasm", true),
            ("\"oci://**\"", "plugins/a.wasm", false),
            ("\"**\"", "oci://r/team/tenant:1", true),
        ] {
            assert_eq!(allowed(allow, component), expected, "{allow}: {component}");
        }
    }
}
