//! Credentials within a URL, `scheme://user:password@host` (RFC 3986, 3.2.1).

use std::ops::Range;

use super::{byte_before, run_start};

/// Longest user and password that are looked for.
const USERINFO_MAX: usize = 256;

/// The user and password before the `@` at `at`.
#[must_use]
pub fn find(text: &[u8], at: usize) -> Option<Range<usize>> {
    let start =
        run_start(text, at, USERINFO_MAX, |byte| !byte.is_ascii_whitespace() && !matches!(byte, b'/' | b'@' | b'"' | b'\'' | b'<' | b'>'));
    if byte_before(text, start) != Some(b'/') || byte_before(text, start - 1) != Some(b'/') {
        return None;
    }
    let userinfo = text.get(start..at)?;
    let colon = memchr::memchr(b':', userinfo)?;
    (colon + 1 < userinfo.len()).then_some(start..at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_found() {
        let found = |text: &str| {
            let at = text.find('@')?;
            find(text.as_bytes(), at).and_then(|range| text.get(range).map(str::to_owned))
        };
        assert_eq!(found("jdbc:mysql://root:s3cr3t@db:3306/x").as_deref(), Some("root:s3cr3t"));
        assert_eq!(found("https://:pw@host/").as_deref(), Some(":pw"));
        for text in ["https://user@host/", "https://user:@host/", "https://host/a:b@c", "a:b@c", "@", ":@"] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
