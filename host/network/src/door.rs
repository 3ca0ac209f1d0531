//! Between the tasks that serve connections and the source's own thread, which knows the lanes.
//!
//! What clients send waits for its delivery within a bound in bytes. Small requests travel together: the source's thread joins what has
//! come meanwhile into one frame, so that a client that sends one record at a time costs no batch each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tamis_codecs::{Frame, Rejected};
use tamis_config::ServerLimits;
use tamis_nodes::sources::{Events, Outlet, RunOptions, Stream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// How often the source's thread looks whether the host stops.
const LOOK: Duration = Duration::from_millis(50);
/// How long a client waits for room before it is told to come again.
const ROOM: Duration = Duration::from_secs(1);
/// The event of records whose senders do not have them any more, and that nobody took.
pub(crate) const LOST: &str = "lost_at_stop";
/// What a record counts beside its bytes.
const RECORD_BYTES: usize = 64;

/// Why records were not taken. The client still has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refused {
    /// Too much waits.
    #[error("too many records wait to be delivered; come again")]
    Busy,
    /// They were taken, and were not delivered within the time. They may still be: the client's repetition may come twice.
    #[error("the records were not delivered within the time; come again")]
    Late,
    /// They were taken, and a sink has given them up; others may have delivered them.
    #[error("the records could not be delivered; come again")]
    GivenUp,
    /// The host ends.
    #[error("the host is stopping")]
    Stopping,
}

enum Event {
    Came(Came),
    /// Something may have become safe.
    Safe,
}

struct Came {
    stream: Arc<str>,
    frame: Frame,
    done: oneshot::Sender<Result<(), Refused>>,
    /// Held until the records are safe.
    room: OwnedSemaphorePermit,
}

/// Where connections hand in records. Clones share it.
#[derive(Clone)]
pub(crate) struct Door {
    events: Sender<Event>,
    room: Arc<Semaphore>,
    room_bytes: u32,
    patience: Duration,
    closed: Arc<AtomicBool>,
    counted: Events,
}

/// The source's side of a door.
pub(crate) struct Pump {
    events: Receiver<Event>,
    own: Sender<Event>,
    closed: Arc<AtomicBool>,
}

/// How a source ends that tells its connections at once that the host stops.
pub(crate) struct Ending<'a> {
    /// Tells them; again is the same as once.
    pub(crate) begin: Arc<dyn Fn() + Send + Sync>,
    pub(crate) lingering: Option<Lingering<'a>>,
}

/// For senders that do not come again with what was not taken: what they sent already is taken before.
pub(crate) struct Lingering<'a> {
    /// Whether the connections have ended.
    pub(crate) ended: &'a dyn Fn() -> bool,
    /// How long that may take.
    pub(crate) limit: Duration,
}

/// A door and its other side.
pub(crate) fn door(limits: &ServerLimits, counted: Events) -> (Door, Pump) {
    let (events, other) = mpsc::channel();
    let room_bytes = u32::try_from(limits.in_flight.0).unwrap_or(u32::MAX);
    let closed = Arc::<AtomicBool>::default();
    let room = Arc::new(Semaphore::new(room_bytes as usize));
    let pump = Pump { events: other, own: events.clone(), closed: Arc::clone(&closed) };
    (Door { events, room, room_bytes, patience: limits.ack_timeout, closed, counted }, pump)
}

impl Door {
    /// Counts something that happened (`tamis_source_events_total`).
    pub(crate) fn count(&self, event: &'static str, count: u64) {
        (self.counted)(event, count);
    }

    /// Hands in records; when they are safe is to be waited for.
    pub(crate) async fn begin(&self, stream: &Arc<str>, frame: Frame) -> Result<Waiting, Refused> {
        let room = tokio::time::timeout(ROOM, self.room_for(&frame)).await.map_err(|_| Refused::Busy)?;
        self.enter(stream, frame, room?)
    }

    /// The same for what follows in a request of which `first` was handed in. To turn it away would make that come twice, so it waits
    /// for room as long as the request's answer may take.
    pub(crate) async fn go_on(&self, first: &Waiting, stream: &Arc<str>, frame: Frame) -> Result<Waiting, Refused> {
        let room = tokio::time::timeout_at(first.until, self.room_for(&frame)).await.map_err(|_| Refused::Late)?;
        Ok(Waiting { until: first.until, ..self.enter(stream, frame, room?)? })
    }

    /// The same for clients that cannot be told to come again: waits for room as long as it takes.
    pub(crate) async fn begin_patiently(&self, stream: &Arc<str>, frame: Frame) -> Result<Waiting, Refused> {
        let room = self.room_for(&frame).await?;
        self.enter(stream, frame, room)
    }

    async fn room_for(&self, frame: &Frame) -> Result<OwnedSemaphorePermit, Refused> {
        let rejected = frame.rejected.iter().map(|rejected| rejected.bytes.len() + rejected.reason.len() + RECORD_BYTES).sum::<usize>();
        let bytes = frame.records.text.len() + rejected + frame.count() * RECORD_BYTES;
        // What is larger than all the room waits until there is all the room.
        let wanted = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.room_bytes);
        Arc::clone(&self.room).acquire_many_owned(wanted).await.map_err(|_| Refused::Stopping)
    }

    fn enter(&self, stream: &Arc<str>, frame: Frame, room: OwnedSemaphorePermit) -> Result<Waiting, Refused> {
        let (done, told) = oneshot::channel();
        if self.closed.load(Ordering::SeqCst) {
            return Err(Refused::Stopping);
        }
        self.events.send(Event::Came(Came { stream: Arc::clone(stream), frame, done, room })).map_err(|_| Refused::Stopping)?;
        Ok(Waiting { told, until: tokio::time::Instant::now() + self.patience })
    }
}

/// Records that were handed in.
pub(crate) struct Waiting {
    told: oneshot::Receiver<Result<(), Refused>>,
    /// When a client that can be told to come again is told so.
    until: tokio::time::Instant,
}

impl Waiting {
    /// Waits until they are delivered or spooled, as long as a request's answer may take.
    pub(crate) async fn done(self) -> Result<(), Refused> {
        match tokio::time::timeout_at(self.until, self.told).await {
            Ok(Ok(told)) => told,
            Ok(Err(_)) => Err(Refused::Stopping),
            Err(_) => Err(Refused::Late),
        }
    }

    /// The same, as long as it takes.
    pub(crate) async fn settled(&mut self) -> Result<(), Refused> {
        (&mut self.told).await.unwrap_or(Err(Refused::Stopping))
    }
}

/// Where the first record of a run stands: nanoseconds since 1970, so that no record of a later run stands where one of this run does.
/// Sinks that make identifiers of where a record came from depend on it.
fn first_position() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or_default()
}

/// Those who wait for a frame.
type Waiters = Vec<(oneshot::Sender<Result<(), Refused>>, OwnedSemaphorePermit)>;

impl Pump {
    /// Brings what comes to the lanes and tells who waits, until the host stops; then takes nothing more, and waits until what came is
    /// settled. Where the source lingers it takes what connections hand in until they have ended.
    pub(crate) fn run(self, options: &RunOptions, outlet: &mut dyn Outlet, ending: Option<&Ending<'_>>) {
        let Self { events, own, closed } = self;
        let lingering = ending.and_then(|ending| ending.lingering.as_ref());
        let told = Arc::<AtomicBool>::default();
        let waking = Arc::clone(&told);
        outlet.pass_given_up();
        if let Some(Ending { begin, lingering: Some(_) }) = ending {
            // While the sinks take nothing, connections must not wait for them to be told.
            outlet.until_finish(Arc::clone(begin));
        }
        outlet.on_safe(Arc::new(move || {
            if !waking.swap(true, Ordering::SeqCst) {
                let _ = own.send(Event::Safe);
            }
        }));
        let mut state = Pumping {
            outlet,
            options,
            events,
            told,
            pending: VecDeque::new(),
            waiting: BTreeMap::new(),
            next: 1,
            base: first_position(),
            refused: 0,
        };
        while !state.outlet.stopping() && !options.is_over() && state.turn() {}
        if let Some(Ending { begin, .. }) = ending {
            begin();
        }
        if let Some(Lingering { ended, limit }) = lingering {
            let until = Instant::now() + *limit;
            while !ended() && Instant::now() < until && state.refused == 0 && state.turn() {}
        }
        closed.store(true, Ordering::SeqCst);
        state.pending.extend(state.events.try_iter().filter_map(Event::came));
        while lingering.is_some() && !state.pending.is_empty() && state.send() {}
        for Came { frame, done, .. } in std::mem::take(&mut state.pending) {
            state.refused += frame.count() as u64;
            let _ = done.send(Err(Refused::Stopping));
        }
        if lingering.is_some() && state.refused > 0 {
            state.outlet.event(LOST, state.refused);
            tracing::warn!(source = &*options.name, "{} records were read and not taken by any pipeline: the host stopped", state.refused);
        }
        state.outlet.finish();
        state.tell();
        for (done, _) in std::mem::take(&mut state.waiting).into_values().flatten() {
            let _ = done.send(Err(Refused::Stopping));
        }
    }
}

impl Event {
    fn came(self) -> Option<Came> {
        match self {
            Event::Came(came) => Some(came),
            Event::Safe => None,
        }
    }
}

struct Pumping<'a> {
    outlet: &'a mut dyn Outlet,
    options: &'a RunOptions,
    events: Receiver<Event>,
    /// Whether [`Event::Safe`] is on its way.
    told: Arc<AtomicBool>,
    pending: VecDeque<Came>,
    /// Who waits, by the number of the frame.
    waiting: BTreeMap<u64, Waiters>,
    next: u64,
    /// [`first_position`] and the bytes that came before.
    base: u64,
    /// Records that the lanes did not take.
    refused: u64,
}

impl Pumping<'_> {
    /// Waits for what comes, and brings it to the lanes. `false`: nothing can come any more.
    fn turn(&mut self) -> bool {
        match self.events.recv_timeout(LOOK) {
            Ok(Event::Came(came)) => self.pending.push_back(came),
            Ok(Event::Safe) => {
                self.told.store(false, Ordering::SeqCst);
                self.tell();
                return true;
            }
            Err(RecvTimeoutError::Timeout) => return true,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        while let Ok(event) = self.events.try_recv() {
            match event {
                Event::Came(came) => self.pending.push_back(came),
                Event::Safe => self.told.store(false, Ordering::SeqCst),
            }
        }
        while !self.pending.is_empty() && self.send() {
            self.tell();
        }
        true
    }

    /// Brings the first of what has come, and what fits to it, to the lanes as one frame. `false`: the host stops.
    fn send(&mut self) -> bool {
        let Some(Came { stream, mut frame, done, room }) = self.pending.pop_front() else { return true };
        let mut waiters = vec![(done, room)];
        let base = self.base;
        place(&mut frame, base);
        while let Some(next) = self.pending.front()
            && next.stream == stream
            && frame.count() + next.frame.count() <= self.options.records_max
            && frame.records.text.len() + next.frame.records.text.len() <= self.options.frame_bytes
        {
            let Some(Came { frame: mut next, done, room, .. }) = self.pending.pop_front() else { break };
            place(&mut next, base + frame.bytes);
            join(&mut frame, next);
            waiters.push((done, room));
        }
        self.base += frame.bytes;
        let number = self.next;
        self.next += 1;
        self.waiting.insert(number, waiters);
        let count = frame.count() as u64;
        let taken = self.outlet.send(&Stream { id: 0, name: stream }, frame, number);
        self.refused += if taken { 0 } else { count };
        taken
    }

    /// Tells all whose frames are safe, and all whose frames never will be.
    fn tell(&mut self) {
        let safe = self.outlet.safe().pop();
        for number in self.outlet.given_up() {
            for (done, _) in self.waiting.remove(&number).into_iter().flatten() {
                let _ = done.send(Err(Refused::GivenUp));
            }
        }
        let Some((_, safe)) = safe else { return };
        let later = self.waiting.split_off(&(safe + 1));
        for (done, room) in std::mem::replace(&mut self.waiting, later).into_values().flatten() {
            let _ = done.send(Ok(()));
            drop(room);
        }
    }
}

/// Sets where a frame's records stand among all that came.
fn place(frame: &mut Frame, base: u64) {
    let bytes = frame.records.text.len() as u64;
    let offsets = match frame.offsets.take() {
        Some(offsets) => offsets.into_iter().map(|offset| base + offset).collect(),
        None => frame.records.rows.iter().map(|(from, _)| base + u64::from(*from)).collect(),
    };
    frame.offsets = Some(offsets);
    frame.rejected.iter_mut().for_each(|rejected: &mut Rejected| rejected.offset += base);
    frame.base = base;
    frame.bytes = frame.bytes.max(bytes);
}

fn join(frame: &mut Frame, next: Frame) {
    let from = frame.records.text.len() as u32;
    frame.records.text.extend_from_slice(&next.records.text);
    frame.records.rows.extend(next.records.rows.iter().map(|(begin, end)| (begin + from, end + from)));
    if let (Some(offsets), Some(more)) = (&mut frame.offsets, next.offsets) {
        offsets.extend(more);
    }
    frame.rejected.extend(next.rejected);
    frame.bytes += next.bytes;
}

/// How long ago something began, for logs that are not to be written too often.
#[derive(Debug)]
pub(crate) struct Seldom(Mutex<Option<Instant>>);

impl Seldom {
    /// Never yet.
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Whether it is time again: once in ten seconds.
    pub(crate) fn is_time(&self) -> bool {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = last.is_none_or(|last| last.elapsed() > Duration::from_secs(10));
        if is_time {
            *last = Some(Instant::now());
        }
        is_time
    }
}
