//! The operator's HTTP API: health, metrics, status, plan, live records, and letting one configuration take over from another; and a
//! client of it.
//!
//! Limits: headers within [`HEADER_TIMEOUT`], [`CONNECTIONS_MAX`] connections of [`CONNECTION_TIMEOUT`] each, bodies of
//! [`BODY_BYTES_MAX`], which are thrown away.

mod access;
pub mod client;
mod console;
pub mod control;
mod gate;
mod listen;
mod routes;
mod tap;

pub use access::{Access, Caller, Permission, token_hash};
pub use listen::{AdminError, Listener};
pub use routes::{State, router};

use hyper::service::Service;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use std::time::Duration;
use tap::Patience;
use tokio::sync::Semaphore;

/// How long a client may take to send a request's headers.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a connection may live; one that a tap runs over, as much longer as a tap may last.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(60);
/// Connections at once; further ones wait in the system's queue.
pub const CONNECTIONS_MAX: usize = 64;
/// Bytes that a request's body may have; what is in it is of no use.
pub const BODY_BYTES_MAX: u64 = 64 * 1024;
/// Bytes of a request's headers.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// Serves until the future is dropped.
pub async fn serve(listener: Listener, state: State) {
    let access = Access::new(state.control.clone(), listener.open);
    let router = router(state, &access);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        let connection = match listener.accept().await {
            Ok(connection) => connection,
            Err(error) => {
                // Out of descriptors, most likely: others may be given back.
                tracing::warn!("the admin API cannot take a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        let patience = Patience::new(CONNECTION_TIMEOUT);
        tokio::spawn(async move {
            let told = patience.clone();
            let service = hyper::service::service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
                request.extensions_mut().insert(told.clone());
                service.call(request)
            });
            let mut builder = hyper::server::conn::http1::Builder::new();
            builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT).max_buf_size(HEADER_BYTES_MAX);
            let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(connection), service));
            let began = tokio::time::Instant::now();
            loop {
                let time = patience.time();
                // How a client ends its connection is its own affair.
                if tokio::time::timeout_at(began + time, served.as_mut()).await.is_ok() || patience.time() <= time {
                    break;
                }
            }
            drop(slot);
        });
    }
}
