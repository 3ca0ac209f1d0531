//! The demo source: records of a made-up gateway, at a rate.

use super::demo::Generator;
use super::{Outlet, RunOptions, SourceError, Stream};
use std::time::{Duration, Instant};
use tamis_codecs::Frame;
use tamis_config::{DemoSource, Rate};
use tamis_record::Records;

/// How often a slow feed sends what is due.
const TICK: Duration = Duration::from_millis(100);

pub(super) fn run(source: &DemoSource, options: &RunOptions, outlet: &mut dyn Outlet) -> Result<(), SourceError> {
    let stream = Stream { id: 0, name: "demo".into() };
    let mut generator = Generator::new(source.seed);
    let started = Instant::now();
    let (mut made, mut at) = (0u64, 0u64);
    let wanted = source.count.unwrap_or(u64::MAX);
    while made < wanted && !outlet.stopping() {
        let due = match source.rate {
            Rate::Unlimited => u64::MAX,
            // The first record is due at once.
            Rate::PerSecond(rate) => (started.elapsed().as_secs_f64() * rate as f64) as u64 + 1,
        };
        let count = due.min(wanted).saturating_sub(made).min(options.records_max as u64);
        if count == 0 {
            std::thread::sleep(TICK.min(rate_gap(source.rate)));
            continue;
        }
        let mut records = Records { text: outlet.buffer(), rows: Vec::with_capacity(count as usize) };
        records.text.clear();
        for _ in 0..count {
            let from = records.text.len() as u32;
            generator.record(&mut records.text);
            records.rows.push((from, records.text.len() as u32));
            records.text.push(b'\n');
        }
        let bytes = records.text.len() as u64;
        if !outlet.send(&stream, Frame { records, base: at, bytes, ..Frame::default() }, at + bytes) {
            return Ok(());
        }
        made += count;
        at += bytes;
    }
    Ok(())
}

fn rate_gap(rate: Rate) -> Duration {
    match rate {
        Rate::PerSecond(rate) if rate > 0 => Duration::from_secs_f64(1.0 / rate as f64),
        _ => TICK,
    }
}
