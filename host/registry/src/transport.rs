//! HTTP with limits: sizes, times, where it may go and to whom credentials are shown.

use std::io::Read;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tamis_config::escaped;
use ureq::http::{HeaderMap, Request, Response, StatusCode, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, AsSendBody, Body};

use crate::Error;
use crate::read::read_at_most;

/// How long connecting may take.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an answer may keep us waiting for its headers.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a request may take with its bodies.
pub const TRANSFER_TIMEOUT: Duration = Duration::from_secs(600);
/// How long a registry may take in all where what is kept can serve in its place.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// Registries on other hosts than loopback that are spoken to without TLS: names separated by commas.
pub const PLAIN_HTTP_VARIABLE: &str = "TAMIS_REGISTRY_PLAIN_HTTP";
/// A file of certificates (PEM) to believe instead of the built-in ones.
pub const CERTIFICATES_VARIABLE: &str = "SSL_CERT_FILE";
/// How often a request for a blob follows a redirection.
pub const REDIRECTS_MAX: usize = 5;

/// Bytes of the headers of an answer.
const HEADERS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of an error's body that are looked at.
const SAID_BYTES_MAX: u64 = 64 * 1024;
/// Characters of a registry's message that are shown.
const SAID_CHARS_MAX: usize = 200;
/// Bytes of a file of certificates.
const CERTIFICATES_BYTES_MAX: u64 = 4 << 20;

/// Sends requests.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    agent: Agent,
    plain_http: Vec<String>,
    /// When all has to be done.
    pub(crate) until: Option<Instant>,
}

impl Transport {
    /// Reads [`PLAIN_HTTP_VARIABLE`] and [`CERTIFICATES_VARIABLE`]. `plain_http` names further registries.
    pub(crate) fn new(plain_http: &[String]) -> Result<Self, Error> {
        let mut plain_http = plain_http.to_vec();
        if let Ok(names) = std::env::var(PLAIN_HTTP_VARIABLE) {
            plain_http.extend(names.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
        }
        let roots = match std::env::var_os(CERTIFICATES_VARIABLE).filter(|path| !path.is_empty()) {
            Some(path) => certificates(path.as_ref())?,
            None => RootCerts::WebPki,
        };
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_recv_response(Some(ANSWER_TIMEOUT))
            .max_response_header_size(HEADERS_BYTES_MAX)
            .tls_config(TlsConfig::builder().root_certs(roots).build())
            .user_agent(concat!("tamis/", env!("CARGO_PKG_VERSION")))
            .build();
        Ok(Self { agent: agent.into(), plain_http, until: None })
    }

    /// `https://registry`, or `http://` where that is allowed: on this machine, and where the operator says so.
    pub(crate) fn origin(&self, registry: &str) -> String {
        let scheme = if self.may_be_plain(registry) { "http" } else { "https" };
        format!("{scheme}://{registry}")
    }

    fn may_be_plain(&self, authority: &str) -> bool {
        is_this_machine(authority) || self.is_named_plain(authority)
    }

    fn is_named_plain(&self, authority: &str) -> bool {
        self.plain_http.iter().any(|name| name == authority)
    }

    /// Whether bytes may be fetched from, or credentials sent to, this address.
    pub(crate) fn check(&self, registry: &str, url: &str) -> Result<Uri, Error> {
        let protocol = |reason: String| Error::Protocol { registry: registry.to_owned(), reason };
        let uri: Uri = url.parse().map_err(|_| protocol("an address that cannot be read".to_owned()))?;
        let authority = uri.authority().map(|authority| authority.as_str()).unwrap_or_default();
        match uri.scheme_str() {
            Some("https") if !authority.is_empty() && !authority.contains('@') => Ok(uri),
            Some("http") if self.is_named_plain(authority) => Ok(uri),
            // What listens on this machine alone is no business of a registry elsewhere.
            Some("http") if is_this_machine(authority) && self.may_be_plain(registry) => Ok(uri),
            Some("http") => {
                Err(protocol(format!("it leads to http://{}, without TLS; set {PLAIN_HTTP_VARIABLE} if that is meant", shown(authority))))
            }
            _ => Err(protocol("it leads to an address that is not https://host".to_owned())),
        }
    }

    /// Sends a request and gives the answer's head; its body is still to be read.
    pub(crate) fn send(&self, registry: &str, request: Request<impl AsSendBody>) -> Result<Response<Body>, Error> {
        let left = self.until.map_or(TRANSFER_TIMEOUT, |until| until.saturating_duration_since(Instant::now()).min(TRANSFER_TIMEOUT));
        let unreachable = |reason: &str| Error::Unreachable { registry: registry.to_owned(), reason: shown(reason) };
        if left.is_zero() {
            return Err(unreachable("it takes too long to answer"));
        }
        let request = self.agent.configure_request(request).timeout_global(Some(left)).build();
        self.agent.run(request).map_err(|error| unreachable(&error.to_string()))
    }
}

fn is_this_machine(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => authority.split(':').next().unwrap_or(authority),
    };
    matches!(host, "localhost" | "127.0.0.1" | "::1")
}

fn certificates(path: &std::path::Path) -> Result<RootCerts, Error> {
    let wrong =
        |reason: &str| Error::Credentials { place: format!("{CERTIFICATES_VARIABLE}={}", path.display()), reason: reason.to_owned() };
    let pem = read_at_most(path, CERTIFICATES_BYTES_MAX)?.ok_or_else(|| wrong("expected certificates of at most 4 MiB"))?;
    let mut all = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| wrong("expected certificates as PEM"))? {
            all.push(certificate);
        }
    }
    if all.is_empty() {
        return Err(wrong("expected at least one certificate as PEM"));
    }
    Ok(RootCerts::Specific(Arc::new(all)))
}

/// A stranger's words: escaped, and cut where nobody reads on.
pub(crate) fn shown(text: &str) -> String {
    escaped(&text.chars().take(SAID_CHARS_MAX).collect::<String>())
}

/// The whole body, unless it is longer than allowed. `step` hears of each piece.
pub(crate) fn body(
    registry: &str,
    what: &str,
    answer: &mut Response<Body>,
    bytes_max: u64,
    step: &mut dyn FnMut(u64),
) -> Result<Vec<u8>, Error> {
    let too_large = || Error::TooLarge { what: what.to_owned(), bytes_max };
    if answer.body().content_length().is_some_and(|length| length > bytes_max) {
        return Err(too_large());
    }
    let mut reader = answer.body_mut().as_reader().take(bytes_max.saturating_add(1));
    let mut bytes = Vec::new();
    let mut piece = vec![0_u8; 64 * 1024];
    loop {
        let length = reader.read(&mut piece).map_err(|error| Error::Unreachable {
            registry: registry.to_owned(),
            reason: format!("the answer broke off: {}", shown(&error.to_string())),
        })?;
        let Some(read) = piece.get(..length).filter(|read| !read.is_empty()) else { break };
        bytes.extend_from_slice(read);
        if bytes.len() as u64 > bytes_max {
            return Err(too_large());
        }
        step(bytes.len() as u64);
    }
    Ok(bytes)
}

/// What an answer that was not hoped for means. `what` is what was asked.
pub(crate) fn refusal(registry: &str, what: &str, mut answer: Response<Body>) -> Error {
    let status = answer.status();
    let mut text = Vec::new();
    // What cannot be read says nothing.
    let _ = answer.body_mut().as_reader().take(SAID_BYTES_MAX).read_to_end(&mut text);
    let said = serde_json::from_slice::<serde_json::Value>(&text)
        .ok()
        .and_then(|body| body.pointer("/errors/0/message")?.as_str().map(|message| format!(": {}", shown(message))))
        .unwrap_or_default();
    let registry = registry.to_owned();
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Error::Denied { registry, status: status.as_u16(), said },
        StatusCode::NOT_FOUND => Error::NotFound { what: what.to_owned() },
        _ => Error::Status { registry, status: status.as_u16(), what: what.to_owned(), said },
    }
}

/// A header's value as text.
pub(crate) fn header<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_elsewhere_leads_to_nothing_on_this_machine() {
        let transport = Transport::new(&["plain.example:5000".to_owned()]).unwrap();
        for (registry, url, allowed) in [
            ("registry.example", "https://blobs.example/x", true),
            ("registry.example", "http://blobs.example/x", false),
            ("registry.example", "http://127.0.0.1:9480/v1/generations", false),
            ("registry.example", "http://[::1]:9480/", false),
            ("registry.example", "http://plain.example:5000/x", true),
            ("localhost:5000", "http://127.0.0.1:5001/token", true),
            ("plain.example:5000", "http://localhost:5001/token", true),
        ] {
            assert_eq!(transport.check(registry, url).is_ok(), allowed, "{registry} {url}");
        }
    }

    #[test]
    fn nothing_is_sent_after_the_time_that_all_of_it_may_take() {
        let mut transport = Transport::new(&[]).unwrap();
        transport.until = Some(Instant::now());
        let error = transport.send("r", Request::get("http://127.0.0.1:1/").body(()).unwrap()).unwrap_err();
        assert!(error.is_unreachable() && error.to_string().contains("takes too long"), "{error}");
    }
}
