//! Blobs on their way up: in one request, or in pieces when they are large.

use std::io::{self, Read};

use tamis_config::Repository;
use ureq::SendBody;
use ureq::http::{HeaderMap, Request, StatusCode, header};

use crate::client::{Client, Progress, authorized, location};
use crate::transport::{self, refusal};
use crate::{Error, digest_of};

/// A blob with more bytes goes up in pieces of so many (more, where the registry asks for it).
pub(crate) const CHUNK_BYTES: usize = 16 << 20;
/// The largest piece that a registry may ask for.
const CHUNK_BYTES_MAX: usize = 256 << 20;

/// Puts a blob into a repository. Gives whether it was there already.
pub(crate) fn blob(client: &Client, repository: &Repository, bytes: &[u8], progress: Progress<'_>) -> Result<bool, Error> {
    let registry = repository.registry();
    let origin = client.transport.origin(registry);
    let digest = digest_of(bytes);
    let what = format!("blob {digest} of {repository}");
    let total = bytes.len() as u64;
    let base = format!("{origin}/v2/{}/blobs", repository.name());

    let head = |authorization: Option<&str>| {
        client.finish(registry, authorized(Request::head(format!("{base}/{digest}")), authorization), SendBody::none())
    };
    if client.authorized(repository, "pull,push", head)?.status() == StatusCode::OK {
        progress(total, total);
        return Ok(true);
    }
    let start = |authorization: Option<&str>| {
        let request = Request::post(format!("{base}/uploads/")).header(header::CONTENT_LENGTH, "0");
        client.finish(registry, authorized(request, authorization), SendBody::from_reader(&mut io::empty()))
    };
    let started = client.authorized(repository, "pull,push", start)?;
    if started.status() != StatusCode::ACCEPTED {
        return Err(refusal(registry, &what, started));
    }
    let mut place = location(registry, &origin, started.headers())?;
    let chunk = chunk_bytes(started.headers());
    let mut rest = bytes;
    let mut done = 0_usize;
    // The last piece closes the upload.
    while rest.len() > chunk {
        let (piece, after) = rest.split_at(chunk);
        let range = format!("{done}-{}", done + piece.len() - 1);
        let answer = send(client, repository, "PATCH", &place, piece, Some(&range), &mut |sent| progress(done as u64 + sent, total))?;
        if answer.status() != StatusCode::ACCEPTED {
            return Err(refusal(registry, &what, answer));
        }
        place = location(registry, &origin, answer.headers())?;
        done += piece.len();
        rest = after;
    }
    let separator = if place.contains('?') { '&' } else { '?' };
    let close = format!("{place}{separator}digest={digest}");
    let range = (done > 0 && !rest.is_empty()).then(|| format!("{done}-{}", done + rest.len() - 1));
    let answer = send(client, repository, "PUT", &close, rest, range.as_deref(), &mut |sent| progress(done as u64 + sent, total))?;
    if answer.status() != StatusCode::CREATED {
        return Err(refusal(registry, &what, answer));
    }
    Ok(false)
}

fn chunk_bytes(headers: &HeaderMap) -> usize {
    let asked = transport::header(headers, "oci-chunk-min-length").and_then(|length| length.trim().parse().ok()).unwrap_or(0_usize);
    CHUNK_BYTES.max(asked.min(CHUNK_BYTES_MAX))
}

fn send(
    client: &Client,
    repository: &Repository,
    method: &str,
    url: &str,
    bytes: &[u8],
    range: Option<&str>,
    step: &mut dyn FnMut(u64),
) -> Result<ureq::http::Response<ureq::Body>, Error> {
    let registry = repository.registry();
    let uri = client.transport.check(registry, url)?;
    let step = std::cell::RefCell::new(step);
    let request = |authorization: Option<&str>| {
        let mut request = Request::builder()
            .method(method)
            .uri(uri.clone())
            .header(header::CONTENT_TYPE, "application/octet-stream")
            .header(header::CONTENT_LENGTH, bytes.len());
        if let Some(range) = range {
            request = request.header(header::CONTENT_RANGE, range);
        }
        let mut step = step.borrow_mut();
        let mut counted = Counted { rest: bytes, sent: 0, step: &mut **step };
        client.finish(registry, authorized(request, authorization), SendBody::from_reader(&mut counted))
    };
    // An upload may go to another host, which then proves by the address itself that we may.
    if client.is_own(registry, &uri) { client.authorized(repository, "pull,push", request) } else { request(None) }
}

/// Bytes that tell how far they were read.
struct Counted<'b, 's> {
    rest: &'b [u8],
    sent: u64,
    step: &'s mut dyn FnMut(u64),
}

impl Read for Counted<'_, '_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.rest.read(into)?;
        self.sent += read as u64;
        (self.step)(self.sent);
        Ok(read)
    }
}
