//! Who may do what: bearer tokens with roles, known by their hashes.
//!
//! Without tokens whoever reaches the API may do everything: it listens on loopback addresses and sockets only, then. On an address
//! that others reach, nobody may do anything without one, also when a reload has taken the last one away. Nor may anybody, wherever it
//! listens, when a start on the last good generation finds that the files of now leave none of its tokens.

use crate::control::{Control, Tokens};
use axum::extract;
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::MethodRouter;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tamis_config::Role;

/// Bytes of a token that are looked at.
const TOKEN_BYTES_MAX: usize = 512;
/// How often refused requests are told in the log, at most.
const TELL: Duration = Duration::from_secs(60);

/// What a route asks of whoever calls it. Routes that anybody may call have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Permission {
    /// To read what has no records in it.
    View,
    /// To see records.
    Tap,
    /// To change what runs.
    Operate,
}

impl Permission {
    fn is_given_to(self, role: Role) -> bool {
        let least = match self {
            Self::View => Role::View,
            Self::Tap => Role::Tap,
            Self::Operate => Role::Operate,
        };
        role >= least
    }
}

/// Who calls, as the history tells it: a token's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller(pub Arc<str>);

/// Why a request is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// There is no token, or none that is known.
    Unknown,
    /// Its role is not enough.
    Role,
}

/// Guards routes. Clones share one.
#[derive(Debug, Clone)]
pub struct Access(Arc<Guard>);

#[derive(Debug)]
struct Guard {
    control: Control,
    open: bool,
    refused: AtomicU64,
    told: Mutex<Option<Instant>>,
}

impl Access {
    /// `open`: the API listens where others reach it.
    pub(crate) fn new(control: Control, open: bool) -> Self {
        Self(Arc::new(Guard { control, open, refused: AtomicU64::new(0), told: Mutex::default() }))
    }

    /// Whether the API listens where others reach it.
    pub(crate) fn is_open(&self) -> bool {
        self.0.open
    }

    /// A route that asks for a permission. Its handlers find the [`Caller`] among the request's extensions.
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, permission: Permission, route: MethodRouter<S>) -> MethodRouter<S> {
        route.layer(middleware::from_fn_with_state((self.clone(), permission), check))
    }

    fn refuse(&self, refusal: Refusal) -> Response {
        let refused = self.0.refused.fetch_add(1, Ordering::Relaxed) + 1;
        let mut told = self.0.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.is_none_or(|at| at.elapsed() >= TELL) {
            *told = Some(Instant::now());
            tracing::warn!("the admin API refuses requests without a token that is good for them: {refused} so far");
        }
        drop(told);
        let (status, error) = match refusal {
            Refusal::Unknown => (StatusCode::UNAUTHORIZED, "a token is needed: `Authorization: Bearer TOKEN`"),
            Refusal::Role => (StatusCode::FORBIDDEN, "this token is not good for that"),
        };
        let mut answer = (status, Json(serde_json::json!({ "error": error }))).into_response();
        if status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
        }
        answer
    }
}

/// The hash of a token as the configuration holds it.
pub fn token_hash(token: &str) -> String {
    Sha256::digest(token).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn check(
    extract::State((access, permission)): extract::State<(Access, Permission)>,
    mut request: extract::Request,
    next: Next,
) -> Response {
    let tokens = access.0.control.admin_tokens();
    match caller(&tokens, access.0.open, request.headers(), permission) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(refusal) => access.refuse(refusal),
    }
}

fn caller(tokens: &Tokens, open: bool, headers: &HeaderMap, permission: Permission) -> Result<Caller, Refusal> {
    if !tokens.needed && !open {
        return Ok(Caller("admin API".into()));
    }
    let presented = bearer(headers).ok_or(Refusal::Unknown)?;
    let digest: [u8; 32] = Sha256::digest(presented).into();
    // All of them are looked at, whichever it is.
    let mut found = None;
    for (name, token) in &tokens.known {
        if equal(&token.sha256.0, &digest) {
            found = Some((name, token.role));
        }
    }
    let (name, role) = found.ok_or(Refusal::Unknown)?;
    if permission.is_given_to(role) { Ok(Caller(name.as_str().into())) } else { Err(Refusal::Role) }
}

/// The token of a request that has just one.
fn bearer(headers: &HeaderMap) -> Option<&[u8]> {
    let mut all = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = value.as_bytes().split_at_checked(b"Bearer ".len())?;
    let token = token.trim_ascii();
    (scheme.eq_ignore_ascii_case(b"Bearer ") && !token.is_empty() && token.len() <= TOKEN_BYTES_MAX).then_some(token)
}

/// Takes the same time wherever they differ. What is compared are hashes, of which an attacker chooses none.
fn equal(one: &[u8; 32], other: &[u8; 32]) -> bool {
    std::hint::black_box(one.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b))) == 0
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;
    use tamis_config::{AdminToken, TokenDigest};

    fn tokens() -> Tokens {
        let token = |role: Role| AdminToken { sha256: TokenDigest(Sha256::digest(role.as_str()).into()), role };
        let known = [Role::View, Role::Tap, Role::Operate].map(|role| (format!("the-{}", role.as_str()), token(role)));
        Tokens { known: known.into(), needed: true }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (header::AUTHORIZATION, HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn each_role_is_good_for_its_own_and_what_is_less() {
        let ask = |role: &str, permission| caller(&tokens(), false, &headers(&[&format!("Bearer {role}")]), permission);
        for (role, allowed) in [("view", 1), ("tap", 2), ("operate", 3)] {
            for (number, permission) in [Permission::View, Permission::Tap, Permission::Operate].into_iter().enumerate() {
                let expected = if number < allowed { Ok(Caller(format!("the-{role}").into())) } else { Err(Refusal::Role) };
                assert_eq!(ask(role, permission), expected, "{role} {permission:?}");
            }
        }
    }

    #[test]
    fn anything_else_is_no_token() {
        let ask = |values: &[&str]| caller(&tokens(), false, &headers(values), Permission::View);
        let long = format!("Bearer {}", "x".repeat(TOKEN_BYTES_MAX + 1));
        for bad in ["", "Bearer", "Bearer ", "Bearer  ", "Basic view", "view", "Bearer View", "Bearer view2", "Bearer vie", &long] {
            assert_eq!(ask(&[bad]), Err(Refusal::Unknown), "{bad}");
        }
        assert_eq!(ask(&[]), Err(Refusal::Unknown));
        assert_eq!(ask(&["Bearer view", "Bearer view"]), Err(Refusal::Unknown), "two");
        assert!(ask(&["bearer view"]).is_ok() && ask(&["BEARER  view "]).is_ok());
    }

    #[test]
    fn hashes_are_those_of_the_configuration() {
        assert_eq!(TokenDigest::parse(&token_hash("view")), Some(tokens().known["the-view"].sha256));
    }

    #[test]
    fn without_tokens_only_this_machine_may() {
        let ask = |open, needed| {
            let none = Tokens { needed, ..Tokens::default() };
            caller(&none, open, &headers(&["Bearer view"]), Permission::Operate)
        };
        assert_eq!(ask(false, false), Ok(Caller("admin API".into())));
        assert_eq!(ask(true, false), Err(Refusal::Unknown));
        assert_eq!(ask(false, true), Err(Refusal::Unknown), "those there were have been taken away");
    }
}
