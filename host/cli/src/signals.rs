//! SIGTERM and SIGINT: the first drains, the second ends at once. SIGHUP reloads, where there is something to reload.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tamis_admin::control::{Ask, Control, Request};
use tamis_runtime::Stop;
use tokio::signal::unix::{SignalKind, signal};

/// Watches for signals as long as the future is polled. Sets `interrupted` on SIGINT; asks `control` on SIGHUP, once it is there.
pub(crate) async fn watch(stop: Stop, interrupted: Arc<AtomicBool>, control: Arc<OnceLock<Control>>) -> std::io::Result<()> {
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
        if stop.is_draining() {
            tracing::warn!("{name} again: ending now");
            stop.now();
        } else {
            tracing::info!("{name}: delivering what was read, then ending; once more to end now");
            stop.drain();
        }
    }
}
