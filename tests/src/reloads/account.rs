//! What came out: each record once, in order, and the work of one generation; and how long it was under way.

use super::components::VERSIONS;
use memchr::memmem;
use std::io::{BufRead, BufReader, Read};
use std::time::Instant;

/// What became of the records so far.
#[derive(Debug, Default)]
pub(super) struct Account {
    /// Records that came.
    pub records: u64,
    /// Records that had come before.
    pub repeated: u64,
    /// Records that came after a later one.
    pub out_of_order: u64,
    /// Records that two generations worked on, or of which that cannot be told.
    pub mixed: u64,
    /// Records of a generation that another one had already followed.
    pub backwards: u64,
    /// Generations that records came from.
    pub generations: u64,
    /// When each record was sent and how long it took, in microseconds since the start; one in so many.
    pub latencies: Vec<(u64, u64)>,
    seen: Vec<u64>,
    last: Option<u64>,
    generation: u64,
}

impl Account {
    /// Reads records until there are no more. `keep`: of how many one latency is kept.
    pub(super) fn of(out: impl Read, zero: Instant, keep: u64) -> Self {
        let mut account = Self::default();
        let mut reader = BufReader::with_capacity(256 * 1024, out);
        let mut line = Vec::new();
        let mut now = 0;
        loop {
            // The clock is read for each piece that comes, not for each line of it.
            if reader.buffer().is_empty() {
                let came = reader.fill_buf().is_ok_and(|piece| !piece.is_empty());
                now = u64::try_from(zero.elapsed().as_micros()).unwrap_or(u64::MAX);
                if !came {
                    return account;
                }
            }
            line.clear();
            match reader.read_until(b'\n', &mut line) {
                Ok(1..) => account.note(&line, now, keep),
                _ => return account,
            }
        }
    }

    /// Records of so many sent that never came.
    pub(super) fn lost(&self, sent: u64) -> u64 {
        sent.saturating_sub(self.records - self.repeated)
    }

    fn note(&mut self, line: &[u8], now: u64, keep: u64) {
        self.records += 1;
        let (Some(n), Some(sent), Some(generation)) = (number(line, b"\"n\":"), number(line, b"\"t\":"), number(line, b"\"g\":")) else {
            self.mixed += 1;
            return;
        };
        // Both plugins and the program say which generation they belong to.
        let by = text(line, b"\"by\":\"stamp ");
        let tenant = text(line, b"\"tenant\":\"g").and_then(digits);
        let version = VERSIONS.get(usize::from(generation % 2 == 1)).map(|version| version.as_bytes());
        self.mixed += u64::from(by != version || tenant != Some(generation));
        self.generations += u64::from(generation != self.generation);
        self.backwards += u64::from(generation < self.generation);
        self.generation = generation;
        let (at, bit) = ((n / 64) as usize, 1 << (n % 64));
        if at >= self.seen.len() {
            self.seen.resize(at + 1, 0);
        }
        if let Some(word) = self.seen.get_mut(at) {
            self.repeated += u64::from(*word & bit != 0);
            *word |= bit;
        }
        self.out_of_order += u64::from(self.last.is_some_and(|last| n < last));
        self.last = Some(n);
        if n % keep == 0 {
            self.latencies.push((sent, now.saturating_sub(sent)));
        }
    }
}

fn text<'a>(line: &'a [u8], key: &[u8]) -> Option<&'a [u8]> {
    let rest = line.get(memmem::find(line, key)? + key.len()..)?;
    rest.get(..memchr::memchr(b'"', rest)?)
}

fn number(line: &[u8], key: &[u8]) -> Option<u64> {
    digits(line.get(memmem::find(line, key)? + key.len()..)?)
}

/// The number that a text begins with.
fn digits(text: &[u8]) -> Option<u64> {
    let count = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    str::from_utf8(text.get(..count)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(lines: &str) -> Account {
        Account::of(lines.as_bytes(), Instant::now(), 1)
    }

    fn line(n: u64, generation: u64, by: &str) -> String {
        format!("{{\"n\":{n},\"t\":0,\"by\":\"stamp {by}\",\"tenant\":\"g{generation}\",\"g\":{generation}}}\n")
    }

    #[test]
    fn what_is_wrong_is_seen() {
        let sound = account(&[line(0, 1, "1.3.0"), line(1, 1, "1.3.0"), line(2, 2, "1.2.0")].concat());
        assert_eq!((sound.records, sound.lost(3), sound.repeated, sound.out_of_order), (3, 0, 0, 0));
        assert_eq!((sound.mixed, sound.backwards, sound.generations, sound.latencies.len()), (0, 0, 2, 3));
        let lines = [line(0, 2, "1.2.0"), line(3, 2, "1.3.0"), line(1, 1, "1.3.0"), line(1, 1, "1.3.0")].concat();
        let wrong = account(&lines);
        assert_eq!((wrong.lost(4), wrong.repeated, wrong.out_of_order, wrong.mixed, wrong.backwards), (1, 1, 1, 1, 1));
        let other = account("{\"n\":0,\"t\":0,\"by\":\"stamp 1.3.0\",\"tenant\":\"g3\",\"g\":1}\n{}\n");
        assert_eq!(other.mixed, 2);
    }
}
