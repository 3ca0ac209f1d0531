//! HTTP connections: 1.1 and 2, within limits.

use super::impatient::Impatient;
use super::{Context, Stream};
use crate::door::Refused;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use std::convert::Infallible;
use std::error::Error;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Bytes of a request's headers.
const HEADER_BYTES_MAX: usize = 64 * 1024;
/// Requests of one connection at the same time, with HTTP/2.
const STREAMS_MAX: u32 = 64;
/// How long a connection that is to end may take over the answers under way.
const GRACE: Duration = Duration::from_millis(800);
/// How long a client that is told to come again waits, in seconds.
const AGAIN_SECONDS: &str = "1";

/// Serves a connection until it ends, is idle for too long, or the host stops.
pub(crate) async fn serve<S, B>(stream: Box<dyn Stream>, context: Context, service: S)
where
    S: Service<Request<Incoming>, Response = Response<B>> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<Box<dyn Error + Send + Sync>>,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let limits = &context.limits;
    let mut builder = Builder::new(TokioExecutor::new());
    // This bounds the wait for the next request as well, so it is the longer of the two; the first one is looked at below.
    builder.http1().timer(TokioTimer::new()).header_read_timeout(limits.idle_timeout).max_buf_size(HEADER_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(HEADER_BYTES_MAX as u32)
        .keep_alive_interval(limits.idle_timeout)
        .keep_alive_timeout(limits.header_timeout);
    let begun = Arc::<AtomicBool>::default();
    let seen = Arc::clone(&begun);
    let service = service_fn(move |request| {
        seen.store(true, Ordering::Relaxed);
        service.call(request)
    });
    let mut served = pin!(builder.serve_connection(TokioIo::new(Impatient::new(stream, limits.body_timeout)), service));
    let mut stopping = context.stopping.clone();
    let first = tokio::time::sleep(limits.header_timeout);
    tokio::select! {
        // How a client ends its connection is its own affair.
        _ = served.as_mut() => return,
        _ = stopping.changed() => served.as_mut().graceful_shutdown(),
        () = first => {
            if !begun.load(Ordering::Relaxed) {
                return context.door.count("header_timeout", 1);
            }
            tokio::select! {
                _ = served.as_mut() => return,
                _ = stopping.changed() => served.as_mut().graceful_shutdown(),
            }
        }
    }
    let _ = tokio::time::timeout(GRACE, served).await;
}

/// The same with a function that answers each request.
pub(crate) fn serve_each<F, A, B>(stream: Box<dyn Stream>, context: Context, answer: F) -> impl Future<Output = ()> + Send
where
    F: Fn(Request<Incoming>, Context) -> A + Send + 'static,
    A: Future<Output = Response<B>> + Send + 'static,
    B: hyper::body::Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let each = context.clone();
    let service = service_fn(move |request| {
        let answer = answer(request, each.clone());
        async move { Ok::<_, Infallible>(answer.await) }
    });
    serve(stream, context, service)
}

/// An answer with a JSON body.
pub(crate) fn json(status: StatusCode, body: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
        answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(AGAIN_SECONDS));
    }
    answer
}

/// An answer that says what is wrong: `{"error":"…"}`.
pub(crate) fn error(status: StatusCode, reason: &str) -> Response<Full<Bytes>> {
    json(status, serde_json::json!({ "error": reason }).to_string())
}

/// What a client is told that has to come again.
pub(crate) fn status_of(refused: Refused) -> StatusCode {
    match refused {
        Refused::Busy => StatusCode::TOO_MANY_REQUESTS,
        Refused::Late | Refused::GivenUp | Refused::Stopping => StatusCode::SERVICE_UNAVAILABLE,
    }
}
