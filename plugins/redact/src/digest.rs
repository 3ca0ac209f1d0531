//! The keyed hash that takes a value's place: HMAC-SHA-256 (RFC 2104, FIPS 180-4), its first 64 bits.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// A hash key, ready for use; never printed.
#[derive(Clone)]
pub struct Key(Hmac<Sha256>);

impl Key {
    /// A key from any number of bytes.
    #[must_use]
    pub fn new(key: &[u8]) -> Self {
        let mac = Hmac::new_from_slice(key);
        // HMAC takes keys of every length; the error type has no other case.
        Self(mac.unwrap_or_else(|_| Hmac::new(&Default::default())))
    }

    /// The first 64 bits of the hash of what `feed` hands over.
    #[must_use]
    pub fn digest(&self, value: impl Iterator<Item = u8>) -> u64 {
        let mut mac = self.0.clone();
        let mut block = [0; 64];
        let mut filled = 0;
        for byte in value {
            if let Some(slot) = block.get_mut(filled) {
                *slot = byte;
            }
            filled += 1;
            if filled == block.len() {
                mac.update(&block);
                filled = 0;
            }
        }
        mac.update(block.get(..filled).unwrap_or_default());
        let hash = mac.finalize().into_bytes();
        hash.iter().take(8).fold(0, |value, &byte| value << 8 | u64::from(byte))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_hmac_sha_256() {
        // RFC 4231, test cases 2 and 7 (a key longer than a block, a value longer than one).
        let key = Key::new(b"Jefe");
        assert_eq!(key.digest(b"what do ya want for nothing?".iter().copied()), 0x5bdc_c146_bf60_754e);
        let key = Key::new(&[0xaa; 131]);
        let value = b"This is a test using a larger than block-size key and a larger than block-size data. The key needs to be hashed before being used by the HMAC algorithm.";
        assert_eq!(key.digest(value.iter().copied()), 0x9b09_ffa7_1b94_2fcb);
    }

    #[test]
    fn the_key_is_not_printed() {
        assert_eq!(format!("{:?}", Key::new(b"Jefe")), "Key(…)");
    }
}
