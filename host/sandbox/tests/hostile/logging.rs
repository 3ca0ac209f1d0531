//! Floods of log lines and counters.

use crate::guests::{hostile_with, step, texts};
use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use tamis_sandbox::{LOG_TARGET, Limits};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Keeps the messages of plugins.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == LOG_TARGET
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        struct Message(String);
        impl Visit for Message {
            fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
                if field.name() == "message" {
                    self.0 = format!("{value:?}");
                }
            }
        }
        let mut message = Message(String::new());
        event.record(&mut message);
        self.0.lock().unwrap().push(message.0);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[test]
fn a_log_flood_is_cut_and_counted() {
    let plugin = hostile_with(&Limits::default());
    let lines = Lines::default();
    tracing::subscriber::with_default(lines.clone(), || {
        let result = step(&plugin, "log-flood").process(1, &[&texts(1, &[])]);
        assert!(result.poisoned.is_empty(), "{:?}", result.poisoned);
    });
    let lines = lines.0.lock().unwrap();
    assert!((100..150).contains(&lines.len()), "{} lines", lines.len());
    assert!(plugin.log_lines_dropped() >= 5_000 - 150, "{}", plugin.log_lines_dropped());
    assert!(lines[0].starts_with("line 0\\n\\u{1b}[2Jforged\\ryyy"), "{}", lines[0]);
    assert!(lines.iter().all(|line| line.len() <= 1024 && !line.chars().any(char::is_control)));
}

#[test]
fn a_flood_of_counters_is_bounded() {
    let plugin = hostile_with(&Limits::default());
    let result = step(&plugin, "metric-flood").process(1, &[&texts(1, &[])]);
    assert!(result.poisoned.is_empty(), "{:?}", result.poisoned);
    let counters = plugin.counters();
    assert_eq!(counters.len(), 64);
    assert_eq!(counters.iter().find(|c| c.0 == "counter_0").unwrap().1, u64::MAX);
    assert_eq!(plugin.counters_refused(), 10_000 - 64 + 2);
}
