//! Patterns over names: a name as it is, or with `*` for any text at its beginning, its end, or one place within. Of those
//! that match, the one that says most counts.

use tamis_plugin::CaselessMap;

/// One pattern, split at its `*`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    start: Box<[u8]>,
    end: Box<[u8]>,
}

/// Names and patterns, and what each stands for.
#[derive(Debug, Clone)]
pub struct Patterns<V> {
    names: CaselessMap<V>,
    /// Those that say most first.
    open: Vec<(Pattern, V)>,
}

impl<V> Patterns<V> {
    /// Patterns from their text.
    ///
    /// # Errors
    /// The pattern that is none, and what was expected.
    pub fn new<'t>(patterns: impl IntoIterator<Item = (&'t str, V)>) -> Result<Self, (&'t str, String)> {
        let (mut names, mut open) = (Vec::new(), Vec::new());
        for (text, value) in patterns {
            let (start, end) = text.split_once('*').unwrap_or((text, ""));
            if text.trim().is_empty() || end.contains('*') {
                return Err((text, format!("expected a name, or a pattern with one `*`, found `{text}`")));
            }
            let bytes = |part: &str| part.to_ascii_lowercase().into_bytes().into_boxed_slice();
            match text.contains('*') {
                true => open.push((Pattern { start: bytes(start), end: bytes(end) }, value)),
                false => names.push((text, value)),
            }
        }
        open.sort_by_key(|(pattern, _)| std::cmp::Reverse(pattern.start.len() + pattern.end.len()));
        Ok(Self { names: CaselessMap::new(names), open })
    }

    /// What the pattern that says most of `name` stands for. ASCII letters match in any case.
    #[inline]
    #[must_use]
    pub fn find(&self, name: &[u8]) -> Option<&V> {
        let open = || self.open.iter().find(|(pattern, _)| pattern.matches(name)).map(|(_, value)| value);
        self.names.get(name).or_else(open)
    }

    /// Whether there is no pattern.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.open.is_empty()
    }
}

impl Pattern {
    fn matches(&self, name: &[u8]) -> bool {
        let Some(rest) = name.len().checked_sub(self.end.len()).filter(|rest| *rest >= self.start.len()) else {
            return false;
        };
        name.get(..self.start.len()).is_some_and(|start| start.eq_ignore_ascii_case(&self.start))
            && name.get(rest..).is_some_and(|end| end.eq_ignore_ascii_case(&self.end))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pattern_that_says_most_counts() {
        let patterns =
            Patterns::new([("*", 0), ("apim-*", 1), ("apim-gw-acc*", 2), ("*.example", 3), ("apim-*.net.example", 4), ("apim-gw", 5)]);
        let patterns = patterns.expect("sound patterns");
        for (name, value) in [
            ("x", 0),
            ("", 0),
            ("APIM-x", 1),
            ("apim-gw-acc.net.extra", 2),
            ("y.example", 3),
            ("apim-x.net.example", 4),
            ("apim-gw", 5),
            ("apim-gw2", 1),
        ] {
            assert_eq!(patterns.find(name.as_bytes()), Some(&value), "{name}");
        }
        let overlap = Patterns::new([("ab*ba", ())]).expect("one pattern");
        assert_eq!(overlap.find(b"aba"), None);
        assert_eq!(overlap.find(b"abba"), Some(&()));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for wrong in ["", " ", "a*b*c", "**"] {
            assert!(Patterns::new([(wrong, ())]).is_err(), "{wrong}");
        }
    }
}
