//! What `init` answers.

use crate::resources;
use crate::tamis::plugin::types::{Field, Kind, Signature};

pub(crate) fn answer(what: &str) -> Result<Signature, String> {
    let field = |path: &str, kind| Field { path: path.to_owned(), kind };
    let mut signature = Signature {
        reads: vec![field("message", Kind::Text)],
        writes: vec![
            field("a", Kind::Text),
            field("i", Kind::Integer),
            field("f", Kind::Float),
            field("b", Kind::Boolean),
            field("j", Kind::Json),
            field(".", Kind::Json),
        ],
        outputs: vec!["errors".to_owned()],
        drops: what != "drop-undeclared",
    };
    match what {
        "init-loop" => resources::endless(),
        "init-trap" => panic!("told to"),
        "init-memory" => resources::memory_bomb(),
        "init-error" => return Err("no \u{1b}[31mred\u{1b}[0m\nconfiguration".to_owned()),
        "init-error-long" => return Err("x".repeat(10 << 20)),
        "init-error-long-allowed" => return Err("x".repeat(1 << 20)),
        "init-fields" => signature.reads = (0..300).map(|i| field(&format!("f{i}"), Kind::Text)).collect(),
        "init-path" => signature.reads[0].path = "a..\u{1b}".to_owned(),
        "init-path-long" => signature.reads[0].path = "a.".repeat(600),
        "init-writes-twice" => signature.writes.push(field("a", Kind::Json)),
        "init-outputs" => signature.outputs = (0..255).map(|i| format!("o{i}")).collect(),
        "init-output-name" => signature.outputs = vec!["../etc".to_owned()],
        "init-huge" => signature.outputs = vec!["x".repeat(1 << 20); 16],
        _ => {}
    }
    Ok(signature)
}
