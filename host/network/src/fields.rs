//! Fields that a source adds to its records.

/// Appends a text field to a JSON object, which ends at the end of `out` and begins at `from`. What is no object stays as it is: the batch
/// refuses it. Of several fields of one name the last counts, so that a sender cannot make this one up.
pub(crate) fn append(out: &mut Vec<u8>, from: usize, name: &str, value: &str) {
    let end = out.trim_ascii_end().len();
    let Some(object) = out.get(from..end) else { return };
    let Some(inner) = object.trim_ascii_start().strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")) else { return };
    let comma = !inner.trim_ascii().is_empty();
    out.truncate(end.saturating_sub(1));
    if comma {
        out.push(b',');
    }
    string(out, name);
    out.push(b':');
    string(out, value);
    out.push(b'}');
}

/// Appends a JSON string.
pub(crate) fn string(out: &mut Vec<u8>, text: &str) {
    // Writing into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn to_objects_alone() {
        for (before, after) in [
            ("{\"a\":1}", "{\"a\":1,\"peer\":\"::1\"}"),
            (" { } ", " { \"peer\":\"::1\"}"),
            ("{\"a\":{}}\n", "{\"a\":{},\"peer\":\"::1\"}"),
            ("[1]", "[1]"),
            ("{", "{"),
            ("", ""),
        ] {
            let mut out = format!("before}}{before}").into_bytes();
            append(&mut out, 7, "peer", "::1");
            assert_eq!(String::from_utf8_lossy(&out), format!("before}}{after}"));
        }
    }
}
