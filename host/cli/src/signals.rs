//! SIGTERM and SIGINT: the first drains, the second ends at once. SIGHUP reloads, where there is something to reload.
//!
//! With `--drain-files` SIGTERM lets sources go on until their files are read: whoever wrote them has ended, and they go with the pod.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};
use tamis_admin::control::{Ask, Control, Request};
use tamis_runtime::{Metrics, Stop};
use tokio::signal::unix::{SignalKind, signal};

/// How often to look whether files are read to their end.
const LOOK: Duration = Duration::from_millis(50);
/// How long nothing may be left: sources look around for new files every `poll`, 250 ms unless told otherwise.
const QUIET: Duration = Duration::from_secs(1);

/// Files that are read to their end before a stop.
pub(crate) struct Files {
    /// Which know how far they are read.
    pub(crate) metrics: Arc<Metrics>,
    /// How long that may take.
    pub(crate) time: Duration,
}

impl Files {
    /// Waits until nothing was left for a while, or for as long as it may take.
    async fn read(self) {
        let began = Instant::now();
        let mut nothing_since = None;
        while began.elapsed() < self.time {
            match self.metrics.unread_bytes() {
                0 if nothing_since.get_or_insert_with(Instant::now).elapsed() >= QUIET => return,
                0 => {}
                _ => nothing_since = None,
            }
            tokio::time::sleep(LOOK).await;
        }
        tracing::warn!(
            "{} bytes of files are not read within {} ms: stopping without them",
            self.metrics.unread_bytes(),
            self.time.as_millis()
        );
    }
}

/// Watches for signals as long as the future is polled. Sets `interrupted` on SIGINT; asks `control` on SIGHUP, once it is there. Before
/// a stop by SIGTERM `files` are read to their end.
pub(crate) async fn watch(
    stop: Stop,
    interrupted: Arc<AtomicBool>,
    control: Arc<OnceLock<Control>>,
    mut files: Option<Files>,
) -> std::io::Result<()> {
    let mut is_reading = false;
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    // SIGXFSZ (25), a file beyond `ulimit -f`: with a handler the write fails instead, and is tried again like any other.
    let _file_size = signal(SignalKind::from_raw(25))?;
    loop {
        let name = tokio::select! {
            _ = hup.recv() => {
                match control.get() {
                    Some(control) => {
                        let request = Request { ask: Ask::Reload, who: "SIGHUP".into(), why: None };
                        // One that is refused because many wait is covered by them.
                        let _ = control.ask(request, drop);
                    }
                    None => tracing::warn!("SIGHUP: a run with `--once`, or one that only starts, does not reload"),
                }
                continue;
            }
            _ = term.recv() => "SIGTERM",
            _ = int.recv() => {
                interrupted.store(true, Ordering::SeqCst);
                "SIGINT"
            }
        };
        if stop.is_draining() || is_reading {
            tracing::warn!("{name} again: ending now");
            stop.now();
        } else if let Some(files) = files.take_if(|_| name == "SIGTERM") {
            tracing::info!("SIGTERM: reading files to their end, delivering, then ending; once more to end now");
            is_reading = true;
            let stop = stop.clone();
            tokio::spawn(async move {
                files.read().await;
                stop.drain();
            });
        } else {
            tracing::info!("{name}: delivering what was read, then ending; once more to end now");
            stop.drain();
        }
    }
}
