//! Regular expressions and grok patterns whose named groups are fields.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

/// Memory that a compiled expression may take, in bytes.
const COMPILED_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Length of a grok pattern once every `%{…}` is replaced, in bytes.
const EXPANDED_BYTES_MAX: usize = 256 * 1024;
/// How deep grok patterns may refer to each other.
const GROK_DEPTH_MAX: u32 = 32;
/// Steps that the matching of one line may go back by before it is given up.
const BACKTRACK_MAX: usize = 200_000;

/// A regular expression with named groups. It takes linear time in the length of a line.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: Arc<regex::Regex>,
}

impl Pattern {
    /// Compiles an expression (the syntax of the crate `regex`: no look-around, no back-references). `Err`: what is wrong.
    pub fn new(text: &str) -> Result<Self, String> {
        let built = regex::RegexBuilder::new(text).size_limit(COMPILED_BYTES_MAX).build();
        let regex = built.map_err(|error| last_line(&error.to_string()))?;
        if regex.capture_names().flatten().next().is_none() {
            return Err("it has no named group: write `(?<name>…)` for each field".to_owned());
        }
        Ok(Self { regex: Arc::new(regex) })
    }

    /// The compiled expression.
    pub fn regex(&self) -> &regex::Regex {
        &self.regex
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str()
    }
}

/// What a grok field becomes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrokType {
    /// A text, which is what a field without a type is.
    Text,
    /// A whole number (`int`, `long`).
    Integer,
    /// A number (`float`, `double`).
    Number,
    /// `true` or `false` (`boolean`, `bool`).
    Boolean,
}

/// A grok pattern, `%{NAME:field:type}` within a regular expression.
#[derive(Debug, Clone)]
pub struct GrokPattern {
    regex: Arc<fancy_regex::Regex>,
    fields: Arc<[(usize, String, GrokType)]>,
}

impl GrokPattern {
    /// Compiles a pattern with the usual definitions of grok and `own` ones, which take precedence. `Err`: what is wrong.
    pub fn new(text: &str, own: &BTreeMap<String, String>) -> Result<Self, String> {
        let known: BTreeMap<&str, &str> =
            grok::patterns().iter().copied().chain(own.iter().map(|(name, pattern)| (name.as_str(), pattern.as_str()))).collect();
        let mut expansion = Expansion { known, out: String::new(), names: Vec::new() };
        expansion.add(text, 0)?;
        let mut builder = fancy_regex::RegexBuilder::new(&expansion.out);
        builder.backtrack_limit(BACKTRACK_MAX).delegate_size_limit(COMPILED_BYTES_MAX);
        let regex = builder.build().map_err(|error| last_line(&error.to_string()))?;
        let mut fields = Vec::new();
        for (group, name) in regex.capture_names().enumerate() {
            let Some(name) = name else { continue };
            let own = name.strip_prefix(FIELD).and_then(|n| n.parse::<usize>().ok()).and_then(|n| expansion.names.get(n));
            fields.push(match own {
                Some((name, kind)) => (group, name.clone(), *kind),
                None => (group, name.to_owned(), GrokType::Text),
            });
        }
        if fields.is_empty() {
            return Err("it names no field: write `%{NAME:field}` for each".to_owned());
        }
        Ok(Self { regex: Arc::new(regex), fields: fields.into() })
    }

    /// The compiled expression.
    pub fn regex(&self) -> &fancy_regex::Regex {
        &self.regex
    }

    /// The group, name and type of each field.
    pub fn fields(&self) -> &[(usize, String, GrokType)] {
        &self.fields
    }
}

impl PartialEq for GrokPattern {
    fn eq(&self, other: &Self) -> bool {
        self.regex.as_str() == other.regex.as_str() && self.fields == other.fields
    }
}

/// Begins the names of groups that stand for fields, whose own names may hold characters that a group's may not.
const FIELD: &str = "tamis_field_";

struct Expansion<'a> {
    known: BTreeMap<&'a str, &'a str>,
    out: String,
    names: Vec<(String, GrokType)>,
}

impl Expansion<'_> {
    fn add(&mut self, text: &str, depth: u32) -> Result<(), String> {
        let mut rest = text;
        while let Some((before, behind)) = rest.split_once("%{") {
            let (inside, after) = behind.split_once('}').ok_or("a `%{` has no `}`")?;
            self.out.push_str(before);
            let mut parts = inside.splitn(3, ':');
            let name = parts.next().unwrap_or_default();
            let field = parts.next().filter(|field| !field.is_empty());
            let kind = match parts.next() {
                None | Some("" | "string" | "text") => GrokType::Text,
                Some("int" | "integer" | "long") => GrokType::Integer,
                Some("float" | "double" | "number") => GrokType::Number,
                Some("bool" | "boolean") => GrokType::Boolean,
                Some(_) => return Err("a type is none of int, long, float, double, bool, boolean and string".to_owned()),
            };
            let definition = self.known.get(name).copied().ok_or("a pattern is not known: see `patterns`")?;
            if depth >= GROK_DEPTH_MAX {
                return Err(format!("patterns refer to each other more than {GROK_DEPTH_MAX} deep, or in a circle"));
            }
            match field {
                Some(field) => {
                    let _ = write!(self.out, "(?<{FIELD}{}>", self.names.len());
                    self.names.push((field.to_owned(), kind));
                }
                None => self.out.push_str("(?:"),
            }
            self.add(definition, depth + 1)?;
            self.out.push(')');
            if self.out.len() > EXPANDED_BYTES_MAX {
                return Err(format!("it is longer than {EXPANDED_BYTES_MAX} bytes once every `%{{…}}` is replaced"));
            }
            rest = after;
        }
        self.out.push_str(rest);
        Ok(())
    }
}

/// The sentence of an error that shows the whole expression before it.
fn last_line(error: &str) -> String {
    let line = error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it cannot be read");
    line.trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_need_a_named_group() {
        assert!(Pattern::new(r"(?<a>\d+) (?<b>.*)").is_ok());
        assert!(Pattern::new(r"\d+").unwrap_err().contains("named group"));
        assert_eq!(Pattern::new("(?<a>").unwrap_err(), "unclosed group");
        assert!(Pattern::new(r"(?<a>\w{1000}{1000})").is_err());
    }

    #[test]
    fn every_usual_definition_compiles() {
        let own = BTreeMap::new();
        let failing: Vec<&str> = grok::patterns()
            .iter()
            .filter(|(name, _)| GrokPattern::new(&format!("%{{{name}:x}}"), &own).is_err())
            .map(|(name, _)| *name)
            .collect();
        assert!(failing.is_empty(), "{failing:?}");
    }

    #[test]
    fn own_definitions_types_and_errors() {
        let own = BTreeMap::from([("ID".to_owned(), "[A-F]{3}".to_owned()), ("LOOP".to_owned(), "%{LOOP}".to_owned())]);
        let pattern = GrokPattern::new("%{IP:client.ip} %{NUMBER:ms:int} %{ID:id} (?<rest>.*)", &own).unwrap();
        let names: Vec<_> = pattern.fields().iter().map(|(_, name, kind)| (name.as_str(), *kind)).collect();
        assert!(names.contains(&("client.ip", GrokType::Text)) && names.contains(&("ms", GrokType::Integer)), "{names:?}");
        assert!(names.contains(&("rest", GrokType::Text)));
        for (text, part) in [
            ("%{IP:a", "no `}`"),
            ("%{NOPE:a}", "not known"),
            ("%{IP}", "names no field"),
            ("%{LOOP:a}", "circle"),
            ("%{IP:a:date}", "type"),
        ] {
            let error = GrokPattern::new(text, &own).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
