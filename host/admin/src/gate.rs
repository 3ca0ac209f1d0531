//! What a request is refused for before it comes to its route: whose page or name it is of, and how much it sends.

use crate::access::Access;
use crate::{BODY_BYTES_MAX, HEADER_TIMEOUT};
use axum::body::{Body, HttpBody, to_bytes};
use axum::extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Json, Response};

fn refused(status: StatusCode, error: &str) -> Response {
    (status, Json(serde_json::json!({ "error": error }))).into_response()
}

/// Refuses requests with a large body, whether they say so or not. What is in one is of no use here.
pub(crate) async fn little_body(headers: HeaderMap, request: extract::Request, next: Next) -> Response {
    let too_large = || refused(StatusCode::PAYLOAD_TOO_LARGE, &format!("a body has at most {BODY_BYTES_MAX} bytes; none is needed here"));
    if let Some(length) = headers.get(header::CONTENT_LENGTH) {
        let bytes = length.to_str().ok().and_then(|length| length.parse::<u64>().ok());
        return if bytes.is_some_and(|bytes| bytes <= BODY_BYTES_MAX) { next.run(request).await } else { too_large() };
    }
    if request.body().is_end_stream() {
        return next.run(request).await;
    }
    // One that comes in chunks says at its end how large it was.
    let (parts, body) = request.into_parts();
    match tokio::time::timeout(HEADER_TIMEOUT, to_bytes(body, usize::try_from(BODY_BYTES_MAX).unwrap_or(0))).await {
        Ok(Ok(_)) => next.run(extract::Request::from_parts(parts, Body::empty())).await,
        Ok(Err(_)) => too_large(),
        Err(_) => {
            refused(StatusCode::REQUEST_TIMEOUT, &format!("the body is not here after {} s; none is needed", HEADER_TIMEOUT.as_secs()))
        }
    }
}

/// Says in words that a route has no such method.
pub(crate) async fn told_method(request: extract::Request, next: Next) -> Response {
    let answer = next.run(request).await;
    if answer.status() != StatusCode::METHOD_NOT_ALLOWED {
        return answer;
    }
    refused(StatusCode::METHOD_NOT_ALLOWED, "there is no such method here; the header `Allow` names those there are")
}

/// Refuses writes that a page of another site makes a browser send: they carry its origin.
pub(crate) async fn own_page(headers: HeaderMap, request: extract::Request, next: Next) -> Response {
    let site = headers.get("sec-fetch-site").map(|site| site.to_str().unwrap_or("?"));
    let foreign = headers.contains_key(header::ORIGIN) && site != Some("same-origin");
    if request.method().is_safe() || !(foreign || matches!(site, Some(site) if site != "same-origin" && site != "none")) {
        next.run(request).await
    } else {
        refused(StatusCode::FORBIDDEN, "writes are not taken from pages of other sites")
    }
}

/// Refuses requests that name another host: a page in a browser that was led to the loopback address does so.
pub(crate) async fn own_host(
    extract::State(access): extract::State<Access>,
    headers: HeaderMap,
    request: extract::Request,
    next: Next,
) -> Response {
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
    // Where others reach it, it has other names, and there are tokens, which no browser sends by itself.
    if loopback || access.is_open() {
        next.run(request).await
    } else {
        refused(StatusCode::FORBIDDEN, "this API answers to loopback names only")
    }
}
