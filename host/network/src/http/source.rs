//! Takes records from requests.

use crate::Bound;
use crate::server::auth::Guard;
use crate::server::body::{BadBody, receive_from};
use crate::server::http::{error, json, serve_each, status_of};
use crate::server::{Context, Listening};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, WWW_AUTHENTICATE};
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use std::sync::Arc;
use tamis_codecs::{Decoder, Frame, Lines, LinesOptions};
use tamis_config::{Codec, HttpSource};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};
use tamis_record::Records;

/// What all requests are served with.
struct Shared {
    guard: Guard,
    config: HttpSource,
    lines: LinesOptions,
    stream: Arc<str>,
}

pub(crate) fn run(config: &HttpSource, bound: Option<Bound>, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let listening = Listening { address: &config.listen, tls: config.tls.as_ref(), limits: &config.limits };
    let lines = options.lines(config.max_record);
    let shared = Arc::new(Shared { guard: Guard::new(&config.auth), config: config.clone(), lines, stream: "http".into() });
    crate::server::run(&listening, bound, options, outlet, move |stream, context| {
        let shared = Arc::clone(&shared);
        serve_each(stream, context, move |request, context| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request, &context).await }
        })
    })
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>, context: &Context) -> Response<Full<Bytes>> {
        match self.take(request, context).await {
            Ok(records) => json(StatusCode::OK, format!("{{\"records\":{records}}}")),
            Err(BadBody { status, reason }) => {
                let mut answer = error(status, &reason);
                match status {
                    StatusCode::METHOD_NOT_ALLOWED => answer.headers_mut().insert(ALLOW, HeaderValue::from_static("POST, PUT")),
                    StatusCode::UNAUTHORIZED => answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")),
                    _ => None,
                };
                answer
            }
        }
    }

    async fn take(&self, request: Request<Incoming>, context: &Context) -> Result<usize, BadBody> {
        let (head, body) = request.into_parts();
        if self.config.path.as_ref().is_some_and(|path| path.as_str() != head.uri.path()) {
            return Err(BadBody::new(StatusCode::NOT_FOUND, "no records are taken at this path"));
        }
        if head.method != Method::POST && head.method != Method::PUT {
            return Err(BadBody::new(StatusCode::METHOD_NOT_ALLOWED, "records are taken with POST or PUT"));
        }
        let mut received = receive_from(&self.guard, &head.headers, body, context).await?;
        received.unpack(&head.headers, context)?;
        let frames = self.frames(&head.headers, std::mem::take(&mut received.bytes))?;
        let mut waiting = Vec::with_capacity(frames.len());
        let mut records = 0;
        let refused = |refused: crate::door::Refused| {
            context.door.count("busy", 1);
            BadBody::new(status_of(refused), refused.to_string())
        };
        for frame in frames.into_iter().filter(|frame| frame.count() > 0) {
            records += frame.count();
            let handed = match waiting.first() {
                None => context.door.begin(&self.stream, frame).await,
                Some(first) => context.door.go_on(first, &self.stream, frame).await,
            };
            waiting.push(handed.map_err(refused)?);
        }
        for waiting in waiting {
            waiting.done().await.map_err(refused)?;
        }
        Ok(records)
    }

    /// The records of a body.
    fn frames(&self, headers: &HeaderMap, bytes: Vec<u8>) -> Result<Vec<Frame>, BadBody> {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if self.config.codec == Codec::Json && kind.eq_ignore_ascii_case("application/json") {
            return json_frames(&bytes, &self.lines);
        }
        let (mut lines, mut decoder) = (Lines::new(self.lines, 0), Decoder::new(&self.config.codec));
        let (mut input, mut frames) = (bytes.as_slice(), Vec::new());
        let broken = |_| BadBody::new(StatusCode::BAD_REQUEST, "the body cannot be read");
        while let Some(frame) = lines.read(&mut input, Vec::new()).map_err(broken)? {
            frames.push(decoder.decode(frame));
        }
        frames.extend(lines.finish().map(|frame| decoder.decode(frame)));
        Ok(frames)
    }
}

/// A JSON value, or an array of them, as frames.
fn json_frames(bytes: &[u8], options: &LinesOptions) -> Result<Vec<Frame>, BadBody> {
    let bad = |error: serde_json::Error| {
        BadBody::new(StatusCode::BAD_REQUEST, format!("the body is not JSON: line {}, column {}", error.line(), error.column()))
    };
    let values: Vec<&serde_json::value::RawValue> = match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
        Some(b'[') => serde_json::from_slice(bytes).map_err(bad)?,
        _ => vec![serde_json::from_slice(bytes).map_err(bad)?],
    };
    let (mut frames, mut frame) = (Vec::new(), Frame::default());
    for value in values {
        let value = value.get();
        if frame.records.rows.len() >= options.records_max || frame.records.text.len() + value.len() > options.frame_bytes {
            frames.push(std::mem::take(&mut frame));
        }
        if value.len() > options.record_bytes_max {
            let reason = format!("the record has {} bytes, at most {} are allowed", value.len(), options.record_bytes_max);
            let kept = value.as_bytes().get(..65_536).unwrap_or(value.as_bytes()).to_vec();
            frame.rejected.push(tamis_codecs::Rejected { bytes: kept, offset: 0, reason });
            continue;
        }
        let Records { text, rows } = &mut frame.records;
        let from = text.len() as u32;
        // Line feeds stand between the parts of a value only: within texts they are escaped.
        text.extend(value.bytes().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }));
        rows.push((from, text.len() as u32));
        text.push(b'\n');
    }
    frames.push(frame);
    Ok(frames)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn records(body: &str) -> Result<Vec<String>, String> {
        let options = LinesOptions { record_bytes_max: 40, records_max: 2, frame_bytes: 1_000 };
        let frames = json_frames(body.as_bytes(), &options).map_err(|bad| bad.reason)?;
        let text = |frame: &Frame, row| String::from_utf8(frame.records.get(row).to_vec()).unwrap();
        let of = |frame: &Frame| {
            let rejected = frame.rejected.iter().map(|rejected| format!("rejected: {}", rejected.reason));
            (0..frame.records.rows.len()).map(|row| text(frame, row)).chain(rejected).collect::<Vec<_>>()
        };
        Ok(frames.iter().flat_map(of).collect())
    }

    #[test]
    fn a_value_or_an_array_of_values() {
        assert_eq!(records("{\n \"a\": 1\r\n}").unwrap(), ["{  \"a\": 1  }"]);
        assert_eq!(records(" [{\"a\":1}, {\"a\":\"x\\ny\"},3]").unwrap(), ["{\"a\":1}", "{\"a\":\"x\\ny\"}", "3"]);
        assert_eq!(records("[]").unwrap(), Vec::<String>::new());
        assert_eq!(records("{\"a\":1} {\"a\":2}").unwrap_err(), "the body is not JSON: line 1, column 9");
        assert_eq!(records("").unwrap_err(), "the body is not JSON: line 1, column 0");
        let long = format!("[\"{}\"]", "x".repeat(60));
        assert_eq!(records(&long).unwrap(), ["rejected: the record has 62 bytes, at most 40 are allowed"]);
    }
}
