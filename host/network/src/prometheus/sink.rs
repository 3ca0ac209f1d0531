//! Counts records, and answers whoever fetches the page.

use super::page::{Format, Page};
use super::table::Table;
use crate::server::auth::Guard;
use crate::server::http::{error, serve_each};
use crate::server::{Listening, Serving};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};
use tamis_config::{Concurrency, PrometheusSink as Config, ServerLimits, SinkBatch};
use tamis_nodes::sinks::{Batch, Delivery, DeliveryError, OpenError, Opened};

/// Connections at once; further ones are closed.
const CONNECTIONS_MAX: u32 = 64;

struct PrometheusSink {
    table: Arc<Mutex<Table>>,
    /// Gives the address back when the sink ends.
    _serving: Serving,
}

/// Pages that are kept for clients which have not taken all of them; whoever comes then gets one of these.
const PAGES_MAX: usize = 4;
/// How long a page is new enough for another client.
const FRESH: Duration = Duration::from_secs(1);

/// What all requests are answered with.
struct Shared {
    page: Page,
    guard: Guard,
    /// Those that clients are taking. Held while one is written: one at a time.
    taken: tokio::sync::Mutex<Vec<Taken>>,
}

struct Taken {
    format: Format,
    since: Instant,
    page: Weak<Vec<u8>>,
}

/// A page that several clients may be taking.
struct Shown(Arc<Vec<u8>>);

impl AsRef<[u8]> for Shown {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Makes the sink, which listens from now on.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let table = Arc::new(Mutex::new(Table::new(config)));
    let shared =
        Arc::new(Shared { page: Page::new(Arc::clone(&table)), guard: Guard::new(&config.auth), taken: tokio::sync::Mutex::default() });
    let limits = ServerLimits { connections: CONNECTIONS_MAX, ..ServerLimits::default() };
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &limits };
    let serving = Serving::start(&listening, move |stream, context| {
        let shared = Arc::clone(&shared);
        serve_each(stream, context, move |request, _| {
            let shared = Arc::clone(&shared);
            async move { without_body(&request, shared.answer(&request).await) }
        })
    });
    let sink = PrometheusSink { table, _serving: serving.map_err(OpenError::Network)? };
    // Nothing is won by waiting for company.
    let batch = SinkBatch { age: Duration::ZERO, ..SinkBatch::default() };
    Ok(Opened::Batches { delivery: Box::new(sink), concurrency: Concurrency::Fixed(1), batch })
}

impl Delivery for PrometheusSink {
    fn deliver(&self, batch: &Batch<'_>) -> Result<(), DeliveryError> {
        let now = Instant::now();
        let mut table = self.table.lock().unwrap_or_else(PoisonError::into_inner);
        batch.iter().for_each(|(line, _)| table.count(line, now));
        Ok(())
    }
}

/// Takes away the body of an answer to `HEAD`: with HTTP/2 it would be sent.
fn without_body(request: &Request<Incoming>, mut answer: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    if request.method() == Method::HEAD {
        let length = answer.body().size_hint().exact().unwrap_or(0);
        answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        *answer.body_mut() = Full::default();
    }
    answer
}

impl Shared {
    /// The page, one that another client has not taken yet if it is new enough or there are many of them.
    async fn shown(self: &Arc<Self>, format: Format) -> Result<Arc<Vec<u8>>, (StatusCode, &'static str)> {
        let mut taken = self.taken.lock().await;
        taken.retain(|taken| taken.page.strong_count() > 0);
        let newest = taken.iter().filter(|taken| taken.format == format).max_by_key(|taken| taken.since);
        let enough = taken.len() >= PAGES_MAX;
        if let Some(page) = newest.filter(|newest| enough || newest.since.elapsed() < FRESH).and_then(|newest| newest.page.upgrade()) {
            return Ok(page);
        }
        if enough {
            return Err((StatusCode::SERVICE_UNAVAILABLE, "too many clients have not taken their pages"));
        }
        let (shared, since) = (Arc::clone(self), Instant::now());
        // Many series take their time, which other connections must not wait for.
        let Ok(Ok(page)) = tokio::task::spawn_blocking(move || shared.page.write(format)).await else {
            return Err((StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written"));
        };
        let page = Arc::new(Vec::from(page));
        taken.push(Taken { format, since, page: Arc::downgrade(&page) });
        Ok(page)
    }

    async fn answer(self: &Arc<Self>, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        if request.uri().path() != "/metrics" {
            return error(StatusCode::NOT_FOUND, "the metrics are at /metrics");
        }
        if request.method() != Method::GET && request.method() != Method::HEAD {
            let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, "the metrics are fetched with GET");
            answer.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return answer;
        }
        if !self.guard.admits(request.headers()) {
            let mut answer = error(StatusCode::UNAUTHORIZED, "no right credentials were shown");
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer, Basic realm=\"metrics\""));
            return answer;
        }
        let format = Format::of(request.headers().get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default());
        let page = match self.shown(format).await {
            Ok(page) => page,
            Err((status, reason)) => return error(status, reason),
        };
        let mut answer = Response::new(Full::new(Bytes::from_owner(Shown(page))));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        answer
    }
}
