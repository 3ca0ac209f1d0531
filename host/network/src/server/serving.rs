//! A server beside the sources: for sinks that others fetch from.

use super::{Context, Kinds, Listening, Sockets, Stream, accept, tls};
use crate::door::door;
use crate::runtime::runtime;
use std::future::Future;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, watch};

/// How long the end of a server waits for its connections.
const GRACE: Duration = Duration::from_secs(1);

/// A server that listens. Its address is free again when the value is gone.
pub(crate) struct Serving {
    stop: watch::Sender<bool>,
    ended: Mutex<Receiver<()>>,
}

impl Serving {
    /// Listens, and serves each connection with `serve`.
    ///
    /// # Errors
    /// An address that is taken or none of this machine's, and certificates that cannot be read.
    pub(crate) fn start<F, S>(listening: &Listening<'_>, serve: F) -> Result<Self, String>
    where
        F: Fn(Box<dyn Stream>, Context) -> S + Send + Sync + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let tls = listening.tls.map(|tls| tls::acceptor(tls, true)).transpose()?;
        let sockets = Sockets::bind(listening.address, Kinds::TCP)?;
        let runtime = runtime()?;
        let sockets = {
            let _inside = runtime.enter();
            sockets.for_tasks()?
        };
        // Nothing comes through it: it counts what happens to connections, and nobody asks.
        let (door, _) = door(listening.limits, Arc::new(|_, _| {}));
        let (stop, stopping) = watch::channel(false);
        let context = Context::new(door, listening.limits, stopping);
        let slots = Arc::new(Semaphore::new(listening.limits.connections as usize));
        let (over, ended) = channel();
        if let Some(listener) = sockets.tcp {
            runtime.spawn(async move {
                accept(listener, tls, context, slots, Arc::new(serve)).await;
                let _ = over.send(());
            });
        }
        Ok(Self { stop, ended: Mutex::new(ended) })
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        let _ = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner).recv_timeout(GRACE);
    }
}
