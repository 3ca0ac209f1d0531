//! Findings as text for a person, in the manner of compilers, and as JSON.

use std::fmt::Write;

use serde_json::{Value, json};

use super::escape::{escaped, push_escaped, sentence};
use super::{Diagnostic, Diagnostics, Severity};
use crate::Place;

/// Characters of a line that are shown; of a longer one, the part around the place.
const EXCERPT_CHARS: usize = 120;
/// Characters shown before the place in a line that is too long.
const EXCERPT_BEFORE: usize = 40;

const RESET: &str = "\u{1b}[0m";
const BOLD: &str = "\u{1b}[1m";
const RED: &str = "\u{1b}[1;31m";
const YELLOW: &str = "\u{1b}[1;33m";
const BLUE: &str = "\u{1b}[1;34m";

/// Paints, or not.
#[derive(Clone, Copy)]
struct Painter {
    colour: bool,
}

impl Painter {
    fn paint(self, style: &str, text: &str) -> String {
        if self.colour { format!("{style}{text}{RESET}") } else { text.to_owned() }
    }
}

pub(super) fn text(all: &Diagnostics, colour: bool) -> String {
    let painter = Painter { colour };
    let mut out = String::new();
    for (i, finding) in all.list.iter().enumerate() {
        if i > 0 {
            out.push('\n');
        }
        one(&mut out, all, finding, painter);
    }
    match all.left_out.0 + all.left_out.1 {
        0 => {}
        more => {
            let _ = writeln!(out, "\nand {more} more");
        }
    }
    out
}

// Writing to a `String` cannot fail, so the results of `write!` are not looked at.
fn one(out: &mut String, all: &Diagnostics, finding: &Diagnostic, painter: Painter) {
    let (style, mark) = match finding.severity {
        Severity::Error => (RED, '^'),
        Severity::Warning => (YELLOW, '^'),
    };
    let head = format!("{}[{}]", finding.severity.as_str(), finding.code);
    let message = format!(": {}", sentence(&finding.message));
    let _ = writeln!(out, "{}{}", painter.paint(style, &head), painter.paint(BOLD, &message));

    let lines = finding.place.iter().chain(finding.related.iter().map(|(place, _)| place)).map(|place| place.line);
    let width = lines.max().unwrap_or(0).to_string().len();
    let bar = painter.paint(BLUE, "|");
    let gutter = " ".repeat(width + 1);

    if let Some(place) = &finding.place {
        let _ = writeln!(out, "{}{} {}", " ".repeat(width), painter.paint(BLUE, "-->"), escaped(&place.to_string()));
        excerpt(out, all, place, Excerpt { width, mark, style, note: "" }, painter);
    }
    for (place, note) in &finding.related {
        let _ = writeln!(out, "{}{} {}", " ".repeat(width), painter.paint(BLUE, ":::"), escaped(&place.to_string()));
        if !excerpt(out, all, place, Excerpt { width, mark: '-', style: BLUE, note }, painter) {
            let _ = writeln!(out, "{gutter}{bar} {}", sentence(note));
        }
    }
    if let Some(help) = &finding.help {
        let equals = painter.paint(BLUE, "=");
        let _ = writeln!(out, "{gutter}{equals} {}: {}", painter.paint(BOLD, "help"), sentence(help));
    }
}

/// How an excerpt looks.
#[derive(Clone, Copy)]
struct Excerpt<'a> {
    /// Digits of the longest line number shown.
    width: usize,
    /// The character that underlines.
    mark: char,
    style: &'a str,
    /// Said behind the underline.
    note: &'a str,
}

/// Shows the line of a place with the place underlined; false when the line is not known.
fn excerpt(out: &mut String, all: &Diagnostics, place: &Place, look: Excerpt<'_>, painter: Painter) -> bool {
    let Some(line) = line_of(all, place) else {
        return false;
    };
    let Shown { text, before, marked } = shown(line, place);
    let bar = painter.paint(BLUE, "|");
    let number = painter.paint(BLUE, &format!("{:>width$}", place.line, width = look.width));
    let gutter = " ".repeat(look.width + 1);
    let _ = writeln!(out, "{gutter}{bar}");
    let _ = writeln!(out, "{}", format!("{number} {bar} {text}").trim_end());
    let underline: String = std::iter::repeat_n(look.mark, marked.max(1)).collect();
    let note = if look.note.is_empty() { String::new() } else { format!(" {}", sentence(look.note)) };
    let underline = painter.paint(look.style, &format!("{underline}{note}"));
    let _ = writeln!(out, "{gutter}{bar} {}{underline}", " ".repeat(before));
    true
}

fn line_of<'a>(all: &'a Diagnostics, place: &Place) -> Option<&'a str> {
    let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let source = all.sources.get(&place.file)?;
    let line = source.split('\n').nth(index)?;
    Some(line.strip_suffix('\r').unwrap_or(line))
}

/// A line made fit to print.
struct Shown {
    text: String,
    /// Characters before the place, as printed.
    before: usize,
    /// Characters of the place, as printed.
    marked: usize,
}

fn shown(line: &str, place: &Place) -> Shown {
    let column = usize::try_from(place.column).unwrap_or(1).saturating_sub(1);
    let end = column.saturating_add(usize::try_from(place.length).unwrap_or(1).max(1));
    let long = line.chars().nth(EXCERPT_CHARS).is_some();
    let from = if long { column.saturating_sub(EXCERPT_BEFORE) } else { 0 };

    let mut text = String::new();
    if from > 0 {
        text.push('…');
    }
    let (mut before, mut marked) = (text.chars().count(), 0);
    let mut characters = line.chars().enumerate().skip(from);
    for (i, character) in characters.by_ref().take(EXCERPT_CHARS) {
        let start = text.len();
        push_escaped(&mut text, character);
        let printed = text.get(start..).map_or(0, |added| added.chars().count());
        if i < column {
            before += printed;
        } else if i < end {
            marked += printed;
        }
    }
    if characters.next().is_some() {
        text.push('…');
    }
    text.truncate(text.trim_end().len());
    Shown { text, before, marked }
}

pub(super) fn json(all: &Diagnostics) -> Value {
    let place = |place: &Place| json!({ "file": escaped(&place.file), "line": place.line, "column": place.column, "length": place.length });
    let list = all.list.iter().map(|finding| {
        let mut object = json!({
            "severity": finding.severity.as_str(),
            "code": finding.code,
            "message": sentence(&finding.message),
        });
        if let (Some(found), Some(map)) = (&finding.place, object.as_object_mut()) {
            map.insert("place".to_owned(), place(found));
        }
        if let (Some(help), Some(map)) = (&finding.help, object.as_object_mut()) {
            map.insert("help".to_owned(), Value::String(sentence(help)));
        }
        if let (false, Some(map)) = (finding.related.is_empty(), object.as_object_mut()) {
            let related = finding.related.iter().map(|(at, note)| json!({ "place": place(at), "message": sentence(note) }));
            map.insert("related".to_owned(), related.collect());
        }
        object
    });
    list.collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn place(line: u32, column: u32, length: u32) -> Place {
        Place { file: Arc::from("a.yaml"), line, column, length }
    }

    fn with(text: &str, finding: Diagnostic) -> Diagnostics {
        let mut all = Diagnostics::new();
        all.add_source("a.yaml", text);
        all.push(finding);
        all
    }

    #[test]
    fn a_finding_is_shown_with_its_line() {
        let finding = Diagnostic::error("E013", "unknown key `b`").at(&place(2, 1, 1)).help("remove it").related(&place(1, 1, 1), "see");
        let expected = "error[E013]: unknown key `b`\n --> a.yaml:2:1\n  |\n2 | b: 2\n  | ^\n ::: a.yaml:1:1\n  |\n1 | a: 1\n  | - see\n  = help: remove it\n";
        assert_eq!(with("a: 1\nb: 2\n", finding).render(false), expected);
    }

    #[test]
    fn colours_only_when_asked() {
        let all = with("\u{1b}[31mred", Diagnostic::warning("W001", "\u{1b}x").at(&place(1, 6, 3)));
        assert!(!all.render(false).contains('\u{1b}'));
        let coloured = all.render(true);
        assert!(coloured.contains("\u{1b}[1;33mwarning[W001]"));
        assert!(coloured.contains("\\u{1b}[31mred"), "{coloured}");
    }

    #[test]
    fn a_long_line_is_cut_around_the_place() {
        let line = format!("{}HERE{}", "a".repeat(1_000), "b".repeat(1_000));
        let text = with(&line, Diagnostic::error("E001", "x").at(&place(1, 1_001, 4))).render(false);
        let longest = text.lines().map(|line| line.chars().count()).max();
        assert!(longest < Some(140) && text.contains("HERE"), "{text}");
        let under = text.lines().find(|line| line.contains('^')).and_then(|line| line.find('^'));
        let here = text.lines().find_map(|line| line.find("HERE").map(|at| at - "…".len() + 1));
        assert_eq!(under, here, "{text}");
    }

    #[test]
    fn a_place_outside_the_text_is_named_only() {
        let text = with("a", Diagnostic::error("E001", "x").at(&place(9, 900, 4))).render(true);
        assert!(text.contains("a.yaml:9:900"));
    }

    #[test]
    fn json_has_the_same_facts() {
        let finding = Diagnostic::error("E008", "dup\u{9b}").at(&place(2, 1, 1)).help("h").related(&place(1, 1, 1), "first");
        let place = |line: u32| json!({ "file": "a.yaml", "line": line, "column": 1, "length": 1 });
        let expected = json!([{ "severity": "error", "code": "E008", "message": "dup\\u{9b}", "place": place(2), "help": "h",
            "related": [{ "place": place(1), "message": "first" }] }]);
        assert_eq!(with("", finding).to_json(), expected);
    }
}
