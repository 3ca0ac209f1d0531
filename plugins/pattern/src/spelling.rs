//! How patterns are spelt: by OAuth 2.0 grant types (RFC 6749, RFC 7522, RFC 7523), by gateways and by people.

/// The spellings known of each pattern; the usual ones as they are written most, since these are found fastest. Case, separators and the prefix of OAuth's extension grants do not matter.
pub const SPELLINGS: [(&str, &[&str]); 10] = [
    ("client_credentials", &["client_credentials", "client credentials", "client_credential", "cc", "application", "two_legged"]),
    ("password", &["password", "ropc", "resource_owner", "resource_owner_password", "resource_owner_password_credentials"]),
    ("authorization_code", &["authorization_code", "authorisation_code", "auth_code", "code", "pkce", "authorization_code_pkce"]),
    ("refresh_token", &["refresh_token", "refresh"]),
    ("jwt-bearer", &["jwt-bearer", "urn:ietf:params:oauth:grant-type:jwt-bearer", "jwt", "jwt_bearer_token", "jwt_assertion"]),
    ("saml2-bearer", &["saml2-bearer", "urn:ietf:params:oauth:grant-type:saml2-bearer", "saml2", "saml", "saml_bearer", "saml2_assertion"]),
    ("apikey", &["apikey", "api_key", "api-key", "api_key_auth", "x_api_key", "internal_key"]),
    ("basic", &["basic", "basic_auth", "http_basic", "basic_authentication"]),
    ("mtls", &["mtls", "mutual_tls", "mutual_ssl", "two_way_ssl", "two_way_tls", "client_certificate", "tls_client_auth"]),
    ("none", &["none", "anonymous", "no_auth", "unauthenticated", "public"]),
];

/// What OAuth's extension grants begin with, folded.
const EXTENSION: &[u8] = b"urnietfparamsoauthgranttype";

/// Letters and digits a spelling may have.
const LEN_MAX: usize = 64;

/// A spelling without what does not matter: letters in lower case and digits, nothing else.
#[derive(Debug, Clone, Copy)]
pub struct Folded {
    bytes: [u8; LEN_MAX],
    start: usize,
    end: usize,
}

impl Folded {
    /// Folds a spelling; `None` if nothing is left or more than 64 bytes are.
    #[inline]
    #[must_use]
    pub fn of(text: &[u8]) -> Option<Self> {
        let mut folded = Self { bytes: [0; LEN_MAX], start: 0, end: 0 };
        let mut rest = text;
        while let [byte, after @ ..] = rest {
            rest = after;
            if byte.is_ascii_alphanumeric() {
                *folded.bytes.get_mut(folded.end)? = byte.to_ascii_lowercase();
                folded.end += 1;
            } else if *byte == b'%' {
                // An escaped separator of a query: `%3A`, `%20`.
                rest = rest.get(2..).unwrap_or_default();
            } else if !byte.is_ascii() {
                return None;
            }
        }
        if folded.as_bytes().starts_with(EXTENSION) && folded.end > EXTENSION.len() {
            folded.start = EXTENSION.len();
        }
        (folded.end > 0).then_some(folded)
    }

    /// The letters and digits.
    #[inline]
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.start..self.end).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_spelling_stands_for_two_patterns() {
        let mut seen = std::collections::BTreeMap::new();
        for (name, spellings) in SPELLINGS {
            for spelling in spellings {
                let folded = Folded::of(spelling.as_bytes()).expect("a spelling");
                let before = seen.insert(folded.as_bytes().to_vec(), name);
                assert!(before.is_none_or(|before| before == name), "{spelling} is {before:?} and {name}");
            }
        }
    }

    #[test]
    fn folding_keeps_letters_and_digits() {
        let folded = |text: &str| Folded::of(text.as_bytes()).map(|folded| folded.as_bytes().to_vec());
        assert_eq!(folded("JWT-Bearer 2"), Some(b"jwtbearer2".to_vec()));
        assert_eq!(folded("urn:ietf:params:oauth:grant-type:X"), Some(b"x".to_vec()));
        assert_eq!(folded("a%20b%3"), Some(b"ab".to_vec()));
        assert_eq!(folded(&"a".repeat(64)).map(|folded| folded.len()), Some(64));
        for refused in ["", "--", "\u{e9}", &"a".repeat(65)] {
            assert_eq!(folded(refused), None, "{refused}");
        }
    }
}
