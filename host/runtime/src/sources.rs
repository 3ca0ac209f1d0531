//! Source threads: each hands frames to the lanes, within the bound of its flight.

mod replay;
mod running;

pub(crate) use replay::{REPLAY, Replay};
pub(crate) use running::{Flights, Sockets, Sources, Surroundings};

use crate::engine::Progress;
use crate::generation::{Current, Generation, Whence};
use crate::lane::{Boarded, Recipient};
use crate::metrics::{EventLabels, Metrics, SourceLabels};
use crate::pool::Pool;
use crate::stop::Stop;
use crossbeam_channel::{SendTimeoutError, Sender};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tamis_codecs::Frame;
use tamis_delivery::Flight;
use tamis_nodes::sources::{Events, Outlet, Reading, Stream};

/// How often a source that is held back looks whether the host stops.
const LOOK: Duration = Duration::from_millis(50);

/// How long a source waits for frames to be given up when everything ends at once.
const GIVING_UP: Duration = Duration::from_millis(500);

/// The ways to the lanes. Lanes end when nobody is left that could bring frames.
pub(crate) struct Roads {
    /// To all lanes but the one of suspects.
    pub(crate) frames: Sender<Boarded>,
    /// To the lane of suspects.
    pub(crate) aside: Sender<Boarded>,
}

/// The way from a source to the lanes.
pub(crate) struct Gate {
    pub(crate) whence: Arc<Whence>,
    pub(crate) flight: Arc<Flight>,
    /// None when no more frames will come.
    pub(crate) roads: Option<Arc<Roads>>,
    pub(crate) current: Arc<Current>,
    pub(crate) stop: Stop,
    /// [`Outlet::until_finish`]: frames are taken while the host stops, and this is called.
    pub(crate) until_finish: Option<Arc<dyn Fn() + Send + Sync>>,
    pub(crate) pool: Arc<Pool>,
    pub(crate) progress: Arc<Progress>,
    pub(crate) records: Counter,
    pub(crate) bytes: Counter,
    pub(crate) events: Family<EventLabels, Counter>,
    pub(crate) metrics: Arc<Metrics>,
}

pub(crate) fn counters(name: &str, metrics: &Metrics) -> (Counter, Counter) {
    let labels = SourceLabels { source: name.into() };
    (metrics.source_records.get_or_create(&labels).clone(), metrics.source_bytes.get_or_create(&labels).clone())
}

impl Gate {
    /// [`Outlet::send`], to one pipeline alone when a recipient is named.
    pub(crate) fn send_to(&mut self, recipient: Option<Recipient>, stream: &Stream, frame: Frame, end: u64) -> bool {
        let (count, bytes) = (frame.count() as u64, frame.bytes);
        let whence = Arc::clone(&self.whence);
        let taken_by = |generation: &Arc<Generation>| match &recipient {
            Some(recipient) => generation.graph.pipeline(&recipient.pipeline).is_some(),
            None => generation.graph.readers.contains_key(&whence.name),
        };
        let boarding = loop {
            // What nobody reads any more is not taken: a source that comes back begins there.
            if self.stops() || !self.current.get().is_some_and(|generation| taken_by(&generation)) {
                return false;
            }
            if let Some(boarding) = self.flight.board(count, stream.id, end, LOOK) {
                break boarding;
            }
        };
        let (Some(generation), Some(roads)) = (self.current.pick().filter(taken_by), self.roads.clone()) else {
            boarding.ticket.give_up();
            return false;
        };
        let mut boarded = Boarded { whence, generation, recipient, stream: Arc::clone(&stream.name), frame, boarding };
        loop {
            let road = if self.whence.suspicion.is() { &roads.aside } else { &roads.frames };
            match road.send_timeout(boarded, LOOK) {
                Ok(()) => break,
                Err(SendTimeoutError::Timeout(back)) if !self.stop.is_now() => {
                    self.stops();
                    boarded = back;
                }
                Err(SendTimeoutError::Timeout(back) | SendTimeoutError::Disconnected(back)) => {
                    back.boarding.ticket.give_up();
                    return false;
                }
            }
        }
        self.records.inc_by(count);
        self.bytes.inc_by(bytes);
        self.progress.bytes_read.fetch_add(bytes, Ordering::Relaxed);
        true
    }

    /// Whether frames are taken no more, for the host stops; tells a source that goes on until it has finished.
    fn stops(&self) -> bool {
        match &self.until_finish {
            None => self.stop.is_draining(),
            Some(told) => {
                if self.stop.is_draining() {
                    told();
                }
                self.stop.is_now()
            }
        }
    }
}

impl Outlet for Gate {
    fn send(&mut self, stream: &Stream, frame: Frame, end: u64) -> bool {
        self.send_to(None, stream, frame, end)
    }

    fn safe(&mut self) -> Vec<(u64, u64)> {
        self.flight.safe()
    }

    fn pass_given_up(&mut self) {
        self.flight.pass_given_up();
    }

    fn given_up(&mut self) -> Vec<u64> {
        self.flight.passed()
    }

    fn on_safe(&mut self, wake: Arc<dyn Fn() + Send + Sync>) {
        self.flight.on_safe(wake);
    }

    fn until_finish(&mut self, stops: Arc<dyn Fn() + Send + Sync>) {
        self.until_finish = Some(stops);
    }

    fn finish(&mut self) {
        // Lanes end when nobody is left to bring frames.
        self.roads = None;
        let mut patience = GIVING_UP;
        while !self.flight.landed(LOOK) && !patience.is_zero() {
            if self.stop.is_now() {
                patience = patience.saturating_sub(LOOK);
            }
        }
    }

    fn events(&self) -> Events {
        let (events, source) = (self.events.clone(), self.whence.name.to_string());
        Arc::new(move |event, count| {
            events.get_or_create(&EventLabels { source: source.clone(), event: event.into() }).inc_by(count);
        })
    }

    fn reading(&mut self, files: Vec<Reading>) {
        self.metrics.set_reading(&self.whence.name, files);
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
