//! What can be read of files that make no configuration: where the host is, where its data lies, and who may use its admin API.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::diagnostic::Diagnostics;
use crate::document::{Document, Node, Value};
use crate::interpolate::{Environment, interpolate};
use crate::load::FileText;
use crate::model::{AdminToken, Settings};
use crate::reader;

/// The key of the tokens, below `settings`.
const ADMIN_TOKENS: &str = "admin_tokens";

impl Settings {
    /// The data folder that files name, as far as they can be read; the default one otherwise. `${…}` is not resolved.
    pub fn data_dir_in(files: &[FileText]) -> PathBuf {
        Self::text_in(files, "data_dir").map_or_else(|| Settings::default().data_dir.as_path().to_path_buf(), PathBuf::from)
    }

    /// The address of the admin API that files name, as far as they can be read. `${…}` is not resolved.
    pub fn admin_in(files: &[FileText]) -> Option<String> {
        Self::text_in(files, "admin")
    }

    fn text_in(files: &[FileText], key: &str) -> Option<String> {
        let named = |file: &FileText| {
            let document = Document::parse(&file.name, &file.text, &file.folder, &mut Diagnostics::new());
            let text = document.as_ref().and_then(|document| match &document.root.get("settings")?.get(key)?.value {
                Value::Text(text) => Some(text.to_string()),
                _ => None,
            });
            // A file that is no YAML may still have the line.
            let line = |line: &str| line.trim().strip_prefix(key)?.strip_prefix(':').map(|rest| rest.trim().to_string());
            let text = text.or_else(|| file.text.lines().find_map(line));
            text.filter(|text| !text.is_empty() && !text.contains("${"))
        };
        files.iter().find_map(named)
    }

    /// The tokens of the admin API that files name, as far as they can be read. Of a file that is no YAML, the lines below the first
    /// `admin_tokens:` count, if they are YAML by themselves. What cannot be read is no token.
    pub fn admin_tokens_in(files: &[FileText], environment: &dyn Environment) -> BTreeMap<String, AdminToken> {
        let mut all = BTreeMap::new();
        for file in files {
            if let Some(document) = parsed(file, &file.text, environment) {
                take_tokens(document.root.get("settings").and_then(|settings| settings.get(ADMIN_TOKENS)), &mut all);
            } else if let Some(document) = parsed(file, &section_text(&file.text), environment) {
                take_tokens(document.root.get(ADMIN_TOKENS), &mut all);
            }
        }
        all
    }
}

fn parsed(file: &FileText, text: &str, environment: &dyn Environment) -> Option<Document> {
    let mut document = Document::parse(&file.name, text, &file.folder, &mut Diagnostics::new())?;
    interpolate(&mut document, environment, &mut Diagnostics::new());
    Some(document)
}

fn take_tokens(node: Option<&Node>, all: &mut BTreeMap<String, AdminToken>) {
    for (name, node) in node.map(Node::entries).unwrap_or_default() {
        if let Some(token) = reader::read::<AdminToken>(node, Some(&name.text), &mut Diagnostics::new()) {
            all.entry(name.text.to_string()).or_insert(token);
        }
    }
}

/// The line of the tokens and those that are indented more.
fn section_text(text: &str) -> String {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let key = |line: &&str| line.trim_start().strip_prefix(ADMIN_TOKENS).is_some_and(|rest| rest.starts_with(':'));
    let mut lines = text.lines().skip_while(|line| !key(line));
    let Some(first) = lines.next() else { return String::new() };
    let below = lines.take_while(|line| line.trim().is_empty() || indent(line) > indent(first));
    std::iter::once(first).chain(below).flat_map(|line| [line, "\n"]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Role;
    use std::path::Path;

    struct Variables;

    impl Environment for Variables {
        fn var(&self, name: &str) -> Option<String> {
            (name == "CI_SHA256").then(|| "c".repeat(64))
        }

        fn file(&self, _: &Path) -> std::io::Result<String> {
            Err(std::io::ErrorKind::NotFound.into())
        }
    }

    fn found(text: &str) -> Vec<(String, Role)> {
        let file = FileText { name: "tamis.yaml".into(), folder: PathBuf::new(), text: text.into() };
        let tokens = Settings::admin_tokens_in(&[file], &Variables);
        tokens.into_iter().map(|(name, token)| (name, token.role)).collect()
    }

    fn settings() -> String {
        format!(
            "settings:\n  data_dir: d\n  admin_tokens:\n    a: {{ role: view, sha256: '{0}' }}\n    # b: {{ role: view, sha256: '{0}' }}\n\n    ci:\n      role: operate\n      sha256: ${{CI_SHA256}}\n    bad: {{ role: view, sha256: x }}\n    unset: {{ role: tap, sha256: '${{NOBODY}}' }}\n  lanes: 2\n",
            "a".repeat(64)
        )
    }

    #[test]
    fn tokens_are_read_from_files_that_do_not_plan_or_are_no_yaml() {
        let both = vec![("a".to_string(), Role::View), ("ci".to_string(), Role::Operate)];
        assert_eq!(found(&settings()), both);
        assert_eq!(found(&format!("sinks: {{ x: {{ type: nonsense }} }}\n{}", settings())), both);
        assert_eq!(found(&format!("{}sources: [\n", settings())), both);
    }

    #[test]
    fn what_cannot_be_read_is_no_token() {
        assert!(found("").is_empty() && found("sources: [").is_empty());
        assert!(found(&settings().replace("admin_tokens:", "# admin_tokens:")).is_empty());
        assert!(found(&format!("{}sources: [\n", settings().replace("a: {", "a: {{"))).is_empty());
    }
}
