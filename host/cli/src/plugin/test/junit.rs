//! Results for build servers: the XML that JUnit's Ant task began and Jenkins, GitLab and GitHub's actions read
//! (<https://github.com/testmoapp/junitxml>).

use super::{Tested, text};
use std::fmt::Write;
use std::time::Duration;
use tamis_authoring::cases::{Case, Report};

pub(super) fn all(all: &[Tested]) -> String {
    let mut out = String::new();
    // Writing to a text does not fail.
    let _ = suites(&mut out, all);
    out
}

fn suites(out: &mut String, all: &[Tested]) -> std::fmt::Result {
    let count = |cases: fn(&Tested) -> usize| all.iter().map(cases).sum::<usize>();
    let took: Duration = all.iter().map(took).sum();
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    let (tests, failures) = (count(|tested| tested.cases.len()), count(Tested::failed));
    writeln!(
        out,
        r#"<testsuites name="tamis plugin test" tests="{tests}" failures="{failures}" errors="0" time="{:.6}">"#,
        took.as_secs_f64()
    )?;
    for tested in all {
        let (name, tests, failures) = (escaped(&tested.plugin), tested.cases.len(), tested.failed());
        let seconds = self::took(tested).as_secs_f64();
        writeln!(out, r#"  <testsuite name="{name}" tests="{tests}" failures="{failures}" errors="0" skipped="0" time="{seconds:.6}">"#)?;
        for (case, report) in &tested.cases {
            test(out, &name, case, report)?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn took(tested: &Tested) -> Duration {
    tested.cases.iter().map(|(_, report)| report.took).sum()
}

fn test(out: &mut String, plugin: &str, case: &Case, report: &Report) -> std::fmt::Result {
    let (name, file) = (escaped(&case.name), escaped(&case.file.display().to_string()));
    let seconds = report.took.as_secs_f64();
    write!(out, r#"    <testcase classname="{plugin}" name="{name}" file="{file}" time="{seconds:.6}""#)?;
    let Some(first) = report.mismatches.first() else { return writeln!(out, "/>") };
    writeln!(out, ">")?;
    let message = escaped(&format!("expected {}, found {}", first.expected, first.found));
    let mut details = String::new();
    text::mismatches(&mut details, case, report, false)?;
    writeln!(out, r#"      <failure message="{message}" type="mismatch">{}</failure>"#, escaped(&details))?;
    writeln!(out, "    </testcase>")
}

/// Text for an attribute or an element. Characters that XML 1.0 has no way to say become U+FFFD.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push_str("&#9;"),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            _ if character.is_control() => out.push('\u{fffd}'),
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn nothing_breaks_out_of_xml() {
        assert_eq!(escaped("a<b>&\"\n\u{1b}\u{0}\u{ffff}é"), "a&lt;b&gt;&amp;&quot;&#10;\u{fffd}\u{fffd}\u{fffd}é");
    }
}
