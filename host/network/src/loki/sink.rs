//! Sends records to Loki.

use super::push::{Entry, Labels, Stream, json_body, protobuf_body};
use crate::client::{Client, Connections, To, Words, is_well, shown};
use crate::document::Document;
use crate::door::Seldom;
use crate::timestamp::Timestamp;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tamis_config::{HttpCompression, LokiFormat, LokiSink as Config, Template, Text};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened};

/// What stands for a label's value once there are too many.
const OVERFLOW: &str = "overflow";
/// How long a set of labels counts.
const SEEN_FOR: Duration = Duration::from_secs(3_600);
/// Characters of a label's value, as Loki bounds it by default; the rest is cut off.
const LABEL_CHARS_MAX: usize = 2_048;
const PUSH: &str = "/loki/api/v1/push";

const WORDS: Words = Words {
    credentials: "`auth` and `tenant`",
    refused: "a line is too old, too new or too long for the limits of the tenant there, or has labels that it does not take",
};

struct LokiSink {
    client: Client,
    url: String,
    config: Config,
    seen: Mutex<Seen>,
    seldom: Seldom,
}

/// Hashes of the sets of labels of the last hour.
struct Seen {
    since: Instant,
    sets: HashSet<u64>,
}

/// Makes the sink. Nothing is sent yet.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let sink = LokiSink::new(config).map_err(OpenError::Network)?;
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: config.concurrency, batch: config.batch.clone() })
}

/// The address to push to.
fn address(url: &str) -> String {
    let host = url.split_once("://").map_or(url, |(_, host)| host).trim_end_matches('/');
    if host.contains('/') { url.to_owned() } else { format!("{}{PUSH}", url.trim_end_matches('/')) }
}

impl Delivery for LokiSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let (streams, refused) = self.streams(batch.iter().map(|(line, _)| line));
        if !streams.is_empty() {
            let (content_type, body) = match self.config.format {
                LokiFormat::Json => ("application/json", json_body(&streams)),
                LokiFormat::Protobuf => {
                    let packed = snap::raw::Encoder::new().compress_vec(&protobuf_body(&streams));
                    let fault =
                        |error: snap::Error| DeliveryError::Permanent { reason: format!("cannot be packed: {error}"), divisible: true };
                    ("application/x-protobuf", packed.map_err(fault)?)
                }
            };
            self.client.send(To { method: "POST", url: &self.url, content_type }, body, 0)?.verdict()?;
        }
        match refused.is_empty() {
            true => Ok(()),
            false => Err(DeliveryError::Partly { refused, again: Vec::new(), reason: String::new(), after: None }),
        }
    }

    fn healthy(&self) -> Result<(), String> {
        let shown = &shown(&self.config.url);
        match self.url.strip_suffix(PUSH) {
            Some(base) => self.client.is_answered("GET", &format!("{base}/ready"), shown, |status| status == 200),
            // Behind an address of somebody's own, who knows where the others are.
            None => self.client.is_answered("HEAD", &self.url, shown, is_well),
        }
    }

    fn address(&self) -> String {
        shown(&self.config.url)
    }
}

impl LokiSink {
    fn new(config: &Config) -> Result<Self, String> {
        let connections = Connections { tls: &config.tls, timeout: config.timeout, concurrency: config.concurrency.most(), words: WORDS };
        let mut headers = BTreeMap::new();
        if let Some(tenant) = &config.tenant {
            headers.insert("X-Scope-OrgID".to_owned(), Text::clone(tenant));
        }
        let compression = match config.format {
            LokiFormat::Json => HttpCompression::Gzip,
            // It is packed already, in the only way that is known for it.
            LokiFormat::Protobuf => HttpCompression::None,
        };
        let client = Client::new(&connections, &config.auth, &headers, compression)?;
        let seen = Mutex::new(Seen { since: Instant::now(), sets: HashSet::new() });
        Ok(Self { client, url: address(&config.url), config: config.clone(), seen, seldom: Seldom::new() })
    }

    /// The streams of a batch, and the places of records that fit into none.
    fn streams<'a>(&self, lines: impl Iterator<Item = &'a [u8]>) -> (Vec<Stream>, Vec<(usize, String)>) {
        let mut streams: BTreeMap<Labels, Vec<Entry>> = BTreeMap::new();
        let (now, mut refused) = (Timestamp::now(), Vec::new());
        for (place, line) in lines.enumerate() {
            // Lines without a time of their own keep their order, and Loki does not take two that are alike for one.
            let now = Timestamp(now.0.saturating_add(i64::try_from(place).unwrap_or_default()));
            match self.entry(line, now) {
                Ok((labels, entry)) => streams.entry(labels).or_default().push(entry),
                Err(reason) => refused.push((place, reason.to_owned())),
            }
        }
        // Within a request, at least, a stream's lines are in order.
        streams.values_mut().for_each(|entries| entries.sort_by_key(|entry| entry.time));
        (streams.into_iter().collect(), refused)
    }

    fn entry(&self, line: &[u8], now: Timestamp) -> Result<(Labels, Entry), &'static str> {
        let document = Document::parse(line).ok_or("the record is not an object")?;
        let time = document.time(&self.config.time_field, now);
        let text = match self.config.line.is_root() {
            true => String::from_utf8_lossy(line),
            false => document.text(&self.config.line).ok_or("the field of the line is missing or empty")?,
        };
        let filled = |(name, template): (&String, &Template)| Some((name.clone(), cut(document.fill(template, time)?)));
        let mut labels: Labels = self.config.labels.iter().filter_map(filled).collect();
        if labels.is_empty() {
            return Err("none of the labels' fields is there, and Loki needs a label");
        }
        if !self.is_room(&labels) {
            let fixed = |name: &str| self.config.labels.get(name).is_none_or(|template| template.fields().next().is_none());
            labels.iter_mut().filter(|(name, _)| !fixed(name)).for_each(|(_, value)| *value = OVERFLOW.to_owned());
        }
        let metadata = self.config.metadata.iter().filter_map(filled).collect();
        Ok((labels, Entry { time, line: Cow::into_owned(text), metadata }))
    }

    /// Whether a set of labels is known, or becomes known.
    fn is_room(&self, labels: &[(String, String)]) -> bool {
        let mut hasher = DefaultHasher::new();
        labels.hash(&mut hasher);
        let hash = hasher.finish();
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.since.elapsed() > SEEN_FOR {
            *seen = Seen { since: Instant::now(), sets: HashSet::new() };
        }
        if seen.sets.contains(&hash) {
            return true;
        }
        if seen.sets.len() >= self.config.streams as usize {
            if self.seldom.is_time() {
                let max = self.config.streams;
                tracing::warn!("loki: more than {max} sets of labels within an hour: labels made from fields become `{OVERFLOW}`");
            }
            return false;
        }
        seen.sets.insert(hash)
    }
}

fn cut(mut value: String) -> String {
    if let Some((at, _)) = value.char_indices().nth(LABEL_CHARS_MAX) {
        value.truncate(at);
    }
    value
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_config::{ProcessEnvironment, Sink};

    fn sink(options: &str) -> LokiSink {
        let yaml = format!("version: 1\nsinks: {{ out: {{ type: loki, url: 'http://127.0.0.1:1', {options} }} }}\n");
        let config = tamis_config::Config::parse("a.yaml", &yaml, std::path::Path::new(""), &ProcessEnvironment).0.unwrap();
        let Sink::Loki(config) = &config.sinks["out"].value else { panic!() };
        LokiSink::new(config).unwrap()
    }

    fn streams(options: &str, lines: &[&str]) -> (Vec<String>, Vec<usize>) {
        let (streams, refused) = sink(options).streams(lines.iter().map(|line| line.as_bytes()));
        let told = |(labels, entries): &Stream| {
            let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let lines: Vec<&str> = entries.iter().map(|entry| entry.line.as_str()).collect();
            format!("{} {}", labels.join(","), lines.join("|"))
        };
        (streams.iter().map(told).collect(), refused.into_iter().map(|(place, _)| place).collect())
    }

    #[test]
    fn lines_by_their_labels_in_the_order_of_their_times() {
        let (told, refused) = streams(
            "labels: { app: tamis, team: '%{team}' }, line: message",
            &[
                r#"{"team":"a","message":"second","@timestamp":"2024-03-01T00:00:02Z"}"#,
                r#"{"team":"b","message":"other"}"#,
                r#"{"team":"a","message":"first","@timestamp":1709251201}"#,
                r#"{"team":null,"message":"none"}"#,
                r#"{"team":"a"}"#,
                "7",
            ],
        );
        assert_eq!(told, ["app=tamis none", "app=tamis,team=a first|second", "app=tamis,team=b other"]);
        assert_eq!(refused, [4, 5]);
        let (told, refused) = streams("labels: { team: '%{team}' }", &["{\"n\":1}", "{\"team\":\"a\"}"]);
        assert_eq!((told, refused), (vec!["team=a {\"team\":\"a\"}".to_owned()], vec![0]));
    }

    #[test]
    fn a_field_with_many_values_makes_no_more_streams() {
        let lines: Vec<String> = (0..50).map(|n| format!("{{\"user\":\"u{n}\"}}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let (told, refused) = streams("labels: { app: x, user: '%{user}' }, streams: 10", &lines);
        assert!(refused.is_empty() && told.len() == 11, "{told:?}");
        assert!(told.iter().any(|stream| stream.starts_with("app=x,user=overflow") && stream.matches('|').count() == 39), "{told:?}");
    }

    #[test]
    fn addresses() {
        assert_eq!(address("http://loki:3100"), "http://loki:3100/loki/api/v1/push");
        assert_eq!(address("http://loki:3100/"), "http://loki:3100/loki/api/v1/push");
        assert_eq!(address("https://x/a/push"), "https://x/a/push");
    }
}
