//! What looks like personal data or a secret and is none: wrong check digits, identifiers, numbers, times, hashes.

use fastrand::Rng;

use super::random::{digits, grouped, hex, opaque, pick, private_address, stamp, uuid};
use super::values::{iban_number, nir_number};

/// Every kind of look-alike: what it resembles, and what it is.
pub(crate) const LOOK_ALIKES: [(&str, &str); 44] = [
    ("card", "wrong check digit"),
    ("card", "no issuer"),
    ("card", "order number"),
    ("card", "wrong check digit, grouped"),
    ("card", "part of an identifier"),
    ("card", "nanoseconds"),
    ("iban", "wrong check digits"),
    ("iban", "wrong length"),
    ("iban", "no country"),
    ("iban", "part number"),
    ("nir", "wrong key"),
    ("nir", "impossible month"),
    ("phone", "too long"),
    ("phone", "amount"),
    ("phone", "row of pairs"),
    ("phone", "tracking number"),
    ("phone", "milliseconds"),
    ("ip", "version"),
    ("ip", "private"),
    ("ip", "five numbers"),
    ("ip", "beyond 255"),
    ("ip", "time"),
    ("ip", "hardware"),
    ("ip", "object identifier"),
    ("ip", "qualified name"),
    ("email", "file"),
    ("email", "package"),
    ("email", "object"),
    ("email", "unit"),
    ("email", "digest"),
    ("jwt", "encoded object"),
    ("jwt", "three parts"),
    ("bearer", "prose"),
    ("bearer", "challenge"),
    ("named", "empty"),
    ("named", "placeholder"),
    ("named", "code"),
    ("named", "other name"),
    ("named", "name and value"),
    ("credential", "words"),
    ("credential", "public key"),
    ("credential", "part of an identifier"),
    ("any", "hash"),
    ("any", "gateway"),
];

/// A look-alike of this kind.
pub(crate) fn look_alike(rng: &mut Rng, (kind, what): (&str, &str)) -> String {
    match (kind, what) {
        ("card", "wrong check digit") => failing(rng, 16),
        ("card", "no issuer") => format!("{}{}", pick(rng, &["1", "7", "8", "9", "0"]), digits(rng, 15)),
        ("card", "order number") => format!("{}{}", pick(rng, &["CMD-", "ORD", "n°A", "X", "ref-"]), digits(rng, 16)),
        ("card", "wrong check digit, grouped") => grouped(&failing(rng, 16), &[4; 4], pick(rng, &[" ", "-", "."])),
        ("card", "part of an identifier") => format!("{}{}{}", hex(rng, 2), digits(rng, 16), pick(rng, &["f", "a0", "-7", "_x"])).replacen(
            |c: char| c.is_ascii_digit(),
            "e",
            1,
        ),
        ("card", "nanoseconds") => format!("17{}", digits(rng, 17)),
        ("iban", "wrong check digits") => {
            let wrong = rng.u32(1..95);
            iban_number(rng, wrong)
        }
        ("iban", "wrong length") => format!("{}{}", iban_number(rng, 0), rng.digit(10)),
        ("iban", "no country") => format!("{}{}", pick(rng, &["XX", "ZZ", "QQ", "US"]), digits(rng, 22)),
        ("iban", "part number") => format!("{}{}", pick(rng, &["FR", "LX", "RR", "DE"]), digits(rng, 9)),
        ("nir", "wrong key") => {
            let wrong = rng.u64(1..96);
            nir_number(rng, wrong)
        }
        ("nir", "impossible month") => format!("1{:02}{}{}", rng.u8(..100), rng.u8(13..20), digits(rng, 10)),
        ("phone", "too long") => format!("0{}{}", rng.u8(1..=9), digits(rng, 10)),
        ("phone", "amount") => format!("{}.{:02} €, -{}.{:03}", rng.u32(100_000_000..), rng.u8(..100), rng.u32(..), rng.u16(..1000)),
        ("phone", "row of pairs") => grouped(&format!("0{}{}", rng.u8(1..=9), digits(rng, 14)), &[2; 8], pick(rng, &[" ", "-", ":"])),
        ("phone", "tracking number") => format!("{}0{}{}FR", pick(rng, &["LB", "8G", "6A"]), rng.u8(1..=9), digits(rng, 9)),
        ("phone", "milliseconds") => format!("17{}", digits(rng, 11)),
        ("ip", "version") => {
            let version = format!("{}.{}.{}.{}", rng.u8(1..20), rng.u8(..30), rng.u8(..30), rng.u8(..200));
            match rng.u8(..5) {
                0 => format!("version {version}"),
                1 => format!("v{version}"),
                2 => format!("\"version\":\"{version}\""),
                3 => format!("release={version}"),
                _ => format!("tool-{version}.jar"),
            }
        }
        ("ip", "private") => {
            pick(rng, &["127.0.0.1", "192.168.1.7", "172.16.4.4", "0.0.0.0", "::1", "fe80::1:2", "169.254.169.254"]).to_owned()
        }
        ("ip", "five numbers") => format!("{}.{}.{}.{}.{}", rng.u8(1..), rng.u8(..), rng.u8(..), rng.u8(..), rng.u8(..)),
        ("ip", "beyond 255") => format!("{}.{}.{}.{}", rng.u8(1..), rng.u8(..), rng.u16(256..9999), rng.u8(..)),
        ("ip", "time") => format!("{:02}:{:02}:{:02} {}", rng.u8(..24), rng.u8(..60), rng.u8(..60), stamp(rng)),
        ("ip", "hardware") => (0..[6, 8][rng.usize(..2)]).map(|_| hex(rng, 2)).collect::<Vec<_>>().join(":"),
        ("ip", "object identifier") => {
            pick(rng, &["1.3.6.1.4.1.311.21", "OID.2.5.4.3", "2.5.4.3=CN", "1.2.840.113549.1.1.11", "oid 2.5.29.17"]).to_owned()
        }
        ("ip", "qualified name") => {
            format!("{}::{}", pick(rng, &["std", "DB", "a", "Foo", "cafe"]), pick(rng, &["io", "F1", "b", "Bar", "new"]))
        }
        ("email", "file") => {
            format!("{}@{}x.{}", pick(rng, &["icon", "logo", "fond"]), rng.u8(2..4), pick(rng, &["png", "svg", "webp", "jpg"]))
        }
        ("email", "package") => {
            format!("{}@{}.{}.{}", pick(rng, &["lodash", "@types/node", "left-pad"]), rng.u8(..20), rng.u8(..30), rng.u8(..30))
        }
        ("email", "object") => format!("{}@{}", pick(rng, &["java.lang.Object", "[B", "Thread"]), hex(rng, 7)),
        ("email", "unit") => format!("{}@{}.service", pick(rng, &["getty", "user", "postgresql"]), pick(rng, &["tty1", "main", "14-main"])),
        ("email", "digest") => format!("registry.example/app/x@sha256:{}", hex(rng, 64)),
        ("jwt", "encoded object") => format!("cursor=eyJpZCI6{}", opaque(rng, 16)),
        ("jwt", "three parts") => format!("{}.{}.{}", opaque(rng, 20), opaque(rng, 30), opaque(rng, 20)),
        ("bearer", "prose") => {
            pick(rng, &["Bearer authentication failed", "basic information about it", "the bearer of this letter", "Basic auth is off"])
                .to_owned()
        }
        ("bearer", "challenge") => "WWW-Authenticate: Bearer realm=\"gateway\", error=\"invalid_token\"".to_owned(),
        ("named", "empty") => {
            pick(rng, &["{password=, user=x}", "\"token\":\"\"", "access_token=null", "<password/>", "secret: none", "apikey=&x=1"])
                .to_owned()
        }
        ("named", "placeholder") => {
            pick(rng, &["password=****", "token=${TOKEN}", "Authorization: Bearer ACCESS_TOKEN", "apikey=[secret]", "password=<password>"])
                .to_owned()
        }
        ("named", "code") => format!("code={} errorCode=9008{:02} \"code\":\"AUTH-{}\"", rng.u16(..999), rng.u8(..99), rng.u32(..999_999)),
        ("named", "other name") => {
            format!(
                "{}={}",
                pick(rng, &["keyType", "apiId", "tokenType", "monkey", "bypass", "compass", "passage", "encoder"]),
                opaque(rng, 12)
            )
        }
        ("named", "name and value") => format!(
            "{{\"name\":\"{}\",\"value\":\"{}\"}}",
            pick(rng, &["host", "Content-Type", "http.route", "keyType", "X-Request-Id", "café", "passage"]),
            opaque(rng, 12)
        ),
        ("credential", "words") => pick(
            rng,
            &[
                "npm_config_registry",
                "ghp_yourpersonalaccesstokenhere",
                "AKIAXXXXXXXXXXXXXXXX",
                "sk_live_...",
                "last-modified",
                "VIA MEDIA",
                "format_version",
                "----------------",
            ],
        )
        .to_owned(),
        ("credential", "public key") => {
            format!("-----BEGIN {0}-----\n{1}\n-----END {0}-----", pick(rng, &["CERTIFICATE", "PUBLIC KEY"]), hex(rng, 60))
        }
        ("credential", "part of an identifier") => format!("{}{}", pick(rng, &["task_live_", "XAKIA", "high_", "pk_live_"]), hex(rng, 24)),
        ("any", "hash") => {
            let length = [32, 40, 64][rng.usize(..3)];
            hex(rng, length)
        }
        _ => gateway(rng),
    }
}

/// A number of this length with an issuer's prefix, whose check digit is wrong.
fn failing(rng: &mut Rng, length: usize) -> String {
    loop {
        let number = format!("{}{}", pick(rng, &["4", "51", "55", "2221", "6011"]), digits(rng, length));
        let number = &number[..length];
        if !tamis_plugin_redact::detect::card::luhn(number.as_bytes()) {
            return number.to_owned();
        }
    }
}

/// Identifiers that stand in a gateway's logs.
fn gateway(rng: &mut Rng) -> String {
    match rng.u8(..8) {
        0 => format!("urn:uuid:{}", uuid(rng)),
        1 => format!("SACC_{}_S7_APIQA.S7_U1", digits(rng, 7)),
        2 => format!("ApiOwner = cio, AppliOwner = S7_, SourceAppel = {}", private_address(rng)),
        3 => format!("admin--test:v1.{}", rng.u8(..9)),
        4 => format!("PassThroughMessageProcessor-{}|{}|http-outgoing-{}", rng.u8(..99), rng.u16(..), rng.u16(..9999)),
        5 => format!("ERROR_CODE = 1015{:02}, {{api:parcelTracking:vv2}}", rng.u8(..99)),
        6 => format!("requestTimestamp={}Z latency={} size={}", stamp(rng).replace(' ', "T"), rng.u16(..), rng.u32(..)),
        _ => format!("tid=[-1234] [carbon] {}@{}", "axis2", rng.u16(..)),
    }
}
