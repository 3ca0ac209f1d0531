//! What the scan costs, in nanoseconds a record: `cargo run --release -p tamis-record --example scan FILE.ndjson`.

use std::sync::Arc;
use std::time::Instant;
use tamis_record::{Batch, Fields, Kind, Records};

fn main() {
    let path = std::env::args().nth(1).unwrap_or_else(|| "samples/gateway/input.ndjson".into());
    let text = std::fs::read(&path).unwrap_or_default();
    let all = Records::from_lines(text);
    let batches: Vec<Arc<Records>> = all
        .rows
        .chunks(1024)
        .take(40)
        .map(|rows| {
            let mut records = Records::default();
            for (from, to) in rows {
                let start = records.text.len() as u32;
                records.text.extend_from_slice(&all.text[*from as usize..*to as usize]);
                records.rows.push((start, records.text.len() as u32));
                records.text.push(b'\n');
            }
            Arc::new(records)
        })
        .collect();
    let count: usize = batches.iter().map(|b| b.rows.len()).sum();
    let fields = [
        "ApiOwner",
        "AppliOwner",
        "destination.url.path",
        "ApiName",
        "ApiVersion",
        "SourceAppel",
        "Origine",
        "APIMStatus",
        "CORRELATION_ID",
        "ApplicationName",
    ];
    for tracked in [0, 3, 10] {
        let mut table = Fields::new();
        let columns: Vec<_> = fields.iter().take(tracked).filter_map(|f| table.read(&f.parse().ok()?, Kind::Text).ok()).collect();
        let mut batch = Batch::new(Arc::new(table));
        let (mut faults, mut out) = (Vec::new(), Vec::new());
        let (mut load, mut extract, mut encode) = (f64::MAX, f64::MAX, f64::MAX);
        for _ in 0..30 {
            let (mut a, mut b, mut c) = (0.0, 0.0, 0.0);
            for records in &batches {
                let start = Instant::now();
                batch.load(Arc::clone(records), &mut faults);
                let loaded = Instant::now();
                batch.prepare(&columns, &mut faults);
                let extracted = Instant::now();
                out.clear();
                for row in 0..batch.live().len() {
                    let _ = batch.encode(batch.live()[row], &mut out);
                    out.push(b'\n');
                }
                c += extracted.elapsed().as_secs_f64();
                a += (loaded - start).as_secs_f64();
                b += (extracted - loaded).as_secs_f64();
            }
            (load, extract, encode) = (load.min(a), extract.min(b), encode.min(c));
        }
        let each = |t: f64| 1e9 * t / count as f64;
        println!(
            "{tracked:>2} fields: load {:.0} ns, columns {:.0} ns, encode untouched {:.0} ns a record",
            each(load),
            each(extract),
            each(encode)
        );
    }
}
