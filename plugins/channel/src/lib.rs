//! The channel that a call came by, from the gateway's host, and whether the application may use that channel.
//!
//! See the README for the configuration.

pub mod pattern;

use std::collections::BTreeMap;

use serde::Deserialize;
use tamis_plugin::{Boolean, Plugin, Reads, Text, Verdict, Writes, metrics};

use crate::pattern::Patterns;

/// Channels that may be told apart: each has two counters, and the host takes 64.
pub const CHANNELS_MAX: usize = 30;
/// Hosts, or applications, that may be configured.
pub const PATTERNS_MAX: usize = 4096;

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Gateway host, or a pattern with one `*`, to channel.
    pub hosts: BTreeMap<String, String>,
    /// Application name, or a pattern with one `*`, to the channels it may use.
    #[serde(default)]
    pub allowed: BTreeMap<String, Vec<String>>,
    /// The channel of a host that is not listed; without one the record is left as it is.
    #[serde(default)]
    pub default: Option<String>,
    /// Whether an application that `allowed` does not list may use every channel, or none.
    #[serde(default)]
    pub unlisted: Unlisted,
    /// The field that holds the gateway's host.
    #[serde(default = "host_field")]
    pub from: String,
    /// The field that holds the application's name.
    #[serde(default = "application_field")]
    pub application: String,
    /// The field that takes the channel.
    #[serde(default = "channel_field")]
    pub to: String,
    /// The field that says whether the application is on a channel that it may not use; written only if `allowed` is given.
    #[serde(default = "violation_field")]
    pub violation: String,
}

/// What holds for an application that is not listed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unlisted {
    /// It may use every channel.
    #[default]
    Allow,
    /// It may use none.
    Deny,
}

fn host_field() -> String {
    "Origine".to_owned()
}

fn application_field() -> String {
    "ApplicationName".to_owned()
}

fn channel_field() -> String {
    "channel".to_owned()
}

fn violation_field() -> String {
    "channelViolation".to_owned()
}

/// What is read; the configuration gives the paths.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    from: Option<&'a [u8]>,
    application: Option<&'a [u8]>,
}

/// What is written; the configuration gives the paths.
#[derive(Debug, Writes)]
pub struct Out {
    #[field("to")]
    channel: Text,
    violation: Boolean,
}

/// A channel and its counts in the batch at hand.
#[derive(Debug)]
struct Channel {
    name: String,
    /// Names of its counters: records, violations.
    counters: [String; 2],
    counts: [u64; 2],
}

/// The plugin.
#[derive(Debug)]
pub struct ChannelPlugin {
    channels: Vec<Channel>,
    hosts: Patterns<usize>,
    default: Option<usize>,
    /// One bit a channel: those that an application may use.
    allowed: Patterns<u32>,
    config: Config,
    unknown_hosts: u64,
}

impl Plugin for ChannelPlugin {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        if config.hosts.is_empty() {
            return Err("configuration key hosts: expected at least one gateway host with its channel, found none".to_owned());
        }
        for (key, length) in [("hosts", config.hosts.len()), ("allowed", config.allowed.len())] {
            if length > PATTERNS_MAX {
                return Err(format!("configuration key {key}: expected at most {PATTERNS_MAX} entries, found {length}"));
            }
        }
        let mut channels: Vec<Channel> = Vec::new();
        let mut hosts = Vec::with_capacity(config.hosts.len());
        for (host, name) in &config.hosts {
            hosts.push((host.as_str(), channel(&mut channels, name).map_err(|error| format!("configuration key hosts.{host}: {error}"))?));
        }
        let default = match &config.default {
            Some(name) => Some(channel(&mut channels, name).map_err(|error| format!("configuration key default: {error}"))?),
            None => None,
        };
        let mut allowed = Vec::with_capacity(config.allowed.len());
        for (application, names) in &config.allowed {
            let mut bits = 0_u32;
            for (place, name) in names.iter().enumerate() {
                let index = channels.iter().position(|channel| channel.name == *name).ok_or_else(|| {
                    let known: Vec<&str> = channels.iter().map(|channel| channel.name.as_str()).collect();
                    format!(
                        "configuration key allowed.{application}[{place}]: no host has the channel `{name}`; expected one of {}",
                        known.join(", ")
                    )
                })?;
                bits |= 1 << index;
            }
            allowed.push((application.as_str(), bits));
        }
        let wrong = |key: &'static str| move |(text, error): (&str, String)| format!("configuration key {key}.{text}: {error}");
        let hosts = Patterns::new(hosts).map_err(wrong("hosts"))?;
        let allowed = Patterns::new(allowed).map_err(wrong("allowed"))?;
        if config.unlisted == Unlisted::Deny && allowed.is_empty() {
            return Err("configuration key unlisted: `allowed` lists no application, so `deny` would flag every record".to_owned());
        }
        Ok(Self { channels, hosts, default, allowed, config, unknown_hosts: 0 })
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        match declared {
            "from" => Some(&self.config.from),
            "to" => Some(&self.config.to),
            "application" => (!self.allowed.is_empty()).then_some(&self.config.application),
            _ => (!self.allowed.is_empty()).then_some(&self.config.violation),
        }
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        let found = row.from.and_then(|host| self.hosts.find(host_name(host)));
        let Some(index) = found.copied().or(self.default) else {
            self.unknown_hosts += 1;
            return Verdict::Keep;
        };
        let Some(channel) = self.channels.get_mut(index) else {
            return Verdict::Keep;
        };
        out.channel.set(&channel.name);
        let [records, violations] = &mut channel.counts;
        *records += 1;
        if let Some(application) = row.application.map(<[u8]>::trim_ascii).filter(|application| !is_missing(application)) {
            let allowed = match self.allowed.find(application) {
                Some(bits) => bits >> index & 1 == 1,
                None => self.config.unlisted == Unlisted::Allow,
            };
            out.violation.set(!allowed);
            *violations += u64::from(!allowed);
        }
        Verdict::Keep
    }

    fn batch_done(&mut self) {
        for channel in &mut self.channels {
            for (name, count) in channel.counters.iter().zip(&mut channel.counts) {
                let count = std::mem::take(count);
                if count > 0 {
                    metrics::add(name, count);
                }
            }
        }
        let unknown = std::mem::take(&mut self.unknown_hosts);
        if unknown > 0 {
            metrics::add("unknown_hosts", unknown);
        }
    }
}

/// The index of the channel called `name`, which is added if it is new.
fn channel(channels: &mut Vec<Channel>, name: &str) -> Result<usize, String> {
    if let Some(index) = channels.iter().position(|channel| channel.name == name) {
        return Ok(index);
    }
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if name.is_empty() || name.len() > 32 || !name.bytes().all(letters) {
        return Err(format!("expected a channel's name of 1 to 32 letters, digits, `_` or `-`, found `{name}`"));
    }
    if channels.len() == CHANNELS_MAX {
        return Err(format!("`{name}` is one more than the {CHANNELS_MAX} channels that can be told apart"));
    }
    let metric = name.to_ascii_lowercase().replace('-', "_");
    let counters = [format!("channel_{metric}"), format!("violations_{metric}")];
    channels.push(Channel { name: name.to_owned(), counters, counts: [0; 2] });
    Ok(channels.len() - 1)
}

/// A host without blanks, port and final dot.
#[inline]
fn host_name(host: &[u8]) -> &[u8] {
    let mut host = host.trim_ascii();
    if let Some(colon) = host.iter().rposition(|byte| *byte == b':')
        && let Some((name, [_, port @ ..])) = host.split_at_checked(colon)
        && !port.is_empty()
        && port.iter().all(u8::is_ascii_digit)
        && !name.contains(&b':')
    {
        host = name;
    }
    host.strip_suffix(b".").unwrap_or(host)
}

/// Whether a text stands for no value.
fn is_missing(text: &[u8]) -> bool {
    matches!(text, b"" | b"-") || text.eq_ignore_ascii_case(b"null")
}

tamis_plugin::export!(ChannelPlugin);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::{Harness, harness};

    use super::*;

    fn plugin(config: Value) -> Harness<tamis_plugin::Records<ChannelPlugin>> {
        harness::<ChannelPlugin>(config).expect("a sound configuration")
    }

    fn config() -> Value {
        json!({
            "hosts": {"apim-gw-acc*": "preparation", "apim-gw.net.example": "main", "sale.example": "sale", "*.delivery.example": "delivery"},
            "allowed": {"SACC_*": ["preparation"], "SPRD_*": ["main", "delivery"], "SPRD_*_SHOP": ["sale"]},
        })
    }

    #[test]
    fn the_host_says_the_channel() {
        let run = plugin(config()).run(json!([
            {"Origine": "apim-gw-acc.net.extra.example"},
            {"Origine": "APIM-GW.net.example:8243"},
            {"Origine": " a.delivery.example. "},
            {"Origine": "sale.example", "channel": "old"},
            {"Origine": "x.sale.example", "channel": "old"},
            {"Origine": 7},
            {},
        ]));
        let found: Vec<&Value> = run.records.iter().map(|record| &record["channel"]).collect();
        assert_eq!(
            found,
            [&json!("preparation"), &json!("main"), &json!("delivery"), &json!("sale"), &json!("old"), &json!(null), &json!(null)]
        );
        assert_eq!(run.told.counters.get("channel_main"), Some(&1));
        assert_eq!(run.told.counters.get("unknown_hosts"), Some(&3));
        let run = plugin(json!({"hosts": {"a": "main"}, "default": "other"})).run(json!([{"Origine": "b"}, {}]));
        assert_eq!(run.records, [json!({"Origine": "b", "channel": "other"}), json!({"channel": "other"})]);
    }

    #[test]
    fn an_application_on_a_channel_it_may_not_use_is_flagged() {
        let run = plugin(config()).run(json!([
            {"Origine": "apim-gw-acc.example", "ApplicationName": "SACC_0000193_S7_APIQA.S7_U1"},
            {"Origine": "apim-gw.net.example", "ApplicationName": "SACC_0000193_S7_APIQA.S7_U1"},
            {"Origine": "apim-gw.net.example", "ApplicationName": "SPRD_0000001_X"},
            {"Origine": "apim-gw.net.example", "ApplicationName": "sprd_0000001_shop"},
            {"Origine": "sale.example", "ApplicationName": "SPRD_0000001_SHOP"},
            {"Origine": "sale.example", "ApplicationName": "OTHER"},
            {"Origine": "sale.example", "ApplicationName": "null"},
            {"Origine": "nowhere.example", "ApplicationName": "SACC_1"},
        ]));
        let found: Vec<&Value> = run.records.iter().map(|record| &record["channelViolation"]).collect();
        let wanted = [json!(false), json!(true), json!(false), json!(true), json!(false), json!(false), json!(null), json!(null)];
        assert_eq!(found, wanted.iter().collect::<Vec<_>>());
        assert_eq!(run.told.counters.get("violations_main"), Some(&2));
        assert_eq!(run.told.counters.get("violations_sale"), None);
    }

    #[test]
    fn applications_that_are_not_listed_may_be_denied() {
        let config = json!({"hosts": {"a": "main"}, "allowed": {"app": ["main"]}, "unlisted": "deny"});
        let run = plugin(config).run(json!([{"Origine": "a", "ApplicationName": "app"}, {"Origine": "a", "ApplicationName": "app2"}]));
        assert_eq!((&run.records[0]["channelViolation"], &run.records[1]["channelViolation"]), (&json!(false), &json!(true)));
    }

    #[test]
    fn only_what_is_configured_is_asked_for() {
        let hosts = plugin(json!({"hosts": {"a": "main"}, "from": "host.name", "to": "labels.channel"}));
        assert_eq!((hosts.reads(), hosts.writes()), (vec!["host.name"], vec!["labels.channel"]));
        let both = plugin(config());
        assert_eq!((both.reads(), both.writes()), (vec!["Origine", "ApplicationName"], vec!["channel", "channelViolation"]));
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| harness::<ChannelPlugin>(config).expect_err("an error");
        assert!(error(json!({})).contains("missing field `hosts`"));
        assert!(error(json!({"hosts": {}})).starts_with("configuration key hosts: expected at least one"));
        assert!(error(json!({"hosts": {"a": "the main one"}})).starts_with("configuration key hosts.a: expected a channel's name"));
        assert!(error(json!({"hosts": {"a*b*c": "main"}})).starts_with("configuration key hosts.a*b*c: expected a name"));
        assert!(error(json!({"hosts": {"a": "main"}, "allowed": {"b": ["mian"]}})).starts_with("configuration key allowed.b[0]: no host"));
        assert!(error(json!({"hosts": {"a": "main"}, "unlisted": "deny"})).starts_with("configuration key unlisted: "));
        let many: serde_json::Map<String, Value> = (0..40).map(|n| (format!("h{n}"), json!(format!("c{n}")))).collect();
        assert!(error(json!({"hosts": many})).contains("one more than the 30 channels"));
    }
}
