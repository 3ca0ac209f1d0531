//! Breaks the guard-rail that its configuration, a word, names; with any other word it is a sound plugin.
//!
//! Sound, it reads the text `message` and writes `seen: true` where there is one.

use std::hint::black_box;
use std::sync::atomic::{AtomicU64, Ordering};
use tamis_plugin::contract::types::{Column, Patch, Reject, Values};
use tamis_plugin::{Batch, BatchPlugin, Field, Kind, Outcome, Signature, log, metrics};

/// Rounds of a loop that take a tenth of a millisecond or two.
const ROUNDS: u64 = 20_000;
/// Bytes that stay below a limit of 64 MiB and above half of it.
const HELD_BYTES: usize = 40 << 20;
/// Bytes that no limit of memory leaves room for.
const TOO_MUCH_BYTES: usize = 1 << 30;
/// Bytes of a value that is too much for `huge`.
const VALUE_BYTES_MAX: usize = 100 << 10;

struct Bad {
    what: String,
    records: u64,
    held: Vec<u8>,
}

/// Keeps what is computed to take time from being left out.
static SPUN: AtomicU64 = AtomicU64::new(1);

impl BatchPlugin for Bad {
    fn init(config: &str) -> Result<(Self, Signature), String> {
        let what = tamis_plugin::config::parse::<String>(config)?;
        let field = |path: &str, kind| Field { path: path.to_owned(), kind };
        let mut signature =
            Signature { reads: vec![field("message", Kind::Text)], writes: vec![field("seen", Kind::Text)], outputs: vec![], drops: false };
        let mut held = Vec::new();
        match what.as_str() {
            "refuse" => return Err("configuration: refused on purpose".to_owned()),
            "read-unused" => signature.reads.push(field("status", Kind::Integer)),
            "read-absent" => signature.reads.push(field("nowhere", Kind::Json)),
            "write-unused" => signature.writes.push(field("never", Kind::Text)),
            "output-unused" => signature.outputs.push("other".to_owned()),
            "drop-unused" => signature.drops = true,
            "init-slow" => spin(500),
            "memory-near" => held = vec![1; HELD_BYTES],
            _ => {}
        }
        Ok((Self { what, records: 0, held }, signature))
    }

    fn process(&mut self, batch: &Batch<'_>) -> Result<Outcome, String> {
        black_box(&self.held);
        let what = self.what.clone();
        let what = what.as_str();
        assert!(what != "empty" || batch.rows > 0, "no rows");
        let (mut offsets, mut bytes, mut present, mut rejects) = (vec![0], Vec::new(), vec![0_u8; batch.rows.div_ceil(8) as usize], vec![]);
        for row in 0..batch.rows as usize {
            let message = batch.columns.first().and_then(|column| column.bytes(row));
            if let Some(message) = message {
                present[row / 8] |= 1 << (row % 8);
                self.records += 1;
                let seen = match what {
                    "state" => self.records.to_string(),
                    "batch-size" => batch.rows.to_string(),
                    _ => "yes".to_owned(),
                };
                bytes.extend_from_slice(seen.as_bytes());
                one(what, row, message, &mut rejects);
            }
            assert!(what != "absent" || message.is_some(), "no message");
            offsets.push(bytes.len() as u32);
        }
        let values = Values::Text(tamis_plugin::contract::types::VarValues { offsets, bytes });
        let patch = Patch { field: 0, rows: None, column: Column { values, present: Some(present) } };
        Ok(Outcome { verdicts: None, patches: vec![patch], rejects })
    }
}

/// What is done with one message.
fn one(what: &str, row: usize, message: &[u8], rejects: &mut Vec<Reject>) {
    let text = || String::from_utf8_lossy(message).into_owned();
    match what {
        "huge" => assert!(message.len() <= VALUE_BYTES_MAX, "too much"),
        "hostile" => assert!(!message.iter().any(u8::is_ascii_control), "a control character"),
        "poison" => assert!(message != b"poison", "poison"),
        "memory" if message == b"poison" => drop(black_box(Vec::<u8>::with_capacity(TOO_MUCH_BYTES))),
        "slow" => spin(1),
        "log-flood" => log::info("one more record"),
        "log-value" if row == 0 => log::info(&text()),
        "counter-value" if row == 0 => {
            let name: String = text().chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' }).collect();
            metrics::add(&name.chars().take(40).collect::<String>(), 1);
        }
        "reason-value" if message.contains(&b'@') => rejects.push(Reject { row: row as u32, reason: text() }),
        _ => {}
    }
}

fn spin(times: u64) {
    let mut state = SPUN.load(Ordering::Relaxed);
    for _ in 0..times * ROUNDS {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    SPUN.store(state, Ordering::Relaxed);
}

tamis_plugin::export!(batch Bad);
