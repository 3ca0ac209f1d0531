//! Field paths over JSON values, as the host reads them: `a.b`, `tags[0]`, `labels."a key.with dots"`, `.`.

use serde_json::{Map, Value};

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
}

/// A parsed path; no parts is the whole record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path(Vec<Part>);

impl Path {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == "." {
            return Ok(Self(Vec::new()));
        }
        let wrong = |what: &str| format!("field path `{text}`: {what}");
        let mut parts = Vec::new();
        let mut rest = text.strip_prefix('.').unwrap_or(text);
        loop {
            let (part, after) = if let Some(index) = rest.strip_prefix('[') {
                let (index, after) = index.split_once(']').ok_or_else(|| wrong("`[` without `]`"))?;
                let index = index.parse().map_err(|_| wrong("expected a number in []"))?;
                (Part::Index(index), after)
            } else if let Some(quoted) = rest.strip_prefix('"') {
                let (key, after) = unquote(quoted).ok_or_else(|| wrong("the quoted key does not end"))?;
                (Part::Key(key), after)
            } else {
                let (key, after) = rest.split_at(rest.find(['.', '[']).unwrap_or(rest.len()));
                if key.is_empty() {
                    return Err(wrong("a key is empty"));
                }
                (Part::Key(key.to_owned()), after)
            };
            parts.push(part);
            rest = match after.strip_prefix('.') {
                Some(next) => next,
                None if after.is_empty() => return Ok(Self(parts)),
                None if after.starts_with('[') => after,
                None => return Err(wrong("expected `.` or `[`")),
            };
        }
    }

    pub(super) fn get<'v>(&self, record: &'v Value) -> Option<&'v Value> {
        self.0.iter().try_fold(record, |value, part| match part {
            Part::Key(key) => value.as_object()?.get(key),
            Part::Index(index) => value.as_array()?.get(*index),
        })
    }

    /// Sets the value. Missing parents are made, `null` counts as missing; `false` where a parent is of another form.
    pub(super) fn set(&self, record: &mut Value, new: Value) -> bool {
        let mut at = record;
        for part in &self.0 {
            at = match part {
                Part::Key(key) => {
                    if at.is_null() {
                        *at = Value::Object(Map::new());
                    }
                    let Value::Object(members) = at else { return false };
                    members.entry(key.as_str()).or_insert(Value::Null)
                }
                Part::Index(index) => {
                    if at.is_null() {
                        *at = Value::Array(Vec::new());
                    }
                    let Value::Array(items) = at else { return false };
                    if items.len() <= *index {
                        items.resize(*index + 1, Value::Null);
                    }
                    let Some(item) = items.get_mut(*index) else { return false };
                    item
                }
            };
        }
        *at = new;
        true
    }

    /// Removes the value, if it is there.
    pub(super) fn remove(&self, record: &mut Value) {
        let Some((last, parents)) = self.0.split_last() else {
            return;
        };
        let parent = parents.iter().try_fold(record, |value, part| match part {
            Part::Key(key) => value.as_object_mut()?.get_mut(key),
            Part::Index(index) => value.as_array_mut()?.get_mut(*index),
        });
        match (last, parent) {
            (Part::Key(key), Some(Value::Object(members))) => {
                members.remove(key);
            }
            (Part::Index(index), Some(Value::Array(items))) if *index < items.len() => {
                items.remove(*index);
            }
            _ => {}
        }
    }
}

/// The key up to its closing quote, and what follows.
fn unquote(text: &str) -> Option<(String, &str)> {
    let mut key = String::new();
    let mut characters = text.chars();
    loop {
        match characters.next()? {
            '"' => return Some((key, characters.as_str())),
            '\\' => key.push(characters.next()?),
            character => key.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn paths_are_read_as_the_host_does() {
        let record = json!({"a": {"b": [1, {"c.d": "x"}]}});
        let get = |path: &str| Path::parse(path).expect(path).get(&record).cloned();
        assert_eq!(get("a.b[0]"), Some(json!(1)));
        assert_eq!(get(".a.b[1].\"c.d\""), Some(json!("x")));
        assert_eq!(get("."), Some(record.clone()));
        assert_eq!(get("a.b[2]"), None);
        assert_eq!(get("a.b.c"), None);
        for wrong in ["", "a.", "a..b", "a[x]", "a[0", "\"a", "a[0]b"] {
            assert!(Path::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn values_are_set_and_removed() {
        let mut record = json!({"a": null, "list": [1, 2]});
        let path = |text: &str| Path::parse(text).expect(text);
        assert!(path("a.b[1]").set(&mut record, json!("x")));
        assert!(path("list[0]").set(&mut record, json!(0)));
        assert!(!path("list.key").set(&mut record, json!(0)));
        assert_eq!(record, json!({"a": {"b": [null, "x"]}, "list": [0, 2]}));
        path("a.b").remove(&mut record);
        path("list[0]").remove(&mut record);
        path("none.at.all").remove(&mut record);
        assert_eq!(record, json!({"a": {}, "list": [2]}));
    }
}
