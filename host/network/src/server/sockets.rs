//! Listening sockets.

use std::io;
use std::net::{SocketAddr, TcpListener, ToSocketAddrs};
use tamis_config::Text;

/// What a source listens on.
#[derive(Debug)]
pub(crate) struct Sockets(TcpListener);

impl Sockets {
    /// Listens at `host:port`.
    pub(crate) fn bind(address: &Text) -> Result<Self, String> {
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
        let listener = TcpListener::bind(&*addresses).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        Ok(Self(listener))
    }

    /// The same for the tasks of a runtime; to be called within it.
    pub(crate) fn listener(self) -> Result<tokio::net::TcpListener, String> {
        tokio::net::TcpListener::from_std(self.0).map_err(|error| format!("cannot listen: {error}"))
    }
}
