//! Whether a request is let in.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};
use tamis_config::{HmacAuth, ServerAuth};

/// Who may send. Secrets are kept as hashes, so that comparing takes the same time whatever is shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Guard {
    tokens: Vec<[u8; 32]>,
    /// Hashes of `user:password`.
    pairs: Vec<[u8; 32]>,
    hmac: Option<HmacAuth>,
}

impl Guard {
    pub(crate) fn new(auth: &ServerAuth) -> Self {
        let hash = |text: &str| <[u8; 32]>::from(Sha256::digest(text.as_bytes()));
        Self {
            tokens: auth.tokens.iter().map(|token| hash(token)).collect(),
            pairs: auth.basic.iter().map(|(user, password)| hash(&format!("{user}:{}", password.as_str()))).collect(),
            hmac: auth.hmac.clone(),
        }
    }

    /// Whether the headers alone let a request in. With a signature alone, that is told by the body.
    pub(crate) fn admits(&self, headers: &HeaderMap) -> bool {
        if self.tokens.is_empty() && self.pairs.is_empty() {
            return true;
        }
        let Some(shown) = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()) else { return false };
        let Some((scheme, rest)) = shown.split_once(' ') else { return false };
        // Clients of Elasticsearch show tokens as API keys.
        if scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("apikey") {
            return among(rest.trim().as_bytes(), &self.tokens);
        }
        scheme.eq_ignore_ascii_case("basic") && BASE64_STANDARD.decode(rest.trim()).is_ok_and(|pair| among(&pair, &self.pairs))
    }

    /// Whether the signature over the body is right, where one is asked for.
    pub(crate) fn signed(&self, headers: &HeaderMap, body: &[u8]) -> bool {
        let Some(HmacAuth { secret, header }) = &self.hmac else { return true };
        let Some(shown) = headers.get(header.as_str()).and_then(|value| value.to_str().ok()) else { return false };
        let digits = shown.trim().strip_prefix("sha256=").unwrap_or(shown.trim());
        let (Some(shown), Ok(mut mac)) = (from_hex(digits), Hmac::<Sha256>::new_from_slice(secret.as_bytes())) else { return false };
        mac.update(body);
        mac.verify_slice(&shown).is_ok()
    }
}

fn among(shown: &[u8], hashes: &[[u8; 32]]) -> bool {
    let shown: [u8; 32] = Sha256::digest(shown).into();
    hashes.iter().fold(Choice::from(0), |found, hash| found | hash.ct_eq(&shown)).into()
}

fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let digits = digits.as_bytes();
    let value = |digit: &u8| char::from(*digit).to_digit(16).and_then(|value| u8::try_from(value).ok());
    if !digits.len().is_multiple_of(2) {
        return None;
    }
    digits.chunks_exact(2).map(|pair| Some(value(pair.first()?)? << 4 | value(pair.get(1)?)?)).collect()
}
