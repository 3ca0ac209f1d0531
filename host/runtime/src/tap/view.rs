//! A record as a viewer may see it: fields hidden, what is too long cut, and which fields a step changed.

use super::Cut;
use super::event::Shown;
use serde_json::Value;
use serde_json::value::RawValue;
use tamis_record::{Path, Segment};

/// What stands for a hidden value.
pub(super) const HIDDEN: &str = "[hidden]";
/// Changed fields that are named.
const CHANGED_MAX: usize = 64;

/// A record, read.
pub(super) struct View<'a> {
    cut: &'a Cut,
    value: Option<Value>,
}

impl<'a> View<'a> {
    pub(super) fn of(cut: &'a Cut) -> Self {
        let value = if cut.is_whole() { serde_json::from_slice(&cut.bytes).ok() } else { None };
        Self { cut, value }
    }

    /// Bytes of the record, when it is cut.
    pub(super) fn cut_bytes(&self) -> Option<usize> {
        (!self.cut.is_whole()).then_some(self.cut.whole)
    }

    /// What differs in `after`, by name.
    pub(super) fn changed(&self, after: &View<'_>) -> Vec<String> {
        let mut changed = Vec::new();
        match (&self.value, &after.value) {
            (Some(before), Some(after)) => differences(before, after, &mut Vec::new(), &mut changed),
            _ if self.cut.whole != after.cut.whole || self.cut.bytes != after.cut.bytes => changed.push(Path::root().to_string()),
            _ => {}
        }
        changed
    }

    /// With these fields hidden. What cannot be read is hidden altogether, for who knows what stands where.
    pub(super) fn shown(self, hide: &[Path]) -> Shown {
        let text = |bytes: &[u8]| Shown::Value(String::from_utf8_lossy(bytes).into_owned().into());
        match self.value {
            Some(mut value) if !hide.is_empty() => {
                hide.iter().for_each(|path| mask(&mut value, path.segments()));
                Shown::Value(value)
            }
            None if !hide.is_empty() => Shown::Value(HIDDEN.into()),
            Some(_) => match String::from_utf8(self.cut.bytes.clone()).map(RawValue::from_string) {
                Ok(Ok(raw)) => Shown::Raw(raw),
                _ => text(&self.cut.bytes),
            },
            None => text(&self.cut.bytes),
        }
    }
}

/// Hides what the path leads to. Steps move the elements of arrays, so an index stands for all of them, and a key on the way is
/// looked for in each. A text where fields are expected may hold them in a form of its own, and is hidden as a whole.
fn mask(value: &mut Value, path: &[Segment]) {
    let Some((first, rest)) = path.split_first() else {
        *value = HIDDEN.into();
        return;
    };
    match (value, first) {
        (Value::Object(fields), Segment::Key(key)) => {
            if let Some(field) = fields.get_mut(&**key) {
                mask(field, rest);
            }
        }
        (Value::Array(elements), Segment::Index(_)) => elements.iter_mut().for_each(|element| mask(element, rest)),
        (Value::Array(elements), Segment::Key(_)) => elements.iter_mut().for_each(|element| mask(element, path)),
        (value @ Value::String(_), _) => *value = HIDDEN.into(),
        _ => {}
    }
}

// Depth is limited by the parser's, 128.
fn differences(before: &Value, after: &Value, at: &mut Vec<Segment>, out: &mut Vec<String>) {
    if out.len() >= CHANGED_MAX || before == after {
        return;
    }
    let mut part = |segment, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<String>| {
        at.push(segment);
        match (before, after) {
            (Some(before), Some(after)) => differences(before, after, at, out),
            _ if out.len() < CHANGED_MAX => out.push(Path::from_segments(at.clone()).to_string()),
            _ => {}
        }
        at.pop();
    };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in old {
                part(Segment::Key(key.as_str().into()), Some(value), new.get(key), out);
            }
            for (key, value) in new.iter().filter(|(key, _)| !old.contains_key(*key)) {
                part(Segment::Key(key.as_str().into()), None, Some(value), out);
            }
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for ((old, new), index) in old.iter().zip(new).zip(0u32..) {
                part(Segment::Index(index), Some(old), Some(new), out);
            }
        }
        _ => out.push(Path::from_segments(at.clone()).to_string()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn shown(record: &str, hide: &[&str]) -> String {
        let paths: Vec<Path> = hide.iter().map(|path| path.parse().unwrap()).collect();
        serde_json::to_string(&View::of(&Cut::of(record.as_bytes())).shown(&paths)).unwrap()
    }

    #[test]
    fn fields_are_hidden_wherever_they_lie() {
        for (record, hide, expected) in [
            (r#"{"a":1,"b":2}"#, &["a"][..], r#"{"a":"[hidden]","b":2}"#),
            (r#"{"user":{"mail":"m","n":1}}"#, &["user.mail"], r#"{"user":{"mail":"[hidden]","n":1}}"#),
            (r#"{"user":{"mail":"m"}}"#, &["user"], r#"{"user":"[hidden]"}"#),
            (
                r#"{"users":[{"mail":"m"},{"mail":["x","y"]},7]}"#,
                &["users.mail"],
                r#"{"users":[{"mail":"[hidden]"},{"mail":"[hidden]"},7]}"#,
            ),
            (r#"{"a":[[{"b":1}]]}"#, &["a.b"], r#"{"a":[[{"b":"[hidden]"}]]}"#),
            (r#"{"tags":["x","y"]}"#, &["tags[0]"], r#"{"tags":["[hidden]","[hidden]"]}"#),
            (r#"{"user":"mail=m"}"#, &["user.mail"], r#"{"user":"[hidden]"}"#),
            (r#"{"us\u0065r":"m"}"#, &["user"], r#"{"user":"[hidden]"}"#),
            (r#"{"a":1,"a":2}"#, &["a"], r#"{"a":"[hidden]"}"#),
            (r#"{"a":null}"#, &["a"], r#"{"a":"[hidden]"}"#),
            (r#"{"a":1}"#, &["."], r#""[hidden]""#),
            (r#""mail=m""#, &["mail"], r#""[hidden]""#),
            ("mail=m", &["mail"], r#""[hidden]""#),
            ("{\"mail\":\"m\"", &["other"], r#""[hidden]""#),
        ] {
            assert_eq!(shown(record, hide), expected, "{record} {hide:?}");
        }
    }

    #[test]
    fn what_is_too_deep_or_too_long_to_read_is_hidden() {
        let deep = format!("{}{}", r#"{"a":"#.repeat(200), "1}".to_owned() + &"}".repeat(199));
        assert_eq!(shown(&deep, &["secret"]), r#""[hidden]""#);
        let long = format!(r#"{{"secret":"s","pad":"{}"}}"#, "x".repeat(super::super::TAP_RECORD_BYTES_MAX));
        assert_eq!(shown(&long, &["secret"]), r#""[hidden]""#);
        assert_eq!(View::of(&Cut::of(long.as_bytes())).cut_bytes(), Some(long.len()));
        let open: Value = serde_json::from_str(&shown(&long, &[])).unwrap();
        assert_eq!(open.as_str().unwrap().len(), super::super::TAP_RECORD_BYTES_MAX);
    }

    #[test]
    fn nothing_to_hide_leaves_the_spelling_alone() {
        for record in [r#"{"n":12345678901234567890123,"m":1.10}"#, r#"{ "a" : 1 }"#] {
            assert_eq!(shown(record, &[]), record);
        }
        assert_eq!(shown("not JSON", &[]), r#""not JSON""#);
    }

    #[test]
    fn changed_fields_are_named() {
        let changed = |before: &str, after: &str| {
            let (before, after) = (Cut::of(before.as_bytes()), Cut::of(after.as_bytes()));
            View::of(&before).changed(&View::of(&after)).join(" ")
        };
        assert_eq!(changed(r#"{"a":1,"b":{"c":2,"d":3}}"#, r#"{"b":{"c":4},"e f":5,"a":1}"#), r#"b.c b.d "e f""#);
        assert_eq!(changed(r#"{"t":[1,{"x":2}],"u":[1]}"#, r#"{"t":[1,{"x":3}],"u":[]}"#), "t[1].x u");
        assert_eq!(changed("{}", "{}"), "");
        assert_eq!(changed("x", "y"), ".");
        let many = |value: u32| {
            serde_json::to_string(&(0..200).map(|n| (n.to_string(), value)).collect::<std::collections::BTreeMap<_, _>>()).unwrap()
        };
        assert_eq!(changed(&many(1), &many(2)).split(' ').count(), CHANGED_MAX);
    }
}
