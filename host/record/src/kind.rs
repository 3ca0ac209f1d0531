//! How a field is presented to a step.

use crate::Path;
use std::fmt;

/// The kind a step asks a field for. A value of another kind counts as not present.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A JSON string, unescaped.
    Text,
    /// A JSON number without fraction and exponent that fits 64 bits with sign.
    Integer,
    /// Any JSON number, as the nearest 64-bit float; numbers beyond its range are not present.
    Float,
    /// `true` or `false`.
    Boolean,
    /// Any JSON value, as its text. `null` is a value here only inside a larger one: a field that is `null` is not present.
    Json,
}

impl Kind {
    /// The word of the contract.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Text => "text",
            Kind::Integer => "integer",
            Kind::Float => "float",
            Kind::Boolean => "boolean",
            Kind::Json => "json",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A field and how a step wants it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
pub struct Field {
    /// Where it stands in a record.
    pub path: Path,
    /// How it is presented.
    pub kind: Kind,
}

/// What a configured step needs, and what it may do.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Signature {
    /// Fields it is shown, in column order.
    pub reads: Vec<Field>,
    /// Fields it may set or remove, each path once.
    pub writes: Vec<Field>,
    /// Outputs it may send records to, each once, beside the default one.
    pub outputs: Vec<String>,
    /// Whether it may drop records.
    pub drops: bool,
}
