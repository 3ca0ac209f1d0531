//! `fluent`: the forward protocol of Fluentd and Fluent Bit.

mod entries;
mod handshake;
mod json;
mod message;
mod scan;
pub(crate) mod source;
