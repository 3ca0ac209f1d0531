//! Valid values of every kind, in the spellings that people and programs write them in.

use fastrand::Rng;

use super::random::{digits, grouped, hex, opaque, pick, uuid};

/// A planted value: the text that goes into a line and what must not be left of it.
pub(crate) struct Planted {
    pub(crate) spelling: &'static str,
    pub(crate) text: String,
    pub(crate) value: String,
}

fn planted(spelling: &'static str, value: String) -> Planted {
    Planted { spelling, text: value.clone(), value }
}

/// Every kind and how many spellings it has.
pub(crate) const KINDS: [(&str, u8); 11] = [
    ("email", 6),
    ("card", 6),
    ("iban", 5),
    ("nir", 6),
    ("phone", 11),
    ("ip", 6),
    ("jwt", 4),
    ("bearer", 5),
    ("credential", 9),
    ("named", 13),
    ("account", 2),
];

/// A value of `kind` in its spelling number `spelling`.
pub(crate) fn value(rng: &mut Rng, kind: &str, spelling: u8) -> Planted {
    match kind {
        "email" => email(rng, spelling),
        "card" => card(rng, spelling),
        "iban" => iban(rng, spelling),
        "nir" => nir(rng, spelling),
        "phone" => phone(rng, spelling),
        "ip" => address(rng, spelling),
        "jwt" => jwt(rng, spelling),
        "bearer" => bearer(rng, spelling),
        "credential" => credential(rng, spelling),
        "named" => named(rng, spelling),
        _ => account(rng, spelling),
    }
}

fn email(rng: &mut Rng, spelling: u8) -> Planted {
    let first = pick(rng, &["jean", "marie-claude", "x", "Lucie", "p.h", "anne"]);
    let last = pick(rng, &["dupont", "le_goff", "b42", "martin", "d-oliveira"]);
    let number = rng.u16(..9999);
    let domain = pick(
        rng,
        &["example.fr", "mail.example.com", "sous-domaine.example.co.uk", "exemple.paris", "laposte.example.net", "a.io", "x1.eu"],
    );
    match spelling {
        0 => planted("plain", format!("{first}.{last}{number}@{domain}")),
        1 => planted("tagged", format!("{first}+{last}{number}@{domain}")),
        2 => planted("upper case", format!("{first}.{last}{number}@{domain}").to_uppercase()),
        3 => planted("beyond ASCII", format!("hélène.{last}{number}@{}", pick(rng, &["exämple.de", "société.fr", "example.fr"]))),
        4 => planted("rare characters", format!("{first}{}{last}{number}@{domain}", pick(rng, &["'", "!", "~", "$", "*", "#"]))),
        _ => {
            let value = format!("{first}.{last}{number}@{domain}");
            let text = match rng.bool() {
                true => format!("mailto:{value}?subject=x"),
                false => format!("Jean D <{value}>"),
            };
            Planted { spelling: "mailto and name", text, value }
        }
    }
}

fn luhn_completed(prefix: &str) -> String {
    let check = |number: &String| {
        let sum: u32 = number
            .bytes()
            .rev()
            .enumerate()
            .map(|(place, byte)| u32::from(byte - b'0') << (place % 2))
            .map(|value| if value > 9 { value - 9 } else { value })
            .sum();
        sum.is_multiple_of(10)
    };
    (0..10).map(|last| format!("{prefix}{last}")).find(check).expect("one of ten")
}

fn card(rng: &mut Rng, spelling: u8) -> Planted {
    let (prefix, length, groups): (String, usize, &[usize]) = match rng.u8(..10) {
        0 => ("4".into(), 16, &[4, 4, 4, 4]),
        1 => (format!("5{}", rng.u8(1..=5)), 16, &[4, 4, 4, 4]),
        2 => (rng.u16(2221..=2720).to_string(), 16, &[4, 4, 4, 4]),
        3 => (pick(rng, &["34", "37"]).into(), 15, &[4, 6, 5]),
        4 => (pick(rng, &["6011", "65", "644", "649"]).into(), 16, &[4, 4, 4, 4]),
        5 => (pick(rng, &["36", "38", "300", "305"]).into(), 14, &[4, 6, 4]),
        6 => (rng.u16(3528..=3589).to_string(), 16, &[4, 4, 4, 4]),
        7 => ("62".into(), 16, &[4, 4, 4, 4]),
        8 => (pick(rng, &["5018", "6304", "6759", "6761"]).into(), 16, &[4, 4, 4, 4]),
        _ => ("4".into(), 19, &[4, 4, 4, 4, 3]),
    };
    let number = luhn_completed(&format!("{prefix}{}", digits(rng, length - 1 - prefix.len())));
    match spelling {
        0 | 1 => planted("one run", number),
        2 => planted("blanks", grouped(&number, groups, " ")),
        3 => planted("hyphens", grouped(&number, groups, "-")),
        4 => planted("dots", grouped(&number, groups, ".")),
        _ => planted("no-break blanks", grouped(&number, groups, pick(rng, &["\u{a0}", "\u{202f}"]))),
    }
}

/// The form of a country's account numbers behind the check digits: `n` a digit, `a` a capital, `c` either.
const IBANS: [(&str, &str); 14] = [
    ("FR", "nnnnnnnnnncccccccccccnn"),
    ("DE", "nnnnnnnnnnnnnnnnnn"),
    ("GB", "aaaannnnnnnnnnnnnn"),
    ("ES", "nnnnnnnnnnnnnnnnnnnn"),
    ("IT", "annnnnnnnnncccccccccccc"),
    ("BE", "nnnnnnnnnnnn"),
    ("NL", "aaaannnnnnnnnn"),
    ("LU", "nnnccccccccccccc"),
    ("CH", "nnnnncccccccccccc"),
    ("MC", "nnnnnnnnnncccccccccccnn"),
    ("PT", "nnnnnnnnnnnnnnnnnnnnn"),
    ("PL", "nnnnnnnnnnnnnnnnnnnnnnnn"),
    ("NO", "nnnnnnnnnnn"),
    ("MT", "aaaannnnncccccccccccccccccc"),
];

pub(crate) fn iban_number(rng: &mut Rng, wrong_by: u32) -> String {
    let (country, form) = IBANS[rng.usize(..IBANS.len())];
    let account: String = form
        .chars()
        .map(|class| match class {
            'n' => rng.digit(10),
            'a' => rng.uppercase(),
            _ if rng.bool() => rng.digit(10),
            _ => rng.uppercase(),
        })
        .collect();
    let value = format!("{account}{country}00").chars().fold(0_u32, |sum, c| match c.to_digit(36) {
        Some(digit @ 0..10) => (sum * 10 + digit) % 97,
        Some(letter) => (sum * 100 + letter) % 97,
        None => sum,
    });
    format!("{country}{:02}{account}", (98 - value + wrong_by - 2) % 97 + 2)
}

fn iban(rng: &mut Rng, spelling: u8) -> Planted {
    let number = iban_number(rng, 0);
    match spelling {
        0 | 1 => planted("one run", number),
        2 => planted("lower case", number.to_lowercase()),
        3 => planted("blanks", grouped(&number, &[4; 9], " ")),
        _ => planted("hyphens", grouped(&number, &[4; 9], "-")),
    }
}

pub(crate) fn nir_number(rng: &mut Rng, wrong_by: u64) -> String {
    let department = match rng.u8(..6) {
        0 => pick(rng, &["2A", "2B"]).to_owned(),
        1 => pick(rng, &["97", "98", "99"]).to_owned(),
        _ => format!("{:02}", [rng.u8(1..20), rng.u8(21..96)][rng.usize(..2)]),
    };
    let month = [rng.u8(1..=12), rng.u8(1..=12), 20, rng.u8(30..=42), rng.u8(50..=99)][rng.usize(..5)];
    let (commune, order) = (rng.u16(1..=990), rng.u16(1..=999));
    let body = format!("{}{:02}{month:02}{department}{commune:03}{order:03}", rng.u8(1..=2), rng.u8(..100));
    let value: u64 = body.replace("2A", "19").replace("2B", "18").parse().expect("digits");
    format!("{body}{:02}", (97 - value % 97 + wrong_by - 1) % 97 + 1)
}

fn nir(rng: &mut Rng, spelling: u8) -> Planted {
    let number = nir_number(rng, 0);
    match spelling {
        0 | 1 => planted("one run", number),
        2 => planted("blanks", grouped(&number, &[1, 2, 2, 2, 3, 3, 2], " ")),
        3 => planted("key apart", grouped(&number, &[13, 2], " ")),
        4 => planted("hyphens and dots", grouped(&number, &[1, 2, 2, 2, 3, 3, 2], pick(rng, &["-", "."]))),
        _ => planted("lower case", number.to_lowercase()),
    }
}

fn phone(rng: &mut Rng, spelling: u8) -> Planted {
    let first = rng.u8(1..=9);
    let rest = digits(rng, 8);
    let pairs = |separator: &str| grouped(&rest, &[2; 4], separator);
    let separator = pick(rng, &[" ", ".", "-", "\u{a0}"]);
    match spelling {
        0 => planted("one run", format!("0{first}{rest}")),
        1 => planted("pairs", format!("0{first}{separator}{}", pairs(separator))),
        2 => planted("+33, one run", format!("+33{first}{rest}")),
        3 => planted("+33, pairs", format!("+33{separator}{first}{separator}{}", pairs(separator))),
        4 => planted("+33 joined, pairs", format!("+33{first}{separator}{}", pairs(separator))),
        5 => planted("0033", format!("0033{}{first}{separator}{}", pick(rng, &["", " "]), pairs(separator))),
        6 => planted("(0)", format!("+33 (0){}{first}{separator}{}", pick(rng, &["", " "]), pairs(separator))),
        7 => planted("(0) joined", format!("{}(0){first}{rest}", pick(rng, &["+33", "0033"]))),
        8 => planted("(+33)", format!("(+33){}{first}{separator}{}", pick(rng, &["", " "]), pairs(separator))),
        9 => planted("slashes", format!("0{first}/{}", pairs("/"))),
        _ => planted("threes", format!("+33 {first}{} {} {}", &rest[..2], &rest[2..5], &rest[5..])),
    }
}

fn address(rng: &mut Rng, spelling: u8) -> Planted {
    let v4 = format!("{}.{}.{}.{}", pick(rng, &["8", "52", "81", "90", "109", "193", "217"]), rng.u8(..168), rng.u8(..), rng.u8(1..255));
    let group = |rng: &mut Rng| format!("{:x}", rng.u16(1..));
    match spelling {
        0 => planted("IPv4", v4),
        1 => Planted { spelling: "IPv4 with port", text: format!("{v4}:{}", rng.u16(1024..)), value: v4 },
        2 => Planted { spelling: "IPv4 within URL", text: format!("https://{v4}/v{}/x", rng.u8(1..9)), value: v4 },
        3 => {
            let groups: Vec<_> = (0..6).map(|_| group(rng)).collect();
            planted("IPv6", format!("{}:{:x}:{}", pick(rng, &["2001", "2a01", "2606"]), rng.u16(0x100..), groups.join(":")))
        }
        4 => planted("IPv6, short", format!("2a01:{:x}:{}::{}", rng.u16(0x100..), group(rng), group(rng))),
        _ => planted("IPv4 in IPv6", format!("::ffff:{v4}")),
    }
}

fn base64url(text: &str) -> String {
    base64(text).replace('+', "-").replace('/', "_").trim_end_matches('=').to_owned()
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut coded: String = text
        .as_bytes()
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte)) << (8 * (3 - chunk.len()));
            (0..=chunk.len()).map(move |index| char::from(ALPHABET[(bits >> (18 - 6 * index) & 63) as usize]))
        })
        .collect();
    while !coded.len().is_multiple_of(4) {
        coded.push('=');
    }
    coded
}

fn jwt(rng: &mut Rng, spelling: u8) -> Planted {
    let claims = base64url(&format!(r#"{{"sub":"{}","iat":17{},"aud":"x"}}"#, uuid(rng), digits(rng, 8)));
    let signature = base64url(&opaque(rng, 40));
    let of = |header: &str| base64url(header);
    match spelling {
        0 => planted("signed", format!("{}.{claims}.{signature}", of(r#"{"alg":"RS256","typ":"JWT"}"#))),
        1 => planted("blanks in the header", format!("{}.{claims}.{signature}", of("{ \"kid\": \"1\", \"alg\" : \"ES256\" }"))),
        2 => planted("not signed", format!("{}.{claims}.", of(r#"{"typ":"JWT","alg":"none"}"#))),
        _ => {
            let header = of(r#"{"alg":"RSA-OAEP","enc":"A256GCM"}"#);
            let (key, iv, text) = (base64url(&opaque(rng, 60)), base64url(&opaque(rng, 12)), base64url(&opaque(rng, 50)));
            planted("encrypted", format!("{header}.{key}.{iv}.{text}.{}", base64url(&opaque(rng, 16))))
        }
    }
}

fn bearer(rng: &mut Rng, spelling: u8) -> Planted {
    let scheme = pick(rng, &["Bearer", "bearer", "Authorization: Bearer", "BEARER", "Authorization=Bearer"]);
    let with = |spelling, value: String| Planted { spelling, text: format!("{scheme} {value}"), value };
    match spelling {
        0 => with("identifier", uuid(rng)),
        1 => with("hexadecimal", hex(rng, 32)),
        2 => with("letters and digits", opaque(rng, 28)),
        3 => with("with marks", format!("{}.{}~{}/{}==", opaque(rng, 8), opaque(rng, 6), opaque(rng, 5), opaque(rng, 7))),
        _ => {
            let value = base64(&format!("app{}:{}", digits(rng, 4), opaque(rng, 12)));
            let scheme = pick(rng, &["Basic", "basic", "Authorization: Basic"]);
            Planted { spelling: "basic", text: format!("{scheme} {value}"), value }
        }
    }
}

fn named(rng: &mut Rng, spelling: u8) -> Planted {
    const NAMES: [&str; 31] = [
        "client_secret",
        "access_token",
        "refresh_token",
        "id_token",
        "password",
        "apikey",
        "api-key",
        "x-api-key",
        "Internal-Key",
        "code",
        "X-JWT-Assertion",
        "clientSecret",
        "assertion",
        "consumerKey",
        "consumer_secret",
        "db.password",
        "pwd",
        "passphrase",
        "private_key",
        "smtpPass",
        "CLIENT_SECRET",
        "motdepasse",
        "mot_de_passe",
        "motDePasse",
        "mdp",
        "clé_api",
        "contraseña",
        "clave_secreta",
        "passwort",
        "Kennwort",
        "zugriffstoken",
    ];
    let name = pick(rng, &NAMES);
    let value = match rng.u8(..4) {
        0 => opaque(rng, 24),
        1 => format!("{}{}", pick(rng, &["s3cr3t", "Az09~", "q-_", "t0k3n"]), hex(rng, 20)),
        2 => uuid(rng),
        _ => format!("{}.{}", opaque(rng, 9), opaque(rng, 9)),
    };
    let (spelling, text) = match spelling {
        0 => ("name=value", format!("{name}={value}")),
        1 => ("JSON", format!("\"{name}\":\"{value}\"")),
        2 => ("JSON with blanks", format!("\"{name}\" : \"{value}\"")),
        3 => ("name: value", format!("{name}: {value}")),
        4 => ("name = value", format!("{name} = {value}, NEXT = 1")),
        5 => ("XML", format!("<{name}>{value}</{name}>")),
        6 => ("query", format!("?a=1&{name}={value}&b=2")),
        7 => ("map", format!("{{user=x, {name}={value}, z=1}}")),
        8 => ("quoted", format!("{name}='{value}'")),
        9 => ("arrow", format!("{name} => '{value}'")),
        10 => ("name and value", format!("{{\"name\":\"{name}\",\"value\":\"{value}\"}}")),
        11 => ("value and key", format!("{{\"value\": \"{value}\", \"type\": \"x\", \"key\": \"{name}\"}}")),
        _ => return Planted { spelling: "in a URL's authority", text: format!("https://user:{value}@host.example/x"), value },
    };
    Planted { spelling, text, value }
}

/// Keys in the forms that services give them out in, and private keys.
fn credential(rng: &mut Rng, spelling: u8) -> Planted {
    let alone = |rng: &mut Rng, length: usize| -> String { (0..length).map(|_| rng.alphanumeric()).collect() };
    match spelling {
        0 => {
            let body: String = (0..16).map(|_| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[rng.usize(..32)])).collect();
            planted("AWS", format!("{}{body}", pick(rng, &["AKIA", "ASIA"])))
        }
        1 => planted("Google", format!("AIza{}", opaque(rng, 35))),
        2 => planted("GitHub", format!("{}{}", pick(rng, &["ghp_", "gho_", "ghs_"]), alone(rng, 36))),
        3 => planted("GitHub, fine-grained", format!("github_pat_{}_{}", alone(rng, 22), alone(rng, 59))),
        4 => planted("GitLab", format!("glpat-{}", opaque(rng, 20))),
        5 => {
            let (first, second) = (digits(rng, 12), digits(rng, 12));
            planted("Slack", format!("{}-{first}-{second}-{}", pick(rng, &["xoxb", "xoxp", "xoxa"]), alone(rng, 24)))
        }
        6 => planted("Stripe", format!("{}{}", pick(rng, &["sk_live_", "rk_live_"]), alone(rng, 24))),
        7 => planted("npm", format!("npm_{}", alone(rng, 36))),
        _ => {
            let label = pick(rng, &["PRIVATE KEY", "RSA PRIVATE KEY", "OPENSSH PRIVATE KEY"]);
            let lines: Vec<_> = (0..4).map(|_| base64(&alone(rng, 48))).collect();
            let value = lines.join("\n");
            Planted { spelling: "PEM", text: format!("-----BEGIN {label}-----\n{value}\n-----END {label}-----"), value }
        }
    }
}

fn account(rng: &mut Rng, spelling: u8) -> Planted {
    let user = format!("{}{}", pick(rng, &["agent", "jdupont", "svc-"]), rng.u32(1000..999_999));
    match spelling {
        0 => planted("user@carbon.super", format!("{user}@carbon.super")),
        _ => planted("address@carbon.super", format!("{user}@example.fr@carbon.super")),
    }
}
