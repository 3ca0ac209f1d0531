//! How fast each codec is: `cargo run --release -p tamis-codecs --example throughput [CODEC] [SECONDS]`.
//!
//! For each codec, the lines that its first case makes records of are decoded and scanned by a batch as the host does it. The
//! ratio is to the time that the same records take when they come as JSON lines: above 1, text is faster.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tamis_codecs::{Decoder, Frame};
use tamis_config::{Codec, Config, ProcessEnvironment, Source};
use tamis_record::{Batch, Fields, Kind, Records};

/// Bytes of a frame.
const FRAME_BYTES: usize = 1024 * 1024;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let wanted = args.next();
    let seconds = args.next().and_then(|s| s.parse().ok()).unwrap_or(0.5);
    let time = Duration::from_secs_f64(seconds);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    println!("{:24} {:>8} {:>10} {:>12} {:>12} {:>8}", "case", "B/line", "codec MB/s", "+ scan MB/s", "lines/s", "ratio");
    let mut names: Vec<_> =
        std::fs::read_dir(&folder)?.filter_map(|e| Some(e.ok()?.path())).filter(|p| p.extension().is_some_and(|e| e == "txt")).collect();
    names.sort();
    for path in names {
        let name = path.file_stem().and_then(|n| n.to_str()).unwrap_or_default();
        if name == "json" || wanted.as_deref().is_some_and(|wanted| wanted != "all" && !name.starts_with(wanted)) {
            continue;
        }
        let codec = codec(&std::fs::read_to_string(path.with_extension("yaml"))?)?;
        let text = std::fs::read_to_string(&path)?.replace('␊', "\n").replace('␀', "\0");
        let mut decoder = Decoder::new(&codec);
        // The lines that are records, as often as a frame holds them.
        let all: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        let good: Vec<&str> = all.into_iter().filter(|line| decoder.decode(frame(&[line])).rejected.is_empty()).collect();
        let repeat = FRAME_BYTES / good.iter().map(|line| line.len() + 1).sum::<usize>().max(1) + 1;
        let lines: Vec<&str> = good.iter().copied().cycle().take(good.len() * repeat).collect();
        let input = frame(&lines);
        let bytes = input.records.text.len();
        let json = decoder.decode(copy(&input)).records;

        let mut batch = batch()?;
        let alone = per_round(time, || copy(&input), |frame| drop(decoder.decode(frame)));
        let both = per_round(time, || copy(&input), |frame| scan(&mut batch, decoder.decode(frame).records));
        let plain = per_round(time, || json.clone(), |records| scan(&mut batch, records));
        let rate = |seconds: f64| bytes as f64 / seconds / 1e6;
        println!(
            "{name:24} {:8} {:10.0} {:12.0} {:12.0} {:8.2}",
            bytes / lines.len(),
            rate(alone),
            rate(both),
            lines.len() as f64 / both,
            plain / both
        );
    }
    Ok(())
}

/// A batch that extracts as much as a few steps read.
fn batch() -> Result<Batch, Box<dyn std::error::Error>> {
    let mut fields = Fields::new();
    for path in ["time", "status", "ApiOwner", "path"] {
        fields.read(&path.parse()?, Kind::Text)?;
    }
    Ok(Batch::new(Arc::new(fields)))
}

fn scan(batch: &mut Batch, records: Records) {
    let mut faults = Vec::new();
    batch.load(Arc::new(records), &mut faults);
    assert!(faults.is_empty(), "{:?}", faults.first());
    batch.release();
}

/// Seconds a round, the best of several.
fn per_round<T>(time: Duration, make: impl Fn() -> T, mut run: impl FnMut(T)) -> f64 {
    let (mut best, started) = (f64::MAX, Instant::now());
    while started.elapsed() < time || best == f64::MAX {
        let input = make();
        let round = Instant::now();
        run(input);
        best = best.min(round.elapsed().as_secs_f64());
    }
    best
}

fn frame(lines: &[&str]) -> Frame {
    let mut records = Records::default();
    for line in lines {
        let from = records.text.len() as u32;
        records.text.extend_from_slice(line.as_bytes());
        records.rows.push((from, records.text.len() as u32));
        records.text.push(b'\n');
    }
    let bytes = records.text.len() as u64;
    Frame { records, bytes, ..Frame::default() }
}

fn copy(frame: &Frame) -> Frame {
    Frame { records: frame.records.clone(), bytes: frame.bytes, ..Frame::default() }
}

/// A codec as a configuration writes it, below `codec:`.
fn codec(text: &str) -> Result<Codec, String> {
    let indented: String = text.lines().map(|line| format!("      {line}\n")).collect();
    let yaml = format!(
        "version: 1\nsources:\n  in:\n    type: stdin\n    codec:\n{indented}sinks: {{ o: {{ type: stdout }} }}\npipelines: {{ p: {{ from: in, to: o }} }}\n"
    );
    let (config, diagnostics) = Config::parse("case.yaml", &yaml, Path::new(""), &ProcessEnvironment);
    match config.and_then(|config| config.sources.into_values().next()).map(|source| source.value) {
        Some(Source::Stdin(stdin)) => Ok(stdin.codec),
        _ => Err(diagnostics.render(false)),
    }
}
