//! What every generator is made of, from one seeded source.

use fastrand::Rng;

pub(crate) fn pick<'a>(rng: &mut Rng, of: &[&'a str]) -> &'a str {
    of[rng.usize(..of.len())]
}

pub(crate) fn hex(rng: &mut Rng, digits: usize) -> String {
    (0..digits).map(|_| char::from(b"0123456789abcdef"[rng.usize(..16)])).collect()
}

pub(crate) fn digits(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| rng.digit(10)).collect()
}

/// Letters of both cases and digits, at least one of each.
pub(crate) fn opaque(rng: &mut Rng, length: usize) -> String {
    let tail: String = (3..length).map(|_| rng.alphanumeric()).collect();
    format!("{}{}{}{tail}", rng.lowercase(), rng.digit(10), rng.uppercase())
}

pub(crate) fn uuid(rng: &mut Rng) -> String {
    format!("{}-{}-4{}-a{}-{}", hex(rng, 8), hex(rng, 4), hex(rng, 3), hex(rng, 3), hex(rng, 12))
}

pub(crate) fn private_address(rng: &mut Rng) -> String {
    format!("10.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(1..255))
}

pub(crate) fn stamp(rng: &mut Rng) -> String {
    format!(
        "2025-{:02}-{:02}{}{:02}:{:02}:{:02}{}{:03}",
        rng.u8(1..=12),
        rng.u8(1..=28),
        pick(rng, &["T", " "]),
        rng.u8(..24),
        rng.u8(..60),
        rng.u8(..60),
        pick(rng, &[",", "."]),
        rng.u16(..1000)
    )
}

/// The digits in groups of these sizes; what is left over is left out.
pub(crate) fn grouped(number: &str, groups: &[usize], separator: &str) -> String {
    let mut rest = number;
    let mut parts = Vec::new();
    for &group in groups {
        let (part, tail) = rest.split_at(group.min(rest.len()));
        if !part.is_empty() {
            parts.push(part);
        }
        rest = tail;
    }
    parts.join(separator)
}
