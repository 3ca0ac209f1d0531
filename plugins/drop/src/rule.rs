//! What a rule asks of a value.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tamis_plugin::Kind;

/// A rule as configured: a field, and exactly one of the tests.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The path of the field.
    pub field: String,
    /// The value is this one.
    #[serde(default, deserialize_with = "some")]
    pub equals: Option<Value>,
    /// The value is one of these.
    #[serde(default)]
    pub r#in: Option<Vec<Value>>,
    /// The value is text and begins so.
    #[serde(default)]
    pub prefix: Option<String>,
    /// Whether the field is missing (or `null`).
    #[serde(default)]
    pub missing: Option<bool>,
    /// The value is a number in this range.
    #[serde(default)]
    pub range: Option<Range>,
}

/// Both ends belong to the range; an end that is left out is open.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// The lowest number.
    #[serde(default)]
    pub min: Option<f64>,
    /// The highest number.
    #[serde(default)]
    pub max: Option<f64>,
}

/// Tells `null`, which is refused as a value, from a key that is not there.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Rule {
    /// The rule's only test.
    ///
    /// # Errors
    /// What is wrong, beginning with the key below the rule (`.in[1]: …`) or a colon.
    pub fn test(&self) -> Result<Test, String> {
        if self.field.is_empty() {
            return Err(".field: expected the path of a field, found empty text".to_owned());
        }
        let given = [
            ("equals", self.equals.is_some()),
            ("in", self.r#in.is_some()),
            ("prefix", self.prefix.is_some()),
            ("missing", self.missing.is_some()),
            ("range", self.range.is_some()),
        ];
        let given: Vec<&str> = given.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        match (self.equals.as_ref(), self.r#in.as_ref(), self.prefix.as_ref(), self.missing, self.range) {
            (Some(value), None, None, None, None) => {
                let mut values = OneOf::default();
                values.add(value).map_err(|error| format!(".equals: {error}"))?;
                Ok(Test::OneOf(values))
            }
            (None, Some(list), None, None, None) => {
                if list.is_empty() {
                    return Err(".in: expected at least one value, found none".to_owned());
                }
                let mut values = OneOf::default();
                for (place, value) in list.iter().enumerate() {
                    values.add(value).map_err(|error| format!(".in[{place}]: {error}"))?;
                }
                Ok(Test::OneOf(values))
            }
            (None, None, Some(prefix), None, None) => Ok(Test::Prefix(prefix.as_bytes().into())),
            (None, None, None, Some(missing), None) => Ok(Test::Missing(missing)),
            (None, None, None, None, Some(range)) => range.test(),
            _ => {
                let found = if given.is_empty() { "none".to_owned() } else { given.join(" and ") };
                Err(format!(": expected one of equals, in, prefix, missing, range; found {found}"))
            }
        }
    }
}

impl Range {
    fn test(self) -> Result<Test, String> {
        match (self.min, self.max) {
            (None, None) => Err(".range: expected min, max or both; found neither".to_owned()),
            (Some(min), Some(max)) if min > max => Err(format!(".range: min {min} is above max {max}")),
            (min, max) => Ok(Test::Range(min.unwrap_or(f64::NEG_INFINITY), max.unwrap_or(f64::INFINITY))),
        }
    }
}

/// A test of one value.
#[derive(Debug, Clone)]
pub enum Test {
    /// It is one of these.
    OneOf(OneOf),
    /// It is text and begins so.
    Prefix(Box<[u8]>),
    /// Whether it is missing.
    Missing(bool),
    /// It is a number from the first to the second.
    Range(f64, f64),
}

/// A set of lengths, the longest ones as one.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lengths(u64);

impl Lengths {
    fn add(&mut self, length: usize) {
        self.0 |= 1 << length.min(63);
    }

    /// Whether a text of `length` bytes can be one of those that the set was made of.
    #[inline]
    #[must_use]
    pub fn has(self, length: u32) -> bool {
        self.0 >> length.min(63) & 1 == 1
    }
}

/// The values of `equals` and `in` by kind.
#[derive(Debug, Clone, Default)]
pub struct OneOf {
    texts: Vec<Box<[u8]>>,
    /// Those of `texts`.
    lengths: Lengths,
    numbers: Vec<Number>,
    booleans: Vec<bool>,
}

impl OneOf {
    fn add(&mut self, value: &Value) -> Result<(), String> {
        match value {
            Value::String(text) => {
                self.lengths.add(text.len());
                self.texts.push(text.as_bytes().into());
            }
            Value::Bool(boolean) => self.booleans.push(*boolean),
            Value::Number(number) => {
                let number = Number::parse(number.to_string().as_bytes());
                self.numbers.push(number.ok_or_else(|| format!("expected a number of 64 bits, found {value}"))?);
            }
            other => return Err(format!("expected text, a number, true or false; found {other}")),
        }
        Ok(())
    }

    #[inline]
    fn has_text(&self, text: &[u8]) -> bool {
        self.texts.iter().any(|known| **known == *text)
    }

    fn has_number(&self, text: &[u8]) -> bool {
        !self.numbers.is_empty() && Number::parse(text).is_some_and(|number| self.numbers.contains(&number))
    }
}

/// A number, exact as long as it is whole and fits 64 bits.
#[derive(Debug, Clone, Copy)]
enum Number {
    Whole(i64),
    Real(f64),
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Whole(a), Self::Whole(b)) => a == b,
            _ => self.real() == other.real(),
        }
    }
}

impl Number {
    /// Reads the text of a JSON number.
    fn parse(text: &[u8]) -> Option<Self> {
        if !matches!(text.first(), Some(b'-' | b'0'..=b'9')) {
            return None;
        }
        let text = std::str::from_utf8(text).ok()?;
        match text.parse() {
            Ok(whole) => Some(Self::Whole(whole)),
            Err(_) => text.parse().ok().map(Self::Real),
        }
    }

    fn real(self) -> f64 {
        match self {
            Self::Whole(whole) => whole as f64,
            Self::Real(real) => real,
        }
    }
}

impl Test {
    /// How the value must be shown: as text where only text can pass, else as JSON.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::OneOf(values) if values.numbers.is_empty() && values.booleans.is_empty() => Kind::Text,
            Self::Prefix(_) => Kind::Text,
            _ => Kind::Json,
        }
    }

    /// The lengths that text must have to pass; `None` where the length says nothing.
    #[must_use]
    pub fn lengths(&self) -> Option<Lengths> {
        match self {
            Self::OneOf(values) => Some(values.lengths),
            _ => None,
        }
    }

    /// Whether a value shown as text passes.
    #[inline]
    #[must_use]
    pub fn text(&self, value: Option<&[u8]>) -> bool {
        match (self, value) {
            (Self::OneOf(values), Some(value)) => values.has_text(value),
            (Self::Prefix(prefix), Some(value)) => value.starts_with(prefix),
            (Self::Missing(missing), value) => value.is_none() == *missing,
            _ => false,
        }
    }

    /// Whether a value shown as JSON passes.
    #[must_use]
    pub fn json(&self, value: Option<&[u8]>) -> bool {
        let Some(value) = value else {
            return matches!(self, Self::Missing(true));
        };
        let quoted = matches!(value, [b'"', .., b'"']);
        match self {
            Self::Missing(missing) => !missing,
            Self::Prefix(prefix) => quoted && unquoted(value).starts_with(prefix),
            Self::OneOf(values) if quoted => {
                let text = unquoted(value);
                values.has_text(&text) || values.has_number(text.trim_ascii())
            }
            Self::OneOf(values) => match value {
                b"true" => values.booleans.contains(&true),
                b"false" => values.booleans.contains(&false),
                number => values.has_number(number),
            },
            Self::Range(min, max) => {
                let text = if quoted { unquoted(value) } else { Cow::Borrowed(value) };
                Number::parse(text.trim_ascii()).is_some_and(|number| (*min..=*max).contains(&number.real()))
            }
        }
    }
}

/// The text of a JSON string; a copy only where something in it is escaped.
fn unquoted(value: &[u8]) -> Cow<'_, [u8]> {
    let inner = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains(&b'\\') {
        return Cow::Borrowed(inner);
    }
    match serde_json::from_slice::<String>(value) {
        Ok(text) => Cow::Owned(text.into_bytes()),
        // A lone surrogate has no UTF-8: such a text equals none that can be configured, as no text holds this byte.
        Err(_) => Cow::Borrowed(&[0xff]),
    }
}
