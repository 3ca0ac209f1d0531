//! Which file each line of a parcel belongs to.

use super::template;
use super::time::Utc;
use std::ops::Range;
use std::sync::Arc;
use tamis_config::PathTemplate;
use tamis_record::{Batch, ColumnId, DEPTH_MAX, Fault, Fields, Kind, Records, TooManyFields};

/// Bytes of lines that are looked at together; a longer line is looked at alone.
const PARCEL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Neighbouring lines of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Group {
    /// One behind the last line's end.
    pub(super) end: usize,
    /// The path, in [`Groups::paths`].
    path: Range<usize>,
}

/// The groups of a parcel.
#[derive(Debug, Default)]
pub(super) struct Groups {
    paths: String,
    groups: Vec<Group>,
}

impl Groups {
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, usize)> {
        self.groups.iter().map(|group| (self.paths.get(group.path.clone()).unwrap_or_default(), group.end))
    }
}

/// Reads the fields that a path names from encoded lines. Its memory is used again for the next parcel.
pub(super) struct Reader {
    batch: Batch,
    /// For each field of the path, its column as text and as any JSON value.
    columns: Vec<(ColumnId, ColumnId)>,
    prepared: Vec<ColumnId>,
    spare: Records,
    faults: Vec<Fault>,
}

impl Reader {
    pub(super) fn new(template: &PathTemplate) -> Result<Self, TooManyFields> {
        let mut fields = Fields::new();
        let mut columns = Vec::new();
        for path in template.fields() {
            columns.push((fields.read(path, Kind::Text)?, fields.read(path, Kind::Json)?));
        }
        let mut batch = Batch::new(Arc::new(fields));
        batch.set_depth_max(DEPTH_MAX);
        let prepared = columns.iter().flat_map(|(text, json)| [*text, *json]).collect();
        Ok(Self { batch, columns, prepared, spare: Records::default(), faults: Vec::new() })
    }

    /// Finds the groups of the whole lines that `bytes` begins with, as far as they are looked at together.
    pub(super) fn group(&mut self, bytes: &[u8], template: &PathTemplate, time: &Utc, groups: &mut Groups) {
        groups.paths.clear();
        groups.groups.clear();
        let Records { mut text, mut rows } = std::mem::take(&mut self.spare);
        text.clear();
        rows.clear();
        text.extend_from_slice(bytes.get(..whole_lines(bytes, PARCEL_BYTES_MAX)).unwrap_or_default());
        let mut from = 0;
        for to in memchr::memchr_iter(b'\n', &text) {
            rows.push((from, to as u32));
            from = to as u32 + 1;
        }
        if (from as usize) < text.len() {
            rows.push((from, text.len() as u32));
        }
        let records = Arc::new(Records { text, rows });
        self.faults.clear();
        self.batch.load(Arc::clone(&records), &mut self.faults);
        self.batch.prepare(&self.prepared, &mut self.faults);
        let mut live = self.batch.live().iter().enumerate().peekable();
        for (row, (_, to)) in records.rows.iter().enumerate() {
            // A line that is no JSON has no fields.
            let place = live.next_if(|(_, live)| **live as usize == row).map(|(place, _)| place);
            let value = |field: usize| -> Option<&[u8]> {
                let (text, json) = self.columns.get(field)?;
                let place = place?;
                self.batch.column(*text).bytes(place).or_else(|| self.batch.column(*json).bytes(place))
            };
            let begin = groups.paths.len();
            template::render(template, time, value, &mut groups.paths);
            let end = (*to as usize + 1).min(records.text.len());
            let path = groups.paths.get(begin..).unwrap_or_default();
            match groups.groups.last_mut() {
                Some(last) if groups.paths.get(last.path.clone()) == Some(path) => {
                    last.end = end;
                    groups.paths.truncate(begin);
                }
                _ => groups.groups.push(Group { end, path: begin..groups.paths.len() }),
            }
        }
        self.batch.release();
        self.spare = Arc::try_unwrap(records).unwrap_or_default();
    }
}

/// The length of as many whole lines as `bytes` begins with and `limit` allows, but of one at least.
pub(super) fn whole_lines(bytes: &[u8], limit: usize) -> usize {
    if bytes.len() <= limit {
        return bytes.len();
    }
    let (within, beyond) = bytes.split_at(limit);
    match memchr::memrchr(b'\n', within) {
        Some(at) => at + 1,
        None => memchr::memchr(b'\n', beyond).map_or(bytes.len(), |at| limit + at + 1),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use std::time::UNIX_EPOCH;

    #[test]
    fn lines_limits() {
        for (bytes, limit, expected) in [("", 1, 0), ("aa\nb\n", 9, 5), ("aa\nb\n", 4, 3), ("aa\nb\n", 1, 3), ("aaa", 1, 3), ("a\n", 0, 2)]
        {
            assert_eq!(whole_lines(bytes.as_bytes(), limit), expected, "{bytes:?} {limit}");
        }
    }

    #[test]
    fn neighbours_are_grouped_and_every_line_has_a_file() {
        let template = PathTemplate::parse("out/%{a.b}-%{c}").unwrap();
        let mut reader = Reader::new(&template).unwrap();
        let lines = [
            r#"{"a":{"b":"x"},"c":1}"#,
            r#"{"c":1,"a":{"b":"\u0078"}}"#,
            r#"{"a":{"b":"x"},"c":null}"#,
            r#"{"a":{"b":""}}"#,
            r#"{"a":1}"#,
            r#"{"a":{"b":"y"},"a":{"b":"z"},"c":true}"#,
            "not JSON",
            "",
            r#"{"a":{"b":[1]},"c":{"d":2}}"#,
            r#"{"a":{"b":"../.."},"c":"\u0000\n"}"#,
        ];
        let text = lines.join("\n") + "\n";
        let mut groups = Groups::default();
        for _ in 0..2 {
            reader.group(text.as_bytes(), &template, &Utc::new(UNIX_EPOCH), &mut groups);
            let mut from = 0;
            let found: Vec<_> = groups
                .iter()
                .map(|(path, end)| {
                    let count = text[from..end].matches('\n').count();
                    from = end;
                    (path, count)
                })
                .collect();
            let expected =
                [("x-1", 2), ("x-_", 1), ("_-_", 2), ("z-true", 1), ("_-_", 2), ("%5B1%5D-%7B%22d%22%3A2%7D", 1), ("%2E.%2F..-%00%0A", 1)];
            assert_eq!(found, expected);
            assert_eq!(from, text.len());
        }
    }
}
