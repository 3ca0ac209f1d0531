//! What a configured plugin says it reads and does, checked.

use crate::contract;
use crate::failure::{Failure, printable};
use std::collections::HashSet;
use tamis_record::{Field, Kind, OUTPUTS_MAX, Path, Signature};

/// Fields a plugin may read, and fields it may write.
pub const FIELDS_MAX: usize = 256;
/// Characters of an output's name.
pub const OUTPUT_NAME_MAX: usize = 64;

/// Checks what `init` answered: at most [`FIELDS_MAX`] fields to read and to write, each written path once, at most
/// [`OUTPUTS_MAX`] outputs, each once, `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
pub(crate) fn from_contract(raw: contract::Signature) -> Result<Signature, Failure> {
    let reads = fields("reads", raw.reads)?;
    let writes = fields("writes", raw.writes)?;
    let mut seen = HashSet::new();
    for field in &writes {
        if !seen.insert(&field.path) {
            return Err(Failure::contract(format!("signature: `writes` names `{}` twice; name each field once", field.path)));
        }
    }
    if raw.outputs.len() > OUTPUTS_MAX {
        return Err(Failure::contract(format!("signature: {} outputs, at most {OUTPUTS_MAX} were expected", raw.outputs.len())));
    }
    let mut names = HashSet::new();
    for name in &raw.outputs {
        if !is_output_name(name) {
            return Err(Failure::contract(format!(
                "signature: `{}` is not the name of an output; a letter or `_`, then up to 63 letters, digits, `_` or `-` were expected",
                printable(name, 80)
            )));
        }
        if !names.insert(name.as_str()) {
            return Err(Failure::contract(format!("signature: `outputs` names `{name}` twice; name each output once")));
        }
    }
    Ok(Signature { reads, writes, outputs: raw.outputs, drops: raw.drops })
}

fn fields(list: &str, raw: Vec<contract::Field>) -> Result<Vec<Field>, Failure> {
    if raw.len() > FIELDS_MAX {
        return Err(Failure::contract(format!("signature: `{list}` has {} fields, at most {FIELDS_MAX} were expected", raw.len())));
    }
    let field = |f: contract::Field| {
        let path: Path = f.path.parse().map_err(|e| Failure::contract(format!("signature: `{list}`: {e}")))?;
        let kind = Kind::from(f.kind);
        if path.is_root() && kind != Kind::Json {
            return Err(Failure::contract(format!("signature: `{list}` asks for the whole record (`.`) as {kind}; it comes as json only")));
        }
        Ok(Field { path, kind })
    };
    raw.into_iter().map(field).collect()
}

fn is_output_name(name: &str) -> bool {
    let mut chars = name.chars();
    name.len() <= OUTPUT_NAME_MAX
        && chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(reads: &[&str], writes: &[&str], outputs: &[&str]) -> contract::Signature {
        let list = |paths: &[&str]| paths.iter().map(|p| contract::Field { path: p.to_string(), kind: contract::Kind::Json }).collect();
        contract::Signature {
            reads: list(reads),
            writes: list(writes),
            outputs: outputs.iter().map(|o| o.to_string()).collect(),
            drops: true,
        }
    }

    #[test]
    fn a_sound_signature_passes() {
        let signature = from_contract(raw(&["a", "a", "."], &["b", "b.c"], &["errors", "_x-z"])).unwrap();
        assert_eq!((signature.reads.len(), signature.writes.len(), signature.outputs.len()), (3, 2, 2));
    }

    #[test]
    fn lies_are_named() {
        let many: Vec<String> = (0..300).map(|i| format!("o{i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let long = "x".repeat(65);
        for (raw, expected) in [
            (raw(&["a..b"], &[], &[]), "`a..b` is not a field path"),
            (raw(&many, &[], &[]), "`reads` has 300 fields"),
            (raw(&[], &["a", "a"], &[]), "`writes` names `a` twice"),
            (raw(&[], &[], &["ok", "ok"]), "`outputs` names `ok` twice"),
            (raw(&[], &[], &["no blank"]), "is not the name of an output"),
            (raw(&[], &[], &["\u{1b}[2J"]), "\\u{1b}[2J"),
            (raw(&[], &[], &[""]), "is not the name of an output"),
            (raw(&[], &[], &[&long]), "is not the name of an output"),
            (raw(&[], &[], &many), "300 outputs"),
        ] {
            let failure = from_contract(raw).unwrap_err();
            assert!(failure.reason.contains(expected), "{failure}");
        }
        let mut text = raw(&["."], &[], &[]);
        text.reads[0].kind = contract::Kind::Text;
        assert!(from_contract(text).unwrap_err().reason.contains("comes as json only"));
    }
}
