//! `http`: records in requests, both ways.

pub(crate) mod sink;
pub(crate) mod source;
