//! JSON Web Tokens (RFC 7519) in their compact form: header and claims decode as JSON objects and the header has `alg`.
//! Encrypted ones (five parts, RFC 7516) have no readable claims; their header has `enc` too.

use std::ops::Range;

use super::{byte, run_end};
use crate::base64::{decode, decode_group, is_any, is_url_safe};
use crate::json::reader::is_object;

/// Longest header or claims that are decoded; a longer token is taken for one on its header alone.
const DECODED_MAX: usize = 64 * 1024;

/// Space the detector works in, kept between calls.
#[derive(Debug, Default)]
pub struct Scratch {
    decoded: Vec<u8>,
    open: Vec<u8>,
    /// The run of token characters that was examined last.
    run: Range<usize>,
    /// How many bytes may still be decoded as headers in that run.
    budget: usize,
}

impl Scratch {
    /// Forgets the text that was looked at: to be called before each other text.
    pub fn begin(&mut self) {
        self.run = 0..0;
        self.budget = 0;
    }

    /// The end of the run around `at`, which is looked for once a run.
    fn run_end(&mut self, text: &[u8], at: usize) -> usize {
        if !self.run.contains(&at) {
            self.run = at..run_end(text, at, is_any);
            self.budget = self.run.len() * 4;
        }
        self.run.end
    }
}

/// Whether base64 begins so that an object may follow: `{`, or a blank and `{`.
fn begins_object(text: &[u8]) -> bool {
    let mut decoded = [0; 3];
    text.get(..4).is_some_and(|group| decode_group(group, &mut decoded)) && matches!(decoded, [b'{', ..] | [b' ', b'{', _])
}

/// The token whose header begins at `at`.
#[must_use]
pub fn find(text: &[u8], at: usize, scratch: &mut Scratch) -> Option<Range<usize>> {
    if !begins_object(text.get(at..)?) {
        return None;
    }
    let header = at..scratch.run_end(text, at);
    if byte(text, header.end) != Some(b'.') || header.len() > DECODED_MAX {
        return None;
    }
    let Some(left) = scratch.budget.checked_sub(header.len()) else {
        return unverified(text, at, header.end);
    };
    scratch.budget = left;
    if !is_json(text.get(header.clone())?, Some(b"alg"), scratch) {
        return None;
    }
    let claims_start = header.end + 1;
    let claims = claims_start..run_end(text, claims_start, is_any);
    if byte(text, claims.end) != Some(b'.') {
        // Cut off by a limit on the length of a line: what is there is still a token's beginning.
        let cut = claims.end == text.len() && begins_object(text.get(claims.clone())?);
        return cut.then_some(at..claims.end);
    }
    let signature_start = claims.end + 1;
    let signature = run_end(text, signature_start, is_url_safe);
    if claims.len() > DECODED_MAX || is_json(text.get(claims.clone())?, None, scratch) {
        let plain = [header, claims].into_iter().filter_map(|part| text.get(part)).flatten().any(|byte| matches!(byte, b'+' | b'/' | b'='));
        // Older gateways use the plain alphabet and padding; a `/` after a URL-safe token is the next segment of a path.
        let end = if plain {
            run_end(text, signature, is_any)
        } else {
            run_end(text, signature, |byte| byte == b'=' || byte == b'+' || is_url_safe(byte))
        };
        return Some(at..end);
    }
    encrypted_end(text, claims_start)
        .filter(|_| is_json(text.get(at..claims_start - 1).unwrap_or_default(), Some(b"enc"), scratch))
        .map(|end| at..end)
}

/// A run with so many beginnings that decoding from each would take quadratic time: what has the shape of a token is taken
/// for one.
fn unverified(text: &[u8], at: usize, header_end: usize) -> Option<Range<usize>> {
    let claims = header_end + 1;
    begins_object(text.get(claims..)?).then(|| at..run_end(text, claims, |byte| byte == b'.' || is_any(byte)))
}

/// The end of the four parts of an encrypted token that follow its header.
fn encrypted_end(text: &[u8], start: usize) -> Option<usize> {
    let mut position = start;
    for part in 0..4 {
        position = run_end(text, position, is_url_safe);
        if part < 3 {
            if byte(text, position) != Some(b'.') {
                return None;
            }
            position += 1;
        }
    }
    Some(position)
}

fn is_json(part: &[u8], member: Option<&[u8]>, scratch: &mut Scratch) -> bool {
    decode(part, &mut scratch.decoded) && is_object(&scratch.decoded, member, &mut scratch.open)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9"; // {"alg":"HS256","typ":"JWT"}
    const CLAIMS: &str = "eyJzdWIiOiIxMjM0NTY3ODkwIn0"; // {"sub":"1234567890"}
    const SIGNATURE: &str = "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U";

    fn found(text: &str) -> Option<&str> {
        let mut scratch = Scratch::default();
        (0..text.len()).find_map(|at| find(text.as_bytes(), at, &mut scratch)).and_then(|range| text.get(range))
    }

    #[test]
    fn tokens_are_found_in_context() {
        for token in [
            format!("{HEADER}.{CLAIMS}.{SIGNATURE}"),
            format!("{HEADER}.{CLAIMS}."),
            // {"alg":"dir","enc":"A128GCM"}
            format!("eyJhbGciOiJkaXIiLCJlbmMiOiJBMTI4R0NNIn0..{SIGNATURE}.{SIGNATURE}.{SIGNATURE}"),
        ] {
            for (before, after) in [("", ""), ("Internal-Key=", ","), ("Bearer ", "|"), ("\"", "\""), ("?jwt=", "&x=1"), ("/", "/rest")] {
                assert_eq!(found(&format!("{before}{token}{after}")), Some(token.as_str()), "{before} {after}");
            }
        }
        // The plain alphabet, padded.
        let plain = format!("{HEADER}.{CLAIMS}=.ab/c+d==");
        assert_eq!(found(&format!("{plain},")), Some(plain.as_str()));
        // ` {"alg":"none"}`, `{ "alg":"none"}`, `{\r\n"alg":"none"}`, `{\n"alg":"none"}`.
        for header in ["IHsiYWxnIjoibm9uZSJ9", "eyAiYWxnIjoibm9uZSJ9", "ew0KImFsZyI6Im5vbmUifQ", "ewoiYWxnIjoibm9uZSJ9"] {
            let token = format!("{header}.{CLAIMS}.{SIGNATURE}");
            assert_eq!(found(&format!("x: {token},")), Some(token.as_str()));
            let token = format!("{HEADER}.{header}.{SIGNATURE}");
            assert_eq!(found(&token), Some(token.as_str()));
        }
        let cut = format!("{HEADER}.eyJzdWIiOiIxMj");
        assert_eq!(found(&cut), Some(cut.as_str()));
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for text in [
            HEADER.to_owned(),
            format!("{HEADER}.{CLAIMS}x.{SIGNATURE}"),      // the claims are not base64
            format!("{HEADER}.bm90IGpzb24.{SIGNATURE}"),    // nor JSON
            format!("{CLAIMS}.{CLAIMS}.{SIGNATURE}"),       // no `alg`
            format!("eyJub3QganNvbg.{CLAIMS}.{SIGNATURE}"), // the header is not JSON
            format!("{HEADER}.eyJub3QganNvbg.{SIGNATURE}"),
            "eyJ".to_owned(),
            "eyJ.eyJ.".to_owned(),
        ] {
            assert_eq!(found(&text), None, "{text}");
        }
    }
}
