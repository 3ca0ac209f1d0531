//! Source threads: each hands frames to the lanes, within the bound of its flight.

use crate::engine::Progress;
use crate::lane::Boarded;
use crate::metrics::{Metrics, SourceLabels};
use crate::pool::Pool;
use crate::stop::Stop;
use crate::suspects::Suspects;
use crossbeam_channel::{SendTimeoutError, Sender};
use prometheus_client::metrics::counter::Counter;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tamis_codecs::Frame;
use tamis_delivery::Flight;
use tamis_nodes::sources::Outlet;

/// How often a source that is held back looks whether the host stops.
const LOOK: Duration = Duration::from_millis(50);

/// The way from a source to the lanes.
pub(crate) struct Gate {
    pub(crate) source: usize,
    pub(crate) flight: Arc<Flight>,
    pub(crate) lanes: Sender<Boarded>,
    /// The lane of suspects.
    pub(crate) aside: Sender<Boarded>,
    pub(crate) suspects: Arc<Suspects>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
}

pub(crate) fn counters(name: &str, metrics: &Metrics) -> (Counter, Counter) {
    let labels = SourceLabels { source: name.into() };
    (metrics.source_records.get_or_create(&labels).clone(), metrics.source_bytes.get_or_create(&labels).clone())
}

impl Outlet for Gate {
    fn send(&mut self, stream: &Arc<str>, frame: Frame) -> bool {
        let (count, bytes) = (frame.count() as u64, frame.bytes);
        let ticket = loop {
            if self.stop.is_draining() {
                return false;
            }
            if let Some(ticket) = self.flight.board(count, LOOK) {
                break ticket;
            }
        };
        let mut boarded = Boarded { source: self.source, stream: Arc::clone(stream), frame, ticket };
        loop {
            let lanes = if self.suspects.is(self.source) { &self.aside } else { &self.lanes };
            match lanes.send_timeout(boarded, LOOK) {
                Ok(()) => break,
                Err(SendTimeoutError::Timeout(back)) if !self.stop.is_now() => boarded = back,
                Err(SendTimeoutError::Timeout(back) | SendTimeoutError::Disconnected(back)) => {
                    back.ticket.give_up();
                    return false;
                }
            }
        }
        self.records.inc_by(count);
        self.bytes.inc_by(bytes);
        self.progress.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    fn stopping(&self) -> bool {
        self.stop.is_draining()
    }

    fn buffer(&mut self) -> Vec<u8> {
        self.pool.take()
    }

    fn expect(&mut self, bytes: u64) {
        self.progress.bytes_expected.fetch_add(bytes, Ordering::Relaxed);
    }
}
