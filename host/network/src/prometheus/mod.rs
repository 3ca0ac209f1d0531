//! `prometheus`: records counted as metrics that Prometheus fetches.

mod page;
pub(crate) mod sink;
mod table;
