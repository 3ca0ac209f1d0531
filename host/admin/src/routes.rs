//! What the API answers.

use crate::access::{Access, Caller, Permission};
use crate::control::{Ask, Control, Promotion, Request, Trial, TrialKind, Verdict};
use crate::{console, gate, tap};
use axum::extract;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router};
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;
use tamis_runtime::{Engine, Stop, Summary};
use tokio::sync::oneshot;

/// Longest wait for a reload; it goes on, and the history tells how it ended.
const RELOAD_TIMEOUT: Duration = Duration::from_secs(50);
/// Longest trial.
const TRIAL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);
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
pub fn router(state: State, access: &Access) -> Router {
    let view = |route| access.guard(Permission::View, route);
    let operate = |route| access.guard(Permission::Operate, route);
    Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", view(get(metrics)))
        .route("/v1/status", view(get(status)))
        .route("/v1/plan", view(get(plan)))
        .route("/v1/generations", view(get(generations)))
        .route("/v1/tap", access.guard(Permission::Tap, get(tap::tap)))
        .route("/v1/reload", operate(post(reload)))
        .route("/v1/rollback", operate(post(rollback)))
        .route("/v1/trial", view(get(trial)))
        .route("/v1/trial/end", operate(post(end_trial)))
        .merge(console::routes())
        .fallback_service(access.guard::<()>(Permission::View, any(unknown)))
        .layer(middleware::from_fn(gate::told_method))
        .layer(middleware::from_fn(gate::own_page))
        .layer(middleware::from_fn(gate::little_body))
        .layer(middleware::from_fn_with_state(access.clone(), gate::own_host))
        .with_state(state)
}

async fn unknown() -> Response {
    let known = [
        "/",
        "/livez",
        "/readyz",
        "/metrics",
        "/v1/status",
        "/v1/plan",
        "/v1/generations",
        "/v1/tap",
        "POST /v1/reload",
        "POST /v1/rollback",
        "/v1/trial",
        "POST /v1/trial/end",
    ];
    (StatusCode::NOT_FOUND, Json(serde_json::json!({"error": "not found", "known": known}))).into_response()
}

async fn status(extract::State(state): extract::State<State>) -> Response {
    Json(Status { version: env!("CARGO_PKG_VERSION"), degraded: state.control.degraded(), summary: state.engine.summary() }).into_response()
}

async fn plan(extract::State(state): extract::State<State>) -> Response {
    Json(state.control.planned().plan.clone()).into_response()
}

/// What runs and how it goes.
#[derive(Serialize)]
struct Status {
    version: &'static str,
    /// Why the host runs something else than its files say, if it does.
    degraded: Option<String>,
    #[serde(flatten)]
    summary: Summary,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reload {
    #[serde(default)]
    dry_run: bool,
    why: Option<String>,
    /// Shares: from 0 to 1.
    shadow: Option<f64>,
    canary: Option<f64>,
    /// Seconds.
    promote_after: Option<f64>,
    max_diff: Option<f64>,
    max_errors: Option<u64>,
}

impl Reload {
    fn ask(&self) -> Result<Ask, &'static str> {
        let ppm = |share: f64| (share.is_finite() && (0.0..=1.0).contains(&share)).then_some((share * 1_000_000.0).round() as u32);
        let promotion = match (self.promote_after, self.max_diff, self.max_errors) {
            (None, None, None) => None,
            (None, ..) => return Err("`max_diff` and `max_errors` need `promote_after`"),
            (Some(after), diff, errors) => {
                let after = Duration::try_from_secs_f64(after).ok().filter(|after| *after <= TRIAL_MAX);
                let after = after.ok_or("expected `promote_after` as seconds, at most a week")?;
                let max_diff_ppm = ppm(diff.unwrap_or(0.0)).ok_or("expected `max_diff` from 0 to 1")?;
                Some(Promotion { after, max_diff_ppm, max_errors: errors.unwrap_or(0) })
            }
        };
        let (kind, share) = match (self.shadow, self.canary, self.dry_run) {
            (None, None, dry_run) if promotion.is_none() => return Ok(if dry_run { Ask::DryRun } else { Ask::Reload }),
            (Some(share), None, false) => (TrialKind::Shadow, share),
            (None, Some(_), false) if self.max_diff.is_some() => {
                return Err("`max_diff` is of a shadow: nobody else takes a canary's records through");
            }
            (None, Some(share), false) => (TrialKind::Canary, share),
            _ => return Err("expected one of `dry_run`, `shadow` and `canary`, and `promote_after` only with the last two"),
        };
        let share_ppm = ppm(share).filter(|share| *share > 0).ok_or("expected a share above 0 and up to 1, such as 0.05")?;
        Ok(Ask::Try(Trial { kind, share_ppm, promotion }))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rollback {
    to: Option<u64>,
    why: Option<String>,
}

async fn reload(
    extract::State(state): extract::State<State>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Reload>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => match query.ask() {
            Ok(what) => ask(state, caller, what, query.why).await,
            Err(message) => bad_request(message),
        },
        Err(error) => bad_request(&format!(
            "{}; known are dry_run=true, why=TEXT, shadow=SHARE, canary=SHARE, promote_after=SECONDS, max_diff=SHARE, max_errors=N",
            error.body_text()
        )),
    }
}

async fn rollback(
    extract::State(state): extract::State<State>,
    Extension(caller): Extension<Caller>,
    query: Result<Query<Rollback>, QueryRejection>,
) -> Response {
    match query {
        Ok(Query(query)) => ask(state, caller, Ask::Rollback(query.to), query.why).await,
        Err(error) => bad_request(&format!("{}; expected nothing, or to=NUMBER and why=TEXT", error.body_text())),
    }
}

async fn trial(extract::State(state): extract::State<State>) -> Response {
    match state.control.trial() {
        Some(report) => Json(report).into_response(),
        None => (StatusCode::NOT_FOUND, Json(serde_json::json!({"error": "neither a shadow nor a canary runs"}))).into_response(),
    }
}

async fn end_trial(extract::State(state): extract::State<State>, Extension(caller): Extension<Caller>) -> Response {
    ask(state, caller, Ask::EndTrial, None).await
}

pub(crate) fn bad_request(message: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(serde_json::json!({ "error": message }))).into_response()
}

async fn ask(state: State, caller: Caller, ask: Ask, why: Option<String>) -> Response {
    if why.as_ref().is_some_and(|why| why.chars().count() > WHY_CHARS_MAX) {
        return bad_request(&format!("`why` has more than {WHY_CHARS_MAX} characters"));
    }
    let (tell, told) = oneshot::channel();
    let request = Request { ask, who: caller.0.to_string(), why };
    if state.control.ask(request, move |answer| drop(tell.send(answer))).is_err() {
        return (StatusCode::TOO_MANY_REQUESTS, Json(serde_json::json!({"error": "too many requests wait; try again"}))).into_response();
    }
    match tokio::time::timeout(RELOAD_TIMEOUT, told).await {
        Ok(Ok(answer)) => {
            let status = match answer.result {
                Verdict::Trying => StatusCode::ACCEPTED,
                Verdict::GaveUp | Verdict::Applied | Verdict::Unchanged | Verdict::Sound => StatusCode::OK,
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

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Generations {
    /// The newest so many.
    limit: Option<NonZeroUsize>,
}

async fn generations(extract::State(state): extract::State<State>, query: Result<Query<Generations>, QueryRejection>) -> Response {
    let limit = match query {
        Ok(Query(Generations { limit })) => limit.map_or(HISTORY_MAX, |limit| limit.get().min(HISTORY_MAX)),
        Err(error) => return bad_request(&format!("{}; expected nothing, or limit=N from 1 to {HISTORY_MAX}", error.body_text())),
    };
    match state.control.history(limit) {
        Ok(entries) => Json(serde_json::json!({ "running": state.engine.generation(), "history": entries })).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, Json(serde_json::json!({ "error": error.to_string() }))).into_response(),
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
