//! `prometheus`: records counted as metrics that Prometheus fetches.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};
use tamis_record::Path;

use super::{ServerAuth, ServerTls};
use crate::model::Buffer;
use crate::reader::parts;
use crate::{Located, Text};

/// Metrics of a sink.
const METRICS_MAX: usize = 256;
/// Labels of a metric.
const LABELS_MAX: usize = 16;
/// Bounds of a histogram.
const BUCKETS_MAX: usize = 64;
/// Characters of a metric's or label's name.
const NAME_CHARS_MAX: usize = 128;
/// Bytes of a help text.
const HELP_BYTES_MAX: usize = 512;
/// What the sink's own metrics begin with.
const OWN: &str = "tamis_prometheus_";
/// Bounds that fit durations in seconds: those that most client libraries take by default.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts records as metrics, and serves them to Prometheus at an address of its own, under `/metrics`. A record is delivered when it is
/// counted.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct PrometheusSink {
    /// Where to listen, `host:port`.
    #[serde(deserialize_with = "super::listen")]
    #[schemars(with = "String")]
    pub listen: Located<Text>,
    /// What is counted; 1 to 256.
    #[serde(deserialize_with = "metrics")]
    #[schemars(length(min = 1, max = 256))]
    pub metrics: Vec<PrometheusMetric>,
    /// Series of all metrics together, as Prometheus counts them: a histogram has one for each bound, and three more. A record that would
    /// make another one is counted in `tamis_prometheus_series_refused_total` instead. Default: 10,000; 1 to 1,000,000.
    #[serde(default = "max_series", deserialize_with = "parts::whole_between::<_, 1, 1_000_000>")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_series: u32,
    /// How long a series stays without a record. Default: 1 h; 1 s to 30 d.
    #[serde(default = "idle", deserialize_with = "parts::duration_between::<_, 1_000, 2_592_000_000>")]
    #[schemars(with = "String")]
    pub idle: Duration,
    /// TLS. Default: none.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Who may fetch: `tokens` and `basic`. Default: whoever reaches it.
    #[serde(default, deserialize_with = "auth")]
    pub auth: ServerAuth,
    /// What waits in front of it.
    #[serde(default)]
    pub buffer: Buffer,
}

/// A metric.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct PrometheusMetric {
    /// Its name: letters, digits and `_`, no digit first, 128 at most. That of a counter ends in `_total`.
    #[serde(deserialize_with = "metric_name")]
    #[schemars(with = "String")]
    pub name: Text,
    /// What it tells, for people; 512 bytes at most. Default: the name.
    #[serde(default, deserialize_with = "help")]
    #[schemars(with = "Option<String>")]
    pub help: Option<Text>,
    /// What kind it is.
    #[serde(rename = "type")]
    pub kind: PrometheusKind,
    /// The field with the value, a number or the text of one. Required for gauges and histograms. Default: counters count records.
    #[serde(default, deserialize_with = "field_option")]
    #[schemars(with = "Option<String>")]
    pub value: Option<Path>,
    /// Labels and the fields that their values come from, such as `{ status: http.status }`; 16 at most. A field that is missing or empty
    /// gives an empty value, which is none to Prometheus. Default: none.
    #[serde(default, deserialize_with = "labels")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub labels: BTreeMap<String, Path>,
    /// The upper bounds of a histogram's buckets, ascending; 1 to 64. Default: 0.005 to 10, for seconds.
    #[serde(default, deserialize_with = "buckets")]
    #[schemars(with = "Option<Vec<f64>>", length(min = 1, max = 64))]
    pub buckets: Option<Vec<f64>>,
}

impl PrometheusMetric {
    /// The bounds of its buckets.
    pub fn bounds(&self) -> &[f64] {
        self.buckets.as_deref().unwrap_or(&BUCKETS)
    }

    /// The name of its family in OpenMetrics: that of a counter without `_total`.
    pub fn family(&self) -> &str {
        match self.kind {
            PrometheusKind::Counter => self.name.strip_suffix("_total").unwrap_or(&self.name),
            PrometheusKind::Gauge | PrometheusKind::Histogram => &self.name,
        }
    }

    /// What is wrong with its options: of which one, how, and what to do.
    fn check(&self) -> Result<(), (&'static [&'static str], String, &'static str)> {
        let shown = self.name.shown();
        let suffixes = ["_total", "_bucket", "_count", "_sum", "_created", "_info"];
        let suffix = suffixes.iter().find(|suffix| self.family().ends_with(*suffix));
        match self.kind {
            PrometheusKind::Counter if !self.name.ends_with("_total") || self.family().is_empty() => {
                Err((&["name"], format!("`{shown}` is a counter, and its name does not end in `_total`"), "add it, as Prometheus does"))
            }
            PrometheusKind::Gauge | PrometheusKind::Histogram if suffix.is_some() => Err((
                &["name"],
                format!("`{shown}` ends in `{}`, which Prometheus gives a meaning", suffix.unwrap_or(&"")),
                "take another name; `_total` is for counters",
            )),
            PrometheusKind::Gauge | PrometheusKind::Histogram if self.value.is_none() => {
                Err((&[], format!("`{shown}` has no `value`"), "name the field with the number; counters alone can do without"))
            }
            PrometheusKind::Counter | PrometheusKind::Gauge if self.buckets.is_some() => {
                Err((&["buckets"], format!("`{shown}` has `buckets`, and is no histogram"), "remove them, or write `type: histogram`"))
            }
            PrometheusKind::Histogram if self.labels.contains_key("le") => Err((
                &["labels", "le"],
                format!("`{shown}` has a label `le`, which names a histogram's buckets"),
                "take another name for the label",
            )),
            _ => Ok(()),
        }
    }
}

/// What kind a metric is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrometheusKind {
    /// A sum that only grows: of records, or of a field's values.
    Counter,
    /// The last value.
    Gauge,
    /// How many values lie below each bound.
    Histogram,
}

fn is_name(text: &str) -> bool {
    let mut bytes = text.bytes();
    text.len() <= NAME_CHARS_MAX
        && bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

fn metric_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Text, D::Error> {
    let name = Text::deserialize(deserializer)?;
    match is_name(&name) {
        true if name.starts_with(OWN) => {
            Err(parts::bad_value("the sink's own metrics begin so", "take a name without `tamis_prometheus_`"))
        }
        true => Ok(name),
        false if name.contains(':') => Err(parts::bad_value("a colon is for names of recording rules", "write `_` in its place")),
        false => Err(parts::bad_value("not the name of a metric", "letters, digits and `_`, 128 at most, no digit first")),
    }
}

fn help<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Text>, D::Error> {
    let Some(text) = Option::<Text>::deserialize(deserializer)? else { return Ok(None) };
    match text.len() {
        1..=HELP_BYTES_MAX if !text.chars().any(|c| c.is_control() || c == '\\' || c == '"') => Ok(Some(text)),
        _ => Err(parts::bad_value("not a help text", "one line of 1 to 512 bytes without `\\` and `\"`")),
    }
}

fn field_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Path>, D::Error> {
    Ok(Option::<Field>::deserialize(deserializer)?.map(|Field(path)| path))
}

/// The path of a field of a record.
struct Field(Path);

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let path = super::field_path(deserializer)?;
        match path.is_root() {
            true => Err(parts::bad_value("the whole record is no value", "name a field, such as `http.status`")),
            false if path.to_string().contains("%{") => {
                Err(parts::bad_value("a place where a field is expected", "write `status`, not `%{status}`"))
            }
            false => Ok(Self(path)),
        }
    }
}

fn labels<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, Path>, D::Error> {
    let labels = Option::<BTreeMap<String, Field>>::deserialize(deserializer)?.unwrap_or_default();
    if labels.len() > LABELS_MAX {
        return Err(parts::bad_value(
            "there are more than 16 labels",
            "each combination of values is a series: keep the few that you ask by",
        ));
    }
    match labels.keys().find(|name| !is_name(name) || name.starts_with("__")) {
        Some(name) => Err(parts::bad_value(
            &format!("`{}` is not the name of a label", name.escape_debug()),
            "letters, digits and `_`, 128 at most, no digit and no `__` first",
        )),
        None => Ok(labels.into_iter().map(|(name, Field(path))| (name, path)).collect()),
    }
}

fn buckets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<f64>>, D::Error> {
    let Some(bounds) = Option::<Vec<f64>>::deserialize(deserializer)? else { return Ok(None) };
    let ascend = bounds.windows(2).all(|pair| matches!(pair, [low, high] if low < high));
    match bounds.len() {
        1..=BUCKETS_MAX if ascend && bounds.iter().all(|bound| bound.is_finite()) => Ok(Some(bounds)),
        _ => Err(parts::bad_value("not the bounds of buckets", "give 1 to 64 numbers, each greater than the one before; `+Inf` is added")),
    }
}

fn metrics<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PrometheusMetric>, D::Error> {
    struct Sound(PrometheusMetric);
    impl<'de> Deserialize<'de> for Sound {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            let metric = PrometheusMetric::deserialize(deserializer)?;
            match metric.check() {
                Ok(()) => Ok(Self(metric)),
                Err(([], text, help)) => Err(parts::bad_value(&text, help)),
                Err((option, text, help)) => Err(parts::bad_option(option, &[], &text, help)),
            }
        }
    }
    let metrics: Vec<PrometheusMetric> = Vec::<Sound>::deserialize(deserializer)?.into_iter().map(|Sound(metric)| metric).collect();
    if metrics.is_empty() || metrics.len() > METRICS_MAX {
        return Err(parts::bad_value("not 1 to 256 metrics", "give one at least; more go into another sink"));
    }
    let mut seen = HashSet::new();
    match metrics.iter().find(|metric| !seen.insert(metric.family())) {
        Some(metric) => Err(parts::bad_value(
            &format!("`{}` is there twice, with `_total` or without", metric.name.shown()),
            "give each metric a name of its own",
        )),
        None => Ok(metrics),
    }
}

fn auth<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ServerAuth, D::Error> {
    let auth = ServerAuth::deserialize(deserializer)?;
    match auth.hmac {
        Some(_) => Err(parts::bad_value("`hmac` signs a body, and a scrape has none", "use `tokens` or `basic`")),
        None => Ok(auth),
    }
}

fn max_series() -> u32 {
    10_000
}

fn idle() -> Duration {
    Duration::from_secs(3_600)
}
