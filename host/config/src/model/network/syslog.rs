//! `syslog`: messages by UDP, TCP, TLS and RELP.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use tamis_record::Path;

use super::{ServerLimits, ServerTls};
use crate::model::{Bytes, Codec, SyslogCodec};
use crate::reader::{codecs, parts};
use crate::{Located, Text};

/// Takes syslog messages. By RELP they are acknowledged when they are delivered or spooled. The others have no acknowledgements: over TCP the
/// sender is held back while too much waits, over UDP the system drops what does not fit into its buffer.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
pub struct SyslogSource {
    /// Where to listen, `host:port`.
    #[serde(deserialize_with = "super::listen")]
    #[schemars(with = "String")]
    pub listen: Located<Text>,
    /// What to listen for at that address. Default: `tcp`.
    #[serde(default)]
    pub transport: SyslogTransport,
    /// How messages become records. Default: `syslog`, which reads RFC 5424 and RFC 3164.
    #[serde(default = "codec")]
    #[schemars(schema_with = "crate::schema::codec")]
    pub codec: Codec,
    /// The longest message; a longer one is a dead letter. Default: 64 KiB; 1 KiB to 1 MiB.
    #[serde(default = "max_record", deserialize_with = "parts::bytes_between::<_, 1_024, 1_048_576>")]
    pub max_record: Bytes,
    /// The field that the sender's address is kept in. Default: it is not kept.
    #[serde(default, deserialize_with = "codecs::field_option")]
    #[schemars(with = "Option<String>")]
    pub peer_field: Option<String>,
    /// How much the system is asked to keep for UDP while the source is busy; it may give less. Default: 4 MiB; 4 KiB to 1 GiB.
    #[serde(default = "receive_buffer", deserialize_with = "parts::bytes_between::<_, 4_096, 1_073_741_824>")]
    pub receive_buffer: Bytes,
    /// TLS over TCP (RFC 5425), and for RELP. Default: none.
    #[serde(default)]
    pub tls: Option<ServerTls>,
    /// Limits.
    #[serde(default)]
    pub limits: SyslogLimits,
    /// The fields that the records hold, so that `tamis check` can say which field nobody provides. Default: unknown.
    #[serde(default, deserialize_with = "parts::paths_option")]
    #[schemars(with = "Option<Vec<String>>")]
    pub fields: Option<Vec<Located<Path>>>,
}

/// What a syslog source listens for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SyslogTransport {
    /// TCP, each message with its length in front or a line feed behind; TLS where `tls` is given.
    #[default]
    Tcp,
    /// UDP, a message a datagram.
    Udp,
    /// Both, at the same port.
    Both,
    /// RELP, over TCP or TLS: each message is answered when it is delivered or spooled.
    Relp,
}

/// The limits of a syslog source.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SyslogLimits {
    /// Connections at once; further ones are closed. Default: 1,024; 1 to 65,536.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 65_536>")]
    #[schemars(range(min = 1, max = 65_536))]
    pub connections: u32,
    /// How long a client may take to shake hands for TLS. Default: 5 s; 100 ms to 10 m.
    #[serde(deserialize_with = "parts::duration_between::<_, 100, 600_000>")]
    #[schemars(with = "String")]
    pub handshake_timeout: Duration,
    /// How long the rest of a message that has begun may take to come. Default: 30 s; 100 ms to 1 h.
    #[serde(deserialize_with = "parts::duration_between::<_, 100, 3_600_000>")]
    #[schemars(with = "String")]
    pub message_timeout: Duration,
    /// How long a connection may be idle. Default: 1 h; 1 s to 1 d.
    #[serde(deserialize_with = "parts::duration_between::<_, 1_000, 86_400_000>")]
    #[schemars(with = "String")]
    pub idle_timeout: Duration,
    /// Bytes of records that may wait to be delivered or spooled, of all clients together; beyond it nothing more is read. Default: 32 MiB;
    /// 64 KiB to 4 GiB.
    #[serde(deserialize_with = "parts::bytes_between::<_, 65_536, 4_294_967_296>")]
    pub in_flight: Bytes,
    /// RELP: messages of a connection that may wait for their answer; beyond it nothing more is read. Default: 1,024; 1 to 65,536.
    #[serde(deserialize_with = "parts::whole_between::<_, 1, 65_536>")]
    #[schemars(range(min = 1, max = 65_536))]
    pub window: u32,
    /// TCP, TLS and UDP: how long what was sent already is read on when the host stops, and half of `shutdown_timeout` at most. Default: 10 s; 0 s
    /// to 10 m.
    #[serde(deserialize_with = "parts::duration_between::<_, 0, 600_000>")]
    #[schemars(with = "String")]
    pub stop_timeout: Duration,
}

impl Default for SyslogLimits {
    fn default() -> Self {
        let ServerLimits { connections, header_timeout: handshake_timeout, body_timeout: message_timeout, in_flight, .. } =
            ServerLimits::default();
        Self {
            connections,
            handshake_timeout,
            message_timeout,
            idle_timeout: Duration::from_secs(3_600),
            in_flight,
            window: 1_024,
            stop_timeout: Duration::from_secs(10),
        }
    }
}

impl SyslogSource {
    /// The same limits in the words of all sources that listen.
    pub fn server_limits(&self) -> ServerLimits {
        let SyslogLimits { connections, handshake_timeout, message_timeout, idle_timeout, in_flight, .. } = self.limits;
        ServerLimits {
            connections,
            header_timeout: handshake_timeout,
            body_timeout: message_timeout,
            idle_timeout,
            in_flight,
            body: self.max_record,
            ..ServerLimits::default()
        }
    }
}

fn codec() -> Codec {
    Codec::Syslog(SyslogCodec::default())
}

fn max_record() -> Bytes {
    Bytes(64 * 1024)
}

fn receive_buffer() -> Bytes {
    Bytes::mebi(4)
}
