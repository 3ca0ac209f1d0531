//! Takes log records by gRPC and by HTTP.

use super::request::{self, Failure, Outcome};
use super::{EXPORT, LOGS, grpc, status};
use crate::Bound;
use crate::server::auth::Guard;
use crate::server::body::{BadBody, receive_from};
use crate::server::http::{serve_each, status_of};
use crate::server::{Context, Listening};
use http_body_util::combinators::WithTrailers;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ALLOW, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use opentelemetry_proto::tonic::collector::logs::v1::{ExportLogsPartialSuccess, ExportLogsServiceResponse};
use prost::Message;
use std::convert::Infallible;
use std::future::{Ready, ready};
use std::sync::Arc;
use std::time::Duration;
use tamis_codecs::LinesOptions;
use tamis_config::{OtlpSource, Text};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};
use tonic::Code;

/// How long a client that is told to come again waits.
pub(super) const AGAIN: Duration = Duration::from_secs(1);

/// A body, and trailers where it is gRPC's.
type Body = WithTrailers<Full<Bytes>, Ready<Option<Result<HeaderMap, Infallible>>>>;
pub(super) type Answer = Response<Body>;

/// What all requests are served with.
pub(super) struct Shared {
    guard: Guard,
    pub(super) config: OtlpSource,
    pub(super) lines: LinesOptions,
    pub(super) stream: Arc<str>,
    /// By the number of the address.
    protocols: Vec<Protocol>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protocol {
    Grpc,
    Http,
}

pub(crate) fn run(config: &OtlpSource, bound: Option<Bound>, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let (grpc, http) = config.addresses();
    let all = [(grpc, Protocol::Grpc), (http, Protocol::Http)];
    let (addresses, protocols): (Vec<Text>, Vec<Protocol>) =
        all.into_iter().filter_map(|(address, protocol)| address.map(|address| (address.value, protocol))).unzip();
    let addresses: Vec<&Text> = addresses.iter().collect();
    let Some(first) = addresses.first() else { return Ok(()) };
    let listening = Listening { address: first, tls: config.tls.as_ref(), limits: &config.limits };
    let guard = Guard::new(&config.auth);
    let shared =
        Arc::new(Shared { guard, config: config.clone(), lines: options.lines(config.max_record), stream: "otlp".into(), protocols });
    crate::server::run_at(&addresses, &listening, bound, options, outlet, move |stream, context| {
        let shared = Arc::clone(&shared);
        serve_each(stream, context, move |request, context| {
            let shared = Arc::clone(&shared);
            async move { shared.answer(request, &context).await }
        })
    })
}

/// How a request's message is written.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Protobuf,
    Json,
}

impl Shared {
    async fn answer(&self, request: Request<Incoming>, context: &Context) -> Answer {
        let (head, body) = request.into_parts();
        if self.protocols.get(context.address) == Some(&Protocol::Grpc) {
            return match self.take_grpc(&head, body, context).await {
                Ok(answer) => answer,
                Err(status) => grpc::refused(&status),
            };
        }
        // An answer is written as the request was, as far as that is known.
        let form = form(&head.headers);
        match self.take_http(&head, form, body, context).await {
            Ok(outcome) => accepted(form.unwrap_or(Form::Json), &outcome),
            Err(bad) => refused(form.unwrap_or(Form::Json), &bad),
        }
    }

    async fn take_http(&self, head: &Parts, form: Option<Form>, body: Incoming, context: &Context) -> Result<Outcome, BadBody> {
        if head.uri.path() != LOGS {
            return Err(BadBody::new(StatusCode::NOT_FOUND, "only log records are taken here, at /v1/logs; no traces, no metrics"));
        }
        if head.method != Method::POST {
            return Err(BadBody::new(StatusCode::METHOD_NOT_ALLOWED, "log records are taken with POST"));
        }
        let Some(form) = form else {
            let reason = "the body must be application/x-protobuf or application/json";
            return Err(BadBody::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
        };
        let mut received = receive_from(&self.guard, &head.headers, body, context).await?;
        received.unpack(&head.headers, context)?;
        let outcome = match form {
            Form::Protobuf => request::protobuf(std::mem::take(&mut received.bytes).into(), self, context).await,
            Form::Json => request::json(&received.bytes, self, context).await,
        };
        outcome.map_err(|failure| bad(failure, context))
    }

    async fn take_grpc(&self, head: &Parts, body: Incoming, context: &Context) -> Result<Answer, tonic::Status> {
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if head.method != Method::POST || !kind.starts_with(grpc::KIND) {
            let reason = "this address speaks gRPC alone; OTLP over HTTP has another port";
            let mut answer = refused(Form::Json, &BadBody::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, reason));
            answer.headers_mut().insert("accept", HeaderValue::from_static(grpc::KIND));
            return Ok(answer);
        }
        if head.uri.path() != EXPORT {
            let reason = "only log records are taken here (LogsService/Export); no traces, no metrics";
            return Err(status::status(Code::Unimplemented, reason, None));
        }
        let received = receive_from(&self.guard, &head.headers, body, context).await;
        let mut received = received.map_err(|bad| grpc::from_http(bad.status, &bad.reason))?;
        let message = grpc::message(&head.headers, &mut received, context)?;
        let taken = request::protobuf(message, self, context).await;
        let outcome = taken.map_err(|failure| bad(failure, context)).map_err(|bad| grpc::from_http(bad.status, &bad.reason))?;
        Ok(grpc::taken(&response(&outcome)))
    }
}

fn form(headers: &HeaderMap) -> Option<Form> {
    let kind = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    match kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase().as_str() {
        "application/x-protobuf" | "application/protobuf" => Some(Form::Protobuf),
        "application/json" => Some(Form::Json),
        _ => None,
    }
}

fn bad(failure: Failure, context: &Context) -> BadBody {
    match failure {
        Failure::Malformed(reason) => {
            context.door.count("malformed", 1);
            BadBody::new(StatusCode::BAD_REQUEST, reason)
        }
        Failure::Refused(refused) => {
            context.door.count("busy", 1);
            BadBody::new(status_of(refused), refused.to_string())
        }
    }
}

fn response(outcome: &Outcome) -> ExportLogsServiceResponse {
    let partial = || ExportLogsPartialSuccess { rejected_log_records: outcome.rejected, error_message: outcome.reason.clone() };
    ExportLogsServiceResponse { partial_success: (outcome.rejected > 0).then(partial) }
}

fn accepted(form: Form, outcome: &Outcome) -> Answer {
    let partial =
        |count: i64| serde_json::json!({ "partialSuccess": { "rejectedLogRecords": count.to_string(), "errorMessage": outcome.reason } });
    let body = match (form, outcome.rejected) {
        (Form::Protobuf, _) => response(outcome).encode_to_vec(),
        (Form::Json, 0) => b"{}".to_vec(),
        (Form::Json, count) => partial(count).to_string().into_bytes(),
    };
    with(StatusCode::OK, form, body)
}

fn refused(form: Form, bad: &BadBody) -> Answer {
    let code = grpc::from_http(bad.status, "").code();
    let body = match form {
        Form::Protobuf => status::message(code, &bad.reason),
        Form::Json => serde_json::json!({ "code": code as i32, "message": bad.reason }).to_string().into_bytes(),
    };
    let mut answer = with(bad.status, form, body);
    let header = match bad.status {
        StatusCode::METHOD_NOT_ALLOWED => Some((ALLOW, HeaderValue::from_static("POST"))),
        StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Some((RETRY_AFTER, HeaderValue::from(AGAIN.as_secs()))),
        _ => None,
    };
    if let Some((name, value)) = header {
        answer.headers_mut().insert(name, value);
    }
    answer
}

fn with(status: StatusCode, form: Form, body: Vec<u8>) -> Answer {
    let kind = match form {
        Form::Protobuf => "application/x-protobuf",
        Form::Json => "application/json",
    };
    let mut answer = Response::new(Full::new(Bytes::from(body)).with_trailers(ready(None)));
    *answer.status_mut() = status;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}
