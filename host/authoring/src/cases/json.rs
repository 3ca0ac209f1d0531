//! YAML values as JSON text: in the order of the file, numbers with the digits they were written with.

use serde_json::Number;
use tamis_config::{Diagnostic, Node, Value, codes};

/// Whether a scalar's spelling is one of JSON's numbers.
fn is_json_number(raw: &str) -> bool {
    raw.starts_with(|c: char| c == '-' || c.is_ascii_digit()) && serde_json::from_str::<&serde_json::value::RawValue>(raw).is_ok()
}

/// The value's JSON text.
pub(super) fn text(node: &Node) -> Result<String, Diagnostic> {
    let mut out = String::new();
    write(node, &mut out)?;
    Ok(out)
}

fn write(node: &Node, out: &mut String) -> Result<(), Diagnostic> {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Integer(_) | Value::Float(_) if is_json_number(&node.raw) => out.push_str(&node.raw),
        Value::Integer(value) => out.push_str(&value.to_string()),
        Value::Float(value) => match Number::from_f64(*value) {
            Some(number) => out.push_str(&number.to_string()),
            None => {
                let message = format!("expected a finite number, as JSON has no other, found {}", node.shown());
                return Err(Diagnostic::error(codes::NOT_JSON, message).at(&node.place).help("put it in quotes to make it text"));
            }
        },
        Value::Text(text) => push_text(text, out),
        Value::List(nodes) => {
            out.push('[');
            for (place, node) in nodes.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                write(node, out)?;
            }
            out.push(']');
        }
        Value::Map(entries) => {
            out.push('{');
            for (place, (key, node)) in entries.iter().enumerate() {
                if place > 0 {
                    out.push(',');
                }
                push_text(&key.text, out);
                out.push(':');
                write(node, out)?;
            }
            out.push('}');
        }
        // Reported when the file was parsed.
        Value::Invalid => out.push_str("null"),
    }
    Ok(())
}

fn push_text(text: &str, out: &mut String) {
    out.push_str(&serde_json::Value::from(text).to_string());
}
