//! `GET /v1/tap`: live records, as server-sent events.

use crate::CONNECTION_TIMEOUT;
use crate::routes::{State, bad_request};
use axum::body::{Body, HttpBody};
use axum::extract::rejection::QueryRejection;
use axum::extract::{self, Extension, Query};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use hyper::body::{Bytes, Frame};
use serde::Deserialize;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tamis_runtime::tap::{TAP_TIME_MAX, TapError, TapEvent, TapHandle, TapRequest, Told};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver};
use tokio::time::{Interval, MissedTickBehavior, interval};

/// How often a client is told that the connection lives.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// Events that wait for a client.
const EVENTS_MAX: usize = 32;

/// How long a connection may live: [`CONNECTION_TIMEOUT`], or longer once a tap runs over it.
#[derive(Clone, Debug)]
pub(crate) struct Patience(Arc<AtomicU64>);

impl Patience {
    pub(crate) fn new(time: Duration) -> Self {
        Self(Arc::new(AtomicU64::new(time.as_secs())))
    }

    pub(crate) fn time(&self) -> Duration {
        Duration::from_secs(self.0.load(Ordering::Relaxed))
    }

    fn raise(&self, to: Duration) {
        self.0.fetch_max(to.as_secs(), Ordering::Relaxed);
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Parameters {
    pipeline: String,
    step: Option<String>,
    rate: Option<u32>,
    filter: Option<String>,
}

pub(crate) async fn tap(
    extract::State(state): extract::State<State>,
    Extension(patience): Extension<Patience>,
    query: Result<Query<Parameters>, QueryRejection>,
) -> Response {
    let Parameters { pipeline, step, rate, filter } = match query {
        Ok(Query(parameters)) => parameters,
        Err(error) => {
            return bad_request(&format!("{}; expected pipeline=NAME, and step=NAME, rate=NUMBER, filter=VRL", error.body_text()));
        }
    };
    let request = TapRequest { pipeline, step, rate, filter };
    let (send, events) = mpsc::channel(EVENTS_MAX);
    let tell = move |event: &TapEvent| match send.try_send(encoded(event)) {
        Ok(()) => Told::Taken,
        Err(TrySendError::Full(_)) => Told::Full,
        Err(TrySendError::Closed(_)) => Told::Gone,
    };
    // A filter takes its time to compile.
    let opened = tokio::task::spawn_blocking(move || state.engine.tap(&request, tell)).await;
    match opened {
        Ok(Ok(handle)) => {
            patience.raise(CONNECTION_TIMEOUT + TAP_TIME_MAX);
            let headers = [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
            (headers, Body::new(Events::new(events, handle))).into_response()
        }
        Ok(Err(error)) => refused(&error),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Json(serde_json::json!({"error": "an internal fault"}))).into_response(),
    }
}

fn refused(error: &TapError) -> Response {
    let status = match error {
        TapError::NoPipeline { .. } | TapError::NoStep { .. } => StatusCode::NOT_FOUND,
        TapError::Rate { .. } | TapError::Filter(_) => StatusCode::BAD_REQUEST,
        TapError::TooMany => StatusCode::TOO_MANY_REQUESTS,
        TapError::Stopping | TapError::Thread(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut answer = serde_json::json!({ "error": error.to_string() });
    if let TapError::NoPipeline { known, .. } | TapError::NoStep { known, .. } = error {
        answer["known"] = serde_json::json!(known);
    }
    (status, Json(answer)).into_response()
}

/// An event in the form of server-sent events.
fn encoded(event: &TapEvent) -> Bytes {
    let mut text = format!("event: {}\ndata: ", event.name()).into_bytes();
    let begin = text.len();
    if serde_json::to_writer(&mut text, event).is_err() {
        text.truncate(begin);
        text.extend_from_slice(b"{}");
    }
    // A record in its own spelling may hold line ends, between its values only.
    text.iter_mut().skip(begin).filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    text.extend_from_slice(b"\n\n");
    text.into()
}

/// The body of the answer. The tap ends when it is dropped, with the connection.
struct Events {
    events: Receiver<Bytes>,
    heartbeat: Interval,
    _tap: TapHandle,
}

impl Events {
    fn new(events: Receiver<Bytes>, tap: TapHandle) -> Self {
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        Self { events, heartbeat, _tap: tap }
    }
}

impl HttpBody for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        match this.events.poll_recv(cx) {
            Poll::Ready(event) => return Poll::Ready(event.map(|event| Ok(Frame::data(event)))),
            Poll::Pending => {}
        }
        this.heartbeat.poll_tick(cx).map(|_| Some(Ok(Frame::data(Bytes::from_static(b":\n\n")))))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use tamis_runtime::tap::Waiting;

    #[test]
    fn an_event_is_three_lines() {
        let waiting = Waiting { pipeline: "main".into(), step: None, generation: 2, reason: "a\nb".into() };
        let text = String::from_utf8(encoded(&TapEvent::Waiting(waiting)).to_vec()).unwrap();
        let lines: Vec<&str> = text.split('\n').collect();
        assert_eq!((lines.len(), lines[0], lines[2], lines[3]), (4, "event: waiting", "", ""));
        let data: serde_json::Value = serde_json::from_str(lines[1].strip_prefix("data: ").unwrap()).unwrap();
        assert_eq!((&data["event"], &data["reason"]), (&"waiting".into(), &"a\nb".into()));
    }
}
