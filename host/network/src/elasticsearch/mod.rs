//! `elasticsearch`: the document APIs of Elasticsearch and OpenSearch, both ways.

mod answers;
mod bulk;
mod identifiers;
mod route;
pub(crate) mod sink;
pub(crate) mod source;
