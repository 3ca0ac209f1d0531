//! Secrets that follow their name: `key=value`, `key: value`, `"key":"value"`, query parameters, header lists, XML elements.
//! The name decides. What follows is only looked at to leave out what no secret is (`null`, `code=200`, `Authorization:
//! Bearer ACCESS_TOKEN` in a message), more closely for names that are ordinary words too (`code`, `token`, `assertion`).

use std::ops::Range;

use super::names::{NAME_MAX, is_name};
pub use super::names::{Names, Strength};
pub use super::secret_value::Refusals;
use super::secret_value::{self, Form};
use super::{byte, byte_before, is_blank, pairs, run_end, run_start};

/// Longest opening tag of an XML element that is looked back over.
const TAG_MAX: usize = 512;

/// The secret after the `=` or `:` at `at`.
#[inline]
#[must_use]
pub fn find(text: &[u8], at: usize, names: &Names, refusals: &mut Refusals) -> Option<Range<usize>> {
    let end = name_end(text, at);
    names.ends_like_one(text, end).then(|| find_after(text, end, at, names, refusals)).flatten()
}

/// The secret after the separator at `at`, whose name ends at `end`.
fn find_after(text: &[u8], end: usize, at: usize, names: &Names, refusals: &mut Refusals) -> Option<Range<usize>> {
    let name = phrase_start(text, run_start(text, end, NAME_MAX * 2, is_name), end)..end;
    let strength = match names.known(text.get(name.clone())?) {
        Some(strength) => strength,
        None => pairs::sibling(text, &name, at, names)?,
    };
    let separator = byte(text, at)?;
    let mut start = at + 1;
    match (separator, byte(text, start)) {
        // `==`, `::` and `://` compare or qualify.
        (b'=', Some(b'=')) | (b':', Some(b':')) => return None,
        (b':', Some(b'/')) if byte(text, start + 1) == Some(b'/') => return None,
        (b'=', Some(b'>')) => start += 1,
        _ => {}
    }
    // A form's `password+=+x` and `"password":+"x"`.
    let after = run_end(text, start, |byte| byte == b'+');
    if byte_before(text, at) == Some(b'+') || (after > start && super::is(text, after, |byte| matches!(byte, b'"' | b'\''))) {
        start = after;
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
    let qualified = tag..run_end(text, tag, |byte| is_name(byte) || byte == b':');
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

/// The beginning of a name of several words that ends in the word at `start`: `mot de passe`.
fn phrase_start(text: &[u8], start: usize, end: usize) -> usize {
    const BEFORE: &[u8] = b"mot de ";
    let like = |found: &[u8]| {
        found.iter().zip(BEFORE).all(|(found, letter)| found.eq_ignore_ascii_case(letter) || (*found, *letter) == (b'+', b' '))
    };
    let is_passe = text.get(start..end).is_some_and(|word| word.eq_ignore_ascii_case(b"passe"));
    match start.checked_sub(BEFORE.len()) {
        Some(before) if is_passe && text.get(before..start).is_some_and(like) => before,
        _ => start,
    }
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
            ("motdepasse=abc", "abc"),
            ("mot_de_passe = abc, NEXT = 2", "abc"),
            ("?a=1&mdp=abc&b=2", "abc"),
            ("\"motDePasse\":\"a b\"", "a b"),
            ("le mot de passe : azerty", "azerty"),
            ("Mot+de+passe=azerty", "azerty"),
            ("clé_secrète=abc", "abc"),
            ("Clé-API: x9", "x9"),
            ("cle\u{301}_prive\u{301}e=abc", "abc"),
            ("jeton_acces=abc", "abc"),
            ("jeton=a1b2c3", "a1b2c3"),
            ("<x:contraseña a='b'>hola</x:contraseña>", "hola"),
            ("contraseña=hola", "hola"),
            ("CONTRASEÑA: hola", "hola"),
            ("contrasen\u{303}a=hola", "hola"),
            ("clave_acceso=hola", "hola"),
            ("clave=h0la1", "h0la1"),
            ("Passwort: geheim", "geheim"),
            ("user.kennwort=geheim", "geheim"),
            ("wachtwoord=x", "x"),
            ("senha=x", "x"),
            ("«password=x y", "x"),
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
            "clave: primera",
            "desenha=x1",
            "il passe: demain",
            "jeton=expire",
            "jeton: invalide",
            "clé: valeur",
            "café=noir",
            "cleaner=x1",
            "déjà: vu",
            "mot: passe",
            "a:b",
            "=x",
            ":",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }
}
