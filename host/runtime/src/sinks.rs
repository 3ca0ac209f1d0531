//! Sink threads: each writes what it is given, in order, and tries again until it succeeds or the host ends.

use crate::lane::Parcel;
use crate::metrics::{Metrics, SinkLabels, SinkResultLabels};
use crate::pool::Pool;
use crate::stop::{HaltOnPanic, Stop};
use crossbeam_channel::Receiver;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tamis_nodes::sinks::Sink;

/// First and longest pause before a failed write is tried again.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

pub(crate) struct SinkCounts {
    pub(crate) delivered: Counter,
    undelivered: Counter,
    bytes: Counter,
    retries: Counter,
    pub(crate) queue: Gauge,
}

impl SinkCounts {
    pub(crate) fn new(name: &str, metrics: &Metrics) -> Arc<Self> {
        let result =
            |result: &str| metrics.sink_records.get_or_create(&SinkResultLabels { sink: name.into(), result: result.into() }).clone();
        let labels = SinkLabels { sink: name.into() };
        Arc::new(Self {
            delivered: result("delivered"),
            undelivered: result("undelivered"),
            bytes: metrics.sink_bytes.get_or_create(&labels).clone(),
            retries: metrics.sink_retries.get_or_create(&labels).clone(),
            queue: metrics.sink_queue.get_or_create(&labels).clone(),
        })
    }
}

pub(crate) struct SinkThread {
    pub(crate) name: String,
    pub(crate) sink: Box<dyn Sink>,
    pub(crate) counts: Arc<SinkCounts>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    /// Whether the host delivers to nobody else.
    pub(crate) only: bool,
    /// Whether its reader has gone.
    pub(crate) gone: bool,
}

impl SinkThread {
    pub(crate) fn spawn(mut self, parcels: Receiver<Parcel>) -> io::Result<JoinHandle<()>> {
        std::thread::Builder::new().name(format!("sink {}", self.name)).spawn(move || {
            let _guard = HaltOnPanic(self.stop.clone());
            while let Ok(parcel) = parcels.recv() {
                self.deliver(parcel);
            }
            if let Err(error) = self.sink.flush() {
                tracing::error!(sink = self.name, "cannot flush: {error}");
            }
        })
    }

    fn deliver(&mut self, parcel: Parcel) {
        let mut rest = parcel.data.as_slice();
        let mut pause = BACKOFF.0;
        while !rest.is_empty() && !self.gone {
            match self.sink.write(rest) {
                Ok(written) => {
                    self.counts.bytes.inc_by(written as u64);
                    rest = rest.get(written..).unwrap_or_default();
                    pause = BACKOFF.0;
                }
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    // Whoever read has gone, as `head` does. Other sinks go on; without any there is nothing left to do.
                    self.gone = true;
                    if self.only {
                        self.stop.reader_gone();
                    } else {
                        tracing::error!(sink = self.name, "the reader has gone: what is meant for it is not delivered");
                    }
                }
                Err(error) => {
                    if self.stop.is_now() {
                        break;
                    }
                    self.counts.retries.inc();
                    tracing::warn!(sink = self.name, "cannot write, trying again in {} ms: {error}", pause.as_millis());
                    self.stop.pause(pause);
                    // Half to one and a half times twice the pause, so that several hosts do not come back at once.
                    pause = pause.mul_f64(1.0 + fastrand::f64()).min(BACKOFF.1);
                }
            }
        }
        self.counts.queue.dec_by(i64::try_from(parcel.records).unwrap_or(0));
        if rest.is_empty() {
            self.counts.delivered.inc_by(parcel.records);
        } else {
            self.counts.undelivered.inc_by(parcel.records);
            parcel.ticket.give_up();
        }
        if let Some(buffer) = Arc::into_inner(parcel.data) {
            self.pool.give(buffer);
        }
    }
}
