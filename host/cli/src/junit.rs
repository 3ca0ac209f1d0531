//! JUnit's XML, as continuous integration reads it: suites of cases, of which some failed.

use std::fmt::Write as _;
use std::time::Duration;

/// Cases that belong together.
#[derive(Debug, Clone)]
pub(crate) struct Suite {
    pub(crate) name: String,
    pub(crate) cases: Vec<Case>,
}

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) name: String,
    /// What it is a case of.
    pub(crate) class: String,
    /// Where it is written.
    pub(crate) file: Option<String>,
    pub(crate) time: Duration,
    /// A line that says what is wrong, and the whole of it; none: it passed.
    pub(crate) failure: Option<(String, String)>,
}

/// The document, with its line feed.
pub(crate) fn xml(suites: &[Suite]) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let cases = || suites.iter().flat_map(|suite| &suite.cases);
    let _ = writeln!(out, "<testsuites {}>", totals(cases()));
    for suite in suites {
        let _ = writeln!(out, "  <testsuite name=\"{}\" {}>", escaped(&suite.name), totals(suite.cases.iter()));
        for case in &suite.cases {
            let file = case.file.as_ref().map_or_else(String::new, |file| format!(" file=\"{}\"", escaped(file)));
            let (name, class) = (escaped(&case.name), escaped(&case.class));
            let _ = write!(out, "    <testcase name=\"{name}\" classname=\"{class}\"{file} time=\"{:.6}\"", case.time.as_secs_f64());
            match &case.failure {
                None => out.push_str("/>\n"),
                Some((message, text)) => {
                    let _ =
                        writeln!(out, ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>", escaped(message), escaped(text));
                }
            }
        }
        out.push_str("  </testsuite>\n");
    }
    out.push_str("</testsuites>\n");
    out
}

fn totals<'a>(cases: impl Iterator<Item = &'a Case>) -> String {
    let (mut tests, mut failures, mut time) = (0u64, 0u64, Duration::ZERO);
    for case in cases {
        tests += 1;
        failures += u64::from(case.failure.is_some());
        time += case.time;
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\" time=\"{:.6}\"", time.as_secs_f64())
}

/// Text for an attribute or an element: what XML 1.0 cannot hold becomes the replacement character.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\r' => out.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_records_does_not_break_the_document() {
        let case =
            |failure| Case { name: "a <b> & \"c\"".into(), class: "main".into(), file: None, time: Duration::from_millis(1500), failure };
        let failure = Some(("field\u{1b}[31m".into(), "line 1\n]]> 'x'\u{0}".into()));
        let text = xml(&[Suite { name: "tests".into(), cases: vec![case(None), case(failure)] }]);
        assert!(text.contains("<testsuites tests=\"2\" failures=\"1\" errors=\"0\" skipped=\"0\" time=\"3.000000\">"), "{text}");
        assert!(text.contains("name=\"a &lt;b&gt; &amp; &quot;c&quot;\""), "{text}");
        assert!(text.contains("message=\"field\u{fffd}[31m\">line 1&#10;]]&gt; 'x'\u{fffd}</failure>"), "{text}");
    }
}
