//! Digests of bytes.

use sha2::{Digest as _, Sha256};
use tamis_config::Digest;

/// The SHA-256 digest of bytes.
pub fn digest_of(bytes: &[u8]) -> Digest {
    Digest::of_hash(Sha256::digest(bytes).into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_digest_of_nothing_is_the_known_one() {
        let known = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(super::digest_of(b"").as_str(), known);
    }
}
