//! Secrets that follow their name: `key=value`, `key: value`, `"key":"value"`, query parameters, header lists, XML elements.
//! The name decides. What follows is only looked at to leave out what no secret is (`null`, `code=200`, `Authorization:
//! Bearer ACCESS_TOKEN` in a message), more closely for names that are ordinary words too (`code`, `token`, `assertion`).

use std::ops::Range;

pub use super::secret_value::Refusals;
use super::secret_value::{self, Form};
use super::{byte, byte_before, is_blank, run_end, run_start};

/// Longest name compared, without `-` and `_`.
const NAME_MAX: usize = 64;
/// Longest opening tag of an XML element that is looked back over.
const TAG_MAX: usize = 512;

/// How far a name can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strength {
    /// Whatever follows is secret.
    Strong,
    /// As strong, and prose after a colon is secret as well: passwords are words.
    Password,
    /// An HTTP header of several words.
    Header,
    /// An ordinary word too: the value has to look like a secret.
    Weak,
}

/// Which longer names count that end in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Longer {
    /// None: the name has to be this one.
    None,
    /// All: `proxy-authorization`, `dbpassword`.
    All,
    /// Those in which it is a word: `db_pass`, `smtpPass`, but not `bypass`.
    Word,
}

/// Name without `-` and `_`, in lower case; which longer names count; how far it is trusted.
const DEFAULTS: [(&[u8], Longer, Strength); 27] = [
    (b"authorization", Longer::All, Strength::Header),
    (b"cookie", Longer::None, Strength::Header),
    (b"setcookie", Longer::None, Strength::Header),
    (b"apikey", Longer::All, Strength::Strong),
    (b"internalkey", Longer::All, Strength::Strong),
    (b"xjwtassertion", Longer::None, Strength::Strong),
    (b"clientassertion", Longer::All, Strength::Strong),
    (b"clientsecret", Longer::All, Strength::Strong),
    (b"consumerkey", Longer::All, Strength::Strong),
    (b"secret", Longer::All, Strength::Strong),
    (b"secretkey", Longer::All, Strength::Strong),
    (b"privatekey", Longer::All, Strength::Strong),
    (b"accesskey", Longer::All, Strength::Strong),
    (b"signingkey", Longer::All, Strength::Strong),
    (b"encryptionkey", Longer::All, Strength::Strong),
    (b"accesstoken", Longer::All, Strength::Strong),
    (b"refreshtoken", Longer::All, Strength::Strong),
    (b"idtoken", Longer::All, Strength::Strong),
    (b"password", Longer::All, Strength::Password),
    (b"passwordhash", Longer::All, Strength::Strong),
    (b"passwd", Longer::All, Strength::Password),
    (b"passphrase", Longer::All, Strength::Password),
    (b"pwd", Longer::All, Strength::Password),
    // Also a word of test reports: what follows in prose has to be more than a word or a small number.
    (b"pass", Longer::Word, Strength::Strong),
    (b"token", Longer::All, Strength::Weak),
    (b"assertion", Longer::All, Strength::Weak),
    (b"code", Longer::None, Strength::Weak),
];

/// The names that secrets follow.
#[derive(Debug, Clone)]
pub struct Names {
    entries: Vec<(Vec<u8>, Longer, Strength)>,
    /// The last two characters of each name, five bits each: nearly every other name fails here.
    endings: [u32; 32],
}

impl Names {
    /// The built-in names and `more`, which match in any case and with or without `-` and `_`.
    #[must_use]
    pub fn new<'a>(more: impl IntoIterator<Item = &'a str>) -> Self {
        let mut entries: Vec<_> = DEFAULTS.iter().map(|&(name, longer, strength)| (name.to_vec(), longer, strength)).collect();
        entries.extend(more.into_iter().map(|name| {
            let name = name.bytes().filter(u8::is_ascii_alphanumeric);
            (name.map(|byte| byte.to_ascii_lowercase()).collect(), Longer::None, Strength::Strong)
        }));
        entries.retain(|(name, ..): &(Vec<u8>, Longer, Strength)| name.len() >= 2);
        let mut endings = [0; 32];
        for (name, ..) in &entries {
            if let [.., last_but_one, last] = name.as_slice()
                && let Some(bits) = endings.get_mut(usize::from(last_but_one & 31))
            {
                *bits |= 1 << (last & 31);
            }
        }
        Self { entries, endings }
    }

    /// Whether the text before `end` ends as one of the names does.
    #[inline]
    fn ends_like_one(&self, text: &[u8], end: usize) -> bool {
        let Some(last) = byte_before(text, end) else {
            return false;
        };
        let other = match byte_before(text, end - 1) {
            Some(b'-' | b'_') => byte_before(text, end - 2),
            other => other,
        };
        other.is_some_and(|other| self.endings.get(usize::from(other & 31)).is_some_and(|bits| bits >> (last & 31) & 1 == 1))
    }

    /// How far `name` is trusted to name a secret; `None` where it does not.
    #[inline]
    #[must_use]
    pub fn strength(&self, name: &[u8]) -> Option<Strength> {
        let name = name.trim_ascii();
        self.ends_like_one(name, name.len()).then(|| self.known(name)).flatten()
    }

    fn known(&self, name: &[u8]) -> Option<Strength> {
        let mut plain = [0; NAME_MAX];
        let mut length = 0;
        for &byte in name {
            match byte {
                b'.' => length = 0,
                b'-' | b'_' => {}
                _ => {
                    *plain.get_mut(length)? = byte.to_ascii_lowercase();
                    length += 1;
                }
            }
        }
        let plain = plain.get(..length)?;
        let ends = |entry: &[u8], longer| match longer {
            Longer::None => false,
            Longer::All => plain.ends_with(entry),
            Longer::Word => plain.ends_with(entry) && begins_word(name, entry.len()),
        };
        self.entries.iter().find(|(entry, longer, _)| plain == entry || ends(entry, *longer)).map(|(.., strength)| *strength)
    }
}

/// The secret after the `=` or `:` at `at`.
#[inline]
#[must_use]
pub fn find(text: &[u8], at: usize, names: &Names, refusals: &mut Refusals) -> Option<Range<usize>> {
    let end = name_end(text, at);
    names.ends_like_one(text, end).then(|| find_after(text, end, at, names, refusals)).flatten()
}

/// The secret after the separator at `at`, whose name ends at `end`.
fn find_after(text: &[u8], end: usize, at: usize, names: &Names, refusals: &mut Refusals) -> Option<Range<usize>> {
    let name = run_start(text, end, NAME_MAX * 2, is_name)..end;
    let strength = names.known(text.get(name.clone())?)?;
    let separator = byte(text, at)?;
    let mut start = at + 1;
    match (separator, byte(text, start)) {
        // `==`, `::` and `://` compare or qualify.
        (b'=', Some(b'=')) | (b':', Some(b':')) => return None,
        (b':', Some(b'/')) if byte(text, start + 1) == Some(b'/') => return None,
        (b'=', Some(b'>')) => start += 1,
        _ => {}
    }
    // A form's `password+=+x`.
    let form = byte_before(text, at) == Some(b'+');
    if form {
        start = run_end(text, start, |byte| byte == b'+');
    }
    let quoted = text.get(name.end..at)?.iter().any(|byte| matches!(byte, b'"' | b'\'' | b'\\'));
    let prose = separator == b':' && !quoted && byte(text, start).is_some_and(is_blank);
    secret_value::find(text, start, Form { strength, prose }, refusals)
}

/// The secret in the XML element whose opening tag ends in the `>` at `at`.
#[must_use]
pub fn find_element(text: &[u8], at: usize, names: &Names, refusals: &mut Refusals) -> Option<Range<usize>> {
    let tag = run_start(text, at, TAG_MAX, |byte| !matches!(byte, b'<' | b'>'));
    if byte_before(text, tag) != Some(b'<') || byte_before(text, at) == Some(b'/') {
        return None;
    }
    let qualified = tag..run_end(text, tag, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':' | b'.'));
    let name = text.get(qualified)?;
    let local = match memchr::memrchr(b':', name) {
        Some(colon) => name.get(colon + 1..)?,
        None => name,
    };
    let strength = names.strength(local)?;
    let mut start = at + 1;
    let mut end = run_end(text, start, |byte| byte != b'<');
    if let Some(rest) = text.get(start..)
        && rest.starts_with(b"<![CDATA[")
    {
        start += 9;
        end = memchr::memmem::find(text.get(start..)?, b"]]>").map_or(text.len(), |length| start + length);
    }
    // `password=<password>` says what to fill in: no element, for nothing closes it.
    if tag > 1 && matches!(byte_before(text, tag - 1), Some(b'=' | b':')) && !text.get(end..)?.starts_with(b"</") {
        return None;
    }
    let form = Form { strength, prose: false };
    let secret = secret_value::is_secret(text.get(start..end)?, form);
    refusals.take(&(start..end), secret).then_some(start..end)
}

/// Whether `value`, the whole of what a secret's name stands for, may be one.
#[must_use]
pub fn is_secret(value: &[u8], strength: Strength) -> bool {
    let form = Form { strength, prose: false };
    secret_value::is_secret(value, form)
}

/// The end of the name before the separator at `at`: blanks, a closing quote or bracket may stand between.
#[inline]
fn name_end(text: &[u8], at: usize) -> usize {
    match byte_before(text, at) {
        Some(byte) if is_name(byte) => at,
        _ => {
            let blanks = run_start(text, at, 4, |byte| is_blank(byte) || byte == b'+');
            let quotes = run_start(text, blanks, 4, |byte| matches!(byte, b'"' | b'\'' | b']' | b'\\'));
            // `"password ":`
            run_start(text, quotes, 4, is_blank)
        }
    }
}

/// Whether the last `length` bytes of `name` begin a word of it: behind a separator, or with a capital after a small letter.
fn begins_word(name: &[u8], length: usize) -> bool {
    let start = name.len().saturating_sub(length);
    let capital = super::is(name, start, |byte| byte.is_ascii_uppercase());
    byte_before(name, start).is_none_or(|before| !before.is_ascii_alphanumeric() || (capital && before.is_ascii_lowercase()))
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        let names = Names::new(["X-Partner-Pass", "pin code"]);
        let mut refusals = Refusals::default();
        (0..text.len())
            .find_map(|at| match text.as_bytes()[at] {
                b'=' | b':' => find(text.as_bytes(), at, &names, &mut refusals),
                b'>' => find_element(text.as_bytes(), at, &names, &mut refusals),
                _ => None,
            })
            .and_then(|range| text.get(range))
    }

    #[test]
    fn secrets_are_found_by_name() {
        for (text, secret) in [
            ("client_secret=abc", "abc"),
            ("a=1&client_secret=a%26b&c=2", "a%26b"),
            ("CLIENT-SECRET = x1, NEXT = 2", "x1"),
            ("\"access_token\": \"a,b c\\\"d\", \"x\":1", "a,b c\\\"d"),
            ("{'password':'it is'}", "it is"),
            ("password: hunter", "hunter"),
            ("user_password=a}b,c;d end", "a}b,c;d"),
            ("{password=abc, x=1}", "abc"),
            ("{x=1, password=abc}", "abc"),
            ("Internal-Key=eyJabc", "eyJabc"),
            ("apiKey: AbC123", "AbC123"),
            ("x-partner-pass=q", "q"),
            ("pinCode=1234", "1234"),
            ("Authorization: Bearer abc.def", "Bearer abc.def"),
            ("Authorization: Bearer abc.def, Host: x", "Bearer abc.def"),
            ("Authorization=[Bearer abc], Host=[x]", "Bearer abc"),
            ("Authorization: Digest username=\"Mufasa\", realm=\"x\"", "Digest username=\"Mufasa\", realm=\"x\""),
            ("\"authorization\":[\"Bearer a\",\"b\"],\"x\":\"y\"", "Bearer a\",\"b"),
            ("Cookie: a=b; c=d", "a=b; c=d"),
            ("Cookie: a=b; c=d\nHost: x", "a=b; c=d"),
            ("Cookie = a=b; c=d, NEXT = 2", "a=b; c=d"),
            ("Cookie: a=b, c=SECRET", "a=b, c=SECRET"),
            ("Authorization: AWS4-HMAC-SHA256 Credential=a, Signature=f00\nHost: x", "AWS4-HMAC-SHA256 Credential=a, Signature=f00"),
            ("\"password \":\"x y\"", "x y"),
            ("\"token\":[\"abc def\",\"g\"]", "abc def\",\"g"),
            ("Set-Cookie: JSESSIONID=1; Path=/|x", "JSESSIONID=1; Path=/"),
            ("code=SplxlOBeZQQYbYS6WxSbIA&state=1", "SplxlOBeZQQYbYS6WxSbIA"),
            ("code=abc123", "abc123"),
            ("assertion=eyJhbGciOi", "eyJhbGciOi"),
            ("token => 3F2504E04F8911D39A0C0305E82C3301", "3F2504E04F8911D39A0C0305E82C3301"),
            ("<wsse:Password Type=\"x\">s3cret</wsse:Password>", "s3cret"),
            ("<access_token><![CDATA[a<b]]></access_token>", "a<b"),
            ("headers[Authorization]=abc1", "abc1"),
            ("request.headers.apikey=abc", "abc"),
            ("refresh_token=abc|next", "abc"),
            ("access_token: 12345", "12345"),
            ("passwordHash=5f4dcc3b5aa7", "5f4dcc3b5aa7"),
            ("\"secretKey\":\"x1\"", "x1"),
            ("private_key: MIIEow", "MIIEow"),
            ("aws_secret_access_key=wJalr/x+y", "wJalr/x+y"),
            ("pass=hunter2", "hunter2"),
            ("\"pass\": \"hunter\"", "hunter"),
            ("db_pass=a b", "a"),
            ("smtpPass = q1, NEXT = 2", "q1"),
            ("q=password+=+s3cr3t&x=1", "s3cr3t"),
            ("\"token\"+:+\"a1b2\"", "a1b2"),
            ("api-key+=>+'a1b2'", "a1b2"),
            ("key.passphrase: correct horse", "correct"),
        ] {
            assert_eq!(found(text), Some(secret), "{text}");
        }
    }

    #[test]
    fn what_names_or_holds_no_secret_is_left() {
        for text in [
            "status=open",
            "code=200",
            "code: 900803",
            "code=AUTH-900902",
            "code: invalid",
            "errorCode=abc123",
            "ERROR_CODE = 101503",
            "Pattern = password",
            "grant_type=password&scope=x",
            "password=",
            "bypass=yes1",
            "compass: N12",
            "COMPASS=x9",
            "tests pass: many",
            "pass=true",
            "password=null",
            "\"password\":null",
            "password=****",
            "password=&x=1",
            "access_token: expired",
            "Authorization: Bearer ACCESS_TOKEN'",
            "token: invalid",
            "Secret::new",
            "password == x",
            "token://x",
            "<password/>x",
            "<password></password>",
            "<password>[secret]</password>",
            "password=[secret]",
            "password=<password>, x",
            "token={token}",
            "a:b",
            "=x",
            ":",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
