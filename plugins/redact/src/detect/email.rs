//! E-mail addresses: the dot-atom of RFC 5322 without the characters that end a value in URLs and lists (`= / & ? { } | %`),
//! letters beyond ASCII (RFC 6531), a quoted local part, a domain of at least two labels whose last one is not a file
//! extension (`icon@2x.png`), or an address in brackets.

use std::ops::Range;

use super::{byte, byte_before, is, run_end};

/// Longest local part that is looked for; RFC 5321 allows 64, gateways see longer ones.
const LOCAL_MAX: usize = 128;
/// Longest domain (RFC 1035).
const DOMAIN_MAX: usize = 253;
/// Longest label.
const LABEL_MAX: usize = 63;

/// Last labels that are files, not domains.
const EXTENSIONS: [&[u8]; 28] = [
    b"png", b"jpg", b"jpeg", b"gif", b"svg", b"webp", b"ico", b"css", b"js", b"mjs", b"json", b"xml", b"html", b"htm", b"pdf", b"txt",
    b"log", b"jar", b"class", b"yaml", b"yml", b"wasm", // Units of systemd: `getty@tty1.service`.
    b"service", b"socket", b"timer", b"slice", b"mount", b"scope",
];

/// The address around the `@` at `at`.
#[must_use]
pub fn find(text: &[u8], at: usize) -> Option<Range<usize>> {
    // The domain first: it is the stricter test.
    let end = domain_end(text, at + 1)?;
    let start = local_start(text, at)?;
    Some(start..end)
}

/// The account around the `@` at `at` whose tenant is one of `tenants`.
#[must_use]
pub fn find_account(text: &[u8], at: usize, tenants: &[String]) -> Option<Range<usize>> {
    // Hardly any text gets past this.
    let begins = |known: &String| text.get(at + 1..at + 1 + known.len()).is_some_and(|found| found.eq_ignore_ascii_case(known.as_bytes()));
    if !tenants.iter().any(begins) {
        return None;
    }
    let end = run_end(text, at + 1, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    let tenant = text.get(at + 1..end)?;
    let tenant = tenant.strip_suffix(b".").unwrap_or(tenant);
    tenants
        .iter()
        .any(|known| tenant.eq_ignore_ascii_case(known.as_bytes()))
        .then(|| local_start(text, at).map(|start| start..at + 1 + tenant.len()))
        .flatten()
}

/// `user@tenant`, the whole of `text`: how the gateway writes an account. The tenant needs no dot, the user may itself be an
/// address.
#[must_use]
pub fn is_account(text: &[u8]) -> bool {
    match memchr::memrchr(b'@', text) {
        Some(at) => at > 0 && at + 1 < text.len() && !text.iter().any(|byte| byte.is_ascii_whitespace()),
        None => false,
    }
}

fn local_start(text: &[u8], at: usize) -> Option<usize> {
    if byte_before(text, at) == Some(b'"') {
        return quoted_start(text, at - 1);
    }
    let mut start = at;
    // A character may have up to four bytes; the limit is on bytes.
    while let Some(width) = word_before(text, start, |byte| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-' | b'+' | b'~' | b'!' | b'#' | b'$' | b'*' | b'^' | b'\'')
    }) {
        if at - start >= LOCAL_MAX {
            break;
        }
        start -= width;
    }
    // Quotes, list marks and dots before it are not part of it.
    while start < at && is(text, start, |byte| !(byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80)) {
        start += 1;
    }
    (start < at && byte_before(text, at) != Some(b'.')).then_some(start)
}

/// The opening quote of a local part that ends in the quote at `closing`.
fn quoted_start(text: &[u8], closing: usize) -> Option<usize> {
    let from = closing.saturating_sub(LOCAL_MAX);
    let opening = from + memchr::memrchr(b'"', text.get(from..closing)?)?;
    let content = text.get(opening + 1..closing)?;
    (!content.is_empty() && content.iter().all(|byte| !matches!(byte, b',' | b':' | b'=' | b'\n'))).then_some(opening)
}

fn domain_end(text: &[u8], start: usize) -> Option<usize> {
    if byte(text, start) == Some(b'[') {
        return literal_end(text, start);
    }
    let mut position = start;
    let mut end = None;
    loop {
        let label = position;
        while let Some(width) = word_at(text, position, |byte| byte.is_ascii_alphanumeric() || byte == b'-') {
            position += width;
        }
        let size = position - label;
        if size == 0 || size > LABEL_MAX || position - start > DOMAIN_MAX {
            break;
        }
        if label > start
            && let Some(top) = top_level(text.get(label..position)?)
        {
            end = Some(label + top);
        }
        if byte(text, position) != Some(b'.') {
            break;
        }
        position += 1;
    }
    end
}

/// `[192.0.2.1]` or `[IPv6:…]`.
fn literal_end(text: &[u8], start: usize) -> Option<usize> {
    let end = run_end(text, start + 1, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':'));
    let content = text.get(start + 1..end)?;
    let address = std::str::from_utf8(content.strip_prefix(b"IPv6:").unwrap_or(content)).ok()?;
    (byte(text, end) == Some(b']') && address.parse::<std::net::IpAddr>().is_ok()).then_some(end + 1)
}

/// How many bytes of `label` are a top-level domain: all of it, or what stands before a hyphen (`example.fr-host` in a
/// bracketed pair).
fn top_level(label: &[u8]) -> Option<usize> {
    let is_punycode = label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case(b"xn--"));
    if is_punycode && label.len() > 4 {
        return Some(label.len());
    }
    let name = label.get(..memchr::memchr(b'-', label).unwrap_or(label.len()))?;
    let letters = name.iter().all(|&byte| byte.is_ascii_alphabetic() || byte >= 0x80);
    let is_file = EXTENSIONS.iter().any(|extension| name.eq_ignore_ascii_case(extension));
    (name.len() >= 2 && letters && !is_file).then_some(name.len())
}

/// The width of the word character at `at`: an ASCII one that satisfies `ascii`, or a letter beyond ASCII.
fn word_at(text: &[u8], at: usize, ascii: impl Fn(u8) -> bool) -> Option<usize> {
    let first = byte(text, at)?;
    if first < 0x80 {
        return ascii(first).then_some(1);
    }
    let width = match first {
        0xf0.. => 4,
        0xe0.. => 3,
        0xc0.. => 2,
        _ => 1,
    };
    let width = width.min(text.len() - at);
    (!is_punctuation(text.get(at..at + width)?)).then_some(width)
}

/// As [`word_at`], for the character that ends at `end`.
fn word_before(text: &[u8], end: usize, ascii: impl Fn(u8) -> bool) -> Option<usize> {
    let last = byte_before(text, end)?;
    if last < 0x80 {
        return ascii(last).then_some(1);
    }
    let width = (1..=4.min(end)).find(|&width| is(text, end - width, |byte| byte >= 0xc0)).unwrap_or(1);
    (!is_punctuation(text.get(end - width..end)?)).then_some(width)
}

/// Quotes, blanks, dashes and the like: U+0080 to U+00BF, U+2000 to U+206F, U+3000 to U+303F.
fn is_punctuation(character: &[u8]) -> bool {
    matches!(character, [0xc2, ..] | [0xe2, 0x80, ..] | [0xe2, 0x81, 0x80..=0xaf] | [0xe3, 0x80, ..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        text.match_indices('@').find_map(|(at, _)| find(text.as_bytes(), at)).and_then(|range| text.get(range))
    }

    #[test]
    fn addresses_are_found_in_context() {
        for address in [
            "jean.dupont@example.fr",
            "j@x.io",
            "Jean_Dupont+tag@mail.example.co.uk",
            "o'brien@example.ie",
            "jean-paul@sous-domaine.example.com",
            "12345@example.org",
            "éloïse@exämple.fr",
            "a@xn--exmple-cua.xn--p1ai",
            "root@[192.0.2.1]",
            "root@[IPv6:2001:db8::1]",
            "!x#$*^~y@example.fr",
        ] {
            let wanted = address.trim_start_matches('!');
            assert_eq!(found(address), Some(wanted));
            for (before, after) in [
                ("email=", "&x=1"),
                ("\"", "\","),
                ("'", "'"),
                ("<", ">"),
                ("/users/", "/orders"),
                ("mailto:", "?subject=x"),
                ("for ", "."),
                ("(", ")"),
                ("", ", then"),
                ("« ", " »"),
                ("\u{a0}", "\u{a0}»"),
                ("", "|"),
                ("...", "..."),
            ] {
                assert_eq!(found(&format!("{before}{wanted}{after}")), Some(wanted), "{before} {after}");
            }
        }
        assert_eq!(found("to \"jean dupont\"@example.fr!"), Some("\"jean dupont\"@example.fr"));
        assert_eq!(found("[a@example.fr-host]"), Some("a@example.fr"));
        assert_eq!(found("a@example.fr.1"), Some("a@example.fr"));
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for text in [
            "@example.fr",
            "jean@",
            "jean@localhost",
            "jean@example.f",
            "jean@example.123",
            "java.lang.Object@1a2b3c4d",
            "lodash@4.17.21",
            "icon@2x.png",
            "jean @example.fr",
            "jean@ example.fr",
            "a.@example.fr",
            "@@",
            "x@.fr",
            "@Override",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn accounts_are_a_user_and_a_tenant() {
        assert!(is_account(b"admin@carbon.super"));
        assert!(is_account(b"jean@example.fr@tenant"));
        for text in ["admin", "@tenant", "admin@", "a b@tenant", ""] {
            assert!(!is_account(text.as_bytes()), "{text}");
        }
    }
}
