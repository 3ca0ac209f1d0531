//! Whether a call crosses the internet: a value that is there is kept, else it follows from the caller's address.
//!
//! See the README for the configuration.

pub mod address;

use serde::Deserialize;
use tamis_plugin::{Plugin, Reads, Text, Verdict, Writes, metrics};

use crate::address::Networks;

/// The networks that are not the internet, unless the configuration says otherwise: private use (RFC 1918), loopback
/// (RFC 1122, RFC 4291), link-local (RFC 3927, RFC 4291), shared by carriers (RFC 6598) and unique local (RFC 4193).
pub const INTERNAL: [&str; 9] =
    ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "169.254.0.0/16", "100.64.0.0/10", "::1/128", "fe80::/10", "fc00::/7"];

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The field that holds the caller's address.
    #[serde(default = "address_field")]
    pub address: String,
    /// The field that is kept or derived.
    #[serde(default = "calls_internet_field")]
    pub to: String,
    /// The internal networks in CIDR form, instead of [`INTERNAL`].
    #[serde(default = "internal")]
    pub internal: Vec<String>,
    /// Internal networks beside those.
    #[serde(default)]
    pub also_internal: Vec<String>,
    /// What is written for an address beyond the internal networks.
    #[serde(default = "yes")]
    pub yes: String,
    /// What is written for an internal address.
    #[serde(default = "no")]
    pub no: String,
}

fn address_field() -> String {
    "SourceAppel".to_owned()
}

fn calls_internet_field() -> String {
    "CallsInternet".to_owned()
}

fn internal() -> Vec<String> {
    INTERNAL.map(str::to_owned).to_vec()
}

fn yes() -> String {
    "YES".to_owned()
}

fn no() -> String {
    "NO".to_owned()
}

/// Addresses of a list that are looked at; a longer list is none.
pub const ADDRESSES_MAX: usize = 16;

/// What is read; the configuration gives the paths.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    #[field("to")]
    known: Option<&'a [u8]>,
    address: Option<&'a [u8]>,
}

/// What is written; the configuration gives the path.
#[derive(Debug, Writes)]
pub struct Out {
    #[field("to")]
    calls_internet: Text,
}

/// The plugin.
#[derive(Debug)]
pub struct CallsInternet {
    internal: Networks,
    config: Config,
    unreadable: u64,
}

impl Plugin for CallsInternet {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;

    fn new(config: Config) -> Result<Self, String> {
        let mut internal = Networks::default();
        for (key, networks) in [("internal", &config.internal), ("also_internal", &config.also_internal)] {
            for (place, network) in networks.iter().enumerate() {
                internal.add(network).map_err(|error| format!("configuration key {key}[{place}]: {error}"))?;
            }
        }
        Ok(Self { internal, config, unreadable: 0 })
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        match declared {
            "address" => Some(&self.config.address),
            _ => Some(&self.config.to),
        }
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        if row.known.is_some_and(|known| !is_missing(known)) {
            return Verdict::Keep;
        }
        if let Some(addresses) = row.address {
            match self.crosses(addresses) {
                Some(true) => out.calls_internet.set(&self.config.yes),
                Some(false) => out.calls_internet.set(&self.config.no),
                None => self.unreadable += 1,
            }
        }
        Verdict::Keep
    }

    fn batch_done(&mut self) {
        let unreadable = std::mem::take(&mut self.unreadable);
        if unreadable > 0 {
            metrics::add("unreadable_addresses", unreadable);
        }
    }
}

impl CallsInternet {
    /// Whether an address, or one of a list by which proxies say who they called for, is beyond the internal networks; `None`
    /// where that cannot be told.
    #[inline]
    fn crosses(&self, addresses: &[u8]) -> Option<bool> {
        if let Some(address) = address::parse(addresses) {
            return Some(!self.internal.contain(address));
        }
        let mut all_read = true;
        let mut list = addresses.split(|byte| *byte == b',');
        for address in list.by_ref().take(ADDRESSES_MAX) {
            match address::parse(address) {
                Some(address) if !self.internal.contain(address) => return Some(true),
                Some(_) => {}
                None => all_read = false,
            }
        }
        (all_read && list.next().is_none()).then_some(false)
    }
}

/// Whether a text stands for no value.
#[inline]
fn is_missing(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    matches!(text, b"" | b"-") || text.eq_ignore_ascii_case(b"null")
}

tamis_plugin::export!(CallsInternet);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::harness;

    use super::*;

    fn derive(config: Value, address: &str) -> Value {
        let mut plugin = harness::<CallsInternet>(config).expect("a sound configuration");
        plugin.run(json!([{"SourceAppel": address}])).records[0]["CallsInternet"].clone()
    }

    #[test]
    fn a_value_that_is_there_is_kept() {
        let mut plugin = harness::<CallsInternet>(json!({})).expect("the defaults");
        let run = plugin.run(json!([
            {"CallsInternet": "NO", "SourceAppel": "8.8.8.8"},
            {"CallsInternet": "YES", "SourceAppel": "10.0.0.1"},
            {"CallsInternet": " ", "SourceAppel": "8.8.8.8"},
            {"CallsInternet": null, "SourceAppel": "10.0.0.1"},
            {"SourceAppel": "8.8.8.8"},
            {"CallsInternet": "null", "SourceAppel": "8.8.8.8"},
            {"CallsInternet": "-", "SourceAppel": "10.0.0.1"},
        ]));
        let found: Vec<&Value> = run.records.iter().map(|record| &record["CallsInternet"]).collect();
        assert_eq!(found, ["NO", "YES", "YES", "NO", "YES", "YES", "NO"]);
    }

    #[test]
    fn internal_networks_and_their_edges() {
        for internal in [
            "10.155.12.146",
            "172.16.0.0",
            "172.31.255.255",
            "192.168.1.1",
            "127.0.0.1",
            "169.254.9.9",
            "100.64.0.1",
            "100.127.255.255",
            "::1",
            "fe80::1",
            "febf::1",
            "fd12:3456::1",
            "fc00::",
            "::ffff:10.1.2.3",
            "[fe80::1%eth0]:443",
            "10.0.0.1:8080",
            " 10.0.0.1 ",
        ] {
            assert_eq!(derive(json!({}), internal), "NO", "{internal}");
        }
        for external in [
            "9.255.255.255",
            "11.0.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.169.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "8.8.8.8",
            "2001:db8::1",
            "fec0::1",
            "::2",
            "::ffff:8.8.8.8",
            "[2001:db8::1]:443",
            "8.8.8.8:53",
        ] {
            assert_eq!(derive(json!({}), external), "YES", "{external}");
        }
    }

    #[test]
    fn of_a_list_one_address_beyond_is_enough() {
        let long = ["10.0.0.1"; ADDRESSES_MAX].join(",");
        for (addresses, crosses) in [
            ("10.0.0.1, 192.168.1.1", "NO"),
            ("8.8.8.8, 10.0.0.1", "YES"),
            ("10.0.0.1,2001:db8::1", "YES"),
            ("unknown, 8.8.8.8", "YES"),
            (long.as_str(), "NO"),
        ] {
            assert_eq!(derive(json!({}), addresses), crosses, "{addresses}");
        }
        for left in [format!("{long},10.0.0.1"), "10.0.0.1,".to_owned(), ",".to_owned()] {
            assert_eq!(derive(json!({}), &left), Value::Null, "{left}");
        }
    }

    #[test]
    fn what_is_no_address_is_left_and_counted() {
        let mut plugin = harness::<CallsInternet>(json!({})).expect("the defaults");
        let run = plugin.run(json!([
            {"SourceAppel": ""}, {"SourceAppel": "10.0.0"}, {"SourceAppel": "10.0.0.256"}, {"SourceAppel": "010.0.0.1"},
            {"SourceAppel": "host.example"}, {"SourceAppel": "unknown, 10.0.0.1"}, {"SourceAppel": 167772161}, {},
        ]));
        assert!(run.outcome.patches.is_empty());
        assert_eq!(run.told.counters.get("unreadable_addresses"), Some(&6));
        assert!(plugin.run(json!([{}])).told.counters.is_empty());
    }

    #[test]
    fn networks_names_and_fields_are_configured() {
        let config = json!({"internal": ["203.0.113.0/24"], "also_internal": ["2001:db8::/32"], "yes": "oui", "no": "non"});
        assert_eq!(derive(config.clone(), "203.0.113.255"), "non");
        assert_eq!(derive(config.clone(), "2001:db8:ffff::1"), "non");
        assert_eq!(derive(config, "10.0.0.1"), "oui");
        let moved = harness::<CallsInternet>(json!({"address": "source.ip", "to": "x.internet"})).expect("two fields");
        assert_eq!((moved.reads(), moved.writes()), (vec!["x.internet", "source.ip"], vec!["x.internet"]));
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| harness::<CallsInternet>(config).expect_err("an error");
        assert_eq!(
            error(json!({"internal": ["10.0.0.0/8", "10.0.0.0/33"]})),
            "configuration key internal[1]: `10.0.0.0/33`: expected a prefix length from 0 to 32, found `33`"
        );
        assert!(error(json!({"also_internal": ["ten/8"]})).starts_with("configuration key also_internal[0]: `ten/8`: "));
        assert!(error(json!({"internal": "10.0.0.0/8"})).starts_with("configuration key internal: invalid type"));
    }
}
