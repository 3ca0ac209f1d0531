//! What a request asks for, by its method and path.

use hyper::Method;
use tamis_config::SetupRequests;

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// To take a body of actions and documents; the index is that of actions that name none.
    Bulk(Option<String>),
    /// To take one document; `add`: only where none has its identifier.
    Document {
        index: String,
        id: Option<String>,
        add: bool,
    },
    /// Who we are.
    Info,
    License,
    Features,
    Health,
    /// To make something durable or visible that is so already.
    Refresh,
    /// To set something up: a template, a policy, a pipeline, an index.
    Accepted,
    SetupRefused,
    /// Whether something is there that nobody keeps here.
    NotFound,
    /// Nothing that is done here.
    Unknown,
}

/// Where clients set up what their documents need.
const SETUP: [&str; 12] = [
    "_template",
    "_index_template",
    "_component_template",
    "_ilm",
    "_ingest",
    "_data_stream",
    "_alias",
    "_aliases",
    "_lifecycle",
    "_plugins",
    "_security",
    "_scripts",
];

/// Finds out.
pub(crate) fn route(method: &Method, path: &str, setup: SetupRequests) -> Route {
    let segments: Option<Vec<String>> = path.split('/').filter(|part| !part.is_empty()).map(decoded).collect();
    let Some(segments) = segments else { return Route::Unknown };
    let parts: Vec<&str> = segments.iter().map(String::as_str).collect();
    let (reads, writes) = (matches!(*method, Method::GET | Method::HEAD), matches!(*method, Method::PUT | Method::POST));
    let accepted = match setup {
        SetupRequests::Accept => Route::Accepted,
        SetupRequests::Refuse => Route::SetupRefused,
    };
    let index = |name: &str| (!name.starts_with('_')).then(|| name.to_owned());
    match *parts.as_slice() {
        [] if reads => Route::Info,
        ["_bulk"] if writes => Route::Bulk(None),
        // The types of older clients.
        [name, "_bulk"] | [name, _, "_bulk"] if writes => index(name).map_or(Route::Unknown, |name| Route::Bulk(Some(name))),
        ["_license"] if reads => Route::License,
        ["_xpack"] if reads => Route::Features,
        ["_cluster", "health", ..] if reads => Route::Health,
        ["_refresh" | "_flush"] | [_, "_refresh" | "_flush"] if writes || reads => Route::Refresh,
        [first, ..] if SETUP.contains(&first) && reads => Route::NotFound,
        [first, ..] if SETUP.contains(&first) && writes => accepted,
        [first, ..] if SETUP.contains(&first) => Route::SetupRefused,
        [name, "_doc"] if *method == Method::POST => document(index(name), None, false),
        [name, "_doc", id] if writes => document(index(name), Some(id), false),
        [name, "_create", id] if writes => document(index(name), Some(id), true),
        [name] | [name, "_mapping" | "_settings" | "_alias", ..] | [name, "_doc", _] if !name.starts_with('_') && reads => Route::NotFound,
        [name] | [name, "_mapping" | "_settings" | "_alias", ..] if !name.starts_with('_') && writes => accepted,
        _ => Route::Unknown,
    }
}

fn document(index: Option<String>, id: Option<&str>, add: bool) -> Route {
    index.map_or(Route::Unknown, |index| Route::Document { index, id: id.map(str::to_owned), add })
}

/// A part of a path without its `%XX`. `None`: it is no UTF-8.
fn decoded(part: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(part.len());
    let mut rest = part.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let hex = |at: usize| after.get(at).and_then(|digit| char::from(*digit).to_digit(16));
        match (*first, hex(0), hex(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = after.get(2..).unwrap_or_default();
            }
            (other, ..) => {
                bytes.push(other);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_ask_for() {
        let document = |id: Option<&str>, add| Route::Document { index: "a".into(), id: id.map(Into::into), add };
        for (asked, expected) in [
            ("GET /", Route::Info),
            ("HEAD /", Route::Info),
            ("POST /_bulk", Route::Bulk(None)),
            ("PUT /logs-%C3%A9/_bulk/", Route::Bulk(Some("logs-é".into()))),
            ("POST /a/_doc/_bulk", Route::Bulk(Some("a".into()))),
            ("POST /_all/_bulk", Route::Unknown),
            ("GET /_bulk", Route::Unknown),
            ("POST /a/_doc", document(None, false)),
            ("PUT /a/_doc/x%2Fy", document(Some("x/y"), false)),
            ("PUT /a/_create/x", document(Some("x"), true)),
            ("GET /_license", Route::License),
            ("GET /_xpack", Route::Features),
            ("GET /_cluster/health/a", Route::Health),
            ("POST /a/_refresh", Route::Refresh),
            ("HEAD /_index_template/filebeat-8.19.0", Route::NotFound),
            ("PUT /_index_template/filebeat-8.19.0", Route::Accepted),
            ("PUT /_ilm/policy/filebeat", Route::Accepted),
            ("PUT /_ingest/pipeline/x", Route::Accepted),
            ("DELETE /_ingest/pipeline/x", Route::SetupRefused),
            ("PUT /a", Route::Accepted),
            ("HEAD /a", Route::NotFound),
            ("GET /a/_doc/1", Route::NotFound),
            ("DELETE /a", Route::Unknown),
            ("DELETE /a/_doc/1", Route::Unknown),
            ("POST /a/_search", Route::Unknown),
            ("POST /a/_update/1", Route::Unknown),
            ("GET /%ff", Route::Unknown),
        ] {
            let (method, path) = asked.split_once(' ').unwrap();
            let method: Method = method.parse().unwrap();
            assert_eq!(route(&method, path, SetupRequests::Accept), expected, "{asked}");
            let refused = if expected == Route::Accepted { Route::SetupRefused } else { expected };
            assert_eq!(route(&method, path, SetupRequests::Refuse), refused, "{asked}");
        }
    }
}
