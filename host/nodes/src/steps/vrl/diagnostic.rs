//! Compile errors with their place in the source, and limits on the source itself.

use std::fmt;
use vrl::diagnostic::{Diagnostic, Note};

/// Bytes the source of a program may have.
pub const SOURCE_BYTES_MAX: usize = 64 * 1024;
/// Brackets, operators and `else` that may hang together in one expression: VRL's compiler and interpreter recurse over
/// them, and 1,000 overflow a stack of 2 MiB.
pub const NESTING_MAX: usize = 256;

/// Something wrong with a program (an error), or questionable in it (a warning).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// What is wrong.
    pub message: String,
    /// Line in the VRL source, from 1.
    pub line: u32,
    /// Column in that line, in characters, from 1.
    pub column: u32,
    /// Characters concerned, at least 1; they may run over several lines.
    pub length: u32,
    /// VRL's further explanations and proposals, one a line.
    pub notes: Vec<String>,
    /// VRL's number of the error, explained at `https://errors.vrl.dev/<code>` from 100 on. `None`: a finding of the host.
    pub code: Option<u16>,
    /// For a route: which case, from 0. Else 0.
    pub case: usize,
}

impl fmt::Display for CompileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.line, self.column)?;
        if let Some(code) = self.code {
            write!(f, "E{code}: ")?;
        }
        f.write_str(&self.message)?;
        self.notes.iter().try_for_each(|note| write!(f, "\n  {note}"))
    }
}

impl CompileError {
    /// A finding of the host at bytes `start..end` of `source`.
    pub(crate) fn at(source: &str, start: usize, end: usize, message: impl Into<String>) -> Self {
        let (line, column) = place(source, start);
        let length = source.get(start..end).map_or(1, |text| text.chars().count().max(1)) as u32;
        Self { message: message.into(), line, column, length, notes: Vec::new(), code: None, case: 0 }
    }

    /// A finding about the whole source.
    pub fn whole(source: &str, message: impl Into<String>) -> Self {
        let start = source.len() - source.trim_start().len();
        Self::at(source, start, source.trim_end().len().max(start), message)
    }

    /// VRL's own finding. `shift` is the number of bytes that were put before `source` for the compiler.
    pub(crate) fn from_vrl(source: &str, shift: usize, diagnostic: &Diagnostic) -> Self {
        let primary = diagnostic.labels.iter().find(|label| label.primary).or(diagnostic.labels.first());
        let span = primary.map(|label| (label.span.start().saturating_sub(shift), label.span.end().saturating_sub(shift)));
        let (start, end) = span.unwrap_or((0, source.len()));
        let mut notes: Vec<String> = Vec::new();
        for label in &diagnostic.labels {
            if !label.message.is_empty() && label.message != diagnostic.message && !notes.contains(&label.message) {
                notes.push(label.message.clone());
            }
        }
        for note in &diagnostic.notes {
            // The language's home page and its playground help nobody with this error.
            if !matches!(note, Note::SeeLangDocs | Note::SeeRepl) {
                notes.extend(note.to_string().lines().map(str::trim_end).filter(|line| !line.trim().is_empty()).map(str::to_owned));
            }
        }
        let code = u16::try_from(diagnostic.code).ok().filter(|code| *code > 0);
        Self { notes, code, ..Self::at(source, start, end, diagnostic.message.clone()) }
    }
}

/// Line and column, both from 1, of a byte of the source; a position beyond it is its end.
pub(crate) fn place(source: &str, byte: usize) -> (u32, u32) {
    let mut at = byte.min(source.len());
    while !source.is_char_boundary(at) {
        at -= 1;
    }
    let before = source.get(..at).unwrap_or(source);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(line_start..).map_or(0, |text| text.chars().count());
    (before.matches('\n').count() as u32 + 1, column as u32 + 1)
}

/// Characters of a source outside comments and strings, of which only the opening quotes remain, with their places.
fn code(source: &str) -> impl Iterator<Item = (usize, char)> {
    let mut chars = source.char_indices();
    std::iter::from_fn(move || {
        let (at, c) = chars.next()?;
        match c {
            '#' => chars.by_ref().find(|(_, c)| *c == '\n'),
            '"' | '\'' => {
                let mut escaped = false;
                chars.by_ref().find(|(_, inner)| {
                    let ends = *inner == c && !escaped;
                    escaped = *inner == '\\' && !escaped;
                    ends
                });
                Some((at, c))
            }
            _ => Some((at, c)),
        }
    })
}

/// Refuses sources on which VRL's recursive compiler or interpreter could run out of stack. Strings and comments do not count.
///
/// # Errors
/// A source that is too long, or an expression in it that nests or chains too much, with the place.
pub(crate) fn check_size(source: &str) -> Result<(), CompileError> {
    if source.len() > SOURCE_BYTES_MAX {
        let message = format!("the program has {} bytes, {SOURCE_BYTES_MAX} are allowed; move work into a plugin", source.len());
        return Err(CompileError::at(source, 0, 0, message));
    }
    let is_operator = |c: char| matches!(c, '+' | '-' | '*' | '/' | '|' | '&' | '=' | '<' | '>' | '?' | '!');
    // Operators chained so far at each open bracket, the outermost first.
    let mut chains = vec![0usize];
    let mut last = ' ';
    let mut line_ended = false;
    for (at, c) in code(source) {
        line_ended |= c == '\n';
        if c.is_whitespace() {
            continue;
        }
        let is_else = last == '}' && source.get(at..).is_some_and(|rest| rest.starts_with("else"));
        if let Some(chain) = chains.last_mut() {
            let goes_on = is_operator(last) || is_operator(c) || is_else;
            if (std::mem::take(&mut line_ended) && !goes_on) || matches!(c, ';' | ',') {
                *chain = 0;
            }
            let negates = c == '!' && !last.is_alphanumeric();
            if (is_operator(c) && !is_operator(last)) || negates || is_else {
                *chain += 1;
            }
        }
        match c {
            '(' | '[' | '{' => chains.push(1),
            ')' | ']' | '}' if chains.len() > 1 => drop(chains.pop()),
            _ => {}
        }
        last = c;
        if chains.iter().sum::<usize>() > NESTING_MAX {
            let message =
                format!("this expression nests or chains more than {NESTING_MAX} operators, brackets or `else`; split it with variables");
            return Err(CompileError::at(source, at, at + c.len_utf8(), message));
        }
    }
    Ok(())
}
