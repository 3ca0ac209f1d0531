//! Findings that another host has told as JSON.

use super::{DIAGNOSTICS_MAX, Diagnostic, Diagnostics, Severity};
use crate::Place;
use serde_json::Value;

/// What stands for codes that are not known here.
const UNKNOWN: &str = "E000";

pub(super) fn findings(findings: &Value, known: impl Fn(&str) -> Option<&'static str>) -> Diagnostics {
    let mut all = Diagnostics::new();
    for finding in findings.as_array().into_iter().flatten().take(DIAGNOSTICS_MAX) {
        let text = |key: &str| finding.get(key).and_then(Value::as_str).unwrap_or_default();
        let severity = if text("severity") == "warning" { Severity::Warning } else { Severity::Error };
        let mut read = Diagnostic::new(severity, known(text("code")).unwrap_or(UNKNOWN), text("message").to_owned());
        read.place = finding.get("place").and_then(place);
        read.help = Some(text("help")).filter(|help| !help.is_empty()).map(Into::into);
        let related = finding.get("related").and_then(Value::as_array).into_iter().flatten();
        let note = |of: &Value| Some((place(of.get("place")?)?, of.get("message")?.as_str()?.to_owned()));
        read.related = related.filter_map(note).take(DIAGNOSTICS_MAX).collect();
        all.push(read);
    }
    all
}

fn place(of: &Value) -> Option<Place> {
    let number = |key: &str| of.get(key).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
    let file = of.get("file")?.as_str()?;
    Some(Place { file: file.into(), line: number("line"), column: number("column"), length: number("length") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let place = Place { file: "a.yaml".into(), line: 3, column: 4, length: 5 };
        let mut all = Diagnostics::new();
        all.push(Diagnostic::error("E013", "unknown key `b`").at(&place).help("remove it").related(&place, "see"));
        all.push(Diagnostic::warning("W301", "odd"));
        let codes = ["E013", "W301"];
        let read = Diagnostics::from_json(&all.to_json(), |code| codes.into_iter().find(|known| *known == code));
        assert_eq!(read.list, all.list);
        assert_eq!(read.render(false), all.render(false));
    }

    #[test]
    fn anything_else_is_passed_over() {
        for text in ["null", "3", "[3, {}, {\"place\": 4, \"related\": [null, {\"place\": {}}], \"code\": 5}]"] {
            let value = serde_json::from_str(text).unwrap_or_default();
            assert!(Diagnostics::from_json(&value, |_| None).iter().all(|finding| finding.code == UNKNOWN), "{text}");
        }
    }
}
