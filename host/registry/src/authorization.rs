//! How a registry asks who we are, and the answer: the `WWW-Authenticate` challenge, basic or bearer
//! (<https://distribution.github.io/distribution/spec/auth/token/>).

use serde::Deserialize;
use ureq::http::{Request, StatusCode};

use crate::Error;
use crate::credentials::Credentials;
use crate::transport::{Transport, body, refusal};

/// Largest answer of a token service.
const TOKEN_BYTES_MAX: u64 = 1 << 20;

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// A user and a password with each request.
    Basic,
    /// A token from elsewhere.
    Bearer { realm: String, service: Option<String>, scope: Option<String> },
}

impl Challenge {
    /// Reads the value of a `WWW-Authenticate` header (RFC 9110, 11.6.1), as far as registries use it.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let (scheme, rest) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (mut realm, mut service, mut scope) = (None, None, None);
        let mut rest = rest.trim_start();
        while let Some((name, after)) = rest.split_once('=') {
            let after = after.trim_start();
            let (value, next) = match after.strip_prefix('"') {
                // A scope holds commas, within its quotes.
                Some(quoted) => quoted.split_once('"')?,
                None => after.split_once(',').map_or((after, ""), |(value, next)| (value.trim_end(), next)),
            };
            match name.trim().to_ascii_lowercase().as_str() {
                "realm" => realm = Some(value.to_owned()),
                "service" => service = Some(value.to_owned()),
                "scope" => scope = Some(value.to_owned()),
                _ => {}
            }
            rest = next.trim_start().trim_start_matches(',').trim_start();
        }
        Some(Self::Bearer { realm: realm?, service, scope })
    }
}

#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

/// Answers a challenge: the value of the `Authorization` header. `None`: there is nothing to answer with.
pub(crate) fn answer(
    transport: &Transport,
    registry: &str,
    challenge: &Challenge,
    scope: &str,
    credentials: Option<&Credentials>,
) -> Result<Option<String>, Error> {
    let Challenge::Bearer { realm, service, scope: asked } = challenge else {
        return Ok(credentials.and_then(Credentials::basic));
    };
    // The scope that the registry asks for: some name one that is wider than ours.
    let scope = asked.as_deref().unwrap_or(scope);
    let uri = transport.check(registry, realm)?;
    let mut query = vec![("scope", scope)];
    query.extend(service.as_deref().map(|service| ("service", service)));
    let malformed = |_| Error::Protocol { registry: registry.to_owned(), reason: "a challenge that cannot be answered".to_owned() };
    let mut answer = match credentials {
        Some(Credentials::Identity(token)) => {
            query.extend([("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("client_id", "tamis")]);
            let request = Request::post(uri).header("content-type", "application/x-www-form-urlencoded").body(encode(&query));
            transport.send(registry, request.map_err(malformed)?)?
        }
        credentials => {
            let separator = if realm.contains('?') { '&' } else { '?' };
            let mut request = Request::get(format!("{realm}{separator}{}", encode(&query)));
            if let Some(basic) = credentials.and_then(Credentials::basic) {
                request = request.header("authorization", basic);
            }
            transport.send(registry, request.body(()).map_err(malformed)?)?
        }
    };
    if answer.status() != StatusCode::OK {
        return Err(refusal(registry, "the request for a token", answer));
    }
    let bytes = body(registry, "the token", &mut answer, TOKEN_BYTES_MAX, &mut |_| {})?;
    let token = serde_json::from_slice::<Token>(&bytes).ok().and_then(|token| token.token.or(token.access_token));
    match token {
        Some(token) => Ok(Some(format!("Bearer {token}"))),
        None => Err(Error::Protocol { registry: registry.to_owned(), reason: "a token service that gives no token".to_owned() }),
    }
}

/// `application/x-www-form-urlencoded`.
fn encode(pairs: &[(&str, &str)]) -> String {
    let mut out = String::new();
    for (name, value) in pairs {
        if !out.is_empty() {
            out.push('&');
        }
        out.push_str(name);
        out.push('=');
        for byte in value.bytes() {
            if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                out.push(char::from(byte));
            } else {
                out.push_str(&format!("%{byte:02X}"));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_read() {
        let bearer = |realm: &str, service: Option<&str>, scope: Option<&str>| {
            let owned = |text: Option<&str>| text.map(str::to_owned);
            Some(Challenge::Bearer { realm: realm.to_owned(), service: owned(service), scope: owned(scope) })
        };
        for (value, expected) in [
            ("Basic realm=\"r\"", Some(Challenge::Basic)),
            ("basic", Some(Challenge::Basic)),
            (
                "Bearer realm=\"https://a.example/token\",service=\"r.example\",scope=\"repository:a/b:pull,push\"",
                bearer("https://a.example/token", Some("r.example"), Some("repository:a/b:pull,push")),
            ),
            ("bearer  service=x , realm=\"https://a\" , error=\"e\"", bearer("https://a", Some("x"), None)),
            ("Bearer service=\"x\"", None),
            ("Bearer realm=\"open", None),
            ("Negotiate", None),
            ("", None),
            ("Bearer =,=,=", None),
        ] {
            assert_eq!(Challenge::parse(value), expected, "{value}");
        }
    }

    #[test]
    fn values_of_a_query_are_encoded() {
        assert_eq!(
            encode(&[("scope", "repository:a/b:pull,push"), ("x", "é &=")]),
            "scope=repository%3Aa%2Fb%3Apull%2Cpush&x=%C3%A9%20%26%3D"
        );
    }
}
