//! What was measured, and whether it is good enough.

use super::account::Account;
use super::{Plan, Swap};
use serde::Serialize;

/// A record sent so long before a request may still be under way when it is taken up, in microseconds.
const BEFORE_US: u64 = 5_000;
/// A record sent so long after an answer belongs to the swap, in microseconds.
const AFTER_US: u64 = 20_000;
/// What a swap may add to the 99th percentile, in milliseconds.
pub const ADDED_MS_MAX: f64 = 10.0;
/// Reloads after which the memory must not grow any more, and by how much it may.
const WARM: usize = 100;
const GROWTH_MAX: f64 = 1.1;
/// Reloads of which the median is taken for the memory at one of them.
const AROUND: usize = 10;

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    /// How records came, and whether components were new ones.
    pub load: String,
    /// Configurations that took over.
    pub reloads: u64,
    /// Configurations that were refused.
    pub refused: u64,
    /// Records sent.
    pub sent: u64,
    /// Records a second.
    pub rate: f64,
    /// Records that never came.
    pub lost: u64,
    /// Records that came again.
    pub repeated: u64,
    /// Records that came after a later one.
    pub out_of_order: u64,
    /// Records that more than one generation worked on.
    pub mixed: u64,
    /// Records of a generation that another had already followed.
    pub backwards: u64,
    /// Generations that met records.
    pub generations: u64,
    /// Memory in MiB after so many reloads.
    pub memory_mib: Vec<(usize, f64)>,
    /// A reload that took over, from request to answer: median, 99th percentile and longest, in milliseconds.
    pub reload_ms: [f64; 3],
    /// Records while nothing changed, from sent to delivered: median, 99th percentile and longest, in milliseconds.
    pub quiet_ms: [f64; 3],
    /// Records sent around a reload.
    pub swap_ms: [f64; 3],
    /// Records sent around a configuration that was refused.
    pub refused_ms: [f64; 3],
}

impl Figures {
    pub(super) fn of(plan: &Plan, refused: u64, sent: u64, seconds: f64, account: &Account, swaps: &[Swap], memory: &[u64]) -> Self {
        let (mut quiet, mut swap, mut broken) = (Vec::new(), Vec::new(), Vec::new());
        let first = swaps.first().map_or(u64::MAX, |swap| swap.from);
        for (at, latency) in account.latencies.iter().filter(|(at, _)| at + 500_000 > first) {
            // The window that began last before it.
            let began = swaps.partition_point(|swap| swap.from.saturating_sub(BEFORE_US) <= *at);
            match began.checked_sub(1).and_then(|number| swaps.get(number)).filter(|swap| *at <= swap.until + AFTER_US) {
                Some(window) if window.applied => swap.push(*latency),
                Some(_) => broken.push(*latency),
                None => quiet.push(*latency),
            }
        }
        let took = swaps.iter().filter(|swap| swap.applied).map(|swap| swap.until - swap.from).collect();
        let marks = [10, WARM, 500, 1_000].into_iter().filter(|mark| *mark <= memory.len());
        Self {
            load: format!("{}{}", plan.load, if plan.fresh { ", new bytes" } else { "" }),
            reloads: plan.reloads,
            refused,
            sent,
            rate: sent as f64 / seconds,
            lost: account.lost(sent),
            repeated: account.repeated,
            out_of_order: account.out_of_order,
            mixed: account.mixed,
            backwards: account.backwards,
            generations: account.generations,
            memory_mib: marks.map(|mark| (mark, around(memory, mark))).collect(),
            reload_ms: percentiles(took),
            quiet_ms: percentiles(quiet),
            swap_ms: percentiles(swap),
            refused_ms: percentiles(broken),
        }
    }

    /// What a swap adds to the 99th percentile, in milliseconds.
    pub fn added_ms(&self) -> f64 {
        self.swap_ms[1] - self.quiet_ms[1]
    }

    /// How many times the memory of the hundredth reload the last one has; 1 where there are fewer.
    pub fn growth(&self) -> f64 {
        let warm = self.memory_mib.iter().find(|(mark, _)| *mark == WARM).map(|(_, mib)| *mib);
        let last = self.memory_mib.last().map(|(_, mib)| *mib);
        warm.zip(last).map_or(1.0, |(warm, last)| last / warm)
    }

    /// What is wrong with the records; empty when nothing is.
    pub fn problems(&self) -> Vec<String> {
        let counts = [
            ("lost", self.lost),
            ("repeated", self.repeated),
            ("out of order", self.out_of_order),
            ("the work of two generations", self.mixed),
            ("of an earlier generation", self.backwards),
        ];
        let mut problems: Vec<String> =
            counts.iter().filter(|(_, count)| *count > 0).map(|(what, count)| format!("{}: {count} records {what}", self.load)).collect();
        if self.generations < self.reloads {
            problems.push(format!("{}: only {} of {} generations met records", self.load, self.generations, self.reloads + 1));
        }
        if self.growth() > GROWTH_MAX {
            problems.push(format!("{}: the memory grew to {:.2} times what it was after {WARM} reloads", self.load, self.growth()));
        }
        problems
    }
}

/// Median, 99th percentile and longest of microseconds, in milliseconds.
fn percentiles(mut micros: Vec<u64>) -> [f64; 3] {
    micros.sort_unstable();
    let at = |share: f64| micros.get(((micros.len().max(1) - 1) as f64 * share) as usize).map_or(f64::NAN, |micros| *micros as f64 / 1e3);
    [at(0.5), at(0.99), at(1.0)]
}

/// MiB around a reload.
fn around(memory: &[u64], mark: usize) -> f64 {
    let mut some = memory.get(mark.saturating_sub(AROUND)..mark).unwrap_or_default().to_vec();
    some.sort_unstable();
    some.get(some.len() / 2).map_or(f64::NAN, |bytes| *bytes as f64 / f64::from(1 << 20))
}

/// The figures of several loads, side by side.
pub fn table(all: &[Figures]) -> String {
    let mut text = String::new();
    let mut row = |name: &str, value: &dyn Fn(&Figures) -> String| {
        text.push_str(&format!("{name:<42}"));
        all.iter().for_each(|figures| text.push_str(&format!(" {:>26}", value(figures))));
        text.push('\n');
    };
    let three = |[median, p99, max]: [f64; 3]| format!("{median:.2} / {p99:.2} / {max:.2}");
    row("", &|f| f.load.clone());
    row("reloads, broken configurations refused", &|f| format!("{}, {}", f.reloads, f.refused));
    row("records, a second", &|f| format!("{}, {:.0}", f.sent, f.rate));
    row("lost, repeated, out of order", &|f| format!("{}, {}, {}", f.lost, f.repeated, f.out_of_order));
    row("work of two generations, of an earlier one", &|f| format!("{}, {}", f.mixed, f.backwards));
    row("generations that met records", &|f| f.generations.to_string());
    let marks = all.iter().flat_map(|f| f.memory_mib.iter().map(|(mark, _)| *mark)).collect::<std::collections::BTreeSet<_>>();
    for mark in marks {
        row(&format!("memory after {mark} reloads, MiB"), &|f| {
            f.memory_mib.iter().find(|(at, _)| *at == mark).map_or_else(String::new, |(_, mib)| format!("{mib:.1}"))
        });
    }
    row("a reload: median / p99 / longest, ms", &|f| three(f.reload_ms));
    row("a record, nothing changing, ms", &|f| three(f.quiet_ms));
    row("a record around a reload, ms", &|f| three(f.swap_ms));
    row("a record around a refused one, ms", &|f| three(f.refused_ms));
    row("p99 that a reload adds, ms", &|f| format!("{:.2}", f.added_ms()));
    text
}
