//! Addresses and networks: parsing without allocation, and membership.

use std::net::{IpAddr, Ipv6Addr};

/// A set of networks. An IPv4 address mapped into IPv6 (`::ffff:10.0.0.1`) counts as the IPv4 address it is.
#[derive(Debug, Clone, Default)]
pub struct Networks {
    /// Network and mask.
    v4: Vec<(u32, u32)>,
    v6: Vec<(u128, u128)>,
}

impl Networks {
    /// Adds a network in CIDR form, or a single address.
    ///
    /// # Errors
    /// What was expected where.
    pub fn add(&mut self, cidr: &str) -> Result<(), String> {
        let (address, length) = match cidr.split_once('/') {
            Some((address, length)) => (address, Some(length)),
            None => (cidr, None),
        };
        let address: IpAddr = address
            .parse()
            .map_err(|_| format!("`{cidr}`: expected a network such as 10.0.0.0/8 or fd00::/8, found `{address}` for its address"))?;
        let bits_max = if address.is_ipv4() { 32 } else { 128 };
        let bits: u32 = match length {
            None => bits_max,
            Some(length) => length
                .parse()
                .ok()
                .filter(|bits| *bits <= bits_max)
                .ok_or_else(|| format!("`{cidr}`: expected a prefix length from 0 to {bits_max}, found `{length}`"))?,
        };
        match address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
                self.v4.push((u32::from(address) & mask, mask));
            }
            IpAddr::V6(address) => {
                let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
                self.v6.push((u128::from(address) & mask, mask));
            }
        }
        Ok(())
    }

    /// Whether one of the networks contains `address`.
    #[inline]
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(address) => {
                let address = u32::from(address);
                self.v4.iter().any(|&(network, mask)| address & mask == network)
            }
            IpAddr::V6(address) => {
                let address = u128::from(address);
                self.v6.iter().any(|&(network, mask)| address & mask == network)
            }
        }
    }
}

/// An address as logs spell it: IPv4 or IPv6, blanks around it, in brackets, with a port or a zone behind.
///
/// Of IPv4 only four decimal numbers without leading zeros are read, since systems disagree on the other spellings.
#[inline]
#[must_use]
pub fn parse(text: &[u8]) -> Option<IpAddr> {
    match v4(text) {
        Some((address, [])) => Some(IpAddr::V4(address.into())),
        _ => parse_rarer(text.trim_ascii()),
    }
}

/// The four numbers at the start of `text` as one, and what follows them.
#[inline]
fn v4(text: &[u8]) -> Option<(u32, &[u8])> {
    let mut address = 0_u32;
    let mut rest = text;
    for place in 0..4 {
        if place > 0 {
            rest = rest.strip_prefix(b".")?;
        }
        let mut number = 0_u32;
        let mut digits = 0_u32;
        while let [digit @ b'0'..=b'9', after @ ..] = rest {
            number = number * 10 + u32::from(digit - b'0');
            digits += 1;
            rest = after;
            if digits > 3 {
                return None;
            }
        }
        // Fewer digits than written would mean a leading zero.
        let shortest = 1 + u32::from(number > 9) + u32::from(number > 99);
        if digits != shortest || number > 255 {
            return None;
        }
        address = address << 8 | number;
    }
    Some((address, rest))
}

fn parse_rarer(text: &[u8]) -> Option<IpAddr> {
    if let Some((address, rest)) = v4(text) {
        return is_port(rest).then(|| IpAddr::V4(address.into()));
    }
    let v6 = match text {
        [b'[', rest @ ..] => {
            let end = rest.iter().position(|&byte| byte == b']')?;
            let (v6, rest) = rest.split_at(end);
            let port = rest.strip_prefix(b"]")?;
            is_port(port).then_some(v6)?
        }
        _ => text,
    };
    // A zone (`fe80::1%eth0`) names an interface of the machine that logged the address.
    let v6 = v6.split(|&byte| byte == b'%').next()?;
    let v6: Ipv6Addr = std::str::from_utf8(v6).ok()?.parse().ok()?;
    Some(IpAddr::V6(v6))
}

/// Nothing, or `:` and a port.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', port @ ..] => (1..=5).contains(&port.len()) && port.iter().all(u8::is_ascii_digit),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_addresses_are_read_as_the_standard_library_does() {
        for text in [
            "0.0.0.0",
            "255.255.255.255",
            "1.2.3.4",
            "256.1.1.1",
            "1.2.3",
            "1.2.3.4.5",
            "01.2.3.4",
            "1..2.3",
            "",
            ".",
            "1.2.3.",
            "00.0.0.0",
            "1.2.3.1000",
            "::",
            "::1",
            "1::2::3",
            "12345::",
            "fe80::1",
            "::ffff:1.2.3.4",
            "1.2.3.4a",
        ] {
            assert_eq!(parse(text.as_bytes()), text.parse().ok(), "{text}");
        }
    }

    #[test]
    fn whole_address_spaces_are_networks_too() {
        let mut networks = Networks::default();
        assert_eq!(networks.add("0.0.0.0/0"), Ok(()));
        assert!(networks.contain(IpAddr::from([8, 8, 8, 8])));
        assert!(!networks.contain(IpAddr::from([0_u16, 0, 0, 0, 0, 0, 0, 1])));
        assert_eq!(networks.add("::/0"), Ok(()));
        assert!(networks.contain(IpAddr::from([0_u16, 0, 0, 0, 0, 0, 0, 1])));
    }

    #[test]
    fn a_network_may_be_one_address_or_be_written_with_host_bits() {
        let mut networks = Networks::default();
        assert_eq!(networks.add("192.0.2.7"), Ok(()));
        assert_eq!(networks.add("198.51.100.77/24"), Ok(()));
        assert!(networks.contain(IpAddr::from([192, 0, 2, 7])));
        assert!(!networks.contain(IpAddr::from([192, 0, 2, 8])));
        assert!(networks.contain(IpAddr::from([198, 51, 100, 1])));
        for wrong in ["", "/8", "10.0.0.0/", "10.0.0.0/-1", "::/129", "10.0.0/8"] {
            assert!(networks.add(wrong).is_err(), "{wrong}");
        }
    }
}
