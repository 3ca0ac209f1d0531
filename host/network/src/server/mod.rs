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
use crate::door::{Door, Ending, Lingering, Seldom, door};
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

/// At a stop, how long a sender may be silent before nothing more is expected of it: what is on its way, and what it writes before it finds
/// the end of the stream. A handshake has as long.
pub(crate) const QUIET: Duration = Duration::from_secs(1);
/// Connections that wait to be accepted when the host stops, at most; those behind came while these were taken.
const WAITING_MAX: usize = 4_096;
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
    pub(crate) ends: Ends,
}

/// How the connections of a source end when the host stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    /// When all that was taken is settled: until then clients are told to come again.
    Last,
    /// At once, but for answers that they wait for: clients come again by themselves with what was not answered.
    First,
    /// At once, and what was sent already is read on for so long: clients do not come again with it.
    Lingering(Duration),
}

impl Ends {
    fn linger(self) -> Option<Duration> {
        if let Self::Lingering(linger) = self { Some(linger) } else { None }
    }
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
    run_with(&Addresses { all: addresses, kinds: Kinds::TCP, ends: Ends::Last }, listening, bound, options, outlet, serve, |_, _| async {})
}

/// The same for a source that takes datagrams as well, or alone: `receive` does so until the host stops.
pub(crate) fn run_with<F, S, D, R>(
    &Addresses { all: addresses, kinds, ends }: &Addresses<'_>,
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
    let linger = ends.linger();
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
    let begin: Arc<dyn Fn() + Send + Sync> = Arc::new(move || {
        // Once: each time would tell those anew who have begun to end.
        stop.send_if_modified(|stops| !std::mem::replace(stops, true));
    });
    let ended = || servers.is_finished();
    let lingering = linger.map(|linger| Lingering { ended: &ended, limit: linger + GRACE });
    let ending = Ending { begin: Arc::clone(&begin), lingering };
    pump.run(options, outlet, (ends != Ends::Last).then_some(&ending));
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
    // Connections are told when nobody listens any more: one that came anew at once might wait for an accept that never comes.
    let (tell, told) = watch::channel(false);
    let mut stopping = context.stopping;
    let context = Context { stopping: told, ..context };
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
                Some(tls) => {
                    let shaken = tokio::select! {
                        shaken = tokio::time::timeout(context.limits.header_timeout, tls.accept(stream)) => shaken,
                        () = out_of_time(&context) => return,
                    };
                    match shaken {
                        Ok(Ok(stream)) => Box::new(stream),
                        Ok(Err(_)) | Err(_) => return context.door.count("tls_failed", 1),
                    }
                }
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
    let mut last = waiting(listener);
    if context.linger.is_none() {
        last.clear();
    }
    for (stream, peer) in last {
        served(stream, peer).map(|served| connections.spawn(served));
    }
    let _ = tell.send(true);
    while connections.join_next().await.is_some() {}
}

/// The connections that wait to be accepted: they may have sent something. Nobody listens any more.
fn waiting(listener: TcpListener) -> Vec<(TcpStream, SocketAddr)> {
    // The system is asked, for the runtime may not have heard of the last ones.
    let Ok(listener) = listener.into_std() else { return Vec::new() };
    let accepted = std::iter::from_fn(|| listener.accept().ok()).take(WAITING_MAX);
    let stream = |stream: std::net::TcpStream| stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)).ok();
    accepted.filter_map(|(accepted, peer)| Some((stream(accepted)?, peer))).collect()
}

/// When a handshake has to be done, for the host stops.
async fn out_of_time(context: &Context) {
    // An error: it has stopped.
    let _ = context.stopping.clone().changed().await;
    tokio::time::sleep(context.linger.unwrap_or_default().min(QUIET)).await;
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn all_that_wait_are_taken_and_nobody_listens_then() {
        runtime().unwrap().block_on(async {
            let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            listener.set_nonblocking(true).unwrap();
            let address = listener.local_addr().unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            let clients: Vec<_> = (0..50).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
            let taken = waiting(listener);
            assert_eq!(taken.len(), clients.len());
            assert_eq!(taken[7].1, clients[7].local_addr().unwrap());
            std::net::TcpStream::connect(address).unwrap_err();
        });
    }
}
