//! Taking more than is given.

use crate::tamis::plugin::{log, metrics};
use std::hint::black_box;

pub(crate) fn endless() -> ! {
    let mut n = 0u64;
    loop {
        n = black_box(n.wrapping_add(1));
    }
}

pub(crate) fn memory_bomb() {
    let mut all: Vec<Vec<u8>> = Vec::new();
    loop {
        all.push(black_box(vec![1u8; 1 << 20]));
    }
}

#[inline(never)]
#[expect(unconditional_recursion, reason = "that is the point")]
pub(crate) fn recurse(depth: u64) -> u64 {
    let frame = black_box([depth; 8]);
    recurse(depth + 1).wrapping_add(black_box(frame)[3])
}

pub(crate) fn log_flood() {
    for i in 0..5_000 {
        log::write(log::Level::Info, &format!("line {i}\n\u{1b}[2Jforged\r{}", "y".repeat(4000)));
    }
}

pub(crate) fn metric_flood() {
    for i in 0..10_000 {
        metrics::add(&format!("counter_{i}"), 1);
    }
    metrics::add("Bad Name\n", 1);
    metrics::add(&"x".repeat(1 << 20), u64::MAX);
    metrics::add("counter_0", u64::MAX);
}
