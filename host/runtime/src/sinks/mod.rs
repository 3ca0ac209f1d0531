//! Sinks: each has a queue in front of it and threads of its own, which try again until a record is delivered, dead-lettered
//! or the host ends.

mod batches;
mod complaints;
mod health;
mod inlet;
mod letters;
mod limiter;
mod running;
mod spooled;
mod stream;
mod turn;
mod waiting;

pub(crate) use batches::BatchSink;
use complaints::Complaints;
pub(crate) use health::HealthCheck;
pub(crate) use inlet::{Inlet, Intake, Popped, Pushed, queue};
pub(crate) use letters::{Letters, Ways, WeakLetters};
pub(crate) use running::{Prepared, Sinks, Spec, Surroundings};
pub(crate) use spooled::SpooledSink;
pub(crate) use stream::StreamSink;
pub(crate) use turn::Turn;
pub(crate) use waiting::{Waiting, WaitingList};

use crate::metrics::{Metrics, SinkLabels, SinkResultLabels};
use crate::parcel::Parcel;
use crate::stop::Stop;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often whoever waits looks whether the host ends.
pub(crate) const LOOK: Duration = Duration::from_millis(20);

/// A sink in numbers.
pub(crate) struct SinkCounts {
    pub(crate) delivered: Counter,
    /// Refused by the sink, and among the dead letters.
    pub(crate) rejected: Counter,
    /// Rejected by a receiver that does not say which they are: not among the dead letters.
    pub(crate) unnamed: Counter,
    /// Dropped because the queue was full.
    pub(crate) dropped: Counter,
    pub(crate) undelivered: Counter,
    pub(crate) bytes: Counter,
    pub(crate) retries: Counter,
    pub(crate) queue: Gauge,
    /// Bytes that its queue may hold.
    pub(crate) queue_limit: Gauge,
    /// What waits for it, or is in its hands.
    pub(crate) waiting: Arc<WaitingList>,
    /// Since when nothing has been taken, in seconds since 1970; 0 when the last try went well.
    failing_since: AtomicU64,
    /// Lines of the log on failures.
    complaints: Complaints,
}

impl SinkCounts {
    pub(crate) fn new(name: &str, metrics: &Metrics) -> Arc<Self> {
        let result =
            |result: &str| metrics.sink_records.get_or_create(&SinkResultLabels { sink: name.into(), result: result.into() }).clone();
        let labels = SinkLabels { sink: name.into() };
        let counts = Arc::new(Self {
            delivered: result("delivered"),
            rejected: result("rejected"),
            unnamed: result("unnamed"),
            dropped: result("dropped"),
            undelivered: result("undelivered"),
            bytes: metrics.sink_bytes.get_or_create(&labels).clone(),
            retries: metrics.sink_retries.get_or_create(&labels).clone(),
            queue: metrics.sink_queue.get_or_create(&labels).clone(),
            queue_limit: metrics.sink_queue_limit.get_or_create(&labels).clone(),
            waiting: Arc::default(),
            failing_since: AtomicU64::new(0),
            complaints: Complaints::default(),
        });
        metrics.watch_sink(name, &counts);
        counts
    }

    /// A try failed.
    fn failed(&self) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |since| since.as_secs().max(1));
        // Since the first of them.
        let _ = self.failing_since.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// A try went well.
    fn succeeded(&self) {
        if self.failing_since.load(Ordering::Relaxed) != 0 {
            self.failing_since.store(0, Ordering::Relaxed);
        }
    }

    /// Since when all tries failed, if they do.
    pub(crate) fn failing_since(&self) -> Option<SystemTime> {
        let since = self.failing_since.load(Ordering::Relaxed);
        (since != 0).then(|| UNIX_EPOCH + Duration::from_secs(since))
    }

    fn queued(&self, records: u64) {
        self.queue.inc_by(i64::try_from(records).unwrap_or(0));
    }

    fn taken(&self, records: u64) {
        self.queue.dec_by(i64::try_from(records).unwrap_or(0));
    }

    fn give_up(&self, parcel: &Parcel, records: u64) {
        self.undelivered.inc_by(records);
        parcel.ticket.give_up();
    }
}

/// A sink as lanes see it.
#[derive(Clone)]
pub(crate) struct Outlet {
    pub(crate) inlet: Inlet,
    pub(crate) counts: Arc<SinkCounts>,
}

impl Outlet {
    /// Brings a parcel to the sink; waits while there is no room, unless the host ends.
    pub(crate) fn send(&self, parcel: Parcel, stop: &Stop) {
        let records = parcel.data.records;
        self.counts.queued(records);
        let bytes = parcel.data.bytes.len();
        let mut waiting = Parcel { waiting: Some(self.counts.waiting.enter(bytes)), ..parcel };
        loop {
            match self.inlet.push(waiting, LOOK) {
                Pushed::Queued => return,
                Pushed::Dropped => {
                    self.counts.taken(records);
                    self.counts.dropped.inc_by(records);
                    return;
                }
                Pushed::Full(parcel) if stop.is_now() => {
                    self.counts.taken(records);
                    self.counts.give_up(&parcel, records);
                    return;
                }
                Pushed::Full(parcel) => waiting = parcel,
            }
        }
    }
}
