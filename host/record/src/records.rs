//! Records as they came, and those that cannot go on.

/// Bytes the records of one batch may have together, so that 31 bits address them.
pub const BATCH_BYTES_MAX: usize = 256 * 1024 * 1024;

/// Records as they came: one text and where each record stands in it, without its line end.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Records {
    /// The text, at most [`BATCH_BYTES_MAX`] bytes.
    pub text: Vec<u8>,
    /// First byte of each record and one behind its last.
    pub rows: Vec<(u32, u32)>,
}

impl Records {
    /// The text of record `row`; empty when there is none.
    pub fn get(&self, row: usize) -> &[u8] {
        self.rows.get(row).and_then(|(from, to)| self.text.get(*from as usize..*to as usize)).unwrap_or_default()
    }

    /// Splits a text at its line feeds; a carriage return before one goes too, and so do empty lines.
    pub fn from_lines(text: Vec<u8>) -> Self {
        let mut rows = Vec::new();
        let mut from = 0;
        for to in memchr::memchr_iter(b'\n', &text).chain(std::iter::once(text.len())) {
            let end = if to > from && text.get(to - 1) == Some(&b'\r') { to - 1 } else { to };
            if end > from {
                rows.push((from as u32, end as u32));
            }
            from = to + 1;
        }
        Self { text, rows }
    }
}

/// A record that cannot go on, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Row in [`Records`].
    pub row: u32,
    /// For the dead letter.
    pub reason: String,
}
