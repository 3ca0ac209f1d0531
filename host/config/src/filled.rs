//! What `${…}` filled into the configuration of plugins: values that must not come back in what a plugin says.

use std::sync::Arc;

use crate::document::{Document, Node, Value};

/// Characters below which a value is no secret, and would be found in any text.
const SECRET_CHARS_MIN: usize = 4;

/// What stands in a text where a value that was filled in was taken out.
pub const FILLED_INSTEAD: &str = "(a value filled in, not shown)";

/// The values that were filled in below `plugins.<name>.config`, longest first.
pub(crate) fn of_plugin(documents: &[Document], name: &str) -> Vec<Arc<str>> {
    let mut filled = Vec::new();
    let configs = documents.iter().filter_map(|document| member(member(member(&document.root, "plugins")?, name)?, "config"));
    configs.for_each(|config| collect(config, &mut filled));
    filled.sort_by_key(|value| std::cmp::Reverse(value.len()));
    filled.dedup();
    filled
}

pub(crate) fn member<'a>(node: &'a Node, name: &str) -> Option<&'a Node> {
    let Value::Map(entries) = &node.value else { return None };
    entries.iter().find(|(key, _)| *key.text == *name).map(|(_, node)| node)
}

fn collect(node: &Node, filled: &mut Vec<Arc<str>>) {
    if node.written.is_some() && node.raw.chars().count() >= SECRET_CHARS_MIN {
        filled.push(Arc::clone(&node.raw));
    }
    match &node.value {
        Value::List(nodes) => nodes.iter().for_each(|node| collect(node, filled)),
        Value::Map(entries) => entries.iter().for_each(|(_, node)| collect(node, filled)),
        _ => {}
    }
}

/// A text without values that were filled in, as they are or as they are escaped.
pub fn without_filled(text: &str, filled: &[Arc<str>]) -> String {
    let mut text = text.to_owned();
    for value in filled {
        let json = serde_json::to_string(&**value).unwrap_or_default();
        let debug = value.escape_debug().to_string();
        for form in [&**value, json.trim_matches('"'), &debug] {
            if !form.is_empty() && text.contains(form) {
                text = text.replace(form, FILLED_INSTEAD);
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_out_however_they_are_escaped() {
        let filled: Vec<Arc<str>> = vec!["s3cr\"et\nvalue".into(), "plain-secret".into()];
        let text = "unknown variant `plain-secret`, or s3cr\"et\nvalue, or \"s3cr\\\"et\\nvalue\"";
        let without = without_filled(text, &filled);
        assert!(!without.contains("s3cr") && !without.contains("plain-secret"), "{without}");
        assert_eq!(without_filled("as it is", &filled), "as it is");
    }
}
