//! What is wrong with a configuration: with a code, a place and what to do about it.

pub mod codes;
mod escape;
mod read;
mod render;

use std::collections::BTreeMap;
use std::sync::Arc;

pub use escape::escaped;

use crate::Place;

/// Diagnostics kept at most; more are counted. Nobody reads on after these, and a hostile file must not fill the memory.
pub const DIAGNOSTICS_MAX: usize = 200;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// The configuration cannot run.
    Error,
    /// The configuration runs, though probably not as meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

/// One finding.
///
/// Texts are escaped when they are rendered: they may hold what a hostile file holds. They must not hold values that were
/// interpolated; [`crate::Text::shown`] gives what may be printed.
///
/// ```
/// # use tamis_config::{Diagnostic, Place};
/// # let (place, first) = (Place::none(), Place::none());
/// let finding = Diagnostic::error("E201", "no sink is called `archve`")
///     .at(&place)
///     .help("did you mean `archive`?")
///     .related(&first, "`archive` is defined here");
/// assert_eq!(finding.code, "E201");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// A stable code: `E…` for errors, `W…` for warnings.
    pub code: &'static str,
    /// What was expected and what was found, in a sentence without a full stop.
    pub message: String,
    /// Where.
    pub place: Option<Place>,
    /// What to do about it. Boxed to keep findings small enough to be errors of a `Result`.
    pub help: Option<Box<str>>,
    /// Other places that have to do with it, each with a word on how.
    pub related: Vec<(Place, String)>,
}

impl Diagnostic {
    /// An error, without a place yet.
    pub fn error(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, code, message.into())
    }

    /// A warning, without a place yet.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, code, message.into())
    }

    fn new(severity: Severity, code: &'static str, message: String) -> Self {
        Self { severity, code, message, place: None, help: None, related: Vec::new() }
    }

    /// Says where.
    #[must_use]
    pub fn at(mut self, place: &Place) -> Self {
        self.place = Some(place.clone());
        self
    }

    /// Says what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into().into_boxed_str());
        self
    }

    /// Says what to do, if anything is known.
    #[must_use]
    pub fn help_maybe(mut self, help: Option<String>) -> Self {
        self.help = help.map(String::into_boxed_str).or(self.help);
        self
    }

    /// Adds another place that has to do with it.
    #[must_use]
    pub fn related(mut self, place: &Place, note: impl Into<String>) -> Self {
        self.related.push((place.clone(), note.into()));
        self
    }
}

/// All findings on a configuration, and the texts to show excerpts of.
#[derive(Debug, Clone, Default)]
pub struct Diagnostics {
    list: Vec<Diagnostic>,
    /// Errors and warnings beyond [`DIAGNOSTICS_MAX`].
    left_out: (usize, usize),
    sources: BTreeMap<Arc<str>, Arc<str>>,
}

impl Diagnostics {
    /// No findings.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a finding; one that is there already is not repeated.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        if self.list.contains(&diagnostic) {
            return;
        }
        if self.list.len() < DIAGNOSTICS_MAX {
            self.list.push(diagnostic);
        } else {
            match diagnostic.severity {
                Severity::Error => self.left_out.0 += 1,
                Severity::Warning => self.left_out.1 += 1,
            }
        }
    }

    /// Adds a file's original text, for the excerpts.
    pub fn add_source(&mut self, file: impl Into<Arc<str>>, text: impl Into<Arc<str>>) {
        self.sources.insert(file.into(), text.into());
    }

    /// Adds all of another collection: findings and texts.
    pub fn append(&mut self, other: Diagnostics) {
        for diagnostic in other.list {
            self.push(diagnostic);
        }
        self.left_out.0 += other.left_out.0;
        self.left_out.1 += other.left_out.1;
        self.sources.extend(other.sources);
    }

    /// Sorts by place, those without one first.
    pub fn sort(&mut self) {
        self.list.sort_by(|a, b| a.place.cmp(&b.place));
    }

    /// The findings.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.list.iter()
    }

    /// Whether there is no finding.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.error_count() > 0
    }

    /// How many errors there are.
    pub fn error_count(&self) -> usize {
        self.count(Severity::Error) + self.left_out.0
    }

    /// How many warnings there are.
    pub fn warning_count(&self) -> usize {
        self.count(Severity::Warning) + self.left_out.1
    }

    fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|diagnostic| diagnostic.severity == severity).count()
    }

    /// `2 errors, 1 warning`; empty when there is nothing.
    pub fn summary(&self) -> String {
        let counted = |count: usize, what: &str| match count {
            0 => None,
            1 => Some(format!("1 {what}")),
            _ => Some(format!("{count} {what}s")),
        };
        let parts = [counted(self.error_count(), "error"), counted(self.warning_count(), "warning")];
        parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }

    /// All findings as text for a person, each with the line it is about; with ANSI colours when asked. Ends with a line
    /// feed unless it is empty.
    pub fn render(&self, colour: bool) -> String {
        render::text(self, colour)
    }

    /// All findings as a JSON list: `severity`, `code`, `message`, and where known `place`, `help`, `related`.
    pub fn to_json(&self) -> serde_json::Value {
        render::json(self)
    }

    /// Reads what [`Self::to_json`] gives, as far as it is sound. `known` gives the code of that name.
    pub fn from_json(findings: &serde_json::Value, known: impl Fn(&str) -> Option<&'static str>) -> Self {
        read::findings(findings, known)
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, findings: I) {
        for finding in findings {
            self.push(finding);
        }
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// The known name nearest to `found`, when one is near enough to be meant: for "did you mean".
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // The distance is quadratic in the length; nobody mistypes a longer name into a known one.
    if found.len() > 128 {
        return None;
    }
    let folded = found.to_ascii_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&folded, &name.to_ascii_lowercase()), name))
        .filter(|(distance, name)| *distance <= name.chars().count().max(folded.chars().count()) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("exlude", ["paths", "exclude", "codec"]), Some("exclude"));
        assert_eq!(nearest("Codec", ["paths", "exclude", "codec"]), Some("codec"));
        assert_eq!(nearest("x", ["paths", "exclude", "codec"]), None);
        assert_eq!(nearest(&"x".repeat(1_000_000), ["paths"]), None);
    }

    #[test]
    fn no_more_than_the_limit_is_kept_and_all_are_counted() {
        let mut all = Diagnostics::new();
        for i in 0..1_000 {
            all.push(Diagnostic::error("E001", i.to_string()));
        }
        assert_eq!(all.iter().count(), DIAGNOSTICS_MAX);
        assert_eq!(all.error_count(), 1_000);
        assert_eq!(all.summary(), "1000 errors");
        assert!(all.render(false).ends_with("and 800 more\n"));
    }

    #[test]
    fn a_repeated_finding_is_kept_once() {
        let mut all = Diagnostics::new();
        all.extend([Diagnostic::warning("W001", "a"), Diagnostic::warning("W001", "a")]);
        assert_eq!(all.summary(), "1 warning");
        assert!(!all.has_errors());
    }
}
