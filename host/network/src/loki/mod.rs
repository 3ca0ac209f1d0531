//! `loki`: records into Grafana Loki.

mod push;
pub(crate) mod sink;
