//! Values that are a word or a number: sizes, rates, lanes, addresses.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, Unexpected, Visitor};

use super::problem::Carried;
use crate::Text;
use crate::diagnostic::codes::{BAD_UNIT, BAD_VALUE};
use crate::model::network::Concurrency;
use crate::model::{Admin, Bytes, Lanes, Rate};

/// Most lanes there may be.
pub(crate) const LANES_MAX: u32 = 64;
/// Most requests of a sink at the same time.
const CONCURRENCY_MAX: u32 = 64;

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Size;
        impl Visitor<'_> for Size {
            type Value = Bytes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a size such as `64KiB`, `1MiB` or a number of bytes")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Bytes, E> {
                Ok(Bytes(value))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Bytes, E> {
                Bytes::parse(text).ok_or_else(|| {
                    E::custom(Carried {
                        code: BAD_UNIT,
                        text: "a size such as `64KiB`, `1MiB` or a number of bytes",
                        said: false,
                        help: "the units are B, kB, MB, GB, TB (thousands) and KiB, MiB, GiB, TiB (1,024)",
                    })
                })
            }
        }
        deserializer.deserialize_any(Size)
    }
}

impl<'de> Deserialize<'de> for Rate {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct RateOrWord;
        impl Visitor<'_> for RateOrWord {
            type Value = Rate;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a whole number of records a second, 1 or more, or `unlimited`")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Rate, E> {
                match value {
                    0 => Err(E::invalid_value(Unexpected::Unsigned(0), &self)),
                    _ => Ok(Rate::PerSecond(value)),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Rate, E> {
                match (text, text.parse()) {
                    ("unlimited", _) => Ok(Rate::Unlimited),
                    // In quotes, as `${…}` must be within `{ }`.
                    (_, Ok(value)) => self.visit_u64(value),
                    _ => Err(E::invalid_value(Unexpected::Other("text"), &self)),
                }
            }
        }
        deserializer.deserialize_any(RateOrWord)
    }
}

impl<'de> Deserialize<'de> for Lanes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountOrWord;
        impl Visitor<'_> for CountOrWord {
            type Value = Lanes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`auto` or a whole number from 1 to {LANES_MAX}")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Lanes, E> {
                match u32::try_from(value) {
                    Ok(count) if (1..=LANES_MAX).contains(&count) => Ok(Lanes::Count(count)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Lanes, E> {
                match (text, text.parse()) {
                    ("auto", _) => Ok(Lanes::Auto),
                    // In quotes, as `${…}` must be within `{ }`.
                    (_, Ok(value)) => self.visit_u64(value),
                    _ => Err(E::invalid_value(Unexpected::Other("text"), &self)),
                }
            }
        }
        deserializer.deserialize_any(CountOrWord)
    }
}

impl<'de> Deserialize<'de> for Concurrency {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct CountOrWord;
        impl Visitor<'_> for CountOrWord {
            type Value = Concurrency;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "`adaptive` or a whole number from 1 to {CONCURRENCY_MAX}")
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Concurrency, E> {
                match u32::try_from(value) {
                    Ok(count) if (1..=CONCURRENCY_MAX).contains(&count) => Ok(Concurrency::Fixed(count)),
                    _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
                }
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Concurrency, E> {
                match (text, text.parse()) {
                    ("adaptive", _) => Ok(Concurrency::Adaptive),
                    // In quotes, as `${…}` must be within `{ }`.
                    (_, Ok(value)) => self.visit_u64(value),
                    _ => Err(E::invalid_value(Unexpected::Other("text"), &self)),
                }
            }
        }
        deserializer.deserialize_any(CountOrWord)
    }
}

impl<'de> Deserialize<'de> for Admin {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Text::deserialize(deserializer)?;
        let with = |value: &str| match text.is_interpolated() {
            true => Text::interpolated(value, text.shown()),
            false => Text::from(value),
        };
        let admin = if text == "off" {
            Some(Admin::Off)
        } else if let Some(path) = text.strip_prefix("unix:") {
            (!path.is_empty() && !path.contains('\0')).then(|| Admin::Unix(with(path)))
        } else {
            is_address(&text).then(|| Admin::Address(with(&text)))
        };
        admin.ok_or_else(|| {
            D::Error::custom(Carried {
                code: BAD_VALUE,
                text: "`host:port`, `unix:/path` or `off`",
                said: false,
                help: "for example `127.0.0.1:9480`, `[::1]:9480` or `unix:/run/tamis.sock`",
            })
        })
    }
}

/// `host:port`, the host a name, an IPv4 address or an IPv6 address in brackets.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let known_host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    known_host && port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::is_address;

    #[test]
    fn addresses_need_a_host_and_a_port() {
        for (text, expected) in [
            ("127.0.0.1:9480", true),
            ("localhost:0", true),
            ("[::1]:9480", true),
            ("::1:9480", false),
            ("[x]:1", false),
            ("127.0.0.1", false),
            (":9480", false),
            ("a:65536", false),
            ("a:+1", false),
            ("a b:1", false),
        ] {
            assert_eq!(is_address(text), expected, "{text}");
        }
    }
}
