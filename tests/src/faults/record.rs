//! Records that tell whether they arrived as they were sent, and the account of those that did.

use std::io::Write as _;

/// Length of a record without its line feed, in bytes: constant, so that bytes and records convert.
pub const RECORD_BYTES: usize = 160;
/// Examples of what is wrong that are kept for the report.
const EXAMPLES_MAX: usize = 5;

/// Writes the lines of one case. Each holds its number, text made from seed and number, and a hash of all that.
#[derive(Debug, Clone, Copy)]
pub struct Maker {
    seed: u64,
}

impl Maker {
    /// A maker whose records no maker with another seed takes for its own.
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Appends a line.
    pub fn line(self, number: u64, out: &mut Vec<u8>) {
        self.line_with(number, "plain", out);
    }

    /// Appends a line whose field `message` holds this word.
    pub fn line_with(self, number: u64, message: &str, out: &mut Vec<u8>) {
        let start = out.len();
        // Writing into memory cannot fail.
        let _ = write!(out, "{{\"n\":\"{number:010}\",\"message\":\"{message}\",\"text\":\"").map(|()| {
            let mut state = mix(self.seed ^ number);
            while out.len() - start < RECORD_BYTES - 25 {
                state = mix(state);
                out.push(b'a' + (state >> 60) as u8);
            }
        });
        let hash = self.hash(&out[start..]);
        let _ = writeln!(out, "\",\"h\":\"{hash:016x}\"}}");
    }

    /// FNV-1a of 64 bits (Fowler, Noll, Vo), begun with the seed.
    fn hash(self, bytes: &[u8]) -> u64 {
        bytes.iter().fold(0xcbf2_9ce4_8422_2325 ^ self.seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    }

    /// The number of a line without its line feed, if it is one of this maker's, byte for byte.
    pub fn number(self, line: &[u8]) -> Option<u64> {
        let (head, tail) = line.split_at_checked(line.len().checked_sub(25)?)?;
        let hash = tail.strip_prefix(b"\",\"h\":\"")?.strip_suffix(b"\"}")?;
        let hash = u64::from_str_radix(std::str::from_utf8(hash).ok()?, 16).ok()?;
        let digits = head.strip_prefix(b"{\"n\":\"")?.get(..10)?;
        (hash == self.hash(head)).then(|| std::str::from_utf8(digits).ok()?.parse().ok())?
    }
}

/// The output function of SplitMix64 (Steele, Lea, Flood 2014).
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}

/// What arrived. A number that is there twice was repeated, one that is not was lost; a line that no maker made is corrupt,
/// and one whose number was never sent is invented.
#[derive(Debug)]
pub struct Account {
    maker: Maker,
    times: Vec<u32>,
    arrived: u64,
    distinct: u64,
    corrupt: u64,
    examples: Vec<String>,
}

impl Account {
    /// An empty one.
    pub fn new(maker: Maker) -> Self {
        Self { maker, times: Vec::new(), arrived: 0, distinct: 0, corrupt: 0, examples: Vec::new() }
    }

    /// A line arrived, without its line feed.
    pub fn take(&mut self, line: &[u8]) {
        let number = self.maker.number(line).and_then(|n| usize::try_from(n).ok()).filter(|n| *n < 1 << 32);
        let Some(number) = number else {
            self.corrupt += 1;
            if self.examples.len() < EXAMPLES_MAX {
                self.examples.push(String::from_utf8_lossy(line).chars().take(300).collect());
            }
            return;
        };
        if number >= self.times.len() {
            self.times.resize(number + 1, 0);
        }
        self.arrived += 1;
        self.distinct += u64::from(self.times[number] == 0);
        self.times[number] += 1;
    }

    /// All lines that arrived, but for corrupt ones.
    pub fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Different records that arrived.
    pub fn distinct(&self) -> u64 {
        self.distinct
    }

    /// Lines that are no records.
    pub fn corrupt(&self) -> u64 {
        self.corrupt
    }

    /// Some of them.
    pub fn examples(&self) -> &[String] {
        &self.examples
    }

    /// Whether a record arrived.
    pub fn has(&self, number: u64) -> bool {
        usize::try_from(number).ok().and_then(|n| self.times.get(n)).is_some_and(|times| *times > 0)
    }

    /// Numbers below `sent` that did not arrive.
    pub fn missing(&self, sent: u64) -> Vec<u64> {
        (0..sent).filter(|n| !self.has(*n)).collect()
    }

    /// Arrivals beyond the first of each record.
    pub fn repeated(&self) -> u64 {
        self.arrived - self.distinct
    }

    /// Records that arrived and were never sent.
    pub fn invented(&self, sent: u64) -> u64 {
        let from = usize::try_from(sent).unwrap_or(usize::MAX);
        self.times.iter().skip(from).filter(|times| **times > 0).count() as u64
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_known_again_and_no_other_is_taken_for_it() {
        let maker = Maker::new(7);
        let mut line = Vec::new();
        maker.line(123, &mut line);
        line.pop();
        assert_eq!((line.len(), maker.number(&line)), (RECORD_BYTES, Some(123)), "{}", String::from_utf8_lossy(&line));
        assert!(serde_json::from_slice::<serde_json::Value>(&line).is_ok());
        assert_eq!(Maker::new(8).number(&line), None);
        for at in 0..line.len() {
            let mut other = line.clone();
            other[at] ^= 1;
            assert_eq!(maker.number(&other), None, "{at}");
            assert_eq!(maker.number(&line[..at]), None, "{at}");
        }
    }

    #[test]
    fn what_was_lost_repeated_invented_and_corrupt() {
        let maker = Maker::new(1);
        let mut account = Account::new(maker);
        for number in [0, 1, 1, 1, 3, 9] {
            let mut line = Vec::new();
            maker.line(number, &mut line);
            account.take(line.trim_ascii_end());
        }
        account.take(b"{\"n\":4");
        assert_eq!((account.missing(5), account.repeated(), account.invented(5), account.corrupt()), (vec![2, 4], 2, 1, 1));
        assert_eq!((account.arrived(), account.distinct(), account.examples().len()), (6, 4, 1));
    }
}
