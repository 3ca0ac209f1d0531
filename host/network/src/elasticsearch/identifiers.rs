//! Identifiers of documents.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};
use tamis_nodes::sinks::Origin;

/// Bytes of an identifier before it is written: 20 characters, as these stores make them.
const BYTES: usize = 15;

/// Makes identifiers that no other source made or will make: when it began, something random, and a count.
#[derive(Debug)]
pub(crate) struct Identifiers {
    began: [u8; 6],
    random: [u8; 4],
    count: AtomicU64,
}

impl Identifiers {
    pub(crate) fn new() -> Self {
        let millis = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        let [_, _, began @ ..] = millis.to_be_bytes();
        Self { began, random: fastrand::u32(..).to_be_bytes(), count: AtomicU64::new(0) }
    }

    /// The next one.
    pub(crate) fn next(&self) -> String {
        let [_, _, _, count @ ..] = self.count.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut bytes = [0; BYTES];
        let parts = self.began.iter().chain(&self.random).chain(&count);
        bytes.iter_mut().zip(parts).for_each(|(byte, part)| *byte = *part);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// The identifier that a record has whenever it is sent again: made from where it came from and what it holds. `None`: nobody knows
/// where it began, and another record may be the same to the byte.
pub(crate) fn of_record(origin: &Origin<'_>, record: &[u8]) -> Option<String> {
    let offset = origin.offset?;
    let mut hash = Sha256::new();
    for part in [origin.pipeline, origin.source, origin.stream] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update(offset.to_be_bytes());
    hash.update(record);
    hash.finalize().get(..BYTES).map(|bytes| BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_is_another_and_a_record_keeps_its_own() {
        let (a, b) = (Identifiers::new(), Identifiers::new());
        let all: HashSet<String> = (0..10_000).map(|n| if n % 2 == 0 { a.next() } else { b.next() }).collect();
        assert!(all.len() == 10_000 && all.iter().all(|id| id.len() == 20), "{all:?}");
        let origin = Origin { pipeline: "p", source: "s", stream: "f", offset: Some(7) };
        let id = of_record(&origin, b"{}").unwrap();
        assert_eq!(of_record(&origin, b"{}").unwrap(), id);
        for other in [
            of_record(&origin, b"{ }"),
            of_record(&Origin { offset: Some(8), ..origin }, b"{}"),
            of_record(&Origin { pipeline: "ps", source: "", ..origin }, b"{}"),
        ] {
            assert_ne!(other.unwrap(), id);
        }
        assert_eq!(of_record(&Origin { offset: None, ..origin }, b"{}"), None);
    }
}
