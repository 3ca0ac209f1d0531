//! Who may use the admin API, and for what.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::reader::parts;

/// Tokens that there may be.
pub const ADMIN_TOKENS_MAX: usize = 64;

/// Who may use the admin API: a token, known by its hash, and what it is good for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
pub struct AdminToken {
    /// SHA-256 of the token, 64 hexadecimal digits, as `tamis admin token` prints it.
    #[serde(deserialize_with = "parts::token_digest")]
    #[schemars(with = "String")]
    pub sha256: TokenDigest,
    /// What it is good for: `view`, `tap` (which sees records) or `operate` (which changes what runs).
    pub role: Role,
}

/// What a token is good for. Each is good for what those before it are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// To read health, metrics, status, plan and history.
    View,
    /// To see live records as well.
    Tap,
    /// To change what runs as well.
    Operate,
}

impl Role {
    /// As it is written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::View => "view",
            Self::Tap => "tap",
            Self::Operate => "operate",
        }
    }
}

/// SHA-256 of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TokenDigest(pub [u8; 32]);

impl TokenDigest {
    /// Reads 64 hexadecimal digits, with `sha256:` before them or without.
    pub fn parse(text: &str) -> Option<Self> {
        let hex = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let mut bytes = [0; 32];
        if hex.len() != 2 * bytes.len() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(hex.chunks_exact(2)) {
            let digit = |at: usize| char::from(*pair.get(at)?).to_digit(16);
            *byte = u8::try_from(digit(0)? * 16 + digit(1)?).ok()?;
        }
        Some(Self(bytes))
    }
}

// It may have come from the environment.
impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("sha256:…")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_64_hexadecimal_digits() {
        let digest = TokenDigest::parse(&"0aF0".repeat(16)).map(|TokenDigest(bytes)| bytes);
        assert_eq!(digest.map(|bytes| (bytes[0], bytes[31])), Some((0x0a, 0xf0)));
        assert!(TokenDigest::parse(&format!("sha256:{}", "0".repeat(64))).is_some());
        for bad in ["", "0", &"0".repeat(63), &"0".repeat(65), &"g".repeat(64), &"é".repeat(32), &"+1".repeat(32)] {
            assert_eq!(TokenDigest::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_role_is_good_for_what_those_before_it_are() {
        assert!(Role::View < Role::Tap && Role::Tap < Role::Operate);
    }
}
