//! What the API answers.

use crate::control::{Ask, Control, Request, Verdict};
use crate::tap;
use axum::Router;
use axum::extract;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tamis_runtime::{Engine, Stop};
use tokio::sync::oneshot;

/// Longest wait for a reload; it goes on, and the history tells how it ended.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(50);
/// Longest reason that may be given, in characters.
const WHY_CHARS_MAX: usize = 500;
/// Entries of the history that are told.
const HISTORY_MAX: usize = 1_000;

/// What the answers are made of.
#[derive(Clone, Debug)]
pub struct State {
    /// What runs.
    pub engine: Arc<Engine>,
    /// The way to change it.
    pub control: Control,
    /// Tells whether the host is stopping.
    pub stop: Stop,
}

/// The API's routes.
pub fn router(state: State) -> Router {
    let known =
        ["/livez", "/readyz", "/metrics", "/v1/status", "/v1/plan", "/v1/generations", "/v1/tap", "POST /v1/reload", "POST /v1/rollback"];
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(|extract::State(state): extract::State<State>| async move { Json(state.engine.summary()) }))
        .route("/v1/plan", get(|extract::State(state): extract::State<State>| async move { Json(state.control.planned().plan.clone()) }))
        .route("/v1/generations", get(generations))
        .route("/v1/tap", get(tap::tap))
        .route("/v1/reload", post(reload))
        .route("/v1/rollback", post(rollback))
        .fallback(move || async move { (StatusCode::NOT_FOUND, Json(serde_json::json!({"error": "not found", "known": known}))) })
        .layer(middleware::from_fn(own_page))
        .layer(middleware::from_fn(own_host))
        .with_state(state)
}

/// Refuses writes that a page of another site makes a browser send: they carry its origin.
async fn own_page(headers: HeaderMap, request: extract::Request, next: Next) -> Response {
    let site = headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("?"));
    let foreign = headers.contains_key(header::ORIGIN) && site != Some("same-origin");
    if request.method().is_safe() || !(foreign || matches!(site, Some(site) if site != "same-origin" && site != "none")) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, Json(serde_json::json!({"error": "writes are not taken from pages of other sites"}))).into_response()
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reload {
    #[serde(default)]
    dry_run: bool,
    why: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    to: Option<u64>,
    why: Option<String>,
}

async fn reload(extract::State(state): extract::State<State>, query: Result<Query<Reload>, QueryRejection>) -> Response {
    match query {
        Ok(Query(query)) => ask(state, if query.dry_run { Ask::DryRun } else { Ask::Reload }, query.why).await,
        Err(error) => bad_request(&format!("{}; expected nothing, or dry_run=true and why=TEXT", error.body_text())),
    }
}

async fn rollback(extract::State(state): extract::State<State>, query: Result<Query<Rollback>, QueryRejection>) -> Response {
    match query {
        Ok(Query(query)) => ask(state, Ask::Rollback(query.to), query.why).await,
        Err(error) => bad_request(&format!("{}; expected nothing, or to=NUMBER and why=TEXT", error.body_text())),
    }
}

pub(crate) fn bad_request(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": message }))).into_response()
}

async fn ask(state: State, ask: Ask, why: Option<String>) -> Response {
    if why.as_ref().is_some_and(|why| why.chars().count() > WHY_CHARS_MAX) {
        return bad_request(&format!("`why` has more than {WHY_CHARS_MAX} characters"));
    }
    let (tell, told) = oneshot::channel();
    let request = Request { ask, who: "admin API".into(), why };
    if state.control.ask(request, move |answer| drop(tell.send(answer))).is_err() {
        return (StatusCode::TOO_MANY_REQUESTS, Json(serde_json::json!({"error": "too many requests wait; try again"}))).into_response();
    }
    match tokio::time::timeout(RELOAD_TIMEOUT, told).await {
        Ok(Ok(answer)) => {
            let status = match answer.result {
                Verdict::Applied | Verdict::Unchanged | Verdict::Sound => StatusCode::OK,
                Verdict::Refused => StatusCode::UNPROCESSABLE_ENTITY,
                Verdict::Failed | Verdict::Superseded => StatusCode::CONFLICT,
            };
            (status, Json(answer)).into_response()
        }
        Ok(Err(_)) => (StatusCode::SERVICE_UNAVAILABLE, Json(serde_json::json!({"error": "the host is stopping"}))).into_response(),
        Err(_) => {
            let message = format!("not done after {} s; it goes on, and /v1/generations tells how it ended", RELOAD_TIMEOUT.as_secs());
            (StatusCode::GATEWAY_TIMEOUT, Json(serde_json::json!({ "error": message }))).into_response()
        }
    }
}

async fn generations(extract::State(state): extract::State<State>) -> Response {
    match state.control.history(HISTORY_MAX) {
        Ok(entries) => Json(serde_json::json!({ "running": state.engine.generation(), "history": entries })).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, Json(serde_json::json!({ "error": error.to_string() }))).into_response(),
    }
}

/// Refuses requests that name another host: a page in a browser that was led to the loopback address does so.
async fn own_host(headers: HeaderMap, request: extract::Request, next: Next) -> Response {
    let mut hosts = headers.get_all(header::HOST).iter();
    // A second name, or one that is no text, is one that is not ours.
    let host = match (hosts.next().map(|h| h.to_str()), hosts.next()) {
        (None, None) => "",
        (Some(Ok(host)), None) => host,
        _ => "?",
    };
    let name = host.rsplit_once(':').map_or(host, |(name, port)| if port.chars().all(|c| c.is_ascii_digit()) { name } else { host });
    let loopback = name.is_empty()
        || name == "localhost"
        || name.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback());
    if loopback {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, Json(serde_json::json!({"error": "this API answers to loopback names only"}))).into_response()
    }
}

async fn ready(extract::State(state): extract::State<State>) -> Response {
    if state.stop.is_draining() {
        return (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response();
    }
    match state.control.degraded() {
        Some(why) => format!("degraded: {why}\n").into_response(),
        None => "ready\n".into_response(),
    }
}

async fn metrics(extract::State(state): extract::State<State>) -> Response {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], state.engine.metrics().encode())
        .into_response()
}
