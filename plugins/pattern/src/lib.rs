//! Authentication patterns under one name each, however the gateway or the application spelt them.
//!
//! See the README for the names and the configuration.

pub mod spelling;

use std::collections::BTreeMap;

use serde::Deserialize;
use tamis_plugin::{CaselessMap, Plugin, Reads, Text, Verdict, Writes, metrics};

use crate::spelling::{Folded, SPELLINGS};

/// The names that patterns are given.
pub const PATTERNS: [&str; 10] = [
    "client_credentials",
    "password",
    "authorization_code",
    "refresh_token",
    "jwt-bearer",
    "saml2-bearer",
    "apikey",
    "basic",
    "mtls",
    "none",
];

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The field that is read.
    #[serde(default = "pattern_field")]
    pub from: String,
    /// The field that takes the pattern's name.
    #[serde(default = "pattern_field")]
    pub to: String,
    /// Further spellings: spelling to name. The name is one of [`PATTERNS`] or one of your own.
    #[serde(default)]
    pub aliases: BTreeMap<String, String>,
    /// The name for a record whose field is missing, `null`, empty, `-` or the text `null`; without one it is left as it is.
    #[serde(default)]
    pub missing: Option<String>,
    /// The name for a spelling that nothing knows; without one it is left as it is.
    #[serde(default)]
    pub other: Option<String>,
}

fn pattern_field() -> String {
    "Pattern".to_owned()
}

/// What is read; the configuration gives the path.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    from: Option<&'a [u8]>,
}

/// What is written; the configuration gives the path.
#[derive(Debug, Writes)]
pub struct Out {
    to: Text,
}

/// The plugin.
#[derive(Debug)]
pub struct Pattern {
    /// Names by the spellings as they are listed: nearly all records are found here.
    listed: CaselessMap<String>,
    /// Names by folded spellings.
    folded: CaselessMap<String>,
    in_place: bool,
    config: Config,
    unknown: u64,
}

impl Plugin for Pattern {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        for (key, name) in [("missing", &config.missing), ("other", &config.other)] {
            if name.as_ref().is_some_and(|name| name.trim().is_empty()) {
                return Err(format!("configuration key {key}: expected a name such as none, found empty text"));
            }
        }
        let mut listed: Vec<(&str, &str)> = Vec::new();
        for (name, known) in SPELLINGS {
            listed.extend(known.iter().map(|spelling| (*spelling, name)));
        }
        let mut folded: Vec<(Folded, &str)> =
            listed.iter().filter_map(|(spelling, name)| Some((Folded::of(spelling.as_bytes())?, *name))).collect();
        for (alias, name) in &config.aliases {
            let wrong = |what: &str| format!("configuration key aliases.{alias}: {what}");
            let fold = Folded::of(alias.as_bytes()).ok_or_else(|| wrong("expected a spelling of 1 to 64 letters and digits"))?;
            if name.trim().is_empty() {
                return Err(wrong("expected the pattern's name, found empty text"));
            }
            // An alias takes over every spelling that folds to the same, listed ones included.
            listed.retain(|(spelling, _)| Folded::of(spelling.as_bytes()).is_none_or(|known| known.as_bytes() != fold.as_bytes()));
            listed.push((alias, name));
            folded.push((fold, name));
        }
        Ok(Self {
            listed: CaselessMap::new(listed.iter().map(|(spelling, name)| (spelling, (*name).to_owned()))),
            folded: CaselessMap::new(folded.iter().map(|(fold, name)| (fold.as_bytes(), (*name).to_owned()))),
            in_place: config.from == config.to,
            config,
            unknown: 0,
        })
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        match declared {
            "from" => Some(&self.config.from),
            _ => Some(&self.config.to),
        }
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        let found = row.from.map(<[u8]>::trim_ascii).filter(|found| !is_missing(found));
        let name = match found {
            None => self.config.missing.as_ref(),
            Some(found) => {
                let known = self.listed.get(found).or_else(|| Folded::of(found).and_then(|folded| self.folded.get(folded.as_bytes())));
                if known.is_none() {
                    self.unknown += 1;
                }
                known.or(self.config.other.as_ref())
            }
        };
        match name {
            // What already stands there need not cross the boundary again.
            Some(name) if !(self.in_place && row.from == Some(name.as_bytes())) => out.to.set(name),
            _ => {}
        }
        Verdict::Keep
    }

    fn batch_done(&mut self) {
        let unknown = std::mem::take(&mut self.unknown);
        if unknown > 0 {
            metrics::add("unknown_patterns", unknown);
        }
    }
}

/// Whether a text stands for no value.
fn is_missing(text: &[u8]) -> bool {
    matches!(text, b"" | b"-") || text.eq_ignore_ascii_case(b"null")
}

tamis_plugin::export!(Pattern);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::{Run, harness};

    use super::*;

    fn run(config: Value, patterns: &[Value]) -> Run {
        let records: Vec<Value> = patterns.iter().map(|pattern| json!({ "Pattern": pattern })).collect();
        harness::<Pattern>(config).expect("a sound configuration").run(records.into())
    }

    fn names(run: &Run) -> Vec<Value> {
        run.records.iter().map(|record| record["Pattern"].clone()).collect()
    }

    #[test]
    fn spellings_become_names() {
        let cases = [
            ("client_credentials", "client_credentials"),
            ("Client Credentials", "client_credentials"),
            ("CLIENT-CREDENTIALS", "client_credentials"),
            ("clientCredentials", "client_credentials"),
            ("ropc", "password"),
            ("authorization-code", "authorization_code"),
            ("code", "authorization_code"),
            ("Refresh Token", "refresh_token"),
            ("urn:ietf:params:oauth:grant-type:jwt-bearer", "jwt-bearer"),
            ("URN:IETF:params:oauth:grant-type:JWT-Bearer", "jwt-bearer"),
            ("urn:ietf:params:oauth:grant-type:saml2-bearer", "saml2-bearer"),
            ("urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer", "jwt-bearer"),
            ("API-Key", "apikey"),
            ("api_key", "apikey"),
            ("Basic Auth", "basic"),
            ("mutual SSL", "mtls"),
            ("mutual-tls", "mtls"),
            ("Anonymous", "none"),
            (" none ", "none"),
        ];
        let found: Vec<Value> = cases.iter().map(|(found, _)| json!(found)).collect();
        let run = run(json!({}), &found);
        let expected: Vec<Value> = cases.iter().map(|(_, name)| json!(name)).collect();
        assert_eq!(names(&run), expected);
        assert!(run.told.counters.is_empty());
    }

    #[test]
    fn every_name_is_a_spelling_of_itself_and_is_not_written_again() {
        let found = PATTERNS.map(Value::from);
        let run = run(json!({}), &found);
        assert_eq!(names(&run), found);
        assert!(run.outcome.patches.is_empty());
        assert_eq!(SPELLINGS.map(|(name, _)| name), PATTERNS);
    }

    #[test]
    fn a_name_is_written_to_another_field() {
        let mut plugin = harness::<Pattern>(json!({"from": "auth.type", "to": "auth.pattern"})).expect("two fields");
        let run = plugin.run(json!([{"auth": {"type": "basic"}}]));
        assert_eq!(run.records[0], json!({"auth": {"type": "basic", "pattern": "basic"}}));
    }

    #[test]
    fn what_is_unknown_is_left_and_counted_or_named() {
        let found = [json!("iwa:ntlm"), json!("x".repeat(500)), json!(7), json!("::")];
        let left = run(json!({}), &found);
        assert_eq!(names(&left), found);
        assert_eq!(left.told.counters.get("unknown_patterns"), Some(&3));
        let named = run(json!({"other": "other", "aliases": {"IWA:NTLM": "kerberos"}}), &found);
        assert_eq!(names(&named), [json!("kerberos"), json!("other"), json!(7), json!("other")]);
    }

    #[test]
    fn a_missing_pattern_is_left_or_named() {
        let found = [json!(null), json!("null"), json!("NULL"), json!(""), json!("-"), json!("  ")];
        let left = run(json!({}), &found);
        assert!(left.outcome.patches.is_empty() && left.told.counters.is_empty());
        let named = run(json!({"missing": "none"}), &found);
        assert_eq!(names(&named), ["none"; 6]);
    }

    #[test]
    fn an_alias_may_change_what_a_spelling_means() {
        let run = run(json!({"aliases": {"Co-de": "oidc"}}), &[json!("CODE"), json!("co-de"), json!("authorization_code")]);
        assert_eq!(names(&run), ["oidc", "oidc", "authorization_code"]);
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| harness::<Pattern>(config).expect_err("an error");
        assert!(error(json!({"aliases": {"a": 1}})).starts_with("configuration key aliases.a: invalid type"));
        assert!(error(json!({"aliases": {"--": "x"}})).starts_with("configuration key aliases.--: expected a spelling"));
        assert!(error(json!({"aliases": {"a": " "}})).starts_with("configuration key aliases.a: expected the pattern's name"));
        assert!(error(json!({"missing": ""})).starts_with("configuration key missing: expected a name"));
        assert!(error(json!({"form": "x"})).starts_with("configuration key form: unknown field"));
    }
}
