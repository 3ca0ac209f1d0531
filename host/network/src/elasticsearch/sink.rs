//! Sends records to Elasticsearch or OpenSearch with `_bulk`.

use super::bulk::ID_BYTES_MAX;
use super::identifiers::of_record;
use crate::client::{Answer, Client, Connections, To, Words, all_shown, shown};
use crate::document::Document;
use crate::timestamp::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tamis_config::{ElasticsearchAction, ElasticsearchId, ElasticsearchSink as Config, PathPiece, Text, bad_index};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened, Origin};

/// How long a node that failed is not asked while another one answers.
const REST: Duration = Duration::from_secs(10);
/// Bytes of an answer for each item, and for all that stands around them.
const ANSWER_ITEM_BYTES_MAX: u64 = 2_048;
const ANSWER_BYTES_MAX: u64 = 256 * 1024;

const WORDS: Words = Words { credentials: "`auth` or `api_key`", refused: "it cannot read the request, or a record of it" };

struct ElasticsearchSink {
    client: Client,
    nodes: Vec<Node>,
    /// The node whose turn it is.
    next: AtomicUsize,
    config: Config,
    /// Whether a name may begin with a dot: only where the configuration says so, for such indices are the store's own.
    hidden: bool,
}

struct Node {
    url: String,
    failed: Mutex<Option<Instant>>,
}

/// Makes the sink. Nothing is sent yet.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let connections = Connections { tls: &config.tls, timeout: config.timeout, concurrency: config.concurrency.most(), words: WORDS };
    let mut headers = BTreeMap::new();
    if let Some(key) = &config.api_key {
        headers.insert("authorization".to_owned(), Text::from(format!("ApiKey {}", key.as_str())));
    }
    let client = Client::new(&connections, &config.auth, &headers, config.compression).map_err(OpenError::Network)?;
    let pipeline = config.pipeline.as_ref().map_or_else(String::new, |name| format!("&pipeline={}", encoded(name)));
    let node = |url: &Text| Node {
        url: format!("{}/_bulk?filter_path=errors,items.*.status,items.*.error.type{pipeline}", url.trim_end_matches('/')),
        failed: Mutex::new(None),
    };
    let hidden = matches!(config.index.pieces.first(), Some(PathPiece::Text(text)) if text.starts_with('.'));
    let nodes = config.urls.iter().map(node).collect();
    let sink = ElasticsearchSink { client, nodes, next: AtomicUsize::new(0), config: config.clone(), hidden };
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: config.concurrency, batch: config.batch.clone() })
}

/// A text as a part of an address.
fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

/// A request's body, and what stands in it.
#[derive(Default)]
struct Request {
    body: Vec<u8>,
    /// The place in the batch of each item.
    places: Vec<usize>,
    /// Records that cannot be sent, by their place in the batch.
    refused: Vec<(usize, String)>,
}

impl Delivery for ElasticsearchSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let mut request = Request { body: Vec::with_capacity(batch.bytes() + batch.records() * 96), ..Request::default() };
        let now = Timestamp::now();
        for (place, (line, origin)) in batch.iter().enumerate() {
            match self.append(line, &origin, now, &mut request.body) {
                Ok(()) => request.places.push(place),
                Err(reason) => request.refused.push((place, reason)),
            }
        }
        let Request { body, places, refused } = request;
        if places.is_empty() {
            return told(refused, Vec::new(), String::new());
        }
        let answer = self.send(body, places.len())?;
        self.outcome(&answer, &places, refused)
    }

    fn healthy(&self) -> Result<(), String> {
        let mut wrong = Vec::new();
        for url in &self.config.urls {
            let root = format!("{}/", url.trim_end_matches('/'));
            match self.client.is_answered("GET", &root, &shown(url), |status| status == 200) {
                Ok(()) => return Ok(()),
                Err(error) => wrong.push(error),
            }
        }
        Err(wrong.join("; "))
    }

    fn address(&self) -> String {
        all_shown(&self.config.urls)
    }
}

fn told(mut refused: Vec<(usize, String)>, again: Vec<usize>, reason: String) -> Result<(), DeliveryError> {
    if refused.is_empty() && again.is_empty() {
        return Ok(());
    }
    refused.sort_by_key(|(place, _)| *place);
    Err(DeliveryError::Partly { refused, again, reason, after: None })
}

impl ElasticsearchSink {
    /// Appends the action and the document of a record.
    fn append(&self, line: &[u8], origin: &Origin<'_>, now: Timestamp, body: &mut Vec<u8>) -> Result<(), String> {
        let document = Document::parse(line).ok_or("the record is not an object")?;
        let time = document.time(&self.config.time_field, now);
        let index = document.fill(&self.config.index, time).ok_or("a field that names the index is missing or empty")?;
        if let Some(problem) = bad_index(&index, self.hidden) {
            return Err(format!("the name of the index {problem}"));
        }
        let is_omitted = |key: &str| self.config.omit.iter().any(|name| name == key);
        let record = match document.members.iter().any(|(key, _)| is_omitted(key)) {
            false => Cow::Borrowed(line),
            true => Cow::Owned(without(&document, is_omitted)),
        };
        let id = match &self.config.id {
            ElasticsearchId::None => None,
            ElasticsearchId::Auto => of_record(origin, &record),
            ElasticsearchId::Template(template) => document.fill(template, time).or_else(|| of_record(origin, &record)),
        };
        if id.as_ref().is_some_and(|id| id.len() > ID_BYTES_MAX) {
            return Err(format!("the identifier has more than {ID_BYTES_MAX} bytes"));
        }
        let routing = self.config.routing.as_ref().and_then(|template| document.fill(template, time));
        let _ = write!(body, "{{\"{}\":{{\"_index\":{}", self.config.action.name(), Value::from(index));
        for (name, value) in [("_id", id), ("routing", routing)] {
            if let Some(value) = value {
                let _ = write!(body, ",\"{name}\":{}", Value::from(value));
            }
        }
        body.extend_from_slice(b"}}\n");
        body.extend_from_slice(&record);
        body.push(b'\n');
        Ok(())
    }

    /// Sends a request to the node whose turn it is, and to the others while they fail.
    fn send(&self, body: Vec<u8>, items: usize) -> Result<Answer, DeliveryError> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let count = self.nodes.len();
        let mut turn: Vec<&Node> = (0..count).filter_map(|at| self.nodes.get((first.wrapping_add(at)) % count)).collect();
        turn.sort_by_key(|node| node.failed.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|at| at.elapsed() < REST));
        let body_max = ANSWER_BYTES_MAX + ANSWER_ITEM_BYTES_MAX * items as u64;
        let mut failed = DeliveryError::Transient { reason: "there is no node".to_owned(), after: None };
        for node in turn {
            let to = To { method: "POST", url: &node.url, content_type: "application/x-ndjson" };
            let answer = self.client.send(to, body.clone(), body_max);
            let is_down = match &answer {
                Ok(answer) => matches!(answer.status.as_u16(), 502..=504),
                Err(DeliveryError::Transient { .. }) => true,
                Err(_) => false,
            };
            *node.failed.lock().unwrap_or_else(PoisonError::into_inner) = is_down.then(Instant::now);
            match answer.and_then(|answer| answer.verdict().map(|()| answer)) {
                Ok(answer) => return Ok(answer),
                Err(error) if is_down => failed = error,
                Err(error) => return Err(error),
            }
        }
        Err(failed)
    }

    /// What the answer says of each item.
    fn outcome(&self, answer: &Answer, places: &[usize], mut refused: Vec<(usize, String)>) -> Result<(), DeliveryError> {
        let transient = |reason: &str| DeliveryError::Transient { reason: reason.to_owned(), after: None };
        if !answer.whole {
            return Err(transient("the answer is longer than any that is expected"));
        }
        let told_items: BulkAnswer<'_> =
            serde_json::from_slice(&answer.body).map_err(|_| transient("the answer is none of a _bulk request"))?;
        if told_items.items.len() != places.len() {
            return Err(transient("the answer does not speak of as many items as were sent"));
        }
        let (mut again, mut reason) = (Vec::new(), String::new());
        for (place, item) in places.iter().zip(&told_items.items) {
            let Some(Outcome { status, error }) = item.values().next() else {
                return Err(transient("the answer has an item that says nothing"));
            };
            let kind = error.as_ref().map_or(Cow::Borrowed("error"), Fault::kind);
            match status {
                200..=299 => {}
                // An earlier attempt, or an earlier run, brought it.
                409 if self.config.action == ElasticsearchAction::Create && self.config.id != ElasticsearchId::None => {}
                408 | 429 | 500..=599 => again.push((*place, *status, kind)),
                // A full disk, most often: it passes.
                403 if kind == "cluster_block_exception" => again.push((*place, *status, kind)),
                status => refused.push((*place, format!("the store answered {status} {kind}{}", advice(*status, &kind)))),
            }
        }
        if let Some((_, status, kind)) = again.first() {
            reason = format!("the store answered {status} {kind} for {} of {} records", again.len(), places.len());
        }
        told(refused, again.into_iter().map(|(place, ..)| place).collect(), reason)
    }
}

#[derive(Deserialize)]
struct BulkAnswer<'a> {
    #[serde(borrow)]
    items: Vec<BTreeMap<Cow<'a, str>, Outcome<'a>>>,
}

#[derive(Deserialize)]
struct Outcome<'a> {
    status: u16,
    #[serde(default, borrow)]
    error: Option<Fault<'a>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Fault<'a> {
    Typed {
        #[serde(borrow, rename = "type")]
        kind: Cow<'a, str>,
    },
    Other(serde::de::IgnoredAny),
}

impl Fault<'_> {
    /// The store's name for it. Its reason may quote the record and is not read.
    fn kind(&self) -> Cow<'_, str> {
        match self {
            Self::Typed { kind } if kind.len() <= 64 && kind.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => Cow::Borrowed(kind),
            Self::Typed { .. } | Self::Other(_) => Cow::Borrowed("error"),
        }
    }
}

/// What to look at when a document is not taken.
fn advice(status: u16, kind: &str) -> &'static str {
    match (status, kind) {
        (_, "mapper_parsing_exception" | "document_parsing_exception") => ": a field is of another type than the index's mapping says",
        (_, "strict_dynamic_mapping_exception") => ": the index's mapping does not know a field, and takes no new ones",
        (_, "index_not_found_exception") => ": the index is not there, and is not made for a document: look at `index`",
        (_, "index_closed_exception") => ": the index is closed",
        (_, "version_conflict_engine_exception") | (409, _) => ": a document has its identifier already: look at `id` and `action`",
        (400, "illegal_argument_exception") => ": look at `index`, `action` (data streams take `create`) and the limits of the index",
        (401 | 403, _) => ": look at `auth` or `api_key`, and at the rights that they have on the index",
        (413, _) => ": the document is too large for it",
        _ => "",
    }
}

/// A document without some of its members.
fn without(document: &Document<'_>, is_omitted: impl Fn(&str) -> bool) -> Vec<u8> {
    let mut out = vec![b'{'];
    for (key, value) in document.members.iter().filter(|(key, _)| !is_omitted(key)) {
        if out.len() > 1 {
            out.push(b',');
        }
        out.extend_from_slice(Value::from(key.as_ref()).to_string().as_bytes());
        out.push(b':');
        out.extend_from_slice(value.get().as_bytes());
    }
    out.push(b'}');
    out
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_config::{ProcessEnvironment, Sink};

    fn sink(options: &str) -> ElasticsearchSink {
        let yaml = format!("version: 1\nsinks: {{ out: {{ type: elasticsearch, urls: ['http://127.0.0.1:1'], {options} }} }}\n");
        let config = tamis_config::Config::parse("a.yaml", &yaml, std::path::Path::new(""), &ProcessEnvironment).0.unwrap();
        let Sink::Elasticsearch(config) = &config.sinks["out"].value else { panic!() };
        let connections = Connections { tls: &config.tls, timeout: config.timeout, concurrency: 1, words: WORDS };
        let client = Client::new(&connections, &config.auth, &BTreeMap::new(), config.compression).unwrap();
        ElasticsearchSink { client, nodes: Vec::new(), next: AtomicUsize::new(0), config: config.clone(), hidden: false }
    }

    const ORIGIN: Origin<'static> = Origin { pipeline: "p", source: "s", stream: "f", offset: Some(0) };

    fn sent(options: &str, line: &str) -> Result<String, String> {
        let mut body = Vec::new();
        sink(options).append(line.as_bytes(), &ORIGIN, Timestamp(0), &mut body)?;
        Ok(String::from_utf8(body).unwrap())
    }

    #[test]
    fn actions_and_documents() {
        let line = r#"{"_index":"a\"b","_id":"x\ny","t":"acme","@timestamp":"2024-03-01T00:05:05Z","n":1.50}"#;
        assert_eq!(
            sent("index: 'logs-%{t}-%Y.%m.%d', id: '%{_id}', action: create, routing: '%{t}'", line).unwrap(),
            "{\"create\":{\"_index\":\"logs-acme-2024.03.01\",\"_id\":\"x\\ny\",\"routing\":\"acme\"}}\n\
             {\"t\":\"acme\",\"@timestamp\":\"2024-03-01T00:05:05Z\",\"n\":1.50}\n"
        );
        assert_eq!(sent("index: i, id: none, omit: []", "{\"_id\":7}").unwrap(), "{\"index\":{\"_index\":\"i\"}}\n{\"_id\":7}\n");
        assert_eq!(sent("index: i, id: '%{_id}'", "{\"_id\":7}").unwrap(), "{\"index\":{\"_index\":\"i\",\"_id\":\"7\"}}\n{}\n");
        let auto = |line: &str| sent("index: i", line).unwrap();
        assert_eq!(auto("{\"a\":1}"), auto("{\"a\":1}"));
        assert_ne!(auto("{\"a\":1}").lines().next(), auto("{\"a\":2}").lines().next());
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for (value, expected) in [
            ("a/../_all", "character"),
            ("../x", "begins with `.`"),
            (".kibana", "begins with `.`"),
            ("-x", "begins"),
            ("_all", "begins"),
            ("a,b", "character"),
            ("<logs-{now/d}>", "character"),
            ("a b", "character"),
            ("a\\u0000", "character"),
            ("ACME", "capital"),
            ("", "missing"),
        ] {
            let reason = sent("index: '%{t}'", &format!("{{\"t\":\"{value}\"}}")).unwrap_err();
            assert!(reason.contains(expected), "{value}: {reason}");
        }
        assert!(sent("index: '%{t}'", &format!("{{\"t\":\"{}\"}}", "a".repeat(256))).unwrap_err().contains("255"));
        assert!(sent("index: 'logs-%{t}'", "{\"t\":{}}").unwrap_err().contains("missing"));
        assert!(sent("index: i", "7").unwrap_err().contains("object"));
    }

    #[test]
    fn each_item_of_an_answer() {
        let answer = |status: u16, kind: &str| format!("{{\"index\":{{\"status\":{status},\"error\":{{\"type\":\"{kind}\"}}}}}}");
        let parts =
            ["{\"index\":{\"status\":201}}".to_owned(), answer(429, "es_rejected_execution_exception"), answer(400, "Quotes a record!")];
        let conflict = answer(409, "version_conflict_engine_exception");
        let block = answer(403, "cluster_block_exception");
        let body = format!("{{\"errors\":true,\"items\":[{},{conflict},{block}]}}", parts.join(","));
        let answer = |body: &str| Answer {
            status: ureq::http::StatusCode::OK,
            after: None,
            body: body.as_bytes().to_vec(),
            whole: true,
            words: WORDS,
        };
        let places = [0, 2, 3, 4, 5];
        let told = |options: &str| sink(options).outcome(&answer(&body), &places, vec![(1, "x".to_owned())]).unwrap_err();
        let DeliveryError::Partly { refused, again, reason, .. } = told("index: i, action: create") else { panic!() };
        assert_eq!(refused, [(1, "x".to_owned()), (3, "the store answered 400 error".to_owned())]);
        assert_eq!((again, reason.as_str()), (vec![2, 5], "the store answered 429 es_rejected_execution_exception for 2 of 5 records"));
        let DeliveryError::Partly { refused, .. } = told("index: i") else { panic!() };
        assert_eq!(refused.len(), 3, "a conflict is one when documents are put in place");
        assert!(sink("index: i").outcome(&answer("{\"errors\":false,\"items\":[{\"index\":{\"status\":200}}]}"), &[0], Vec::new()).is_ok());
        for broken in ["", "{}", "{\"errors\":false,\"items\":[]}", "{\"errors\":false,\"items\":[{}]}"] {
            let outcome = sink("index: i").outcome(&answer(broken), &[0], Vec::new());
            assert!(matches!(outcome, Err(DeliveryError::Transient { .. })), "{broken}");
        }
    }
}
