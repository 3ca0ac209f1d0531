//! A batch of records, put together of parts of what lanes encoded.

/// Encoded records, one a line, in the order in which they came.
#[derive(Debug, Clone, Copy)]
pub struct Batch<'a> {
    parts: &'a [Part<'a>],
}

/// Some records of one stream.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// The records, one a line, each with its line feed.
    pub lines: &'a [u8],
    /// How many there are.
    pub records: usize,
    /// The pipeline they went through.
    pub pipeline: &'a str,
    /// The source they came from.
    pub source: &'a str,
    /// The stream of the source, such as a file.
    pub stream: &'a str,
    /// Where each began in its stream; empty where that is not known.
    pub offsets: &'a [u64],
}

/// Where a record came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The pipeline it went through.
    pub pipeline: &'a str,
    /// The source it came from.
    pub source: &'a str,
    /// The stream of the source.
    pub stream: &'a str,
    /// Where it began in the stream, in bytes or in the stream's own count.
    pub offset: Option<u64>,
}

impl<'a> Batch<'a> {
    /// A batch of these parts.
    pub fn new(parts: &'a [Part<'a>]) -> Self {
        Self { parts }
    }

    /// Its parts.
    pub fn parts(&self) -> &'a [Part<'a>] {
        self.parts
    }

    /// How many records there are.
    pub fn records(&self) -> usize {
        self.parts.iter().map(|part| part.records).sum()
    }

    /// Bytes of all lines.
    pub fn bytes(&self) -> usize {
        self.parts.iter().map(|part| part.lines.len()).sum()
    }

    /// The records, without their line feeds, and where they came from.
    pub fn iter(&self) -> impl Iterator<Item = (&'a [u8], Origin<'a>)> + use<'a> {
        self.parts.iter().flat_map(|part| {
            let Part { lines, pipeline, source, stream, offsets, .. } = *part;
            let lines = lines.split_inclusive(|b| *b == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line));
            lines.enumerate().map(move |(row, line)| (line, Origin { pipeline, source, stream, offset: offsets.get(row).copied() }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_of_several_parts_in_order() {
        let part = |lines, offsets| Part { lines, records: 2, pipeline: "p", source: "s", stream: "f", offsets };
        let parts = [part(b"a\nb\n", &[1, 5][..]), part(b"c\n\n", &[])];
        let batch = Batch::new(&parts);
        assert_eq!((batch.records(), batch.bytes()), (4, 7));
        let told: Vec<_> = batch.iter().map(|(line, origin)| (line, origin.offset)).collect();
        assert_eq!(told, [(&b"a"[..], Some(1)), (b"b", Some(5)), (b"c", None), (b"", None)]);
    }
}
