//! The hash that decides what is kept: the same on every machine, in every lane and in every version of this plugin.

/// FNV-1a with 64 bits (Fowler, Noll, Vo; offset basis and prime as published).
const OFFSET: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0000_0100_0000_01b3;

/// Hashes a key under a seed. FNV-1a leaves its high bits poorly mixed for short keys, and those decide, so the finaliser of
/// SplitMix64 (Steele, Lea, Flood) follows.
#[inline]
#[must_use]
pub fn hash(seed: u64, key: &[u8]) -> u64 {
    let mut hash = key.iter().fold(seed, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME));
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

/// The seed that a text stands for.
#[must_use]
pub fn seed(text: &str) -> u64 {
    text.bytes().fold(OFFSET, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

/// Hashes below this are kept for a share from 0 to 1.
#[must_use]
pub fn threshold(share: f64) -> u64 {
    // The conversion saturates; what rounds up to 2^64 keeps everything but one hash in 2^64.
    (share * 18_446_744_073_709_551_616.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_never_change() {
        // Hosts of different versions must agree, so these values are part of the plugin's behaviour.
        assert_eq!(seed(""), OFFSET);
        assert_eq!(seed("a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(hash(seed(""), b"urn:uuid:e93288b1-99ba-477c-b7f2-1dadde01ec79"), 0xa7dd_3570_4db7_a10b);
    }

    #[test]
    fn shares_are_kept_of_any_kind_of_key() {
        for (kind, key) in [
            ("counter", (|n| n.to_string()) as fn(u32) -> String),
            ("padded", |n| format!("SACC_{n:07}_S7_APIQA")),
            ("urn", |n| format!("urn:uuid:{n:08x}-0000-4000-8000-000000000000")),
        ] {
            for share in [0.001, 0.01, 0.1, 0.5, 0.9] {
                let kept = (0..200_000).filter(|n| hash(seed(""), key(*n).as_bytes()) < threshold(share)).count() as f64;
                let wanted = 200_000.0 * share;
                let spread = (wanted * (1.0 - share)).sqrt();
                assert!((kept - wanted).abs() < 5.0 * spread, "{kind} {share}: {kept} kept, about {wanted} expected");
            }
        }
        assert_eq!(threshold(0.0), 0);
        assert_eq!(threshold(1.0), u64::MAX);
        assert_eq!(threshold(0.5), 1 << 63);
    }
}
