//! `syslog`: messages by UDP, TCP and TLS.

mod datagrams;
mod drops;
mod framing;
pub(crate) mod source;
