//! What sources that others connect to have in common: sockets, TLS, connections within limits, and an end in good order.

pub(crate) mod acks;
pub(crate) mod auth;
pub(crate) mod body;
pub(crate) mod gather;
pub(crate) mod http;
mod impatient;
pub(crate) mod inbox;
mod serving;
mod sockets;
mod tls;

pub(crate) use serving::Serving;
use sockets::TaskSockets;
pub(crate) use sockets::{Kinds, Sockets};

use crate::Bound;
use crate::door::{Door, Lingering, Seldom, door};
use crate::runtime::runtime;
use socket2::SockRef;
use std::future::Future;
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tamis_config::{ServerLimits, ServerTls, Text};
use tamis_nodes::sources::{Outlet, RunOptions, SourceError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// How long connections have to end in good order when the host stops.
const GRACE: Duration = Duration::from_secs(1);
/// Pause when the system gives no connection.
const PAUSE: Duration = Duration::from_millis(100);
/// Pause before an address that another one has is tried again.
const BIND_AGAIN: Duration = Duration::from_millis(500);

/// A connection, with TLS or without.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {
    /// Tells the peer that nothing will be written any more, by the end of the TCP stream alone: one that never reads finds it there, and
    /// would not get to it behind a record of TLS.
    fn half_close(&self);
}

impl Stream for TcpStream {
    fn half_close(&self) {
        let _ = SockRef::from(self).shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
impl Stream for tokio::io::DuplexStream {
    fn half_close(&self) {}
}

impl Stream for TlsStream<TcpStream> {
    fn half_close(&self) {
        self.get_ref().0.half_close();
    }
}

/// What a connection is served with.
#[derive(Clone)]
pub(crate) struct Context {
    pub(crate) door: Door,
    pub(crate) limits: Arc<ServerLimits>,
    /// Bytes of requests that are being received, of all connections together.
    pub(crate) receiving: Arc<Semaphore>,
    /// Bytes of requests that were unpacked, of all connections together.
    pub(crate) unpacking: Arc<Semaphore>,
    /// Turns true when the host stops.
    pub(crate) stopping: watch::Receiver<bool>,
    /// How long the connections of a source may go on with what was sent to it already; none ends at once.
    pub(crate) linger: Option<Duration>,
    pub(crate) peer: SocketAddr,
    /// Which of the source's addresses it came to.
    #[cfg_attr(not(feature = "otlp"), allow(dead_code, reason = "the others have one kind of address"))]
    pub(crate) address: usize,
}

impl Context {
    fn new(door: Door, limits: &ServerLimits, stopping: watch::Receiver<bool>) -> Self {
        Self {
            door,
            limits: Arc::new(limits.clone()),
            receiving: Arc::new(Semaphore::new(room_bytes(limits, limits.body))),
            unpacking: Arc::new(Semaphore::new(room_bytes(limits, limits.unpacked))),
            stopping,
            linger: None,
            // Of each connection its own.
            peer: SocketAddr::from(([0, 0, 0, 0], 0)),
            address: 0,
        }
    }
}

/// The addresses of a source.
pub(crate) struct Addresses<'a> {
    pub(crate) all: &'a [&'a Text],
    pub(crate) kinds: Kinds,
    /// [`Context::linger`].
    pub(crate) linger: Option<Duration>,
}

/// Where and how a source listens.
pub(crate) struct Listening<'a> {
    pub(crate) address: &'a Text,
    pub(crate) tls: Option<&'a ServerTls>,
    pub(crate) limits: &'a ServerLimits,
}

/// Listens, serves each connection with `serve`, and brings what they hand in to the lanes, until the host stops.
pub(crate) fn run<F, S>(
    listening: &Listening<'_>,
    bound: Option<Bound>,
    options: &RunOptions,
    outlet: &mut dyn Outlet,
    serve: F,
) -> Result<(), SourceError>
where
    F: Fn(Box<dyn Stream>, Context) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    run_at(&[listening.address], listening, bound, options, outlet, serve)
}

/// The same at several addresses, with the limits and the TLS of `listening`.
pub(crate) fn run_at<F, S>(
    addresses: &[&Text],
    listening: &Listening<'_>,
    bound: Option<Bound>,
    options: &RunOptions,
    outlet: &mut dyn Outlet,
    serve: F,
) -> Result<(), SourceError>
where
    F: Fn(Box<dyn Stream>, Context) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    run_with(&Addresses { all: addresses, kinds: Kinds::TCP, linger: None }, listening, bound, options, outlet, serve, |_, _| async {})
}

/// The same for a source that takes datagrams as well, or alone: `receive` does so until the host stops.
pub(crate) fn run_with<F, S, D, R>(
    &Addresses { all: addresses, kinds, linger }: &Addresses<'_>,
    listening: &Listening<'_>,
    bound: Option<Bound>,
    options: &RunOptions,
    outlet: &mut dyn Outlet,
    serve: F,
    receive: D,
) -> Result<(), SourceError>
where
    F: Fn(Box<dyn Stream>, Context) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
    D: Fn(UdpSocket, Context) -> R,
    R: Future<Output = ()> + Send + 'static,
{
    let Some(sockets) = sockets(addresses, kinds, bound, outlet)? else { return Ok(()) };
    // A sender that never reads would have tickets before the end of the stream.
    let tls = listening.tls.map(|tls| tls::acceptor(tls, linger.is_none())).transpose().map_err(SourceError::Network)?;
    let runtime = runtime().map_err(SourceError::Network)?;
    let (door, pump) = door(listening.limits, outlet.events());
    let sockets: Vec<TaskSockets> = {
        let _inside = runtime.enter();
        sockets.into_iter().map(Sockets::for_tasks).collect::<Result<_, _>>().map_err(SourceError::Network)?
    };
    let (stop, stopping) = watch::channel(false);
    let context = Context { linger, ..Context::new(door, listening.limits, stopping) };
    let (serve, slots) = (Arc::new(serve), Arc::new(Semaphore::new(context.limits.connections as usize)));
    let mut servers = JoinSet::new();
    for (address, TaskSockets { tcp, udp }) in sockets.into_iter().enumerate() {
        let context = Context { address, ..context.clone() };
        if let Some(socket) = udp {
            servers.spawn_on(receive(socket, context.clone()), runtime.handle());
        }
        if let Some(listener) = tcp {
            servers.spawn_on(accept(listener, tls.clone(), context, Arc::clone(&slots), Arc::clone(&serve)), runtime.handle());
        }
    }
    drop(context);
    for address in addresses {
        tracing::info!(source = &*options.name, "listening at {}", address.shown());
    }
    let servers = runtime.spawn(servers.join_all());
    let begin = || {
        let _ = stop.send(true);
    };
    let ended = || servers.is_finished();
    let lingering = linger.map(|linger| Lingering { begin: &begin, ended: &ended, limit: linger + GRACE });
    pump.run(options, outlet, lingering.as_ref());
    begin();
    let _ = runtime.block_on(async { tokio::time::timeout(GRACE, servers).await });
    Ok(())
}

/// At least one request of the largest size finds room.
fn room_bytes(limits: &ServerLimits, largest: tamis_config::Bytes) -> usize {
    limits.in_flight.to_usize().max(largest.to_usize()).min(Semaphore::MAX_PERMITS)
}

/// The sockets, once nobody else has the address. `None`: the host stops before.
fn sockets(addresses: &[&Text], kinds: Kinds, bound: Option<Bound>, outlet: &mut dyn Outlet) -> Result<Option<Vec<Sockets>>, SourceError> {
    if let Some(Bound(sockets)) = bound {
        return Ok(Some(sockets));
    }
    let seldom = Seldom::new();
    while !outlet.stopping() {
        match addresses.iter().map(|address| Sockets::bind(address, kinds)).collect() {
            Ok(sockets) => return Ok(Some(sockets)),
            Err(error) if seldom.is_time() => tracing::warn!("{error}; trying again"),
            Err(_) => {}
        }
        std::thread::sleep(BIND_AGAIN);
    }
    Ok(None)
}

async fn accept<F, S>(listener: TcpListener, tls: Option<TlsAcceptor>, context: Context, slots: Arc<Semaphore>, serve: Arc<F>)
where
    F: Fn(Box<dyn Stream>, Context) -> S + Send + Sync + 'static,
    S: Future<Output = ()> + Send + 'static,
{
    let mut stopping = context.stopping.clone();
    let mut connections = JoinSet::new();
    let served = |stream: TcpStream, peer| {
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            context.door.count("connections_refused", 1);
            return None;
        };
        let _ = stream.set_nodelay(true);
        let (tls, serve, context) = (tls.clone(), Arc::clone(&serve), Context { peer, ..context.clone() });
        Some(async move {
            let stream: Box<dyn Stream> = match tls {
                None => Box::new(stream),
                Some(tls) => match tokio::time::timeout(context.limits.header_timeout, tls.accept(stream)).await {
                    Ok(Ok(stream)) => Box::new(stream),
                    Ok(Err(_)) | Err(_) => return context.door.count("tls_failed", 1),
                },
            };
            serve(stream, context).await;
            drop(slot);
        })
    };
    loop {
        let accepted = tokio::select! {
            _ = stopping.changed() => break,
            _ = connections.join_next(), if !connections.is_empty() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => served(stream, peer).map(|served| connections.spawn(served)),
            Err(error) => {
                // Out of descriptors, most likely: others may be given back.
                tracing::warn!("cannot take a connection: {error}");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
    }
    // Those that wait to be accepted may have sent something.
    while context.linger.is_some()
        && let Ok(Ok((stream, peer))) = tokio::time::timeout(Duration::ZERO, listener.accept()).await
    {
        served(stream, peer).map(|served| connections.spawn(served));
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}
