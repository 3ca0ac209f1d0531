//! The lanes' threads. Each keeps a [`Lane`] for every generation of which frames are under way, mostly one.

use crate::generation::{Current, Generation};
use crate::lane::{Boarded, Lane};
use crate::pool::Pool;
use crate::sample::Samples;
use crate::shadow::Feed;
use crate::stop::{HaltOnPanic, Stop};
use crate::suspects::Suspicion;
use crate::tap::Taps;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often an idle lane looks whether the host stops.
const LOOK: Duration = Duration::from_millis(20);
/// Stack of a lane's thread: WebAssembly takes up to 512 KiB of it, VRL's interpreter recurses.
const STACK_BYTES: usize = 4 * 1024 * 1024;

/// What all lanes share.
#[derive(Clone)]
pub(crate) struct Lanes {
    pub(crate) current: Arc<Current>,
    pub(crate) stop: Stop,
    pub(crate) pool: Arc<Pool>,
    pub(crate) samples: Arc<Samples>,
    pub(crate) taps: Arc<Taps>,
    pub(crate) depth_max: u32,
    /// Where copies of frames are left for a shadow.
    pub(crate) feed: Arc<Feed>,
    /// Sources that have not ended.
    pub(crate) sources_left: Arc<AtomicUsize>,
    /// Lanes that have not ended.
    pub(crate) left: Arc<AtomicUsize>,
}

struct Thread {
    shared: Lanes,
    /// Whether it is the one of suspects, whose instances are made when they are needed, which they hardly ever are.
    aside: bool,
    made: Vec<(Weak<Generation>, Lane)>,
}

impl Lanes {
    pub(crate) fn start(&self, name: String, aside: bool, frames: Receiver<Boarded>) -> io::Result<JoinHandle<()>> {
        self.left.fetch_add(1, Ordering::SeqCst);
        let mut thread = Thread { shared: self.clone(), aside, made: Vec::new() };
        std::thread::Builder::new().name(name).stack_size(STACK_BYTES).spawn(move || {
            let _guard = HaltOnPanic(thread.shared.stop.clone());
            thread.run(&frames);
            let Lanes { left, current, .. } = &thread.shared;
            thread.made.clear();
            if left.fetch_sub(1, Ordering::SeqCst) == 1 {
                // Nobody brings anything to the sinks any more.
                current.set(None);
            }
        })
    }
}

impl Thread {
    fn run(&mut self, frames: &Receiver<Boarded>) {
        let Lanes { stop, sources_left, pool, feed, .. } = self.shared.clone();
        loop {
            let boarded = match frames.recv_timeout(LOOK) {
                Ok(boarded) => boarded,
                Err(RecvTimeoutError::Disconnected) => break,
                // A source may be stuck in a read that does not end, such as one of standard input.
                Err(RecvTimeoutError::Timeout) if stop.is_now() || (stop.is_draining() && sources_left.load(Ordering::SeqCst) == 0) => {
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.forget();
                    continue;
                }
            };
            if stop.is_now() {
                boarded.boarding.ticket.give_up();
                continue;
            }
            let (whence, generation, number) =
                (Arc::clone(&boarded.whence), Arc::clone(&boarded.generation), boarded.boarding.ticket.number());
            let aside = self.aside;
            let Some(lane) = self.lane(&generation) else {
                boarded.boarding.ticket.give_up();
                continue;
            };
            if boarded.recipient.is_none() {
                feed.offer(&whence.name, &boarded.frame);
            }
            let (parcels, memory) = lane.run(boarded, &pool);
            let failing = lane.failing();
            let (records, errors) = lane.tally();
            generation.tally.add(records, errors);
            if let Some(memory) = memory {
                pool.give(memory);
            }
            whence.hand_over(number, generation, parcels, &stop);
            if whence.suspicion.note(failing) {
                tracing::warn!(
                    source = &*whence.name,
                    "its records make a plugin run into its limits: they are taken to a lane of their own"
                );
            }
            if aside {
                stop.pause(Suspicion::rest(failing));
            }
        }
    }

    /// The lane for frames of a generation.
    fn lane(&mut self, generation: &Arc<Generation>) -> Option<&mut Lane> {
        let at = match self.made.iter().position(|(of, _)| std::ptr::eq(of.as_ptr(), Arc::as_ptr(generation))) {
            Some(at) => at,
            None => {
                self.forget();
                let Lanes { stop, samples, taps, depth_max, .. } = &self.shared;
                let ready = if self.aside { None } else { generation.lane() };
                let lane = match ready {
                    Some(lane) => lane,
                    None => match Lane::new(Arc::clone(&generation.graph), stop.clone(), Arc::clone(samples), Arc::clone(taps), *depth_max)
                    {
                        Ok(lane) => lane,
                        Err(failure) => {
                            stop.halt(format!("a plugin does not start: {failure}"));
                            return None;
                        }
                    },
                };
                self.made.push((Arc::downgrade(generation), lane));
                self.made.len() - 1
            }
        };
        self.made.get_mut(at).map(|(_, lane)| lane)
    }

    /// Lets go of the lanes of generations that are over.
    fn forget(&mut self) {
        self.made.retain(|(generation, _)| generation.strong_count() > 0);
    }
}
