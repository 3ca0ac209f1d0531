//! From a file's text to a case, with everything that is wrong told.

use std::path::Path;

use tamis_config::{Diagnostic, Diagnostics, Document, Key, Node, Place, Value, codes, nearest};

use super::expectation::{Expectation, Misread};
use super::{Case, Expected, INPUT_BYTES_MAX, NAME_CHARS_MAX, RECORDS_MAX, Trial, golden, json, read_limited};

const KEYS: [&str; 6] = ["name", "config", "input", "input_file", "expect", "refuses"];

/// The case in a text; with the place of its name. `None`: `findings` tell why.
pub(super) fn case(file: &Path, shown: &str, text: &str, findings: &mut Diagnostics) -> Option<(Case, Place)> {
    let mut own = Diagnostics::new();
    let folder = file.parent().unwrap_or(Path::new("."));
    let read = Document::parse(shown, text, folder, &mut own).and_then(|document| {
        let reader = Reader { file, folder, findings: &mut own };
        reader.case(&document.root)
    });
    let sound = !own.has_errors();
    findings.append(own);
    read.filter(|_| sound)
}

struct Reader<'a> {
    file: &'a Path,
    folder: &'a Path,
    findings: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn case(mut self, root: &Node) -> Option<(Case, Place)> {
        if !matches!(root.value, Value::Map(_)) {
            self.error(codes::WRONG_TYPE, &root.place, format!("expected a map with `input` and `expect`, found {}", root.shown()));
            return None;
        }
        for (key, _) in root.entries() {
            if !KEYS.contains(&&*key.text) {
                self.unknown(key, &KEYS);
            }
        }
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let (name, place) = match root.get("name") {
            Some(node) => (self.text(node, "name")?, node.place.clone()),
            None => (stem, root.place.clone()),
        };
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
            self.error(codes::BAD_NAME, &place, format!("`name`: expected 1 to {NAME_CHARS_MAX} characters"));
        }
        let config = match root.get("config") {
            Some(node) if node.value != Value::Null => self.json(node)?,
            _ => "{}".to_owned(),
        };
        let trial = match root.get("refuses") {
            Some(node) => self.refusal(root, node)?,
            None => self.records(root)?,
        };
        Some((Case { name, file: self.file.to_owned(), config, trial }, place))
    }

    fn refusal(&mut self, root: &Node, node: &Node) -> Option<Trial> {
        for (key, _) in root.entries().iter().filter(|(key, _)| matches!(&*key.text, "input" | "input_file" | "expect")) {
            self.error(
                codes::BAD_VALUE,
                &key.place,
                format!("`{}` beside `refuses`: a configuration that is refused sees no record", key.text),
            );
        }
        let text = self.text(node, "refuses")?;
        Some(Trial::Refusal { text, line: node.place.line })
    }

    fn records(&mut self, root: &Node) -> Option<Trial> {
        let input = match (root.get("input"), root.get("input_file")) {
            (Some(node), None) => self.input(node)?,
            (None, Some(node)) => self.input_file(node)?,
            (Some(_), Some(node)) => {
                self.error(codes::BAD_VALUE, &node.place, "`input` and `input_file`: expected one of both".to_owned());
                return None;
            }
            (None, None) => {
                let finding = Diagnostic::error(codes::MISSING_KEY, "the key `input` is missing").at(&root.place);
                self.findings.push(
                    finding.help("add `input: [ … ]`, `input_file: FILE.ndjson`, or `refuses: TEXT` for a configuration that is refused"),
                );
                return None;
            }
        };
        let expected = match root.get("expect") {
            None => Expected::Golden(golden::path(self.file)),
            Some(node) => {
                let listed = self.list(node, "expect")?;
                if listed.len() != input.len() {
                    let message = format!("`expect`: {} for {} records of input", listed.len(), input.len());
                    self.findings
                        .push(Diagnostic::error(codes::BAD_VALUE, message).at(&node.place).help("give one for each record, in order"));
                    return None;
                }
                Expected::Listed(listed.iter().map(|node| self.expectation(node)).collect::<Option<_>>()?)
            }
        };
        Some(Trial::Records { input, expected })
    }

    fn input(&mut self, node: &Node) -> Option<Vec<Vec<u8>>> {
        let listed = self.list(node, "input")?;
        let mut records = Vec::with_capacity(listed.len());
        for node in listed {
            match &node.value {
                Value::Map(_) => records.push(self.json(node)?.into_bytes()),
                // A text is the record as it comes: for what YAML cannot say, such as repeated keys or half a record.
                Value::Text(text) if !text.contains(['\n', '\r']) && !text.is_empty() => records.push(text.as_bytes().to_vec()),
                Value::Text(_) => {
                    self.error(codes::BAD_VALUE, &node.place, "a record as text is one line that is not empty".to_owned());
                    return None;
                }
                _ => {
                    let message = format!("expected a record: a map, or its JSON as text, found {}", node.shown());
                    self.error(codes::WRONG_TYPE, &node.place, message);
                    return None;
                }
            }
        }
        Some(records)
    }

    fn input_file(&mut self, node: &Node) -> Option<Vec<Vec<u8>>> {
        let name = self.text(node, "input_file")?;
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']) {
            self.error(codes::BAD_VALUE, &node.place, "`input_file`: expected the name of a file beside the case".to_owned());
            return None;
        }
        match read_limited(&self.folder.join(&name), INPUT_BYTES_MAX) {
            Ok(bytes) => {
                let records = tamis_record::Records::from_lines(bytes);
                let all: Vec<Vec<u8>> = (0..records.rows.len()).map(|row| records.get(row).to_vec()).collect();
                self.within(&all, &node.place)?;
                Some(all)
            }
            Err((code, message)) => {
                self.error(code, &node.place, format!("`{name}`: {message}"));
                None
            }
        }
    }

    fn expectation(&mut self, node: &Node) -> Option<Expectation> {
        let value = serde_json::from_str(&self.json(node)?);
        let read = match value {
            Ok(value) => Expectation::read(value, node.place.line),
            Err(error) => Err(Misread::new(format!("cannot be compared: {error}"))),
        };
        match read {
            Ok(expectation) => Some(expectation),
            Err(Misread { message, key, help }) => {
                let key = key.and_then(|key| node.entries().iter().find(|(known, _)| *known.text == *key));
                let place = key.map_or(&node.place, |(key, _)| &key.place);
                self.findings.push(Diagnostic::error(codes::BAD_VALUE, message).at(place).help_maybe(help));
                None
            }
        }
    }

    fn list<'n>(&mut self, node: &'n Node, key: &str) -> Option<&'n [Node]> {
        let Value::List(nodes) = &node.value else {
            self.error(codes::WRONG_TYPE, &node.place, format!("`{key}`: expected a list, found {}", node.shown()));
            return None;
        };
        self.within(nodes, &node.place)?;
        Some(nodes)
    }

    fn within<T>(&mut self, records: &[T], place: &Place) -> Option<()> {
        if records.len() <= RECORDS_MAX {
            return Some(());
        }
        self.error(codes::TOO_MUCH, place, format!("{} records, at most {RECORDS_MAX} were expected in a case", records.len()));
        None
    }

    fn text(&mut self, node: &Node, key: &str) -> Option<String> {
        if let Value::Text(text) = &node.value {
            return Some(text.to_string());
        }
        self.error(codes::WRONG_TYPE, &node.place, format!("`{key}`: expected text, found {}", node.shown()));
        None
    }

    fn json(&mut self, node: &Node) -> Option<String> {
        json::text(node).map_err(|finding| self.findings.push(finding)).ok()
    }

    fn error(&mut self, code: &'static str, place: &Place, message: String) {
        self.findings.push(Diagnostic::error(code, message).at(place));
    }

    fn unknown(&mut self, key: &Key, known: &[&str]) {
        let help = match nearest(&key.text, known.iter().copied()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => format!("the keys of a case are {}", known.join(", ")),
        };
        self.findings.push(Diagnostic::error(codes::UNKNOWN_KEY, format!("unknown key `{}`", key.text)).at(&key.place).help(help));
    }
}
