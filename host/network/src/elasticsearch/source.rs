//! Takes records from clients of Elasticsearch and OpenSearch.

use super::answers::{self, Refusal};
use super::bulk::{Action, Item, items, refusal};
use super::identifiers::Identifiers;
use super::route::{Route, route};
use crate::Bound;
use crate::door::Refused;
use crate::server::auth::Guard;
use crate::server::body::{BadBody, Received, receive};
use crate::server::http::{json, serve_each};
use crate::server::{Context, Listening};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;
use tamis_codecs::{Frame, LinesOptions};
use tamis_config::ElasticsearchSource;
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};
use tamis_record::Records;

/// Without it, clients do not believe that this is a store that they know.
const PRODUCT: HeaderName = HeaderName::from_static("x-elastic-product");

/// What all requests are served with.
struct Shared {
    guard: Guard,
    config: ElasticsearchSource,
    lines: LinesOptions,
    stream: Arc<str>,
    identifiers: Identifiers,
}

pub(crate) fn run(
    config: &ElasticsearchSource,
    bound: Option<Bound>,
    options: &RunOptions,
    outlet: &mut dyn Outlet,
) -> Result<(), SourceError> {
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &config.limits };
    let shared = Arc::new(Shared {
        guard: Guard::new(&config.auth),
        config: config.clone(),
        lines: options.lines(config.max_record),
        stream: "elasticsearch".into(),
        identifiers: Identifiers::new(),
    });
    crate::server::run(&listening, bound, options, outlet, move |stream, context| {
        let shared = Arc::clone(&shared);
        serve_each(stream, context, move |request, context| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request, &context).await }
        })
    })
}

impl From<BadBody> for Refusal {
    fn from(BadBody { status, reason }: BadBody) -> Self {
        let kind = match status {
            StatusCode::UNAUTHORIZED => "security_exception",
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => "es_rejected_execution_exception",
            _ => "illegal_argument_exception",
        };
        Self { status: status.as_u16(), kind, reason }
    }
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>, context: &Context) -> Response<Full<Bytes>> {
        let accept = request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default().to_owned();
        let (status, body) = match self.take(request, context).await {
            Ok((status, body)) => (status, body),
            Err(refusal) => (StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::BAD_REQUEST), refusal.body()),
        };
        let mut answer = json(status, body);
        let headers = answer.headers_mut();
        headers.insert(PRODUCT, HeaderValue::from_static("Elasticsearch"));
        if let Some(kind) = compatible(&accept) {
            headers.insert(CONTENT_TYPE, kind);
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"tamis\", charset=\"UTF-8\""));
        }
        answer
    }

    async fn take(&self, request: Request<Incoming>, context: &Context) -> Result<(StatusCode, String), Refusal> {
        let (head, body) = request.into_parts();
        let unauthorized = || {
            context.door.count("unauthorized", 1);
            Refusal { status: 401, kind: "security_exception", reason: "no right credentials were shown".to_owned() }
        };
        if !self.guard.admits(&head.headers) {
            return Err(unauthorized());
        }
        let route = route(&head.method, head.uri.path(), self.config.setup);
        // A body that is not needed is read all the same, so that the connection can go on.
        let mut received = receive(body, context).await?;
        if !self.guard.signed(&head.headers, &received.bytes) {
            return Err(unauthorized());
        }
        let unpacked = |received: &mut Received| -> Result<Vec<u8>, Refusal> {
            received.unpack(&head.headers, context)?;
            Ok(std::mem::take(&mut received.bytes))
        };
        match route {
            Route::Bulk(index) => self.bulk(unpacked(&mut received)?, index.as_deref(), context).await,
            Route::Document { index, id, add } => self.document(unpacked(&mut received)?, index, id, add, context).await,
            Route::Info => Ok((StatusCode::OK, answers::info(&self.config.version))),
            Route::License => Ok((StatusCode::OK, answers::license())),
            Route::Features => Ok((StatusCode::OK, answers::features())),
            Route::Health => Ok((StatusCode::OK, answers::health())),
            Route::Refresh => Ok((StatusCode::OK, answers::shards())),
            Route::Accepted => {
                context.door.count("setup_ignored", 1);
                Ok((StatusCode::OK, answers::acknowledged()))
            }
            Route::SetupRefused => {
                let reason = "nothing is set up here: do it at the store".to_owned();
                Err(Refusal { status: 403, kind: "security_exception", reason })
            }
            Route::NotFound => {
                Err(Refusal { status: 404, kind: "resource_not_found_exception", reason: "nothing is kept here".to_owned() })
            }
            Route::Unknown => {
                context.door.count("unknown_request", 1);
                let reason = "no handler found: records are taken at /_bulk, /{index}/_bulk, /{index}/_doc and /{index}/_create/{id}; \
                              nothing is read, changed or deleted here";
                Err(Refusal { status: 404, kind: "illegal_argument_exception", reason: reason.to_owned() })
            }
        }
    }

    async fn bulk(&self, body: Vec<u8>, index: Option<&str>, context: &Context) -> Result<(StatusCode, String), Refusal> {
        let began = Instant::now();
        let mut items = items(&body, index, &self.config).inspect_err(|_| context.door.count("bad_request", 1))?;
        let ids = self.hand_in(&mut items, context).await?;
        let refused = items.iter().filter(|item| item.refused.is_some()).count();
        if refused > 0 {
            context.door.count("items_refused", refused as u64);
        }
        Ok((StatusCode::OK, answers::bulk(&items, &ids, began.elapsed().as_millis())))
    }

    async fn document(
        &self,
        body: Vec<u8>,
        index: String,
        id: Option<String>,
        add: bool,
        context: &Context,
    ) -> Result<(StatusCode, String), Refusal> {
        let action = if add { Action::Create } else { Action::Index };
        let refused = refusal(action, &index, id.as_deref(), false, &body, &self.config);
        let mut items = [Item { action, index, id, document: &body, refused }];
        let ids = self.hand_in(&mut items, context).await?;
        let [Item { index, refused, .. }] = items;
        match refused {
            Some(refusal) => {
                context.door.count("items_refused", 1);
                Err(refusal)
            }
            None => Ok((StatusCode::CREATED, answers::created(&index, ids.first().map_or("", String::as_str)))),
        }
    }

    /// Hands in what is not refused and waits until it is safe. Gives the identifiers; items that find no room are refused then.
    async fn hand_in(&self, items: &mut [Item<'_>], context: &Context) -> Result<Vec<String>, Refusal> {
        let ids: Vec<String> = items.iter().map(|item| item.id.clone().unwrap_or_else(|| self.identifiers.next())).collect();
        let frames = self.frames(items, &ids);
        let mut waiting = Vec::with_capacity(frames.len());
        for (frame, range) in frames {
            let begun = match waiting.last() {
                // Once there is no room, nothing behind it is tried, so that the order stays.
                Some((Err(refused), _)) => Err(*refused),
                _ => context.door.begin(&self.stream, frame).await,
            };
            waiting.push((begun, range));
        }
        let (mut safe, mut worst) = (false, None);
        for (begun, range) in waiting {
            let done = match begun {
                Ok(waiting) => waiting.done().await,
                Err(refused) => Err(refused),
            };
            match done {
                Ok(()) => safe = true,
                Err(refused) => {
                    context.door.count("busy", 1);
                    worst = Some(refused);
                    let items = items.get_mut(range).unwrap_or_default().iter_mut();
                    items.filter(|item| item.refused.is_none()).for_each(|item| item.refused = Some(Refusal::busy(refused.to_string())));
                }
            }
        }
        match worst {
            Some(refused) if !safe => Err(match refused {
                Refused::Busy => Refusal::busy(refused.to_string()),
                Refused::Late | Refused::GivenUp | Refused::Stopping => Refusal { status: 503, ..Refusal::busy(refused.to_string()) },
            }),
            _ => Ok(ids),
        }
    }

    /// The records of items that are not refused, as frames, and which items each frame holds.
    fn frames(&self, items: &[Item<'_>], ids: &[String]) -> Vec<(Frame, Range<usize>)> {
        let (mut frames, mut frame, mut first) = (Vec::new(), Frame::default(), 0);
        for (number, (item, id)) in items.iter().zip(ids).enumerate() {
            if item.refused.is_some() {
                continue;
            }
            let full = frame.records.rows.len() >= self.lines.records_max
                || frame.records.text.len() + item.document.len() > self.lines.frame_bytes;
            if full && !frame.records.rows.is_empty() {
                frames.push((std::mem::take(&mut frame), first..number));
                first = number;
            }
            let Records { text, rows } = &mut frame.records;
            let from = text.len() as u32;
            self.append(item, id, text);
            rows.push((from, text.len() as u32));
            text.push(b'\n');
        }
        if !frame.records.rows.is_empty() {
            frames.push((frame, first..items.len()));
        }
        frames
    }

    /// Appends a document with its index and identifier in front.
    fn append(&self, item: &Item<'_>, id: &str, text: &mut Vec<u8>) {
        let document = item.document.trim_ascii();
        let members = document.strip_prefix(b"{").unwrap_or(document);
        let own = [(&self.config.index_field, item.index.as_str()), (&self.config.id_field, id)];
        text.push(b'{');
        let mut is_first = true;
        for (name, value) in own.iter().filter_map(|(name, value)| name.as_ref().map(|name| (name, *value))) {
            if !std::mem::take(&mut is_first) {
                text.push(b',');
            }
            text.extend_from_slice(format!("{}:{}", Value::from(name.as_str()), Value::from(value)).as_bytes());
        }
        let is_empty = members.trim_ascii_start().first() == Some(&b'}');
        if !is_first && !is_empty {
            text.push(b',');
        }
        // Line feeds stand between the parts of a value only: within texts they are escaped.
        text.extend(members.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }));
    }
}

/// The form of answer that newer clients ask for: `application/vnd.elasticsearch+json; compatible-with=9`.
fn compatible(accept: &str) -> Option<HeaderValue> {
    let version = accept.split_once("application/vnd.elasticsearch+json").and_then(|(_, rest)| rest.split_once("compatible-with="));
    let version: String = version?.1.chars().take_while(char::is_ascii_digit).take(3).collect();
    HeaderValue::try_from(format!("application/vnd.elasticsearch+json;compatible-with={version}")).ok().filter(|_| !version.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_form_that_a_client_asks_for() {
        for (accept, expected) in [
            ("application/vnd.elasticsearch+json; compatible-with=9", Some("application/vnd.elasticsearch+json;compatible-with=9")),
            (
                "text/plain, application/vnd.elasticsearch+json;compatible-with=8,*/*",
                Some("application/vnd.elasticsearch+json;compatible-with=8"),
            ),
            ("application/vnd.elasticsearch+json;compatible-with=x", None),
            ("application/json", None),
            ("", None),
        ] {
            assert_eq!(compatible(accept).map(|value| value.to_str().unwrap().to_owned()).as_deref(), expected, "{accept}");
        }
    }
}
