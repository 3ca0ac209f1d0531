//! The page that Prometheus fetches: OpenMetrics 1.0, or the text format 0.0.4 for whoever does not ask for it.

use super::table::{Metric, Skipped, Table, Value};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;
use tamis_config::PrometheusKind;

/// How a page is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Text,
}

impl Format {
    /// What a client that sends this `Accept` wants.
    pub(super) fn of(accept: &str) -> Self {
        if accept.contains("application/openmetrics-text") { Self::OpenMetrics } else { Self::Text }
    }

    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }
}

/// Writes the page.
pub(super) struct Page(Registry);

struct Tables(Arc<Mutex<Table>>);

impl fmt::Debug for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tables").finish_non_exhaustive()
    }
}

impl Page {
    pub(super) fn new(table: Arc<Mutex<Table>>) -> Self {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(Tables(table)));
        Self(registry)
    }

    pub(super) fn write(&self, format: Format) -> Result<String, fmt::Error> {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.0)?;
        Ok(match format {
            Format::OpenMetrics => text,
            Format::Text => older(&text),
        })
    }
}

/// OpenMetrics as Prometheus' older format: there, the family of a counter has the counter's name.
fn older(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut help = None;
    for line in text.lines() {
        if line == "# EOF" {
            continue;
        }
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').map(|(_, help)| help);
            continue;
        }
        let family = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '));
        let lines = match family {
            Some((name, kind)) => {
                let suffix = if kind == "counter" { "_total" } else { "" };
                format!("# HELP {name}{suffix} {}\n# TYPE {name}{suffix} {kind}\n", help.take().unwrap_or_default())
            }
            None => format!("{line}\n"),
        };
        out.push_str(&lines);
    }
    out
}

impl Collector for Tables {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.sweep(Instant::now());
        table.metrics.iter().try_for_each(|metric| metric.encode(&mut encoder))?;
        let mut own = |name: &str, help: &str, count: usize| {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&(count as f64))
        };
        own("tamis_prometheus_series", "Series of all metrics of the sink", table.series)?;
        own("tamis_prometheus_series_limit", "Series that there may be: max_series", table.series_max)?;
        let help = "Records that a metric did not count because they would have made a series too many";
        table.of_each(&mut encoder, "tamis_prometheus_series_refused", help, |metric| metric.refused)?;
        let help = "Values of labels that were cut because they were too long";
        table.of_each(&mut encoder, "tamis_prometheus_labels_cut", help, |metric| metric.cut)?;
        let help = "Records that a metric did not count because of their value";
        let mut family = encoder.encode_descriptor("tamis_prometheus_skipped", help, None, MetricType::Counter)?;
        for metric in &table.metrics {
            for (why, count) in Skipped::ALL.into_iter().zip(metric.skipped) {
                let labels = [("metric", metric.config.name.as_str()), ("reason", why.name())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        Ok(())
    }
}

impl Table {
    /// A counter of the sink's own for each metric.
    fn of_each(&self, encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, read: fn(&Metric) -> u64) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        self.metrics.iter().try_for_each(|metric| {
            let labels = [("metric", metric.config.name.as_str())];
            family.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&read(metric), None)
        })
    }
}

impl Metric {
    fn encode(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let kind = match self.config.kind {
            PrometheusKind::Counter => MetricType::Counter,
            PrometheusKind::Gauge => MetricType::Gauge,
            PrometheusKind::Histogram => MetricType::Histogram,
        };
        let help = self.config.help.as_ref().unwrap_or(&self.config.name);
        let mut family = encoder.encode_descriptor(self.config.family(), help, None, kind)?;
        for (values, series) in &self.series {
            let all = self.config.labels.keys().map(String::as_str).zip(values.iter().map(|value| &**value));
            // An empty value is none.
            let labels: Vec<(&str, &str)> = all.filter(|(_, value)| !value.is_empty()).collect();
            match labels.is_empty() {
                true => self.encode_value(&series.value, &mut family)?,
                false => self.encode_value(&series.value, &mut family.encode_family(&labels)?)?,
            }
        }
        Ok(())
    }

    fn encode_value(&self, value: &Value, encoder: &mut MetricEncoder<'_>) -> fmt::Result {
        match value {
            Value::Number(number) if self.config.kind == PrometheusKind::Gauge => encoder.encode_gauge(number),
            Value::Number(number) => encoder.encode_counter::<NoLabelSet, _, u64>(number, None),
            Value::Histogram { sum, counts } => {
                let bounds = self.config.bounds().iter().copied().chain([f64::INFINITY]);
                let buckets: Vec<(f64, u64)> = bounds.zip(counts.iter().copied()).collect();
                encoder.encode_histogram::<NoLabelSet>(*sum, counts.iter().sum(), &buckets, None)
            }
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::table::tests::table;
    use super::*;

    #[test]
    fn both_formats() {
        let mut table = table(
            "metrics: [{ name: requests_total, type: counter, help: Requests by team, labels: { team: team } },
              { name: seconds, type: histogram, value: s, buckets: [1, 2.5], labels: { team: team } }]",
        );
        for line in [r#"{"team":"a\"\\\nb","s":2}"#, r#"{"s":0.5}"#] {
            table.count(line.as_bytes(), Instant::now());
        }
        let page = Page::new(Arc::new(Mutex::new(table)));
        let text = page.write(Format::Text).unwrap();
        let expected = r#"# HELP requests_total Requests by team
# TYPE requests_total counter
requests_total 1.0
requests_total{team="a\"\\\nb"} 1.0
# HELP seconds seconds
# TYPE seconds histogram
seconds_sum 0.5
seconds_count 1
seconds_bucket{le="1.0"} 1
seconds_bucket{le="2.5"} 1
seconds_bucket{le="+Inf"} 1
seconds_sum{team="a\"\\\nb"} 2.0
seconds_count{team="a\"\\\nb"} 1
seconds_bucket{le="1.0",team="a\"\\\nb"} 0
seconds_bucket{le="2.5",team="a\"\\\nb"} 1
seconds_bucket{le="+Inf",team="a\"\\\nb"} 1
# HELP tamis_prometheus_series Series of all metrics of the sink
# TYPE tamis_prometheus_series gauge
tamis_prometheus_series 12.0
"#;
        assert!(text.starts_with(expected), "{text}");
        assert!(
            text.contains("tamis_prometheus_skipped_total{metric=\"seconds\",reason=\"missing\"} 0\n") && !text.contains("EOF"),
            "{text}"
        );
        let open = page.write(Format::OpenMetrics).unwrap();
        assert!(open.starts_with("# HELP requests Requests by team\n# TYPE requests counter\nrequests_total 1.0\n"), "{open}");
        assert!(open.ends_with("# EOF\n"), "{open}");
    }

    #[test]
    fn who_asks_for_openmetrics_gets_it() {
        let accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1";
        assert_eq!((Format::of(accept), Format::of("*/*"), Format::of("")), (Format::OpenMetrics, Format::Text, Format::Text));
    }
}
