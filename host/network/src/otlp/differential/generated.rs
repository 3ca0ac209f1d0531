//! JSON that is made up, with what it stands for.

use fastrand::Rng;

/// A text between quotation marks as it is written, and the text where it is one of Unicode.
#[derive(Debug, Clone)]
pub(super) struct Quoted {
    pub(super) raw: String,
    text: Option<String>,
}

#[derive(Debug, Clone)]
pub(super) enum Json {
    /// A number, `true`, `false` or `null`.
    Bare(String),
    Text(Quoted),
    List(Vec<Json>, &'static str),
    Object(Vec<(Quoted, Json)>, &'static str),
}

impl Quoted {
    pub(super) fn plain(text: &str) -> Self {
        Self { raw: serde_json::to_string(text).unwrap(), text: Some(text.to_owned()) }
    }

    pub(super) fn is_unicode(&self) -> bool {
        self.text.is_some()
    }

    /// What is no text stays as it is written.
    pub(super) fn text(&self) -> String {
        self.text.clone().unwrap_or_else(|| self.raw.clone())
    }

    /// The text, with some characters escaped that need not be.
    fn escaped(text: &str, rng: &mut Rng) -> Self {
        let mut raw = String::from('"');
        for c in text.chars() {
            if rng.u8(..4) == 0 {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    raw.push_str(&if rng.bool() { format!("\\u{unit:04x}") } else { format!("\\u{unit:04X}") });
                }
            } else {
                let quoted = serde_json::to_string(&c).unwrap();
                raw.push_str(&quoted[1..quoted.len() - 1]);
            }
        }
        raw.push('"');
        Self { raw, text: Some(text.to_owned()) }
    }

    pub(super) fn random(rng: &mut Rng) -> Self {
        if rng.u8(..30) == 0 {
            let raw = ["\"\\ud800\"", "\"a\\uDC00b\"", "\"\\ud83d\\u0041\"", "\"\\ud800\\ud800\"", "\"\\\\\\ud800\""];
            return Self { raw: raw[rng.usize(..raw.len())].to_owned(), text: None };
        }
        let texts = [
            "",
            "a",
            "b",
            "c.d",
            "\0",
            "\u{1f}\u{7f}",
            "é\u{2028}\u{feff}",
            "😀",
            "\"}]\\",
            "\\u0041",
            "a\nb\tc\r",
            "\u{10ffff}",
            "null",
            "{\"a\":1}",
        ];
        let length = [0, 1, 125, 126, 127, 128, 129, 200, 16_380, 16_384];
        match rng.u8(..12) {
            0 => Self::plain(&"x".repeat(length[rng.usize(..length.len())])),
            1..6 => Self::escaped(texts[rng.usize(..texts.len())], rng),
            6 => Self::escaped(&(0..rng.usize(..20)).map(|_| rng.char(..)).collect::<String>(), rng),
            _ => Self::plain(texts[rng.usize(..texts.len())]),
        }
    }
}

const SPACES: [&str; 5] = ["", "", "", " ", "\t\r "];

impl Json {
    /// As it is written.
    pub(super) fn raw(&self) -> String {
        match self {
            Self::Bare(raw) => raw.clone(),
            Self::Text(quoted) => quoted.raw.clone(),
            Self::List(items, space) => {
                let items: Vec<String> = items.iter().map(|item| format!("{space}{}{space}", item.raw())).collect();
                format!("[{}{space}]", items.join(","))
            }
            Self::Object(members, space) => {
                let member = |(name, value): &(Quoted, Json)| format!("{space}{}{space}:{space}{}{space}", name.raw, value.raw());
                format!("{{{space}{}}}", members.iter().map(member).collect::<Vec<_>>().join(","))
            }
        }
    }

    pub(super) fn bare(rng: &mut Rng) -> Self {
        const BARE: [&str; 44] = [
            "null",
            "true",
            "false",
            "0",
            "-0",
            "0.0",
            "-0.0",
            "0e5",
            "1",
            "-1",
            "9",
            "13",
            "24",
            "25",
            "1.0",
            "1E2",
            "1e+2",
            "-2.5e-1",
            "1e999",
            "-1e999",
            "1e-400",
            "-1e-400",
            "0e-999",
            "5e-324",
            "2e-324",
            "1.7976931348623157e308",
            "1.7976931348623159e308",
            "9007199254740993",
            "9007199254740993.0",
            "0.1",
            "0.30000000000000004",
            "18446744073709551615",
            "18446744073709551616",
            "9223372036854775807",
            "9223372036854775808",
            "-9223372036854775808",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "1763920000",
            "1763920000123",
            "1763920000123456",
            "1763920000123456789",
            "4294967295",
            "4294967296",
        ];
        match rng.u8(..4) {
            0 => Self::Bare(rng.i64(..).to_string()),
            1 => Self::Bare(format!("{}.{:03}e{}", rng.i32(..), rng.u16(..1000), rng.i16(-350..350))),
            _ => Self::Bare(BARE[rng.usize(..BARE.len())].to_owned()),
        }
    }

    /// A value within which others lie so deep at most.
    pub(super) fn random(rng: &mut Rng, depth: u32) -> Self {
        let space = SPACES[rng.usize(..SPACES.len())];
        match rng.u8(..10) {
            0..3 => Self::bare(rng),
            3..6 => Self::Text(Quoted::random(rng)),
            _ if depth == 0 => Self::bare(rng),
            6 if rng.u8(..8) == 0 => Self::nested(rng, space),
            6 | 7 => Self::List((0..rng.usize(..5)).map(|_| Self::random(rng, depth - 1)).collect(), space),
            _ => Self::Object((0..rng.usize(..5)).map(|_| (Quoted::random(rng), Self::random(rng, depth - 1))).collect(), space),
        }
    }

    /// At the depth that receivers read to, and beyond.
    fn nested(rng: &mut Rng, space: &'static str) -> Self {
        let mut value = Self::random(rng, 1);
        let lists = rng.u8(..3);
        for _ in 0..rng.usize(20..60) {
            let as_list = if lists == 2 { rng.bool() } else { lists == 1 };
            value = if as_list { Self::List(vec![value], space) } else { Self::Object(vec![(Quoted::plain("k"), value)], space) };
        }
        value
    }

    /// A record whose members are those of a layout, more often than not.
    pub(super) fn record(rng: &mut Rng, names: &[&str]) -> Self {
        let space = SPACES[rng.usize(..SPACES.len())];
        let member = |rng: &mut Rng| {
            let name = match rng.u8(..8) {
                0 => Quoted::random(rng),
                1 => Quoted::escaped(names[rng.usize(..names.len())], rng),
                _ => Quoted::plain(names[rng.usize(..names.len())]),
            };
            let value = match rng.u8(..4) {
                0 => Self::Text(Quoted::escaped(FITTING[rng.usize(..FITTING.len())], rng)),
                1 => Self::head(rng, names),
                2 => Self::bare(rng),
                _ => Self::random(rng, 4),
            };
            (name, value)
        };
        match rng.u8(..25) {
            0 => Self::random(rng, 3),
            _ => Self::Object((0..rng.usize(..14)).map(|_| member(rng)).collect(), space),
        }
    }

    /// What a resource, a scope or attributes may be.
    fn head(rng: &mut Rng, names: &[&str]) -> Self {
        const OF_SCOPES: [&str; 6] = ["name", "version", "schema_url", "attributes", "dropped_attributes_count", "trace"];
        let member = |rng: &mut Rng| {
            let name = match rng.u8(..8) {
                0 => Quoted::random(rng),
                1 => Quoted::plain(names[rng.usize(..names.len())]),
                _ => Quoted::plain(OF_SCOPES[rng.usize(..OF_SCOPES.len())]),
            };
            (name, if rng.bool() { Self::Text(Quoted::plain(FITTING[rng.usize(..FITTING.len())])) } else { Self::random(rng, 2) })
        };
        Self::Object((0..rng.usize(..4)).map(|_| member(rng)).collect(), "")
    }
}

const FITTING: [&str; 16] = [
    "2026-01-02T03:04:05.678Z",
    "1970-01-01T00:00:00Z",
    "1969-12-31T23:59:59Z",
    "2999-01-01T00:00:00Z",
    "2026-01-02T03:04:60Z",
    "2026-01-02t03:04:05+01:00",
    "0af7651916cd43dd8448eb211c80319c",
    "0AF7651916CD43DD8448EB211C80319C",
    "b7ad6b7169203331",
    "00000000000000000000000000000000",
    "00",
    "warn",
    " ERROR ",
    "no severity",
    "",
    "\u{1}N\nS",
];
