//! The tenant of a record, by a table from its owner, its tenant domain or its context.
//!
//! See the README for the configuration.

use std::collections::BTreeMap;

use serde::Deserialize;
use tamis_plugin::{CaselessMap, Plugin, Reads, Text, Verdict, Writes};

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Owner code to tenant. Codes are compared whatever their case and never trimmed.
    #[serde(default)]
    pub owners: BTreeMap<String, String>,
    /// Tenant domain to tenant, for `domain`, `context` and `user`.
    #[serde(default)]
    pub domains: BTreeMap<String, String>,
    /// The tenant of a record that no table knows; without one the record is left as it is.
    #[serde(default)]
    pub default: Option<String>,
    /// The field that holds the owner code.
    #[serde(default = "owner_field")]
    pub from: String,
    /// The field that holds an API context, in which `/t/<domain>/` names the tenant domain.
    #[serde(default)]
    pub context: Option<String>,
    /// The field that holds a tenant domain as it is.
    #[serde(default)]
    pub domain: Option<String>,
    /// The field that holds an account, `user@<domain>`.
    #[serde(default)]
    pub user: Option<String>,
    /// The field that takes the tenant.
    #[serde(default = "tenant_field")]
    pub to: String,
}

fn owner_field() -> String {
    "ApiOwner".to_owned()
}

fn tenant_field() -> String {
    "tenant".to_owned()
}

/// What is read; the configuration gives the paths.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    #[field("from")]
    owner: Option<&'a [u8]>,
    domain: Option<&'a [u8]>,
    context: Option<&'a [u8]>,
    user: Option<&'a [u8]>,
}

/// What is written; the configuration gives the path.
#[derive(Debug, Writes)]
pub struct Out {
    #[field("to")]
    tenant: Text,
}

/// The plugin.
#[derive(Debug)]
pub struct Tenant {
    owners: CaselessMap<String>,
    domains: CaselessMap<String>,
    config: Config,
}

impl Plugin for Tenant {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        if config.owners.is_empty() && config.domains.is_empty() && config.default.is_none() {
            return Err("configuration: no table is given; set `owners` (owner code: tenant), or `domains` with `domain`, \
                 `context` or `user`, or at least `default`"
                .to_owned());
        }
        if !config.domains.is_empty() && config.context.is_none() && config.domain.is_none() && config.user.is_none() {
            return Err("configuration key domains: it is used by no field; set `domain` (a field that holds a tenant domain), \
                 `context` (a field that holds /t/<domain>/) or `user` (a field that holds user@<domain>)"
                .to_owned());
        }
        for (key, field) in [("context", &config.context), ("domain", &config.domain), ("user", &config.user)] {
            if field.is_some() && config.domains.is_empty() {
                return Err(format!("configuration key {key}: `domains` (tenant domain: tenant) is empty, so it finds nothing"));
            }
        }
        Ok(Self { owners: CaselessMap::new(config.owners.clone()), domains: CaselessMap::new(config.domains.clone()), config })
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        match declared {
            "from" if self.owners.is_empty() => None,
            "from" => Some(&self.config.from),
            "domain" => self.config.domain.as_deref(),
            "context" => self.config.context.as_deref(),
            "user" => self.config.user.as_deref(),
            _ => Some(&self.config.to),
        }
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        let tenant = row
            .owner
            .and_then(|owner| self.owners.get(owner))
            .or_else(|| self.domains.get(row.domain?))
            .or_else(|| self.domains.get(domain_in(row.context?)?))
            .or_else(|| self.domains.get(domain_of(row.user?)?))
            .or(self.config.default.as_ref());
        if let Some(tenant) = tenant {
            out.tenant.set(tenant);
        }
        Verdict::Keep
    }
}

/// The tenant domain that an API context begins with: `/t/<domain>/…`, `/t/<domain>`, with or without the first slash; a query
/// does not belong to it.
fn domain_in(context: &[u8]) -> Option<&[u8]> {
    let context = context.trim_ascii_start();
    let context = context.strip_prefix(b"/").unwrap_or(context);
    let rest = context.strip_prefix(b"t/")?;
    rest.split(|byte| matches!(byte, b'/' | b'?' | b'#' | b';')).next().map(<[u8]>::trim_ascii).filter(|domain| !domain.is_empty())
}

/// The tenant domain of an account: what follows the last `@`, since the user may be an e-mail address.
fn domain_of(user: &[u8]) -> Option<&[u8]> {
    let at = user.iter().rposition(|byte| *byte == b'@')?;
    user.get(at + 1..).map(<[u8]>::trim_ascii)
}

tamis_plugin::export!(Tenant);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::harness;

    use super::*;

    fn tenants(config: Value, records: Value) -> Vec<Value> {
        let mut plugin = harness::<Tenant>(config).expect("a sound configuration");
        let run = plugin.run(records);
        run.records.iter().map(|record| record["tenant"].clone()).collect()
    }

    #[test]
    fn owners_in_any_case_and_never_trimmed() {
        let found = tenants(
            json!({"owners": {"cio": "corporate", "s7_": "mail"}}),
            json!([
                {"ApiOwner": "cio"},
                {"ApiOwner": "S7_", "tenant": "old"},
                {"ApiOwner": "s7", "tenant": "old"},
                {"ApiOwner": 7},
                {},
            ]),
        );
        assert_eq!(found, [json!("corporate"), json!("mail"), json!("old"), json!(null), json!(null)]);
    }

    #[test]
    fn a_default_for_the_rest() {
        let config = json!({"owners": {"cio": "corporate"}, "default": "unknown"});
        let found = tenants(config, json!([{"ApiOwner": "CIO"}, {"ApiOwner": "x"}, {}]));
        assert_eq!(found, ["corporate", "unknown", "unknown"]);
    }

    #[test]
    fn the_owner_goes_before_the_domain_and_that_before_the_context() {
        let config = json!({
            "owners": {"cio": "corporate"},
            "domains": {"colis.example": "parcel", "courrier.example": "mail"},
            "domain": "api.tenantDomain",
            "context": "apiContext",
            "user": "userName",
        });
        let records = json!([
            {"ApiOwner": "cio", "api": {"tenantDomain": "colis.example"}},
            {"ApiOwner": "zzz", "api": {"tenantDomain": "COLIS.example"}, "apiContext": "/t/courrier.example/a"},
            {"api": {"tenantDomain": "carbon.super"}, "apiContext": "/t/courrier.example/suivi/v1"},
            {"apiContext": "t/courrier.example"},
            {"apiContext": "/suivi/t/courrier.example/v1"},
            {"apiContext": "/t//v1"},
            {"apiContext": "/t/colis.example?x=1"},
            {"userName": "jean@mail.example@colis.example"},
            {"userName": "jean@courrier.example", "apiContext": "/t/colis.example/v1"},
            {"userName": "colis.example"},
        ]);
        let found = tenants(config, records);
        let null = json!(null);
        let wanted = [
            &json!("corporate"),
            &json!("parcel"),
            &json!("mail"),
            &json!("mail"),
            &null,
            &null,
            &json!("parcel"),
            &json!("parcel"),
            &json!("parcel"),
            &null,
        ];
        assert_eq!(found.iter().collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn only_what_is_configured_is_asked_for() {
        let owners = harness::<Tenant>(json!({"owners": {"a": "b"}, "from": "x.owner", "to": "x.tenant"})).expect("a sound configuration");
        assert_eq!((owners.reads(), owners.writes()), (vec!["x.owner"], vec!["x.tenant"]));
        let context = harness::<Tenant>(json!({"domains": {"a": "b"}, "context": "apiContext"})).expect("a sound configuration");
        assert_eq!(context.reads(), ["apiContext"]);
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| harness::<Tenant>(config).expect_err("an error");
        assert_eq!(error(json!({"owners": {"cio": 7}})), "configuration key owners.cio: invalid type: integer `7`, expected a string");
        assert!(error(json!({})).contains("set `owners`"));
        assert!(error(json!({"domains": {"a": "b"}})).starts_with("configuration key domains: "));
        assert!(error(json!({"owners": {"a": "b"}, "context": "apiContext"})).starts_with("configuration key context: "));
        assert!(error(json!({"owner": {}})).starts_with("configuration key owner: unknown field"));
    }
}
