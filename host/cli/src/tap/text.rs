//! Samples and other events of a tap as text.

use serde_json::Value;
use std::fmt::Write as _;
use tamis_config::escaped;
use tamis_record::{Path, Segment};

const RED: &str = "31";
const GREEN: &str = "32";

fn word<'a>(event: &'a Value, key: &str) -> Option<&'a str> {
    event.get(key).and_then(Value::as_str)
}

/// What is tapped.
fn place(event: &Value) -> String {
    let pipeline = word(event, "pipeline").unwrap_or_default();
    word(event, "step").map_or_else(|| pipeline.to_owned(), |step| format!("{pipeline}/{step}"))
}

/// An event that is no record, in a line.
pub(super) fn note(event: &Value) -> String {
    let number = |key: &str| event.get(key).and_then(Value::as_u64).unwrap_or(0);
    let text = match word(event, "event") {
        Some("tapping") => {
            let hidden: Vec<&str> = event.get("hidden").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
            let hidden = if hidden.is_empty() { String::new() } else { format!("; hidden: {}", hidden.join(", ")) };
            format!("tapping {} of generation {}, {} records/s at most{hidden}", place(event), number("generation"), number("rate"))
        }
        Some("waiting") => format!("waiting: {}", word(event, "reason").unwrap_or_default()),
        Some("dropped") => {
            let mut text = String::new();
            for (key, what) in
                [("host", "the host had no time for"), ("viewer", "came faster than they were read"), ("filter", "the filter failed on")]
            {
                if number(key) > 0 {
                    let _ = write!(text, "{}{what}: {}", if text.is_empty() { "" } else { "; " }, number(key));
                }
            }
            let why = word(event, "filter_error").map_or_else(String::new, |why| format!(" ({why})"));
            format!("records not shown: {text}{why}")
        }
        _ => word(event, "reason").unwrap_or("the end").to_owned(),
    };
    escaped(&text)
}

/// A record before and after. With colours the changed fields are red and green in it; without, they follow it.
pub(super) fn sample(event: &Value, colour: bool) -> String {
    let mut out = String::new();
    let time = word(event, "time").and_then(|time| time.split_once('T')).map_or("", |(_, time)| time);
    let generation = event.get("generation").and_then(Value::as_u64).unwrap_or(0);
    let head = format!("{time}  {}  generation {generation}, from {}: {}", place(event), word(event, "source").unwrap_or("?"), fate(event));
    let _ = writeln!(out, "{}", escaped(&head));
    let changed: Vec<Path> =
        event.get("changed").and_then(Value::as_array).into_iter().flatten().filter_map(|path| path.as_str()?.parse().ok()).collect();
    let before = event.get("before").unwrap_or(&Value::Null);
    let after = event.get("after").filter(|after| !after.is_null());
    let painted = |value: &Value, paint: &str, bytes: &str| {
        let mut text = String::new();
        let painter = Painter { changed: if colour { &changed } else { &[] }, paint };
        painter.write(value, &mut Vec::new(), &mut text);
        if let Some(bytes) = event.get(bytes).and_then(Value::as_u64) {
            let _ = write!(text, " … ({bytes} bytes)");
        }
        text
    };
    let _ = writeln!(out, "  before  {}", painted(before, RED, "before_bytes"));
    if let Some(after) = after {
        let _ = writeln!(out, "  after   {}", painted(after, GREEN, "after_bytes"));
        for path in changed.iter().filter(|_| !colour) {
            for (sign, record) in [('-', before), ('+', after)] {
                if let Some(value) = found(record, path) {
                    let _ = writeln!(out, "  {sign} {}: {}", escaped(&path.to_string()), escaped(&value.to_string()));
                }
            }
        }
    }
    out
}

/// What became of a record.
fn fate(event: &Value) -> String {
    let by = word(event, "by").map_or_else(String::new, |step| format!(" by {step}"));
    let output = word(event, "output").map_or_else(String::new, |output| format!(" to {output}"));
    let failure = match (word(event, "cause"), word(event, "reason")) {
        (Some(cause), Some(reason)) => format!(" ({cause}: {reason})"),
        _ => String::new(),
    };
    let changed = event.get("changed").and_then(Value::as_array).map_or(0, Vec::len);
    match word(event, "outcome") {
        Some("passed") => match changed {
            0 => format!("passed{output}, unchanged{failure}"),
            _ => format!("passed{output}, changed{failure}"),
        },
        outcome => format!("{}{output}{by}{failure}", outcome.unwrap_or("?")),
    }
}

/// The value at a path.
fn found<'a>(record: &'a Value, path: &Path) -> Option<&'a Value> {
    path.segments().iter().try_fold(record, |value, segment| match segment {
        Segment::Key(key) => value.get(&**key),
        Segment::Index(index) => value.get(*index as usize),
    })
}

/// Writes JSON with some of its parts in colour.
struct Painter<'a> {
    changed: &'a [Path],
    paint: &'a str,
}

impl Painter<'_> {
    fn write(&self, value: &Value, at: &mut Vec<Segment>, out: &mut String) {
        let painted = self.changed.iter().any(|path| path.segments() == at.as_slice());
        if painted {
            let _ = write!(out, "\u{1b}[{}m{}\u{1b}[0m", self.paint, escaped(&value.to_string()));
            return;
        }
        match value {
            Value::Object(fields) => {
                out.push('{');
                for (number, (key, value)) in fields.iter().enumerate() {
                    let _ = write!(out, "{}{}:", if number > 0 { "," } else { "" }, escaped(&Value::from(key.as_str()).to_string()));
                    self.part(Segment::Key(key.as_str().into()), value, at, out);
                }
                out.push('}');
            }
            Value::Array(elements) => {
                out.push('[');
                for (value, number) in elements.iter().zip(0u32..) {
                    if number > 0 {
                        out.push(',');
                    }
                    self.part(Segment::Index(number), value, at, out);
                }
                out.push(']');
            }
            _ => out.push_str(&escaped(&value.to_string())),
        }
    }

    fn part(&self, segment: Segment, value: &Value, at: &mut Vec<Segment>, out: &mut String) {
        at.push(segment);
        self.write(value, at, out);
        at.pop();
    }
}

/// JSON whose texts hold nothing that drives a terminal.
pub(super) fn printable_json(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    for character in json.chars() {
        // Only texts hold these, in which they may be written like this. All of them have four digits or fewer, or are tags.
        if escaped(character.encode_utf8(&mut [0; 4])).starts_with("\\u{") {
            for unit in character.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(character);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn event() -> Value {
        json!({
            "event": "sample", "time": "2026-05-01T12:00:00.123Z", "pipeline": "main", "step": "redact", "generation": 3, "source": "in",
            "outcome": "passed", "output": null, "by": null, "cause": null, "reason": null, "changed": ["user.mail", "zone"],
            "before": {"user": {"id": 1, "mail": "b\u{9b}ob"}}, "after": {"user": {"id": 1, "mail": "-"}, "zone": true},
        })
    }

    #[test]
    fn without_colours_changed_fields_follow_the_record() {
        assert_eq!(
            sample(&event(), false),
            "12:00:00.123Z  main/redact  generation 3, from in: passed, changed\n  before  {\"user\":{\"id\":1,\"mail\":\"b\\u{9b}ob\"}}\n  \
             after   {\"user\":{\"id\":1,\"mail\":\"-\"},\"zone\":true}\n  - user.mail: \"b\\u{9b}ob\"\n  + user.mail: \"-\"\n  + zone: true\n"
        );
    }

    #[test]
    fn with_colours_they_stand_out() {
        let text = sample(&event(), true);
        assert!(text.contains("{\"id\":1,\"mail\":\u{1b}[31m\"b\\u{9b}ob\"\u{1b}[0m}"), "{text}");
        assert!(text.contains("\"zone\":\u{1b}[32mtrue\u{1b}[0m}"), "{text}");
    }

    #[test]
    fn what_does_not_go_on_says_why() {
        let mut event = event();
        event["outcome"] = json!("rejected");
        event["cause"] = json!("reject");
        event["reason"] = json!("no\u{1b}[2Jtenant");
        event["after"] = Value::Null;
        let text = sample(&event, true);
        assert!(text.lines().next().is_some_and(|line| line.ends_with("rejected (reject: no\\u{1b}[2Jtenant)")), "{text}");
        assert_eq!(text.lines().count(), 2);
    }

    #[test]
    fn notes_are_sentences() {
        let lost = json!({"event": "dropped", "host": 0, "viewer": 3, "filter": 1, "filter_error": "x"});
        assert_eq!(note(&lost), "records not shown: came faster than they were read: 3; the filter failed on: 1 (x)");
        let tapping = json!({"event": "tapping", "pipeline": "main", "step": null, "generation": 2, "rate": 10, "hidden": ["a", "b"]});
        assert_eq!(note(&tapping), "tapping main of generation 2, 10 records/s at most; hidden: a, b");
    }

    #[test]
    fn json_that_is_printed_drives_no_terminal() {
        let json = "{\"a\":\"\u{9b}é\u{202e}\u{e0001}\"}";
        let printed = printable_json(json);
        assert_eq!(printed, "{\"a\":\"\\u009bé\\u202e\\udb40\\udc01\"}");
        assert_eq!(serde_json::from_str::<Value>(&printed).ok(), serde_json::from_str(json).ok());
    }
}
