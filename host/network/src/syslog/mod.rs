//! `syslog`: messages by UDP, TCP, TLS and RELP.

mod datagrams;
mod drops;
mod framing;
mod relp;
pub(crate) mod source;
mod stream;
