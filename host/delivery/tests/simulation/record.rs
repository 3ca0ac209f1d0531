//! Records of the simulated source, and what has to become of them.

use std::collections::BTreeSet;

/// A record: its stream and its number there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) stream: u64,
    pub(crate) index: u64,
}

/// What the pipeline does with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    Out,
    Dropped,
    Letter,
}

impl Record {
    pub(crate) fn fate(self) -> Fate {
        match (self.index * 3 + self.stream) % 11 {
            0 => Fate::Letter,
            1 | 2 => Fate::Dropped,
            _ => Fate::Out,
        }
    }

    /// A line with a checksum, so that half of one is noticed.
    pub(crate) fn line(self) -> String {
        let text = format!("{} {}", self.stream, self.index);
        format!("{text} {:08x}\n", checksum(&text))
    }
}

pub(crate) fn lines(records: &[Record]) -> Vec<u8> {
    records.iter().map(|record| record.line()).collect::<String>().into_bytes()
}

/// The whole lines among these bytes, in their order.
pub(crate) fn parse(bytes: &[u8]) -> Vec<Record> {
    String::from_utf8_lossy(bytes).lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Record> {
    let (text, sum) = line.rsplit_once(' ')?;
    let (stream, index) = text.split_once(' ')?;
    let record = Record { stream: stream.parse().ok()?, index: index.parse().ok()? };
    (u32::from_str_radix(sum, 16) == Ok(checksum(text))).then_some(record)
}

fn checksum(text: &str) -> u32 {
    crc32fast::hash(text.as_bytes())
}

/// What is in several places.
pub(crate) type Records = BTreeSet<Record>;
