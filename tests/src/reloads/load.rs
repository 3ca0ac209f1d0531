//! How records come: so many a second, or as fast as they are taken.

use std::io::Write;
use std::process::ChildStdin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Records written at once at full speed.
const BLOCK: u64 = 500;
/// How often the paced one writes.
const TICK: Duration = Duration::from_millis(1);

/// How records come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// So many a second, evenly.
    Paced(u64),
    /// As fast as they are taken.
    Full,
}

impl std::fmt::Display for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Paced(rate) => write!(f, "{rate} records/s"),
            Self::Full => f.write_str("full speed"),
        }
    }
}

/// A load that comes.
pub(super) struct Sender {
    ended: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Load {
    /// Of how many records one latency is kept.
    pub(super) fn keep(self) -> u64 {
        match self {
            Self::Paced(_) => 1,
            Self::Full => 101,
        }
    }

    /// Begins to write numbered records that tell when they were sent, in microseconds since `zero`.
    pub(super) fn start(self, mut to: ChildStdin, zero: Instant) -> Sender {
        let ended = Arc::<AtomicBool>::default();
        let until = Arc::clone(&ended);
        let thread = std::thread::spawn(move || {
            let (began, mut sent, mut text) = (Instant::now(), 0, Vec::new());
            while !until.load(Ordering::Relaxed) {
                let count = match self {
                    Self::Full => BLOCK,
                    Self::Paced(rate) => {
                        std::thread::sleep(TICK);
                        (began.elapsed().as_secs_f64() * rate as f64) as u64 - sent
                    }
                };
                let now = zero.elapsed().as_micros();
                text.clear();
                for n in sent..sent + count {
                    // Writing into memory does not fail.
                    let _ = writeln!(text, "{{\"n\":{n},\"t\":{now},\"m\":\"a line of a log, as long as they are\"}}");
                }
                if to.write_all(&text).is_err() {
                    break;
                }
                sent += count;
            }
            sent
        });
        Sender { ended, thread }
    }
}

impl Sender {
    /// Ends it; gives how many records were sent.
    pub(super) fn finish(self) -> u64 {
        self.ended.store(true, Ordering::Relaxed);
        self.thread.join().unwrap_or(0)
    }
}
