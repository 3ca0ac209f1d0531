//! What a plugin asks for, held against what the operator grants it.

use crate::codes;
use tamis_config::{Diagnostic, Diagnostics, Located, Plugin};
use tamis_record::{Field, Path, Signature};

/// Reports every field, output and right that the signature asks for and the grant does not give; and grants that nothing asks for.
pub(crate) fn check(name: &str, plugin: &Located<Plugin>, signature: &Signature, findings: &mut Diagnostics) {
    let grant = &plugin.value.grant;
    let mut asks = Vec::new();
    let mut cure = Vec::new();
    for (verb, fields, granted) in [("read", &signature.reads, &grant.read), ("write", &signature.writes, &grant.write)] {
        let lacking = lacking(fields, granted);
        if !lacking.is_empty() {
            let names: Vec<String> = lacking.iter().map(|f| format!("`{}`", f.path)).collect();
            asks.push(format!("to {verb} {}", names.join(", ")));
        }
        // The cure is the whole grant, so that it can be pasted over the one that is there.
        let all: Vec<String> = granted.iter().map(|g| quoted(&g.value)).chain(lacking.iter().map(|f| quoted(&f.path))).collect();
        if !all.is_empty() {
            cure.push(format!("{verb}: [{}]", all.join(", ")));
        }
        for granted in granted.iter().filter(|g| !fields.iter().any(|f| g.value.covers(&f.path))) {
            findings.push(
                Diagnostic::warning(codes::GRANT_NOT_USED, format!("plugin `{name}` does not ask to {verb} `{}`", granted.value))
                    .at(&granted.place)
                    .help("take the grant away: a plugin should be able to do no more than it needs"),
            );
        }
    }
    if signature.drops && !grant.drop {
        asks.push("to drop records".into());
    } else if !grant.drop {
        cure.push("drop: false".into());
    }
    if let Some(outputs) = &grant.outputs {
        let lacking: Vec<&String> = signature.outputs.iter().filter(|o| !outputs.iter().any(|g| g.value == **o)).collect();
        if !lacking.is_empty() {
            let names: Vec<String> = lacking.iter().map(|o| format!("`{o}`")).collect();
            asks.push(format!("to send records to {}", names.join(", ")));
        }
        let all: Vec<&str> = outputs.iter().map(|o| o.value.as_str()).chain(lacking.iter().map(|o| o.as_str())).collect();
        cure.push(format!("outputs: [{}]", all.join(", ")));
    }
    if !asks.is_empty() {
        findings.push(
            Diagnostic::error(codes::NOT_GRANTED, format!("plugin `{name}` asks {}: not granted", asks.join(" and ")))
                .at(&plugin.place)
                .help(format!("if it may, write under plugins.{name}: grant: {{ {} }}", cure.join(", "))),
        );
    }
}

fn lacking<'a>(fields: &'a [Field], granted: &[Located<Path>]) -> Vec<&'a Field> {
    let mut lacking: Vec<&Field> = fields.iter().filter(|f| !granted.iter().any(|g| g.value.covers(&f.path))).collect();
    lacking.dedup_by(|a, b| a.path == b.path);
    lacking
}

/// A path as YAML takes it in a list.
fn quoted(path: &Path) -> String {
    let text = path.to_string();
    if text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
        || (text.contains('.') && text.len() > 1 && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.')))
    {
        text
    } else {
        format!("'{}'", text.replace('\'', "''"))
    }
}
