//! What was counted, by metric and labels.

use crate::document::Document;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tamis_config::{PrometheusKind, PrometheusMetric, PrometheusSink};

/// Bytes of a label's value; the rest is cut off.
pub(super) const LABEL_BYTES_MAX: usize = 256;
/// How often it is looked for series that nobody has counted in for long.
const SWEEP: Duration = Duration::from_secs(1);

/// Why a record does not count in a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skipped {
    NoObject,
    Missing,
    NoNumber,
    Negative,
    /// With it, the sum of all would be none that a number of 64 bits can hold.
    TooLarge,
}

impl Skipped {
    pub(super) const ALL: [Self; 5] = [Self::NoObject, Self::Missing, Self::NoNumber, Self::Negative, Self::TooLarge];

    /// As the metric's label names it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::NoObject => "not_an_object",
            Self::Missing => "missing",
            Self::NoNumber => "not_a_number",
            Self::Negative => "negative",
            Self::TooLarge => "too_large",
        }
    }
}

/// All metrics of a sink.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) metrics: Vec<Metric>,
    pub(super) series_max: usize,
    idle: Duration,
    swept: Instant,
    /// Series of all metrics, as Prometheus counts them.
    pub(super) series: usize,
}

/// A metric and its series by the values of its labels.
#[derive(Debug)]
pub(super) struct Metric {
    pub(super) config: PrometheusMetric,
    pub(super) series: BTreeMap<Vec<Box<str>>, Series>,
    /// Records that were skipped, by [`Skipped::ALL`].
    pub(super) skipped: [u64; Skipped::ALL.len()],
    /// Records that would have made a series too many.
    pub(super) refused: u64,
    /// Values of labels that were cut.
    pub(super) cut: u64,
}

#[derive(Debug)]
pub(super) struct Series {
    pub(super) value: Value,
    last: Instant,
}

#[derive(Debug, PartialEq)]
pub(super) enum Value {
    Number(f64),
    /// The sum of all values, and how many lie within each bound and above that of the one before; the last has no bound.
    Histogram {
        sum: f64,
        counts: Box<[u64]>,
    },
}

impl Table {
    pub(super) fn new(config: &PrometheusSink) -> Self {
        let metric = |config: &PrometheusMetric| Metric {
            config: config.clone(),
            series: BTreeMap::new(),
            skipped: [0; Skipped::ALL.len()],
            refused: 0,
            cut: 0,
        };
        Self {
            metrics: config.metrics.iter().map(metric).collect(),
            series_max: config.max_series as usize,
            idle: config.idle,
            swept: Instant::now(),
            series: 0,
        }
    }

    /// Counts a record in all metrics.
    pub(super) fn count(&mut self, line: &[u8], now: Instant) {
        let document = Document::parse(line);
        let mut refused = false;
        for number in 0..self.metrics.len() {
            let room = self.series_max.saturating_sub(self.series);
            let Some(metric) = self.metrics.get_mut(number) else { continue };
            let before = metric.refused;
            let counted = match &document {
                Some(document) => metric.count(document, room, now),
                None => Err(Skipped::NoObject),
            };
            match counted {
                Ok(new) => self.series += new,
                Err(skipped) => metric.skip(skipped),
            }
            refused |= metric.refused > before;
        }
        // Room is made when it is wanted; else whoever fetches sees to it.
        if refused {
            self.sweep(now);
        }
    }

    /// Forgets the series in which nothing was counted for long.
    pub(super) fn sweep(&mut self, now: Instant) {
        if now.saturating_duration_since(self.swept) < SWEEP {
            return;
        }
        self.swept = now;
        for metric in &mut self.metrics {
            metric.series.retain(|_, series| now.saturating_duration_since(series.last) < self.idle);
        }
        self.series = self.metrics.iter().map(|metric| metric.series.len() * metric.weight()).sum();
    }
}

impl Metric {
    /// How many series a set of labels makes: a histogram has one for each bound, one without, a sum and a count.
    fn weight(&self) -> usize {
        match self.config.kind {
            PrometheusKind::Counter | PrometheusKind::Gauge => 1,
            PrometheusKind::Histogram => self.config.bounds().len() + 3,
        }
    }

    fn skip(&mut self, why: Skipped) {
        if let Some(place) = Skipped::ALL.iter().position(|one| *one == why).and_then(|place| self.skipped.get_mut(place)) {
            *place += 1;
        }
    }

    /// Counts a record. Gives how many series that made.
    fn count(&mut self, document: &Document<'_>, room: usize, now: Instant) -> Result<usize, Skipped> {
        let value = self.value(document)?;
        let mut labels = Vec::with_capacity(self.config.labels.len());
        for path in self.config.labels.values() {
            let text = document.text(path).unwrap_or(Cow::Borrowed(""));
            let end = text.floor_char_boundary(LABEL_BYTES_MAX);
            self.cut += u64::from(end < text.len());
            labels.push(Box::from(text.get(..end).unwrap_or_default()));
        }
        if let Some(series) = self.series.get_mut(&labels) {
            if !series.value.has_room(self.config.kind, value) {
                return Err(Skipped::TooLarge);
            }
            series.last = now;
            series.value.add(self.config.kind, value, self.config.bounds());
            return Ok(0);
        }
        let weight = self.weight();
        if weight > room {
            self.refused += 1;
            return Ok(0);
        }
        let mut first = match self.config.kind {
            PrometheusKind::Counter | PrometheusKind::Gauge => Value::Number(0.0),
            PrometheusKind::Histogram => Value::Histogram { sum: 0.0, counts: vec![0; self.config.bounds().len() + 1].into() },
        };
        first.add(self.config.kind, value, self.config.bounds());
        self.series.insert(labels, Series { value: first, last: now });
        Ok(weight)
    }

    fn value(&self, document: &Document<'_>) -> Result<f64, Skipped> {
        let Some(path) = &self.config.value else { return Ok(1.0) };
        let text = document.text(path).ok_or(Skipped::Missing)?;
        let value = text.trim().parse().ok().filter(|value: &f64| value.is_finite()).ok_or(Skipped::NoNumber)?;
        match self.config.kind {
            PrometheusKind::Counter if value < 0.0 => Err(Skipped::Negative),
            _ => Ok(value),
        }
    }
}

impl Value {
    /// Whether it stays a number when another one is added: a sum that is infinite says nothing for ever.
    fn has_room(&self, kind: PrometheusKind, value: f64) -> bool {
        match self {
            Self::Number(number) => kind == PrometheusKind::Gauge || (number + value).is_finite(),
            Self::Histogram { sum, .. } => (sum + value).is_finite(),
        }
    }

    fn add(&mut self, kind: PrometheusKind, value: f64, bounds: &[f64]) {
        match self {
            Self::Number(number) if kind == PrometheusKind::Gauge => *number = value,
            Self::Number(number) => *number += value,
            Self::Histogram { sum, counts } => {
                *sum += value;
                if let Some(count) = counts.get_mut(bounds.partition_point(|bound| *bound < value)) {
                    *count += 1;
                }
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
pub(super) mod tests {
    use super::*;
    use tamis_config::{ProcessEnvironment, Sink};

    pub(in crate::prometheus) fn table(options: &str) -> Table {
        let yaml = format!("version: 1\nsinks: {{ out: {{ type: prometheus, listen: '127.0.0.1:0', {options} }} }}\n");
        let (config, problems) = tamis_config::Config::parse("a.yaml", &yaml, std::path::Path::new(""), &ProcessEnvironment);
        let config = config.unwrap_or_else(|| panic!("{}", problems.render(false)));
        let Sink::Prometheus(config) = &config.sinks["out"].value else { panic!() };
        Table::new(config)
    }

    fn number(table: &Table, metric: usize, labels: &[&str]) -> Option<f64> {
        let labels: Vec<Box<str>> = labels.iter().map(|label| Box::from(*label)).collect();
        match table.metrics[metric].series.get(&labels)?.value {
            Value::Number(number) => Some(number),
            Value::Histogram { .. } => None,
        }
    }

    #[test]
    fn records_as_counters_gauges_and_histograms() {
        let mut table = table(
            "metrics: [{ name: requests_total, type: counter, labels: { status: http.status, team: team } },
              { name: bytes_total, type: counter, value: bytes }, { name: load, type: gauge, value: load },
              { name: seconds, type: histogram, value: s, buckets: [1, 2.5] }]",
        );
        for line in [
            r#"{"http":{"status":200},"team":"a","bytes":10,"load":-0.5,"s":1}"#,
            r#"{"http":{"status":"200"},"team":"a","bytes":"2.5","load":3,"s":2.5}"#,
            r#"{"http":{"status":500},"bytes":-1,"load":true,"s":"NaN"}"#,
            r#"{"http":{},"team":null,"bytes":"many","s":1e400}"#,
            r#"{"s":100}"#,
            "7",
        ] {
            table.count(line.as_bytes(), Instant::now());
        }
        assert_eq!(
            (number(&table, 0, &["200", "a"]), number(&table, 0, &["500", ""]), number(&table, 0, &["", ""])),
            (Some(2.0), Some(1.0), Some(2.0))
        );
        assert_eq!((number(&table, 1, &[]), number(&table, 2, &[])), (Some(12.5), Some(3.0)));
        let histogram = &table.metrics[3].series[&Vec::new()].value;
        assert_eq!(*histogram, Value::Histogram { sum: 103.5, counts: [1, 1, 1].into() });
        let skipped: Vec<[u64; 5]> = table.metrics.iter().map(|metric| metric.skipped).collect();
        assert_eq!(skipped, [[1, 0, 0, 0, 0], [1, 1, 1, 1, 0], [1, 2, 1, 0, 0], [1, 0, 2, 0, 0]]);
        assert_eq!(table.series, 3 + 1 + 1 + 5);
    }

    #[test]
    fn sums_stay_finite_and_counters_never_fall() {
        let mut table = table(
            "metrics: [{ name: n_total, type: counter, value: v }, { name: g, type: gauge, value: v },
              { name: h, type: histogram, value: v, buckets: [0] }]",
        );
        for value in ["1e308", "1e308", "7e307", "-1e308", "-1e308", "-1e308", "5"] {
            table.count(format!("{{\"v\":{value}}}").as_bytes(), Instant::now());
        }
        // Two of the values would have led beyond 1.8e308, and negative ones are none of a counter's.
        assert_eq!((number(&table, 0, &[]), number(&table, 1, &[])), (Some(1e308 + 7e307 + 5.0), Some(5.0)));
        let Value::Histogram { sum, counts } = &table.metrics[2].series[&Vec::new()].value else { panic!() };
        assert!(sum.is_finite() && **counts == [3, 3], "{sum} {counts:?}");
        let skipped: Vec<[u64; 5]> = table.metrics.iter().map(|metric| metric.skipped).collect();
        assert_eq!(skipped, [[0, 0, 0, 3, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]]);
    }

    #[test]
    fn series_are_bounded_and_forgotten() {
        let mut table = table(
            "max_series: 12, idle: 10s, metrics: [{ name: a_total, type: counter, labels: { u: u } }, { name: h, type: histogram, value: v, labels: { u: u }, buckets: [1] }]",
        );
        let start = Instant::now();
        let line = |n: usize| format!("{{\"u\":{n},\"v\":1}}").into_bytes();
        (0..4).for_each(|n| table.count(&line(n), start));
        // Two of both, then only counters fit beside them.
        assert_eq!((table.metrics[0].series.len(), table.metrics[1].series.len(), table.series), (4, 2, 12));
        assert_eq!((table.metrics[0].refused, table.metrics[1].refused), (0, 2));
        table.count(&line(9), start);
        assert_eq!((table.metrics[0].refused, table.metrics[1].refused, table.series), (1, 3, 12));
        table.count(&line(0), start + Duration::from_secs(9));
        assert_eq!(number(&table, 0, &["0"]), Some(2.0));
        // Those without a record for the time make room for the next one.
        table.count(&line(9), start + Duration::from_secs(11));
        assert_eq!((table.metrics[0].series.len(), table.metrics[1].series.len(), table.series), (1, 1, 5));
        table.count(&line(9), start + Duration::from_secs(12));
        assert_eq!(number(&table, 0, &["9"]), Some(1.0));
    }

    #[test]
    fn long_values_of_labels_are_cut_between_characters() {
        let mut table = table("metrics: [{ name: a_total, type: counter, labels: { u: u } }]");
        let long = format!("a{}", "é".repeat(LABEL_BYTES_MAX));
        table.count(format!("{{\"u\":\"{long}\"}}").as_bytes(), Instant::now());
        let label = &table.metrics[0].series.keys().next().unwrap()[0];
        assert_eq!((label.len(), table.metrics[0].cut), (LABEL_BYTES_MAX - 1, 1));
    }
}
