//! The body of a `_bulk` request.
//!
//! Source of the format: <https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk>.

use super::answers::Refusal;
use crate::document::Document;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use tamis_config::ElasticsearchSource;

/// Items that a request may have.
pub(crate) const ITEMS_MAX: usize = 100_000;
/// Bytes of an identifier, as these stores bound them.
pub(crate) const ID_BYTES_MAX: usize = 512;

/// What is to be done with a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Index,
    Create,
    Update,
    Delete,
}

impl Action {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Create => "create",
            Self::Update => "update",
            Self::Delete => "delete",
        }
    }
}

/// One of a request's items.
#[derive(Debug)]
pub(crate) struct Item<'a> {
    pub(crate) action: Action,
    pub(crate) index: String,
    /// As the client gave it.
    pub(crate) id: Option<String>,
    pub(crate) document: &'a [u8],
    /// Why it is not taken.
    pub(crate) refused: Option<Refusal>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ActionLine<'a> {
    #[serde(borrow)]
    Index(Metadata<'a>),
    #[serde(borrow)]
    Create(Metadata<'a>),
    #[serde(borrow)]
    Update(Metadata<'a>),
    #[serde(borrow)]
    Delete(Metadata<'a>),
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(default, rename = "_index")]
    index: Option<String>,
    /// A text or a number.
    #[serde(default, borrow, rename = "_id")]
    id: Option<&'a RawValue>,
    #[serde(default)]
    op_type: Option<String>,
    /// These ask for a comparison with what is stored, which nobody makes here.
    #[serde(default)]
    version: Option<IgnoredAny>,
    #[serde(default)]
    if_seq_no: Option<IgnoredAny>,
    #[serde(default)]
    if_primary_term: Option<IgnoredAny>,
}

/// Reads the items of a body. `index`: the one that the path names.
///
/// # Errors
/// What makes the whole request none.
pub(crate) fn items<'a>(body: &'a [u8], index: Option<&str>, config: &ElasticsearchSource) -> Result<Vec<Item<'a>>, Refusal> {
    let Some(text) = body.strip_suffix(b"\n") else {
        let reason = if body.is_empty() { "request body is required" } else { "The bulk request must be terminated by a newline [\\n]" };
        return Err(Refusal::invalid(reason));
    };
    let mut lines = text.split(|b| *b == b'\n').enumerate();
    let mut items = Vec::new();
    while let Some((at, line)) = lines.next() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        if items.len() == ITEMS_MAX {
            return Err(Refusal { status: 413, kind: "illegal_argument_exception", reason: format!("more than {ITEMS_MAX} items") });
        }
        let malformed = || {
            Refusal::invalid(format!(
                "Malformed action/metadata line [{}], expected an object with one of index, create, update, delete",
                at + 1
            ))
        };
        let (mut action, metadata) = match serde_json::from_slice(line).map_err(|_| malformed())? {
            ActionLine::Index(metadata) => (Action::Index, metadata),
            ActionLine::Create(metadata) => (Action::Create, metadata),
            ActionLine::Update(metadata) => (Action::Update, metadata),
            ActionLine::Delete(metadata) => (Action::Delete, metadata),
        };
        if action == Action::Index && metadata.op_type.as_deref() == Some("create") {
            action = Action::Create;
        }
        let document = match action {
            Action::Delete => &b""[..],
            _ => match lines.next() {
                Some((_, line)) => line.strip_suffix(b"\r").unwrap_or(line),
                None => return Err(Refusal::validation("no requests added", "a document is missing behind the last action")),
            },
        };
        let index = metadata.index.as_deref().or(index).unwrap_or_default().to_owned();
        if index.is_empty() {
            return Err(Refusal::validation("index is missing", "name it in the path or in the action"));
        }
        let id = metadata.id.and_then(|id| match id.get() {
            "null" => None,
            text => serde_json::from_str::<String>(text).ok().or_else(|| Some(text.to_owned())),
        });
        let compares = metadata.version.is_some() || metadata.if_seq_no.is_some() || metadata.if_primary_term.is_some();
        let refused = refusal(action, &index, id.as_deref(), compares, document, config);
        items.push(Item { action, index, id, document, refused });
    }
    if items.is_empty() {
        return Err(Refusal::validation("no requests added", "the body holds no action"));
    }
    Ok(items)
}

/// Why an item is not taken.
pub(crate) fn refusal(
    action: Action,
    index: &str,
    id: Option<&str>,
    compares: bool,
    document: &[u8],
    config: &ElasticsearchSource,
) -> Option<Refusal> {
    let invalid = |reason: String| Some(Refusal::invalid(reason));
    match action {
        Action::Update | Action::Delete => return invalid(format!("{}s are not taken: records are only added here", action.name())),
        Action::Index | Action::Create => {}
    }
    if compares {
        return invalid("version, if_seq_no and if_primary_term are not taken: what is stored is not known here".to_owned());
    }
    if index.len() > 255 {
        return Some(Refusal {
            status: 400,
            kind: "invalid_index_name_exception",
            reason: "the index name is longer than 255 bytes".to_owned(),
        });
    }
    if id.is_some_and(|id| id.is_empty() || id.len() > ID_BYTES_MAX) {
        return invalid(format!("the id has no or more than {ID_BYTES_MAX} bytes"));
    }
    if document.len() as u64 > config.max_record.0 {
        let reason = format!("the document has {} bytes, at most {} are taken", document.len(), config.max_record.0);
        return Some(Refusal { status: 413, kind: "illegal_argument_exception", reason });
    }
    let parsing = |reason: String| Some(Refusal { status: 400, kind: "document_parsing_exception", reason });
    let Some(members) = Document::parse(document) else {
        return parsing("failed to parse: the document is not a JSON object".to_owned());
    };
    let taken =
        [&config.index_field, &config.id_field].into_iter().flatten().find(|name| members.members.iter().any(|(key, _)| key == *name));
    taken.and_then(|name| parsing(format!("Field [{name}] is a metadata field and cannot be added inside a document.")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn config() -> ElasticsearchSource {
        let yaml = "version: 1\nsources: { in: { type: elasticsearch, listen: '127.0.0.1:1', max_record: 1KiB } }\n";
        let config = tamis_config::Config::parse("a.yaml", yaml, std::path::Path::new(""), &tamis_config::ProcessEnvironment).0.unwrap();
        match &config.sources["in"].value {
            tamis_config::Source::Elasticsearch(source) => source.clone(),
            other => panic!("{other:?}"),
        }
    }

    fn told(body: &str) -> Result<Vec<String>, String> {
        let (config, line) = (config(), |item: &Item<'_>| {
            let refused = item.refused.as_ref().map_or_else(String::new, |refusal| format!(" {} {}", refusal.status, refusal.kind));
            let id = item.id.as_deref().unwrap_or("-");
            format!("{} {} {id} {}{refused}", item.action.name(), item.index, String::from_utf8_lossy(item.document))
        });
        items(body.as_bytes(), Some("d"), &config).map(|items| items.iter().map(line).collect()).map_err(|refusal| refusal.reason)
    }

    #[test]
    fn actions_and_documents() {
        let body = "{\"index\":{\"_index\":\"a\",\"_id\":\"1\"}}\r\n{\"n\":1}\r\n\n{ \"create\" : {\"_id\":7}}\n{}\n\
                    {\"index\":{\"op_type\":\"create\",\"_type\":\"_doc\",\"dynamic_templates\":{}}}\n{\"n\":3}\n\
                    {\"delete\":{\"_id\":\"1\"}}\n{\"update\":{\"_id\":\"1\"}}\n{\"doc\":{}}\n";
        assert_eq!(
            told(body).unwrap(),
            [
                "index a 1 {\"n\":1}",
                "create d 7 {}",
                "create d - {\"n\":3}",
                "delete d 1  400 illegal_argument_exception",
                "update d 1 {\"doc\":{}} 400 illegal_argument_exception",
            ]
        );
    }

    #[test]
    fn items_that_are_not_taken_stand_beside_those_that_are() {
        let long = format!("{{\"x\":\"{}\"}}", "x".repeat(2_000));
        let id = format!("{{\"index\":{{\"_id\":\"{}\"}}}}", "x".repeat(513));
        for (action, document, expected) in [
            ("{\"index\":{}}", "[1]", "400 document_parsing_exception"),
            ("{\"index\":{}}", "", "400 document_parsing_exception"),
            ("{\"index\":{}}", "{\"_id\":1}", "400 document_parsing_exception"),
            ("{\"index\":{}}", "{\"a\":1}{", "400 document_parsing_exception"),
            ("{\"index\":{\"version\":3}}", "{}", "400 illegal_argument_exception"),
            ("{\"index\":{}}", &*long, "413 illegal_argument_exception"),
            (&*id, "{}", "400 illegal_argument_exception"),
            ("{\"index\":{\"_id\":\"\"}}", "{}", "400 illegal_argument_exception"),
        ] {
            let items = told(&format!("{action}\n{document}\n{{\"index\":{{}}}}\n{{}}\n")).unwrap();
            assert!(items[0].ends_with(expected) && items[1] == "index d - {}", "{items:?}");
        }
    }

    #[test]
    fn what_is_no_bulk_request() {
        for (body, expected) in [
            ("", "body is required"),
            ("\n\n", "no requests added"),
            ("{\"index\":{}}\n{}", "terminated by a newline"),
            ("{\"index\":{}}\n", "a document is missing"),
            ("{\"index\":{}}\n{}\n{\"take\":{}}\n{}\n", "line [3]"),
            ("{\"index\":null}\n{}\n", "line [1]"),
            ("{\"index\":{},\"create\":{}}\n{}\n", "line [1]"),
            ("[]\n{}\n", "line [1]"),
            ("{\"index\":{\"_index\":\"\"}}\n{}\n", "index is missing"),
        ] {
            let reason = told(body).unwrap_err();
            assert!(reason.contains(expected), "{body:?}: {reason}");
        }
    }
}
