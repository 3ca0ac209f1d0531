//! Matching a line against a format.

use crate::decode::cursor::{Bad, Result};
use crate::decode::json;
use crate::decode::time::Stamp;
use crate::decode::value::whole;
use memchr::memmem::Finder;
use tamis_config::{Form, LogFormat, Part};

/// How many ways to read a line are tried; looking through [`BYTES_A_TRY`] counts as one more.
const TRIES_MAX: u32 = 20_000;
const BYTES_A_TRY: usize = 4096;

/// A format and where its values stand in the line that was matched last.
pub(super) struct Matcher {
    parts: Vec<Piece>,
    spans: Vec<(usize, usize)>,
    tries: u32,
    furthest: Bad,
}

enum Piece {
    Literal(Box<Finder<'static>>),
    Field(Box<[u8]>, Form),
}

impl Matcher {
    pub(super) fn new(format: &LogFormat) -> Self {
        let piece = |part: &Part| match part {
            Part::Literal(text) => Piece::Literal(Box::new(Finder::new(text.as_bytes()).into_owned())),
            Part::Field { name, form } => Piece::Field(name.as_bytes().into(), *form),
        };
        let parts: Vec<Piece> = format.parts().iter().map(piece).collect();
        Self { spans: vec![(0, 0); parts.len()], parts, tries: 0, furthest: Bad::new(0, "") }
    }

    /// Finds the values in `line`.
    pub(super) fn find(&mut self, line: &[u8]) -> Result<()> {
        self.tries = 0;
        self.furthest = Bad::new(0, expected(self.parts.first()));
        if walk(&self.parts, &mut self.spans, &mut self.tries, &mut self.furthest, line, 0) {
            return Ok(());
        }
        match self.tries < TRIES_MAX {
            true => Err(self.furthest),
            false => Err(Bad::new(self.furthest.at, "a line that can be read in fewer ways than 20,000")),
        }
    }

    /// Whether the format has a field of this name.
    pub(super) fn has(&self, name: &[u8]) -> bool {
        self.parts.iter().any(|part| matches!(part, Piece::Field(field, _) if **field == *name))
    }

    /// The fields and their values in the line that was found.
    pub(super) fn values<'a>(&'a self, line: &'a [u8]) -> impl Iterator<Item = (&'a [u8], Form, &'a [u8])> {
        self.parts.iter().zip(&self.spans).filter_map(|(part, (from, to))| match part {
            Piece::Field(name, form) => Some((&**name, *form, line.get(*from..*to)?)),
            Piece::Literal(_) => None,
        })
    }
}

/// Whether `parts` match `line` from `at` to its end. As deep as there are parts, of which a format has a bounded number.
fn walk(parts: &[Piece], spans: &mut [(usize, usize)], tries: &mut u32, furthest: &mut Bad, line: &[u8], at: usize) -> bool {
    let (Some((part, rest)), Some((span, spans))) = (parts.split_first(), spans.split_first_mut()) else {
        return note(at == line.len(), furthest, at, "the line's end");
    };
    let form = match part {
        Piece::Literal(text) => {
            let is_here = line.get(at..).is_some_and(|line| line.starts_with(text.needle()));
            let is_here = note(is_here, furthest, at, "the format's next character");
            return is_here && walk(rest, spans, tries, furthest, line, at + text.needle().len());
        }
        Piece::Field(_, form) => *form,
    };
    note(false, furthest, at, expected(Some(part)));
    match rest.first() {
        None => {
            *span = (at, line.len());
            fits(form, line.get(at..).unwrap_or_default(), 0, false) == Fit::Yes
        }
        // Only a path stands directly before another field, its query.
        Some(Piece::Field(..)) => {
            let text = line.get(at..).unwrap_or_default();
            let length = text.iter().position(|byte| matches!(byte, b'?' | b' ' | b'"')).unwrap_or(text.len());
            *span = (at, at + length);
            length > 0 && walk(rest, spans, tries, furthest, line, at + length)
        }
        Some(Piece::Literal(text)) => {
            let is_quoted = text.needle().first() == Some(&b'"');
            let (mut from, mut checked) = (at, 0);
            // Not further than anything that fits can reach.
            let limit = length_max(form).map_or(line.len(), |max| line.len().min(at + max + text.needle().len()));
            loop {
                let ahead = line.get(from..limit).unwrap_or_default();
                let found = text.find(ahead);
                *tries += 1 + (found.unwrap_or(ahead.len()) / BYTES_A_TRY) as u32;
                let Some(end) = found.map(|found| from + found).filter(|_| *tries < TRIES_MAX) else { return false };
                from = end + 1;
                if is_quoted && is_escaped(line, at, end) {
                    continue;
                }
                let fit = fits(form, line.get(at..end).unwrap_or_default(), checked, is_quoted);
                checked = end - at;
                match fit {
                    Fit::Yes => {
                        *span = (at, end);
                        if walk(rest, spans, tries, furthest, line, end) {
                            return true;
                        }
                    }
                    Fit::No => {}
                    Fit::Never => return false,
                }
            }
        }
    }
}

/// Whether an odd number of backslashes stands before `end`.
fn is_escaped(line: &[u8], from: usize, end: usize) -> bool {
    let before = line.get(from..end).unwrap_or_default();
    before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 1
}

/// Remembers the furthest place that something was missed at.
fn note(is_here: bool, furthest: &mut Bad, at: usize, expected: &'static str) -> bool {
    if !is_here && (at > furthest.at || furthest.expected.is_empty()) {
        *furthest = Bad::new(at, expected);
    }
    is_here
}

fn expected(part: Option<&Piece>) -> &'static str {
    match part {
        Some(Piece::Field(_, form)) => match form {
            Form::Token => "text without blanks",
            Form::Free => "a value and what the format has behind it",
            Form::Host => "a host or an address",
            Form::User => "a user or `-`",
            Form::Addresses => "addresses or `-`",
            Form::Path => "a path",
            Form::Request => "a request line and what the format has behind it",
            Form::Time => "a time such as `[03/Mar/2025:11:42:07 +0100]`",
            Form::Integer => "a whole number or `-`",
            Form::Number => "a number or `-`",
        },
        _ => "the format's first character",
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Fit {
    Yes,
    No,
    /// Nor will anything longer.
    Never,
}

/// The longest value, in bytes, of forms that have one.
fn length_max(form: Form) -> Option<usize> {
    match form {
        Form::Time => Some(64),
        Form::Integer => Some(20),
        Form::Number => Some(32),
        _ => None,
    }
}

/// Whether `value` may stand where `form` does. What comes before `checked` was looked at already, in a shorter value: so many
/// values are tried in linear time.
fn fits(form: Form, value: &[u8], checked: usize, is_quoted: bool) -> Fit {
    let new = value.get(checked..).unwrap_or_default();
    let has_blank = || new.iter().any(|byte| matches!(byte, b' ' | b'\t'));
    let yes = |is: bool| if is { Fit::Yes } else { Fit::No };
    match form {
        Form::Free => Fit::Yes,
        Form::Token | Form::Path if has_blank() => Fit::Never,
        Form::Token | Form::Path => yes(!value.is_empty()),
        Form::Host if has_blank() => Fit::Never,
        Form::Host => yes(!value.is_empty() && value != b"-"),
        Form::User if new.iter().any(|byte| matches!(byte, b'"' | b'[')) => Fit::Never,
        Form::User => yes(!value.is_empty()),
        Form::Addresses => {
            let mut before = checked.checked_sub(1).and_then(|at| value.get(at)).copied().unwrap_or(b',');
            let is_list = new.iter().all(|byte| {
                let is_fine = *byte != b' ' || before == b',' || before == b' ';
                before = *byte;
                is_fine
            });
            if is_list { yes(!value.is_empty()) } else { Fit::Never }
        }
        // Without quotes around it, only its protocol tells where a request ends.
        Form::Request if is_quoted => Fit::Yes,
        Form::Request => {
            let protocol = memchr::memrchr(b' ', value).and_then(|at| value.get(at + 1..)?.strip_prefix(b"HTTP/"));
            let is_empty = value.len() <= 8 && value.iter().all(|byte| matches!(byte, b'-' | b' '));
            yes(is_empty || protocol.is_some_and(|p| p.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')))
        }
        Form::Time => yes(value == b"-" || Stamp::any(value).is_some()),
        Form::Integer => yes(value == b"-" || whole(value).is_some()),
        Form::Number => yes(value == b"-" || (!value.is_empty() && json::number(value) == value.len())),
    }
}
