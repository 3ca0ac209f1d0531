//! Compiling beside pipelines that run: on threads that give way to theirs.

use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::LazyLock;

/// What is added to the threads' niceness: a thread that runs a pipeline counts about three times as much as one of these, so that
/// a record waits for no compiler and a host at full speed still finishes compiling.
const NICENESS: i32 = 5;
/// Stack of a thread, in bytes, as a process's first thread has it.
const STACK_BYTES: usize = 8 << 20;

/// Made by the first component that is compiled beside others. The niceness of a thread cannot be taken back, so these do nothing else.
static THREADS: LazyLock<Option<ThreadPool>> = LazyLock::new(|| {
    let begin = |_| {
        // Refused, it competes with the pipelines, which goes as well.
        let _ = rustix::process::nice(NICENESS);
    };
    let threads = ThreadPoolBuilder::new().thread_name(|number| format!("compile {number}")).stack_size(STACK_BYTES).start_handler(begin);
    threads.build().inspect_err(|error| tracing::warn!("plugins are compiled at the priority of the pipelines: {error}")).ok()
});

/// Does the work, and what it does in parallel, in the background; waits for it.
pub(crate) fn run<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    match &*THREADS {
        Some(threads) => threads.install(work),
        None => work(),
    }
}
