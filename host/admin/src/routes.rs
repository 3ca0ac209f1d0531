//! What the API answers.

use axum::Router;
use axum::extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use std::sync::Arc;
use tamis_plan::Plan;
use tamis_runtime::{Metrics, Stop, Summary};

/// What the answers are made of.
#[derive(Clone)]
pub struct State {
    /// The running plan.
    pub plan: Arc<Plan>,
    /// The metrics.
    pub metrics: Arc<Metrics>,
    /// Tells whether the host is stopping.
    pub stop: Stop,
    /// Gives what has happened so far.
    pub summary: Arc<dyn Fn() -> Summary + Send + Sync>,
}

/// The API's routes.
pub fn router(state: State) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/v1/status", get(status))
        .route("/v1/plan", get(|extract::State(state): extract::State<State>| async move { Json(state.plan.as_ref().clone()) }))
        .fallback(|| async {
            (
                StatusCode::NOT_FOUND,
                Json(serde_json::json!({"error": "not found", "known": ["/livez", "/readyz", "/metrics", "/v1/status", "/v1/plan"]})),
            )
        })
        .layer(middleware::from_fn(own_host))
        .with_state(state)
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
    if state.stop.is_draining() { (StatusCode::SERVICE_UNAVAILABLE, "stopping\n").into_response() } else { "ready\n".into_response() }
}

async fn metrics(extract::State(state): extract::State<State>) -> Response {
    ([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], state.metrics.encode()).into_response()
}

async fn status(extract::State(state): extract::State<State>) -> Response {
    Json((state.summary)()).into_response()
}
