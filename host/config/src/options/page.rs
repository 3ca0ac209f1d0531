//! The page: sections, headings and tables.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::words::{anchor, capital, cell, code, kind, limits, prose, title};
use super::{Definitions, Stated, choices, target, variants};

/// The sections, in the order of a file; keys that are not among them follow.
const ORDER: [&str; 7] = ["sources", "plugins", "plugins_policy", "pipelines", "sinks", "settings", "tests"];
/// What is used in many places and yet has a section of its own.
const OWN_SECTIONS: [(&str, &str); 1] = [("Codec", "Codecs")];
/// What is shared by several.
const SHARED: &str = "Shared options";

const INTRODUCTION: &str = "\
# Options

Every option of a configuration file, from the code: `make reference` writes this page (`tamis schema --output markdown`), and its
texts are those of the JSON Schema. How a file is put together, and how `${…}` and several files are read, is on the page of the
[configuration](configuration.md).

- **Sizes** are a number of bytes, or have a unit: `64KiB`, `1MiB` (1,024), `1MB` (1,000). **Durations** have a unit: `100ms`, `10s`, `1m`, `1h`, `1d`.
- Limits are inclusive. A value beyond them is refused with its place before anything runs, and so is a key that is not here.
- Names of sources, plugins, pipelines, sinks and steps are a letter or `_`, then letters, digits, `_` and `-`, 64 at most.
";

/// The page as it grows.
pub(super) struct Page<'a> {
    definitions: &'a Definitions<'a>,
    /// The anchors of definitions that are told by a section.
    sections: BTreeMap<String, String>,
    out: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(definitions: &'a Definitions<'a>) -> Self {
        let sections = OWN_SECTIONS.iter().map(|(name, heading)| ((*name).to_owned(), anchor(heading))).collect();
        Self { definitions, sections, out: INTRODUCTION.to_owned() }
    }

    /// The whole page.
    pub(super) fn text(mut self, schema: &Value) -> String {
        let none = Map::new();
        let keys = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let mut order: Vec<&str> = ORDER.into_iter().filter(|key| keys.contains_key(*key)).collect();
        order.extend(keys.keys().map(String::as_str).filter(|key| !ORDER.contains(key) && keys.get(*key).and_then(of).is_some()));
        for key in &order {
            if let Some(name) = keys.get(*key).and_then(of) {
                self.sections.insert(name.to_owned(), anchor(&capital(key)));
            }
        }
        self.heading(2, "The file");
        self.table(schema);
        for key in order {
            if let Some((property, name)) = keys.get(key).and_then(|property| Some((property, of(property)?))) {
                self.heading(2, &capital(key));
                let more = self.definitions.get(name).map(description).unwrap_or_default();
                if !more.starts_with(description(property)) {
                    self.paragraph(description(property));
                }
                self.definition(name, 3);
            }
        }
        for (name, heading) in OWN_SECTIONS {
            if self.definitions.get(name).is_some() {
                self.heading(2, heading);
                self.definition(name, 3);
            }
        }
        self.shared();
        self.out
    }

    fn shared(&mut self) {
        let definitions = self.definitions;
        let mut names: Vec<&str> = definitions.all.keys().copied().filter(|name| self.is_shared(name)).collect();
        names.sort_by_key(|name| title(name));
        if names.is_empty() {
            return;
        }
        self.heading(2, SHARED);
        for name in names {
            self.heading(3, &title(name));
            self.definition(name, 4);
            let users: Vec<String> = definitions.users.get(name).into_iter().flatten().map(|user| self.user(user)).collect();
            if !definitions.is_plain(name) {
                self.paragraph(&format!("Used by {}.", users.join(", ")));
            }
        }
    }

    fn is_shared(&self, name: &str) -> bool {
        !self.sections.contains_key(name) && self.definitions.users.get(name).is_some_and(|users| users.len() > 1)
    }

    /// A link to what refers to a definition.
    fn user(&self, user: &str) -> String {
        match user.split_once(' ') {
            Some((kind, word)) => format!("[{} {}](#{})", kind.to_lowercase(), code(word), anchor(&variant_heading(kind, word))),
            None => match self.definitions.bodies.get(user) {
                Some((kind, word)) => format!("[{} {}](#{})", kind.to_lowercase(), code(word), self.link(user)),
                None => format!("[{}](#{})", title(user), self.link(user)),
            },
        }
    }

    /// The anchor where a definition is told.
    fn link(&self, name: &str) -> String {
        match (self.sections.get(name), self.definitions.bodies.get(name)) {
            (Some(section), _) => section.clone(),
            (None, Some((kind, word))) => anchor(&variant_heading(kind, word)),
            (None, None) => anchor(&title(name)),
        }
    }

    fn heading(&mut self, level: usize, heading: &str) {
        let _ = writeln!(self.out, "\n{} {heading}", "#".repeat(level.min(6)));
    }

    fn paragraph(&mut self, text: &str) {
        if !text.is_empty() {
            let _ = writeln!(self.out, "\n{}", prose(text));
        }
    }

    /// A definition below its heading, and behind it those that belong to it alone, with headings of this level.
    fn definition(&mut self, name: &str, level: usize) {
        let Some(definition) = self.definitions.get(name) else { return };
        self.paragraph(description(definition));
        self.options(name, level);
    }

    /// The same without its text.
    fn options(&mut self, name: &str, level: usize) {
        let Some(definition) = self.definitions.get(name) else { return };
        let variants = variants(definition);
        let words = choices(definition);
        if !variants.is_empty() {
            self.out.push_str("\n| type | |\n|---|---|\n");
            for variant in &variants {
                let link = anchor(&variant_heading(name, variant.word));
                let _ = writeln!(self.out, "| [{}](#{link}) | {} |", code(variant.word), cell(description(variant.schema)));
            }
            for variant in &variants {
                self.heading(level, &variant_heading(name, variant.word));
                self.variant(variant.schema, level + 1);
            }
        } else if definition.get("properties").is_some() {
            self.table(definition);
            self.belonging(definition, level);
        } else if !words.is_empty() {
            self.out.push('\n');
            for (word, text) in words {
                // Where the text only repeats the word, the word is enough.
                let text = if text.eq_ignore_ascii_case(word) { String::new() } else { format!(": {}", prose(text)) };
                let _ = writeln!(self.out, "- {}{text}", code(word));
            }
        } else if super::is_choice_of_definitions(definition) {
            self.out.push('\n');
            for choice in definition.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
                let _ = writeln!(self.out, "- {}: {}", self.kind(choice), prose(description(choice)));
            }
            self.belonging(definition, level);
        }
    }

    /// What a variant of a kind has, below its heading.
    fn variant(&mut self, schema: &Value, level: usize) {
        match target(schema) {
            Some(body) if self.definitions.bodies.contains_key(body) => {
                // The body's text says more, but for those of codecs.
                let text = self.definitions.get(body).map(description).filter(|text| !text.starts_with("Options of "));
                self.paragraph(text.unwrap_or_else(|| description(schema)));
                self.options(body, level);
            }
            Some(body) => {
                self.paragraph(description(schema));
                let link = format!("Its options are those of [{}](#{}).", title(body), self.link(body));
                self.paragraph(&link);
            }
            None => {
                self.paragraph(description(schema));
                self.paragraph("It has no options.");
            }
        }
    }

    /// The definitions that only this one uses.
    fn belonging(&mut self, definition: &Value, level: usize) {
        let mut names = Vec::new();
        super::references(definition, &mut |name| {
            if !names.contains(&name) {
                names.push(name);
            }
        });
        for name in names {
            let told = self.definitions.is_exclusive(name) && !self.sections.contains_key(name) && !self.definitions.is_plain(name);
            if told {
                self.heading(level, &title(name));
                self.definition(name, level + 1);
            }
        }
    }

    /// The options of a definition; those that must be there first.
    fn table(&mut self, definition: &Value) {
        let none = Map::new();
        let options = definition.get("properties").and_then(Value::as_object).unwrap_or(&none);
        let required: Vec<&str> =
            definition.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if options.is_empty() {
            self.paragraph("It has no options.");
            return;
        }
        self.out.push_str("\n| option | type | default | limits | what it does |\n|---|---|---|---|---|\n");
        let is_required = |key: &&String| required.contains(&key.as_str());
        let (first, then): (Vec<&String>, Vec<&String>) = options.keys().partition(is_required);
        for key in first.into_iter().chain(then) {
            let Some(option) = options.get(key) else { continue };
            let stated = Stated::of(description(option));
            let default = if is_required(&key) { "**required**" } else { stated.default.unwrap_or_default() };
            let limits = stated.limits.map(str::to_owned).or_else(|| limits(option)).unwrap_or_default();
            let kind = self.kind(option);
            let cells = [code(key), cell(&kind), cell(default), cell(&limits), cell(stated.does)];
            let _ = writeln!(self.out, "| {} |", cells.join(" | "));
        }
    }

    fn kind(&self, schema: &Value) -> String {
        kind(schema, self.definitions, &|name| self.link(name))
    }
}

/// The definition whose values a key of the file holds.
fn of(property: &Value) -> Option<&str> {
    let inner = |key: &str| property.get(key).and_then(target);
    target(property).or_else(|| inner("additionalProperties")).or_else(|| inner("items"))
}

fn variant_heading(kind: &str, word: &str) -> String {
    format!("{kind} {}", code(word))
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}
