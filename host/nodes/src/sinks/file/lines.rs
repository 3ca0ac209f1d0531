//! Which file each line of a parcel belongs to.

use super::lists::Lists;
use super::template;
use super::time::Utc;
use std::ops::Range;
use std::sync::Arc;
use tamis_config::PathTemplate;
use tamis_record::{Batch, ColumnId, DEPTH_MAX, Fault, Fields, Kind, Records, TooManyFields};

/// Bytes of lines that are looked at together; a longer line is looked at alone.
const PARCEL_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Neighbouring lines that go to the same files.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    /// One behind the last line's end.
    end: usize,
    /// The paths, in [`Groups::ranges`].
    paths: Range<usize>,
    /// Why the lines cannot be stored; then there is no path.
    refused: Option<&'static str>,
}

/// Where the lines of a group belong.
#[derive(Debug, Clone)]
pub(super) enum Target<'g> {
    /// To one file, or to several.
    Files(Paths<'g>),
    /// To no file, for this reason.
    Nowhere(&'static str),
}

/// The files of a group: one at least, no two of them the same.
#[derive(Debug, Clone)]
pub(super) struct Paths<'g> {
    text: &'g str,
    ranges: &'g [Range<usize>],
}

impl<'g> Iterator for Paths<'g> {
    type Item = &'g str;

    fn next(&mut self) -> Option<&'g str> {
        let (first, rest) = self.ranges.split_first()?;
        self.ranges = rest;
        Some(self.text.get(first.clone()).unwrap_or_default())
    }
}

impl Paths<'_> {
    /// How many files are still to come.
    pub(super) fn count_left(&self) -> usize {
        self.ranges.len()
    }
}

/// The groups of a parcel.
#[derive(Debug, Default)]
pub(super) struct Groups {
    text: String,
    ranges: Vec<Range<usize>>,
    groups: Vec<Group>,
}

impl Groups {
    /// Where each group ends and belongs, in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (usize, Target<'_>)> {
        self.groups.iter().map(|group| {
            let target = match group.refused {
                Some(reason) => Target::Nowhere(reason),
                None => Target::Files(self.paths(group.paths.clone())),
            };
            (group.end, target)
        })
    }

    fn paths(&self, ranges: Range<usize>) -> Paths<'_> {
        Paths { text: &self.text, ranges: self.ranges.get(ranges).unwrap_or_default() }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ranges.clear();
        self.groups.clear();
    }

    /// Ends a line whose paths are those from `first` on, and joins it to the group before when they are the same.
    fn close(&mut self, first: usize, refused: Option<&'static str>, end: usize) {
        let paths = first..self.ranges.len();
        let same =
            self.groups.last().is_some_and(|last| last.refused == refused && self.paths(last.paths.clone()).eq(self.paths(paths.clone())));
        match self.groups.last_mut().filter(|_| same) {
            Some(last) => {
                last.end = end;
                self.text.truncate(self.ranges.get(first).map_or(self.text.len(), |range| range.start));
                self.ranges.truncate(first);
            }
            None => self.groups.push(Group { end, paths, refused }),
        }
    }
}

/// Reads the fields that a path names from encoded lines. Its memory is used again for the next parcel.
pub(super) struct Reader {
    batch: Batch,
    /// For each field of the path, its column as text and as any JSON value.
    columns: Vec<(ColumnId, ColumnId)>,
    /// For each field of the path, where it stands in the path for the first time.
    first: Vec<usize>,
    prepared: Vec<ColumnId>,
    spare: Records,
    faults: Vec<Fault>,
    lists: Lists,
}

impl Reader {
    pub(super) fn new(template: &PathTemplate) -> Result<Self, TooManyFields> {
        let mut fields = Fields::new();
        let mut columns = Vec::new();
        let mut first = Vec::new();
        for (at, path) in template.fields().enumerate() {
            columns.push((fields.read(path, Kind::Text)?, fields.read(path, Kind::Json)?));
            first.push(template.fields().position(|other| other == path).unwrap_or(at));
        }
        let mut batch = Batch::new(Arc::new(fields));
        batch.set_depth_max(DEPTH_MAX);
        let prepared = columns.iter().flat_map(|(text, json)| [*text, *json]).collect();
        Ok(Self { batch, columns, first, prepared, spare: Records::default(), faults: Vec::new(), lists: Lists::default() })
    }

    /// Finds the groups of the whole lines that `bytes` begins with, as far as they are looked at together.
    pub(super) fn group(&mut self, bytes: &[u8], template: &PathTemplate, time: &Utc, groups: &mut Groups) {
        groups.clear();
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
        let mut place = 0;
        for (row, (_, to)) in records.rows.iter().enumerate() {
            // A line that is no JSON has no fields.
            let live = self.batch.live().get(place).is_some_and(|live| *live as usize == row);
            let first = groups.ranges.len();
            let refused = self.paths(live.then_some(place), template, time, groups).err();
            place += usize::from(live);
            groups.close(first, refused, (*to as usize + 1).min(records.text.len()));
        }
        self.batch.release();
        self.spare = Arc::try_unwrap(records).unwrap_or_default();
    }

    /// Appends the paths of the record at `place`: one for each element of a list.
    fn paths(&mut self, place: Option<usize>, template: &PathTemplate, time: &Utc, groups: &mut Groups) -> Result<(), &'static str> {
        let Self { batch, columns, first, lists, .. } = self;
        let column = |field: usize| columns.get(field).zip(place);
        let text = |field: usize| column(field).and_then(|((text, _), place)| batch.column(*text).bytes(place));
        let json = |field: usize| column(field).and_then(|((_, json), place)| batch.column(*json).bytes(place));
        lists.clear();
        for (field, same) in first.iter().enumerate() {
            match json(field).filter(|json| *same == field && json.first() == Some(&b'[') && text(field).is_none()) {
                Some(list) => lists.read(list)?,
                None => lists.none(),
            }
        }
        for number in 0..lists.spread() {
            let value = |field: usize| match lists.element(first.get(field).copied().unwrap_or(field), number) {
                Some(element) => Some(element),
                None => text(field).or_else(|| json(field)),
            };
            let begin = groups.text.len();
            template::render(template, time, value, &mut groups.text);
            groups.ranges.push(begin..groups.text.len());
        }
        Ok(())
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
                .map(|(end, target)| {
                    let count = text[from..end].matches('\n').count();
                    from = end;
                    let paths = match target {
                        Target::Files(paths) => paths.collect::<Vec<_>>().join(" "),
                        Target::Nowhere(reason) => format!("({reason})"),
                    };
                    (paths, count)
                })
                .collect();
            let expected =
                [("x-1", 2), ("x-_", 1), ("_-_", 2), ("z-true", 1), ("_-_", 2), ("1-%7B%22d%22%3A2%7D", 1), ("%2E.%2F..-%00%0A", 1)]
                    .map(|(paths, count)| (paths.to_owned(), count));
            assert_eq!(found, expected);
            assert_eq!(from, text.len());
        }
    }
    #[test]
    fn a_list_leads_to_a_file_for_each_of_its_elements() {
        let template = PathTemplate::parse("out/%{o}/%{o}-%{c}.x").unwrap();
        let mut reader = Reader::new(&template).unwrap();
        let sixteen: Vec<String> = (0..16).map(|n| n.to_string()).collect();
        let all: Vec<String> = sixteen.iter().map(|n| format!("{n}/{n}-_.x")).collect();
        for (line, expected) in [
            (r#"{"o":["a","b"],"c":"d"}"#.to_owned(), "a/a-d.x b/b-d.x".to_owned()),
            (r#"{"c":"d","o":["b", "a" ,"b","\u0062"]}"#.to_owned(), "b/b-d.x a/a-d.x".to_owned()),
            (r#"{"o":[1,"1",1.0]}"#.to_owned(), "1/1-_.x 1.0/1.0-_.x".to_owned()),
            (r#"{"o":[]}"#.to_owned(), "_/_-_.x".to_owned()),
            (r#"{"o":["","_"]}"#.to_owned(), "_/_-_.x %5F/%5F-_.x".to_owned()),
            (r#"{"o":["../x","a\"b"]}"#.to_owned(), "%2E.%2Fx/%2E.%2Fx-_.x a%22b/a%22b-_.x".to_owned()),
            (r#"{"o":["a"],"c":["d","e"]}"#.to_owned(), "a/a-d.x a/a-e.x".to_owned()),
            (r#"{"o":["a","b"],"c":["d","d"]}"#.to_owned(), "a/a-d.x b/b-d.x".to_owned()),
            (r#"{"o":"[1,2]"}"#.to_owned(), "%5B1%2C2%5D/%5B1%2C2%5D-_.x".to_owned()),
            (format!("{{\"o\":[{}]}}", sixteen.join(",")), all.join(" ")),
            (format!("{{\"o\":[{},16]}}", sixteen.join(",")), format!("({})", Lists::TOO_MANY)),
            (r#"{"o":["a","b"],"c":["d","e"]}"#.to_owned(), format!("({})", Lists::TWO)),
            (r#"{"o":["a",null]}"#.to_owned(), format!("({})", Lists::OTHERS)),
            (r#"{"o":[["a"]]}"#.to_owned(), format!("({})", Lists::OTHERS)),
        ] {
            let mut groups = Groups::default();
            reader.group(format!("{line}\n{line}\n").as_bytes(), &template, &Utc::new(UNIX_EPOCH), &mut groups);
            let found: Vec<_> = groups
                .iter()
                .map(|(end, target)| match target {
                    Target::Files(paths) => (end, paths.collect::<Vec<_>>().join(" ")),
                    Target::Nowhere(reason) => (end, format!("({reason})")),
                })
                .collect();
            assert_eq!(found, [(2 * line.len() + 2, expected)], "{line}");
        }
    }
}
