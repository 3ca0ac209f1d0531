//! IP addresses, found by parsers, and which of them are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use super::{byte, byte_before, is, is_before, run_end, run_start};

/// Longest textual form of an IPv6 address.
const V6_MAX: usize = 45;

/// The IPv4 address whose first digit is at `at`: four numbers up to 255 without leading zeros, not a part of a longer
/// dotted or lettered name.
#[must_use]
pub fn find_v4(text: &[u8], at: usize) -> Option<(Range<usize>, IpAddr)> {
    let mut octets = [0; 4];
    let mut position = at;
    for (index, octet) in octets.iter_mut().enumerate() {
        if index > 0 {
            if byte(text, position) != Some(b'.') {
                return None;
            }
            position += 1;
        }
        let end = run_end(text, position, |byte| byte.is_ascii_digit());
        let digits = text.get(position..end)?;
        if digits.is_empty() || digits.len() > 3 || (digits.len() > 1 && digits.first() == Some(&b'0')) {
            return None;
        }
        let value = digits.iter().fold(0_u32, |value, byte| value * 10 + u32::from(byte - b'0'));
        *octet = u8::try_from(value).ok()?;
        position = end;
    }
    let before = match byte_before(text, at) {
        Some(byte) => {
            byte.is_ascii_alphanumeric() || byte == b'.' || (byte == b'-' && is_before(text, at - 1, |byte| byte.is_ascii_alphanumeric()))
        }
        None => false,
    };
    let after = match byte(text, position) {
        Some(b'.') => is(text, position + 1, |byte| byte.is_ascii_alphanumeric()),
        // `2.5.4.3=CN`, an object identifier of X.509.
        Some(byte) => byte.is_ascii_alphanumeric() || byte == b'=',
        None => false,
    };
    (!before && !after && !follows_version(text, at)).then_some((at..position, IpAddr::V4(Ipv4Addr::from(octets))))
}

/// Whether what stands before `at` says that a version follows: `version 1.2.3.4`, `"apiVersion":"1.2.3.4"`, `release=1.2.3.4`,
/// `build: 1.2.3.4`.
fn follows_version(text: &[u8], at: usize) -> bool {
    const ENDS: [&[u8]; 2] = [b"version", b"release"];
    const WORDS: [&[u8]; 8] = [b"oid", b"v", b"ver", b"rev", b"build", b"jdk", b"sdk", b"firmware"];
    let end = run_start(text, at, 5, |byte| matches!(byte, b' ' | b'"' | b'\'' | b'=' | b':' | b'\\' | b'+'));
    let letters = run_start(text, end, 32, |byte| byte.is_ascii_alphabetic());
    // The letter of an escape is none of the word's: `\toid`.
    let start = letters + usize::from(byte_before(text, letters) == Some(b'\\') && letters < end);
    let Some(word) = text.get(start..end).filter(|word| end < at && !word.is_empty()) else {
        return false;
    };
    let ends = |known: &&[u8]| {
        word.len() >= known.len() && word.get(word.len() - known.len()..).is_some_and(|tail| tail.eq_ignore_ascii_case(known))
    };
    ENDS.iter().any(ends) || WORDS.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// The IPv6 address around the `:` at `at`. Short ones without a digit (`a::b`) are taken for names.
#[must_use]
pub fn find_v6(text: &[u8], at: usize) -> Option<(Range<usize>, IpAddr)> {
    let is_part = |byte: u8| byte.is_ascii_hexdigit() || matches!(byte, b':' | b'.');
    let beside = |byte: u8| byte == b':' || byte.is_ascii_hexdigit();
    if !is(text, at + 1, beside) && !is_before(text, at, |byte| byte == b':') {
        return None;
    }
    // `:::` is in no address; told early, since a value may consist of nothing else.
    if is(text, at + 1, |byte| byte == b':') && is_before(text, at, |byte| byte == b':') {
        return None;
    }
    let mut start = run_start(text, at, V6_MAX, is_part);
    // Never further than it takes to see that the run is too long.
    let ahead = text.get(..text.len().min(at + V6_MAX + 3)).unwrap_or(text);
    let mut end = run_end(ahead, at, is_part);
    if end - start > V6_MAX + 2 {
        return None;
    }
    // A colon or full stop of the sentence around it.
    while end > start && is_before(text, end, |byte| byte == b'.') {
        end -= 1;
    }
    if text.get(start..end)?.ends_with(b":") && !text.get(start..end)?.ends_with(b"::") {
        end -= 1;
    }
    if text.get(start..end)?.starts_with(b":") && !text.get(start..end)?.starts_with(b"::") {
        start += 1;
    }
    let found = text.get(start..end)?;
    if found.len() < 3 || found.iter().filter(|&&byte| byte == b':').count() < 2 {
        return None;
    }
    let address: Ipv6Addr = std::str::from_utf8(found).ok()?.parse().ok()?;
    let joined = |byte: u8| byte.is_ascii_alphanumeric();
    if !is_written_like_one(found) || is_before(text, start, joined) || is(text, end, joined) {
        return None;
    }
    Some((start..end, IpAddr::V6(address)))
}

/// Whether text that parses as an IPv6 address was meant as one. Qualified names (`DB::F1`), times and the identifiers of
/// hardware parse as well.
fn is_written_like_one(found: &[u8]) -> bool {
    let groups = || found.split(|&byte| byte == b':').filter(|group| !group.is_empty());
    let count = groups().count();
    if count == 8 && groups().all(|group| group.len() == 2) {
        return false;
    }
    if count < 4 && !found.iter().any(u8::is_ascii_digit) {
        return false;
    }
    let shortened = found.windows(2).any(|pair| pair == b"::");
    match groups().next() {
        // All that is assigned begins with four digits, but for `64:ff9b::/96`, loopback and what holds an IPv4 address.
        Some(first) if shortened && !found.starts_with(b":") => first.len() == 4 || first == b"64",
        Some(first) if shortened && count == 1 => first == b"1" || first.contains(&b'.'),
        _ => true,
    }
}

/// Whether an address says something about a person or an organisation: not private (RFC 1918, RFC 4193), shared (RFC 6598),
/// loopback, link-local, unspecified, multicast or reserved. Documentation ranges count as public; of IPv6, what the registry
/// assigns as global unicast (`2000::/3`) and addresses that hold a public IPv4 address.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match (address.to_ipv4(), address.segments()) {
            (Some(within), _) => is_public_v4(within),
            // Translated by a gateway (RFC 6052).
            (None, [0x64, 0xff9b, 0, 0, 0, 0, high, low]) => is_public_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low))),
            (None, [first, ..]) => first & 0xe000 == 0x2000,
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, ..] = address.octets();
    !(address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || first == 0
        || first >= 224
        || (first == 100 && (64..128).contains(&second)))
}

/// The address with its host part cleared: the last octet of an IPv4 address, all but the first 48 bits of an IPv6 one.
#[must_use]
pub fn truncated(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, 0))
        }
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => truncated(IpAddr::V4(mapped)),
            None => {
                let [a, b, c, ..] = address.segments();
                IpAddr::V6(Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0))
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Option<&str> {
        (0..text.len())
            .find_map(|at| {
                find_v4(text.as_bytes(), at).or_else(|| (text.as_bytes()[at] == b':').then(|| find_v6(text.as_bytes(), at)).flatten())
            })
            .and_then(|(range, _)| text.get(range))
    }

    #[test]
    fn addresses_are_found_in_context() {
        for address in
            ["1.2.3.4", "194.51.3.7", "255.255.255.255", "2001:db8::1", "::1", "::ffff:194.51.3.7", "2001:db8:0:1:2:3:4:5", "fe80::1"]
        {
            for (before, after) in
                [("", ""), ("ip=", "&x"), ("\"", "\""), ("[", "]"), ("from ", "."), ("/", ""), (" ", ","), ("(", ")"), ("", "|")]
            {
                assert_eq!(found(&format!("{before}{address}{after}")), Some(address), "{before} {after}");
            }
        }
        assert_eq!(found("from 194.51.3.7:8080"), Some("194.51.3.7"));
        assert_eq!(found("from 2001:db8::1: refused"), Some("2001:db8::1"));
        assert_eq!(found("fe80::1%eth0"), Some("fe80::1"));
    }

    #[test]
    fn what_only_looks_like_one_is_not() {
        for text in [
            "1.2.3",
            "1.2.3.4.5",
            "1.2.3.256",
            "01.2.3.4",
            "v1.2.3.4",
            "1.2.3.4a",
            "Chrome/91.0.4472.124",
            "4.3.2.1.in-addr.arpa",
            "11:42:07",
            "00:1a:2b:3c:4d:5e",
            "std::io",
            "a::b",
            "Foo::Bar",
            "::",
            "x::y",
            "wso2am-4.1.0.23",
            ":",
            "a:1",
            "12:34:56",
            "at 12:34:56.789 and 23:59:59",
            "DB::F1",
            "ns::a1b::c2",
            "10::30",
            "::c0",
            "line 7::8",
            "00:1a:2b:3c:4d:5e:6f:70",
            "20:25:03:03:11:42:07:00",
            "version 1.2.3.4",
            "\"apiVersion\":\"1.2.3.4\"",
            "release=1.2.3.4",
            "build: 1.2.3.4",
            "2.5.4.3=CN",
            r"x\toid 2.5.29.17",
        ] {
            assert_eq!(found(text), None, "{text}");
        }
    }

    #[test]
    fn public_addresses_are_told_and_truncated() {
        for (text, public, cut) in [
            ("10.155.12.146", false, "10.155.12.0"),
            ("172.31.0.1", false, "172.31.0.0"),
            ("172.32.0.1", true, "172.32.0.0"),
            ("192.168.1.1", false, "192.168.1.0"),
            ("100.64.0.1", false, "100.64.0.0"),
            ("194.51.3.7", true, "194.51.3.0"),
            ("203.0.113.9", true, "203.0.113.0"),
            ("::1", false, "::"),
            ("fd00::1", false, "fd00::"),
            ("fe80::1", false, "fe80::"),
            ("2001:db8:1:2::3", true, "2001:db8:1::"),
            ("cafe::2", false, "cafe::"),
            ("::1:2", false, "::"),
            ("64:ff9b::194.51.3.7", true, "64:ff9b::"),
            ("64:ff9b::10.0.0.1", false, "64:ff9b::"),
            ("::ffff:10.0.0.1", false, "10.0.0.0"),
            ("::ffff:194.51.3.7", true, "194.51.3.0"),
        ] {
            let address: IpAddr = text.parse().expect(text);
            assert_eq!(is_public(address), public, "{text}");
            assert_eq!(truncated(address).to_string(), cut, "{text}");
        }
    }
}
