//! Listening sockets.

use socket2::SockRef;
use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs, UdpSocket};
use tamis_config::{Source, SyslogTransport, Text};

/// What a source listens for at its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kinds {
    pub(crate) tcp: bool,
    /// Bytes that the system is to keep for UDP.
    pub(crate) udp: Option<usize>,
}

impl Kinds {
    pub(crate) const TCP: Self = Self { tcp: true, udp: None };

    /// What this source listens for.
    pub(crate) fn of(source: &Source) -> Self {
        match source {
            Source::Syslog(syslog) => Self {
                tcp: syslog.transport != SyslogTransport::Udp,
                udp: matches!(syslog.transport, SyslogTransport::Udp | SyslogTransport::Both).then(|| syslog.receive_buffer.to_usize()),
            },
            _ => Self::TCP,
        }
    }
}

/// What a source listens on.
#[derive(Debug)]
pub(crate) struct Sockets {
    tcp: Option<TcpListener>,
    udp: Option<UdpSocket>,
}

/// The same for the tasks of a runtime.
pub(super) struct TaskSockets {
    pub(super) tcp: Option<tokio::net::TcpListener>,
    pub(super) udp: Option<tokio::net::UdpSocket>,
}

impl Sockets {
    /// Listens at `host:port`.
    pub(crate) fn bind(address: &Text, kinds: Kinds) -> Result<Self, String> {
        let failed = |error: io::Error| {
            let help = match error.kind() {
                io::ErrorKind::AddrInUse => "; another program listens there, or another source",
                io::ErrorKind::PermissionDenied => "; ports below 1,024 need a privilege: take a higher one",
                io::ErrorKind::AddrNotAvailable => "; it is no address of this machine",
                _ => "",
            };
            format!("cannot listen at `{}`: {error}{help}", address.shown())
        };
        let addresses: Vec<SocketAddr> = address.as_str().to_socket_addrs().map_err(failed)?.collect();
        let tcp = kinds.tcp.then(|| TcpListener::bind(&*addresses)).transpose().map_err(failed)?;
        if let Some(listener) = &tcp {
            listener.set_nonblocking(true).map_err(failed)?;
        }
        let udp = kinds.udp.map(|wanted| datagrams(&addresses, wanted)).transpose().map_err(failed)?;
        Ok(Self { tcp, udp })
    }

    /// The same for the tasks of a runtime; to be called within it.
    pub(super) fn for_tasks(self) -> Result<TaskSockets, String> {
        let failed = |error: io::Error| format!("cannot listen: {error}");
        Ok(TaskSockets {
            tcp: self.tcp.map(tokio::net::TcpListener::from_std).transpose().map_err(failed)?,
            udp: self.udp.map(tokio::net::UdpSocket::from_std).transpose().map_err(failed)?,
        })
    }
}

fn datagrams(addresses: &[SocketAddr], wanted: usize) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(addresses)?;
    socket.set_nonblocking(true)?;
    let options = SockRef::from(&socket);
    // The system gives what it allows, and says twice of it, for its own needs are counted in.
    let _ = options.set_recv_buffer_size(wanted);
    let given = options.recv_buffer_size().unwrap_or(wanted) / 2;
    if given < wanted {
        tracing::info!("the system keeps {given} bytes for UDP where {wanted} were asked for; on Linux `net.core.rmem_max` is the limit");
    }
    Ok(socket)
}
