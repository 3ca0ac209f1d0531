//! What sinks that speak HTTP have in common: connections, TLS, who they are, packing, and what an answer means.

mod answered;

pub(crate) use answered::{Words, all_shown, answered, shown};

use crate::cannot_read;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};
use tamis_config::{ClientAuth, ClientTls, HttpCompression, Text};
use tamis_nodes::sinks::DeliveryError;
use ureq::Agent;
use ureq::http::{HeaderMap, Request, StatusCode};
use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, TlsProvider};

/// Bytes of an answer that are read to see that it is complete, when what it says does not matter; the connection of a longer one is
/// not used again.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of an answer's headers.
const ANSWER_HEADERS_BYTES_MAX: usize = 64 * 1024;
/// The longest pause a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);
/// zstd's own default.
const ZSTD_LEVEL: i32 = 3;

/// Certificates of a PEM file, at least one.
pub(crate) fn certificates(path: &Text) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error: rustls::pki_types::pem::Error| cannot_read("the certificates", path, error);
    let all: Vec<_> = CertificateDer::pem_file_iter(path.as_str()).map_err(failed)?.collect::<Result<_, _>>().map_err(failed)?;
    if all.is_empty() { Err(cannot_read("the certificates", path, "there is no PEM certificate in it")) } else { Ok(all) }
}

/// How to connect.
pub(crate) struct Connections<'a> {
    pub(crate) tls: &'a ClientTls,
    pub(crate) timeout: Duration,
    pub(crate) concurrency: u32,
    /// What to look at when the server does not take a request.
    pub(crate) words: Words,
}

/// A client of web servers. Clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    agent: Agent,
    /// Value of `Authorization`.
    authorization: Option<String>,
    compression: HttpCompression,
    headers: BTreeMap<String, Text>,
    words: Words,
}

/// A request, but for its body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct To<'a> {
    pub(crate) method: &'a str,
    pub(crate) url: &'a str,
    pub(crate) content_type: &'a str,
}

impl Client {
    /// A client that shows `auth` and `headers` with each request, and packs bodies.
    ///
    /// # Errors
    /// Certificates that cannot be read.
    pub(crate) fn new(
        connections: &Connections<'_>,
        auth: &ClientAuth,
        headers: &BTreeMap<String, Text>,
        compression: HttpCompression,
    ) -> Result<Self, String> {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(connections.timeout))
            .max_idle_connections_per_host(connections.concurrency as usize)
            .max_response_header_size(ANSWER_HEADERS_BYTES_MAX)
            .user_agent(concat!("tamis/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls(connections.tls)?)
            .build();
        let authorization = match (&auth.token, &auth.user, &auth.password) {
            (Some(token), ..) => Some(format!("Bearer {}", token.as_str())),
            (_, Some(user), Some(password)) => {
                Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", user.as_str(), password.as_str()))))
            }
            _ => None,
        };
        Ok(Self { agent: agent.into(), authorization, compression, headers: headers.clone(), words: connections.words })
    }

    /// Asks for an address with this method, sends nothing along, and tells whether it was answered as it should be. `shown`: the address
    /// as people may see it.
    ///
    /// # Errors
    /// No connection, no answer in time, or another answer.
    pub(crate) fn is_answered(&self, method: &str, url: &str, shown: &str, sound: fn(u16) -> bool) -> Result<(), String> {
        let failed = |error: &dyn std::fmt::Display| format!("`{method} {shown}`: {error}");
        let mut request = Request::builder().uri(url).method(method);
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let request = request.body(()).map_err(|error| failed(&error))?;
        let status = self.agent.run(request).map_err(|error| failed(&error))?.status().as_u16();
        if sound(status) { Ok(()) } else { Err(failed(&answered("the server", status, self.words))) }
    }

    /// Sends a request and gives the answer with at most `body_max` bytes of its body, once all of it came.
    ///
    /// # Errors
    /// What may work later: no connection, no answer in time, an answer that broke off. And what cannot be sent at all.
    pub(crate) fn send(&self, to: To<'_>, body: Vec<u8>, body_max: u64) -> Result<Answer, DeliveryError> {
        let fault =
            |error: &dyn std::fmt::Display| DeliveryError::Permanent { reason: format!("cannot be sent: {error}"), divisible: false };
        let transient = |reason: String| DeliveryError::Transient { reason, after: None };
        let named = |name: &str| self.headers.keys().any(|header| header.eq_ignore_ascii_case(name));
        let mut request = Request::builder().uri(to.url).method(to.method);
        if !to.content_type.is_empty() && !named("content-type") {
            request = request.header("content-type", to.content_type);
        }
        let packed = pack(self.compression, body).map_err(|error| fault(&error))?;
        if let Some(encoding) = packed.encoding {
            request = request.header("content-encoding", encoding);
        }
        if let Some(authorization) = self.authorization.as_ref().filter(|_| !named("authorization")) {
            request = request.header("authorization", authorization);
        }
        for (name, value) in &self.headers {
            request = request.header(name.as_str(), value.as_str());
        }
        let request = request.body(packed.bytes).map_err(|error| fault(&error))?;
        let mut answer = self.agent.run(request).map_err(|error| transient(error.to_string()))?;
        let (status, after) = (answer.status(), retry_after(answer.headers(), SystemTime::now()));
        let mut body = Vec::new();
        // An answer that breaks off may be that of another party: only a whole one is believed.
        let mut reader = answer.body_mut().as_reader();
        let read = (&mut reader).take(body_max).read_to_end(&mut body);
        let rest = read.and_then(|_| io::copy(&mut reader.take(ANSWER_BYTES_MAX), &mut io::sink()));
        match rest {
            Ok(rest) => Ok(Answer { status, after, body, whole: rest == 0, words: self.words }),
            // What it says of a failure stands.
            Err(_) if !status.is_success() => Ok(Answer { status, after, body, whole: false, words: self.words }),
            Err(error) => Err(transient(format!("the answer {} broke off: {error}", status.as_u16()))),
        }
    }
}

/// What a server said.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    /// How long it wants us to wait.
    pub(crate) after: Option<Duration>,
    pub(crate) body: Vec<u8>,
    /// Whether all of its body is there.
    pub(crate) whole: bool,
    pub(crate) words: Words,
}

impl Answer {
    /// What the status says of the batch.
    pub(crate) fn verdict(&self) -> Result<(), DeliveryError> {
        verdict(self.status, self.after, self.words)
    }
}

/// Whether a status is that of a server that is well and lets one in, whatever it says of the method: not all know `HEAD`.
pub(crate) fn is_well(status: u16) -> bool {
    status < 500 && !matches!(status, 401 | 403 | 407 | 429)
}

fn verdict(status: StatusCode, after: Option<Duration>, words: Words) -> Result<(), DeliveryError> {
    let reason = answered("the server", status.as_u16(), words);
    match status.as_u16() {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(DeliveryError::Transient { reason, after }),
        // One record may be to blame, or their number.
        400 | 413 | 422 => Err(DeliveryError::Permanent { reason, divisible: true }),
        _ => Err(DeliveryError::Permanent { reason, divisible: false }),
    }
}

struct Packed {
    bytes: Vec<u8>,
    encoding: Option<&'static str>,
}

fn pack(compression: HttpCompression, body: Vec<u8>) -> io::Result<Packed> {
    Ok(match compression {
        HttpCompression::None => Packed { bytes: body, encoding: None },
        HttpCompression::Gzip => {
            let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 4), Compression::fast());
            encoder.write_all(&body)?;
            Packed { bytes: encoder.finish()?, encoding: Some("gzip") }
        }
        HttpCompression::Zstd => Packed { bytes: zstd::encode_all(body.as_slice(), ZSTD_LEVEL)?, encoding: Some("zstd") },
    })
}

fn tls(config: &ClientTls) -> Result<TlsConfig, String> {
    let mut builder = TlsConfig::builder().provider(TlsProvider::Rustls);
    if let Some(path) = &config.ca {
        let roots: Vec<Certificate<'static>> = certificates(path)?.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        builder = builder.root_certs(RootCerts::new_with_certs(&roots));
    }
    if let (Some(chain), Some(key)) = (&config.certificate, &config.key) {
        let chain: Vec<_> = certificates(chain)?.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
        let text = std::fs::read(key.as_str()).map_err(|error| cannot_read("the private key", key, error))?;
        let found = ureq::tls::parse_pem(&text).find_map(|item| match item {
            Ok(PemItem::PrivateKey(key)) => Some(key),
            _ => None,
        });
        let key: PrivateKey<'static> = found.ok_or_else(|| cannot_read("the private key", key, "there is no PEM key in it"))?;
        builder = builder.client_cert(Some(ClientCert::new_with_certs(&chain, key)));
    }
    Ok(builder.build())
}

/// `Retry-After`: seconds, or a date (RFC 9110, 10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get("retry-after")?.to_str().ok()?.trim();
    let pause = match value.parse() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default(),
    };
    Some(pause.min(RETRY_AFTER_MAX))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use ureq::http::HeaderValue;

    const WORDS: Words = Words { credentials: "`auth`", refused: "no" };

    #[test]
    fn what_statuses_mean() {
        let told = |status: u16| match verdict(StatusCode::from_u16(status).unwrap(), None, WORDS) {
            Ok(()) => "delivered",
            Err(DeliveryError::Transient { .. }) => "again",
            Err(DeliveryError::Permanent { divisible: true, .. }) => "halve",
            Err(DeliveryError::Permanent { divisible: false, .. }) => "refused",
            Err(DeliveryError::Partly { .. } | DeliveryError::Unnamed { .. }) => "partly",
        };
        for (statuses, meaning) in [
            (&[200, 201, 204][..], "delivered"),
            (&[408, 425, 429, 500, 502, 503, 504], "again"),
            (&[400, 413, 422], "halve"),
            (&[301, 401, 403, 404, 405, 415], "refused"),
        ] {
            statuses.iter().for_each(|status| assert_eq!(told(*status), meaning, "{status}"));
        }
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_767);
        for (value, expected) in [
            ("7", Some(7)),
            (" 0 ", Some(0)),
            ("99999999", Some(3600)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(10)),
            ("Sun, 06 Nov 1994 08:00:00 GMT", Some(0)),
            ("soon", None),
            ("-1", None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("retry-after", HeaderValue::from_str(value).unwrap());
            assert_eq!(retry_after(&headers, now), expected.map(Duration::from_secs), "{value}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
