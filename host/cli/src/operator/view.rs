//! What a host tells of itself, and what two readings a moment apart make of it.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// `GET /v1/status`, as far as it is shown. What another version does not tell is nothing.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Status {
    pub(super) version: String,
    pub(super) degraded: Option<String>,
    pub(super) generation: u64,
    pub(super) seconds: f64,
    pub(super) sources: Vec<Source>,
    pub(super) pipelines: Vec<Pipeline>,
    pub(super) sinks: Vec<Sink>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Source {
    pub(super) name: String,
    pub(super) held: u64,
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) lag_seconds: f64,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Pipeline {
    pub(super) name: String,
    #[serde(rename = "in")]
    pub(super) taken: u64,
    pub(super) out: u64,
    pub(super) dropped: u64,
    pub(super) rejected: u64,
    pub(super) held: u64,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Step {
    pub(super) name: String,
    pub(super) plugin: Option<String>,
    #[serde(rename = "in")]
    pub(super) taken: u64,
    pub(super) out: u64,
    pub(super) dropped: u64,
    pub(super) rejected: u64,
    pub(super) failed_calls: BTreeMap<String, u64>,
    pub(super) seconds: f64,
    pub(super) memory_bytes: u64,
    pub(super) breaker_open: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Sink {
    pub(super) name: String,
    pub(super) delivered: u64,
    pub(super) rejected: u64,
    pub(super) dropped: u64,
    pub(super) retries: u64,
    pub(super) queue_records: u64,
    pub(super) state: String,
    pub(super) failing_since: Option<String>,
    pub(super) spool: Option<Spool>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Spool {
    pub(super) batches: u64,
    /// What is to be delivered; a host of an earlier version does not tell.
    pub(super) waiting_bytes: Option<u64>,
    /// What it takes on the disk.
    pub(super) bytes: u64,
}

impl Status {
    pub(super) fn pipeline(&self, name: &str) -> Option<&Pipeline> {
        self.pipelines.iter().find(|pipeline| pipeline.name == name)
    }
}

/// A status and the moment it is of.
#[derive(Debug, Clone)]
pub(super) struct Reading {
    pub(super) at: Instant,
    pub(super) status: Status,
}

/// The two last readings; of a single one, rates are averages since the host's start.
#[derive(Debug, Clone)]
pub(super) struct Readings {
    before: Option<Reading>,
    pub(super) now: Reading,
}

impl Readings {
    pub(super) fn new(now: Reading) -> Self {
        Self { before: None, now }
    }

    /// Takes another one. One of a host that has begun anew has nothing before it.
    pub(super) fn push(&mut self, now: Reading) {
        let before = std::mem::replace(&mut self.now, now);
        self.before = (before.status.seconds <= self.now.status.seconds).then_some(before);
    }

    pub(super) fn status(&self) -> &Status {
        &self.now.status
    }

    /// How much a number grows a second. A number that is not there counts as 0.
    pub(super) fn rate(&self, number: impl Fn(&Status) -> Option<u64>) -> f64 {
        let now = number(&self.now.status).unwrap_or(0);
        let (before, time) = match &self.before {
            Some(before) => (number(&before.status).unwrap_or(0), self.now.at.saturating_duration_since(before.at)),
            None => (0, Duration::try_from_secs_f64(self.now.status.seconds).unwrap_or_default()),
        };
        now.saturating_sub(before) as f64 / time.as_secs_f64().max(1e-3)
    }

    /// Records that come to a pipeline a second.
    pub(super) fn rate_in(&self, pipeline: &str) -> f64 {
        self.rate(|status| Some(status.pipeline(pipeline)?.taken))
    }

    /// Records that leave it a second.
    pub(super) fn rate_out(&self, pipeline: &str) -> f64 {
        self.rate(|status| Some(status.pipeline(pipeline)?.out))
    }

    /// What a step takes of each second, over all lanes, and of each record in nanoseconds.
    pub(super) fn time(&self, pipeline: &str, step: &str) -> (f64, Option<f64>) {
        let of = |status: &Status| {
            let step = status.pipeline(pipeline)?.steps.iter().find(|s| s.name == step)?;
            Some((step.seconds, step.taken))
        };
        let (seconds, taken) = of(&self.now.status).unwrap_or_default();
        let before = self.before.as_ref().and_then(|before| of(&before.status)).unwrap_or_default();
        let span = match &self.before {
            Some(before) => self.now.at.saturating_duration_since(before.at).as_secs_f64(),
            None => self.now.status.seconds,
        };
        let (busy, records) = ((seconds - before.0).max(0.0), taken.saturating_sub(before.1));
        // With nothing since, that of all records there were.
        let each = if records > 0 { Some(busy / records as f64) } else { (taken > 0).then(|| seconds / taken as f64) };
        (busy / span.max(1e-3), each.map(|seconds| seconds * 1e9))
    }

    pub(super) fn step_rate(&self, pipeline: &str, step: &str, number: impl Fn(&Step) -> u64) -> f64 {
        self.rate(|status| Some(number(status.pipeline(pipeline)?.steps.iter().find(|s| s.name == step)?)))
    }

    pub(super) fn sink_rate(&self, sink: &str) -> f64 {
        self.rate(|status| Some(status.sinks.iter().find(|s| s.name == sink)?.delivered))
    }

    pub(super) fn source_rate(&self, source: &str, number: impl Fn(&Source) -> u64) -> f64 {
        self.rate(|status| Some(number(status.sources.iter().find(|s| s.name == source)?)))
    }
}

impl Step {
    /// Calls that failed, whatever for.
    pub(super) fn failures(&self) -> u64 {
        self.failed_calls.values().sum()
    }
}

/// `1234567` as `1.23M`: four characters and a letter.
pub(super) fn short(number: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    match units.iter().find(|(least, _)| number >= *least) {
        Some((least, unit)) => {
            let value = number / least;
            let digits = if value >= 100.0 {
                0
            } else if value >= 10.0 {
                1
            } else {
                2
            };
            format!("{value:.digits$}{unit}")
        }
        None if number >= 10.0 || number.fract() == 0.0 => format!("{number:.0}"),
        None => format!("{number:.1}"),
    }
}

/// Bytes, in units of 1,024.
pub(super) fn bytes(number: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let (mut value, mut unit) = (number as f64, 0);
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && value < 100.0);
    format!("{value:.digits$} {}", units.get(unit).copied().unwrap_or_default())
}

/// Nanoseconds, in the unit that fits.
pub(super) fn nanoseconds(number: Option<f64>) -> String {
    match number {
        None => "-".into(),
        Some(ns) if ns < 1e3 => format!("{ns:.0} ns"),
        Some(ns) if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        Some(ns) => format!("{:.1} ms", ns / 1e6),
    }
}

/// How long, in its two largest units.
pub(super) fn age(seconds: f64) -> String {
    let whole = Duration::try_from_secs_f64(seconds).unwrap_or_default().as_secs();
    match (whole / 86_400, whole / 3_600 % 24, whole / 60 % 60, whole % 60) {
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, ..) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(at: Instant, seconds: f64, taken: u64) -> Reading {
        let step = Step { name: "s".into(), taken, seconds: taken as f64 / 1e6, ..Step::default() };
        let pipeline = Pipeline { name: "p".into(), taken, steps: vec![step], ..Pipeline::default() };
        Reading { at, status: Status { seconds, pipelines: vec![pipeline], ..Status::default() } }
    }

    #[test]
    fn rates_are_of_the_time_between() {
        let start = Instant::now();
        let mut readings = Readings::new(reading(start, 100.0, 1_000));
        assert_eq!((readings.rate_in("p"), readings.rate_in("q")), (10.0, 0.0));
        readings.push(reading(start + Duration::from_secs(2), 102.0, 3_000));
        assert_eq!(readings.rate_in("p"), 1_000.0);
        let (busy, each) = readings.time("p", "s");
        assert!((busy - 0.001).abs() < 1e-9 && each.is_some_and(|ns| (ns - 1_000.0).abs() < 1e-6));
        // The host was started again.
        readings.push(reading(start + Duration::from_secs(4), 1.0, 50));
        assert_eq!(readings.rate_in("p"), 50.0);
    }

    #[test]
    fn numbers_are_short() {
        for (number, text) in
            [(0.0, "0"), (0.25, "0.2"), (12.4, "12"), (999.0, "999"), (1_234.0, "1.23k"), (56_789.0, "56.8k"), (1e9, "1.00G")]
        {
            assert_eq!(short(number), text);
        }
        assert_eq!((bytes(10), bytes(1536), bytes(200 << 20)), ("10 B".into(), "1.5 KiB".into(), "200 MiB".into()));
        assert_eq!((nanoseconds(None), nanoseconds(Some(450.0)), nanoseconds(Some(2.5e6))), ("-".into(), "450 ns".into(), "2.5 ms".into()));
        for (seconds, text) in
            [(0.0, "0 s"), (61.0, "1 min 1 s"), (7_300.0, "2 h 1 min"), (90_000.0, "1 d 1 h"), (f64::NAN, "0 s"), (1e300, "0 s")]
        {
            assert_eq!(age(seconds), text);
        }
    }

    #[test]
    fn what_is_not_told_is_nothing() {
        let status: Status = serde_json::from_str(r#"{"generation": 2, "sinks": [{"name": "out"}], "new": 1}"#).unwrap_or_default();
        assert_eq!((status.generation, status.sinks.len(), status.pipelines.len()), (2, 1, 0));
    }
}
