//! A web server that records are sent to, a batch a request.

use super::{Delivery, DeliveryError};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::{self, Read, Write};
use std::time::{Duration, SystemTime};
use tamis_config::{HttpCompression, HttpFormat, HttpMethod, HttpSink as HttpConfig};
use ureq::Agent;
use ureq::http::{HeaderMap, Request, StatusCode};

/// Bytes of an answer that are read to see that it is complete; the connection of a longer one is not used again.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of an answer's headers.
const ANSWER_HEADERS_BYTES_MAX: usize = 64 * 1024;
/// The longest pause a server may ask for.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Sends batches to a web server. Cloning it shares its connections.
#[derive(Debug, Clone)]
pub struct HttpSink {
    agent: Agent,
    config: HttpConfig,
}

impl HttpSink {
    /// A sink with the connections it needs. Nothing is sent yet.
    pub fn new(config: &HttpConfig) -> Self {
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_global(Some(config.timeout))
            .max_idle_connections_per_host(config.concurrency as usize)
            .max_response_header_size(ANSWER_HEADERS_BYTES_MAX)
            .user_agent(concat!("tamis/", env!("CARGO_PKG_VERSION")))
            .build();
        Self { agent: agent.into(), config: config.clone() }
    }

    fn body(&self, lines: &[u8]) -> io::Result<Vec<u8>> {
        let lines = match self.config.format {
            HttpFormat::Ndjson => std::borrow::Cow::Borrowed(lines),
            HttpFormat::Json => {
                let mut array = Vec::with_capacity(lines.len() + 2);
                array.push(b'[');
                // Records hold no line feed: each is one line.
                array.extend(lines.strip_suffix(b"\n").unwrap_or(lines).iter().map(|b| if *b == b'\n' { b',' } else { *b }));
                array.push(b']');
                array.into()
            }
        };
        match self.config.compression {
            HttpCompression::None => Ok(lines.into_owned()),
            HttpCompression::Gzip => {
                let mut encoder = GzEncoder::new(Vec::with_capacity(lines.len() / 4), Compression::fast());
                encoder.write_all(&lines)?;
                encoder.finish()
            }
        }
    }
}

impl Delivery for HttpSink {
    fn deliver(&self, lines: &[u8]) -> Result<(), DeliveryError> {
        let config = &self.config;
        let fault =
            |error: &dyn std::fmt::Display| DeliveryError::Permanent { reason: format!("cannot be sent: {error}"), divisible: false };
        let body = self.body(lines).map_err(|error| fault(&error))?;
        let mut request = Request::builder().uri(&*config.url).method(match config.method {
            HttpMethod::Post => "POST",
            HttpMethod::Put => "PUT",
        });
        let named = |name: &str| config.headers.keys().any(|header| header.eq_ignore_ascii_case(name));
        if !named("content-type") {
            let format = match config.format {
                HttpFormat::Ndjson => "application/x-ndjson",
                HttpFormat::Json => "application/json",
            };
            request = request.header("content-type", format);
        }
        if config.compression == HttpCompression::Gzip {
            request = request.header("content-encoding", "gzip");
        }
        for (name, value) in &config.headers {
            request = request.header(name.as_str(), &**value);
        }
        let request = request.body(body).map_err(|error| fault(&error))?;
        let transient = |reason: String| DeliveryError::Transient { reason, after: None };
        let mut answer = self.agent.run(request).map_err(|error| transient(error.to_string()))?;
        let (status, after) = (answer.status(), retry_after(answer.headers(), SystemTime::now()));
        // An answer that breaks off may be that of another party: only a whole one is believed.
        let read = io::copy(&mut answer.body_mut().as_reader().take(ANSWER_BYTES_MAX), &mut io::sink());
        verdict(status, after)?;
        read.map(drop).map_err(|error| transient(format!("the answer {} broke off: {error}", status.as_u16())))
    }
}

/// What a status says of the batch.
fn verdict(status: StatusCode, after: Option<Duration>) -> Result<(), DeliveryError> {
    let reason = format!("the server answered {}", status.as_u16());
    match status.as_u16() {
        200..=299 => Ok(()),
        408 | 425 | 429 | 500..=599 => Err(DeliveryError::Transient { reason, after }),
        // One record may be to blame, or their number.
        400 | 413 | 422 => Err(DeliveryError::Permanent { reason, divisible: true }),
        _ => Err(DeliveryError::Permanent { reason, divisible: false }),
    }
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

    #[test]
    fn what_statuses_mean() {
        let told = |status: u16| match verdict(StatusCode::from_u16(status).unwrap(), None) {
            Ok(()) => "delivered",
            Err(DeliveryError::Transient { .. }) => "again",
            Err(DeliveryError::Permanent { divisible: true, .. }) => "halve",
            Err(DeliveryError::Permanent { divisible: false, .. }) => "refused",
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
