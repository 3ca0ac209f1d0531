//! What is read of sinks, and of the spools in front of them, when somebody asks.

use super::Live;
use crate::sinks::SinkCounts;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use tamis_delivery::spool::SpoolLevel;

impl Live {
    pub(super) fn encode_sinks(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        type Gauge = (&'static str, &'static str, fn(&SinkCounts) -> f64);
        let gauges: [Gauge; 3] = [
            ("tamis_sink_failing", "1 while the sink takes nothing: all tries since the last success failed", |counts| {
                f64::from(u8::from(counts.failing_since().is_some()))
            }),
            ("tamis_sink_oldest_seconds", "Age of the oldest records that wait for the sink in memory", |counts| {
                counts.waiting.age().as_secs_f64()
            }),
            ("tamis_sink_queue_bytes", "Bytes waiting for the sink in memory", |counts| counts.waiting.bytes() as f64),
        ];
        for (name, help, read) in gauges {
            let mut gauge = ConstGauge::new(0.0f64);
            let mut family = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            for (sink, counts) in &self.sinks {
                gauge = ConstGauge::new(read(counts));
                gauge.encode(family.encode_family(&[("sink", sink.as_str())])?)?;
            }
        }
        Ok(())
    }

    pub(super) fn encode_spools(&self, encoder: &mut DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        type Gauge = (&'static str, &'static str, fn(&SpoolLevel) -> u64);
        let gauges: [Gauge; 4] = [
            ("tamis_spool_batches", "Batches that wait in the sink's spool", SpoolLevel::pending),
            ("tamis_spool_waiting_bytes", "Bytes of the batches that wait in the sink's spool", SpoolLevel::pending_bytes),
            ("tamis_spool_bytes", "Bytes that the sink's spool takes", SpoolLevel::bytes),
            ("tamis_spool_limit_bytes", "Bytes that the sink's spool may take", SpoolLevel::bytes_max),
        ];
        for (name, help, read) in gauges {
            let mut gauge = ConstGauge::new(0i64);
            let mut family = encoder.encode_descriptor(name, help, None, gauge.metric_type())?;
            for (sink, level) in &self.spools {
                gauge = ConstGauge::new(i64::try_from(read(level)).unwrap_or(i64::MAX));
                gauge.encode(family.encode_family(&[("sink", sink.as_str())])?)?;
            }
        }
        let mut lost = ConstCounter::new(0u64);
        let help = "Batches that were lost from the sink's spool because it was damaged";
        let mut family = encoder.encode_descriptor("tamis_spool_damaged_batches", help, None, lost.metric_type())?;
        for (sink, level) in &self.spools {
            lost = ConstCounter::new(level.damaged_frames());
            lost.encode(family.encode_family(&[("sink", sink.as_str())])?)?;
        }
        Ok(())
    }
}
