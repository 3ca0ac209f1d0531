//! What a plugin asks for, held against what the operator grants it.

use crate::{PluginPlan, codes};
use tamis_config::{Diagnostic, Diagnostics, Located, Plugin};
use tamis_record::{Field, Path};

/// Reports every field, output and right that the signature asks for and the grant does not give; and grants that nothing asks for.
pub(crate) fn check(name: &str, plugin: &Located<Plugin>, planned: &PluginPlan, findings: &mut Diagnostics) {
    let signature = &planned.signature;
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
        let all: Vec<String> = outputs.iter().map(|o| o.value.as_str()).chain(lacking.iter().map(|o| o.as_str())).map(scalar).collect();
        cure.push(format!("outputs: [{}]", all.join(", ")));
        for granted in outputs.iter().filter(|g| !signature.outputs.contains(&g.value)) {
            findings.push(
                Diagnostic::warning(codes::GRANT_NOT_USED, format!("plugin `{name}` does not ask to send records to `{}`", granted.value))
                    .at(&granted.place)
                    .help("take the grant away: a plugin should be able to do no more than it needs"),
            );
        }
    }
    if !asks.is_empty() {
        let upgrade = planned.upgrade.as_ref().map(|upgrade| format!(" {upgrade}")).unwrap_or_default();
        findings.push(
            Diagnostic::error(codes::NOT_GRANTED, format!("plugin `{name}`{upgrade} asks {}: not granted", asks.join(" and ")))
                .at(&plugin.place)
                .help(format!("if it may, write under plugins.{name}: grant: {}", mapping(&cure))),
        );
    }
}

/// The fields that no grant covers, each path once.
fn lacking<'a>(fields: &'a [Field], granted: &[Located<Path>]) -> Vec<&'a Field> {
    let mut lacking: Vec<&Field> = Vec::new();
    for field in fields.iter().filter(|f| !granted.iter().any(|g| g.value.covers(&f.path))) {
        if !lacking.iter().any(|f| f.path == field.path) {
            lacking.push(field);
        }
    }
    lacking
}

/// Entries as a YAML map in one line.
fn mapping(entries: &[String]) -> String {
    if entries.is_empty() { "{}".into() } else { format!("{{ {} }}", entries.join(", ")) }
}

/// A path as YAML takes it in a list.
fn quoted(path: &Path) -> String {
    scalar(&path.to_string())
}

/// A text as YAML takes it in a list: in quotes unless it can be nothing but text.
fn scalar(text: &str) -> String {
    // YAML 1.1 and 1.2 readers differ on these; quoted they are text for all.
    const OTHER_THAN_TEXT: [&str; 10] = ["null", "true", "false", "yes", "no", "on", "off", "y", "n", "nan"];
    let plain = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !OTHER_THAN_TEXT.iter().any(|word| text.eq_ignore_ascii_case(word));
    if plain { text.into() } else { format!("'{}'", text.replace('\'', "''")) }
}
