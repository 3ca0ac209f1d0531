//! Counts records, and answers whoever fetches the page.

use super::page::{Format, Page};
use super::table::Table;
use crate::server::auth::Guard;
use crate::server::http::{error, serve};
use crate::server::{Listening, Serving};
use http_body_util::Full;
use hyper::body::{Body, Bytes, Incoming};
use hyper::header::{ACCEPT, ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{Method, Request, Response, StatusCode};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
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

/// What all requests are answered with.
struct Shared {
    page: Page,
    guard: Guard,
}

/// Makes the sink, which listens from now on.
pub(crate) fn open(config: &Config) -> Result<Opened, OpenError> {
    let table = Arc::new(Mutex::new(Table::new(config)));
    let shared = Arc::new(Shared { page: Page::new(Arc::clone(&table)), guard: Guard::new(&config.auth) });
    let limits = ServerLimits { connections: CONNECTIONS_MAX, ..ServerLimits::default() };
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &limits };
    let serving = Serving::start(&listening, move |stream, context| {
        let shared = Arc::clone(&shared);
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            let shared = Arc::clone(&shared);
            async move { Ok::<_, Infallible>(without_body(&request, shared.answer(&request).await)) }
        });
        serve(stream, context, service)
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
        let shared = Arc::clone(self);
        // Many series take their time, which other connections must not wait for.
        let Ok(Ok(page)) = tokio::task::spawn_blocking(move || shared.page.write(format)).await else {
            return error(StatusCode::INTERNAL_SERVER_ERROR, "the metrics cannot be written");
        };
        let mut answer = Response::new(Full::new(Bytes::from(page)));
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type()));
        answer
    }
}
