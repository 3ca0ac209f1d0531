//! Changes the lines of all cases at random and gives them to all codecs together: none panics, each line becomes a record or
//! is rejected, and each record is a JSON object on one line.
//!
//! `FUZZ_SECONDS=3600` runs for an hour, `FUZZ_CASES=1000` so many rounds, `FUZZ_SEED=7` other ones; by default it takes a
//! few seconds at most.

mod support;

use fastrand::Rng;
use std::time::{Duration, Instant};
use support::{Case, cases, decode, decoder};

/// Lines of a round.
const LINES: usize = 64;
/// Pieces that formats trip over.
const PIECES: [&[u8]; 48] = [
    b"|",
    b", ",
    b",",
    b" = ",
    b"=",
    b": ",
    b"\"",
    b"\\",
    b"\\\"",
    b"\\u12",
    b"\\ud800",
    b"{",
    b"}",
    b"[",
    b"]",
    b"<",
    b">",
    b" - ",
    b"-",
    b"\0",
    b"\n",
    b"\n\tat ",
    b"\t",
    b"\r",
    b" ",
    b"null",
    b"true",
    b"1e999",
    b"-1",
    b"99999999999999999999",
    b"TID: [1] [] ",
    b"{api:",
    b"apimMetrics:",
    b"properties :",
    b"[2025-03-03 11:42:07,381]",
    b"03/Mar/2025:11:42:07 +0100",
    b"<34>1 ",
    b"Payload: ",
    b"HTTP/1.1",
    b"|HTTP|",
    b"\xC3\xA9",
    b"\xF0\x9F\x98\x80",
    b"\xFF",
    b"\xC3",
    b"{\"a\":",
    b"Initiator : ",
    b"codec",
    b"repeated",
];

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

fn changed(rng: &mut Rng, lines: &[Vec<u8>]) -> Vec<u8> {
    let mut line = lines[rng.usize(..lines.len())].clone();
    for _ in 0..rng.usize(0..6) {
        let at = rng.usize(..=line.len());
        match rng.u8(0..8) {
            0 => line.truncate(at),
            1 => drop(line.drain(..at)),
            2 if at < line.len() => line[at] = rng.u8(..),
            3 => {
                let to = rng.usize(at..=line.len().min(at + 20));
                drop(line.drain(at..to));
            }
            4 => {
                let piece = line.get(at..line.len().min(at + rng.usize(0..40))).unwrap_or_default().repeat(rng.usize(1..20));
                line.splice(at..at, piece);
            }
            5 => {
                let other = &lines[rng.usize(..lines.len())];
                let from = rng.usize(..=other.len());
                line.truncate(at);
                line.extend_from_slice(&other[from..]);
            }
            _ => {
                let piece = PIECES[rng.usize(..PIECES.len())];
                line.splice(at..at, piece.iter().copied());
            }
        }
    }
    line.truncate(100_000);
    line
}

#[test]
fn no_line_makes_a_codec_panic_or_write_what_is_not_json() {
    let cases: Vec<Case> = cases();
    let lines: Vec<Vec<u8>> = cases.iter().flat_map(|case| case.lines.clone()).collect();
    let mut decoders: Vec<_> = cases.iter().map(|case| (case, decoder(&case.codec))).collect();
    let seed = number("FUZZ_SEED").unwrap_or(1);
    let mut rng = Rng::with_seed(seed);
    let started = Instant::now();
    let (seconds, wanted) = (number("FUZZ_SECONDS"), number("FUZZ_CASES"));
    let time = Duration::from_secs(seconds.unwrap_or(3));
    let (mut rounds, mut decoded, mut records) = (0u64, 0u64, 0u64);
    while wanted.is_none_or(|wanted| rounds < wanted) && (started.elapsed() < time || (seconds.is_none() && wanted.is_some())) {
        rounds += 1;
        let batch: Vec<Vec<u8>> = (0..LINES).map(|_| changed(&mut rng, &lines)).collect();
        for (case, decoder) in &mut decoders {
            let frame = decode(decoder, &batch);
            assert_eq!(frame.records.rows.len() + frame.rejected.len(), LINES, "{} (seed {seed}, round {rounds})", case.name);
            decoded += LINES as u64;
            records += frame.records.rows.len() as u64;
            if case.codec.type_name() == "json" {
                // Its lines are checked by the batch.
                continue;
            }
            for row in 0..frame.records.rows.len() {
                let record = frame.records.get(row);
                // Not into a map of texts: a lone half of a surrogate pair is JSON, but no text.
                let is_object = record.starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(record).is_ok();
                let text = String::from_utf8_lossy(record);
                assert!(is_object, "{} (seed {seed}, round {rounds}): {text}", case.name);
                assert!(!record.contains(&b'\n'), "{}: {text}", case.name);
            }
            for rejected in &frame.rejected {
                assert!(!rejected.reason.is_empty() && rejected.reason.is_ascii(), "{}: {}", case.name, rejected.reason);
            }
        }
    }
    println!("{rounds} rounds, {decoded} lines decoded, {records} records, {:?}", started.elapsed());
    assert!(records > 0);
}
