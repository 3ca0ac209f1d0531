//! The threads that serve connections, shared by all sources and sinks of the host.

use std::sync::OnceLock;
use tokio::runtime::{Builder, Runtime};

/// Threads: parsing and unpacking are done on them, lanes need the cores.
const THREADS_MAX: usize = 4;

static RUNTIME: OnceLock<Runtime> = OnceLock::new();

/// The runtime; made when it is first asked for.
///
/// # Errors
/// The system gives no more threads.
pub(crate) fn runtime() -> Result<&'static Runtime, String> {
    if let Some(runtime) = RUNTIME.get() {
        return Ok(runtime);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name("network").enable_all().build();
    let runtime = runtime.map_err(|error| format!("cannot start the threads for connections: {error}"))?;
    Ok(RUNTIME.get_or_init(|| runtime))
}
