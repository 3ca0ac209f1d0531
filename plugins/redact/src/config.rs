//! The step's configuration and the policy it makes.

use std::fmt;

use serde::Deserialize;
use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{Deserializer, IntoDeserializer, MapAccess, Visitor};

use crate::digest::Key;
use crate::kind::{KINDS, Kind};

/// Largest value looked at, in bytes, unless configured otherwise.
pub const VALUE_BYTES_MAX: usize = 1 << 20;
/// Shortest key accepted, in bytes.
const KEY_BYTES_MIN: usize = 16;
/// Longest replacement, in bytes.
const REPLACEMENT_BYTES_MAX: usize = 64;

/// What becomes of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A fixed text takes its place.
    Mask,
    /// Sixteen hexadecimal digits of a keyed hash take its place: equal values stay equal.
    Hash,
    /// It is cut out.
    Remove,
    /// The host part of an address is cleared.
    Truncate,
    /// The detector does not run.
    Off,
}

/// The configuration as the operator writes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Fields to look at; `.` alone is the whole record.
    pub fields: Vec<FieldConfig>,
    /// What becomes of findings whose detector says nothing else.
    #[serde(default = "default_mode")]
    pub mode: Mode,
    /// The detectors, by name.
    #[serde(default)]
    pub detectors: Detectors,
    /// Key of the hash.
    #[serde(default)]
    pub key: Option<String>,
    /// More names that secrets follow.
    #[serde(default)]
    pub names: Vec<String>,
    /// How accounts of the gateway are told.
    #[serde(default)]
    pub accounts: Accounts,
    /// Whether what is found in a record is looked for in all fields of that record, where nothing else tells it.
    #[serde(default)]
    pub repeats: bool,
    /// Largest value looked at, in bytes; a record with a larger one is rejected.
    #[serde(default = "default_value_bytes_max")]
    pub max_value_bytes: usize,
}

fn default_mode() -> Mode {
    Mode::Mask
}

fn default_value_bytes_max() -> usize {
    VALUE_BYTES_MAX
}

/// A field to look at: its path, or path and kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldConfig {
    /// The field's path.
    pub path: String,
    /// How the host shows it.
    pub kind: FieldKind,
}

/// How a field is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FieldKind {
    /// Whatever it holds: text, a number, an array, an object.
    #[default]
    Json,
    /// Text only: a field that holds anything else passes unseen.
    Text,
}

impl<'de> Deserialize<'de> for FieldConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            path: String,
            #[serde(default)]
            kind: FieldKind,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = FieldConfig;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a field path or a map with `path` and `kind`")
            }

            fn visit_str<E>(self, path: &str) -> Result<FieldConfig, E> {
                Ok(FieldConfig { path: path.to_owned(), kind: FieldKind::Json })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<FieldConfig, A::Error> {
                let Long { path, kind } = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(FieldConfig { path, kind })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// The detectors that the configuration says something about.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[expect(missing_docs, reason = "each is the detector of that name")]
pub struct Detectors {
    pub email: Option<Detector>,
    pub jwt: Option<Detector>,
    pub credential: Option<Detector>,
    pub bearer: Option<Detector>,
    pub named: Option<Detector>,
    pub account: Option<Detector>,
    pub card: Option<Detector>,
    pub iban: Option<Detector>,
    pub nir: Option<Detector>,
    pub phone: Option<Detector>,
    pub ip: Option<Detector>,
}

/// One detector: its mode, or a map with more.
#[derive(Debug, Clone, Default)]
pub struct Detector {
    /// Instead of the general mode.
    pub mode: Option<Mode>,
    /// Instead of the built-in text of `mask`.
    pub replacement: Option<String>,
    /// `card` only: the last four digits stay, after the replacement.
    pub keep_last_four: bool,
    /// `ip` only: private addresses stay.
    pub keep_private: Option<bool>,
}

impl<'de> Deserialize<'de> for Detector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Long {
            mode: Option<Mode>,
            replacement: Option<String>,
            #[serde(default)]
            keep_last_four: bool,
            keep_private: Option<bool>,
        }

        struct Either;

        impl<'de> Visitor<'de> for Either {
            type Value = Detector;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(
                    "a mode (mask, hash, remove, truncate, off) or a map with `mode`, `replacement`, `keep_last_four`, `keep_private`",
                )
            }

            fn visit_str<E: serde::de::Error>(self, mode: &str) -> Result<Detector, E> {
                let mode: StrDeserializer<'_, E> = mode.into_deserializer();
                Ok(Detector { mode: Some(Mode::deserialize(mode)?), ..Detector::default() })
            }

            // YAML reads `off` as false.
            fn visit_bool<E: serde::de::Error>(self, on: bool) -> Result<Detector, E> {
                Ok(Detector { mode: (!on).then_some(Mode::Off), ..Detector::default() })
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Detector, A::Error> {
                let long = Long::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Detector {
                    mode: long.mode,
                    replacement: long.replacement,
                    keep_last_four: long.keep_last_four,
                    keep_private: long.keep_private,
                })
            }
        }

        deserializer.deserialize_any(Either)
    }
}

/// Where accounts, `user@tenant`, are.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Accounts {
    /// Fields whose text is an account; in a whole record, members of that name.
    pub fields: Vec<String>,
    /// Tenants by which an account is told from an e-mail address anywhere.
    pub tenants: Vec<String>,
}

impl Default for Accounts {
    fn default() -> Self {
        Self { fields: Vec::new(), tenants: vec!["carbon.super".to_owned()] }
    }
}

/// What is done about one kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// Never [`Mode::Off`].
    pub mode: Mode,
    /// What [`Mode::Mask`] writes.
    pub replacement: String,
    /// Whether a card's last four digits follow the replacement.
    pub keep_last_four: bool,
    /// Whether private addresses stay.
    pub keep_private: bool,
}

/// A configuration found sound.
#[derive(Debug)]
pub struct Policy {
    /// By [`Kind::index`]; `None`: the detector is off.
    pub actions: [Option<Action>; KINDS],
    /// Key of the hash, where a mode needs one.
    pub key: Option<Key>,
    /// Tenants of accounts.
    pub tenants: Vec<String>,
}

impl Policy {
    /// What is done about `kind`; `None`: nothing.
    #[inline]
    #[must_use]
    pub fn action(&self, kind: Kind) -> Option<&Action> {
        self.actions.get(kind.index()).and_then(Option::as_ref)
    }
}

impl Config {
    /// Checks what types cannot say.
    ///
    /// # Errors
    /// Names the key, what was found and what was expected. The hash key is never repeated.
    pub fn policy(&self) -> Result<Policy, String> {
        if self.fields.is_empty() {
            return Err("configuration key fields: expected at least one field path, or `.` for the whole record".to_owned());
        }
        if self.fields.len() > 1 && self.fields.iter().any(|field| field.path == ".") {
            return Err("configuration key fields: `.` is the whole record and must stand alone".to_owned());
        }
        for (index, field) in self.fields.iter().enumerate() {
            if field.path == "." && field.kind == FieldKind::Text {
                return Err(format!("configuration key fields[{index}].kind: the whole record is json, not text"));
            }
            if self.fields.iter().take(index).any(|other| other.path == field.path) {
                return Err(format!("configuration key fields[{index}]: `{}` is listed twice", field.path));
            }
        }
        if self.max_value_bytes == 0 || self.max_value_bytes > u32::MAX as usize / 2 {
            return Err(format!("configuration key max_value_bytes: found {}, expected 1 to {} bytes", self.max_value_bytes, u32::MAX / 2));
        }
        if let Some(index) = self.names.iter().position(|name| name.bytes().filter(u8::is_ascii_alphanumeric).count() < 2) {
            return Err(format!("configuration key names[{index}]: expected a name of at least two letters or digits"));
        }
        let key = match &self.key {
            Some(key) if key.len() < KEY_BYTES_MIN => {
                return Err(format!("configuration key key: found {} bytes, expected at least {KEY_BYTES_MIN}", key.len()));
            }
            Some(key) => Some(Key::new(key.as_bytes())),
            None => None,
        };
        let mut actions: [Option<Action>; KINDS] = Default::default();
        for (slot, kind) in actions.iter_mut().zip(Kind::ALL) {
            *slot = self.action(kind)?;
        }
        Ok(Policy { actions, key, tenants: self.accounts.tenants.clone() })
    }

    fn action(&self, kind: Kind) -> Result<Option<Action>, String> {
        let detectors = &self.detectors;
        let detector = match kind {
            Kind::Named => &detectors.named,
            Kind::Bearer => &detectors.bearer,
            Kind::Jwt => &detectors.jwt,
            Kind::Credential => &detectors.credential,
            Kind::Account => &detectors.account,
            Kind::Card => &detectors.card,
            Kind::Iban => &detectors.iban,
            Kind::Nir => &detectors.nir,
            Kind::Email => &detectors.email,
            Kind::Phone => &detectors.phone,
            Kind::Ip => &detectors.ip,
        }
        .clone()
        .unwrap_or_default();
        let name = kind.name();
        let mode = match (detector.mode, kind) {
            (Some(mode), _) => mode,
            (None, Kind::Ip) => Mode::Truncate,
            // An account is hashed, so that what one user did can still be told; without a key that cannot be.
            (None, Kind::Account) if self.key.is_some() || !self.accounts.fields.is_empty() => Mode::Hash,
            (None, Kind::Account) => Mode::Mask,
            (None, _) => self.mode,
        };
        match mode {
            Mode::Off => return Ok(None),
            Mode::Truncate if kind != Kind::Ip => {
                let key = if detector.mode.is_some() { format!("detectors.{name}") } else { "mode".to_owned() };
                return Err(format!("configuration key {key}: `truncate` is for `ip` alone; expected mask, hash, remove or off"));
            }
            Mode::Hash if self.key.is_none() => {
                return Err(format!(
                    "configuration key key: missing, but `{name}` is to be hashed; expected at least {KEY_BYTES_MIN} bytes, best from a secret file"
                ));
            }
            _ => {}
        }
        if detector.keep_last_four && kind != Kind::Card {
            return Err(format!("configuration key detectors.{name}.keep_last_four: is for `card` alone"));
        }
        if detector.keep_private.is_some() && kind != Kind::Ip {
            return Err(format!("configuration key detectors.{name}.keep_private: is for `ip` alone"));
        }
        let replacement = detector.replacement.unwrap_or_else(|| kind.label().to_owned());
        let plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\\' | b'<' | b'&' | b'%' | b'@');
        if replacement.len() > REPLACEMENT_BYTES_MAX || !replacement.bytes().all(plain) {
            return Err(format!(
                "configuration key detectors.{name}.replacement: expected at most {REPLACEMENT_BYTES_MAX} printable ASCII characters other than \" \\ < & % @"
            ));
        }
        Ok(Some(Action { mode, replacement, keep_last_four: detector.keep_last_four, keep_private: detector.keep_private.unwrap_or(true) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(config: &str) -> Result<Policy, String> {
        tamis_plugin::config::parse::<Config>(config)?.policy()
    }

    #[test]
    fn defaults_mask_everything_and_truncate_addresses() {
        let policy = policy(r#"{"fields":["message"]}"#).expect("sound");
        for kind in Kind::ALL {
            let action = policy.action(kind).expect("on");
            let wanted = if kind == Kind::Ip { Mode::Truncate } else { Mode::Mask };
            assert_eq!(action.mode, wanted);
            assert_eq!(action.replacement, kind.label());
        }
    }

    #[test]
    fn detectors_take_a_mode_or_a_map() {
        let policy = policy(
            r#"{"fields":["."],"mode":"remove","key":"0123456789abcdef","detectors":{"email":"hash","phone":"off","iban":false,
                "card":{"keep_last_four":true,"mode":"mask","replacement":"card:"},"ip":{"keep_private":false}}}"#,
        )
        .expect("sound");
        let mode = |kind| policy.action(kind).map(|action| action.mode);
        assert_eq!(mode(Kind::Email), Some(Mode::Hash));
        assert_eq!(mode(Kind::Phone), None);
        assert_eq!(mode(Kind::Iban), None);
        assert_eq!(mode(Kind::Nir), Some(Mode::Remove));
        assert_eq!(mode(Kind::Account), Some(Mode::Hash));
        let card = policy.action(Kind::Card).expect("on");
        assert!(card.keep_last_four && card.replacement == "card:");
        assert!(!policy.action(Kind::Ip).expect("on").keep_private);
    }

    #[test]
    fn errors_name_the_key() {
        for (config, wanted) in [
            ("{}", "fields"),
            (r#"{"fields":[]}"#, "key fields: expected at least one"),
            (r#"{"fields":[".","a"]}"#, "key fields: `.`"),
            (r#"{"fields":["a","a"]}"#, "key fields[1]: `a` is listed twice"),
            (r#"{"fields":[3]}"#, "key fields[0]: invalid type: integer `3`, expected a field path"),
            (r#"{"fields":[{"path":".","kind":"text"}]}"#, "key fields[0].kind"),
            (r#"{"fields":["a"],"mod":"mask"}"#, "unknown field `mod`"),
            (r#"{"fields":["a"],"mode":"mark"}"#, "key mode: unknown variant `mark`"),
            (r#"{"fields":["a"],"mode":"truncate"}"#, "key mode: `truncate`"),
            (r#"{"fields":["a"],"mode":"hash"}"#, "key key: missing"),
            (r#"{"fields":["a"],"key":"tooshortsecret"}"#, "key key: found 14 bytes"),
            (r#"{"fields":["a"],"detectors":{"mail":"mask"}}"#, "unknown field `mail`"),
            (r#"{"fields":["a"],"detectors":{"email":"mark"}}"#, "key detectors.email: unknown variant `mark`"),
            (r#"{"fields":["a"],"detectors":{"email":{"keep_last_four":true}}}"#, "key detectors.email.keep_last_four"),
            (r#"{"fields":["a"],"detectors":{"email":{"keep_private":true}}}"#, "key detectors.email.keep_private"),
            (r#"{"fields":["a"],"detectors":{"email":{"replacement":"\""}}}"#, "key detectors.email.replacement"),
            (r#"{"fields":["a"],"detectors":{"email":"truncate"}}"#, "key detectors.email: `truncate`"),
            (r#"{"fields":["a"],"max_value_bytes":0}"#, "key max_value_bytes: found 0"),
            (r#"{"fields":["a"],"names":["-"]}"#, "key names[0]"),
            (r#"{"fields":["a"],"accounts":{"field":[]}}"#, "unknown field `field`"),
            (r#"{"fields":["a"],"accounts":{"fields":["userName"]}}"#, "key key: missing, but `account`"),
        ] {
            let error = policy(config).expect_err(config);
            assert!(error.contains(wanted), "{config}: {error}");
            assert!(!error.contains("tooshortsecret"), "{error}");
        }
    }
}
