//! What differs between two fates of a record.

use super::PipelineDifference;
use serde_json::Value;

/// Paths of fields that are counted; further ones count as `…`.
const PATHS_MAX: usize = 64;
/// Depth to which objects are compared field by field.
const DEPTH_MAX: usize = 8;

/// What became of a record.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fate {
    /// It left by an output, like this.
    Left { output: String, record: Vec<u8> },
    /// It was dropped on purpose.
    Dropped,
    /// It became a dead letter.
    Dead,
}

/// Counts differences; keeps what is needed for that from record to record.
#[derive(Debug, Default)]
pub(super) struct Fields {
    paths: Vec<String>,
}

impl Fields {
    /// Counts what differs between what became of a record and what would become of it.
    pub(super) fn note(&mut self, entry: &mut PipelineDifference, was: &Fate, is: &Fate) {
        if was == is {
            return;
        }
        entry.records_differ += 1;
        match (was, is) {
            (Fate::Left { output: from, record: before }, Fate::Left { output: to, record: after }) => {
                entry.outputs_differ += u64::from(from != to);
                if before != after {
                    self.fields(before, after);
                }
            }
            _ => entry.drops_differ += u64::from((*was == Fate::Dropped) != (*is == Fate::Dropped)),
        }
        for path in self.paths.drain(..) {
            let known = entry.fields.len() < PATHS_MAX || entry.fields.contains_key(&path);
            *entry.fields.entry(if known { path } else { "…".into() }).or_default() += 1;
        }
    }

    fn fields(&mut self, before: &[u8], after: &[u8]) {
        let parse = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes.trim_ascii_end()).ok();
        match (parse(before), parse(after)) {
            (Some(before), Some(after)) => {
                self.differ("", Some(&before), Some(&after), 0);
                // The same values, written or ordered otherwise.
                if self.paths.is_empty() {
                    self.paths.push(".".into());
                }
            }
            _ => self.paths.push(".".into()),
        }
    }

    fn differ(&mut self, path: &str, before: Option<&Value>, after: Option<&Value>, depth: usize) {
        if before == after {
            return;
        }
        let (Some(Value::Object(was)), Some(Value::Object(is))) = (before, after) else {
            self.paths.push(if path.is_empty() { ".".into() } else { path.to_owned() });
            return;
        };
        if depth == DEPTH_MAX {
            self.paths.push(path.to_owned());
            return;
        }
        for name in was.keys().chain(is.keys().filter(|name| !was.contains_key(*name))) {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            self.differ(&path, was.get(name), is.get(name), depth + 1);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn left(output: &str, record: &str) -> Fate {
        Fate::Left { output: output.into(), record: record.into() }
    }

    #[test]
    fn differences_are_counted_by_kind_and_field() {
        let (mut fields, mut entry) = (Fields::default(), PipelineDifference::default());
        let one = left("default", r#"{"a":1,"b":{"c":1,"d":[1]},"e":1}"#);
        fields.note(&mut entry, &one, &one);
        assert_eq!((entry.records_differ, entry.fields.len()), (0, 0));
        fields.note(&mut entry, &one, &left("default", r#"{"a":1,"b":{"c":2,"d":[1,2]},"f":1}"#));
        assert_eq!(
            entry.fields.iter().map(|(path, n)| (path.as_str(), *n)).collect::<Vec<_>>(),
            [("b.c", 1), ("b.d", 1), ("e", 1), ("f", 1)]
        );
        fields.note(&mut entry, &one, &left("errors", r#"{"a":1,"b":{"c":1,"d":[1]},"e":1}"#));
        fields.note(&mut entry, &one, &Fate::Dropped);
        fields.note(&mut entry, &Fate::Dead, &one);
        fields.note(&mut entry, &Fate::Dead, &Fate::Dropped);
        assert_eq!((entry.records_differ, entry.outputs_differ, entry.drops_differ), (5, 1, 2));
    }

    #[test]
    fn paths_are_bounded_and_texts_that_are_no_json_count() {
        let (mut fields, mut entry) = (Fields::default(), PipelineDifference::default());
        for n in 0..200 {
            fields.note(&mut entry, &left("o", "{}"), &left("o", &format!("{{\"f{n}\":1}}")));
        }
        assert_eq!((entry.fields.len(), entry.fields["…"]), (PATHS_MAX + 1, 136));
        let mut entry = PipelineDifference::default();
        fields.note(&mut entry, &left("o", "{"), &left("o", "{}"));
        fields.note(&mut entry, &left("o", "{\"a\":1,\"b\":2}"), &left("o", "{\"b\":2,\"a\":1}"));
        assert_eq!(entry.fields["."], 2);
    }
}
