//! Keeps every failure and a share of the successes. Which ones follows from a hash of a key, so that all hosts keep the same.
//!
//! See the README for the configuration.

pub mod hash;

use std::collections::BTreeMap;

use serde::Deserialize;
use tamis_plugin::{CaselessMap, Float, Json, Plugin, Reads, Verdict, Writes, metrics};

use crate::hash::{hash, seed, threshold};

/// Classes that may have a share of their own.
pub const SHARES_MAX: usize = 64;

/// The step's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The share of the successes that is kept, from 0 to 1.
    pub share: f64,
    /// The share of other classes, or values of `outcome`; 1 for those not listed.
    #[serde(default)]
    pub shares: BTreeMap<String, f64>,
    /// The field whose hash decides.
    #[serde(default = "key_field")]
    pub key: String,
    /// Another seed keeps others: so that two samples in a row do not keep the same ones.
    #[serde(default)]
    pub seed: String,
    /// The field with the outcome class.
    #[serde(default = "outcome_field")]
    pub outcome: String,
    /// The field with the status, asked where there is no outcome class.
    #[serde(default = "status_field")]
    pub status: String,
    /// The class that is a success.
    #[serde(default = "success_class")]
    pub success: String,
    /// The field that takes the share by which the record was kept: count each as its reciprocal.
    #[serde(default = "rate_field")]
    pub to: String,
}

fn key_field() -> String {
    "CORRELATION_ID".to_owned()
}

fn outcome_field() -> String {
    "outcome".to_owned()
}

fn status_field() -> String {
    "HTTP_ReturnCode".to_owned()
}

fn success_class() -> String {
    "success".to_owned()
}

fn rate_field() -> String {
    "sampleRate".to_owned()
}

/// What is read; the configuration gives the paths.
#[derive(Debug, Clone, Copy, Reads)]
pub struct In<'a> {
    key: Option<Json<'a>>,
    outcome: Option<&'a [u8]>,
    status: Option<Json<'a>>,
}

/// What is written; the configuration gives the path.
#[derive(Debug, Writes)]
pub struct Out {
    #[field("to")]
    rate: Float,
}

/// A share, and the hashes that are within it.
#[derive(Debug, Clone, Copy)]
struct Share {
    rate: f64,
    below: u64,
}

impl Share {
    const ALL: Self = Self { rate: 1.0, below: u64::MAX };

    fn new(rate: f64) -> Self {
        if rate < 1.0 { Self { rate, below: threshold(rate) } } else { Self::ALL }
    }
}

/// The plugin.
#[derive(Debug)]
pub struct Sample {
    success: Share,
    classes: CaselessMap<Share>,
    seed: u64,
    config: Config,
    kept: u64,
    dropped: u64,
    failures: u64,
    without_key: u64,
}

impl Plugin for Sample {
    type Config = Config;
    type In<'a> = In<'a>;
    type Out = Out;
    const DROPS: bool = true;

    fn new(config: Config) -> Result<Self, String> {
        let check = |key: &str, share: f64| match (0.0..=1.0).contains(&share) {
            true => Ok(Share::new(share)),
            false => Err(format!("configuration key {key}: expected a share from 0 to 1, found {share}")),
        };
        let success = check("share", config.share)?;
        if config.shares.len() > SHARES_MAX {
            return Err(format!("configuration key shares: expected at most {SHARES_MAX} classes, found {}", config.shares.len()));
        }
        let mut classes = Vec::with_capacity(config.shares.len() + 1);
        for (class, share) in &config.shares {
            classes.push((class.as_str(), check(&format!("shares.{class}"), *share)?));
            if class.eq_ignore_ascii_case(&config.success) {
                return Err(format!("configuration key shares.{class}: the share of successes is given by `share`; leave one of them out"));
            }
        }
        classes.push((&config.success, success));
        let classes = CaselessMap::new(classes);
        Ok(Self { success, classes, seed: seed(&config.seed), config, kept: 0, dropped: 0, failures: 0, without_key: 0 })
    }

    fn path<'p>(&'p self, declared: &'p str) -> Option<&'p str> {
        Some(match declared {
            "key" => &self.config.key,
            "outcome" => &self.config.outcome,
            "status" => &self.config.status,
            _ => &self.config.to,
        })
    }

    #[inline]
    fn record(&mut self, row: In<'_>, out: &mut Out) -> Verdict {
        let mut share = self.share(&row);
        if share.rate < 1.0 {
            match row.key.and_then(key_text) {
                Some(key) if hash(self.seed, key) >= share.below => {
                    self.dropped += 1;
                    return Verdict::Drop;
                }
                Some(_) => {}
                // Without a key there is no fair choice, and what is dropped cannot be brought back.
                None => {
                    self.without_key += 1;
                    share = Share::ALL;
                }
            }
        }
        self.kept += 1;
        out.rate.set(share.rate);
        Verdict::Keep
    }

    fn batch_done(&mut self) {
        for (name, count) in [
            ("kept", &mut self.kept),
            ("dropped", &mut self.dropped),
            ("kept_failures", &mut self.failures),
            ("kept_without_key", &mut self.without_key),
        ] {
            let count = std::mem::take(count);
            if count > 0 {
                metrics::add(name, count);
            }
        }
    }
}

impl Sample {
    /// The share that the record's class is kept by; all where it cannot be told to be a success.
    #[inline]
    fn share(&mut self, row: &In<'_>) -> Share {
        let class = row.outcome.map(<[u8]>::trim_ascii).filter(|class| !class.is_empty());
        let share = match class {
            Some(class) => self.classes.get(class).copied(),
            None => row.status.and_then(Json::integer).filter(|status| (100..400).contains(status)).map(|_| self.success),
        };
        share.unwrap_or_else(|| {
            self.failures += 1;
            Share::ALL
        })
    }
}

/// The text of a key; a number counts as the text it is written in. `None` for anything empty.
#[inline]
fn key_text(key: Json<'_>) -> Option<&[u8]> {
    let text = match key.as_bytes() {
        [b'"', inner @ .., b'"'] => inner,
        other => other,
    };
    let nothing = text.is_empty() || matches!(text, b"-" | b"null" | b"{}" | b"[]");
    (!nothing).then_some(text)
}

tamis_plugin::export!(Sample);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tamis_plugin::testing::{Fate, Harness, Run, harness};

    use super::*;

    fn sample(config: Value) -> Harness<tamis_plugin::Records<Sample>> {
        harness::<Sample>(config).expect("a sound configuration")
    }

    fn kept(run: &Run) -> Vec<bool> {
        run.fates.iter().map(|fate| *fate == Fate::Kept).collect()
    }

    fn successes(count: usize) -> Value {
        (0..count).map(|n| json!({"CORRELATION_ID": format!("urn:uuid:{n:08x}"), "outcome": "success"})).collect()
    }

    #[test]
    fn failures_are_kept_whatever_the_share() {
        let mut plugin = sample(json!({"share": 0}));
        assert!(plugin.signature().drops);
        let run = plugin.run(json!([
            {"CORRELATION_ID": "a", "outcome": "error.backend"},
            {"CORRELATION_ID": "a", "outcome": "throttle", "HTTP_ReturnCode": 200},
            {"CORRELATION_ID": "a", "HTTP_ReturnCode": 500},
            {"CORRELATION_ID": "a", "HTTP_ReturnCode": "404"},
            {"CORRELATION_ID": "a", "HTTP_ReturnCode": -1},
            {"CORRELATION_ID": "a"},
            {"CORRELATION_ID": "a", "outcome": "success", "HTTP_ReturnCode": 500},
            {"CORRELATION_ID": "a", "outcome": "Success"},
            {"CORRELATION_ID": "a", "HTTP_ReturnCode": 200},
            {"CORRELATION_ID": "a", "outcome": " ", "HTTP_ReturnCode": "304"},
        ]));
        assert_eq!(kept(&run), [true, true, true, true, true, true, false, false, false, false]);
        assert_eq!(run.records[0]["sampleRate"], 1.0);
        let counters: Vec<(&str, u64)> = run.told.counters.iter().map(|(name, count)| (name.as_str(), *count)).collect();
        assert_eq!(counters, [("dropped", 4), ("kept", 6), ("kept_failures", 6)]);
    }

    #[test]
    fn a_share_is_kept_and_its_counts_scale() {
        let run = sample(json!({"share": 0.1})).run(successes(10_000));
        let kept: Vec<&Value> = run.passed();
        assert!((900..1100).contains(&kept.len()), "{}", kept.len());
        assert!(kept.iter().all(|record| record["sampleRate"] == 0.1));
        let all = sample(json!({"share": 1})).run(successes(100));
        assert_eq!(all.passed().len(), 100);
    }

    #[test]
    fn the_same_ones_are_kept_by_every_host_and_within_a_larger_share() {
        let small = kept(&sample(json!({"share": 0.2})).run(successes(1000)));
        assert_eq!(small, kept(&sample(json!({"share": 0.2})).run(successes(1000))));
        let large = kept(&sample(json!({"share": 0.4})).run(successes(1000)));
        assert!(small.iter().zip(&large).all(|(small, large)| !small || *large));
        let other = kept(&sample(json!({"share": 0.2, "seed": "second"})).run(successes(1000)));
        assert_ne!(small, other);
        let both = small.iter().zip(&other).filter(|(small, other)| **small && **other).count();
        assert!((15..70).contains(&both), "{both}");
    }

    #[test]
    fn records_of_one_key_share_their_fate_and_those_without_are_kept() {
        let mut plugin = sample(json!({"share": 0.5, "key": "ApplicationName", "status": "status"}));
        assert_eq!(plugin.reads(), ["ApplicationName", "outcome", "status"]);
        for n in 0..50 {
            let record = |status: i64| json!({"ApplicationName": format!("app{n}"), "status": status});
            let run = plugin.run(json!([record(200), record(204), record(302)]));
            assert!(kept(&run).windows(2).all(|pair| pair[0] == pair[1]));
        }
        let run = plugin.run(json!([{"status": 200}, {"status": 200, "ApplicationName": null}, {"status": 200, "ApplicationName": "-"}]));
        assert_eq!(run.passed().len(), 3);
        assert_eq!(run.records[0]["sampleRate"], 1.0);
        assert_eq!(run.told.counters.get("kept_without_key"), Some(&3));
    }

    #[test]
    fn classes_may_have_shares_of_their_own() {
        let run = sample(json!({"share": 0.0, "shares": {"throttle": 0}})).run(json!([
            {"CORRELATION_ID": 1, "outcome": "throttle"}, {"CORRELATION_ID": 1, "outcome": "error.client"}, {"CORRELATION_ID": 1, "outcome": "success"},
        ]));
        assert_eq!(kept(&run), [false, true, false]);
    }

    #[test]
    fn configuration_errors_name_the_key() {
        let error = |config: Value| harness::<Sample>(config).expect_err("an error");
        assert_eq!(error(json!({})), "configuration: missing field `share`");
        assert!(error(json!({"share": 1.1})).starts_with("configuration key share: expected a share from 0 to 1, found 1.1"));
        assert!(error(json!({"share": -0.1})).starts_with("configuration key share: "));
        assert!(error(json!({"share": "a"})).starts_with("configuration key share: invalid type"));
        assert!(error(json!({"share": 1, "shares": {"throttle": 2}})).starts_with("configuration key shares.throttle: "));
        assert!(error(json!({"share": 1, "shares": {"Success": 1}})).starts_with("configuration key shares.Success: "));
        assert!(error(json!({"share": 1, "rate": 1})).starts_with("configuration key rate: unknown field"));
    }
}
