//! Where the API listens: loopback addresses and Unix sockets; other addresses only when there are tokens.

use std::io;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// Why the API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// The address is not one of this machine alone.
    #[error(
        "the admin API would listen on `{0}`, which others can reach, and there are no tokens: write a loopback address such as `127.0.0.1:9480`, or `unix:/path`, or make a token with `tamis admin token`"
    )]
    NotLoopback(String),
    /// The address is none.
    #[error("`{0}` is no address: `host:port` was expected, as in `127.0.0.1:9480`")]
    NoAddress(String),
    /// The system refuses.
    #[error("the admin API cannot listen on `{address}`: {error}")]
    Bind {
        /// Where.
        address: String,
        /// What the system said.
        error: io::Error,
    },
}

/// An open listener. The file of a Unix socket goes with it.
#[derive(Debug)]
pub struct Listener {
    kind: Kind,
    /// Where it listens, as a client writes it.
    pub address: String,
    /// Whether others than this machine reach it.
    pub(crate) open: bool,
    socket: Option<PathBuf>,
}

#[derive(Debug)]
enum Kind {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}

impl Listener {
    /// Listens on `host:port`: of loopback, or with `tokens` on any.
    pub async fn tcp(address: &str, tokens: bool) -> Result<Self, AdminError> {
        let found: Vec<_> = tokio::net::lookup_host(address).await.map_err(|_| AdminError::NoAddress(address.into()))?.collect();
        if found.is_empty() {
            return Err(AdminError::NoAddress(address.into()));
        }
        let open = found.iter().any(|a| !a.ip().is_loopback());
        if open && !tokens {
            return Err(AdminError::NotLoopback(address.into()));
        }
        let bind = |error| AdminError::Bind { address: address.into(), error };
        let listener = TcpListener::bind(found.as_slice()).await.map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?.to_string();
        Ok(Self { kind: Kind::Tcp(listener), address, open, socket: None })
    }

    /// Listens on a Unix socket that only its owner can open. A socket left behind by a host that died is replaced.
    pub async fn unix(path: &Path) -> Result<Self, AdminError> {
        let address = format!("unix:{}", path.display());
        let bind = |error| AdminError::Bind { address: address.clone(), error };
        if path.symlink_metadata().is_ok_and(|m| m.file_type().is_socket()) && UnixStream::connect(path).await.is_err() {
            std::fs::remove_file(path).map_err(bind)?;
        }
        let listener = UnixListener::bind(path).map_err(bind)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(bind)?;
        Ok(Self { kind: Kind::Unix(listener), address, open: false, socket: Some(path.into()) })
    }

    pub(crate) async fn accept(&self) -> io::Result<Connection> {
        match &self.kind {
            Kind::Tcp(listener) => Ok(Connection::Tcp(listener.accept().await?.0)),
            Kind::Unix(listener) => Ok(Connection::Unix(listener.accept().await?.0)),
        }
    }
}

pub(crate) enum Connection {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl AsyncRead for Connection {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Tcp(c) => Pin::new(c).poll_read(cx, buf),
            Connection::Unix(c) => Pin::new(c).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Connection::Tcp(c) => Pin::new(c).poll_write(cx, buf),
            Connection::Unix(c) => Pin::new(c).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Tcp(c) => Pin::new(c).poll_flush(cx),
            Connection::Unix(c) => Pin::new(c).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Connection::Tcp(c) => Pin::new(c).poll_shutdown(cx),
            Connection::Unix(c) => Pin::new(c).poll_shutdown(cx),
        }
    }
}
