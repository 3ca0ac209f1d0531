//! Hears what a plugin logs. The sandbox writes a plugin's lines as events of one target; here they are kept instead.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tamis_sandbox::LOG_TARGET;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Metadata, Subscriber};

/// Log lines that a run keeps; more are counted.
pub const LINES_MAX: usize = 10_000;

/// A log line's level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks closely.
    Debug,
    /// For whoever looks.
    Info,
    /// Something is odd.
    Warn,
    /// Something is wrong.
    Error,
}

impl Level {
    /// The word: `debug`, `info`, `warn` or `error`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// A line that the plugin logged, as the host would write it: clipped and without control characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Its level.
    pub level: Level,
    /// What it says.
    pub message: String,
}

/// What was heard.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) lines: Vec<Line>,
    /// Lines beyond [`LINES_MAX`].
    pub(crate) left_out: u64,
}

/// Listens to this thread.
#[derive(Debug, Clone)]
pub(crate) struct Listener {
    heard: Arc<Mutex<Heard>>,
    dispatch: Dispatch,
}

impl Listener {
    pub(crate) fn new() -> Self {
        let heard = Arc::<Mutex<Heard>>::default();
        let dispatch = Dispatch::new(Ear { heard: Arc::clone(&heard) });
        Self { heard, dispatch }
    }

    /// Does the work and keeps what it logs.
    pub(crate) fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        tracing::dispatcher::with_default(&self.dispatch, work)
    }

    /// What was heard since the last call.
    pub(crate) fn take(&self) -> Heard {
        std::mem::take(&mut *self.heard.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

struct Ear {
    heard: Arc<Mutex<Heard>>,
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == LOG_TARGET
    }

    fn event(&self, event: &Event<'_>) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        if heard.lines.len() >= LINES_MAX {
            heard.left_out += 1;
            return;
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        let level = match *event.metadata().level() {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            _ => Level::Debug,
        };
        heard.lines.push(Line { level, message: message.0 });
    }

    // Plugins have no spans.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}
