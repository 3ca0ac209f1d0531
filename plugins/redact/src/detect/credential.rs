//! Credentials that tell by their own form what they are, whatever stands before them: keys and tokens with the prefix of the
//! service that gave them, and private keys in PEM (RFC 7468).
//!
//! The [prescan](crate::prescan) marks one byte of a prefix, not always its first: where a mark stands is a matter of what is rare in
//! text and cheap to compare.

use std::ops::Range;

use super::{byte_before, is_before, run_end};

/// Longest private key looked for, from its first to its last line.
const PEM_BYTES_MAX: usize = 16 * 1024;
/// Longest label between `BEGIN` and the hyphens.
const LABEL_MAX: usize = 48;
/// How far behind its first line a private key's base64 has to begin: some have lines of headers before it.
const HEADERS_MAX: usize = 256;
/// Characters of base64 in a row that make a key of a line of hyphens.
const BASE64_MIN: usize = 16;

/// A service's form of keys.
struct Form {
    prefix: &'static [u8],
    /// Which byte of the prefix is marked.
    mark: usize,
    body: fn(u8) -> bool,
    /// Least bytes behind the prefix.
    least: usize,
    /// Whether there are no more than the least.
    exact: bool,
}

const fn form(prefix: &'static [u8], mark: usize, body: fn(u8) -> bool, least: usize) -> Form {
    Form { prefix, mark, body, least, exact: false }
}

const fn aws(prefix: &'static [u8]) -> Form {
    Form { prefix, mark: 2, body: |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit(), least: 16, exact: true }
}

fn plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
}

fn underscored(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn hyphened(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-'
}

fn any(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// By service. Least lengths are somewhat below what is given out today, so that a longer line's cut does not save a key.
const FORMS: [Form; 25] = [
    // AWS.
    aws(b"AKIA"),
    aws(b"ASIA"),
    // Google.
    form(b"AIza", 1, any, 30),
    // GitHub.
    form(b"ghp_", 1, plain, 20),
    form(b"gho_", 1, plain, 20),
    form(b"ghu_", 1, plain, 20),
    form(b"ghs_", 1, plain, 20),
    form(b"ghr_", 1, plain, 20),
    form(b"github_pat_", 8, underscored, 22),
    // GitLab.
    form(b"glpat-", 1, any, 16),
    form(b"glptt-", 1, any, 16),
    form(b"glcbt-", 1, any, 16),
    // Slack.
    form(b"xoxa-", 0, hyphened, 10),
    form(b"xoxb-", 0, hyphened, 10),
    form(b"xoxp-", 0, hyphened, 10),
    form(b"xoxr-", 0, hyphened, 10),
    form(b"xoxs-", 0, hyphened, 10),
    form(b"xapp-", 0, hyphened, 10),
    // Stripe.
    form(b"sk_live_", 0, plain, 16),
    form(b"rk_live_", 0, plain, 16),
    form(b"sk_test_", 0, plain, 16),
    form(b"rk_test_", 0, plain, 16),
    // npm, Docker, Hugging Face.
    form(b"npm_", 1, plain, 30),
    form(b"dckr_pat_", 6, any, 20),
    form(b"hf_", 0, plain, 30),
];

/// The credential of which `marked`, the byte at `at`, is a mark.
#[inline]
#[must_use]
pub fn find(text: &[u8], at: usize, marked: u8) -> Option<Range<usize>> {
    match marked {
        b'I' | b'a' | b'h' | b'l' | b'p' | b'r' | b's' | b'x' => FORMS.iter().find_map(|form| form.find(text, at)),
        b'-' => find_pem(text, at),
        _ => None,
    }
}

impl Form {
    #[inline]
    fn find(&self, text: &[u8], at: usize) -> Option<Range<usize>> {
        let start = at.checked_sub(self.mark)?;
        if !text.get(start..)?.starts_with(self.prefix) {
            return None;
        }
        // What could be a part of the key goes on before it: a longer word's middle.
        if is_before(text, start, |byte| byte.is_ascii_alphanumeric() || (self.body)(byte)) {
            return None;
        }
        let body = start + self.prefix.len();
        let mut end = run_end(text, body, self.body);
        let length = end - body;
        if length < self.least || (self.exact && length > self.least) || !(self.exact || is_random(text.get(body..end)?)) {
            return None;
        }
        // GitLab's newer tokens go on with parts of their own.
        if self.prefix.starts_with(b"gl") {
            while text.get(end) == Some(&b'.') && text.get(end + 1).is_some_and(|&byte| any(byte)) {
                end = run_end(text, end + 1, any);
            }
        }
        let first = text.get(body);
        let same = text.get(body..end)?.iter().all(|byte| Some(byte) == first);
        (!same).then_some(start..end)
    }
}

/// Whether a body is more than words to be replaced: `ghp_yourpersonalaccesstoken`.
fn is_random(body: &[u8]) -> bool {
    body.iter().any(u8::is_ascii_digit) || (body.iter().any(u8::is_ascii_uppercase) && body.iter().any(u8::is_ascii_lowercase))
}

/// The private key whose first line begins at `at`. One that is cut off goes to where nothing of it can follow.
fn find_pem(text: &[u8], at: usize) -> Option<Range<usize>> {
    let label = text.get(at..)?.strip_prefix(b"-----BEGIN")?;
    let label = label.get(..label.len().min(LABEL_MAX))?;
    let length = memchr::memmem::find(label, b"-----")?;
    let label = label.get(..length)?;
    // `+` is a form's blank.
    let private = |name: &[u8]| label.windows(name.len()).any(|part| part == name);
    if !(private(b"PRIVATE KEY") || private(b"PRIVATE+KEY")) {
        return None;
    }
    let body = at + b"-----BEGIN".len() + length + b"-----".len();
    let rest = text.get(body..)?;
    let rest = rest.get(..rest.len().min(PEM_BYTES_MAX))?;
    let mut row = 0;
    let beginning = rest.iter().take(HEADERS_MAX + BASE64_MIN);
    let has_base64 = beginning.map(|&byte| is_base64(byte)).any(|is| {
        row = if is { row + 1 } else { 0 };
        row >= BASE64_MIN
    });
    if !has_base64 {
        return None;
    }
    let end = match memchr::memmem::find(rest, b"-----END") {
        Some(last) => {
            let label = body + last + b"-----END".len();
            let hyphens = run_end(text, label, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || matches!(byte, b' ' | b'+'));
            run_end(text, hyphens, |byte| byte == b'-')
        }
        None => run_end(text, body, |byte| is_base64(byte) || byte.is_ascii_whitespace() || matches!(byte, b'\\' | b'-' | b':' | b',')),
    };
    // The last line's own end stays.
    let blank = text.get(at..end)?.iter().rev().take_while(|byte| byte.is_ascii_whitespace()).count();
    Some(at..end - blank)
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=')
}

/// Whether the byte before `at` may be within a prefix that is marked there; what is asked first, of every letter.
#[inline]
#[must_use]
pub fn may_be(text: &[u8], at: usize, marked: u8) -> bool {
    let next = text.get(at + 1).copied();
    match marked {
        b'I' => matches!((byte_before(text, at), next), (Some(b'K' | b'S'), Some(b'A')) | (Some(b'A'), Some(b'z'))),
        b'a' => byte_before(text, at) == Some(b'p') && next == Some(b't'),
        b'h' => next == Some(b'f') || byte_before(text, at) == Some(b'g'),
        b'l' => byte_before(text, at) == Some(b'g'),
        b'p' => byte_before(text, at) == Some(b'n'),
        b'r' | b's' => next == Some(b'k'),
        b'x' => matches!(next, Some(b'o' | b'a')),
        b'-' => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prescan;

    /// By way of the prescan, which has to mark each.
    fn found(text: &str) -> Option<&str> {
        let mut marks = Vec::new();
        prescan::candidates(text.as_bytes(), &mut marks);
        let find = |at: usize| {
            text.as_bytes().get(at).filter(|&&byte| may_be(text.as_bytes(), at, byte)).and_then(|&byte| find(text.as_bytes(), at, byte))
        };
        marks.into_iter().find_map(|at| find(at as usize)).and_then(|range| text.get(range))
    }

    /// Written in parts, so that no search for leaked keys takes this file for one.
    fn keys() -> Vec<String> {
        let body = "9aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA";
        vec![
            format!("AKI{}", "AIOSFODNN7EXAMPLE"),
            format!("ASI{}", "AY34FZKBOKMUTVV7A"),
            format!("AIz{}", "aSyD-9tSrke72_PouQMnMX-a7eZSW0jkFMBWY"),
            format!("gh{}", format_args!("p_{body}")),
            format!("gh{}", format_args!("o_{body}")),
            format!("gh{}", format_args!("s_{body}")),
            format!("github{}", format_args!("_pat_11ABCDEFG0aBcDeFgHiJkL_{body}{body}")),
            format!("glp{}", "at-9aB3dE5fG7-J9kL1_N3p"),
            format!("glp{}", "at-9aB3dE5fG7hJ9kL1mN3pQ5rS.01.170ab2cd3"),
            format!("xo{}", "xb-123456789012-1234567890123-9aB3dE5fG7hJ9kL1mN3pQ5rS"),
            format!("xap{}", "p-1-A0123456789-1234567890123-9aB3dE5fG7hJ"),
            format!("sk_{}", "live_9aB3dE5fG7hJ9kL1mN3pQ5rS"),
            format!("rk_{}", "live_9aB3dE5fG7hJ9kL1mN3pQ5rS"),
            format!("npm{}", format_args!("_{body}")),
            format!("dckr{}", "_pat_9aB3dE5fG7-J9kL1_N3pQ5rS"),
            format!("hf{}", format_args!("_{body}")),
        ]
    }

    #[test]
    fn keys_are_found_by_their_form() {
        for key in keys() {
            for pad in 0..70 {
                let text = format!("{} {key}", "/".repeat(pad));
                assert_eq!(found(&text), Some(key.as_str()), "after {pad}");
            }
            for (before, after) in [("", ""), ("\"", "\""), ("with ", ", next"), ("(", ")"), ("https://x:", "@host"), ("é", "é"), ("", ".")]
            {
                assert_eq!(found(&format!("{before}{key}{after}")), Some(key.as_str()), "{before} {after}");
            }
            assert_eq!(found(&format!("x{key}")), None, "{key} within a word");
            assert_eq!(found(&key[..key.len() / 4]), None, "a quarter of {key}");
        }
    }

    #[test]
    fn private_keys_are_found_whole() {
        let line = "MIIEowIBAAKCAQEAyOd3p9aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA+/b4Q==";
        for label in
            ["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "ENCRYPTED PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
        {
            for newline in ["\n", "\r\n", "\\n", "\\\\n", " "] {
                for headers in ["", "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123\n\n"] {
                    let key = format!("-----BEGIN {label}-----{newline}{headers}{line}{newline}{line}{newline}-----END {label}-----");
                    assert_eq!(found(&format!("key: {key}\nnext line")), Some(key.as_str()), "{label} {newline:?}");
                    let cut = key.split("-----END").next().unwrap_or_default().trim_end();
                    assert_eq!(found(cut), Some(cut), "{label} {newline:?}, cut off");
                }
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_credential_is_not() {
        for text in [
            "AKIA",
            "AKIAIOSFODNN7EXAMPLE7",
            "ASIAPACIFIC",
            "akiaiosfodnn7example",
            "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "ghp_yourpersonalaccesstokenhere",
            "ghp_token",
            "high_9aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA",
            "npm_config_registry_url_of_the_project",
            "npm_package_version",
            "glpat-",
            "xoxo-9aB3dE5fG7hJ9kL1",
            "xoxb-your-token-here",
            "sk_live_",
            "task_live_9aB3dE5fG7hJ9kL1mN3pQ5rS",
            "pk_live_9aB3dE5fG7hJ9kL1mN3pQ5rS",
            "github_pat_",
            "half_9aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA",
            "-----BEGIN CERTIFICATE-----\nMIIEowIBAAKCAQEAyOd3p9aB3dE5fG7hJ9kL1mN3pQ5rS\n-----END CERTIFICATE-----",
            "-----BEGIN PUBLIC KEY-----\nMIIEowIBAAKCAQEAyOd3p9aB3dE5fG7hJ9kL1mN3pQ5rS\n-----END PUBLIC KEY-----",
            "expected -----BEGIN PRIVATE KEY----- in the file, found nothing",
            "-----BEGIN PRIVATE KEY-----",
            "--------------------------------",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
