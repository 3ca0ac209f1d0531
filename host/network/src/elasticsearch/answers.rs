//! What clients of these stores are told, in the stores' own form.

use super::bulk::Item;
use serde_json::{Value, json};
use std::fmt::Write;

/// Why something is not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// As HTTP counts.
    pub(crate) status: u16,
    /// The store's name for it, which clients look at.
    pub(crate) kind: &'static str,
    /// For people; holds nothing of a document.
    pub(crate) reason: String,
}

impl Refusal {
    /// What is asked for cannot be done.
    pub(crate) fn invalid(reason: impl Into<String>) -> Self {
        Self { status: 400, kind: "illegal_argument_exception", reason: reason.into() }
    }

    /// Something is missing in the request.
    pub(crate) fn validation(what: &str, help: &str) -> Self {
        Self { status: 400, kind: "action_request_validation_exception", reason: format!("Validation Failed: 1: {what}; {help}") }
    }

    /// Come again.
    pub(crate) fn busy(reason: impl Into<String>) -> Self {
        Self { status: 429, kind: "es_rejected_execution_exception", reason: reason.into() }
    }

    /// The body of an answer that is an error as a whole.
    pub(crate) fn body(&self) -> String {
        let cause = json!({ "type": self.kind, "reason": self.reason });
        json!({ "error": { "root_cause": [cause], "type": self.kind, "reason": self.reason }, "status": self.status }).to_string()
    }
}

/// The answer to a `_bulk` request: its items in their order, each with its identifier or why it is not taken.
pub(crate) fn bulk(items: &[Item<'_>], ids: &[String], took_millis: u128) -> String {
    let errors = items.iter().any(|item| item.refused.is_some());
    let mut out = String::with_capacity(64 + items.len() * 200);
    let _ = write!(out, "{{\"took\":{took_millis},\"errors\":{errors},\"items\":[");
    for (number, (item, id)) in items.iter().zip(ids).enumerate() {
        let comma = if number > 0 { "," } else { "" };
        let (action, index, id) = (item.action.name(), Value::from(item.index.as_str()), Value::from(id.as_str()));
        let _ = write!(out, "{comma}{{\"{action}\":{{\"_index\":{index},\"_id\":{id},");
        let _ = match &item.refused {
            Some(refusal) => {
                let error = json!({ "type": refusal.kind, "reason": refusal.reason });
                write!(out, "\"status\":{},\"error\":{error}}}}}", refusal.status)
            }
            None => write!(out, "{}}}}}", CREATED),
        };
    }
    out.push_str("]}");
    out
}

const CREATED: &str = "\"_version\":1,\"result\":\"created\",\"_shards\":{\"total\":1,\"successful\":1,\"failed\":0},\"_seq_no\":0,\
                       \"_primary_term\":1,\"status\":201";

/// The answer to a request with one document.
pub(crate) fn created(index: &str, id: &str) -> String {
    let fields = CREATED.trim_end_matches(",\"status\":201");
    format!("{{\"_index\":{},\"_id\":{},{fields}}}", Value::from(index), Value::from(id))
}

/// Who we say we are: clients look at the version and the tagline.
pub(crate) fn info(version: &str) -> String {
    let version = json!({
        "number": version,
        "build_flavor": "default",
        "build_type": "tar",
        "build_hash": "unknown",
        "build_date": "2025-01-01T00:00:00.000Z",
        "build_snapshot": false,
        "lucene_version": "9.12.0",
        "minimum_wire_compatibility_version": "7.17.0",
        "minimum_index_compatibility_version": "7.0.0",
    });
    let info =
        json!({ "name": "tamis", "cluster_name": "tamis", "cluster_uuid": "tamis", "version": version, "tagline": "You Know, for Search" });
    info.to_string()
}

/// A licence with which clients of the same maker go on.
pub(crate) fn license() -> String {
    json!({ "license": { "status": "active", "uid": "tamis", "type": "basic", "issued_to": "tamis", "issuer": "tamis" } }).to_string()
}

/// The features that clients ask for before they set up.
pub(crate) fn features() -> String {
    let license = json!({ "uid": "tamis", "type": "basic", "mode": "basic", "status": "active" });
    let on = json!({ "available": true, "enabled": true });
    json!({ "build": {}, "license": license, "features": { "ilm": on, "data_streams": on }, "tagline": "You know, for X" }).to_string()
}

/// Always well: who is not, does not answer.
pub(crate) fn health() -> String {
    json!({
        "cluster_name": "tamis", "status": "green", "timed_out": false, "number_of_nodes": 1, "number_of_data_nodes": 1,
        "active_primary_shards": 1, "active_shards": 1, "relocating_shards": 0, "initializing_shards": 0, "unassigned_shards": 0,
        "number_of_pending_tasks": 0, "number_of_in_flight_fetch": 0, "active_shards_percent_as_number": 100.0,
    })
    .to_string()
}

/// What was asked for is done, as far as the client is told.
pub(crate) fn acknowledged() -> String {
    json!({ "acknowledged": true, "shards_acknowledged": true }).to_string()
}

/// There is nothing to refresh.
pub(crate) fn shards() -> String {
    json!({ "_shards": { "total": 1, "successful": 1, "failed": 0 } }).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::bulk::Action;
    use super::*;

    #[test]
    fn each_item_has_its_answer() {
        let item = |refused| Item { action: Action::Create, index: "a\"b".to_owned(), id: None, document: b"{}", refused };
        let items = [item(None), item(Some(Refusal::busy("later")))];
        let answer: Value = serde_json::from_str(&bulk(&items, &["x".to_owned(), "y".to_owned()], 3)).unwrap();
        assert_eq!(answer["errors"], true);
        assert_eq!(answer["items"][0]["create"]["_index"], "a\"b");
        assert_eq!(answer["items"][0]["create"]["status"], 201);
        assert_eq!(answer["items"][1]["create"]["status"], 429);
        assert_eq!(answer["items"][1]["create"]["error"]["type"], "es_rejected_execution_exception");
        assert_eq!(answer["items"][1]["create"]["_id"], "y");
        let one: Value = serde_json::from_str(&created("i", "1")).unwrap();
        assert_eq!((&one["result"], &one["status"]), (&Value::from("created"), &Value::Null));
        for text in [info("8.19.0"), license(), features(), health(), acknowledged(), shards()] {
            assert!(serde_json::from_str::<Value>(&text).unwrap().is_object());
        }
    }
}
