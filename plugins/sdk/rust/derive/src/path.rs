//! Whether a text is a field path, as `docs/reference/field-paths.md` gives the form; the host reads it again when the plugin loads.

/// Bytes of a path.
const BYTES_MAX: usize = 1024;
/// Parts of a path.
const PARTS_MAX: usize = 32;
/// The largest index into a list.
const INDEX_MAX: u32 = 1023;

/// What is wrong with a path; `None` for a sound one.
pub(crate) fn fault(text: &str) -> Option<String> {
    if text.is_empty() {
        return Some("it is empty; the whole record is \".\"".to_owned());
    }
    if text.len() > BYTES_MAX {
        return Some(format!("it has {} bytes, {BYTES_MAX} at most", text.len()));
    }
    if text == "." {
        return None;
    }
    let mut rest = text.strip_prefix('.').unwrap_or(text);
    let mut parts = 0;
    loop {
        rest = match part(rest) {
            Ok(rest) => rest,
            Err(fault) => return Some(fault),
        };
        parts += 1;
        if parts > PARTS_MAX {
            return Some(format!("it has more than {PARTS_MAX} parts"));
        }
        if rest.is_empty() {
            return None;
        }
        if rest.starts_with('[') {
            continue;
        }
        match rest.strip_prefix('.') {
            Some(next) if next.starts_with('[') => return Some("an index follows its list directly: \"tags[0]\"".to_owned()),
            Some(next) => rest = next,
            None => return Some(format!("expected `.` or `[` before `{rest}`")),
        }
    }
}

/// Takes a key or an index off the front.
fn part(text: &str) -> Result<&str, String> {
    if let Some(index) = text.strip_prefix('[') {
        let (index, rest) = index.split_once(']').ok_or("a `[` has no `]`")?;
        let sound = index.bytes().all(|byte| byte.is_ascii_digit()) && index.parse::<u32>().is_ok_and(|index| index <= INDEX_MAX);
        return if sound { Ok(rest) } else { Err(format!("expected a number from 0 to {INDEX_MAX} in [], found `{index}`")) };
    }
    if let Some(quoted) = text.strip_prefix('"') {
        return end_of_quoted(quoted).ok_or_else(|| "the key in quotes does not end".to_owned());
    }
    let end = text.find(['.', '[']).unwrap_or(text.len());
    let (key, rest) = text.split_at(end);
    if key.is_empty() {
        return Err("a key is missing; the empty key is written `\"\"`".to_owned());
    }
    match key.chars().find(|c| c.is_control() || c.is_whitespace() || matches!(c, ']' | '"' | '\\')) {
        None => Ok(rest),
        Some(found) => Err(format!("a key with `{}` needs quotes: #[field(r#\"\"a key\"\"#)]", found.escape_debug())),
    }
}

/// What follows the closing quote.
fn end_of_quoted(text: &str) -> Option<&str> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return text.get(at + 1..),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_reference_are_sound() {
        for path in [
            ".",
            "ApiOwner",
            "destination.url.path",
            "tags[0]",
            "tags[0][1023].a",
            r#"labels."a key.with dots""#,
            ".a.b",
            "@timestamp",
            "é",
            r#""""#,
            r#""\"\\""#,
        ] {
            assert_eq!(fault(path), None, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_told_why() {
        for (path, why) in [
            ("", "empty"),
            ("a..b", "a key is missing"),
            ("a.", "a key is missing"),
            ("a b", "needs quotes"),
            ("tags[x]", "found `x`"),
            ("tags[+1]", "found `+1`"),
            ("tags[]", "found ``"),
            ("tags[1024]", "from 0 to 1023"),
            ("tags[0", "no `]`"),
            ("tags.[0]", "directly"),
            ("tags[0]a", "before `a`"),
            (r#"a."b"#, "does not end"),
            (&"a".repeat(1025), "1024 at most"),
            (&["a"; 33].join("."), "more than 32 parts"),
        ] {
            let fault = fault(path).unwrap_or_else(|| panic!("{path} is sound"));
            assert!(fault.contains(why), "{path}: {fault}");
        }
    }
}
