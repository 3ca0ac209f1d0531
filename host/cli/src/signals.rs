//! SIGTERM and SIGINT: the first drains, the second ends at once. SIGHUP changes nothing yet, and above all it does not end the host.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tamis_runtime::Stop;
use tokio::signal::unix::{SignalKind, signal};

/// Watches for signals as long as the future is polled. Sets `interrupted` on SIGINT.
pub(crate) async fn watch(stop: Stop, interrupted: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    let mut int = signal(SignalKind::interrupt())?;
    let mut hup = signal(SignalKind::hangup())?;
    // SIGXFSZ (25), a file beyond `ulimit -f`: with a handler the write fails instead, and is tried again like any other.
    let _file_size = signal(SignalKind::from_raw(25))?;
    loop {
        let name = tokio::select! {
            _ = hup.recv() => {
                tracing::warn!("SIGHUP: this host does not reload while it runs; restart it to take up a changed configuration");
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
