//! Whether a text is one JSON value that fits on a line.

/// Whether `text` is exactly one JSON value, without raw control characters anywhere: a record is one line, so a line
/// feed between tokens, legal in JSON, would tear it. UTF-8 is checked by the caller.
pub(crate) fn json_is_valid(text: &[u8]) -> bool {
    !text.iter().any(|b| *b < 0x20) && serde_json::from_slice::<serde::de::IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests {
    use super::json_is_valid;

    #[test]
    fn one_value_on_one_line() {
        for good in ["1", " {\"a\": [1, 2e400, null]} ", "\"\\n\"", "true", "\"é\""] {
            assert!(json_is_valid(good.as_bytes()), "{good}");
        }
        for bad in ["", "1 2", "{\"a\":}", "{\"a\":1,\n\"b\":2}", "\"\t\"", "[1,]", "nul", "{", "\"\\x\"", "01", "\u{feff}1", "[\n]"] {
            assert!(!json_is_valid(bad.as_bytes()), "{bad:?}");
        }
        let deep = [vec![b'['; 100_000], vec![b']'; 100_000]].concat();
        assert!(json_is_valid(&deep), "depth is the record crate's limit, not this check's; it must not overflow the stack");
    }
}
